/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_over_inode.c - what XFS's log says of inodes.
 *
 * An inode is not logged as bytes: there is its core, in the byte order of the machine that wrote it, and, where they
 * have changed, the content of its forks as the kernel holds it in memory.  So what was logged last of each is put where it
 * belongs in the inode that lies on the device.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

#define UNIT 4096u
/* Inodes have at least 256 bytes. */
#define SLOTS (UNIT / 256)

/* ---- settling ---- */

static int inode_order(const void *a, const void *b)
{
	const struct xfs_inode_piece *p = a, *q = b;

	if (p->pos / UNIT != q->pos / UNIT)
		return p->pos / UNIT < q->pos / UNIT ? -1 : 1;
	if (p->seq != q->seq)
		return p->seq < q->seq ? -1 : 1;
	return p->pos < q->pos ? -1 : p->pos > q->pos;
}

/* What is known of one inode of a unit, while its log is gone through from old to new. */
struct slot {
	struct xfs_inode_piece sum;
	bool any;	    /* there is a sum */
	bool age_known;
	uint64_t lsn;	    /* of when it was written to the device */
	uint16_t flushes;   /* the same before version 5: how often it was */
};

static int age_read(const struct xfs_over *o, struct xfs *x, uint64_t pos, struct slot *s, struct err *e)
{
	struct xfs_dinode d;
	be16 flushes;
	int rc;

	if (s->age_known)
		return 0;
	rc = xfs_io_meta(&x->io, &d, o->v5 ? XFS_CORE3 : XFS_CORE2, pos, NULL, e);
	if (rc < 0)
		return rc;
	s->age_known = true;
	if (be16_get(d.magic) != XFS_DINODE_MAGIC)
		return 0;
	memcpy(&flushes, d.big_nextents.b + 6, sizeof flushes);
	/* All ones: never written with a number. */
	s->lsn = o->v5 && be64_get(d.lsn) != UINT64_MAX ? be64_get(d.lsn) : 0;
	s->flushes = o->v5 ? 0 : be16_get(flushes);
	return 0;
}

/* Was the inode written to the device after this was logged? */
static int is_stale(struct xfs_over *o, struct xfs *x, const struct xfs_inode_piece *p, struct slot *s, bool *stale,
		    struct err *e)
{
	le16 flushes;
	int rc = age_read(o, x, p->pos, s, e);

	*stale = s->lsn > p->lsn;
	if (rc < 0 || o->v5)
		return rc;
	rc = xfs_over_span(o, p->core, offsetof(struct xfs_dinode, big_nextents) + 6, &flushes, sizeof flushes, e);
	if (rc < 0)
		return rc;
	/* The count of flushes starts over at 0. */
	*stale = le16_get(flushes) < s->flushes && !(s->flushes == UINT16_MAX && le16_get(flushes) < UINT16_MAX >> 1);
	return 0;
}

static int piece_take(struct xfs_over *o, struct xfs *x, const struct xfs_inode_piece *p, struct slot *s, struct err *e)
{
	struct xfs_inode_piece sum = *p;
	bool stale;
	int rc = is_stale(o, x, p, s, &stale, e);

	if (rc < 0 || stale)
		return rc;
	s->flushes = 0;
	if (s->any) {
		if (!(p->fields & XFS_ILOG_DATA)) {
			sum.data = s->sum.data;
			sum.fields |= s->sum.fields & XFS_ILOG_DATA;
		}
		if (!(p->fields & XFS_ILOG_ATTR)) {
			sum.attr = s->sum.attr;
			sum.fields |= s->sum.fields & XFS_ILOG_ATTR;
		}
		if (!(p->fields & XFS_ILOG_DEV)) {
			sum.dev = s->sum.dev;
			sum.fields |= s->sum.fields & XFS_ILOG_DEV;
		}
		sum.fields |= s->sum.fields & (XFS_ILOG_DOWNER | XFS_ILOG_AOWNER);
	}
	s->sum = sum;
	s->any = true;
	return 0;
}

/*
 * Inodes were made, or freed, here: what was logged of them before counts no more.  Before there was an item for it (in
 * version 4 there is none) the bytes of new inodes are logged; of others only links are, which lie behind the first word.
 */
static void slots_forget(const struct xfs_over *o, struct slot *slots, const struct xfs_piece *p)
{
	uint32_t len = p->kind == XFS_PIECE_DATA ? sizeof(be32) : o->inode_size;

	for (uint32_t at = 0; at < UNIT; at += o->inode_size)
		if (ranges_overlap(at, len, p->pos % UNIT, p->len)) {
			struct slot *s = &slots[at / o->inode_size];

			memset(s, 0, sizeof *s);
			s->age_known = p->kind != XFS_PIECE_CANCEL;
		}
}

