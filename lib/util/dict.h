/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dict.h - ordered text options: "cluster_size" -> "64k", "file.filename" -> "a.img".
 *
 * Options of a node and of its children live in one flat dict, the children's behind a dotted prefix, which is also
 * what a json: name and an option string come down to.  Who understands a key takes it out; what is left at the end
 * is unknown and refused, so no option is ever ignored.
 */
#ifndef DRYDOCK_DICT_H
#define DRYDOCK_DICT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dict_item {
	char *key, *value;
};

struct dict {
	struct dict_item *items;
	size_t n, cap;
};

#define DICT_INIT { .items = NULL }

void dict_free(struct dict *d);
/* Sets or replaces; copies both strings. */
int dict_set(struct dict *d, const char *key, const char *value, struct err *e);
/* Lent until the dict changes; NULL when absent. */
const char *dict_get(const struct dict *d, const char *key);
/* Removes a key and gives its value to the caller (free() it); NULL when absent. */
char *dict_take(struct dict *d, const char *key);
/* Copies every item of src, replacing equal keys. */
int dict_merge(struct dict *d, const struct dict *src, struct err *e);
/* Moves every "prefix.KEY" of d into out as "KEY". */
int dict_take_sub(struct dict *d, const char *prefix, struct dict *out, struct err *e);
/* The first key left, or NULL. */
const char *dict_first_key(const struct dict *d);

/*
 * Parses "a=1,b=2,flag": commas in values are doubled; a word without "=" is "on", "noword" is "word" = "off".
 * With implied_key the first word without "=" is that key's value.
 */
int dict_parse(struct dict *d, const char *text, const char *implied_key, struct err *e);
/* Flattens a JSON object: nested objects and arrays become dotted keys; numbers and booleans become text ("on"/"off"). */
int dict_from_json(struct dict *d, const char *text, struct err *e);

/*
 * Typed take: `*out` keeps its value when the key is absent.  Errors name the key.
 * Sizes take the suffixes b k K M G T P E (powers of 1024); booleans are on/off, yes/no, true/false, y/n.
 */
int dict_take_size(struct dict *d, const char *key, uint64_t *out, struct err *e);
int dict_take_bool(struct dict *d, const char *key, bool *out, struct err *e);

#endif
