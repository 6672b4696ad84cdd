/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img_json.c - a format's own facts in the peer's two layouts.
 *
 * dry_image_specific() gives them as JSON that we wrote ourselves; here that text is only laid out anew: broken into
 * lines (with the peer's line break inside an empty list), or as "name: value" lines for people.  Nesting is bounded by
 * the writer's JSON_DEPTH.
 */
#include "qemu_img.h"

#include <string.h>

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Past a string or a bare word. */
static const char *skip_scalar(const char *p)
{
	if (*p != '"')
		return p + strcspn(p, ",]} \t\r\n");
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static void indent(struct strbuf *out, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		strbuf_puts(out, "    ");
}

static const char *pretty_value(struct strbuf *out, const char *p, unsigned level)
{
	const char *end;
	char close;

	p = skip_space(p);
	if (*p != '{' && *p != '[') {
		end = skip_scalar(p);
		strbuf_add(out, p, (size_t)(end - p));
		return end;
	}
	close = *p == '{' ? '}' : ']';
	strbuf_putc(out, *p);
	for (p = skip_space(p + 1); *p && *p != close;) {
		strbuf_putc(out, '\n');
		indent(out, level + 1);
		if (close == '}') {
			end = skip_scalar(p);
			strbuf_add(out, p, (size_t)(end - p));
			strbuf_puts(out, ": ");
			p = skip_space(end);
			p += *p == ':';
		}
		p = skip_space(pretty_value(out, p, level + 1));
		if (*p != ',')
			break;
		strbuf_putc(out, ',');
		p = skip_space(p + 1);
	}
	strbuf_putc(out, '\n');
	indent(out, level);
	strbuf_putc(out, close);
	return *p ? p + 1 : p;
}

void qi_json_pretty(struct strbuf *out, const char *json, unsigned level)
{
	pretty_value(out, json, level);
}

/* A string without its quotes and escapes; \u is kept as it is. */
static void plain_scalar(struct strbuf *out, const char *p, const char *end, bool is_key)
{
	bool quoted = *p == '"';

	if (quoted && end > p + 1) {
		p++;
		end--;
	}
	for (; p < end; p++) {
		char c = *p;

		if (quoted && c == '\\' && p + 1 < end && p[1] != 'u') {
			c = *++p;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
		strbuf_putc(out, is_key && c == '-' ? ' ' : c);
	}
}

static const char *human_value(struct strbuf *out, const char *p, unsigned level)
{
	const char *end;
	unsigned idx = 0;
	char close;

	p = skip_space(p);
	if (*p != '{' && *p != '[') {
		end = skip_scalar(p);
		strbuf_putc(out, ' ');
		plain_scalar(out, p, end, false);
		strbuf_putc(out, '\n');
		return end;
	}
	close = *p == '{' ? '}' : ']';
	if (level)
		strbuf_putc(out, '\n');
	for (p = skip_space(p + 1); *p && *p != close;) {
		indent(out, level + 1);
		if (close == '}') {
			end = skip_scalar(p);
			plain_scalar(out, p, end, true);
			strbuf_putc(out, ':');
			p = skip_space(end);
			p += *p == ':';
		} else {
			strbuf_printf(out, "[%u]:", idx++);
		}
		p = skip_space(human_value(out, p, level + 1));
		if (*p != ',')
			break;
		p = skip_space(p + 1);
	}
	return *p ? p + 1 : p;
}

void qi_json_human(struct strbuf *out, const char *json, unsigned level)
{
	human_value(out, json, level);
}
