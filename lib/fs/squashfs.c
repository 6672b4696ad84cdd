/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* squashfs.c - squashfs 4.0, the compressed filesystem of live images, snaps and routers: the driver over its parts. */
#include "squashfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <sys/stat.h>

#define COMPRESSOR_LZMA 2

struct ondisk_super {
	uint8_t magic[4];
	le32 ninodes, mtime, block_size, nfragments;
	le16 compressor, block_log, flags, nids, major, minor;
	le64 root, bytes_used, id_index, xattr_index, inode_table, dir_table, fragment_index, export_index;
};

static int squash_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct ondisk_super sb;
	int rc;

	if (block_size(dev) < sizeof sb)
		return 0;
	rc = block_pread(dev, &sb, sizeof sb, 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(sb.magic, "hsqs", 4) != 0 || le16_get(sb.major) != 4)
		return 0;
	id->type = "squashfs";
	id->readable = true;
	id->size = le64_get(sb.bytes_used);
	return FS_PROBE_MINE;
}

static int compressor_open(struct squash *s, unsigned compressor, struct err *e)
{
	static const struct {
		unsigned number;
		enum unpack_alg alg;
	} known[] = {
		{ 1, UNPACK_ZLIB }, { 3, UNPACK_LZO }, { 4, UNPACK_XZ }, { 5, UNPACK_LZ4 }, { 6, UNPACK_ZSTD },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].number == compressor)
			return unpacker_new(known[i].alg, &s->unpacker, e);
	if (compressor == COMPRESSOR_LZMA)
		return err_set(e, ERR_UNSUPPORTED, "it is compressed by the old lzma, which drydock does not read");
	return err_set(e, ERR_UNSUPPORTED, "compression %u, which drydock does not know", compressor);
}

/* Is the index of a table with n entries of `size` bytes before the end? */
static bool index_fits(const struct squash *s, uint64_t index, uint64_t n, size_t size)
{
	return range_in(index, div_round_up(n, SQUASH_META_SIZE / size) * sizeof(le64), s->end);
}

static int super_judge(struct squash *s, const struct ondisk_super *sb, struct err *e)
{
	struct {
		le64 table;
		le32 count, unused;
	} xattrs;

	s->ninodes = le32_get(sb->ninodes);
	s->nids = le16_get(sb->nids);
	s->nfragments = le32_get(sb->nfragments);
	s->mtime = le32_get(sb->mtime);
	s->bs = le32_get(sb->block_size);
	s->bs_bits = le16_get(sb->block_log);
	s->end = le64_get(sb->bytes_used);
	s->inode_table = le64_get(sb->inode_table);
	s->dir_table = le64_get(sb->dir_table);
	s->fragment_index = le64_get(sb->fragment_index);
	s->id_index = le64_get(sb->id_index);
	s->xattr_index = le64_get(sb->xattr_index);
	s->root_ref = le64_get(sb->root);
	if (s->bs < 4096 || s->bs > SQUASH_MAX_BLOCK || s->bs_bits > 20 || s->bs != 1u << s->bs_bits)
		return err_set(e, ERR_CORRUPT, "blocks of %u bytes", s->bs);
	if (s->end < sizeof *sb || s->end > block_size(s->dev))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes on a device of %" PRIu64, s->end, block_size(s->dev));
	if (s->inode_table < sizeof *sb || s->inode_table >= s->dir_table || s->dir_table >= s->end)
		return err_set(e, ERR_CORRUPT, "the inode table at %" PRIu64 ", the directories at %" PRIu64, s->inode_table,
			       s->dir_table);
	if (s->nids == 0 || !index_fits(s, s->id_index, s->nids, sizeof(le32)))
		return err_set(e, ERR_CORRUPT, "the table of %" PRIu32 " owners leaves the filesystem", s->nids);
	if (s->nfragments > LIMIT_SQUASHFS_FRAGMENTS)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " fragments", s->nfragments);
	if (s->nfragments > 0 && !index_fits(s, s->fragment_index, s->nfragments, 16))
		return err_set(e, ERR_CORRUPT, "the table of %" PRIu32 " fragments leaves the filesystem", s->nfragments);
	if (s->xattr_index == SQUASH_NONE64)
		return 0;
	if (!range_in(s->xattr_index, sizeof xattrs, s->end))
		return err_set(e, ERR_CORRUPT, "the attributes at %" PRIu64 ", past the end", s->xattr_index);
	int rc = block_pread(s->dev, &xattrs, sizeof xattrs, s->xattr_index, e);
	if (rc < 0)
		return rc;
	s->xattr_table = le64_get(xattrs.table);
	s->nxattrs = le32_get(xattrs.count);
	if (s->xattr_table >= s->xattr_index)
		return err_set(e, ERR_CORRUPT, "the attributes at %" PRIu64 ", behind their index", s->xattr_table);
	return 0;
}

