/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raw.c - the identity format: the bytes of the file are the bytes of the disk.
 *
 * With the options "offset" and "size" it is a window of the file.  A file whose length is not a multiple of 512 is
 * rounded up, since no disk has half a sector: the missing bytes read as zeros.
 *
 * Raw has no magic.  A file is raw because the user says so, or, for reading, because no other format claims it.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "probe.h"

#include <errno.h>
#include <inttypes.h>

enum { RAW_SECTOR = 512 };

struct raw_state {
	uint64_t off;
	bool windowed; /* the size was given, so it cannot change */
};

static int raw_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct raw_state *s = b->state;
	uint64_t file_size = block_size(b->file), size = UINT64_MAX;
	int rc;

	(void)env;
	if ((rc = dict_take_size(opts, "offset", &s->off, e)) < 0 || (rc = dict_take_size(opts, "size", &size, e)) < 0)
		return rc;
	if (s->off > file_size)
		return err_set(e, ERR_USAGE, "offset %" PRIu64 " lies past the end of the file (%" PRIu64 " bytes)", s->off,
			       file_size);
	s->windowed = s->off || size != UINT64_MAX;
	if (size == UINT64_MAX)
		size = file_size - s->off;
	else if (size > file_size - s->off)
		return err_set(e, ERR_USAGE, "size %" PRIu64 " at offset %" PRIu64 " goes past the end of the file (%" PRIu64
			       " bytes)", size, s->off, file_size);
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", size);
	b->size = s->windowed ? size : round_up(size, RAW_SECTOR);
	return 0;
}

static int raw_refresh(struct block *b, struct err *e)
{
	const struct raw_state *s = b->state;

	if (s->windowed)
		return 0; /* what the file has lost reads as zeros */
	if (block_size(b->file) > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", block_size(b->file));
	b->size = round_up(block_size(b->file), RAW_SECTOR);
	return 0;
}

static void raw_grow(struct block *b)
{
	const struct raw_state *s = b->state;
	const uint64_t size = block_size(b->file);

	if (!s->windowed && size <= LIMIT_IMAGE_SIZE)
		block_reach(b, round_up(size, RAW_SECTOR));
}

static int raw_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct raw_state *s = b->state;
	uint64_t end = block_size(b->file);
	uint64_t at = s->off + off;
	size_t there = at >= end ? 0 : (size_t)MIN_OF((uint64_t)len, end - at);

	if (there) {
		int rc = block_pread(b->file, buf, there, at, e);
		if (rc < 0)
			return rc;
	}
	memset((char *)buf + there, 0, len - there);
	return 0;
}

/*
 * A disk that is raw only by default stays raw: if its guest could write another format's header into it, the next
 * guess would obey that header, and whatever files it names.
 */
static int refuse_disguise(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t head[RAW_SECTOR];
	const struct block_driver *drv;
	int rc = raw_pread(b, head, (size_t)MIN_OF(sizeof head, block_size(b)), 0, e);

	if (rc < 0)
		return rc;
	memcpy(head + off, buf, MIN_OF(len, sizeof head - (size_t)off));
	drv = probe_bytes(head, sizeof head);
	if (!drv)
		return 0;
	err_set(e, ERR_SYSTEM, "%s: its format was guessed, so nothing that looks like a %s header is written to its first "
		"sector; open it as raw to allow it", b->name, drv->name);
	if (e)
		e->sys_errno = EPERM;
	return -(int)ERR_SYSTEM;
}

static int raw_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct raw_state *s = b->state;
	int rc = b->guessed && off < RAW_SECTOR ? refuse_disguise(b, buf, len, off, e) : 0;

	return rc < 0 ? rc : block_pwrite(b->file, buf, len, s->off + off, e);
}

static int raw_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
			   enum block_from how, struct err *e)
{
	const struct raw_state *s = b->state;

	if (b->guessed && off < RAW_SECTOR) /* not unseen: see refuse_disguise() */
		return err_set(e, ERR_UNSUPPORTED, "%s: writing to the first sector of a guessed format unseen", b->name);
	return block_pwrite_from(b->file, src, len, src_off, s->off + off, how, e);
}

static int raw_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	const struct raw_state *s = b->state;

	return block_zero(b->file, len, s->off + off, how, e);
}

static int raw_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	const struct raw_state *s = b->state;
	uint64_t end = block_size(b->file), at = s->off + off;

	if (at >= end)
		return 0;
	return block_discard(b->file, MIN_OF(len, end - at), at, e);
}

