/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target.h - a new image appears under its name whole, or not at all.
 *
 * A regular file, or a name that is free, is made as ".NAME.drydock-XXXXXX" beside it and renamed when it is whole and
 * stable.  A process that is killed leaves that hidden file, never a half-written image under the name asked for.  A
 * device cannot be renamed over: it is written in place.
 *
 *	CLEANUP(target_abort) struct target t = TARGET_INIT;
 *	rc = target_begin(&t, path, e);
 *	... make and fill the image at t.path ...
 *	rc = target_commit(&t, true, e);
 */
#ifndef DRYDOCK_TARGET_H
#define DRYDOCK_TARGET_H

#include "err.h"

#include <stdbool.h>

struct block;

struct target {
	char *path;	    /* where to write: the temporary name, or the device itself */
	char *final;	    /* the name it gets, symbolic links resolved; NULL: not begun */
	bool in_place;	    /* path is final: a device */
	bool lasting;	    /* the temporary file stays when all else fails: target_begin_lasting() */
	struct block *lock; /* holds the locks of the image that is replaced; NULL: none */
};

#define TARGET_INIT { .path = NULL }

/* "file:PATH" is PATH; another protocol or a json: name is ERR_UNSUPPORTED.  Makes an empty file at t->path. */
int target_begin(struct target *t, const char *name, struct err *e);
/*
 * The same with the temporary name ".NAME.drydock-resume", which a conversion that is interrupted leaves for the next.
 * Once target_keep() was called nothing but target_commit() removes it.  A device is ERR_UNSUPPORTED.
 */
int target_begin_lasting(struct target *t, const char *name, struct err *e);
/* Makes that file anew and empty; otherwise what is there is used, and must be there. */
int target_renew(struct target *t, struct err *e);
void target_keep(struct target *t);
/* The file is whole: makes it stable (unless told not to), gives it its name, and makes that stable. */
int target_commit(struct target *t, bool stable, struct err *e);
/* For CLEANUP: removes the temporary file, if there is still one, and frees. */
void target_abort(struct target *t);
/* Puts the final name where an error's message has the temporary one; returns rc. */
int target_err(const struct target *t, int rc, struct err *e);

#endif
