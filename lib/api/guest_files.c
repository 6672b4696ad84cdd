/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_files.c - the guests section of drydock.h: paths, files, walks. */
#include "guest_api.h"

#include "limits.h"

int dry_guest_lookup(struct dry_guest *g, const char *path, bool follow, struct dry_node *out, struct dry_error *error)
{
	API_ERR(e, error);
	struct vfs_node n;
	int rc = guest_mounted(g, e);

	if (rc < 0)
		return rc;
	rc = vfs_lookup(g->tree.vfs, path, follow, &n, e);
	if (rc < 0)
		return rc;
	*out = (struct dry_node){ .fs = n.fs, .ino = n.ino };
	return 0;
}

int dry_node_child(struct dry_guest *g, struct dry_node dir, const char *name, struct dry_node *out,
		   struct dry_error *error)
{
	API_ERR(e, error);
	struct vfs_node n;
	int rc = guest_mounted(g, e);

	if (rc == 0)
		rc = vfs_child(g->tree.vfs, (struct vfs_node){ dir.fs, dir.ino }, name, &n, e);
	if (rc < 0)
		return rc;
	*out = (struct dry_node){ .fs = n.fs, .ino = n.ino };
	return 0;
}

struct list_call {
	int (*fn)(void *arg, const char *name, struct dry_node node, uint32_t type);
	void *arg;
};

static int list_public(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct list_call *c = arg;

	(void)e;
	return c->fn(c->arg, d->name, (struct dry_node){ d->node.fs, d->node.ino }, d->type);
}

int dry_node_list(struct dry_guest *g, struct dry_node dir,
		  int (*fn)(void *arg, const char *name, struct dry_node node, uint32_t type), void *arg,
		  struct dry_error *error)
{
	API_ERR(e, error);
	struct list_call call = { fn, arg };
	int rc = guest_mounted(g, e);

	return rc < 0 ? rc : vfs_readdir(g->tree.vfs, (struct vfs_node){ dir.fs, dir.ino }, false, list_public, &call, e);
}

void guest_stat_public(const struct dry_guest *g, const struct fs *fs, const struct fs_stat *st, struct dry_stat *out)
{
	*out = (struct dry_stat){
		.dev = guest_dev(g, fs, st->subvol),
		.ino = st->ino,
		.size = st->size,
		.blocks512 = st->blocks512,
		.mode = st->mode,
		.nlink = st->nlink,
		.uid = st->uid,
		.gid = st->gid,
		.project = st->project,
		.rdev_major = st->rdev_major,
		.rdev_minor = st->rdev_minor,
		.atime = { st->atime.sec, st->atime.nsec },
		.mtime = { st->mtime.sec, st->mtime.nsec },
		.ctime = { st->ctime.sec, st->ctime.nsec },
		.crtime = { st->crtime.sec, st->crtime.nsec },
		.has_crtime = st->has_crtime,
	};
}

int dry_node_stat(struct dry_guest *g, struct dry_node n, struct dry_stat *out, struct dry_error *error)
{
	API_ERR(e, error);
	struct fs_stat st;
	int rc = fs_stat(n.fs, n.ino, &st, e);

	if (rc < 0)
		return rc;
	guest_stat_public(g, n.fs, &st, out);
	return 0;
}

int dry_node_read(struct dry_guest *g, struct dry_node n, void *buf, size_t len, uint64_t off, size_t *got,
		  struct dry_error *error)
{
	API_ERR(e, error);

	(void)g;
	return fs_pread(n.fs, n.ino, buf, len, off, got, e);
}

int dry_node_extent(struct dry_guest *g, struct dry_node n, uint64_t off, uint64_t *len, bool *hole,
		    struct dry_error *error)
{
	API_ERR(e, error);

	(void)g;
	return fs_extent(n.fs, n.ino, off, len, hole, e);
}

int dry_node_place(struct dry_guest *g, struct dry_node n, uint64_t off, uint64_t *len, struct dry_place *out,
		   struct dry_error *error)
{
	API_ERR(e, error);
	struct fs *fs = n.fs;
	struct extent ext;
	uint64_t where;
	int rc = fs_place(fs, n.ino, off, len, &where, e);

	(void)g;
	if (rc <= 0)
		return rc;
	rc = block_extent_chain(fs_device(fs), NULL, MIN_OF(*len, LIMIT_REQUEST), where, &ext, e);
	if (rc < 0)
		return rc;
	*len = MIN_OF(*len, ext.len);
	out->host_off = ext.host_off;
	out->fd = ext.flags & EXTENT_PLAIN ? block_host_fd(ext.host) : -1;
	return ext.flags & EXTENT_PLAIN && block_host_id(ext.host, &out->host_dev, &out->host_ino);
}

int dry_node_readlink(struct dry_guest *g, struct dry_node n, char **target, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	int rc = fs_readlink(n.fs, n.ino, &b, e);

	(void)g;
	if (rc < 0)
		return rc;
	*target = strbuf_detach(&b);
	return *target ? 0 : err_nomem(e);
}

struct xattr_call {
	int (*fn)(void *arg, const char *name, const void *value, size_t len);
	void *arg;
};

static int xattr_public(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	const struct xattr_call *c = arg;

	(void)e;
	return c->fn(c->arg, name, value, len);
}

int dry_node_xattrs(struct dry_guest *g, struct dry_node n,
		    int (*fn)(void *arg, const char *name, const void *value, size_t len), void *arg,
		    struct dry_error *error)
{
	API_ERR(e, error);
	struct xattr_call call = { fn, arg };

	(void)g;
	return fs_xattrs(n.fs, n.ino, xattr_public, &call, e);
}

struct walk_call {
	struct dry_guest *g;
	const struct dry_walk *w;
};

static int walk_visit(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *e)
{
	const struct walk_call *c = arg;
	struct dry_entry pub = {
		.path = ent->path,
		.rel = ent->rel,
		.name = ent->name,
		.depth = ent->depth,
		.leaving = when == VFS_LEAVE,
		.node = { ent->node.fs, ent->node.ino },
	};
	int rc;

	guest_stat_public(c->g, ent->node.fs, &ent->st, &pub.stat);
	rc = c->w->fn(c->w->arg, &pub);
	if (rc < 0)
		return err_set(e, ERR_CANCELED, "the walk was stopped");
	if (rc == DRY_WALK_ON && when == VFS_ENTER && ent->depth >= c->w->max_depth)
		return VFS_SKIP;
	return rc == DRY_WALK_STOP ? VFS_STOP : rc == DRY_WALK_SKIP ? VFS_SKIP : VFS_GO_ON;
}

static int walk_failed(void *arg, const char *path, const struct err *why, struct err *e)
{
	const struct walk_call *c = arg;
	struct dry_error pub = { .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };

	memcpy(pub.msg, why->msg, sizeof pub.msg);
	return c->w->failed(c->w->arg, path, &pub) ? err_set(e, ERR_CANCELED, "the walk was stopped") : 0;
}

int dry_guest_walk(struct dry_guest *g, const char *path, const struct dry_walk *w, struct dry_error *error)
{
	API_ERR(e, error);
	struct walk_call call = { g, w };
	const struct vfs_walk walk = {
		.sorted = true,
		.one_fs = w->one_fs,
		.want_leave = w->leave,
		.fn = walk_visit,
		.failed = w->failed ? walk_failed : NULL,
		.arg = &call,
	};
	int rc = guest_mounted(g, e);

	if (rc < 0)
		return rc;
	rc = vfs_walk(g->tree.vfs, path, &walk, e);
	return rc == VFS_STOP ? DRY_WALK_STOP : rc;
}
