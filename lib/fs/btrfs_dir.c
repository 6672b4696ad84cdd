/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_dir.c - directories.
 *
 * Each entry is there twice: as a DIR_INDEX by its number in the order of making, for reading all, and as a DIR_ITEM by
 * the hash of its name, for finding one.  An entry leads to an inode of the same subvolume, or to another subvolume.
 */
#include "btrfs.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

typedef int (*dirent_fn)(void *arg, const struct fs_dirent *d, struct err *e);

bool btrfs_name_ok(const char *name, size_t len)
{
	return len > 0 && len <= 255 && !memchr(name, '/', len) && !memchr(name, '\0', len);
}

static int judge_dir(const struct btrfs_inode *in, struct err *e)
{
	return S_ISDIR(in->mode) ? 0 : err_sys(e, ENOTDIR, "inode %" PRIu64, in->ref.ino);
}

/* An entry, judged. */
struct entry {
	struct btrfs_key location;
	const char *name; /* lent from the item */
	size_t len;
	uint32_t type;
};

static uint32_t type_of(uint8_t type)
{
	static const uint32_t types[] = { [BTRFS_FT_REG] = S_IFREG,  [BTRFS_FT_DIR] = S_IFDIR,	 [BTRFS_FT_CHR] = S_IFCHR,
					  [BTRFS_FT_BLK] = S_IFBLK,  [BTRFS_FT_FIFO] = S_IFIFO, [BTRFS_FT_SOCK] = S_IFSOCK,
					  [BTRFS_FT_LNK] = S_IFLNK };

	return type < ARRAY_LEN(types) ? types[type] : 0;
}

/* The entry at *item, which is moved behind it.  1, or 0 at the end. */
static int entry_next(const uint8_t **item, size_t *size, struct entry *out, struct err *e)
{
	struct btrfs_disk_dir d;
	size_t whole;

	if (*size == 0)
		return 0;
	if (*size < sizeof d)
		return err_set(e, ERR_CORRUPT, "an entry in %zu bytes", *size);
	memcpy(&d, *item, sizeof d);
	*out = (struct entry){ .location = btrfs_disk_key_get(&d.location), .name = (const char *)*item + sizeof d,
			       .len = le16_get(d.name_len), .type = type_of(d.type) };
	whole = sizeof d + out->len + le16_get(d.data_len);
	if (whole > *size)
		return err_set(e, ERR_CORRUPT, "an entry of %zu in %zu bytes", whole, *size);
	if (!btrfs_name_ok(out->name, out->len))
		return err_set(e, ERR_CORRUPT, "an entry's name of %zu bytes cannot be one", out->len);
	if (out->location.type != BTRFS_INODE_ITEM && out->location.type != BTRFS_ROOT_ITEM)
		return err_set(e, ERR_CORRUPT, "an entry for an item of type %u", out->location.type);
	if (out->location.type == BTRFS_INODE_ITEM &&
	    (out->location.objectid < BTRFS_FIRST_FREE || out->location.objectid > BTRFS_LAST_FREE))
		return err_set(e, ERR_CORRUPT, "an entry for inode %" PRIu64, out->location.objectid);
	*item += whole;
	*size -= whole;
	return 1;
}

/* The node that an entry of a directory leads to. */
static int entry_node(struct btrfs *b, const struct btrfs_inode *dir, const struct entry *ent, uint64_t *node,
		      struct err *e)
{
	uint64_t id = ent->location.objectid;
	size_t place = dir->ref.subvol;
	int rc;

	if (ent->location.type == BTRFS_INODE_ITEM) {
		if (id >> BTRFS_NODE_INO_BITS)
			return err_set(e, ERR_LIMIT, "inode %" PRIu64 " is more than are counted here", id);
		*node = btrfs_node_make(place, id, false);
		return 0;
	}
	rc = btrfs_subvol_is_at(b, id, dir->ref.tree.id, dir->ref.ino, ent->name, ent->len, e);
	if (rc > 0)
		rc = btrfs_subvol_find(b, id, &place, e);
	if (rc < 0)
		return rc;
	/* The directory is a copy, in a snapshot, or the subvolume was deleted. */
	*node = rc > 0 ? btrfs_node_make(place, BTRFS_FIRST_FREE, false) : btrfs_node_make(dir->ref.subvol, dir->ref.ino, true);
	return 0;
}

/* ---- upwards ---- */

int btrfs_dir_parent(struct btrfs *b, const struct btrfs_tree *t, uint64_t ino, uint64_t *parent, struct strbuf *name,
		     struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { ino, BTRFS_INODE_REF, 0 };
	struct btrfs_disk_inode_ref d;
	const char *item;
	size_t size;
	int rc = btrfs_seek(b, t, &key, &p, e);

	if (rc < 0)
		return rc;
	/* A directory has one name; that of the subvolume itself is "..", in itself. */
	if (rc == 0 || !btrfs_path_is(&p, ino, BTRFS_INODE_REF))
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 " has no name", ino);
	item = btrfs_path_item(&p, &size);
	if (size < sizeof d)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": a name in %zu bytes", ino, size);
	memcpy(&d, item, sizeof d);
	*parent = btrfs_path_key(&p).offset;
	if (*parent == ino)
		return err_set(e, ERR_NOT_FOUND, "inode %" PRIu64 " lies in itself", ino);
	if (*parent < BTRFS_FIRST_FREE || le16_get(d.name_len) > size - sizeof d ||
	    !btrfs_name_ok(item + sizeof d, le16_get(d.name_len)))
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": its name cannot be one", ino);
	strbuf_add(name, item + sizeof d, le16_get(d.name_len));
	return name->failed ? err_nomem(e) : 0;
}

