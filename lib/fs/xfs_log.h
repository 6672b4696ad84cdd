/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_log.h - XFS's log, replayed in memory: never a byte of it goes onto the image.
 *
 * xfs_ring.c finds the records that were written since the last known good state, xfs_log.c reads transactions from them,
 * xfs_item.c what these say, and xfs_over.c keeps it.  Nothing of it is copied: what is kept are places in the log, laid over
 * what is read of the device.
 *
 * A place in the log ("at") is the index of a record above 32 bits of the place in its body, with the words that the log
 * has put aside (see xfs_ring.c) back where they belong.
 */
#ifndef DRYDOCK_XFS_LOG_H
#define DRYDOCK_XFS_LOG_H

#include "limits.h"
#include "xfs.h"

/* ---- xfs_ring.c ---- */

struct xfs_record {
	uint64_t lsn;
	uint32_t sector; /* of the ring, where its head is */
	uint32_t len;	 /* bytes of its body */
	uint32_t nops;
	uint16_t nheads; /* sectors before the body */
};
struct xfs_ring {
	struct block *dev; /* one reference */
	uint64_t pos;	   /* of the ring on dev */
	uint32_t nsectors;
	bool v5;
	const uint8_t *uuid; /* the filesystem's; lent */
	struct xfs_record *records;
	size_t nrecords, cap;
	/* The record that was read last, with its heads. */
	uint8_t *bytes;
	size_t last; /* index; SIZE_MAX: none */
};
/* The record's place in the log where its body begins. */
#define XFS_AT(index, off) ((uint64_t)(index) << 32 | (uint32_t)(off))

void xfs_ring_close(struct xfs_ring *r);
/* FS_PROBE_MINE when dev is the log of a filesystem on another device. */
int xfs_ring_probe(struct block *dev, struct fs_id *id, struct err *e);
/* Finds the log in the filesystem, or (external) among others. */
int xfs_ring_open(struct xfs_ring *r, const struct xfs *x, struct block *const *others, size_t nothers, struct err *e);
/* Finds the records to be replayed; *clean: the filesystem was unmounted, there are none. */
int xfs_ring_scan(struct xfs_ring *r, bool *clean, struct err *e);
/* The body of a record, lent until the next call. */
int xfs_ring_record(struct xfs_ring *r, size_t index, const uint8_t **body, struct err *e);
/* len bytes at a place, all in one record. */
int xfs_ring_read(struct xfs_ring *r, uint64_t at, void *buf, size_t len, struct err *e);

/* ---- xfs_over.c: what is laid over the device ---- */

/* Bytes of the log that belong together; when records cut them, next is one more than the index of the rest in spans. */
struct xfs_span {
	uint64_t at;
	uint32_t len, next;
};
enum xfs_piece_kind {
	XFS_PIECE_DATA,
	XFS_PIECE_ZERO,	  /* inodes are made here: zeros, and what lies on the device is nothing to go by */
	XFS_PIECE_CANCEL, /* what was logged for it before is not to be replayed: it was freed */
};
struct xfs_piece {
	uint64_t pos, at;
	uint32_t seq; /* the later one wins */
	uint16_t len; /* it does not leave its unit */
	uint8_t kind;
};
/* What the log has of an inode. */
struct xfs_inode_piece {
	uint64_t pos, lsn;
	uint32_t seq, dev;
	uint16_t fields; /* XFS_ILOG_* */
	struct xfs_span core, data, attr;
};
enum {
	XFS_ILOG_CORE = 0x001,
	XFS_ILOG_DDATA = 0x002,
	XFS_ILOG_DEXT = 0x004,
	XFS_ILOG_DBROOT = 0x008,
	XFS_ILOG_DEV = 0x010,
	XFS_ILOG_ADATA = 0x040,
	XFS_ILOG_AEXT = 0x080,
	XFS_ILOG_ABROOT = 0x100,
	XFS_ILOG_DOWNER = 0x200,
	XFS_ILOG_AOWNER = 0x400,
	XFS_ILOG_DATA = XFS_ILOG_DDATA | XFS_ILOG_DEXT | XFS_ILOG_DBROOT,
	XFS_ILOG_ATTR = XFS_ILOG_ADATA | XFS_ILOG_AEXT | XFS_ILOG_ABROOT,
};
/* A change that was announced and not done. */
struct xfs_intent {
	uint64_t id, ino;
	uint16_t type;
	uint16_t what; /* XFS_UNFINISHED_* */
	/* XFS_UNFINISHED_MAP: these blocks of the file become a hole, or what lies at block fsb. */
	uint64_t lblk, fsb;
	uint32_t len;
	enum xfs_run_kind kind;
};

