/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * squashfs.h - the parts of the squashfs reader to each other.
 *
 * Layout of version 4.0, from the format as its documentation describes it (the kernel's Documentation/filesystems/squashfs):
 * a superblock of 96 bytes, compressed data blocks and fragments, then tables.  The inode and the directory table are chains
 * of metadata blocks: two bytes of length (the highest bit: stored as it is) and what unpacks to at most 8 KiB; whatever
 * lies in them may go on in the next.  A place in a table is the start of a metadata block, counted from the table's, and
 * an offset in what it unpacks to.  The tables of fragments, owners and attributes have an index of absolute addresses of
 * their metadata blocks.  All integers are little-endian.
 */
#ifndef DRYDOCK_SQUASHFS_H
#define DRYDOCK_SQUASHFS_H

#include "fs_driver.h"
#include "unpack.h"

#define SQUASH_META_SIZE 8192
#define SQUASH_META_LINES 64
#define SQUASH_MAX_BLOCK (1024 * 1024)
#define SQUASH_DATA_LINES 16
#define SQUASH_NONE32 0xffffffffu
#define SQUASH_NONE64 UINT64_MAX
#define SQUASH_CHECKPOINTS 128

/* A place in a chain of metadata blocks. */
struct squash_cursor {
	uint64_t addr; /* of the block, from the start of the device */
	unsigned off;  /* in what it unpacks to */
};

/* A metadata block, unpacked. */
struct squash_meta {
	uint64_t addr, next; /* addr UINT64_MAX: empty */
	uint64_t used;
	size_t len;
	uint8_t *data; /* SQUASH_META_SIZE bytes */
};

/* A data block or fragment, unpacked. */
struct squash_line {
	uint64_t addr; /* UINT64_MAX: empty */
	uint64_t used;
	size_t len;
	uint8_t *data;
};

struct squash_inode {
	uint64_t ref;	  /* the node: place in the inode table, block << 16 | offset */
	unsigned type;	  /* 1 to 7: as of the basic types */
	uint32_t mode, uid, gid, mtime, number, nlink, rdev, xattr;
	uint64_t size;
	/* directories */
	uint32_t dir_block, parent;
	unsigned dir_off, nindex;
	/* regular files */
	uint64_t start, sparse, nblocks;
	uint32_t fragment, frag_off;
	bool extended;
	struct squash_cursor rest; /* what follows the fixed part: block sizes, target, index */
};

/* Where the blocks of the file that was read last lie: sums of sizes, kept at every stride-th block. */
struct squash_map {
	uint64_t ref; /* UINT64_MAX: none */
	uint64_t stride;
	size_t n;
	struct squash_spot {
		uint64_t blk, addr;	   /* the block and where its bytes begin */
		struct squash_cursor size; /* where its size stands */
	} spots[SQUASH_CHECKPOINTS], last;
};

struct squash {
	struct block *dev; /* lent from the struct fs */
	struct unpacker *unpacker;
	uint64_t end; /* bytes_used, judged */
	uint32_t ninodes, nids, nfragments, mtime;
	unsigned bs, bs_bits;
	uint64_t inode_table, dir_table, fragment_index, id_index, root_ref;
	uint64_t xattr_index, xattr_table; /* xattr_index UINT64_MAX: none */
	uint32_t nxattrs;
	struct squash_meta metas[SQUASH_META_LINES];
	struct squash_line lines[SQUASH_DATA_LINES];
	struct squash_map map;
	uint64_t clock;
	uint8_t *packed; /* one block: what is about to be unpacked */
};

/* ---- squashfs_meta.c ---- */

/* Copies len bytes from the chain and moves on; buf NULL: only moves. */
int squash_read(struct squash *s, struct squash_cursor *c, void *buf, size_t len, struct err *e);
/* Entry n, of `size` bytes, of a table whose index of addresses begins at `index`. */
int squash_table_read(struct squash *s, uint64_t index, uint32_t n, void *buf, size_t size, const char *what,
		      struct err *e);
int squash_inode_get(struct squash *s, uint64_t ref, struct squash_inode *out, struct err *e);

/* ---- squashfs_dir.c ---- */

int squash_readdir(struct squash *s, const struct squash_inode *dir,
		   int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg, struct err *e);
int squash_lookup(struct squash *s, const struct squash_inode *dir, const char *name, uint64_t *ref, struct err *e);

/* ---- squashfs_data.c ---- */

int squash_pread(struct squash *s, const struct squash_inode *in, void *buf, size_t len, uint64_t off, size_t *got,
		 struct err *e);
int squash_extent(struct squash *s, const struct squash_inode *in, uint64_t off, uint64_t *len, bool *hole,
		  struct err *e);

/* ---- squashfs_xattr.c ---- */

/* Bytes of attributes that the inode's list takes; 0: none. */
int squash_xattrs_size(struct squash *s, const struct squash_inode *in, uint32_t *size, struct err *e);
int squash_xattrs(struct squash *s, const struct squash_inode *in,
		  int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		  struct err *e);

#endif
