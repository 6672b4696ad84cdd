/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_map.c - where a file's blocks are, and its bytes.
 *
 * An extent is 128 bits: 1 whether it is unwritten, 54 the first block of the file, 52 the first block of the filesystem, 21
 * how many.  A few lie in the inode; more lie in the leaves of a B+tree, whose root in the inode has a head of its own:
 * level and number of entries, then room for keys, then as much for the numbers of the blocks one level down.
 *
 * A map is looked up one leaf at a time, and that leaf is kept as runs that cover a range of the file: reading on needs no
 * further lookup.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>

#define MAX_LBLK (1ULL << 54)

struct packed {
	be64 hi, lo;
};
struct root {
	be16 level, n;
};
/* The rest only in version 5. */
struct node {
	uint8_t magic[4];
	be16 level, n;
	be64 left, right;
	be64 place, lsn;
	uint8_t uuid[16];
	be64 owner;
	le32 crc, pad;
};
_Static_assert(sizeof(struct node) == 72, "as the format has it");
#define NODE2_HEAD 24u

static int run_add(struct xfs_fork *f, uint64_t bs, const struct xfs_run *r, struct err *e)
{
	struct xfs_run *last = f->n ? &f->runs[f->n - 1] : NULL;

	if (r->len == 0)
		return 0;
	if (last && last->kind == r->kind && (r->kind == XFS_RUN_HOLE || last->pos + last->len * bs == r->pos)) {
		last->len += r->len;
		return 0;
	}
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 8;
		struct xfs_run *runs = alloc_resize(f->runs, cap, sizeof *runs);

		if (!runs)
			return err_nomem(e);
		f->runs = runs;
		f->cap = cap;
	}
	f->runs[f->n++] = *r;
	return 0;
}

/* n extents at `bytes`, which are responsible for [first, end), as runs. */
static int extents_take(const struct xfs *x, struct xfs_fork *f, const uint8_t *bytes, size_t n, uint64_t first,
			uint64_t end, struct err *e)
{
	uint64_t at = first;
	struct xfs_run gap;
	int rc;

	f->first = first;
	f->end = end;
	for (size_t i = 0; i < n; i++) {
		struct packed raw;
		struct xfs_run r;
		uint64_t hi, lo, fsb;

		memcpy(&raw, bytes + i * sizeof raw, sizeof raw);
		hi = be64_get(raw.hi);
		lo = be64_get(raw.lo);
		r.kind = hi >> 63 ? XFS_RUN_UNWRITTEN : XFS_RUN_DATA;
		r.lblk = hi >> 9 & (MAX_LBLK - 1);
		fsb = (hi & 0x1ff) << 43 | lo >> 21;
		r.len = lo & 0x1fffff;
		if (r.len == 0 || r.lblk < at || r.lblk + r.len > end)
			return err_set(e, ERR_CORRUPT, "an extent of %" PRIu64 " blocks at %" PRIu64 " overlaps its neighbours",
				       r.len, r.lblk);
		if (!xfs_block_pos(x, fsb, r.len, &r.pos))
			return err_set(e, ERR_CORRUPT, "an extent of %" PRIu64 " blocks at block %" PRIu64
				       " lies outside of the filesystem", r.len, fsb);
		gap = (struct xfs_run){ .lblk = at, .len = r.lblk - at, .kind = XFS_RUN_HOLE };
		rc = run_add(f, x->bs, &gap, e);
		if (rc == 0)
			rc = run_add(f, x->bs, &r, e);
		if (rc < 0)
			return rc;
		at = r.lblk + r.len;
	}
	gap = (struct xfs_run){ .lblk = at, .len = end - at, .kind = XFS_RUN_HOLE };
	return run_add(f, x->bs, &gap, e);
}

static uint64_t get64(const uint8_t *p)
{
	be64 v;

	memcpy(&v, p, sizeof v);
	return be64_get(v);
}

