/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_inode.c - inodes of ext2/3/4: found, checked, and told as stat() tells them.
 *
 * The last few stay open, with the part of their block map that was used last.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>
#include <stddef.h>
#include <sys/stat.h>

/* The field lies within the first 128 + i_extra_isize bytes. */
#define HAS_EXTRA(in, field)                                                                                           \
	(EXT2_GOOD_OLD_INODE_SIZE + (in)->extra >=                                                                     \
	 offsetof(struct ext2_inode_large, field) + sizeof(((struct ext2_inode_large *)NULL)->field))

void ext_inode_put(struct ext_inode *in)
{
	if (!in || --in->refs > 0)
		return;
	free(in->map.runs);
	free(in->raw);
	free(in);
}

void ext_inode_putp(struct ext_inode **in)
{
	ext_inode_put(*in);
	*in = NULL;
}

/* crc32c over the inode with its two checksum fields as zeros; the upper half exists only in large inodes. */
static bool checksum_matches(const struct ext *x, const struct ext_inode *in)
{
	static const uint8_t zeros[2];
	size_t lo = offsetof(struct ext2_inode_large, osd2.linux2.l_i_checksum_lo);
	size_t hi = offsetof(struct ext2_inode_large, i_checksum_hi);
	uint32_t crc = ext2fs_crc32c_le(in->seed, in->raw, lo), stored = EXT_LE16(in->d->osd2.linux2.l_i_checksum_lo);
	bool has_hi = x->inode_size > EXT2_GOOD_OLD_INODE_SIZE && HAS_EXTRA(in, i_checksum_hi);

	crc = ext2fs_crc32c_le(crc, zeros, 2);
	crc = ext2fs_crc32c_le(crc, in->raw + lo + 2, EXT2_GOOD_OLD_INODE_SIZE - lo - 2);
	if (x->inode_size > EXT2_GOOD_OLD_INODE_SIZE) {
		crc = ext2fs_crc32c_le(crc, in->raw + EXT2_GOOD_OLD_INODE_SIZE, hi - EXT2_GOOD_OLD_INODE_SIZE);
		if (has_hi)
			crc = ext2fs_crc32c_le(crc, zeros, 2);
		else
			crc = ext2fs_crc32c_le(crc, in->raw + hi, 2);
		crc = ext2fs_crc32c_le(crc, in->raw + hi + 2, x->inode_size - hi - 2);
	}
	if (has_hi)
		return crc == (stored | (uint32_t)EXT_LE16(in->d->i_checksum_hi) << 16);
	return (crc & 0xffff) == stored;
}

static int inode_read(struct ext *x, struct ext_inode *in, struct err *e)
{
	uint32_t group = (in->ino - 1) / x->inodes_per_group, index = (in->ino - 1) % x->inodes_per_group;
	uint64_t blocks = div_round_up((uint64_t)x->inodes_per_group * x->inode_size, x->bs);
	uint32_t ino_le = ext2fs_cpu_to_le32(in->ino);
	struct ext_group g;
	int rc = ext_group_get(x, group, &g, e);

	if (rc < 0)
		return rc;
	if (!g.sound)
		return err_set(e, ERR_CORRUPT, "the checksum of group descriptor %" PRIu32 " does not match", group);
	if (g.inode_table <= x->first_block || !range_in(g.inode_table, blocks, x->nblocks))
		return err_set(e, ERR_CORRUPT, "the inode table of group %" PRIu32 " lies at block %" PRIu64, group,
			       g.inode_table);
	rc = ext_io_read_meta(&x->io, in->raw, x->inode_size, g.inode_table * x->bs + (uint64_t)index * x->inode_size, e);
	if (rc < 0)
		return rc;
	in->mode = EXT_LE16(in->d->i_mode);
	in->flags = EXT_LE32(in->d->i_flags);
	in->size = EXT_LE32(in->d->i_size);
	if (S_ISREG(in->mode) || (S_ISDIR(in->mode) && (x->incompat & EXT4_FEATURE_INCOMPAT_LARGEDIR)))
		in->size |= (uint64_t)EXT_LE32(in->d->i_size_high) << 32;
	in->extra = x->inode_size > EXT2_GOOD_OLD_INODE_SIZE ? EXT_LE16(in->d->i_extra_isize) : 0;
	if (in->extra > x->inode_size - EXT2_GOOD_OLD_INODE_SIZE || in->extra % 4)
		return err_set(e, ERR_CORRUPT, "%u extra bytes in an inode of %u", in->extra, x->inode_size);
	in->seed = ext2fs_crc32c_le(x->seed, (const unsigned char *)&ino_le, sizeof ino_le);
	in->seed = ext2fs_crc32c_le(in->seed, (const unsigned char *)&in->d->i_generation, sizeof in->d->i_generation);
	if (x->csum && !checksum_matches(x, in))
		return err_set(e, ERR_CORRUPT, "the checksum does not match");
	if (in->mode == 0 && EXT_LE16(in->d->i_links_count) == 0)
		return err_set(e, ERR_CORRUPT, "a name leads to it, but it is not in use");
	/* A size beyond this cannot be mapped by any of the maps: 2^32 blocks. */
	if (in->size >> x->bs_bits > UINT32_MAX || in->size > INT64_MAX)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes are more than an inode can map", in->size);
	return 0;
}