static int squash_open(struct fs *fs, struct err *e)
{
	struct squash *s = fs->state;
	struct squash_inode root;
	struct ondisk_super sb;
	int rc = block_pread(fs->dev, &sb, sizeof sb, 0, e);

	if (rc < 0)
		return rc;
	s->dev = fs->dev;
	s->map.ref = UINT64_MAX;
	for (size_t i = 0; i < SQUASH_DATA_LINES; i++)
		s->lines[i].addr = UINT64_MAX;
	for (size_t i = 0; i < SQUASH_META_LINES; i++)
		s->metas[i].addr = UINT64_MAX;
	if (le16_get(sb.minor) != 0)
		return err_set(e, ERR_UNSUPPORTED, "version 4.%u", le16_get(sb.minor));
	rc = super_judge(s, &sb, e);
	if (rc == 0)
		rc = compressor_open(s, le16_get(sb.compressor), e);
	if (rc < 0)
		return rc;
	s->packed = alloc_bytes(s->bs);
	if (!s->packed)
		return err_nomem(e);
	fs->root = s->root_ref;
	rc = squash_inode_get(s, s->root_ref, &root, e);
	if (rc < 0)
		return rc;
	return S_ISDIR(root.mode) ? 0 : err_set(e, ERR_CORRUPT, "the root inode is no directory");
}

static void squash_close(struct fs *fs)
{
	struct squash *s = fs->state;

	for (size_t i = 0; i < SQUASH_DATA_LINES; i++)
		free(s->lines[i].data);
	for (size_t i = 0; i < SQUASH_META_LINES; i++)
		free(s->metas[i].data);
	free(s->packed);
	unpacker_free(s->unpacker);
}

/* As the kernel's: everything is in use. */
static int squash_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	const struct squash *s = fs->state;

	(void)e;
	out->block_size = s->bs;
	out->blocks = ((s->end - 1) >> s->bs_bits) + 1;
	out->inodes = s->ninodes;
	return 0;
}

static int squash_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	struct squash_inode in;
	uint32_t attributes;
	int rc = squash_inode_get(fs->state, ino, &in, e);

	if (rc == 0)
		rc = squash_xattrs_size(fs->state, &in, &attributes, e);
	if (rc < 0)
		return rc;
	out->ino = in.number;
	out->size = in.size;
	if (S_ISREG(in.mode))
		out->blocks512 = in.size ? (in.size - in.sparse + 511) >> 9 : 0;
	/* As the kernel counts them. */
	out->blocks512 += div_round_up(attributes, 512);
	out->mode = in.mode;
	out->nlink = in.nlink;
	out->uid = in.uid;
	out->gid = in.gid;
	/* As Linux packs device numbers: 12 bits of major inside 20 of minor. */
	out->rdev_major = in.rdev >> 8 & 0xfff;
	out->rdev_minor = (in.rdev & 0xff) | (in.rdev >> 12 & 0xfff00);
	out->mtime.sec = in.mtime;
	out->atime = out->ctime = out->mtime;
	return 0;
}

static int squash_op_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	struct squash_inode in;
	int rc = squash_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : squash_lookup(fs->state, &in, name, ino, e);
}

static int squash_op_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			     void *arg, struct err *e)
{
	struct squash_inode in;
	int rc = squash_inode_get(fs->state, dir, &in, e);

	return rc < 0 ? rc : squash_readdir(fs->state, &in, fn, arg, e);
}

/* The inode, which must be one of a regular file. */
static int file_get(struct squash *s, uint64_t ino, struct squash_inode *in, struct err *e)
{
	int rc = squash_inode_get(s, ino, in, e);

	if (rc == 0 && !S_ISREG(in->mode))
		rc = err_set(e, ERR_USAGE, "inode %" PRIu32 " is not a regular file", in->number);
	return rc;
}

static int squash_op_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct squash_inode in;
	int rc = file_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : squash_pread(fs->state, &in, buf, len, off, got, e);
}

static int squash_op_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	struct squash_inode in;
	int rc = file_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : squash_extent(fs->state, &in, off, len, hole, e);
}

static int squash_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	struct squash *s = fs->state;
	struct squash_inode in;
	char buf[LIMIT_PATH];
	int rc = squash_inode_get(s, ino, &in, e);

	if (rc == 0 && !S_ISLNK(in.mode))
		rc = err_set(e, ERR_USAGE, "inode %" PRIu32 " is not a symlink", in.number);
	if (rc == 0)
		rc = squash_read(s, &in.rest, buf, (size_t)in.size, e);
	if (rc < 0)
		return rc;
	if (in.size == 0 || memchr(buf, 0, (size_t)in.size))
		return err_set(e, ERR_CORRUPT, "the target of symlink %" PRIu32 " is empty or holds a NUL", in.number);
	strbuf_add(target, buf, (size_t)in.size);
	return target->failed ? err_nomem(e) : 0;
}

static int squash_op_xattrs(struct fs *fs, uint64_t ino,
			    int (*fn)(void *, const char *, const void *, size_t, struct err *), void *arg, struct err *e)
{
	struct squash_inode in;
	int rc = squash_inode_get(fs->state, ino, &in, e);

	return rc < 0 ? rc : squash_xattrs(fs->state, &in, fn, arg, e);
}

const struct fs_driver fs_squashfs = {
	.name = "squashfs",
	.state_size = sizeof(struct squash),
	.probe = squash_probe,
	.open = squash_open,
	.close = squash_close,
	.statfs = squash_statfs,
	.stat = squash_stat,
	.lookup = squash_op_lookup,
	.readdir = squash_op_readdir,
	.pread = squash_op_pread,
	.extent = squash_op_extent,
	.readlink = squash_readlink,
	.xattrs = squash_op_xattrs,
};
