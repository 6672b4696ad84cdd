/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry_tree.c - the registry section of drydock.h: walks that their caller draws on. */
#include "registry_api.h"

#include <limits.h>

/* A value of the present key: its name, and where it is. */
struct item {
	char *name;
	uint32_t place;
};

struct dry_registry_tree {
	struct registry_key start;
	struct hive_tree *tree;
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
	struct strbuf path;
	struct dry_registry_key key;
	struct item *items;
	size_t n;
	struct hive_value value;
};

static void items_free(struct dry_registry_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i].name);
	free(take(t->items));
	t->n = 0;
}

void dry_registry_tree_close(struct dry_registry_tree *t)
{
	if (!t)
		return;
	items_free(t);
	hive_value_clear(&t->value);
	hive_tree_close(t->tree);
	registry_key_clear(&t->start);
	strbuf_free(&t->path);
	free(t);
}

static void tree_closep(struct dry_registry_tree **t)
{
	dry_registry_tree_close(*t);
}

int dry_registry_tree_open(struct dry_registry *r, const char *key,
			   int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg,
			   struct dry_registry_tree **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(tree_closep) struct dry_registry_tree *t = alloc_zero(sizeof *t);
	int rc;

	if (!t)
		return err_nomem(e);
	t->path = (struct strbuf)STRBUF_INIT;
	t->failed = failed;
	t->arg = arg;
	rc = registry_find(r->registry, key, &t->start, e);
	if (rc == 0)
		return registry_no_such(e, "key", key);
	if (rc > 0 && !t->start.hive)
		return err_set(e, ERR_USAGE, "%s is no key of a hive", t->start.path);
	if (rc > 0)
		rc = hive_tree_open(t->start.hive, t->start.key, UINT_MAX, hive_name_order, &t->tree, e);
	if (rc < 0)
		return rc;
	*out = take(t);
	return 0;
}

static int full_path(struct dry_registry_tree *t, const char *path, struct err *e)
{
	strbuf_reset(&t->path);
	strbuf_printf(&t->path, "%s%s%s", t->start.path, *t->start.path && *path ? "\\" : "", path);
	return t->path.failed ? err_nomem(e) : 0;
}

static int by_name(const void *a, const void *b)
{
	return hive_name_order(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* The names of the values of the present key, in their order. */
static int items_load(struct dry_registry_tree *t, hive_key k, struct err *e)
{
	CLEANUP(free_ptr) uint32_t *places = NULL;
	struct err why = ERR_INIT;
	size_t n;
	int rc = hive_values(t->start.hive, k, &places, &n, &why);

	if (rc == 0 && n) {
		t->items = alloc_array(n, sizeof *t->items);
		rc = t->items ? 0 : err_nomem(&why);
	}
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;

		rc = hive_value_name(t->start.hive, places[i], &name, &why);
		if (rc < 0) {
			rc = registry_failed(t->failed, t->arg, t->path.s, &why, &why);
			continue;
		}
		t->items[t->n] = (struct item){ strbuf_detach(&name), places[i] };
		rc = t->items[t->n].name ? 0 : err_nomem(&why);
		t->n += rc == 0;
	}
	if (rc < 0)
		return registry_failed(why.code == ERR_CANCELED ? NULL : t->failed, t->arg, t->path.s, &why, e);
	if (t->n)
		qsort(t->items, t->n, sizeof *t->items, by_name);
	return 0;
}

int dry_registry_tree_next(struct dry_registry_tree *t, const struct dry_registry_key **out, struct dry_error *error)
{
	API_ERR(e, error);
	const struct hive_place *p;
	int rc;

	*out = NULL;
	items_free(t);
	/* What cannot be read is told, until a key comes or the walk ends. */
	while ((rc = hive_tree_next(t->tree, &p, e)) > 0) {
		rc = full_path(t, p->path, e);
		if (rc == 0 && !p->failed)
			break;
		if (rc == 0)
			rc = registry_failed(t->failed, t->arg, t->path.s, p->failed, e);
		if (rc < 0)
			return rc;
	}
	if (rc < 0 || !p)
		return rc;
	rc = items_load(t, p->key, e);
	if (rc < 0)
		return rc;
	t->key = (struct dry_registry_key){ .path = t->path.s, .name = registry_last_name(t->path.s), .depth = p->depth };
	hive_key_time(t->start.hive, p->key, &t->key.written, NULL);
	*out = &t->key;
	return 0;
}

int dry_registry_tree_value(struct dry_registry_tree *t, size_t i, struct dry_registry_value *out, struct dry_error *error)
{
	API_ERR(e, error);
	int rc;

	if (i >= t->n)
		return 0;
	hive_value_clear(&t->value);
	rc = hive_value(t->start.hive, t->items[i].place, &t->value, e);
	if (rc < 0)
		return rc;
	*out = registry_value_public(&t->value);
	return 1;
}

const char *dry_registry_tree_name(const struct dry_registry_tree *t, size_t i)
{
	return i < t->n ? t->items[i].name : NULL;
}

int dry_registry_order(const char *a, const char *b)
{
	return hive_name_order(a, b);
}
