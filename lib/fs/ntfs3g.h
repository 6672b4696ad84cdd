/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g.h - the parts of the NTFS reader to each other; all of it needs libntfs-3g.
 *
 * The library reads through a device of ours, which never writes.  It finds attributes, wherever a file's records put
 * them, and gives their bytes: stored in the record, in runs, sparse or compressed.  It trusts the records that it is
 * given more than a stranger's image deserves: so each record is judged here first, with its lists and its runs
 * (ntfs3g_record.c).  Index blocks, names, reparse points, security descriptors are read here.
 *
 * The node of a file is the number of its record, with the sequence number that the directory expects in the upper 16
 * bits, so that a record that was used again is not taken for the file; its inode number is the record's alone.  An
 * alternate data stream of it is a node of its own, with its place among the streams in bits 32 to 47.
 */
#ifndef DRYDOCK_NTFS3G_H
#define DRYDOCK_NTFS3G_H

#include "lines.h"
#include "ntfs.h"

/*
 * The library's headers do not include what they need, and have types of the same names as those of ondisk.h.
 */
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#define le16 ntfs3g_le16
#define le32 ntfs3g_le32
#define le64 ntfs3g_le64
#define be16 ntfs3g_be16
#define be32 ntfs3g_be32
#define be64 ntfs3g_be64
#include <ntfs-3g/attrib.h>
#include <ntfs-3g/device.h>
#include <ntfs-3g/inode.h>
#include <ntfs-3g/volume.h>
#undef le16
#undef le32
#undef le64
#undef be16
#undef be32
#undef be64

#define NTFS_NAME_UNITS 255

struct nt_file;

/* A record whose copy stands in for it. */
struct nt_patch {
	uint64_t off, from;
};

#define NTFS_OPEN_FILES 8
struct nt {
	struct nt_super super;
	struct block *dev; /* lent */
	struct lines io;
	struct nt_patch patches[4];
	size_t npatches;
	struct ntfs_device *device;
	int64_t pos; /* the device's */
	ntfs_volume *vol;
	struct err io_err; /* of the last request of the library's that failed */
	uint8_t *base;	   /* record 0, until the library has loaded the table */
	uint16_t *upcase;  /* 65536 units; NULL until it is read */
	unsigned version;  /* major << 8 | minor */
	struct nt_file *files[NTFS_OPEN_FILES];
	uint64_t clock;
};

/* ---- ntfs3g_dev.c ---- */

/* Bytes of the volume, as the library sees them. */
int nt_dev_read(struct nt *x, void *buf, size_t len, uint64_t off, struct err *e);
/* The device for the library; it needs x as long as it lives.  NULL: out of memory. */
struct ntfs_device *nt_dev_new(struct nt *x);
/* What the library's errno means, in words; the device's own words where it failed.  Call nt_lib_start() before. */
int nt_lib_error(struct nt *x, const char *what, struct err *e);
void nt_lib_start(struct nt *x);

/* ---- ntfs3g_record.c ---- */

/* Judges the records 0 to 3 before the library reads them; a copy stands in for a damaged one: *ncopies of them. */
int nt_table_judge(struct nt *x, unsigned *ncopies, struct err *e);
/* Judges all records of a file.  sequence 0: any. */
int nt_file_judge(struct nt *x, uint64_t number, uint16_t sequence, struct err *e);

/* ---- ntfs3g_file.c ---- */

enum nt_kind { NTFS_KIND_FILE, NTFS_KIND_DIR, NTFS_KIND_LINK, NTFS_KIND_FIFO, NTFS_KIND_SOCKET, NTFS_KIND_CHAR,
		 NTFS_KIND_BLOCK };
struct nt_file {
	uint64_t node;
	unsigned refs;
	uint64_t used;
	ntfs_inode *ni;
	uint32_t attributes; /* DOS's and NTFS's */
	enum nt_kind kind;
	uint32_t rdev_major, rdev_minor;
	ntfs_attr *data; /* the unnamed stream, or that of the node; NULL until it is read, or when there is none */
	uint8_t *reparse; /* the value of its reparse point; NULL: it has none */
	size_t reparse_len;
	char *target; /* of a link, once that is asked for */
};

#define NTFS_RECORD_OF(node) ((uint32_t)(node))
#define NTFS_STREAM_OF(node) ((unsigned)((node) >> 32 & 0xffff))
#define NTFS_SEQUENCE_OF(node) ((uint16_t)((node) >> 48))
/* From a reference of 48 bits and a sequence number, which must be checked to be a record of 32 bits. */
int nt_node_of(uint64_t reference, uint64_t *node, struct err *e);

