/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_statfs.c - how much of an XFS is used.
 *
 * The superblock's counters are kept up to date only by a clean unmount; those of the groups, each of which has a head for
 * its free space (AGF) and one for its inodes (AGI), are right once the log has been replayed.  Then also free
 * is what the kernel takes back when it has done so: blocks that were set aside for copies of shared ones, which the refcount
 * tree tells, and files that were removed and not yet freed, which are listed in the heads (those of their blocks that may
 * be shared still count as used).
 */
#include "xfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

struct xfs_agf {
	uint8_t magic[4];
	be32 version, seqno, length, roots[3], levels[3], flfirst, fllast, flcount, freeblks, longest, btreeblks;
	uint8_t uuid[16];
	be32 rmap_blocks, refcount_blocks, refcount_root, refcount_level;
};
struct xfs_agi {
	uint8_t magic[4];
	be32 version, seqno, length, count, root, level, freecount, newino, dirino, unlinked[64];
};
#define AGF_CRC 216
#define AGI_CRC 312

struct sums {
	uint64_t icount, ifree, fdblocks;
};

static int head_read(struct xfs *x, uint32_t ag, unsigned index, const char *magic, size_t crc_at, uint8_t *sector,
		     struct err *e)
{
	uint64_t pos = ((uint64_t)ag * x->agblocks << x->bs_bits) + (uint64_t)index * x->sector_size;
	bool logged;
	int rc = xfs_io_meta(&x->io, sector, x->sector_size, pos, &logged, e);

	if (rc < 0)
		return rc;
	if (memcmp(sector, magic, 4) != 0)
		return err_set(e, ERR_CORRUPT, "group %" PRIu32 ": wrong magic in a head", ag);
	if (x->v5 && !logged && !xfs_crc_matches(sector, x->sector_size, crc_at))
		return err_set(e, ERR_CORRUPT, "group %" PRIu32 ": the checksum of a head does not match", ag);
	return 0;
}

/* ---- the refcount tree ---- */

struct ref_node {
	uint8_t magic[4];
	be16 level, n;
	be32 left, right;
	uint8_t rest[40];
};
_Static_assert(sizeof(struct ref_node) == 56, "as the format has it");
struct ref_record {
	be32 start, len, count;
};
/* Set in the start of what is set aside; so these are the last records. */
#define SET_ASIDE 0x80000000u

static int ref_node_read(struct xfs *x, uint32_t ag, uint32_t agbno, unsigned level, uint8_t *block, struct ref_node *h,
			 struct err *e)
{
	size_t size = level ? 8 : sizeof(struct ref_record), room = (x->bs - sizeof *h) / size;
	bool logged;
	uint64_t pos;
	int rc;

	if (!xfs_block_pos(x, (uint64_t)ag << x->ag_bits | agbno, 1, &pos) || agbno >= x->agblocks)
		return err_set(e, ERR_CORRUPT, "a node of the refcount tree at block %" PRIu32 " of group %" PRIu32, agbno, ag);
	rc = xfs_io_meta(&x->io, block, x->bs, pos, &logged, e);
	if (rc < 0)
		return rc;
	memcpy(h, block, sizeof *h);
	if (memcmp(h->magic, "R3FC", 4) != 0 || (!logged && !xfs_crc_matches(block, x->bs, sizeof *h - 4)))
		return err_set(e, ERR_CORRUPT, "block %" PRIu32 " of group %" PRIu32 " is no good node of the refcount tree",
			       agbno, ag);
	if (be16_get(h->level) != level || be16_get(h->n) > room || (level && be16_get(h->n) == 0))
		return err_set(e, ERR_CORRUPT, "a node of the refcount tree with %u entries, of level %u where %u belongs",
			       be16_get(h->n), be16_get(h->level), level);
	return 0;
}

/* Blocks of a group that were set aside.  It ends: levels go down, and no more leaves are looked at than it has blocks. */
static int set_aside(struct xfs *x, uint32_t ag, const struct xfs_agf *f, uint64_t *nblocks, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(x->bs);
	uint32_t agbno = be32_get(f->refcount_root), left = xfs_group_blocks(x, ag);
	unsigned level = be32_get(f->refcount_level), i;
	struct ref_node h;
	be32 word;

	if (!block)
		return err_nomem(e);
	if (level == 0 || level > LIMIT_XFS_LEVELS)
		return err_set(e, ERR_CORRUPT, "a refcount tree of %u levels", level);
	while (--level > 0) {
		size_t room = (x->bs - sizeof h) / 8;
		int rc = ref_node_read(x, ag, agbno, level, block, &h, e);

		if (rc < 0)
			return rc;
		/* The last child that begins at or before the first of them. */
		for (i = 1; i < be16_get(h.n); i++) {
			memcpy(&word, block + sizeof h + i * 4, sizeof word);
			if (be32_get(word) > SET_ASIDE)
				break;
		}
		memcpy(&word, block + sizeof h + room * 4 + (i - 1) * 4, sizeof word);
		agbno = be32_get(word);
	}
	for (; agbno != UINT32_MAX && left > 0; left--) {
		int rc = ref_node_read(x, ag, agbno, 0, block, &h, e);

		if (rc < 0)
			return rc;
		for (i = 0; i < be16_get(h.n); i++) {
			struct ref_record rec;

			memcpy(&rec, block + sizeof h + i * sizeof rec, sizeof rec);
			if (be32_get(rec.start) & SET_ASIDE)
				*nblocks += be32_get(rec.len);
		}
		agbno = be32_get(h.right);
	}
	return 0;
}