/*
 * The entry of an index node that decides lblk: of n keys that ascend and lie in [*first, *end), the last that is not above
 * it.  *first and *end become its range.  false when lblk is before all of them.
 */
static int index_choose(const uint8_t *keys, unsigned n, uint64_t lblk, uint64_t *first, uint64_t *end, unsigned *choice,
			struct err *e)
{
	for (unsigned i = 0; i < n; i++)
		if (get64(keys + i * 8) < (i ? get64(keys + (i - 1) * 8) + 1 : *first) || get64(keys + i * 8) >= *end)
			return err_set(e, ERR_CORRUPT, "the keys of an extent tree's node are out of order");
	*choice = 0;
	while (*choice + 1 < n && get64(keys + (*choice + 1) * 8) <= lblk)
		(*choice)++;
	if (*choice + 1 < n)
		*end = get64(keys + (*choice + 1) * 8);
	*first = get64(keys + *choice * 8);
	return 0;
}

/* Reads the node at block fsb, of this level, into x->node. */
static int node_read(struct xfs *x, const struct xfs_inode *in, uint64_t fsb, unsigned level, unsigned *n, struct err *e)
{
	size_t head = x->v5 ? sizeof(struct node) : NODE2_HEAD, room = (x->bs - head) / 16;
	struct node h;
	bool logged;
	uint64_t pos;
	int rc;

	if (!xfs_block_pos(x, fsb, 1, &pos))
		return err_set(e, ERR_CORRUPT, "extent tree: a node at block %" PRIu64 ", outside of the filesystem", fsb);
	rc = xfs_io_meta(&x->io, x->node, x->bs, pos, &logged, e);
	if (rc < 0)
		return rc;
	memcpy(&h, x->node, sizeof h);
	if (memcmp(h.magic, x->v5 ? "BMA3" : "BMAP", 4) != 0)
		return err_set(e, ERR_CORRUPT, "extent tree: wrong magic at sector %" PRIu64, pos >> XFS_SECTOR_BITS);
	rc = xfs_self_check(x, &xfs_self_map, x->node, x->bs, pos, in->any_owner ? XFS_ANY_OWNER : in->ino, logged,
			    "extent tree's node", e);
	if (rc < 0)
		return rc;
	*n = be16_get(h.n);
	if (be16_get(h.level) != level)
		return err_set(e, ERR_CORRUPT, "extent tree: a node of level %u where %u belongs", be16_get(h.level), level);
	/* A tree of empty nodes could make a walk through a file endless. */
	if (*n == 0 || *n > room)
		return err_set(e, ERR_CORRUPT, "extent tree: %u entries in a node for %zu", *n, room);
	return 0;
}

/* Descends to the leaf for lblk.  It ends: each level is one below the last, and the root's has a limit. */
static int tree_load(struct xfs *x, const struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, struct err *e)
{
	size_t head = sizeof(struct root), room;
	const uint8_t *node = f->bytes;
	uint64_t first = 0, end = MAX_LBLK;
	unsigned level, n, i = 0;
	struct root r;
	int rc;

	if (f->len < sizeof r + 16)
		return err_set(e, ERR_CORRUPT, "extent tree: a root of %zu bytes", f->len);
	memcpy(&r, node, sizeof r);
	room = (f->len - sizeof r) / 16;
	level = be16_get(r.level);
	n = be16_get(r.n);
	if (level == 0 || level > LIMIT_XFS_LEVELS || n == 0 || n > room)
		return err_set(e, ERR_CORRUPT, "extent tree: a root of level %u with %u entries in room for %zu", level, n,
			       room);
	while (level > 0) {
		rc = index_choose(node + head, n, lblk, &first, &end, &i, e);
		if (rc < 0)
			return rc;
		if (lblk < first) {
			/* Before the first entry of all: a hole. */
			const struct xfs_run gap = { .lblk = lblk, .len = first - lblk, .kind = XFS_RUN_HOLE };

			f->first = lblk;
			f->end = first;
			return run_add(f, x->bs, &gap, e);
		}
		rc = node_read(x, in, get64(node + head + room * 8 + i * 8), --level, &n, e);
		if (rc < 0)
			return rc;
		node = x->node;
		head = x->v5 ? sizeof(struct node) : NODE2_HEAD;
		room = (x->bs - head) / 16;
	}
	return extents_take(x, f, node + head, n, first, end, e);
}