static int raw_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	const struct raw_state *s = b->state;
	uint64_t end = block_size(b->file), at = s->off + off;
	int rc;

	if (at >= end) {
		out->flags = EXTENT_ZERO | EXTENT_ALLOC;
		return 0;
	}
	rc = block_extent_chain(b->file, NULL, MIN_OF(len, end - at), at, out, e);
	out->off = off;
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	/* The bytes of the last sector that the file does not have are told with those it has. */
	if (rc == 0 && at + out->len == end && out->len < len && (out->flags & EXTENT_ZERO))
		out->len = len;
	return rc;
}

static int raw_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	const struct raw_state *s = b->state;
	int rc;

	if (s->windowed)
		return err_set(e, ERR_UNSUPPORTED, "a window of a file cannot be resized");
	rc = block_truncate(b->file, size, p, e);
	if (rc == 0)
		b->size = round_up(size, RAW_SECTOR);
	return rc;
}

static int take_prealloc(struct dict *opts, enum block_prealloc *out, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(opts, "preallocation");

	*out = PREALLOC_OFF;
	if (!v || strcmp(v, "off") == 0)
		return 0;
	if (strcmp(v, "falloc") == 0)
		*out = PREALLOC_FALLOC;
	else if (strcmp(v, "full") == 0)
		*out = PREALLOC_FULL;
	else
		return err_set(e, ERR_USAGE, "option \"preallocation\": \"%s\" is not off, falloc or full", v);
	return 0;
}

static int raw_create(struct block *file, const char *path, struct dict *opts, const struct block_policy *policy,
		      struct err *e)
{
	enum block_prealloc prealloc;
	uint64_t size = UINT64_MAX;
	int rc;

	(void)path;
	(void)policy;
	if ((rc = dict_take_size(opts, "size", &size, e)) < 0 || (rc = take_prealloc(opts, &prealloc, e)) < 0)
		return rc;
	if (size == UINT64_MAX)
		return err_set(e, ERR_USAGE, "a raw image needs a size");
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", size);
	return block_truncate(file, round_up(size, RAW_SECTOR), prealloc, e);
}

static int raw_measure(struct dict *opts, struct block *src, struct measure_report *out, struct err *e)
{
	enum block_prealloc prealloc;
	uint64_t size = src ? block_size(src) : 0;
	int rc;

	if ((rc = dict_take_size(opts, "size", &size, e)) < 0 || (rc = take_prealloc(opts, &prealloc, e)) < 0)
		return rc;
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %" PRIu64 " bytes", size);
	/* Holes count: they are part of the file's length. */
	out->required = out->fully_allocated = round_up(size, RAW_SECTOR);
	return 0;
}

static const struct create_opt raw_create_opts[] = {
	{ "extent_size_hint", "Extent size hint for the image file, 0 to disable", CREATE_OPT_SIZE, NULL },
	{ "nocow", "Turn off copy-on-write (valid only on btrfs)", CREATE_OPT_BOOL, NULL },
	{ "preallocation", "Preallocation mode (allowed values: off, falloc, full)", CREATE_OPT_STRING, NULL },
	{ "size", "Virtual disk size", CREATE_OPT_SIZE, NULL },
	{ NULL, NULL, CREATE_OPT_STRING, NULL },
};

const struct block_driver block_raw = {
	.name = "raw",
	.state_size = sizeof(struct raw_state),
	.open = raw_open,
	.refresh = raw_refresh,
	.grow = raw_grow,
	.pread = raw_pread,
	.pwrite = raw_pwrite,
	.pwrite_from = raw_pwrite_from,
	.zero = raw_zero,
	.discard = raw_discard,
	.extent = raw_extent,
	.truncate = raw_truncate,
	.create_opts = raw_create_opts,
	.create = raw_create,
	.measure = raw_measure,
};

int block_window(struct block *over, uint64_t off, uint64_t size, struct block **out, struct err *e)
{
	struct raw_state *s;
	struct block *b;
	int rc;

	if (!range_in(off, size, block_size(over)))
		return err_set(e, ERR_USAGE, "a window of %" PRIu64 " bytes at %" PRIu64 " goes past the end (%" PRIu64
			       " bytes)", size, off, block_size(over));
	rc = block_new_filter(&block_raw, over, &b, e);
	if (rc < 0)
		return rc;
	s = b->state;
	s->off = off;
	s->windowed = true;
	b->size = size;
	*out = b;
	return 0;
}
