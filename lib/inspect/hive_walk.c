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

struct walk {
	struct hive *h;
	const struct hive_walk *how;
	struct strbuf path;
	struct level *levels;
	unsigned depth;
	uint64_t met;
};

static void level_free(struct level *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->children[i].name);
	free(l->children);
	memset(l, 0, sizeof *l);
}

static void walk_free(struct walk *w)
{
	for (unsigned i = 0; w->levels && i <= LIMIT_HIVE_DEPTH; i++)
		level_free(&w->levels[i]);
	free(w->levels);
	strbuf_free(&w->path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static int child_name(struct walk *w, struct child *c, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	struct err why = ERR_INIT;

	/* One that has none is told when it is its turn. */
	if (hive_key_name(w->h, c->key, &name, &why) == -ERR_NOMEM)
		return err_nomem(e);
	c->name = strbuf_detach(&name);
	return c->name ? 0 : err_nomem(e);
}

/* The children of a key become the next level. */
static int descend(struct walk *w, hive_key k, struct err *e)
{
	CLEANUP(free_ptr) hive_key *keys = NULL;
	struct level *l = &w->levels[w->depth];
	size_t n;
	int rc;

	if (w->depth >= LIMIT_HIVE_DEPTH)
		return err_set(e, ERR_LIMIT, "keys are nested deeper than %d", LIMIT_HIVE_DEPTH);
	rc = hive_subkeys(w->h, k, &keys, &n, e);
	if (rc < 0)
		return rc;
	w->met += n;
	if (w->met > w->h->ncells)
		return err_set(e, ERR_CORRUPT, "its keys go round in a circle");
	l->children = alloc_array(n + 1, sizeof *l->children);
	if (!l->children)
		return err_nomem(e);
	l->n = n;
	l->next = 0;
	l->path_len = w->path.len;
	for (size_t i = 0; i < n && rc == 0; i++) {
		l->children[i].key = keys[i];
		rc = w->how->sorted ? child_name(w, &l->children[i], e) : 0;
	}
	if (rc == 0 && w->how->sorted)
		qsort(l->children, n, sizeof *l->children, by_name);
	w->depth++;
	return rc;
}

/* A key is told and entered.  What is wrong with it is told, unless the walk cannot go on at all. */
static int visit(struct walk *w, hive_key k, unsigned depth, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = w->how->key(w->how->arg, k, w->path.s, depth, e);

	if (rc != 0 || depth >= w->how->max_depth)
		return rc;
	rc = descend(w, k, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 && (w->met > w->h->ncells || w->h->steps > LIMIT_HIVE_STEPS)) {
		if (e)
			*e = why;
		return rc;
	}
	return rc < 0 ? w->how->failed(w->how->arg, w->path.s, &why, e) : 0;
}

static int next(struct walk *w, struct err *e)
{
	struct level *l = &w->levels[w->depth - 1];
	struct err why = ERR_INIT;
	hive_key k;
	int rc;

	w->path.s[l->path_len] = '\0';
	w->path.len = l->path_len;
	if (l->next == l->n) {
		level_free(l);
		w->depth--;
		return 0;
	}
	k = l->children[l->next++].key;
	strbuf_puts(&w->path, w->path.len ? "\\" : "");
	rc = hive_key_name(w->h, k, &w->path, &why);
	if (w->path.failed || rc == -ERR_NOMEM)
		return err_nomem(e);
	/* Whoever is told of the key copies its path. */
	if (hive_step(w->h, w->path.len / 64, e) < 0)
		return -ERR_LIMIT;
	return rc < 0 ? w->how->failed(w->how->arg, w->path.s, &why, e) : visit(w, k, w->depth, e);
}

int hive_walk(struct hive *h, hive_key start, const struct hive_walk *how, struct err *e)
{
	CLEANUP(walk_free) struct walk w = { .h = h, .how = how, .path = STRBUF_INIT };
	int rc;

	w.levels = alloc_array(LIMIT_HIVE_DEPTH + 1, sizeof *w.levels);
	strbuf_putc(&w.path, ' '); /* so that the text is its own, and can be cut */
	if (!w.levels || w.path.failed)
		return err_nomem(e);
	strbuf_reset(&w.path);
	rc = visit(&w, start, 0, e);
	/* Each step takes a child off its level or ends one; new children are counted against the cells of the hive. */
	while (rc == 0 && w.depth > 0)
		rc = next(&w, e);
	return rc;
}
