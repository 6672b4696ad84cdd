/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xfs_super.c - the superblock: every claim judged before anything computes with it. */
#include "xfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

struct xfs_sb {
	uint8_t magic[4];
	be32 blocksize;
	be64 dblocks, rblocks, rextents;
	uint8_t uuid[16];
	be64 logstart, rootino, rbmino, rsumino;
	be32 rextsize, agblocks, agcount, rbmblocks, logblocks;
	be16 versionnum, sectsize, inodesize, inopblock;
	char fname[12];
	uint8_t blocklog, sectlog, inodelog, inopblog, agblklog, rextslog, inprogress, imax_pct;
	be64 icount, ifree, fdblocks, frextents, uquotino, gquotino;
	be16 qflags;
	uint8_t flags, shared_vn;
	be32 inoalignmt, unit, width;
	uint8_t dirblklog, logsectlog;
	be16 logsectsize;
	be32 logsunit, features2, bad_features2;
	/* Version 5 only. */
	be32 compat, ro_compat, incompat, log_incompat;
	le32 crc;
	be32 spino_align;
	be64 pquotino, lsn;
	uint8_t meta_uuid[16];
};
_Static_assert(sizeof(struct xfs_sb) == 264, "as the format has it");

/* versionnum: the version, and features of version 4. */
#define VERSION_MASK 0x000f
#define V4_SHARED 0x0200
#define V4_DIR2 0x2000
#define V4_FOLD 0x4000
#define V4_MORE 0x8000
/* features2 */
#define F2_LAZY 0x002
#define F2_PROJID32 0x080
#define F2_FTYPE 0x200
#define F2_KNOWN 0x28b /* with attr2 (0x008), and 0x001, which was reserved before it was given out */

#define RO_COMPAT_REFLINK 0x04
#define INCOMPAT_FTYPE 0x01
#define INCOMPAT_META_UUID 0x04
#define INCOMPAT_NEEDS_REPAIR 0x10
/* ftype, sparse inodes, meta_uuid, bigtime, nrext64; exchrange and parent change nothing that is read here. */
#define INCOMPAT_READ 0xef

struct feature {
	uint32_t bit;
	const char *name; /* as xfs_info prints it, or else the kernel */
};
static const struct feature incompat_unread[] = {
	{ 0x100, "metadir" },
	{ 0x200, "zoned" },
	{ 0x400, "zone_gaps" },
};

static int judge_features(struct xfs *x, const struct xfs_sb *s, struct err *e)
{
	unsigned versionnum = be16_get(s->versionnum), version = versionnum & VERSION_MASK;
	uint32_t incompat = be32_get(s->incompat), unknown = incompat & ~(uint32_t)(INCOMPAT_READ | INCOMPAT_NEEDS_REPAIR);
	/* Some kernels wrote the word where the padding is. */
	uint32_t features2 = be32_get(s->features2) | be32_get(s->bad_features2);

	if (version < 4)
		return err_set(e, ERR_UNSUPPORTED, "version %u, of before 2000", version);
	if (version > 5)
		return err_set(e, ERR_UNSUPPORTED, "version %u", version);
	x->v5 = version == 5;
	x->fold_names = versionnum & V4_FOLD;
	if (!x->v5) {
		if (!(versionnum & V4_DIR2))
			return err_set(e, ERR_UNSUPPORTED, "directories of version 1, of before 2001");
		if (versionnum & V4_SHARED)
			return err_set(e, ERR_UNSUPPORTED, "feature \"shared\" is not read");
		if (!(versionnum & V4_MORE))
			features2 = 0;
		if (features2 & ~(uint32_t)F2_KNOWN)
			return err_set(e, ERR_UNSUPPORTED, "unknown feature 0x%" PRIx32, features2 & ~(uint32_t)F2_KNOWN);
		x->lazy = features2 & F2_LAZY;
		x->ftype = features2 & F2_FTYPE;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(incompat_unread); i++)
		if (unknown & incompat_unread[i].bit)
			return err_set(e, ERR_UNSUPPORTED, "feature \"%s\" is not read", incompat_unread[i].name);
	if (unknown)
		return err_set(e, ERR_UNSUPPORTED, "unknown incompatible feature 0x%" PRIx32, unknown);
	if (incompat & INCOMPAT_NEEDS_REPAIR)
		return err_set(e, ERR_CORRUPT, "it is marked as needing repair: xfs_repair has not finished its work");
	x->lazy = true;
	x->ftype = incompat & INCOMPAT_FTYPE;
	x->reflink = be32_get(s->ro_compat) & RO_COMPAT_REFLINK;
	x->log_incompat = be32_get(s->log_incompat);
	return 0;
}

