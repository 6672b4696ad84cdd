/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks.c - the header: reading and judging it, writing it, its facts.  The key slots are luks_key.c.
 *
 * The header's 592 bytes are followed by the key material of the eight slots, each `stripes` times the master key long,
 * and then by the payload.  A slot's entry tells where its material lies, in sectors of 512 bytes.
 */
#include "luks_ondisk.h"

#include "alloc.h"
#include "checked.h"
#include "json.h"
#include "limits.h"
#include "text.h"

#include <inttypes.h>

bool luks_magic(const void *bytes, size_t len)
{
	return len >= LUKS_MAGIC_LEN && memcmp(bytes, LUKS_MAGIC, LUKS_MAGIC_LEN) == 0;
}

unsigned luks_version(const uint8_t bytes[8])
{
	return (unsigned)bytes[LUKS_MAGIC_LEN] << 8 | bytes[LUKS_MAGIC_LEN + 1];
}

uint64_t luks_material_bytes(uint32_t key_bytes, uint32_t stripes)
{
	return round_up((uint64_t)key_bytes * stripes, CRYPT_SECTOR);
}

/* ---- judging ---- */

static int judge_string(const char *field, size_t room, const char *what, struct err *e)
{
	if (memchr(field, '\0', room))
		return 0;
	return err_set(e, ERR_CORRUPT, "the LUKS header's %s does not end", what);
}

static int judge_slot(struct luks_facts *f, unsigned i, const struct luks_ondisk_slot *s, const struct luks_io *io,
		      struct err *e)
{
	struct luks_slot *slot = &f->slots[i];
	uint32_t state = be32_get(s->active);
	uint64_t len, end = io->embedded || io->detached ? io->size : MIN_OF(io->size, f->payload_off);

	if (state != LUKS_SLOT_ACTIVE && state != LUKS_SLOT_INACTIVE)
		return err_set(e, ERR_CORRUPT, "key slot %u is neither active nor inactive (0x%08" PRIx32 ")", i,
			       state);
	slot->active = state == LUKS_SLOT_ACTIVE;
	slot->iterations = be32_get(s->iterations);
	slot->off = (uint64_t)be32_get(s->off) * CRYPT_SECTOR;
	slot->stripes = be32_get(s->stripes);
	memcpy(slot->salt, s->salt, sizeof slot->salt);
	if (slot->active && slot->iterations == 0)
		return err_set(e, ERR_CORRUPT, "key slot %u has no iterations", i);
	if (slot->stripes == 0)
		return err_set(e, ERR_CORRUPT, "key slot %u has no stripes", i);
	if (slot->stripes > LIMIT_LUKS_STRIPES)
		return err_set(e, ERR_LIMIT, "key slot %u has %" PRIu32 " stripes", i, slot->stripes);
	len = luks_material_bytes(f->key_bytes, slot->stripes);
	if (slot->off < sizeof(struct luks_ondisk))
		return err_set(e, ERR_CORRUPT, "the key material of slot %u lies in the header", i);
	if (!range_in(slot->off, len, end))
		return err_set(e, ERR_CORRUPT,
			       "the key material of slot %u (%" PRIu64 " bytes at %" PRIu64 ") goes past %" PRIu64
			       ", the end of the header area",
			       i, len, slot->off, end);
	for (unsigned k = 0; k < i; k++)
		if (ranges_overlap(slot->off, len, f->slots[k].off,
				   luks_material_bytes(f->key_bytes, f->slots[k].stripes)))
			return err_set(e, ERR_CORRUPT, "the key material of slots %u and %u overlaps", k, i);
	return 0;
}

static int judge(struct luks_facts *f, const struct luks_ondisk *h, const struct luks_io *io, struct err *e)
{
	unsigned version = be16_get(h->version);
	int rc;

	if (!luks_magic(h, sizeof *h))
		return err_set(e, ERR_CORRUPT, "no LUKS header: its first bytes are not LUKS's");
	if (version != 1)
		return err_set(e, version == 2 ? ERR_UNSUPPORTED : ERR_CORRUPT, "LUKS version %u is not supported",
			       version);
	if ((rc = judge_string(h->cipher, sizeof h->cipher, "cipher name", e)) < 0 ||
	    (rc = judge_string(h->mode, sizeof h->mode, "cipher mode", e)) < 0 ||
	    (rc = judge_string(h->hash, sizeof h->hash, "hash name", e)) < 0 ||
	    (rc = judge_string(h->uuid, sizeof h->uuid, "UUID", e)) < 0)
		return rc;
	f->key_bytes = be32_get(h->key_bytes);
	/* Also bounds key_bytes: it is that of a known cipher. */
	if ((rc = crypt_spec_from_luks(h->cipher, h->mode, f->key_bytes, &f->spec, e)) < 0)
		return rc;
	if (!hash_find(h->hash, &f->hash)) {
		CLEANUP(strbuf_free) struct strbuf shown = STRBUF_INIT;
		text_quote(&shown, h->hash, strlen(h->hash));
		return err_set(e, ERR_UNSUPPORTED, "hash algorithm %s", shown.s);
	}
	f->payload_off = (uint64_t)be32_get(h->payload_off) * CRYPT_SECTOR;
	if (!io->embedded && !io->detached && f->payload_off == 0)
		return err_set(e, ERR_UNSUPPORTED, "a detached LUKS header: the data lies in another file");
	if (!io->embedded && !io->detached && f->payload_off > io->size)
		return err_set(e, ERR_CORRUPT,
			       "the payload begins at %" PRIu64 ", past the end of the file (%" PRIu64 " bytes)",
			       f->payload_off, io->size);
	f->digest_iterations = be32_get(h->digest_iterations);
	if (f->digest_iterations == 0)
		return err_set(e, ERR_CORRUPT, "the master key's digest has no iterations");
	memcpy(f->digest, h->digest, sizeof f->digest);
	memcpy(f->digest_salt, h->digest_salt, sizeof f->digest_salt);
	memcpy(f->uuid, h->uuid, sizeof h->uuid);
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		if ((rc = judge_slot(f, i, &h->slots[i], io, e)) < 0)
			return rc;
	return 0;
}

