/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - one job, several threads, and a caller who looks on.
 *
 * The calling thread does none of the work: it keeps its hands free for progress and for noticing that the user wants
 * to stop, however slow the disk is.
 */
#ifndef DRYDOCK_POOL_H
#define DRYDOCK_POOL_H

#include "err.h"

/* As many threads as this process may use cores, at least 2 (one reads while one writes) and at most POOL_MAX. */
unsigned pool_threads(void);
#define POOL_MAX 64

/*
 * Runs work(arg) in n threads (1 to POOL_MAX) with all signals blocked and returns when all have returned.  Meanwhile
 * tick(arg), if given, is called from the calling thread every 100 milliseconds.  When the host gives fewer threads,
 * at least one, those do the work.
 */
int pool_run(unsigned n, void (*work)(void *arg), void (*tick)(void *arg), void *arg, struct err *e);

#endif
