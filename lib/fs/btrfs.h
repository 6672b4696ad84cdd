/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs.h - the parts of the btrfs reader to each other.  btrfs_ondisk.h tells the format.
 *
 * From below: btrfs_super.c judges superblocks, btrfs_dev.c knows devices, btrfs_chunk.c maps logical addresses to them,
 * btrfs_io.c reads and chooses among copies, btrfs_tree.c searches trees; above these subvolumes, inodes, directories,
 * and the content of files.
 *
 * A log tree (what was written with fsync() since the last commit, left by a crash) is not replayed.  What is read is then
 * the last commit, which is whole, as each commit is; that something younger exists is said as a warning, which every
 * command prints.
 */
#ifndef DRYDOCK_BTRFS_H
#define DRYDOCK_BTRFS_H

#include "btrfs_ondisk.h"
#include "fs_driver.h"
#include "limits.h"
#include "unpack.h"

/* ---- btrfs_super.c ---- */

/* A superblock that was checked; of its numbers only those that are named here have been judged. */
struct btrfs_super {
	struct btrfs_disk_super d;
	uint64_t off;		    /* of the copy that is used */
	uint64_t generation, flags;
	unsigned csum_type;
};
/*
 * The good copy of the highest generation on a device: 1, or 0 when there is none at the first place.  ERR_CORRUPT when
 * something is there, but no copy is good.
 */
int btrfs_super_read(struct block *dev, struct btrfs_super *out, struct err *e);
/* Label, UUID, size, as blkid tells them. */
void btrfs_super_identify(const struct btrfs_disk_super *d, struct fs_id *id);

/* ---- sums ---- */

/* The sum of type BTRFS_CSUM_* over bytes; *size its length. */
void btrfs_csum(unsigned type, const void *bytes, size_t len, uint8_t out[BTRFS_CSUM_MAX]);
unsigned btrfs_csum_size(unsigned type); /* 0: no such type */
/* The hash of a name in a directory. */
uint32_t btrfs_name_hash(const char *name, size_t len);

/* ---- devices ---- */

struct btrfs_dev {
	uint64_t devid;
	uint8_t uuid[16], fsid[16];
	struct block *block;  /* one reference; NULL: missing */
	uint64_t generation;  /* of its superblock */
	uint64_t total, used; /* bytes, as the chunk tree counts them */
	bool listed;	      /* in the chunk tree */
	bool seed;	      /* of another filesystem, from which this one has grown */
	bool stale;	      /* it missed a commit: the last to be asked */
};

/* ---- chunks ---- */

struct btrfs_stripe {
	uint64_t devid, off;
	size_t dev; /* among b->devs */
};
#define BTRFS_NO_DEV SIZE_MAX
struct btrfs_chunk {
	uint64_t logical, length, type;
	unsigned nstripes;
	uint64_t used; /* for the choice of whom to forget */
	struct btrfs_stripe stripes[];
};
#define BTRFS_CACHED_CHUNKS 128

/* ---- trees ---- */

struct btrfs_key {
	uint64_t objectid;
	uint8_t type;
	uint64_t offset;
};
struct btrfs_tree {
	uint64_t id, root, generation;
	uint8_t level;
	bool system; /* the chunk tree: its nodes lie in the chunks that the superblock lists */
};
struct btrfs_node {
	unsigned refs; /* one of the cache, one of each user */
	struct btrfs_node *hash_next, *older, *newer;
	uint64_t logical, generation;
	uint32_t nritems;
	uint8_t level;
	uint8_t data[]; /* nodesize bytes, header and all */
};
#define BTRFS_NODE_BUCKETS 1024

/* A place in a tree: at an item, unless its finder said that there is none. */
struct btrfs_path {
	struct btrfs_node *nodes[BTRFS_MAX_LEVEL]; /* [0]: the leaf */
	unsigned slots[BTRFS_MAX_LEVEL];
};

/* ---- the filesystem ---- */

#define BTRFS_CACHED_EXTENTS 4
struct btrfs_extent_cache {
	uint64_t disk_bytenr, ram_bytes, used;
	uint8_t compression;
	uint8_t *data; /* NULL: empty */
};

struct btrfs {
	struct btrfs_super super; /* the newest of all devices */
	uint32_t sectorsize, nodesize;
	unsigned sector_bits, csum_type, csum_size;
	uint8_t fsid[16]; /* in the headers of nodes */
	uint64_t generation, compat_ro, incompat;

	struct btrfs_dev *devs;
	size_t ndevs;

	struct btrfs_chunk **sys_chunks;
	size_t nsys_chunks;
	struct btrfs_chunk *chunks[BTRFS_CACHED_CHUNKS];
	uint64_t clock;

	struct btrfs_node *buckets[BTRFS_NODE_BUCKETS];
	struct btrfs_node *oldest, *newest;
	size_t nnodes, max_nodes;

	struct btrfs_tree chunk_tree, root_tree, csum_tree;
	bool has_csum_tree;

