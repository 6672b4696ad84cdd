/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_group.c - the descriptors of block groups: each is read when somebody wants it, so that opening costs the same
 * however many there are.
 *
 * They lie in a table behind the superblock, or (meta_bg) in blocks of it, each in the first of the groups that it
 * describes.  32 bytes, or (64bit) 64 and more, with the upper halves of the numbers behind.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stddef.h>

/* Where the crc16 or the half of a crc32c is; it counts itself as zeros, or (crc16) not at all. */
#define SUM_AT offsetof(struct ext4_group_desc, bg_checksum)
#define SUM_END (SUM_AT + 2)

static bool is_power_of(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

bool ext_group_has_super(const struct ext *x, uint32_t group)
{
	if (group == 0)
		return true;
	if (x->compat & EXT4_FEATURE_COMPAT_SPARSE_SUPER2)
		return group == EXT_LE32(x->sb.s_backup_bgs[0]) || group == EXT_LE32(x->sb.s_backup_bgs[1]);
	if (group == 1 || !(x->ro_compat & EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER))
		return true;
	return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

/* Is the group's descriptor in a block of its own meta group? */
static bool in_meta(const struct ext *x, uint32_t group)
{
	return (x->incompat & EXT2_FEATURE_INCOMPAT_META_BG) &&
	       group / (x->bs / x->desc_size) >= EXT_LE32(x->sb.s_first_meta_bg);
}

/* Where the group begins, with the superblock if it has one. */
static uint64_t group_block(const struct ext *x, uint32_t group)
{
	/* Where blocks of 1 KiB are counted from 0, the first superblock is in block 1. */
	if (group == 0 && x->first_block == 0 && x->bs == 1024)
		return 1;
	return x->first_block + (uint64_t)group * x->blocks_per_group;
}

uint64_t ext_group_desc_blocks(const struct ext *x, uint32_t group)
{
	uint32_t per_block = x->bs / x->desc_size, first = group / per_block * per_block;

	if (in_meta(x, group))
		return group == first || group == first + 1 || group == first + per_block - 1;
	if (!ext_group_has_super(x, group))
		return 0;
	if (x->incompat & EXT2_FEATURE_INCOMPAT_META_BG)
		return EXT_LE32(x->sb.s_first_meta_bg);
	return div_round_up((uint64_t)x->ngroups * x->desc_size, x->bs);
}

void ext_group_head(const struct ext *x, uint32_t group, uint64_t *first, uint64_t *nblocks)
{
	bool has_super = ext_group_has_super(x, group);

	*first = group_block(x, group);
	*nblocks = has_super + ext_group_desc_blocks(x, group);
	if (has_super && !(x->incompat & EXT2_FEATURE_INCOMPAT_META_BG))
		*nblocks += EXT_LE16(x->sb.s_reserved_gdt_blocks);
}

/* The block of the table that holds the group's descriptor. */
static uint64_t table_block(const struct ext *x, uint32_t group)
{
	uint32_t per_block = x->bs / x->desc_size, first = group / per_block * per_block;

	if (!in_meta(x, group))
		return group_block(x, 0) + 1 + group / per_block;
	return group_block(x, first) + ext_group_has_super(x, first);
}

/* The reflected polynomial 0x8005. */
static uint16_t crc16(uint16_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- > 0) {
		crc ^= *p++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

static bool checksum_matches(const struct ext *x, uint32_t group, const uint8_t *desc)
{
	static const uint8_t zeros[2];
	le32 number;
	le16 stored;
	uint32_t crc;

	le32_put(&number, group);
	memcpy(&stored, desc + SUM_AT, sizeof stored);
	if (x->csum) {
		crc = ext2fs_crc32c_le(x->seed, number.b, sizeof number.b);
		crc = ext2fs_crc32c_le(crc, desc, SUM_AT);
		crc = ext2fs_crc32c_le(crc, zeros, sizeof zeros);
		crc = ext2fs_crc32c_le(crc, desc + SUM_END, x->desc_size - SUM_END);
		return (crc & 0xffff) == le16_get(stored);
	}
	if (!(x->ro_compat & EXT4_FEATURE_RO_COMPAT_GDT_CSUM))
		return true;
	crc = crc16(0xffff, x->sb.s_uuid, sizeof x->sb.s_uuid);
	crc = crc16((uint16_t)crc, number.b, sizeof number.b);
	crc = crc16((uint16_t)crc, desc, SUM_AT);
	crc = crc16((uint16_t)crc, desc + SUM_END, x->desc_size - SUM_END);
	return crc == le16_get(stored);
}

static uint64_t wide(uint32_t lo, uint32_t hi)
{
	return EXT_LE32(lo) | (uint64_t)EXT_LE32(hi) << 32;
}

int ext_group_get(struct ext *x, uint32_t group, struct ext_group *out, struct err *e)
{
	uint64_t off = table_block(x, group) * x->bs + (uint64_t)(group % (x->bs / x->desc_size)) * x->desc_size;
	uint8_t desc[EXT2_MAX_DESC_SIZE];
	struct ext4_group_desc d;
	int rc = ext_io_read_meta(&x->io, desc, x->desc_size, off, e);

	if (rc < 0)
		return err_in(e, rc, "group descriptor %" PRIu32, group);
	memset(&d, 0, sizeof d);
	memcpy(&d, desc, MIN_OF((size_t)x->desc_size, sizeof d));
	out->block_bitmap = wide(d.bg_block_bitmap, d.bg_block_bitmap_hi);
	out->inode_bitmap = wide(d.bg_inode_bitmap, d.bg_inode_bitmap_hi);
	out->inode_table = wide(d.bg_inode_table, d.bg_inode_table_hi);
	out->free_clusters = EXT_LE16(d.bg_free_blocks_count) | (uint32_t)EXT_LE16(d.bg_free_blocks_count_hi) << 16;
	out->free_inodes = EXT_LE16(d.bg_free_inodes_count) | (uint32_t)EXT_LE16(d.bg_free_inodes_count_hi) << 16;
	out->bitmap_sum = EXT_LE16(d.bg_block_bitmap_csum_lo) | (uint32_t)EXT_LE16(d.bg_block_bitmap_csum_hi) << 16;
	out->sound = checksum_matches(x, group, desc);
	/* The flag counts only where descriptors have checksums, as it does for the kernel. */
	out->unused = EXT_LE16(d.bg_flags) & EXT2_BG_BLOCK_UNINIT && (x->csum || x->ro_compat & EXT4_FEATURE_RO_COMPAT_GDT_CSUM);
	return 0;
}

bool ext_group_bitmap_is(const struct ext *x, const struct ext_group *g, const uint8_t *bitmap)
{
	uint32_t crc = ext2fs_crc32c_le(x->seed, bitmap, (x->blocks_per_group >> x->cluster_bits) / 8);

	/* As many bits of it as the descriptor has. */
	if (x->desc_size < sizeof(struct ext4_group_desc))
		crc &= 0xffff;
	return !x->csum || crc == g->bitmap_sum;
}
