/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkg_bundles.c - applications that come with all they need: Flatpak's (/var/lib/flatpak/app/ID/ARCH/BRANCH/active) and snaps
 * (/snap/NAME/current names the revision, whose squashfs, with meta/snap.yaml in it, is /var/lib/snapd/snaps/NAME_REVISION.snap).
 */
#include "pkg.h"

#include "alloc.h"
#include "guest_block.h"
#include "limits.h"
#include "text.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Flatpak ---- */

struct flatpak {
	struct vfs *v;
	const char *id, *arch; /* folders so far */
	const char *path;      /* of the innermost */
	package_fn fn;
	void *arg;
};

/*
 * The newest version in the application's own description, an XML of which one attribute counts: <release version="1.2" ...>.
 * NULL: it has none.
 */
static int app_version(struct vfs *v, const char *active, const char *id, char **version, struct err *e)
{
	static const char *const files[] = { "files/share/metainfo/%s.metainfo.xml", "files/share/metainfo/%s.appdata.xml",
					     "files/share/appdata/%s.appdata.xml" };
	CLEANUP(free_ptr) char *text = NULL;
	const char *p;

	for (size_t i = 0; i < ARRAY_LEN(files) && !text; i++) {
		CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
		const char *hole = strstr(files[i], "%s");

		strbuf_add(&name, files[i], (size_t)(hole - files[i]));
		strbuf_puts(&name, id);
		strbuf_puts(&name, hole + 2);
		if (name.failed || pkg_text(v, active, name.s, &text, e) < 0)
			return err_nomem(e);
	}
	p = text ? strstr(text, "<release ") : NULL;
	if (p) {
		const char *end = strchr(p, '>');

		p = end ? memmem(p, (size_t)(end - p), "version=\"", 9) : NULL;
	}
	if (!p)
		return 0;
	p += 9;
	*version = alloc_strndup(p, strcspn(p, "\""));
	if (!*version)
		return err_nomem(e);
	pkg_xml_unescape(*version);
	return 0;
}

static int on_branch(void *arg, const char *branch, struct err *e)
{
	const struct flatpak *c = arg;
	CLEANUP(free_ptr) char *active = alloc_printf("%s/%s/active", c->path, branch), *version = NULL;
	struct fs_stat st;
	int rc;

	if (!active)
		return err_nomem(e);
	/* Without it, it is kept and not deployed. */
	if (vfs_stat(c->v, active, true, &st, NULL) < 0 || !S_ISDIR(st.mode))
		return 0;
	rc = app_version(c->v, active, c->id, &version, e);
	if (rc < 0)
		return rc;
	/* A runtime's version is its branch. */
	return c->fn(c->arg,
		     &(struct package){
			     .name = c->id,
			     .version = version && *version ? version : branch,
			     .arch = c->arch,
			     .install_time = st.mtime.sec,
		     },
		     e);
}

/* One folder further down: the application, the processor. */
static int on_level(void *arg, const char *name, struct err *e)
{
	struct flatpak c = *(const struct flatpak *)arg;
	CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", c.path, name);

	if (!path)
		return err_nomem(e);
	c.path = path;
	if (!c.id) {
		c.id = name;
		return pkg_each_folder(c.v, path, on_level, &c, e);
	}
	c.arch = name;
	return pkg_each_folder(c.v, path, on_branch, &c, e);
}

static int flatpak_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	static const char *const kinds[] = { "app", "runtime" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++) {
		CLEANUP(free_ptr) char *below = alloc_printf("%s/%s", path, kinds[i]);
		struct flatpak c = { .v = v, .path = below, .fn = fn, .arg = arg };

		if (!below)
			return err_nomem(e);
		if (vfs_is_dir(v, below))
			rc = pkg_each_folder(v, below, on_level, &c, e);
	}
	return rc;
}

const struct pkg_format pkg_flatpak = { .name = "flatpak", .path = "/var/lib/flatpak", .list = flatpak_list };

/* ---- snaps ---- */

