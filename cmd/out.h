/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out.h - what the commands print: tables, comma separated values, guest strings, JSON.
 *
 *	CLEANUP(table_free) struct table t = TABLE_INIT("l r r", "Name", "Size", "Used");
 *	table_add(&t, "/dev/sda1");
 *	table_addf(&t, "%" PRIu64, size);
 *	table_add(&t, NULL);		// an unknown value
 *	return cmd_done(table_print(&t, TABLE_TITLES));
 */
#ifndef DRYDOCK_OUT_H
#define DRYDOCK_OUT_H

#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS 16

/* Cells go in row after row; nothing is printed before table_print(), which knows the widths. */
struct table {
	const char *align;		    /* a letter a column, l or r; blanks are for the eye */
	const char *titles[TABLE_COLUMNS]; /* lent */
	struct strbuf cells;		    /* each ends at a NUL */
	size_t ncells;
};

#define TABLE_INIT(align_letters, ...) { .align = (align_letters), .titles = { __VA_ARGS__ }, .cells = STRBUF_INIT }

enum { TABLE_TITLES = 1u << 0 };

/* NULL is printed as "-", and as nothing in CSV.  The text is printed as it is: quote a guest's string first. */
void table_add(struct table *t, const char *cell);
__attribute__((format(printf, 2, 3))) void table_addf(struct table *t, const char *fmt, ...);
/* A guest's string, made safe for a terminal by text_quote(). */
void table_add_guest(struct table *t, const char *cell);
void table_free(struct table *t);
/* Prints to standard output, columns two blanks apart; returns EXIT_DONE, or EXIT_FAILED when memory ran out. */
int table_print(const struct table *t, unsigned flags);
/* The same, appended to a text. */
int table_text(const struct table *t, unsigned flags, struct strbuf *out);
/* Moves the rows of one table behind those of another of the same columns. */
void table_move(struct table *to, struct table *from);

/* One CSV field: quoted where it holds a comma, quote, blank or newline. */
void out_csv(struct strbuf *out, const char *field);
/* Bytes as df -h and ls -h print them: "512", "1.5K", "20G"; buf of at least 16 bytes; returns buf. */
char *out_human(uint64_t bytes, char *buf, size_t size);
/* Prints and forgets the text; EXIT_FAILED with a sentence when it could not be completed. */
int out_flush(struct strbuf *text);
/* Is standard output a terminal? */
bool out_terminal(void);
/* Appends text of a guest of which nothing reaches a terminal but what is to be read: backslashes and tabs stay as they are. */
void out_text(struct strbuf *out, const char *text, size_t len);
/* Appends a guest's name: quoted for a terminal, its own bytes for a pipe. */
void out_guest(struct strbuf *out, const char *name);

#endif
