/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c - "Journal File Format" of systemd.
 *
 * A header, then objects, each on a multiple of 8 bytes with its type and size.  An ENTRY lists the places of its fields,
 * which are DATA objects ("MESSAGE=words", perhaps compressed), shared by all entries that have the same field.  ENTRY_ARRAY
 * objects list the places of all entries in order; they are linked, and each lies behind the one before it.  In a compact
 * file places in lists have 32 bits.  Hash tables are for finding fields, which we do not: so whether hashes are keyed does
 * not matter here.
 */
#include "journal.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

enum { OBJECT_DATA = 1, OBJECT_ENTRY = 3, OBJECT_ENTRY_ARRAY = 6, OBJECT_LAST = 7 };
enum { INCOMPATIBLE_COMPACT = 1 << 4, INCOMPATIBLE_KNOWN = (1 << 5) - 1 };
enum { OBJECT_COMPRESSED = (1 << JOURNAL_ALGORITHMS) - 1 };

struct head_ondisk {
	uint8_t signature[8];
	le32 compatible, incompatible;
	uint8_t state, reserved[7];
	uint8_t file_id[16], machine_id[16], tail_boot_id[16], seqnum_id[16];
	le64 header_size, arena_size;
	le64 data_hash_table, data_hash_table_size, field_hash_table, field_hash_table_size;
	le64 tail_object, nobjects, nentries, tail_seqnum, head_seqnum;
	le64 entry_array;
	le64 head_realtime, tail_realtime, tail_monotonic;
};
/* All files have at least that. */
#define HEAD_SIZE sizeof(struct head_ondisk)

struct object_ondisk {
	uint8_t type, flags, reserved[6];
	le64 size;
};
struct entry_ondisk {
	struct object_ondisk object;
	le64 seqnum, realtime, monotonic;
	uint8_t boot[16];
	le64 xor_hash;
};
struct array_ondisk {
	struct object_ondisk object;
	le64 next;
};
#define DATA_HEAD 64
#define DATA_HEAD_COMPACT 72

/* Times beyond the year 3111 are no times. */
#define USEC_MAX (1ULL << 55)

int journal_tools_init(struct journal_tools *t, struct err *e)
{
	return guest_pages_new(&t->pages, e);
}

void journal_tools_free(struct journal_tools *t)
{
	guest_pages_free(t->pages);
	for (size_t i = 0; i < JOURNAL_ALGORITHMS; i++)
		unpacker_free(t->unpackers[i]);
	free(t->field);
	free(t->unpacked);
	*t = (struct journal_tools){ .pages = NULL };
}

static int read_at(const struct journal *j, void *buf, size_t len, uint64_t off, struct err *e)
{
	return guest_pages_read(j->tools->pages, &j->f, j->id, buf, len, off, e);
}

static size_t place_size(const struct journal *j)
{
	return j->compact ? sizeof(le32) : sizeof(le64);
}

/* The i-th place of a list whose members are `step` bytes apart. */
static int place_read(const struct journal *j, uint64_t list, uint64_t i, size_t step, uint64_t *out, struct err *e)
{
	uint64_t off = list + i * step;
	le32 small;
	le64 large;
	int rc;

	if (j->compact) {
		rc = read_at(j, &small, sizeof small, off, e);
		*out = le32_get(small);
	} else {
		rc = read_at(j, &large, sizeof large, off, e);
		*out = le64_get(large);
	}
	return rc;
}

/* Judges the head of an object that has at least min bytes; of any type where type is 0. */
static int object_read(const struct journal *j, uint64_t off, unsigned type, size_t min, struct object_ondisk *out, struct err *e)
{
	int rc;

	if (off % 8 || off < j->header_size || !range_in(off, sizeof *out, j->f.size))
		return err_set(e, ERR_CORRUPT, "an object at byte %" PRIu64, off);
	rc = read_at(j, out, sizeof *out, off, e);
	if (rc < 0)
		return rc;
	if (type && out->type != type)
		return err_set(e, ERR_CORRUPT, "an object of type %u at byte %" PRIu64, out->type, off);
	if (le64_get(out->size) < min || !range_in(off, le64_get(out->size), j->f.size))
		return err_set(e, ERR_CORRUPT, "an object of %" PRIu64 " bytes at byte %" PRIu64, le64_get(out->size), off);
	return 0;
}

