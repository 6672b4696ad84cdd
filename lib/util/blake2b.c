/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blake2b.c - BLAKE2b in one go.
 *
 * Blocks of 128 bytes are mixed into eight words.  A mixing works on sixteen words: the eight, and SHA-512's initial
 * values, into which the count of bytes so far and a mark of the last block went.  Twelve rounds, each of which takes
 * the block's words in another order.
 */
#include "blake2b.h"

#include "alloc.h"
#include "ondisk.h"

#define BLOCK 128
#define ROUNDS 12

static const uint64_t initial[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Rounds 10 and 11 begin anew. */
static const uint8_t orders[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 }, { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 }, { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 }, { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 }, { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t ror64(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

#define MIX(a, b, c, d, x, y)                                                                                          \
	do {                                                                                                           \
		a += b + (x);                                                                                          \
		d = ror64(d ^ a, 32);                                                                                  \
		c += d;                                                                                                \
		b = ror64(b ^ c, 24);                                                                                  \
		a += b + (y);                                                                                          \
		d = ror64(d ^ a, 16);                                                                                  \
		c += d;                                                                                                \
		b = ror64(b ^ c, 63);                                                                                  \
	} while (0)

/* total: bytes with this block's. */
static void block_mix(uint64_t h[8], const uint8_t *block, uint64_t total, int last)
{
	uint64_t m[16], v[16];

	for (unsigned i = 0; i < 16; i++) {
		le64 word;

		memcpy(&word, block + i * 8, sizeof word);
		m[i] = le64_get(word);
		v[i] = i < 8 ? h[i] : initial[i - 8];
	}
	v[12] ^= total;
	if (last)
		v[14] = ~v[14];
	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint8_t *o = orders[round % ARRAY_LEN(orders)];

		MIX(v[0], v[4], v[8], v[12], m[o[0]], m[o[1]]);
		MIX(v[1], v[5], v[9], v[13], m[o[2]], m[o[3]]);
		MIX(v[2], v[6], v[10], v[14], m[o[4]], m[o[5]]);
		MIX(v[3], v[7], v[11], v[15], m[o[6]], m[o[7]]);
		MIX(v[0], v[5], v[10], v[15], m[o[8]], m[o[9]]);
		MIX(v[1], v[6], v[11], v[12], m[o[10]], m[o[11]]);
		MIX(v[2], v[7], v[8], v[13], m[o[12]], m[o[13]]);
		MIX(v[3], v[4], v[9], v[14], m[o[14]], m[o[15]]);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

void blake2b(uint8_t *out, size_t outlen, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t last[BLOCK] = { 0 }, digest[64];
	uint64_t h[8], done = 0;

	memcpy(h, initial, sizeof h);
	/* The parameters: the digest's length, no key, one leaf. */
	h[0] ^= 0x01010000 ^ outlen;
	/* The last block is always mixed as such, even where it is whole, or empty. */
	for (; len - done > BLOCK; done += BLOCK)
		block_mix(h, p + done, done + BLOCK, 0);
	if (len > done)
		memcpy(last, p + done, len - done);
	block_mix(h, last, len, 1);
	for (unsigned i = 0; i < 8; i++) {
		le64 word;

		le64_put(&word, h[i]);
		memcpy(digest + i * 8, &word, sizeof word);
	}
	memcpy(out, digest, outlen);
}
