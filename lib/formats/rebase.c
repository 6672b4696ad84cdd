/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rebase.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "pool.h"
#include "turn.h"
#include "zero.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { WINDOW = 1 << 20, BUFFER_ALIGN = 4096, GRAIN = 64 << 10 };

struct rebase_run {
	const struct rebase *job;
	struct block *old; /* the image's backing file, NULL: none */
	struct block *shared; /* a node of the old chain which is the new backing file, too; NULL: none */
	uint64_t total, grain; /* grain: differences are copied in pieces of this size, aligned */

	pthread_mutex_t lock; /* for what follows, up to the atomics */
	uint64_t pos, handed; /* windows handed out */
	struct err err;
	int failed;
	enum rebase_stage stage;
	uint64_t failed_off;

	struct turn turn; /* to write, by the windows' numbers: the clusters of an image lie alike each time */
	atomic_bool stop;
	atomic_ullong done, copied;
};

/* What one thread has been given: the old backing file shows through there, and the new one may hold something else. */
struct window {
	uint64_t off, len;
	bool old_zero, new_zero; /* known without reading */
	uint64_t number;
};

struct worker {
	struct rebase_run *r;
	unsigned char *old, *new;
	enum rebase_stage stage;
	uint64_t off;
	struct err err;
};

static void remember_failure(struct worker *w, int rc)
{
	struct rebase_run *r = w->r;

	pthread_mutex_lock(&r->lock);
	if (!r->failed) {
		r->failed = rc;
		r->err = w->err;
		r->stage = w->stage;
		r->failed_off = w->off;
	}
	pthread_mutex_unlock(&r->lock);
	atomic_store(&r->stop, true);
	turn_wake(&r->turn);
}

/* What a chain says about [off, off + *len), which becomes shorter: is it zeros, does it need a look? */
static int chain_run(struct block *b, struct block *base, uint64_t off, uint64_t *len, bool *zero, bool *passes,
		     struct err *e)
{
	struct extent x;
	int rc;

	*passes = false;
	*zero = !b || off >= block_size(b);
	if (*zero)
		return 0;
	rc = block_extent_chain(b, base, MIN_OF(*len, block_size(b) - off), off, &x, e);
	if (rc < 0)
		return rc;
	*len = x.len;
	*zero = x.flags & EXTENT_ZERO || !(x.flags & (EXTENT_DATA | EXTENT_ALLOC));
	*passes = base && !(x.flags & (EXTENT_ALLOC | EXTENT_ZERO));
	return 0;
}

/* The run at r->pos: how long it is, and whether it must be compared.  The lock is held. */
static int judge_run(struct worker *w, struct window *out, bool *compare)
{
	struct rebase_run *r = w->r;
	uint64_t len = r->total - r->pos;
	bool passes;
	struct extent x;
	int rc;

	w->stage = REBASE_MAP;
	w->off = r->pos;
	rc = block_extent(r->job->image, len, r->pos, &x, &w->err);
	if (rc < 0)
		return rc;
	*out = (struct window){ .off = r->pos, .len = x.len };
	*compare = false;
	if (x.flags & EXTENT_ALLOC)
		return 0;
	rc = chain_run(r->old, r->shared, r->pos, &out->len, &out->old_zero, &passes, &w->err);
	if (rc < 0 || passes)
		return rc;
	rc = chain_run(r->job->backing, NULL, r->pos, &out->len, &out->new_zero, &passes, &w->err);
	*compare = !(out->old_zero && out->new_zero);
	return rc;
}

