/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_inode.c - inodes of XFS: found by their number, checked, and told as stat() tells them.
 *
 * The last few stay open, with the parts of their maps that were used last.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

#define EXTENT_SIZE 16
/* bigtime counts nanoseconds from this second on, the first that 32 bits can tell. */
#define BIGTIME_FIRST (-(INT64_C(1) << 31))

void xfs_inode_put(struct xfs_inode *in)
{
	if (!in || --in->refs > 0)
		return;
	free(in->data.runs);
	free(in->attr.runs);
	free(in);
}

void xfs_inode_putp(struct xfs_inode **in)
{
	xfs_inode_put(*in);
	*in = NULL;
}

static int judge_fork(const struct xfs_fork *f, uint64_t size, bool inline_ok, const char *which, struct err *e)
{
	if (f->format == XFS_FORMAT_LOCAL && inline_ok) {
		if (size > f->len)
			return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes in a %s fork of %zu", size, which, f->len);
		return 0;
	}
	if (f->format == XFS_FORMAT_EXTENTS) {
		if (f->nextents > f->len / EXTENT_SIZE)
			return err_set(e, ERR_CORRUPT, "%" PRIu64 " extents in a %s fork of %zu bytes", f->nextents, which,
				       f->len);
		return 0;
	}
	if (f->format == XFS_FORMAT_BTREE)
		return 0;
	return err_set(e, ERR_CORRUPT, "a %s fork of format %u", which, f->format);
}

/* Where the forks are and what they hold. */
static int forks_find(const struct xfs *x, struct xfs_inode *in, struct err *e)
{
	const struct xfs_dinode *d = in->d;
	size_t core = x->v5 ? XFS_CORE3 : XFS_CORE2, room = x->inode_size - core, attr_off = (size_t)d->forkoff * 8;
	bool wide = in->flags2 & XFS_FLAG2_NREXT64;
	int rc;

	if (attr_off >= room)
		return err_set(e, ERR_CORRUPT, "its attributes begin at byte %zu of %zu", attr_off, room);
	in->data.bytes = in->raw + core;
	in->data.len = attr_off ? attr_off : room;
	in->data.format = d->format;
	in->data.nextents = wide ? be64_get(d->big_nextents) : be32_get(d->nextents);
	if (attr_off) {
		in->attr.bytes = in->raw + core + attr_off;
		in->attr.len = room - attr_off;
		in->attr.format = d->aformat;
		in->attr.nextents = wide ? be32_get(d->nextents) : be16_get(d->anextents);
		rc = judge_fork(&in->attr, 0, true, "attribute", e);
		if (rc < 0)
			return rc;
	}
	if (S_ISREG(in->mode) || S_ISDIR(in->mode) || S_ISLNK(in->mode))
		return judge_fork(&in->data, in->size, !S_ISREG(in->mode), "data", e);
	if (in->data.format != XFS_FORMAT_DEV || in->data.len < 4)
		return err_set(e, ERR_CORRUPT, "a device with a fork of format %u", in->data.format);
	return 0;
}

static int inode_read(struct xfs *x, struct xfs_inode *in, uint64_t pos, struct err *e)
{
	const struct xfs_dinode *d = in->d;
	bool logged = false;
	int rc = xfs_io_meta(&x->io, in->raw, x->inode_size, pos, &logged, e);

	if (rc == 0 && x->io.over)
		rc = xfs_over_inode(x->io.over, in, pos, &logged, e);
	if (rc < 0)
		return rc;
	if (be16_get(d->magic) != XFS_DINODE_MAGIC)
		return err_set(e, ERR_CORRUPT, "there is no inode at sector %" PRIu64, pos >> XFS_SECTOR_BITS);
	if (x->v5 ? d->version != 3 : d->version != 1 && d->version != 2)
		return err_set(e, ERR_CORRUPT, "an inode of version %u", d->version);
	if (x->v5) {
		if (!logged && !xfs_crc_matches(in->raw, x->inode_size, offsetof(struct xfs_dinode, crc)))
			return err_set(e, ERR_CORRUPT, "the checksum does not match");
		if (be64_get(d->ino) != in->ino)
			return err_set(e, ERR_CORRUPT, "it says that it is inode %" PRIu64, be64_get(d->ino));
		if (memcmp(d->uuid, x->meta_uuid, sizeof d->uuid) != 0)
			return err_set(e, ERR_CORRUPT, "it belongs to another filesystem");
		in->flags2 = be64_get(d->flags2);
	}
	in->mode = be16_get(d->mode);
	in->flags = be16_get(d->flags);
	in->size = be64_get(d->size);
	if (in->mode == 0)
		return err_set(e, ERR_CORRUPT, "a name leads to it, but it is not in use");
	if (in->size > INT64_MAX)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes", in->size);
	return forks_find(x, in, e);
}

