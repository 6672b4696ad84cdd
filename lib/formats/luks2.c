/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks2.c - the two binary headers: which of them are good, and which is the newer one.
 *
 * cryptsetup writes the first, then the second, with a number that grows (seqid); a checksum covers each with its JSON.
 * The second lies right behind the first.  Where the first is lost, the second is looked for at every size that a header
 * can have.
 */
#include "luks2.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "luks_ondisk.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

#define LUKS2_HEADER_MIN (16 * KiB)

struct header {
	struct luks2_ondisk bin;
	uint8_t *json; /* size less 4096 bytes, and a NUL */
	uint64_t size, seqid;
};

static void header_free(struct header *h)
{
	free(h->json);
	*h = (struct header){ .json = NULL };
}

static int judge_string(const char *field, size_t room, const char *what, struct err *e)
{
	return memchr(field, '\0', room) ? 0 : err_set(e, ERR_CORRUPT, "its %s does not end", what);
}

static int judge_checksum(struct header *h, struct err *e)
{
	struct luks2_ondisk zeroed = h->bin;
	uint8_t got[HASH_MAX];
	enum hash_alg alg;
	struct hash_work w;

	if (!hash_find(h->bin.checksum_alg, &alg)) {
		CLEANUP(strbuf_free) struct strbuf shown = STRBUF_INIT;

		text_quote(&shown, h->bin.checksum_alg, strlen(h->bin.checksum_alg));
		return err_set(e, ERR_UNSUPPORTED, "its checksum is of an unknown kind (%s)", shown.s);
	}
	memset(zeroed.checksum, 0, sizeof zeroed.checksum);
	hash_start(&w, alg);
	hash_add(&w, &zeroed, sizeof zeroed);
	hash_add(&w, h->json, (size_t)h->size - sizeof zeroed);
	hash_end(&w, got);
	if (memcmp(got, h->bin.checksum, hash_size(alg)) != 0)
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	return 0;
}

/* 1: a good header lies at off, 0: none begins there, < 0: one that is not good, or cannot be read. */
static int header_read(const struct luks_io *io, uint64_t off, struct header *h, struct err *e)
{
	const char *magic = off ? LUKS2_MAGIC_SECOND : LUKS_MAGIC;
	int rc;

	*h = (struct header){ .json = NULL };
	if (!range_in(off, sizeof h->bin, io->size))
		return 0;
	if ((rc = io->read(io->arg, &h->bin, sizeof h->bin, off, e)) < 0)
		return rc;
	if (memcmp(h->bin.magic, magic, LUKS_MAGIC_LEN) != 0)
		return 0;
	if (be16_get(h->bin.version) != 2)
		return err_set(e, ERR_UNSUPPORTED, "it is of version %u", be16_get(h->bin.version));
	h->size = be64_get(h->bin.size);
	h->seqid = be64_get(h->bin.seqid);
	if (!is_pow2(h->size) || h->size < LUKS2_HEADER_MIN || h->size > LIMIT_LUKS2_HEADER)
		return err_set(e, ERR_CORRUPT, "its size of %" PRIu64 " bytes is not one that the format has", h->size);
	if (be64_get(h->bin.off) != off || (off && off != h->size))
		return err_set(e, ERR_CORRUPT, "it was written for another place");
	if (!range_in(off, h->size, io->size))
		return err_set(e, ERR_CORRUPT, "its %" PRIu64 " bytes go past the end of the file", h->size);
	if ((rc = judge_string(h->bin.label, sizeof h->bin.label, "label", e)) < 0 ||
	    (rc = judge_string(h->bin.checksum_alg, sizeof h->bin.checksum_alg, "checksum's name", e)) < 0 ||
	    (rc = judge_string(h->bin.uuid, sizeof h->bin.uuid, "UUID", e)) < 0)
		return rc;
	h->json = alloc_bytes((size_t)h->size - sizeof h->bin + 1);
	if (!h->json)
		return err_nomem(e);
	h->json[h->size - sizeof h->bin] = 0;
	rc = io->read(io->arg, h->json, (size_t)h->size - sizeof h->bin, off + sizeof h->bin, e);
	if (rc == 0)
		rc = judge_checksum(h, e);
	return rc < 0 ? rc : 1;
}

