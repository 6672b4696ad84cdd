/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy_piece.c - reads one piece, looks for zeros in it, and writes what must be written. */
#include "alloc.h"
#include "checked.h"
#include "copy_internal.h"
#include "limits.h"
#include "zero.h"

enum { SALVAGE_STEP = 4096, MIN_KNOWN_ZEROS = 64 << 10 };

bool piece_split(struct piece *p, size_t i, uint64_t len)
{
	struct segment *s = &p->segments[i];

	if (p->n == PIECE_SEGMENTS)
		return false;
	memmove(s + 1, s, (p->n - i) * sizeof *s);
	p->n++;
	s[0].len = len;
	s[1].off += len;
	s[1].source_off += len;
	s[1].host_off += len;
	s[1].len -= len;
	return true;
}

/* ---- reading ---- */

static void give_up(struct copy_worker *w, uint64_t off, uint64_t len)
{
	struct copy *c = w->c;

	pthread_mutex_lock(&c->lock);
	c->unread += len;
	if (c->job->unreadable)
		c->job->unreadable(c->job->unreadable_arg, off, len, w->err.msg);
	pthread_mutex_unlock(&c->lock);
	err_clear(&w->err);
}

/* Block by block, zeros for those that stay unreadable; each stretch of them is told once. */
static void read_salvage(struct copy_worker *w, const struct segment *s, unsigned char *buf)
{
	uint64_t bad = 0, at = 0;
	struct err e = ERR_INIT;

	while (at < s->len) {
		size_t n = (size_t)MIN_OF(s->len - at, SALVAGE_STEP - (s->source_off + at) % SALVAGE_STEP);

		if (block_pread(s->source, buf + at, n, s->source_off + at, &e) < 0) {
			memset(buf + at, 0, n);
			w->err = e;
			bad += n;
		} else if (bad) {
			give_up(w, s->off + at - bad, bad);
			bad = 0;
		}
		at += n;
	}
	if (bad)
		give_up(w, s->off + at - bad, bad);
	err_clear(&w->err);
}

static int read_segment(struct copy_worker *w, const struct segment *s, unsigned char *buf)
{
	int rc;

	w->stage = COPY_READ;
	w->off = s->off;
	rc = block_pread(s->source, buf, (size_t)s->len, s->source_off, &w->err);
	if (rc < 0 && w->c->job->salvage) {
		read_salvage(w, s, buf);
		rc = 0;
	}
	return rc;
}

