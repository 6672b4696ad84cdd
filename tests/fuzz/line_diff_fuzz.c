/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line_diff_fuzz.c - two texts of a guest, apart by a byte 0xff: the hunks that are made of them turn the first into the second,
 * and what is written about both as XML is escaped.
 */
#include "alloc.h"
#include "line_diff.h"
#include "xml.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct text {
	const char *s;
	size_t len;
};

/* The line that t begins with, with its newline, is taken off it. */
static struct text take_line(struct text *t)
{
	const char *nl = t->len ? memchr(t->s, '\n', t->len) : NULL;
	struct text line = { t->s, nl ? (size_t)(nl - t->s) + 1 : t->len };

	t->s += line.len;
	t->len -= line.len;
	return line;
}

static bool is_line(struct text a, const char *s, size_t len)
{
	/* A last line without a newline was given one, and a remark. */
	return (a.len == len && memcmp(a.s, s, len) == 0) || (a.len + 1 == len && memcmp(a.s, s, a.len) == 0);
}

/* Goes through the hunks with the first text, and puts the second together. */
static void apply(struct text hunks, struct text a, struct text b)
{
	size_t line_a = 1;

	while (hunks.len) {
		struct text l = take_line(&hunks);
		unsigned long from = 0, to = 0;
		char head[100];

		if (l.s[0] == '@') {
			snprintf(head, sizeof head, "%.*s", (int)l.len, l.s);
			require(sscanf(head, "@@ -%lu,%lu", &from, &to) == 2 || (sscanf(head, "@@ -%lu", &from) == 1 && (to = 1)));
			/* No line stands behind the one before. */
			from += to == 0;
			while (line_a < from) {
				struct text same = take_line(&a);

				require(is_line(take_line(&b), same.s, same.len));
				line_a++;
			}
			continue;
		}
		if (l.s[0] == '\\')
			continue;
		if (l.s[0] != '+') {
			require(is_line(take_line(&a), l.s + 1, l.len - 1));
			line_a++;
		}
		if (l.s[0] != '-')
			require(is_line(take_line(&b), l.s + 1, l.len - 1));
	}
	require(a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0));
}

static void write_xml(const uint8_t *data, size_t len)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	CLEANUP(free_ptr) char *text = alloc_strndup((const char *)data, len);
	struct xml x = XML_INIT(&out);

	if (!text)
		return;
	xml_start(&x, "a");
	xml_attribute(&x, "b", text);
	xml_text(&x, text);
	xml_end(&x, "a");
	/* Two tags, and nothing in between that would be another. */
	require(strchr(out.s + 1, '<') == strrchr(out.s, '<') && !memchr(out.s, 1, out.len) && !memchr(out.s, 27, out.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	const uint8_t *cut = len ? memchr(data, 0xff, len) : NULL;
	const struct text a = { (const char *)data, cut ? (size_t)(cut - data) : len };
	const struct text b = { cut ? (const char *)cut + 1 : (const char *)data + len, len - a.len - (cut != NULL) };

	if (line_diff(a.s, a.len, b.s, b.len, &out) == LINE_DIFF_TEXT)
		apply((struct text){ out.s, out.len }, a, b);
	write_xml(data, len);
	return 0;
}