int journal_open(struct journal *j, struct err *e)
{
	struct head_ondisk h;
	uint32_t flags;
	int rc;

	if (j->f.size < HEAD_SIZE)
		return err_set(e, ERR_CORRUPT, "it is too short for a journal");
	rc = read_at(j, &h, sizeof h, 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(h.signature, "LPKSHHRH", 8) != 0)
		return err_set(e, ERR_CORRUPT, "it is no journal");
	flags = le32_get(h.incompatible);
	if (flags & ~(uint32_t)INCOMPATIBLE_KNOWN)
		return err_set(e, ERR_UNSUPPORTED, "a journal with features that are not known (0x%" PRIx32 ")", flags);
	j->compact = flags & INCOMPATIBLE_COMPACT;
	j->header_size = le64_get(h.header_size);
	if (j->header_size < HEAD_SIZE || j->header_size > j->f.size)
		return err_set(e, ERR_CORRUPT, "a header of %" PRIu64 " bytes", j->header_size);
	memcpy(j->seqnum_id, h.seqnum_id, sizeof j->seqnum_id);
	if (!checked_mul(j->f.size, LIMIT_JOURNAL_GROWTH, &j->budget))
		j->budget = UINT64_MAX - LIMIT_JOURNAL_FIELD;
	j->budget += LIMIT_JOURNAL_FIELD;
	j->array = le64_get(h.entry_array);
	j->nitems = j->item = 0;
	return 0;
}

void journal_close(struct journal *j)
{
	free(j->path);
	j->path = NULL;
}

/* ---- the list of entries ---- */

/* Reads the head of the array at `off`, which must lie behind the one we were in: so the chain ends. */
static int array_read(const struct journal *j, uint64_t off, uint64_t after, uint64_t *nitems, uint64_t *next, struct err *e)
{
	struct object_ondisk o;
	struct array_ondisk a;
	int rc;

	if (off <= after)
		return err_set(e, ERR_CORRUPT, "a list of entries that goes back to byte %" PRIu64, off);
	rc = object_read(j, off, OBJECT_ENTRY_ARRAY, sizeof a, &o, e);
	if (rc == 0)
		rc = read_at(j, &a, sizeof a, off, e);
	if (rc < 0)
		return rc;
	*nitems = (le64_get(o.size) - sizeof a) / place_size(j);
	*next = le64_get(a.next);
	return 0;
}

/* The place of the next entry from the arrays: 1, or 0 at the end. */
static int array_next(struct journal *j, uint64_t *off, struct err *e)
{
	/* Ends: array_read() lets the chain go forward only, and each turn takes an item or an array. */
	for (;;) {
		uint64_t next = j->array;
		int rc;

		if (j->item < j->nitems) {
			rc = place_read(j, j->array + sizeof(struct array_ondisk), j->item, place_size(j), off, e);
			if (rc < 0)
				return rc;
			j->item++;
			/* What is not used yet is zero: so the last array ends. */
			if (*off == 0)
				j->item = j->nitems;
			else
				return 1;
			continue;
		}
		if (j->nitems) {
			struct array_ondisk a;

			rc = read_at(j, &a, sizeof a, j->array, e);
			if (rc < 0)
				return rc;
			next = le64_get(a.next);
		}
		if (next == 0)
			return 0;
		rc = array_read(j, next, j->nitems ? j->array : 0, &j->nitems, &(uint64_t){ 0 }, e);
		if (rc < 0)
			return rc;
		j->array = next;
		j->item = 0;
		if (j->nitems == 0)
			return err_set(e, ERR_CORRUPT, "an empty list of entries at byte %" PRIu64, next);
	}
}

/*
 * The place of the next entry, from object to object: 1, or 0 where nothing more was written.  Where there is no object, the
 * next one is looked for, some megabytes far in all.
 */
static int scan_next(struct journal *j, uint64_t *off, struct err *e)
{
	/* Ends: places only grow. */
	while (range_in(j->at, sizeof(struct object_ondisk), j->f.size)) {
		static const uint8_t none[6];
		struct object_ondisk o;
		struct err why = ERR_INIT;
		uint64_t here = j->at;
		int rc = object_read(j, here, 0, sizeof o, &o, &why);

		if (rc < 0 && rc != -ERR_CORRUPT) {
			if (e)
				*e = why;
			return rc;
		}
		if (rc < 0 || o.type == 0 || o.type > OBJECT_LAST || memcmp(o.reserved, none, sizeof none) != 0) {
			if (j->sought++ > LIMIT_JOURNAL_SEEK / 8)
				break;
			j->at += 8;
			continue;
		}
		if (!checked_round_up(here + le64_get(o.size), 8, &j->at))
			break;
		if (o.type == OBJECT_ENTRY) {
			*off = here;
			return 1;
		}
	}
	j->at = j->f.size;
	return 0;
}

