/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs.h - the parts of the XFS reader to each other.
 *
 * Layout, in short ("XFS Algorithms & Data Structures", 3rd edition): the disk is cut into allocation groups of
 * sb_agblocks blocks.  A block's number is its group's number above sb_agblklog bits of its place in the group, and an
 * inode's number is the number of its block above sb_inopblog bits of its place in the block, so that an inode is found
 * without a lookup.  An inode ends in two forks, data and attributes, each of which holds its bytes inline, as a list of
 * extents, or as a B+tree of extents.  All integers are big-endian but the checksums.  Version 5 (V5) has checksums (crc32c),
 * and every block tells its own place, its owner, and the filesystem that it belongs to.
 *
 * Places on the device are bytes here ("pos"); messages give them as sectors of 512 bytes, as xfs_db counts them (daddr).
 */
#ifndef DRYDOCK_XFS_H
#define DRYDOCK_XFS_H

#include "fs_driver.h"
#include "lines.h"
#include "ondisk.h"

#include <stddef.h>
#include <sys/stat.h>

#define XFS_SECTOR_BITS 9
#define XFS_SECTOR (1u << XFS_SECTOR_BITS) /* of addresses in metadata and of the log, whatever the device's are */
#define XFS_SB_MAGIC "XFSB"
#define XFS_LOG_MAGIC 0xfeedbabeu

struct xfs_over; /* xfs_log.h */

/* ---- xfs_io.c: bytes of the device, with what the log has for them laid over ---- */

struct xfs_io {
	struct block *dev;
	struct xfs_over *over; /* NULL: the log had nothing to say */
	struct lines lines;
};

/* Anew, also where it was in use.  It must stay where it is; end it with xfs_io_free(), also after a failure. */
int xfs_io_init(struct xfs_io *io, struct block *dev, struct err *e);
void xfs_io_free(struct xfs_io *io);
/* Straight into the buffer: for the content of files, which is never logged. */
int xfs_io_read(struct xfs_io *io, void *buf, size_t len, uint64_t pos, struct err *e);
/*
 * Through a small cache: for metadata.  *logged (if given): a part of it comes from the log, so that its checksum, which
 * is written only when the block goes to its place, means nothing.
 */
int xfs_io_meta(struct xfs_io *io, void *buf, size_t len, uint64_t pos, bool *logged, struct err *e);
/* Is it the CRC-32C of all bytes, with the 4 at `at`, where it is stored, as zeros? */
bool xfs_crc_matches(const void *bytes, size_t len, size_t at);

/* ---- the filesystem ---- */

enum xfs_run_kind { XFS_RUN_HOLE, XFS_RUN_UNWRITTEN, XFS_RUN_DATA };
/* A run of blocks of a file. */
struct xfs_run {
	uint64_t lblk, len;
	uint64_t pos; /* of its first byte on the device; not for holes */
	enum xfs_run_kind kind;
};

enum { XFS_FORMAT_DEV = 0, XFS_FORMAT_LOCAL = 1, XFS_FORMAT_EXTENTS = 2, XFS_FORMAT_BTREE = 3 };
struct xfs_fork {
	const uint8_t *bytes; /* in the inode */
	size_t len;	      /* 0: there is no such fork */
	uint8_t format;
	uint64_t nextents;
	/* The part of the map that was looked up last: runs that together cover [first, end). */
	uint64_t first, end;
	struct xfs_run *runs;
	size_t n, cap;
};

