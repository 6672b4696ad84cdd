/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clusters.c - chains of clusters: followed, marked, and read along. */
#include "clusters.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

/* ---- the table ---- */

static int entry_bytes(const struct clusters *c, uint64_t at, uint8_t *buf, size_t len, struct err *e)
{
	int rc = lines_read(c->io, buf, len, c->table_off + at, e);

	if (rc == -ERR_SYSTEM && c->table_copy_off) {
		err_clear(e);
		rc = lines_read(c->io, buf, len, c->table_copy_off + at, e);
	}
	return rc;
}

int clusters_entry(const struct clusters *c, uint32_t idx, uint32_t *value, struct err *e)
{
	uint8_t b[4] = { 0 };
	le32 v;
	int rc;

	if (c->entry_bits == 12)
		rc = entry_bytes(c, idx + (uint64_t)idx / 2, b, 2, e);
	else
		rc = entry_bytes(c, (uint64_t)idx * (c->entry_bits / 8), b, c->entry_bits / 8, e);
	if (rc < 0)
		return err_in(e, rc, "FAT");
	memcpy(&v, b, sizeof v);
	*value = le32_get(v);
	/* Two entries of 12 bits share three bytes. */
	if (c->entry_bits == 12)
		*value = idx & 1 ? *value >> 4 : *value & 0xfff;
	*value &= c->value_mask;
	return 0;
}

int clusters_next(const struct clusters *c, uint32_t cluster, uint32_t *next, struct err *e)
{
	uint32_t v = 0;
	int rc = clusters_entry(c, cluster, &v, e);

	if (rc < 0)
		return rc;
	*next = 0;
	if (v > c->bad)
		return 0;
	if (v == c->bad)
		return err_set(e, ERR_CORRUPT, "the chain of clusters leads from %" PRIu32 " to a bad one", cluster);
	if (v == 0)
		return err_set(e, ERR_CORRUPT, "the chain of clusters leads over cluster %" PRIu32 ", which is free", cluster);
	if (v < 2 || v - 2 >= c->n)
		return err_set(e, ERR_CORRUPT, "the chain of clusters leads from %" PRIu32 " to %" PRIu32 ", past the last one",
			       cluster, v);
	*next = v;
	return 0;
}

/* How many of the next entries of 32 bits are free, at most max; *n how many were looked at, at least one. */
static int count_some(const struct clusters *c, uint64_t idx, uint64_t max, uint64_t *n, uint64_t *nfree, struct err *e)
{
	const uint8_t *p = NULL;
	size_t avail = 0;
	uint32_t v = 0;
	int rc = lines_get(c->io, c->table_off + idx * 4, &p, &avail, NULL);

	if (rc < 0 || avail < 4) {
		rc = clusters_entry(c, (uint32_t)idx, &v, e);
		*n = 1;
		*nfree = v == 0;
		return rc;
	}
	*n = MIN_OF(max, avail / 4);
	*nfree = 0;
	for (uint64_t i = 0; i < *n; i++) {
		le32 entry;

		memcpy(&entry, p + i * 4, sizeof entry);
		*nfree += (le32_get(entry) & c->value_mask) == 0;
	}
	return 0;
}

int clusters_count_free(const struct clusters *c, uint32_t *out, struct err *e)
{
	uint64_t end = (uint64_t)c->n + 2, n, nfree, known = 0;
	bool zeros = false;
	uint32_t v = 0;
	int rc;

	*out = 0;
	/* idx only grows. */
	for (uint64_t idx = 2; idx < end; idx += n) {
		uint64_t off = c->table_off + idx * 4;

		if (c->entry_bits != 32) {
			rc = clusters_entry(c, (uint32_t)idx, &v, e);
			if (rc < 0)
				return rc;
			*out += v == 0;
			n = 1;
			continue;
		}
		/* A part of a large table that lies in a hole of the image need not be read. */
		if (off >= known) {
			struct extent ext;

			rc = block_extent_chain(c->io->dev, NULL, (end - idx) * 4, off, &ext, e);
			if (rc < 0)
				return err_in(e, rc, "FAT");
			known = off + ext.len;
			zeros = ext.flags & EXTENT_ZERO;
		}
		if (zeros && known - off >= 4) {
			n = nfree = MIN_OF((known - off) / 4, end - idx);
		} else {
			rc = count_some(c, idx, end - idx, &n, &nfree, e);
			if (rc < 0)
				return rc;
		}
		*out += (uint32_t)nfree;
	}
	return 0;
}

uint64_t clusters_off(const struct clusters *c, uint32_t cluster)
{
	return c->off + ((uint64_t)(cluster - 2) << c->bits);
}

/* ---- chains ---- */

static void mark_add(struct chain *ch, uint32_t cluster)
{
	/* Every other mark, and twice the step: as their number is even, the new one is in step. */
	if (ch->nmarks == CHAIN_MARKS) {
		for (size_t i = 0; i < CHAIN_MARKS / 2; i++)
			ch->marks[i] = ch->marks[2 * i];
		ch->nmarks = CHAIN_MARKS / 2;
		ch->step_bits++;
	}
	ch->marks[ch->nmarks++] = cluster;
}

