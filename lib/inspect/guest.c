/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - a guest's tree from its volumes: the root is found, and its fstab says what belongs where. */
#include "guest.h"

#include "alloc.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

void guest_free(struct guest *g)
{
	vfs_free(g->vfs);
	free(g->mounted);
	for (size_t i = 0; i < g->nnotes; i++)
		free(g->notes[i]);
	free(g->notes);
	memset(g, 0, sizeof *g);
}

__attribute__((format(printf, 3, 4))) static int note(struct guest *g, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char **notes;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	notes = alloc_resize(g->notes, g->nnotes + 1, sizeof *notes);
	if (!notes)
		return err_nomem(e);
	g->notes = notes;
	notes[g->nnotes] = strbuf_detach(&b);
	if (!notes[g->nnotes])
		return err_nomem(e);
	g->nnotes++;
	return 0;
}

/* Opens what lies in c and puts it on mountpoint. */
static int mount_content(const struct content *c, const char *mountpoint, struct guest *g, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	const struct content **mounted;
	const char *notice;
	int rc;

	if (!g->vfs) {
		rc = vfs_new(&g->vfs, e);
		if (rc < 0)
			return rc;
	}
	mounted = alloc_resize(g->mounted, g->nmounted + 1, sizeof *mounted);
	if (!mounted)
		return err_nomem(e);
	g->mounted = mounted;
	rc = fs_open(c->vol->block, &fs, e);
	if (rc < 0)
		return err_in(e, rc, "%s", c->vol->name);
	notice = fs_notice(fs);
	if (notice) {
		rc = note(g, e, "%s: %s", c->vol->name, notice);
		if (rc < 0)
			return rc;
	}
	rc = vfs_mount(g->vfs, fs, mountpoint, e);
	if (rc < 0)
		return err_in(e, rc, "%s", c->vol->name);
	fs = NULL;
	mounted[g->nmounted++] = c;
	return 0;
}

int guest_mount(const struct contents *c, const char *spec, const char *mountpoint, struct guest *g, struct err *e)
{
	const struct content *found = contents_find(c, spec);

	if (!found)
		return err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", spec);
	return mount_content(found, mountpoint, g, e);
}

/* ---- which is a root ---- */

/* 1 when something (with type not 0: such a thing) is there, 0 when not or unreadable, < 0 out of memory. */
static int is_there(struct vfs *v, const char *path, uint32_t type, struct err *e)
{
	struct fs_stat st;
	int rc = vfs_stat(v, path, type != 0, &st, NULL);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc == 0 && (type == 0 || (st.mode & S_IFMT) == type);
}

/*
 * As every inspection tool knows a Linux root: /etc, a file in it that every distribution has (perhaps a link into a /usr
 * that is not mounted yet), and programs.
 */
static int is_root(struct vfs *v, struct err *e)
{
	static const char *const files[] = { "/etc/fstab", "/etc/os-release", "/etc/hosts" };
	int rc = is_there(v, "/etc", S_IFDIR, e), any = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && rc > 0 && any == 0; i++)
		any = is_there(v, files[i], 0, e);
	if (rc <= 0 || any <= 0)
		return rc < 0 ? rc : any;
	rc = is_there(v, "/bin", 0, e);
	return rc != 0 ? rc : is_there(v, "/usr/bin", S_IFDIR, e);
}

/* 1 when it is, 0 when not or when it cannot be read, < 0 out of memory. */
static int looks_like_root(const struct content *c, struct err *e)
{
	CLEANUP(guest_free) struct guest g = { 0 };
	struct err why = ERR_INIT;
	int rc = mount_content(c, "/", &g, &why);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc == 0 ? is_root(g.vfs, e) : 0;
}

int roots_find(const struct contents *c, struct roots *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	out->items = alloc_array(c->n, sizeof *out->items);
	if (!out->items)
		return err_nomem(e);
	for (size_t i = 0; i < c->n; i++) {
		int rc = c->items[i].id.readable ? looks_like_root(&c->items[i], e) : 0;

		if (rc < 0) {
			roots_free(out);
			return rc;
		}
		if (rc > 0)
			out->items[out->n++] = i;
	}
	return 0;
}

void roots_free(struct roots *r)
{
	free(r->items);
	memset(r, 0, sizeof *r);
}

/* ---- fstab ---- */

