/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md_geo.c - where the bytes of an MD array lie on its members.
 *
 * linear	members one behind the other
 * raid0	chunks in turn on all members; where these have several sizes, further zones lie on those that are longer
 * raid1	the same bytes everywhere
 * raid4, 5, 6	a stripe is a chunk on each member: data, and parity P (and Q), whose places the layout tells
 * raid10	each chunk `near` times side by side; then all of that `far` times, further down on the members and shifted
 */
#include "md.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

/*
 * Layouts of raid5; raid6 has them too, those with 16 added, where Q stays on the last disk, and those of DDF controllers, which
 * LVM uses: zero restart is right asymmetric, N restart is left asymmetric a row later, N continue is left symmetric with Q
 * before P.
 */
enum { LEFT_ASYMMETRIC, RIGHT_ASYMMETRIC, LEFT_SYMMETRIC, RIGHT_SYMMETRIC, PARITY_FIRST, PARITY_LAST,
       ZERO_RESTART = 8, N_RESTART, N_CONTINUE, Q_LAST = 16 };
/* Layouts of raid0 in several zones. */
enum { RAID0_ORIGINAL = 1, RAID0_ALTERNATE = 2 };

void md_geo_free(struct md_geo *g)
{
	free(g->zones);
	free(g->zone_disks);
	memset(g, 0, sizeof *g);
}

bool md_is_parity(const struct md_geo *g)
{
	return g->level >= 4 && g->level <= 6;
}

static bool is_ddf(const struct md_geo *g)
{
	return g->level == 6 && g->layout >= ZERO_RESTART && g->layout <= N_CONTINUE;
}

static unsigned nparity(const struct md_geo *g)
{
	return g->level == 6 ? 2 : 1;
}

/* ---- judging ---- */

/* The array's size of n chunks (or, without chunks, bytes) on each of `times` disks. */
static int size_set(struct md_geo *g, uint64_t n, uint64_t each, uint64_t times, struct err *e)
{
	if (!checked_mul(n, each, &g->size) || !checked_mul(g->size, times, &g->size) || g->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "an array of %" PRIu64 " disks of %" PRIu64 " times %" PRIu64 " bytes", times, n,
			       each);
	return 0;
}

static int zones_alloc(struct md_geo *g, size_t nzones, size_t ndisks, struct err *e)
{
	g->zones = alloc_array(nzones, sizeof *g->zones);
	g->zone_disks = alloc_array(ndisks, sizeof *g->zone_disks);
	return g->zones && g->zone_disks ? 0 : err_nomem(e);
}

/* Appends a zone of n disks that goes from member_off to member_end on each. */
static int zone_add(struct md_geo *g, unsigned first, unsigned n, uint64_t member_off, uint64_t member_end, struct err *e)
{
	uint64_t size;

	if (!checked_mul(member_end - member_off, n, &size) || size > LIMIT_IMAGE_SIZE - g->size)
		return err_set(e, ERR_LIMIT, "an array of more than %" PRIu64 " bytes", (uint64_t)LIMIT_IMAGE_SIZE);
	g->zones[g->nzones++] = (struct md_zone){ g->size, size, member_off, first, n };
	g->size += size;
	return 0;
}

static uint64_t whole_chunks(const struct md_geo *g, uint64_t size)
{
	return g->chunk ? size - size % g->chunk : size;
}

static int linear_init(struct md_geo *g, const uint64_t *sizes, struct err *e)
{
	int rc = zones_alloc(g, g->ndisks, g->ndisks, e);

	for (unsigned i = 0; rc == 0 && i < g->ndisks; i++) {
		g->zone_disks[i] = i;
		rc = zone_add(g, i, 1, 0, whole_chunks(g, sizes[i]), e);
	}
	return rc;
}

/* The smallest of the members that go on behind `end`; UINT64_MAX: none does.  *n: how many do. */
static uint64_t next_end(const struct md_geo *g, const uint64_t *sizes, uint64_t end, unsigned *n)
{
	uint64_t next = UINT64_MAX;

	*n = 0;
	for (unsigned i = 0; i < g->ndisks; i++) {
		uint64_t size = whole_chunks(g, sizes[i]);

		if (size <= end)
			continue;
		next = MIN_OF(next, size);
		(*n)++;
	}
	return next;
}

