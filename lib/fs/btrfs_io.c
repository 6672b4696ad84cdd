/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_io.c - bytes at a logical address: from a device, from another copy, or made again from parity.
 *
 * What shares its bytes among stripes does it in runs of 64 KiB.  RAID5 and RAID6 rotate: in row r the data of stripe i is
 * on stripe (r + i) % n, P and Q follow the data.
 *
 * All that is read has a checksum, except the data of files that were made without.  So each way to read a piece is tried
 * until what comes is good: first the copies, then parity with nothing but the piece itself missing, then (RAID6) parity
 * with each other stripe of the row taken for bad as well.  Devices that missed changes are the last to be believed.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"
#include "parity.h"

#include <inttypes.h>

/* Rows of more stripes are recovered from two bad ones only when one of these is among the first so many. */
#define GUESSES 64u
#define NONE (~0u)

/* ---- where ---- */

int btrfs_map(struct btrfs *b, uint64_t logical, uint64_t len, bool system, struct btrfs_piece *out, struct err *e)
{
	const struct btrfs_chunk *c = NULL;
	uint64_t off, run, data;
	int rc = btrfs_chunk_find(b, logical, system, &c, e);

	if (rc < 0)
		return rc;
	off = logical - c->logical;
	*out = (struct btrfs_piece){
		.chunk = c, .logical = logical, .off = off, .len = MIN_OF(len, c->length - off), .ncopies = 1
	};
	if (!(c->type & (BTRFS_BG_RAID0 | BTRFS_BG_RAID10 | BTRFS_BG_RAID5 | BTRFS_BG_RAID6))) {
		out->ncopies = c->nstripes;
		return 0;
	}
	data = btrfs_data_stripes(c);
	run = off / BTRFS_STRIPE_LEN;
	out->off = run / data * BTRFS_STRIPE_LEN + off % BTRFS_STRIPE_LEN;
	out->len = MIN_OF(out->len, BTRFS_STRIPE_LEN - off % BTRFS_STRIPE_LEN);
	out->first = (unsigned)(run % data);
	if (c->type & BTRFS_BG_RAID10) {
		out->ncopies = 2;
		out->first *= 2;
	} else if (btrfs_profile_parity(c->type)) {
		out->row = (unsigned)(run / data % c->nstripes);
	}
	return 0;
}

/* ---- one stripe ---- */

static bool is_stale(const struct btrfs *b, const struct btrfs_chunk *c, unsigned stripe)
{
	size_t dev = c->stripes[stripe].dev;

	return dev != BTRFS_NO_DEV && b->devs[dev].stale;
}

