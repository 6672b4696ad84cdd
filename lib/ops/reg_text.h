/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reg_text.h - changes to a registry, and the text in which regedit keeps them.
 *
 *	Windows Registry Editor Version 5.00
 *
 *	[HKEY_LOCAL_MACHINE\SOFTWARE\Key]	make this key, unless it is there
 *	"name"="text"				and set its values
 *	"name"=dword:0000002a			"name"=hex(7):61,00,00,00,\
 *	"name"=-				remove the value
 *	[-HKEY_LOCAL_MACHINE\SOFTWARE\Old]	remove a key with all below it
 *
 * @ is the name of the default value, ";" begins a comment.  The text is UTF-16 or UTF-8, with its mark of byte order or without.
 * Beside regedit's own forms str:"text" and str(2):"text" are read, as hivexregedit writes them.
 */
#ifndef DRYDOCK_REG_TEXT_H
#define DRYDOCK_REG_TEXT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reg_edit_kind {
	REG_EDIT_KEY,	       /* there is such a key afterwards */
	REG_EDIT_KEY_DELETE,   /* there is none, and nothing below it */
	REG_EDIT_VALUE,	       /* the key, which is made where there is none, has this value */
	REG_EDIT_VALUE_DELETE, /* the key has no such value */
};
struct reg_edit {
	enum reg_edit_kind kind;
	char *key;  /* a path of names between backslashes */
	char *name; /* of a value; "": the default value */
	uint32_t type;
	uint8_t *data;
	size_t len;
};
/* In the order in which they are to be made. */
struct reg_edits {
	struct reg_edit *items;
	size_t n;
};
void reg_edits_free(struct reg_edits *edits); /* for CLEANUP */
/* Adds one; strings and data are copied, name and data may be NULL. */
int reg_edits_add(struct reg_edits *edits, const struct reg_edit *edit, struct err *e);

/* How texts become values: as Windows has them, or (ascii) byte by byte. */
struct reg_text_how {
	bool ascii;
	const char *prefix; /* taken from the beginning of each key's path; NULL: nothing.  A key elsewhere is ERR_USAGE */
};
/* Adds what the text says; a line that says nothing is ERR_USAGE, "line 7: ...". */
int reg_text_parse(const void *bytes, size_t len, const struct reg_text_how *how, struct reg_edits *out, struct err *e);

/*
 * The data of a value as people give it on a command line: type is "sz", "expand", "multi" (texts between "\0"), "dword",
 * "qword", "binary", "none" or a number, the last three with bytes in hexadecimal digits.  edit->type, data and len are set.
 */
int reg_value_parse(const char *type, const char *text, struct reg_edit *edit, struct err *e);

#endif
