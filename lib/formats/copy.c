/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy.c - the threads of the copy engine, its pace, and what it answers. */
#include "alloc.h"
#include "checked.h"
#include "copy_internal.h"
#include "limits.h"
#include "pool.h"
#include "stream.h"

#include <inttypes.h>
#include <time.h>

enum { BUFFER_ALIGN = 4096, MIN_UNIT = 512, MAX_UNIT = 4096 };

/* After c->stop has become true. */
static void wake_waiters(struct copy *c)
{
	block_pipe_break(c->job->target);
	turn_wake(&c->hash_turn);
	turn_wake(&c->write_turn);
}

static void remember_failure(struct copy_worker *w, int rc)
{
	struct copy *c = w->c;

	pthread_mutex_lock(&c->lock);
	if (!c->failed) {
		c->failed = rc;
		c->err = w->err;
		c->stage = w->stage;
		c->failed_off = w->off;
	}
	pthread_mutex_unlock(&c->lock);
	atomic_store(&c->stop, true);
	wake_waiters(c);
}

uint64_t copy_now_nsec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Waits until the rate allows for what the piece holds, in slices, so that a user who wants to stop need not wait. */
static void keep_pace(struct copy_worker *w)
{
	struct copy *c = w->c;
	uint64_t bytes = 0, before;

	for (size_t i = 0; i < w->piece.n; i++)
		if (w->piece.segments[i].kind == SEGMENT_DATA || w->piece.segments[i].kind == SEGMENT_HERE)
			bytes += w->piece.segments[i].len;
	before = atomic_fetch_add(&c->admitted, bytes);
	for (;;) {
		double elapsed = (double)(copy_now_nsec() - c->started_nsec) / 1e9, due = (double)before / (double)c->job->rate;
		struct timespec slice = { .tv_nsec = 20000000 };

		if (elapsed >= due || atomic_load(&c->stop))
			return;
		if (due - elapsed < 0.02)
			slice.tv_nsec = (long)((due - elapsed) * 1e9) + 1;
		nanosleep(&slice, NULL);
	}
}

static int work(struct copy_worker *w)
{
	int rc;

	while ((rc = copy_plan_next(w)) > 0) {
		if (w->c->job->rate)
			keep_pace(w);
		if (!atomic_load(&w->c->stop)) {
			uint64_t len = w->piece.len;

			rc = copy_piece(w);
			atomic_fetch_add(&w->c->done, len);
		}
		copy_plan_done(w);
		if (rc < 0)
			break;
	}
	return rc;
}

/* The buffers that this job needs; false: memory is out. */
static bool equip(struct copy_worker *w)
{
	const struct copy *c = w->c;
	bool compress = c->job->compress, both = c->job->over_backing && !c->job->base && !compress;

	w->buf = alloc_aligned(BUFFER_ALIGN, COPY_PIECE);
	w->behind = both ? alloc_aligned(BUFFER_ALIGN, COPY_PIECE) : NULL;
	w->packed = c->packs ? alloc_bytes(COPY_PIECE) : NULL;
	w->clusters = compress ? alloc_array(COPY_PIECE / c->cluster, sizeof *w->clusters) : NULL;
	return w->buf && (w->behind || !both) && (w->packed || !c->packs) && (w->clusters || !compress);
}

static void run_worker(void *arg)
{
	struct copy *c = arg;
	struct copy_worker *w = alloc_zero(sizeof *w), none = { .c = c };
	int rc;

	if (!w) {
		remember_failure(&none, err_nomem(&none.err));
		return;
	}
	w->c = c;
	rc = equip(w) ? work(w) : err_nomem(&w->err);
	if (rc < 0)
		remember_failure(w, rc);
	free(w->buf);
	free(w->behind);
	free(w->packed);
	free(w->clusters);
	free(w);
}

