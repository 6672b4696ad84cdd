/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_inode.c - inodes: found by nodes, told as stat() tells them, and their extended attributes.
 *
 * Each subvolume numbers its inodes from 256 on, so that a node has the subvolume in it.  The entry of a subvolume that is
 * nested in another stays behind when that is snapshotted: the snapshot shows an empty directory there, inode 2, which no
 * tree has.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>
#include <sys/stat.h>

#define INO_MASK ((1ULL << BTRFS_NODE_INO_BITS) - 1)
#define STAND_IN (1ULL << BTRFS_NODE_INO_BITS)

uint64_t btrfs_node_make(size_t subvol, uint64_t ino, bool stand_in)
{
	return (uint64_t)subvol << (BTRFS_NODE_INO_BITS + 1) | (stand_in ? STAND_IN : 0) | ino;
}

int btrfs_node_judge(const struct btrfs *b, uint64_t node, struct btrfs_ref *out, struct err *e)
{
	*out = (struct btrfs_ref){ .subvol = (size_t)(node >> (BTRFS_NODE_INO_BITS + 1)), .ino = node & INO_MASK,
				   .stand_in = node & STAND_IN };
	if (out->subvol >= b->nsubvols || out->ino < BTRFS_FIRST_FREE)
		return err_set(e, ERR_USAGE, "there is no node %" PRIu64, node);
	out->tree = b->subvols[out->subvol];
	return 0;
}

static int inode_read(struct btrfs *b, const struct btrfs_ref *ref, struct btrfs_inode *in, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { ref->ino, BTRFS_INODE_ITEM, 0 };
	const void *item;
	size_t size;
	int rc = btrfs_seek_exact(b, &ref->tree, &key, &p, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "a name leads to it, but it is not there");
	item = btrfs_path_item(&p, &size);
	if (size < sizeof in->d)
		return err_set(e, ERR_CORRUPT, "%zu bytes", size);
	memcpy(&in->d, item, sizeof in->d);
	in->mode = le32_get(in->d.mode);
	in->size = le64_get(in->d.size);
	in->flags = le64_get(in->d.flags);
	if (in->size > INT64_MAX)
		return err_set(e, ERR_CORRUPT, "a file of %" PRIu64 " bytes", in->size);
	return 0;
}

int btrfs_inode_get(struct btrfs *b, uint64_t node, struct btrfs_inode *out, struct err *e)
{
	int rc = btrfs_node_judge(b, node, &out->ref, e);

	if (rc < 0)
		return rc;
	rc = inode_read(b, &out->ref, out, e);
	if (rc < 0)
		return err_in(e, rc, "subvolume %" PRIu64 ": inode %" PRIu64, out->ref.tree.id, out->ref.ino);
	if (out->ref.stand_in && !S_ISDIR(out->mode))
		return err_set(e, ERR_CORRUPT, "subvolume %" PRIu64 ": inode %" PRIu64 " is no directory",
			       out->ref.tree.id, out->ref.ino);
	return 0;
}

static struct fs_time time_of(const struct btrfs_disk_time *t)
{
	return (struct fs_time){ .sec = (int64_t)le64_get(t->sec), .nsec = MIN_OF(le32_get(t->nsec), 999999999u) };
}

/* Owner and access time are those of the directory; the kernel gives the present moment as the other times. */
static void stand_in_stat(const struct btrfs_inode *dir, struct fs_stat *out)
{
	out->ino = BTRFS_EMPTY_SUBVOL;
	out->mode = S_IFDIR | 0755;
	out->nlink = 1;
	out->uid = le32_get(dir->d.uid);
	out->gid = le32_get(dir->d.gid);
	out->atime = time_of(&dir->d.atime);
	out->mtime = out->ctime = time_of(&dir->d.mtime);
}

void btrfs_inode_stat(const struct btrfs *b, const struct btrfs_inode *in, struct fs_stat *out)
{
	const struct btrfs_disk_inode *d = &in->d;
	uint64_t bytes = le64_get(d->nbytes), rdev = le64_get(d->rdev);

	if (in->ref.stand_in) {
		stand_in_stat(in, out);
		return;
	}
	out->ino = in->ref.ino;
	out->subvol = in->ref.tree.id;
	out->mode = in->mode;
	out->nlink = le32_get(d->nlink);
	out->uid = le32_get(d->uid);
	out->gid = le32_get(d->gid);
	out->size = in->size;
	out->blocks512 = (bytes + MIN_OF(b->sectorsize - 1, UINT64_MAX - bytes)) >> b->sector_bits << (b->sector_bits - 9);
	/* As the kernel has device numbers in memory. */
	if (S_ISCHR(in->mode) || S_ISBLK(in->mode)) {
		out->rdev_major = (uint32_t)rdev >> 20;
		out->rdev_minor = (uint32_t)rdev & 0xfffff;
	}
	out->atime = time_of(&d->atime);
	out->mtime = time_of(&d->mtime);
	out->ctime = time_of(&d->ctime);
	out->crtime = time_of(&d->otime);
	out->has_crtime = true;
}

/* ---- extended attributes ---- */

/* Those of one item: more than one where hashes of names are equal. */
static int attributes_show(const uint8_t *item, size_t size,
			   int (*fn)(void *, const char *, const void *, size_t, struct err *), void *arg, struct err *e)
{
	/* Ends: each turn takes a head and more of the item. */
	while (size > 0) {
		char name[256];
		struct btrfs_disk_dir d;
		size_t name_len, data_len;
		int rc;

		if (size < sizeof d)
			return err_set(e, ERR_CORRUPT, "an attribute in %zu bytes", size);
		memcpy(&d, item, sizeof d);
		name_len = le16_get(d.name_len);
		data_len = le16_get(d.data_len);
		if (name_len == 0 || name_len >= sizeof name || name_len + data_len > size - sizeof d ||
		    memchr(item + sizeof d, '\0', name_len))
			return err_set(e, ERR_CORRUPT, "an attribute with a name of %zu and a value of %zu bytes", name_len,
				       data_len);
		memcpy(name, item + sizeof d, name_len);
		name[name_len] = '\0';
		rc = fn(arg, name, item + sizeof d + name_len, data_len, e);
		if (rc != 0)
			return rc;
		item += sizeof d + name_len + data_len;
		size -= sizeof d + name_len + data_len;
	}
	return 0;
}

int btrfs_xattrs(struct btrfs *b, const struct btrfs_inode *in,
		 int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		 struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { in->ref.ino, BTRFS_XATTR_ITEM, 0 };
	const struct btrfs_tree *t = &in->ref.tree;
	int rc;

	if (in->ref.stand_in)
		return 0;
	rc = btrfs_seek(b, t, &key, &p, e);
	while (rc > 0 && btrfs_path_is(&p, in->ref.ino, BTRFS_XATTR_ITEM)) {
		size_t size;
		const uint8_t *item = btrfs_path_item(&p, &size);

		rc = attributes_show(item, size, fn, arg, e);
		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu64, in->ref.ino);
		if (rc > 0)
			return rc;
		rc = btrfs_next(b, t, &p, e);
	}
	return rc < 0 ? rc : 0;
}
