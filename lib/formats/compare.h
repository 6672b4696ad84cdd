/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compare.h - do two images show a guest the same bytes, and if not, where do they first differ? */
#ifndef DRYDOCK_COMPARE_H
#define DRYDOCK_COMPARE_H

#include "block.h"

enum compare_difference { COMPARE_SAME, COMPARE_CONTENT, COMPARE_SIZE, COMPARE_ALLOC };

struct compare_job {
	struct block *sides[2];
	bool strict;	  /* sizes, and what is allocated, must agree too; else the longer one's rest must be zeros */
	unsigned threads; /* 0: block_threads() */
	int (*progress)(void *arg, uint64_t done, uint64_t total); /* as copy_job's */
	void *progress_arg;
};

struct compare_result {
	enum compare_difference difference;
	uint64_t off; /* the first byte that differs, or where reading failed */
	bool sizes_differ;
	unsigned failed_side;
	bool failed_map; /* it was the map that could not be read */
};

/*
 * Runs that both sides know to be zeros are passed without reading.  A failure behind the first difference is none:
 * the answer was known.
 */
int compare_run(const struct compare_job *job, struct compare_result *result, struct err *e);

#endif
