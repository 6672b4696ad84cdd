/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strbuf.h"

#include "alloc.h"

#include <stdio.h>

/* Shared by all empty buffers; never written to, because it is only ever written with a NUL past len 0 when cap > 0. */
char strbuf_empty[1] = "";

void strbuf_free(struct strbuf *b)
{
	if (b->cap)
		free(b->s);
	*b = (struct strbuf)STRBUF_INIT;
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->cap)
		b->s[0] = '\0';
}

static bool strbuf_reserve(struct strbuf *b, size_t extra)
{
	size_t need, cap;
	char *s;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len + 1, extra, &need)) {
		b->failed = true;
		return false;
	}
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	s = alloc_resize(b->cap ? b->s : NULL, cap, 1);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t len)
{
	if (len == 0 || !strbuf_reserve(b, len))
		return;
	memcpy(b->s + b->len, bytes, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_putc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int len;

	/* Most pieces are short: they are formatted once, into room made beforehand. */
	if (!strbuf_reserve(b, 120))
		return;
	room = b->cap - b->len;
	va_copy(again, ap);
	len = vsnprintf(b->s + b->len, room, fmt, again);
	va_end(again);
	if (len >= 0 && (size_t)len >= room) {
		if (strbuf_reserve(b, (size_t)len))
			vsnprintf(b->s + b->len, (size_t)len + 1, fmt, ap);
	}
	if (len < 0)
		b->failed = true;
	if (b->failed)
		b->s[b->len] = '\0';
	else
		b->len += (size_t)len;
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

char *strbuf_detach(struct strbuf *b)
{
	char *s = NULL;

	if (!b->failed)
		s = b->cap ? b->s : alloc_strdup("");
	if (!b->failed && b->cap)
		b->cap = 0;
	strbuf_free(b);
	return s;
}
