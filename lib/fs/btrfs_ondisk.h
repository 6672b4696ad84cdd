/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_ondisk.h - btrfs as it lies on a disk: the structures that a reader needs, little-endian, without padding.
 *
 * Everything but the superblock is an item in one of many trees.  An item is found by its key: an object's number, the
 * kind of item, and a third number whose meaning depends on the kind.  A tree is made of nodes of one size; leaves hold
 * items, nodes above them keys and the addresses of the nodes below.  Addresses are logical: chunks, which are items of
 * the chunk tree, map them to places on devices.
 */
#ifndef DRYDOCK_BTRFS_ONDISK_H
#define DRYDOCK_BTRFS_ONDISK_H

#include "ondisk.h"

#define BTRFS_MAGIC "_BHRfS_M"
/* The superblock, and its copies where the device is large enough. */
#define BTRFS_SUPER_SIZE 4096
#define BTRFS_SUPER_OFF 0x10000ULL
#define BTRFS_SUPER_COPIES 3
#define BTRFS_SUPER_OFFS { BTRFS_SUPER_OFF, 0x4000000ULL, 0x4000000000ULL }

#define BTRFS_CSUM_MAX 32
enum { BTRFS_CSUM_CRC32C, BTRFS_CSUM_XXHASH, BTRFS_CSUM_SHA256, BTRFS_CSUM_BLAKE2 };

struct btrfs_disk_key {
	le64 objectid;
	uint8_t type;
	le64 offset;
};

struct btrfs_disk_dev {
	le64 devid, total_bytes, bytes_used;
	le32 io_align, io_width, sector_size;
	le64 type, generation, start_offset;
	le32 dev_group;
	uint8_t seek_speed, bandwidth;
	uint8_t uuid[16], fsid[16];
};

struct btrfs_disk_super {
	uint8_t csum[BTRFS_CSUM_MAX]; /* of all bytes behind it */
	uint8_t fsid[16];
	le64 bytenr, flags;
	uint8_t magic[8];
	le64 generation, root, chunk_root, log_root, log_root_transid, total_bytes, bytes_used, root_dir, num_devices;
	le32 sectorsize, nodesize, leafsize, stripesize, sys_chunk_array_size;
	le64 chunk_root_generation, compat, compat_ro, incompat;
	le16 csum_type;
	uint8_t root_level, chunk_root_level, log_root_level;
	struct btrfs_disk_dev dev; /* the device on which it lies */
	uint8_t label[256];
	le64 cache_generation, uuid_tree_generation;
	uint8_t metadata_uuid[16];
	uint8_t reserved[224];
	uint8_t sys_chunk_array[2048];
	uint8_t rest[1237]; /* older roots, and nothing */
};
_Static_assert(sizeof(struct btrfs_disk_super) == BTRFS_SUPER_SIZE, "the superblock's size");

/* Flags of the superblock. */
#define BTRFS_SUPER_SEEDING (1ULL << 32)
#define BTRFS_SUPER_CHANGING_FSID (1ULL << 35)

#define BTRFS_INCOMPAT_METADATA_UUID (1ULL << 10)

#define BTRFS_COMPAT_RO_FREE_SPACE_TREE (1ULL << 0)
#define BTRFS_COMPAT_RO_BLOCK_GROUP_TREE (1ULL << 3)

struct btrfs_disk_header {
	uint8_t csum[BTRFS_CSUM_MAX]; /* of the node behind it */
	uint8_t fsid[16];
	le64 bytenr, flags;
	uint8_t chunk_tree_uuid[16];
	le64 generation, owner;
	le32 nritems;
	uint8_t level; /* 0: a leaf */
};
/* In a leaf; offset counts from the end of the header. */
struct btrfs_disk_item {
	struct btrfs_disk_key key;
	le32 offset, size;
};
/* In a node above leaves. */
struct btrfs_disk_ptr {
	struct btrfs_disk_key key;
	le64 blockptr, generation;
};
#define BTRFS_MAX_LEVEL 8