static int raid0_layout(struct md_geo *g, const struct md_super *s, struct err *e)
{
	bool told = s->features & MD_FEATURE_RAID0_LAYOUT;

	if (told && s->layout != RAID0_ORIGINAL && s->layout != RAID0_ALTERNATE)
		return err_set(e, ERR_UNSUPPORTED, "raid0 with layout %" PRIu32, s->layout);
	/* All chunks behind the first zone are on one disk, whichever way they are counted. */
	if (g->nzones == 1 || g->zones[1].n == 1)
		return 0;
	if (!told)
		return err_set(e, ERR_UNSUPPORTED, "raid0 of disks of several sizes that does not say which layout it has "
			       "(mdadm --assemble --update=layout-alternate or layout-original tells it)");
	g->zone_chunks = s->layout == RAID0_ALTERNATE;
	return 0;
}

static int raid0_init(struct md_geo *g, const struct md_super *s, const uint64_t *sizes, struct err *e)
{
	uint64_t end = 0, next;
	size_t nzones = 0, total = 0;
	unsigned n, first = 0;
	int rc;

	/* Ends: each turn finds a larger size of a member, and there are at most ndisks. */
	while ((next = next_end(g, sizes, end, &n)) != UINT64_MAX) {
		end = next;
		nzones++;
		total += n;
	}
	if (nzones == 0)
		return err_set(e, ERR_CORRUPT, "its disks are smaller than a chunk of %" PRIu64 " bytes", g->chunk);
	if (total > LIMIT_MD_ZONE_DISKS)
		return err_set(e, ERR_LIMIT, "raid0 of disks of %zu sizes", nzones);
	rc = zones_alloc(g, nzones, total, e);
	end = 0;
	while (rc == 0 && (next = next_end(g, sizes, end, &n)) != UINT64_MAX) {
		unsigned at = first;

		for (unsigned i = 0; i < g->ndisks; i++)
			if (whole_chunks(g, sizes[i]) > end)
				g->zone_disks[at++] = i;
		rc = zone_add(g, first, n, end, next, e);
		first += n;
		end = next;
	}
	if (rc < 0)
		return rc;
	/* Chunks that are no power of two: the kernel shows less than there is, by this mask. */
	g->size = 0;
	for (unsigned i = 0; i < g->ndisks; i++)
		g->size += whole_chunks(g, sizes[i]) & ~(g->chunk - 1);
	return raid0_layout(g, s, e);
}

static int parity_init(struct md_geo *g, struct err *e)
{
	unsigned least = g->level == 6 ? 4 : 2;
	uint32_t base = g->level == 6 ? g->layout & ~(uint32_t)Q_LAST : g->layout;

	if (g->ndisks < least)
		return err_set(e, ERR_CORRUPT, "raid%d of %u disks", g->level, g->ndisks);
	if (g->level == 4)
		g->layout = PARITY_LAST;
	else if (is_ddf(g))
		base = PARITY_LAST; /* of which there is none with Q_LAST */
	if (base > PARITY_LAST || g->layout == Q_LAST + PARITY_LAST)
		return err_set(e, ERR_UNSUPPORTED, "raid%d with layout %" PRIu32, g->level, g->layout);
	return size_set(g, g->member_size / g->chunk, g->chunk, g->ndisks - nparity(g), e);
}

static int raid10_init(struct md_geo *g, struct err *e)
{
	bool offset = g->layout & 1u << 16;
	uint64_t nchunks;
	int rc;

	g->near = g->layout & 0xff;
	g->far = g->layout >> 8 & 0xff;
	if (g->near == 0 || g->far == 0 || g->near * g->far > g->ndisks || g->layout >> 17 > 2)
		return err_set(e, ERR_UNSUPPORTED, "raid10 of %u disks with layout 0x%" PRIx32, g->ndisks, g->layout);
	/* Far copies go round in all disks, or only in a set of them. */
	g->far_set = g->layout >> 17 == 0 ? g->ndisks : g->layout >> 17 == 1 ? g->ndisks / g->far : g->far * g->near;
	nchunks = g->member_size / g->chunk / g->far;
	/* Sizes of disks are below 2^63; chunks on all of them fit 64 bits as their number does. */
	if (!checked_mul(nchunks, g->ndisks, &nchunks))
		return err_set(e, ERR_LIMIT, "%u disks of %" PRIu64 " bytes", g->ndisks, g->member_size);
	nchunks /= g->near;
	rc = size_set(g, nchunks, g->chunk, 1, e);
	if (rc < 0)
		return rc;
	g->stride = g->chunk;
	if (!offset)
		g->stride *= div_round_up(nchunks * g->near * g->far, g->ndisks) / g->far;
	return 0;
}