int ext_inode_get(struct ext *x, uint64_t ino, bool internal, struct ext_inode **out, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	struct ext_inode **slot = &x->inodes[0];
	int rc;

	if (ino == 0 || ino > x->ninodes || (!internal && ino < x->first_ino && ino != EXT2_ROOT_INO))
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 " is not one of the %" PRIu32 " for files", ino, x->ninodes);
	for (size_t i = 0; i < EXT_OPEN_INODES; i++) {
		if (x->inodes[i] && x->inodes[i]->ino == ino) {
			*out = x->inodes[i];
			(*out)->used = ++x->clock;
			(*out)->refs++;
			return 0;
		}
		if (*slot && (!x->inodes[i] || x->inodes[i]->used < (*slot)->used))
			slot = &x->inodes[i];
	}
	in = alloc_zero(sizeof *in);
	if (!in)
		return err_nomem(e);
	in->refs = 1;
	/* Large enough for the struct even where inodes are 128 bytes: what is not there reads as zeros. */
	in->raw = alloc_zero(MAX_OF(x->inode_size, sizeof(struct ext2_inode_large)));
	if (!in->raw)
		return err_nomem(e);
	in->d = (const struct ext2_inode_large *)in->raw;
	in->ino = (uint32_t)ino;
	rc = inode_read(x, in, e);
	if (rc < 0)
		return err_in(e, rc, "inode %" PRIu64, ino);
	ext_inode_put(*slot);
	*slot = in;
	in->refs++;
	in->used = ++x->clock;
	*out = take(in);
	return 0;
}

uint64_t ext_inode_acl_block(const struct ext_inode *in)
{
	return EXT_LE32(in->d->i_file_acl) | (uint64_t)EXT_LE16(in->d->osd2.linux2.l_i_file_acl_high) << 32;
}

int ext_inode_readable(const struct ext_inode *in, struct err *e)
{
	if (in->flags & EXT4_ENCRYPT_FL)
		return err_set(e, ERR_UNSUPPORTED, "inode %" PRIu32 " is encrypted (fscrypt), it cannot be read without its key",
			       in->ino);
	return 0;
}

/* Seconds are 32 bits signed; large inodes add two bits above them, and nanoseconds. */
static struct fs_time time_of(uint32_t sec, bool has_extra, uint32_t extra)
{
	struct fs_time t = { .sec = (int32_t)EXT_LE32(sec) };

	if (!has_extra)
		return t;
	extra = EXT_LE32(extra);
	t.sec += (int64_t)(extra & 3) << 32;
	t.nsec = MIN_OF(extra >> 2, 999999999u);
	return t;
}

static void device_of(const struct ext_inode *in, struct fs_stat *out)
{
	uint32_t old = EXT_LE32(in->d->i_block[0]), new = EXT_LE32(in->d->i_block[1]);

	if (old) {
		out->rdev_major = old >> 8 & 0xff;
		out->rdev_minor = old & 0xff;
		return;
	}
	out->rdev_major = (new & 0xfff00) >> 8;
	out->rdev_minor = (new & 0xff) | (new >> 12 & 0xfff00);
}

int ext_inode_stat(struct ext *x, struct ext_inode *in, struct fs_stat *out, struct err *e)
{
	const struct ext2_inode_large *d = in->d;
	bool hurd = EXT_LE32(x->sb.s_creator_os) == EXT2_OS_HURD;

	(void)e;
	out->ino = in->ino;
	out->mode = in->mode;
	out->nlink = EXT_LE16(d->i_links_count);
	out->uid = EXT_LE16(d->i_uid) | (uint32_t)EXT_LE16(d->osd2.linux2.l_i_uid_high) << 16;
	out->gid = EXT_LE16(d->i_gid) | (uint32_t)EXT_LE16(d->osd2.linux2.l_i_gid_high) << 16;
	if ((x->ro_compat & EXT4_FEATURE_RO_COMPAT_PROJECT) && HAS_EXTRA(in, i_projid))
		out->project = EXT_LE32(d->i_projid);
	out->size = in->size;
	out->blocks512 = EXT_LE32(d->i_blocks);
	if ((x->ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE) && !hurd) {
		out->blocks512 |= (uint64_t)EXT_LE16(d->osd2.linux2.l_i_blocks_hi) << 32;
		if (in->flags & EXT4_HUGE_FILE_FL)
			out->blocks512 <<= x->bs_bits - 9;
	}
	/* As the kernel's stat(): inline data is not counted in the inode, yet a file with data has blocks. */
	if ((in->flags & EXT4_INLINE_DATA_FL) && S_ISREG(in->mode))
		out->blocks512 += div_round_up(in->size, 512);
	if (S_ISCHR(in->mode) || S_ISBLK(in->mode))
		device_of(in, out);
	out->atime = time_of(d->i_atime, HAS_EXTRA(in, i_atime_extra), d->i_atime_extra);
	out->mtime = time_of(d->i_mtime, HAS_EXTRA(in, i_mtime_extra), d->i_mtime_extra);
	out->ctime = time_of(d->i_ctime, HAS_EXTRA(in, i_ctime_extra), d->i_ctime_extra);
	out->has_crtime = HAS_EXTRA(in, i_crtime);
	if (out->has_crtime)
		out->crtime = time_of(d->i_crtime, HAS_EXTRA(in, i_crtime_extra), d->i_crtime_extra);
	return 0;
}
