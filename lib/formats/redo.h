/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redo.h - changes to the disks of a guest that all reach their images, or none of them.
 *
 * What is written to a redo_disk() goes into a file of its own beside the image, the journal.  redo_commit() makes the journal
 * whole and stable, and with one more write it counts; only then the blocks that differ are written to the image.  A process that
 * is killed at any moment leaves an image that nothing was written to, or one whose journal counts: then the next open for writing
 * completes it, and an open for reading shows it as if that had been done already.  Several disks are one transaction.
 *
 * The journal lies beside the image, as ".NAME.drydock-redo"; that of a block device, or of an image in a folder that cannot be
 * written to, in a folder of state ($XDG_STATE_HOME/drydock, as root without it /var/lib/drydock, else ~/.local/state/drydock).
 * How it looks inside is told in redo_file.h.
 */
#ifndef DRYDOCK_REDO_H
#define DRYDOCK_REDO_H

#include "block.h"

/* What is compared and written at a time. */
enum { REDO_BLOCK = 4096 };

struct redo;

/* The folders of state that are looked into: free() them, on failure too; NULL: there is none. */
int redo_state_folders(char *out[2], struct err *e);

/*
 * Begins a transaction over images that are open for writing, by path (so their locks are held); they are lent until redo_free(),
 * and nobody else writes to them meanwhile.  Makes the journals; nothing is opened later, so that the process may confine itself
 * afterwards: see redo_folders().  ERR_USAGE: an image is not open for writing; ERR_UNSUPPORTED: it is no file or
 * device of this host, or its format is not written to.
 */
int redo_begin(struct block *const *images, size_t n, struct redo **out, struct err *e);
/*
 * From now on each commit first adds to the file at path, which must not exist yet, what redo_undo() needs to go back to how the
 * disks were at redo_begin().  Before the process confines itself.  Without any commit the file is removed again.
 */
int redo_keep_undo(struct redo *r, const char *path, struct err *e);
/*
 * Descriptors of the folders in which this process must still be able to remove a file (confine_how.remove_dirs); lent.  How many
 * there are; at most room are stored.
 */
size_t redo_folders(const struct redo *r, int *fds, size_t room);

/*
 * The i-th disk with what was written to it so far; lent.  Writes, zeros and discards go to its journal; whole blocks that are
 * discarded read as zeros.  May be used by many threads at once, during redo_commit() too: then writes wait until it is done.
 */
struct block *redo_disk(struct redo *r, size_t i);

/*
 * Tells which bytes differ from the image, in runs of whole blocks (less at the end of a disk), disk by disk, in order.  What fn
 * returns other than 0 ends it and is returned.
 */
int redo_changes(struct redo *r, int (*fn)(void *arg, size_t disk, uint64_t off, uint64_t len, struct err *e), void *arg,
		 struct err *e);

struct redo_how {
	/* Told now and then of bytes done; other than 0 before the journals count: ERR_CANCELED.  NULL: nobody watches. */
	int (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
struct redo_result {
	uint64_t blocks; /* that differed, and were written */
	uint64_t bytes;	 /* in them */
};
/*
 * Writes what differs to the images, all or nothing.  how may be NULL.  Before the moment from which on it counts, a failure leaves
 * the images as they were (disk full, most of all), and it may be tried again.  After that moment, an image that cannot be
 * written to keeps its journal: the error says that the next command completes it, *decided is true, and r can only be freed.
 * After success r goes on: what is written then is the next transaction.
 */
int redo_commit(struct redo *r, const struct redo_how *how, struct redo_result *out, bool *decided, struct err *e);
/* Drops what was not committed, and removes the journals, unless they count and could not be applied.  NULL is fine. */
void redo_free(struct redo *r);
void redo_freep(struct redo **r); /* for CLEANUP */

/* ---- going back: what redo_keep_undo() has kept ---- */

struct redo_undo;
/* ERR_CORRUPT: no such file, in the other sense; ERR_USAGE: nothing was changed that it could take back. */
int redo_undo_open(const char *path, struct redo_undo **out, struct err *e);
void redo_undo_free(struct redo_undo *u);
void redo_undo_freep(struct redo_undo **u); /* for CLEANUP */
/* The i-th disk as the file names it, which is a stranger's claim unless redo_undo_is_ours(); false past the last. */
bool redo_undo_disk(const struct redo_undo *u, size_t i, const char **path, const char **format);
/* Nobody but who runs us (or root) could have written the file. */
bool redo_undo_is_ours(const struct redo_undo *u);
/*
 * Writes to the images, in the order of the file's disks and open for writing, what was there before, as one transaction.  Nothing
 * is done, and ERR_USAGE, when one of them is not as the change has left it: then somebody wrote to it since, or it is as before.
 */
int redo_undo_run(struct redo_undo *u, struct block *const *images, size_t n, const struct redo_how *how, struct redo_result *out,
		  struct err *e);

#endif