/* As it lies on the disk; from crc on only in version 3. */
struct xfs_dinode {
	be16 magic, mode;
	uint8_t version, format;
	be16 onlink;
	be32 uid, gid, nlink;
	be16 projid_lo, projid_hi;
	be64 big_nextents; /* with XFS_FLAG2_NREXT64; else padding, and in its last 2 bytes a count of flushes */
	uint8_t atime[8], mtime[8], ctime[8];
	be64 size, nblocks;
	be32 extsize;
	be32 nextents; /* with XFS_FLAG2_NREXT64 those of the attribute fork */
	be16 anextents;
	uint8_t forkoff, aformat;
	be32 dmevmask;
	be16 dmstate, flags;
	be32 gen, next_unlinked;
	le32 crc;
	be64 changecount, lsn, flags2;
	be32 cowextsize;
	uint8_t pad2[12], crtime[8];
	be64 ino;
	uint8_t uuid[16];
};
_Static_assert(sizeof(struct xfs_dinode) == 176, "as the format has it");
#define XFS_DINODE_MAGIC 0x494e
#define XFS_FLAG_REALTIME 0x1
#define XFS_FLAG2_REFLINK 0x2
#define XFS_FLAG2_BIGTIME 0x8
#define XFS_FLAG2_NREXT64 0x10
/* Where the forks begin. */
#define XFS_CORE2 100u
#define XFS_CORE3 176u

struct xfs_inode {
	uint64_t ino;
	unsigned refs; /* one of the cache, one of each user */
	uint64_t used; /* for the choice of whom to forget */
	uint16_t mode, flags;
	uint64_t size, flags2;
	struct xfs_fork data, attr;
	unsigned unfinished; /* what the log announces for it and has not done, XFS_UNFINISHED_* */
	bool any_owner;	    /* its map's blocks may name another owner, as the log has only begun to change that */
	const struct xfs_dinode *d; /* raw */
	uint8_t raw[];	    /* inode_size bytes */
};
/* Changes of the map of its data that we complete; changes of its data, or attributes, that only the kernel completes. */
enum { XFS_UNFINISHED_MAP = 1, XFS_UNFINISHED_DATA = 2, XFS_UNFINISHED_ATTR = 4 };

#define XFS_OPEN_INODES 16
struct xfs {
	struct xfs_io io;
	struct xfs_over *over; /* ours; NULL: the filesystem was unmounted cleanly */
	uint8_t uuid[16], meta_uuid[16];
	bool v5, lazy, ftype, fold_names, reflink;
	uint32_t log_incompat;
	unsigned bs, bs_bits, sector_size, inode_size, inode_bits, dir_bs;
	unsigned ag_bits, inop_bits; /* of the number of a block in its group, of an inode in its block */
	uint64_t nblocks;
	uint32_t agblocks, agcount;
	uint64_t root, log_start;
	uint32_t log_blocks;
	uint64_t icount, ifree, fdblocks;
	unsigned imax_pct;
	struct xfs_inode *inodes[XFS_OPEN_INODES];
	uint64_t clock;
	uint8_t *node;	      /* a block of scratch, for the map only */
	uint8_t *leaf, *data; /* two directory blocks of scratch, for looking up a name only */
};

uint32_t xfs_group_blocks(const struct xfs *x, uint64_t ag);
/* The byte where a block begins; false when blocks [fsb, fsb + len) are not all in one group of the filesystem. */
bool xfs_block_pos(const struct xfs *x, uint64_t fsb, uint64_t len, uint64_t *pos);
/* The byte where an inode of this number would lie; false when there can be none. */
bool xfs_inode_pos(const struct xfs *x, uint64_t ino, uint64_t *pos);

/* ---- xfs_super.c ---- */

/* Reads and judges the superblock; fills everything of x that comes from it. */
int xfs_super_read(struct xfs *x, struct err *e);

/* ---- xfs_statfs.c ---- */

/* As the kernel's statfs of a read-only mount. */
int xfs_statfs(struct xfs *x, struct fs_usage *out, struct err *e);

/* ---- xfs_io.c: what a block of version 5 says of itself ---- */

/* Where in a block it is said. */
struct xfs_self {
	uint8_t crc, place, uuid, owner;
};
extern const struct xfs_self xfs_self_da, xfs_self_dir, xfs_self_map, xfs_self_remote;
#define XFS_ANY_OWNER UINT64_MAX
/* Checksum (unless from the log), place, filesystem and owner.  what: "directory block".  Always good before version 5. */
int xfs_self_check(const struct xfs *x, const struct xfs_self *s, const uint8_t *block, size_t len, uint64_t pos,
		   uint64_t owner, bool logged, const char *what, struct err *e);

