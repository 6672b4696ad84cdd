/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block.c - nodes: their lives, and one wrapper per operation that holds callers and drivers to the contract of
 * block_driver.h.  How a tree of nodes is opened is block_open.c.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "json.h"
#include "limits.h"
#include "net_proto.h"
#include "pool.h"
#include "redo_settle.h"
#include "zero.h"

#include <assert.h>
#include <inttypes.h>

/* ---- life ---- */

int block_new_filter(const struct block_driver *drv, struct block *file, struct block **out, struct err *e)
{
	struct block *b = alloc_zero(sizeof *b);

	if (!b)
		return err_nomem(e);
	atomic_init(&b->refs, 1);
	b->drv = drv;
	b->state = alloc_zero(drv->state_size);
	b->name = alloc_strdup(file ? file->name : "");
	if (!b->state || !b->name) {
		free(b->state);
		free(b->name);
		free(b);
		return err_nomem(e);
	}
	if (file) {
		b->file = block_ref(file);
		b->size = block_size(file);
		b->flags = file->flags;
	}
	*out = b;
	return 0;
}

struct block *block_ref(struct block *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

/* Recursion goes down a tree that block_open() kept below LIMIT_BACKING_DEPTH. */
void block_unref(struct block *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	if (b->drv->close)
		b->drv->close(b);
	block_unref(b->file);
	block_unref(b->backing);
	free(b->name);
	free(b->backing_name);
	free(b->backing_format);
	free(b->notice);
	redo_view_free(b->view);
	free(b->state);
	free(b);
}

void block_unrefp(struct block **b)
{
	block_unref(*b);
	*b = NULL;
}

int block_finish(struct block *b, struct err *e)
{
	/* From the top down: what a node writes last, the nodes beneath finish and the flush makes stable. */
	for (struct block *n = b; n && block_writable(n); n = n->file) {
		int rc = n->drv->finish ? n->drv->finish(n, e) : 0;
		if (rc < 0)
			return err_in(e, rc, "%s", n->name);
	}
	return block_flush(b, e);
}

/* ---- facts ---- */

uint64_t block_size(const struct block *b)
{
	return __atomic_load_n(&b->size, __ATOMIC_RELAXED);
}

const char *block_format(const struct block *b)
{
	return b->drv->name;
}

const char *block_name(const struct block *b)
{
	return b->name;
}

bool block_writable(const struct block *b)
{
	return b->flags & BLOCK_WRITE;
}

bool block_zero_init(const struct block *b)
{
	/* A filter or raw shows what lies beneath it. */
	return !b->drv->noise_init && (b->drv->supports_backing || !b->file || block_zero_init(b->file));
}

bool block_guessed(const struct block *b)
{
	return b->guessed;
}

struct block *block_file(const struct block *b)
{
	return b->file;
}

struct block *block_backing(const struct block *b)
{
	return b->backing;
}

struct block *block_shows_through(const struct block *b)
{
	while (b->drv->is_filter)
		b = b->file;
	return b->backing;
}

const char *block_backing_name(const struct block *b)
{
	return b->backing_name;
}

const char *block_backing_format(const struct block *b)
{
	return b->backing_format;
}

uint64_t block_allocated(const struct block *b)
{
	if (b->drv->allocated)
		return b->drv->allocated(b);
	return b->file ? block_allocated(b->file) : UINT64_MAX;
}

int block_same_size(struct block *b, struct err *e)
{
	int rc = 0;

	for (; rc == 0 && b; b = b->backing)
		for (struct block *n = b; rc == 0 && n; n = n->file)
			rc = n->drv->same_size ? n->drv->same_size(n, e) : 0;
	return rc;
}

bool block_was_written(struct block *b)
{
	for (; b; b = b->backing)
		for (struct block *n = b; n; n = n->file)
			if (n->drv->was_written && n->drv->was_written(n))
				return true;
	return false;
}

/* Recursion goes down a tree that block_open() kept below LIMIT_BACKING_DEPTH. */
bool block_is_unchanged(struct block *b)
{
	if (b->view || (b->drv->is_unchanged ? !b->drv->is_unchanged(b) : b->drv->is_protocol))
		return false;
	return (!b->file || block_is_unchanged(b->file)) && (!b->backing || block_is_unchanged(b->backing));
}

void block_grow(struct block *b)
{
	if (!b->drv->grow)
		return;
	/* Ends: at the file of the host, or at a node of which the size is its own. */
	if (b->file)
		block_grow(b->file);
	b->drv->grow(b);
}

void block_reach(struct block *b, uint64_t end)
{
	uint64_t old = block_size(b);

	while (old < end && !__atomic_compare_exchange_n(&b->size, &old, end, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

/* Recursion as that of block_is_unchanged(). */
int block_refresh(struct block *b, struct err *e)
{
	int rc = b->file ? block_refresh(b->file, e) : 0;

	if (rc == 0 && b->backing)
		rc = block_refresh(b->backing, e);
	if (rc < 0)
		return rc;
	if (b->view)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: a change of it was interrupted, and is not in it yet: it cannot be read anew", b->name);
	if (b->drv->refresh)
		return b->drv->refresh(b, e);
	return b->drv->is_filter ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: %s: what was read there cannot be read anew", b->name,
					       b->drv->name);
}

/* Recursion goes down a tree that block_open() kept below LIMIT_BACKING_DEPTH. */
static const char *nth_notice(const struct block *b, size_t *i)
{
	const char *found;

	if (!b)
		return NULL;
	if (b->notice && (*i)-- == 0)
		return b->notice;
	found = nth_notice(b->file, i);
	return found ? found : nth_notice(b->backing, i);
}

const char *block_notice(const struct block *b, size_t i)
{
	return nth_notice(b, &i);
}

int block_info(struct block *b, struct block_info *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	return b->drv->info ? b->drv->info(b, out, e) : 0;
}

bool block_info_specific(struct block *b, struct json *j)
{
	if (!b->drv->info_specific)
		return false;
	b->drv->info_specific(b, j);
	return true;
}

int block_host_fd(const struct block *b)
{
	return b->drv->host_fd ? b->drv->host_fd(b) : -1;
}

/* Ends: files are a few, and a chain has at most LIMIT_BACKING_DEPTH images. */
static bool reaches_network(const struct block *b)
{
	for (; b; b = b->backing)
		for (const struct block *at = b; at; at = at->file)
			if (at->drv->is_remote)
				return true;
	return false;
}

unsigned block_threads(const struct block *b)
{
	return reaches_network(b) ? MAX_OF(pool_threads(), (unsigned)NET_READERS) : pool_threads();
}

bool block_host_id(const struct block *b, uint64_t *dev, uint64_t *ino)
{
	return b->drv->host_id && b->drv->host_id(b, dev, ino);
}

/* ---- data ---- */

static int check_range(const struct block *b, const char *what, uint64_t len, uint64_t off, struct err *e)
{
	if (b->flags & BLOCK_FACTS)
		return err_set(e, ERR_USAGE, "%s: opened for its facts only", b->name);
	if (range_in(off, len, block_size(b)))
		return 0;
	return err_set(e, ERR_USAGE, "%s: %s of %" PRIu64 " bytes at %" PRIu64 " goes past the end (%" PRIu64 " bytes)",
		       b->name, what, len, off, block_size(b));
}

static int check_write(const struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	if (!block_writable(b))
		return err_set(e, ERR_USAGE, "%s: opened read-only", b->name);
	/* A host file grows by being written to; LIMIT_IMAGE_SIZE keeps the sum within an off_t. */
	if (b->drv->is_protocol)
		return range_in(off, len, LIMIT_IMAGE_SIZE)
			       ? 0
			       : err_set(e, ERR_LIMIT, "%s: write of %" PRIu64 " bytes at %" PRIu64, b->name, len, off);
	return check_range(b, "write", len, off, e);
}

int block_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc = check_range(b, "read", len, off, e);

	if (rc < 0 || len == 0)
		return rc;
	rc = b->view ? redo_view_pread(b, buf, len, off, e) : b->drv->pread(b, buf, len, off, e);
	assert(rc <= 0);
	return rc;
}

int block_pread_backing(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t end = b->backing ? block_size(b->backing) : 0;
	size_t there = off >= end ? 0 : (size_t)MIN_OF((uint64_t)len, end - off);
	int rc = there ? block_pread(b->backing, buf, there, off, e) : 0;

	if (rc == 0)
		memset((char *)buf + there, 0, len - there);
	return rc;
}

static int write_out(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	if (!b->drv->pwrite)
		return err_set(e, ERR_UNSUPPORTED, "%s: writing to %s images", b->name, b->drv->name);
	return b->drv->pwrite(b, buf, len, off, e);
}

/* After a write, which gave rc. */
static int written_through(struct block *b, int rc, struct err *e)
{
	return rc == 0 && (b->flags & BLOCK_WRITETHROUGH) ? block_flush(b, e) : rc;
}

int block_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc = check_write(b, len, off, e);

	if (rc < 0 || len == 0)
		return rc;
	if ((b->flags & BLOCK_DETECT_ZEROES) && b->drv->zero && mem_is_zero(buf, len))
		return block_zero(b, len, off, b->flags & BLOCK_DETECT_UNMAP ? BLOCK_ZERO_UNMAP : BLOCK_ZERO_KEEP, e);
	return written_through(b, write_out(b, buf, len, off, e), e);
}

static int write_zeros_out(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	static const uint8_t zeros[64 * KiB];

	while (len) {
		size_t n = (size_t)MIN_OF(len, (uint64_t)sizeof zeros);
		int rc = write_out(b, zeros, n, off, e);
		if (rc < 0)
			return rc;
		off += n;
		len -= n;
	}
	return 0;
}

int block_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct err ignored;
	int rc = check_write(b, len, off, e);

	if (rc < 0 || len == 0)
		return rc;
	if (b->flags & BLOCK_NO_DISCARD)
		how &= ~(unsigned)BLOCK_ZERO_UNMAP;
	rc = b->drv->zero ? b->drv->zero(b, len, off, how, e ? e : &ignored) : -(int)ERR_UNSUPPORTED;
	if (rc != -(int)ERR_UNSUPPORTED)
		return written_through(b, rc, e);
	if (how & BLOCK_ZERO_FAST)
		return err_set(e, ERR_UNSUPPORTED, "%s: zeroing without writing", b->name);
	err_clear(e);
	return written_through(b, write_zeros_out(b, len, off, e), e);
}

