/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_super.c - the superblock: every claim judged before anything computes with it.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

struct feature {
	uint32_t bit;
	const char *name; /* as dumpe2fs prints it */
};

/* What we read. */
#define INCOMPAT_KNOWN                                                                                                 \
	(EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | EXT2_FEATURE_INCOMPAT_META_BG |              \
	 EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_MMP |                     \
	 EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_EA_INODE | EXT4_FEATURE_INCOMPAT_CSUM_SEED |            \
	 EXT4_FEATURE_INCOMPAT_LARGEDIR | EXT4_FEATURE_INCOMPAT_INLINE_DATA | EXT4_FEATURE_INCOMPAT_ENCRYPT |          \
	 EXT4_FEATURE_INCOMPAT_CASEFOLD)

/* What has a name but is not read. */
static const struct feature incompat_unread[] = {
	{ EXT2_FEATURE_INCOMPAT_COMPRESSION, "compression" },
	{ EXT3_FEATURE_INCOMPAT_JOURNAL_DEV, "journal_dev" },
	{ EXT4_FEATURE_INCOMPAT_DIRDATA, "dirdata" },
};

/* What ext2 and ext3 may have and still be called so (as blkid decides). */
#define RO_COMPAT_BTREE_DIR 0x4 /* never used, but reserved since ext2 */
#define EXT2_RO_COMPAT (EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | RO_COMPAT_BTREE_DIR)
#define EXT2_INCOMPAT (EXT2_FEATURE_INCOMPAT_FILETYPE | EXT2_FEATURE_INCOMPAT_META_BG)
#define EXT3_INCOMPAT (EXT2_INCOMPAT | EXT3_FEATURE_INCOMPAT_RECOVER)

#define CHECKSUM_CRC32C 1

const char *ext_type(const struct ext2_super_block *sb)
{
	uint32_t incompat = EXT_LE32(sb->s_feature_incompat), ro = EXT_LE32(sb->s_feature_ro_compat);
	bool journal = EXT_LE32(sb->s_feature_compat) & EXT3_FEATURE_COMPAT_HAS_JOURNAL;

	if (incompat & EXT3_FEATURE_INCOMPAT_JOURNAL_DEV)
		return "jbd";
	if (!journal && !(ro & ~EXT2_RO_COMPAT) && !(incompat & ~EXT2_INCOMPAT))
		return "ext2";
	if (journal && !(ro & ~EXT2_RO_COMPAT) && !(incompat & ~EXT3_INCOMPAT))
		return "ext3";
	return "ext4";
}

static int judge_features(struct ext *x, struct err *e)
{
	uint32_t unknown = x->incompat & ~(uint32_t)INCOMPAT_KNOWN;

	for (size_t i = 0; i < ARRAY_LEN(incompat_unread); i++)
		if (unknown & incompat_unread[i].bit)
			return err_set(e, ERR_UNSUPPORTED, "feature \"%s\" is not read", incompat_unread[i].name);
	if (unknown)
		return err_set(e, ERR_UNSUPPORTED, "unknown incompatible feature 0x%" PRIx32, unknown);
	if (EXT_LE32(x->sb.s_rev_level) > EXT2_DYNAMIC_REV)
		return err_set(e, ERR_UNSUPPORTED, "revision %" PRIu32, EXT_LE32(x->sb.s_rev_level));
	x->casefold = NULL;
	if (x->incompat & EXT4_FEATURE_INCOMPAT_CASEFOLD) {
		x->casefold = ext2fs_load_nls_table(EXT_LE16(x->sb.s_encoding));
		if (!x->casefold)
			return err_set(e, ERR_UNSUPPORTED, "names are folded by an unknown encoding, number %u",
				       EXT_LE16(x->sb.s_encoding));
	}
	return 0;
}

