/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_free.c - which blocks nothing is stored in, by the block bitmaps.
 *
 * Who asks is about to forget what lies there, so anything that does not add up is an error: a bitmap's checksum, the
 * number of free blocks that a group's descriptor tells, a block of the filesystem's own tables that is called free.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>
#include <stdlib.h>

/* Not in every version of the headers. */
#define RO_COMPAT_ORPHAN_PRESENT 0x10000u

/* Blocks that hold the filesystem itself: [first, end). */
struct own {
	uint64_t first, end;
};
struct owns {
	struct own *items;
	size_t n, cap;
};

static void owns_free(struct owns *o)
{
	free(o->items);
}

/* What follows the run before it, as tables of groups that are laid out together do, makes that longer. */
static int owns_add(struct ext *x, struct owns *o, uint64_t first, uint64_t n, struct err *e)
{
	struct own *last = o->n ? &o->items[o->n - 1] : NULL;
	uint64_t end;

	if (n == 0)
		return 0;
	if (first < x->first_block || !checked_add(first, n, &end) || end > x->nblocks)
		return err_set(e, ERR_CORRUPT, "a group's tables lie at block %" PRIu64 ", past the end", first);
	if (last && last->end == first) {
		last->end = end;
		return 0;
	}
	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 64;
		struct own *items = alloc_resize(o->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		o->items = items;
		o->cap = cap;
	}
	o->items[o->n++] = (struct own){ first, end };
	return 0;
}

static int compare_owns(const void *a, const void *b)
{
	uint64_t x = ((const struct own *)a)->first, y = ((const struct own *)b)->first;

	return (x > y) - (x < y);
}

static int group_sound(struct ext *x, uint32_t group, struct ext_group *out, struct err *e)
{
	int rc = ext_group_get(x, group, out, e);

	if (rc == 0 && !out->sound)
		rc = err_set(e, ERR_CORRUPT, "the checksum of group descriptor %" PRIu32 " does not match", group);
	return rc;
}

enum own_kind { OWN_HEAD, OWN_BLOCK_BITMAP, OWN_INODE_BITMAP, OWN_INODE_TABLE, OWN_KINDS };

static int own_of(struct ext *x, uint32_t g, enum own_kind kind, struct owns *o, struct err *e)
{
	struct ext_group group;
	uint64_t first, n;
	int rc = group_sound(x, g, &group, e);

	if (rc < 0)
		return rc;
	switch (kind) {
	case OWN_BLOCK_BITMAP:
		return owns_add(x, o, group.block_bitmap, 1, e);
	case OWN_INODE_BITMAP:
		return owns_add(x, o, group.inode_bitmap, 1, e);
	case OWN_INODE_TABLE:
		return owns_add(x, o, group.inode_table, div_round_up((uint64_t)x->inodes_per_group * x->inode_size, x->bs), e);
	default:
		ext_group_head(x, g, &first, &n);
		return owns_add(x, o, first, n, e);
	}
}

/* All of them, in order.  Each kind by itself, since those of one kind often follow each other. */
static int collect_owns(struct ext *x, struct owns *o, struct err *e)
{
	int rc = 0;

	for (unsigned kind = 0; kind < OWN_KINDS; kind++)
		for (uint32_t g = 0; rc == 0 && g < x->ngroups; g++)
			rc = own_of(x, g, (enum own_kind)kind, o, e);
	if (o->n)
		qsort(o->items, o->n, sizeof *o->items, compare_owns);
	return rc;
}

/* ---- runs of free blocks, on their way to who asked ---- */

struct walk {
	struct ext *x;
	struct owns owns;
	size_t own; /* the first that ends behind where the walk is */
	uint64_t first, end; /* the run that is not told yet; equal: none */
	int (*fn)(void *, uint64_t, uint64_t, struct err *);
	void *arg;
};

static void walk_free(struct walk *w)
{
	owns_free(&w->owns);
}

static int tell(struct walk *w, struct err *e)
{
	uint64_t first = w->first, n = w->end - w->first;

	w->first = w->end;
	return n ? w->fn(w->arg, first * w->x->bs, n * w->x->bs, e) : 0;
}

static int add_run(struct walk *w, uint64_t first, uint64_t end, struct err *e)
{
	int rc = 0;

	if (first >= end)
		return 0;
	if (first != w->end || w->first == w->end) {
		rc = tell(w, e);
		w->first = first;
	}
	w->end = end;
	return rc;
}

