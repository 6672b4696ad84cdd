/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_ring.c - XFS's log as a ring of records.
 *
 * A record is one head (with more behind it when records may be larger than 32 KiB) and a body.  Its number (LSN) is the
 * cycle, which counts how often the ring has been written around, above 32 bits of its sector in the ring.  The first
 * word of every sector is the cycle in which it was written; the words that belong there are kept in the heads, and only
 * heads begin with their magic.  So the end of the log is where the cycle changes.
 *
 * The last records may have been under way, in any order, when the power went: where a sector of an older cycle lies among
 * them, a record is not whole, or its checksum does not match, the log ends before.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"
#include "limits.h"

#include <inttypes.h>

struct head {
	be32 magic, cycle, version, len;
	be64 lsn, tail_lsn;
	le32 crc;
	be32 prev, nops, cycle_data[64];
	be32 format;
	uint8_t uuid[16];
	be32 size, pad;
	uint8_t zeros[184];
};
_Static_assert(sizeof(struct head) == XFS_SECTOR, "as the format has it");
/* Words that one head puts aside, each of one sector. */
#define WORDS 64u
/* Of a head, what its checksum counts: all fields; 32-bit Intel machines have no pad. */
#define HEAD_FIELDS 328u
#define HEAD_FIELDS_I386 324u
/* Of a further head: cycle, and words. */
#define MORE_FIELDS 260u
#define FORMAT_LITTLE_ENDIAN 1
#define OP_UNMOUNT 0x20
/* As many records as there may be under way. */
#define RECORDS_IN_FLIGHT 8
#define SECTORS_IN_FLIGHT ((uint32_t)(RECORDS_IN_FLIGHT * 256 * KiB / XFS_SECTOR))
/* Read at once when something is searched for. */
#define LOOK_SECTORS 32u
/* The largest record. */
#define RECORD_SECTORS ((uint32_t)((LIMIT_XFS_RECORD + LIMIT_XFS_RECORD / WORDS) / XFS_SECTOR))

void xfs_ring_close(struct xfs_ring *r)
{
	free(take(r->records));
	free(take(r->bytes));
	block_unrefp(&r->dev);
}

static int sectors_read(struct xfs_ring *r, uint32_t sector, uint32_t n, uint8_t *buf, struct err *e)
{
	uint32_t first = MIN_OF(n, r->nsectors - sector);
	int rc = block_pread(r->dev, buf, (size_t)first * XFS_SECTOR, r->pos + (uint64_t)sector * XFS_SECTOR, e);

	if (rc == 0 && first < n)
		rc = block_pread(r->dev, buf + (size_t)first * XFS_SECTOR, (size_t)(n - first) * XFS_SECTOR, r->pos, e);
	return rc;
}

/* The sector that is n behind, or before, in the ring; n is at most its size. */
static uint32_t forward(const struct xfs_ring *r, uint32_t sector, uint32_t n)
{
	return (uint32_t)(((uint64_t)sector + n) % r->nsectors);
}

static uint32_t back(const struct xfs_ring *r, uint32_t sector, uint32_t n)
{
	return (uint32_t)(((uint64_t)sector + r->nsectors - n) % r->nsectors);
}

static bool is_head(const uint8_t *sector)
{
	be32 magic;

	memcpy(&magic, sector, sizeof magic);
	return be32_get(magic) == XFS_LOG_MAGIC;
}

static uint32_t cycle_of(const uint8_t *sector)
{
	be32 v;

	memcpy(&v, sector + (is_head(sector) ? offsetof(struct head, cycle) : 0), sizeof v);
	return be32_get(v);
}

static int cycle_at(struct xfs_ring *r, uint32_t sector, uint32_t *cycle, struct err *e)
{
	uint8_t buf[XFS_SECTOR];
	int rc = sectors_read(r, sector, 1, buf, e);

	*cycle = rc == 0 ? cycle_of(buf) : 0;
	return rc;
}

/* ---- records ---- */

