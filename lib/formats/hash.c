/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.c - libcrypto's hash functions by way of their plain structs.
 *
 * PBKDF2 is millions of HMACs over a few bytes, so what counts is how an HMAC begins.  libcrypto's own PBKDF2 copies
 * an allocated context four times for each; here the two states behind the key's padding are structs on the stack, and
 * copying them is an assignment.  That is four times as fast, which is time that an owner does not wait while an
 * attacker, who does the same, never did.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "hash.h"

#include "alloc.h"
#include "ondisk.h"

#include <openssl/md5.h>
#include <openssl/ripemd.h>
#include <openssl/sha.h>
#include <openssl/whrlpool.h>
#include <string.h>
#include <time.h>

enum { BLOCK_MAX = 128 };

union state {
	MD5_CTX md5;
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha512;
	RIPEMD160_CTX ripemd160;
	WHIRLPOOL_CTX whirlpool;
};

struct hash {
	const char *name;
	size_t size, block, state_size;
	void (*init)(union state *s);
	void (*update)(union state *s, const void *bytes, size_t len);
	void (*final)(union state *s, uint8_t *out);
};

#define HASH_FUNCTIONS(fn, prefix, member)                                                                             \
	static void fn##_init(union state *s)                                                                          \
	{                                                                                                              \
		prefix##_Init(&s->member);                                                                             \
	}                                                                                                              \
	static void fn##_update(union state *s, const void *bytes, size_t len)                                         \
	{                                                                                                              \
		prefix##_Update(&s->member, bytes, len);                                                               \
	}                                                                                                              \
	static void fn##_final(union state *s, uint8_t *out)                                                           \
	{                                                                                                              \
		prefix##_Final(out, &s->member);                                                                       \
	}
HASH_FUNCTIONS(md5, MD5, md5)
HASH_FUNCTIONS(sha1, SHA1, sha1)
HASH_FUNCTIONS(sha224, SHA224, sha256)
HASH_FUNCTIONS(sha256, SHA256, sha256)
HASH_FUNCTIONS(sha384, SHA384, sha512)
HASH_FUNCTIONS(sha512, SHA512, sha512)
HASH_FUNCTIONS(ripemd160, RIPEMD160, ripemd160)
HASH_FUNCTIONS(whirlpool, WHIRLPOOL, whirlpool)

static const struct hash hashes[HASH_N] = {
	[HASH_MD5] = { "md5", 16, 64, sizeof(MD5_CTX), md5_init, md5_update, md5_final },
	[HASH_SHA1] = { "sha1", 20, 64, sizeof(SHA_CTX), sha1_init, sha1_update, sha1_final },
	[HASH_SHA224] = { "sha224", 28, 64, sizeof(SHA256_CTX), sha224_init, sha224_update, sha224_final },
	[HASH_SHA256] = { "sha256", 32, 64, sizeof(SHA256_CTX), sha256_init, sha256_update, sha256_final },
	[HASH_SHA384] = { "sha384", 48, 128, sizeof(SHA512_CTX), sha384_init, sha384_update, sha384_final },
	[HASH_SHA512] = { "sha512", 64, 128, sizeof(SHA512_CTX), sha512_init, sha512_update, sha512_final },
	[HASH_RIPEMD160] = { "ripemd160", 20, 64, sizeof(RIPEMD160_CTX), ripemd160_init, ripemd160_update,
			     ripemd160_final },
	[HASH_WHIRLPOOL] = { "whirlpool", 64, 64, sizeof(WHIRLPOOL_CTX), whirlpool_init, whirlpool_update,
			     whirlpool_final },
};

const char *hash_name(enum hash_alg alg)
{
	return hashes[alg].name;
}

bool hash_find(const char *name, enum hash_alg *out)
{
	for (unsigned i = 0; i < HASH_N; i++)
		if (strcmp(hashes[i].name, name) == 0) {
			*out = (enum hash_alg)i;
			return true;
		}
	return false;
}

size_t hash_size(enum hash_alg alg)
{
	return hashes[alg].size;
}

void hash_two(enum hash_alg alg, const void *a, size_t alen, const void *b, size_t blen, uint8_t *out)
{
	const struct hash *d = &hashes[alg];
	union state s;

	d->init(&s);
	d->update(&s, a, alen);
	d->update(&s, b, blen);
	d->final(&s, out);
	explicit_bzero(&s, sizeof s);
}

_Static_assert(sizeof(union state) <= sizeof(((struct hash_work *)0)->state), "room for any state");

void hash_start(struct hash_work *w, enum hash_alg alg)
{
	w->alg = alg;
	hashes[alg].init((union state *)(void *)w->state);
}

