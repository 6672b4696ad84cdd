/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks_key.c - key slots: from a passphrase to the master key, and back.
 *
 * A slot's material is the master key, split into many stripes (luks_af.c), encrypted under a key that PBKDF2 makes from
 * the passphrase.  A digest of the master key in the header tells a right one.
 */
#include "luks_ondisk.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>

enum {
	LUKS_ALIGN = 4096,	    /* of key material and payload */
	LUKS_MIN_ITERATIONS = 1000, /* the specification's least */
	LUKS_DIGEST_DIVISOR = 8,    /* checking the digest takes little beside deriving the slot's key */
};

/* ---- opening ---- */

static uint64_t slot_work(const struct luks_facts *f, const struct luks_slot *s)
{
	return hash_pbkdf2_work(f->hash, s->iterations, f->key_bytes) +
	       hash_pbkdf2_work(f->hash, f->digest_iterations, sizeof f->digest);
}

/* The cipher of a slot's material. */
static int slot_crypt(const struct luks_facts *f, const struct luks_slot *s, const void *pass, size_t len,
		      struct crypt **out, struct err *e)
{
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;

	if (!locked_alloc(&key, f->key_bytes))
		return err_nomem(e);
	hash_pbkdf2(f->hash, pass, len, s->salt, sizeof s->salt, s->iterations, key.p, key.len);
	return crypt_new(&f->spec, key.p, out, e);
}

static void master_digest(const struct luks_facts *f, const struct locked *key, uint8_t *out)
{
	hash_pbkdf2(f->hash, key->p, key->len, f->digest_salt, sizeof f->digest_salt, f->digest_iterations, out,
		    sizeof f->digest);
}

/* 1: the passphrase opens the slot, and *key (key_bytes long) is the master key; 0: it does not. */
static int slot_try(struct luks *l, unsigned slot, const void *pass, size_t len, struct locked *key, struct err *e)
{
	const struct luks_facts *f = &l->facts;
	const struct luks_slot *s = &f->slots[slot];
	CLEANUP(locked_free) struct locked material = LOCKED_INIT;
	CLEANUP(crypt_freep) struct crypt *c = NULL;
	uint8_t digest[sizeof f->digest];
	int rc;

	if (!locked_alloc(&material, (size_t)luks_material_bytes(f->key_bytes, s->stripes)))
		return err_nomem(e);
	if ((rc = l->io.read(l->io.arg, material.p, material.len, s->off, e)) < 0 ||
	    (rc = slot_crypt(f, s, pass, len, &c, e)) < 0 ||
	    (rc = crypt_sectors(c, false, material.p, material.p, material.len, 0, e)) < 0)
		return err_in(e, rc, "key slot %u", slot);
	luks_af_merge(f->hash, material.p, s->stripes, key->p, key->len);
	master_digest(f, key, digest);
	return CRYPTO_memcmp(digest, f->digest, sizeof digest) == 0;
}

int luks_unlock(struct luks *l, const void *pass, size_t len, struct err *e)
{
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;
	struct err failed = ERR_INIT;
	uint64_t work = 0;
	int rc;

	if (!locked_alloc(&key, l->facts.key_bytes))
		return err_nomem(e);
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		const struct luks_slot *s = &l->facts.slots[i];

		if (!s->active)
			continue;
		if (slot_work(&l->facts, s) > LIMIT_LUKS_WORK - work) {
			err_set(&failed, ERR_LIMIT, "key slot %u asks for %" PRIu32 " iterations", i, s->iterations);
			continue;
		}
		work += slot_work(&l->facts, s);
		/* A slot that cannot be read leaves the others. */
		rc = slot_try(l, i, pass, len, &key, &failed);
		if (rc <= 0)
			continue;
		crypt_free(l->crypt);
		l->crypt = NULL;
		if ((rc = crypt_new(&l->facts.spec, key.p, &l->crypt, e)) < 0)
			return rc;
		locked_free(&l->key);
		l->key = locked_take(&key);
		return 0;
	}
	if (failed.code == ERR_NONE)
		return err_set(e, ERR_USAGE, "invalid password, cannot unlock any keyslot");
	if (e)
		*e = failed;
	return -(int)failed.code;
}

uint64_t luks_work(const struct luks *l)
{
	uint64_t work = 0;

	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		const struct luks_slot *s = &l->facts.slots[i];

		if (s->active && slot_work(&l->facts, s) <= LIMIT_LUKS_WORK - work)
			work += slot_work(&l->facts, s);
	}
	return work;
}

int luks_unlock_secret(struct luks *l, const struct secrets *secrets, const char *id, struct err *e)
{
	const struct locked *pass;
	int rc;

	if (!id)
		return err_set(e, ERR_USAGE, "parameter 'key-secret' is required for cipher");
	rc = secrets_find_text(secrets, id, &pass, e);
	return rc < 0 ? rc : luks_unlock(l, pass->p, pass->len, e);
}

