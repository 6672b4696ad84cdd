/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hash.h - the hash functions that image formats name, and the derivation of keys from passphrases (PBKDF2). */
#ifndef DRYDOCK_HASH_H
#define DRYDOCK_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hash_alg {
	HASH_MD5,
	HASH_SHA1,
	HASH_SHA224,
	HASH_SHA256,
	HASH_SHA384,
	HASH_SHA512,
	HASH_RIPEMD160,
	HASH_WHIRLPOOL, /* in headers that cryptsetup made; not an option of ours, as it is none of the peers' */
	HASH_N,
};
enum { HASH_MAX = 64 };

/* "sha256". */
const char *hash_name(enum hash_alg alg);
bool hash_find(const char *name, enum hash_alg *out);
/* Bytes of a digest. */
size_t hash_size(enum hash_alg alg);
/* The digest of a and b, one behind the other; out has room for hash_size() bytes and may be a or b. */
void hash_two(enum hash_alg alg, const void *a, size_t alen, const void *b, size_t blen, uint8_t *out);

/* The same, in any number of steps. */
struct hash_work {
	enum hash_alg alg;
	uint64_t state[32];
};
void hash_start(struct hash_work *w, enum hash_alg alg);
void hash_add(struct hash_work *w, const void *bytes, size_t len);
void hash_end(struct hash_work *w, uint8_t *out);

/* RFC 8018, 5.2: iterations is at least 1, outlen less than 2^32 digests. */
void hash_pbkdf2(enum hash_alg alg, const void *pass, size_t passlen, const void *salt, size_t saltlen,
		 uint32_t iterations, uint8_t *out, size_t outlen);
/* HMACs that such a derivation computes: its cost. */
uint64_t hash_pbkdf2_work(enum hash_alg alg, uint64_t iterations, size_t outlen);
/* How many iterations this thread does in `ms` milliseconds of processor time, for that many bytes: measured. */
uint64_t hash_pbkdf2_iterations(enum hash_alg alg, size_t outlen, unsigned ms);

#endif
