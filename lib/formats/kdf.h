/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kdf.h - from a passphrase to a key, as a LUKS version 2 header asks: PBKDF2 (hash.h), or Argon2 of RFC 9106. */
#ifndef DRYDOCK_KDF_H
#define DRYDOCK_KDF_H

#include "err.h"
#include "hash.h"

enum kdf_alg { KDF_PBKDF2, KDF_ARGON2I, KDF_ARGON2ID };
enum { KDF_SALT_MAX = 128 };

struct kdf {
	enum kdf_alg alg;
	enum hash_alg hash; /* PBKDF2 */
	uint32_t cost;	    /* iterations of PBKDF2, passes of Argon2 */
	uint32_t memory;    /* Argon2: KiB */
	uint32_t lanes;	    /* Argon2 */
	uint8_t salt[KDF_SALT_MAX];
	size_t salt_len;
};

/* Can it be computed at all?  ERR_CORRUPT tells what makes no sense, ERR_LIMIT what is more than LIMIT_ARGON2_*. */
int kdf_judge(const struct kdf *k, struct err *e);
/* What it costs, in the unit of LIMIT_LUKS_WORK; no more than 2^63. */
uint64_t kdf_work(const struct kdf *k, size_t outlen);
/* k is judged.  ERR_LIMIT: this process does not get the memory that it takes. */
int kdf_derive(const struct kdf *k, const void *pass, size_t passlen, uint8_t *out, size_t outlen, struct err *e);

#endif
