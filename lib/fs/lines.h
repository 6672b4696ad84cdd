/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.h - the last pieces of a device that were looked at, kept in memory: for metadata, which is read in bits.
 *
 * A line is line_size bytes at a multiple of it; the one that was not used for longest gives way.
 */
#ifndef DRYDOCK_LINES_H
#define DRYDOCK_LINES_H

#include "block.h"
#include "err.h"

/* Reads len bytes at off, as block_pread() does. */
typedef int (*lines_source)(void *arg, void *buf, size_t len, uint64_t off, struct err *e);

struct line {
	uint64_t off; /* UINT64_MAX: empty */
	uint64_t used;
	uint8_t *data;
};
struct lines {
	struct block *dev;   /* lent */
	lines_source source; /* NULL: dev as it is */
	void *arg;
	size_t line_size;
	struct line *items;
	size_t n, last; /* last: the one that was used last */
	uint64_t clock;
};

/* line_size is a power of two; nothing is read yet.  End it with lines_free(), also after a failure. */
int lines_init(struct lines *l, struct block *dev, size_t line_size, size_t nlines, struct err *e);
/* Lines are filled by source(arg, ...) from now on, which may lay something over what it reads of the device. */
void lines_from(struct lines *l, lines_source source, void *arg);
void lines_free(struct lines *l);
/* Lends the bytes at off, up to the end of their line, until the next call: *avail of them, at least one. */
int lines_get(struct lines *l, uint64_t off, const uint8_t **data, size_t *avail, struct err *e);
int lines_read(struct lines *l, void *buf, size_t len, uint64_t off, struct err *e);

#endif