/*
 * The inodes [first, end) of one unit, with the other pieces of it from *at on, both in order of time.  Sums are put where the
 * inodes were, from *kept on, which is not behind first.
 */
static int unit_settle(struct xfs_over *o, struct xfs *x, size_t first, size_t end, size_t *at, size_t *kept,
		       struct err *e)
{
	struct slot slots[SLOTS] = { { .any = false } };
	uint64_t unit = o->inodes[first].pos / UNIT;

	while (*at < o->npieces && o->pieces[*at].pos / UNIT < unit)
		(*at)++;
	for (size_t i = first; i < end; i++) {
		const struct xfs_inode_piece p = o->inodes[i];
		int rc;

		for (; *at < o->npieces && o->pieces[*at].pos / UNIT == unit && o->pieces[*at].seq < p.seq; (*at)++)
			slots_forget(o, slots, &o->pieces[*at]);
		rc = piece_take(o, x, &p, &slots[p.pos % UNIT / o->inode_size], e);
		if (rc < 0)
			return rc;
	}
	for (; *at < o->npieces && o->pieces[*at].pos / UNIT == unit; (*at)++)
		slots_forget(o, slots, &o->pieces[*at]);
	for (size_t i = 0; i < SLOTS; i++)
		if (slots[i].any)
			o->inodes[(*kept)++] = slots[i].sum;
	return 0;
}

int xfs_over_settle_inodes(struct xfs_over *o, struct xfs *x, struct err *e)
{
	size_t kept = 0, at = 0;

	if (o->ninodes)
		qsort(o->inodes, o->ninodes, sizeof *o->inodes, inode_order);
	for (size_t i = 0, end; i < o->ninodes; i = end) {
		int rc;

		for (end = i + 1; end < o->ninodes && o->inodes[end].pos / UNIT == o->inodes[i].pos / UNIT; end++)
			;
		rc = unit_settle(o, x, i, end, &at, &kept, e);
		if (rc < 0)
			return rc;
	}
	o->ninodes = kept;
	return 0;
}

/* ---- reading ---- */

struct field {
	uint8_t off, size;
};
/* Numbers of the core, but those that the log does not change: next_unlinked, crc, lsn. */
static const struct field core_fields[] = {
	{ 0, 2 },   { 2, 2 },	{ 4, 1 },   { 5, 1 },	{ 6, 2 },   { 8, 4 },	{ 12, 4 },  { 16, 4 },	{ 20, 2 },  { 22, 2 },
	{ 56, 8 },  { 64, 8 },	{ 72, 4 },  { 76, 4 },	{ 80, 2 },  { 82, 1 },	{ 83, 1 },  { 84, 4 },	{ 88, 2 },  { 90, 2 },
	{ 92, 4 },
};
static const struct field core3_fields[] = {
	{ 24, 8 }, { 104, 8 }, { 120, 8 }, { 128, 4 }, { 152, 8 },
};
static const uint8_t times[] = { 32, 40, 48 };
#define CRTIME 144
#define UUID_AT 160

/* From little-endian to big-endian, whatever we run on. */
static void turn(uint8_t *to, const uint8_t *from, size_t off, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[off + i] = from[off + size - 1 - i];
}

static void core_put(uint8_t *raw, const uint8_t *core, bool v5)
{
	bool big = false;

	for (size_t i = 0; i < ARRAY_LEN(core_fields); i++)
		turn(raw, core, core_fields[i].off, core_fields[i].size);
	if (v5) {
		for (size_t i = 0; i < ARRAY_LEN(core3_fields); i++)
			turn(raw, core, core3_fields[i].off, core3_fields[i].size);
		memcpy(raw + UUID_AT, core + UUID_AT, 16);
		big = raw[offsetof(struct xfs_dinode, flags2) + 7] & XFS_FLAG2_BIGTIME;
	}
	/* A time is one number of 8 bytes, or two of 4. */
	for (size_t i = 0; i < ARRAY_LEN(times) + v5; i++) {
		size_t off = i < ARRAY_LEN(times) ? times[i] : CRTIME;

		if (big) {
			turn(raw, core, off, 8);
		} else {
			turn(raw, core, off, 4);
			turn(raw, core, off + 4, 4);
		}
	}
}

/*
 * The root of an extent tree is logged as it is in memory: with the long head of a block, keys right behind it, and the
 * numbers of blocks behind room for as many keys as there is room for pairs.
 */