	/* Those that were met; a place in this table is a part of the nodes that callers see. */
	struct btrfs_tree *subvols;
	size_t nsubvols, subvols_cap;

	struct btrfs_extent_cache extents[BTRFS_CACHED_EXTENTS];
	struct unpacker *zlib, *zstd; /* made at their first use */
	uint8_t *sector;     /* sectorsize bytes of scratch, for the ends of reads */
	uint8_t *csums;	     /* those of one read */
};

/* btrfs_super.c: judges b->super and fills what comes from it. */
int btrfs_super_judge(struct btrfs *b, struct err *e);

/* ---- btrfs_dev.c ---- */

/* Finds the devices among fs->dev and fs->others, and the newest superblock. */
int btrfs_devs_find(struct fs *fs, struct err *e);
/* Compares them with the chunk tree: adds what is missing. */
int btrfs_devs_judge(struct btrfs *b, struct err *e);
void btrfs_devs_free(struct btrfs *b);
/* What a user should know of them, appended to notice; "" adds nothing. */
void btrfs_devs_notice(const struct btrfs *b, struct strbuf *notice);
/* Its place among b->devs, or BTRFS_NO_DEV. */
size_t btrfs_dev_of(const struct btrfs *b, uint64_t devid, const uint8_t uuid[16]);
/* May a node say that it belongs to this filesystem? */
bool btrfs_fsid_is_ours(const struct btrfs *b, const uint8_t fsid[16]);

/* ---- btrfs_chunk.c ---- */

/* Those that the superblock lists. */
int btrfs_sys_chunks(struct btrfs *b, struct err *e);
void btrfs_chunks_free(struct btrfs *b);
/* The chunk in which an address lies, lent until the next call; system: only one of the superblock will do. */
int btrfs_chunk_find(struct btrfs *b, uint64_t logical, bool system, const struct btrfs_chunk **out, struct err *e);
/* The next chunk whose address is not below `from`: 1, or 0 when there is none. */
int btrfs_chunk_next(struct btrfs *b, uint64_t from, const struct btrfs_chunk **out, struct err *e);
/* How many stripes of a chunk hold data of their own; how often the bytes of a profile are on devices; stripes of parity. */
unsigned btrfs_data_stripes(const struct btrfs_chunk *c);
unsigned btrfs_profile_copies(uint64_t type);
unsigned btrfs_profile_parity(uint64_t type);

/* ---- btrfs_io.c ---- */

/* Bytes that lie in one piece: on each device that has them, at `off` of the stripe. */
struct btrfs_piece {
	const struct btrfs_chunk *chunk;
	uint64_t logical, off, len;
	unsigned first, ncopies; /* the stripes with copies */
	unsigned row;		 /* with parity: by how many stripes the row is rotated */
};
/* The piece that begins at an address, at most len bytes of it. */
int btrfs_map(struct btrfs *b, uint64_t logical, uint64_t len, bool system, struct btrfs_piece *out, struct err *e);
/*
 * In how many ways it can be read: from each copy, or by parity.  Those that are tried first come first; the last have an
 * older device in them.
 */
unsigned btrfs_ways(const struct btrfs_piece *p);
int btrfs_piece_read(struct btrfs *b, const struct btrfs_piece *p, unsigned way, uint8_t *buf, uint64_t skip, size_t len,
		     struct err *e);
/* In how many ways a node can be read, and its bytes by one of them. */
int btrfs_node_ways(struct btrfs *b, uint64_t logical, bool system, unsigned *ways, struct err *e);
int btrfs_node_bytes(struct btrfs *b, uint64_t logical, bool system, unsigned way, uint8_t *buf, struct err *e);
/* Whole sectors of data into buf, checked unless plain (an inode without sums). */
int btrfs_data_read(struct btrfs *b, uint64_t logical, uint8_t *buf, size_t len, bool plain, struct err *e);
/* The most that one call of that takes. */
#define BTRFS_DATA_MAX (1 * MiB)

/* ---- btrfs_tree.c ---- */

void btrfs_nodes_free(struct btrfs *b);
int btrfs_key_cmp(const struct btrfs_key *a, const struct btrfs_key *b);
/* To the first item whose key is not below `key`: 1, or 0 when there is none. */
int btrfs_seek(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
	       struct err *e);
/* To the last item whose key is not above `key`: 1, or 0 when there is none. */
int btrfs_seek_last(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
		    struct err *e);
/* To the item of just this key: 1, or 0. */
int btrfs_seek_exact(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
		     struct err *e);
/* To the item behind: 1, or 0 at the end. */
int btrfs_next(struct btrfs *b, const struct btrfs_tree *t, struct btrfs_path *p, struct err *e);
struct btrfs_key btrfs_path_key(const struct btrfs_path *p);
/* The item's bytes, lent while the path stays. */
const void *btrfs_path_item(const struct btrfs_path *p, size_t *size);
void btrfs_path_free(struct btrfs_path *p); /* for CLEANUP; start with zeros */
/* Is the item at p one of this object and kind? */
bool btrfs_path_is(const struct btrfs_path *p, uint64_t objectid, uint8_t type);
struct btrfs_key btrfs_disk_key_get(const struct btrfs_disk_key *k);

