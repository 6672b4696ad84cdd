/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - a guest's tree from its volumes: the root is found, and its fstab says what belongs where. */
#include "guest.h"

#include "alloc.h"
#include "limits.h"
#include "os.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

void guest_free(struct guest *g)
{
	vfs_free(g->vfs);
	free(g->mounted);
	for (size_t i = 0; i < g->nnotes; i++)
		free(g->notes[i]);
	for (size_t i = 0; i < g->nwarnings; i++)
		free(g->warnings[i]);
	free(g->notes);
	free(g->warnings);
	memset(g, 0, sizeof *g);
}

int sentence_add(char ***list, size_t *n, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char **items;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (b.failed)
		return err_nomem(e);
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*list)[i], b.s) == 0)
			return 0;
	items = alloc_resize(*list, *n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	*list = items;
	items[*n] = strbuf_detach(&b);
	if (!items[*n])
		return err_nomem(e);
	++*n;
	return 0;
}

#define note(g, e, ...) sentence_add(&(g)->notes, &(g)->nnotes, e, __VA_ARGS__)

/* The filesystem of an item, when it is mounted already; lent. */
static struct fs *mounted_fs(const struct guest *g, const struct content *it)
{
	for (size_t i = 0; i < g->nmounted; i++)
		if (g->mounted[i] == it)
			return vfs_mount_info(g->vfs, i).fs;
	return NULL;
}

/* What of a filesystem is shown: as mount options tell, or by the path of a subvolume from the top; NULL: not told. */
struct view {
	const char *opts, *subvol;
};

struct path_search {
	const char *path;
	size_t len;
	uint64_t id;
};

static int path_is_that(void *arg, uint64_t id, const char *path, struct err *e)
{
	struct path_search *s = arg;

	(void)e;
	s->id = id;
	return strncmp(path, s->path, s->len) == 0 && !path[s->len];
}

/* The node that is shown.  A subvolume's path is looked for among all, as one with a comma is no mount option. */
static int view_root(struct fs *fs, const struct view *view, uint64_t *root, struct err *e)
{
	struct path_search s = { .path = view->subvol };
	char opts[40];
	int rc;

	if (!view->subvol)
		return fs_mount_root(fs, view->opts ? view->opts : "", root, e);
	while (*s.path == '/')
		s.path++;
	s.len = strlen(s.path);
	while (s.len && s.path[s.len - 1] == '/')
		s.len--;
	rc = fs_subvolumes(fs, path_is_that, &s, e);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "no subvolume \"%.*s\"", (int)s.len, s.path);
	snprintf(opts, sizeof opts, "subvolid=%" PRIu64, s.id);
	return fs_mount_root(fs, opts, root, e);
}

/* Opens what lies in an item, unless it is open, and puts what the view shows on mountpoint. */
static int mount_content(const struct contents *c, const struct content *it, const struct view *view,
			 const char *mountpoint, struct guest *g, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct fs *open = mounted_fs(g, it);
	const struct content **mounted;
	const char *notice, *warning;
	uint64_t root;
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
	if (open) {
		fs = fs_ref(open);
	} else {
		rc = content_open(c, it, &fs, e);
		if (rc < 0)
			return rc;
	}
	notice = open ? NULL : fs_notice(fs);
	if (notice) {
		rc = note(g, e, "%s: %s", it->vol->name, notice);
		if (rc < 0)
			return rc;
	}
	warning = fs_warning(fs);
	if (warning) {
		rc = sentence_add(&g->warnings, &g->nwarnings, e, "%s: %s", it->vol->name, warning);
		if (rc < 0)
			return rc;
	}
	rc = view_root(fs, view, &root, e);
	/* A guest's fstab could ask for the same one without end. */
	for (size_t i = 0; rc == 0 && i < g->nmounted; i++)
		if (vfs_mount_info(g->vfs, i).fs == fs && vfs_mount_info(g->vfs, i).root == root)
			rc = err_set(e, ERR_USAGE, "it is mounted on %s already", vfs_mount_info(g->vfs, i).path);
	if (rc == 0)
		rc = vfs_mount_node(g->vfs, fs, root, mountpoint, e);
	if (rc < 0)
		return err_in(e, rc, "%s", it->vol->name);
	fs = NULL;
	mounted[g->nmounted++] = it;
	return 0;
}