/* A power of two between min and max, whose exponent is the one that is given beside it. */
static bool size_ok(uint32_t size, unsigned bits, uint32_t min, uint32_t max)
{
	return is_pow2(size) && size >= min && size <= max && bits == log2_of(size);
}

static int judge_sizes(struct xfs *x, const struct xfs_sb *s, struct err *e)
{
	uint32_t bs = be32_get(s->blocksize), inode = be16_get(s->inodesize), sector = be16_get(s->sectsize);

	if (!size_ok(bs, s->blocklog, x->v5 ? 1024 : 512, LIMIT_XFS_BLOCK))
		return err_set(e, ERR_CORRUPT, "block size %" PRIu32 " (2^%u)", bs, s->blocklog);
	if (!size_ok(sector, s->sectlog, XFS_SECTOR, MIN_OF(bs, 32768u)))
		return err_set(e, ERR_CORRUPT, "sectors of %" PRIu32 " bytes (2^%u) with blocks of %" PRIu32, sector, s->sectlog,
			       bs);
	if (!size_ok(inode, s->inodelog, x->v5 ? 512 : 256, MIN_OF(bs, 2048u)))
		return err_set(e, ERR_CORRUPT, "inodes of %" PRIu32 " bytes (2^%u) with blocks of %" PRIu32, inode, s->inodelog,
			       bs);
	if (be16_get(s->inopblock) != bs / inode || s->inopblog != log2_of(bs / inode))
		return err_set(e, ERR_CORRUPT, "%u inodes (2^%u) of %" PRIu32 " bytes in a block of %" PRIu32,
			       be16_get(s->inopblock), s->inopblog, inode, bs);
	if (s->dirblklog > 16 || bs << s->dirblklog > LIMIT_XFS_BLOCK)
		return err_set(e, ERR_CORRUPT, "directory blocks of 2^%u blocks of %" PRIu32, s->dirblklog, bs);
	x->bs = bs;
	x->bs_bits = s->blocklog;
	x->sector_size = sector;
	x->inode_size = inode;
	x->inode_bits = s->inodelog;
	x->inop_bits = s->inopblog;
	x->dir_bs = bs << s->dirblklog;
	return 0;
}

static int judge_groups(struct xfs *x, const struct xfs_sb *s, struct err *e)
{
	uint64_t bytes, last;

	x->nblocks = be64_get(s->dblocks);
	x->agblocks = be32_get(s->agblocks);
	x->agcount = be32_get(s->agcount);
	x->ag_bits = s->agblklog;
	/* agblklog is rounded up. */
	if (x->agblocks < 64 || x->ag_bits > 31 || x->agblocks > 1u << x->ag_bits || x->agblocks <= 1u << (x->ag_bits - 1))
		return err_set(e, ERR_CORRUPT, "groups of %" PRIu32 " blocks (2^%u)", x->agblocks, x->ag_bits);
	last = x->agcount ? (uint64_t)(x->agcount - 1) * x->agblocks : 0;
	if (x->agcount == 0 || x->nblocks <= last || x->nblocks - last > x->agblocks)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " blocks in %" PRIu32 " groups of %" PRIu32, x->nblocks, x->agcount,
			       x->agblocks);
	if (!checked_mul(x->nblocks, x->bs, &bytes) || bytes > block_size(x->io.dev))
		return err_set(e, ERR_CORRUPT,
			       "the filesystem claims %" PRIu64 " blocks of %u bytes, the device has only %" PRIu64 " bytes",
			       x->nblocks, x->bs, block_size(x->io.dev));
	return 0;
}

