/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.h - merging an image down into a file of its backing chain.
 *
 * The order makes a commit safe against a crash at any moment: everything is written into the base and made stable
 * before the image above gives up its own copy.  Until then reading through the image gives the same bytes as before,
 * since what it holds hides what is written beneath it.
 */
#ifndef DRYDOCK_COMMIT_H
#define DRYDOCK_COMMIT_H

#include "copy.h"

enum commit_stage {
	COMMIT_OPEN,  /* the image and its chain */
	COMMIT_FIND,  /* no such base in the chain, or no backing file at all (ERR_NOT_FOUND) */
	COMMIT_GROW,  /* the base is made as long as the image */
	COMMIT_COPY,
	COMMIT_EMPTY, /* the image gives up what the base has */
	COMMIT_DONE,
};

struct commit {
	const char *name;	       /* as for block_open() */
	const struct block_open *open; /* what else block_open() is told; BLOCK_WRITE is added as needed */
	const char *base; /* a file of the chain, as the image above names it, or a path; NULL: the image's backing file */
	bool keep;	  /* the image keeps its data; always so when base is not its own backing file */
	unsigned threads; /* these four as copy_job's */
	uint64_t rate;
	int (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};
struct commit_result {
	enum commit_stage stage; /* DONE, or where it failed */
	struct copy_result copy; /* with COMMIT_COPY */
	bool emptied;
};

int commit_run(const struct commit *how, struct commit_result *result, struct err *e);

#endif
