/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change_files.c - files of a guest that is changed: places that may be written to, and what takes several steps. */
#include "alloc.h"
#include "change_internal.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* "PATH: why": the guest's bytes, quoted. */
static int path_in(struct err *e, int rc, const char *path)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, path, strlen(path));
	return err_in(e, rc, "%s", q.s);
}

static int path_sys(struct err *e, int errnum, const char *path)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, path, strlen(path));
	return err_sys(e, errnum, "%s", q.s);
}

int change_node(struct change *c, struct vfs_node n, uint64_t *node, struct err *e)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].fs == n.fs) {
			*node = n.ino;
			return 0;
		}
	return err_set(e, ERR_USAGE, "a place that is not in the tree that is changed");
}

struct vfs_node change_made(struct vfs_node dir, uint64_t node)
{
	return (struct vfs_node){ .fs = dir.fs, .ino = node };
}

int change_parent(struct change *c, const char *path, struct vfs_node *dir, char *name, size_t size, struct err *e)
{
	CLEANUP(free_ptr) char *above = NULL;
	size_t end = strlen(path), at;
	int rc;

	while (end && path[end - 1] == '/')
		end--;
	for (at = end; at && path[at - 1] != '/';)
		at--;
	if (end == at || (end - at == 1 && path[at] == '.') || (end - at == 2 && path[at] == '.' && path[at + 1] == '.'))
		return path_in(e, err_set(e, ERR_USAGE, "it names nothing that could be made or removed"), path);
	if (end - at >= size)
		return path_sys(e, ENAMETOOLONG, path);
	if (!c->tree->vfs)
		return err_set(e, ERR_USAGE, "no filesystem of the guest is mounted");
	/* With its slash at the end it must be a folder, and a symlink there is followed. */
	above = at ? alloc_strndup(path, at) : alloc_strdup("/");
	if (!above)
		return err_nomem(e);
	rc = vfs_lookup(c->tree->vfs, above, true, dir, e);
	if (rc < 0)
		return rc;
	memcpy(name, path + at, end - at);
	name[end - at] = '\0';
	return 0;
}

/* ---- the content of a file ---- */

/* Follows a path whose last component may be symlinks to what is not there, as open() with O_CREAT does: the folder and name. */
static int place_to_create(struct change *c, const char *path, struct vfs_node *dir, char *name, size_t size, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf at = STRBUF_INIT;

	strbuf_puts(&at, path);
	/* Ends: so many links are followed and no more. */
	for (unsigned hops = 0; hops < 40; hops++) {
		CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;
		struct vfs_node there;
		struct fs_stat st;
		char *slash;
		int rc = at.failed ? err_nomem(e) : change_parent(c, at.s, dir, name, size, e);

		if (rc < 0)
			return rc;
		rc = vfs_lookup(c->tree->vfs, at.s, false, &there, e);
		if (rc == -ERR_NOT_FOUND) {
			err_clear(e);
			return 0;
		}
		if (rc == 0)
			rc = fs_stat(there.fs, there.ino, &st, e);
		if (rc < 0)
			return rc;
		if (!S_ISLNK(st.mode))
			return 0;
		rc = fs_readlink(there.fs, there.ino, &target, e);
		if (rc < 0)
			return path_in(e, rc, at.s);
		slash = strrchr(at.s, '/');
		if (target.s[0] == '/' || !slash) {
			strbuf_reset(&at);
		} else {
			at.len = (size_t)(slash + 1 - at.s);
			*(slash + 1) = '\0';
		}
		strbuf_puts(&at, target.s);
	}
	return path_sys(e, ELOOP, path);
}

/* The file that a path names, symlinks followed, emptied; made when it is not there: *made. */
static int file_for_writing(struct change *c, const char *path, const struct change_owner *owner, uint64_t *node, bool *made,
			    struct err *e)
{
	const struct change_owner none = { .mode = 0644 }, *o = owner ? owner : &none;
	struct vfs_node there, dir;
	char name[FS_NAME_MAX + 1];
	struct fs_stat st;
	int rc = c->tree->vfs ? vfs_lookup(c->tree->vfs, path, true, &there, e) :
				err_set(e, ERR_USAGE, "no filesystem of the guest is mounted");

	*made = rc == -ERR_NOT_FOUND;
	if (*made) {
		err_clear(e);
		rc = place_to_create(c, path, &dir, name, sizeof name, e);
		return rc < 0 ? rc : client_create(c->machine.client, dir.ino, name, o->mode, o->uid, o->gid, node, e);
	}
	if (rc == 0)
		rc = fs_stat(there.fs, there.ino, &st, e);
	if (rc == 0 && !S_ISREG(st.mode))
		rc = err_sys(e, S_ISDIR(st.mode) ? EISDIR : EINVAL, "not a regular file");
	if (rc == 0)
		rc = change_node(c, there, node, e);
	return rc < 0 ? rc : client_truncate(c->machine.client, *node, 0, e);
}