/* ---- btrfs_csum.c ---- */

/* The sums of n sectors of data from an address, into out. */
int btrfs_csums_find(struct btrfs *b, uint64_t logical, size_t n, uint8_t *out, struct err *e);

/* ---- btrfs_subvol.c ---- */

/* The tree of a number, by its item in the root tree: 1, or 0 when there is none (any more). */
int btrfs_tree_find(struct btrfs *b, uint64_t id, struct btrfs_tree *out, struct err *e);
/* Its place in the table: 1, or 0 when there is no such subvolume. */
int btrfs_subvol_find(struct btrfs *b, uint64_t id, size_t *out, struct err *e);
int btrfs_default_subvol(struct btrfs *b, uint64_t *id, struct err *e);
/* Is it in that directory of that subvolume under that name?  1, 0. */
int btrfs_subvol_is_at(struct btrfs *b, uint64_t id, uint64_t parent, uint64_t dirid, const char *name, size_t len,
		       struct err *e);
/* In which directory of which subvolume it is: 1, or 0 for the one at the top. */
int btrfs_subvol_parent(struct btrfs *b, uint64_t id, uint64_t *parent, uint64_t *dirid, struct err *e);
int btrfs_mount_root(struct fs *fs, const char *opts, uint64_t *root, struct err *e);
int btrfs_subvolumes(struct fs *fs, int (*fn)(void *, uint64_t, const char *, struct err *), void *arg, struct err *e);

/* ---- btrfs_inode.c: nodes and inodes ---- */

/*
 * A node, as callers see it: the subvolume's place in the table above, the inode's number in the lower bits.  With the
 * bit between them it is what stands for a subvolume that is not there, in the directory of that number.
 */
#define BTRFS_NODE_INO_BITS 47
uint64_t btrfs_node_make(size_t subvol, uint64_t ino, bool stand_in);
struct btrfs_ref {
	struct btrfs_tree tree; /* the subvolume */
	size_t subvol;		/* its place */
	uint64_t ino;
	bool stand_in;
};
/* Takes a node apart; it may come from anywhere. */
int btrfs_node_judge(const struct btrfs *b, uint64_t node, struct btrfs_ref *out, struct err *e);
struct btrfs_inode {
	struct btrfs_ref ref;
	struct btrfs_disk_inode d;
	uint32_t mode;
	uint64_t size, flags;
};
/* A stand-in is an empty directory. */
int btrfs_inode_get(struct btrfs *b, uint64_t node, struct btrfs_inode *out, struct err *e);
void btrfs_inode_stat(const struct btrfs *b, const struct btrfs_inode *in, struct fs_stat *out);
int btrfs_xattrs(struct btrfs *b, const struct btrfs_inode *in,
		 int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		 struct err *e);

/* ---- btrfs_dir.c ---- */

int btrfs_readdir(struct btrfs *b, const struct btrfs_inode *dir,
		  int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg, struct err *e);
int btrfs_lookup(struct btrfs *b, const struct btrfs_inode *dir, const char *name, uint64_t *node, struct err *e);
/* A name (not NUL-terminated) of which a directory may consist. */
bool btrfs_name_ok(const char *name, size_t len);
/* The directory in which a directory lies, and its name there; the subvolume's own has none: ERR_NOT_FOUND. */
int btrfs_dir_parent(struct btrfs *b, const struct btrfs_tree *t, uint64_t ino, uint64_t *parent, struct strbuf *name,
		     struct err *e);

/* ---- btrfs_file.c ---- */

int btrfs_read(struct btrfs *b, const struct btrfs_inode *in, void *buf, size_t len, uint64_t off, size_t *got,
	       struct err *e);
int btrfs_extent(struct btrfs *b, const struct btrfs_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e);
int btrfs_readlink(struct btrfs *b, const struct btrfs_inode *in, struct strbuf *target, struct err *e);

/* ---- btrfs_extent.c: compressed extents ---- */

struct btrfs_extent_ref {
	uint64_t disk_bytenr, disk_len, ram_bytes;
	uint8_t compression;
	bool plain;
};
/* All bytes of a compressed extent, lent until the next call. */
int btrfs_extent_bytes(struct btrfs *b, const struct btrfs_extent_ref *x, const uint8_t **data, struct err *e);
/* Decompresses src into all of dst; what the stream does not have is zeros, as the kernel fills it. */
int btrfs_decompress(struct btrfs *b, unsigned compression, uint8_t *dst, size_t len, const uint8_t *src, size_t src_len,
		     struct err *e);
void btrfs_extents_free(struct btrfs *b);

/* ---- btrfs_statfs.c ---- */

int btrfs_statfs(struct btrfs *b, struct fs_usage *out, struct err *e);

#endif
