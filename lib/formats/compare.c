/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compare.h"

#include "alloc.h"
#include "checked.h"
#include "pool.h"
#include "zero.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WINDOW = 1 << 20, BUFFER_ALIGN = 4096 };

struct compare {
	const struct compare_job *job;
	uint64_t total; /* of the longer side */

	pthread_mutex_t lock;
	uint64_t pos; /* handed out up to here */
	struct extent runs[2]; /* what the maps said last; len 0: nothing yet */
	/* The lowest offset at which something was found; nothing behind it matters. */
	uint64_t end;
	enum compare_difference difference;
	int failed;
	struct err err;
	unsigned failed_side;
	bool failed_map;

	atomic_bool stop;
	atomic_ullong done;
};

/* What one thread has been given. */
struct window {
	uint64_t off, len;
	bool read[2]; /* else that side is zeros there */
};

struct finding {
	uint64_t off;
	enum compare_difference difference;
	int failed;
	const struct err *err;
	unsigned side;
	bool map;
};

/* The lock is held. */
static void found(struct compare *c, const struct finding *f)
{
	if (f->off >= c->end)
		return;
	c->end = f->off;
	c->difference = f->difference;
	c->failed = f->failed;
	if (f->failed)
		c->err = *f->err;
	c->failed_side = f->side;
	c->failed_map = f->map;
}

/* How many bytes from c->pos on, at most max, one side's map tells alike; *flags says what they are. */
static int side_run(struct compare *c, unsigned side, uint64_t *max, unsigned *flags, struct err *e)
{
	struct block *b = c->job->sides[side];
	struct extent *x = &c->runs[side];
	uint64_t size = block_size(b);

	if (c->pos >= size) {
		*flags = EXTENT_ZERO | EXTENT_EOF;
		return 0;
	}
	if (!x->len || c->pos - x->off >= x->len) {
		int rc = block_extent_chain(b, NULL, size - c->pos, c->pos, x, e);

		if (rc < 0) {
			x->len = 0;
			return rc;
		}
	}
	*max = MIN_OF(*max, x->len - (c->pos - x->off));
	*flags = x->flags;
	return 0;
}

static int failed_map(struct compare *c, unsigned side, int rc, const struct err *e)
{
	found(c, &(struct finding){ .off = c->pos, .failed = rc, .err = e, .side = side, .map = true });
	return 0;
}

/* The next window to compare: 1, or 0 when nothing that could matter is left.  The lock is held. */
static int next_window(struct compare *c, struct window *w)
{
	const unsigned told = EXTENT_DATA | EXTENT_ZERO | EXTENT_ALLOC;

	while (c->pos < MIN_OF(c->total, c->end) && !atomic_load(&c->stop)) {
		uint64_t len = c->total - c->pos;
		unsigned flags[2];
		struct err e = ERR_INIT;

		for (unsigned side = 0; side < 2; side++) {
			int rc = side_run(c, side, &len, &flags[side], &e);
			if (rc < 0)
				return failed_map(c, side, rc, &e);
		}
		if (c->job->strict && (flags[0] & told) != (flags[1] & told))
			found(c, &(struct finding){ .off = c->pos, .difference = COMPARE_ALLOC });
		w->off = c->pos;
		w->read[0] = !(flags[0] & EXTENT_ZERO);
		w->read[1] = !(flags[1] & EXTENT_ZERO);
		w->len = w->read[0] || w->read[1] ? MIN_OF(len, (uint64_t)WINDOW) : len;
		c->pos += w->len;
		if (w->read[0] || w->read[1])
			return 1;
		atomic_fetch_add(&c->done, w->len);
	}
	return 0;
}

static int read_side(struct compare *c, const struct window *w, unsigned side, unsigned char *buf)
{
	struct err e = ERR_INIT;
	int rc = w->read[side] ? block_pread(c->job->sides[side], buf, (size_t)w->len, w->off, &e) : 0;

	if (rc == 0)
		return 0;
	pthread_mutex_lock(&c->lock);
	found(c, &(struct finding){ .off = w->off, .failed = rc, .err = &e, .side = side });
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* The offset of the first byte that is not zero; len when all are. */
static size_t zeros_until(const unsigned char *buf, size_t len)
{
	size_t at = 0;

	if (mem_is_zero(buf, len))
		return len;
	while (!buf[at])
		at++;
	return at;
}

static void compare_window(struct compare *c, const struct window *w, unsigned char *const bufs[2])
{
	size_t len = (size_t)w->len, same;

	if (read_side(c, w, 0, bufs[0]) < 0 || read_side(c, w, 1, bufs[1]) < 0)
		return;
	if (w->read[0] && w->read[1])
		same = mem_agree(bufs[0], bufs[1], len);
	else
		same = zeros_until(bufs[w->read[0] ? 0 : 1], len);
	if (same == len)
		return;
	pthread_mutex_lock(&c->lock);
	found(c, &(struct finding){ .off = w->off + same, .difference = COMPARE_CONTENT });
	pthread_mutex_unlock(&c->lock);
}

static void run_worker(void *arg)
{
	struct compare *c = arg;
	CLEANUP(free_ptr) unsigned char *a = alloc_aligned(BUFFER_ALIGN, WINDOW);
	CLEANUP(free_ptr) unsigned char *b = alloc_aligned(BUFFER_ALIGN, WINDOW);
	unsigned char *const bufs[2] = { a, b };
	struct err e = ERR_INIT;

	for (;;) {
		struct window w;
		int rc = 0;

		pthread_mutex_lock(&c->lock);
		if (a && b)
			rc = next_window(c, &w);
		else
			found(c, &(struct finding){ .off = c->pos, .failed = err_nomem(&e), .err = &e });
		pthread_mutex_unlock(&c->lock);
		if (rc <= 0)
			return;
		compare_window(c, &w, bufs);
		atomic_fetch_add(&c->done, w.len);
	}
}

static void tick(void *arg)
{
	struct compare *c = arg;

	if (c->job->progress && !atomic_load(&c->stop) &&
	    c->job->progress(c->job->progress_arg, atomic_load(&c->done), c->total) != 0)
		atomic_store(&c->stop, true);
}

int compare_run(const struct compare_job *job, struct compare_result *result, struct err *e)
{
	uint64_t sizes[2] = { block_size(job->sides[0]), block_size(job->sides[1]) };
	struct compare c = { .job = job, .total = MAX_OF(sizes[0], sizes[1]), .lock = PTHREAD_MUTEX_INITIALIZER,
			     .end = UINT64_MAX };
	const unsigned threads = MAX_OF(block_threads(job->sides[0]), block_threads(job->sides[1]));
	int rc;

	*result = (struct compare_result){ .sizes_differ = sizes[0] != sizes[1] };
	if (job->strict && result->sizes_differ) {
		result->difference = COMPARE_SIZE;
		return 0;
	}
	rc = pool_run(job->threads ? job->threads : threads, run_worker, tick, &c, e);
	if (rc < 0)
		return rc;
	if (atomic_load(&c.stop))
		return err_set(e, ERR_CANCELED, "stopped");
	result->off = c.end == UINT64_MAX ? 0 : c.end;
	if (c.failed) {
		result->failed_side = c.failed_side;
		result->failed_map = c.failed_map;
		if (e)
			*e = c.err;
		return c.failed;
	}
	result->difference = c.difference;
	if (job->progress)
		job->progress(job->progress_arg, c.total, c.total);
	return 0;
}