int xfs_inode_get(struct xfs *x, uint64_t ino, struct xfs_inode **out, struct err *e)
{
	CLEANUP(xfs_inode_putp) struct xfs_inode *in = NULL;
	struct xfs_inode **slot = &x->inodes[0];
	uint64_t pos;
	int rc;

	for (size_t i = 0; i < XFS_OPEN_INODES; i++) {
		if (x->inodes[i] && x->inodes[i]->ino == ino) {
			*out = x->inodes[i];
			(*out)->used = ++x->clock;
			(*out)->refs++;
			return 0;
		}
		if (*slot && (!x->inodes[i] || x->inodes[i]->used < (*slot)->used))
			slot = &x->inodes[i];
	}
	if (!xfs_inode_pos(x, ino, &pos))
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 " lies outside of the filesystem", ino);
	in = alloc_zero(sizeof *in + x->inode_size);
	if (!in)
		return err_nomem(e);
	in->refs = 1;
	in->ino = ino;
	in->d = (const struct xfs_dinode *)in->raw;
	rc = inode_read(x, in, pos, e);
	if (rc < 0)
		return err_in(e, rc, "inode %" PRIu64, ino);
	xfs_inode_put(*slot);
	*slot = in;
	in->refs++;
	in->used = ++x->clock;
	*out = take(in);
	return 0;
}

static struct fs_time time_of(const struct xfs_inode *in, const uint8_t bytes[8])
{
	struct fs_time t;

	if (in->flags2 & XFS_FLAG2_BIGTIME) {
		be64 v;

		memcpy(&v, bytes, sizeof v);
		t.sec = (int64_t)(be64_get(v) / 1000000000) + BIGTIME_FIRST;
		t.nsec = (uint32_t)(be64_get(v) % 1000000000);
	} else {
		be32 v[2];

		memcpy(v, bytes, sizeof v);
		t.sec = (int32_t)be32_get(v[0]);
		t.nsec = MIN_OF(be32_get(v[1]), 999999999u);
	}
	return t;
}

int xfs_inode_stat(struct xfs *x, struct xfs_inode *in, struct fs_stat *out, struct err *e)
{
	const struct xfs_dinode *d = in->d;
	int64_t growth = 0;
	int rc = in->unfinished & XFS_UNFINISHED_MAP ? xfs_map_growth(x, in, &growth, e) : 0;

	if (rc < 0)
		return rc;
	out->ino = in->ino;
	out->mode = in->mode;
	out->nlink = d->version == 1 ? be16_get(d->onlink) : be32_get(d->nlink);
	out->uid = be32_get(d->uid);
	out->gid = be32_get(d->gid);
	if (d->version > 1)
		out->project = be16_get(d->projid_lo) | (uint32_t)be16_get(d->projid_hi) << 16;
	out->size = in->size;
	out->blocks512 = (be64_get(d->nblocks) + (uint64_t)growth) << (x->bs_bits - XFS_SECTOR_BITS);
	if (S_ISCHR(in->mode) || S_ISBLK(in->mode)) {
		be32 dev;

		memcpy(&dev, in->data.bytes, sizeof dev);
		/* 14 bits of it are the major number's, 9 of which Linux takes. */
		out->rdev_major = be32_get(dev) >> 18 & 0x1ff;
		out->rdev_minor = be32_get(dev) & 0x3ffff;
	}
	out->atime = time_of(in, d->atime);
	out->mtime = time_of(in, d->mtime);
	out->ctime = time_of(in, d->ctime);
	out->has_crtime = d->version == 3;
	if (out->has_crtime)
		out->crtime = time_of(in, d->crtime);
	return 0;
}