static int chunk_judge(const struct md_geo *g, struct err *e)
{
	if (g->level != 0 && g->level != 10 && !md_is_parity(g))
		return 0;
	if (g->chunk == 0 || (g->level != 0 && (!is_pow2(g->chunk) || g->chunk < 4 * KiB)))
		return err_set(e, ERR_CORRUPT, "chunks of %" PRIu64 " bytes", g->chunk);
	return 0;
}

int md_geo_init(struct md_geo *g, const struct md_super *s, const uint64_t *data_sizes, struct err *e)
{
	int rc;

	*g = (struct md_geo){ .level = s->level, .layout = s->layout, .ndisks = s->ndisks, .chunk = s->chunk,
			      .member_size = s->used };
	if (g->ndisks == 0 || g->ndisks > s->nroles)
		return err_set(e, ERR_CORRUPT, "an array of %u disks with room for %u", g->ndisks, s->nroles);
	rc = chunk_judge(g, e);
	if (rc < 0)
		return rc;
	switch (s->level) {
	case MD_LINEAR:
		rc = linear_init(g, data_sizes, e);
		break;
	case 0:
		rc = raid0_init(g, s, data_sizes, e);
		break;
	case 1:
		rc = size_set(g, 1, g->member_size, 1, e);
		break;
	case 4:
	case 5:
	case 6:
		rc = parity_init(g, e);
		break;
	case 10:
		rc = raid10_init(g, e);
		break;
	default:
		return err_set(e, ERR_UNSUPPORTED, "level %d", s->level);
	}
	if (rc == 0 && g->size == 0)
		return err_set(e, ERR_CORRUPT, "an array of no size");
	return rc;
}

/* ---- places ---- */

/* The zone that holds the byte at off: the last one that does not begin behind it. */
static const struct md_zone *zone_at(const struct md_geo *g, uint64_t off)
{
	size_t low = 0, high = g->nzones;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (g->zones[middle].off <= off)
			low = middle;
		else
			high = middle;
	}
	/* Empty zones share their beginning with the next one; the search ends at the last of these. */
	return &g->zones[low];
}

unsigned md_copies(const struct md_geo *g)
{
	if (g->level == 1)
		return g->ndisks;
	return g->level == 10 ? g->near * g->far : 1;
}

uint64_t md_run(const struct md_geo *g, uint64_t off)
{
	const struct md_zone *z;

	switch (g->level) {
	case MD_LINEAR:
		z = zone_at(g, off);
		return z->off + z->size - off;
	case 1:
		return g->size - off;
	default:
		/* Zones of raid0 are whole chunks. */
		return MIN_OF(g->chunk - off % g->chunk, g->size - off);
	}
}

static struct md_place raid0_locate(const struct md_geo *g, uint64_t off)
{
	const struct md_zone *z = zone_at(g, off);
	uint64_t in_zone = off - z->off;
	uint64_t counted = (g->zone_chunks ? in_zone : off) / g->chunk;
	uint64_t row = in_zone / g->chunk / z->n;

	return (struct md_place){ g->zone_disks[z->first + counted % z->n], z->member_off + row * g->chunk + off % g->chunk };
}

/* How far copies are shifted: by `near` disks, round in the set of disks; what the last set has over belongs to it. */
static unsigned far_shift(const struct md_geo *g, unsigned disk)
{
	unsigned rest = g->ndisks % g->far_set, last = (g->ndisks / g->far_set - 1) * g->far_set, set = disk / g->far_set;

	disk += g->near;
	if (rest && disk > last)
		return (disk - last) % (g->far_set + rest) + last;
	return disk % g->far_set + set * g->far_set;
}

static struct md_place raid10_locate(const struct md_geo *g, uint64_t off, unsigned copy)
{
	uint64_t chunk = off / g->chunk * g->near + copy % g->near, row = chunk / g->ndisks;
	struct md_place p = { (unsigned)(chunk % g->ndisks), 0 };