/* Kinds of items. */
enum {
	BTRFS_INODE_ITEM = 1,
	BTRFS_INODE_REF = 12,
	BTRFS_XATTR_ITEM = 24,
	BTRFS_DIR_ITEM = 84,
	BTRFS_DIR_INDEX = 96,
	BTRFS_EXTENT_DATA = 108,
	BTRFS_EXTENT_CSUM = 128,
	BTRFS_ROOT_ITEM = 132,
	BTRFS_ROOT_BACKREF = 144,
	BTRFS_ROOT_REF = 156,
	BTRFS_BLOCK_GROUP_ITEM = 192,
	BTRFS_DEV_ITEM = 216,
	BTRFS_CHUNK_ITEM = 228,
};
/* Trees, and other objects with numbers of their own. */
#define BTRFS_TREE_EXTENT 2ULL
#define BTRFS_TREE_FS 5ULL /* the subvolume at the top */
#define BTRFS_TREE_DIR 6ULL /* in the root tree: the directory that names the default subvolume */
#define BTRFS_TREE_CSUM 7ULL
#define BTRFS_TREE_FREE_SPACE 10ULL
#define BTRFS_TREE_BLOCK_GROUP 11ULL
#define BTRFS_DEV_ITEMS 1ULL
#define BTRFS_CHUNKS 256ULL
#define BTRFS_FIRST_FREE 256ULL /* of subvolumes, and of inodes: there the subvolume's own directory */
#define BTRFS_LAST_FREE ((uint64_t)-256)
#define BTRFS_CSUMS ((uint64_t)-10)
/* The inode number of what stands for a subvolume that is nested in the original of a snapshot. */
#define BTRFS_EMPTY_SUBVOL 2ULL

struct btrfs_disk_stripe {
	le64 devid, offset;
	uint8_t dev_uuid[16];
};
struct btrfs_disk_chunk {
	le64 length, owner, stripe_len, type;
	le32 io_align, io_width, sector_size;
	le16 num_stripes, sub_stripes;
	struct btrfs_disk_stripe stripes[];
};
#define BTRFS_STRIPE_LEN 65536u

/* What a chunk or block group holds, and how. */
#define BTRFS_BG_DATA (1ULL << 0)
#define BTRFS_BG_SYSTEM (1ULL << 1)
#define BTRFS_BG_METADATA (1ULL << 2)
#define BTRFS_BG_RAID0 (1ULL << 3)
#define BTRFS_BG_RAID1 (1ULL << 4)
#define BTRFS_BG_DUP (1ULL << 5)
#define BTRFS_BG_RAID10 (1ULL << 6)
#define BTRFS_BG_RAID5 (1ULL << 7)
#define BTRFS_BG_RAID6 (1ULL << 8)
#define BTRFS_BG_RAID1C3 (1ULL << 9)
#define BTRFS_BG_RAID1C4 (1ULL << 10)
#define BTRFS_BG_PROFILES                                                                                              \
	(BTRFS_BG_RAID0 | BTRFS_BG_RAID1 | BTRFS_BG_DUP | BTRFS_BG_RAID10 | BTRFS_BG_RAID5 | BTRFS_BG_RAID6 |          \
	 BTRFS_BG_RAID1C3 | BTRFS_BG_RAID1C4)

struct btrfs_disk_block_group {
	le64 used, chunk_objectid, flags;
};

struct btrfs_disk_time {
	le64 sec;
	le32 nsec;
};
struct btrfs_disk_inode {
	le64 generation, transid, size, nbytes, block_group;
	le32 nlink, uid, gid, mode;
	le64 rdev, flags, sequence, reserved[4];
	struct btrfs_disk_time atime, ctime, mtime, otime;
};
#define BTRFS_INODE_NODATASUM (1ULL << 0)

/* Older ones end behind `level`. */
struct btrfs_disk_root {
	struct btrfs_disk_inode inode;
	le64 generation, root_dirid, bytenr, byte_limit, bytes_used, last_snapshot, flags;
	le32 refs;
	struct btrfs_disk_key drop_progress;
	uint8_t drop_level, level;
};
/* Of ROOT_REF and ROOT_BACKREF: the name of one subvolume in a directory of another; the name follows. */
struct btrfs_disk_root_ref {
	le64 dirid, sequence;
	le16 name_len;
};

/* Of DIR_ITEM, DIR_INDEX and XATTR_ITEM: the name follows, and the attribute's value. */
struct btrfs_disk_dir {
	struct btrfs_disk_key location;
	le64 transid;
	le16 data_len, name_len;
	uint8_t type;
};
enum { BTRFS_FT_REG = 1, BTRFS_FT_DIR, BTRFS_FT_CHR, BTRFS_FT_BLK, BTRFS_FT_FIFO, BTRFS_FT_SOCK, BTRFS_FT_LNK };

/* The name follows. */
struct btrfs_disk_inode_ref {
	le64 index;
	le16 name_len;
};

/* Inline data follows the type. */
struct btrfs_disk_extent {
	le64 generation, ram_bytes;
	uint8_t compression, encryption;
	le16 other_encoding;
	uint8_t type;
	le64 disk_bytenr, disk_num_bytes, offset, num_bytes;
};
#define BTRFS_EXTENT_INLINE_OFF 21
enum { BTRFS_EXTENT_INLINE, BTRFS_EXTENT_REG, BTRFS_EXTENT_PREALLOC };
enum { BTRFS_COMPRESS_NONE, BTRFS_COMPRESS_ZLIB, BTRFS_COMPRESS_LZO, BTRFS_COMPRESS_ZSTD };

#endif
