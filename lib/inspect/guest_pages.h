/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_pages.h - files of a guest that are read in many small bits, through a few pages that all of them share.
 *
 * So that a hundred files can be open at once, each of which jumps to and fro, in memory that does not grow with them.
 */
#ifndef DRYDOCK_GUEST_PAGES_H
#define DRYDOCK_GUEST_PAGES_H

#include "guest_file.h"

struct guest_pages;

/* *out is ended by guest_pages_free(). */
int guest_pages_new(struct guest_pages **out, struct err *e);
void guest_pages_free(struct guest_pages *p); /* NULL is fine */
/*
 * Exactly len bytes of a file; id tells the files apart that are read through p.  The file ending before, by its size, is
 * ERR_CORRUPT.
 */
int guest_pages_read(struct guest_pages *p, const struct guest_file *f, unsigned id, void *buf, size_t len, uint64_t off,
		     struct err *e);

#endif