static int entry_read(struct journal *j, uint64_t off, struct err *e)
{
	static const uint8_t none[16];
	struct object_ondisk o;
	struct entry_ondisk n;
	uint64_t nfields;
	int rc;

	if (off <= j->entry)
		return err_set(e, ERR_CORRUPT, "a list of entries that goes back to byte %" PRIu64, off);
	rc = object_read(j, off, OBJECT_ENTRY, sizeof n, &o, e);
	if (rc == 0)
		rc = read_at(j, &n, sizeof n, off, e);
	if (rc < 0)
		return rc;
	nfields = (le64_get(o.size) - sizeof n) / (j->compact ? sizeof(le32) : 2 * sizeof(le64));
	if (nfields == 0 || nfields > LIMIT_JOURNAL_FIELDS)
		return err_set(e, ERR_CORRUPT, "an entry of %" PRIu64 " fields at byte %" PRIu64, nfields, off);
	j->key = (struct journal_key){ .seqnum = le64_get(n.seqnum), .realtime = le64_get(n.realtime),
				       .monotonic = le64_get(n.monotonic), .xor_hash = le64_get(n.xor_hash) };
	memcpy(j->key.boot, n.boot, sizeof n.boot);
	if (j->key.seqnum == 0 || j->key.realtime == 0 || j->key.realtime >= USEC_MAX || j->key.monotonic >= USEC_MAX ||
	    memcmp(n.boot, none, sizeof none) == 0)
		return err_set(e, ERR_CORRUPT, "an entry without a time at byte %" PRIu64, off);
	j->entry = off;
	j->entry_size = round_up(le64_get(o.size), 8);
	j->nfields = nfields;
	return 1;
}

int journal_next(struct journal *j, struct err *e)
{
	uint64_t off = 0;
	int rc = j->scan ? scan_next(j, &off, e) : array_next(j, &off, e);

	if (rc == -ERR_CORRUPT) {
		/* The list is lost; what lies behind the last entry may still be whole. */
		j->scan = true;
		j->at = j->entry ? j->entry + j->entry_size : j->header_size;
		return rc;
	}
	return rc > 0 ? entry_read(j, off, e) : rc;
}

/* How many places of an array are used: those in front, as the rest is zeros. */
static int array_used(const struct journal *j, uint64_t array, uint64_t nitems, uint64_t *used, struct err *e)
{
	uint64_t lo = 0, hi = nitems;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2, off;
		int rc = place_read(j, array + sizeof(struct array_ondisk), mid, place_size(j), &off, e);

		if (rc < 0)
			return rc;
		if (off)
			lo = mid + 1;
		else
			hi = mid;
	}
	*used = lo;
	return 0;
}

int journal_skip(struct journal *j, uint64_t n, struct err *e)
{
	uint64_t total = 0, skip, at = j->array, before = 0, nitems = 0, next, used;
	int rc = 0;

	/* Ends, both times: the chain goes forward only. */
	for (; at && rc == 0; before = at, at = next) {
		rc = array_read(j, at, before, &nitems, &next, e);
		used = nitems;
		if (rc == 0 && next == 0)
			rc = array_used(j, at, nitems, &used, e);
		total += used;
	}
	if (rc == -ERR_CORRUPT || total <= n)
		return 0;
	skip = total - n;
	for (at = j->array, before = 0; rc == 0; before = at, at = next) {
		rc = array_read(j, at, before, &nitems, &next, e);
		if (rc == 0 && (skip < nitems || next == 0)) {
			j->array = at;
			j->nitems = nitems;
			j->item = skip;
			break;
		}
		skip -= nitems;
	}
	return rc;
}

/* ---- fields ---- */

