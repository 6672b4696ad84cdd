/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy_plan.c - cuts the sources into pieces: each question to their maps is asked once. */
#include "alloc.h"
#include "checked.h"
#include "copy_internal.h"
#include "limits.h"
#include "stream.h"

#include <inttypes.h>

#define MARK_EVERY_NSEC 2000000000ULL
/* So much is shared in one step: it takes as long as there are extents in it, and nobody can stop it meanwhile. */
#define SHARE_STEP (256 * MiB)

static enum segment_kind kind_of(const struct copy_job *job, const struct extent *x)
{
	if (!(x->flags & EXTENT_ALLOC) && job->over_backing && job->base && !(x->flags & EXTENT_ZERO))
		return SEGMENT_SKIP;
	if (!(x->flags & (EXTENT_DATA | EXTENT_ALLOC)) || x->flags & EXTENT_ZERO)
		return SEGMENT_ZERO;
	return SEGMENT_DATA;
}

/* Ends the run where what is unused begins, or makes it one without data as far as that goes. */
static void leave_out_unused(struct copy *c)
{
	const struct copy_job *job = c->job;
	const struct copy_range *u;

	while (c->unused < job->nunused && job->unused[c->unused].off + job->unused[c->unused].len <= c->pos)
		c->unused++;
	if (c->unused == job->nunused)
		return;
	u = &job->unused[c->unused];
	if (u->off > c->pos) {
		c->run.len = MIN_OF(c->run.len, u->off - c->pos);
		return;
	}
	c->run.len = MIN_OF(c->run.len, u->off + u->len - c->pos);
	if (c->run.kind == SEGMENT_DATA)
		c->dropped += c->run.len;
	c->run.kind = SEGMENT_ZERO;
	c->run.host = NULL;
}

/* Makes c->run the run that c->pos lies in, of whatever length it comes. */
static int find_run(struct copy_worker *w)
{
	struct copy *c = w->c;
	const struct copy_job *job = c->job;
	struct extent x;
	struct block *source;
	uint64_t off;
	int rc;

	if (c->run.len && c->pos - c->run.off < c->run.len)
		return 0;
	while (c->pos - c->source_start >= block_size(job->sources[c->source])) /* empty ones too; pos < total ends it */
		c->source_start += block_size(job->sources[c->source++]);
	source = job->sources[c->source];
	off = c->pos - c->source_start;
	w->stage = COPY_MAP;
	w->off = c->pos;
	rc = block_extent_chain(source, job->over_backing ? job->base : NULL, block_size(source) - off, off, &x, &w->err);
	if (rc < 0 && job->salvage) {
		/* What the map does not tell is tried, and given up block by block. */
		err_clear(&w->err);
		rc = 0;
		x = (struct extent){ .len = MIN_OF(block_size(source) - off, COPY_PIECE - off % COPY_PIECE),
				     .flags = EXTENT_DATA | EXTENT_ALLOC };
	}
	if (rc < 0)
		return rc;
	c->run = (struct segment){ .kind = kind_of(job, &x), .off = c->pos, .len = x.len, .source = source, .source_off = off };
	if (x.flags & EXTENT_PLAIN && x.host) {
		c->run.host = x.host;
		c->run.host_off = x.host_off;
	}
	leave_out_unused(c);
	return 0;
}

/* The part of the run at c->pos that ends before `end`. */
static struct segment run_part(const struct copy *c, uint64_t end)
{
	struct segment s = c->run;
	uint64_t skip = c->pos - s.off;

	s.off += skip;
	s.source_off += skip;
	s.host_off += skip;
	s.len = MIN_OF(s.len - skip, end - s.off);
	return s;
}

/* Will the host share the run, as far as anybody can tell? */
static bool is_shared(const struct copy *c)
{
	return c->run.host && atomic_load(&c->shares) && copy_may_take(c, BLOCK_FROM_SHARE) && !c->job->hashes &&
	       !c->job->rate;
}

/* How far a run may be passed in one step: it must not need the buffer. */
static uint64_t long_step(const struct copy *c)
{
	const struct copy_job *job = c->job;
	uint64_t len = c->run.off + c->run.len - c->pos;

	if ((c->run.kind == SEGMENT_DATA && !is_shared(c)) || (c->run.kind == SEGMENT_SKIP && job->hashes) ||
	    (c->run.kind == SEGMENT_ZERO && job->sparse == 0) ||
	    (job->over_backing && !job->base))
		return 0;
	if (c->run.kind == SEGMENT_DATA)
		len = MIN_OF(len, SHARE_STEP);
	if (c->run.kind == SEGMENT_ZERO && !job->target_is_zero)
		len = MIN_OF(len, LIMIT_REQUEST);
	if (c->pos + len < c->total)
		len = round_down(c->pos + len, COPY_PIECE) > c->pos ? round_down(c->pos + len, COPY_PIECE) - c->pos : 0;
	return len > COPY_PIECE ? len : 0;
}

static bool continues(const struct segment *a, const struct segment *b)
{
	return a->kind == b->kind && a->source == b->source && a->source_off + a->len == b->source_off &&
	       a->host == b->host && (!a->host || a->host_off + a->len == b->host_off);
}

static void piece_add(struct piece *p, const struct segment *s)
{
	struct segment *last = p->n ? &p->segments[p->n - 1] : NULL;

	p->len += s->len;
	if (last && continues(last, s)) {
		last->len += s->len;
	} else if (p->n < PIECE_SEGMENTS) {
		p->segments[p->n++] = *s;
	} else if (last->source == s->source) {
		/* A crumbled map: to read what need not be read is always right, too. */
		last->kind = SEGMENT_DATA;
		last->host = NULL;
		last->len += s->len;
	}
}

