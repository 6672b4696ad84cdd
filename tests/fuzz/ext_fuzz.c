/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_fuzz.c - ext2/3/4 with its journal: everything that a reader can ask of a few hundred files. */
#include "memory.h"

#include "vfs.h"

#include <sys/stat.h>

#define FILES 300
#define RUNS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct look {
	struct vfs *vfs;
	unsigned nfiles;
	uint8_t buf[70000];
};

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
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

	for (unsigned i = 0; i < RUNS && off < ent->st.size; i++) {
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

static int on_entry(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *e)
{
	struct look *l = arg;
	struct strbuf target = STRBUF_INIT;
	struct vfs_node n;

	(void)when, (void)e;
	fs_xattrs(ent->node.fs, ent->node.ino, on_xattr, NULL, NULL);
	if (S_ISREG(ent->st.mode))
		look_at_file(l, ent);
	if (S_ISLNK(ent->st.mode) && fs_readlink(ent->node.fs, ent->node.ino, &target, NULL) == 0 && target.len >= 4096)
		abort();
	strbuf_free(&target);
	vfs_lookup(l->vfs, ent->path, true, &n, NULL);
	return ++l->nfiles < FILES ? VFS_GO_ON : VFS_STOP;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	(void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return ++((struct look *)arg)->nfiles < FILES ? 0 : VFS_STOP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct look l;
	const struct vfs_walk w = { .sorted = true, .fn = on_entry, .failed = on_failure, .arg = &l };
	struct block *disk = memory_disk(data, len);
	struct fs_usage usage;
	struct fs *fs = NULL;
	struct err e = ERR_INIT;

	if (!disk)
		return 0;
	if (fs_open(disk, &fs, &e) < 0) {
		if (e.code == ERR_NONE || !e.msg[0])
			abort();
		block_unref(disk);
		return 0;
	}
	fs_statfs(fs, &usage, NULL);
	l.nfiles = 0;
	if (vfs_new(&l.vfs, &e) < 0 || vfs_mount(l.vfs, fs, "/", &e) < 0)
		abort();
	vfs_walk(l.vfs, "/", &w, &e);
	vfs_free(l.vfs);
	block_unref(disk);
	return 0;
}