struct xfs_over {
	struct xfs_ring ring;
	unsigned inode_size;
	bool v5;
	struct xfs_piece *pieces; /* once settled: by unit, then by seq */
	size_t npieces, pieces_cap;
	struct xfs_inode_piece *inodes; /* once settled: by pos, one each */
	size_t ninodes, inodes_cap;
	struct xfs_span *spans;
	size_t nspans, spans_cap;
	struct xfs_intent *intents;
	size_t nintents, intents_cap;
};

void xfs_over_free(struct xfs_over *o);
void xfs_over_freep(struct xfs_over **o); /* for CLEANUP */
/* len bytes, of the span (for XFS_PIECE_DATA) from skip on; [pos, pos + len) is within the device. */
int xfs_over_add(struct xfs_over *o, struct xfs *x, enum xfs_piece_kind kind, uint64_t pos, struct xfs_span span,
		 uint64_t skip, uint64_t len, uint32_t seq, struct err *e);
int xfs_over_add_inode(struct xfs_over *o, struct xfs *x, const struct xfs_inode_piece *p, struct err *e);
int xfs_over_add_span(struct xfs_over *o, struct xfs_span span, uint32_t *index, struct err *e);
/* Sorts, and leaves only what counts.  x reads the device without what is laid over it. */
int xfs_over_settle(struct xfs_over *o, struct xfs *x, struct err *e);
/* len bytes of a span from skip on; what the span has not is an error. */
int xfs_over_span(struct xfs_over *o, struct xfs_span span, size_t skip, void *buf, size_t len, struct err *e);
/* Is anything of [pos, pos + len) from the log? */
bool xfs_over_touches(const struct xfs_over *o, size_t len, uint64_t pos);
/* Lays what the log says over [pos, pos + len), which was just read into buf. */
int xfs_over_lay(struct xfs_over *o, uint8_t *buf, size_t len, uint64_t pos, struct err *e);

/* ---- xfs_over_inode.c ---- */

/* Leaves one piece for each inode, of what counts.  The other pieces are sorted. */
int xfs_over_settle_inodes(struct xfs_over *o, struct xfs *x, struct err *e);
/* Puts what the log has of the inode at pos into in->raw; *logged becomes true then.  Sets in->unfinished, in->any_owner. */
int xfs_over_inode(struct xfs_over *o, struct xfs_inode *in, uint64_t pos, bool *logged, struct err *e);

/* ---- xfs_log.c, xfs_item.c ---- */

/* In the order in which the items of one transaction are replayed. */
enum { XFS_RANK_BUFFER, XFS_RANK_ITEM, XFS_RANK_INODE_BUFFER, XFS_RANK_CANCEL, XFS_NRANKS };
struct xfs_item {
	size_t first; /* of its regions; they follow each other */
	uint16_t nregions, have;
	uint16_t type;
	uint8_t rank;
};
struct xfs_transaction {
	uint32_t tid;
	uint64_t lsn;
	unsigned head; /* bytes of its head that were read */
	struct xfs_item *items;
	size_t nitems, items_cap;
	struct xfs_span *regions;
	size_t nregions, regions_cap;
	uint32_t last_span; /* of the last region: 0 itself, else one more than the index of its last part */
};

struct xfs_replay {
	struct xfs *x;
	struct xfs_over *over;
	struct xfs_transaction *open[LIMIT_XFS_TRANSACTIONS];
	size_t nopen;
	uint32_t seq;
	uint64_t ncommitted, nbuffers, nsteps;
};

/* Counts what looking for something has cost. */
int xfs_replay_steps(struct xfs_replay *r, size_t n, struct err *e);
int xfs_item_rank(struct xfs_replay *r, const struct xfs_transaction *t, struct xfs_item *it, struct err *e);
/* Adds what a committed item says. */
int xfs_item_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e);

/* *out is NULL when the log is clean. */
int xfs_log_replay(struct xfs *x, struct block *const *others, size_t nothers, struct xfs_over **out, char *notice,
		   size_t notice_size, struct err *e);

#endif
