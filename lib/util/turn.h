/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turn.h - what must be done in order, whichever threads have the parts: each waits for its turn.
 *
 * Parts are numbered, or known by where they begin, and each names its successor when it is done.  When parts are handed
 * out in their order, who has the first that is missing waits for nobody; so all come to an end.
 */
#ifndef DRYDOCK_TURN_H
#define DRYDOCK_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct turn {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t at; /* the part whose turn it is */
};

void turn_init(struct turn *t, uint64_t first);
/* Waits until it is the turn of `part`; false: *stop has become true before. */
bool turn_await(struct turn *t, uint64_t part, const atomic_bool *stop);
/* The part whose turn it was is done, and `next` comes after it. */
void turn_pass(struct turn *t, uint64_t next);
/* Lets those who wait see that *stop is true. */
void turn_wake(struct turn *t);

#endif