static uint32_t record_sectors(const struct xfs_record *rec)
{
	return rec->nheads + (uint32_t)div_round_up(rec->len, XFS_SECTOR);
}

/* What the head in this sector says. */
static int head_judge(const struct xfs_ring *r, const struct head *h, uint32_t sector, struct xfs_record *out,
		      struct err *e)
{
	uint32_t version = be32_get(h->version), size = be32_get(h->size);

	out->sector = sector;
	out->len = be32_get(h->len);
	out->nops = be32_get(h->nops);
	out->lsn = be64_get(h->lsn);
	out->nheads = 1;
	if (be32_get(h->magic) != XFS_LOG_MAGIC)
		return err_set(e, ERR_CORRUPT, "no record begins at sector %" PRIu32 " of it", sector);
	if (version == 0 || version > 3)
		return err_set(e, ERR_UNSUPPORTED, "a record of version %" PRIu32, version);
	if (version & 2 && size > WORDS * XFS_SECTOR)
		out->nheads = (uint16_t)MIN_OF(div_round_up(size, WORDS * XFS_SECTOR), (uint64_t)UINT16_MAX);
	if (out->len == 0 || out->len > LIMIT_XFS_RECORD || out->nheads > LIMIT_XFS_RECORD / (WORDS * XFS_SECTOR))
		return err_set(e, ERR_CORRUPT, "a record of %" PRIu32 " bytes with %u heads", out->len, out->nheads);
	if ((uint32_t)out->lsn != sector || out->lsn >> 32 != be32_get(h->cycle))
		return err_set(e, ERR_CORRUPT, "the record at sector %" PRIu32 " was written for sector %" PRIu32, sector,
			       (uint32_t)out->lsn);
	if (record_sectors(out) > r->nsectors)
		return err_set(e, ERR_CORRUPT, "a record of %" PRIu32 " sectors in a ring of %" PRIu32, record_sectors(out),
			       r->nsectors);
	return 0;
}

static int head_read(struct xfs_ring *r, uint32_t sector, struct head *h, struct xfs_record *out, struct err *e)
{
	int rc = sectors_read(r, sector, 1, (uint8_t *)h, e);

	return rc < 0 ? rc : head_judge(r, h, sector, out, e);
}

/* The whole record into r->bytes, as it lies there. */
static int record_read(struct xfs_ring *r, const struct xfs_record *rec, struct err *e)
{
	r->last = SIZE_MAX;
	if (!r->bytes)
		r->bytes = alloc_bytes((size_t)RECORD_SECTORS * XFS_SECTOR);
	return r->bytes ? sectors_read(r, rec->sector, record_sectors(rec), r->bytes, e) : err_nomem(e);
}

/* Of the record in r->bytes. */
static bool record_sum_is(const struct xfs_record *rec, const uint8_t *bytes, size_t head_fields, uint32_t sum)
{
	const size_t at = offsetof(struct head, crc);
	static const uint8_t zeros[4];
	uint32_t crc = crc32c(~0u, bytes, at);

	crc = crc32c(crc, zeros, sizeof zeros);
	crc = crc32c(crc, bytes + at + 4, head_fields - at - 4);
	/* Of further heads those count that this body needs. */
	for (unsigned i = 1; i < div_round_up(rec->len, WORDS * XFS_SECTOR) && i < rec->nheads; i++)
		crc = crc32c(crc, bytes + i * XFS_SECTOR, MORE_FIELDS);
	return ~crc32c(crc, bytes + rec->nheads * XFS_SECTOR, rec->len) == sum;
}

/* *good: the record is whole.  What mkfs.xfs writes has no checksum, nor has what kernels of before 2013 wrote. */
static int record_check(struct xfs_ring *r, const struct xfs_record *rec, bool *good, struct err *e)
{
	int rc = record_read(r, rec, e);
	uint32_t sum;

	if (rc < 0)
		return rc;
	sum = le32_get(((const struct head *)(const void *)r->bytes)->crc);
	*good = sum == 0 || record_sum_is(rec, r->bytes, HEAD_FIELDS, sum) ||
		record_sum_is(rec, r->bytes, HEAD_FIELDS_I386, sum);
	return 0;
}

