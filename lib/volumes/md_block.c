/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md_block.c - an MD array as a block: reads go to the members, and what a missing or failing one held comes from a copy or
 * is computed from the rest of its stripe.
 *
 * A request is cut into pieces that lie contiguously on one member, and on which each member that takes part is either
 * good throughout or not: missing, not rebuilt as far as that, or known to be bad there.  Nothing of the state changes
 * after it is made, so that any number of threads may read.
 */
#include "md.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"
#include "parity.h"

#include <inttypes.h>

/* What is computed at once: three buffers of this size. */
#define PIECE (64 * KiB)

struct md_state {
	struct md_geo geo;
	struct md_member *members;
	uint64_t resync_from;
	/* raid1: the disks that are there, those that may lag behind the others at the end. */
	unsigned *order, norder;
};

void md_members_free(struct md_member *m, unsigned n)
{
	for (unsigned i = 0; m && i < n; i++) {
		block_unref(m[i].block);
		free(m[i].bad);
	}
	free(m);
}

static void md_close(struct block *b)
{
	struct md_state *s = b->state;

	md_members_free(s->members, s->geo.ndisks);
	md_geo_free(&s->geo);
	free(s->order);
}

/* Where the first bad range that ends behind off is in the list; nbad: there is none. */
static size_t bad_behind(const struct md_member *m, uint64_t off)
{
	size_t low = 0, high = m->nbad;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->bad[middle].off + m->bad[middle].len <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Can these bytes of a member's data be believed?  *len is shortened to what has the same answer. */
static bool is_good(const struct md_member *m, uint64_t off, uint64_t *len)
{
	size_t i;

	if (!m->block || off >= m->rebuilt)
		return false;
	*len = MIN_OF(*len, m->rebuilt - off);
	i = bad_behind(m, off);
	if (i == m->nbad)
		return true;
	if (m->bad[i].off <= off) {
		*len = MIN_OF(*len, m->bad[i].off + m->bad[i].len - off);
		return false;
	}
	*len = MIN_OF(*len, m->bad[i].off - off);
	return true;
}

static int member_pread(const struct md_member *m, void *buf, size_t len, uint64_t off, struct err *e)
{
	return block_pread(m->block, buf, len, m->data_off + off, e);
}

/* ---- what a missing disk held ---- */

/* The bytes of one stripe that are wanted: at off on each member. */
struct part {
	const struct md_state *s;
	struct md_stripe stripe;
	uint64_t off;
	size_t len;
	unsigned wanted;
	/* Disks that cannot be read there, in any order; at most two are of use. */
	unsigned lost[3], nlost;
};

static bool is_lost(const struct part *p, unsigned disk)
{
	for (unsigned i = 0; i < p->nlost; i++)
		if (p->lost[i] == disk)
			return true;
	return false;
}

static void lose(struct part *p, unsigned disk)
{
	if (p->nlost < ARRAY_LEN(p->lost))
		p->lost[p->nlost++] = disk;
}

/* The number by which a data disk counts in Q: from the disk behind Q on, round, without P and Q; with by_number its own. */
static unsigned number_in_q(const struct part *p, unsigned disk)
{
	unsigned n = 0;

	for (unsigned i = p->stripe.first; i != disk; i = (i + 1) % p->s->geo.ndisks)
		n += p->stripe.by_number || (i != p->stripe.p && i != p->stripe.q);
	return n;
}

/* Reads a disk's bytes of the part.  A disk that fails is lost, and then the answer is 1. */
static int part_read(struct part *p, unsigned disk, uint8_t *buf, struct err *e)
{
	int rc = member_pread(&p->s->members[disk], buf, p->len, p->off, e);

	if (rc == -ERR_NOMEM || rc == 0)
		return rc;
	lose(p, disk);
	return 1;
}

/* The sum of all disks but Q and those that are lost: what one lost disk held, when P is there.  buf is zeroed. */
static int sum_p(struct part *p, uint8_t *buf, uint8_t *tmp, struct err *e)
{
	for (unsigned i = 0; i < p->s->geo.ndisks; i++) {
		int rc;

		if (i == p->stripe.q || is_lost(p, i))
			continue;
		rc = part_read(p, i, tmp, e);
		if (rc != 0)
			return rc;
		parity_add(buf, tmp, p->len);
	}
	return 0;
}

/*
 * Q and its terms of all data disks that are there: what the lost ones add to Q.  Disks are taken from the last number to
 * the first, so that doubling in between gives each its power.  buf is zeroed.
 */
static int sum_q(struct part *p, uint8_t *buf, uint8_t *tmp, struct err *e)
{
	unsigned n = p->s->geo.ndisks;
	int rc;

	for (unsigned i = 0; i < n; i++) {
		unsigned disk = (p->stripe.first + 2 * n - 1 - i) % n;

		bool parity = disk == p->stripe.p || disk == p->stripe.q;

		if (!parity || p->stripe.by_number)
			parity_double(buf, p->len);
		if (parity || is_lost(p, disk))
			continue;
		rc = part_read(p, disk, tmp, e);
		if (rc != 0)
			return rc;
		parity_add(buf, tmp, p->len);
	}
	rc = part_read(p, p->stripe.q, tmp, e);
	if (rc == 0)
		parity_add(buf, tmp, p->len);
	return rc;
}

/*
 * Two data disks x (wanted) and y are lost: a = x + y, from P, and b = 2^i x + 2^j y, from Q.  So x is
 * (b + 2^j a) / (2^i + 2^j).
 */
static void solve_two(const struct part *p, unsigned other, uint8_t *a, const uint8_t *b)
{
	uint8_t i = parity_power(number_in_q(p, p->wanted)), j = parity_power(number_in_q(p, other));

	parity_multiply(a, p->len, j);
	parity_add(a, b, p->len);
	parity_multiply(a, p->len, parity_inverse(i ^ j));
}

/* buf, tmp and more have room for the part.  1: a further disk was lost, try again. */
static int solve(struct part *p, uint8_t *buf, uint8_t *tmp, uint8_t *more, struct err *e)
{
	const struct md_geo *g = &p->s->geo;
	unsigned other = MD_NO_DISK;
	int rc;

	for (unsigned i = 0; i < p->nlost; i++)
		if (p->lost[i] != p->wanted)
			other = p->lost[i];
	if (p->nlost > (g->level == 6 ? 2u : 1u))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes at %" PRIu64 " of disk %u: too many other disks are missing or "
			       "fail there", (uint64_t)p->len, p->off, p->wanted);
	memset(buf, 0, p->len);
	/* Q alone is lost beside the wanted one, or nothing: P is enough. */
	if (other == MD_NO_DISK || other == p->stripe.q)
		return sum_p(p, buf, tmp, e);
	if (other == p->stripe.p) {
		rc = sum_q(p, buf, tmp, e);
		if (rc == 0)
			parity_multiply(buf, p->len, parity_inverse(parity_power(number_in_q(p, p->wanted))));
		return rc;
	}
	memset(more, 0, p->len);
	rc = sum_p(p, buf, tmp, e);
	if (rc == 0)
		rc = sum_q(p, more, tmp, e);
	if (rc == 0)
		solve_two(p, other, buf, more);
	return rc;
}

