/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_usage.h - who uses which cluster of a qcow2 file: how often, and as what.
 *
 * The refcounts as they should be.  Memory is taken in chunks of 4096 clusters, only where something is used, with
 * one byte a count until a count needs more, and one byte of marks: an ordinary image costs 2 bytes a cluster, and a
 * sparse file of exabytes costs what is used in it.
 */
#ifndef DRYDOCK_QCOW2_USAGE_H
#define DRYDOCK_QCOW2_USAGE_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

/* What a cluster is used as: the low bits of its mark.  The first use stays. */
enum usage_kind {
	USE_NONE,
	USE_HEADER,
	USE_CRYPTO,
	USE_L1,
	USE_SNAPSHOTS,
	USE_SNAPSHOT_L1,
	USE_L2,
	USE_DATA,
	USE_BITMAPS,
	USE_REFTABLE,
	USE_REFBLOCK,
};
#define USE_KIND_MASK 0x0f
#define USE_COPIED 0x10	    /* an active entry says: mine alone */
#define USE_NOT_COPIED 0x20 /* an active entry says: shared */
#define USE_STORED_ONE 0x40 /* its stored refcount is 1 */

#define USAGE_CHUNK_BITS 12
#define USAGE_CHUNK (1u << USAGE_CHUNK_BITS)

struct usage_chunk {
	uint8_t *marks; /* NULL: nothing in this chunk is used */
	void *counts;	/* USAGE_CHUNK integers of 1 << width_log2 bytes */
	uint8_t width_log2;
};

struct usage {
	uint64_t nclusters;
	uint64_t nchunks;
	struct usage_chunk *chunks;
	uint64_t bytes, budget; /* memory held, and how much may be: see usage_allow() */
};

/* Room for nclusters clusters, none used.  ERR_LIMIT for a file of too many. */
int usage_init(struct usage *u, uint64_t nclusters, struct err *e);
void usage_free(struct usage *u);
/* Makes room for more clusters. */
int usage_grow(struct usage *u, uint64_t nclusters, struct err *e);
/* Another `bytes` of metadata were really read: memory in proportion may be held.  Keeps a few lies from costing much. */
void usage_allow(struct usage *u, uint64_t bytes);

/*
 * n more uses of a cluster (< nclusters); flags are USE_COPIED and USE_NOT_COPIED.  A count stops at UINT64_MAX.
 * *was, if given, is the kind it had before.
 */
int usage_add(struct usage *u, uint64_t cluster, uint64_t n, enum usage_kind kind, unsigned flags,
	      enum usage_kind *was, struct err *e);
/* One use less, of a cluster that is used; it forgets its kind with the last one. */
void usage_drop(struct usage *u, uint64_t cluster);
uint64_t usage_count(const struct usage *u, uint64_t cluster);
enum usage_kind usage_kind(const struct usage *u, uint64_t cluster);
/* The words for a kind: "an L2 table". */
const char *usage_kind_name(enum usage_kind kind);

/* The count of the i-th cluster of a chunk that is not NULL. */
static inline uint64_t usage_chunk_count(const struct usage_chunk *k, unsigned i)
{
	switch (k->width_log2) {
	case 0:
		return ((const uint8_t *)k->counts)[i];
	case 1:
		return ((const uint16_t *)k->counts)[i];
	case 2:
		return ((const uint32_t *)k->counts)[i];
	default:
		return ((const uint64_t *)k->counts)[i];
	}
}

#endif
