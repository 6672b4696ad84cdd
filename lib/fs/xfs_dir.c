/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_dir.c - directories, read from one end to the other.
 *
 * A small one lies in its inode: a head with the parent, then entries.  Others are made of directory blocks, of one or
 * more blocks of the filesystem: a head, then entries (inode, length of the name, name, type, and the entry's own offset as
 * a tag) and gaps (0xffff, length, tag), all at multiples of 8 bytes.  While one block holds all, the hashes of the names lie
 * at its end; then hashes are in blocks of their own from 32 GiB of the file on (xfs_lookup.c), and from 64 GiB on is a table
 * of free space, which no reader needs.
 */
#include "xfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <inttypes.h>

#define SINGLE2 "XD2B"
#define SINGLE3 "XDB3"
#define DATA2 "XD2D"
#define DATA3 "XDD3"
#define HEAD2 16u
#define HEAD3 64u
#define GAP_TAG 0xffff
#define ENTRY_HEAD 9u /* inode and length of the name */

struct single_tail {
	be32 count, stale;
};
#define HASH_ENTRY 8u

static uint32_t type_bits(uint8_t type)
{
	/* The last is a whiteout, a character device. */
	static const uint16_t bits[] = { 0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK, S_IFCHR };

	return type < ARRAY_LEN(bits) ? bits[type] : 0;
}

static int entry_fill(const struct xfs *x, struct fs_dirent *d, uint64_t ino, const uint8_t *name, size_t len,
		      uint8_t type, struct err *e)
{
	uint64_t pos;

	if (len == 0)
		return err_set(e, ERR_CORRUPT, "an entry without a name");
	if (memchr(name, '/', len) || memchr(name, 0, len))
		return err_set(e, ERR_CORRUPT, "an entry whose name holds a slash or a NUL");
	if (!xfs_inode_pos(x, ino, &pos))
		return err_set(e, ERR_CORRUPT, "an entry leads to inode %" PRIu64 ", outside of the filesystem", ino);
	d->ino = ino;
	d->type = x->ftype ? type_bits(type) : 0;
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	return 0;
}

int xfs_dir_judge(const struct xfs *x, const struct xfs_inode *dir, struct err *e)
{
	if (!S_ISDIR(dir->mode))
		return err_sys(e, ENOTDIR, "inode %" PRIu64, dir->ino);
	if (dir->data.format == XFS_FORMAT_LOCAL)
		return 0;
	if (dir->size > LIMIT_XFS_DIR_SIZE || dir->size == 0 || dir->size % x->dir_bs)
		return err_set(e, ERR_CORRUPT, "directory inode %" PRIu64 " of %" PRIu64 " bytes", dir->ino, dir->size);
	return 0;
}

/* ---- in the inode ---- */

/* 4 or 8 bytes, as the head says for all of them. */
static uint64_t short_ino(const uint8_t *p, size_t size)
{
	uint64_t ino = 0;

	for (size_t i = 0; i < size; i++)
		ino = ino << 8 | p[i];
	return ino;
}

int xfs_dir_local(const struct xfs *x, const struct xfs_inode *dir, xfs_dirent_fn fn, void *arg, struct err *e)
{
	const uint8_t *p = dir->data.bytes;
	size_t len = (size_t)dir->size, ino_size, at;
	struct fs_dirent d = { .ino = dir->ino, .type = S_IFDIR, .name = "." };
	int rc;

	if (len < 6)
		return err_set(e, ERR_CORRUPT, "%zu bytes in the inode", len);
	ino_size = p[1] ? 8 : 4;
	at = 2 + ino_size;
	if (at > len)
		return err_set(e, ERR_CORRUPT, "%zu bytes in the inode", len);
	rc = fn(arg, &d, e);
	if (rc == 0)
		rc = entry_fill(x, &d, short_ino(p + 2, ino_size), (const uint8_t *)"..", 2, 0, e);
	d.type = S_IFDIR;
	if (rc == 0)
		rc = fn(arg, &d, e);
	/* p[0] entries: the length of the name, two bytes for who makes it larger, the name, the type, the inode. */
	for (unsigned i = 0; rc == 0 && i < p[0]; i++) {
		size_t name_len = at < len ? p[at] : 0, size = 3 + name_len + x->ftype + ino_size;

		if (!range_in(at, size, len))
			return err_set(e, ERR_CORRUPT, "an entry in the inode runs past its end");
		rc = entry_fill(x, &d, short_ino(p + at + size - ino_size, ino_size), p + at + 3, name_len,
				x->ftype ? p[at + 3 + name_len] : 0, e);
		if (rc == 0)
			rc = fn(arg, &d, e);
		at += size;
	}
	return rc;
}

/* ---- in blocks ---- */

