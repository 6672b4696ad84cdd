/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xfs.c - XFS, read-only: the driver over the parts of xfs.h. */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* What the probe looks at. */
struct head {
	uint8_t magic[4];
	be32 blocksize;
	be64 dblocks;
	uint8_t other[16], uuid[16], places[40];
	be32 agcount;
	uint8_t log[8];
	be16 versionnum;
	uint8_t sizes[6];
	char label[12];
};
_Static_assert(sizeof(struct head) == 120, "as the format has it");

static int xfs_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct head h;
	uint32_t bs;
	unsigned version;
	size_t len;
	int rc;

	if (block_size(dev) < sizeof h)
		return 0;
	rc = block_pread(dev, &h, sizeof h, 0, e);
	if (rc < 0)
		return rc;
	bs = be32_get(h.blocksize);
	version = be16_get(h.versionnum) & 0xf;
	if (memcmp(h.magic, XFS_SB_MAGIC, sizeof h.magic) != 0)
		return xfs_ring_probe(dev, id, e);
	if (!is_pow2(bs) || bs < 512 || bs > 65536 || version == 0 || version > 5 || be32_get(h.agcount) == 0)
		return 0;
	id->type = "xfs";
	id->readable = true;
	len = strnlen(h.label, sizeof h.label);
	while (len > 0 && h.label[len - 1] == ' ')
		len--;
	memcpy(id->label, h.label, len);
	for (size_t i = 0; i < sizeof h.uuid; i++)
		if (h.uuid[i]) {
			text_uuid(h.uuid, id->uuid);
			break;
		}
	if (!checked_mul(be64_get(h.dblocks), bs, &id->size))
		id->size = 0;
	return FS_PROBE_MINE;
}

static void forget(struct xfs *x)
{
	for (size_t i = 0; i < XFS_OPEN_INODES; i++) {
		xfs_inode_put(x->inodes[i]);
		x->inodes[i] = NULL;
	}
	free(take(x->node));
	free(take(x->leaf));
	free(take(x->data));
}

/* The superblock judged, with what the log says of it. */
static int load(struct xfs *x, struct block *dev, struct xfs_over *over, struct err *e)
{
	int rc;

	forget(x);
	rc = xfs_io_init(&x->io, dev, e);
	if (rc < 0)
		return rc;
	x->io.over = over;
	rc = xfs_super_read(x, e);
	if (rc < 0)
		return rc;
	x->node = alloc_bytes(x->bs);
	return x->node ? 0 : err_nomem(e);
}

/* What the log was judged by must still hold when it has been replayed: a log of a growth changes only how much there is. */
static int reload(struct xfs *x, struct block *dev, struct err *e)
{
	const struct xfs old = *x;
	int rc = load(x, dev, x->over, e);

	if (rc < 0)
		return rc;
	if (x->v5 != old.v5 || x->bs != old.bs || x->inode_size != old.inode_size || x->agblocks != old.agblocks ||
	    x->dir_bs != old.dir_bs || memcmp(x->meta_uuid, old.meta_uuid, sizeof x->meta_uuid) != 0)
		return err_set(e, ERR_CORRUPT, "the log changes the sizes of the filesystem");
	return 0;
}

static int xfs_open(struct fs *fs, struct err *e)
{
	struct xfs *x = fs->state;
	struct xfs_inode *root = NULL;
	int rc = load(x, fs->dev, NULL, e);

	if (rc == 0)
		rc = xfs_log_replay(x, fs->others, fs->nothers, &x->over, fs->notice, sizeof fs->notice, e);
	if (rc == 0 && x->over)
		rc = reload(x, fs->dev, e);
	if (rc < 0)
		return rc;
	fs->root = x->root;
	rc = xfs_inode_get(x, x->root, &root, e);
	if (rc < 0)
		return rc;
	if (!S_ISDIR(root->mode))
		rc = err_set(e, ERR_CORRUPT, "the root inode is no directory");
	xfs_inode_put(root);
	return rc;
}

static void xfs_close(struct fs *fs)
{
	struct xfs *x = fs->state;

	forget(x);
	xfs_io_free(&x->io);
	xfs_over_free(x->over);
}

static int xfs_op_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	return xfs_statfs(fs->state, out, e);
}

static int xfs_op_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = xfs_inode_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : xfs_inode_stat(fs->state, in, out, e);
}

static int xfs_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = xfs_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : xfs_lookup(fs->state, in, name, ino, e);
}

static int xfs_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			  void *arg, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = xfs_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : xfs_readdir(fs->state, in, fn, arg, e);
}

/* A regular file, for what only these have. */
static int file_get(struct fs *fs, uint64_t ino, struct xfs_inode **out, struct err *e)
{
	int rc = xfs_inode_get(fs->state, ino, out, e);

	if (rc < 0 || S_ISREG((*out)->mode))
		return rc;
	return err_set(e, ERR_USAGE, "inode %" PRIu64 " is not a regular file", ino);
}

static int xfs_op_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = file_get(fs, ino, &in, e);

	return rc < 0 ? rc : xfs_read(fs->state, in, buf, len, off, got, e);
}

static int xfs_op_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = file_get(fs, ino, &in, e);

	return rc < 0 ? rc : xfs_extent(fs->state, in, off, len, hole, e);
}

static int xfs_op_place(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = file_get(fs, ino, &in, e);

	return rc < 0 ? rc : xfs_place(fs->state, in, off, len, where, e);
}

static int xfs_op_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = xfs_inode_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : xfs_readlink(fs->state, in, target, e);
}

static int xfs_op_xattrs(struct fs *fs, uint64_t ino,
			 int (*fn)(void *, const char *, const void *, size_t, struct err *), void *arg, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	int rc = xfs_inode_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : xfs_xattrs(fs->state, in, fn, arg, e);
}

const struct fs_driver fs_xfs = {
	.name = "xfs",
	.state_size = sizeof(struct xfs),
	.probe = xfs_probe,
	.open = xfs_open,
	.close = xfs_close,
	.statfs = xfs_op_statfs,
	.stat = xfs_op_stat,
	.lookup = xfs_op_lookup,
	.readdir = xfs_op_readdir,
	.pread = xfs_op_pread,
	.extent = xfs_op_extent,
	.place = xfs_op_place,
	.readlink = xfs_op_readlink,
	.xattrs = xfs_op_xattrs,
};