/* 1 and the record whose head is the last before `sector`, which no more than `reach` sectors lie between; 0: none. */
static int record_before(struct xfs_ring *r, uint32_t sector, uint32_t reach, struct head *h, struct xfs_record *out,
			 struct err *e)
{
	uint8_t buf[LOOK_SECTORS * XFS_SECTOR];
	uint32_t done = 0;

	reach = MIN_OF(reach, r->nsectors);
	while (done < reach) {
		uint32_t n = MIN_OF(LOOK_SECTORS, reach - done), start = back(r, sector, done + n);
		int rc = sectors_read(r, start, n, buf, e);

		if (rc < 0)
			return rc;
		for (uint32_t i = n; i-- > 0;) {
			memcpy(h, buf + i * XFS_SECTOR, sizeof *h);
			if (is_head(buf + i * XFS_SECTOR) && head_judge(r, h, forward(r, start, i), out, NULL) == 0)
				return 1;
		}
		done += n;
	}
	return 0;
}

/* ---- where the log ends ---- */

/* The first sector that is not of the cycle of sector 0; all that are of it come first. */
static int cycle_change(struct xfs_ring *r, uint32_t cycle, uint32_t *sector, struct err *e)
{
	uint32_t lo = 0, hi = r->nsectors, c;
	int rc = cycle_at(r, hi - 1, &c, e);

	/* All is of one cycle, but for what was under way behind a sector 0 that was not written yet. */
	if (rc < 0 || c == cycle) {
		*sector = hi;
		return rc;
	}
	/* Sector lo is of the cycle, sector hi (if there is one) is not. */
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		rc = cycle_at(r, mid, &c, e);
		if (rc < 0)
			return rc;
		if (c == cycle)
			lo = mid;
		else
			hi = mid;
	}
	*sector = hi;
	return 0;
}

/* What was under way may have left sectors of an older cycle before *end: it ends at the first of these. */
static int end_before_holes(struct xfs_ring *r, uint32_t cycle, uint32_t *end, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(LOOK_SECTORS * XFS_SECTOR);
	uint32_t reach = MIN_OF(SECTORS_IN_FLIGHT, r->nsectors), done = 0;

	if (!buf)
		return err_nomem(e);
	/* In the first cycle there is nothing before sector 0. */
	if (cycle <= 1)
		reach = MIN_OF(reach, *end);
	while (done < reach) {
		uint32_t start = back(r, *end % r->nsectors, reach - done);
		/* Not across the end of the ring, behind which another cycle begins. */
		uint32_t n = MIN_OF(MIN_OF(LOOK_SECTORS, reach - done), r->nsectors - start);
		uint32_t want = start < *end ? cycle : cycle - 1;
		int rc = sectors_read(r, start, n, buf, e);

		if (rc < 0)
			return rc;
		for (uint32_t i = 0; i < n; i++)
			if (cycle_of(buf + i * XFS_SECTOR) != want) {
				*end = start + i;
				return 0;
			}
		done += n;
	}
	return 0;
}

static bool is_unmount(const struct xfs_ring *r, const struct xfs_record *rec)
{
	/* Its only operation: transaction 4 bytes, length 4, client 1, flags 1. */
	return rec->nops == 1 && rec->len >= 12 && r->bytes[rec->nheads * XFS_SECTOR + 9] & OP_UNMOUNT;
}

/*
 * The last whole record, whose body ends at *end; *end moves back over what is not whole.  Each turn takes at least a sector
 * away from it, and only records that may have been under way.
 */