int xfs_dir_block(struct xfs *x, struct xfs_inode *dir, struct xfs_dir_block *b, struct err *e)
{
	bool logged;
	uint64_t pos;
	int rc = xfs_map_meta(x, dir, &dir->data, b->off >> x->bs_bits, x->dir_bs >> x->bs_bits, b->bytes, &pos, &logged, e);

	if (rc < 0)
		return rc;
	b->single = b->off == 0 && memcmp(b->bytes, x->v5 ? SINGLE3 : SINGLE2, 4) == 0;
	if (!b->single && memcmp(b->bytes, x->v5 ? DATA3 : DATA2, 4) != 0)
		return err_set(e, ERR_CORRUPT, "the block at byte %" PRIu64 " of it is no directory block", b->off);
	rc = xfs_self_check(x, &xfs_self_dir, b->bytes, x->dir_bs, pos, dir->ino, logged, "directory block", e);
	if (rc < 0)
		return rc;
	b->first = x->v5 ? HEAD3 : HEAD2;
	b->end = x->dir_bs;
	b->nhashes = 0;
	if (b->single) {
		struct single_tail t;

		b->end -= sizeof t;
		memcpy(&t, b->bytes + b->end, sizeof t);
		b->nhashes = be32_get(t.count);
		if (b->nhashes > (b->end - b->first) / HASH_ENTRY)
			return err_set(e, ERR_CORRUPT, "a directory block with %zu hashes", b->nhashes);
		b->end -= b->nhashes * HASH_ENTRY;
	}
	return 0;
}

int xfs_dir_entry(const struct xfs *x, const struct xfs_dir_block *b, size_t *at, struct fs_dirent *d, struct err *e)
{
	const uint8_t *p = b->bytes + *at;
	size_t left = b->end - *at, size, name_len;
	be16 tag, gap, gap_len;
	be64 ino;
	int rc;

	/* The shortest of both is 16 bytes, or a gap of 8. */
	if (left < 8)
		return err_set(e, ERR_CORRUPT, "a directory entry with %zu bytes left", left);
	memcpy(&gap, p, sizeof gap);
	memcpy(&gap_len, p + 2, sizeof gap_len);
	name_len = left > ENTRY_HEAD ? p[8] : 0;
	if (be16_get(gap) == GAP_TAG)
		size = be16_get(gap_len);
	else
		size = round_up(ENTRY_HEAD + name_len + x->ftype + sizeof tag, 8);
	if (size < 8 || size % 8 || size > left)
		return err_set(e, ERR_CORRUPT, "a directory entry of %zu bytes with %zu left", size, left);
	memcpy(&tag, p + size - sizeof tag, sizeof tag);
	if (be16_get(tag) != *at)
		return err_set(e, ERR_CORRUPT, "a directory entry at byte %zu is tagged as that of %u", *at, be16_get(tag));
	*at += size;
	if (be16_get(gap) == GAP_TAG)
		return 0;
	memcpy(&ino, p, sizeof ino);
	rc = entry_fill(x, d, be64_get(ino), p + ENTRY_HEAD, name_len, x->ftype ? p[ENTRY_HEAD + name_len] : 0, e);
	return rc < 0 ? rc : 1;
}

static int block_show(const struct xfs *x, const struct xfs_dir_block *b, xfs_dirent_fn fn, void *arg, struct err *e)
{
	struct fs_dirent d;

	for (size_t at = b->first; at < b->end;) {
		int rc = xfs_dir_entry(x, b, &at, &d, e);

		if (rc > 0)
			rc = fn(arg, &d, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int blocks_show(struct xfs *x, struct xfs_inode *dir, xfs_dirent_fn fn, void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = alloc_bytes(x->dir_bs);
	struct xfs_dir_block b = { .bytes = bytes };
	uint64_t nread = 0;

	if (!bytes)
		return err_nomem(e);
	while (b.off < dir->size) {
		struct xfs_run run;
		int rc = xfs_map(x, dir, &dir->data, b.off >> x->bs_bits, &run, e);

		if (rc < 0)
			return rc;
		if (run.kind == XFS_RUN_HOLE) {
			uint64_t len = MIN_OF(run.len, (uint64_t)LIMIT_XFS_DIR_SIZE >> x->bs_bits) << x->bs_bits;

			/* What is only in part a hole is an error, below. */
			if (len >= x->dir_bs) {
				b.off += round_down(len, x->dir_bs);
				continue;
			}
		}
		/* One block under many names would make a small image an endless directory. */
		if (nread++ >= x->nblocks)
			return err_set(e, ERR_CORRUPT, "more blocks than the filesystem has");
		rc = xfs_dir_block(x, dir, &b, e);
		if (rc == 0)
			rc = block_show(x, &b, fn, arg, e);
		if (rc)
			return rc;
		b.off += x->dir_bs;
	}
	return 0;
}

int xfs_readdir(struct xfs *x, struct xfs_inode *dir, xfs_dirent_fn fn, void *arg, struct err *e)
{
	int rc = xfs_dir_judge(x, dir, e);

	if (rc < 0)
		return rc;
	return dir->data.format == XFS_FORMAT_LOCAL ? xfs_dir_local(x, dir, fn, arg, e) : blocks_show(x, dir, fn, arg, e);
}