	/* With offset copies, the shifted ones are the next rows. */
	p.off = row * (g->layout & 1u << 16 ? g->far : 1) * g->chunk + off % g->chunk;
	for (unsigned i = 0; i < copy / g->near; i++) {
		p.disk = far_shift(g, p.disk);
		p.off += g->stride;
	}
	return p;
}

struct md_stripe md_stripe_at(const struct md_geo *g, uint64_t off)
{
	bool q_last = g->level == 6 && g->layout & Q_LAST;
	/* The disks among which P goes round, and its place from the left or the right. */
	unsigned n = q_last ? g->ndisks - 1 : g->ndisks, ndata = g->ndisks - nparity(g);
	uint64_t row = off / g->chunk / ndata;
	unsigned turn = (unsigned)(row % n);
	struct md_stripe s = { 0, MD_NO_DISK, 0, is_ddf(g) };

	switch (g->layout & ~(uint32_t)Q_LAST) {
	case LEFT_ASYMMETRIC:
	case LEFT_SYMMETRIC:
	case N_CONTINUE:
		s.p = n - 1 - turn;
		break;
	case RIGHT_ASYMMETRIC:
	case RIGHT_SYMMETRIC:
	case ZERO_RESTART:
		s.p = turn;
		break;
	case N_RESTART:
		s.p = n - 1 - (turn + 1) % n;
		break;
	case PARITY_FIRST:
		s.p = 0;
		break;
	default:
		s.p = ndata;
		break;
	}
	if (g->level != 6)
		return s;
	if (g->layout == N_CONTINUE)
		s.q = (s.p + g->ndisks - 1) % g->ndisks;
	else
		s.q = q_last ? g->ndisks - 1 : (s.p + 1) % g->ndisks;
	s.first = s.by_number ? 0 : (s.q + 1) % g->ndisks;
	return s;
}

static struct md_place parity_locate(const struct md_geo *g, uint64_t off)
{
	struct md_stripe s = md_stripe_at(g, off);
	unsigned ndata = g->ndisks - nparity(g), disk = (unsigned)(off / g->chunk % ndata);
	uint64_t row = off / g->chunk / ndata;
	bool q_last = g->level == 6 && g->layout & Q_LAST;

	switch (g->layout & ~(uint32_t)Q_LAST) {
	case N_CONTINUE:
		disk = (s.p + 1 + disk) % g->ndisks;
		break;
	case LEFT_SYMMETRIC:
	case RIGHT_SYMMETRIC:
		/* Counted from the disk behind the parity, round. */
		if (q_last)
			disk = (s.p + 1 + disk) % (g->ndisks - 1);
		else
			disk = (s.p + nparity(g) + disk) % g->ndisks;
		break;
	default:
		/* Counted from the first disk, those with parity left out; P on the last disk has its Q on the first. */
		if (g->level == 6 && !q_last && s.q < s.p)
			disk++;
		else if (disk >= s.p)
			disk += q_last ? 1 : nparity(g);
		break;
	}
	return (struct md_place){ disk, row * g->chunk + off % g->chunk };
}

struct md_place md_locate(const struct md_geo *g, uint64_t off, unsigned copy)
{
	const struct md_zone *z;

	switch (g->level) {
	case MD_LINEAR:
		z = zone_at(g, off);
		return (struct md_place){ z->first, off - z->off };
	case 0:
		return raid0_locate(g, off);
	case 1:
		return (struct md_place){ copy, off };
	case 10:
		return raid10_locate(g, off, copy);
	default:
		return parity_locate(g, off);
	}
}

bool md_enough(const struct md_geo *g, const bool *there)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < g->ndisks; i++)
		missing += !there[i];
	if (md_is_parity(g))
		return missing <= nparity(g);
	if (g->level == 1)
		return missing < g->ndisks;
	if (g->level != 10)
		return missing == 0;
	/* Which disks hold a chunk repeats after as many chunks as there are disks. */
	for (unsigned chunk = 0; chunk < g->ndisks; chunk++) {
		bool any = false;

		for (unsigned copy = 0; copy < md_copies(g); copy++)
			any |= there[md_locate(g, chunk * g->chunk, copy).disk];
		if (!any)
			return false;
	}
	return true;
}
