/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include "alloc.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

enum { TICK_NSEC = 100000000 };

struct pool {
	void (*work)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t left;
	unsigned running;
};

unsigned pool_threads(void)
{
	cpu_set_t set;
	int n = 2;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	return (unsigned)MIN_OF(MAX_OF(n, 2), POOL_MAX);
}

static void *pool_main(void *p)
{
	struct pool *pool = p;

	pool->work(pool->arg);
	pthread_mutex_lock(&pool->lock);
	if (--pool->running == 0)
		pthread_cond_signal(&pool->left);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Signals belong to the calling thread: threads inherit the mask they are made under. */
static unsigned start_threads(struct pool *pool, pthread_t *threads, unsigned n, int *why)
{
	sigset_t all, old;
	unsigned started = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&pool->lock);
	for (; started < n; started++) {
		*why = pthread_create(&threads[started], NULL, pool_main, pool);
		if (*why)
			break;
	}
	pool->running = started;
	pthread_mutex_unlock(&pool->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

static void wait_for_threads(struct pool *pool, void (*tick)(void *arg))
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	pthread_mutex_lock(&pool->lock);
	while (pool->running) {
		until.tv_nsec += TICK_NSEC;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		while (pool->running && pthread_cond_timedwait(&pool->left, &pool->lock, &until) != ETIMEDOUT)
			;
		if (pool->running && tick) {
			pthread_mutex_unlock(&pool->lock);
			tick(pool->arg);
			clock_gettime(CLOCK_MONOTONIC, &until);
			pthread_mutex_lock(&pool->lock);
		}
	}
	pthread_mutex_unlock(&pool->lock);
}

int pool_run(unsigned n, void (*work)(void *arg), void (*tick)(void *arg), void *arg, struct err *e)
{
	struct pool pool = { .work = work, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[POOL_MAX];
	pthread_condattr_t attr;
	unsigned started;
	int why = 0;

	n = MIN_OF(MAX_OF(n, 1u), (unsigned)POOL_MAX);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool.left, &attr);
	pthread_condattr_destroy(&attr);
	started = start_threads(&pool, threads, n, &why);
	wait_for_threads(&pool, tick);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&pool.left);
	return started ? 0 : err_sys(e, why, "no thread can be started");
}