/* Filesystems without a device, or over the network, and places that the running system fills itself. */
static bool is_elsewhere(const struct fstab_line *l)
{
	static const char *const types[] = { "swap", "proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "cgroup", "cgroup2",
					     "none", "nfs", "nfs4", "cifs", "smb3", "overlay", "fuse", "debugfs", "securityfs",
					     "efivarfs", "hugetlbfs", "mqueue", "bpf", "ramfs", "9p", "virtiofs" };
	static const char *const trees[] = { "/proc", "/sys", "/dev", "/run", "/media" };
	const char *rest;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(l->type, types[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (text_starts(l->dir, trees[i], &rest) && (!*rest || *rest == '/'))
			return true;
	/* Longer than any path may be: it cannot be looked up either. */
	return l->dir[0] != '/' || strlen(l->dir) >= LIMIT_PATH;
}

/* Is `word` one of the comma-separated options? */
static bool has_opt(const char *opts, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = opts; *p; p += strcspn(p, ",")) {
		while (*p == ',')
			p++;
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || !p[len]))
			return true;
	}
	return false;
}

static unsigned path_depth(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1] && path[1] != '/';
	return n;
}

/* A line of fstab; what stands in its way becomes a note. */
static int line_mount(const struct contents *c, const struct fstab_line *l, struct guest *g, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;
	const struct content *found;
	struct err why = ERR_INIT;
	int rc;

	text_quote(&q, l->dir, strlen(l->dir));
	strbuf_puts(&q, " (");
	text_quote(&q, l->spec, strlen(l->spec));
	strbuf_putc(&q, ')');
	found = contents_find(c, l->spec);
	if (!found)
		return note(g, e, "fstab: %s is not mounted: no such volume", q.s);
	if (found->id.type && strcmp(found->id.type, "swap") == 0)
		return 0;
	/* Each open filesystem costs memory, and a guest's fstab could ask for the same one without end. */
	for (size_t i = 0; i < g->nmounted; i++)
		if (g->mounted[i] == found)
			return note(g, e, "fstab: %s is not mounted: it is mounted on %s already", q.s,
				    vfs_mount_info(g->vfs, i).path);
	rc = mount_content(found, l->dir, g, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc < 0 ? note(g, e, "fstab: %s is not mounted: %s", q.s, why.msg) : 0;
}

static int fstab_mount(const struct contents *c, struct guest *g, struct err *e)
{
	CLEANUP(fstab_free) struct fstab f = { 0 };
	CLEANUP(free_ptr) char *text = NULL;
	struct err why = ERR_INIT;
	unsigned deepest = 0;
	size_t len = 0;
	int rc = vfs_read_file(g->vfs, "/etc/fstab", LIMIT_FSTAB_BYTES, &text, &len, &why);

	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = fstab_parse(text, len, &f, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return note(g, e, "fstab is not read: %s", why.msg);
	/* Upper directories first, whatever the order of the lines. */
	for (size_t i = 0; i < f.n; i++)
		if (!is_elsewhere(&f.items[i]))
			deepest = MAX_OF(deepest, path_depth(f.items[i].dir));
	for (unsigned depth = 1; depth <= deepest; depth++) {
		for (size_t i = 0; i < f.n; i++) {
			const struct fstab_line *l = &f.items[i];

			if (path_depth(l->dir) != depth || is_elsewhere(l) || has_opt(l->opts, "bind") ||
			    has_opt(l->opts, "rbind"))
				continue;
			rc = line_mount(c, l, g, e);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int guest_mount_root(const struct contents *c, size_t root, struct guest *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = mount_content(&c->items[root], "/", out, e);
	if (rc == 0)
		rc = fstab_mount(c, out, e);
	if (rc < 0)
		guest_free(out);
	return rc;
}

/* "/dev/sda1 (ext4), /dev/sda2" */
static void contents_name(struct strbuf *b, const struct contents *c, const size_t *which, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct content *it = &c->items[which ? which[i] : i];

		strbuf_puts(b, b->len ? ", " : "");
		strbuf_puts(b, it->vol->name);
		if (it->id.type)
			strbuf_printf(b, " (%s)", it->id.type);
	}
}

int guest_open(const struct contents *c, bool any, struct guest *out, struct err *e)
{
	CLEANUP(roots_free) struct roots roots = { 0 };
	CLEANUP(strbuf_free) struct strbuf names = STRBUF_INIT;
	size_t only = 0, nreadable = 0;
	int rc = roots_find(c, &roots, e);

	memset(out, 0, sizeof *out);
	if (rc < 0)
		return rc;
	if (roots.n == 1)
		return guest_mount_root(c, roots.items[0], out, e);
	if (roots.n > 1) {
		contents_name(&names, c, roots.items, roots.n);
		return err_set(e, ERR_USAGE, "several operating systems are there, choose one with -m: %s", names.s);
	}
	for (size_t i = 0; i < c->n; i++) {
		if (!c->items[i].id.readable)
			continue;
		nreadable++;
		only = i;
	}
	if (any && nreadable == 1) {
		rc = mount_content(&c->items[only], "/", out, e);
		if (rc < 0)
			guest_free(out);
		return rc;
	}
	contents_name(&names, c, NULL, c->n);
	return err_set(e, ERR_NOT_FOUND, "no operating system was found; the volumes are: %s", names.len ? names.s : "none");
}
