/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs.h - the files of a guest, read-only: what the layers above see.
 *
 * fs_probe() tells what is in a block; fs_open() opens it.  Inside one filesystem things are nodes, numbers that the reader
 * gives: most take the inode's number; where inodes of several subvolumes share numbers, they differ from it.  Paths, with
 * symlinks, mounts and "..", are vfs.h.  A struct fs belongs to one thread at a time.
 */
#ifndef DRYDOCK_FS_H
#define DRYDOCK_FS_H

#include "block.h"
#include "err.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct fs;

/* Of one component: 255 bytes, or 255 units of UTF-16 in filesystems that count so. */
#define FS_NAME_MAX 1020

/* What can be told of a filesystem without opening it whole. */
struct fs_id {
	const char *type;	/* "ext4", "swap", "xfs" ... as blkid names it; NULL: nothing known */
	char label[256];	/* UTF-8, not judged further; "" when none */
	char uuid[40];		/* as blkid prints it; "" when none */
	bool readable;		/* fs_open() can read it */
	bool takes_linux;	/* it cannot be read, but Linux' own driver could */
	bool shared;		/* one of several devices that hold the same filesystem, by the UUID */
	uint64_t size;		/* bytes the filesystem claims, 0: unknown */
};
/* 0 with id->type NULL when nothing is recognised.  Two claims: the type is "ambivalent". */
int fs_probe(struct block *dev, struct fs_id *id, struct err *e);

/* Takes a reference on dev.  ERR_UNSUPPORTED names what is there when it cannot be read. */
int fs_open(struct block *dev, struct fs **out, struct err *e);
/* The same where further parts of the filesystem (other devices, a journal) may be in other blocks, lent for the call. */
int fs_open_among(struct block *dev, struct block *const *others, size_t nothers, struct fs **out, struct err *e);
struct fs *fs_ref(struct fs *fs); /* one more that calls fs_close() */
void fs_close(struct fs *fs);	  /* the last one closes; NULL is fine */
void fs_closep(struct fs **fs); /* for CLEANUP */
const struct fs_id *fs_identity(const struct fs *fs);
struct block *fs_device(const struct fs *fs); /* what it was opened on; lent */
uint64_t fs_root(const struct fs *fs);
/*
 * The node that mount options ("ro,subvol=@home", "subvolid=257") show as the root: fs_root() unless they name a
 * subvolume.  ERR_NOT_FOUND when there is no such subvolume.
 */
int fs_mount_root(struct fs *fs, const char *opts, uint64_t *root, struct err *e);
/* Calls fn for each subvolume and snapshot by its path from the top ("@/home"), until it returns non-zero. */
int fs_subvolumes(struct fs *fs, int (*fn)(void *arg, uint64_t id, const char *path, struct err *e), void *arg,
		  struct err *e);
/* Anything a user should know ("journal replayed in memory: 12 blocks"), or NULL. */
const char *fs_notice(const struct fs *fs);
/* What a user must know, as what is read is older than what the guest itself would see; or NULL. */
const char *fs_warning(const struct fs *fs);

struct fs_usage {
	uint64_t block_size, blocks, blocks_free, blocks_avail, inodes, inodes_free;
};
int fs_statfs(struct fs *fs, struct fs_usage *out, struct err *e);

/*
 * Calls fn for the stretches of the device, in bytes and in order, that the filesystem calls free, until it returns
 * non-zero, which is then returned.  ERR_UNSUPPORTED: nobody knows how to ask this kind, or it was not shut down well.  After
 * a failure nothing that was told is to be believed.
 */
int fs_free_extents(struct fs *fs, int (*fn)(void *arg, uint64_t off, uint64_t len, struct err *e), void *arg,
		    struct err *e);

struct fs_time {
	int64_t sec;
	uint32_t nsec;
};
struct fs_stat {
	uint64_t ino, size, blocks512; /* ino: the inode's number, as st_ino; blocks512: as st_blocks */
	uint64_t subvol; /* things with different ones have different st_dev; 0 where there are no subvolumes */
	uint32_t mode;		       /* type and permissions, as st_mode on Linux */
	uint32_t nlink, uid, gid;
	uint32_t project; /* of project quotas; 0: none */
	uint32_t rdev_major, rdev_minor;
	struct fs_time atime, mtime, ctime, crtime;
	bool has_crtime;
};
int fs_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e);
/* ERR_NOT_FOUND when the directory has no such name. */
int fs_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e);
struct fs_dirent {
	uint64_t ino; /* the node */
	uint32_t type; /* S_IFMT bits, 0: unknown */
	char name[FS_NAME_MAX + 1];
};
/* Calls fn for each entry in on-disk order, "." and ".." too, until it returns non-zero, which is then returned. */
int fs_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg,
	       struct err *e);
/* Reads at most len bytes; *got is less only at the end of the file. */
int fs_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
/* The run of data or hole that begins at off: *len its length (up to the end of the file), *hole which. */
int fs_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e);
/*
 * Where the run of a regular file that begins at off lies on the device: 1, and *len bytes of it are those of the device at
 * *where, as they are; 0: *len bytes, at least 1, lie nowhere (a hole), are stored in another way, or the reader does not tell.
 */
int fs_place(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, uint64_t *where, struct err *e);
int fs_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e);
/* Calls fn for each extended attribute, full name ("user.x", "security.selinux"), ACLs as the kernel gives them. */
int fs_xattrs(struct fs *fs, uint64_t ino,
	      int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	      struct err *e);

#endif
