/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo_settle.h - an image is opened: what a change left that was interrupted is completed, shown or dropped.
 */
#ifndef DRYDOCK_REDO_SETTLE_H
#define DRYDOCK_REDO_SETTLE_H

#include "block_driver.h"

struct redo_found;
struct redo_view;

/*
 * Looks for the journal of the file that `file` lies on, before anything is written there.  NULL: there is none, or its owner is
 * alive and the image is only read.  ERR_SYSTEM: its owner is alive.
 */
int redo_look(struct block *file, unsigned flags, struct redo_found **out, struct err *e);
void redo_found_freep(struct redo_found **f); /* for CLEANUP */
/*
 * The format b is open over the file.  Open for writing: what counts is completed, what does not is removed.  For reading: what
 * counts is shown.  b->notice tells what was done; or it is an error, since writing would make things worse.
 */
int redo_settle(struct block *b, struct redo_found *f, struct err *e);

/* What a journal lays over a block that is read (b->view). */
int redo_view_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e);
int redo_view_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e);
void redo_view_free(struct redo_view *v); /* NULL is fine */

#endif
