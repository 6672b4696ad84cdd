/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* luks2_key.c - from a passphrase to the key of the data, by way of a key slot. */
#include "luks2.h"

#include "alloc.h"
#include "limits.h"
#include "luks_ondisk.h"

#include <inttypes.h>
#include <openssl/crypto.h>

static uint64_t slot_work(const struct luks2_facts *f, const struct luks2_slot *s)
{
	return kdf_work(&s->kdf, crypt_key_bytes(&s->spec)) + kdf_work(&f->digest_kdf, f->digest_len);
}

/* Two rounds: priority 2, then 1.  Slots of priority 0 are not tried unasked. */
enum { ROUNDS = 2 };
static bool is_candidate(const struct luks2_slot *s, unsigned round)
{
	return s->bound && s->priority == ROUNDS - round;
}

static int material_read(struct luks2 *l, const struct luks2_slot *s, const void *pass, size_t len, struct locked *material,
			 struct err *e)
{
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;
	CLEANUP(crypt_freep) struct crypt *c = NULL;
	int rc;

	if (!locked_alloc(&key, crypt_key_bytes(&s->spec)) ||
	    !locked_alloc(material, (size_t)luks_material_bytes(s->key_bytes, s->stripes)))
		return err_nomem(e);
	if ((rc = kdf_derive(&s->kdf, pass, len, key.p, key.len, e)) < 0 ||
	    (rc = l->io.read(l->io.arg, material->p, material->len, s->off, e)) < 0 ||
	    (rc = crypt_new(&s->spec, key.p, &c, e)) < 0)
		return rc;
	return crypt_sectors(c, false, material->p, material->p, material->len, 0, e);
}

/* 1: the passphrase opens the slot, and *key is that of the data; 0: it does not. */
static int slot_try(struct luks2 *l, const struct luks2_slot *s, const void *pass, size_t len, struct locked *key,
		    struct err *e)
{
	const struct luks2_facts *f = &l->facts;
	CLEANUP(locked_free) struct locked material = LOCKED_INIT;
	uint8_t digest[sizeof f->digest];
	int rc = material_read(l, s, pass, len, &material, e);

	if (rc < 0)
		return rc;
	luks_af_merge(s->af_hash, material.p, s->stripes, key->p, key->len);
	if ((rc = kdf_derive(&f->digest_kdf, key->p, key->len, digest, f->digest_len, e)) < 0)
		return rc;
	return CRYPTO_memcmp(digest, f->digest, f->digest_len) == 0;
}

/* Why a slot is not tried; 0 when it is. */
static int slot_judge(const struct luks2 *l, const struct luks2_slot *s, uint64_t work, struct err *e)
{
	if (*s->why)
		return err_set(e, ERR_UNSUPPORTED, "%s", s->why);
	if (s->key_bytes != l->facts.key_bytes)
		return err_set(e, ERR_CORRUPT, "its key has another length than that of others");
	if (slot_work(&l->facts, s) > LIMIT_LUKS_WORK - work)
		return err_set(e, ERR_LIMIT, "more work than any passphrase is worth");
	return 0;
}

int luks2_unlock(struct luks2 *l, const void *pass, size_t len, struct err *e)
{
	CLEANUP(locked_free) struct locked key = LOCKED_INIT;
	struct err failed = ERR_INIT;
	uint64_t work = 0;

	if (!locked_alloc(&key, l->facts.key_bytes))
		return err_nomem(e);
	for (unsigned i = 0; i < ROUNDS * LUKS2_SLOTS; i++) {
		const struct luks2_slot *s = &l->facts.slots[i % LUKS2_SLOTS];
		int rc;

		if (!is_candidate(s, i / LUKS2_SLOTS))
			continue;
		rc = slot_judge(l, s, work, &failed);
		if (rc == 0) {
			work += slot_work(&l->facts, s);
			rc = slot_try(l, s, pass, len, &key, &failed);
		}
		/* A slot that cannot be tried leaves the others. */
		if (rc < 0)
			err_in(&failed, rc, "key slot %u", i % LUKS2_SLOTS);
		if (rc <= 0)
			continue;
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

uint64_t luks2_work(const struct luks2 *l)
{
	uint64_t work = 0;

	for (unsigned i = 0; i < LUKS2_SLOTS; i++) {
		const struct luks2_slot *s = &l->facts.slots[i];

		/* As luks2_unlock() counts: what would be too much is not tried. */
		if (s->bound && s->priority && slot_judge(l, s, work, NULL) == 0)
			work += slot_work(&l->facts, s);
	}
	return work;
}
