/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * words.h - a line of a shell's script, split into words: quotes, escapes, "~", and what stands behind "|".
 *
 * A word in double quotes may hold \a \b \f \n \r \t \v \\ \" \' \xHH and octal digits; in single quotes all stands for itself.
 */
#ifndef DRYDOCK_WORDS_H
#define DRYDOCK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
	char **word; /* ends at NULL */
	size_t n;
	char *pipe; /* what stands behind "|"; NULL: nothing */
};
void words_free(struct words *w); /* for CLEANUP */
/* Splits a line; home stands for a "~" that begins a word (NULL: it stays).  false: *why is a sentence, and *out is empty. */
bool words_split(const char *line, const char *home, struct words *out, const char **why);
/* The words of one word, blanks between, with the same quotes; a "|" is a word like others. */
bool words_list(const char *text, const char *home, struct words *out, const char **why);

#endif