int chain_contiguous(const struct clusters *c, uint32_t first, uint64_t n, struct chain *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (n && (first < 2 || !range_in(first - 2, n, c->n)))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " clusters from %" PRIu32 " on reach past the last one", n, first);
	out->first = first;
	out->n = n;
	out->contiguous = true;
	return 0;
}

/*
 * It ends: the cluster at hand is compared with one that stays behind while the distance to it doubles (Brent), so that
 * a circle is noticed within three times its length.
 */
static int follow(const struct clusters *c, struct chain *ch, struct err *e)
{
	uint32_t at = ch->first, behind = 0;
	uint64_t power = 1, steps = 0;

	while (at) {
		uint32_t next = 0;
		int rc;

		if (at == behind)
			return err_set(e, ERR_CORRUPT, "the chain of clusters from %" PRIu32 " runs in a circle", ch->first);
		if (steps++ == power) {
			behind = at;
			power *= 2;
			steps = 1;
		}
		if ((ch->n & ((1ULL << ch->step_bits) - 1)) == 0)
			mark_add(ch, at);
		ch->n++;
		rc = clusters_next(c, at, &next, e);
		if (rc < 0)
			return rc;
		at = next;
	}
	return 0;
}

int chain_load(const struct clusters *c, uint32_t first, struct chain *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	if (first < 2 || first - 2 >= c->n)
		return err_set(e, ERR_CORRUPT, "the first cluster is %" PRIu32 ", and the last one of the volume %" PRIu32, first,
			       c->n + 1);
	out->first = first;
	out->marks = alloc_array(CHAIN_MARKS, sizeof *out->marks);
	if (!out->marks)
		return err_nomem(e);
	out->last = first;
	return follow(c, out, e);
}

void chain_free(struct chain *ch)
{
	free(ch->marks);
	memset(ch, 0, sizeof *ch);
}

int chain_map(const struct clusters *c, struct chain *ch, uint64_t idx, uint64_t max, uint32_t *cluster, uint64_t *run,
	      struct err *e)
{
	uint64_t at = idx >> ch->step_bits << ch->step_bits;
	uint32_t here, next = 0;
	int rc;

	max = MIN_OF(max, ch->n - idx);
	if (ch->contiguous) {
		*cluster = ch->first + (uint32_t)idx;
		*run = max;
		return 0;
	}
	here = ch->marks[at >> ch->step_bits];
	if (ch->last_idx > at && ch->last_idx <= idx) {
		at = ch->last_idx;
		here = ch->last;
	}
	/* The chain was followed to its end, and idx lies before that. */
	for (; at < idx; at++, here = next) {
		rc = clusters_next(c, here, &next, e);
		if (rc < 0)
			return rc;
		if (next == 0)
			return err_set(e, ERR_CORRUPT, "the chain of clusters from %" PRIu32 " has changed meanwhile", ch->first);
	}
	*cluster = here;
	*run = 1;
	for (; *run < max; (*run)++, here++) {
		rc = clusters_next(c, here, &next, e);
		if (rc < 0)
			return rc;
		if (next != here + 1)
			break;
	}
	ch->last_idx = idx + *run - 1;
	ch->last = here;
	return 0;
}

static int chain_copy(const struct clusters *c, struct chain *ch, uint8_t *p, size_t len, uint64_t off, bool meta,
		      struct err *e)
{
	uint64_t size = 1ULL << c->bits;

	if (!range_in(off, len, ch->n << c->bits))
		return err_set(e, ERR_CORRUPT, "the chain of clusters from %" PRIu32 " ends after %" PRIu64, ch->first, ch->n);
	while (len > 0) {
		uint64_t skip = off & (size - 1), run = 0, at;
		uint32_t cluster = 0;
		size_t n;
		int rc = chain_map(c, ch, off >> c->bits, (skip + len + size - 1) >> c->bits, &cluster, &run, e);

		if (rc < 0)
			return rc;
		n = (size_t)MIN_OF((uint64_t)len, (run << c->bits) - skip);
		at = clusters_off(c, cluster) + skip;
		if (!range_in(at, n, block_size(c->io->dev)))
			return err_set(e, ERR_CORRUPT, "cluster %" PRIu32 " lies past the end of the device", cluster);
		rc = meta ? lines_read(c->io, p, n, at, e) : block_pread(c->io->dev, p, n, at, e);
		if (rc < 0)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

int chain_read_meta(const struct clusters *c, struct chain *ch, void *buf, size_t len, uint64_t off, struct err *e)
{
	return chain_copy(c, ch, buf, len, off, true, e);
}

int chain_read(const struct clusters *c, struct chain *ch, void *buf, size_t len, uint64_t off, struct err *e)
{
	return chain_copy(c, ch, buf, len, off, false, e);
}