static int last_record(struct xfs_ring *r, uint32_t *end, struct head *h, struct xfs_record *rec, struct err *e)
{
	uint32_t taken = 0;

	while (taken <= SECTORS_IN_FLIGHT) {
		uint32_t gap;
		int rc = record_before(r, *end % r->nsectors, SECTORS_IN_FLIGHT, h, rec, e);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return err_set(e, ERR_CORRUPT, "no record is found before its end at sector %" PRIu32, *end);
		if (forward(r, rec->sector, record_sectors(rec)) == *end % r->nsectors)
			return 0;
		gap = back(r, *end % r->nsectors, rec->sector);
		*end = rec->sector;
		taken += MAX_OF(gap, 1u);
	}
	return err_set(e, ERR_CORRUPT, "its end at sector %" PRIu32 " is in pieces", *end);
}

/* Of the records that may have been under way, those from the first bad one on never happened. */
static int end_before_bad(struct xfs_ring *r, uint32_t *end, struct head *h, struct xfs_record *rec, struct err *e)
{
	struct xfs_record recent[RECORDS_IN_FLIGHT];
	unsigned n = 0;
	int rc;

	recent[n++] = *rec;
	while (n < RECORDS_IN_FLIGHT) {
		struct head other;

		rc = record_before(r, recent[n - 1].sector, SECTORS_IN_FLIGHT, &other, &recent[n], e);
		if (rc < 0)
			return rc;
		/* Not around the ring, and not what was there before the log was made. */
		if (rc == 0 || recent[n].lsn >= recent[n - 1].lsn ||
		    forward(r, recent[n].sector, record_sectors(&recent[n])) != recent[n - 1].sector)
			break;
		n++;
	}
	while (n-- > 0) {
		bool good;

		rc = record_check(r, &recent[n], &good, e);
		if (rc < 0)
			return rc;
		if (!good) {
			*end = recent[n].sector;
			return last_record(r, end, h, rec, e);
		}
	}
	return 0;
}

/* ---- the records between tail and end ---- */

static int record_add(struct xfs_ring *r, const struct xfs_record *rec, struct err *e)
{
	if (r->nrecords == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct xfs_record *records;

		if (cap > LIMIT_XFS_RECORDS)
			return err_set(e, ERR_LIMIT, "more than %d records", LIMIT_XFS_RECORDS);
		records = alloc_resize(r->records, cap, sizeof *records);
		if (!records)
			return err_nomem(e);
		r->records = records;
		r->cap = cap;
	}
	r->records[r->nrecords++] = *rec;
	return 0;
}

/* Each turn takes a record's sectors of those between the two, so it ends. */
static int records_take(struct xfs_ring *r, uint64_t tail_lsn, uint32_t end, struct err *e)
{
	uint32_t tail = (uint32_t)tail_lsn, left = back(r, end % r->nsectors, tail);
	uint64_t lsn = 0;

	while (left > 0) {
		struct xfs_record rec;
		struct head h;
		bool good;
		int rc = head_read(r, tail, &h, &rec, e);

		if (rc == 0 && record_sectors(&rec) > left)
			rc = err_set(e, ERR_CORRUPT, "the record at sector %" PRIu32 " runs past the log's end", tail);
		if (rc == 0 && lsn == 0 && rec.lsn != tail_lsn)
			rc = err_set(e, ERR_CORRUPT, "its tail at sector %" PRIu32 " was written over", tail);
		/* The heads have no room for the first words of what is behind. */
		if (rc == 0 && rec.len > rec.nheads * WORDS * XFS_SECTOR)
			rc = err_set(e, ERR_CORRUPT, "a record of %" PRIu32 " bytes with %u heads", rec.len, rec.nheads);
		if (rc == 0 && rec.lsn <= lsn)
			rc = err_set(e, ERR_CORRUPT, "the record at sector %" PRIu32 " is older than the one before it", tail);
		if (rc == 0 && be32_get(h.format) != FORMAT_LITTLE_ENDIAN)
			rc = err_set(e, ERR_UNSUPPORTED, "it was written by a machine of another byte order (format %" PRIu32 ")",
				     be32_get(h.format));
		if (rc == 0)
			rc = record_check(r, &rec, &good, e);
		if (rc == 0 && (!good || (r->v5 && le32_get(h.crc) == 0)))
			rc = err_set(e, ERR_CORRUPT, "the checksum of the record at sector %" PRIu32 " does not match", tail);
		if (rc == 0)
			rc = record_add(r, &rec, e);
		if (rc < 0)
			return rc;
		lsn = rec.lsn;
		left -= record_sectors(&rec);
		tail = forward(r, tail, record_sectors(&rec));
	}
	return 0;
}

