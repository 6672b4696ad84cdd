/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fat.h - the parts of the FAT reader to each other.
 *
 * Layout (Microsoft's "FAT: General Overview of On-Disk Format", ECMA-107): a boot sector, reserved sectors, the file
 * allocation tables (usually two, the same), with FAT12 and FAT16 the root directory, then clusters from number 2 on.  With
 * FAT32 the root directory is a chain of clusters as any other.  A directory is entries of 32 bytes; entries with the
 * attributes 0x0f before one carry its long name, last part first.  All integers are little-endian.
 *
 * A file has no number of its own: its node, and its inode number, is where its entry lies, in units of 32 bytes from the
 * start of the device.  The root is 1, a place that is never an entry's.
 */
#ifndef DRYDOCK_FAT_H
#define DRYDOCK_FAT_H

#include "clusters.h"
#include "fs_driver.h"
#include "ondisk.h"

#define FAT_ENTRY_SIZE 32u
#define FAT_NAME_UNITS 255
#define FAT_ROOT 1

enum {
	FAT_RO = 0x01,
	FAT_VOLUME = 0x08,
	FAT_DIR = 0x10,
	FAT_LONG_NAME = 0x0f,
};
#define FAT_DELETED 0xe5

struct fat_entry_raw {
	uint8_t name[11];
	uint8_t attr, lcase, created_10ms;
	le16 created_time, created_date, accessed_date, first_high, modified_time, modified_date, first_low;
	le32 size;
};

/* What the boot sector says, judged. */
struct fat_super {
	unsigned bits; /* 12, 16, 32 */
	unsigned sector_size, cluster_bits;
	uint64_t sectors;
	uint64_t table_off, table_size; /* of one table */
	unsigned ntables, active; /* active: the table that counts */
	bool mirrored;
	uint64_t root_off;	/* FAT12 and FAT16 */
	uint32_t root_size;	/* bytes */
	uint32_t root_cluster;	/* FAT32 */
	unsigned version;	/* of FAT32; 0 is the only one */
	uint64_t clusters_off;
	uint32_t nclusters;
	uint8_t media;
	bool dirty;
	uint32_t serial;
	bool has_serial;
	uint8_t label[11]; /* blanks: none */
};

/* A file that is open: its entry, and its chain once that is needed. */
struct fat_file {
	uint64_t node;
	unsigned refs;
	uint64_t used;
	struct fat_entry_raw raw; /* zeros for the root */
	uint32_t first;		  /* cluster; 0: none */
	bool is_dir, loaded;
	struct chain chain;
	uint64_t dir_size; /* of a directory */
	uint32_t nsubdirs;
	bool counted; /* nsubdirs is known */
};

#define FAT_OPEN_FILES 8
struct fat {
	struct fat_super super;
	struct lines io;
	struct clusters clusters;
	struct fat_file *files[FAT_OPEN_FILES];
	uint64_t clock;
};

/* ---- fat_super.c ---- */

/* 1 and *out when dev holds FAT, 0 when not. */
int fat_super_read(struct block *dev, struct fat_super *out, struct err *e);
/* The geometry of its clusters. */
void fat_clusters(const struct fat_super *s, struct lines *io, struct clusters *out);
int fat_probe(struct block *dev, struct fs_id *id, struct err *e);

/* ---- fat_file.c ---- */

int fat_file_get(struct fat *f, uint64_t node, struct fat_file **out, struct err *e);
void fat_file_put(struct fat_file *file);
void fat_file_putp(struct fat_file **file); /* for CLEANUP */
/* Follows its chain, once. */
int fat_file_load(struct fat *f, struct fat_file *file, struct err *e);
int fat_file_stat(struct fat *f, struct fat_file *file, struct fs_stat *out, struct err *e);
int fat_file_read(struct fat *f, struct fat_file *file, void *buf, size_t len, uint64_t off, size_t *got, struct err *e);
/* Days and times as DOS keeps them: two seconds, and hundredths of a second beside them. */
struct fs_time fat_time(uint16_t date, uint16_t time, uint8_t hundredths);

/* ---- fat_dir.c ---- */

/* An entry with its name, in UTF-16: the long one, or else the short one as it is shown. */
struct fat_dirent {
	uint64_t node;
	struct fat_entry_raw raw;
	uint16_t name[FAT_NAME_UNITS];
	size_t len;
	bool has_long;
};
/* Calls fn for each file and directory in it but "." and "..", until it returns non-zero. */
int fat_dir_walk(struct fat *f, struct fat_file *dir, int (*fn)(void *arg, const struct fat_dirent *d, struct err *e),
		 void *arg, struct err *e);
int fat_readdir(struct fat *f, struct fat_file *dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e),
		void *arg, struct err *e);
int fat_lookup(struct fat *f, struct fat_file *dir, const char *name, uint64_t *node, struct err *e);

#endif