/* Is there room for what piece_add() would add? */
static bool piece_has_room(const struct piece *p, const struct segment *s)
{
	return p->n < PIECE_SEGMENTS || p->segments[p->n - 1].source == s->source;
}

/* ---- what must be done while nothing else goes on ---- */

/* With the lock: nothing is planned from now on, and what was is done. */
static void be_alone(struct copy *c)
{
	c->alone = true;
	while (c->busy)
		pthread_cond_wait(&c->calm, &c->lock);
}

static void no_longer_alone(struct copy *c)
{
	c->alone = false;
	pthread_cond_broadcast(&c->calm);
}

/* Now and then: all before c->pos is made stable, and noted. */
static int mark(struct copy_worker *w)
{
	struct copy *c = w->c;
	const struct copy_job *job = c->job;
	int rc = 0;

	if (copy_now_nsec() - c->marked_nsec < MARK_EVERY_NSEC)
		return 0;
	be_alone(c);
	w->stage = COPY_WRITE;
	w->off = c->pos;
	if (!atomic_load(&c->stop))
		rc = block_finish(job->target, &w->err);
	if (rc == 0 && !atomic_load(&c->stop))
		rc = job->mark(job->mark_arg, round_down(c->pos, COPY_PIECE), &w->err);
	c->marked_nsec = copy_now_nsec();
	no_longer_alone(c);
	return rc;
}

/* ---- streams: reading is planning ---- */

/* Room in the target for all before `end`.  Nothing else may go on there meanwhile, nor be planned. */
static int make_room(struct copy_worker *w, uint64_t end)
{
	struct copy *c = w->c;
	const struct copy_job *job = c->job;
	uint64_t size = block_size(job->target);
	int rc;

	if (end <= size)
		return 0;
	w->stage = COPY_WRITE;
	w->off = c->pos;
	if (!job->grow)
		return err_set(&w->err, ERR_USAGE, "%s is too short: more than %" PRIu64 " bytes come", block_name(job->target),
			       size);
	if (end > LIMIT_IMAGE_SIZE)
		return err_set(&w->err, ERR_LIMIT, "more comes than an image can hold");
	be_alone(c);
	rc = block_truncate(job->target, MIN_OF(MAX_OF(2 * size, end), (uint64_t)LIMIT_IMAGE_SIZE), PREALLOC_OFF, &w->err);
	no_longer_alone(c);
	return rc;
}

static int plan_stream(struct copy_worker *w)
{
	enum { SECTOR = 512 };
	struct copy *c = w->c;
	size_t got = 0, len, unit = MAX_OF(c->cluster, (size_t)SECTOR);
	int rc;

	if (c->ended || atomic_load(&c->stop))
		return 0;
	w->stage = COPY_READ;
	w->off = c->pos;
	rc = block_stream_read(c->stream, w->buf, COPY_PIECE, &c->stop, &got, &w->err);
	if (rc < 0)
		return rc;
	c->ended = got < COPY_PIECE;
	c->end = c->pos + round_up(got, SECTOR);
	if (!got)
		return 0;
	/* Compressed clusters are whole: what is too much is cut off in the end. */
	len = (size_t)round_up(got, c->job->grow ? unit : SECTOR);
	memset(w->buf + got, 0, len - got);
	rc = make_room(w, c->pos + len);
	if (rc < 0)
		return rc;
	w->piece = (struct piece){ .off = c->pos, .len = len, .n = 1 };
	w->piece.segments[0] = (struct segment){ .kind = SEGMENT_HERE, .off = c->pos, .len = len };
	c->pos += len;
	return 1;
}

static int plan(struct copy_worker *w)
{
	struct copy *c = w->c;
	const struct copy_job *job = c->job;
	struct piece *p = &w->piece;
	uint64_t end, step;
	int rc;

	while (c->alone)
		pthread_cond_wait(&c->calm, &c->lock);
	if (job->mark) {
		rc = mark(w);
		if (rc < 0)
			return rc;
	}
	if (c->stream)
		return plan_stream(w);
	if (c->pos == c->total || atomic_load(&c->stop))
		return 0;
	p->off = c->pos;
	p->len = p->n = 0;
	rc = find_run(w);
	if (rc < 0)
		return rc;
	step = long_step(c);
	if (step) {
		struct segment s = run_part(c, c->pos + step);

		piece_add(p, &s);
		c->pos += s.len;
		return 1;
	}
	end = MIN_OF(round_down(c->pos, COPY_PIECE) + COPY_PIECE, c->total);
	while (c->pos < end) {
		struct segment s;

		rc = find_run(w);
		if (rc < 0)
			return rc;
		s = run_part(c, end);
		if (!piece_has_room(p, &s))
			break; /* more than PIECE_SEGMENTS sources in here: what is left is another piece */
		piece_add(p, &s);
		c->pos += s.len;
	}
	return 1;
}

int copy_plan_next(struct copy_worker *w)
{
	int rc;

	pthread_mutex_lock(&w->c->lock);
	rc = plan(w);
	w->c->busy += rc > 0;
	pthread_mutex_unlock(&w->c->lock);
	return rc;
}

void copy_plan_done(struct copy_worker *w)
{
	struct copy *c = w->c;

	if (!c->stream && !c->job->mark)
		return;
	pthread_mutex_lock(&c->lock);
	if (--c->busy == 0)
		pthread_cond_broadcast(&c->calm);
	pthread_mutex_unlock(&c->lock);
}