/* The run as it lies on the disk, or as the log has it. */
static int run_find(struct xfs *x, const struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, struct xfs_run *out,
		    struct err *e)
{
	size_t lo = 0, hi;
	int rc;

	if (f->n == 0 || lblk < f->first || lblk >= f->end) {
		f->n = 0;
		if (f->format == XFS_FORMAT_EXTENTS)
			rc = extents_take(x, f, f->bytes, (size_t)f->nextents, 0, MAX_LBLK, e);
		else if (f->format == XFS_FORMAT_BTREE)
			rc = tree_load(x, in, f, lblk, e);
		else
			rc = err_set(e, ERR_CORRUPT, "a fork of format %u has no map", f->format);
		if (rc < 0) {
			f->n = 0;
			return err_in(e, rc, "inode %" PRIu64, in->ino);
		}
	}
	/* The last run that begins at or before lblk; the runs cover [first, end) without gaps. */
	for (hi = f->n; hi - lo > 1;) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->runs[mid].lblk <= lblk)
			lo = mid;
		else
			hi = mid;
	}
	*out = f->runs[lo];
	out->len -= lblk - out->lblk;
	if (out->kind != XFS_RUN_HOLE)
		out->pos += (lblk - out->lblk) << x->bs_bits;
	out->lblk = lblk;
	return 0;
}

/* What the log announces for the file's map, done: later changes over earlier ones. */
static int changes_lay(struct xfs *x, const struct xfs_inode *in, struct xfs_run *run, struct err *e)
{
	const struct xfs_over *o = x->over;

	for (size_t i = 0; i < o->nintents; i++) {
		const struct xfs_intent *c = &o->intents[i];
		uint64_t end = c->lblk + c->len;

		if (c->ino != in->ino || c->what != XFS_UNFINISHED_MAP || end <= run->lblk)
			continue;
		if (c->lblk > run->lblk) {
			run->len = MIN_OF(run->len, c->lblk - run->lblk);
			continue;
		}
		run->kind = c->kind;
		run->len = end - run->lblk;
		if (c->kind == XFS_RUN_HOLE)
			continue;
		if (!xfs_block_pos(x, c->fsb, c->len, &run->pos))
			return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": the log maps %" PRIu32 " blocks at block %" PRIu64
				       ", outside of the filesystem", in->ino, c->len, c->fsb);
		run->pos += (run->lblk - c->lblk) << x->bs_bits;
	}
	return 0;
}

int xfs_map(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, struct xfs_run *out, struct err *e)
{
	int rc;

	if (lblk >= MAX_LBLK)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": block %" PRIu64 " of a file", in->ino, lblk);
	if (in->unfinished & (f == &in->data ? XFS_UNFINISHED_DATA : XFS_UNFINISHED_ATTR))
		return err_set(e, ERR_UNSUPPORTED,
			       "inode %" PRIu64 ": the crash cut off a change of its map; the appliance completes it", in->ino);
	rc = run_find(x, in, f, lblk, out, e);
	if (rc == 0 && f == &in->data && in->unfinished & XFS_UNFINISHED_MAP)
		rc = changes_lay(x, in, out, e);
	return rc;
}

