/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - what the files behind the images section of drydock.h share. */
#ifndef DRYDOCK_IMAGE_H
#define DRYDOCK_IMAGE_H

#include "api.h"
#include "block.h"
#include "copy.h"
#include "secret.h"

struct dry_opts {
	struct dict dict;
};

struct dry_image {
	struct block *block; /* one reference */
	bool snapshot;	     /* it shows an internal snapshot */
	char *backing_path, *specific;
	struct block_snapshots snapshots;
	struct dry_snapshot *snapshot_list;
	struct block_bitmaps bitmaps;
	struct dry_bitmap *bitmap_list;
	struct dry_image *backing, *file; /* ours; NULL: not asked for yet */
};

struct dry_secrets {
	struct secrets list;
};

/* A handle of its own; takes over the reference, on failure too. */
int image_new(struct block *block, struct dry_image **out, struct err *e);
/* BLOCK_* for what how says. */
unsigned image_open_flags(const struct dry_open *how);
/* NULL for NULL. */
static inline const struct secrets *image_secrets(const struct dry_secrets *s)
{
	return s ? &s->list : NULL;
}
/* Snapshots and bitmaps that were listed are read anew when they are asked for. */
void image_forget_lists(struct dry_image *img);
/* The public policy as the layers beneath want it; lent parts stay lent. */
struct block_policy image_policy(const struct dry_policy *p);
/* BLOCK_* for a cache mode. */
unsigned image_cache_flags(enum dry_cache cache);
/* What was found of a disk's free space, lent; none for NULL. */
void image_free_ranges(const struct dry_free_space *f, const struct copy_range **ranges, size_t *n);
/* NULL for NULL. */
static inline const struct dict *image_dict(const struct dry_opts *o)
{
	return o ? &o->dict : NULL;
}

#endif
