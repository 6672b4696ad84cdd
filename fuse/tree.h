/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - the inside of tree.c: the guest's handles, and the nodes that the kernel knows.
 *
 * A guest's handle belongs to one thread at a time.  So there are several of one guest, each behind a lock; a request takes the
 * first that is free, so that who works alone has one that is warm.  Those behind the first are mounted when they are first
 * needed.  What does not change while it is mounted - attributes, where bytes lie on the host - is kept with the nodes, and is
 * answered without any.
 *
 * A guest that others change (--live) has one handle.  Each request looks whether the images were written to, and mounts anew what
 * was mounted at first: then a node is what has its number now.
 */
#ifndef DRYDOCK_TREE_H
#define DRYDOCK_TREE_H

#include "mount.h"

#include <pthread.h>
#include <sys/stat.h>

#define HANDLES_MAX 4u
/* Filesystems that are mounted in one guest. */
#define TREE_FS_MAX 256u

struct handle {
	pthread_mutex_t lock;
	struct dry_guest *g;
	enum { HANDLE_NEW, HANDLE_READY, HANDLE_DEAD, HANDLE_TORN } state;
	void *fs[TREE_FS_MAX]; /* what nodes of its mounts have, in the order of mounting */
};

/* A file that the kernel has met, and not forgotten; its address is what the kernel calls it. */
struct node {
	struct node *next; /* in its bucket */
	unsigned fs;	   /* which mount's filesystem */
	uint64_t ino;	   /* as struct dry_node */
	uint64_t lookups;  /* that the kernel will take back */
	struct stat st;	   /* as it is shown */
	struct window *window; /* the runs that were last asked for; behind the lock of its stripe */
	/* With a change, behind the lock of the handle: */
	unsigned opens;
	bool detached;	       /* its last name has gone: it is not in the table */
	char *hidden;	       /* the name that it has while it is open; NULL: its own */
	struct dry_node hidden_in;
};

/* What is mounted, of a guest that others change. */
struct tree_mount {
	char *volume, *path;
	char options[40];
};

#define STRIPES 16u
struct tree {
	const struct tree_how *how;
	const struct libfuse *f;
	struct handle handles[HANDLES_MAX];
	unsigned nhandles;
	unsigned nfs;
	size_t volume[TREE_FS_MAX]; /* by mount: the volume's number */
	struct tree_mount *mounts;  /* by mount; NULL: nobody else changes the guest */
	bool moving;		    /* what is known now may be otherwise in a moment: there is a change, or others change it */
	uint64_t root_dev;
	pthread_mutex_t lock; /* of the table */
	struct node **buckets;
	size_t nbuckets, nnodes; /* nbuckets is a power of two */
	struct node root;
	pthread_mutex_t stripes[STRIPES];
	struct buffers *buffers;
	/* What is written, behind the lock of the only handle; NULL: nothing can be. */
	struct dry_change *change;
	bool dirty;		 /* something has changed since the last checkpoint */
	unsigned nhidden;
	char commit_error[1000]; /* why the last checkpoint failed; "": it did not */
	pthread_t timer_thread;	 /* of --commit-every */
	pthread_mutex_t timer_lock;
	pthread_cond_t timer;
	bool timer_ends;
};

/* tree_nodes.c */

/* Mounts the first handle: 0, or the exit status with a sentence printed. */
int tree_open(struct tree *t, const struct tree_how *how);
void tree_close(struct tree *t);
/* A handle that nobody else uses until it is given back. */
struct handle *tree_take(struct tree *t);
/*
 * The same for who looks at the guest, as its images are now.  NULL: they could not be looked at, or hold nothing whole at this
 * moment, and the request was answered.
 */
struct handle *tree_take_fresh(struct tree *t, fuse_req_t req);
void tree_give(struct handle *h);
/* The number of the mount to which a node that a handle found belongs. */
unsigned tree_fs_of(const struct tree *t, const struct handle *h, struct dry_node found);
/* The node that the kernel calls so. */
struct node *tree_node(struct tree *t, fuse_ino_t ino);
/* What a node is to a handle. */
struct dry_node node_of(const struct handle *h, const struct node *n);
/*
 * What a handle found: its facts become *out, for the kernel; with `count` the kernel will know it, which must be taken back by
 * tree_forget() when the answer does not reach it.  0, or < 0 with *e filled.
 */
int tree_entry(struct tree *t, struct handle *h, struct dry_node found, bool count, struct fuse_entry_param *out,
	       struct dry_error *e);
void tree_forget(struct tree *t, fuse_ino_t ino, uint64_t n);
/* The node that the kernel knows for what a handle found; NULL: it does not. */
struct node *tree_find(struct tree *t, const struct handle *h, struct dry_node found);
/* Its number may be given to another file from now on; the kernel will forget it when nobody uses it. */
void tree_detach(struct tree *t, struct node *n);
/* How long the kernel may keep what it was told, in seconds. */
double tree_attr_timeout(const struct tree *t);
/* Answers a request with an error, and tells it with -v. */
void tree_fail(struct tree *t, fuse_req_t req, const struct dry_error *e);

/* tree_read.c: what is in a file. */
void tree_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void tree_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);

/* tree_dir.c: what is in a directory. */
void tree_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void tree_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void tree_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void tree_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* tree_write.c: what changes the guest. */
void tree_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void tree_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void tree_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void tree_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void tree_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname);
void tree_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void tree_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void tree_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname, unsigned flags);
void tree_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void tree_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int what, struct fuse_file_info *fi);
void tree_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi);
void tree_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length, struct fuse_file_info *fi);
void tree_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void tree_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void tree_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
/* Closed once less. */
void tree_release_node(struct tree *t, fuse_ino_t ino);
/* With the handle: what was written so far is in the image.  0, or < 0 with *e filled. */
int tree_checkpoint(struct tree *t, struct dry_error *e);
/* The thread of --commit-every; false: there is none. */
bool tree_timer_start(struct tree *t);
void tree_timer_end(struct tree *t);

#endif
