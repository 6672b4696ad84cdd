/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs.h - what of NTFS is known without a library: its boot sector, and how records lie on the disk.
 *
 * Layout (as the Linux-NTFS project documents it): everything is a file, and a file is a record of the master file table,
 * which is file 0 itself.  A record is a list of attributes: a type, perhaps a name, and a value, which lies in the record
 * or in runs of clusters that the attribute lists; where a record is too small, an attribute of the type "attribute list"
 * tells which further records belong to the file.  Records and index blocks end each of their sectors with a number that
 * tells whether all of them were written; what belongs there is kept at their head (fixups).  All integers are
 * little-endian, names are UTF-16.
 */
#ifndef DRYDOCK_NTFS_H
#define DRYDOCK_NTFS_H

#include "fs_driver.h"
#include "ondisk.h"

/* Files that every volume has. */
enum {
	NTFS_FILE_MFT = 0,
	NTFS_FILE_MFTMIRR = 1,
	NTFS_FILE_LOG = 2,
	NTFS_FILE_VOLUME = 3,
	NTFS_FILE_ROOT = 5,
	NTFS_FILE_BITMAP = 6,
	NTFS_FILE_SECURE = 9,
	NTFS_FILE_UPCASE = 10,
	NTFS_FIRST_USER_FILE = 16,
};

enum {
	NTFS_STANDARD_INFORMATION = 0x10,
	NTFS_ATTRIBUTE_LIST = 0x20,
	NTFS_FILE_NAME = 0x30,
	NTFS_OBJECT_ID = 0x40,
	NTFS_SECURITY_DESCRIPTOR = 0x50,
	NTFS_VOLUME_NAME = 0x60,
	NTFS_VOLUME_INFORMATION = 0x70,
	NTFS_DATA = 0x80,
	NTFS_INDEX_ROOT = 0x90,
	NTFS_INDEX_ALLOCATION = 0xa0,
	NTFS_BITMAP = 0xb0,
	NTFS_REPARSE_POINT = 0xc0,
	NTFS_EA = 0xe0,
	NTFS_LOGGED_UTILITY_STREAM = 0x100,
	NTFS_END = 0xffffffff,
};

struct nt_record_raw {
	uint8_t magic[4];
	le16 fixups_off, nfixups;
	le64 lsn;
	le16 sequence, nlinks, attrs_off, flags;
	le32 used, allocated;
	le64 base;
	le16 next_instance;
};
enum { NTFS_RECORD_IN_USE = 1, NTFS_RECORD_DIR = 2 };

struct nt_attr_raw {
	le32 type, len;
	uint8_t non_resident, name_len;
	le16 name_off, flags, instance;
	union {
		struct {
			le32 value_len;
			le16 value_off;
			uint8_t indexed, reserved;
		} resident;
		struct {
			le64 lowest_vcn, highest_vcn;
			le16 runs_off;
			uint8_t compression_unit, reserved[5];
			le64 allocated, size, initialized;
			le64 compressed; /* only of what is compressed or sparse */
		} runs;
	} u;
};
#define NTFS_ATTR_RESIDENT_SIZE 24u
#define NTFS_ATTR_RUNS_SIZE 64u
enum { NTFS_ATTR_COMPRESSED = 0x0001, NTFS_ATTR_COMPRESSION_MASK = 0x00ff, NTFS_ATTR_ENCRYPTED = 0x4000,
       NTFS_ATTR_SPARSE = 0x8000 };

/* What the boot sector says, judged. */
struct nt_super {
	unsigned sector_size, cluster_bits;
	unsigned record_size, index_size;
	uint64_t size;	    /* bytes */
	uint64_t nclusters;
	uint64_t mft_off, mftmirr_off;
	uint64_t serial;
};

/* 1 and *out when dev holds NTFS, 0 when not. */
int nt_super_read(struct block *dev, struct nt_super *out, struct err *e);
int nt_probe(struct block *dev, struct fs_id *id, struct err *e);
/* Puts right the last two bytes of each sector of a record or an index block; false when it was not written whole. */
bool nt_fixup(uint8_t *bytes, size_t size);
/* The next attribute of a record, judged to lie in it: 1, or 0 at the end.  Start with *pos 0. */
int nt_attr_next(const uint8_t *record, size_t size, size_t *pos, struct nt_attr_raw *attr, const uint8_t **at,
		   struct err *e);

#endif