/* "KEY: value" at the beginning of a line of YAML, without quotes around it; of a list the first item.  NULL: none. */
static char *yaml_value(const char *text, const char *key)
{
	const char *rest;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len;

		if (!text_starts(p, key, &rest) || *rest != ':')
			continue;
		rest += 1 + strspn(rest + 1, " ");
		if (*rest == '\n' && (rest += 1 + strspn(rest + 1, " "), *rest == '-'))
			rest += 1 + strspn(rest + 1, " ");
		rest += *rest == '[';
		len = strcspn(rest, "\n");
		while (len && isspace((unsigned char)rest[len - 1]))
			len--;
		if (len >= 2 && (*rest == '"' || *rest == '\'') && rest[len - 1] == *rest) {
			rest++;
			len -= 2;
		}
		if (rest > p && rest[-1] == '[')
			len = MIN_OF(len, strcspn(rest, " ,]"));
		return len ? alloc_strndup(rest, len) : NULL;
	}
	return NULL;
}

struct snaps {
	struct vfs *v;
	const char *path; /* the folder with one folder a snap */
	package_fn fn;
	void *arg;
};

/* The meta/snap.yaml in a snap. */
static int snap_yaml(struct vfs *v, const char *path, char **text, int64_t *time, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	CLEANUP(fs_closep) struct fs *fs = NULL;
	CLEANUP(vfs_freep) struct vfs *inside = NULL;
	struct guest_file f;
	struct fs_stat st;
	size_t len;
	int rc = guest_file_find(v, path, &f, e);

	if (rc == 0)
		rc = err_set(e, ERR_NOT_FOUND, "%s is not there", path);
	if (rc > 0)
		rc = fs_stat(f.node.fs, f.node.ino, &st, e);
	if (rc == 0)
		rc = guest_block_open(&f, path, &b, e);
	if (rc == 0)
		rc = fs_open(b, &fs, e);
	if (rc == 0)
		rc = vfs_new(&inside, e);
	if (rc == 0)
		rc = vfs_mount(inside, fs, "/", e);
	if (rc < 0)
		return rc;
	fs = NULL;
	*time = st.mtime.sec;
	return vfs_read_file(inside, "/meta/snap.yaml", LIMIT_CONFIG_BYTES, text, &len, e);
}

static int on_snap(void *arg, const char *name, struct err *e)
{
	const struct snaps *c = arg;
	CLEANUP(free_ptr) char *link = alloc_printf("%s/%s/current", c->path, name), *file = NULL, *text = NULL;
	CLEANUP(free_ptr) char *version = NULL, *arch = NULL, *summary = NULL;
	CLEANUP(strbuf_free) struct strbuf revision = STRBUF_INIT;
	struct err why = ERR_INIT;
	struct package p = { .name = name };
	struct vfs_node n;
	int rc;

	if (!link)
		return err_nomem(e);
	/* "bin" has no such link.  A revision is a number, or "x1" of one that was not from the store. */
	if (vfs_lookup(c->v, link, false, &n, NULL) < 0 || fs_readlink(n.fs, n.ino, &revision, NULL) < 0 || !revision.len ||
	    strchr(revision.s, '/'))
		return 0;
	file = alloc_printf("/var/lib/snapd/snaps/%s_%s.snap", name, revision.s);
	if (!file)
		return err_nomem(e);
	rc = snap_yaml(c->v, file, &text, &p.install_time, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	/* Without what is in it, its name and revision are told. */
	if (rc == 0) {
		version = yaml_value(text, "version");
		arch = yaml_value(text, "architectures");
		summary = yaml_value(text, "summary");
	}
	p.version = version ? version : revision.s;
	p.release = version ? revision.s : NULL;
	p.arch = arch;
	p.summary = summary;
	return c->fn(c->arg, &p, e);
}

static int snap_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	struct snaps c = { v, path, fn, arg };

	return pkg_each_folder(v, path, on_snap, &c, e);
}

/* Where /snap is a link to this, it was listed. */
static int snap_var_list(struct vfs *v, const char *path, package_fn fn, void *arg, struct err *e)
{
	return vfs_is_dir(v, pkg_snap.path) ? 0 : snap_list(v, path, fn, arg, e);
}

const struct pkg_format pkg_snap = { .name = "snap", .path = "/snap", .list = snap_list };
const struct pkg_format pkg_snap_var = { .name = "snap", .path = "/var/lib/snapd/snap", .list = snap_var_list };
