/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_write.c - what changes the files of a guest.  All of it goes to the guest's change, which reaches the image when the mount
 * is taken away, or at a checkpoint.
 */
#include "tree.h"

#include "alloc.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

static struct tree *tree_of(fuse_req_t req)
{
	return libfuse_load(NULL)->fuse_req_userdata(req);
}

/* Gives the handle back and answers a request that has no answer but its success. */
static void done(struct tree *t, struct handle *h, fuse_req_t req, int rc, const struct dry_error *e)
{
	if (rc >= 0)
		t->dirty = true;
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, e);
	else
		t->f->fuse_reply_err(req, 0);
}

/* The same with what was made, or found. */
static void done_entry(struct tree *t, struct handle *h, fuse_req_t req, int rc, struct dry_node at, struct dry_error *e)
{
	struct fuse_entry_param ent;

	if (rc >= 0) {
		t->dirty = true;
		rc = tree_entry(t, h, at, true, &ent, e);
	}
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, e);
	else if (t->f->fuse_reply_entry(req, &ent) != 0)
		tree_forget(t, ent.ino, 1);
}

/* Whose a new file is: who makes it, and in a folder that hands on its group, of that group. */
static int owner_of(struct tree *t, struct handle *h, fuse_req_t req, struct dry_node dir, mode_t mode, struct dry_owner *out,
		    struct dry_error *e)
{
	const struct fuse_ctx *ctx = t->f->fuse_req_ctx(req);
	struct dry_stat st;
	int rc = dry_node_stat(h->g, dir, &st, e);

	if (rc < 0)
		return rc;
	*out = (struct dry_owner){ .mode = mode };
	mount_opts_hide(t->how->mount, ctx->uid, ctx->gid, &out->uid, &out->gid);
	if (st.mode & S_ISGID) {
		out->gid = st.gid;
		if (S_ISDIR(mode))
			out->mode |= S_ISGID;
	}
	return 0;
}

/* ---- making ---- */

static int make(struct tree *t, struct handle *h, fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev,
		const char *target, struct dry_node *at, struct dry_error *e)
{
	const struct dry_node dir = node_of(h, tree_node(t, parent));
	struct dry_owner owner;
	int rc = owner_of(t, h, req, dir, mode, &owner, e);

	if (rc < 0)
		return rc;
	if (target)
		return dry_change_symlink(t->change, dir, name, target, &owner, at, e);
	if (!S_ISREG(mode) && !S_ISDIR(mode))
		return dry_change_mknod(t->change, dir, name, &owner, major(rdev), minor(rdev), at, e);
	owner.mode &= 07777;
	return S_ISDIR(mode) ? dry_change_mkdir(t->change, dir, name, &owner, at, e) :
			       dry_change_create(t->change, dir, name, &owner, at, e);
}

static void make_and_answer(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev, const char *target)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	struct dry_node at = { NULL, 0 };
	int rc = make(t, h, req, parent, name, mode, rdev, target, &at, &e);

	done_entry(t, h, req, rc, at, &e);
}

void tree_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make_and_answer(req, parent, name, S_IFDIR | mode, 0, NULL);
}

void tree_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	make_and_answer(req, parent, name, mode & S_IFMT ? mode : S_IFREG | mode, rdev, NULL);
}

void tree_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make_and_answer(req, parent, name, S_IFLNK | 0777, 0, target);
}

void tree_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	struct fuse_entry_param ent;
	struct dry_node at;
	int rc = make(t, h, req, parent, name, S_IFREG | mode, 0, NULL, &at, &e);

	if (rc >= 0) {
		t->dirty = true;
		rc = tree_entry(t, h, at, true, &ent, &e);
	}
	if (rc >= 0)
		tree_node(t, ent.ino)->opens++;
	tree_give(h);
	if (rc < 0) {
		tree_fail(t, req, &e);
	} else if (t->f->fuse_reply_create(req, &ent, fi) != 0) {
		tree_release_node(t, ent.ino);
		tree_forget(t, ent.ino, 1);
	}
}

