/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inspect_fuzz.c - what a guest's files tell: system, boot, logins, services, roles, media, and packages that lie in files or
 * folders.  The input is a list of files: a byte for the name, two for the length, and that many bytes.  Each name lies in every
 * folder, and every folder is the root, so that few bytes reach all that looks for them.
 */
#include "facts.h"
#include "fs_driver.h"
#include "pkg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The last parts of paths that are looked for.  New ones go to the end: the corpus counts on the numbers. */
static const char *const names[] = {
	"os-release", "passwd",	    "shadow",	 "master.passwd", "fstab",	     "crypttab",   "inittab",	 "rc.conf",
	"a.preset",   "machine-id", "a.conf",	 "vmlinuz-1",	  "initrd-1",	     "kernel",	   "config",	 "grub",
	"a.efi",      "info",	    ".treeinfo", ".discinfo",	  "products",	     ".cd-info",   "VERSION.FDI", "freebsd-version",
	"+CONTENTS",  "+BUILD_INFO", "+DESC",	 "metadata.xml",  "pkgdb-0.38.plist", "local.sqlite", "cmdline",	 "bash",
	"hostname",   "motd",	    "lsb-release", "x.metainfo.xml", "instance-id",	     "update.conf", "bsd",	 "hammer2",
};
#define NAMES (sizeof names / sizeof *names)
/* Folders that are there by any name but these are not needed to be listed. */
static const char *const listed[] = { "x-1", "a.wants", "x" };
enum { NODE_ROOT = 1, NODE_LINK = 2, NODE_FILE = 3 };

struct memory_fs {
	const uint8_t *file[NAMES];
	size_t len[NAMES];
};

static int memory_stat(struct fs *fs, uint64_t ino, struct fs_stat *out, struct err *e)
{
	const struct memory_fs *m = fs->state;

	(void)e;
	out->ino = ino;
	out->nlink = 1;
	out->mode = ino == NODE_ROOT ? S_IFDIR | 0755 : ino == NODE_LINK ? S_IFLNK | 0777 : S_IFREG | 0644;
	out->size = ino >= NODE_FILE ? m->len[ino - NODE_FILE] : 0;
	return 0;
}

static int memory_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *ino, struct err *e)
{
	const struct memory_fs *m = fs->state;

	(void)dir;
	for (size_t i = 0; i < NAMES; i++) {
		if (*name != *names[i] || strcmp(name, names[i]) != 0)
			continue;
		*ino = NODE_FILE + i;
		return m->file[i] ? 0 : err_set(e, ERR_NOT_FOUND, "no such file or directory");
	}
	*ino = strcmp(name, "current") == 0 ? NODE_LINK : NODE_ROOT;
	/* Files that nobody writes are missing, so that the first of a list of places is not all that is tried. */
	return strchr(name, '.') && strcmp(name, "a.wants") != 0 ? err_set(e, ERR_NOT_FOUND, "no such file or directory") : 0;
}

static int memory_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *), void *arg,
			  struct err *e)
{
	const struct memory_fs *m = fs->state;
	struct fs_dirent d = { .type = S_IFREG };
	int rc = 0;

	(void)dir;
	for (size_t i = 0; i < NAMES && rc == 0; i++) {
		if (!m->file[i])
			continue;
		d.ino = NODE_FILE + i;
		strcpy(d.name, names[i]);
		rc = fn(arg, &d, e);
	}
	for (size_t i = 0; i < sizeof listed / sizeof *listed && rc == 0; i++) {
		d.ino = NODE_ROOT;
		d.type = S_IFDIR;
		strcpy(d.name, listed[i]);
		rc = fn(arg, &d, e);
	}
	return rc;
}

static int memory_pread(struct fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	const struct memory_fs *m = fs->state;
	size_t size = m->len[ino - NODE_FILE];

	(void)e;
	if (off >= size)
		return 0;
	*got = len < size - off ? len : (size_t)(size - off);
	memcpy(buf, m->file[ino - NODE_FILE] + off, *got);
	return 0;
}

static int memory_readlink(struct fs *fs, uint64_t ino, struct strbuf *target, struct err *e)
{
	(void)fs, (void)ino, (void)e;
	strbuf_puts(target, "1");
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
	.readlink = memory_readlink,
	.close = memory_close,
};

/* Texts must end, and be no longer than what they were read from. */
static void look(const char *s)
{
	if (s && strlen(s) > 200000)
		abort();
}

static void look_at_facts(const struct facts *f)
{
	for (size_t i = 0; i < f->nkernels; i++) {
		look(f->kernels[i].path);
		look(f->kernels[i].version);
	}
	for (size_t i = 0; i < f->ninitrds; i++)
		if (f->initrds[i].kernel != NO_KERNEL && f->initrds[i].kernel >= f->nkernels)
			abort();
	for (size_t i = 0; i < f->nsigns; i++)
		look(f->signs[i].value);
	for (size_t i = 0; i < f->nlogins; i++) {
		look(f->logins[i].name);
		look(f->logins[i].shell);
		if (f->logins[i].password > PASSWORD_LOCKED)
			abort();
	}
	for (size_t i = 0; i < f->nservices; i++) {
		look(f->services[i].name);
		look(f->services[i].when);
	}
	for (size_t i = 0; i < f->nwarnings; i++)
		look(f->warnings[i]);
}

static int on_package(void *arg, const struct package *p, struct err *e)
{
	const char *const texts[] = { p->name, p->version, p->release, p->arch, p->summary, p->description, p->source, p->url };

	(void)arg, (void)e;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		look(texts[i]);
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
	struct memory_fs *m = calloc(1, sizeof *m);
	struct guest g = { .vfs = NULL };
	struct err e = ERR_INIT;
	struct facts facts;
	struct fs *fs;
	struct os os;
	const struct facts_from from = { .g = &g, .os = &os };

	if (!m)
		abort();
	while (len >= 3) {
		size_t i = data[0] % NAMES, n = data[1] | (size_t)data[2] << 8;

		data += 3;
		len -= 3;
		n = n < len ? n : len;
		m->file[i] = data;
		m->len[i] = n;
		data += n;
		len -= n;
	}
	/* As fs_open() would make it: vfs_free() ends it and its state. */
	fs = calloc(1, sizeof *fs);
	if (!fs)
		abort();
	fs->drv = &memory_driver;
	fs->refs = 1;
	fs->root = NODE_ROOT;
	fs->state = m;
	if (vfs_new(&g.vfs, NULL) < 0 || vfs_mount(g.vfs, fs, "/", NULL) < 0)
		abort();
	if (os_inspect(g.vfs, &os, &e) < 0)
		abort();
	look(os.product_name);
	look(os.osinfo);
	if (facts_inspect(&from, &facts, &e) < 0)
		abort();
	look_at_facts(&facts);
	facts_free(&facts);
	os_free(&os);
	pkg_walk(g.vfs, &w, NULL);
	vfs_free(g.vfs);
	return 0;
}
