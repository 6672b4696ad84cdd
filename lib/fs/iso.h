/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iso.h - the parts of the ISO 9660 reader to each other.
 *
 * Specifications: ECMA-119 (ISO 9660), the Joliet specification, IEEE P1281 (SUSP) and P1282 (Rock Ridge).
 *
 * From byte 32768 on, volume descriptors of 2048 bytes: the primary one, perhaps a supplementary one with names in UCS-2
 * (Joliet), and a terminator.  Each leads to a root directory.  A directory is an extent of records; a record names one
 * extent of a file, and carries in its last part ("system use") what Rock Ridge adds: modes, owners, long names,
 * symlinks.  Numbers are stored twice, in both byte orders; the little-endian one is read.
 *
 * A node is where a record begins on the disk; for a directory it is that of its own "." record, the first of its extent,
 * so that it has one number, however it was reached.
 */
#ifndef DRYDOCK_ISO_H
#define DRYDOCK_ISO_H

#include "fs_driver.h"

#include "ondisk.h"

#define ISO_SECTOR 2048
#define ISO_SYSTEM_AREA 32768

enum iso_names { ISO_NAMES_PLAIN, ISO_NAMES_JOLIET, ISO_NAMES_ROCK };

struct iso {
	struct block *dev; /* lent from the struct fs */
	uint64_t size;	   /* bytes: of the volume, and at most of the device */
	uint64_t volume;   /* bytes, as the descriptor has it */
	unsigned bs;
	enum iso_names names;
	unsigned skip;	/* bytes of system use before Rock Ridge's entries */
	uint64_t root;	/* node */
	uint8_t *sector; /* ISO_SECTOR bytes, of the directory that is read: of the device from byte `at` */
	uint64_t at;	 /* UINT64_MAX: none */
	size_t have;
};

#define ISO_FLAG_HIDDEN 1
#define ISO_FLAG_DIR 2
#define ISO_FLAG_ASSOCIATED 4
#define ISO_FLAG_MORE 128 /* the file goes on in the next record */

/* A directory record, judged; name and system use are copies. */
struct iso_record {
	uint64_t at;  /* where it begins */
	uint64_t off; /* of its extent */
	uint32_t size;
	unsigned len, flags, interleave;
	uint8_t date[7];
	uint8_t name[255], use[255];
	unsigned name_len, use_len;
};

/* What Rock Ridge says of a record; what it does not say is zero. */
struct iso_rock {
	bool has_px, has_tf[7];
	uint32_t mode, nlink, uid, gid;
	uint32_t rdev_high, rdev_low;
	struct fs_time times[7]; /* by the bits of TF: creation, modification, access, attributes ... */
	bool has_name, relocated;
	bool bad_target; /* the symlink's components contradict their entry */
	bool compressed; /* zisofs */
	uint64_t child;	 /* with CL: the extent of the directory that was moved elsewhere; 0: none */
	struct strbuf name, target;
};

/* iso_record.c */

/*
 * The record at a byte of the device: 1, or 0 when there is none in the rest of this sector.  A directory's end is the
 * caller's business.
 */
int iso_record_get(struct iso *s, uint64_t at, struct iso_record *out, struct err *e);
struct fs_time iso_date(const uint8_t date[7]);

/* iso_rock.c */

void iso_rock_free(struct iso_rock *r); /* for CLEANUP */
/* Reads the system use of a record, with what it continues to.  Start with a zeroed struct. */
int iso_rock_read(struct iso *s, const struct iso_record *rec, struct iso_rock *out, struct err *e);
/* Bytes of system use to be skipped, by the root's first record; -1: no Rock Ridge.  < -1 is an error. */
int iso_rock_probe(const struct iso_record *root);

/* iso_dir.c */

/* The "." record of a directory node. */
int iso_dir_get(struct iso *s, uint64_t node, struct iso_record *out, struct err *e);
int iso_readdir(struct iso *s, uint64_t node, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg,
		struct err *e);
int iso_lookup(struct iso *s, uint64_t node, const char *name, uint64_t *out, struct err *e);

#endif
