/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change_tree.c - tree.h's calls, each a lookup in the tree and a word to the machine. */
#include "change_tree.h"

#include "alloc.h"
#include "change_internal.h"

#include <errno.h>

static struct change *change_of(struct tree *t)
{
	return ((struct change_tree *)t)->c;
}

static struct vfs *vfs_of(struct tree *t)
{
	return ((struct change_tree *)t)->guest->vfs;
}

static int op_stat(struct tree *t, const char *path, bool follow, struct fs_stat *out, struct err *e)
{
	return vfs_stat(vfs_of(t), path, follow, out, e);
}

static int op_read(struct tree *t, const char *path, size_t max, char **out, size_t *len, struct err *e)
{
	return vfs_read_file(vfs_of(t), path, max, out, len, e);
}

static int op_pread(struct tree *t, const char *path, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct vfs_node n;
	int rc = vfs_lookup(vfs_of(t), path, true, &n, e);

	return rc < 0 ? rc : fs_pread(n.fs, n.ino, buf, len, off, got, e);
}

static int op_readlink(struct tree *t, const char *path, struct strbuf *out, struct err *e)
{
	struct vfs_node n;
	int rc = vfs_lookup(vfs_of(t), path, false, &n, e);

	return rc < 0 ? rc : fs_readlink(n.fs, n.ino, out, e);
}

struct list_call {
	int (*fn)(void *arg, const char *name, uint32_t type, struct err *e);
	void *arg;
};

static int list_one(void *arg, const struct vfs_dirent *d, struct err *e)
{
	const struct list_call *l = arg;

	return l->fn(l->arg, d->name, d->type, e);
}

static int op_list(struct tree *t, const char *path, int (*fn)(void *arg, const char *name, uint32_t type, struct err *e),
		   void *arg, struct err *e)
{
	struct list_call l = { fn, arg };
	struct vfs_node n;
	int rc = vfs_lookup(vfs_of(t), path, true, &n, e);

	return rc < 0 ? rc : vfs_readdir(vfs_of(t), n, false, list_one, &l, e);
}

/* The node in the machine of what a path names. */
static int node_of(struct tree *t, const char *path, bool follow, uint64_t *node, struct err *e)
{
	struct vfs_node n;
	int rc = vfs_lookup(vfs_of(t), path, follow, &n, e);

	return rc < 0 ? rc : change_node(change_of(t), n, node, e);
}

static int op_write(struct tree *t, const char *path, const void *bytes, size_t len, const struct tree_owner *owner, struct err *e)
{
	struct change_owner o = { 0 };

	if (owner)
		o = (struct change_owner){ owner->mode, owner->uid, owner->gid };
	return change_write_file(change_of(t), path, bytes, len, owner ? &o : NULL, e);
}

static int op_create(struct tree *t, const char *path, const struct tree_owner *owner, uint64_t *file, struct err *e)
{
	int rc = op_write(t, path, "", 0, owner, e);

	return rc < 0 ? rc : node_of(t, path, true, file, e);
}

static int op_open(struct tree *t, const char *path, uint64_t *file, struct err *e)
{
	return node_of(t, path, true, file, e);
}

static int op_pwrite(struct tree *t, uint64_t file, const void *bytes, size_t len, uint64_t off, struct err *e)
{
	return client_pwrite(change_client(change_of(t)), file, bytes, len, off, e);
}

static int op_truncate(struct tree *t, const char *path, uint64_t size, struct err *e)
{
	uint64_t node;
	int rc = node_of(t, path, true, &node, e);

	return rc < 0 ? rc : client_truncate(change_client(change_of(t)), node, size, e);
}

static int op_mkdir(struct tree *t, const char *path, const struct tree_owner *owner, struct err *e)
{
	const struct change_owner o = { owner->mode, owner->uid, owner->gid };

	return change_make_folders(change_of(t), path, &o, e);
}

/* The folder of a path, in the machine, and the last name. */
static int folder_of(struct tree *t, const char *path, struct vfs_node *dir, uint64_t *node, char name[FS_NAME_MAX + 1],
		     struct err *e)
{
	int rc = change_parent(change_of(t), path, dir, name, FS_NAME_MAX + 1, e);

