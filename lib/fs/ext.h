/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext.h - the parts of the ext2/3/4 reader to each other.
 *
 * libext2fs has the format's structs, the hashes of names, the tables that fold case, and the checksums.  What lies on the
 * disk is read here: a reader needs runs of blocks rather than single ones, group descriptors one by one rather than all,
 * and every field of a stranger's filesystem judged before it is used.
 *
 * Layout, in short (the kernel's Documentation/filesystems/ext4): the superblock at byte 1024; the disk in groups of
 * s_blocks_per_group blocks, each with a part of the inode table; an inode names its data by an extent tree, by
 * direct and indirect block numbers, or holds it inline.  All integers are little-endian.
 */
#ifndef DRYDOCK_EXT_H
#define DRYDOCK_EXT_H

#include "fs_driver.h"
#include "lines.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#define EXT_SUPER_OFF 1024

#define EXT_LE16(x) ext2fs_le16_to_cpu(x)
#define EXT_LE32(x) ext2fs_le32_to_cpu(x)
#define EXT_LE64(x) ext2fs_le64_to_cpu(x)

/* ---- ext_io.c: bytes of the device, as they are after the journal has been replayed ---- */

/* A block whose current content lies in the journal: the device bytes at `off` stand for it. */
struct ext_patch {
	uint64_t block, off;
	uint32_t transaction, seq; /* counted from the start of the log; the later seq wins */
	bool escaped;		   /* its first four bytes are the journal's magic, written as zeros */
};
struct ext_patches {
	struct ext_patch *items; /* sorted by block, one each, once the replay is done */
	size_t n, cap;
};

struct ext_io {
	struct block *dev;
	unsigned bs;			   /* of the filesystem */
	const struct ext_patches *patches; /* NULL: none */
	struct lines lines;
};

/* Anew, also where it was in use.  It must stay where it is; end it with ext_io_free(), also after a failure. */
int ext_io_init(struct ext_io *io, struct block *dev, unsigned bs, struct err *e);
void ext_io_free(struct ext_io *io);
/* Straight into the buffer: for data. */
int ext_io_read(struct ext_io *io, void *buf, size_t len, uint64_t off, struct err *e);
/* Through a small cache: for metadata. */
int ext_io_read_meta(struct ext_io *io, void *buf, size_t len, uint64_t off, struct err *e);

/* ---- the filesystem ---- */

/* A run of logical blocks of a file. */
enum ext_run_kind { EXT_RUN_HOLE, EXT_RUN_UNWRITTEN, EXT_RUN_DATA };
struct ext_run {
	uint64_t lblk, len, pblk;
	enum ext_run_kind kind;
};

/* The part of a file's map that was looked up last: runs that together cover [first, end). */
struct ext_map_cache {
	uint64_t first, end;
	struct ext_run *runs;
	size_t n, cap;
};

struct ext_inode {
	uint32_t ino;
	unsigned refs;	/* one of the cache, one of each user */
	uint64_t used;	/* for the choice of whom to forget */
	uint8_t *raw;	/* inode_size bytes as they lie on the disk */
	const struct ext2_inode_large *d; /* the same; fields past 128 + i_extra_isize are not there */
	unsigned extra; /* i_extra_isize, judged; 0 without */
	uint16_t mode;
	uint32_t flags;
	uint64_t size;
	uint32_t seed;	/* of the checksums of what belongs to it */
	struct ext_map_cache map;
};

#define EXT_OPEN_INODES 8
struct ext {
	struct ext_io io;
	struct ext_patches patches;
	struct ext2_super_block sb; /* as on the disk */
	uint32_t compat, incompat, ro_compat;
	unsigned bs, bs_bits, cluster_bits; /* cluster_bits: blocks in a cluster, as a shift */
	uint64_t first_block, nblocks;
	uint32_t ninodes, first_ino, blocks_per_group, inodes_per_group, ngroups;
	unsigned inode_size, desc_size;
	bool csum; /* metadata_csum */
	uint32_t seed;
	const struct ext2fs_nls_table *casefold; /* NULL: names are bytes */
	struct ext_inode *inodes[EXT_OPEN_INODES];
	uint64_t clock;
	uint8_t *block; /* one block of scratch, for the map only */
};

/* ---- ext_super.c ---- */

/* Reads and judges the superblock; fills everything of x that comes from it. */
int ext_super_read(struct ext *x, struct err *e);
/* "ext2", "ext3", "ext4" or "jbd", by the features as blkid tells them apart. */
const char *ext_type(const struct ext2_super_block *sb);
/* As the kernel's ext4_statfs. */
int ext_statfs(struct ext *x, struct fs_usage *out, struct err *e);

/* ---- ext_group.c ---- */

struct ext_group {
	uint64_t block_bitmap, inode_bitmap, inode_table; /* not judged */
	uint32_t free_clusters, free_inodes;
	uint32_t bitmap_sum; /* of the block bitmap */
	bool sound;	     /* its own checksum matches, or there are none */
	bool unused;	     /* its block bitmap was never written: only the filesystem itself is in it */
};
int ext_group_get(struct ext *x, uint32_t group, struct ext_group *out, struct err *e);
bool ext_group_has_super(const struct ext *x, uint32_t group);
/* How many blocks of descriptors it holds, in use. */
uint64_t ext_group_desc_blocks(const struct ext *x, uint32_t group);
/* What it begins with: a superblock, descriptors, and blocks that are kept for more of these; *nblocks may be 0. */
void ext_group_head(const struct ext *x, uint32_t group, uint64_t *first, uint64_t *nblocks);
/* Does the checksum of its block bitmap, of bs bytes, match? */
bool ext_group_bitmap_is(const struct ext *x, const struct ext_group *g, const uint8_t *bitmap);

/* ---- ext_journal.c ---- */

/* Fills x->patches from the journal of an open filesystem whose needs_recovery is set. */
int ext_journal_replay(struct ext *x, char *notice, size_t notice_size, struct err *e);

/* ---- ext_free.c ---- */

/* As fs_free_extents(). */
int ext_free_extents(struct ext *x, int (*fn)(void *arg, uint64_t off, uint64_t len, struct err *e), void *arg,
		     struct err *e);

/* ---- ext_inode.c ---- */

/* A reference to the inode.  internal: reserved inodes are allowed. */
int ext_inode_get(struct ext *x, uint64_t ino, bool internal, struct ext_inode **out, struct err *e);
void ext_inode_put(struct ext_inode *in);
void ext_inode_putp(struct ext_inode **in); /* for CLEANUP */
uint64_t ext_inode_acl_block(const struct ext_inode *in);
int ext_inode_stat(struct ext *x, struct ext_inode *in, struct fs_stat *out, struct err *e);
/* Encrypted content is refused in words. */
int ext_inode_readable(const struct ext_inode *in, struct err *e);

/* ---- ext_map.c ---- */

/* The run that begins at lblk; out->lblk is lblk, out->len at least 1. */
int ext_map(struct ext *x, struct ext_inode *in, uint64_t lblk, struct ext_run *out, struct err *e);
/* At most len bytes from off; less only at the end of the file. */
int ext_read(struct ext *x, struct ext_inode *in, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
int ext_extent(struct ext *x, struct ext_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e);
/* As fs_place(). */
int ext_place(struct ext *x, struct ext_inode *in, uint64_t off, uint64_t *len, uint64_t *where, struct err *e);
int ext_readlink(struct ext *x, struct ext_inode *in, struct strbuf *target, struct err *e);

/* ---- ext_dir.c ---- */

int ext_readdir(struct ext *x, struct ext_inode *dir,
		int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg, struct err *e);
int ext_lookup(struct ext *x, struct ext_inode *dir, const char *name, uint64_t *ino, struct err *e);

/* ---- ext_xattr.c ---- */

int ext_xattrs(struct ext *x, struct ext_inode *in,
	       int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	       struct err *e);
/* The part of inline data behind the 60 bytes of i_block: lent from the inode; *len 0 when there is none. */
int ext_inline_rest(struct ext *x, struct ext_inode *in, const uint8_t **data, size_t *len, struct err *e);

#endif
