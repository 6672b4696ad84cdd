/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.h - sequential requests, several at a time, to see how fast an image is read or written. */
#ifndef DRYDOCK_BENCH_H
#define DRYDOCK_BENCH_H

#include "block.h"

struct bench {
	struct block *image; /* writable, for a write test */
	bool write;
	uint64_t count;	  /* requests */
	unsigned depth;	  /* so many at a time; at most 64 */
	size_t len;	  /* of each */
	uint64_t off;	  /* of the first */
	uint64_t step;	  /* from one to the next; at the end of the disk they begin anew */
	uint8_t pattern;  /* what is written */
	uint64_t flush_interval; /* a flush after so many writes; 0: none */
	bool no_drain;	  /* a flush does not wait for the requests before it */
	int (*progress)(void *arg, uint64_t done, uint64_t total); /* as copy_job's */
	void *progress_arg;
};
struct bench_result {
	double seconds;
	uint64_t done, flushes;
};

/* A request that goes past the end of the disk fails, as any other that cannot be done: the first failure ends it. */
int bench_run(const struct bench *job, struct bench_result *result, struct err *e);

#endif
