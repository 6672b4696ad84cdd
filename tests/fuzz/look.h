/* SPDX-License-Identifier: GPL-2.0-or-later */
/* look.h - for fuzzers of filesystems: everything that a reader can ask of a few hundred files. */
#ifndef DRYDOCK_FUZZ_LOOK_H
#define DRYDOCK_FUZZ_LOOK_H

#include "memory.h"

#include "vfs.h"

#include <sys/stat.h>

#define LOOK_FILES 300
#define LOOK_RUNS 200

struct look {
	struct vfs *vfs;
	unsigned nfiles;
	uint8_t buf[70000];
};

static int look_on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	volatile uint8_t sum = 0;

	(void)arg, (void)e;
	if (!*name || len > 200000)
		abort();
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)value)[i]);
	return 0;
}

static void look_at_file(struct look *l, const struct vfs_entry *ent)
{
	uint64_t off = 0, run;
	size_t got;
	bool hole;

	for (unsigned i = 0; i < LOOK_RUNS && off < ent->st.size; i++) {
		if (fs_extent(ent->node.fs, ent->node.ino, off, &run, &hole, NULL) < 0)
			break;
		if (run == 0 || run > ent->st.size - off)
			abort();
		if (fs_pread(ent->node.fs, ent->node.ino, l->buf, sizeof l->buf, off, &got, NULL) < 0)
			break;
		off += run;
	}
	if (ent->st.size > 1000 &&
	    fs_pread(ent->node.fs, ent->node.ino, l->buf, 2000, ent->st.size - 1000, &got, NULL) == 0 && got != 1000)
		abort();
}

static int look_on_entry(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *e)
{
	struct look *l = arg;
	struct strbuf target = STRBUF_INIT;
	struct vfs_node n;

	(void)when, (void)e;
	fs_xattrs(ent->node.fs, ent->node.ino, look_on_xattr, NULL, NULL);
	if (S_ISREG(ent->st.mode))
		look_at_file(l, ent);
	if (S_ISLNK(ent->st.mode) && fs_readlink(ent->node.fs, ent->node.ino, &target, NULL) == 0 && target.len >= 4096)
		abort();
	strbuf_free(&target);
	vfs_lookup(l->vfs, ent->path, true, &n, NULL);
	return ++l->nfiles < LOOK_FILES ? VFS_GO_ON : VFS_STOP;
}

static int look_on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	(void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return ++((struct look *)arg)->nfiles < LOOK_FILES ? 0 : VFS_STOP;
}

/* Opens what lies on the disk and looks at it; an error must have its words. */
static void look_at_disk(struct block *disk)
{
	static struct look l;
	const struct vfs_walk w = { .sorted = true, .fn = look_on_entry, .failed = look_on_failure, .arg = &l };
	struct fs_usage usage;
	struct fs *fs = NULL;
	struct err e = ERR_INIT;

	if (fs_open(disk, &fs, &e) < 0) {
		if (e.code == ERR_NONE || !e.msg[0])
			abort();
		return;
	}
	fs_statfs(fs, &usage, NULL);
	l.nfiles = 0;
	if (vfs_new(&l.vfs, &e) < 0 || vfs_mount(l.vfs, fs, "/", &e) < 0)
		abort();
	vfs_walk(l.vfs, "/", &w, &e);
	vfs_free(l.vfs);
}

#endif
