/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "turn.h"

void turn_init(struct turn *t, uint64_t first)
{
	*t = (struct turn){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .at = first };
}

bool turn_await(struct turn *t, uint64_t part, const atomic_bool *stop)
{
	bool mine;

	pthread_mutex_lock(&t->lock);
	while (t->at != part && !atomic_load(stop))
		pthread_cond_wait(&t->changed, &t->lock);
	mine = t->at == part;
	pthread_mutex_unlock(&t->lock);
	return mine;
}

void turn_pass(struct turn *t, uint64_t next)
{
	pthread_mutex_lock(&t->lock);
	t->at = next;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void turn_wake(struct turn *t)
{
	pthread_mutex_lock(&t->lock);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}
