/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_xbps.c - Void's database: /var/db/xbps/pkgdb-0.38.plist, a property list in XML (proplib(3)): a dictionary of packages,
 * each a dictionary of strings.
 *
 * It is written an element a line, and is megabytes: so it is read by lines, and one longer than any of its writer's is an error.
 */
#include "pkg.h"

#include "alloc.h"
#include "guest_lines.h"

#include <stdio.h>
#include <string.h>

enum { X_PKGVER, X_ARCH, X_SUMMARY, X_URL, X_MAINTAINER, X_DATE, X_SOURCE, X_STATE, X_COUNT };
static const char *const keys[X_COUNT] = { "pkgver", "architecture", "short_desc", "homepage",
					   "maintainer", "install-date", "source-revisions", "state" };

struct values {
	struct strbuf v[X_COUNT];
	struct strbuf *open; /* whose key was read last; NULL: none of ours */
	unsigned depth;	     /* of dictionaries and arrays: a package's own strings are at 2 */
	package_fn fn;
	void *arg;
};

static void values_free(struct values *s)
{
	for (size_t i = 0; i < X_COUNT; i++)
		strbuf_free(&s->v[i]);
}

static char *or_none(const struct strbuf *b)
{
	return b->len ? pkg_xml_unescape(b->s) : NULL;
}

/* "2024-03-01 12:34 UTC" */
static int64_t seconds_of(const char *text)
{
	int year, month, day, hour, minute;
	int64_t y, days;

	if (sscanf(text, "%4d-%2d-%2d %2d:%2d", &year, &month, &day, &hour, &minute) != 5 || year < 1970 || month < 1 ||
	    month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return 0;
	/* Days of a year that begins in March, so that the odd day comes last. */
	y = year - (month < 3);
	days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * (month + (month < 3 ? 9 : -3)) + 2) / 5 + day - 1 - 719468;
	return days * 86400 + hour * 3600 + minute * 60;
}

static int package_give(struct values *s, struct err *e)
{
	struct package p = { .name = NULL };
	char *version = NULL, *colon;
	int rc = 0;

	for (size_t i = 0; i < X_COUNT; i++)
		if (s->v[i].failed)
			return err_nomem(e);
	/* "acl-2.3.1_3" */
	if (s->v[X_PKGVER].len && (!s->v[X_STATE].len || strcmp(s->v[X_STATE].s, "installed") == 0))
		version = strrchr(s->v[X_PKGVER].s, '-');
	if (version) {
		*version = '\0';
		p.name = pkg_xml_unescape(s->v[X_PKGVER].s);
		p.version = version + 1;
		p.arch = or_none(&s->v[X_ARCH]);
		p.summary = or_none(&s->v[X_SUMMARY]);
		p.url = or_none(&s->v[X_URL]);
		p.vendor = or_none(&s->v[X_MAINTAINER]);
		p.source = or_none(&s->v[X_SOURCE]);
		/* "acl:0123abcd": with the revision of its recipe. */
		colon = p.source ? strchr(s->v[X_SOURCE].s, ':') : NULL;
		if (colon)
			*colon = '\0';
		p.install_time = seconds_of(s->v[X_DATE].s);
		rc = *p.name ? s->fn(s->arg, &p, e) : 0;
	}
	for (size_t i = 0; i < X_COUNT; i++)
		strbuf_reset(&s->v[i]);
	return rc;
}

/* An element: what stands between "<" and ">", and the text behind it up to the next "<". */
static int element_take(struct values *s, const char *tag, const char *text, struct err *e)
{
	if (strcmp(tag, "dict") == 0 || strcmp(tag, "array") == 0) {
		s->depth += s->depth < 100;
		s->open = NULL;
	} else if (strcmp(tag, "/dict") == 0 || strcmp(tag, "/array") == 0) {
		bool whole = s->depth == 2 && tag[1] == 'd';

		s->depth -= s->depth > 0;
		s->open = NULL;
		return whole ? package_give(s, e) : 0;
	} else if (strcmp(tag, "key") == 0) {
		s->open = NULL;
		for (size_t i = 0; s->depth == 2 && i < X_COUNT; i++)
			if (strcmp(text, keys[i]) == 0)
				s->open = &s->v[i];
	} else if (strcmp(tag, "string") == 0 && s->open) {
		strbuf_reset(s->open);
		strbuf_puts(s->open, text);
		s->open = NULL;
	}
	return 0;
}

static int line_take(struct values *s, char *line, struct err *e)
{
	char *p = strchr(line, '<');
	int rc = 0;

	while (p && rc == 0) {
		char *tag = p + 1, *close = strchr(tag, '>'), *next;

		if (!close)
			break;
		*close = '\0';
		next = strchr(close + 1, '<');
		if (next)
			*next = '\0';
		rc = element_take(s, tag, close + 1, e);
		if (next)
			*next = '<';
		p = next;
	}
	return rc;
}

static int xbps_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	CLEANUP(values_free) struct values s = { .fn = fn, .arg = arg };
	CLEANUP(lines_close) struct lines l;
	char *line;
	int rc;

	for (size_t i = 0; i < X_COUNT; i++)
		s.v[i] = (struct strbuf)STRBUF_INIT;
	rc = lines_open(v, path, &l, e);
	if (rc < 0)
		return rc;
	while ((rc = lines_next(&l, &line, e)) > 0) {
		if (l.cut)
			return err_set(e, ERR_LIMIT, "a line of more than %d bytes", LINES_BUFFER);
		rc = line_take(&s, line, e);
		if (rc != 0)
			return rc;
	}
	return rc;
}

const struct pkg_format pkg_xbps = { .name = "xbps", .path = "/var/db/xbps/pkgdb-0.38.plist", .list = xbps_list };
