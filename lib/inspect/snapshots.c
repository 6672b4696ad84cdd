/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots.c - which of several subvolumes that look like a root is the one that is booted.
 *
 * A snapshot of a root (timeshift's, snapper's, one made by hand) looks just like it, and so do the images of containers.
 * But each root's fstab says what is mounted on "/", and a copy's still says what was copied: the original's place.  So a
 * root is a subvolume that names itself.  Where none does, nothing can be told, and all are left.
 */
#include "guest.h"

#include "alloc.h"
#include "limits.h"

enum names { NAMES_NOTHING, NAMES_ITSELF, NAMES_ANOTHER };

/* Is that line about the filesystem of that item?  A name that leads nowhere here may be an encrypted volume's. */
static bool is_about(const struct contents *c, const struct fstab_line *l, const struct content *it)
{
	const struct content *found = contents_find(c, l->spec);

	return strcmp(l->dir, "/") == 0 && (!found || found == it);
}

static int fstab_read(struct vfs *v, struct fstab *out, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	size_t len = 0;
	int rc = vfs_read_file(v, "/etc/fstab", LIMIT_FSTAB_BYTES, &text, &len, e);

	return rc < 0 ? rc : fstab_parse(text, len, out, e);
}

/* What the fstab of a root mounts on "/": an enum names, or < 0 when memory is out. */
static int names_what(const struct contents *c, struct fs *fs, const struct root *root, struct err *e)
{
	CLEANUP(vfs_freep) struct vfs *v = NULL;
	CLEANUP(fstab_free) struct fstab f = { 0 };
	struct err why = ERR_INIT;
	uint64_t own, named;
	int rc = vfs_new(&v, e);

	if (rc < 0)
		return rc;
	rc = fs_mount_root(fs, root->opts, &own, &why);
	if (rc == 0) {
		rc = vfs_mount_node(v, fs, own, "/", &why);
		if (rc == 0)
			fs_ref(fs);
	}
	if (rc == 0)
		rc = fstab_read(v, &f, &why);
	for (size_t i = 0; rc == 0 && i < f.n; i++) {
		if (!is_about(c, &f.items[i], &c->items[root->content]))
			continue;
		rc = fs_mount_root(fs, f.items[i].opts, &named, &why);
		if (rc == 0)
			return named == own ? NAMES_ITSELF : NAMES_ANOTHER;
	}
	return rc == -ERR_NOMEM ? err_nomem(e) : NAMES_NOTHING;
}

int roots_drop_copies(const struct contents *c, struct fs *fs, struct roots *r, size_t from, struct err *e)
{
	CLEANUP(free_ptr) int *names = alloc_array(r->n - from + 1, sizeof *names);
	bool any = false;
	size_t kept = from;

	if (!names)
		return err_nomem(e);
	if (r->n - from < 2)
		return 0;
	for (size_t i = from; i < r->n; i++) {
		names[i - from] = names_what(c, fs, &r->items[i], e);
		if (names[i - from] < 0)
			return names[i - from];
		any |= names[i - from] == NAMES_ITSELF;
	}
	for (size_t i = from; any && i < r->n; i++) {
		if (names[i - from] == NAMES_ITSELF)
			r->items[kept++] = r->items[i];
		else
			root_clear(&r->items[i]);
	}
	if (any)
		r->n = kept;
	return 0;
}
