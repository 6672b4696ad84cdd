/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.h - trees of guests, made by a few lines of shell, for the tests of this folder. */
#ifndef DRYDOCK_TEST_INSPECT_TREE_H
#define DRYDOCK_TEST_INSPECT_TREE_H

#include "testing.h"

#include "vfs.h"

static struct err e = ERR_INIT;

static inline void run(const char *script)
{
	FILE *f = fopen("script", "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "PATH=$PATH:/sbin:/usr/sbin\n%s\n", script);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(system("sh -e script >log 2>&1 || { cat log; exit 1; }") == 0, "%s", script);
}

/* A tree made by a script in its folder, as a filesystem. */
static inline struct vfs *tree(const char *script)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct vfs *v = NULL;
	struct fs *fs = NULL;
	char all[3000];

	snprintf(all, sizeof all,
		 "rm -rf t d; mkdir t; cd t; mkdir etc bin\n%s\ncd ..\n"
		 "truncate -s 4M d; mke2fs -q -F -t ext4 -O ^has_journal -d t d",
		 script);
	run(all);
	ok(block_open("d", &how, &b, &e));
	ok(fs_open(b, &fs, &e));
	block_unref(b);
	ok(vfs_new(&v, &e));
	ok(vfs_mount(v, fs, "/", &e));
	return v;
}

#endif