static int stripe_read(const struct btrfs *b, const struct btrfs_chunk *c, unsigned stripe, uint64_t off, uint8_t *buf,
		       size_t len, struct err *e)
{
	const struct btrfs_stripe *s = &c->stripes[stripe];
	struct block *dev = s->dev == BTRFS_NO_DEV ? NULL : b->devs[s->dev].block;
	int rc;

	if (!dev)
		return err_set(e, ERR_CORRUPT, "device %" PRIu64 " is missing", s->devid);
	/* Stripes were judged: the sum fits. */
	if (!range_in(s->off + off, len, block_size(dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of device %" PRIu64, s->off + off, s->devid);
	rc = block_pread(dev, buf, len, s->off + off, e);
	return rc < 0 ? err_in(e, rc, "device %" PRIu64, s->devid) : 0;
}

/* ---- parity ---- */

/* A row of RAID5 or RAID6; data are numbered from 0, P is `data`, Q the next. */
struct row {
	const struct btrfs *b;
	const struct btrfs_chunk *c;
	unsigned data, rotation;
	uint64_t off;
	uint8_t *buf, *scratch; /* len bytes each */
	size_t len;
};

static int row_read(struct row *r, unsigned member, uint8_t *buf, struct err *e)
{
	return stripe_read(r->b, r->c, (r->rotation + member) % r->c->nstripes, r->off, buf, r->len, e);
}

/* What P lacks without the data a and b: their sum. */
static int row_p(struct row *r, unsigned a, unsigned b, uint8_t *out, struct err *e)
{
	int rc = row_read(r, r->data, out, e);

	for (unsigned i = 0; rc == 0 && i < r->data; i++) {
		if (i == a || i == b)
			continue;
		rc = row_read(r, i, r->scratch, e);
		if (rc == 0)
			parity_add(out, r->scratch, r->len);
	}
	return rc;
}

/* The same of Q: the sum of both, each times 2 to the power of its number. */
static int row_q(struct row *r, unsigned a, unsigned b, uint8_t *out, struct err *e)
{
	int rc = 0;

	memset(out, 0, r->len);
	for (unsigned i = r->data; rc == 0 && i-- > 0;) {
		parity_double(out, r->len);
		if (i == a || i == b)
			continue;
		rc = row_read(r, i, r->scratch, e);
		if (rc == 0)
			parity_add(out, r->scratch, r->len);
	}
	if (rc == 0)
		rc = row_read(r, r->data + 1, r->scratch, e);
	if (rc == 0)
		parity_add(out, r->scratch, r->len);
	return rc;
}

/* Makes data `want` from the others without asking `bad`, which is another member of the row or NONE. */
static int row_recover(struct row *r, unsigned want, unsigned bad, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *q = NULL;
	unsigned parity = btrfs_profile_parity(r->c->type);
	uint8_t factor;
	int rc;

	if (bad == NONE || bad == r->data + 1)
		return row_p(r, want, want, r->buf, e);
	if (parity < 2)
		return err_set(e, ERR_CORRUPT, "two of a row with one parity are bad");
	if (bad == r->data) {
		rc = row_q(r, want, want, r->buf, e);
		if (rc == 0)
			parity_multiply(r->buf, r->len, parity_inverse(parity_power(want)));
		return rc;
	}
	q = alloc_bytes(r->len);
	if (!q)
		return err_nomem(e);
	rc = row_p(r, want, bad, r->buf, e);
	if (rc == 0)
		rc = row_q(r, want, bad, q, e);
	if (rc < 0)
		return rc;
	/* p = w + x and q = 2^want w + 2^bad x; so (2^bad p + q) / (2^bad + 2^want) = w. */
	factor = parity_power(bad);
	parity_multiply(r->buf, r->len, factor);
	parity_add(r->buf, q, r->len);
	factor = (uint8_t)(factor ^ parity_power(want));
	if (factor == 0) /* 255 stripes apart */
		return err_set(e, ERR_CORRUPT, "two of a row are bad, and too many lie between them");
	parity_multiply(r->buf, r->len, parity_inverse(factor));
	return 0;
}

/* The member of a row that is missing or stale, besides `want`; NONE. */
static unsigned row_bad(const struct row *r, unsigned want)
{
	for (unsigned m = 0; m < r->c->nstripes; m++) {
		unsigned stripe = (r->rotation + m) % r->c->nstripes;
		size_t dev = r->c->stripes[stripe].dev;

		if (m != want && (dev == BTRFS_NO_DEV || !r->b->devs[dev].block || r->b->devs[dev].stale))
			return m;
	}
	return NONE;
}

/* guess 0: nothing is bad but what is missing; from 1 on: that member of the row is bad. */
static int parity_read(const struct btrfs *b, const struct btrfs_piece *p, unsigned guess, uint8_t *buf, uint64_t skip,
		       size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *scratch = alloc_bytes(len);
	struct row r = { .b = b, .c = p->chunk, .data = btrfs_data_stripes(p->chunk), .rotation = p->row,
			 .off = p->off + skip, .buf = buf, .scratch = scratch, .len = len };

	if (!scratch)
		return err_nomem(e);
	if (guess == 0)
		return row_recover(&r, p->first, row_bad(&r, p->first), e);
	return row_recover(&r, p->first, guess - 1, e);
}

/* ---- ways ---- */

static unsigned guesses(const struct btrfs_piece *p)
{
	unsigned parity = btrfs_profile_parity(p->chunk->type);

	return parity < 2 ? parity : 1 + MIN_OF(p->chunk->nstripes, GUESSES);
}

unsigned btrfs_ways(const struct btrfs_piece *p)
{
	return p->ncopies + guesses(p);
}

/* The nth copy, those on devices that missed changes last. */
static unsigned nth_copy(const struct btrfs *b, const struct btrfs_piece *p, unsigned n)
{
	for (int stale = 0; stale < 2; stale++)
		for (unsigned i = 0; i < p->ncopies; i++)
			if (is_stale(b, p->chunk, p->first + i) == (stale == 1) && n-- == 0)
				return p->first + i;
	return p->first;
}

int btrfs_piece_read(struct btrfs *b, const struct btrfs_piece *p, unsigned way, uint8_t *buf, uint64_t skip, size_t len,
		     struct err *e)
{
	const struct btrfs_chunk *c = p->chunk;
	unsigned nguesses = guesses(p), own = (p->row + p->first) % c->nstripes;

	if (nguesses == 0)
		return stripe_read(b, c, nth_copy(b, p, way), p->off + skip, buf, len, e);
	/* Where the device is stale, parity is asked first. */
	if (is_stale(b, c, own))
		way = way < nguesses ? way + 1 : 0;
	if (way == 0)
		return stripe_read(b, c, own, p->off + skip, buf, len, e);
	if (way > 1 && way - 2 == p->first)
		return err_set(e, ERR_CORRUPT, "that is the piece itself");
	return parity_read(b, p, way - 1, buf, skip, len, e);
}

/* A node may lie in two pieces where chunks do not begin at a multiple of its size.  buf NULL: counts the ways. */
static int node_pieces(struct btrfs *b, uint64_t logical, bool system, unsigned *ways, unsigned way, uint8_t *buf,
		       struct err *e)
{
	size_t done = 0;

	while (done < b->nodesize) {
		struct btrfs_piece p;
		int rc = btrfs_map(b, logical + done, b->nodesize - done, system, &p, e);

		if (rc == 0 && buf)
			rc = btrfs_piece_read(b, &p, way, buf + done, 0, (size_t)p.len, e);
		if (rc < 0)
			return rc;
		if (!buf)
			*ways = done ? MIN_OF(*ways, btrfs_ways(&p)) : btrfs_ways(&p);
		done += (size_t)p.len;
	}
	return 0;
}

int btrfs_node_ways(struct btrfs *b, uint64_t logical, bool system, unsigned *ways, struct err *e)
{
	return node_pieces(b, logical, system, ways, 0, NULL, e);
}

int btrfs_node_bytes(struct btrfs *b, uint64_t logical, bool system, unsigned way, uint8_t *buf, struct err *e)
{
	return node_pieces(b, logical, system, NULL, way, buf, e);
}

/* ---- data ---- */

static bool sector_ok(const struct btrfs *b, const uint8_t *sector, const uint8_t *want)
{
	uint8_t csum[BTRFS_CSUM_MAX];

	btrfs_csum(b->csum_type, sector, b->sectorsize, csum);
	return memcmp(csum, want, b->csum_size) == 0;
}

/* A sector whose bytes by the first way are not good: by the others. */
static int sector_recover(struct btrfs *b, const struct btrfs_piece *p, uint64_t skip, unsigned from, uint8_t *buf,
			  const uint8_t *want, struct err *e)
{
	for (unsigned way = from; way < btrfs_ways(p); way++) {
		struct err why = ERR_INIT;
		int rc = btrfs_piece_read(b, p, way, buf, skip, b->sectorsize, &why);

		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc == 0 && sector_ok(b, buf, want))
			return 0;
	}
	return err_set(e, ERR_CORRUPT, "the checksum does not match%s", btrfs_ways(p) > 1 ? " on any copy" : "");
}

/* sums: NULL where there are none. */
static int piece_data(struct btrfs *b, const struct btrfs_piece *p, uint8_t *buf, const uint8_t *sums, struct err *e)
{
	struct err first = ERR_INIT;
	unsigned way = 0;
	int rc = -1;

	for (; way < btrfs_ways(p); way++) {
		struct err why = ERR_INIT;

		rc = btrfs_piece_read(b, p, way, buf, 0, (size_t)p->len, &why);
		if (rc == 0)
			break;
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (way == 0)
			first = why;
	}
	if (rc < 0) {
		if (e)
			*e = first;
		return err_in(e, -(int)first.code, "data at %" PRIu64, p->logical);
	}
	for (uint64_t at = 0; sums && at < p->len; at += b->sectorsize) {
		const uint8_t *want = sums + (at >> b->sector_bits) * b->csum_size;

		if (sector_ok(b, buf + at, want))
			continue;
		rc = sector_recover(b, p, at, way + 1, buf + at, want, e);
		if (rc < 0)
			return err_in(e, rc, "data at %" PRIu64, p->logical + at);
	}
	return 0;
}

int btrfs_data_read(struct btrfs *b, uint64_t logical, uint8_t *buf, size_t len, bool plain, struct err *e)
{
	const uint8_t *sums = plain ? NULL : b->csums;
	size_t done = 0;
	int rc = plain ? 0 : btrfs_csums_find(b, logical, len >> b->sector_bits, b->csums, e);

	/* Chunks consist of whole sectors, so pieces do. */
	while (rc == 0 && done < len) {
		struct btrfs_piece p;

		rc = btrfs_map(b, logical + done, len - done, false, &p, e);
		if (rc == 0)
			rc = piece_data(b, &p, buf + done, sums ? sums + (done >> b->sector_bits) * b->csum_size : NULL, e);
		if (rc == 0)
			done += (size_t)p.len;
	}
	return rc;
}