void hash_add(struct hash_work *w, const void *bytes, size_t len)
{
	hashes[w->alg].update((union state *)(void *)w->state, bytes, len);
}

void hash_end(struct hash_work *w, uint8_t *out)
{
	hashes[w->alg].final((union state *)(void *)w->state, out);
}

/* ---- HMAC (RFC 2104) ---- */

struct hmac {
	const struct hash *d;
	union state inner, outer; /* behind the padded key */
};

static void hmac_init(struct hmac *h, const struct hash *d, const void *key, size_t len)
{
	uint8_t pad[BLOCK_MAX] = { 0 };

	h->d = d;
	d->init(&h->inner);
	d->init(&h->outer);
	if (len > d->block) {
		union state s;
		d->init(&s);
		d->update(&s, key, len);
		d->final(&s, pad);
		explicit_bzero(&s, sizeof s);
	} else if (len) {
		memcpy(pad, key, len);
	}
	for (size_t i = 0; i < d->block; i++)
		pad[i] ^= 0x36;
	d->update(&h->inner, pad, d->block);
	for (size_t i = 0; i < d->block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	d->update(&h->outer, pad, d->block);
	explicit_bzero(pad, sizeof pad);
}

/* The HMAC of a and b, one behind the other; out may be a or b.  s is scratch. */
static inline void hmac_two(const struct hmac *h, union state *s, const void *a, size_t alen, const void *b,
			    size_t blen, uint8_t *out)
{
	const struct hash *d = h->d;

	memcpy(s, &h->inner, d->state_size);
	d->update(s, a, alen);
	if (blen)
		d->update(s, b, blen);
	d->final(s, out);
	memcpy(s, &h->outer, d->state_size);
	d->update(s, out, d->size);
	d->final(s, out);
}

/* ---- PBKDF2 ---- */

void hash_pbkdf2(enum hash_alg alg, const void *pass, size_t passlen, const void *salt, size_t saltlen,
		 uint32_t iterations, uint8_t *out, size_t outlen)
{
	const struct hash *d = &hashes[alg];
	uint8_t u[HASH_MAX], sum[HASH_MAX];
	union state s;
	struct hmac h;

	hmac_init(&h, d, pass, passlen);
	for (uint32_t block = 1; outlen; block++) {
		size_t n = MIN_OF(outlen, d->size);
		be32 index;

		be32_put(&index, block);
		hmac_two(&h, &s, salt, saltlen, &index, sizeof index, u);
		memcpy(sum, u, d->size);
		for (uint32_t i = 1; i < iterations; i++) {
			hmac_two(&h, &s, u, d->size, NULL, 0, u);
			for (size_t k = 0; k < d->size; k++)
				sum[k] ^= u[k];
		}
		memcpy(out, sum, n);
		out += n;
		outlen -= n;
	}
	explicit_bzero(&h, sizeof h);
	explicit_bzero(&s, sizeof s);
	explicit_bzero(u, sizeof u);
	explicit_bzero(sum, sizeof sum);
}

uint64_t hash_pbkdf2_work(enum hash_alg alg, uint64_t iterations, size_t outlen)
{
	return iterations * ((outlen + hashes[alg].size - 1) / hashes[alg].size);
}

static uint64_t clock_nsec(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/*
 * The processor's clock, so that a busy machine does not make weak keys; where it does not tick (some containers) the
 * wall's.  Ends: the number of iterations doubles, and at 2^28 every clock has moved.
 */
uint64_t hash_pbkdf2_iterations(enum hash_alg alg, size_t outlen, unsigned ms)
{
	static const uint64_t enough = 50 * 1000000;
	uint8_t out[HASH_MAX];
	uint32_t n = 1 << 12;

	outlen = MIN_OF(outlen, sizeof out);
	for (;;) {
		uint64_t cpu = clock_nsec(CLOCK_THREAD_CPUTIME_ID), wall = clock_nsec(CLOCK_MONOTONIC);

		hash_pbkdf2(alg, "password", 8, "salt", 4, n, out, outlen);
		cpu = clock_nsec(CLOCK_THREAD_CPUTIME_ID) - cpu;
		wall = clock_nsec(CLOCK_MONOTONIC) - wall;
		if (cpu >= enough || (wall >= 10 * enough && cpu < enough / 10) || n >= 1u << 28) {
			uint64_t ns = cpu >= enough ? cpu : wall ? wall : 1;
			return (uint64_t)((double)n * ms * 1e6 / (double)ns);
		}
		n *= 2;
	}
}
