/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include "alloc.h"
#include "checked.h"
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { BUFFER_ALIGN = 4096 };

struct bench_run {
	const struct bench *job;

	pthread_mutex_t lock; /* for what follows, up to the atomics */
	pthread_cond_t idle;  /* in_flight fell, or a flush has ended */
	uint64_t next, off;
	uint64_t unflushed; /* writes handed out since the last flush */
	unsigned in_flight;
	bool flushing; /* nobody else begins anything */
	uint64_t flushes;
	struct err err;
	int failed;

	atomic_bool stop;
	atomic_ullong done;
};

static void remember_failure(struct bench_run *r, int rc, const struct err *e)
{
	pthread_mutex_lock(&r->lock);
	if (!r->failed) {
		r->failed = rc;
		r->err = *e;
	}
	atomic_store(&r->stop, true);
	pthread_cond_broadcast(&r->idle);
	pthread_mutex_unlock(&r->lock);
}

/* Hands out the next request, 1, or 0 when there is none.  Waits while a flush wants to be alone. */
static int begin(struct bench_run *r, uint64_t *off)
{
	const struct bench *job = r->job;
	uint64_t size = block_size(job->image);
	int got = 0;

	pthread_mutex_lock(&r->lock);
	while (r->flushing && !atomic_load(&r->stop))
		pthread_cond_wait(&r->idle, &r->lock);
	if (r->next < job->count && !atomic_load(&r->stop)) {
		*off = r->off;
		r->next++;
		if (!checked_add(r->off, job->step, &r->off))
			r->off = 0;
		r->off = size ? r->off % size : 0;
		r->in_flight++;
		got = 1;
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}

/* A request has ended: is it this thread's turn to flush? */
static bool end(struct bench_run *r)
{
	const struct bench *job = r->job;
	bool flush = false;

	pthread_mutex_lock(&r->lock);
	r->in_flight--;
	if (job->flush_interval && ++r->unflushed >= job->flush_interval && !r->flushing) {
		flush = true;
		r->unflushed = 0;
		r->flushes++;
		if (!job->no_drain) {
			r->flushing = true;
			while (r->in_flight && !atomic_load(&r->stop))
				pthread_cond_wait(&r->idle, &r->lock);
		}
	}
	pthread_cond_broadcast(&r->idle);
	pthread_mutex_unlock(&r->lock);
	return flush;
}

static void flushed(struct bench_run *r)
{
	pthread_mutex_lock(&r->lock);
	r->flushing = false;
	pthread_cond_broadcast(&r->idle);
	pthread_mutex_unlock(&r->lock);
}

static int request(const struct bench *job, unsigned char *buf, uint64_t off, struct err *e)
{
	if (!job->len)
		return 0;
	if (!range_in(off, job->len, block_size(job->image)))
		return err_sys(e, EIO, "request past the end of the disk");
	return job->write ? block_pwrite(job->image, buf, job->len, off, e) : block_pread(job->image, buf, job->len, off, e);
}

static void run_worker(void *arg)
{
	struct bench_run *r = arg;
	const struct bench *job = r->job;
	CLEANUP(free_ptr) unsigned char *buf = alloc_aligned(BUFFER_ALIGN, MAX_OF(job->len, (size_t)1));
	struct err e = ERR_INIT;
	uint64_t off;

	if (!buf) {
		remember_failure(r, err_nomem(&e), &e);
		return;
	}
	memset(buf, job->pattern, job->len);
	while (begin(r, &off)) {
		int rc = request(job, buf, off, &e);

		if (end(r) && rc == 0) {
			rc = block_flush(job->image, &e);
			flushed(r);
		}
		if (rc < 0) {
			remember_failure(r, rc, &e);
			return;
		}
		atomic_fetch_add(&r->done, 1);
	}
}

static void tick(void *arg)
{
	struct bench_run *r = arg;
	struct err e = ERR_INIT;

	if (r->job->progress && !atomic_load(&r->stop) &&
	    r->job->progress(r->job->progress_arg, atomic_load(&r->done), r->job->count) != 0)
		remember_failure(r, err_set(&e, ERR_CANCELED, "stopped"), &e);
}

static double seconds_since(const struct timespec *began)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

int bench_run(const struct bench *job, struct bench_result *result, struct err *e)
{
	struct bench_run r = { .job = job, .off = job->off, .lock = PTHREAD_MUTEX_INITIALIZER,
			       .idle = PTHREAD_COND_INITIALIZER };
	struct timespec began;
	unsigned threads = (unsigned)MIN_OF(MAX_OF(job->depth, 1u), MAX_OF(job->count, (uint64_t)1));
	int rc = 0;

	*result = (struct bench_result){ .seconds = 0 };
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (job->count)
		rc = pool_run(threads, run_worker, tick, &r, e);
	if (rc < 0)
		return rc;
	result->seconds = seconds_since(&began);
	result->done = atomic_load(&r.done);
	result->flushes = r.flushes;
	if (r.failed) {
		if (e)
			*e = r.err;
		return r.failed;
	}
	if (job->progress)
		job->progress(job->progress_arg, job->count, job->count);
	return 0;
}
