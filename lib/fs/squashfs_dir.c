/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * squashfs_dir.c - directories: a listing in the directory table, sorted by name, in runs of at most 256 entries whose
 * inodes lie in one metadata block.  A large directory has an index in its inode: the first name of some of the runs.
 */
#include "squashfs.h"

#include "alloc.h"
#include "limits.h"
#include "ondisk.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

/* "." and "..", which are not in the listing, count three bytes in a directory's size. */
#define SIZE_OF_NOTHING 3
#define RUN_MAX 256

struct ondisk_run {
	le32 count, start_block, number; /* count: less one */
};
struct ondisk_entry {
	le16 off, number, type, size; /* size: of the name, less one */
};
struct ondisk_index {
	le32 pos, start_block, size; /* size: of the name, less one */
};

/* Where a listing is being read, and what is left of it. */
struct listing {
	struct squash_cursor c;
	uint64_t left;
};

static int listing_start(struct squash *s, const struct squash_inode *dir, struct listing *l, struct err *e)
{
	if (!S_ISDIR(dir->mode))
		return err_sys(e, ENOTDIR, "inode %" PRIu32, dir->number);
	if (dir->size > LIMIT_SQUASHFS_DIR_SIZE)
		return err_set(e, ERR_LIMIT, "a directory of %" PRIu64 " bytes", dir->size);
	l->c.addr = s->dir_table + dir->dir_block;
	l->c.off = dir->dir_off;
	l->left = dir->size > SIZE_OF_NOTHING ? dir->size - SIZE_OF_NOTHING : 0;
	return 0;
}

/* The next bytes of a listing; more than it has is an error. */
static int listing_read(struct squash *s, struct listing *l, void *buf, size_t len, struct err *e)
{
	if (len > l->left)
		return err_set(e, ERR_CORRUPT, "a directory that ends inside an entry");
	l->left -= len;
	return squash_read(s, &l->c, buf, len, e);
}

static int entry_read(struct squash *s, struct listing *l, uint32_t start_block, struct fs_dirent *d, struct err *e)
{
	static const uint16_t types[] = { 0, S_IFDIR, S_IFREG, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK };
	struct ondisk_entry ent;
	size_t len;
	int rc = listing_read(s, l, &ent, sizeof ent, e);

	if (rc < 0)
		return rc;
	len = (size_t)le16_get(ent.size) + 1;
	if (len > 255)
		return err_set(e, ERR_CORRUPT, "a directory entry with a name of %zu bytes", len);
	rc = listing_read(s, l, d->name, len, e);
	if (rc < 0)
		return rc;
	if (memchr(d->name, '/', len) || memchr(d->name, 0, len))
		return err_set(e, ERR_CORRUPT, "a directory entry whose name holds a slash or a NUL");
	d->name[len] = '\0';
	if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
		return err_set(e, ERR_CORRUPT, "a directory entry called \"%s\"", d->name);
	d->ino = (uint64_t)start_block << 16 | le16_get(ent.off);
	d->type = le16_get(ent.type) < ARRAY_LEN(types) ? types[le16_get(ent.type)] : 0;
	return 0;
}

/* All entries from where the listing stands.  It ends: each turn takes bytes of what is left. */
static int listing_show(struct squash *s, struct listing *l,
			int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg, struct err *e)
{
	struct fs_dirent d;

	while (l->left > 0) {
		struct ondisk_run run;
		uint32_t count;
		int rc = listing_read(s, l, &run, sizeof run, e);

		if (rc < 0)
			return rc;
		count = le32_get(run.count);
		if (count >= RUN_MAX)
			return err_set(e, ERR_CORRUPT, "a run of %" PRIu64 " directory entries", (uint64_t)count + 1);
		for (uint32_t i = 0; i <= count; i++) {
			rc = entry_read(s, l, le32_get(run.start_block), &d, e);
			if (rc == 0)
				rc = fn(arg, &d, e);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

int squash_readdir(struct squash *s, const struct squash_inode *dir,
		   int (*fn)(void *arg, const struct fs_dirent *d, struct err *e), void *arg, struct err *e)
{
	struct listing l;
	int rc = listing_start(s, dir, &l, e);

	return rc < 0 ? rc : listing_show(s, &l, fn, arg, e);
}

/* Moves the listing to the last run that the index knows to begin at or before the name. */
static int index_seek(struct squash *s, const struct squash_inode *dir, const char *name, struct listing *l,
		      struct err *e)
{
	struct squash_cursor c = dir->rest;
	uint64_t size = l->left;

	for (unsigned i = 0; i < dir->nindex; i++) {
		struct ondisk_index ix;
		char first[256];
		uint32_t len, pos;
		int rc = squash_read(s, &c, &ix, sizeof ix, e);

		if (rc < 0)
			return rc;
		len = le32_get(ix.size);
		pos = le32_get(ix.pos);
		if (len >= 255 || pos >= size)
			return err_set(e, ERR_CORRUPT, "an index whose entry of %" PRIu64 " bytes leads to byte %" PRIu32,
				       (uint64_t)len + 1, pos);
		rc = squash_read(s, &c, first, len + 1, e);
		if (rc < 0)
			return rc;
		first[len + 1] = '\0';
		if (strcmp(first, name) > 0)
			break;
		l->c.addr = s->dir_table + le32_get(ix.start_block);
		l->c.off = (dir->dir_off + pos) % SQUASH_META_SIZE;
		l->left = size - pos;
	}
	return 0;
}

struct search {
	const char *name;
	uint64_t ref;
	bool found;
};

/* Names are sorted: behind a greater one nothing is to be found. */
static int search_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct search *s = arg;
	int order = strcmp(d->name, s->name);

	(void)e;
	s->found = order == 0;
	s->ref = d->ino;
	return order >= 0;
}

int squash_lookup(struct squash *s, const struct squash_inode *dir, const char *name, uint64_t *ref, struct err *e)
{
	struct search search = { .name = name };
	struct listing l;
	int rc = listing_start(s, dir, &l, e);

	if (rc == 0)
		rc = index_seek(s, dir, name, &l, e);
	if (rc == 0)
		rc = listing_show(s, &l, search_entry, &search, e);
	if (rc < 0)
		return rc;
	if (!search.found)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	*ref = search.ref;
	return 0;
}
