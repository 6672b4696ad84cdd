/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_log.c - what is newer than a hive: the records of its logs, as Windows writes them since 8.1.
 *
 *	header, 512 bytes: as that of the hive, of type 6
 *	records, each at a multiple of 512 bytes:
 *		"HvLE", its length, flags, its number, the length of all bins, how many pages it has, two checksums
 *		for each page its offset behind the hive's header and its length
 *		the pages
 *
 * The hive's own numbers tell which write was the last that was completed; records count on from there, in one log and then in
 * the other.  Records with lower numbers are in the hive already, and what stands behind the last one is of an earlier time.  So
 * only records that follow without a gap and whose checksums are right are taken, as Windows does when it starts.  Nothing is
 * copied: what is kept is where in a log each sector of the hive lies, and it is read from there.
 *
 * The checksums are Marvin32 with a seed that is always the same: of all behind the head, and of the head with that one.  Logs
 * of the older kind (type 1), which have none, are not read.
 */
#include "hive_file.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

struct record {
	uint8_t magic[4];
	le32 len, flags, number, bins_len, npages;
	le64 sum_rest, sum_head;
};
_Static_assert(sizeof(struct record) == 40, "layout");
#define SUMMED_HEAD 32

struct page {
	le32 off, len;
};
_Static_assert(sizeof(struct page) == 8, "layout");

#define LOG_TYPE 6
#define BIN_ALIGN 4096u
#define PIECE (64 * KiB)

/* ---- the checksum ---- */

struct marvin {
	uint32_t lo, hi;
};
#define SEED_LO 0x7a4e55c5u
#define SEED_HI 0x82ef4d88u

static uint32_t turned(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

static void marvin_mix(struct marvin *m, uint32_t word)
{
	m->lo += word;
	m->hi ^= m->lo;
	m->lo = turned(m->lo, 20) + m->hi;
	m->hi = turned(m->hi, 9) ^ m->lo;
	m->lo = turned(m->lo, 27) + m->hi;
	m->hi = turned(m->hi, 19);
}

/* len: a multiple of 4, as all that is summed has. */
static void marvin_add(struct marvin *m, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 4) {
		le32 word;

		memcpy(&word, bytes + i, sizeof word);
		marvin_mix(m, le32_get(word));
	}
}

static uint64_t marvin_end(struct marvin *m)
{
	marvin_mix(m, 0x80);
	marvin_mix(m, 0);
	return (uint64_t)m->hi << 32 | m->lo;
}

/* ---- places ---- */

/* A place in a log, which is a multiple of 8 and never the first, and which log: 0 is none. */
static uint32_t place(unsigned log, uint64_t off)
{
	return (uint32_t)(off / 8 * HIVE_LOGS + log);
}

static uint64_t place_off(uint32_t place)
{
	return (uint64_t)place / HIVE_LOGS * 8;
}
_Static_assert(LIMIT_HIVE_LOG_BYTES / 8 * HIVE_LOGS <= UINT32_MAX, "places fit");

void hive_logs_drop(struct hive *h)
{
	free(take(h->sectors));
	h->nsectors = 0;
}

/* The hive has so many bytes of bins after this record; what an earlier one said of bytes behind them is void. */
static int resize(struct hive *h, uint32_t bins_len, struct err *e)
{
	size_t n = bins_len / HIVE_SECTOR;
	uint32_t *sectors;

	if (n > h->nsectors) {
		sectors = alloc_resize(h->sectors, n, sizeof *sectors);
		if (!sectors)
			return err_nomem(e);
		memset(sectors + h->nsectors, 0, (n - h->nsectors) * sizeof *sectors);
		h->sectors = sectors;
		h->nsectors = n;
	} else if (n < h->nsectors) {
		memset(h->sectors + n, 0, (h->nsectors - n) * sizeof *h->sectors);
	}
	h->size = HIVE_HEADER + (size_t)bins_len;
	return 0;
}