static int judge_rest(struct xfs *x, const struct xfs_sb *s, struct err *e)
{
	uint64_t pos, bytes;

	x->root = be64_get(s->rootino);
	x->log_start = be64_get(s->logstart);
	x->log_blocks = be32_get(s->logblocks);
	x->icount = MIN_OF(be64_get(s->icount), x->nblocks << x->inop_bits);
	x->ifree = be64_get(s->ifree);
	x->fdblocks = be64_get(s->fdblocks);
	x->imax_pct = s->imax_pct;
	if (s->inprogress)
		return err_set(e, ERR_CORRUPT, "mkfs.xfs or xfs_growfs has not finished its work");
	if (s->imax_pct > 100)
		return err_set(e, ERR_CORRUPT, "%u %% of the blocks for inodes", s->imax_pct);
	if (!xfs_inode_pos(x, x->root, &pos))
		return err_set(e, ERR_CORRUPT, "the root is inode %" PRIu64, x->root);
	bytes = (uint64_t)x->log_blocks << x->bs_bits;
	if (bytes > LIMIT_XFS_LOG)
		return err_set(e, ERR_LIMIT, "a log of %" PRIu64 " bytes", bytes);
	if (bytes == 0 || (x->log_start && !xfs_block_pos(x, x->log_start, x->log_blocks, &pos)))
		return err_set(e, ERR_CORRUPT, "a log of %" PRIu32 " blocks at block %" PRIu64, x->log_blocks, x->log_start);
	memcpy(x->uuid, s->uuid, sizeof x->uuid);
	memcpy(x->meta_uuid, be32_get(s->incompat) & INCOMPAT_META_UUID ? s->meta_uuid : s->uuid, sizeof x->meta_uuid);
	return 0;
}

static int super_judge(struct xfs *x, struct xfs_sb *s, bool logged, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *sector = NULL;
	int rc = judge_features(x, s, e);

	if (rc == 0)
		rc = judge_sizes(x, s, e);
	if (rc == 0 && x->v5 && !logged) {
		/* The checksum is that of the whole sector. */
		sector = alloc_bytes(x->sector_size);
		if (!sector)
			return err_nomem(e);
		rc = xfs_io_meta(&x->io, sector, x->sector_size, 0, NULL, e);
		if (rc == 0 && !xfs_crc_matches(sector, x->sector_size, offsetof(struct xfs_sb, crc)))
			rc = err_set(e, ERR_CORRUPT, "the checksum does not match");
	}
	if (rc == 0)
		rc = judge_groups(x, s, e);
	return rc < 0 ? rc : judge_rest(x, s, e);
}

int xfs_super_read(struct xfs *x, struct err *e)
{
	struct xfs_sb s;
	bool logged = false;
	int rc = xfs_io_meta(&x->io, &s, sizeof s, 0, &logged, e);

	if (rc == 0 && memcmp(s.magic, XFS_SB_MAGIC, sizeof s.magic) != 0)
		rc = err_set(e, ERR_CORRUPT, "wrong magic");
	/* What versions before 5 have behind their fields means nothing. */
	if (rc == 0 && (be16_get(s.versionnum) & VERSION_MASK) < 5)
		memset(&s.compat, 0, sizeof s - offsetof(struct xfs_sb, compat));
	if (rc == 0)
		rc = super_judge(x, &s, logged, e);
	return rc < 0 ? err_in(e, rc, "superblock") : 0;
}

/* ---- places ---- */

uint32_t xfs_group_blocks(const struct xfs *x, uint64_t ag)
{
	return ag + 1 < x->agcount ? x->agblocks : (uint32_t)(x->nblocks - (uint64_t)(x->agcount - 1) * x->agblocks);
}

bool xfs_block_pos(const struct xfs *x, uint64_t fsb, uint64_t len, uint64_t *pos)
{
	uint64_t ag = fsb >> x->ag_bits, in_ag = fsb & ((1u << x->ag_bits) - 1);

	if (ag >= x->agcount || !range_in(in_ag, len, xfs_group_blocks(x, ag)))
		return false;
	*pos = (ag * x->agblocks + in_ag) << x->bs_bits;
	return true;
}

bool xfs_inode_pos(const struct xfs *x, uint64_t ino, uint64_t *pos)
{
	uint64_t fsb = ino >> x->inop_bits, in_block = ino & ((1u << x->inop_bits) - 1);

	/* The first block of a group is its headers'. */
	if ((fsb & ((1u << x->ag_bits) - 1)) == 0 || !xfs_block_pos(x, fsb, 1, pos))
		return false;
	*pos += in_block << x->inode_bits;
	return true;
}
