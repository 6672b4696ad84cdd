/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_fields.h - names and values of one entry of a log, in memory that is used again for the next. */
#ifndef DRYDOCK_LOG_FIELDS_H
#define DRYDOCK_LOG_FIELDS_H

#include "err.h"
#include "strbuf.h"

struct log_field {
	size_t name, value; /* places in the text, both NUL-terminated */
	size_t len;	    /* of the value, which may hold NULs */
};
struct log_fields {
	struct strbuf text;
	struct log_field *items;
	size_t n, cap;
};
#define LOG_FIELDS_INIT { .text = STRBUF_INIT }

void log_fields_free(struct log_fields *f); /* for CLEANUP */
void log_fields_reset(struct log_fields *f);
int log_fields_add(struct log_fields *f, const char *name, size_t name_len, const void *value, size_t len, struct err *e);
/* Lent until the next addition. */
const char *log_field_name(const struct log_fields *f, size_t i);
const char *log_field_value(const struct log_fields *f, size_t i);
/* The first of that name, NULL: none; *len may be NULL. */
const char *log_fields_get(const struct log_fields *f, const char *name, size_t *len);

#endif