/* What ".." is; at the top of all the directory itself. */
static int parent_node(struct btrfs *b, const struct btrfs_inode *dir, uint64_t *node, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	uint64_t subvol, ino = dir->ref.ino;
	size_t place = dir->ref.subvol;
	int rc = 0;

	if (dir->ref.stand_in) {
		/* The directory that the stand-in is in. */
	} else if (ino != BTRFS_FIRST_FREE) {
		rc = btrfs_dir_parent(b, &dir->ref.tree, ino, &ino, &name, e);
	} else {
		rc = btrfs_subvol_parent(b, dir->ref.tree.id, &subvol, &ino, e);
		if (rc > 0)
			rc = btrfs_subvol_find(b, subvol, &place, e);
		if (rc == 0) {
			place = dir->ref.subvol;
			ino = BTRFS_FIRST_FREE;
		}
	}
	if (rc < 0)
		return rc;
	if (ino < BTRFS_FIRST_FREE || ino >> BTRFS_NODE_INO_BITS)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 " is no directory", ino);
	*node = btrfs_node_make(place, ino, false);
	return 0;
}

/* ---- reading all ---- */

static int dots_show(struct btrfs *b, const struct btrfs_inode *dir, dirent_fn fn, void *arg, struct err *e)
{
	struct fs_dirent d = { .type = S_IFDIR, .name = "." };
	int rc;

	d.ino = btrfs_node_make(dir->ref.subvol, dir->ref.ino, dir->ref.stand_in);
	rc = fn(arg, &d, e);
	if (rc != 0)
		return rc;
	memcpy(d.name, "..", 3);
	rc = parent_node(b, dir, &d.ino, e);
	return rc < 0 ? rc : fn(arg, &d, e);
}

static int item_show(struct btrfs *b, const struct btrfs_inode *dir, const struct btrfs_path *p, struct fs_dirent *d,
		     dirent_fn fn, void *arg, struct err *e)
{
	struct entry ent;
	size_t size;
	const uint8_t *item = btrfs_path_item(p, &size);
	int rc = entry_next(&item, &size, &ent, e);

	if (rc > 0)
		rc = entry_node(b, dir, &ent, &d->ino, e);
	else if (rc == 0)
		rc = err_set(e, ERR_CORRUPT, "an entry in 0 bytes");
	if (rc < 0)
		return err_in(e, rc, "directory inode %" PRIu64, dir->ref.ino);
	memcpy(d->name, ent.name, ent.len);
	d->name[ent.len] = '\0';
	d->type = ent.location.type == BTRFS_ROOT_ITEM ? S_IFDIR : ent.type;
	return fn(arg, d, e);
}

int btrfs_readdir(struct btrfs *b, const struct btrfs_inode *dir, dirent_fn fn, void *arg, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { dir->ref.ino, BTRFS_DIR_INDEX, 2 }; /* the dots have 0 and 1, and no items */
	struct fs_dirent d;
	int rc = judge_dir(dir, e);

	if (rc == 0)
		rc = dots_show(b, dir, fn, arg, e);
	if (rc != 0 || dir->ref.stand_in)
		return rc;
	rc = btrfs_seek(b, &dir->ref.tree, &key, &p, e);
	while (rc > 0 && btrfs_path_is(&p, dir->ref.ino, BTRFS_DIR_INDEX)) {
		rc = item_show(b, dir, &p, &d, fn, arg, e);
		if (rc != 0)
			return rc;
		rc = btrfs_next(b, &dir->ref.tree, &p, e);
	}
	return rc < 0 ? rc : 0;
}

/* ---- looking up one name ---- */

int btrfs_lookup(struct btrfs *b, const struct btrfs_inode *dir, const char *name, uint64_t *node, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	size_t len = strlen(name), size;
	const struct btrfs_key key = { dir->ref.ino, BTRFS_DIR_ITEM, btrfs_name_hash(name, len) };
	const uint8_t *item;
	struct entry ent;
	int rc = judge_dir(dir, e);

	if (rc < 0)
		return rc;
	if (strcmp(name, ".") == 0) {
		*node = btrfs_node_make(dir->ref.subvol, dir->ref.ino, dir->ref.stand_in);
		return 0;
	}
	if (strcmp(name, "..") == 0)
		return parent_node(b, dir, node, e);
	rc = dir->ref.stand_in ? 0 : btrfs_seek_exact(b, &dir->ref.tree, &key, &p, e);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		/* Names of equal hashes share an item. */
		item = btrfs_path_item(&p, &size);
		while ((rc = entry_next(&item, &size, &ent, e)) > 0)
			if (ent.len == len && memcmp(ent.name, name, len) == 0)
				break;
		if (rc > 0)
			rc = entry_node(b, dir, &ent, node, e);
		else if (rc == 0)
			rc = err_set(e, ERR_NOT_FOUND, "no such file or directory");
		return rc < 0 && rc != -ERR_NOT_FOUND ? err_in(e, rc, "directory inode %" PRIu64, dir->ref.ino) : rc;
	}
	return err_set(e, ERR_NOT_FOUND, "no such file or directory");
}
