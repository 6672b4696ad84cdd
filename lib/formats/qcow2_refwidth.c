// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_refwidth.c - refcounts of another width.
 *
 * All counts are written anew behind everything that is used: blocks first, then the table.  The old counts know
 * nothing of that place and the new ones nothing of the old structure's.  So whichever of the two the header names, it
 * is right, and one write of the header goes from one to the other.
 */
#include "qcow2.h"

#include <inttypes.h>

struct rewrite {
	unsigned order, block_bits; /* the new width, and log2 of the counts in a block */
	uint64_t max;
	uint64_t used;		    /* clusters [0, used) may have a count */
	uint64_t first, nblocks, ntable; /* where the new structure lies: blocks, table */
	be64 *table;
	uint8_t *block;
};

static void rewrite_free(struct rewrite *r)
{
	free(r->table);
	free(r->block);
}

/* Is this a cluster of the structure that goes? */
static bool is_old(const struct qcow2_state *s, uint64_t idx)
{
	uint64_t first = s->reftable_off >> s->cluster_bits;

	return idx >= first && idx < first + s->reftable_clusters;
}

/* Everything behind `used` has no count. */
static int find_end(struct block *b, struct rewrite *r, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t per = 1ULL << s->refblock_bits;

	for (uint64_t i = s->reftable_used; i > 0; i--) {
		if (!s->reftable[i - 1])
			continue;
		for (uint64_t k = per; k > 0; k--) {
			uint64_t count;
			int rc = qcow2_refcount(b, (i - 1) * per + k - 1, &count, e);

			if (rc < 0)
				return rc;
			if (count) {
				r->used = (i - 1) * per + k;
				return 0;
			}
		}
	}
	return 0;
}

static int plan(struct block *b, struct rewrite *r, struct err *e)
{
	const struct qcow2_state *s = b->state;

	r->first = MAX_OF(r->used, div_round_up(block_size(b->file), s->cluster_size));
	/* Ends: the numbers only grow, and a block counts at least 64 clusters. */
	for (uint64_t before = UINT64_MAX; before != r->nblocks + r->ntable;) {
		before = r->nblocks + r->ntable;
		r->nblocks = div_round_up(r->first + before, 1ULL << r->block_bits);
		r->ntable = div_round_up(8 * r->nblocks, s->cluster_size);
	}
	if (r->ntable << s->cluster_bits > LIMIT_QCOW2_REFTABLE_BYTES)
		return err_set(e, ERR_LIMIT, "the refcount table would be too large");
	if ((r->first + r->nblocks + r->ntable) >= QCOW2_MAX_HOST_OFF >> s->cluster_bits)
		return err_set(e, ERR_LIMIT, "the image file has no room left");
	r->table = alloc_zero(r->ntable << s->cluster_bits);
	r->block = alloc_bytes(s->cluster_size);
	return r->table && r->block ? 0 : err_nomem(e);
}

/* Block i of the new counts. */
static int fill(struct block *b, struct rewrite *r, uint64_t i, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t per = 1ULL << r->block_bits, end = r->first + r->nblocks + r->ntable;

	memset(r->block, 0, s->cluster_size);
	for (uint64_t k = 0; k < per && i * per + k < end; k++) {
		uint64_t idx = i * per + k, count = idx >= r->first;
		int rc = idx < r->used ? qcow2_refcount(b, idx, &count, e) : 0;

		if (rc < 0)
			return rc;
		if (count && is_old(s, idx))
			count--;
		if (count > r->max)
			return err_set(e, ERR_USAGE, "cluster %" PRIu64 " is referenced %" PRIu64
				       " times, more than %u bits can say", idx, count, 1u << r->order);
		if (count)
			qcow2_refblock_set(r->order, r->block, k, count);
	}
	return 0;
}

/* The blocks of the structure that goes are not in use any more. */
static void release(const struct qcow2_state *s, struct rewrite *r, uint64_t i)
{
	uint64_t per = 1ULL << r->block_bits;

	for (uint64_t k = 0; k < s->reftable_used; k++) {
		uint64_t idx = s->reftable[k] >> s->cluster_bits, count;

		if (!s->reftable[k] || idx / per != i)
			continue;
		count = qcow2_refblock_get(r->order, r->block, idx % per);
		if (count)
			qcow2_refblock_set(r->order, r->block, idx % per, count - 1);
	}
}

static int write_all(struct block *b, struct rewrite *r, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = 0;

	/* Two rounds: a count that does not fit must be found before anything is written. */
	for (int round = 0; rc == 0 && round < 2; round++) {
		for (uint64_t i = 0; rc == 0 && i < r->nblocks; i++) {
			rc = fill(b, r, i, e);
			release(s, r, i);
			if (how->progress)
				how->progress(how->arg, (uint64_t)round * r->nblocks + i, 2 * r->nblocks);
			if (rc == 0 && round)
				rc = block_pwrite(b->file, r->block, s->cluster_size, (r->first + i) << s->cluster_bits, e);
			be64_put(&r->table[i], (r->first + i) << s->cluster_bits);
		}
	}
	if (rc == 0)
		rc = block_pwrite(b->file, r->table, r->ntable << s->cluster_bits, (r->first + r->nblocks) << s->cluster_bits,
				  e);
	return rc == 0 ? qcow2_sync(b, e) : rc;
}

static int switch_over(struct block *b, struct rewrite *r, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t off = s->reftable_off;
	uint32_t clusters = s->reftable_clusters;
	unsigned order = s->refcount_order;
	int rc;

	s->reftable_off = (r->first + r->nblocks) << s->cluster_bits;
	s->reftable_clusters = (uint32_t)r->ntable;
	s->refcount_order = r->order;
	rc = qcow2_header_write(b, e);
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0) {
		s->reftable_off = off;
		s->reftable_clusters = clusters;
		s->refcount_order = order;
		/* Nobody knows which of the two it names: nothing more may be counted. */
		s->incompat |= QCOW2_INCOMPAT_CORRUPT;
		return rc;
	}
	s->refcount_max = r->max;
	s->refblock_bits = r->block_bits;
	s->reftable_used = s->reftable_size = 0;
	free(take(s->reftable));
	s->free_hint = s->free_byte = 0;
	s->virgin = MAX_OF(s->virgin, (r->first + r->nblocks + r->ntable) << s->cluster_bits);
	qcow2_cache_drop(&s->refs);
	return qcow2_load_reftable(b, e);
}

int qcow2_change_refcounts(struct block *b, unsigned order, const struct block_amend_how *how, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(rewrite_free) struct rewrite r = { .order = order, .block_bits = s->cluster_bits + 3 - order };
	int rc;

	r.max = order == 6 ? INT64_MAX : (1ULL << (1u << order)) - 1;
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0)
		rc = qcow2_apply_frees(b, e);
	/* Late counts too: all are read back. */
	if (rc == 0)
		rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = find_end(b, &r, e);
	if (rc == 0)
		rc = plan(b, &r, e);
	if (rc == 0)
		rc = write_all(b, &r, how, e);
	if (rc == 0)
		rc = switch_over(b, &r, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
