/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_bsd.c - databases in which each package has a folder NAME-VERSION with files "+CONTENTS", "+COMMENT" ...: pkgsrc's
 * (pkg_create(1); NetBSD's in /var/db/pkg or /usr/pkg/pkgdb), and OpenBSD's (package(5)), which has no +BUILD_INFO.
 */
#include "pkg.h"

#include "alloc.h"
#include "guest_lines.h"
#include "os.h"
#include "text.h"

#include <ctype.h>
#include <string.h>

struct call {
	struct vfs *v;
	const char *path;
	bool openbsd;
	package_fn fn;
	void *arg;
};

/* "vim-9.0.1-no_x11": the last dash before a digit; NULL: there is no version. */
static char *version_in(char *name)
{
	for (char *p = name + strlen(name); p > name; p--)
		if (p[-1] == '-' && isdigit((unsigned char)*p))
			return p - 1;
	return NULL;
}

struct texts {
	char *comment, *info, *arch, *url, *source, *contents;
};

static void texts_free(struct texts *t)
{
	free(t->comment);
	free(t->info);
	free(t->arch);
	free(t->url);
	free(t->source);
	free(t->contents);
}

/* "@arch amd64", "@comment pkgpath=shells/bash ftp=yes" in the first lines; +CONTENTS lists all files behind them. */
static int contents_read(const struct call *c, const char *folder, struct texts *t, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/+CONTENTS", folder);
	CLEANUP(lines_close) struct lines l = { .buf = NULL };
	struct err why = ERR_INIT;
	const char *rest;
	char *line;
	int rc;

	if (!path)
		return err_nomem(e);
	rc = lines_open(c->v, path, &l, &why);
	for (int i = 0; rc == 0 && i < 40 && lines_next(&l, &line, &why) > 0; i++) {
		char **to = NULL;

		if (text_starts(line, "@arch ", &rest) && !t->arch)
			to = &t->arch;
		else if (text_starts(line, "@comment pkgpath=", &rest) && !t->source)
			to = &t->source;
		if (to && !(*to = alloc_strndup(rest, strcspn(rest, " "))))
			return err_nomem(e);
	}
	return why.code == ERR_NOMEM ? err_nomem(e) : 0;
}

static int info_read(struct texts *t, struct err *e)
{
	int rc = os_shell_value(t->info, "MACHINE_ARCH", &t->arch, e);

	if (rc >= 0)
		rc = os_shell_value(t->info, "HOMEPAGE", &t->url, e);
	if (rc >= 0)
		rc = os_shell_value(t->info, "PKGPATH", &t->source, e);
	return rc < 0 ? rc : 0;
}

static int on_folder(void *arg, const char *folder_name, struct err *e)
{
	const struct call *c = arg;
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/%s", c->path, folder_name), *name = alloc_strdup(folder_name);
	CLEANUP(free_ptr) char *contents = alloc_printf("%s/%s/+CONTENTS", c->path, folder_name);
	CLEANUP(texts_free) struct texts t = { NULL };
	struct package p = { .name = name };
	struct fs_stat st;
	char *version;
	int rc;

	if (!folder || !name || !contents)
		return err_nomem(e);
	version = version_in(name);
	if (!version || vfs_stat(c->v, contents, true, &st, NULL) < 0)
		return 0;
	rc = pkg_text(c->v, folder, "+BUILD_INFO", &t.info, e);
	/* The other one's. */
	if (rc < 0 || (t.info == NULL) != c->openbsd)
		return rc;
	rc = c->openbsd ? contents_read(c, folder, &t, e) : info_read(&t, e);
	if (rc == 0)
		rc = pkg_text(c->v, folder, c->openbsd ? "+DESC" : "+COMMENT", &t.comment, e);
	if (rc < 0)
		return rc;
	if (t.comment)
		t.comment[strcspn(t.comment, "\r\n")] = '\0';
	*version = '\0';
	p.version = version + 1;
	p.arch = t.arch;
	p.url = t.url;
	p.source = t.source;
	p.summary = t.comment;
	p.install_time = st.mtime.sec;
	return c->fn(c->arg, &p, e);
}

static int pkgsrc_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct call c = { v, path, false, fn, arg };

	return pkg_each_folder(v, path, on_folder, &c, e);
}

static int openbsd_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct call c = { v, path, true, fn, arg };

	return pkg_each_folder(v, path, on_folder, &c, e);
}

const struct pkg_format pkg_pkgsrc = { .name = "pkgsrc", .path = "/var/db/pkg", .list = pkgsrc_list };
const struct pkg_format pkg_pkgsrc_usr = { .name = "pkgsrc", .path = "/usr/pkg/pkgdb", .list = pkgsrc_list };
const struct pkg_format pkg_openbsd = { .name = "pkg", .path = "/var/db/pkg", .list = openbsd_list };
