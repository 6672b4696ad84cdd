/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resume.h - the journal by which an interrupted conversion is continued.
 *
 * It lies beside the target under a hidden name, and says how far the temporary target is complete and stable, and of
 * what: the options, and every file that is read, with its size and times.  It is held under a lock while a conversion
 * works, so that two do not write one target.
 */
#ifndef DRYDOCK_RESUME_H
#define DRYDOCK_RESUME_H

#include "block.h"

struct resume {
	int fd;	    /* -1: none */
	char *path; /* of the journal */
	char *text; /* what identifies the conversion, a line each */
	uint64_t pos;
	bool found; /* a journal of this very conversion was there: go on from pos */
};
#define RESUME_INIT { .fd = -1 }

/* What is being converted. */
struct resume_what {
	const char *target;	     /* the name that the target gets, links resolved */
	const char *format;
	const struct dict *opts;     /* of create, completed */
	const struct dict *open;     /* of opening */
	struct block *const *sources;
	size_t nsources;
	uint64_t sparse;
	bool compress, salvage;
	const char *note;	     /* what else tells one conversion from another; NULL: nothing */
};

/*
 * Opens or makes the journal and takes its lock.  A journal of another conversion (other options, a source that has
 * changed) is refused; one that says nothing yet is as good as none.
 */
int resume_begin(struct resume *r, const struct resume_what *what, struct err *e);
/* All before pos is in the target, and stable: makes that stable, too. */
int resume_mark(struct resume *r, uint64_t pos, struct err *e);
/* The conversion is done: the journal goes. */
void resume_finish(struct resume *r);
/* For CLEANUP: lets go of the lock; the journal stays, unless it says nothing. */
void resume_end(struct resume *r);

#endif
