/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_over.c - what XFS's log says of the device's bytes.
 *
 * Each piece lies within one unit of 4 KiB.  Pieces of a unit are laid in the order in which they were logged; of what
 * is replaced as a whole by later ones only these are kept.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

#define UNIT 4096u
/* Buffers are logged in chunks of 128 bytes, which records may cut at any word. */
#define WORD 4u

void xfs_over_free(struct xfs_over *o)
{
	if (!o)
		return;
	xfs_ring_close(&o->ring);
	free(o->pieces);
	free(o->inodes);
	free(o->spans);
	free(o->intents);
	free(o);
}

void xfs_over_freep(struct xfs_over **o)
{
	xfs_over_free(*o);
	*o = NULL;
}

/* ---- gathering ---- */

/* Room for one more: 0, or what makes none. */
static int room(void **items, size_t size, size_t n, size_t *cap, size_t limit, struct err *e)
{
	size_t more = MIN_OF(*cap ? *cap * 2 : 64, limit);
	void *bigger;

	if (n < *cap)
		return 0;
	if (n == limit)
		return err_set(e, ERR_LIMIT, "it has more than %zu changes to replay", limit);
	bigger = alloc_resize(*items, more, size);
	if (!bigger)
		return err_nomem(e);
	*items = bigger;
	*cap = more;
	return 0;
}

int xfs_over_add_span(struct xfs_over *o, struct xfs_span span, uint32_t *index, struct err *e)
{
	void *items = o->spans;
	int rc = room(&items, sizeof *o->spans, o->nspans, &o->spans_cap, LIMIT_XFS_SPANS, e);

	o->spans = items;
	if (rc < 0)
		return rc;
	*index = (uint32_t)o->nspans;
	o->spans[o->nspans++] = span;
	return 0;
}

static int piece_add(struct xfs_over *o, struct xfs *x, const struct xfs_piece *p, struct err *e)
{
	void *items;
	int rc;

	/* What is logged again and again is one piece once it is settled. */
	if (o->npieces == LIMIT_XFS_PIECES) {
		rc = xfs_over_settle(o, x, e);
		if (rc < 0)
			return rc;
		if (o->npieces > LIMIT_XFS_PIECES / 4 * 3)
			return err_set(e, ERR_LIMIT, "it has more than %d changes to replay", LIMIT_XFS_PIECES / 4 * 3);
	}
	items = o->pieces;
	rc = room(&items, sizeof *o->pieces, o->npieces, &o->pieces_cap, LIMIT_XFS_PIECES, e);
	o->pieces = items;
	if (rc < 0)
		return rc;
	o->pieces[o->npieces++] = *p;
	return 0;
}

/* Steps over `skip` bytes of a span; false when it has not as many. */
static bool span_skip(const struct xfs_over *o, struct xfs_span *s, uint64_t *skip)
{
	while (*skip >= s->len && s->next) {
		*skip -= s->len;
		*s = o->spans[s->next - 1];
	}
	return *skip < s->len;
}

int xfs_over_add(struct xfs_over *o, struct xfs *x, enum xfs_piece_kind kind, uint64_t pos, struct xfs_span span,
		 uint64_t skip, uint64_t len, uint32_t seq, struct err *e)
{
	uint64_t off = skip;

	while (len > 0) {
		uint64_t n = MIN_OF(len, UNIT - pos % UNIT);
		struct xfs_piece p = { .pos = pos, .seq = seq, .kind = (uint8_t)kind };
		int rc;

		if (kind == XFS_PIECE_DATA) {
			if (!span_skip(o, &span, &off))
				return err_set(e, ERR_CORRUPT, "a buffer is logged with fewer bytes than it says");
			n = MIN_OF(n, span.len - off);
			p.at = span.at + off;
			off += n;
		}
		p.len = (uint16_t)n;
		rc = piece_add(o, x, &p, e);
		if (rc < 0)
			return rc;
		pos += n;
		len -= n;
	}
	return 0;
}

int xfs_over_add_inode(struct xfs_over *o, struct xfs *x, const struct xfs_inode_piece *p, struct err *e)
{
	void *items;
	int rc;

	if (o->ninodes == LIMIT_XFS_LOGGED_INODES) {
		rc = xfs_over_settle(o, x, e);
		if (rc < 0)
			return rc;
		if (o->ninodes > LIMIT_XFS_LOGGED_INODES / 4 * 3)
			return err_set(e, ERR_LIMIT, "it has more than %d inodes to replay", LIMIT_XFS_LOGGED_INODES / 4 * 3);
	}
	items = o->inodes;
	rc = room(&items, sizeof *o->inodes, o->ninodes, &o->inodes_cap, LIMIT_XFS_LOGGED_INODES, e);
	o->inodes = items;
	if (rc < 0)
		return rc;
	o->inodes[o->ninodes++] = *p;
	return 0;
}

