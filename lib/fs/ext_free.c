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

/* All of them, in order.  Each kind by itself, since those of one kind often follow each other. */
static int collect_owns(struct ext *x, struct owns *o, struct err *e)
{
	uint64_t itable = div_round_up((uint64_t)x->inodes_per_group * x->inode_size, x->bs);
	int rc = 0;

	for (dgrp_t g = 0; rc == 0 && g < x->ngroups; g++)
		rc = owns_add(x, o, ext2fs_block_bitmap_loc(x->e2, g), 1, e);
	for (dgrp_t g = 0; rc == 0 && g < x->ngroups; g++)
		rc = owns_add(x, o, ext2fs_inode_bitmap_loc(x->e2, g), 1, e);
	for (dgrp_t g = 0; rc == 0 && g < x->ngroups; g++)
		rc = owns_add(x, o, ext2fs_inode_table_loc(x->e2, g), itable, e);
	for (dgrp_t g = 0; rc == 0 && g < x->ngroups; g++) {
		blk64_t super, old_desc, new_desc;
		blk_t used;

		if (ext2fs_super_and_bgd_loc2(x->e2, g, &super, &old_desc, &new_desc, &used))
			return err_set(e, ERR_CORRUPT, "group %u has no place for its descriptors", g);
		/* The first group's superblock is block 0 where that is a block like others. */
		if (super || (g == 0 && x->first_block == 0))
			rc = owns_add(x, o, super, 1, e);
		if (rc == 0 && old_desc)
			rc = owns_add(x, o, old_desc,
				      x->incompat & EXT2_FEATURE_INCOMPAT_META_BG
					      ? EXT_LE32(x->sb.s_first_meta_bg)
					      : x->e2->desc_blocks + (uint64_t)EXT_LE16(x->sb.s_reserved_gdt_blocks), e);
		if (rc == 0 && new_desc)
			rc = owns_add(x, o, new_desc, 1, e);
	}
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

static int walk_bitmap(struct walk *w, dgrp_t g, const uint8_t *bitmap, uint64_t first, uint64_t end, struct err *e)
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
	if (found != ext2fs_bg_free_blocks_count(x->e2, g))
		return err_set(e, ERR_CORRUPT, "group %u has %" PRIu32 " free blocks in its bitmap, and %" PRIu32 " as it says", g,
			       found, (uint32_t)ext2fs_bg_free_blocks_count(x->e2, g));
	return 0;
}

static int walk_group(struct walk *w, dgrp_t g, uint8_t *bitmap, struct err *e)
{
	struct ext *x = w->x;
	uint64_t first = x->first_block + (uint64_t)g * x->blocks_per_group;
	uint64_t end = MIN_OF(first + x->blocks_per_group, x->nblocks);
	int rc;

	/* The flag counts only where descriptors have checksums, as it does for the kernel. */
	if (ext2fs_has_group_desc_csum(x->e2) && ext2fs_bg_flags_test(x->e2, g, EXT2_BG_BLOCK_UNINIT))
		return add_free(w, first, end, true, e);
	rc = ext_io_read_meta(&x->io, bitmap, x->bs, ext2fs_block_bitmap_loc(x->e2, g) << x->bs_bits, e);
	if (rc < 0)
		return err_in(e, rc, "the block bitmap of group %u", g);
	/* As many bytes as the checksum is of: those of a whole group. */
	if (!ext2fs_block_bitmap_csum_verify(x->e2, g, (char *)bitmap, (int)(x->blocks_per_group >> x->cluster_bits) / 8))
		return err_set(e, ERR_CORRUPT, "the checksum of the block bitmap of group %u does not match", g);
	return walk_bitmap(w, g, bitmap, first, end, e);
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
	for (dgrp_t g = 0; rc == 0 && g < x->ngroups; g++)
		rc = walk_group(&w, g, bitmap, e);
	return rc ? rc : tell(&w, e);
}