/* ---- xfs_inode.c ---- */

/* A reference to the inode. */
int xfs_inode_get(struct xfs *x, uint64_t ino, struct xfs_inode **out, struct err *e);
void xfs_inode_put(struct xfs_inode *in);
void xfs_inode_putp(struct xfs_inode **in); /* for CLEANUP */
int xfs_inode_stat(struct xfs *x, struct xfs_inode *in, struct fs_stat *out, struct err *e);

/* ---- xfs_map.c ---- */

/* The run that begins at lblk; out->lblk is lblk, out->len at least 1. */
int xfs_map(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, struct xfs_run *out, struct err *e);
/* By how many blocks a file is larger than its inode says, once what the log announces is done. */
int xfs_map_growth(struct xfs *x, struct xfs_inode *in, int64_t *nblocks, struct err *e);
/* n blocks of metadata from lblk on, which must all be there; *pos is the first one's place. */
int xfs_map_meta(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, unsigned n, uint8_t *buf,
		 uint64_t *pos, bool *logged, struct err *e);
/* At most len bytes from off; less only at the end of the file. */
int xfs_read(struct xfs *x, struct xfs_inode *in, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
int xfs_extent(struct xfs *x, struct xfs_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e);
/* As fs_place(). */
int xfs_place(struct xfs *x, struct xfs_inode *in, uint64_t off, uint64_t *len, uint64_t *where, struct err *e);
int xfs_readlink(struct xfs *x, struct xfs_inode *in, struct strbuf *target, struct err *e);

/* ---- xfs_da.c: trees of hashes, which directories and attributes have in common ---- */

#define XFS_DA_NODE2 0xfebe
#define XFS_DA_NODE3 0x3ebe
struct xfs_da_info {
	be32 forw, back;
	be16 magic, pad;
};
uint32_t xfs_da_hash(const char *name, size_t len);
/* A node or a leaf. */
struct xfs_da_block {
	uint8_t *bytes; /* the caller's room for it */
	uint64_t lblk, pos;
	bool logged; /* as of xfs_io_meta() */
};
/*
 * From the root of a tree, at block `root` of the fork, to the leaf for hash; nodes and leaves have n blocks each.  What is
 * no node is a leaf, not yet checked.
 */
int xfs_da_descend(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t root, unsigned n, uint32_t hash,
		   struct xfs_da_block *b, struct err *e);

/* ---- xfs_dir.c, xfs_lookup.c ---- */

typedef int (*xfs_dirent_fn)(void *arg, const struct fs_dirent *d, struct err *e);
int xfs_readdir(struct xfs *x, struct xfs_inode *dir, xfs_dirent_fn fn, void *arg, struct err *e);
int xfs_lookup(struct xfs *x, struct xfs_inode *dir, const char *name, uint64_t *ino, struct err *e);

/* For xfs_lookup.c: a block of entries. */
struct xfs_dir_block {
	uint8_t *bytes;	   /* the caller's room for it */
	uint64_t off;	   /* of it in the directory */
	size_t first, end; /* where its entries are */
	/* The directory has no other, and its hashes lie behind the entries. */
	bool single;
	size_t nhashes;
};
int xfs_dir_judge(const struct xfs *x, const struct xfs_inode *dir, struct err *e);
/* Reads and checks the block of entries at b->off, a multiple of dir_bs. */
int xfs_dir_block(struct xfs *x, struct xfs_inode *dir, struct xfs_dir_block *b, struct err *e);
/* The entry at *at, which is moved behind it: 1, or 0 when there is a gap. */
int xfs_dir_entry(const struct xfs *x, const struct xfs_dir_block *b, size_t *at, struct fs_dirent *d, struct err *e);
/* All of a directory that lies in its inode. */
int xfs_dir_local(const struct xfs *x, const struct xfs_inode *dir, xfs_dirent_fn fn, void *arg, struct err *e);

/* ---- xfs_attr.c ---- */

int xfs_xattrs(struct xfs *x, struct xfs_inode *in,
	       int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	       struct err *e);

#endif
