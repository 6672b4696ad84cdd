/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h - the copy engine: what a guest sees of some blocks, into another block.
 *
 * The map of the source is walked once, front to back, and never held: a planner hands out pieces of about 2 MiB,
 * aligned in the target, to a pool of threads, each with one buffer.  Long runs without data cost one step each.
 */
#ifndef DRYDOCK_COPY_H
#define DRYDOCK_COPY_H

#include "block.h"
#include "hash.h"

#define COPY_PIECE ((size_t)2 << 20)

enum copy_stage { COPY_MAP, COPY_READ, COPY_WRITE };

struct copy_range {
	uint64_t off, len; /* bytes */
};
struct copy_job {
	/* One behind the other.  A stream (stream.h) comes alone and is read to its end, in whole sectors. */
	struct block *const *sources;
	size_t nsources;
	struct block *target;	 /* at least as long as the sources together; a pipe (stream.h) goes with sparse 0 */
	bool grow;		 /* a stream: makes the target longer as it goes; it may end up too long */
	bool target_is_zero;	 /* it reads as zeros where nothing has been written */
	/*
	 * The target's own backing file shows through where nothing is written.  What `base`, a node of the only source's
	 * backing chain with that very content, decides is left out; base NULL: contents are compared.
	 */
	bool over_backing;
	struct block *base;
	/*
	 * Of a single source what nobody will miss, in order and apart from each other: it is not read, and zeros in the
	 * target.  Not with over_backing.
	 */
	const struct copy_range *unused;
	size_t nunused;
	bool compress;	 /* write clusters compressed */
	bool in_order;	 /* written front to back, so that an image is laid out alike whatever the threads do */
	/*
	 * What lies plain in files at both ends: let them share its blocks, where the host can; copy it in the kernel.  It is
	 * not looked at then, so that zeros which are stored stay so.
	 */
	bool share, offload;
	bool salvage;	 /* zeros for what cannot be read */
	uint64_t sparse; /* zeros at least this long (more than COPY_PIECE counts as that) are not stored; 0: all is stored */
	unsigned threads; /* 0: block_threads() */
	uint64_t rate;	 /* bytes a second, 0: no limit */
	bool hashes;	 /* the digest of all of the sources, zeros too: they are then all read */
	enum hash_alg hash;
	uint64_t start;	 /* all before it is in the target already; a multiple of COPY_PIECE */
	/*
	 * Every few seconds, from one of the threads while the others wait: all before pos is in the target, stable.
	 * NULL: nobody asks.
	 */
	int (*mark)(void *arg, uint64_t pos, struct err *e);
	void *mark_arg;
	/* From the calling thread, several times a second; total 0: not known.  Not 0: stop with ERR_CANCELED. */
	int (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
	void (*unreadable)(void *arg, uint64_t off, uint64_t len, const char *text);
	void *unreadable_arg;
};

struct copy_result {
	enum copy_stage stage; /* after a failure: in what, and at which offset of the target */
	uint64_t off;
	uint64_t total;	 /* of the sources, to whole sectors */
	uint64_t copied; /* bytes written as data */
	uint64_t shared; /* bytes that the target's files share with those of the sources since */
	uint64_t dropped; /* bytes of data that were in unused */
	uint64_t unread; /* salvage: bytes given up */
	uint8_t digest[HASH_MAX]; /* if it was asked for */
};

/* Does not finish the target: the caller calls block_finish(). */
int copy_run(const struct copy_job *job, struct copy_result *result, struct err *e);

#endif
