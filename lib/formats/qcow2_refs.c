// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_refs.c - how often each cluster of the image file is used, and which are free.
 *
 * The refcount table names refcount blocks of one cluster each, full of counts of 1 to 64 bits.  What no block covers
 * is free.  A new block counts itself: it takes a cluster of the range that it describes.  Free clusters are looked
 * for from `free_hint` on, below which none is free.
 */
#include "qcow2.h"

#include <inttypes.h>

/* ---- counts in a block ---- */

uint64_t qcow2_refblock_get(unsigned order, const uint8_t *block, uint64_t idx)
{
	switch (order) {
	case 4:
		return (uint64_t)block[2 * idx] << 8 | block[2 * idx + 1];
	case 3:
		return block[idx];
	case 5: {
		be32 v;
		memcpy(&v, block + 4 * idx, sizeof v);
		return be32_get(v);
	}
	case 6: {
		be64 v;
		memcpy(&v, block + 8 * idx, sizeof v);
		return be64_get(v);
	}
	default: { /* the first count of a byte is in its lowest bits */
		unsigned bits = 1u << order, per = 8 / bits;
		return block[idx / per] >> (idx % per * bits) & ((1u << bits) - 1);
	}
	}
}

void qcow2_refblock_set(unsigned order, uint8_t *block, uint64_t idx, uint64_t value)
{
	switch (order) {
	case 3:
		block[idx] = (uint8_t)value;
		return;
	case 4: {
		be16 v;
		be16_put(&v, (uint16_t)value);
		memcpy(block + 2 * idx, &v, sizeof v);
		return;
	}
	case 5: {
		be32 v;
		be32_put(&v, (uint32_t)value);
		memcpy(block + 4 * idx, &v, sizeof v);
		return;
	}
	case 6: {
		be64 v;
		be64_put(&v, value);
		memcpy(block + 8 * idx, &v, sizeof v);
		return;
	}
	default: {
		unsigned bits = 1u << order, per = 8 / bits, shift = (unsigned)(idx % per) * bits;
		unsigned mask = (1u << bits) - 1;
		block[idx / per] = (uint8_t)((block[idx / per] & ~(mask << shift)) | (unsigned)value << shift);
		return;
	}
	}
}

/* ---- the table ---- */

int qcow2_load_reftable(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t bytes = (uint64_t)s->reftable_clusters << s->cluster_bits;
	CLEANUP(free_ptr) uint64_t *t = NULL;
	int rc;

	if (s->reftable)
		return 0;
	/* A file that ends in the last cluster of the table is cut off in zeros at best: refuse it. */
	if ((s->reftable_off & (s->cluster_size - 1)) || !range_in(s->reftable_off, bytes, block_size(b->file)))
		return err_set(e, ERR_CORRUPT, "%s: the refcount table lies outside of the file", b->name);
	t = alloc_array(MAX_OF(bytes / 8, 1), sizeof *t);
	if (!t)
		return err_nomem(e);
	block_event(b->file, "reftable_load");
	rc = block_pread(b->file, t, bytes, s->reftable_off, e);
	if (rc < 0)
		return err_in(e, rc, "refcount table");
	for (uint64_t i = 0; i < bytes / 8; i++) {
		be64 v;

		memcpy(&v, &t[i], sizeof v);
		t[i] = be64_get(v);
		if (t[i])
			s->reftable_used = (uint32_t)i + 1;
	}
	s->reftable_size = (uint32_t)(bytes / 8);
	qcow2_meta_forget(b);
	s->reftable = take(t);
	return 0;
}

/* The block that counts a cluster, pinned; *x NULL when there is none, and so the cluster is free. */
static int refblock(struct block *b, uint64_t cluster_idx, struct qcow2_cache_entry **x, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t i = cluster_idx >> s->refblock_bits, off;
	int rc = qcow2_load_reftable(b, e);

	*x = NULL;
	if (rc < 0 || i >= s->reftable_size || !s->reftable[i])
		return rc;
	off = s->reftable[i];
	if ((off & (s->cluster_size - 1)) || off >= QCOW2_MAX_HOST_OFF)
		return err_set(e, ERR_CORRUPT, "refcount block %" PRIu64 " lies at %" PRIu64 ", not at a cluster's start", i,
			       off);
	return qcow2_meta_get(b, &s->refs, off, false, x, e);
}

int qcow2_refcount(struct block *b, uint64_t cluster_idx, uint64_t *out, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_cache_entry *x;
	int rc = refblock(b, cluster_idx, &x, e);

	*out = 0;
	if (rc == 0 && x) {
		*out = qcow2_refblock_get(s->refcount_order, x->data, cluster_idx & ((1ULL << s->refblock_bits) - 1));
		qcow2_cache_put(x);
	}
	return rc;
}