void tree_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	const struct dry_node at = node_of(h, tree_node(t, ino));

	done_entry(t, h, req, dry_change_link(t->change, at, node_of(h, tree_node(t, newparent)), newname, &e), at, &e);
}

/* ---- taking away ---- */

/*
 * What is still open must stay until it is closed, though its name goes: it gets another one, which nobody has chosen, in the same
 * folder, and loses that with its last opening.
 */
static int hide(struct tree *t, struct handle *h, struct node *n, struct node *dir, const char *name, struct dry_error *e)
{
	char *hidden = alloc_printf(".drydock-open-%llx-%u", (unsigned long long)n->ino, t->nhidden++);
	int rc;

	if (!hidden) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		return -DRY_NOMEM;
	}
	rc = dry_change_rename(t->change, node_of(h, dir), name, node_of(h, dir), hidden, DRY_RENAME_NOREPLACE, e);
	if (rc < 0) {
		free(hidden);
		return rc;
	}
	n->hidden = hidden;
	n->hidden_in = node_of(h, dir);
	return 0;
}

/*
 * Before a name is taken away or given to something else: what it names, if the kernel knows it; with *hidden it has another
 * name now.  When its last name has gone, the number may come back as that of another file: tree_detach() it.
 */
static int look_at_victim(struct tree *t, struct handle *h, struct node *dir, const char *name, struct node **victim, bool *last,
			  bool *hidden, struct dry_error *e)
{
	struct dry_node at;
	struct dry_stat st;
	int rc = dry_node_child(h->g, node_of(h, dir), name, &at, e);

	*victim = NULL;
	*last = *hidden = false;
	if (rc >= 0)
		rc = dry_node_stat(h->g, at, &st, e);
	if (rc < 0)
		return rc;
	*last = S_ISDIR(st.mode) || st.nlink <= 1;
	*victim = tree_find(t, h, at);
	if (*victim && *last && (*victim)->opens && !S_ISDIR(st.mode)) {
		rc = hide(t, h, *victim, dir, name, e);
		*hidden = rc >= 0;
	}
	return rc < 0 ? rc : 0;
}

static void take_away(fuse_req_t req, fuse_ino_t parent, const char *name,
		      int (*remove)(struct dry_change *c, struct dry_node dir, const char *name, struct dry_error *e))
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct node *dir = tree_node(t, parent), *victim;
	struct dry_error e = { .code = DRY_OK };
	bool last, hidden;
	int rc = look_at_victim(t, h, dir, name, &victim, &last, &hidden, &e);

	if (rc >= 0 && !hidden)
		rc = remove(t->change, node_of(h, dir), name, &e);
	if (rc >= 0 && victim && last && !hidden)
		tree_detach(t, victim);
	done(t, h, req, rc, &e);
}

void tree_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	take_away(req, parent, name, dry_change_unlink);
}

void tree_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	take_away(req, parent, name, dry_change_rmdir);
}

