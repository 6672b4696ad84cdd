/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vfs_cursor.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <sys/stat.h>

/* A directory that is gone through. */
struct level {
	struct vfs_node dir;
	struct strbuf names; /* NUL-terminated each */
	struct level_item {
		size_t name; /* in names */
		struct vfs_node node;
	} *items;
	size_t n, cap, next;
	size_t path_len; /* of the cursor's path, which names this directory */
};

struct vfs_cursor {
	struct vfs *v;
	int (*failed)(void *arg, const char *path, const struct err *why, struct err *e);
	void *arg;
	struct strbuf path;
	size_t rel; /* where the part below the start begins in path */
	struct level *levels;
	size_t nlevels, cap;
	struct vfs_entry ent;
	bool started, ended, skip;
};

static void level_clear(struct level *l)
{
	strbuf_free(&l->names);
	free(l->items);
}

void vfs_cursor_close(struct vfs_cursor *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nlevels; i++)
		level_clear(&c->levels[i]);
	free(c->levels);
	strbuf_free(&c->path);
	free(c);
}

int vfs_cursor_open(struct vfs *v, const char *path,
		    int (*failed)(void *arg, const char *path, const struct err *why, struct err *e), void *arg,
		    struct vfs_cursor **out, struct err *e)
{
	struct vfs_cursor *c = alloc_zero(sizeof *c);
	int rc;

	if (!c)
		return err_nomem(e);
	c->v = v;
	c->failed = failed;
	c->arg = arg;
	c->path = (struct strbuf)STRBUF_INIT;
	strbuf_puts(&c->path, *path == '/' ? "" : "/");
	strbuf_puts(&c->path, path);
	c->rel = c->path.len + (c->path.len && c->path.s[c->path.len - 1] != '/');
	rc = c->path.failed ? err_nomem(e) : vfs_lookup(v, path, true, &c->ent.node, e);
	if (rc < 0) {
		vfs_cursor_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* Something at the cursor's path cannot be read: the caller decides.  0: go on. */
static int cannot_read(struct vfs_cursor *c, struct err *e, int rc)
{
	struct err why = ERR_INIT;

	/* Out of memory is not about this path. */
	if (!c->failed || rc == -ERR_NOMEM) {
		CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

		text_quote(&q, c->path.s, c->path.len);
		return err_in(e, rc, "%s", q.s);
	}
	if (e)
		why = *e;
	err_clear(e);
	return c->failed(c->arg, c->path.s, &why, e);
}

static int level_add(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct level *l = arg;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;
		struct level_item *items = alloc_resize(l->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = (struct level_item){ .name = l->names.len, .node = d->node };
	strbuf_add(&l->names, d->name, strlen(d->name) + 1);
	return l->names.failed ? err_nomem(e) : 0;
}

static bool is_open(const struct vfs_cursor *c, struct vfs_node n)
{
	for (size_t i = 0; i < c->nlevels; i++)
		if (c->levels[i].dir.fs == n.fs && c->levels[i].dir.ino == n.ino)
			return true;
	return false;
}

/* Into the directory that was given last. */
static int enter(struct vfs_cursor *c, struct err *e)
{
	struct level *levels, *l;
	int rc;

	if (is_open(c, c->ent.node))
		return cannot_read(c, e, err_set(e, ERR_CORRUPT, "the directory contains itself"));
	if (c->nlevels >= LIMIT_DIR_DEPTH)
		return cannot_read(c, e, err_set(e, ERR_LIMIT, "directories %zu deep", c->nlevels));
	if (c->nlevels == c->cap) {
		levels = alloc_resize(c->levels, c->cap * 2 + 16, sizeof *levels);
		if (!levels)
			return err_nomem(e);
		c->levels = levels;
		c->cap = c->cap * 2 + 16;
	}
	l = &c->levels[c->nlevels++];
	*l = (struct level){ .dir = c->ent.node, .names = STRBUF_INIT, .path_len = c->path.len };
	rc = vfs_readdir(c->v, c->ent.node, true, level_add, l, e);
	return rc < 0 ? cannot_read(c, e, rc) : rc;
}

/* The next name of the innermost directory that has one more; false: there is none. */
static bool step(struct vfs_cursor *c)
{
	/* Each turn leaves a directory or ends the loop. */
	while (c->nlevels) {
		struct level *l = &c->levels[c->nlevels - 1];

		c->path.len = l->path_len;
		c->path.s[c->path.len] = '\0';
		if (l->next < l->n) {
			const struct level_item *it = &l->items[l->next++];

			if (c->path.len == 0 || c->path.s[c->path.len - 1] != '/')
				strbuf_putc(&c->path, '/');
			c->ent = (struct vfs_entry){ .node = it->node, .depth = (unsigned)c->nlevels };
			strbuf_puts(&c->path, l->names.s + it->name);
			c->ent.name = l->names.s + it->name;
			return true;
		}
		level_clear(l);
		c->nlevels--;
	}
	return false;
}

int vfs_cursor_next(struct vfs_cursor *c, const struct vfs_entry **out, struct err *e)
{
	int rc = 0;

	*out = NULL;
	/* Ends: each turn takes one more name of a directory, and no directory is inside itself. */
	while (!c->ended) {
		if (!c->started) {
			c->started = true;
			c->ent.name = "";
		} else {
			if (S_ISDIR(c->ent.st.mode) && !c->skip)
				rc = enter(c, e);
			if (rc == 0 && !step(c)) {
				c->ended = true;
				return 0;
			}
		}
		c->skip = false;
		if (rc == 0 && c->path.failed)
			rc = err_nomem(e);
		if (rc == 0) {
			rc = fs_stat(c->ent.node.fs, c->ent.node.ino, &c->ent.st, e);
			if (rc == 0) {
				c->ent.path = c->path.s;
				c->ent.rel = c->ent.depth ? c->path.s + c->rel : "";
				*out = &c->ent;
				return 0;
			}
			c->ent.st.mode = 0;
			rc = cannot_read(c, e, rc);
		}
		if (rc != 0) {
			c->ended = true;
			return rc;
		}
	}
	return 0;
}

void vfs_cursor_skip(struct vfs_cursor *c)
{
	c->skip = true;
}

/* A name that ends comes before one that goes on, whatever its next byte is; and what ends before what has names below. */
static int rank(char c)
{
	return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 1;
}

int path_order(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}
