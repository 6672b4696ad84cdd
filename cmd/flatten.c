/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flatten.h"

#include "alloc.h"
#include "strbuf.h"

#include <jansson.h>

struct flatten {
	void (*each)(void *arg, const char *path, const char *value);
	void *arg;
};

static void flatten_value(const struct flatten *f, const char *path, json_t *v);

static void flatten_below(const struct flatten *f, const char *path, const char *key, size_t index, json_t *v)
{
	CLEANUP(strbuf_free) struct strbuf sub = STRBUF_INIT;

	if (key)
		strbuf_printf(&sub, "%s%s%s", path, *path ? "." : "", key);
	else
		strbuf_printf(&sub, "%s[%zu]", path, index);
	flatten_value(f, sub.s, v);
}

/* Ends: the parser caps the depth of what it reads. */
static void flatten_value(const struct flatten *f, const char *path, json_t *v)
{
	char number[32];
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		json_object_foreach(v, key, item)
			flatten_below(f, path, key, 0, item);
		return;
	case JSON_ARRAY:
		json_array_foreach(v, i, item)
			flatten_below(f, path, NULL, i, item);
		return;
	case JSON_STRING:
		f->each(f->arg, path, json_string_value(v));
		return;
	case JSON_INTEGER:
		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		f->each(f->arg, path, number);
		return;
	case JSON_REAL:
		snprintf(number, sizeof number, "%g", json_real_value(v));
		f->each(f->arg, path, number);
		return;
	case JSON_TRUE:
		f->each(f->arg, path, "yes");
		return;
	case JSON_FALSE:
		f->each(f->arg, path, "no");
		return;
	case JSON_NULL:
		f->each(f->arg, path, "-");
		return;
	}
}

bool flatten_json(const char *text, void (*each)(void *arg, const char *path, const char *value), void *arg)
{
	const struct flatten f = { each, arg };
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool is_object = json_is_object(root);

	if (is_object)
		flatten_value(&f, "", root);
	json_decref(root);
	return is_object;
}
