/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * strbuf.h - text that grows.
 *
 * Start with STRBUF_INIT; s is never NULL and always NUL-terminated; strbuf_free() ends it and may be called
 * again.  A failed allocation sets `failed`, keeps the text so far, and makes further additions do nothing, so a
 * long job of building text is checked once, at its end.
 */
#ifndef DRYDOCK_STRBUF_H
#define DRYDOCK_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *s;
	size_t len;
	size_t cap; /* 0: s is not ours to free */
	bool failed;
};

extern char strbuf_empty[1];
#define STRBUF_INIT { .s = strbuf_empty }

void strbuf_free(struct strbuf *b);
void strbuf_reset(struct strbuf *b); /* empty again, memory kept */
void strbuf_add(struct strbuf *b, const void *bytes, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
__attribute__((format(printf, 2, 3))) void strbuf_printf(struct strbuf *b, const char *fmt, ...);
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap);
/* Gives the text away (free() it); the strbuf is empty again.  NULL when the text could not be completed. */
char *strbuf_detach(struct strbuf *b);

#endif
