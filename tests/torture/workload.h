/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workload.h - random writes to an image that may fail or be cut off, and which bytes are known all the same. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "torture.h"

enum { BYTE_TOUCHED = 1, /* changed since workload_settle() */
       BYTE_UNKNOWN = 2, /* an operation on it failed, or what it reads as is not said */ };

struct workload {
	struct rng rng;
	struct block *b;       /* lent */
	struct model model;
	uint8_t *known;	       /* BYTE_*: as many as the model may grow to */
	uint64_t cluster_size;
	uint64_t max_size;
	bool may_compress, may_resize;
	char last[100];	       /* the last operation, for people */
};

int workload_init(struct workload *w, uint64_t seed, const struct model *start, uint64_t max_size, struct err *e);
void workload_free(struct workload *w);
/* One random operation that changes something.  On failure what it was about is unknown. */
int workload_step(struct workload *w, struct err *e);
/* Everything so far is stable: nothing is touched any more. */
void workload_settle(struct workload *w);
/* Compares all bytes that have none of the `except` flags with an image. */
int workload_compare(const struct model *want, const uint8_t *known, unsigned except, struct block *b, struct err *e);

/*
 * A qcow2 image in memory to start from: of random geometry, written to, closed, and (where the peer is there) with a
 * snapshot "s" of its state.  *bytes, *len are the file (free() it); about tells the geometry; start is what it reads as.
 */
int qcow2_start(struct rng *r, uint8_t **bytes, size_t *len, struct model *start, bool *snapshot, uint64_t *cluster_size,
		char *about, size_t about_size, struct err *e);

/* ---- repairs ---- */

/* A node of its own with the bytes of another. */
int copy_of(struct block *file, struct block **out, struct err *e);
/* Spoils the refcounts of an image in one of several ways; the map of the disk stays as it is. */
void qcow2_spoil(struct rng *r, uint8_t *bytes, size_t len, uint64_t cluster_size);
/*
 * Whatever of a repair has reached the file: the disk reads as start, and another repair, of a copy, makes it clean.
 */
int qcow2_mends(struct block *file, const struct model *start, struct err *e);

#endif