/* ---- files that were removed ---- */

#define NO_INODE 0xffffffffu

/* One of the lists: it ends where it cannot be followed, and each inode has a turn at most. */
static void removed_add(struct xfs *x, uint32_t ag, uint32_t agino, uint64_t *left, struct sums *s)
{
	while (agino != NO_INODE && *left > 0) {
		CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;

		(*left)--;
		if (agino >> x->inop_bits >> x->ag_bits ||
		    xfs_inode_get(x, (uint64_t)ag << (x->ag_bits + x->inop_bits) | agino, &in, NULL) < 0)
			return;
		s->ifree++;
		if (!(in->flags2 & XFS_FLAG2_REFLINK))
			s->fdblocks += MIN_OF(be64_get(in->d->nblocks), x->nblocks);
		agino = be32_get(in->d->next_unlinked);
	}
}

/* ---- all groups ---- */

static int group_add(struct xfs *x, uint32_t ag, uint8_t *sector, struct sums *s, struct err *e)
{
	struct xfs_agf f;
	struct xfs_agi i;
	uint64_t left;
	int rc = head_read(x, ag, 1, "XAGF", AGF_CRC, sector, e);

	if (rc < 0)
		return rc;
	memcpy(&f, sector, sizeof f);
	rc = head_read(x, ag, 2, "XAGI", AGI_CRC, sector, e);
	if (rc < 0)
		return rc;
	memcpy(&i, sector, sizeof i);
	s->fdblocks += (uint64_t)be32_get(f.freeblks) + be32_get(f.flcount) + be32_get(f.btreeblks);
	s->icount += be32_get(i.count);
	s->ifree += be32_get(i.freecount);
	if (!x->over)
		return 0;
	left = be32_get(i.count);
	for (size_t k = 0; k < ARRAY_LEN(i.unlinked); k++)
		removed_add(x, ag, be32_get(i.unlinked[k]), &left, s);
	return x->reflink ? set_aside(x, ag, &f, &s->fdblocks, e) : 0;
}

static int groups_sum(struct xfs *x, struct sums *s, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *sector = alloc_bytes(x->sector_size);

	if (!sector)
		return err_nomem(e);
	if (x->agcount > LIMIT_XFS_GROUPS)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " groups", x->agcount);
	memset(s, 0, sizeof *s);
	for (uint32_t ag = 0; ag < x->agcount; ag++) {
		int rc = group_add(x, ag, sector, s, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int xfs_statfs(struct xfs *x, struct fs_usage *out, struct err *e)
{
	const uint64_t max_inode = (1ULL << 56) - 1;
	/* Blocks that each group keeps back, so that its own trees can always grow. */
	const uint64_t kept = 8ULL * x->agcount;
	struct sums s = { .icount = x->icount, .ifree = x->ifree, .fdblocks = x->fdblocks };
	uint64_t files, max, chunk;

	if ((x->lazy && x->over) || s.ifree > s.icount || s.fdblocks > x->nblocks) {
		int rc = groups_sum(x, &s, e);

		if (rc < 0)
			return rc;
	}
	s.fdblocks = MIN_OF(s.fdblocks, x->nblocks);
	out->block_size = x->bs;
	out->blocks = x->nblocks - (x->log_start ? x->log_blocks : 0);
	out->blocks_free = s.fdblocks - MIN_OF(s.fdblocks, kept);
	out->blocks_avail = out->blocks_free;
	/* Every free block may become inodes, up to the part of all blocks that may. */
	files = MIN_OF(s.icount + (out->blocks_free << x->inop_bits), max_inode);
	chunk = MAX_OF(64u >> x->inop_bits, 1u);
	max = x->nblocks / 100 * x->imax_pct + x->nblocks % 100 * x->imax_pct / 100;
	max = max / chunk * chunk << x->inop_bits;
	if (x->imax_pct)
		files = MIN_OF(files, max);
	out->inodes = MAX_OF(files, s.icount);
	out->inodes_free = out->inodes - (s.icount - MIN_OF(s.ifree, s.icount));
	return 0;
}