/* Each turn takes a run of the change, whose length has 32 bits. */
int xfs_map_growth(struct xfs *x, struct xfs_inode *in, int64_t *nblocks, struct err *e)
{
	const struct xfs_over *o = x->over;

	*nblocks = 0;
	for (size_t i = 0; i < o->nintents; i++) {
		const struct xfs_intent *c = &o->intents[i];
		struct xfs_run run;

		if (c->ino != in->ino || c->what != XFS_UNFINISHED_MAP)
			continue;
		if (c->kind != XFS_RUN_HOLE) {
			*nblocks += c->len;
			continue;
		}
		for (uint64_t lblk = c->lblk; lblk < c->lblk + c->len; lblk += run.len) {
			int rc = run_find(x, in, &in->data, lblk, &run, e);

			if (rc < 0)
				return rc;
			if (run.kind != XFS_RUN_HOLE)
				*nblocks -= (int64_t)MIN_OF(run.len, c->lblk + c->len - lblk);
		}
	}
	return 0;
}

int xfs_map_meta(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t lblk, unsigned n, uint8_t *buf,
		 uint64_t *pos, bool *logged, struct err *e)
{
	*logged = false;
	for (unsigned i = 0; i < n;) {
		struct xfs_run run;
		bool part = false;
		uint64_t take;
		int rc = xfs_map(x, in, f, lblk + i, &run, e);

		if (rc < 0)
			return rc;
		if (run.kind != XFS_RUN_DATA)
			return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": block %" PRIu64 " of it is a hole", in->ino, lblk + i);
		if (i == 0)
			*pos = run.pos;
		take = MIN_OF(run.len, (uint64_t)(n - i));
		rc = xfs_io_meta(&x->io, buf + ((size_t)i << x->bs_bits), (size_t)take << x->bs_bits, run.pos, &part, e);
		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu64, in->ino);
		*logged |= part;
		i += (unsigned)take;
	}
	return 0;
}

/* ---- bytes ---- */

static int judge_data(const struct xfs_inode *in, struct err *e)
{
	if (in->flags & XFS_FLAG_REALTIME)
		return err_set(e, ERR_UNSUPPORTED, "inode %" PRIu64 " is on the realtime device, which is not read", in->ino);
	return 0;
}

int xfs_read(struct xfs *x, struct xfs_inode *in, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	uint8_t *p = buf;
	int rc = judge_data(in, e);

	*got = 0;
	if (rc < 0 || off >= in->size)
		return rc;
	len = (size_t)MIN_OF((uint64_t)len, in->size - off);
	while (*got < len) {
		uint64_t at = off + *got, skip = at & (x->bs - 1);
		struct xfs_run run;
		size_t n;

		rc = xfs_map(x, in, &in->data, at >> x->bs_bits, &run, e);
		if (rc < 0)
			return rc;
		/* The bytes of a run, which for a hole may be more than 64 bits tell. */
		n = len - *got;
		if (run.len <= (n + skip) >> x->bs_bits)
			n = (size_t)MIN_OF((uint64_t)n, (run.len << x->bs_bits) - skip);
		if (run.kind != XFS_RUN_DATA)
			memset(p + *got, 0, n);
		else
			rc = xfs_io_read(&x->io, p + *got, n, run.pos + skip, e);
		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu64, in->ino);
		*got += n;
	}
	return 0;
}

int xfs_extent(struct xfs *x, struct xfs_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	uint64_t lblk = off >> x->bs_bits, end;
	int rc = judge_data(in, e);

	*len = 0;
	*hole = false;
	if (rc < 0 || off >= in->size)
		return rc;
	end = div_round_up(in->size, x->bs);
	/* lblk only grows; a tree has no empty nodes, so each run stands for an extent or the gap before one. */
	while (lblk < end) {
		struct xfs_run run;
		bool empty;

		rc = xfs_map(x, in, &in->data, lblk, &run, e);
		if (rc < 0)
			return rc;
		/* What is unwritten is a hole to SEEK_HOLE. */
		empty = run.kind != XFS_RUN_DATA;
		if (lblk == off >> x->bs_bits)
			*hole = empty;
		else if (*hole != empty)
			break;
		lblk += MIN_OF(run.len, end - lblk);
	}
	*len = (lblk < end ? lblk << x->bs_bits : in->size) - off;
	return 0;
}