/* Fills [off, off + len) of the piece's buffer from its segments; what is skipped elsewhere is read, too, if asked. */
static int fill(struct copy_worker *w, uint64_t off, uint64_t len, bool skipped_too)
{
	const struct piece *p = &w->piece;

	for (size_t i = 0; i < p->n && !w->filled; i++) {
		struct segment s = p->segments[i];
		uint64_t from = MAX_OF(s.off, off), to = MIN_OF(s.off + s.len, off + len);
		unsigned char *buf = w->buf + (from - p->off);
		int rc = 0;

		if (from >= to)
			continue;
		s.source_off += from - s.off;
		s.off = from;
		s.len = to - from;
		if (s.kind == SEGMENT_ZERO)
			memset(buf, 0, (size_t)s.len);
		else if (s.kind == SEGMENT_DATA || (s.kind == SEGMENT_SKIP && skipped_too))
			rc = read_segment(w, &s, buf);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- writing ---- */

int copy_begin_write(struct copy_worker *w, uint64_t off)
{
	struct copy *c = w->c;

	w->stage = COPY_WRITE;
	w->off = off;
	if (c->job->in_order && !w->has_turn)
		w->has_turn = turn_await(&c->write_turn, w->start, &c->stop);
	return w->has_turn || !c->job->in_order ? 0 : err_set(&w->err, ERR_CANCELED, "stopped");
}

/* The piece is done, whether anything of it was written or not. */
static int end_writes(struct copy_worker *w)
{
	struct copy *c = w->c;
	int rc = copy_begin_write(w, w->piece.off);

	if (rc == 0 && w->has_turn)
		turn_pass(&c->write_turn, w->piece.off + w->piece.len);
	return rc;
}

static int write_data(struct copy_worker *w, uint64_t off, size_t len)
{
	int rc = len ? copy_begin_write(w, off) : 0;

	if (rc < 0 || !len)
		return rc;
	atomic_fetch_add(&w->c->copied, len);
	return block_pwrite(w->c->job->target, w->buf + (off - w->piece.off), len, off, &w->err);
}

static int write_zeros(struct copy_worker *w, uint64_t off, uint64_t len)
{
	int rc;

	if (w->c->job->target_is_zero && !w->c->job->over_backing)
		return 0;
	rc = copy_begin_write(w, off);
	return rc < 0 ? rc : block_zero(w->c->job->target, len, off, BLOCK_ZERO_UNMAP, &w->err);
}

/* How many bytes from off on, below end, lie in whole blocks of zeros. */
static uint64_t zeros_at(const struct copy_worker *w, uint64_t off, uint64_t end)
{
	size_t unit = w->c->unit;
	uint64_t at = off;

	while (at < end) {
		uint64_t next = MIN_OF(round_down(at, unit) + unit, end);

		if (!mem_is_zero(w->buf + (at - w->piece.off), (size_t)(next - at)))
			break;
		at = next;
	}
	return at - off;
}

/* Writes a stretch that is in the buffer, leaving out the runs of zeros that are long enough. */
static int write_sparse(struct copy_worker *w, uint64_t off, uint64_t end)
{
	struct copy *c = w->c;
	uint64_t data = off, at = off, min_run = MIN_OF(c->job->sparse, end - off);

	if (c->job->sparse == 0)
		return write_data(w, off, (size_t)(end - off));
	while (at < end) {
		uint64_t zeros = zeros_at(w, at, end);
		int rc;

		if (zeros >= min_run || (zeros && at + zeros == c->total)) {
			rc = write_data(w, data, (size_t)(at - data));
			if (rc == 0)
				rc = write_zeros(w, at, zeros);
			if (rc < 0)
				return rc;
			data = at + zeros;
		}
		at += zeros;
		if (at < end) /* this block is known to hold something */
			at = MIN_OF(round_down(at, c->unit) + c->unit, end);
	}
	return write_data(w, data, (size_t)(end - data));
}

/*
 * What the map knows to be zeros is written as that at once, where whole blocks of it are long enough by themselves, so
 * that nobody fills the buffer with zeros and looks for them there.
 */
static int write_known_zeros(struct copy_worker *w)
{
	const struct copy *c = w->c;
	struct piece *p = &w->piece;

	if (c->job->sparse == 0 || c->job->sparse > c->unit || w->filled)
		return 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct segment *s = &p->segments[i];
		uint64_t from = round_up(s->off, c->unit), to = s->off + s->len;
		int rc;

		if (to != c->total)
			to = round_down(to, c->unit);
		if (s->kind != SEGMENT_ZERO || from + MIN_KNOWN_ZEROS > to)
			continue;
		/* Each cut is behind MIN_KNOWN_ZEROS of zeros, so there are few. */
		if ((to < s->off + s->len && !piece_split(p, i, to - s->off)) ||
		    (from > s->off && !piece_split(p, i++, from - s->off)))
			continue;
		p->segments[i].kind = SEGMENT_SKIP;
		rc = write_zeros(w, from, to - from);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The stretches of [off, end) between what is skipped. */
static int write_segments(struct copy_worker *w, uint64_t off, uint64_t end)
{
	const struct piece *p = &w->piece;

	for (size_t i = 0; i < p->n;) {
		uint64_t from = p->segments[i].off, to = from;
		int rc;

		if (p->segments[i].kind == SEGMENT_SKIP) {
			i++;
			continue;
		}
		for (; i < p->n && p->segments[i].kind != SEGMENT_SKIP; i++)
			to += p->segments[i].len;
		from = MAX_OF(from, off);
		to = MIN_OF(to, end);
		rc = from < to ? write_sparse(w, from, to) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Leaves out the blocks in which the target's backing file already has the same bytes. */
static int write_differing(struct copy_worker *w)
{
	const struct piece *p = &w->piece;
	struct block *backing = block_backing(w->c->job->target);
	uint64_t size = backing ? block_size(backing) : 0, end = p->off + p->len, from = p->off, at = p->off;
	uint64_t have = p->off < size ? MIN_OF(p->len, size - p->off) : 0;
	int rc = 0;

	w->stage = COPY_READ;
	w->off = p->off;
	memset(w->behind + have, 0, (size_t)(p->len - have));
	if (have)
		rc = block_pread(backing, w->behind, (size_t)have, p->off, &w->err);
	while (rc == 0 && at < end) {
		uint64_t next = MIN_OF(round_down(at, w->c->unit) + w->c->unit, end);

		if (memcmp(w->buf + (at - p->off), w->behind + (at - p->off), (size_t)(next - at)) == 0) {
			if (from < at)
				rc = write_sparse(w, from, at);
			from = next;
		}
		at = next;
	}
	return rc == 0 && from < end ? write_sparse(w, from, end) : rc;
}

/* ---- compressed: whole clusters ---- */

/* Is all of [off, end) of one kind? */
static bool all_of_kind(const struct piece *p, uint64_t off, uint64_t end, enum segment_kind kind)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct segment *s = &p->segments[i];

		if (s->kind != kind && s->off < end && s->off + s->len > off)
			return false;
	}
	return true;
}

/* Reads the cluster and finds out what becomes of it. */
static int pack_cluster(struct copy_worker *w, uint64_t off, size_t len, struct copy_packed *out)
{
	const struct copy_job *job = w->c->job;
	const struct piece *p = &w->piece;
	unsigned char *buf = w->buf + (off - p->off);
	int rc;

	*out = (struct copy_packed){ .fate = PACKED_SKIP };
	if (all_of_kind(p, off, off + len, SEGMENT_SKIP))
		return 0;
	out->fate = PACKED_ZERO;
	if (all_of_kind(p, off, off + len, SEGMENT_ZERO) && job->sparse)
		return 0;
	rc = fill(w, off, len, true);
	if (rc < 0 || (job->sparse && mem_is_zero(buf, len)))
		return rc;
	out->fate = PACKED_PLAIN;
	if (!w->c->packs)
		return 0;
	w->stage = COPY_WRITE;
	w->off = off;
	rc = block_pack(job->target, buf, len, off, w->packed + (off - p->off), &out->size, &w->err);
	if (rc == 0 && out->size)
		out->fate = PACKED_SMALL;
	return rc;
}

static int write_packed(struct copy_worker *w, uint64_t off, size_t len, const struct copy_packed *it)
{
	struct block *target = w->c->job->target;
	uint64_t in = off - w->piece.off;
	int rc;

	if (it->fate == PACKED_SKIP)
		return 0;
	if (it->fate == PACKED_ZERO)
		return write_zeros(w, off, len);
	if (it->fate == PACKED_PLAIN && w->c->packs)
		return write_data(w, off, len);
	rc = copy_begin_write(w, off);
	if (rc < 0)
		return rc;
	atomic_fetch_add(&w->c->copied, len);
	return w->c->packs ? block_pwrite_packed(target, w->packed + in, it->size, len, off, &w->err)
			   : block_pwrite_compressed(target, w->buf + in, len, off, &w->err);
}

/* First all of the piece is compressed, beside other threads, and then it is written. */
static int compress_piece(struct copy_worker *w)
{
	const struct piece *p = &w->piece;
	const uint64_t cluster = w->c->cluster, end = p->off + p->len;
	size_t i = 0;
	int rc = 0;

	for (uint64_t at = p->off; rc == 0 && at < end; at += cluster)
		rc = pack_cluster(w, at, (size_t)MIN_OF(cluster, end - at), &w->clusters[i++]);
	i = 0;
	for (uint64_t at = p->off; rc == 0 && at < end; at += cluster)
		rc = write_packed(w, at, (size_t)MIN_OF(cluster, end - at), &w->clusters[i++]);
	return rc;
}

static int store_piece(struct copy_worker *w);

/* More than the buffer holds: the host shares it; what it does not is dealt with as if it had been planned in pieces. */
static int store_long(struct copy_worker *w)
{
	struct segment left;
	int rc;

	rc = copy_take_piece(w);
	left = w->piece.segments[w->piece.n - 1];
	if (rc < 0 || left.kind == SEGMENT_SKIP)
		return rc;
	while (rc == 0 && left.len) {
		uint64_t n = MIN_OF(left.len, COPY_PIECE - left.off % COPY_PIECE);

		w->piece.off = left.off;
		w->piece.len = n;
		w->piece.n = 1;
		w->piece.segments[0] = left;
		w->piece.segments[0].len = n;
		rc = store_piece(w);
		left.off += n;
		left.source_off += n;
		left.host_off += n;
		left.len -= n;
	}
	return rc;
}

static int store_piece(struct copy_worker *w)
{
	const struct copy_job *job = w->c->job;
	const struct piece *p = &w->piece;
	int rc;

	if (p->len > COPY_PIECE && p->segments[0].kind == SEGMENT_DATA)
		return store_long(w);
	if (p->len > COPY_PIECE)
		return p->segments[0].kind == SEGMENT_ZERO ? write_zeros(w, p->off, p->len) : 0;
	if (job->compress)
		return compress_piece(w);
	rc = copy_take_piece(w);
	if (rc < 0)
		return rc;
	if (job->sparse && !w->behind && all_of_kind(p, p->off, p->off + p->len, SEGMENT_ZERO))
		return write_zeros(w, p->off, p->len);
	rc = w->behind ? 0 : write_known_zeros(w);
	if (rc == 0)
		rc = fill(w, p->off, p->len, false);
	if (rc < 0)
		return rc;
	return w->behind ? write_differing(w) : write_segments(w, p->off, p->off + p->len);
}

int copy_piece(struct copy_worker *w)
{
	const struct piece *p = &w->piece;
	bool hashes = w->c->job->hashes;
	int rc = 0;

	w->filled = w->has_turn = false;
	w->start = p->off;
	if (hashes && p->len <= COPY_PIECE) {
		rc = fill(w, p->off, p->len, true);
		w->filled = true;
	}
	if (rc == 0)
		rc = store_piece(w);
	if (rc == 0)
		rc = end_writes(w);
	if (rc == 0 && hashes)
		copy_hash_piece(w);
	return rc;
}
