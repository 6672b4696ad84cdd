/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include "text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Everything that comes before a value: the comma, the line, the key. */
static void begin_item(struct json *j, const char *key)
{
	if (j->depth == 0)
		return;
	if (j->has_items[j->depth])
		strbuf_putc(j->out, ',');
	j->has_items[j->depth] = true;
	if (j->pretty) {
		strbuf_putc(j->out, '\n');
		for (unsigned i = 0; i < j->depth; i++)
			strbuf_puts(j->out, "    ");
	} else if (j->out->len && j->out->s[j->out->len - 1] == ',') {
		strbuf_putc(j->out, ' ');
	}
	if (key) {
		json_strn(&(struct json){ .out = j->out }, NULL, key, strlen(key));
		strbuf_puts(j->out, ": ");
	}
}

static void open_level(struct json *j, const char *key, char c)
{
	begin_item(j, key);
	strbuf_putc(j->out, c);
	assert(j->depth < JSON_DEPTH);
	j->has_items[++j->depth] = false;
}

static void close_level(struct json *j, char c)
{
	bool had_items = j->has_items[j->depth];

	assert(j->depth > 0);
	j->depth--;
	if (j->pretty && had_items) {
		strbuf_putc(j->out, '\n');
		for (unsigned i = 0; i < j->depth; i++)
			strbuf_puts(j->out, "    ");
	}
	/* qemu-img breaks the line of an empty list too; an empty pair reads the same to every parser. */
	strbuf_putc(j->out, c);
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, '{');
}

void json_object_end(struct json *j)
{
	close_level(j, '}');
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, '[');
}

void json_array_end(struct json *j)
{
	close_level(j, ']');
}

void json_strn(struct json *j, const char *key, const void *value, size_t len)
{
	const unsigned char *s = value;

	begin_item(j, key);
	strbuf_putc(j->out, '"');
	for (size_t i = 0; i < len;) {
		size_t good = text_utf8_valid(s + i, len - i);

		if (good == 0) {
			strbuf_puts(j->out, "\xef\xbf\xbd");
			i++;
			continue;
		}
		for (size_t end = i + good; i < end; i++) {
			switch (s[i]) {
			case '"':
				strbuf_puts(j->out, "\\\"");
				break;
			case '\\':
				strbuf_puts(j->out, "\\\\");
				break;
			case '\n':
				strbuf_puts(j->out, "\\n");
				break;
			case '\t':
				strbuf_puts(j->out, "\\t");
				break;
			case '\r':
				strbuf_puts(j->out, "\\r");
				break;
			default:
				if (s[i] < 0x20 || s[i] == 0x7f)
					strbuf_printf(j->out, "\\u%04x", s[i]);
				else
					strbuf_putc(j->out, (char)s[i]);
			}
		}
	}
	strbuf_putc(j->out, '"');
}

void json_str(struct json *j, const char *key, const char *value)
{
	json_strn(j, key, value, strlen(value));
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin_item(j, key);
	strbuf_printf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	begin_item(j, key);
	strbuf_printf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin_item(j, key);
	strbuf_puts(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin_item(j, key);
	strbuf_puts(j->out, "null");
}

void json_raw(struct json *j, const char *key, const char *value)
{
	begin_item(j, key);
	strbuf_puts(j->out, value);
}