int guest_mount(const struct contents *c, const char *spec, const char *opts, const char *mountpoint, struct guest *g,
		struct err *e)
{
	struct view view = { .opts = opts };
	const struct content *found = contents_find_subvol(c, spec, &view.subvol);

	if (!found)
		return err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", spec);
	return mount_content(c, found, &view, mountpoint, g, e);
}

/* ---- which is a root ---- */

/* What the mount options show of a filesystem: 1 a root, 0 none or unreadable, < 0 out of memory. */
static int looks_like_root(struct fs *fs, const char *opts, struct err *e)
{
	CLEANUP(vfs_freep) struct vfs *v = NULL;
	struct err why = ERR_INIT;
	const char *type;
	uint64_t root;
	int rc = vfs_new(&v, e);

	if (rc < 0)
		return rc;
	rc = fs_mount_root(fs, opts, &root, &why);
	if (rc == 0) {
		rc = vfs_mount_node(v, fs, root, "/", &why);
		if (rc == 0)
			fs_ref(fs);
	}
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc == 0 ? os_root(v, &type, e) : 0;
}

static int root_add(struct roots *r, size_t content, const char *opts, const char *subvol, struct err *e)
{
	struct root *items = alloc_resize(r->items, r->n + 1, sizeof *items);

	if (!items)
		return err_nomem(e);
	r->items = items;
	items[r->n] = (struct root){ .content = content,
				     .opts = opts ? alloc_strdup(opts) : NULL,
				     .subvol = subvol ? alloc_strdup(subvol) : NULL };
	r->n++; /* it is freed with the others */
	return (opts && !items[r->n - 1].opts) || (subvol && !items[r->n - 1].subvol) ? err_nomem(e) : 0;
}

struct subvolume_search {
	struct roots *roots;
	struct fs *fs;
	size_t content;
};

static int subvolume_try(void *arg, uint64_t id, const char *path, struct err *e)
{
	struct subvolume_search *s = arg;
	char opts[40];
	int rc;

	snprintf(opts, sizeof opts, "subvolid=%" PRIu64, id);
	rc = looks_like_root(s->fs, opts, e);
	return rc > 0 ? root_add(s->roots, s->content, opts, path, e) : rc;
}

