/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out.h"

#include "alloc.h"
#include "cmd.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* What stands for an unknown value among the cells: no text contains it, since a cell is text. */
#define CELL_UNKNOWN "\x01"

void table_add(struct table *t, const char *cell)
{
	strbuf_puts(&t->cells, cell ? cell : CELL_UNKNOWN);
	strbuf_putc(&t->cells, '\0');
	t->ncells++;
}

void table_addf(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&t->cells, fmt, ap);
	va_end(ap);
	strbuf_putc(&t->cells, '\0');
	t->ncells++;
}

void table_add_guest(struct table *t, const char *cell)
{
	if (!cell || !*cell) {
		table_add(t, NULL);
		return;
	}
	text_quote(&t->cells, cell, strlen(cell));
	strbuf_putc(&t->cells, '\0');
	t->ncells++;
}

void table_free(struct table *t)
{
	strbuf_free(&t->cells);
	t->ncells = 0;
}

/* Columns a text takes on a terminal: its code points. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void put_row(struct strbuf *out, const char *const cells[], size_t ncols, const size_t widths[], const bool right[])
{
	for (size_t c = 0; c < ncols; c++) {
		int pad = (int)(widths[c] - width_of(cells[c]));

		if (c)
			strbuf_puts(out, "  ");
		if (right[c])
			strbuf_printf(out, "%*s", pad, "");
		strbuf_puts(out, cells[c]);
		if (!right[c] && c + 1 < ncols)
			strbuf_printf(out, "%*s", pad, "");
	}
	strbuf_putc(out, '\n');
}

void table_move(struct table *to, struct table *from)
{
	strbuf_add(&to->cells, from->cells.s, from->cells.len);
	to->cells.failed |= from->cells.failed;
	to->ncells += from->ncells;
	table_free(from);
}

int table_print(const struct table *t, unsigned flags)
{
	struct strbuf text = STRBUF_INIT;
	int status = table_text(t, flags, &text);

	status |= out_flush(&text);
	strbuf_free(&text);
	return status;
}

int table_text(const struct table *t, unsigned flags, struct strbuf *out)
{
	size_t widths[TABLE_COLUMNS] = { 0 }, ncols = 0;
	bool right[TABLE_COLUMNS] = { false };
	const char *row[TABLE_COLUMNS];

	if (t->cells.failed) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	for (const char *a = t->align; *a && ncols < TABLE_COLUMNS; a++)
		if (*a != ' ')
			right[ncols++] = *a == 'r';
	if (!ncols)
		return EXIT_DONE;
	if (flags & TABLE_TITLES)
		for (size_t c = 0; c < ncols; c++)
			widths[c] = width_of(t->titles[c]);
	/* Twice over the cells: widths, then rows. */
	for (int pass = 0; pass < 2; pass++) {
		const char *p = t->cells.s;

		if (pass && (flags & TABLE_TITLES))
			put_row(out, t->titles, ncols, widths, right);
		for (size_t i = 0; i < t->ncells; i++) {
			size_t c = i % ncols;

			row[c] = strcmp(p, CELL_UNKNOWN) == 0 ? "-" : p;
			if (!pass)
				widths[c] = MAX_OF(widths[c], width_of(row[c]));
			else if (c + 1 == ncols)
				put_row(out, row, ncols, widths, right);
			p += strlen(p) + 1;
		}
	}
	return EXIT_DONE;
}

void out_csv(struct strbuf *out, const char *field)
{
	if (!field[strcspn(field, ", \"\n\r\t")]) {
		strbuf_puts(out, field);
		return;
	}
	strbuf_putc(out, '"');
	for (; *field; field++) {
		if (*field == '"')
			strbuf_putc(out, '"');
		strbuf_putc(out, *field);
	}
	strbuf_putc(out, '"');
}

char *out_human(uint64_t bytes, char *buf, size_t size)
{
	static const char units[] = "KMGTPE";
	uint64_t whole = bytes, rest = 0;
	int unit = -1;

	/* Rounded up, as coreutils does: a full disk never looks smaller than it is. */
	while (whole >= 1024 || (unit >= 0 && whole == 1023 && rest > 0)) {
		rest = (whole & 1023) + (rest ? 1 : 0);
		whole >>= 10;
		if (rest >= 1024) {
			whole++;
			rest = 0;
		}
		unit++;
	}
	if (unit < 0) {
		snprintf(buf, size, "%" PRIu64, whole);
	} else if (whole < 10) {
		uint64_t tenths = (whole * 1024 + rest) * 10;

		tenths = tenths / 1024 + (tenths % 1024 != 0);
		if (tenths < 100)
			snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[unit]);
		else
			snprintf(buf, size, "10%c", units[unit]);
	} else {
		snprintf(buf, size, "%" PRIu64 "%c", whole + (rest ? 1 : 0), units[unit]);
	}
	return buf;
}

int out_flush(struct strbuf *text)
{
	if (text->failed) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	fwrite(text->s, 1, text->len, stdout); /* cmd_done() looks at the stream's error */
	strbuf_reset(text);
	return EXIT_DONE;
}

bool out_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

void out_text(struct strbuf *out, const char *text, size_t len)
{
	while (len) {
		size_t n = 0;

		while (n < len && text[n] != '\\' && text[n] != '\t')
			n++;
		text_quote(out, text, n);
		if (n < len)
			strbuf_putc(out, text[n++]);
		text += n;
		len -= n;
	}
}

void out_guest(struct strbuf *out, const char *name)
{
	if (out_terminal())
		text_quote(out, name, strlen(name));
	else
		strbuf_puts(out, name);
}