/* ---- life ---- */

int luks_open(const struct luks_io *io, struct luks **out, struct err *e)
{
	CLEANUP(luks_freep) struct luks *l = alloc_zero(sizeof *l);
	struct luks_ondisk h;
	int rc;

	if (!l)
		return err_nomem(e);
	l->io = *io;
	if (io->size < sizeof h)
		return err_set(e, ERR_CORRUPT, "too short for a LUKS header (%" PRIu64 " bytes)", io->size);
	if ((rc = io->read(io->arg, &h, sizeof h, 0, e)) < 0 || (rc = judge(&l->facts, &h, io, e)) < 0)
		return rc;
	*out = take(l);
	return 0;
}

void luks_free(struct luks *l)
{
	if (!l)
		return;
	crypt_free(l->crypt);
	locked_free(&l->key);
	free(l);
}

void luks_freep(struct luks **l)
{
	luks_free(*l);
	*l = NULL;
}

/* ---- writing ---- */

static void slot_to_disk(const struct luks_slot *s, struct luks_ondisk_slot *out)
{
	be32_put(&out->active, s->active ? LUKS_SLOT_ACTIVE : LUKS_SLOT_INACTIVE);
	be32_put(&out->iterations, s->iterations);
	be32_put(&out->off, (uint32_t)(s->off / CRYPT_SECTOR));
	be32_put(&out->stripes, s->stripes);
	memcpy(out->salt, s->salt, sizeof out->salt);
}

int luks_write_slot(struct luks *l, unsigned slot, struct err *e)
{
	struct luks_ondisk_slot s;
	int rc;

	slot_to_disk(&l->facts.slots[slot], &s);
	rc = l->io.write(l->io.arg, &s, sizeof s, offsetof(struct luks_ondisk, slots) + slot * sizeof s, e);
	return rc < 0 ? rc : l->io.sync(l->io.arg, e);
}

int luks_write_header(struct luks *l, struct err *e)
{
	const struct luks_facts *f = &l->facts;
	struct luks_ondisk h = { .magic = LUKS_MAGIC };
	int rc;

	be16_put(&h.version, 1);
	crypt_spec_to_luks(&f->spec, h.cipher, h.mode);
	memcpy(h.hash, hash_name(f->hash), strlen(hash_name(f->hash)));
	be32_put(&h.payload_off, (uint32_t)(f->payload_off / CRYPT_SECTOR));
	be32_put(&h.key_bytes, f->key_bytes);
	memcpy(h.digest, f->digest, sizeof h.digest);
	memcpy(h.digest_salt, f->digest_salt, sizeof h.digest_salt);
	be32_put(&h.digest_iterations, f->digest_iterations);
	memcpy(h.uuid, f->uuid, sizeof h.uuid);
	for (unsigned i = 0; i < LUKS_SLOTS; i++)
		slot_to_disk(&f->slots[i], &h.slots[i]);
	rc = l->io.write(l->io.arg, &h, sizeof h, 0, e);
	return rc < 0 ? rc : l->io.sync(l->io.arg, e);
}

/* ---- facts ---- */

/* The order is that in which qemu-img prints them. */
void luks_info(const struct luks *l, bool format, struct json *j)
{
	const struct luks_facts *f = &l->facts;

	json_str(j, "ivgen-alg", crypt_ivgen_name(f->spec.ivgen));
	json_str(j, "hash-alg", hash_name(f->hash));
	json_str(j, "cipher-alg", crypt_alg_name(f->spec.alg));
	json_str(j, "uuid", f->uuid);
	if (format)
		json_str(j, "format", "luks");
	if (f->spec.ivgen == CRYPT_ESSIV)
		json_str(j, "ivgen-hash-alg", hash_name(f->spec.ivgen_hash));
	json_str(j, "cipher-mode", crypt_mode_name(f->spec.mode));
	json_array(j, "slots");
	for (unsigned i = 0; i < LUKS_SLOTS; i++) {
		const struct luks_slot *s = &f->slots[i];

		json_object(j, NULL);
		json_bool(j, "active", s->active);
		if (s->active)
			json_u64(j, "iters", s->iterations);
		json_u64(j, "key-offset", s->off);
		if (s->active)
			json_u64(j, "stripes", s->stripes);
		json_object_end(j);
	}
	json_array_end(j);
	json_u64(j, "payload-offset", f->payload_off);
	json_u64(j, "master-key-iters", f->digest_iterations);
}