/* What the disk at `at` would hold.  *len is shortened to what was computed. */
static int reconstruct(const struct md_state *s, uint8_t *buf, uint64_t *len, uint64_t array_off, struct md_place at,
		       struct err *e)
{
	CLEANUP(free_ptr) uint8_t *space = NULL;
	struct part p = { .s = s, .stripe = md_stripe_at(&s->geo, array_off), .off = at.off, .wanted = at.disk };
	int rc;

	*len = MIN_OF(*len, (uint64_t)PIECE);
	lose(&p, at.disk);
	for (unsigned i = 0; i < s->geo.ndisks; i++)
		if (i != at.disk && !is_good(&s->members[i], at.off, len))
			lose(&p, i);
	if (at.off >= s->resync_from)
		return err_set(e, ERR_CORRUPT, "disk %u is missing, and the array was not shut down cleanly: its parity cannot "
			       "stand in for it", at.disk);
	*len = MIN_OF(*len, s->resync_from - at.off);
	p.len = (size_t)*len;
	space = alloc_array(2, p.len);
	if (!space)
		return err_nomem(e);
	/* Ends: each further turn has lost one more disk, and with three lost it is an error. */
	do
		rc = solve(&p, buf, space, space + p.len, e);
	while (rc > 0);
	if (rc == 0)
		err_clear(e);
	return rc;
}

/* ---- reading ---- */

/* How many copies are worth a try, and where number i of them lies. */
static unsigned ncopies(const struct md_state *s)
{
	return s->geo.level == 1 ? s->norder : md_copies(&s->geo);
}

static struct md_place nth_copy(const struct md_state *s, uint64_t off, unsigned i)
{
	return md_locate(&s->geo, off, s->geo.level == 1 ? s->order[i] : i);
}