/* The next window to compare: 1; 0 when none is left. */
static int next_window(struct worker *w, struct window *out)
{
	struct rebase_run *r = w->r;
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	while (rc == 0 && r->pos < r->total && !atomic_load(&r->stop)) {
		bool compare;

		rc = judge_run(w, out, &compare);
		if (rc < 0)
			break;
		if (compare)
			out->len = MIN_OF(out->len, round_down(out->off, WINDOW) + WINDOW - out->off);
		r->pos += out->len;
		if (compare) {
			out->number = r->handed++;
			rc = 1;
		} else {
			atomic_fetch_add(&r->done, out->len);
		}
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

/* What a backing file holds there; zeros behind its end. */
static int read_side(struct worker *w, struct block *b, bool zero, enum rebase_stage stage, const struct window *win,
		     unsigned char *buf)
{
	uint64_t have = zero || !b || win->off >= block_size(b) ? 0 : MIN_OF(win->len, block_size(b) - win->off);

	w->stage = stage;
	w->off = win->off;
	memset(buf + have, 0, (size_t)(win->len - have));
	return have ? block_pread(b, buf, (size_t)have, win->off, &w->err) : 0;
}

static int keep(struct worker *w, const struct window *win, uint64_t from, uint64_t to)
{
	const unsigned char *buf = w->old + (from - win->off);

	if (from == to)
		return 0;
	w->stage = REBASE_WRITE;
	w->off = from;
	atomic_fetch_add(&w->r->copied, to - from);
	/* Without a backing file, zeroing what was never written leaves it so: then the new one would shine through. */
	if (w->r->old && mem_is_zero(buf, (size_t)(to - from)))
		return block_zero(w->r->job->image, to - from, from, BLOCK_ZERO_UNMAP, &w->err);
	return block_pwrite(w->r->job->image, buf, (size_t)(to - from), from, &w->err);
}

/* Writes the grains that differ, neighbours together. */
static int keep_differing(struct worker *w, const struct window *win)
{
	uint64_t end = win->off + win->len, from = win->off, next;
	int rc = 0;

	for (uint64_t at = from; rc == 0 && at < end; at = next) {
		next = MIN_OF(round_down(at, w->r->grain) + w->r->grain, end);

		if (memcmp(w->old + (at - win->off), w->new + (at - win->off), (size_t)(next - at)) == 0) {
			rc = keep(w, win, from, at);
			from = next;
		}
	}
	return rc == 0 ? keep(w, win, from, end) : rc;
}

static int work(struct worker *w)
{
	struct window win;
	int rc;

	while ((rc = next_window(w, &win)) > 0) {
		rc = read_side(w, w->r->old, win.old_zero, REBASE_READ_OLD, &win, w->old);
		if (rc == 0)
			rc = read_side(w, w->r->job->backing, win.new_zero, REBASE_READ_NEW, &win, w->new);
		if (rc == 0 && !turn_await(&w->r->turn, win.number, &w->r->stop))
			return 0; /* somebody failed, and said so */
		if (rc == 0)
			rc = keep_differing(w, &win);
		if (rc < 0)
			break;
		turn_pass(&w->r->turn, win.number + 1);
		atomic_fetch_add(&w->r->done, win.len);
	}
	return rc;
}

static void run_worker(void *arg)
{
	CLEANUP(free_ptr) unsigned char *old = alloc_aligned(BUFFER_ALIGN, WINDOW);
	CLEANUP(free_ptr) unsigned char *new = alloc_aligned(BUFFER_ALIGN, WINDOW);
	struct worker w = { .r = arg, .old = old, .new = new };
	int rc = old && new ? work(&w) : err_nomem(&w.err);

	if (rc < 0)
		remember_failure(&w, rc);
}

static void tick(void *arg)
{
	struct rebase_run *r = arg;

	if (!r->job->progress || atomic_load(&r->stop) ||
	    r->job->progress(r->job->progress_arg, atomic_load(&r->done), r->total) == 0)
		return;
	pthread_mutex_lock(&r->lock);
	if (!r->failed)
		r->failed = err_set(&r->err, ERR_CANCELED, "stopped");
	pthread_mutex_unlock(&r->lock);
	atomic_store(&r->stop, true);
	turn_wake(&r->turn);
}

static struct block *host_of(struct block *b)
{
	while (block_file(b))
		b = block_file(b);
	return b;
}

static bool same_host_file(struct block *a, struct block *b)
{
	struct stat sa, sb;
	int fa = block_host_fd(host_of(a)), fb = block_host_fd(host_of(b));

	return fa >= 0 && fb >= 0 && fstat(fa, &sa) == 0 && fstat(fb, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* What the old chain and the new one have in common need not be compared. */
static struct block *find_shared(struct block *old, struct block *new)
{
	for (struct block *b = old; new && b; b = block_backing(b))
		if (strcmp(block_format(b), block_format(new)) == 0 && block_size(b) == block_size(new) &&
		    same_host_file(b, new))
			return b;
	return NULL;
}

int rebase_copy(const struct rebase *job, struct rebase_result *result, struct err *e)
{
	struct rebase_run r = { .job = job, .old = block_backing(job->image), .total = block_size(job->image),
				.grain = GRAIN, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct block_info info;
	int rc;

	turn_init(&r.turn, 0);
	*result = (struct rebase_result){ .stage = REBASE_MAP };
	rc = block_info(job->image, &info, e);
	if (rc < 0)
		return rc;
	if (is_pow2(info.cluster_size) && info.cluster_size <= WINDOW)
		r.grain = MAX_OF(info.cluster_size, (uint64_t)BUFFER_ALIGN);
	r.shared = find_shared(r.old, job->backing);
	/* The old backing file is the new one: nothing can differ. */
	if (r.total && !(r.shared && r.shared == r.old))
		rc = pool_run(job->threads ? job->threads : pool_threads(), run_worker, tick, &r, e);
	if (rc < 0)
		return rc;
	*result = (struct rebase_result){ r.stage, r.failed_off, atomic_load(&r.copied) };
	if (r.failed) {
		if (e)
			*e = r.err;
		return r.failed;
	}
	result->stage = REBASE_FINISH;
	rc = block_finish(job->image, e);
	if (rc < 0)
		return rc;
	result->stage = REBASE_DONE;
	if (job->progress)
		job->progress(job->progress_arg, r.total, r.total);
	return 0;
}
