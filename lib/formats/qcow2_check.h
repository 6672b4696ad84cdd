/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_check.h - what the parts of the qcow2 check share.
 *
 *	qcow2_usage.c	how often each cluster is used, in memory
 *	qcow2_walk.c	walks everything that points at clusters, and fills that in
 *	qcow2_walk_l2.c	of that, the map of the disk
 *	qcow2_check.c	compares it with the refcounts and flags that the image stores: the driver's check op
 *	qcow2_repair.c	writes the refcounts that should be there
 *
 * All of it works on the file beneath, not through the driver's caches, and trusts no field of it.
 */
#ifndef DRYDOCK_QCOW2_CHECK_H
#define DRYDOCK_QCOW2_CHECK_H

#include "qcow2.h"
#include "qcow2_usage.h"

/* One use of an L2 table; after qcow2_walk() one item for each table, with how often it is used. */
struct check_l2 {
	uint64_t off;
	uint32_t uses, active_uses; /* by all L1 tables, and by the active one */
	uint32_t l1_idx;	    /* of the first use */
	uint32_t owner;		    /* 0: the active L1 table, else the number of the snapshot, from 1 */
};

struct check_snapshot {
	uint64_t l1_off;
	uint32_t l1_size;
	uint64_t entry_off; /* in the file */
	char *name;
};

struct qcow2_check {
	struct block *b, *file;
	struct check_report *r;
	unsigned fix;
	bool quiet; /* do not tell findings */
	bool no_edits; /* repair refcounts only: tables with errors are left as they are */

	/* the image: what the driver judged when it opened it, and what its header says now */
	const struct qcow2_state *s;
	bool extended_l2;
	uint64_t l1_off, reftable_off, snapshots_off, crypto_off, crypto_len;
	uint32_t l1_size, nsnapshots, nbitmaps;
	uint64_t reftable_size; /* entries */
	uint64_t incompat, autoclear;
	uint64_t virtual_size;
	uint64_t file_size;

	/* what the walk finds */
	struct usage use;
	be64 *l1;
	struct check_snapshot *snapshots;
	uint32_t nsnapshots_read;
	struct check_l2 *l2;
	size_t nl2, l2_cap;
	uint64_t *reftable; /* offsets; 0: none, or not usable */
	bool reftable_counted;
	uint64_t run_from, run_to;   /* a run of the file, and whether it is a hole */
	bool run_zero;
	uint64_t unreadable;	     /* tables that could not be read */
	uint64_t damaged;	     /* entries that cannot be used and are still there */
	bool edited;		     /* entries were cleared: what was counted is out of date */
	bool wrote;		     /* the file was changed */
	bool data_not_copied;	     /* an active entry for a data file lacks its flag */
	bool refs_damaged;	     /* the refcount structure must be written anew */

	/* what the comparison finds */
	bool no_block; /* something is used that no refcount block covers */
	uint8_t *block_wrong; /* for each refcount table entry: REFS_* */
	uint64_t low, leaks;	  /* clusters with too small and too big a refcount */
	uint64_t too_many;	  /* clusters used more often than a refcount can say */
	uint64_t highest; /* cluster that is used or has a refcount */
	uint64_t findings;
	struct check_finding about; /* the numbers of what is told next */
};

enum { REFS_LOW = 1u << 0, REFS_LEAK = 1u << 1 };

/* ---- qcow2_check.c: telling ---- */

/* Tells a finding, without counting it. */
__attribute__((format(printf, 3, 4))) void check_tell(struct qcow2_check *c, bool fixed, const char *fmt, ...);
/* Counts a corruption (as repaired when fixed) and tells it. */
__attribute__((format(printf, 3, 4))) void check_corrupt(struct qcow2_check *c, bool fixed, const char *fmt, ...);
/* A part that could not be checked at all: why tells the reason. */
__attribute__((format(printf, 3, 4))) void check_unreadable(struct qcow2_check *c, const struct err *why,
							    const char *fmt, ...);