int hive_logs_apply(struct hive *h, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	size_t i = 0, step;

	/* The header is in no log. */
	if (off < HIVE_HEADER)
		i = (size_t)MIN_OF(len, HIVE_HEADER - off);
	for (; i < len; i += step) {
		size_t s = (size_t)((off + i - HIVE_HEADER) / HIVE_SECTOR);
		uint32_t first = s < h->nsectors ? h->sectors[s] : 0;
		size_t n = 1;
		int rc;

		/* As many as lie in a row there. */
		while (first && i + n * HIVE_SECTOR < len && s + n < h->nsectors &&
		       h->sectors[s + n] == first + place(0, n * HIVE_SECTOR))
			n++;
		step = MIN_OF(n * HIVE_SECTOR, len - i);
		if (!first)
			continue;
		rc = h->logs[first % HIVE_LOGS].read(h->logs[first % HIVE_LOGS].arg, buf + i, step, place_off(first), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- records ---- */

/* How far the logs have been read. */
struct replay {
	struct hive *h;
	uint8_t *piece;
	uint32_t next;	/* the number of the record that comes next */
	size_t ntaken;
	bool damaged;	/* a record was met that should have been taken */
};

static int log_read(const struct hive *h, unsigned log, void *buf, size_t len, uint64_t off, struct err *e)
{
	return h->logs[log].read(h->logs[log].arg, buf, len, off, e);
}

/* The pages of a record: each lies in the hive, and all in the record. */
static bool pages_ok(const uint8_t *refs, size_t npages, uint32_t bins_len, uint64_t room)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < npages; i++) {
		struct page p;

		memcpy(&p, refs + i * sizeof p, sizeof p);
		if (le32_get(p.len) == 0 || le32_get(p.off) % HIVE_SECTOR || le32_get(p.len) % HIVE_SECTOR ||
		    !range_in(le32_get(p.off), le32_get(p.len), bins_len))
			return false;
		sum += le32_get(p.len);
	}
	return sum <= room;
}

static void pages_take(struct hive *h, unsigned log, const uint8_t *refs, size_t npages, uint64_t at)
{
	for (size_t i = 0; i < npages; i++) {
		struct page p;

		memcpy(&p, refs + i * sizeof p, sizeof p);
		for (uint32_t k = 0; k < le32_get(p.len); k += HIVE_SECTOR)
			h->sectors[(le32_get(p.off) + k) / HIVE_SECTOR] = place(log, at + k);
		at += le32_get(p.len);
	}
}

/* Is the checksum of what follows the head right?  1 or 0. */
static int rest_ok(struct replay *r, unsigned log, const struct record *rec, uint64_t off, struct err *e)
{
	struct marvin m = { SEED_LO, SEED_HI };
	uint64_t end = off + le32_get(rec->len);

	for (uint64_t at = off + sizeof *rec; at < end; at += PIECE) {
		size_t len = (size_t)MIN_OF(PIECE, end - at);
		int rc = log_read(r->h, log, r->piece, len, at, e);

		if (rc < 0)
			return rc;
		marvin_add(&m, r->piece, len);
	}
	return marvin_end(&m) == le64_get(rec->sum_rest);
}

/* The record whose turn it is: 1 and it is taken, or 0. */
static int record_take(struct replay *r, unsigned log, const struct record *rec, uint64_t off, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *refs = NULL;
	uint32_t bins_len = le32_get(rec->bins_len), npages = le32_get(rec->npages);
	uint64_t room = le32_get(rec->len) - sizeof *rec, refs_len = (uint64_t)npages * sizeof(struct page);
	int rc;

	if (bins_len == 0 || bins_len % BIN_ALIGN || bins_len > LIMIT_HIVE_BYTES - HIVE_HEADER || refs_len > room)
		return 0;
	rc = rest_ok(r, log, rec, off, e);
	if (rc <= 0)
		return rc;
	refs = alloc_bytes((size_t)refs_len + 1);
	if (!refs)
		return err_nomem(e);
	rc = log_read(r->h, log, refs, (size_t)refs_len, off + sizeof *rec, e);
	if (rc < 0 || !pages_ok(refs, npages, bins_len, room - refs_len))
		return rc;
	rc = resize(r->h, bins_len, e);
	if (rc < 0)
		return rc;
	pages_take(r->h, log, refs, npages, off + sizeof *rec + refs_len);
	r->next++;
	r->ntaken++;
	return 1;
}

/* Is there a whole record at off?  1 or 0.  Its head has the right checksum, and it lies in the log. */
static int record_at(struct replay *r, unsigned log, uint64_t off, struct record *rec, struct err *e)
{
	uint64_t size = r->h->logs[log].size;
	struct marvin m = { SEED_LO, SEED_HI };
	int rc;

	if (off >= size || size - off < sizeof *rec)
		return 0;
	rc = log_read(r->h, log, rec, sizeof *rec, off, e);
	if (rc < 0 || memcmp(rec->magic, "HvLE", 4) != 0)
		return rc;
	marvin_add(&m, (const uint8_t *)rec, SUMMED_HEAD);
	if (marvin_end(&m) == le64_get(rec->sum_head) && le32_get(rec->len) % HIVE_SECTOR == 0 &&
	    le32_get(rec->len) >= HIVE_SECTOR && range_in(off, le32_get(rec->len), size))
		return 1;
	r->damaged |= le32_get(rec->number) == r->next;
	return 0;
}

/* Takes from one log what comes next.  Each record has a sector at least: the loop ends. */
static int log_replay(struct replay *r, unsigned log, struct err *e)
{
	const struct hive_bytes *l = &r->h->logs[log];
	struct regf_header head;
	struct record rec;
	int rc;

	if (!l->read || l->size < sizeof head)
		return 0;
	rc = log_read(r->h, log, &head, sizeof head, 0, e);
	if (rc < 0 || memcmp(head.magic, "regf", 4) != 0 || !regf_header_sum_ok(&head) || le32_get(head.type) != LOG_TYPE)
		return rc;
	if (l->size > LIMIT_HIVE_LOG_BYTES) {
		r->damaged = true;
		return 0;
	}
	for (uint64_t off = sizeof head; (rc = record_at(r, log, off, &rec, e)) > 0; off += le32_get(rec.len)) {
		uint32_t number = le32_get(rec.number);

		/* In the hive already; numbers may go round. */
		if ((int32_t)(number - r->next) < 0)
			continue;
		if (number != r->next)
			break;
		rc = record_take(r, log, &rec, off, e);
		if (rc == 0)
			r->damaged = true;
		if (rc <= 0)
			break;
	}
	return rc < 0 ? rc : 0;
}

int hive_logs_find(struct hive *h, uint32_t sequence, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	struct replay r = { .h = h, .piece = piece, .next = sequence };
	size_t before;
	int rc = piece ? 0 : err_nomem(e);

	/* From one log to the other and back, as long as each brings something. */
	do {
		before = r.ntaken;
		for (unsigned i = 0; i < HIVE_LOGS && rc == 0; i++)
			rc = log_replay(&r, i, e);
	} while (rc == 0 && r.ntaken > before);
	if (rc < 0 && rc != -ERR_NOMEM) {
		/* A log that cannot be read is none. */
		rc = 0;
		r.damaged = true;
	}
	h->next = r.next;
	if (r.damaged)
		h->warning = "it was not written to its end, and its log is damaged: what is newer is not all there";
	else if (!r.ntaken)
		h->warning = "it was not written to its end: what is newer is in its log, which is not read";
	return rc;
}
