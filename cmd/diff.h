/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.h - the parts of drydock diff to each other. */
#ifndef DRYDOCK_DIFF_H
#define DRYDOCK_DIFF_H

#include "guest_opts.h"
#include "json.h"

/* The exit status, as diff(1) has it. */
enum { DIFF_SAME = 0, DIFF_DIFFERENT = 1, DIFF_TROUBLE = 2 };

struct diff {
	struct guest_opts guest;
	struct opt_list second; /* -A */
	const char *snapshots[2];
	struct opt_list mounts[2];
	bool files, packages, registry; /* what is compared */
	bool times, json, quiet;
	bool texts; /* with files: how the content of text files differs, too; and folders' times are not compared */
	struct guest_set set; /* two guests */
	struct strbuf text;   /* what is printed next */
	struct json j;
	uint64_t ndifferences;
	bool trouble; /* something could not be compared, and that was told */
};

/* Each prints its part, as members of the JSON object or as lines, and counts.  0, or DIFF_TROUBLE: no more is to be done. */
int diff_files(struct diff *d);
int diff_packages(struct diff *d);
/* asked: guests without a registry are trouble; else there is nothing to compare where one of both has none. */
int diff_registry(struct diff *d, bool asked);
/* Prints the text when there is enough of it.  0 or DIFF_TROUBLE. */
int diff_flush(struct diff *d);

#endif