void tree_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname, unsigned flags)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct node *dir = tree_node(t, parent), *newdir = tree_node(t, newparent), *victim = NULL;
	const unsigned known = RENAME_NOREPLACE | RENAME_EXCHANGE;
	struct dry_error e = { .code = DRY_OK };
	bool last = false, hidden = false;
	struct dry_node a, b;
	int rc = 0;

	if (flags & ~known) {
		tree_give(h);
		t->f->fuse_reply_err(req, EINVAL);
		return;
	}
	/* Two names of one file: nothing happens, and nothing is taken away. */
	if (!flags && dry_node_child(h->g, node_of(h, newdir), newname, &b, NULL) >= 0 &&
	    dry_node_child(h->g, node_of(h, dir), name, &a, NULL) >= 0 && (a.fs != b.fs || a.ino != b.ino)) {
		struct node *file = tree_find(t, h, b);

		/* What is open there is put aside only where the name is free to be given: a file in place of a file. */
		if (file && (S_ISDIR(file->st.st_mode) || file->opens == 0)) {
			victim = file;
			last = true;
		} else if (file) {
			rc = look_at_victim(t, h, newdir, newname, &victim, &last, &hidden, &e);
		}
	}
	if (rc >= 0)
		rc = dry_change_rename(t->change, node_of(h, dir), name, node_of(h, newdir), newname,
				       (flags & RENAME_NOREPLACE ? DRY_RENAME_NOREPLACE : 0) |
					       (flags & RENAME_EXCHANGE ? DRY_RENAME_EXCHANGE : 0),
				       &e);
	if (rc >= 0 && victim && last && !hidden) {
		struct dry_stat st;

		/* With another name it is still there. */
		if (dry_node_stat(h->g, node_of(h, victim), &st, NULL) < 0 || st.nlink == 0)
			tree_detach(t, victim);
	}
	done(t, h, req, rc, &e);
}

void tree_release_node(struct tree *t, fuse_ino_t ino)
{
	struct handle *h = tree_take(t);
	struct node *n = tree_node(t, ino);
	struct dry_error e;

	if (n->opens && --n->opens == 0 && n->hidden) {
		if (dry_change_unlink(t->change, n->hidden_in, n->hidden, &e) >= 0)
			tree_detach(t, n);
		free(take(n->hidden));
	}
	tree_give(h);
}

void tree_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);

	(void)fi;
	tree_release_node(t, ino);
	t->f->fuse_reply_err(req, 0);
}

/* ---- changing ---- */

static struct dry_time time_set(const struct timespec *ts, bool now)
{
	struct timespec t = *ts;

	if (now)
		clock_gettime(CLOCK_REALTIME, &t);
	return (struct dry_time){ t.tv_sec, (uint32_t)t.tv_nsec };
}

static int set_all(struct tree *t, struct dry_node n, const struct stat *attr, int what, struct dry_error *e)
{
	const bool a = what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW);
	const bool m = what & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
	int rc = 0;

	if (what & FUSE_SET_ATTR_SIZE)
		rc = dry_change_truncate(t->change, n, (uint64_t)attr->st_size, e);
	if (rc >= 0 && what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		uint32_t uid, gid;

		mount_opts_hide(t->how->mount, attr->st_uid, attr->st_gid, &uid, &gid);
		rc = dry_change_chown(t->change, n, what & FUSE_SET_ATTR_UID ? uid : UINT32_MAX,
				      what & FUSE_SET_ATTR_GID ? gid : UINT32_MAX, e);
	}
	/* Behind the owner, whose change takes set-user-ID away. */
	if (rc >= 0 && what & FUSE_SET_ATTR_MODE)
		rc = dry_change_chmod(t->change, n, attr->st_mode & 07777, e);
	if (rc >= 0 && (a || m)) {
		const struct dry_time atime = time_set(&attr->st_atim, what & FUSE_SET_ATTR_ATIME_NOW);
		const struct dry_time mtime = time_set(&attr->st_mtim, what & FUSE_SET_ATTR_MTIME_NOW);

		rc = dry_change_utimens(t->change, n, a ? &atime : NULL, m ? &mtime : NULL, e);
	}
	return rc;
}

void tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	const struct dry_node n = node_of(h, tree_node(t, ino));
	struct dry_error e = { .code = DRY_OK };
	struct fuse_entry_param ent;
	int rc = set_all(t, n, attr, what, &e);

	(void)fi;
	t->dirty = true;
	if (rc >= 0)
		rc = tree_entry(t, h, n, false, &ent, &e);
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else
		t->f->fuse_reply_attr(req, &ent.attr, ent.attr_timeout);
}