/* The same for the medium of an installer or a live system. */
static int looks_like_media(struct fs *fs, struct err *e)
{
	CLEANUP(vfs_freep) struct vfs *v = NULL;
	struct err why = ERR_INIT;
	int rc = vfs_new(&v, e);

	if (rc < 0)
		return rc;
	rc = vfs_mount(v, fs, "/", &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return 0;
	fs_ref(fs);
	return os_media_root(v, e);
}

static int media_in(const struct contents *c, size_t i, struct roots *out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct err why = ERR_INIT;
	int rc = content_open(c, &c->items[i], &fs, &why);

	if (rc < 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	rc = looks_like_media(fs, e);
	return rc > 0 ? root_add(out, i, NULL, NULL, e) : rc;
}

/* What is mounted when no subvolume is named wins; else each subvolume may be a root, unless it is a copy of another. */
static int roots_in(const struct contents *c, size_t i, struct roots *out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct subvolume_search s = { .roots = out, .content = i };
	struct err why = ERR_INIT;
	size_t before = out->n;
	uint64_t top;
	int rc = content_open(c, &c->items[i], &fs, &why);

	if (rc < 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	rc = looks_like_root(fs, "", e);
	if (rc != 0)
		return rc > 0 ? root_add(out, i, NULL, NULL, e) : rc;
	s.fs = fs;
	rc = fs_subvolumes(fs, subvolume_try, &s, &why);
	/* The one at the top, where another is the default. */
	if (rc == 0 && fs_mount_root(fs, "subvolid=5", &top, NULL) == 0 && top != fs_root(fs))
		rc = subvolume_try(&s, 5, "", &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return roots_drop_copies(c, fs, out, before, e);
}

/* Looks at those items that are read by the appliance, or those that are not. */
static int roots_by(const struct contents *c, bool appliance, struct roots *out, struct err *e)
{
	for (int snapshots = 0; snapshots < 2 && out->n == 0; snapshots++) {
		for (size_t i = 0; i < c->n; i++) {
			const struct content *it = &c->items[i];
			bool look = it->id.readable && !it->again && it->by_appliance == appliance;
			int rc = look && it->vol->snapshot == snapshots ? roots_in(c, i, out, e) : 0;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int media_by(const struct contents *c, bool appliance, struct roots *out, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct content *it = &c->items[i];
		int rc = it->id.readable && !it->again && it->by_appliance == appliance ? media_in(c, i, out, e) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* In the order of volumes; those of one stay in theirs. */
static void roots_order(struct roots *r)
{
	for (size_t i = 1; i < r->n; i++) {
		struct root moved = r->items[i];
		size_t at = i;

		for (; at > 0 && r->items[at - 1].content > moved.content; at--)
			r->items[at] = r->items[at - 1];
		r->items[at] = moved;
	}
}

/*
 * Snapshots of volumes look like what they are snapshots of: they are asked when there is nothing else; and then the media that
 * may be beside an installed system.
 */
static int roots_look(const struct contents *c, bool all, struct roots *out, struct err *e)
{
	struct roots more = { 0 };
	int rc = roots_by(c, false, out, e);

	if (rc == 0 && out->n == 0) {
		rc = roots_by(c, true, out, e);
	} else if (rc == 0 && all) {
		rc = roots_by(c, true, &more, e);
		for (size_t i = 0; i < more.n && rc == 0; i++)
			rc = root_add(out, more.items[i].content, more.items[i].opts, more.items[i].subvol, e);
		roots_free(&more);
		roots_order(out);
	}
	if (rc == 0 && out->n == 0)
		rc = media_by(c, false, out, e);
	return rc == 0 && out->n == 0 ? media_by(c, true, out, e) : rc;
}

int roots_find(const struct contents *c, bool all, struct roots *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = roots_look(c, all, out, e);
	if (rc < 0)
		roots_free(out);
	return rc;
}

void root_clear(struct root *r)
{
	free(r->opts);
	free(r->subvol);
	memset(r, 0, sizeof *r);
}

void roots_free(struct roots *r)
{
	for (size_t i = 0; i < r->n; i++)
		root_clear(&r->items[i]);
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

/* A file of the guest in the form of an fstab: 1, or 0 when there is none; < 0: it cannot be read. */
static int table_read(struct guest *g, const char *path, struct fstab *out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	size_t len = 0;
	int rc = vfs_read_file(g->vfs, path, LIMIT_FSTAB_BYTES, &text, &len, e);

	if (rc == -ERR_NOT_FOUND)
		return 0;
	if (rc == 0)
		rc = fstab_parse(text, len, out, e);
	return rc < 0 ? rc : 1;
}

/* What was opened with a header in another file: the volume itself does not show the UUID by which crypttab calls it. */
static const struct content *inside_by_uuid(const struct contents *c, const char *spec)
{
	const char *uuid;

	for (size_t i = 0; text_starts(spec, "UUID=", &uuid) && i < c->n; i++) {
		const struct volume *v = c->items[i].vol;

		if (strcmp(v->scheme, "luks") == 0 && v->uuid && strcasecmp(v->uuid, uuid) == 0)
			return &c->items[i];
	}
	return NULL;
}

/*
 * "/dev/mapper/NAME" as the guest's crypttab names what is in an encrypted volume; where that was not opened, the volume
 * itself.  NULL: there is no such line, or no such volume.
 */
static const struct content *find_mapped(const struct contents *c, const struct fstab *crypttab, const char *spec)
{
	const char *name;

	if (!text_starts(spec, "/dev/mapper/", &name))
		return NULL;
	for (size_t i = 0; i < crypttab->n; i++) {
		const char *source = crypttab->items[i].dir;
		const struct content *box, *inside;

		if (strcmp(crypttab->items[i].spec, name) != 0)
			continue;
		box = contents_find(c, source);
		inside = box ? content_inside(c, box) : inside_by_uuid(c, source);
		if (inside || (box && box->vol->locked))
			return inside ? inside : box;
	}
	return NULL;
}

int guest_find_spec(const struct contents *c, struct vfs *v, const struct fstab *crypttab, const char *spec,
		    const struct content **out, struct err *e)
{
	int rc = mdadm_conf_find(v, c, spec, out, e);

	if (rc == 0 && !*out)
		*out = contents_find(c, spec);
	if (rc == 0 && !*out)
		*out = find_mapped(c, crypttab, spec);
	return rc;
}

/* A line of fstab; what stands in its way becomes a note. */
static int line_mount(const struct contents *c, const struct fstab *crypttab, const struct fstab_line *l, struct guest *g,
		      struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;
	const struct view view = { .opts = l->opts };
	const struct content *found;
	struct err why = ERR_INIT;
	int rc;

	text_quote(&q, l->dir, strlen(l->dir));
	strbuf_puts(&q, " (");
	text_quote(&q, l->spec, strlen(l->spec));
	strbuf_putc(&q, ')');
	rc = guest_find_spec(c, g->vfs, crypttab, l->spec, &found, e);
	if (rc < 0)
		return rc;
	if (!found)
		return note(g, e, "fstab: %s is not mounted: no such volume", q.s);
	if (found->id.type && strcmp(found->id.type, "swap") == 0)
		return 0;
	rc = mount_content(c, found, &view, l->dir, g, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	return rc < 0 ? note(g, e, "fstab: %s is not mounted: %s", q.s, why.msg) : 0;
}

static int fstab_mount(const struct contents *c, struct guest *g, struct err *e)
{
	CLEANUP(fstab_free) struct fstab f = { 0 };
	CLEANUP(fstab_free) struct fstab crypttab = { 0 };
	struct err why = ERR_INIT;
	unsigned deepest = 0;
	int rc = table_read(g, "/etc/fstab", &f, &why);

	if (rc == 0)
		return 0;
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return note(g, e, "fstab is not read: %s", why.msg);
	rc = table_read(g, "/etc/crypttab", &crypttab, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 && (rc = note(g, e, "crypttab is not read: %s", why.msg)) < 0)
		return rc;
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
			rc = line_mount(c, &crypttab, l, g, e);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int guest_mount_root(const struct contents *c, const struct root *root, struct guest *out, struct err *e)
{
	const struct view view = { .opts = root->opts };
	int rc;

	memset(out, 0, sizeof *out);
	rc = mount_content(c, &c->items[root->content], &view, "/", out, e);
	if (rc == 0)
		rc = fstab_mount(c, out, e);
	if (rc == 0)
		rc = guest_mount_usr(c, out, e);
	if (rc < 0)
		guest_free(out);
	return rc;
}

/* "/dev/sda1 (ext4), btrfsvol:/dev/sda2/@ (btrfs)" */
static void content_name(struct strbuf *b, const struct content *it, const char *subvol)
{
	strbuf_puts(b, b->len ? ", " : "");
	strbuf_puts(b, subvol ? "btrfsvol:" : "");
	strbuf_puts(b, it->vol->name);
	if (subvol) {
		strbuf_putc(b, '/');
		text_quote(b, subvol, strlen(subvol));
	}
	if (it->id.type)
		strbuf_printf(b, it->vol->locked ? " (%s, locked)" : " (%s)", it->id.type);
}

int guest_open(const struct contents *c, bool any, struct guest *out, struct err *e)
{
	CLEANUP(roots_free) struct roots roots = { 0 };
	CLEANUP(strbuf_free) struct strbuf names = STRBUF_INIT;
	size_t only = 0, ours = 0, nreadable = 0, nours = 0;
	bool locked = false;
	int rc = roots_find(c, false, &roots, e);

	memset(out, 0, sizeof *out);
	if (rc < 0)
		return rc;
	if (roots.n == 1)
		return guest_mount_root(c, &roots.items[0], out, e);
	if (roots.n > 1) {
		for (size_t i = 0; i < roots.n; i++)
			content_name(&names, &c->items[roots.items[i].content], roots.items[i].subvol);
		return err_set(e, ERR_USAGE, "several operating systems are there, choose one with -m: %s", names.s);
	}
	for (size_t i = 0; i < c->n; i++) {
		content_name(&names, &c->items[i], NULL);
		locked |= c->items[i].vol->locked && c->items[i].id.type && strcmp(c->items[i].id.type, "crypto_LUKS") == 0;
		if (!c->items[i].id.readable || c->items[i].again || c->items[i].vol->snapshot)
			continue;
		nreadable++;
		only = i;
		if (!c->items[i].by_appliance) {
			nours++;
			ours = i;
		}
	}
	/* Where one is read without a machine, that is what is meant. */
	if (any && (nours == 1 || nreadable == 1)) {
		rc = mount_content(c, &c->items[nours == 1 ? ours : only], &(const struct view){ NULL }, "/", out, e);
		if (rc < 0)
			guest_free(out);
		return rc;
	}
	return err_set(e, ERR_NOT_FOUND, "no operating system was found; the volumes are: %s%s", names.len ? names.s : "none",
		       locked ? "; --key gives the passphrase of one that is locked" : "");
}
