/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pieces.c - reads of bytes that lie plain in a file of the host: nobody's lock is held, and none of the guest's structures
 * is looked at again.
 */
#include "mount.h"

#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <stdatomic.h>

int mount_errno(const struct dry_error *e)
{
	switch (e->code) {
	case DRY_SYSTEM:
		return e->sys_errno ? e->sys_errno : EIO;
	case DRY_NOMEM:
		return ENOMEM;
	case DRY_NOT_FOUND:
		return ENOENT;
	case DRY_UNSUPPORTED:
		return EOPNOTSUPP;
	case DRY_LIMIT:
		return EFBIG;
	case DRY_POLICY:
		return EPERM;
	case DRY_USAGE:
		return EINVAL;
	default:
		return EIO;
	}
}

void window_unref(struct window *w)
{
	if (w && __atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(w);
}

bool window_add(struct window *w, const struct run *r)
{
	struct run *last = w->n ? &w->runs[w->n - 1] : NULL;

	if (last && last->kind == r->kind &&
	    (r->kind != RUN_FILE || (last->fd == r->fd && last->host_off + last->len == r->host_off))) {
		last->len += r->len;
	} else {
		if (w->n == WINDOW_RUNS)
			return false;
		w->runs[w->n++] = *r;
	}
	w->end = r->off + r->len;
	return true;
}

/* The run in which off lies; w->off <= off < w->end. */
static size_t find(const struct window *w, uint64_t off)
{
	size_t low = 0, high = w->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (w->runs[mid].off <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool window_has(const struct window *w, uint64_t off, size_t len)
{
	if (!w || off < w->off || off + len > w->end)
		return false;
	for (size_t i = find(w, off); i < w->n && w->runs[i].off < off + len; i++)
		if (w->runs[i].kind == RUN_OTHER)
			return false;
	return true;
}

/* 0, or an errno.  Past the end of the host's file are zeros. */
static int fill(const struct run *r, char *buf, uint64_t off, size_t len)
{
	size_t got = 0;

	if (r->kind == RUN_FILE) {
		int rc = io_pread(r->fd, buf, len, r->host_off + (off - r->off), &got);

		if (rc)
			return rc;
	}
	memset(buf + got, 0, len - got);
	return 0;
}

void window_reply(const struct window *w, const struct libfuse *f, struct buffers *b, fuse_req_t req, uint64_t off, size_t len)
{
	char *buf = len <= BUFFER_SIZE ? buffers_take(b) : NULL;
	int rc = 0;

	if (!buf) {
		f->fuse_reply_err(req, ENOMEM);
		return;
	}
	for (size_t done = 0, i = find(w, off); done < len && !rc; i++) {
		const struct run *r = &w->runs[i];
		const uint64_t at = off + done;
		const size_t n = (size_t)MIN_OF((uint64_t)(len - done), r->off + r->len - at);

		rc = fill(r, buf + done, at, n);
		done += n;
	}
	if (rc)
		f->fuse_reply_err(req, rc);
	else
		f->fuse_reply_buf(req, buf, len);
	buffers_give(b, buf);
}