/* Changes the counts of clusters in one block; *done tells how many were. */
static int change_in_block(struct block *b, uint64_t idx, uint64_t n, int delta, uint64_t *done, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t in = idx & ((1ULL << s->refblock_bits) - 1), i;
	struct qcow2_cache_entry *x;
	int rc = refblock(b, idx, &x, e);

	*done = 0;
	if (rc < 0)
		return rc;
	if (!x)
		return err_set(e, ERR_CORRUPT, "cluster %" PRIu64 " is in use, but has no refcount", idx);
	n = MIN_OF(n, (1ULL << s->refblock_bits) - in);
	for (i = 0; i < n; i++) {
		uint64_t count = qcow2_refblock_get(s->refcount_order, x->data, in + i);

		if (delta < 0 && count == 0) {
			rc = err_set(e, ERR_CORRUPT, "cluster %" PRIu64 " is in use, but its refcount is 0", idx + i);
			break;
		}
		if (delta > 0 && count >= s->refcount_max) {
			rc = err_set(e, ERR_LIMIT, "cluster %" PRIu64 " cannot be referenced more often", idx + i);
			break;
		}
		count += delta < 0 ? UINT64_MAX : 1;
		qcow2_refblock_set(s->refcount_order, x->data, in + i, count);
		if (count == 0) {
			s->free_hint = MIN_OF(s->free_hint, idx + i);
			if (s->free_byte >> s->cluster_bits == idx + i)
				s->free_byte = 0;
		}
	}
	if (i)
		qcow2_cache_dirty(&s->refs, x);
	qcow2_cache_put(x);
	*done = i;
	return rc;
}

int qcow2_ref_change(struct block *b, uint64_t cluster_idx, uint64_t n, int delta, struct err *e)
{
	uint64_t all = 0;

	while (all < n) {
		uint64_t done;
		int rc = change_in_block(b, cluster_idx + all, n - all, delta, &done, e);

		all += done;
		if (rc < 0) {
			if (all)
				qcow2_ref_change(b, cluster_idx, all, -delta, NULL);
			return rc;
		}
	}
	return 0;
}

/* ---- growth ---- */

/* The refcount block number i, which is missing, in the free cluster `at`: one that it covers itself, or an older one. */
static int new_refblock(struct block *b, uint64_t i, uint64_t at, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool counts_itself = at >> s->refblock_bits == i;
	uint64_t off = at << s->cluster_bits;
	struct qcow2_cache_entry *x;
	int rc = qcow2_overlap_check(b, off, s->cluster_size, 0, e);

	block_event(b->file, "refblock_alloc");
	if (rc == 0 && !counts_itself)
		rc = qcow2_ref_change(b, at, 1, 1, e);
	if (rc < 0)
		return rc;
	block_event(b->file, "refblock_alloc_write");
	rc = qcow2_meta_get(b, &s->refs, off, true, &x, e);
	if (rc < 0) {
		if (!counts_itself)
			qcow2_ref_change(b, at, 1, -1, NULL);
		return rc;
	}
	if (counts_itself)
		qcow2_refblock_set(s->refcount_order, x->data, at & ((1ULL << s->refblock_bits) - 1), 1);
	qcow2_cache_dirty(&s->refs, x);
	qcow2_cache_put(x);
	s->reftable[i] = off;
	s->reftable_used = MAX_OF(s->reftable_used, (uint32_t)i + 1);
	qcow2_note_dirty(&s->reftable_dirty, (uint32_t)i);
	qcow2_cache_evict(&s->l2, off, s->cluster_size);
	qcow2_meta_note(b, off);
	s->virgin = MAX_OF(s->virgin, off + s->cluster_size);
	return 0;
}

struct table_plan {
	uint64_t first;	   /* cluster: the new blocks, behind them the new table */
	uint64_t nblocks, nclusters;
};

static int write_new_table(struct block *b, const struct table_plan *p, const uint64_t *table, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t per_block = 1ULL << s->refblock_bits, used = p->nblocks + p->nclusters;
	size_t bytes = (size_t)(p->nclusters << s->cluster_bits);
	CLEANUP(free_ptr) uint8_t *block = alloc_zero(s->cluster_size);
	CLEANUP(free_ptr) be64 *disk = alloc_zero(bytes);
	int rc = 0;

	if (!block || !disk)
		return err_nomem(e);
	for (uint64_t i = 0; rc == 0 && i < p->nblocks; i++) {
		for (uint64_t k = 0; k < per_block; k++)
			qcow2_refblock_set(s->refcount_order, block, k, i * per_block + k < used);
		block_event(b->file, "refblock_alloc_write_blocks");
		rc = block_pwrite(b->file, block, s->cluster_size, (p->first + i) << s->cluster_bits, e);
	}
	for (uint64_t i = 0; i < bytes / 8; i++)
		be64_put(&disk[i], table[i]);
	block_event(b->file, "refblock_alloc_write_table");
	if (rc == 0)
		rc = block_pwrite(b->file, disk, bytes, (p->first + p->nblocks) << s->cluster_bits, e);
	return rc == 0 ? qcow2_sync(b, e) : rc;
}

