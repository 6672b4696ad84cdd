/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy_internal.h - between the copy engine's planner (copy_plan.c), its pieces (copy_piece.c) and its threads (copy.c). */
#ifndef DRYDOCK_COPY_INTERNAL_H
#define DRYDOCK_COPY_INTERNAL_H

#include "copy.h"
#include "turn.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PIECE_SEGMENTS = 512 };

enum segment_kind {
	SEGMENT_ZERO, /* reads as zeros */
	SEGMENT_DATA, /* to be read */
	SEGMENT_HERE, /* in the buffer already: of a stream */
	SEGMENT_SKIP, /* the target's backing file has it */
};
struct segment {
	enum segment_kind kind;
	uint64_t off, len; /* of the target */
	struct block *source;
	uint64_t source_off;
	struct block *host; /* where the bytes lie as they are, else NULL */
	uint64_t host_off;
};

/*
 * A stretch of the target that one thread deals with.  Longer than COPY_PIECE only as one segment that does not need
 * the buffer: without data, or with data that the host is likely to share.
 */
struct piece {
	uint64_t off, len;
	size_t n;
	struct segment segments[PIECE_SEGMENTS];
};

struct copy {
	const struct copy_job *job;
	uint64_t total; /* UINT64_MAX: of a stream */
	size_t unit;	/* zeros are looked for in blocks of this size, aligned in the target */
	size_t cluster; /* compress: the target's */
	bool packs;	/* compress: block_packs() the target */

	pthread_mutex_t lock; /* for what follows, up to the atomics */
	uint64_t pos;	      /* planned up to here */
	size_t source;	      /* the source that pos lies in, and where it begins in the target */
	uint64_t source_start;
	size_t unused;	    /* of the job's: the first that ends behind pos */
	uint64_t dropped;
	struct segment run; /* what the map said last; len 0: nothing yet */
	struct err err;	    /* the first failure */
	int failed;	    /* its code, negative */
	enum copy_stage stage;
	uint64_t failed_off;
	uint64_t unread;
	/* How many pieces are being dealt with, and whether the target is being made longer, or stable, alone. */
	struct block *stream; /* NULL: none */
	bool ended;
	uint64_t end; /* where it ended, in whole sectors */
	unsigned busy;
	bool alone;
	uint64_t marked_nsec;
	pthread_cond_t calm;

	struct turn hash_turn; /* for `hash`, by where pieces begin */
	struct hash_work hash;
	struct turn write_turn; /* in_order: for the target */

	atomic_bool stop;
	atomic_bool no_from[2]; /* by enum block_from: the host has refused it once */
	atomic_bool shares;	/* it has done so */
	atomic_ullong done, copied, shared, admitted;
	uint64_t started_nsec;
};

/* What becomes of a cluster of a compressed target. */
struct copy_packed {
	enum { PACKED_SKIP, PACKED_ZERO, PACKED_PLAIN, PACKED_SMALL } fate;
	size_t size; /* SMALL */
};

/* What one thread owns. */
struct copy_worker {
	struct copy *c;
	/*
	 * COPY_PIECE each; behind: what the backing file holds, only where that is compared; packed: each cluster compressed,
	 * at its place, only where the target takes that.
	 */
	unsigned char *buf, *behind, *packed;
	struct copy_packed *clusters; /* compress: of the piece */
	struct piece piece;
	bool filled; /* all of the piece is in the buffer */
	bool has_turn; /* in_order: all before the piece has been written */
	uint64_t start; /* where the piece began when it was planned */
	enum copy_stage stage; /* what it is doing, and where */
	uint64_t off;
	struct err err;
};

/* The next piece, in w->piece; 0 none is left (or somebody failed), 1 here it is, < 0 the map cannot be read. */
int copy_plan_next(struct copy_worker *w);
/* To be called for each piece that was handed out, whatever became of it. */
void copy_plan_done(struct copy_worker *w);
/* A clock that only goes forward. */
uint64_t copy_now_nsec(void);
/* Cuts a segment in two; false: there is no room. */
bool piece_split(struct piece *p, size_t i, uint64_t len);
/* May the host be asked to move what lies plain in a file in this way? */
bool copy_may_take(const struct copy *c, enum block_from how);
/*
 * Lets the host fill the target with what lies plain in files; what it did is SEGMENT_SKIP in w->piece afterwards.  It fails
 * only as copy_begin_write() does.
 */
int copy_take_piece(struct copy_worker *w);
/* Before each change of the target.  The first of a piece waits for those before it, if the order matters. */
int copy_begin_write(struct copy_worker *w, uint64_t off);
/* Copies w->piece. */
int copy_piece(struct copy_worker *w);
/* Adds the piece, which is in the buffer, to the digest when all before it is; gives up when all is being stopped. */
void copy_hash_piece(struct copy_worker *w);

#endif
