/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clusters.h - FAT and exFAT keep files in clusters, chained by a table: the entry of a cluster names the next one.
 *
 * A chain is followed once, from its beginning to its end, when its file is opened: so it is known to end, to lie inside
 * the volume and how long it is, before a byte of the file is shown.  Marks at regular steps are kept, so that a place far
 * behind is found without walking to it again.
 */
#ifndef DRYDOCK_CLUSTERS_H
#define DRYDOCK_CLUSTERS_H

#include "lines.h"

#include <stdbool.h>

/* Where clusters are, and the table. */
struct clusters {
	struct lines *io; /* lent */
	uint64_t off;	  /* of cluster 2, the first */
	unsigned bits;	  /* of a cluster's size */
	uint32_t n;	  /* 2 to n + 1 are clusters */
	uint64_t table_off, table_copy_off; /* the copy is read where the table cannot be; 0: there is none */
	unsigned entry_bits; /* 12, 16, 32; of 32, value_mask tells which are the number */
	uint32_t value_mask;
	uint32_t bad; /* this value marks a bad cluster, and what is above it the last of a chain */
};

#define CHAIN_MARKS 1024
struct chain {
	uint32_t first;
	uint64_t n;	 /* clusters */
	bool contiguous; /* one after the other: the table is not asked */
	unsigned step_bits; /* mark i is the cluster of index i << step_bits */
	uint32_t *marks;
	size_t nmarks;
	uint64_t last_idx; /* where the last look-up ended */
	uint32_t last;
};

/* The table's entry of a cluster: the next cluster, or 0 at the end of a chain. */
int clusters_next(const struct clusters *c, uint32_t cluster, uint32_t *next, struct err *e);
/* The entry as it is, of any index from 0 to n + 1. */
int clusters_entry(const struct clusters *c, uint32_t idx, uint32_t *value, struct err *e);
/* Entries that are 0, of clusters.  Reads the whole table, except where the device knows it to be zeros. */
int clusters_count_free(const struct clusters *c, uint32_t *out, struct err *e);
uint64_t clusters_off(const struct clusters *c, uint32_t cluster);

/* Follows the chain from `first`.  End it with chain_free(), also after a failure. */
int chain_load(const struct clusters *c, uint32_t first, struct chain *out, struct err *e);
/* n clusters one after the other. */
int chain_contiguous(const struct clusters *c, uint32_t first, uint64_t n, struct chain *out, struct err *e);
void chain_free(struct chain *ch);
/* The cluster of index idx, which must be below n, and how many from there lie one after the other, at most max. */
int chain_map(const struct clusters *c, struct chain *ch, uint64_t idx, uint64_t max, uint32_t *cluster, uint64_t *run,
	      struct err *e);
/* Bytes of the chain, for metadata and for data. */
int chain_read_meta(const struct clusters *c, struct chain *ch, void *buf, size_t len, uint64_t off, struct err *e);
int chain_read(const struct clusters *c, struct chain *ch, void *buf, size_t len, uint64_t off, struct err *e);

#endif
