/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packages_fuzz.c - package databases.  The first byte tells which file the guest has; of rpm's sqlite the next two bytes
 * are the length of a write-ahead log, which comes before the database.
 */
#include "fs_driver.h"
#include "pkg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const names[] = { "rpmdb.sqlite", "Packages.db", "Packages", "status", "installed" };
/* Every folder of a path is the root itself. */
static const char *const folders[] = { "usr", "var", "lib", "sysimage", "rpm", "dpkg", "info", "apk", "db" };
enum { NODE_ROOT = 1, NODE_FILE, NODE_LOG };

struct memory_fs {
	const char *name;
	const uint8_t *file, *log;
	size_t file_len, log_len;
};

static int memory_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	const struct memory_fs *m = fs->state;

	(void)e;
	out->ino = ino;
	out->mode = ino == NODE_ROOT ? S_IFDIR | 0755 : S_IFREG | 0644;
	out->size = ino == NODE_FILE ? m->file_len : ino == NODE_LOG ? m->log_len : 0;
	return 0;
}

static int memory_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	const struct memory_fs *m = fs->state;

	(void)dir;
	*ino = NODE_ROOT;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (strcmp(name, folders[i]) == 0)
			return 0;
	*ino = strcmp(name, m->name) == 0 ? NODE_FILE : strcmp(name, "rpmdb.sqlite-wal") == 0 && m->log_len ? NODE_LOG : 0;
	return *ino ? 0 : err_set(e, ERR_NOT_FOUND, "no such file or directory");
}

static int memory_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
			  struct err *e)
{
	(void)fs, (void)dir, (void)fn, (void)arg, (void)e;
	return 0;
}

static int memory_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	const struct memory_fs *m = fs->state;
	const uint8_t *bytes = ino == NODE_FILE ? m->file : m->log;
	size_t size = ino == NODE_FILE ? m->file_len : m->log_len;

	(void)e;
	if (off >= size)
		return 0;
	*got = len < size - off ? len : (size_t)(size - off);
	memcpy(buf, bytes + off, *got);
	return 0;
}

static void memory_close(struct fs *fs)
{
	(void)fs;
}

static const struct fs_driver memory_driver = {
	.name = "memory",
	.stat = memory_stat,
	.lookup = memory_lookup,
	.readdir = memory_readdir,
	.pread = memory_pread,
	.close = memory_close,
};

static int on_package(void *arg, const struct package *p, struct err *e)
{
	const char *const texts[] = { p->name, p->version, p->release, p->summary, p->description, p->source };

	(void)arg, (void)e;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i] && strlen(texts[i]) > 100000000)
			abort();
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	(void)arg, (void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct pkg_walk w = { .package = on_package, .failed = on_failure };
	struct memory_fs *m;
	struct fs *fs;
	struct vfs *v = NULL;

	if (len < 3)
		return 0;
	/* As fs_open() would make it: vfs_free() ends it. */
	fs = calloc(1, sizeof *fs);
	m = calloc(1, sizeof *m);
	if (!fs || !m)
		abort();
	m->name = names[data[0] % (sizeof names / sizeof *names)];
	m->log = data + 3;
	m->log_len = (data[1] | (size_t)data[2] << 8) % (len - 2);
	m->file = m->log + m->log_len;
	m->file_len = len - 3 - m->log_len;
	fs->drv = &memory_driver;
	fs->refs = 1;
	fs->root = NODE_ROOT;
	fs->state = m;
	if (vfs_new(&v, NULL) < 0 || vfs_mount(v, fs, "/", NULL) < 0)
		abort();
	pkg_walk(v, &w, NULL);
	vfs_free(v);
	return 0;
}
