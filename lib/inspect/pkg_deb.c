/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_deb.c - dpkg's database: /var/lib/dpkg/status, paragraphs of "Field: value" with blank lines between, where a line
 * that begins with a blank goes on (deb-control(5)).  When a package was installed is the time of its list of files.
 */
#include "pkg.h"

#include "alloc.h"
#include "limits.h"
#include "guest_lines.h"
#include "text.h"

#include <string.h>

enum { F_PACKAGE, F_STATUS, F_VERSION, F_ARCH, F_MAINTAINER, F_HOMEPAGE, F_SOURCE, F_SUMMARY, F_COUNT };
static const char *const fields[F_COUNT] = { "Package", "Status", "Version",	"Architecture",
					     "Maintainer", "Homepage", "Source", "Description" };

struct paragraph {
	struct strbuf value[F_COUNT];
	struct strbuf description; /* the lines behind the summary */
	int open;		   /* the field that may go on; -1: none of ours */
};

static void paragraph_free(struct paragraph *p)
{
	for (size_t i = 0; i < F_COUNT; i++)
		strbuf_free(&p->value[i]);
	strbuf_free(&p->description);
}

static void paragraph_reset(struct paragraph *p)
{
	for (size_t i = 0; i < F_COUNT; i++)
		strbuf_reset(&p->value[i]);
	strbuf_reset(&p->description);
	p->open = -1;
}

static void line_take(struct paragraph *p, const char *line)
{
	const char *rest;

	if (*line == ' ' || *line == '\t') {
		if (p->open == F_SUMMARY && p->description.len < LIMIT_CONFIG_BYTES) {
			strbuf_puts(&p->description, p->description.len ? "\n" : "");
			strbuf_puts(&p->description, strcmp(line, " .") == 0 ? "" : line + 1);
		}
		return;
	}
	p->open = -1;
	for (int i = 0; i < F_COUNT; i++) {
		if (!text_starts(line, fields[i], &rest) || *rest != ':')
			continue;
		rest++;
		while (*rest == ' ' || *rest == '\t')
			rest++;
		strbuf_reset(&p->value[i]);
		strbuf_puts(&p->value[i], rest);
		p->open = i;
	}
}

/* The time of info/NAME.list, or of info/NAME:ARCH.list. */
static int64_t install_time(struct vfs *v, const char *name, const char *arch)
{
	CLEANUP(free_ptr) char *plain = alloc_printf("/var/lib/dpkg/info/%s.list", name);
	CLEANUP(free_ptr) char *multi = alloc_printf("/var/lib/dpkg/info/%s:%s.list", name, arch);
	struct fs_stat st;

	/* No name has a slash; one that has would look elsewhere. */
	if (!plain || !multi || strchr(name, '/') || strchr(arch, '/'))
		return 0;
	if (vfs_stat(v, plain, true, &st, NULL) == 0 || vfs_stat(v, multi, true, &st, NULL) == 0)
		return st.mtime.sec;
	return 0;
}

static const char *or_none(const struct strbuf *b)
{
	return b->len ? b->s : NULL;
}

static int paragraph_give(struct vfs *v, struct paragraph *p, package_fn fn, void *arg, struct err *e)
{
	struct package pkg = { .name = p->value[F_PACKAGE].s };

	for (size_t i = 0; i < F_COUNT; i++)
		if (p->value[i].failed)
			return err_nomem(e);
	if (p->description.failed)
		return err_nomem(e);
	if (!*pkg.name || !p->value[F_VERSION].len || strcmp(p->value[F_STATUS].s, "install ok installed") != 0)
		return 0;
	pkg_version_split(p->value[F_VERSION].s, &pkg);
	/* "gcc-12 (12.2.0-14)": the version is that of the binary where it is not told. */
	if (p->value[F_SOURCE].len)
		p->value[F_SOURCE].s[strcspn(p->value[F_SOURCE].s, " ")] = '\0';
	pkg.source = p->value[F_SOURCE].len ? p->value[F_SOURCE].s : pkg.name;
	pkg.arch = or_none(&p->value[F_ARCH]);
	pkg.vendor = or_none(&p->value[F_MAINTAINER]);
	pkg.url = or_none(&p->value[F_HOMEPAGE]);
	pkg.summary = or_none(&p->value[F_SUMMARY]);
	pkg.description = or_none(&p->description);
	pkg.install_time = install_time(v, pkg.name, pkg.arch ? pkg.arch : "");
	return fn(arg, &pkg, e);
}

static int deb_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	CLEANUP(paragraph_free) struct paragraph p;
	CLEANUP(lines_close) struct lines l;
	char *line;
	int rc;

	for (size_t i = 0; i < F_COUNT; i++)
		p.value[i] = (struct strbuf)STRBUF_INIT;
	p.description = (struct strbuf)STRBUF_INIT;
	p.open = -1;
	rc = lines_open(v, path, &l, e);
	if (rc < 0)
		return rc;
	while ((rc = lines_next(&l, &line, e)) > 0) {
		if (*line) {
			line_take(&p, line);
			continue;
		}
		rc = paragraph_give(v, &p, fn, arg, e);
		if (rc != 0)
			return rc;
		paragraph_reset(&p);
	}
	return rc < 0 ? rc : paragraph_give(v, &p, fn, arg, e);
}

const struct pkg_format pkg_deb = { .name = "deb", .path = "/var/lib/dpkg/status", .list = deb_list };
