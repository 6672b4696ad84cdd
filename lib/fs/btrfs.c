/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* btrfs.c - btrfs, read-only: the driver over the parts of btrfs.h. */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static int btrfs_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct btrfs_disk_super d;
	int rc;

	if (!range_in(BTRFS_SUPER_OFF, sizeof d, block_size(dev)))
		return 0;
	rc = block_pread(dev, &d, sizeof d, BTRFS_SUPER_OFF, e);
	if (rc < 0)
		return rc;
	if (memcmp(d.magic, BTRFS_MAGIC, sizeof d.magic) != 0)
		return 0;
	btrfs_super_identify(&d, id);
	return FS_PROBE_MINE;
}

/* Devices, chunks, and the trees that everything else begins with. */
static int trees_open(struct fs *fs, struct err *e)
{
	struct btrfs *b = fs->state;
	int rc = btrfs_devs_find(fs, e);

	if (rc == 0)
		rc = btrfs_super_judge(b, e);
	if (rc < 0)
		return rc;
	btrfs_super_identify(&b->super.d, &fs->id);
	b->sector = alloc_bytes(b->sectorsize);
	b->csums = alloc_bytes((BTRFS_DATA_MAX >> b->sector_bits) * BTRFS_CSUM_MAX);
	if (!b->sector || !b->csums)
		return err_nomem(e);
	rc = btrfs_sys_chunks(b, e);
	if (rc == 0)
		rc = btrfs_devs_judge(b, e);
	if (rc == 0)
		rc = btrfs_tree_find(b, BTRFS_TREE_CSUM, &b->csum_tree, e);
	b->has_csum_tree = rc > 0;
	return rc < 0 ? rc : 0;
}

/* What is shown when nothing else is asked for: the default subvolume. */
static int root_find(struct fs *fs, struct strbuf *notice, struct err *e)
{
	struct btrfs *b = fs->state;
	struct btrfs_inode in;
	uint64_t id;
	size_t place;
	int rc = btrfs_default_subvol(b, &id, e);

	if (rc == 0)
		rc = btrfs_subvol_find(b, id, &place, e);
	if (rc == 0 && id != BTRFS_TREE_FS) {
		strbuf_printf(notice, "%sthe default subvolume %" PRIu64 " is not there", notice->len ? "; " : "", id);
		rc = btrfs_subvol_find(b, BTRFS_TREE_FS, &place, e);
	}
	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "the subvolume at the top is not there");
	fs->root = btrfs_node_make(place, BTRFS_FIRST_FREE, false);
	rc = btrfs_inode_get(b, fs->root, &in, e);
	if (rc == 0 && !S_ISDIR(in.mode))
		rc = err_set(e, ERR_CORRUPT, "the root inode is no directory");
	return rc;
}

static int btrfs_open(struct fs *fs, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf notice = STRBUF_INIT;
	struct btrfs *b = fs->state;
	int rc = trees_open(fs, e);

	if (rc < 0)
		return rc;
	if (b->super.off != BTRFS_SUPER_OFF)
		strbuf_printf(&notice, "the superblock is damaged, its copy at byte %" PRIu64 " is used", b->super.off);
	btrfs_devs_notice(b, &notice);
	rc = root_find(fs, &notice, e);
	if (rc < 0)
		return rc;
	if (notice.failed)
		return err_nomem(e);
	snprintf(fs->notice, sizeof fs->notice, "%s", notice.s);
	if (le64_get(b->super.d.log_root))
		snprintf(fs->warning, sizeof fs->warning,
			 "the guest was not shut down, and what it wrote with fsync since its last commit (generation %" PRIu64
			 ") lies in a log that is not replayed: files are shown as of that commit", b->generation);
	return 0;
}

static void btrfs_close(struct fs *fs)
{
	struct btrfs *b = fs->state;

	btrfs_nodes_free(b);
	btrfs_extents_free(b);
	btrfs_chunks_free(b);
	btrfs_devs_free(b);
	free(b->subvols);
	free(b->sector);
	free(b->csums);
}

static int btrfs_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	return btrfs_statfs(fs->state, out, e);
}

static int btrfs_op_stat(struct fs *fs, uint64_t node, struct fs_stat *out, struct err *e)
{
	struct btrfs_inode in;
	int rc = btrfs_inode_get(fs->state, node, &in, e);

	if (rc == 0)
		btrfs_inode_stat(fs->state, &in, out);
	return rc;
}

static int btrfs_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	struct btrfs_inode in;
	int rc = btrfs_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : btrfs_lookup(fs->state, &in, name, node, e);
}

static int btrfs_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			    void *arg, struct err *e)
{
	struct btrfs_inode in;
	int rc = btrfs_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : btrfs_readdir(fs->state, &in, fn, arg, e);
}

static int regular_get(struct fs *fs, uint64_t node, struct btrfs_inode *in, struct err *e)
{
	int rc = btrfs_inode_get(fs->state, node, in, e);

	if (rc == 0 && (!S_ISREG(in->mode) || in->ref.stand_in))
		rc = err_set(e, ERR_USAGE, "inode %" PRIu64 " is not a regular file", in->ref.ino);
	return rc;
}

static int btrfs_op_pread(struct fs *fs, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct btrfs_inode in;
	int rc = regular_get(fs, node, &in, e);

	return rc < 0 ? rc : btrfs_read(fs->state, &in, buf, len, off, got, e);
}

static int btrfs_op_extent(struct fs *fs, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	struct btrfs_inode in;
	int rc = regular_get(fs, node, &in, e);

	return rc < 0 ? rc : btrfs_extent(fs->state, &in, off, len, hole, e);
}

static int btrfs_op_readlink(struct fs *fs, uint64_t node, struct strbuf *target, struct err *e)
{
	struct btrfs_inode in;
	int rc = btrfs_inode_get(fs->state, node, &in, e);

	return rc < 0 ? rc : btrfs_readlink(fs->state, &in, target, e);
}

static int btrfs_op_xattrs(struct fs *fs, uint64_t node,
			   int (*fn)(void *, const char *, const void *, size_t, struct err *), void *arg, struct err *e)
{
	struct btrfs_inode in;
	int rc = btrfs_inode_get(fs->state, node, &in, e);

	return rc < 0 ? rc : btrfs_xattrs(fs->state, &in, fn, arg, e);
}

const struct fs_driver fs_btrfs = {
	.name = "btrfs",
	.state_size = sizeof(struct btrfs),
	.probe = btrfs_probe,
	.open = btrfs_open,
	.close = btrfs_close,
	.mount_root = btrfs_mount_root,
	.subvolumes = btrfs_subvolumes,
	.statfs = btrfs_op_statfs,
	.stat = btrfs_op_stat,
	.lookup = btrfs_op_lookup,
	.readdir = btrfs_op_readdir,
	.pread = btrfs_op_pread,
	.extent = btrfs_op_extent,
	.readlink = btrfs_op_readlink,
	.xattrs = btrfs_op_xattrs,
};
