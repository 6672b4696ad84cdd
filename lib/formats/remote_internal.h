/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remote_internal.h - what remote.c and remote_ahead.c share: the slots of a helper, and who has them. */
#ifndef DRYDOCK_REMOTE_INTERNAL_H
#define DRYDOCK_REMOTE_INTERNAL_H

#include "remote.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* AHEAD_ASKED: the answer is still to come; AHEAD_THERE: it lies in the slot. */
enum ahead_state { AHEAD_NONE, AHEAD_ASKED, AHEAD_THERE };

/* A range that a slot was asked for before anybody wanted it.  Changes under the slot's lock; others see what may be old. */
struct ahead {
	atomic_ullong off, end;
	atomic_ullong left; /* so many of its bytes no reader has had yet, */
	atomic_ullong when; /* and the last one had some, or it was asked for, then, by `wanted` below */
	atomic_int state; /* enum ahead_state */
};

/*
 * Which slots are in use.  Children that were forked use the same slots as their parent: so this lies in memory that they
 * share, and the helper has none of it.
 */
struct slot_locks {
	pthread_mutex_t locks[NET_SLOTS];
	atomic_bool lost[NET_SLOTS]; /* an answer is still to come, and whose it is nobody knows */
	atomic_uint turn;
	struct ahead ahead[NET_SLOTS];
	atomic_ullong wanted; /* bytes that were asked for by readers, so far */
	atomic_ullong unused; /* and bytes that were asked for before, of which no reader has had any use yet */
};

struct remote {
	char *name;
	unsigned patience_ms;
	pid_t pid, owner; /* the helper; who started it */
	int life, said, memory_fd; /* open as long as we are; where it says hello */
	int wake[NET_SLOTS], done[NET_SLOTS];
	char *memory; /* NET_MEMORY bytes */
	struct slot_locks *locks;
	struct net_hello hello;
};

/* Takes the slot's lock, if `try` only when nobody has it.  False: it was not to be had, or the slot is lost. */
bool remote_lock(struct remote *r, unsigned i, bool try);
void remote_unlock(struct remote *r, unsigned i);
/* With the lock: writes the question down and wakes the helper, 0 or an errno; */
int remote_send(struct remote *r, unsigned i, enum net_op op, unsigned flags, uint64_t len, uint64_t off);
/* and waits for the answer. */
int remote_answer(struct remote *r, unsigned i, struct err *e);
const char *remote_data(const struct remote *r, unsigned i);

/* With the lock: what was read ahead into this slot is dropped. */
void remote_ahead_drop(struct remote *r, unsigned i);
/* As many bytes from off on as a slot was asked for before, waiting for them; 0: none. */
size_t remote_ahead_take(struct remote *r, void *buf, size_t len, uint64_t off);

#endif