/* Block and cluster size; nothing can be computed before. */
static int judge_block_size(struct ext *x, struct err *e)
{
	uint32_t log_block = EXT_LE32(x->sb.s_log_block_size), log_cluster = EXT_LE32(x->sb.s_log_cluster_size);

	if (log_block > 6)
		return err_set(e, ERR_CORRUPT, "block size 2^%" PRIu64 " (1 KiB to 64 KiB are possible)",
			       (uint64_t)log_block + 10);
	x->bs_bits = log_block + 10;
	x->bs = 1u << x->bs_bits;
	x->cluster_bits = 0;
	if (!(x->ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC))
		return 0;
	if (log_cluster < log_block || log_cluster > 19)
		return err_set(e, ERR_CORRUPT, "cluster size 2^%" PRIu64 " with blocks of %u bytes",
			       (uint64_t)log_cluster + 10, x->bs);
	x->cluster_bits = log_cluster - log_block;
	return 0;
}

static int judge_inodes(struct ext *x, struct err *e)
{
	const struct ext2_super_block *s = &x->sb;
	bool dynamic = EXT_LE32(s->s_rev_level) >= EXT2_DYNAMIC_REV;

	x->inode_size = dynamic ? EXT_LE16(s->s_inode_size) : EXT2_GOOD_OLD_INODE_SIZE;
	x->first_ino = dynamic ? EXT_LE32(s->s_first_ino) : EXT2_GOOD_OLD_FIRST_INO;
	x->ninodes = EXT_LE32(s->s_inodes_count);
	x->inodes_per_group = EXT_LE32(s->s_inodes_per_group);
	if (x->inode_size < EXT2_GOOD_OLD_INODE_SIZE || x->inode_size > x->bs || !is_pow2(x->inode_size))
		return err_set(e, ERR_CORRUPT, "inodes of %u bytes", x->inode_size);
	if (x->first_ino < EXT2_GOOD_OLD_FIRST_INO)
		return err_set(e, ERR_CORRUPT, "first inode %" PRIu32, x->first_ino);
	if (x->inodes_per_group < x->bs / x->inode_size || x->inodes_per_group > x->bs * 8)
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " inodes per group with blocks of %u bytes", x->inodes_per_group,
			       x->bs);
	return 0;
}

