/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * digest.c - POSIX cksum, MD5 (RFC 1321), SHA-1 and SHA-2 (FIPS 180-4).
 *
 * MD5 and SHA work alike: blocks of 64 (128) bytes are mixed into a state; at the end come a 1 bit, zeros, and the
 * length in bits.
 */
#include "digest.h"

#include "alloc.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const kind_names[] = { "crc", "md5", "sha1", "sha224", "sha256", "sha384", "sha512" };

bool digest_kind_parse(const char *name, enum digest_kind *out)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*out = (enum digest_kind)i;
			return true;
		}
	}
	return false;
}

static uint32_t rol32(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t ror32(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint64_t ror64(uint64_t x, unsigned n)
{
	return x >> n | x << (64 - n);
}

static uint32_t load_le32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

static uint32_t load_be32(const uint8_t *p)
{
	be32 v;

	memcpy(&v, p, sizeof v);
	return be32_get(v);
}

static uint64_t load_be64(const uint8_t *p)
{
	be64 v;

	memcpy(&v, p, sizeof v);
	return be64_get(v);
}

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32_t md5_k[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
	0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
	0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void md5_block(uint32_t h[4], const uint8_t *p)
{
	static const uint8_t shift[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3];

	for (unsigned i = 0; i < 64; i++) {
		uint32_t f, t;
		unsigned g;

		if (i < 16) {
			f = (b & c) | (~b & d);
			g = i;
		} else if (i < 32) {
			f = (d & b) | (~d & c);
			g = (5 * i + 1) % 16;
		} else if (i < 48) {
			f = b ^ c ^ d;
			g = (3 * i + 5) % 16;
		} else {
			f = c ^ (b | ~d);
			g = 7 * i % 16;
		}
		t = a + f + md5_k[i] + load_le32(p + 4 * g);
		a = d;
		d = c;
		c = b;
		b += rol32(t, shift[i / 16][i % 4]);
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rol32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k, t;

		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		t = rol32(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rol32(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* The first 64 bits of the fractions of the cube roots of the first 80 primes; SHA-256 takes the upper halves. */
static const uint64_t sha2_k[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
	0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
	0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
	0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
	0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
	0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
	0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
	0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
	0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
	0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
	0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
	0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
	0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
	0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
	0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
	0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
	0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint32_t sha256_t1(uint32_t e, uint32_t f, uint32_t g, uint32_t h)
{
	return h + (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) + ((e & f) ^ (~e & g));
}

static uint32_t sha256_t2(uint32_t a, uint32_t b, uint32_t c)
{
	return (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

/* The standard moves eight values on by one place a round; here the names move, and eight rounds come round again. */
#define SHA2_ROUND(t1_of, t2_of, a, b, c, d, e, f, g, h, kw)                                                           \
	do {                                                                                                           \
		h = t1_of(e, f, g, h) + (kw);                                                                          \
		d += h;                                                                                                \
		h += t2_of(a, b, c);                                                                                   \
	} while (0)
#define SHA2_EIGHT_ROUNDS(t1_of, t2_of, s, kw)                                                                         \
	do {                                                                                                           \
		SHA2_ROUND(t1_of, t2_of, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], kw(0));                       \
		SHA2_ROUND(t1_of, t2_of, s[7], s[0], s[1], s[2], s[3], s[4], s[5], s[6], kw(1));                       \
		SHA2_ROUND(t1_of, t2_of, s[6], s[7], s[0], s[1], s[2], s[3], s[4], s[5], kw(2));                       \
		SHA2_ROUND(t1_of, t2_of, s[5], s[6], s[7], s[0], s[1], s[2], s[3], s[4], kw(3));                       \
		SHA2_ROUND(t1_of, t2_of, s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3], kw(4));                       \
		SHA2_ROUND(t1_of, t2_of, s[3], s[4], s[5], s[6], s[7], s[0], s[1], s[2], kw(5));                       \
		SHA2_ROUND(t1_of, t2_of, s[2], s[3], s[4], s[5], s[6], s[7], s[0], s[1], kw(6));                       \
		SHA2_ROUND(t1_of, t2_of, s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[0], kw(7));                       \
	} while (0)

static void sha256_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], s[8];

	memcpy(s, h, sizeof s);
	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (unsigned i = 16; i < 64; i++)
		w[i] = w[i - 16] + (ror32(w[i - 15], 7) ^ ror32(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
		       (ror32(w[i - 2], 17) ^ ror32(w[i - 2], 19) ^ w[i - 2] >> 10);
#define KW(n) ((uint32_t)(sha2_k[i + (n)] >> 32) + w[i + (n)])
	for (unsigned i = 0; i < 64; i += 8)
		SHA2_EIGHT_ROUNDS(sha256_t1, sha256_t2, s, KW);
#undef KW
	for (unsigned i = 0; i < 8; i++)
		h[i] += s[i];
}

static uint64_t sha512_t1(uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
	return h + (ror64(e, 14) ^ ror64(e, 18) ^ ror64(e, 41)) + ((e & f) ^ (~e & g));
}

static uint64_t sha512_t2(uint64_t a, uint64_t b, uint64_t c)
{
	return (ror64(a, 28) ^ ror64(a, 34) ^ ror64(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
}

static void sha512_block(uint64_t h[8], const uint8_t *p)
{
	uint64_t w[80], s[8];

	memcpy(s, h, sizeof s);
	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be64(p + 8 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = w[i - 16] + (ror64(w[i - 15], 1) ^ ror64(w[i - 15], 8) ^ w[i - 15] >> 7) + w[i - 7] +
		       (ror64(w[i - 2], 19) ^ ror64(w[i - 2], 61) ^ w[i - 2] >> 6);
#define KW(n) (sha2_k[i + (n)] + w[i + (n)])
	for (unsigned i = 0; i < 80; i += 8)
		SHA2_EIGHT_ROUNDS(sha512_t1, sha512_t2, s, KW);
#undef KW
	for (unsigned i = 0; i < 8; i++)
		h[i] += s[i];
}

/* POSIX cksum: CRC-32 with polynomial 04C11DB7, most significant bit first, over the bytes and then over their number. */
static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
	crc ^= (uint32_t)byte << 24;
	for (unsigned bit = 0; bit < 8; bit++)
		crc = crc << 1 ^ (crc & 0x80000000 ? 0x04c11db7 : 0);
	return crc;
}

static void crc_add(uint32_t *crc, const uint8_t *p, size_t len)
{
	uint32_t table[256];

	/* Made anew for each piece: cheap beside the megabyte that a piece is. */
	for (unsigned i = 0; len > 1024 && i < 256; i++)
		table[i] = crc_byte(0, (uint8_t)i);
	for (size_t i = 0; i < len; i++)
		*crc = len > 1024 ? *crc << 8 ^ table[*crc >> 24 ^ p[i]] : crc_byte(*crc, p[i]);
}

void digest_start(struct digest *d, enum digest_kind kind)
{
	static const uint32_t md5_sha1[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	static const uint32_t sha224[8] = { 0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
					    0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4 };
	static const uint32_t sha256[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	static const uint64_t sha384[8] = { 0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
					    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4 };
	static const uint64_t sha512[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
					    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };

	*d = (struct digest){ .kind = kind };
	switch (kind) {
	case DIGEST_CRC:
		break;
	case DIGEST_MD5:
	case DIGEST_SHA1:
		memcpy(d->w32, md5_sha1, sizeof md5_sha1);
		break;
	case DIGEST_SHA224:
		memcpy(d->w32, sha224, sizeof sha224);
		break;
	case DIGEST_SHA256:
		memcpy(d->w32, sha256, sizeof sha256);
		break;
	case DIGEST_SHA384:
		memcpy(d->w64, sha384, sizeof sha384);
		break;
	case DIGEST_SHA512:
		memcpy(d->w64, sha512, sizeof sha512);
		break;
	}
}

static size_t block_len(const struct digest *d)
{
	return d->kind >= DIGEST_SHA384 ? 128 : 64;
}

static void mix(struct digest *d, const uint8_t *p)
{
	if (d->kind == DIGEST_MD5)
		md5_block(d->w32, p);
	else if (d->kind == DIGEST_SHA1)
		sha1_block(d->w32, p);
	else if (d->kind <= DIGEST_SHA256)
		sha256_block(d->w32, p);
	else
		sha512_block(d->w64, p);
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t block = block_len(d), have = d->len % block;

	d->len += len;
	if (d->kind == DIGEST_CRC) {
		crc_add(&d->w32[0], p, len);
		return;
	}
	while (len) {
		size_t n = MIN_OF(block - have, len);

		if (n == block) {
			mix(d, p);
		} else {
			memcpy(d->block + have, p, n);
			have += n;
			if (have == block)
				mix(d, d->block);
		}
		have %= block;
		p += n;
		len -= n;
	}
}

static void hex(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* The 1 bit, the zeros, the length. */
static void pad(struct digest *d)
{
	static const uint8_t pad_bytes[128] = { 0x80 };
	uint64_t bits = d->len * 8;
	size_t block = block_len(d), tail = block == 128 ? 16 : 8, have = d->len % block;
	size_t n = have < block - tail ? block - tail - have : 2 * block - tail - have;
	uint8_t count[16] = { 0 };
	be64 big;
	le64 little;

	be64_put(&big, bits);
	le64_put(&little, bits);
	if (d->kind == DIGEST_MD5)
		memcpy(count, little.b, 8);
	else
		memcpy(count + tail - 8, big.b, 8);
	digest_add(d, pad_bytes, n);
	digest_add(d, count, tail);
}

void digest_end(struct digest *d, char text[DIGEST_TEXT])
{
	static const uint8_t lens[] = { 0, 16, 20, 28, 32, 48, 64 };
	uint8_t out[64];

	if (d->kind == DIGEST_CRC) {
		uint32_t crc = d->w32[0];

		for (uint64_t n = d->len; n; n >>= 8)
			crc = crc_byte(crc, (uint8_t)n);
		snprintf(text, DIGEST_TEXT, "%" PRIu32, ~crc);
		return;
	}
	pad(d);
	for (unsigned i = 0; i < 8; i++) {
		be64 b64;
		be32 b32;
		le32 l32;

		be64_put(&b64, d->w64[i]);
		be32_put(&b32, d->w32[i]);
		le32_put(&l32, d->w32[i]);
		if (d->kind >= DIGEST_SHA384)
			memcpy(out + 8 * i, b64.b, 8);
		else
			memcpy(out + 4 * i, d->kind == DIGEST_MD5 ? l32.b : b32.b, 4);
	}
	hex(out, lens[d->kind], text);
}