/*
 * A larger refcount table, right behind everything the old one covers, with the blocks that count it.  Nothing on disk
 * changes before the header names the new table.
 */
static int grow_reftable(struct block *b, uint64_t min_entries, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t per_block = 1ULL << s->refblock_bits, want = MAX_OF(min_entries, s->reftable_size + s->reftable_size / 2);
	struct table_plan p = { .first = (uint64_t)s->reftable_size << s->refblock_bits };
	CLEANUP(free_ptr) uint64_t *table = NULL;
	uint64_t old_off = s->reftable_off, off;
	uint32_t old_clusters = s->reftable_clusters;
	int rc;

	/* Ends: both numbers only grow, and by less each time. */
	for (uint64_t before = UINT64_MAX; before != p.nblocks + p.nclusters;) {
		before = p.nblocks + p.nclusters;
		p.nclusters = div_round_up(MAX_OF(want, s->reftable_size + p.nblocks) * 8, s->cluster_size);
		p.nblocks = div_round_up(p.nblocks + p.nclusters, per_block);
	}
	if (p.nclusters << s->cluster_bits > LIMIT_QCOW2_REFTABLE_BYTES)
		return err_set(e, ERR_LIMIT, "%s: the refcount table cannot grow further: use larger clusters", b->name);
	off = (p.first + p.nblocks) << s->cluster_bits;
	table = alloc_array((size_t)(p.nclusters << s->cluster_bits) / 8, sizeof *table);
	if (!table)
		return err_nomem(e);
	memcpy(table, s->reftable, 8UL * s->reftable_size);
	for (uint64_t i = 0; i < p.nblocks; i++)
		table[s->reftable_size + i] = (p.first + i) << s->cluster_bits;
	block_event(b->file, "reftable_grow");
	rc = qcow2_overlap_check(b, p.first << s->cluster_bits, (p.nblocks + p.nclusters) << s->cluster_bits, 0, e);
	/* The new table names blocks that are new in memory: they go first. */
	if (rc == 0)
		rc = qcow2_cache_write(&s->refs, b->file, "refcount block", "refblock_update_part", e);
	if (rc == 0)
		rc = write_new_table(b, &p, table, e);
	if (rc < 0)
		return rc;
	s->reftable_off = off;
	s->reftable_clusters = (uint32_t)p.nclusters;
	block_event(b->file, "refblock_alloc_switch_table");
	rc = qcow2_header_write(b, e);
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0) {
		s->reftable_off = old_off;
		s->reftable_clusters = old_clusters;
		return rc;
	}
	free(s->reftable);
	s->reftable = take(table);
	for (uint64_t i = 0; i < p.nblocks; i++)
		qcow2_meta_note(b, (p.first + i) << s->cluster_bits);
	s->reftable_used = (uint32_t)(s->reftable_size + p.nblocks);
	s->reftable_size = (uint32_t)((p.nclusters << s->cluster_bits) / 8);
	s->reftable_dirty = (struct qcow2_dirty){ .hi = 0 };
	s->virgin = MAX_OF(s->virgin, (p.first + p.nblocks + p.nclusters) << s->cluster_bits);
	qcow2_free_later(b, old_off, old_clusters, QCOW2_FREE_OTHER);
	return 0;
}

/*
 * Blocks for all of [idx, idx + n): *changed when one had to be made.  It took the cluster idx, so that what is left of
 * the run still lies together: a long run needs blocks one after the other, and moves on by one for each.
 */
static int ensure_refblocks(struct block *b, uint64_t idx, uint64_t n, bool *changed, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t last = (idx + n - 1) >> s->refblock_bits;

	*changed = true;
	if (last >= s->reftable_size)
		return grow_reftable(b, last + 1, e);
	for (uint64_t i = idx >> s->refblock_bits; i <= last; i++)
		if (!s->reftable[i])
			return new_refblock(b, i, idx, e);
	*changed = false;
	return 0;
}

/* ---- allocation ---- */

/*
 * From *idx on: skips clusters in use, then counts free ones up to max.  What no block covers is free without end.
 */