static int judge_groups(struct ext *x, struct err *e)
{
	const struct ext2_super_block *s = &x->sb;
	bool wide = x->incompat & EXT4_FEATURE_INCOMPAT_64BIT;
	uint32_t per_cluster = EXT_LE32(s->s_clusters_per_group);
	uint64_t ngroups, bytes;

	x->nblocks = EXT_LE32(s->s_blocks_count) | (wide ? (uint64_t)EXT_LE32(s->s_blocks_count_hi) << 32 : 0);
	x->first_block = EXT_LE32(s->s_first_data_block);
	x->blocks_per_group = EXT_LE32(s->s_blocks_per_group);
	if (x->first_block > (x->bs == 1024 ? 1 : 0))
		return err_set(e, ERR_CORRUPT, "first data block %" PRIu64 " with blocks of %u bytes", x->first_block, x->bs);
	if (x->nblocks <= x->first_block)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " blocks in all", x->nblocks);
	if (!checked_mul(x->nblocks, x->bs, &bytes) || bytes > block_size(x->io.dev))
		return err_set(e, ERR_CORRUPT,
			       "the filesystem claims %" PRIu64 " blocks of %u bytes, the device has only %" PRIu64 " bytes",
			       x->nblocks, x->bs, block_size(x->io.dev));
	/* One block of bitmap describes a group: of its blocks, with bigalloc of its clusters. */
	if (x->cluster_bits) {
		if (per_cluster == 0 || per_cluster > x->bs * 8 ||
		    x->blocks_per_group != (uint64_t)per_cluster << x->cluster_bits)
			return err_set(e, ERR_CORRUPT, "%" PRIu32 " clusters and %" PRIu32 " blocks per group", per_cluster,
				       x->blocks_per_group);
	} else if (x->blocks_per_group == 0 || x->blocks_per_group > x->bs * 8) {
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " blocks per group with blocks of %u bytes", x->blocks_per_group,
			       x->bs);
	}
	if (x->blocks_per_group <= div_round_up((uint64_t)x->inodes_per_group * x->inode_size, x->bs))
		return err_set(e, ERR_CORRUPT, "groups of %" PRIu32 " blocks cannot hold %" PRIu32 " inodes each",
			       x->blocks_per_group, x->inodes_per_group);

	x->desc_size = wide ? EXT_LE16(s->s_desc_size) : EXT2_MIN_DESC_SIZE;
	if (wide && (x->desc_size < EXT2_MIN_DESC_SIZE_64BIT || x->desc_size > EXT2_MAX_DESC_SIZE ||
		     !is_pow2(x->desc_size)))
		return err_set(e, ERR_CORRUPT, "group descriptors of %u bytes", x->desc_size);
	ngroups = div_round_up(x->nblocks - x->first_block, x->blocks_per_group);
	if (ngroups > LIMIT_EXT_GDT_BYTES / x->desc_size)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " block groups", ngroups);
	x->ngroups = (uint32_t)ngroups;
	if ((uint64_t)x->ngroups * x->inodes_per_group != x->ninodes)
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " inodes in %" PRIu32 " groups of %" PRIu32, x->ninodes, x->ngroups,
			       x->inodes_per_group);
	if (EXT_LE16(s->s_reserved_gdt_blocks) > x->bs / 4)
		return err_set(e, ERR_CORRUPT, "%u reserved descriptor blocks", EXT_LE16(s->s_reserved_gdt_blocks));
	if ((x->incompat & EXT2_FEATURE_INCOMPAT_META_BG) &&
	    EXT_LE32(s->s_first_meta_bg) > div_round_up(ngroups * x->desc_size, x->bs))
		return err_set(e, ERR_CORRUPT, "first meta block group %" PRIu32, EXT_LE32(s->s_first_meta_bg));
	if (s->s_log_groups_per_flex > 31)
		return err_set(e, ERR_CORRUPT, "flexible groups of 2^%u groups", s->s_log_groups_per_flex);
	return 0;
}

static int judge_checksum(struct ext *x, struct err *e)
{
	uint32_t crc;

	x->csum = x->ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	if (x->csum && x->sb.s_checksum_type != CHECKSUM_CRC32C)
		return err_set(e, ERR_UNSUPPORTED, "metadata checksums of type %u", x->sb.s_checksum_type);
	if (x->incompat & EXT4_FEATURE_INCOMPAT_CSUM_SEED)
		x->seed = EXT_LE32(x->sb.s_checksum_seed);
	else
		x->seed = ext2fs_crc32c_le(~0u, x->sb.s_uuid, sizeof x->sb.s_uuid);
	if (!x->csum)
		return 0;
	crc = ext2fs_crc32c_le(~0u, (const unsigned char *)&x->sb, offsetof(struct ext2_super_block, s_checksum));
	if (crc != EXT_LE32(x->sb.s_checksum))
		return err_set(e, ERR_CORRUPT, "the checksum of the superblock does not match");
	return 0;
}

int ext_super_read(struct ext *x, struct err *e)
{
	int (*const judges[])(struct ext *, struct err *) = { judge_features, judge_checksum, judge_block_size, judge_inodes,
							      judge_groups };
	int rc = ext_io_read(&x->io, &x->sb, sizeof x->sb, EXT_SUPER_OFF, e);

	if (rc < 0)
		return err_in(e, rc, "superblock");
	if (EXT_LE16(x->sb.s_magic) != EXT2_SUPER_MAGIC)
		return err_set(e, ERR_CORRUPT, "superblock: wrong magic");
	x->compat = EXT_LE32(x->sb.s_feature_compat);
	x->incompat = EXT_LE32(x->sb.s_feature_incompat);
	x->ro_compat = EXT_LE32(x->sb.s_feature_ro_compat);
	if (EXT_LE32(x->sb.s_rev_level) == EXT2_GOOD_OLD_REV)
		x->compat = x->incompat = x->ro_compat = 0;
	for (size_t i = 0; i < ARRAY_LEN(judges); i++) {
		rc = judges[i](x, e);
		if (rc < 0)
			return err_in(e, rc, "superblock");
	}
	return 0;
}