/* Free by the bitmap, or (unused: the group has none yet) free but for what the filesystem itself has there. */
static int add_free(struct walk *w, uint64_t first, uint64_t end, bool unused, struct err *e)
{
	/* Both go forward, so that each own is passed once. */
	while (w->own < w->owns.n && w->owns.items[w->own].end <= first)
		w->own++;
	for (size_t i = w->own; i < w->owns.n && w->owns.items[i].first < end; i++) {
		const struct own *o = &w->owns.items[i];
		int rc;

		if (!unused)
			return err_set(e, ERR_CORRUPT, "block %" PRIu64 " is called free, and holds the filesystem itself",
				       MAX_OF(o->first, first));
		rc = add_run(w, first, MIN_OF(o->first, end), e);
		if (rc)
			return rc;
		first = MAX_OF(first, o->end);
	}
	return add_run(w, first, end, e);
}

/* ---- bitmaps ---- */

static bool bit(const uint8_t *bitmap, uint32_t i)
{
	return bitmap[i / 8] >> i % 8 & 1;
}

static int walk_bitmap(struct walk *w, uint32_t g, const struct ext_group *d, const uint8_t *bitmap, uint64_t first,
		       uint64_t end, struct err *e)
{
	struct ext *x = w->x;
	uint32_t n = (uint32_t)div_round_up(end - first, 1ULL << x->cluster_bits), found = 0;

	for (uint32_t i = 0; i < n;) {
		uint32_t from;
		int rc;

		if (i % 8 == 0 && bitmap[i / 8] == 0xff) {
			i += 8;
			continue;
		}
		if (bit(bitmap, i)) {
			i++;
			continue;
		}
		for (from = i; i < n && !bit(bitmap, i);)
			i++;
		found += i - from;
		rc = add_free(w, first + ((uint64_t)from << x->cluster_bits), MIN_OF(first + ((uint64_t)i << x->cluster_bits), end),
			      false, e);
		if (rc)
			return rc;
	}
	if (found != d->free_clusters)
		return err_set(e, ERR_CORRUPT, "group %" PRIu32 " has %" PRIu32 " free blocks in its bitmap, and %" PRIu32
			       " as it says", g, found, d->free_clusters);
	return 0;
}

static int walk_group(struct walk *w, uint32_t g, uint8_t *bitmap, struct err *e)
{
	struct ext *x = w->x;
	uint64_t first = x->first_block + (uint64_t)g * x->blocks_per_group;
	uint64_t end = MIN_OF(first + x->blocks_per_group, x->nblocks);
	struct ext_group d;
	int rc = group_sound(x, g, &d, e);

	if (rc < 0)
		return rc;
	if (d.unused)
		return add_free(w, first, end, true, e);
	rc = ext_io_read_meta(&x->io, bitmap, x->bs, d.block_bitmap << x->bs_bits, e);
	if (rc < 0)
		return err_in(e, rc, "the block bitmap of group %" PRIu32, g);
	if (!ext_group_bitmap_is(x, &d, bitmap))
		return err_set(e, ERR_CORRUPT, "the checksum of the block bitmap of group %" PRIu32 " does not match", g);
	return walk_bitmap(w, g, &d, bitmap, first, end, e);
}

/* Only what was shut down well, and is without known errors, is believed. */
static int judge_clean(const struct ext *x, struct err *e)
{
	uint16_t state = EXT_LE16(x->sb.s_state);

	if (x->incompat & EXT3_FEATURE_INCOMPAT_RECOVER || x->patches.n)
		return err_set(e, ERR_UNSUPPORTED, "it needs recovery");
	if (!(state & EXT2_VALID_FS))
		return err_set(e, ERR_UNSUPPORTED, "it was not unmounted");
	if (state & EXT2_ERROR_FS)
		return err_set(e, ERR_UNSUPPORTED, "it has errors that need e2fsck");
	if (EXT_LE32(x->sb.s_last_orphan) || x->ro_compat & RO_COMPAT_ORPHAN_PRESENT)
		return err_set(e, ERR_UNSUPPORTED, "it has deleted files that were still open");
	return 0;
}

int ext_free_extents(struct ext *x, int (*fn)(void *arg, uint64_t off, uint64_t len, struct err *e), void *arg, struct err *e)
{
	CLEANUP(walk_free) struct walk w = { .x = x, .fn = fn, .arg = arg };
	CLEANUP(free_ptr) uint8_t *bitmap = NULL;
	int rc = judge_clean(x, e);

	if (rc == 0)
		rc = collect_owns(x, &w.owns, e);
	if (rc < 0)
		return rc;
	bitmap = alloc_bytes(x->bs);
	if (!bitmap)
		return err_nomem(e);
	for (uint32_t g = 0; rc == 0 && g < x->ngroups; g++)
		rc = walk_group(&w, g, bitmap, e);
	return rc ? rc : tell(&w, e);
}
