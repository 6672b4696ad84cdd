/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2_repair.c - refcounts as integers of 1 to 64 bits, and writing those that should be there. */
#include "qcow2_check.h"

#include <inttypes.h>

/* ---- entries of a refcount block ---- */

uint64_t check_refcount_get(const uint8_t *block, uint64_t i, unsigned order)
{
	unsigned bits = 1u << order;

	switch (order) {
	case 3:
		return block[i];
	case 4:
		return be16_get(((const be16 *)block)[i]);
	case 5:
		return be32_get(((const be32 *)block)[i]);
	case 6:
		return be64_get(((const be64 *)block)[i]);
	default: /* several in a byte, the first in the lowest bits */
		return block[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
	}
}

void check_refcount_put(uint8_t *block, uint64_t i, unsigned order, uint64_t v)
{
	unsigned bits = 1u << order, shift = (unsigned)(i * bits % 8);
	uint8_t mask;

	switch (order) {
	case 3:
		block[i] = (uint8_t)v;
		return;
	case 4:
		be16_put(&((be16 *)block)[i], (uint16_t)v);
		return;
	case 5:
		be32_put(&((be32 *)block)[i], (uint32_t)v);
		return;
	case 6:
		be64_put(&((be64 *)block)[i], v);
		return;
	default:
		mask = (uint8_t)(((1u << bits) - 1) << shift);
		block[i * bits / 8] = (uint8_t)((block[i * bits / 8] & ~mask) | (v << shift & mask));
	}
}

/* What a refcount can say of the uses of a cluster. */
static uint64_t wanted(const struct qcow2_check *c, uint64_t cluster)
{
	return MIN_OF(usage_count(&c->use, cluster), c->s->refcount_max);
}

/* ---- into the blocks that are there ---- */

int check_fix_in_place(struct qcow2_check *c, unsigned which, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(c->s->cluster_size);
	uint64_t per_block = check_block_entries(c);
	int rc;

	if (!block)
		return err_nomem(e);
	for (uint64_t b = 0; b < c->reftable_size; b++) {
		uint64_t first = b * per_block;

		if (!(c->block_wrong[b] & which))
			continue;
		rc = check_pread(c, block, c->s->cluster_size, c->reftable[b], e);
		if (rc < 0)
			return rc;
		for (uint64_t i = 0; i < per_block && first + i < c->use.nclusters; i++) {
			uint64_t stored = check_refcount_get(block, i, c->s->refcount_order);
			uint64_t want = wanted(c, first + i);

			if (which == REFS_LOW ? stored < want : stored > want)
				check_refcount_put(block, i, c->s->refcount_order, want);
		}
		rc = check_pwrite(c, block, c->s->cluster_size, c->reftable[b], e);
		if (rc < 0)
			return rc;
	}
	return block_flush(c->file, e);
}

/* ---- all of them anew ---- */

/* The new structure: its blocks lie together at `start`, the table behind them. */
struct rebuild {
	uint64_t start, nblocks, table_clusters;
	uint8_t *need;	/* by block number: is there one? */
	uint64_t nneed; /* how many numbers need[] holds */
};

/* The old structure goes: what it used is free. */
static void drop_old(struct qcow2_check *c)
{
	uint64_t first = c->reftable_off >> c->s->cluster_bits;

	for (uint64_t i = 0; c->reftable_counted && i < c->reftable_size * 8 >> c->s->cluster_bits; i++)
		usage_drop(&c->use, first + i);
	for (uint64_t i = 0; i < c->reftable_size; i++)
		if (c->reftable[i])
			usage_drop(&c->use, c->reftable[i] >> c->s->cluster_bits);
}

static uint64_t need_range(struct rebuild *r, unsigned bits, uint64_t first, uint64_t last)
{
	uint64_t added = 0;

	for (uint64_t b = first >> bits; b <= last >> bits; b++) {
		added += !r->need[b];
		r->need[b] = 1;
	}
	return added;
}

/*
 * How many blocks and table clusters are needed: they cover themselves too.  Ends: the numbers only grow, and a block
 * covers at least 64 clusters.
 */
static int plan(struct qcow2_check *c, struct rebuild *r, struct err *e)
{
	unsigned bits = c->s->refblock_bits;

	r->nneed = LIMIT_QCOW2_REFTABLE_BYTES / 8;
	r->need = alloc_zero(r->nneed);
	if (!r->need)
		return err_nomem(e);
	if (c->highest >> bits >= r->nneed)
		return err_set(e, ERR_LIMIT, "a new refcount table would be too large");
	for (uint64_t i = 0; i < c->use.nchunks; i++) {
		const struct usage_chunk *k = &c->use.chunks[i];

		for (unsigned j = 0; k->marks && j < USAGE_CHUNK; j++)
			if (usage_chunk_count(k, j))
				r->nblocks += need_range(r, bits, i * USAGE_CHUNK + j, i * USAGE_CHUNK + j);
	}
	r->start = c->highest + 1;
	for (;;) {
		uint64_t last = r->start + r->nblocks + r->table_clusters, added;
		uint64_t table = div_round_up(((last >> bits) + 1) * 8, c->s->cluster_size);

		if ((table << c->s->cluster_bits) > LIMIT_QCOW2_REFTABLE_BYTES || (last >> bits) >= r->nneed)
			return err_set(e, ERR_LIMIT, "a new refcount table would be too large");
		added = need_range(r, bits, r->start, last);
		if (!added && table == r->table_clusters)
			return 0;
		r->nblocks += added;
		r->table_clusters = table;
	}
}

static int count_new(struct qcow2_check *c, const struct rebuild *r, struct err *e)
{
	uint64_t end = r->start + r->nblocks + r->table_clusters;
	int rc = usage_grow(&c->use, end, e);

	for (uint64_t i = r->start; rc == 0 && i < end; i++)
		rc = usage_add(&c->use, i, 1, i < r->start + r->nblocks ? USE_REFBLOCK : USE_REFTABLE, 0, NULL, e);
	return rc;
}

static void fill_block(struct qcow2_check *c, uint8_t *block, uint64_t first)
{
	uint64_t n = check_block_entries(c);

	memset(block, 0, c->s->cluster_size);
	for (uint64_t i = 0; i < n && first + i < c->use.nclusters; i++) {
		uint64_t want = wanted(c, first + i);

		if (want)
			check_refcount_put(block, i, c->s->refcount_order, want);
	}
}

/* Writes the blocks, and fills in the table. */
static int write_blocks(struct qcow2_check *c, const struct rebuild *r, be64 *table, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(c->s->cluster_size);
	uint64_t at = r->start << c->s->cluster_bits;
	int rc;

	if (!block)
		return err_nomem(e);
	for (uint64_t b = 0; b < r->nneed; b++) {
		if (!r->need[b])
			continue;
		fill_block(c, block, b * check_block_entries(c));
		rc = check_pwrite(c, block, c->s->cluster_size, at, e);
		if (rc < 0)
			return rc;
		be64_put(&table[b], at);
		c->reftable[b] = at;
		at += c->s->cluster_size;
	}
	return 0;
}

/* One write within a sector: the header points at the old table or at the new one. */
static int switch_table(struct qcow2_check *c, const struct rebuild *r, uint64_t off, struct err *e)
{
	struct {
		be64 off;
		be32 clusters;
	} field;

	_Static_assert(offsetof(struct qcow2_header, reftable_clusters) == offsetof(struct qcow2_header, reftable_off) + 8,
		       "qcow2 refcount table in the header");
	be64_put(&field.off, off);
	be32_put(&field.clusters, (uint32_t)r->table_clusters);
	return check_pwrite(c, &field, sizeof field, offsetof(struct qcow2_header, reftable_off), e);
}

static int rebuild(struct qcow2_check *c, struct rebuild *r, be64 **table, struct err *e)
{
	uint64_t entries, new_off;
	int rc;

	drop_old(c);
	rc = plan(c, r, e);
	if (rc == 0)
		rc = count_new(c, r, e);
	if (rc < 0)
		return rc;
	entries = r->table_clusters << (c->s->cluster_bits - 3);
	new_off = (r->start + r->nblocks) << c->s->cluster_bits;
	free(c->reftable);
	c->reftable_size = entries;
	c->reftable = alloc_array(entries, sizeof *c->reftable);
	*table = alloc_array(entries, sizeof **table);
	if (!c->reftable || !*table)
		return err_nomem(e);
	rc = write_blocks(c, r, *table, e);
	if (rc == 0)
		rc = check_pwrite(c, *table, entries * 8, new_off, e);
	if (rc == 0)
		rc = block_flush(c->file, e);
	if (rc == 0)
		rc = switch_table(c, r, new_off, e);
	if (rc == 0)
		rc = block_flush(c->file, e);
	if (rc == 0) {
		c->reftable_off = new_off;
		c->refs_damaged = false;
	}
	return rc;
}

int check_rebuild(struct qcow2_check *c, struct err *e)
{
	struct rebuild r = { .need = NULL };
	CLEANUP(free_ptr) be64 *table = NULL;
	int rc = rebuild(c, &r, &table, e);

	free(r.need);
	return rc;
}