/* The first copy that is good and can be read.  *len is shortened to what was read. */
static int copies_pread(const struct md_state *s, uint8_t *buf, uint64_t *len, uint64_t off, struct err *e)
{
	uint64_t least = *len;
	bool tried = false;
	int rc = 0;

	for (unsigned i = 0; i < ncopies(s); i++) {
		struct md_place at = nth_copy(s, off, i);
		uint64_t n = *len;

		if (!is_good(&s->members[at.disk], at.off, &n)) {
			least = MIN_OF(least, n);
			continue;
		}
		rc = member_pread(&s->members[at.disk], buf, (size_t)n, at.off, e);
		if (rc == 0) {
			err_clear(e);
			*len = n;
			return 0;
		}
		if (rc == -ERR_NOMEM)
			return rc;
		tried = true;
	}
	*len = least;
	if (tried)
		return rc;
	return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes at %" PRIu64 " lie only on disks that are missing, or bad there", least,
		       off);
}

static int parity_pread(const struct md_state *s, uint8_t *buf, uint64_t *len, uint64_t off, struct err *e)
{
	struct md_place at = md_locate(&s->geo, off, 0);
	const struct md_member *m = &s->members[at.disk];
	struct err why = ERR_INIT;
	int rc, again;

	if (!is_good(m, at.off, len))
		return reconstruct(s, buf, len, off, at, e);
	rc = member_pread(m, buf, (size_t)*len, at.off, &why);
	if (rc == 0 || rc == -ERR_NOMEM)
		return rc == 0 ? 0 : err_nomem(e);
	/* What that disk says is the cause, if the others do not help. */
	again = reconstruct(s, buf, len, off, at, NULL);
	if (again < 0 && e)
		*e = why;
	return again < 0 ? rc : 0;
}

static int md_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct md_state *s = b->state;
	uint8_t *p = buf;

	while (len) {
		uint64_t n = MIN_OF((uint64_t)len, md_run(&s->geo, off));
		int rc = md_is_parity(&s->geo) ? parity_pread(s, p, &n, off, e) : copies_pread(s, p, &n, off, e);

		if (rc < 0)
			return err_in(e, rc, "%s", b->name);
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Where a good member has the bytes as they are, it tells what they are: holes stay holes. */
static int md_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	const struct md_state *s = b->state;
	uint64_t n = MIN_OF(len, md_run(&s->geo, off));
	int rc;

	for (unsigned i = 0; i < ncopies(s); i++) {
		struct md_place at = nth_copy(s, off, i);
		const struct md_member *m = &s->members[at.disk];
		uint64_t part = n;

		if (!is_good(m, at.off, &part)) {
			n = part;
			continue;
		}
		rc = block_extent_chain(m->block, NULL, part, m->data_off + at.off, out, e);
		out->off = off;
		out->depth = 0;
		out->flags |= EXTENT_ALLOC;
		/* Zeros on several members are one run; nobody needs to know where they lie. */
		if (out->flags & EXTENT_ZERO)
			out->flags &= ~(unsigned)EXTENT_PLAIN;
		return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
	}
	out->len = n;
	out->flags = EXTENT_DATA | EXTENT_ALLOC;
	return 0;
}

static const struct block_driver md_driver = {
	.name = "md",
	.state_size = sizeof(struct md_state),
	.is_protocol = true, /* it has no file of its own: the members are in its state */
	.close = md_close,
	.pread = md_pread,
	.extent = md_extent,
};

static int order_init(struct md_state *s, struct err *e)
{
	s->order = alloc_array(s->geo.ndisks, sizeof *s->order);
	if (!s->order)
		return err_nomem(e);
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < s->geo.ndisks; i++)
			if (s->members[i].block && s->members[i].write_mostly == (turn == 1))
				s->order[s->norder++] = i;
	return 0;
}

int md_block(struct md_geo *geo, struct md_member **members, uint64_t resync_from, const char *name, struct block **out,
	     struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(&md_driver, NULL, &b, e);
	struct md_state *s;

	if (rc < 0) {
		md_members_free(take(*members), geo->ndisks);
		md_geo_free(geo);
		return rc;
	}
	s = b->state;
	s->geo = *geo;
	s->members = take(*members);
	s->resync_from = resync_from;
	memset(geo, 0, sizeof *geo);
	b->size = s->geo.size;
	free(b->name);
	b->name = alloc_strdup(name);
	if (!b->name)
		return err_nomem(e);
	rc = order_init(s, e);
	if (rc < 0)
		return rc;
	*out = take(b);
	return 0;
}
