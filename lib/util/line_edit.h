/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * line_edit.h - a text changed line by line by an expression, as people give it to perl -p and sed.
 *
 * The expression is run for each line, which is $_ with its "\n", and what is then in $_ is the new line.  Known are
 *
 *	s/PATTERN/TEXT/gimsx  tr/a-z/A-Z/cds  y///  $_ = TEXT  $_ .= TEXT  print TEXT  chomp  next  die TEXT
 *
 * each by itself or with "if" or "unless" behind it, in "if (CONDITION) { ... } elsif ... else ...", and after
 * "CONDITION and" (&&) or "CONDITION or" (||); conditions of /PATTERN/, $_ =~ and !~, $_ eq and ne TEXT, $lineno (or $.)
 * compared with a number, "not" (!), "and", "or" and parentheses.  TEXT is quoted, or $_, $1, $&, $lineno, joined by ".".
 * So do sed's "/PATTERN/d", "3d", "/PATTERN/s/a/b/".  Patterns are Perl's (regex.h).  Nothing of it can reach a file or
 * run a program: what else Perl knows is refused when the expression is read.
 */
#ifndef DRYDOCK_LINE_EDIT_H
#define DRYDOCK_LINE_EDIT_H

#include "err.h"
#include "strbuf.h"

struct line_edit;
/* ERR_USAGE with a sentence that names what is not understood.  Before confinement, see regex.h. */
int line_edit_new(const char *expression, struct line_edit **out, struct err *e);
void line_edit_free(struct line_edit *l); /* NULL is fine */
/* Appends the changed text.  ERR_CANCELED: the expression called die, in its words. */
int line_edit_run(struct line_edit *l, const char *text, size_t len, struct strbuf *out, struct err *e);

#endif
