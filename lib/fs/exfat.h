/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exfat.h - the parts of the exFAT reader to each other.
 *
 * Layout (Microsoft's "exFAT file system specification"): a boot region of 12 sectors whose last one holds a checksum of the
 * others, the same again as a backup, the file allocation table, then the heap of clusters, numbered from 2.  The root
 * directory is a chain of clusters and holds, beside files, the label, the bitmap of used clusters and the table of upper
 * case.  A file is a set of entries of 32 bytes: its own (attributes, times), its stream (where, how long), its name in
 * pieces of 15 units of UTF-16; a checksum covers the set.  All integers are little-endian.
 *
 * A file has no number of its own: its node, and its inode number, is where its set begins, in units of 32 bytes from the
 * start of the device, times two; plus one in a directory whose clusters lie one after the other without being in the
 * table, as a set may go on in the next cluster.  The root is 2.
 */
#ifndef DRYDOCK_EXFAT_H
#define DRYDOCK_EXFAT_H

#include "clusters.h"
#include "fs_driver.h"
#include "ondisk.h"

#define EXFAT_ENTRY_SIZE 32u
#define EXFAT_NAME_UNITS 255
#define EXFAT_SET_MAX 19 /* its own entry, the stream's, 17 of the name */
#define EXFAT_ROOT 2
#define EXFAT_UPCASE_UNITS 65536

enum {
	EXFAT_END = 0x00,
	EXFAT_BITMAP = 0x81,
	EXFAT_UPCASE = 0x82,
	EXFAT_LABEL = 0x83,
	EXFAT_FILE = 0x85,
	EXFAT_STREAM = 0xc0,
	EXFAT_NAME = 0xc1,
};
enum { EXFAT_IN_USE = 0x80, EXFAT_SECONDARY = 0x40, EXFAT_BENIGN = 0x20 };
enum { EXFAT_RO = 0x01, EXFAT_DIR = 0x10 };

struct exfat_file_raw {
	uint8_t type, nsecondary;
	le16 checksum, attr, reserved1;
	le32 created, modified, accessed;
	uint8_t created_10ms, modified_10ms, created_zone, modified_zone, accessed_zone, reserved2[7];
};
struct exfat_stream_raw {
	uint8_t type, flags, reserved1, name_len;
	le16 name_hash, reserved2;
	le64 valid_len;
	le32 reserved3, first;
	le64 len;
};
struct exfat_name_raw {
	uint8_t type, flags;
	le16 units[15];
};
/* The bitmap and the table of upper case. */
struct exfat_table_raw {
	uint8_t type, flags, reserved1[2];
	le32 checksum;
	uint8_t reserved2[12];
	le32 first;
	le64 len;
};
struct exfat_label_raw {
	uint8_t type, nunits;
	le16 units[11];
	uint8_t reserved[8];
};

/* What the boot sector says, judged. */
struct exfat_super {
	unsigned sector_bits, cluster_bits;
	uint64_t sectors;
	uint64_t table_off, table_size, clusters_off; /* bytes */
	uint32_t nclusters, root_cluster, serial;
	unsigned ntables;
	uint16_t flags;
};
enum { EXFAT_ACTIVE_TABLE = 1, EXFAT_DIRTY = 2, EXFAT_MEDIA_FAILURE = 4 };

/* A set of entries, judged. */
struct exfat_set {
	uint64_t node;
	unsigned nentries;
	uint16_t attr;
	struct fs_time created, modified, accessed;
	bool contiguous;
	uint32_t first;
	uint64_t len, valid_len;
	uint16_t name[EXFAT_NAME_UNITS];
	size_t name_len;
};

struct exfat_file {
	uint64_t node;
	unsigned refs;
	uint64_t used;
	struct exfat_set set; /* zeros for the root, but its first and attr */
	bool is_dir, loaded;
	struct chain chain;
	uint32_t nsubdirs;
	bool counted; /* nsubdirs is known */
};

#define EXFAT_OPEN_FILES 8
struct exfat {
	struct exfat_super super;
	struct lines io;
	struct clusters clusters;
	struct exfat_file *files[EXFAT_OPEN_FILES];
	uint64_t clock;
	uint16_t *upcase; /* EXFAT_UPCASE_UNITS; NULL: upcase_unit() */
	uint32_t bitmap_first;
	uint64_t bitmap_len; /* 0: none was found */
};

/* ---- exfat_super.c ---- */

/* 1 and *out when the boot sector at off is one of exFAT, 0 when not. */
int exfat_super_read(struct block *dev, uint64_t off, struct exfat_super *out, struct err *e);
/* Does the checksum of the boot region that begins at off match? */
int exfat_boot_checked(struct block *dev, uint64_t off, unsigned sector_bits, bool *good, struct err *e);
/* The geometry of its clusters. */
void exfat_clusters(const struct exfat_super *s, struct lines *io, struct clusters *out);
int exfat_probe(struct block *dev, struct fs_id *id, struct err *e);

/* ---- exfat_file.c ---- */

int exfat_file_get(struct exfat *x, uint64_t node, struct exfat_file **out, struct err *e);
void exfat_file_put(struct exfat_file *file);
void exfat_file_putp(struct exfat_file **file); /* for CLEANUP */
/* Follows its chain, once. */
int exfat_file_load(struct exfat *x, struct exfat_file *file, struct err *e);
int exfat_file_stat(struct exfat *x, struct exfat_file *file, struct fs_stat *out, struct err *e);
int exfat_file_read(struct exfat *x, struct exfat_file *file, void *buf, size_t len, uint64_t off, size_t *got,
		    struct err *e);
/* Clusters that are not in use, by the bitmap. */
int exfat_count_free(struct exfat *x, uint32_t *out, struct err *e);

/* ---- exfat_dir.c ---- */

/* The set of a node, read anew and judged. */
int exfat_set_read(struct exfat *x, uint64_t node, struct exfat_set *out, struct err *e);
/*
 * Calls fn for each file and directory in it until it returns non-zero.  A set that is damaged does not keep the others
 * from being shown: the first error is returned in the end.
 */
int exfat_dir_walk(struct exfat *x, struct exfat_file *dir, int (*fn)(void *arg, const struct exfat_set *s, struct err *e),
		   void *arg, struct err *e);
int exfat_readdir(struct exfat *x, struct exfat_file *dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e),
		  void *arg, struct err *e);
int exfat_lookup(struct exfat *x, struct exfat_file *dir, const char *name, uint64_t *node, struct err *e);
/*
 * Finds the bitmap and the table of upper case in the root directory, and loads the table.  *damaged: it is missing or its
 * checksum does not match, and Windows' usual one stands for it.
 */
int exfat_tables_load(struct exfat *x, bool *damaged, struct err *e);

#endif
