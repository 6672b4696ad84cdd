/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* redo_diff.c - which blocks of a disk differ from its image, and how they get there. */
#include "redo_internal.h"

#include "alloc.h"
#include "checked.h"
#include "zero.h"

enum { PIECE = 256 * REDO_BLOCK, SHARE_FROM = 16 * REDO_BLOCK };

static enum redo_run_kind kind_of(enum redo_state state)
{
	return state == REDO_DATA ? REDO_RUN_DATA : state == REDO_ZERO ? REDO_RUN_ZERO : REDO_RUN_UNMAP;
}

static bool differ(const uint8_t *was, const uint8_t *is, size_t len)
{
	if (was && is)
		return memcmp(was, is, len) != 0;
	return (was || is) && !mem_is_zero(was ? was : is, len);
}

/* Of [off, off + len), all in one state, as much as was looked at: *len.  c is filled where all its blocks are alike. */
static int diff_piece(struct redo_disk *d, enum redo_state state, uint8_t *was, uint8_t *is, uint64_t off, uint64_t *len,
		      int (*fn)(void *arg, const struct redo_change *c, struct err *e), void *arg, struct err *e)
{
	struct extent x;
	int rc = block_extent_chain(d->image, NULL, *len, off, &x, e);
	bool zeros, grows;

	if (rc < 0)
		return rc;
	/* Whole blocks of one kind; a shorter extent is read with what follows. */
	zeros = (x.flags & EXTENT_ZERO) && (x.len == *len || x.len >= REDO_BLOCK);
	grows = zeros || x.depth > 0;
	if (x.len < *len && x.len >= REDO_BLOCK)
		*len = round_down(x.len, REDO_BLOCK);
	if (zeros && state != REDO_DATA)
		return 0;
	*len = MIN_OF(*len, (uint64_t)PIECE);
	if (!zeros)
		rc = block_pread(d->image, was, (size_t)*len, off, e);
	if (rc == 0 && state == REDO_DATA)
		rc = block_pread(d->file, is, (size_t)*len, REDO_DATA_OFF + off, e);
	for (uint64_t at = 0; rc == 0 && at < *len; at += REDO_BLOCK) {
		const struct redo_change c = {
			.off = off + at,
			.len = (size_t)MIN_OF((uint64_t)REDO_BLOCK, *len - at),
			.was = zeros ? NULL : was + at,
			.is = state == REDO_DATA ? is + at : NULL,
			.kind = kind_of(state),
			.at = REDO_DATA_OFF + off + at,
			.grows = grows,
		};

		if (differ(c.was, c.is, c.len))
			rc = fn(arg, &c, e);
	}
	return rc;
}

int redo_diff(struct redo_disk *d, int (*fn)(void *arg, const struct redo_change *c, struct err *e), void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *was = alloc_bytes(PIECE);
	CLEANUP(free_ptr) uint8_t *is = alloc_bytes(PIECE);
	uint64_t size = d->who.size, off = 0;
	int rc = 0;

	if (!was || !is)
		return err_nomem(e);
	/* Ends: off only grows. */
	while (off < size && rc == 0) {
		enum redo_state state;
		uint64_t n = redo_map_run(&d->map, off / REDO_BLOCK, d->map.nblocks - off / REDO_BLOCK, &state);
		uint64_t len = MIN_OF(n * REDO_BLOCK, size - off);

		if (state != REDO_NONE)
			rc = diff_piece(d, state, was, is, off, &len, fn, arg, e);
		off += len;
	}
	return rc;
}

/* ---- into the image ---- */

static int apply_data(struct block *image, struct block *file, const struct redo_run *r, uint64_t len, uint8_t *buf,
		      bool *no_share, int (*told)(void *arg, uint64_t bytes), void *arg, struct err *e)
{
	int rc = 0;

	if (!*no_share && len >= SHARE_FROM && len % REDO_BLOCK == 0) {
		rc = block_pwrite_from(image, file, len, r->at, r->off, BLOCK_FROM_SHARE, e);
		if (rc == 0 && told)
			told(arg, len);
		if (rc == 0 || rc != -(int)ERR_UNSUPPORTED)
			return rc;
		err_clear(e);
		*no_share = true;
	}
	rc = 0;
	for (uint64_t at = 0; at < len && rc == 0; at += PIECE) {
		size_t n = (size_t)MIN_OF((uint64_t)PIECE, len - at);

		rc = block_pread(file, buf, n, r->at + at, e);
		if (rc == 0)
			rc = block_pwrite(image, buf, n, r->off + at, e);
		if (rc == 0 && told)
			told(arg, n);
	}
	return rc;
}

int redo_apply(struct block *image, struct block *file, const struct redo_index *x, unsigned disk, bool *no_share,
	       int (*told)(void *arg, uint64_t bytes), void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(PIECE);
	int rc = buf ? 0 : err_nomem(e);

	for (size_t i = 0; i < x->nruns && rc == 0; i++) {
		const struct redo_run *r = &x->runs[i];
		uint64_t len = redo_run_bytes(x, r);

		if (r->disk != disk)
			continue;
		if (r->kind == REDO_RUN_DATA) {
			rc = apply_data(image, file, r, len, buf, no_share, told, arg, e);
			continue;
		}
		rc = block_zero(image, len, r->off, r->kind == REDO_RUN_UNMAP ? BLOCK_ZERO_UNMAP : BLOCK_ZERO_KEEP, e);
		if (rc == 0 && told)
			told(arg, len);
	}
	/* Its metadata too; then the image needs the journal no more. */
	return rc < 0 ? rc : block_finish(image, e);
}
