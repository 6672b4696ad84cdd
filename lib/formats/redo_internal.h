/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* redo_internal.h - what the files of the transaction share: its disks, and what differs on them. */
#ifndef DRYDOCK_REDO_INTERNAL_H
#define DRYDOCK_REDO_INTERNAL_H

#include "redo_map.h"
#include "redo_place.h"

#include <pthread.h>

struct redo_disk {
	struct redo *redo;
	struct block *image; /* lent */
	struct block *block; /* what redo_disk() gives */
	struct redo_made made;
	struct block *file;  /* of made */
	int spare;	     /* a file without a name beside it, by which room is kept; -1: none */
	struct redo_image who;
	struct redo_map map;
	pthread_mutex_t lock; /* of who writes to the map, or a part of a block */
	bool has_lock, has_map;
	struct redo_index index; /* of the commit that is under way */
	uint64_t grows;		 /* bytes of it for which the image has no room yet */
	bool no_share;		 /* the host cannot share blocks between both files */
};

struct redo_keep; /* redo_undo.c: what is needed to go back */

struct redo {
	struct redo_disk *disks;
	size_t n;
	pthread_rwlock_t writers; /* a commit keeps them out */
	pthread_rwlock_t gate;	  /* a reader is not to find a journal emptied */
	bool has_writers, has_gate;
	uint8_t id[REDO_ID];
	struct redo_made record; /* of several disks */
	struct block *record_file;
	struct redo_keep *keep;
	bool named; /* the names of its files are stable */
	bool stuck; /* it counts, and could not be applied */
};

/* Where a test puts something between us and our files: *file may be replaced. */
struct redo_test {
	int (*wrap)(void *arg, struct block **file, struct err *e);
	void *arg;
};
int redo_begin_tested(struct block *const *images, size_t n, const struct redo_test *test, struct redo **out, struct err *e);

/* redo_disk.c: the node over an image and its journal */
int redo_disk_node(struct redo_disk *d, struct err *e);
void redo_disk_forget(struct redo_disk *d); /* whoever still has the node gets errors */

/* One block that differs; was and is are NULL where there are zeros. */
struct redo_change {
	uint64_t off;
	size_t len;
	const uint8_t *was, *is;
	enum redo_run_kind kind;
	uint64_t at; /* of the journal */
	bool grows;  /* the image has no room of its own for it yet */
};
/* redo_diff.c: all blocks of a disk that differ, in order.  Nobody writes meanwhile. */
int redo_diff(struct redo_disk *d, int (*fn)(void *arg, const struct redo_change *c, struct err *e), void *arg, struct err *e);
/* Writes what the index says into the image; at_once: what the host can share is not copied. */
int redo_apply(struct block *image, struct block *file, const struct redo_index *x, unsigned disk, bool *no_share,
	       int (*told)(void *arg, uint64_t bytes), void *arg, struct err *e);

/* redo_undo.c */
int redo_keep_block(struct redo_keep *k, unsigned disk, const struct redo_change *c, struct redo_sum sum, struct err *e);
int redo_keep_write(struct redo_keep *k, struct err *e); /* all so far is stable */
void redo_keep_decided(struct redo_keep *k);		 /* what was added belongs to a change that counts */
void redo_keep_revert(struct redo_keep *k);		 /* it does not */
const struct redo_made *redo_keep_made(const struct redo_keep *k);
void redo_keep_free(struct redo_keep *k); /* removes the file if nothing ever counted */

#endif
