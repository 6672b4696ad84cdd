/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - a streaming JSON writer into a strbuf.
 *
 * Pretty-printed with four spaces, "key": value, one item a line, as qemu-img prints it; or compact on one line.
 * Strings are UTF-8; bytes that are not become U+FFFD.  A key is NULL inside an array.
 */
#ifndef DRYDOCK_JSON_H
#define DRYDOCK_JSON_H

#include "strbuf.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH 16

struct json {
	struct strbuf *out;
	bool pretty;
	unsigned depth;
	bool has_items[JSON_DEPTH + 1];
};

#define JSON_INIT(strbuf_ptr, is_pretty) { .out = (strbuf_ptr), .pretty = (is_pretty) }

void json_object(struct json *j, const char *key); /* opens { */
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key); /* opens [ */
void json_array_end(struct json *j);
void json_str(struct json *j, const char *key, const char *value);
void json_strn(struct json *j, const char *key, const void *value, size_t len);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* Already formatted, for numbers with a given precision. */
void json_raw(struct json *j, const char *key, const char *value);

#endif
