// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_overlap.c - a last look before a write: would it hit metadata?
 *
 * Refcounts that are too low let a new cluster be taken where metadata lies.  Writing there would destroy the image,
 * so the write is refused and the image marked corrupt instead.
 *
 * There may be a hundred thousand L2 tables and refcount blocks.  A set of their clusters (the lower 32 bits of each
 * index, in a hash) tells quickly that none is hit; only when it says "perhaps" the tables themselves are searched.
 * What goes away stays in the set: that costs a search, no more.
 */
#include "qcow2.h"

#include <inttypes.h>

/* ---- the set ---- */

static void set_drop(struct qcow2_state *s)
{
	free(s->meta_set);
	s->meta_set = NULL;
	s->meta_slots = s->meta_used = 0;
}

static uint32_t *set_slot(const struct qcow2_state *s, uint32_t key)
{
	uint32_t i = (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 32) & (s->meta_slots - 1);

	/* Ends: at least half of the slots are empty. */
	while (s->meta_set[i] && s->meta_set[i] != key)
		i = (i + 1) & (s->meta_slots - 1);
	return &s->meta_set[i];
}

/* 0 marks an empty slot; cluster 0 is the header's. */
static uint32_t key_of(uint64_t cluster_idx)
{
	return (uint32_t)cluster_idx ? (uint32_t)cluster_idx : 1;
}

static void set_add(struct qcow2_state *s, uint64_t cluster_idx)
{
	uint32_t *slot = set_slot(s, key_of(cluster_idx));

	s->meta_used += !*slot;
	*slot = key_of(cluster_idx);
}

static bool set_build(struct qcow2_state *s)
{
	uint64_t n = 64;

	set_drop(s);
	while (n < 4ULL * ((uint64_t)s->l1_size / 2 + s->reftable_used + 16))
		n *= 2;
	/* Beyond this size the set would cost more memory than the searches cost time. */
	s->meta_set = n <= 1U << 24 ? alloc_array(n, sizeof *s->meta_set) : NULL;
	if (!s->meta_set)
		return false;
	s->meta_slots = (uint32_t)n;
	for (uint32_t i = 0; i < s->l1_size && s->meta_used < n / 2; i++)
		if (s->l1[i])
			set_add(s, (s->l1[i] & QCOW2_OFFSET_MASK) >> s->cluster_bits);
	for (uint32_t i = 0; i < s->reftable_used && s->meta_used < n / 2; i++)
		if (s->reftable[i])
			set_add(s, (s->reftable[i] & QCOW2_OFFSET_MASK) >> s->cluster_bits);
	if (s->meta_used >= n / 2)
		set_drop(s);
	return s->meta_set != NULL;
}

void qcow2_meta_note(struct block *b, uint64_t off)
{
	struct qcow2_state *s = b->state;

	if (!s->meta_set)
		return;
	set_add(s, off >> s->cluster_bits);
	if (s->meta_used >= s->meta_slots / 2)
		set_drop(s); /* built anew, and larger, when it is next asked */
}

void qcow2_meta_forget(struct block *b)
{
	set_drop(b->state);
}

/* May a cluster of [off, off + len) hold an L2 table or a refcount block?  false is certain. */
static bool perhaps(struct block *b, uint64_t off, uint64_t len)
{
	struct qcow2_state *s = b->state;
	uint64_t last = (off + len - 1) >> s->cluster_bits;

	if (!s->reftable || (!s->meta_set && !set_build(s)))
		return true;
	for (uint64_t i = off >> s->cluster_bits; i <= last; i++)
		if (*set_slot(s, key_of(i)))
			return true;
	return false;
}

/* ---- the search ---- */

static bool names_one(const uint64_t *table, uint64_t n, uint64_t size, uint64_t off, uint64_t len)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = table[i] & QCOW2_OFFSET_MASK;

		if (at && ranges_overlap(at, size, off, len))
			return true;
	}
	return false;
}

/* The tables named by a snapshot's L1 table, which is read for it. */
static int in_snapshot(struct block *b, const struct qcow2_snapshot *snap, uint64_t off, uint64_t len, bool *hit,
		       struct err *e)
{
	CLEANUP(free_ptr) be64 *l1 = alloc_array(MAX_OF(snap->l1_size, 1), sizeof *l1);
	const struct qcow2_state *s = b->state;
	int rc;

	if (!l1)
		return err_nomem(e);
	rc = block_pread(b->file, l1, snap->l1_size * sizeof *l1, snap->l1_off, e);
	for (uint32_t i = 0; rc == 0 && i < snap->l1_size && !*hit; i++) {
		uint64_t at = be64_get(l1[i]) & QCOW2_OFFSET_MASK;

		*hit = at && ranges_overlap(at, s->cluster_size, off, len);
	}
	return rc;
}

static int find(struct block *b, uint64_t off, uint64_t len, unsigned what, const char **hit, struct err *e)
{
	struct qcow2_state *s = b->state;
	const struct {
		unsigned bit;
		const char *name;
		uint64_t off, len;
	} fixed[] = {
		{ QCOW2_OL_HEADER, "the header", 0, s->cluster_size },
		{ QCOW2_OL_L1, "the L1 table", s->l1_off, 8ULL * s->l1_size },
		{ QCOW2_OL_REFTABLE, "the refcount table", s->reftable_off, 8ULL * s->reftable_size },
		{ QCOW2_OL_SNAPTABLE, "the snapshot table", s->snapshots_off, s->snapshots_size },
		{ QCOW2_OL_BITMAPS, "the bitmap directory", s->bitmaps_dir_off, s->bitmaps_dir_size },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if ((what & fixed[i].bit) && ranges_overlap(fixed[i].off, fixed[i].len, off, len))
			*hit = fixed[i].name;
	if ((what & QCOW2_OL_L2) && names_one(s->l1, s->l1_size, s->cluster_size, off, len))
		*hit = "an L2 table";
	if ((what & QCOW2_OL_REFBLOCK) && names_one(s->reftable, s->reftable_used, s->cluster_size, off, len))
		*hit = "a refcount block";
	if (!(what & (QCOW2_OL_INACTIVE_L1 | QCOW2_OL_INACTIVE_L2)) || !s->nsnapshots)
		return 0;
	rc = qcow2_load_snapshots(b, e);
	for (uint32_t i = 0; rc == 0 && i < s->nsnapshots; i++) {
		const struct qcow2_snapshot *snap = &s->snapshots[i];
		bool in = false;

		if ((what & QCOW2_OL_INACTIVE_L1) && ranges_overlap(snap->l1_off, 8ULL * snap->l1_size, off, len))
			*hit = "a snapshot's L1 table";
		if (what & QCOW2_OL_INACTIVE_L2)
			rc = in_snapshot(b, snap, off, len, &in, e);
		if (in)
			*hit = "a snapshot's L2 table";
	}
	return rc;
}

int qcow2_overlap_check(struct block *b, uint64_t off, uint64_t len, unsigned ignore, struct err *e)
{
	struct qcow2_state *s = b->state;
	const char *hit = NULL;
	int rc;

	if (!s->overlap)
		return 0;
	if ((s->overlap & (QCOW2_OL_L2 | QCOW2_OL_REFBLOCK) & ~ignore) && !perhaps(b, off, len))
		ignore |= QCOW2_OL_L2 | QCOW2_OL_REFBLOCK;
	rc = find(b, off, len, s->overlap & ~ignore, &hit, e);
	if (rc == 0 && hit)
		return qcow2_mark_corrupt(b, e, "%s: a write to %" PRIu64 " would overwrite %s", b->name, off, hit);
	return rc;
}