static void tick(void *arg)
{
	struct copy *c = arg;

	if (!c->job->progress || atomic_load(&c->stop))
		return;
	if (c->job->progress(c->job->progress_arg, atomic_load(&c->done), c->stream ? 0 : c->total) == 0)
		return;
	/* First of all: whoever waits for a stream holds the lock until it sees this. */
	atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	if (!c->failed)
		c->failed = err_set(&c->err, ERR_CANCELED, "stopped");
	pthread_mutex_unlock(&c->lock);
	wake_waiters(c);
}

/* Sizes, and the granularity at which the target can leave zeros out. */
static int prepare(struct copy *c, struct err *e)
{
	const struct copy_job *job = c->job;
	struct block_info info;
	int rc;

	for (size_t i = 0; i < job->nsources; i++)
		if (!checked_add(c->total, block_size(job->sources[i]), &c->total))
			return err_set(e, ERR_LIMIT, "the sources together are too long");
	if (job->nsources == 1 && block_is_stream(job->sources[0])) {
		c->stream = job->sources[0];
		c->total = UINT64_MAX;
	} else if (c->total > block_size(job->target))
		return err_set(e, ERR_USAGE, "%s is shorter (%" PRIu64 " bytes) than what is to be copied (%" PRIu64 " bytes)",
			       block_name(job->target), block_size(job->target), c->total);
	rc = block_info(job->target, &info, e);
	if (rc < 0)
		return rc;
	c->unit = MAX_UNIT;
	while (c->unit > MIN_UNIT && c->unit > job->sparse)
		c->unit /= 2;
	if (is_pow2(info.cluster_size) && info.cluster_size <= COPY_PIECE)
		c->unit = MAX_OF(c->unit, (size_t)info.cluster_size);
	if (!job->compress)
		return 0;
	if (!is_pow2(info.cluster_size) || info.cluster_size > COPY_PIECE)
		return err_set(e, ERR_UNSUPPORTED, "%s images cannot be written compressed", block_format(job->target));
	c->cluster = (size_t)info.cluster_size;
	c->packs = block_packs(job->target);
	return 0;
}

/* Of a source on a network the next parts are fetched while others are written. */
static unsigned threads_for(const struct copy_job *job)
{
	unsigned n = block_threads(job->target);

	for (size_t i = 0; i < job->nsources; i++)
		n = MAX_OF(n, block_threads(job->sources[i]));
	return n;
}

int copy_run(const struct copy_job *job, struct copy_result *result, struct err *e)
{
	struct copy c = { .job = job, .lock = PTHREAD_MUTEX_INITIALIZER, .calm = PTHREAD_COND_INITIALIZER,
			  .started_nsec = copy_now_nsec() };
	int rc;

	*result = (struct copy_result){ .stage = COPY_MAP };
	rc = prepare(&c, e);
	if (rc < 0)
		return rc;
	c.pos = job->start;
	turn_init(&c.hash_turn, 0);
	turn_init(&c.write_turn, job->start);
	c.marked_nsec = c.started_nsec;
	atomic_store(&c.done, job->start);
	if (job->hashes)
		hash_start(&c.hash, job->hash);
	if (c.pos < c.total)
		rc = pool_run(job->threads ? job->threads : threads_for(job), run_worker, tick, &c, e);
	if (rc < 0)
		return rc;
	*result = (struct copy_result){ .stage = c.stage, .off = c.failed_off, .total = c.stream ? c.end : c.total,
					.copied = atomic_load(&c.copied), .shared = atomic_load(&c.shared), .unread = c.unread,
					.dropped = c.dropped };
	if (c.failed) {
		if (e)
			*e = c.err;
		return c.failed;
	}
	/* With salvage whatever can be had is good. */
	for (size_t i = 0; rc == 0 && !job->salvage && i < job->nsources; i++)
		rc = block_same_size(job->sources[i], e);
	if (rc < 0) {
		result->stage = COPY_READ;
		return rc;
	}
	if (job->hashes)
		hash_end(&c.hash, result->digest);
	if (job->progress)
		job->progress(job->progress_arg, result->total, result->total);
	return 0;
}
