/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dict.h"

#include "alloc.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static void item_free(struct dict_item *it)
{
	free(it->key);
	free(it->value);
}

void dict_free(struct dict *d)
{
	for (size_t i = 0; i < d->n; i++)
		item_free(&d->items[i]);
	free(d->items);
	*d = (struct dict)DICT_INIT;
}

static struct dict_item *dict_find(const struct dict *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->items[i].key, key) == 0)
			return &d->items[i];
	return NULL;
}

int dict_set(struct dict *d, const char *key, const char *value, struct err *e)
{
	struct dict_item *it = dict_find(d, key);
	CLEANUP(free_ptr) char *v = alloc_strdup(value);
	CLEANUP(free_ptr) char *k = NULL;

	if (!v)
		return err_nomem(e);
	if (it) {
		free(it->value);
		it->value = take(v);
		return 0;
	}
	k = alloc_strdup(key);
	if (!k)
		return err_nomem(e);
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 8;
		struct dict_item *items = alloc_resize(d->items, cap, sizeof *items);
		if (!items)
			return err_nomem(e);
		d->items = items;
		d->cap = cap;
	}
	d->items[d->n++] = (struct dict_item){ .key = take(k), .value = take(v) };
	return 0;
}

const char *dict_get(const struct dict *d, const char *key)
{
	struct dict_item *it = dict_find(d, key);

	return it ? it->value : NULL;
}

static void dict_remove(struct dict *d, struct dict_item *it)
{
	size_t i = (size_t)(it - d->items);

	memmove(it, it + 1, (d->n - i - 1) * sizeof *it);
	d->n--;
}

char *dict_take(struct dict *d, const char *key)
{
	struct dict_item *it = dict_find(d, key);
	char *value;

	if (!it)
		return NULL;
	value = it->value;
	free(it->key);
	dict_remove(d, it);
	return value;
}

int dict_merge(struct dict *d, const struct dict *src, struct err *e)
{
	for (size_t i = 0; i < src->n; i++) {
		int rc = dict_set(d, src->items[i].key, src->items[i].value, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int dict_take_sub(struct dict *d, const char *prefix, struct dict *out, struct err *e)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < d->n;) {
		struct dict_item *it = &d->items[i];
		int rc;

		if (strncmp(it->key, prefix, len) != 0 || it->key[len] != '.') {
			i++;
			continue;
		}
		rc = dict_set(out, it->key + len + 1, it->value, e);
		if (rc < 0)
			return rc;
		item_free(it);
		dict_remove(d, it);
	}
	return 0;
}

const char *dict_first_key(const struct dict *d)
{
	return d->n ? d->items[0].key : NULL;
}

int dict_parse(struct dict *d, const char *text, const char *implied_key, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf item = STRBUF_INIT;
	const char *p = text;
	bool first = true;

	while (*p) {
		char *eq;
		int rc;

		strbuf_reset(&item);
		while (*p && (*p != ',' || p[1] == ',')) {
			strbuf_putc(&item, *p);
			p += *p == ',' ? 2 : 1;
		}
		if (*p == ',')
			p++;
		if (item.failed)
			return err_nomem(e);
		eq = strchr(item.s, '=');
		if (eq) {
			*eq = '\0';
			if (eq == item.s)
				return err_set(e, ERR_USAGE, "option without a name in \"%s\"", text);
			rc = dict_set(d, item.s, eq + 1, e);
		} else if (first && implied_key) {
			rc = dict_set(d, implied_key, item.s, e);
		} else if (!*item.s) {
			rc = 0;
		} else if (strncmp(item.s, "no", 2) == 0 && item.s[2]) {
			rc = dict_set(d, item.s + 2, "off", e);
		} else {
			rc = dict_set(d, item.s, "on", e);
		}
		if (rc < 0)
			return rc;
		first = false;
	}
	return 0;
}

/* Recursion ends: jansson itself refuses nesting beyond its parser depth, and we refuse beyond LIMIT_NODE_DEPTH. */
static int flatten(struct dict *d, const char *prefix, json_t *v, unsigned depth, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	const char *name;
	json_t *child;
	size_t i;
	int rc;

	if (depth > LIMIT_NODE_DEPTH)
		return err_set(e, ERR_LIMIT, "json: name nests deeper than %d", LIMIT_NODE_DEPTH);
	if (json_is_object(v)) {
		json_object_foreach(v, name, child) {
			CLEANUP(free_ptr) char *k = *prefix ? alloc_printf("%s.%s", prefix, name) : alloc_strdup(name);
			if (!k)
				return err_nomem(e);
			rc = flatten(d, k, child, depth + 1, e);
			if (rc < 0)
				return rc;
		}
		return 0;
	}
	if (json_is_array(v)) {
		json_array_foreach(v, i, child) {
			CLEANUP(free_ptr) char *k = alloc_printf("%s.%zu", prefix, i);
			if (!k)
				return err_nomem(e);
			rc = flatten(d, k, child, depth + 1, e);
			if (rc < 0)
				return rc;
		}
		return 0;
	}
	if (json_is_string(v))
		return dict_set(d, prefix, json_string_value(v), e);
	if (json_is_integer(v)) {
		text = alloc_printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return text ? dict_set(d, prefix, text, e) : err_nomem(e);
	}
	if (json_is_boolean(v))
		return dict_set(d, prefix, json_is_true(v) ? "on" : "off", e);
	if (json_is_null(v))
		return dict_set(d, prefix, "", e);
	return err_set(e, ERR_USAGE, "json: value of \"%s\" is not text, a whole number or a boolean", prefix);
}

int dict_from_json(struct dict *d, const char *text, struct err *e)
{
	size_t len = strlen(text);
	json_error_t je;
	json_t *root;
	int rc;

	if (len > LIMIT_JSON_NAME)
		return err_set(e, ERR_LIMIT, "json: name of %zu bytes", len);
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return err_set(e, ERR_USAGE, "json: name: %s at byte %d", je.text, je.position);
	if (json_is_object(root))
		rc = flatten(d, "", root, 0, e);
	else
		rc = err_set(e, ERR_USAGE, "json: name is not an object");
	json_decref(root);
	return rc;
}

int dict_take_size(struct dict *d, const char *key, uint64_t *out, struct err *e)
{
	CLEANUP(free_ptr) char *v = dict_take(d, key);

	if (v && !text_parse_size(v, out))
		return err_set(e, ERR_USAGE, "option \"%s\": \"%s\" is not a size", key, v);
	return 0;
}

int dict_take_bool(struct dict *d, const char *key, bool *out, struct err *e)
{
	static const char *const yes[] = { "on", "yes", "true", "y" }, *const no[] = { "off", "no", "false", "n" };
	CLEANUP(free_ptr) char *v = dict_take(d, key);

	if (!v)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(v, yes[i]) == 0 || strcmp(v, no[i]) == 0) {
			*out = strcmp(v, yes[i]) == 0;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "option \"%s\": \"%s\" is neither on nor off", key, v);
}
