/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_run.h - many guests in one call: side by side on all cores, what they print in the order in which they were named.
 *
 * A guest's handle is used by one thread.  What its work prints, on either stream, is kept until all before it have ended,
 * and goes straight out when its turn has come; a tree of a million lines does not pile up, since a guest that has much to
 * say before its turn waits for it.
 */
#ifndef DRYDOCK_GUEST_RUN_H
#define DRYDOCK_GUEST_RUN_H

#include "guest_opts.h"
#include "json.h"
#include "strbuf.h"

struct guest_run {
	const struct guest_opts *opts;
	struct guest_set *set;
	/* Told between what two guests print on standard output; NULL: nothing. */
	const char *between;
	/*
	 * The work on one guest, in any thread; items are those operands of the set that are about it (none where operands
	 * are images).  It prints by guest_out() and guest_say() only.  The exit status.
	 */
	int (*work)(void *arg, struct guest_ref *g, const struct guest_item *items, size_t nitems);
	void *arg;
	unsigned threads; /* at most; 0: as many as there are cores */
	bool printed; /* afterwards: something was, on standard output */
};
/*
 * Works on all guests that could be opened, and closes each when its work has ended.  Where operands about one guest do not
 * stand together, or passphrases are read line by line, all is done in the order of operands by one thread.
 * EXIT_DONE, or EXIT_FAILED when any work did not end so.
 */
int guest_run(struct guest_run *r);

/* Prints the text, or keeps it until the guest's turn, and empties it; EXIT_FAILED when it was lost: stop then. */
int guest_out(const struct guest_ref *g, struct strbuf *text);
/* The same for standard error; nothing is told about a failure. */
void guest_err(const struct guest_ref *g, struct strbuf *text);
/* The inside of an array that all guests' works write into: for each a writer of its own, with this for `between`. */
struct json guest_json(const struct json *outer, struct strbuf *text);
/*
 * The same as guest_run() for works that write objects into one array: with `json` its ends are printed around theirs, and
 * *outer is what guest_json() takes, as long as this runs.
 */
int guest_run_list(struct guest_run *r, bool json, struct json *outer);
#define GUEST_JSON_BETWEEN(pretty) ((pretty) ? "," : ", ")

#endif
