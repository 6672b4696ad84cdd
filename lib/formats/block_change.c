// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * block_change.c - what changes an image as a whole rather than its disk's bytes: snapshots made and applied, bitmaps,
 * settings, the backing file's name.  Each wrapper looks whether the format has it and the image is writable.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

static int need_write(const struct block *b, struct err *e)
{
	return block_writable(b) ? 0 : err_set(e, ERR_USAGE, "%s: opened read-only", b->name);
}

/* ---- snapshots ---- */

static int no_snapshots(const struct block *b, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no snapshots", b->name, b->drv->name);
}

int block_snapshot_create(struct block *b, const struct block_snapshot *what, struct err *e)
{
	int rc;

	if (!b->drv->snapshot_create)
		return no_snapshots(b, e);
	return (rc = need_write(b, e)) < 0 ? rc : b->drv->snapshot_create(b, what, e);
}

int block_snapshot_apply(struct block *b, const char *id_or_name, struct err *e)
{
	int rc;

	if (!b->drv->snapshot_apply)
		return no_snapshots(b, e);
	return (rc = need_write(b, e)) < 0 ? rc : b->drv->snapshot_apply(b, id_or_name, e);
}

int block_snapshot_delete(struct block *b, const char *id_or_name, struct err *e)
{
	int rc;

	if (!b->drv->snapshot_delete)
		return no_snapshots(b, e);
	return (rc = need_write(b, e)) < 0 ? rc : b->drv->snapshot_delete(b, id_or_name, e);
}

/* ---- bitmaps ---- */

void block_bitmaps_free(struct block_bitmaps *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].name);
	free(s->items);
	*s = (struct block_bitmaps){ NULL, 0 };
}

static int need_bitmaps(const struct block *b, bool write, struct err *e)
{
	if (!b->drv->bitmaps)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images keep no bitmaps", b->name, b->drv->name);
	return write ? need_write(b, e) : 0;
}

int block_bitmaps(struct block *b, struct block_bitmaps *out, struct err *e)
{
	int rc = need_bitmaps(b, false, e);

	*out = (struct block_bitmaps){ NULL, 0 };
	return rc < 0 ? rc : b->drv->bitmaps->list(b, out, e);
}

int block_bitmap_add(struct block *b, const char *name, uint64_t granularity, bool disabled, struct err *e)
{
	int rc = need_bitmaps(b, true, e);

	return rc < 0 ? rc : b->drv->bitmaps->add(b, name, granularity, disabled, e);
}

int block_bitmap_remove(struct block *b, const char *name, struct err *e)
{
	int rc = need_bitmaps(b, true, e);

	return rc < 0 ? rc : b->drv->bitmaps->remove(b, name, e);
}

int block_bitmap_clear(struct block *b, const char *name, struct err *e)
{
	int rc = need_bitmaps(b, true, e);

	return rc < 0 ? rc : b->drv->bitmaps->clear(b, name, e);
}

int block_bitmap_enable(struct block *b, const char *name, bool enable, struct err *e)
{
	int rc = need_bitmaps(b, true, e);

	return rc < 0 ? rc : b->drv->bitmaps->enable(b, name, enable, e);
}

int block_bitmap_mark(struct block *b, const char *name, uint64_t len, uint64_t off, struct err *e)
{
	int rc = need_bitmaps(b, true, e);

	if (rc == 0 && !range_in(off, len, block_size(b)))
		rc = err_set(e, ERR_USAGE, "%s: marking %" PRIu64 " bytes at %" PRIu64 " goes past the end", b->name, len,
			     off);
	return rc < 0 || !len ? rc : b->drv->bitmaps->mark(b, name, len, off, e);
}

int block_bitmap_next(struct block *b, const char *name, uint64_t off, uint64_t *run_off, uint64_t *len, struct err *e)
{
	int rc = need_bitmaps(b, false, e);

	*run_off = off;
	*len = 0;
	return rc < 0 ? rc : b->drv->bitmaps->next(b, name, off, run_off, len, e);
}

int block_bitmap_merge(struct block *b, const char *dst, struct block *src, const char *src_name, struct err *e)
{
	uint64_t off = 0, len;
	int rc = need_bitmaps(b, true, e);

	if (rc == 0)
		rc = need_bitmaps(src, false, e);
	if (rc == 0 && block_size(b) != block_size(src))
		rc = err_set(e, ERR_USAGE, "bitmaps are of different sizes and can't be merged");
	/* Asked for even when src has nothing marked: dst must be there and sound. */
	if (rc == 0)
		rc = b->drv->bitmaps->mark(b, dst, 0, 0, e);
	/* Ends: off only grows. */
	while (rc == 0) {
		rc = src->drv->bitmaps->next(src, src_name, off, &off, &len, e);
		if (rc < 0 || !len)
			break;
		rc = b->drv->bitmaps->mark(b, dst, len, off, e);
		off += len;
	}
	return rc;
}

/* ---- settings ---- */

int block_amend_with(struct block *b, const struct dict *opts, const struct block_amend_how *how, struct err *e)
{
	CLEANUP(dict_free) struct dict o = DICT_INIT;
	int rc;

	if (!b->drv->amend)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have nothing to amend", b->name, b->drv->name);
	if ((rc = need_write(b, e)) < 0 || (rc = dict_merge(&o, opts, e)) < 0)
		return rc;
	rc = b->drv->amend(b, &o, how, e);
	if (rc == 0 && dict_first_key(&o))
		rc = err_set(e, ERR_USAGE, "invalid parameter '%s'", dict_first_key(&o));
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

int block_amend(struct block *b, const struct dict *opts, const struct secrets *secrets, bool force, struct err *e)
{
	return block_amend_with(b, opts, &(struct block_amend_how){ .secrets = secrets, .force = force }, e);
}

int block_change_backing(struct block *b, const char *name, const char *format, struct err *e)
{
	int rc;

	if (!b->drv->change_backing)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no backing file", b->name, b->drv->name);
	return (rc = need_write(b, e)) < 0 ? rc : b->drv->change_backing(b, name, format, e);
}

int block_make_empty(struct block *b, struct err *e)
{
	int rc;

	if (!b->drv->make_empty)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images cannot be emptied", b->name, b->drv->name);
	return (rc = need_write(b, e)) < 0 ? rc : b->drv->make_empty(b, e);
}
