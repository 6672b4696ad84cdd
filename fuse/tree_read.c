/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_read.c - what is in a file of the guest: read from the host's file where its bytes lie there as they are, else by the
 * guest's reader.
 */
#include "tree.h"

#include "alloc.h"

#include <errno.h>
#include <unistd.h>

/* ---- where a file's bytes lie ---- */

static pthread_mutex_t *stripe_of(struct tree *t, const struct node *n)
{
	return &t->stripes[((uintptr_t)n >> 7) % STRIPES];
}

static struct window *window_get(struct tree *t, struct node *n)
{
	struct window *w;

	pthread_mutex_lock(stripe_of(t, n));
	w = n->window;
	if (w)
		__atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(stripe_of(t, n));
	return w;
}

/* Takes over the reference of who made it, and gives one back. */
static struct window *window_put(struct tree *t, struct node *n, struct window *w)
{
	struct window *old;

	w->refs = 2;
	pthread_mutex_lock(stripe_of(t, n));
	old = n->window;
	n->window = w;
	pthread_mutex_unlock(stripe_of(t, n));
	window_unref(old);
	return w;
}

/* The run at off: its kind, and where it lies.  0, or < 0 with *e filled. */
static int run_at(struct handle *h, struct dry_node n, uint64_t off, uint64_t size, struct run *r, struct dry_error *e)
{
	struct dry_place p;
	uint64_t len = 0;
	bool hole = false;
	int rc = dry_node_place(h->g, n, off, &len, &p, e);

	*r = (struct run){ .off = off, .kind = RUN_OTHER };
	if (rc > 0 && p.fd >= 0) {
		r->kind = RUN_FILE;
		r->fd = p.fd;
		r->host_off = p.host_off;
	} else if (rc >= 0) {
		rc = dry_node_extent(h->g, n, off, &len, &hole, e);
		if (rc >= 0 && hole)
			r->kind = RUN_ZERO;
	}
	/* Never nothing, so that it goes on. */
	r->len = MIN_OF(MAX_OF(len, (uint64_t)1), size - off);
	return rc < 0 ? rc : 0;
}

/*
 * As many runs from off on as there is room for.  It ends: each is at least a byte, and they are counted.  Runs that are stored in
 * another way may be as short as a block; with the first of them it is enough.
 */
static struct window *window_make(struct handle *h, const struct node *n, uint64_t off, struct dry_error *e)
{
	const uint64_t size = (uint64_t)n->st.st_size;
	struct window *w = alloc_zero(sizeof *w);

	if (!w) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return NULL;
	}
	w->off = w->end = off;
	w->refs = 1;
	for (unsigned i = 0; i < 4 * WINDOW_RUNS && w->end < size; i++) {
		struct run r;

		if (run_at(h, node_of(h, n), w->end, size, &r, e) < 0) {
			window_unref(w);
			return NULL;
		}
		if (!window_add(w, &r) || r.kind == RUN_OTHER)
			break;
	}
	return w;
}

/* ---- reading ---- */

static void read_by_guest(struct tree *t, fuse_req_t req, struct handle *h, const struct node *n, size_t size, uint64_t off)
{
	void *buf = size <= BUFFER_SIZE ? buffers_take(t->buffers) : NULL;
	struct dry_error e = { .code = DRY_OK };
	size_t got = 0;
	int rc;

	if (!buf) {
		tree_give(h);
		t->f->fuse_reply_err(req, ENOMEM);
		return;
	}
	rc = dry_node_read(h->g, node_of(h, n), buf, size, off, &got, &e);
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else
		t->f->fuse_reply_buf(req, buf, got);
	buffers_give(t->buffers, buf);
}

void tree_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct tree *t = libfuse_load(NULL)->fuse_req_userdata(req);
	struct node *n = tree_node(t, ino);
	const uint64_t off = (uint64_t)offset, end = (uint64_t)n->st.st_size;
	struct window *w;
	struct handle *h;

	(void)fi;
	if (t->moving) {
		h = tree_take_fresh(t, req);
		if (h)
			read_by_guest(t, req, h, n, size, off);
		return;
	}
	if (off >= end) {
		t->f->fuse_reply_buf(req, NULL, 0);
		return;
	}
	size = (size_t)MIN_OF((uint64_t)size, end - off);
	w = window_get(t, n);
	if (!window_has(w, off, size)) {
		struct dry_error e = { .code = DRY_OK };

		h = tree_take(t);
		/* Known to be stored in another way: the same answer is not asked for at every read. */
		if (!w || off < w->off || off >= w->end || w->runs[w->n - 1].kind != RUN_OTHER) {
			window_unref(w);
			w = window_make(h, n, off, &e);
			if (w)
				window_put(t, n, w);
		}
		if (!window_has(w, off, size)) {
			window_unref(w);
			read_by_guest(t, req, h, n, size, off);
			return;
		}
		tree_give(h);
	}
	window_reply(w, t->f, t->buffers, req, off, size);
	window_unref(w);
}

void tree_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct tree *t = libfuse_load(NULL)->fuse_req_userdata(req);
	struct node *n = tree_node(t, ino);
	uint64_t size = (uint64_t)n->st.st_size, at = (uint64_t)off, len = 0;
	struct dry_error e = { .code = DRY_OK };
	struct dry_stat st;
	struct handle *h;
	int rc = 0;

	(void)fi;
	h = tree_take_fresh(t, req);
	if (!h)
		return;
	if (t->moving && dry_node_stat(h->g, node_of(h, n), &st, &e) >= 0)
		size = st.size;
	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || off < 0 || at >= size) {
		tree_give(h);
		t->f->fuse_reply_err(req, whence == SEEK_DATA || whence == SEEK_HOLE ? ENXIO : EINVAL);
		return;
	}
	/* It ends: at only grows, and an answer of no length ends it. */
	for (bool hole; at < size; at += len) {
		rc = dry_node_extent(h->g, node_of(h, n), at, &len, &hole, &e);
		if (rc < 0 || hole == (whence == SEEK_HOLE) || !len)
			break;
	}
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else if (at >= size && whence == SEEK_DATA)
		t->f->fuse_reply_err(req, ENXIO);
	else
		t->f->fuse_reply_lseek(req, (off_t)MIN_OF(at, size));
}