int nt_file_get(struct nt *x, uint64_t node, struct nt_file **out, struct err *e);
void nt_file_put(struct nt_file *file);
void nt_file_putp(struct nt_file **file); /* for CLEANUP */
int nt_file_stat(struct nt *x, struct nt_file *file, struct fs_stat *out, struct err *e);
int nt_file_read(struct nt *x, struct nt_file *file, void *buf, size_t len, uint64_t off, size_t *got,
		   struct err *e);
int nt_file_extent(struct nt *x, struct nt_file *file, uint64_t off, uint64_t *len, bool *hole, struct err *e);
/* Any attribute; its name as on the disk, NULL for none.  *na NULL: the file has no such one. */
int nt_attr_get(struct nt *x, struct nt_file *file, uint32_t type, const le16 *name, unsigned len, ntfs_attr **na,
		struct err *e);
void nt_attr_putp(ntfs_attr **na); /* for CLEANUP */
int nt_attr_read(struct nt *x, ntfs_attr *na, void *buf, size_t len, uint64_t off, struct err *e);
/* The whole value, of at most max bytes: *value NULL when there is none. */
int nt_attr_load(struct nt *x, struct nt_file *file, uint32_t type, const le16 *name, unsigned len, size_t max,
		   uint8_t **value, size_t *size, struct err *e);
struct nt_stream {
	uint16_t name[NTFS_NAME_UNITS];
	unsigned len;
	uint64_t size;
};
/* Calls fn for each alternate data stream, numbered from 1, until it returns non-zero. */
int nt_streams(struct nt *x, struct nt_file *file,
		 int (*fn)(void *arg, unsigned number, const struct nt_stream *s, struct err *e), void *arg, struct err *e);

/* ---- ntfs3g_index.c ---- */

/* Entries of a directory, or of a table that is kept in the same way, in a tree of blocks. */
struct nt_index {
	struct nt *x;
	uint8_t *root;
	size_t root_len;
	ntfs_attr *blocks; /* NULL: all are in the root */
	uint8_t *bitmap;
	size_t bitmap_len;
	unsigned block_size;
	unsigned vcn_bits; /* blocks are counted in units of so many bits */
	uint32_t key_type; /* the attribute that is indexed, 0: none */
};
struct nt_index_entry {
	uint64_t reference;
	const uint8_t *key, *data; /* data: of tables only */
	size_t key_len, data_len;
};
/* ERR_NOT_FOUND when the file has no such index.  End it with nt_index_close(), also after a failure. */
int nt_index_open(struct nt *x, struct nt_file *file, const le16 *name, unsigned len, struct nt_index *out,
		    struct err *e);
void nt_index_close(struct nt_index *ix);
/* Calls fn for each entry, in the order of blocks, until it returns non-zero. */
int nt_index_each(struct nt_index *ix, int (*fn)(void *arg, const struct nt_index_entry *ent, struct err *e),
		    void *arg, struct err *e);
/*
 * Descends the tree: cmp is below 0 when what is looked for lies before the entry, above when behind it, 0 to end there.
 * 1 when it ended so, 0 when at a leaf.
 */
int nt_index_find(struct nt_index *ix, int (*cmp)(void *arg, const struct nt_index_entry *ent), void *arg, struct err *e);

/* ---- ntfs3g_dir.c ---- */

extern const le16 nt_i30[4];
int nt_readdir(struct nt *x, struct nt_file *dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e),
		 void *arg, struct err *e);
/* As written, else in any case, else as FILE:STREAM. */
int nt_lookup(struct nt *x, struct nt_file *dir, const char *name, uint64_t *node, struct err *e);
/* The name of UTF-16 in any case: *node 0 when there is none.  Its own spelling goes to found (NULL: not wanted). */
int nt_dir_find(struct nt *x, struct nt_file *dir, const uint16_t *name, size_t len, uint64_t *node,
		  uint16_t *found, struct err *e);

/* ---- ntfs3g_link.c ---- */

/* What a file with a reparse point is: fills kind and rdev. */
int nt_reparse_kind(struct nt *x, struct nt_file *file, struct err *e);
/* The target of a link, kept in file->target. */
int nt_link_load(struct nt *x, struct nt_file *file, struct err *e);

/* ---- ntfs3g_xattr.c ---- */

int nt_xattrs(struct nt *x, struct nt_file *file,
		int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		struct err *e);

/* ---- ntfs3g_volume.c ---- */

int nt_volume_open(struct nt *x, struct fs *fs, struct err *e);
void nt_volume_close(struct nt *x);
int nt_statfs(struct nt *x, struct fs_usage *out, struct err *e);

#endif
