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

#include <stdlib.h>
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

/* ---- when it was installed ---- */

#define INFO "/var/lib/dpkg/info"

/* The lists of files, by name: the folder is read once, as there is a list for each package. */
struct info_list {
	char *name; /* without ".list" */
	struct vfs_node node;
};
struct info {
	struct info_list *items;
	size_t n, cap;
};

static void info_free(struct info *in)
{
	for (size_t i = 0; i < in->n; i++)
		free(in->items[i].name);
	free(in->items);
}

static int info_take(void *arg, const struct vfs_dirent *d, struct err *e)
{
	struct info *in = arg;
	size_t len = strlen(d->name), suffix = strlen(".list");

	if (len <= suffix || strcmp(d->name + len - suffix, ".list") != 0 || in->n == LIMIT_PACKAGES)
		return 0;
	if (in->n == in->cap) {
		size_t cap = in->cap ? in->cap * 2 : 1024;
		struct info_list *items = alloc_resize(in->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		in->items = items;
		in->cap = cap;
	}
	in->items[in->n] = (struct info_list){ .name = alloc_strndup(d->name, len - suffix), .node = d->node };
	if (!in->items[in->n].name)
		return err_nomem(e);
	in->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct info_list *)a)->name, ((const struct info_list *)b)->name);
}

/* One that cannot be read, or only in part, leaves times untold. */
static int info_read(struct vfs *v, struct info *in, struct err *e)
{
	struct err why = ERR_INIT;
	struct vfs_node dir;

	if (vfs_lookup(v, INFO, true, &dir, &why) == 0 && vfs_readdir(v, dir, false, info_take, in, &why) < 0 &&
	    why.code == ERR_NOMEM)
		return err_nomem(e);
	if (in->n)
		qsort(in->items, in->n, sizeof *in->items, by_name);
	return 0;
}

/* A list has the name of its package, or that and the architecture. */
static int64_t install_time(const struct info *in, char *name, const char *arch)
{
	CLEANUP(free_ptr) char *multi = alloc_printf("%s:%s", name, arch);
	struct info_list key = { .name = name };
	const struct info_list *found = in->n ? bsearch(&key, in->items, in->n, sizeof key, by_name) : NULL;
	struct fs_stat st;

	key.name = multi;
	if (!found && multi && in->n)
		found = bsearch(&key, in->items, in->n, sizeof key, by_name);
	return found && fs_stat(found->node.fs, found->node.ino, &st, NULL) == 0 ? st.mtime.sec : 0;
}

/* ---- packages ---- */

static const char *or_none(const struct strbuf *b)
{
	return b->len ? b->s : NULL;
}

static int paragraph_give(const struct info *in, struct paragraph *p, package_fn fn, void *arg, struct err *e)
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
	pkg.install_time = install_time(in, p->value[F_PACKAGE].s, pkg.arch ? pkg.arch : "");
	return fn(arg, &pkg, e);
}

static int deb_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	CLEANUP(paragraph_free) struct paragraph p;
	CLEANUP(lines_close) struct lines l;
	CLEANUP(info_free) struct info in = { .n = 0 };
	char *line;
	int rc;

	for (size_t i = 0; i < F_COUNT; i++)
		p.value[i] = (struct strbuf)STRBUF_INIT;
	p.description = (struct strbuf)STRBUF_INIT;
	p.open = -1;
	rc = lines_open(v, path, &l, e);
	if (rc < 0)
		return rc;
	rc = info_read(v, &in, e);
	if (rc < 0)
		return rc;
	while ((rc = lines_next(&l, &line, e)) > 0) {
		if (*line) {
			line_take(&p, line);
			continue;
		}
		rc = paragraph_give(&in, &p, fn, arg, e);
		if (rc != 0)
			return rc;
		paragraph_reset(&p);
	}
	return rc < 0 ? rc : paragraph_give(&in, &p, fn, arg, e);
}

const struct pkg_format pkg_deb = { .name = "deb", .path = "/var/lib/dpkg/status", .list = deb_list };
