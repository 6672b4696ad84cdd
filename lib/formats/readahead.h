/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readahead.h - what was read from a source that is far away, kept for the next who asks, and a little more than was asked.
 *
 * Small reads, those of metadata, come in blocks of READAHEAD_BLOCK, of which the last used LIMIT_READAHEAD_HELD bytes are
 * kept.  Where one follows another the next fetch is twice as long, up to LIMIT_READAHEAD: who goes through a source in
 * small steps waits for few round trips, and who jumps about reads little in vain.  Large reads, those of data that is
 * copied, are passed on as they are: nobody asks for that again.  Of whoever reads on in one way or the other the source is told
 * what will be wanted next, so that it comes while they are busy with what they have.
 *
 * The content must not change.  Threads that want the same block wait for one fetch.
 */
#ifndef DRYDOCK_READAHEAD_H
#define DRYDOCK_READAHEAD_H

#include "err.h"
#include "limits.h"

#include <stddef.h>
#include <stdint.h>

#define READAHEAD_BLOCK ((size_t)(64 * KiB))
/* From here on a read is passed on. */
#define READAHEAD_LARGE ((size_t)(256 * KiB))

struct readahead;

struct readahead_how {
	/* Reads exactly len bytes, which lie within the size; from many threads at once. */
	int (*fetch)(void *arg, void *buf, size_t len, uint64_t off, struct err *e);
	/* What will be wanted next, within the size; must not wait.  NULL: nobody is told. */
	void (*expect)(void *arg, uint64_t off, uint64_t len);
	void *arg;
	uint64_t size;
	size_t ahead; /* each fetch of blocks has at least so many bytes; 0: as it comes */
};

int readahead_new(const struct readahead_how *how, struct readahead **out, struct err *e);
void readahead_free(struct readahead *r); /* NULL is fine */
/* What is known already: whole blocks of it are kept. */
void readahead_know(struct readahead *r, const void *bytes, size_t len, uint64_t off);
/* The range lies within the size. */
int readahead_read(struct readahead *r, void *buf, size_t len, uint64_t off, struct err *e);

#endif
