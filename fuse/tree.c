/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - the files of a guest as the kernel asks for them. */
#include "tree.h"

#include "alloc.h"
#include "pool.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

static struct tree *tree_of(fuse_req_t req)
{
	return libfuse_load(NULL)->fuse_req_userdata(req);
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take_fresh(t, req);
	struct dry_node at;
	struct fuse_entry_param ent;
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (!h)
		return;
	rc = dry_node_child(h->g, node_of(h, tree_node(t, parent)), name, &at, &e);
	if (rc >= 0)
		rc = tree_entry(t, h, at, true, &ent, &e);
	tree_give(h);
	if (rc == -DRY_NOT_FOUND) {
		const double given = t->how->mount->negative_timeout;

		/* That it is not there may be kept as well. */
		ent = (struct fuse_entry_param){ .entry_timeout = given >= 0 ? given : tree_attr_timeout(t) };
		t->f->fuse_reply_entry(req, &ent);
	} else if (rc < 0) {
		tree_fail(t, req, &e);
	} else if (t->f->fuse_reply_entry(req, &ent) != 0) {
		tree_forget(t, ent.ino, 1);
	}
}

static void forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct tree *t = tree_of(req);

	tree_forget(t, ino, n);
	t->f->fuse_reply_none(req);
}

static void forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *list)
{
	struct tree *t = tree_of(req);

	for (size_t i = 0; i < count; i++)
		tree_forget(t, list[i].ino, list[i].nlookup);
	t->f->fuse_reply_none(req);
}

static void get_attr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);

	(void)fi;
	if (t->moving) {
		struct handle *h = tree_take_fresh(t, req);
		struct fuse_entry_param ent;
		struct dry_error e = { .code = DRY_OK };
		int rc;

		if (!h)
			return;
		rc = tree_entry(t, h, node_of(h, tree_node(t, ino)), false, &ent, &e);
		tree_give(h);
		if (rc < 0)
			tree_fail(t, req, &e);
		else
			t->f->fuse_reply_attr(req, &ent.attr, ent.attr_timeout);
		return;
	}
	t->f->fuse_reply_attr(req, &tree_node(t, ino)->st, tree_attr_timeout(t));
}

static void read_link(fuse_req_t req, fuse_ino_t ino)
{
	struct tree *t = tree_of(req);
	CLEANUP(free_ptr) char *target = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct handle *h = tree_take_fresh(t, req);
	int rc;

	if (!h)
		return;
	rc = dry_node_readlink(h->g, node_of(h, tree_node(t, ino)), &target, &e);
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else
		t->f->fuse_reply_readlink(req, target);
}

static void open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct dry_error e = { .code = DRY_OK };
	struct handle *h;

	/* Where nothing changes, there is nothing to be done at opening, and the kernel need not ask again. */
	if (!t->moving) {
		t->f->fuse_reply_err(req, ENOSYS);
		return;
	}
	if (!t->change) {
		fi->direct_io = 1; /* each read looks anew */
		t->f->fuse_reply_open(req, fi);
		return;
	}
	h = tree_take(t);
	if (fi->flags & O_TRUNC && dry_change_truncate(t->change, node_of(h, tree_node(t, ino)), 0, &e) < 0) {
		tree_give(h);
		tree_fail(t, req, &e);
		return;
	}
	t->dirty |= fi->flags & O_TRUNC;
	tree_node(t, ino)->opens++;
	tree_give(h);
	fi->keep_cache = 1; /* nobody else writes */
	if (t->f->fuse_reply_open(req, fi) != 0)
		tree_release_node(t, ino);
}

static void stat_fs(fuse_req_t req, fuse_ino_t ino)
{
	struct tree *t = tree_of(req);
	struct dry_error e = { .code = DRY_OK };
	struct dry_usage u;
	struct handle *h = tree_take_fresh(t, req);
	int rc;

	if (!h)
		return;
	rc = dry_guest_usage(h->g, t->volume[tree_node(t, ino)->fs], &u, &e);
	tree_give(h);
	if (rc < 0) {
		tree_fail(t, req, &e);
		return;
	}
	t->f->fuse_reply_statfs(req, &(struct statvfs){
					     .f_bsize = u.block_size,
					     .f_frsize = u.block_size,
					     .f_blocks = u.blocks,
					     .f_bfree = u.blocks_free,
					     .f_bavail = u.blocks_avail,
					     .f_files = u.inodes,
					     .f_ffree = u.inodes_free,
					     .f_favail = u.inodes_free,
					     .f_namemax = 255,
				     });
}

