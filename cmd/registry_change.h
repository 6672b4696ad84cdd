/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_change.h - the actions of drydock registry that change it: set, delete, merge. */
#ifndef DRYDOCK_REGISTRY_CHANGE_CMD_H
#define DRYDOCK_REGISTRY_CHANGE_CMD_H

#include "change_opts.h"

struct registry_change {
	struct change_opts *change;
	const char *hive;   /* of the host; NULL: of a guest */
	const char *prefix; /* of merge */
	const char *type;   /* of set; NULL: "sz" */
	bool exact;	    /* "@" is a name */
};
/* Is it one of them? */
bool registry_is_change(const char *action);
/* argv[0] is the action; the exit status. */
int registry_change_run(const struct registry_change *r, int argc, char **argv);

/* Adds what a .reg file says ("-": standard input): 0, or EXIT_FAILED with a sentence printed that begins with `name`. */
int registry_take_file(struct dry_registry_edits *edits, const char *name, const char *file, bool ascii, const char *prefix);

#endif
