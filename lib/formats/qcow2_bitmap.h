/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_bitmap.h - what the files of the qcow2 driver's bitmaps share.  All with the lock.
 *
 * A bitmap on disk is valid unless it is marked in use.  So before the first bit changes the mark is set and stable, and
 * it goes when everything is written (qcow2_bitmaps_store(), with finish): whoever dies between the two leaves a bitmap
 * that everybody calls inconsistent.  While the mark is there, table and bits may be written in place.
 */
#ifndef DRYDOCK_QCOW2_BITMAP_H
#define DRYDOCK_QCOW2_BITMAP_H

#include "qcow2.h"

enum { /* flags in the directory */
	QCOW2_BITMAP_IN_USE = 1u << 0,
	QCOW2_BITMAP_AUTO = 1u << 1,
	QCOW2_BITMAP_EXTRA_COMPATIBLE = 1u << 2,
	QCOW2_BITMAP_FLAGS = (1u << 3) - 1,
};
enum { QCOW2_BITMAP_DIRTY = 1 }; /* the type */
enum { QCOW2_BITMAP_MIN_BITS = 9, QCOW2_BITMAP_MAX_BITS = 31, QCOW2_BITMAP_MAX_NAME = 1023 };
#define QCOW2_BITMAP_NOWHERE SIZE_MAX

struct qcow2_bitmap_chunk {
	uint64_t entry; /* of the table */
	uint8_t *bits;	/* a cluster of them; NULL: as the entry says */
	bool dirty;	/* bits differ from the disk */
};

struct qcow2_bitmap {
	char *name;
	uint32_t flags; /* as in the directory */
	unsigned type, granularity_bits;
	uint8_t *extra;
	uint32_t extra_len;
	size_t dir_pos; /* of its entry in the directory on disk; QCOW2_BITMAP_NOWHERE: not there yet */
	uint64_t table_off;
	uint32_t table_size; /* entries on disk */
	bool foreign;	     /* of a kind that we do not know */
	bool inconsistent;   /* its bits say nothing */
	bool held;	     /* we have marked it in use */
	bool table_moves;    /* the table needs another place */
	struct qcow2_bitmap_chunk *chunks; /* NULL until qcow2_bitmap_table() */
	uint64_t nchunks, held_chunk;
};

uint64_t qcow2_bitmap_bits(const struct block *b, const struct qcow2_bitmap *m);
uint64_t qcow2_bitmap_chunks(const struct block *b, const struct qcow2_bitmap *m);
struct qcow2_bitmap *qcow2_bitmap_find(struct qcow2_state *s, const char *name);
/* A consistent bitmap of that name. */
int qcow2_bitmap_get(struct block *b, const char *name, struct qcow2_bitmap **out, struct err *e);
/* Reads its table, once. */
int qcow2_bitmap_table(struct block *b, struct qcow2_bitmap *m, struct err *e);
/* The bits of one chunk; lent until the next one is asked for, unless it is marked dirty. */
int qcow2_bitmap_chunk(struct block *b, struct qcow2_bitmap *m, uint64_t i, uint8_t **bits, struct err *e);
void qcow2_bitmap_free(struct qcow2_bitmap *m);

#endif
