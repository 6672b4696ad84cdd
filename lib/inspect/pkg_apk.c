/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_apk.c - Alpine's database: /lib/apk/db/installed, lines of a letter, a colon and a value, blank lines between
 * packages ("Apk spec", the installed database).
 */
#include "pkg.h"

#include "alloc.h"
#include "guest_lines.h"

#include <string.h>

/* The letters that tell something for us; files (F, R, Z, a, M) are passed over. */
static const char letters[] = "PVAToUm";
enum { L_NAME, L_VERSION, L_ARCH, L_SUMMARY, L_ORIGIN, L_URL, L_MAINTAINER, L_COUNT };
_Static_assert(sizeof letters == L_COUNT + 1, "a letter for each value");

struct values {
	struct strbuf v[L_COUNT];
};

static void values_free(struct values *s)
{
	for (size_t i = 0; i < L_COUNT; i++)
		strbuf_free(&s->v[i]);
}

static const char *or_none(const struct strbuf *b)
{
	return b->len ? b->s : NULL;
}

static int values_give(struct values *s, package_fn fn, void *arg, struct err *e)
{
	struct package p = { .name = s->v[L_NAME].s };
	int rc;

	for (size_t i = 0; i < L_COUNT; i++)
		if (s->v[i].failed)
			return err_nomem(e);
	if (!*p.name || !s->v[L_VERSION].len)
		return 0;
	/* "1.36.1-r29" */
	pkg_version_split(s->v[L_VERSION].s, &p);
	p.arch = or_none(&s->v[L_ARCH]);
	p.summary = or_none(&s->v[L_SUMMARY]);
	p.source = or_none(&s->v[L_ORIGIN]);
	p.url = or_none(&s->v[L_URL]);
	p.vendor = or_none(&s->v[L_MAINTAINER]);
	rc = fn(arg, &p, e);
	for (size_t i = 0; i < L_COUNT; i++)
		strbuf_reset(&s->v[i]);
	return rc;
}

static int apk_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	CLEANUP(values_free) struct values s;
	CLEANUP(lines_close) struct lines l;
	char *line;
	int rc;

	for (size_t i = 0; i < L_COUNT; i++)
		s.v[i] = (struct strbuf)STRBUF_INIT;
	rc = lines_open(v, path, &l, e);
	if (rc < 0)
		return rc;
	while ((rc = lines_next(&l, &line, e)) > 0) {
		const char *letter = *line && line[1] == ':' ? strchr(letters, *line) : NULL;

		if (letter) {
			struct strbuf *value = &s.v[letter - letters];

			strbuf_reset(value);
			strbuf_puts(value, line + 2);
		} else if (!*line) {
			rc = values_give(&s, fn, arg, e);
			if (rc != 0)
				return rc;
		}
	}
	return rc < 0 ? rc : values_give(&s, fn, arg, e);
}

const struct pkg_format pkg_apk = { .name = "apk", .path = "/lib/apk/db/installed", .list = apk_list };