int block_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	int rc = check_write(b, len, off, e);

	if (rc < 0 || len == 0 || !b->drv->discard || (b->flags & BLOCK_NO_DISCARD))
		return rc;
	return b->drv->discard(b, len, off, e);
}

int block_pwrite_compressed(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc = check_write(b, len, off, e);

	if (rc < 0 || len == 0)
		return rc;
	if (!b->drv->pwrite_compressed)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no compressed clusters", b->name, b->drv->name);
	return written_through(b, b->drv->pwrite_compressed(b, buf, len, off, e), e);
}

bool block_packs(const struct block *b)
{
	return b->drv->pack && b->drv->pwrite_packed;
}

int block_pack(struct block *b, const void *buf, size_t len, uint64_t off, void *out, size_t *size, struct err *e)
{
	return b->drv->pack(b, buf, len, off, out, size, e);
}

int block_pwrite_packed(struct block *b, const void *packed, size_t size, size_t len, uint64_t off, struct err *e)
{
	int rc = check_write(b, len, off, e);

	return rc < 0 || len == 0 ? rc : written_through(b, b->drv->pwrite_packed(b, packed, size, len, off, e), e);
}

int block_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
		      enum block_from how, struct err *e)
{
	int rc = check_write(b, len, off, e);

	if (rc == 0)
		rc = check_range(src, "read", len, src_off, e);
	if (rc < 0 || len == 0)
		return rc;
	if (!b->drv->pwrite_from || block_host_fd(src) < 0)
		return err_set(e, ERR_UNSUPPORTED, "%s: writing what lies in a file without reading it", b->name);
	return b->drv->pwrite_from(b, src, len, src_off, off, how, e);
}