/* ---- statfs ---- */

/*
 * The clusters that hold the filesystem itself: superblocks, descriptors, bitmaps, inode tables, and the journal.  With
 * bigalloc mke2fs has counted them (s_overhead_clusters), as one cluster may hold several of these.
 */
static int overhead_clusters(struct ext *x, uint64_t *out, struct err *e)
{
	uint64_t itable = div_round_up((uint64_t)x->inodes_per_group * x->inode_size, x->bs);
	uint64_t sum = x->first_block >> x->cluster_bits;
	uint32_t jino = EXT_LE32(x->sb.s_journal_inum);
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc;

	if (x->cluster_bits && EXT_LE32(x->sb.s_overhead_clusters)) {
		*out = EXT_LE32(x->sb.s_overhead_clusters);
		return 0;
	}
	for (uint32_t g = 0; g < x->ngroups; g++) {
		bool has_super = ext_group_has_super(x, g);
		uint64_t blocks = has_super + ext_group_desc_blocks(x, g) + itable + 2;

		if (has_super && !x->cluster_bits)
			blocks += EXT_LE16(x->sb.s_reserved_gdt_blocks);
		sum += div_round_up(blocks, 1ULL << x->cluster_bits);
	}
	if ((x->compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL) && jino) {
		rc = ext_inode_get(x, jino, true, &in, e);
		if (rc < 0)
			return rc;
		sum += div_round_up(in->size >> x->bs_bits, 1ULL << x->cluster_bits);
	}
	*out = sum;
	return 0;
}

int ext_statfs(struct ext *x, struct fs_usage *out, struct err *e)
{
	const struct ext2_super_block *s = &x->sb;
	bool wide = x->incompat & EXT4_FEATURE_INCOMPAT_64BIT;
	uint64_t reserved = EXT_LE32(s->s_r_blocks_count) | (wide ? (uint64_t)EXT_LE32(s->s_r_blocks_count_hi) << 32 : 0);
	uint64_t overhead = 0, kept = 0, free_clusters = 0, free_inodes = 0;
	int rc = overhead_clusters(x, &overhead, e);

	if (rc < 0)
		return rc;
	for (uint32_t g = 0; g < x->ngroups; g++) {
		struct ext_group group;

		rc = ext_group_get(x, g, &group, e);
		if (rc < 0)
			return rc;
		free_clusters += group.free_clusters;
		free_inodes += group.free_inodes;
	}
	/* The kernel keeps 2 % or 4096 clusters back so that delayed extents can always be written. */
	if (x->incompat & EXT3_FEATURE_INCOMPAT_EXTENTS)
		kept = MIN_OF((x->nblocks >> x->cluster_bits) / 50, 4096ULL) << x->cluster_bits;
	overhead = MIN_OF(overhead, x->nblocks >> x->cluster_bits) << x->cluster_bits;
	out->block_size = x->bs;
	out->blocks = x->nblocks - MIN_OF(overhead, x->nblocks);
	out->blocks_free = MIN_OF(free_clusters, x->nblocks >> x->cluster_bits) << x->cluster_bits;
	out->blocks_avail = out->blocks_free;
	out->blocks_avail -= MIN_OF(out->blocks_avail, reserved <= x->nblocks ? reserved + kept : out->blocks_avail);
	out->inodes = x->ninodes;
	out->inodes_free = MIN_OF(free_inodes, x->ninodes);
	return 0;
}
