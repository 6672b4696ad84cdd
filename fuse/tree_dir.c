/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_dir.c - directories of the guest: listed once when they are opened, then told in pieces, with the facts of each file. */
#include "tree.h"

#include "alloc.h"
#include "strbuf.h"

#include <errno.h>

/* More than fit into memory that a confined process has. */
#define LISTING_MAX (16u << 20)

struct listed {
	size_t name; /* in names */
	unsigned fs;
	uint64_t ino;
};
struct listing {
	const struct tree *t;
	const struct handle *by; /* while it is filled */
	struct strbuf names;
	struct listed *items;
	size_t n, cap;
	bool nomem, told;
};

static void listing_free(struct listing *l)
{
	if (!l)
		return;
	strbuf_free(&l->names);
	free(l->items);
	free(l);
}

static int listing_add(void *arg, const char *name, struct dry_node node, uint32_t type)
{
	struct listing *l = arg;

	(void)type;
	if (l->n == l->cap) {
		size_t cap = MAX_OF(l->cap * 2, (size_t)64);
		struct listed *items = cap <= LISTING_MAX ? alloc_resize(l->items, cap, sizeof *items) : NULL;

		if (!items) {
			l->nomem = true;
			return 1;
		}
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = (struct listed){ l->names.len, tree_fs_of(l->t, l->by, node), node.ino };
	strbuf_add(&l->names, name, strlen(name) + 1);
	l->nomem = l->names.failed;
	return l->nomem;
}

/* Lists it anew; false: that failed, and the request was answered. */
static bool listing_fill(struct tree *t, struct listing *l, fuse_req_t req, fuse_ino_t ino)
{
	struct dry_error e = { .code = DRY_OK };
	struct handle *h = tree_take_fresh(t, req);
	int rc;

	if (!h)
		return false;
	l->n = 0;
	strbuf_reset(&l->names);
	l->by = h;
	rc = dry_node_list(h->g, node_of(h, tree_node(t, ino)), listing_add, l, &e);
	tree_give(h);
	if (rc >= 0 && l->nomem) {
		e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		rc = -DRY_NOMEM;
	}
	if (rc < 0)
		tree_fail(t, req, &e);
	return rc >= 0;
}

void tree_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *t = libfuse_load(NULL)->fuse_req_userdata(req);
	struct listing *l = alloc_zero(sizeof *l);

	if (!l) {
		t->f->fuse_reply_err(req, ENOMEM);
		return;
	}
	l->t = t;
	l->names = (struct strbuf)STRBUF_INIT;
	if (!listing_fill(t, l, req, ino)) {
		listing_free(l);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)l;
	fi->keep_cache = !t->moving;
	fi->cache_readdir = !t->moving;
	if (t->f->fuse_reply_open(req, fi) != 0)
		listing_free(l); /* nobody will close it */
}

/* One entry behind the others: how long it is, or 0 when there was no room; the kernel then does not know it. */
static size_t put(struct tree *t, struct handle *h, fuse_req_t req, const struct listing *l, size_t i, bool plus, char *buf,
		  size_t room)
{
	const char *name = l->names.s + l->items[i].name;
	struct fuse_entry_param ent;
	struct dry_error e;
	size_t need;

	if (tree_entry(t, h, (struct dry_node){ h->fs[l->items[i].fs], l->items[i].ino }, plus, &ent, &e) < 0) {
		/* It is there, and what it is cannot be read: a look at it alone will tell why. */
		ent = (struct fuse_entry_param){ .attr.st_ino = 1 };
	}
	if (!plus)
		return t->f->fuse_add_direntry(req, buf, room, name, &ent.attr, (off_t)i + 3);
	need = t->f->fuse_add_direntry_plus(req, buf, room, name, &ent, (off_t)i + 3);
	if (need > room && ent.ino)
		tree_forget(t, ent.ino, 1);
	return need;
}

static void answer(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct tree *t = libfuse_load(NULL)->fuse_req_userdata(req);
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	char *buf = size <= BUFFER_SIZE ? buffers_take(t->buffers) : NULL;
	struct handle *h;
	size_t len = 0, need;

	if (!buf) {
		t->f->fuse_reply_err(req, ENOMEM);
		return;
	}
	/* From the beginning again: what came and went since is to be seen. */
	if (off == 0 && l->told && t->moving && !listing_fill(t, l, req, ino)) {
		buffers_give(t->buffers, buf);
		return;
	}
	l->told = true;
	h = tree_take_fresh(t, req);
	if (!h) {
		buffers_give(t->buffers, buf);
		return;
	}
	for (size_t at = off < 0 ? 0 : (size_t)off; at < l->n + 2; at++) {
		if (at < 2) {
			const struct fuse_entry_param dot = { .attr = tree_node(t, ino)->st };

			need = plus ? t->f->fuse_add_direntry_plus(req, buf + len, size - len, at ? ".." : ".", &dot, (off_t)at + 1)
				    : t->f->fuse_add_direntry(req, buf + len, size - len, at ? ".." : ".", &dot.attr,
							      (off_t)at + 1);
		} else {
			need = put(t, h, req, l, at - 2, plus, buf + len, size - len);
		}
		if (need > size - len)
			break;
		len += need;
	}
	tree_give(h);
	t->f->fuse_reply_buf(req, buf, len);
	buffers_give(t->buffers, buf);
}

void tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	answer(req, ino, size, off, fi, false);
}

void tree_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	answer(req, ino, size, off, fi, true);
}

void tree_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *t = libfuse_load(NULL)->fuse_req_userdata(req);

	(void)ino;
	listing_free((struct listing *)(uintptr_t)fi->fh);
	t->f->fuse_reply_err(req, 0);
}
