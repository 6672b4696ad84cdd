/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfs.h - a guest's tree: filesystems mounted on each other, and paths through them.
 *
 * Paths are the guest's: absolute (a missing leading "/" is taken as given), symlinks are followed inside the guest
 * only, ".." at the root stays there, and mount points are crossed.  Errors: ERR_NOT_FOUND for what is not there; else
 * ERR_SYSTEM with the errno that the kernel would give (ENOTDIR, ELOOP, ENAMETOOLONG, EISDIR ...); the message names the
 * path, quoted.  A struct vfs and all its filesystems belong to one thread at a time.
 */
#ifndef DRYDOCK_VFS_H
#define DRYDOCK_VFS_H

#include "fs.h"

struct vfs;

int vfs_new(struct vfs **out, struct err *e);
void vfs_free(struct vfs *v); /* closes every filesystem that was mounted; NULL is fine */
void vfs_freep(struct vfs **v); /* for CLEANUP */

/*
 * Puts fs over `mountpoint`, which must be a directory of the tree so far; the first mount is "/".  The root is that of
 * the filesystem, or (vfs_mount_node) another directory of it.  One filesystem may be mounted more than once, each with a
 * reference.  On success that belongs to v; on failure it is still the caller's.
 */
int vfs_mount(struct vfs *v, struct fs *fs, const char *mountpoint, struct err *e);
int vfs_mount_node(struct vfs *v, struct fs *fs, uint64_t root, const char *mountpoint, struct err *e);
struct vfs_mount_info {
	const char *path; /* where, as resolved; lent */
	struct fs *fs;	  /* lent */
	uint64_t root;	  /* the node that is seen there */
};
size_t vfs_nmounts(const struct vfs *v);
/* In the order in which they were mounted: 0 is "/". */
struct vfs_mount_info vfs_mount_info(const struct vfs *v, size_t i);

/* A place in the tree.  What lies there is asked of fs.h: fs_stat(n.fs, n.ino), fs_pread(), fs_extent(), fs_xattrs(). */
struct vfs_node {
	struct fs *fs;
	uint64_t ino;
};

/* A path that ends in "/" must be a directory, and a symlink there is followed whatever follow_last says. */
int vfs_lookup(struct vfs *v, const char *path, bool follow_last, struct vfs_node *out, struct err *e);
/* The same, and the path without symlinks, "." and ".." is appended to *real. */
int vfs_realpath(struct vfs *v, const char *path, bool follow_last, struct vfs_node *out, struct strbuf *real,
		 struct err *e);
/* Lookup and fs_stat() in one. */
int vfs_stat(struct vfs *v, const char *path, bool follow_last, struct fs_stat *out, struct err *e);
/* Is there a directory (regular file) at the path, symlinks followed?  Any failure is a no. */
bool vfs_is_dir(struct vfs *v, const char *path);
bool vfs_is_file(struct vfs *v, const char *path);

/* What lies under one name in a directory, with a mount point crossed; ERR_NOT_FOUND when there is nothing. */
int vfs_child(struct vfs *v, struct vfs_node dir, const char *name, struct vfs_node *out, struct err *e);

struct vfs_dirent {
	const char *name;     /* lent until fn returns */
	struct vfs_node node; /* with a mount point crossed */
	uint32_t type;	      /* S_IFMT bits, 0: unknown until it is stat'ed */
};
/* Calls fn for each entry but "." and "..", on request sorted by the bytes of the name; stops at the first non-zero. */
int vfs_readdir(struct vfs *v, struct vfs_node dir, bool sorted,
		int (*fn)(void *arg, const struct vfs_dirent *d, struct err *e), void *arg, struct err *e);

/* The whole of a regular file (symlinks followed), NUL-terminated behind its end, free() it; larger is ERR_LIMIT. */
int vfs_read_file(struct vfs *v, const char *path, size_t max, char **out, size_t *len, struct err *e);

/* ---- walking ---- */

enum vfs_when {
	VFS_ENTER, /* before the contents of a directory; the only call for everything else */
	VFS_LEAVE, /* after them */
};
enum { VFS_GO_ON = 0, VFS_SKIP = 1 /* on VFS_ENTER: not into this directory */, VFS_STOP = 2 };

struct vfs_entry {
	const char *path; /* in the guest, absolute: the start as given and what lies below it */
	const char *rel;  /* the part below the start, "" for the start itself */
	const char *name; /* the last component, "" for the start */
	unsigned depth;	  /* 0: the start */
	struct vfs_node node;
	struct fs_stat st;
};

struct vfs_walk {
	bool sorted;	/* by name bytes, else on-disk order */
	bool one_fs;	/* mount points are shown as the directories that they cover, and not entered */
	bool want_leave; /* VFS_LEAVE is called */
	/* VFS_GO_ON, VFS_SKIP, VFS_STOP (the walk ends and returns VFS_STOP), or an error (< 0), which ends the walk. */
	int (*fn)(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *e);
	/*
	 * Something at `path` could not be read: *why, which is already cleared for the walk.  0: go on with the next.  NULL: the
	 * first failure ends the walk.
	 */
	int (*failed)(void *arg, const char *path, const struct err *why, struct err *e);
	void *arg;
};

/*
 * Depth-first from `path` (the last symlink is followed), the start first; it need not be a directory.  Symlinks below
 * are not followed.  A directory that contains itself is ERR_CORRUPT (through `failed`), deeper than LIMIT_DIR_DEPTH
 * ERR_LIMIT; so the walk ends.
 */
int vfs_walk(struct vfs *v, const char *path, const struct vfs_walk *w, struct err *e);

#endif