/* The second header, whose place only a good first one tells (first_size; 0: there is none).  As header_read(). */
static int second_find(const struct luks_io *io, uint64_t first_size, struct header *h, struct err *e)
{
	int rc = 0;

	if (first_size)
		return header_read(io, first_size, h, e);
	for (uint64_t off = LUKS2_HEADER_MIN; off <= LIMIT_LUKS2_HEADER && rc == 0; off *= 2)
		rc = header_read(io, off, h, e);
	return rc;
}

static int header_judge(const struct luks_io *io, const struct header *h, struct luks2_facts *f, struct err *e)
{
	size_t room = (size_t)h->size - sizeof h->bin, len = strnlen((const char *)h->json, room);

	if (len == room)
		return err_set(e, ERR_CORRUPT, "the JSON of the LUKS header does not end");
	*f = (struct luks2_facts){ .header_bytes = h->size, .seqid = h->seqid };
	memcpy(f->uuid, h->bin.uuid, sizeof h->bin.uuid);
	memcpy(f->label, h->bin.label, sizeof h->bin.label);
	return luks2_judge((const char *)h->json, len, io->size, f, e);
}

/* What is said of one header when the other is used. */
static void notice(struct luks2 *l, const char *which, int rc, const struct err *why)
{
	snprintf(l->notice, sizeof l->notice, "the %s LUKS header is not usable: %.140s", which,
		 rc < 0 ? why->msg : "there is none");
}

int luks2_open(const struct luks_io *io, struct luks2 **out, struct err *e)
{
	CLEANUP(luks2_freep) struct luks2 *l = alloc_zero(sizeof *l);
	CLEANUP(header_free) struct header first = { .json = NULL };
	CLEANUP(header_free) struct header second = { .json = NULL };
	struct err why_first = ERR_INIT, why_second = ERR_INIT;
	int rc_first, rc_second, rc;

	if (!l)
		return err_nomem(e);
	l->io = *io;
	rc_first = header_read(io, 0, &first, &why_first);
	rc_second = second_find(io, rc_first > 0 ? first.size : 0, &second, &why_second);
	if (rc_first == -ERR_NOMEM || rc_second == -ERR_NOMEM)
		return err_nomem(e);
	if (rc_first <= 0 && rc_second <= 0)
		return err_set(e, rc_first < 0 ? why_first.code : ERR_CORRUPT, "neither LUKS header is usable; the first: %s",
			       rc_first < 0 ? why_first.msg : "there is none");
	if (rc_first <= 0)
		notice(l, "first", rc_first, &why_first);
	else if (rc_second <= 0)
		notice(l, "second", rc_second, &why_second);
	rc = header_judge(io, rc_first > 0 && (rc_second <= 0 || first.seqid >= second.seqid) ? &first : &second, &l->facts,
			  e);
	if (rc == 0)
		*out = take(l);
	return rc;
}

void luks2_free(struct luks2 *l)
{
	if (!l)
		return;
	locked_free(&l->key);
	free(l);
}

void luks2_freep(struct luks2 **l)
{
	luks2_free(*l);
	*l = NULL;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int luks2_is_headless(const struct luks_io *io, struct err *e)
{
	CLEANUP(header_free) struct header second = { .json = NULL };
	CLEANUP(free_ptr) uint8_t *left = NULL;
	struct err why = ERR_INIT;
	size_t json;
	int rc = second_find(io, 0, &second, &why);

	if (rc <= 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	left = alloc_bytes((size_t)second.size);
	if (!left)
		return err_nomem(e);
	if (io->read(io->arg, left, (size_t)second.size, 0, NULL) < 0)
		return 0;
	json = (size_t)second.size - sizeof second.bin;
	return all_zero(left, (size_t)second.size) || memcmp(left + sizeof second.bin, second.json, json) == 0;
}
