/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebase.h - an image keeps its content while another backing file is put beneath it.
 *
 * Where the old backing file shows through and the new one holds something else, the old content is written into the
 * image.  Only then, and when that is stable, is the name of the backing file changed: a crash at any moment leaves an
 * image with the same content, over the old file or over the new one.
 */
#ifndef DRYDOCK_REBASE_H
#define DRYDOCK_REBASE_H

#include "block.h"

enum rebase_stage { REBASE_MAP, REBASE_READ_OLD, REBASE_READ_NEW, REBASE_WRITE, REBASE_FINISH, REBASE_DONE };

struct rebase {
	struct block *image;   /* writable, over its old backing file (or none) */
	struct block *backing; /* what comes beneath it; NULL: nothing, which reads as zeros */
	unsigned threads;      /* these three as copy_job's */
	int (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};
struct rebase_result {
	enum rebase_stage stage; /* DONE, or where it failed */
	uint64_t off;		 /* and at which byte */
	uint64_t copied;	 /* bytes written into the image */
};

/* Copies what would be lost and makes it stable.  Changing the name is left: block_change_backing(). */
int rebase_copy(const struct rebase *job, struct rebase_result *result, struct err *e);

#endif
