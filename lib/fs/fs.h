/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs.h - the files of a guest, read-only: what the layers above see.
 *
 * fs_probe() tells what is in a block; fs_open() opens it.  Inside one filesystem things are inode numbers; paths, with
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

/* What can be told of a filesystem without opening it whole. */
struct fs_id {
	const char *type;	/* "ext4", "swap", "xfs" ... as blkid names it; NULL: nothing known */
	char label[256];	/* UTF-8, not judged further; "" when none */
	char uuid[40];		/* as blkid prints it; "" when none */
	bool readable;		/* fs_open() can read it */
	uint64_t size;		/* bytes the filesystem claims, 0: unknown */
};
/* 0 with id->type NULL when nothing is recognised.  Two claims: the type is "ambivalent". */
int fs_probe(struct block *dev, struct fs_id *id, struct err *e);

/* Takes a reference on dev.  ERR_UNSUPPORTED names what is there when it cannot be read. */
int fs_open(struct block *dev, struct fs **out, struct err *e);
void fs_close(struct fs *fs);
void fs_closep(struct fs **fs); /* for CLEANUP */
const struct fs_id *fs_identity(const struct fs *fs);
uint64_t fs_root(const struct fs *fs);
/* Anything a user should know ("journal replayed in memory: 12 blocks"), or NULL. */
const char *fs_notice(const struct fs *fs);

struct fs_usage {
	uint64_t block_size, blocks, blocks_free, blocks_avail, inodes, inodes_free;
};
int fs_statfs(struct fs *fs, struct fs_usage *out, struct err *e);

struct fs_time {
	int64_t sec;
	uint32_t nsec;
};
struct fs_stat {
	uint64_t ino, size, blocks512; /* blocks512: as st_blocks */
	uint32_t mode;		       /* type and permissions, as st_mode on Linux */
	uint32_t nlink, uid, gid;
	uint32_t rdev_major, rdev_minor;
	struct fs_time atime, mtime, ctime, crtime;
	bool has_crtime;
};
int fs_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e);
/* ERR_NOT_FOUND when the directory has no such name. */
int fs_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e);
struct fs_dirent {
	uint64_t ino;
	uint32_t type; /* S_IFMT bits, 0: unknown */
	char name[256];
};
/* Calls fn for each entry in on-disk order, "." and ".." too, until it returns non-zero, which is then returned. */
int fs_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg,
	       struct err *e);
/* Reads at most len bytes; *got is less only at the end of the file. */
int fs_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
/* The run of data or hole that begins at off: *len its length (up to the end of the file), *hole which. */
int fs_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e);
int fs_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e);
/* Calls fn for each extended attribute, full name ("user.x", "security.selinux"), ACLs as the kernel gives them. */
int fs_xattrs(struct fs *fs, uint64_t ino,
	      int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	      struct err *e);

#endif
