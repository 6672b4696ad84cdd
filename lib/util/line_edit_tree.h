/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line_edit_tree.h - an expression of line_edit.h as it was read: made by line_edit_parse.c, gone through by line_edit.c. */
#ifndef DRYDOCK_LINE_EDIT_TREE_H
#define DRYDOCK_LINE_EDIT_TREE_H

#include "line_edit.h"
#include "regex.h"

#include <stdbool.h>
#include <stdint.h>

/* A piece of a text. */
enum part_kind {
	PART_BYTES,
	PART_GROUP,	 /* $1; 0: $& */
	PART_LINE,	 /* $_ */
	PART_LINENO,	 /* $lineno */
	PART_UPPER,	 /* \U: what follows in capitals */
	PART_LOWER,	 /* \L */
	PART_AS_IS,	 /* \E */
	PART_UPPER_ONCE, /* \u: the next letter */
	PART_LOWER_ONCE, /* \l */
};
struct part {
	enum part_kind kind;
	unsigned group;
	char *bytes;
	size_t len;
	struct part *next;
};

enum step_kind {
	STEP_IF, /* cond: then, else orelse */
	STEP_SUBST,
	STEP_TRANSLATE,
	STEP_SET,
	STEP_APPEND,
	STEP_PRINT,
	STEP_CHOMP,
	STEP_NEXT,
	STEP_DIE,
	/* conditions */
	STEP_AND,
	STEP_OR,
	STEP_NOT,
	STEP_MATCH,
	STEP_LINENO,
	STEP_EQUAL,
};
enum compare { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
/* Of tr///: what becomes of a byte. */
enum { TRANSLATE_KEEP = -1, TRANSLATE_DELETE = -2 };

struct step {
	enum step_kind kind;
	struct step *a, *b, *orelse; /* AND, OR, NOT: a and b; IF: a is the condition, b what it guards */
	struct step *next;	     /* in a list of steps */
	struct regex *regex;
	bool global, squeeze;
	struct part *parts;
	enum compare compare;
	uint64_t number;
	int16_t map[256];
	struct step *made_before; /* all of them, for the end */
};

struct line_edit {
	struct step *steps; /* the list that is run */
	struct step *made;
};

/* What the text says: 0, or ERR_USAGE. */
int line_edit_parse(const char *text, struct line_edit *l, struct err *e);

#endif
