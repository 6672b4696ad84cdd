/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md.h - Linux software RAID (MD), shared by md*.c.
 *
 * md_super.c reads a member's superblock into host values, md_geo.c knows where an array's bytes lie on its members,
 * md_block.c is the array as a block, which computes what a missing member held, and md.c finds members that belong
 * together and decides which of them can be believed.
 */
#ifndef DRYDOCK_MD_H
#define DRYDOCK_MD_H

#include "block.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MD_SECTOR 512u
#define MD_LINEAR (-1)
#define MD_NO_DISK UINT32_MAX

/* What a member is for, where it is not the number of a disk of the array. */
enum { MD_ROLE_MAX = 0xff00, MD_ROLE_JOURNAL = 0xfffd, MD_ROLE_FAULTY = 0xfffe, MD_ROLE_SPARE = 0xffff };

enum {
	MD_FEATURE_BITMAP = 1u << 0,
	MD_FEATURE_RECOVERY = 1u << 1, /* recovery_offset says how far this member is rebuilt */
	MD_FEATURE_RESHAPE = 1u << 2,
	MD_FEATURE_BAD_BLOCKS = 1u << 3,
	MD_FEATURE_REPLACEMENT = 1u << 4, /* this member is becoming the copy of another, which still works */
	MD_FEATURE_RESHAPE_BACKWARDS = 1u << 5,
	MD_FEATURE_NEW_OFFSET = 1u << 6,
	MD_FEATURE_RECOVERY_BITMAP = 1u << 7, /* rebuilt by the bitmap: nothing of it is certain */
	MD_FEATURE_CLUSTERED = 1u << 8,
	MD_FEATURE_JOURNAL = 1u << 9,
	MD_FEATURE_PPL = 1u << 10,
	MD_FEATURE_MULTIPLE_PPLS = 1u << 11,
	MD_FEATURE_RAID0_LAYOUT = 1u << 12,
	MD_FEATURES_KNOWN = (1u << 13) - 1,
};

/* Sectors that a member could not be written with, bytes from the beginning of its data. */
struct md_bad {
	uint64_t off, len;
};

/* A superblock, read and judged; bytes, where nothing else is said. */
struct md_super {
	const char *version;	/* "0.90", "1.0", "1.1", "1.2" */
	uint8_t uuid[16];	/* in the order in which mdadm prints it */
	char name[33];		/* version 1: "host:name", not judged; "" when there is none */
	int level, preferred_minor; /* -1: no preferred minor (version 1) */
	uint32_t layout, features;
	uint64_t ctime, utime, events;
	unsigned ndisks;	/* of the whole array, without spares */
	uint64_t chunk, used;	/* used: of each member, with levels that need members of one size */
	uint64_t data_off, data_size; /* of this member */
	/* Behind this the copies, or the parity, may not agree yet; UINT64_MAX: they do everywhere. */
	uint64_t resync_from;
	uint64_t rebuilt;	/* this member holds what it should up to here; UINT64_MAX: everywhere */
	bool write_mostly;	/* others are read first: it may lag behind them */
	uint64_t journal_tail;	/* of a journal */
	unsigned number;	/* this member's index in roles */
	uint16_t *roles;	/* of each member, as this one knows it */
	unsigned nroles;
	struct md_bad *bad;	/* in ascending order, not overlapping */
	size_t nbad;
};
void md_super_free(struct md_super *s); /* for CLEANUP */
/*
 * 1 and *out filled when the block is a member of an array, 0 when not.  ERR_CORRUPT, ERR_LIMIT or ERR_UNSUPPORTED: it has a
 * superblock that cannot be believed or understood.
 */
int md_super_read(struct block *b, struct md_super *out, struct err *e);
/* The role that superblock s knows for the member of that index. */
unsigned md_role(const struct md_super *s, unsigned number);
/* 8:8:8:8 digits, as mdadm prints it; buf of at least 36 bytes; returns buf. */
char *md_uuid_text(const uint8_t uuid[16], char *buf);
/* Does the journal hold writes that may not have reached the array's disks?  1 yes, 0 no. */
int md_journal_pending(struct block *b, const struct md_super *s, struct err *e);

/* ---- where an array's bytes lie ---- */

/* A part of a linear or raid0 array that lies on the same members throughout. */
struct md_zone {
	uint64_t off, size;   /* in the array */
	uint64_t member_off;  /* where it begins on each of its members */
	unsigned first, n;    /* its members: n of geo->zone_disks from `first` on */
};

struct md_geo {
	int level;
	uint32_t layout;
	unsigned ndisks;
	uint64_t chunk, member_size; /* member_size: used of each, not with linear and raid0 */
	uint64_t size;		     /* of the array */
	/* linear and raid0 */
	struct md_zone *zones;
	size_t nzones;
	unsigned *zone_disks;
	bool zone_chunks; /* raid0, alternate layout: a chunk's disk follows from its number in the zone, not in the array */
	/* raid10 */
	unsigned near, far, far_set;
	uint64_t stride; /* bytes between far copies */
};
void md_geo_free(struct md_geo *g); /* for CLEANUP */
/*
 * Judges what the superblock claims of the array's form.  data_sizes: of the ndisks members, for linear and raid0.
 * ERR_UNSUPPORTED names what is not read.
 */
int md_geo_init(struct md_geo *g, const struct md_super *s, const uint64_t *data_sizes, struct err *e);
bool md_is_parity(const struct md_geo *g); /* raid4, 5, 6 */
/* How many copies there are of each byte; 1 with parity. */
unsigned md_copies(const struct md_geo *g);
/* How far the bytes from off on lie contiguously, in the same way. */
uint64_t md_run(const struct md_geo *g, uint64_t off);

struct md_place {
	unsigned disk;
	uint64_t off; /* in the disk's data */
};
/* Where copy number `copy` of the byte at off is. */
struct md_place md_locate(const struct md_geo *g, uint64_t off, unsigned copy);
/* With parity: the disks of the stripe in which the array's byte off lies. */
struct md_stripe {
	unsigned p, q; /* q: MD_NO_DISK with raid4 and raid5 */
	unsigned first; /* the disk from which on data disks are counted for Q */
	bool by_number; /* P and Q are counted with them */
};
struct md_stripe md_stripe_at(const struct md_geo *g, uint64_t off);
/* Can all bytes be read where only these disks are there? */
bool md_enough(const struct md_geo *g, const bool *there);

/* ---- the array as a block ---- */

struct md_member {
	struct block *block;	/* NULL: missing.  One reference */
	uint64_t data_off;
	uint64_t rebuilt;	/* as in md_super */
	bool write_mostly;
	struct md_bad *bad;
	size_t nbad;
};
void md_members_free(struct md_member *m, unsigned n);
/*
 * Takes over *geo and *members (geo->ndisks of them), also on failure.  resync_from: bytes of each member from which on
 * parity is not believed.
 */
int md_block(struct md_geo *geo, struct md_member **members, uint64_t resync_from, const char *name, struct block **out,
	     struct err *e);

#endif
