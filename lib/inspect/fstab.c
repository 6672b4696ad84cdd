/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fstab.c - lines of /etc/fstab: fields between blanks, in which a blank is written \040. */
#include "guest.h"

#include "alloc.h"
#include "limits.h"

void fstab_free(struct fstab *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].spec);
		free(f->items[i].dir);
		free(f->items[i].type);
		free(f->items[i].opts);
	}
	free(f->items);
	memset(f, 0, sizeof *f);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The next field of [*p, end) with its escapes undone; NULL with *p at end when there is none, or out of memory. */
static char *field_next(const char **p, const char *end, bool *nomem)
{
	const char *from = *p;
	char *field, *to;

	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	*p = from;
	while (*p < end && **p != ' ' && **p != '\t')
		(*p)++;
	if (from == *p)
		return NULL;
	field = to = alloc_bytes((size_t)(*p - from) + 1);
	if (!field) {
		*nomem = true;
		return NULL;
	}
	while (from < *p) {
		if (*from == '\\' && *p - from >= 4 && from[1] <= '3' && is_octal(from[1]) && is_octal(from[2]) &&
		    is_octal(from[3])) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return field;
}

static int line_add(struct fstab *f, const char *p, const char *end, struct err *e)
{
	struct fstab_line *items, *l;
	bool nomem = false;
	const char *first = p;

	while (first < end && (*first == ' ' || *first == '\t'))
		first++;
	if (first == end || *first == '#')
		return 0;
	if (f->n == LIMIT_FSTAB_LINES)
		return err_set(e, ERR_LIMIT, "more than %d lines in fstab", LIMIT_FSTAB_LINES);
	items = alloc_resize(f->items, f->n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	f->items = items;
	l = &items[f->n++];
	memset(l, 0, sizeof *l);
	l->spec = field_next(&p, end, &nomem);
	l->dir = field_next(&p, end, &nomem);
	l->type = field_next(&p, end, &nomem);
	l->opts = field_next(&p, end, &nomem);
	if (nomem)
		return err_nomem(e);
	/* A line that names no place is not a mount. */
	if (!l->dir) {
		free(l->spec);
		f->n--;
		return 0;
	}
	if (!l->type)
		l->type = alloc_strdup("auto");
	if (!l->opts)
		l->opts = alloc_strdup("defaults");
	return l->type && l->opts ? 0 : err_nomem(e);
}

int fstab_parse(const char *text, size_t len, struct fstab *out, struct err *e)
{
	const char *p = text, *end = text + len;

	memset(out, 0, sizeof *out);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		const char *nul = memchr(p, '\0', (size_t)(stop - p));
		int rc = line_add(out, p, nul ? nul : stop, e);

		if (rc < 0) {
			fstab_free(out);
			return rc;
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}