int change_write_file(struct change *c, const char *path, const void *bytes, size_t len, const struct change_owner *owner,
		      struct err *e)
{
	struct client *client = c->machine.client;
	uint64_t node;
	bool made;
	int rc = file_for_writing(c, path, owner, &node, &made, e);

	if (rc == 0 && len)
		rc = client_pwrite(client, node, bytes, len, 0, e);
	if (rc == 0 && owner && !made)
		rc = client_chown(client, node, owner->uid, owner->gid, e);
	if (rc == 0 && owner && !made)
		rc = client_chmod(client, node, owner->mode, e);
	return rc < 0 ? path_in(e, rc, path) : 0;
}

/* ---- folders ---- */

int change_make_folders(struct change *c, const char *path, const struct change_owner *owner, struct err *e)
{
	const struct change_owner none = { .mode = 0755 }, *o = owner ? owner : &none;
	CLEANUP(free_ptr) char *part = alloc_strdup(path);
	size_t len = strlen(path), at = 0;
	int rc = 0;

	if (!part)
		return err_nomem(e);
	if (!c->tree->vfs)
		return err_set(e, ERR_USAGE, "no filesystem of the guest is mounted");
	/* One component more each time. */
	while (at < len && rc == 0) {
		struct vfs_node dir;
		struct fs_stat st;
		char name[FS_NAME_MAX + 1];
		uint64_t node;

		while (path[at] == '/')
			at++;
		if (!path[at])
			break;
		at += strcspn(path + at, "/");
		part[at] = '\0';
		rc = vfs_stat(c->tree->vfs, part, true, &st, e);
		if (rc == 0 && !S_ISDIR(st.mode))
			rc = path_sys(e, ENOTDIR, part);
		if (rc == -ERR_NOT_FOUND) {
			err_clear(e);
			rc = change_parent(c, part, &dir, name, sizeof name, e);
			if (rc == 0) {
				rc = client_mkdir(c->machine.client, dir.ino, name, o->mode, o->uid, o->gid, &node, e);
				if (rc < 0)
					rc = path_in(e, rc, part);
			}
		}
		part[at] = path[at];
	}
	return rc;
}

/* ---- removing ---- */

struct removal {
	struct change *c;
	struct fs *fs;	 /* that all of it lies in */
	uint64_t *above; /* the folders that the walk is in, by depth */
	size_t cap;
};

static int remove_one(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *e)
{
	struct removal *r = arg;
	struct client *client = r->c->machine.client;
	int rc = 0;

	if (ent->node.fs != r->fs)
		return path_sys(e, EBUSY, ent->path);
	if (S_ISDIR(ent->st.mode) && when == VFS_ENTER) {
		if (ent->depth >= r->cap) {
			uint64_t *more = alloc_resize(r->above, ent->depth * 2 + 16, sizeof *more);

			if (!more)
				return err_nomem(e);
			r->above = more;
			r->cap = ent->depth * 2 + 16;
		}
		r->above[ent->depth] = ent->node.ino;
		return VFS_GO_ON;
	}
	if (ent->depth == 0)
		return VFS_GO_ON; /* removed by who knows its name */
	if (S_ISDIR(ent->st.mode))
		rc = client_rmdir(client, r->above[ent->depth - 1], ent->name, e);
	else
		rc = client_unlink(client, r->above[ent->depth - 1], ent->name, e);
	return rc < 0 ? path_in(e, rc, ent->path) : VFS_GO_ON;
}

int change_remove_tree(struct change *c, const char *path, struct err *e)
{
	struct removal r = { .c = c };
	const struct vfs_walk walk = { .sorted = true, .want_leave = true, .fn = remove_one, .arg = &r };
	struct vfs_node dir, top;
	char name[FS_NAME_MAX + 1];
	CLEANUP(free_ptr) char *plain = alloc_strdup(path);
	struct fs_stat st;
	size_t len = strlen(path);
	int rc = plain ? change_parent(c, path, &dir, name, sizeof name, e) : err_nomem(e);

	if (rc < 0)
		return rc;
	/* A slash at the end would follow a symlink. */
	while (len && plain[len - 1] == '/')
		plain[--len] = '\0';
	rc = vfs_lookup(c->tree->vfs, plain, false, &top, e);
	if (rc == 0)
		rc = fs_stat(top.fs, top.ino, &st, e);
	if (rc < 0)
		return rc;
	if (top.fs != dir.fs)
		return path_sys(e, EBUSY, path);
	r.fs = top.fs;
	if (S_ISDIR(st.mode))
		rc = vfs_walk(c->tree->vfs, plain, &walk, e);
	free(r.above);
	if (rc < 0)
		return rc;
	rc = S_ISDIR(st.mode) ? client_rmdir(c->machine.client, dir.ino, name, e) :
				client_unlink(c->machine.client, dir.ino, name, e);
	return rc < 0 ? path_in(e, rc, path) : 0;
}
