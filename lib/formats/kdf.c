/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kdf.c - the two kinds of derivation, and what they cost.  Argon2 is libargon2's: libcrypto has it only since 3.2. */
#include "kdf.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <argon2.h>
#include <inttypes.h>

/* A block of 1 KiB takes about as long as this many HMACs. */
#define ARGON2_BLOCK_WORK 4
/* More threads than processors do not help, and cryptsetup starts no more either. */
#define ARGON2_THREADS 4

int kdf_judge(const struct kdf *k, struct err *e)
{
	if (k->cost == 0)
		return err_set(e, ERR_CORRUPT, "no iterations");
	if (k->alg == KDF_PBKDF2)
		return 0;
	if (k->lanes == 0 || k->lanes > LIMIT_ARGON2_LANES)
		return err_set(e, k->lanes ? ERR_LIMIT : ERR_CORRUPT, "Argon2 with %" PRIu32 " threads", k->lanes);
	if (k->memory < 8 * k->lanes)
		return err_set(e, ERR_CORRUPT, "Argon2 with %" PRIu32 " KiB of memory: too little", k->memory);
	if (k->memory > LIMIT_ARGON2_KIB)
		return err_set(e, ERR_LIMIT, "Argon2 with %" PRIu32 " MiB of memory", k->memory / 1024);
	if (k->salt_len < ARGON2_MIN_SALT_LENGTH)
		return err_set(e, ERR_CORRUPT, "Argon2 with a salt of %zu bytes", k->salt_len);
	return 0;
}

uint64_t kdf_work(const struct kdf *k, size_t outlen)
{
	uint64_t work;

	if (k->alg == KDF_PBKDF2)
		return hash_pbkdf2_work(k->hash, k->cost, outlen);
	work = (uint64_t)k->cost * k->memory; /* of 32 bits each */
	return checked_mul(work, ARGON2_BLOCK_WORK, &work) && work <= INT64_MAX ? work : INT64_MAX;
}

static int memory_get(uint8_t **memory, size_t bytes)
{
	*memory = alloc_bytes(bytes);
	return *memory ? ARGON2_OK : ARGON2_MEMORY_ALLOCATION_ERROR;
}

/* libargon2 has wiped it. */
static void memory_free(uint8_t *memory, size_t bytes)
{
	(void)bytes;
	free(memory);
}

static int argon2(const struct kdf *k, const void *pass, size_t passlen, uint8_t *out, size_t outlen, struct err *e)
{
	/* What is not const here is not written to without the flags that say so. */
	argon2_context c = {
		.out = out,
		.outlen = (uint32_t)outlen,
		.pwd = (uint8_t *)pass,
		.pwdlen = (uint32_t)passlen,
		.salt = (uint8_t *)k->salt,
		.saltlen = (uint32_t)k->salt_len,
		.t_cost = k->cost,
		.m_cost = k->memory,
		.lanes = k->lanes,
		.threads = MIN_OF(k->lanes, (uint32_t)ARGON2_THREADS),
		.version = ARGON2_VERSION_13,
		.allocate_cbk = memory_get,
		.free_cbk = memory_free,
	};
	argon2_type type = k->alg == KDF_ARGON2I ? Argon2_i : Argon2_id;
	int rc = argon2_ctx(&c, type);

	/* A host that allows no threads: one lane after the other. */
	if (rc == ARGON2_THREAD_FAIL) {
		c.threads = 1;
		rc = argon2_ctx(&c, type);
	}
	if (rc == ARGON2_OK)
		return 0;
	if (rc == ARGON2_MEMORY_ALLOCATION_ERROR)
		return err_set(e, ERR_LIMIT, "the passphrase takes %" PRIu32 " MiB of memory, which cannot be had here",
			       k->memory / 1024);
	return err_set(e, ERR_UNSUPPORTED, "libargon2: %s", argon2_error_message(rc));
}

int kdf_derive(const struct kdf *k, const void *pass, size_t passlen, uint8_t *out, size_t outlen, struct err *e)
{
	if (k->alg != KDF_PBKDF2)
		return argon2(k, pass, passlen, out, outlen, e);
	hash_pbkdf2(k->hash, pass, passlen, k->salt, k->salt_len, k->cost, out, outlen);
	return 0;
}