void tree_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	int rc = dry_change_write(t->change, node_of(h, tree_node(t, ino)), buf, size, (uint64_t)off, &e);

	(void)fi;
	t->dirty = true;
	tree_give(h);
	if (rc < 0)
		tree_fail(t, req, &e);
	else
		t->f->fuse_reply_write(req, size);
}

/* The kernel lets no other modes through. */
void tree_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct handle *h;
	struct dry_error e = { .code = DRY_OK };
	const unsigned how = (mode & FALLOC_FL_PUNCH_HOLE ? DRY_ALLOCATE_PUNCH : 0) |
			     (mode & FALLOC_FL_KEEP_SIZE ? DRY_ALLOCATE_KEEP_SIZE : 0) |
			     (mode & FALLOC_FL_ZERO_RANGE ? DRY_ALLOCATE_ZERO : 0);

	(void)fi;
	if (mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE)) {
		t->f->fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	h = tree_take(t);
	done(t, h, req,
	     dry_change_allocate(t->change, node_of(h, tree_node(t, ino)), (uint64_t)off, (uint64_t)length, how, &e), &e);
}

void tree_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };

	(void)datasync;
	(void)fi;
	done(t, h, req, dry_change_fsync(t->change, node_of(h, tree_node(t, ino)), &e), &e);
}

void tree_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (ino == FUSE_ROOT_ID && strcmp(name, SERVER_COMMIT) == 0 && !t->how->discard) {
		rc = tree_checkpoint(t, &e);
		tree_give(h);
		t->f->fuse_reply_err(req, rc < 0 ? EIO : 0);
		return;
	}
	rc = dry_change_setxattr(t->change, node_of(h, tree_node(t, ino)), name, value, size,
				 (flags & XATTR_CREATE ? DRY_XATTR_CREATE : 0) | (flags & XATTR_REPLACE ? DRY_XATTR_REPLACE : 0),
				 &e);
	done(t, h, req, rc, &e);
}

void tree_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct tree *t = tree_of(req);
	struct handle *h = tree_take(t);
	struct dry_error e = { .code = DRY_OK };

	done(t, h, req, dry_change_removexattr(t->change, node_of(h, tree_node(t, ino)), name, &e), &e);
}

/* ---- into the image ---- */

int tree_checkpoint(struct tree *t, struct dry_error *e)
{
	int rc = dry_change_checkpoint(t->change, NULL, e);

	if (rc >= 0)
		t->dirty = false;
	snprintf(t->commit_error, sizeof t->commit_error, "%s", rc < 0 ? e->msg : "");
	return rc;
}

/* Every so often, when something has changed. */
static void *commit_often(void *arg)
{
	struct tree *t = arg;

	pthread_mutex_lock(&t->timer_lock);
	while (!t->timer_ends) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (time_t)t->how->commit_every;
		while (!t->timer_ends && pthread_cond_timedwait(&t->timer, &t->timer_lock, &until) != ETIMEDOUT)
			;
		pthread_mutex_unlock(&t->timer_lock);
		if (!t->timer_ends) {
			struct handle *h = tree_take(t);
			struct dry_error e = { .code = DRY_OK };

			if (t->dirty && tree_checkpoint(t, &e) < 0)
				guest_say(t->how->ref, "%s", e.msg);
			tree_give(h);
		}
		pthread_mutex_lock(&t->timer_lock);
	}
	pthread_mutex_unlock(&t->timer_lock);
	return NULL;
}

bool tree_timer_start(struct tree *t)
{
	pthread_mutex_init(&t->timer_lock, NULL);
	pthread_cond_init(&t->timer, NULL);
	return pthread_create(&t->timer_thread, NULL, commit_often, t) == 0;
}

void tree_timer_end(struct tree *t)
{
	pthread_mutex_lock(&t->timer_lock);
	t->timer_ends = true;
	pthread_cond_signal(&t->timer);
	pthread_mutex_unlock(&t->timer_lock);
	pthread_join(t->timer_thread, NULL);
}