int block_flush(struct block *b, struct err *e)
{
	int rc;

	if (!block_writable(b))
		return 0;
	if (b->drv->flush && (rc = b->drv->flush(b, e)) < 0)
		return rc;
	return b->file ? block_flush(b->file, e) : 0;
}

int block_truncate(struct block *b, uint64_t size, enum block_prealloc prealloc, struct err *e)
{
	if (!block_writable(b))
		return err_set(e, ERR_USAGE, "%s: opened read-only", b->name);
	if (size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: size of %" PRIu64 " bytes", b->name, size);
	if (!b->drv->truncate)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images cannot be resized", b->name, b->drv->name);
	return b->drv->truncate(b, size, prealloc, e);
}

/* ---- extents ---- */

int block_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	int rc;

	*out = (struct extent){ .off = off, .len = len };
	if (len == 0)
		return err_set(e, ERR_USAGE, "%s: extent of no length", b->name);
	rc = check_range(b, "extent", len, off, e);
	if (rc < 0)
		return rc;
	if (b->drv->is_filter)
		return block_extent(b->file, len, off, out, e);
	if (b->view)
		return redo_view_extent(b, len, off, out, e);
	if (!b->drv->extent) {
		out->flags = EXTENT_DATA | EXTENT_ALLOC;
		return 0;
	}
	rc = b->drv->extent(b, len, off, out, e);
	assert(rc < 0 || (out->off == off && out->len > 0 && out->len <= len));
	return rc;
}

