/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_reg.c - the text that regedit exports and imports, "Windows Registry Editor Version 5.00".
 *
 *	[KEY]
 *	"name"="text"		"name"=dword:0000002a		"name"=hex(7):61,00,00,00
 *
 * @ is the name of the default value; long rows of hexadecimal digits go on in the next line, behind a backslash.  A string
 * that is not whole, or holds what would break a line, is written by its bytes.  A name that does so cannot be written at all:
 * it could forge lines.
 */
#include "registry.h"

#include "alloc.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { SZ = 1, BINARY = 3, DWORD = 4 };
/* Columns after which regedit goes on in the next line. */
#define WIDTH 77
#define FLUSH_BYTES 65536

static int flush_utf16(struct reg_writer *w)
{
	const char *p = w->line.s, *end = p + w->line.len;

	while (p < end) {
		/* A piece of whole characters: a byte gives one unit at most. */
		uint16_t units[1024];
		size_t len = (size_t)MIN_OF(end - p, (ptrdiff_t)ARRAY_LEN(units) / 2), n;

		while (p + len < end && (p[len] & 0xc0) == 0x80)
			len++;
		if (!text_to_utf16(p, len, units, ARRAY_LEN(units), &n))
			n = 0; /* all text has come from UTF-16 */
		for (size_t i = 0; i < n; i++) {
			if (units[i] == '\n') {
				putchar('\r');
				putchar(0);
			}
			putchar(units[i] & 0xff);
			putchar(units[i] >> 8);
		}
		p += len;
	}
	strbuf_reset(&w->line);
	return EXIT_DONE;
}

static int flush(struct reg_writer *w, size_t at_least)
{
	if (!w->line.failed && w->line.len < at_least)
		return EXIT_DONE;
	return w->utf16 && !w->line.failed ? flush_utf16(w) : out_flush(&w->line);
}

int reg_begin(struct reg_writer *w)
{
	if (w->utf16) {
		putchar(0xff);
		putchar(0xfe);
	}
	strbuf_puts(&w->line, "Windows Registry Editor Version 5.00\n");
	return flush(w, 0);
}

static void left_out(struct reg_writer *w, const char *what, const char *name)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	reg_quote(&q, name);
	fprintf(stderr, "drydock: %s: %s \"%s\" is left out: its name holds a control character\n", w->label, what, q.s);
	w->failed = true;
}

int reg_key(struct reg_writer *w, const char *path)
{
	if (reg_has_control(path)) {
		left_out(w, "the key", path);
		return EXIT_DONE;
	}
	strbuf_printf(&w->line, "\n[%s%s%s]\n", w->prefix ? w->prefix : "",
		      w->prefix && (*path || !*w->prefix) ? "\\" : "", path);
	return flush(w, FLUSH_BYTES);
}

static void quoted(struct strbuf *out, const char *text)
{
	strbuf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_putc(out, '\\');
		strbuf_putc(out, *text);
	}
	strbuf_putc(out, '"');
}

static void bytes(struct strbuf *out, const struct dry_registry_value *v, size_t column)
{
	size_t before = out->len;

	if (v->type == BINARY)
		strbuf_puts(out, "hex:");
	else
		strbuf_printf(out, "hex(%" PRIx32 "):", v->type);
	column += out->len - before;
	for (size_t i = 0; i < v->len; i++) {
		bool last = i + 1 == v->len;

		strbuf_printf(out, last ? "%02x" : "%02x,", ((const uint8_t *)v->data)[i]);
		column += 3;
		if (!last && column >= WIDTH) {
			strbuf_puts(out, "\\\n  ");
			column = 2;
		}
	}
}

/* A string with the one NUL at its end that regedit will write. */
static bool is_string(const struct dry_registry_value *v)
{
	const uint8_t *b = v->data;

	return v->type == SZ && v->len >= 2 && b[v->len - 1] == 0 && b[v->len - 2] == 0 && reg_form(v) == REGISTRY_TEXT;
}

int reg_value(struct reg_writer *w, const char *path, const struct dry_registry_value *v)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	size_t before = w->line.len;

	if (reg_has_control(path))
		return EXIT_DONE; /* told with its key */
	if (reg_has_control(v->name)) {
		left_out(w, "the value", v->name);
		return EXIT_DONE;
	}
	if (*v->name)
		quoted(&w->line, v->name);
	else
		strbuf_putc(&w->line, '@');
	strbuf_putc(&w->line, '=');
	if (is_string(v))
		reg_string(v, &text);
	if (is_string(v) && !reg_has_control(text.s))
		quoted(&w->line, text.s);
	else if (v->type == DWORD && v->len == 4)
		strbuf_printf(&w->line, "dword:%08" PRIx64, reg_number(v));
	else
		bytes(&w->line, v, w->line.len - before);
	strbuf_putc(&w->line, '\n');
	w->line.failed |= text.failed;
	return flush(w, FLUSH_BYTES);
}

int reg_end(struct reg_writer *w)
{
	int status = flush(w, 0);

	strbuf_free(&w->line);
	return status || w->failed ? EXIT_FAILED : EXIT_DONE;
}