/* Decompresses what is in the tools' buffer; *out is lent. */
static int field_unpack(struct journal *j, unsigned flags, size_t len, const uint8_t **out, size_t *got, struct err *e)
{
	static const enum unpack_alg algs[] = { UNPACK_XZ, UNPACK_LZ4, UNPACK_ZSTD };
	struct journal_tools *t = j->tools;
	const uint8_t *in = t->field;
	size_t cap = LIMIT_JOURNAL_FIELD;
	unsigned i = log2_of(flags);
	int rc;

	if (!t->unpacked)
		t->unpacked = alloc_bytes(LIMIT_JOURNAL_FIELD);
	if (!t->unpacked)
		return err_nomem(e);
	*out = t->unpacked;
	if (i == JOURNAL_LZ4) { /* its length comes first */
		le64 size;

		if (len < sizeof size)
			return err_set(e, ERR_CORRUPT, "a compressed field of %zu bytes", len);
		memcpy(&size, in, sizeof size);
		if (le64_get(size) > cap)
			return err_set(e, ERR_LIMIT, "a field of %" PRIu64 " bytes", le64_get(size));
		in += sizeof size;
		len -= sizeof size;
		cap = (size_t)le64_get(size);
	}
	rc = t->unpackers[i] ? 0 : unpacker_new(algs[i], &t->unpackers[i], e);
	return rc < 0 ? rc : unpack(t->unpackers[i], in, len, t->unpacked, cap, got, e);
}

/* "NAME=value": how long the name is, 0 when there is none. */
static size_t name_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && n <= 64 && ((p[n] >= 'A' && p[n] <= 'Z') || p[n] == '_' || (n && p[n] >= '0' && p[n] <= '9')))
		n++;
	return n < len && p[n] == '=' ? n : 0;
}

static int field_read(struct journal *j, uint64_t off, struct log_fields *out, struct err *e)
{
	size_t head = j->compact ? DATA_HEAD_COMPACT : DATA_HEAD, len, n;
	struct journal_tools *t = j->tools;
	const uint8_t *p;
	struct object_ondisk o;
	unsigned flags;
	int rc = object_read(j, off, OBJECT_DATA, head + 1, &o, e);

	if (rc < 0)
		return rc;
	if (le64_get(o.size) - head > LIMIT_JOURNAL_FIELD)
		return err_set(e, ERR_LIMIT, "a field of %" PRIu64 " bytes", le64_get(o.size) - head);
	len = (size_t)le64_get(o.size) - head;
	flags = o.flags & OBJECT_COMPRESSED;
	if (o.flags & ~OBJECT_COMPRESSED || (flags && !is_pow2(flags)))
		return err_set(e, ERR_CORRUPT, "a field with flags 0x%x at byte %" PRIu64, o.flags, off);
	if (len > t->field_cap) {
		size_t cap = (size_t)round_up(len, 4 * KiB);
		uint8_t *bytes = alloc_resize(t->field, cap, 1);

		if (!bytes)
			return err_nomem(e);
		t->field = bytes;
		t->field_cap = cap;
	}
	p = t->field;
	rc = read_at(j, t->field, len, off + head, e);
	if (rc == 0 && flags)
		rc = field_unpack(j, flags, len, &p, &len, e);
	if (rc < 0)
		return rc;
	if (out->text.len + len > LIMIT_JOURNAL_ENTRY)
		return err_set(e, ERR_LIMIT, "an entry of more than %llu bytes", LIMIT_JOURNAL_ENTRY);
	if (len > j->budget) {
		j->budget = 0;
		return err_set(e, ERR_LIMIT, "its entries are more than %llu times as large as the file", LIMIT_JOURNAL_GROWTH);
	}
	j->budget -= len;
	n = name_len(p, len);
	if (n == 0)
		return err_set(e, ERR_CORRUPT, "a field without a name at byte %" PRIu64, off);
	return log_fields_add(out, (const char *)p, n, p + n + 1, len - n - 1, e);
}

int journal_fields(struct journal *j, struct log_fields *out, struct err *e)
{
	size_t step = j->compact ? sizeof(le32) : 2 * sizeof(le64);
	int failed = 0;

	for (uint64_t i = 0; i < j->nfields; i++) {
		struct err why = ERR_INIT;
		uint64_t off = 0;
		int rc = place_read(j, j->entry + sizeof(struct entry_ondisk), i, step, &off, &why);

		if (rc == 0)
			rc = field_read(j, off, out, &why);
		if (rc == 0)
			continue;
		if (e && !failed)
			*e = why;
		failed = failed ? failed : rc;
		if (rc != -ERR_CORRUPT && rc != -ERR_LIMIT)
			return rc;
		if (j->budget == 0)
			break;
	}
	return failed;
}