/* ---- settling ---- */

static int piece_order(const void *a, const void *b)
{
	const struct xfs_piece *p = a, *q = b;

	if (p->pos / UNIT != q->pos / UNIT)
		return p->pos / UNIT < q->pos / UNIT ? -1 : 1;
	if (p->seq != q->seq)
		return p->seq < q->seq ? -1 : 1;
	return p->pos < q->pos ? -1 : p->pos > q->pos;
}

/* Words of a unit that later pieces replace. */
struct cover {
	bool words[UNIT / WORD];
};

/* Covers [pos, pos + len): true when all of it was covered before.  A word that is cut stays open. */
static bool cover_add(struct cover *c, uint64_t pos, uint32_t len)
{
	uint32_t first = (uint32_t)(pos % UNIT), end = first + len;
	bool all = true;

	for (uint32_t w = first / WORD; w < div_round_up(end, WORD); w++) {
		all &= c->words[w];
		if (w * WORD >= first && (w + 1) * WORD <= end)
			c->words[w] = true;
	}
	return all;
}

/*
 * The pieces of one unit, [first, end), newest first: marks by len 0 those that count no more.  That inodes were made is
 * remembered although later bytes replace all of them, but not when they were freed: what is there since then may be in its
 * place already, and only some of it in the log.
 */
static void unit_settle(struct xfs_over *o, size_t first, size_t end)
{
	struct cover c = { { false } }, freed = { { false } };

	for (size_t i = end; i-- > first;) {
		struct xfs_piece *p = &o->pieces[i];
		bool covered = cover_add(p->kind == XFS_PIECE_DATA ? &c : &freed, p->pos, p->len);

		if (p->kind != XFS_PIECE_DATA)
			cover_add(&c, p->pos, p->len);
		if (p->kind == XFS_PIECE_CANCEL || covered)
			p->len = 0;
	}
}

int xfs_over_settle(struct xfs_over *o, struct xfs *x, struct err *e)
{
	size_t kept = 0;
	int rc;

	if (o->npieces)
		qsort(o->pieces, o->npieces, sizeof *o->pieces, piece_order);
	rc = xfs_over_settle_inodes(o, x, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0, end; i < o->npieces; i = end) {
		for (end = i + 1; end < o->npieces && o->pieces[end].pos / UNIT == o->pieces[i].pos / UNIT; end++)
			;
		unit_settle(o, i, end);
	}
	for (size_t i = 0; i < o->npieces; i++)
		if (o->pieces[i].len)
			o->pieces[kept++] = o->pieces[i];
	o->npieces = kept;
	return 0;
}

/* ---- reading ---- */

int xfs_over_span(struct xfs_over *o, struct xfs_span span, size_t skip, void *buf, size_t len, struct err *e)
{
	uint64_t off = skip;
	uint8_t *p = buf;

	/* Spans are linked in the order in which they were read, so the way through them ends. */
	while (len > 0) {
		size_t n;
		int rc;

		if (!span_skip(o, &span, &off))
			return err_set(e, ERR_CORRUPT, "something is logged with fewer bytes than it says");
		n = MIN_OF(len, (size_t)(span.len - off));
		rc = xfs_ring_read(&o->ring, span.at + off, p, n, e);
		if (rc < 0)
			return err_in(e, rc, "log");
		p += n;
		len -= n;
		off += n;
	}
	return 0;
}

/* The first piece whose unit is not before that of pos. */
static size_t piece_lower(const struct xfs_over *o, uint64_t pos)
{
	size_t lo = 0, hi = o->npieces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->pieces[mid].pos / UNIT < pos / UNIT)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool xfs_over_touches(const struct xfs_over *o, size_t len, uint64_t pos)
{
	for (size_t i = piece_lower(o, pos); i < o->npieces && round_down(o->pieces[i].pos, UNIT) < pos + len; i++)
		if (ranges_overlap(o->pieces[i].pos, o->pieces[i].len, pos, len))
			return true;
	return false;
}

int xfs_over_lay(struct xfs_over *o, uint8_t *buf, size_t len, uint64_t pos, struct err *e)
{
	for (size_t i = piece_lower(o, pos); i < o->npieces && round_down(o->pieces[i].pos, UNIT) < pos + len; i++) {
		const struct xfs_piece *p = &o->pieces[i];
		uint64_t from = MAX_OF(p->pos, pos), to = MIN_OF(p->pos + p->len, pos + len);
		int rc;

		if (from >= to)
			continue;
		if (p->kind == XFS_PIECE_ZERO) {
			memset(buf + (from - pos), 0, (size_t)(to - from));
			continue;
		}
		rc = xfs_ring_read(&o->ring, p->at + (from - p->pos), buf + (from - pos), (size_t)(to - from), e);
		if (rc < 0)
			return err_in(e, rc, "log");
	}
	return 0;
}