int luks_match(struct luks *l, const void *pass, size_t len, bool match[LUKS_SLOTS], struct err *e)
{
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;
	uint64_t work = 0;

	if (!locked_alloc(&key, l->facts.key_bytes))
		return err_nomem(e);
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		const struct luks_slot *s = &l->facts.slots[i];
		int rc;

		match[i] = false;
		if (!s->active)
			continue;
		if (slot_work(&l->facts, s) > LIMIT_LUKS_WORK - work)
			return err_set(e, ERR_LIMIT, "key slot %u asks for %" PRIu32 " iterations", i, s->iterations);
		work += slot_work(&l->facts, s);
		if ((rc = slot_try(l, i, pass, len, &key, e)) < 0)
			return rc;
		match[i] = rc > 0;
	}
	return 0;
}

/* ---- writing slots ---- */

static int choose_iterations(const struct luks_facts *f, unsigned ms, uint32_t *slot, uint32_t *digest, struct err *e)
{
	uint64_t n = ms ? hash_pbkdf2_iterations(f->hash, f->key_bytes, ms) : 0;
	uint64_t nblocks = hash_pbkdf2_work(f->hash, 1, f->key_bytes);

	if (n > UINT32_MAX || n * nblocks > LIMIT_LUKS_WORK / (LUKS_SLOTS + 2))
		return err_set(e, ERR_LIMIT,
			       "iter-time of %u ms: %" PRIu64 " iterations are more than any image may ask for", ms, n);
	*slot = (uint32_t)MAX_OF(n, (uint64_t)LUKS_MIN_ITERATIONS);
	/* The digest is shorter than the key, so a block of it takes as long as one of the key's. */
	if (digest)
		*digest = (uint32_t)MAX_OF(n * nblocks / LUKS_DIGEST_DIVISOR, (uint64_t)LUKS_MIN_ITERATIONS);
	return 0;
}

static int put_slot(struct luks *l, unsigned slot, const void *pass, size_t len, struct err *e)
{
	const struct luks_facts *f = &l->facts;
	struct luks_slot *s = &l->facts.slots[slot];
	CLEANUP(locked_free) struct locked material = LOCKED_INIT;
	CLEANUP(crypt_freep) struct crypt *c = NULL;
	int rc;

	if (!random_bytes(s->salt, sizeof s->salt))
		return err_sys(e, errno, "random numbers");
	if (!locked_alloc(&material, (size_t)luks_material_bytes(f->key_bytes, s->stripes)))
		return err_nomem(e);
	if ((rc = slot_crypt(f, s, pass, len, &c, e)) < 0 ||
	    (rc = luks_af_split(f->hash, l->key.p, l->key.len, material.p, s->stripes, e)) < 0 ||
	    (rc = crypt_sectors(c, true, material.p, material.p, material.len, 0, e)) < 0 ||
	    (rc = l->io.write(l->io.arg, material.p, material.len, s->off, e)) < 0)
		return rc;
	/* The entry crosses a sector in slot 6.  All of it but "active" is stable before that is. */
	if ((rc = luks_write_slot(l, slot, e)) < 0)
		return rc;
	s->active = true;
	return luks_write_slot(l, slot, e);
}

int luks_slot_store(struct luks *l, unsigned slot, const void *pass, size_t len, unsigned iter_ms, struct err *e)
{
	struct luks_slot *s = &l->facts.slots[slot], before = *s;
	uint32_t iterations;
	int rc;

	if (!l->key.p)
		return err_set(e, ERR_USAGE, "a passphrase cannot be added while the disk is locked");
	if ((rc = choose_iterations(&l->facts, iter_ms, &iterations, NULL, e)) < 0)
		return rc;
	s->iterations = iterations;
	rc = put_slot(l, slot, pass, len, e);
	if (rc < 0)
		*s = before;
	return rc < 0 ? err_in(e, rc, "key slot %u", slot) : 0;
}

int luks_slot_erase(struct luks *l, unsigned slot, struct err *e)
{
	struct luks_slot *s = &l->facts.slots[slot], before = *s;
	CLEANUP(locked_free) struct locked noise = LOCKED_INIT;
	int rc;

	if (!locked_alloc(&noise, (size_t)luks_material_bytes(l->facts.key_bytes, s->stripes)))
		return err_nomem(e);
	if (!random_bytes(noise.p, noise.len))
		return err_sys(e, errno, "random numbers");
	/* The material goes first: a slot that is named inactive must not be there to be revived. */
	if ((rc = l->io.write(l->io.arg, noise.p, noise.len, s->off, e)) < 0 || (rc = l->io.sync(l->io.arg, e)) < 0)
		return err_in(e, rc, "key slot %u", slot);
	s->active = false;
	s->iterations = 0;
	memset(s->salt, 0, sizeof s->salt);
	rc = luks_write_slot(l, slot, e);
	if (rc < 0)
		*s = before;
	return rc < 0 ? err_in(e, rc, "key slot %u", slot) : 0;
}

