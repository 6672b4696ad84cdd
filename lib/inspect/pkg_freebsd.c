/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkg_freebsd.c - FreeBSD's pkg(8): the table "packages" of /var/db/pkg/local.sqlite. */
#include "pkg.h"

#include "alloc.h"
#include "limits.h"
#include "sqlite.h"

#include <string.h>

enum { C_NAME, C_VERSION, C_ORIGIN, C_COMMENT, C_DESC, C_ARCH, C_MAINTAINER, C_WWW, C_TIME, C_COUNT };
static const char *const columns[C_COUNT] = { "name", "version", "origin", "comment", "desc", "arch", "maintainer", "www", "time" };

struct row_call {
	package_fn fn;
	void *arg;
};

struct texts {
	char *s[C_COUNT];
};

static void texts_free(struct texts *t)
{
	for (size_t i = 0; i < C_COUNT; i++)
		free(t->s[i]);
}

static int on_row(void *arg, const struct sqlite_value *v, size_t n, struct err *e)
{
	const struct row_call *c = arg;
	CLEANUP(texts_free) struct texts t = { { NULL } };
	struct package p = { .name = NULL };

	if (n < C_COUNT || v[C_NAME].type != SQLITE_TEXT || v[C_VERSION].type != SQLITE_TEXT)
		return err_set(e, ERR_CORRUPT, "a row without a name or version");
	for (size_t i = 0; i < C_COUNT; i++) {
		if (v[i].type != SQLITE_TEXT || v[i].len == 0)
			continue;
		t.s[i] = alloc_strndup((const char *)v[i].bytes, v[i].len);
		if (!t.s[i])
			return err_nomem(e);
	}
	if (!t.s[C_NAME] || !t.s[C_VERSION])
		return 0;
	p.name = t.s[C_NAME];
	/* "1.2.3_4,1": revision of the port, and epoch.  Whole, as its own tools name and compare it. */
	p.version = t.s[C_VERSION];
	p.source = t.s[C_ORIGIN];
	p.summary = t.s[C_COMMENT];
	p.description = t.s[C_DESC];
	p.arch = t.s[C_ARCH];
	p.vendor = t.s[C_MAINTAINER];
	p.url = t.s[C_WWW];
	p.install_time = v[C_TIME].type == SQLITE_INTEGER ? v[C_TIME].integer : 0;
	return c->fn(c->arg, &p, e);
}

static int freebsd_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct row_call c = { fn, arg };

	return sqlite_walk_columns(v, path, "packages", columns, C_COUNT, LIMIT_CONFIG_BYTES, on_row, &c, e);
}

const struct pkg_format pkg_freebsd = { .name = "pkg", .path = "/var/db/pkg/local.sqlite", .list = freebsd_list };
