/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs.c - what every filesystem reader has in common: opening, and the contract around each call. */
#include "fs_driver.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* *drv: whose claim it is; NULL when there is none, or more than one. */
static int probe(struct block *dev, struct fs_id *id, const struct fs_driver **drv, struct err *e)
{
	bool container = false;
	unsigned nclaims = 0;
	bool shared = false;

	memset(id, 0, sizeof *id);
	*drv = NULL;
	for (const struct fs_driver *const *d = fs_drivers; *d; d++) {
		struct fs_id claim = { 0 };
		int rc = (*d)->probe(dev, &claim, e);

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		if (nclaims == 1 && shared && rc == FS_PROBE_SHARED) {
			/* The files of a disc are read in the way that can be read. */
			if (claim.readable && !id->readable) {
				id->readable = true;
				id->takes_linux = false;
				*drv = *d;
			}
			continue;
		}
		if (rc == FS_PROBE_MANY || (nclaims > 0 && !container)) {
			nclaims = 2;
			continue;
		}
		/*
		 * What holds a filesystem (a RAID member with its superblock at the end, LUKS, LVM) may show the filesystem's
		 * own magic too: the container is listed first and wins.
		 */
		if (nclaims == 0) {
			*id = claim;
			*drv = *d;
			nclaims = 1;
			shared = rc == FS_PROBE_SHARED;
			container = rc == FS_PROBE_CONTAINER;
		}
	}
	if (nclaims > 1) {
		memset(id, 0, sizeof *id);
		id->type = "ambivalent";
		*drv = NULL;
	}
	return 0;
}

int fs_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	const struct fs_driver *drv;

	return probe(dev, id, &drv, e);
}

int fs_open(struct block *dev, struct fs **out, struct err *e)
{
	return fs_open_among(dev, NULL, 0, out, e);
}

/* What all ways to open have in common; *like says what is to be opened and how. */
static int open_driver(const struct fs *like, struct fs **out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = alloc_zero(sizeof *fs);
	int rc;

	if (!fs)
		return err_nomem(e);
	*fs = *like;
	fs->refs = 1;
	fs->dev = block_ref(like->dev);
	fs->state = alloc_zero(fs->drv->state_size);
	if (!fs->state)
		return err_nomem(e);
	rc = fs->drv->open(fs, e);
	fs->others = NULL;
	fs->nothers = 0;
	fs->param = NULL;
	if (rc == 0)
		*out = take(fs);
	return rc;
}

int fs_open_by(const struct fs_driver *drv, struct block *dev, const struct fs_id *id, void *param, struct fs **out,
	       struct err *e)
{
	const struct fs like = { .drv = drv, .dev = dev, .id = *id, .param = param };

	return open_driver(&like, out, e);
}

int fs_open_among(struct block *dev, struct block *const *others, size_t nothers, struct fs **out, struct err *e)
{
	struct fs like = { .dev = dev, .others = others, .nothers = nothers };
	struct fs_id id;
	const struct fs_driver *drv = NULL;
	int rc = probe(dev, &id, &drv, e);

	if (rc < 0)
		return rc;
	if (!id.type)
		return err_set(e, ERR_UNSUPPORTED, "no known filesystem");
	if (strcmp(id.type, "ambivalent") == 0)
		return err_set(e, ERR_UNSUPPORTED, "the signatures of several filesystems are there at once; wipefs shows them");
	if (id.takes_linux)
		return err_set(e, ERR_UNSUPPORTED, "filesystem type %s cannot be read yet: it takes the driver of Linux itself",
			       id.type);
	if (drv && drv->needs)
		return err_set(e, ERR_UNSUPPORTED, "filesystem type %s cannot be read: this program was built without %s", id.type,
			       drv->needs);
	if (!drv || !drv->open || !id.readable)
		return err_set(e, ERR_UNSUPPORTED, "filesystem type %s cannot be read", id.type);

	like.drv = drv;
	like.id = id;
	rc = open_driver(&like, out, e);
	return rc < 0 ? err_in(e, rc, "%s", id.type) : 0;
}

struct fs *fs_ref(struct fs *fs)
{
	fs->refs++;
	return fs;
}

void fs_close(struct fs *fs)
{
	if (!fs || --fs->refs > 0)
		return;
	if (fs->state) {
		fs->drv->close(fs);
		free(fs->state);
	}
	block_unref(fs->dev);
	free(fs);
}

void fs_closep(struct fs **fs)
{
	fs_close(*fs);
	*fs = NULL;
}

const struct fs_id *fs_identity(const struct fs *fs)
{
	return &fs->id;
}

struct block *fs_device(const struct fs *fs)
{
	return fs->dev;
}

uint64_t fs_root(const struct fs *fs)
{
	return fs->root;
}

int fs_mount_root(struct fs *fs, const char *opts, uint64_t *root, struct err *e)
{
	*root = fs->root;
	return fs->drv->mount_root ? fs->drv->mount_root(fs, opts, root, e) : 0;
}

int fs_subvolumes(struct fs *fs, int (*fn)(void *arg, uint64_t id, const char *path, struct err *e), void *arg,
		  struct err *e)
{
	return fs->drv->subvolumes ? fs->drv->subvolumes(fs, fn, arg, e) : 0;
}

const char *fs_notice(const struct fs *fs)
{
	return fs->notice[0] ? fs->notice : NULL;
}

const char *fs_warning(const struct fs *fs)
{
	return fs->warning[0] ? fs->warning : NULL;
}

int fs_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	return fs->drv->statfs(fs, out, e);
}

int fs_free_extents(struct fs *fs, int (*fn)(void *, uint64_t, uint64_t, struct err *), void *arg, struct err *e)
{
	if (!fs->drv->free_extents)
		return err_set(e, ERR_UNSUPPORTED, "free space of %s is not read", fs->id.type);
	return fs->drv->free_extents(fs, fn, arg, e);
}

int fs_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	memset(out, 0, sizeof *out);
	return fs->drv->stat(fs, ino, out, e);
}

int fs_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0)
		return err_set(e, ERR_NOT_FOUND, "an empty name");
	if (len > (fs->drv->name_max ? fs->drv->name_max : 255))
		return err_sys(e, ENAMETOOLONG, "a name of %zu bytes", len);
	return fs->drv->lookup(fs, dir, name, ino, e);
}

int fs_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg,
	       struct err *e)
{
	return fs->drv->readdir(fs, dir, fn, arg, e);
}

int fs_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	*got = 0;
	if (len == 0)
		return 0;
	if (len > LIMIT_REQUEST)
		return err_set(e, ERR_LIMIT, "a request of %zu bytes", len);
	return fs->drv->pread(fs, ino, buf, len, off, got, e);
}

int fs_extent(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	*len = 0;
	*hole = false;
	return fs->drv->extent(fs, ino, off, len, hole, e);
}

int fs_place(struct fs *fs, uint64_t ino, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	*len = UINT64_MAX - off;
	*where = 0;
	return fs->drv->place ? fs->drv->place(fs, ino, off, len, where, e) : 0;
}

int fs_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	return fs->drv->readlink(fs, ino, target, e);
}

int fs_xattrs(struct fs *fs, uint64_t ino,
	      int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	      struct err *e)
{
	return fs->drv->xattrs(fs, ino, fn, arg, e);
}
