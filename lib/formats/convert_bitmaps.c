/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert_bitmaps.h"

#include "alloc.h"

int convert_judge_bitmaps(struct block *source, bool skip_broken, struct err *e)
{
	CLEANUP(block_bitmaps_free) struct block_bitmaps list = { NULL, 0 };
	int rc = block_bitmaps(source, &list, e);

	for (size_t i = 0; rc == 0 && !skip_broken && i < list.n; i++)
		if (list.items[i].inconsistent)
			rc = err_set(e, ERR_CORRUPT, "%s: bitmap \"%s\" is inconsistent: a writer died", block_name(source),
				     list.items[i].name);
	return rc;
}

static int copy_one(struct block *source, struct block *target, const struct block_bitmap *b, struct err *e)
{
	/* Disabled until it is filled, and the target finished: what copying writes is none of its business. */
	int rc = block_bitmap_add(target, b->name, b->granularity, true, e);

	if (rc == 0)
		rc = block_bitmap_merge(target, b->name, source, b->name, e);
	if (rc == 0 && b->enabled)
		rc = block_bitmap_enable(target, b->name, true, e);
	return rc < 0 ? err_in(e, rc, "bitmap \"%s\"", b->name) : 0;
}

int convert_copy_bitmaps(struct block *source, struct block *target, struct err *e)
{
	CLEANUP(block_bitmaps_free) struct block_bitmaps list = { NULL, 0 };
	int rc = block_bitmaps(source, &list, e);

	for (size_t i = 0; rc == 0 && i < list.n; i++)
		if (!list.items[i].inconsistent)
			rc = copy_one(source, target, &list.items[i], e);
	return rc;
}