static int root_put(struct xfs_over *o, uint8_t *fork, size_t fork_len, const struct xfs_span *span, struct err *e)
{
	size_t head = o->v5 ? 72 : 24, len = 0, logged_room, room = fork_len < 4 ? 0 : (fork_len - 4) / 16, n;
	uint8_t h[8];
	int rc = xfs_over_span(o, *span, 0, h, sizeof h, e);

	if (rc < 0)
		return rc;
	for (struct xfs_span s = *span;; s = o->spans[s.next - 1]) {
		len += s.len;
		if (!s.next)
			break;
	}
	/* Magic, level, number of entries. */
	n = (size_t)h[6] << 8 | h[7];
	logged_room = len < head ? 0 : (len - head) / 16;
	if (n > room || n > logged_room)
		return err_set(e, ERR_CORRUPT, "the root of an extent tree is logged with %zu entries", n);
	memcpy(fork, h + 4, 4);
	rc = xfs_over_span(o, *span, head, fork + 4, n * 8, e);
	if (rc == 0)
		rc = xfs_over_span(o, *span, head + logged_room * 8, fork + 4 + room * 8, n * 8, e);
	return rc;
}

static int fork_put(struct xfs_over *o, uint8_t *fork, size_t fork_len, const struct xfs_span *span, bool root,
		    struct err *e)
{
	if (root)
		return root_put(o, fork, fork_len, span, e);
	/* What is written beyond the fork belongs to nobody. */
	for (struct xfs_span s = *span;; s = o->spans[s.next - 1]) {
		size_t n = MIN_OF(s.len, fork_len);
		struct xfs_span alone = { .at = s.at, .len = s.len };
		int rc = xfs_over_span(o, alone, 0, fork, n, e);

		if (rc < 0 || !s.next)
			return rc;
		fork += n;
		fork_len -= n;
	}
}

static const struct xfs_inode_piece *find(const struct xfs_over *o, uint64_t pos)
{
	size_t lo = 0, hi = o->ninodes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->inodes[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->ninodes && o->inodes[lo].pos == pos ? &o->inodes[lo] : NULL;
}

/*
 * What was logged of a fork is its last content of that kind.  When the inode has another now, that was of a file that was
 * removed since.
 */
static bool is_of_format(unsigned fields, uint8_t format)
{
	switch (format) {
	case XFS_FORMAT_LOCAL:
		return fields & (XFS_ILOG_DDATA | XFS_ILOG_ADATA);
	case XFS_FORMAT_EXTENTS:
		return fields & (XFS_ILOG_DEXT | XFS_ILOG_AEXT);
	case XFS_FORMAT_BTREE:
		return fields & (XFS_ILOG_DBROOT | XFS_ILOG_ABROOT);
	default:
		return false;
	}
}

static int inode_put(struct xfs_over *o, const struct xfs_inode_piece *p, uint8_t *raw, struct err *e)
{
	const struct xfs_dinode *d = (const struct xfs_dinode *)(const void *)raw;
	uint8_t core[XFS_CORE3];
	size_t head = o->v5 ? XFS_CORE3 : XFS_CORE2, room = o->inode_size - head, attr_off;
	int rc = xfs_over_span(o, p->core, 0, core, o->v5 ? XFS_CORE3 : XFS_CORE2 - 4, e);

	if (rc < 0)
		return rc;
	core_put(raw, core, o->v5);
	attr_off = (size_t)d->forkoff * 8;
	if (attr_off >= room)
		return err_set(e, ERR_CORRUPT, "its attributes begin at byte %zu of %zu", attr_off, room);
	if ((p->fields & XFS_ILOG_DEV) && d->format == XFS_FORMAT_DEV) {
		be32 dev;

		be32_put(&dev, p->dev);
		memcpy(raw + head, &dev, sizeof dev);
	}
	if (is_of_format(p->fields & XFS_ILOG_DATA, d->format))
		rc = fork_put(o, raw + head, attr_off ? attr_off : room, &p->data, p->fields & XFS_ILOG_DBROOT, e);
	if (rc == 0 && attr_off && is_of_format(p->fields & XFS_ILOG_ATTR, d->aformat))
		rc = fork_put(o, raw + head + attr_off, room - attr_off, &p->attr, p->fields & XFS_ILOG_ABROOT, e);
	return rc;
}

int xfs_over_inode(struct xfs_over *o, struct xfs_inode *in, uint64_t pos, bool *logged, struct err *e)
{
	const struct xfs_inode_piece *p = find(o, pos);

	for (size_t i = 0; i < o->nintents; i++)
		if (o->intents[i].ino == in->ino)
			in->unfinished |= o->intents[i].what;
	if (!p)
		return 0;
	*logged = true;
	in->any_owner = p->fields & (XFS_ILOG_DOWNER | XFS_ILOG_AOWNER);
	return inode_put(o, p, in->raw, e);
}