int block_extent_chain(struct block *b, struct block *base, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	unsigned depth = 0;

	/* Ends: each turn goes one node down a chain of finite length. */
	for (;;) {
		struct block *below = block_shows_through(b);
		int rc = block_extent(b, len, off, out, e);

		if (rc < 0)
			return rc;
		out->depth = depth;
		if (out->flags & EXTENT_ALLOC)
			return 0;
		len = out->len;
		if (!below) {
			out->flags |= EXTENT_ZERO;
			return 0;
		}
		if (below == base)
			return 0;
		if (off >= block_size(below)) {
			out->flags |= EXTENT_ZERO | EXTENT_EOF;
			return 0;
		}
		len = MIN_OF(len, block_size(below) - off);
		b = below;
		depth++;
	}
}

static bool extents_join(const struct extent *a, const struct extent *b)
{
	if (a->flags != b->flags || a->depth != b->depth || a->off + a->len != b->off)
		return false;
	return !(a->flags & EXTENT_PLAIN) || (a->host == b->host && a->host_off + a->len == b->host_off);
}

int block_extent_merged(struct block *b, struct block *base, uint64_t len, uint64_t off, struct extent *out,
			struct err *e)
{
	int rc = block_extent_chain(b, base, len, off, out, e);

	while (rc == 0 && out->len < len) {
		struct extent next;
		rc = block_extent_chain(b, base, len - out->len, off + out->len, &next, e);
		if (rc < 0 || !extents_join(out, &next))
			break;
		out->len += next.len;
	}
	return rc;
}

/* ---- VM state ---- */

int block_vmstate_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (!b->drv->vmstate_pread)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images keep no VM state", b->name, b->drv->name);
	if (!range_in(off, len, LIMIT_IMAGE_SIZE))
		return err_set(e, ERR_LIMIT, "%s: VM state of more than %" PRIu64 " bytes", b->name, off);
	return len ? b->drv->vmstate_pread(b, buf, len, off, e) : 0;
}

int block_vmstate_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	if (!b->drv->vmstate_pwrite)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images keep no VM state", b->name, b->drv->name);
	if (!block_writable(b))
		return err_set(e, ERR_USAGE, "%s: opened read-only", b->name);
	if (!range_in(off, len, LIMIT_IMAGE_SIZE))
		return err_set(e, ERR_LIMIT, "%s: VM state of more than %" PRIu64 " bytes", b->name, off);
	return len ? b->drv->vmstate_pwrite(b, buf, len, off, e) : 0;
}

/* ---- snapshots, check ---- */

void block_snapshots_free(struct block_snapshots *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].id);
		free(s->items[i].name);
	}
	free(s->items);
	*s = (struct block_snapshots){ NULL, 0 };
}

int block_snapshots(struct block *b, struct block_snapshots *out, struct err *e)
{
	*out = (struct block_snapshots){ NULL, 0 };
	if (!b->drv->snapshots)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no snapshots", b->name, b->drv->name);
	return b->drv->snapshots(b, out, e);
}

int block_snapshot_load(struct block *b, const char *id_or_name, struct err *e)
{
	int rc;

	if (!b->drv->snapshot_load)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images have no snapshots", b->name, b->drv->name);
	if (block_writable(b))
		return err_set(e, ERR_USAGE, "%s: a snapshot is shown by a read-only image", b->name);
	rc = b->drv->snapshot_load(b, id_or_name, e);
	/* What an interrupted change is about is the present. */
	if (rc == 0)
		redo_view_free(take(b->view));
	return rc;
}

int block_check(struct block *b, unsigned fix, struct check_report *r, struct err *e)
{
	if (!b->drv->check)
		return err_set(e, ERR_UNSUPPORTED, "%s: %s images cannot be checked", b->name, b->drv->name);
	if (fix && !block_writable(b))
		return err_set(e, ERR_USAGE, "%s: opened read-only", b->name);
	return b->drv->check(b, fix, r, e);
}

/* ---- debugging ---- */

int block_debug(struct block *b, enum block_debug what, const char *event, const char *tag, struct err *e)
{
	for (struct block *n = b; n; n = n->file)
		if (n->drv->debug)
			return n->drv->debug(n, what, event, tag, e);
	return err_set(e, ERR_UNSUPPORTED, "%s: there is no blkdebug node in it", b->name);
}