static int free_run(struct block *b, uint64_t *idx, uint64_t max, uint64_t *n, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t per_block = 1ULL << s->refblock_bits;

	*n = 0;
	/* Ends: each turn goes to the next block, and behind the last all is free. */
	while (*n < max) {
		uint64_t at = *idx + *n, in = at & (per_block - 1), i = in;
		struct qcow2_cache_entry *x;
		int rc = refblock(b, at, &x, e);

		if (rc < 0)
			return rc;
		if (!x) {
			*n = at >> s->refblock_bits >= s->reftable_size ? max : MIN_OF(max, *n + per_block - in);
			continue;
		}
		if (*n == 0) {
			while (i < per_block && qcow2_refblock_get(s->refcount_order, x->data, i))
				i++;
			*idx += i - in;
			in = i;
		}
		while (i < per_block && *n + (i - in) < max && !qcow2_refblock_get(s->refcount_order, x->data, i))
			i++;
		*n += i - in;
		qcow2_cache_put(x);
		if (*n && i < per_block)
			return 0;
	}
	return 0;
}

static int take_clusters(struct block *b, uint64_t idx, uint64_t n, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = qcow2_overlap_check(b, idx << s->cluster_bits, n << s->cluster_bits, 0, e);

	if (rc == 0)
		rc = qcow2_ref_change(b, idx, n, 1, e);
	/* What is cached for these places is of an earlier life. */
	if (rc == 0)
		qcow2_cache_evict(&s->l2, idx << s->cluster_bits, n << s->cluster_bits);
	return rc;
}

int qcow2_alloc(struct block *b, uint64_t n, bool exact, uint64_t *off, uint64_t *got, bool *virgin, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t idx, run = 0;
	bool changed = true;
	int rc = qcow2_load_reftable(b, e);

	block_event(b->file, "cluster_alloc");
	/* Ends: each further turn has added a refcount block or a larger table, and in the end all is covered. */
	while (rc == 0 && changed) {
		idx = s->free_hint;
		rc = free_run(b, &idx, n, &run, e);
		s->free_hint = rc == 0 ? idx : s->free_hint;
		while (rc == 0 && exact && run < n) {
			idx += run;
			rc = free_run(b, &idx, n, &run, e);
		}
		if (rc == 0 && (idx + run) >= QCOW2_MAX_HOST_OFF >> s->cluster_bits)
			rc = err_set(e, ERR_LIMIT, "%s: the image file has no room left", b->name);
		if (rc == 0)
			rc = ensure_refblocks(b, idx, run, &changed, e);
	}
	if (rc == 0)
		rc = take_clusters(b, idx, run, e);
	if (rc < 0)
		return rc;
	if (idx == s->free_hint)
		s->free_hint = idx + run;
	*off = idx << s->cluster_bits;
	if (got)
		*got = run;
	if (virgin)
		*virgin = *off >= s->virgin;
	s->virgin = MAX_OF(s->virgin, (idx + run) << s->cluster_bits);
	return 0;
}

void qcow2_alloc_undo(struct block *b, uint64_t off, uint64_t n)
{
	struct qcow2_state *s = b->state;

	/* When even this fails the clusters leak. */
	qcow2_ref_change(b, off >> s->cluster_bits, n, -1, NULL);
}

int qcow2_alloc_bytes(struct block *b, uint32_t size, uint64_t *off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t here = s->free_byte >> s->cluster_bits, count = s->refcount_max, fresh;
	uint64_t room = s->cluster_size - (s->free_byte & (s->cluster_size - 1));
	int rc = s->free_byte ? qcow2_refcount(b, here, &count, e) : 0;

	block_event(b->file, "cluster_alloc_bytes");
	if (rc < 0)
		return rc;
	if (s->free_byte && count < s->refcount_max && size <= room) {
		rc = qcow2_ref_change(b, here, 1, 1, e);
		*off = s->free_byte;
	} else {
		rc = qcow2_alloc(b, 1, true, &fresh, NULL, NULL, e);
		if (rc < 0)
			return rc;
		*off = fresh;
		/* Half in the old cluster and half in the new one, if that follows it. */
		if (s->free_byte && count < s->refcount_max && fresh >> s->cluster_bits == here + 1) {
			*off = s->free_byte;
			rc = qcow2_ref_change(b, here, 1, 1, e);
			if (rc < 0)
				qcow2_alloc_undo(b, fresh, 1);
		}
	}
	if (rc < 0)
		return rc;
	s->free_byte = *off + size;
	if ((s->free_byte & (s->cluster_size - 1)) == 0)
		s->free_byte = 0;
	return 0;
}