int xfs_ring_scan(struct xfs_ring *r, bool *clean, struct err *e)
{
	struct xfs_record rec;
	struct head h;
	uint32_t cycle, end, tail;
	int rc = cycle_at(r, 0, &cycle, e);

	*clean = rc == 0 && cycle == 0; /* never written */
	if (rc < 0 || *clean)
		return rc;
	rc = cycle_change(r, cycle, &end, e);
	if (rc < 0)
		return rc;
	/* A clean unmount waits for all that is under way, so that its record needs no look at what lies before. */
	rc = record_before(r, end % r->nsectors, RECORD_SECTORS, &h, &rec, e);
	if (rc > 0 && forward(r, rec.sector, record_sectors(&rec)) == end % r->nsectors) {
		rc = record_check(r, &rec, clean, e);
		*clean = rc == 0 && *clean && is_unmount(r, &rec);
	}
	if (rc < 0 || *clean)
		return rc;
	rc = end_before_holes(r, cycle, &end, e);
	if (rc == 0)
		rc = last_record(r, &end, &h, &rec, e);
	if (rc == 0)
		rc = end_before_bad(r, &end, &h, &rec, e);
	if (rc == 0)
		rc = record_read(r, &rec, e);
	if (rc < 0)
		return rc;
	*clean = is_unmount(r, &rec);
	if (*clean)
		return 0;
	if (memcmp(h.uuid, r->uuid, sizeof h.uuid) != 0)
		return err_set(e, ERR_CORRUPT, "it belongs to another filesystem");
	tail = (uint32_t)be64_get(h.tail_lsn);
	if (tail >= r->nsectors)
		return err_set(e, ERR_CORRUPT, "its tail is at sector %" PRIu32 " of %" PRIu32, tail, r->nsectors);
	return records_take(r, be64_get(h.tail_lsn), end, e);
}

/* ---- bytes of bodies ---- */

/* Where the word of sector n of the body is put aside, from the first head on. */
static size_t word_at(uint32_t n)
{
	size_t in_head = n < WORDS ? offsetof(struct head, cycle_data) : sizeof(be32);

	return n / WORDS * XFS_SECTOR + in_head + n % WORDS * sizeof(be32);
}

int xfs_ring_record(struct xfs_ring *r, size_t index, const uint8_t **body, struct err *e)
{
	const struct xfs_record *rec = &r->records[index];
	size_t first = rec->nheads * XFS_SECTOR;

	if (r->last != index) {
		int rc = record_read(r, rec, e);

		if (rc < 0)
			return rc;
		for (uint32_t n = 0; n < div_round_up(rec->len, XFS_SECTOR) && n / WORDS < rec->nheads; n++)
			memcpy(r->bytes + first + n * XFS_SECTOR, r->bytes + word_at(n), sizeof(be32));
		r->last = index;
	}
	*body = r->bytes + first;
	return 0;
}