/* ---- creating ---- */

void luks_create_free(struct luks_create *c)
{
	free(c->key_secret);
	c->key_secret = NULL;
}

static int bad_value(const char *key, const char *value, struct err *e)
{
	return err_set(e, ERR_USAGE, "parameter '%s' does not accept value '%s'", key, value);
}

/* Of the hashes that we read, those that the option may name. */
static bool find_hash_option(const char *name, enum hash_alg *out)
{
	return hash_find(name, out) && *out != HASH_WHIRLPOOL;
}

int luks_create_take(struct luks_create *c, struct dict *opts, struct err *e)
{
	CLEANUP(free_ptr) char *alg = dict_take(opts, "cipher-alg");
	CLEANUP(free_ptr) char *mode = dict_take(opts, "cipher-mode");
	CLEANUP(free_ptr) char *ivgen = dict_take(opts, "ivgen-alg");
	CLEANUP(free_ptr) char *ivhash = dict_take(opts, "ivgen-hash-alg");
	CLEANUP(free_ptr) char *hash = dict_take(opts, "hash-alg");
	CLEANUP(free_ptr) char *iter = dict_take(opts, "iter-time");
	uint64_t ms;
	int rc;

	free(c->key_secret);
	c->key_secret = dict_take(opts, "key-secret");
	if (alg && (rc = crypt_find_alg(alg, &c->spec.alg, e)) < 0)
		return rc;
	if (mode && !crypt_find_mode(mode, &c->spec.mode))
		return bad_value("cipher-mode", mode, e);
	if (ivgen && !crypt_find_ivgen(ivgen, &c->spec.ivgen))
		return bad_value("ivgen-alg", ivgen, e);
	if (ivhash && !find_hash_option(ivhash, &c->spec.ivgen_hash))
		return bad_value("ivgen-hash-alg", ivhash, e);
	c->spec.has_ivgen_hash = ivhash != NULL;
	if (!ivhash && c->spec.ivgen == CRYPT_ESSIV) {
		c->spec.has_ivgen_hash = true;
		c->spec.ivgen_hash = HASH_SHA256;
	}
	if (hash && !find_hash_option(hash, &c->hash))
		return bad_value("hash-alg", hash, e);
	if (iter && (!text_parse_u64(iter, &ms) || ms > UINT32_MAX))
		return bad_value("iter-time", iter, e);
	if (iter)
		c->iter_ms = (unsigned)ms;
	return crypt_judge(&c->spec, e);
}

static uint64_t slot_stride(const struct luks_create *c)
{
	return round_up(luks_material_bytes((uint32_t)crypt_key_bytes(&c->spec), c->stripes), LUKS_ALIGN);
}

uint64_t luks_header_bytes(const struct luks_create *c)
{
	return LUKS_ALIGN + LUKS_SLOTS * slot_stride(c);
}

/* A random one: version 4 of RFC 4122. */
static bool make_uuid(char out[41])
{
	uint8_t uuid[16];

	if (!random_bytes(uuid, sizeof uuid))
		return false;
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	text_uuid(uuid, out);
	return true;
}

int luks_create(const struct luks_io *io, const struct luks_create *c, const void *pass, size_t len, struct luks **out,
		struct err *e)
{
	CLEANUP(luks_freep) struct luks *l = alloc_zero(sizeof *l);
	struct luks_facts *f;
	uint32_t iterations;
	int rc;

	if (!l)
		return err_nomem(e);
	if ((rc = crypt_judge(&c->spec, e)) < 0)
		return rc;
	l->io = *io;
	f = &l->facts;
	f->spec = c->spec;
	f->hash = c->hash;
	f->key_bytes = (uint32_t)crypt_key_bytes(&c->spec);
	f->payload_off = luks_header_bytes(c);
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		f->slots[i] = (struct luks_slot){ .off = LUKS_ALIGN + i * slot_stride(c), .stripes = c->stripes };
	if (!locked_alloc(&l->key, f->key_bytes))
		return err_nomem(e);
	if (!make_uuid(f->uuid) || !random_bytes(l->key.p, l->key.len) ||
	    !random_bytes(f->digest_salt, sizeof f->digest_salt))
		return err_sys(e, errno, "random numbers");
	if ((rc = choose_iterations(f, c->iter_ms, &iterations, &f->digest_iterations, e)) < 0)
		return rc;
	master_digest(f, &l->key, f->digest);
	f->slots[0].iterations = iterations;
	if ((rc = crypt_new(&f->spec, l->key.p, &l->crypt, e)) < 0 || (rc = luks_write_header(l, e)) < 0 ||
	    (rc = put_slot(l, 0, pass, len, e)) < 0)
		return rc;
	if (out)
		*out = take(l);
	return 0;
}
