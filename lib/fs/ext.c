/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ext.c - ext2, ext3 and ext4, read-only: the driver over the parts of ext.h. */
#include "ext.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static int ext_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct ext2_super_block sb;
	uint64_t blocks;
	uint32_t log_block;

	if (block_size(dev) < EXT_SUPER_OFF + sizeof sb)
		return 0;
	int rc = block_pread(dev, &sb, sizeof sb, EXT_SUPER_OFF, e);
	if (rc < 0)
		return rc;
	if (EXT_LE16(sb.s_magic) != EXT2_SUPER_MAGIC)
		return 0;
	id->type = ext_type(&sb);
	id->readable = strcmp(id->type, "jbd") != 0;
	memcpy(id->label, sb.s_volume_name, sizeof sb.s_volume_name);
	for (size_t i = 0; i < sizeof sb.s_uuid; i++)
		if (sb.s_uuid[i]) {
			text_uuid(sb.s_uuid, id->uuid);
			break;
		}
	log_block = EXT_LE32(sb.s_log_block_size);
	blocks = EXT_LE32(sb.s_blocks_count);
	if (EXT_LE32(sb.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)EXT_LE32(sb.s_blocks_count_hi) << 32;
	if (log_block <= 6 && blocks <= UINT64_MAX >> (log_block + 10))
		id->size = blocks << (log_block + 10);
	return FS_PROBE_MINE;
}

static void forget_inodes(struct ext *x)
{
	for (size_t i = 0; i < EXT_OPEN_INODES; i++) {
		ext_inode_put(x->inodes[i]);
		x->inodes[i] = NULL;
	}
}

/* The superblock judged. */
static int load(struct ext *x, struct block *dev, struct err *e)
{
	int rc;

	forget_inodes(x);
	free(take(x->block));
	rc = ext_io_init(&x->io, dev, 1024, e);
	if (rc < 0)
		return rc;
	/* Patches count in blocks of the filesystem, whose size the first load has found out. */
	if (x->patches.n) {
		x->io.bs = x->bs;
		x->io.patches = &x->patches;
	}
	rc = ext_super_read(x, e);
	if (rc < 0)
		return rc;
	if (x->patches.n && x->io.bs != x->bs)
		return err_set(e, ERR_CORRUPT, "the journal changes the block size");
	rc = ext_io_init(&x->io, dev, x->bs, e);
	if (rc < 0)
		return rc;
	x->io.patches = &x->patches;
	x->block = alloc_bytes(x->bs);
	return x->block ? 0 : err_nomem(e);
}

static int ext_open(struct fs *fs, struct err *e)
{
	struct ext *x = fs->state;
	struct ext_inode *root = NULL;
	int rc = load(x, fs->dev, e);

	if (rc == 0 && (x->compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL) && (x->incompat & EXT3_FEATURE_INCOMPAT_RECOVER)) {
		uint64_t nblocks = x->nblocks;

		rc = ext_journal_replay(x, fs->notice, sizeof fs->notice, e);
		if (rc == 0 && x->patches.n)
			rc = load(x, fs->dev, e);
		/* Patches were judged against the size before; a log of a resize makes it larger, never smaller. */
		if (rc == 0 && x->nblocks < nblocks)
			rc = err_set(e, ERR_CORRUPT, "the journal shrinks the filesystem");
	}
	if (rc < 0)
		return rc;
	fs->root = EXT2_ROOT_INO;
	rc = ext_inode_get(x, EXT2_ROOT_INO, false, &root, e);
	if (rc < 0)
		return rc;
	if (!S_ISDIR(root->mode))
		rc = err_set(e, ERR_CORRUPT, "the root inode is no directory");
	ext_inode_put(root);
	return rc;
}

static void ext_close(struct fs *fs)
{
	struct ext *x = fs->state;

	forget_inodes(x);
	ext_io_free(&x->io);
	free(x->patches.items);
	free(x->block);
}

static int ext_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	return ext_statfs(fs->state, out, e);
}

static int ext_op_free_extents(struct fs *fs, int (*fn)(void *, uint64_t, uint64_t, struct err *), void *arg, struct err *e)
{
	return ext_free_extents(fs->state, fn, arg, e);
}

static int ext_op_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	return rc < 0 ? rc : ext_inode_stat(fs->state, in, out, e);
}

static int ext_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, dir, false, &in, e);

	return rc < 0 ? rc : ext_lookup(fs->state, in, name, ino, e);
}

static int ext_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			  void *arg, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, dir, false, &in, e);

	return rc < 0 ? rc : ext_readdir(fs->state, in, fn, arg, e);
}

static int ext_op_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	if (rc < 0)
		return rc;
	if (!S_ISREG(in->mode))
		return err_set(e, ERR_USAGE, "inode %" PRIu64 " is not a regular file", ino);
	return ext_read(fs->state, in, buf, len, off, got, e);
}

static int ext_op_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	if (rc < 0)
		return rc;
	if (!S_ISREG(in->mode))
		return err_set(e, ERR_USAGE, "inode %" PRIu64 " is not a regular file", ino);
	return ext_extent(fs->state, in, off, len, hole, e);
}

static int ext_op_place(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	if (rc < 0 || !S_ISREG(in->mode))
		return rc;
	return ext_place(fs->state, in, off, len, where, e);
}

static int ext_op_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	return rc < 0 ? rc : ext_readlink(fs->state, in, target, e);
}

static int ext_op_xattrs(struct fs *fs, uint64_t ino,
			 int (*fn)(void *, const char *, const void *, size_t, struct err *), void *arg, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	int rc = ext_inode_get(fs->state, ino, false, &in, e);

	return rc < 0 ? rc : ext_xattrs(fs->state, in, fn, arg, e);
}

const struct fs_driver fs_ext = {
	.name = "ext",
	.state_size = sizeof(struct ext),
	.probe = ext_probe,
	.open = ext_open,
	.close = ext_close,
	.statfs = ext_op_statfs,
	.free_extents = ext_op_free_extents,
	.stat = ext_op_stat,
	.lookup = ext_op_lookup,
	.readdir = ext_op_readdir,
	.pread = ext_op_pread,
	.extent = ext_op_extent,
	.place = ext_op_place,
	.readlink = ext_op_readlink,
	.xattrs = ext_op_xattrs,
};