/* ---- extended attributes ---- */

struct xattr_wanted {
	const char *name; /* NULL: all names are listed */
	struct strbuf out;
	bool found;
};

static int xattr_look(void *arg, const char *name, const void *value, size_t len)
{
	struct xattr_wanted *w = arg;

	if (!w->name) {
		strbuf_add(&w->out, name, strlen(name) + 1);
		return 0;
	}
	if (strcmp(name, w->name) != 0)
		return 0;
	strbuf_add(&w->out, value, len);
	w->found = true;
	return 1;
}

/* name NULL: the list of names. */
static void xattr_answer(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct tree *t = tree_of(req);
	struct xattr_wanted w = { .name = name, .out = STRBUF_INIT };
	struct dry_error e = { .code = DRY_OK };
	struct handle *h = tree_take_fresh(t, req);
	int rc;

	if (!h)
		return;
	rc = dry_node_xattrs(h->g, node_of(h, tree_node(t, ino)), xattr_look, &w, &e);
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else if (w.out.failed)
		t->f->fuse_reply_err(req, ENOMEM);
	else if (name && !w.found)
		t->f->fuse_reply_err(req, ENODATA);
	else
		server_xattr(t->f, req, w.out.s, w.out.len, size);
	strbuf_free(&w.out);
}

static void get_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	const char *keeper = tree_of(req)->how->server.early->keeper;

	if (ino == FUSE_ROOT_ID && strcmp(name, SERVER_KEEPER) == 0)
		server_xattr(tree_of(req)->f, req, keeper, strlen(keeper), size);
	else if (ino == FUSE_ROOT_ID && tree_of(req)->change && !tree_of(req)->how->discard && strcmp(name, SERVER_COMMIT) == 0)
		server_xattr(tree_of(req)->f, req, tree_of(req)->commit_error, strlen(tree_of(req)->commit_error), size);
	else
		xattr_answer(req, ino, name, size);
}

static void list_xattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	xattr_answer(req, ino, NULL, size);
}

/* ---- the whole ---- */

static void init(void *userdata, struct fuse_conn_info *conn)
{
	const struct tree *t = userdata;
	/* With a change, what is open must be known: it may lose its name.  What others change is looked at when it is opened. */
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
				(t->moving ? 0 : FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_NO_OPEN_SUPPORT) |
				(t->how->mount->permissions ? FUSE_CAP_POSIX_ACL : 0);

	conn->want |= conn->capable & wanted;
	conn->max_readahead = BUFFER_SIZE;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static const struct fuse_lowlevel_ops tree_ops = {
	.init = init,
	.lookup = lookup,
	.forget = forget,
	.forget_multi = forget_multi,
	.getattr = get_attr,
	.readlink = read_link,
	.open = open_file,
	.read = tree_read,
	.lseek = tree_lseek,
	.opendir = tree_opendir,
	.readdir = tree_readdir,
	.readdirplus = tree_readdirplus,
	.releasedir = tree_releasedir,
	.statfs = stat_fs,
	.getxattr = get_xattr,
	.listxattr = list_xattr,
};

/* What a mount that is written to answers besides. */
static struct fuse_lowlevel_ops ops_to_write(void)
{
	struct fuse_lowlevel_ops ops = tree_ops;

	ops.mkdir = tree_mkdir;
	ops.mknod = tree_mknod;
	ops.symlink = tree_symlink;
	ops.create = tree_create;
	ops.link = tree_link;
	ops.unlink = tree_unlink;
	ops.rmdir = tree_rmdir;
	ops.rename = tree_rename;
	ops.release = tree_release;
	ops.setattr = tree_setattr;
	ops.write = tree_write;
	ops.fallocate = tree_fallocate;
	ops.fsync = tree_fsync;
	ops.fsyncdir = tree_fsync;
	ops.setxattr = tree_setxattr;
	ops.removexattr = tree_removexattr;
	return ops;
}

int tree_serve(const struct tree_how *how)
{
	struct tree t;
	int status = tree_open(&t, how);

	if (status == EXIT_DONE) {
		const struct fuse_lowlevel_ops ops = how->change ? ops_to_write() : tree_ops;
		struct server_how server = how->server;
		const bool timer = how->change && how->commit_every && !how->discard && tree_timer_start(&t);

		server.ops = &ops;
		server.userdata = &t;
		server.threads = MIN_OF(pool_threads() * 2, 16u);
		status = server_run(&server);
		if (timer)
			tree_timer_end(&t);
	}
	tree_close(&t);
	return status;
}
