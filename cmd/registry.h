/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry.h - keys and values of the Windows registry as people and programs read them: shared by the commands. */
#ifndef DRYDOCK_CMD_REGISTRY_H
#define DRYDOCK_CMD_REGISTRY_H

#include "cmd.h"
#include "json.h"

/* A guest's name or path in a line: safe for a terminal, backslashes as they are. */
void reg_quote(struct strbuf *out, const char *text);
/* Does it hold a control character, which a line of text cannot? */
bool reg_has_control(const char *text);
/* "REG_SZ", or "REG_0x10001". */
const char *reg_type(uint32_t type, char buf[24]);

enum reg_form { REGISTRY_TEXT, REGISTRY_TEXTS, REGISTRY_NUMBER, REGISTRY_BYTES };
/*
 * What a value is by its type and its bytes: text that is whole, with one NUL at its end or none; number.  Where the bytes do
 * not fit the type they are just bytes.
 */
enum reg_form reg_form(const struct dry_registry_value *v);
uint64_t reg_number(const struct dry_registry_value *v);
/* The text of REGISTRY_TEXT, or the first one of REGISTRY_TEXTS. */
void reg_string(const struct dry_registry_value *v, struct strbuf *out);

/* On one line: text, number, hexadecimal digits; texts with \0 between them. */
void reg_line(const struct dry_registry_value *v, struct strbuf *out);
/* The members of a JSON object: name, type, value, and data in hexadecimal digits where there is no value. */
void reg_json(const struct dry_registry_value *v, struct json *j);
/* Seconds since 1970 as "2026-11-20T06:49:33Z"; NULL when there is no such date. */
const char *reg_date(int64_t seconds, char buf[32]);

/* registry_reg.c: the text that regedit writes and reads. */
struct reg_writer {
	bool utf16;	    /* with CRLF, as Windows has it; else UTF-8 with LF */
	const char *prefix; /* before every key's path, and a backslash; NULL: none */
	struct strbuf line; /* UTF-8, flushed as it grows */
	bool failed;	    /* something could not be written in this form, which was told */
	const char *label;  /* what the sentences begin with */
};
int reg_begin(struct reg_writer *w);
int reg_key(struct reg_writer *w, const char *path);
int reg_value(struct reg_writer *w, const char *path, const struct dry_registry_value *v);
/* Ends it; the exit status. */
int reg_end(struct reg_writer *w);

#endif
