/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_folders.c - databases in which each package has a folder: pacman's (/var/lib/pacman/local/NAME-VERSION/desc, lines of
 * "%FIELD%" with values below) and Portage's (/var/db/pkg/CATEGORY/NAME-VERSION, a file for each field).
 */
#include "pkg.h"

#include "alloc.h"
#include "limits.h"
#include "guest_lines.h"
#include "text.h"

#include <ctype.h>
#include <sys/stat.h>

static const char *or_none(const struct strbuf *b)
{
	return b->len ? b->s : NULL;
}

static int64_t seconds_of(const char *text)
{
	uint64_t seconds;

	return text_parse_u64(text, &seconds) && seconds <= INT64_MAX ? (int64_t)seconds : 0;
}

/* ---- pacman ---- */

enum { P_NAME, P_VERSION, P_BASE, P_DESC, P_URL, P_ARCH, P_DATE, P_PACKAGER, P_COUNT };
static const char *const pacman_fields[P_COUNT] = { "%NAME%", "%VERSION%", "%BASE%",	    "%DESC%",
						    "%URL%",  "%ARCH%",	   "%INSTALLDATE%", "%PACKAGER%" };

struct folder_call {
	struct vfs *v;
	const char *path; /* of the folder above */
	package_fn fn;
	void *arg;
};

struct pacman_values {
	struct strbuf v[P_COUNT];
};

static void pacman_free(struct pacman_values *s)
{
	for (size_t i = 0; i < P_COUNT; i++)
		strbuf_free(&s->v[i]);
}

/* The first line below each field. */
static int desc_read(struct lines *l, struct pacman_values *s, struct err *e)
{
	struct strbuf *open = NULL;
	char *line;
	int rc;

	while ((rc = lines_next(l, &line, e)) > 0) {
		if (*line == '%') {
			open = NULL;
			for (size_t i = 0; i < P_COUNT; i++)
				if (strcmp(line, pacman_fields[i]) == 0)
					open = &s->v[i];
		} else if (open && open->len == 0) {
			strbuf_puts(open, line);
		}
	}
	for (size_t i = 0; i < P_COUNT; i++)
		if (s->v[i].failed)
			return err_nomem(e);
	return rc;
}

static int pacman_one(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct folder_call *c = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s/desc", c->path, d->name);
	CLEANUP(pacman_free) struct pacman_values s;
	CLEANUP(lines_close) struct lines l = { .buf = NULL };
	struct package p = { .name = NULL };
	int rc;

	for (size_t i = 0; i < P_COUNT; i++)
		s.v[i] = (struct strbuf)STRBUF_INIT;
	if (!path)
		return err_nomem(e);
	rc = lines_open(c->v, path, &l, e);
	/* A file beside the folders (ALPM_DB_VERSION), or one that is being written. */
	if (rc == -ERR_NOT_FOUND || rc == -ERR_SYSTEM) {
		err_clear(e);
		return 0;
	}
	if (rc == 0)
		rc = desc_read(&l, &s, e);
	if (rc < 0 || !s.v[P_NAME].len || !s.v[P_VERSION].len)
		return rc;
	p.name = s.v[P_NAME].s;
	pkg_version_split(s.v[P_VERSION].s, &p);
	p.source = or_none(&s.v[P_BASE]);
	p.summary = or_none(&s.v[P_DESC]);
	p.url = or_none(&s.v[P_URL]);
	p.arch = or_none(&s.v[P_ARCH]);
	p.vendor = or_none(&s.v[P_PACKAGER]);
	p.install_time = seconds_of(s.v[P_DATE].s);
	return c->fn(c->arg, &p, e);
}

static int pacman_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct folder_call c = { v, path, fn, arg };
	struct vfs_node dir;
	int rc = vfs_lookup(v, path, true, &dir, e);

	return rc < 0 ? rc : vfs_readdir(v, dir, true, pacman_one, &c, e);
}

const struct pkg_format pkg_pacman = { .name = "pacman", .path = "/var/lib/pacman/local", .list = pacman_list };

/* ---- Portage ---- */

/* "name-1.2.3-r4": where the version begins, at a dash before a digit; NULL: nowhere. */
static char *version_in(char *name)
{
	char *dash = strrchr(name, '-'), *at = dash;

	/* "-r4" belongs to the version before it. */
	if (dash && dash[1] == 'r' && isdigit((unsigned char)dash[2])) {
		*dash = '\0';
		at = strrchr(name, '-');
		*dash = '-';
	}
	return at && isdigit((unsigned char)at[1]) ? at : NULL;
}

/* The first line of a field's file. */
static int field_read(struct vfs *v, const char *folder, const char *field, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", folder, field);
	struct err why = ERR_INIT;
	size_t len;
	int rc;

	if (!path)
		return err_nomem(e);
	rc = vfs_read_file(v, path, LIMIT_CONFIG_BYTES, out, &len, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc == 0)
		(*out)[strcspn(*out, "\n")] = '\0';
	return 0;
}

static int portage_one(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct folder_call *c = arg;
	CLEANUP(free_ptr) char *folder = alloc_printf("%s/%s", c->path, d->name);
	CLEANUP(free_ptr) char *name = NULL, *url = NULL, *summary = NULL, *time = NULL, *arch = NULL;
	const char *category = strrchr(c->path, '/') + 1;
	struct package p = { .name = NULL };
	char *version, *revision;
	int rc;

	if (!folder)
		return err_nomem(e);
	name = alloc_printf("%s/%s", category, d->name);
	if (!name)
		return err_nomem(e);
	version = version_in(name);
	if (!version || !vfs_is_dir(c->v, folder))
		return 0;
	*version++ = '\0';
	revision = strstr(version, "-r");
	if (revision) {
		*revision = '\0';
		p.release = revision + 1;
	}
	rc = field_read(c->v, folder, "HOMEPAGE", &url, e);
	if (rc == 0)
		rc = field_read(c->v, folder, "DESCRIPTION", &summary, e);
	if (rc == 0)
		rc = field_read(c->v, folder, "BUILD_TIME", &time, e);
	if (rc == 0)
		rc = field_read(c->v, folder, "CHOST", &arch, e);
	if (rc < 0)
		return rc;
	p.name = name;
	p.version = version;
	p.url = url;
	p.summary = summary;
	p.arch = arch;
	p.install_time = time ? seconds_of(time) : 0;
	return c->fn(c->arg, &p, e);
}

static int category_one(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct folder_call *above = arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", above->path, d->name);
	struct folder_call c = { above->v, path, above->fn, above->arg };
	struct fs_stat st;

	if (!path)
		return err_nomem(e);
	if (fs_stat(d->node.fs, d->node.ino, &st, NULL) < 0 || !S_ISDIR(st.mode))
		return 0;
	return vfs_readdir(c.v, d->node, true, portage_one, &c, e);
}

static int portage_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct folder_call c = { v, path, fn, arg };
	struct vfs_node dir;
	int rc = vfs_lookup(v, path, true, &dir, e);

	return rc < 0 ? rc : vfs_readdir(v, dir, true, category_one, &c, e);
}

/* pkgsrc's packages lie in the same folder, one level higher: there is no folder with a version below these. */
const struct pkg_format pkg_portage = { .name = "ebuild", .path = "/var/db/pkg", .list = portage_list };