int xfs_place(struct xfs *x, struct xfs_inode *in, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	uint64_t skip = off & (x->bs - 1);
	struct xfs_run run;
	int rc = judge_data(in, e);

	if (rc < 0 || off >= in->size)
		return rc;
	rc = xfs_map(x, in, &in->data, off >> x->bs_bits, &run, e);
	if (rc < 0)
		return rc;
	/* A hole may be longer than 64 bits tell in bytes. */
	*len = in->size - off;
	if (run.len <= (*len + skip) >> x->bs_bits)
		*len = MIN_OF(*len, (run.len << x->bs_bits) - skip);
	*where = run.pos + skip;
	return run.kind == XFS_RUN_DATA;
}

/* ---- symlinks ---- */

/* In version 5 each run of blocks has one head: its magic, where in the target its bytes belong, and how many there are. */
struct link_head {
	uint8_t magic[4];
	be32 off, len;
	le32 crc;
	uint8_t uuid[16];
	be64 owner, place, lsn;
};
_Static_assert(sizeof(struct link_head) == 56, "as the format has it");

static int link_read(struct xfs *x, struct xfs_inode *in, char *target, size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(LIMIT_XFS_BLOCK);
	uint64_t lblk = 0;
	size_t got = 0;

	if (!block)
		return err_nomem(e);
	/* Each turn takes at least a byte of the target. */
	while (got < len) {
		size_t head = x->v5 ? sizeof(struct link_head) : 0, n, size;
		struct link_head h;
		struct xfs_run run;
		bool logged;
		int rc = xfs_map(x, in, &in->data, lblk, &run, e);

		if (rc < 0)
			return rc;
		size = (size_t)MIN_OF(run.len, (uint64_t)LIMIT_XFS_BLOCK >> x->bs_bits) << x->bs_bits;
		if (run.kind != XFS_RUN_DATA || size == 0)
			return err_set(e, ERR_CORRUPT, "the target has a hole");
		rc = xfs_io_meta(&x->io, block, size, run.pos, &logged, e);
		if (rc < 0)
			return rc;
		n = MIN_OF(size - head, len - got);
		if (x->v5) {
			memcpy(&h, block, sizeof h);
			if (memcmp(h.magic, "XSLM", 4) != 0 || be32_get(h.off) != got || be32_get(h.len) != n)
				return err_set(e, ERR_CORRUPT, "sector %" PRIu64 " does not hold its target",
					       run.pos >> XFS_SECTOR_BITS);
			rc = xfs_self_check(x, &xfs_self_remote, block, size, run.pos, in->ino, logged, "symlink's block", e);
			if (rc < 0)
				return rc;
		}
		memcpy(target + got, block + head, n);
		got += n;
		lblk += size >> x->bs_bits;
	}
	return 0;
}

int xfs_readlink(struct xfs *x, struct xfs_inode *in, struct strbuf *target, struct err *e)
{
	char buf[LIMIT_XFS_LINK];
	size_t len = (size_t)in->size;
	int rc = 0;

	if (!S_ISLNK(in->mode))
		return err_sys(e, EINVAL, "inode %" PRIu64 " is not a symlink", in->ino);
	if (in->size == 0 || in->size > LIMIT_XFS_LINK)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": a symlink of %" PRIu64 " bytes", in->ino, in->size);
	if (in->data.format == XFS_FORMAT_LOCAL)
		memcpy(buf, in->data.bytes, len);
	else
		rc = link_read(x, in, buf, len, e);
	if (rc < 0)
		return err_in(e, rc, "inode %" PRIu64, in->ino);
	/* Ends at a NUL, as the kernel lets it end. */
	strbuf_add(target, buf, strnlen(buf, len));
	return target->failed ? err_nomem(e) : 0;
}