/* Are unusable entries to be cleared? */
bool check_edits(const struct qcow2_check *c);
/* Reads from the file; what lies past its end is zeros. */
int check_pread(struct qcow2_check *c, void *buf, uint64_t len, uint64_t off, struct err *e);
/* Writes to the file, which grows when it must. */
int check_pwrite(struct qcow2_check *c, const void *buf, uint64_t len, uint64_t off, struct err *e);

/* ---- qcow2_walk.c ---- */

/* Forgets what a walk found. */
void check_walk_reset(struct qcow2_check *c);
/*
 * Walks all metadata: fills c->use, the statistics of the report, and tells what cannot be used.  With check_edits()
 * entries that cannot be used are cleared, c->edited is set, and the walk has to be made once more.
 */
int check_walk(struct qcow2_check *c, struct err *e);
/* Does [off, off + len) lie in the file?  Its last cluster may be cut short. */
bool check_in_file(const struct qcow2_check *c, uint64_t off, uint64_t len);
bool check_aligned(const struct qcow2_check *c, uint64_t off);
/*
 * Counts n uses of every cluster that a range (in the file) touches.  *met is the kind of the first of them that had
 * another use before (USE_NONE: all were free).
 */
int check_count(struct qcow2_check *c, uint64_t off, uint64_t len, uint64_t n, enum usage_kind kind,
		enum usage_kind *met, struct err *e);
/* What a range would meet, before it is counted. */
enum usage_kind check_met(const struct qcow2_check *c, uint64_t off, uint64_t len);
/* Reads a piece of metadata; *zero tells that it is a hole of the file, and then buf was left alone. */
int check_read_table(struct qcow2_check *c, void *buf, uint64_t len, uint64_t off, bool *zero, struct err *e);
#define CHECK_READ_AT_ONCE (1 * MiB)

/* ---- qcow2_walk_l2.c ---- */

/* What an L2 entry stands for. */
enum l2_kind { L2_NONE, L2_ZERO, L2_DATA, L2_ZERO_DATA, L2_COMPRESSED };
enum l2_kind check_l2_kind(const struct qcow2_check *c, uint64_t entry);
bool check_l2_has_cluster(enum l2_kind kind);
/* "snapshot \"a\", L1 entry 5": buf of at least CHECK_WHERE bytes; returns buf. */
#define CHECK_WHERE 200
const char *check_where(const struct qcow2_check *c, const struct check_l2 *t, char *buf);
/*
 * Notes the L2 tables of n entries, from the first-th, of the L1 table at table_off, which were read into piece; owner
 * as in struct check_l2.  Entries that had to be mended are written back.
 */
int check_walk_l1(struct qcow2_check *c, be64 *piece, uint32_t n, uint32_t first, uint64_t table_off, uint32_t owner,
		  struct err *e);
int check_walk_snapshot_l1(struct qcow2_check *c, uint32_t owner, struct err *e);
/* Walks the L2 tables that were noted, neighbours in the file together. */
int check_walk_l2_tables(struct qcow2_check *c, struct err *e);

/* Refcounts in one refcount block. */
static inline uint64_t check_block_entries(const struct qcow2_check *c)
{
	return 1ULL << c->s->refblock_bits;
}

/* ---- qcow2_repair.c ---- */

uint64_t check_refcount_get(const uint8_t *block, uint64_t i, unsigned order);
void check_refcount_put(uint8_t *block, uint64_t i, unsigned order, uint64_t v);
/* Writes the right refcounts into the blocks that c->block_wrong names: those in `which` (REFS_*), then flushes. */
int check_fix_in_place(struct qcow2_check *c, unsigned which, struct err *e);
/* Writes a new refcount table and blocks behind everything that is used, and makes the header point there. */
int check_rebuild(struct qcow2_check *c, struct err *e);

#endif
