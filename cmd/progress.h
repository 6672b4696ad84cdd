/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress.h - how far long work has come, and how the user stops it.
 *
 *	struct progress p;
 *	progress_begin(&p, PROGRESS_BAR);
 *	how.progress = progress_watch(&p);
 *	rc = dry_convert(&how, &result, &e);
 *	progress_end(&p);
 *	if (rc == -DRY_CANCELED)
 *		return progress_stopped();
 */
#ifndef DRYDOCK_PROGRESS_H
#define DRYDOCK_PROGRESS_H

#include "drydock.h"

enum progress_mode {
	PROGRESS_BAR,  /* one line on stderr, rewritten */
	PROGRESS_JSON, /* on stderr, one object a line: {"done": 1048576, "total": 10737418240, "speed": 2097152, ...} */
	PROGRESS_NONE,
	PROGRESS_AUTO, /* a bar when stderr is a terminal and the work takes longer than a second */
};
/* The words for OPT_WHEN(), in the order of the enum. */
extern const char *const progress_words[];
#define PROGRESS_OPT(int_ptr)                                                                                          \
	OPT_WHEN('p', "progress", "HOW", int_ptr, progress_words, "show progress: bar (if none is named), json, none, auto")

struct progress {
	enum progress_mode mode;
	uint64_t began_msec, shown_msec;
	uint64_t from, from_msec; /* where the pass began, and when */
	uint64_t last;		  /* what was told last */
	bool seen;		  /* anything was told */
	bool shown; /* anything yet */
	bool drawn;	    /* there is a bar on the line */
};

/*
 * From here on SIGINT, SIGTERM and SIGHUP only ask the work to stop, so that it can clean up after itself, and a write
 * past the file size limit is an error rather than a death.
 */
void progress_begin(struct progress *p, enum progress_mode mode);
/* Lent p must live as long as the work. */
struct dry_progress progress_watch(struct progress *p);
/* Ends the line of the bar; signals do again what they did. */
void progress_end(struct progress *p);
/* After DRY_CANCELED: ends the program by the signal that asked for it, so that whoever started it can tell. */
int progress_stopped(void);

#endif
