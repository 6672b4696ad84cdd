/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - what the files behind the images section of drydock.h share. */
#ifndef DRYDOCK_IMAGE_H
#define DRYDOCK_IMAGE_H

#include "api.h"
#include "block.h"

struct dry_opts {
	struct dict dict;
};

struct dry_image {
	struct block *block; /* one reference */
	bool snapshot;	     /* it shows an internal snapshot */
	char *backing_path, *specific;
	struct block_snapshots snapshots;
	struct dry_snapshot *snapshot_list;
	struct dry_image *backing, *file; /* ours; NULL: not asked for yet */
};

/* The public policy as the layers beneath want it; lent parts stay lent. */
struct block_policy image_policy(const struct dry_policy *p);
/* BLOCK_* for a cache mode. */
unsigned image_cache_flags(enum dry_cache cache);
/* NULL for NULL. */
static inline const struct dict *image_dict(const struct dry_opts *o)
{
	return o ? &o->dict : NULL;
}

#endif