int xfs_ring_read(struct xfs_ring *r, uint64_t at, void *buf, size_t len, struct err *e)
{
	const struct xfs_record *rec = &r->records[at >> 32];
	uint32_t off = (uint32_t)at;
	uint8_t *p = buf;

	if (r->last == at >> 32) {
		memcpy(buf, r->bytes + rec->nheads * XFS_SECTOR + off, len);
		return 0;
	}
	/* Sector by sector of the body, as the ring may end in it. */
	while (len > 0) {
		uint32_t n = off / XFS_SECTOR, in = off % XFS_SECTOR;
		uint32_t sector = forward(r, rec->sector, rec->nheads + n);
		size_t take = MIN_OF(len, XFS_SECTOR - in);
		int rc = block_pread(r->dev, p, take, r->pos + (uint64_t)sector * XFS_SECTOR + in, e);

		if (rc == 0 && in < sizeof(be32) && n / WORDS < rec->nheads) {
			size_t word = word_at(n), cut = MIN_OF(take, sizeof(be32) - in);

			sector = forward(r, rec->sector, (uint32_t)(word / XFS_SECTOR));
			rc = block_pread(r->dev, p, cut, r->pos + (uint64_t)sector * XFS_SECTOR + word % XFS_SECTOR + in, e);
		}
		if (rc < 0)
			return rc;
		p += take;
		off += (uint32_t)take;
		len -= take;
	}
	return 0;
}

/* ---- which device ---- */

/*
 * 1 and the first head of it when there is a log at the beginning of dev, 0 when not.  The record that lies across the end of
 * the ring may come first; but each sector is of one cycle, or, further on, of the one before.
 */
static int find_head(struct block *dev, struct head *h, struct err *e)
{
	uint8_t buf[LOOK_SECTORS * XFS_SECTOR];
	uint32_t n = (uint32_t)MIN_OF(block_size(dev) / XFS_SECTOR, (uint64_t)RECORD_SECTORS), cycle = 0;

	for (uint32_t done = 0; done < n; done += LOOK_SECTORS) {
		uint32_t some = MIN_OF(LOOK_SECTORS, n - done);
		int rc = block_pread(dev, buf, some * XFS_SECTOR, (uint64_t)done * XFS_SECTOR, e);

		if (rc < 0)
			return rc;
		for (uint32_t i = 0; i < some; i++) {
			uint32_t c = cycle_of(buf + i * XFS_SECTOR);

			if (done + i == 0)
				cycle = c;
			if (c == 0 || (c != cycle && c + 1 != cycle))
				return 0;
			memcpy(h, buf + i * XFS_SECTOR, sizeof *h);
			if (is_head(buf + i * XFS_SECTOR))
				return be64_get(h->lsn) == ((uint64_t)c << 32 | (done + i)) && be32_get(h->version) <= 3 &&
				       be32_get(h->format) <= 3;
		}
	}
	return 0;
}

int xfs_ring_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct head h;
	int rc = find_head(dev, &h, e);

	if (rc <= 0)
		return rc;
	/* The UUID is the filesystem's, not one by which this is to be found. */
	id->type = "xfs_external_log";
	return FS_PROBE_MINE;
}

int xfs_ring_open(struct xfs_ring *r, const struct xfs *x, struct block *const *others, size_t nothers, struct err *e)
{
	uint64_t bytes = (uint64_t)x->log_blocks << x->bs_bits;

	memset(r, 0, sizeof *r);
	r->nsectors = (uint32_t)(bytes / XFS_SECTOR);
	r->v5 = x->v5;
	r->uuid = x->uuid;
	r->last = SIZE_MAX;
	if (x->log_start) {
		r->dev = block_ref(x->io.dev);
		return xfs_block_pos(x, x->log_start, x->log_blocks, &r->pos)
			       ? 0
			       : err_set(e, ERR_CORRUPT, "it lies outside of the filesystem");
	}
	for (size_t i = 0; i < nothers; i++) {
		struct head h;
		int rc = find_head(others[i], &h, e);

		if (rc < 0)
			return rc;
		if (rc == 0 || memcmp(h.uuid, x->uuid, sizeof h.uuid) != 0)
			continue;
		if (bytes > block_size(others[i]))
			return err_set(e, ERR_CORRUPT, "it claims %" PRIu64 " bytes, its device has only %" PRIu64, bytes,
				       block_size(others[i]));
		r->dev = block_ref(others[i]);
		return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "it is on another device, which is not among those that were given");
}
