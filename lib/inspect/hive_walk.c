/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hive_walk.c - all keys below one.
 *
 * In a tree each key has one parent, so no walk meets more keys than the hive has cells.  What does goes in circles, or
 * meets one tree many times over.
 */
#include "hive_file.h"

#include "alloc.h"
#include "limits.h"

struct child {
	hive_key key;
	char *name; /* of sorted ones, else NULL */
};

struct level {
	struct child *children;
	size_t n, next;
	size_t path_len; /* of the key whose children these are */
};

struct hive_tree {
	struct hive *h;
	hive_key start;
	unsigned max_depth;
	int (*order)(const char *a, const char *b);
	struct strbuf path;
	struct level *levels;
	unsigned depth; /* levels that are open */
	uint64_t met;
	bool begun, enter; /* enter: what is in `here` comes next */
	struct hive_place here;
	struct err why; /* what here.failed points to */
};

static void level_free(struct level *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->children[i].name);
	free(l->children);
	memset(l, 0, sizeof *l);
}

void hive_tree_close(struct hive_tree *t)
{
	if (!t)
		return;
	for (unsigned i = 0; t->levels && i <= LIMIT_HIVE_DEPTH; i++)
		level_free(&t->levels[i]);
	free(t->levels);
	strbuf_free(&t->path);
	free(t);
}

void hive_tree_closep(struct hive_tree **t)
{
	hive_tree_close(*t);
}

static int by_name(const void *a, const void *b, void *tree)
{
	const struct hive_tree *t = tree;

	return t->order(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static int child_name(struct hive_tree *t, struct child *c, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	struct err why = ERR_INIT;

	/* One that has none is told when it is its turn. */
	if (hive_key_name(t->h, c->key, &name, &why) == -ERR_NOMEM)
		return err_nomem(e);
	c->name = strbuf_detach(&name);
	return c->name ? 0 : err_nomem(e);
}

/* The children of a key become the next level. */
static int descend(struct hive_tree *t, hive_key k, struct err *e)
{
	CLEANUP(free_ptr) hive_key *keys = NULL;
	struct level *l = &t->levels[t->depth];
	size_t n;
	int rc;

	if (t->depth >= LIMIT_HIVE_DEPTH)
		return err_set(e, ERR_LIMIT, "keys are nested deeper than %d", LIMIT_HIVE_DEPTH);
	rc = hive_subkeys(t->h, k, &keys, &n, e);
	if (rc < 0)
		return rc;
	t->met += n;
	if (t->met > t->h->ncells)
		return err_set(e, ERR_CORRUPT, "its keys go round in a circle");
	l->children = alloc_array(n + 1, sizeof *l->children);
	if (!l->children)
		return err_nomem(e);
	l->n = n;
	l->next = 0;
	l->path_len = t->path.len;
	for (size_t i = 0; i < n && rc == 0; i++) {
		l->children[i].key = keys[i];
		rc = t->order ? child_name(t, &l->children[i], e) : 0;
	}
	if (rc == 0 && t->order)
		qsort_r(l->children, n, sizeof *l->children, by_name, t);
	t->depth++;
	return rc;
}

static int failure(struct hive_tree *t, const struct hive_place **out)
{
	t->here = (struct hive_place){ .path = t->path.s, .failed = &t->why };
	*out = &t->here;
	return 1;
}

/* What is wrong with a key is told, unless the walk cannot go on at all. */
static int enter(struct hive_tree *t, const struct hive_place **out, struct err *e)
{
	int rc = descend(t, t->here.key, &t->why);

	t->enter = false;
	if (rc == 0)
		return 0;
	if (rc != -ERR_NOMEM && t->met <= t->h->ncells && t->h->steps <= LIMIT_HIVE_STEPS)
		return failure(t, out);
	if (e)
		*e = t->why;
	return rc;
}

static int tell(struct hive_tree *t, hive_key k, unsigned depth, const struct hive_place **out)
{
	t->here = (struct hive_place){ .key = k, .path = t->path.s, .depth = depth };
	t->enter = depth < t->max_depth;
	*out = &t->here;
	return 1;
}

/* The next of the innermost level, which it ends when there is none: 1 or 0. */
static int next(struct hive_tree *t, const struct hive_place **out, struct err *e)
{
	struct level *l = &t->levels[t->depth - 1];
	hive_key k;
	int rc;

	t->path.s[l->path_len] = '\0';
	t->path.len = l->path_len;
	if (l->next == l->n) {
		level_free(l);
		t->depth--;
		return 0;
	}
	k = l->children[l->next++].key;
	strbuf_puts(&t->path, t->path.len ? "\\" : "");
	rc = hive_key_name(t->h, k, &t->path, &t->why);
	if (t->path.failed || rc == -ERR_NOMEM)
		return err_nomem(e);
	/* Whoever is told of the key copies its path. */
	if (hive_step(t->h, t->path.len / 64, e) < 0)
		return -ERR_LIMIT;
	return rc < 0 ? failure(t, out) : tell(t, k, t->depth, out);
}

int hive_tree_open(struct hive *h, hive_key start, unsigned max_depth, int (*order)(const char *a, const char *b),
		   struct hive_tree **out, struct err *e)
{
	CLEANUP(hive_tree_closep) struct hive_tree *t = alloc_zero(sizeof *t);

	if (!t)
		return err_nomem(e);
	t->h = h;
	t->start = start;
	t->max_depth = max_depth;
	t->order = order;
	t->path = (struct strbuf)STRBUF_INIT;
	t->levels = alloc_array(LIMIT_HIVE_DEPTH + 1, sizeof *t->levels);
	strbuf_putc(&t->path, ' '); /* so that the text is its own, and can be cut */
	if (!t->levels || t->path.failed)
		return err_nomem(e);
	strbuf_reset(&t->path);
	*out = take(t);
	return 0;
}

int hive_tree_next(struct hive_tree *t, const struct hive_place **out, struct err *e)
{
	int rc = 0;

	*out = NULL;
	t->why = (struct err)ERR_INIT;
	if (!t->begun) {
		t->begun = true;
		return tell(t, t->start, 0, out);
	}
	if (t->enter)
		rc = enter(t, out, e);
	/* Each turn takes a child off its level or ends one; new children are counted against the cells of the hive. */
	while (rc == 0 && t->depth > 0)
		rc = next(t, out, e);
	return rc;
}

int hive_walk(struct hive *h, hive_key start, const struct hive_walk *w, struct err *e)
{
	CLEANUP(hive_tree_closep) struct hive_tree *t = NULL;
	const struct hive_place *p;
	int rc = hive_tree_open(h, start, w->max_depth, w->sorted ? strcmp : NULL, &t, e);

	while (rc == 0 && (rc = hive_tree_next(t, &p, e)) > 0)
		rc = p->failed ? w->failed(w->arg, p->path, p->failed, e) : w->key(w->arg, p->key, p->path, p->depth, e);
	return rc;
}
