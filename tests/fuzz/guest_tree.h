/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_tree.h - for fuzzers of files in a guest: a tree with one file in memory, beneath folders each of which is the same.
 */
#ifndef DRYDOCK_FUZZ_GUEST_TREE_H
#define DRYDOCK_FUZZ_GUEST_TREE_H

#include "fs_driver.h"
#include "vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct guest_tree {
	const char *const *folders; /* names, ends at NULL; each is the root again */
	bool listed;		    /* reading a folder shows them, too */
	const char *name;	    /* of the file */
	const uint8_t *bytes;
	size_t len;
};
enum { TREE_ROOT = 1, TREE_FILE = 2 };

static int tree_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	const struct guest_tree *t = fs->state;

	(void)e;
	out->ino = ino;
	out->mode = ino == TREE_ROOT ? S_IFDIR | 0755 : S_IFREG | 0644;
	out->size = ino == TREE_FILE ? t->len : 0;
	return 0;
}

static int tree_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	const struct guest_tree *t = fs->state;

	(void)dir;
	*ino = TREE_ROOT;
	for (size_t i = 0; t->folders[i]; i++)
		if (strcmp(name, t->folders[i]) == 0)
			return 0;
	*ino = strcmp(name, t->name) == 0 ? TREE_FILE : 0;
	return *ino ? 0 : err_set(e, ERR_NOT_FOUND, "no such file or directory");
}

static int tree_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
			struct err *e)
{
	const struct guest_tree *t = fs->state;
	struct fs_dirent d = { .ino = TREE_ROOT, .type = S_IFDIR };
	int rc = 0;

	(void)dir;
	for (size_t i = 0; t->listed && t->folders[i] && rc == 0; i++) {
		snprintf(d.name, sizeof d.name, "%s", t->folders[i]);
		rc = fn(arg, &d, e);
	}
	if (rc)
		return rc;
	d = (struct fs_dirent){ .ino = TREE_FILE, .type = S_IFREG };
	snprintf(d.name, sizeof d.name, "%s", t->name);
	return fn(arg, &d, e);
}

static int tree_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	const struct guest_tree *t = fs->state;

	(void)ino, (void)e;
	if (off >= t->len)
		return 0;
	*got = len < t->len - off ? len : (size_t)(t->len - off);
	memcpy(buf, t->bytes + off, *got);
	return 0;
}

static void tree_close(struct fs *fs)
{
	(void)fs;
}

static const struct fs_driver tree_driver = {
	.name = "memory",
	.stat = tree_stat,
	.lookup = tree_lookup,
	.readdir = tree_readdir,
	.pread = tree_pread,
	.close = tree_close,
};

/* vfs_free() ends it; the tree is copied, its bytes are lent. */
static struct vfs *guest_tree(const struct guest_tree *tree)
{
	/* As fs_open() would make them. */
	struct fs *fs = calloc(1, sizeof *fs);
	struct guest_tree *t = malloc(sizeof *t);
	struct vfs *v = NULL;

	if (!fs || !t)
		abort();
	*t = *tree;
	fs->drv = &tree_driver;
	fs->refs = 1;
	fs->root = TREE_ROOT;
	fs->state = t;
	if (vfs_new(&v, NULL) < 0 || vfs_mount(v, fs, "/", NULL) < 0)
		abort();
	return v;
}

#endif