	return rc < 0 ? rc : change_node(change_of(t), *dir, node, e);
}

static int op_symlink(struct tree *t, const char *path, const char *target, struct err *e)
{
	char name[FS_NAME_MAX + 1];
	struct vfs_node dir;
	uint64_t node, made;
	int rc = folder_of(t, path, &dir, &node, name, e);

	return rc < 0 ? rc : client_symlink(change_client(change_of(t)), node, name, target, 0, 0, &made, e);
}

static int op_rename(struct tree *t, const char *from, const char *to, struct err *e)
{
	char name[FS_NAME_MAX + 1], newname[FS_NAME_MAX + 1];
	struct vfs_node dir, newdir;
	uint64_t node, newnode;
	int rc = folder_of(t, from, &dir, &node, name, e);

	if (rc == 0)
		rc = folder_of(t, to, &newdir, &newnode, newname, e);
	if (rc == 0 && dir.fs != newdir.fs)
		return err_sys(e, EXDEV, "%s", from);
	return rc < 0 ? rc : client_rename(change_client(change_of(t)), node, name, newnode, newname, 0, e);
}

static int op_remove(struct tree *t, const char *path, struct err *e)
{
	return change_remove_tree(change_of(t), path, e);
}

static int op_chmod(struct tree *t, const char *path, uint32_t mode, struct err *e)
{
	uint64_t node;
	int rc = node_of(t, path, true, &node, e);

	return rc < 0 ? rc : client_chmod(change_client(change_of(t)), node, mode, e);
}

static int op_chown(struct tree *t, const char *path, bool follow, uint32_t uid, uint32_t gid, struct err *e)
{
	uint64_t node;
	int rc = node_of(t, path, follow, &node, e);

	return rc < 0 ? rc : client_chown(change_client(change_of(t)), node, uid, gid, e);
}

static int op_touch(struct tree *t, const char *path, const struct fs_time *when, struct err *e)
{
	uint64_t node;
	int rc = node_of(t, path, true, &node, e);

	return rc < 0 ? rc : client_utimens(change_client(change_of(t)), node, when, when, e);
}

static int op_sync(struct tree *t, struct err *e)
{
	return client_sync(change_client(change_of(t)), e);
}

struct run_call {
	const struct tree_run *how;
	const struct change_tree *t;
};

static int run_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	const struct run_call *r = arg;

	return r->how->output ? r->how->output(r->how->arg, stream, bytes, len, e) : 0;
}

static bool run_stop(void *arg)
{
	const struct run_call *r = arg;

	return r->t->stop && r->t->stop(r->t->arg);
}

static int op_run(struct tree *t, const struct tree_run *how, int *status, struct err *e)
{
	struct change_tree *c = (struct change_tree *)t;
	struct run_call call = { how, c };
	const struct client_run run = {
		.argv = how->argv,
		.env = how->env,
		.max_ms = c->max_ms,
		.max_output = c->max_output,
		.network = c->network,
		.output = run_output,
		.stop = run_stop,
		.arg = &call,
	};

	return change_run(c->c, &run, false, status, e);
}

static const struct tree_ops change_tree_ops = {
	.stat = op_stat,	 .read = op_read,     .pread = op_pread,       .readlink = op_readlink, .list = op_list,
	.write = op_write,	 .create = op_create, .open = op_open,	       .pwrite = op_pwrite,	.truncate = op_truncate,
	.mkdir = op_mkdir,	 .symlink = op_symlink, .rename = op_rename,   .remove = op_remove,	.chmod = op_chmod,
	.chown = op_chown,	 .touch = op_touch,   .sync = op_sync,	       .run = op_run,
};

void change_tree_init(struct change_tree *t, struct change *c, const struct os *os)
{
	*t = (struct change_tree){ .tree = { &change_tree_ops, os }, .guest = c->tree, .c = c };
}

void change_tree_init_reading(struct change_tree *t, struct guest *g, const struct os *os)
{
	static const struct tree_ops reading = {
		.stat = op_stat, .read = op_read, .pread = op_pread, .readlink = op_readlink, .list = op_list,
	};

	*t = (struct change_tree){ .tree = { &reading, os }, .guest = g };
}
