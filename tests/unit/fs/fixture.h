/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.h - filesystems made by mke2fs for the tests of this folder, opened, patched and asked. */
#ifndef DRYDOCK_TEST_FS_FIXTURE_H
#define DRYDOCK_TEST_FS_FIXTURE_H

#include "testing.h"

#include "alloc.h"
#include "vfs.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static struct err e = ERR_INIT;

static inline void run(const char *script)
{
	FILE *f = fopen("script", "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "PATH=$PATH:/sbin:/usr/sbin\n%s\n", script);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(system("sh -e script >log 2>&1 || { cat log; exit 1; }") == 0, "%s", script);
}

/* An image "d" of the tree "t" with these options of mke2fs. */
static inline void make_fs(const char *size, const char *options)
{
	char cmd[500];

	snprintf(cmd, sizeof cmd, "rm -f d; truncate -s %s d; mke2fs -q -F %s -d t d", size, options);
	run(cmd);
}

static inline void poke(uint64_t off, const void *data, size_t len)
{
	FILE *f = fopen("d", "r+b");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void poke32(uint64_t off, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	poke(off, b, sizeof b);
}

static inline void poke16(uint64_t off, uint16_t v)
{
	const uint8_t b[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	poke(off, b, sizeof b);
}

/* A number that debugfs prints for a request, such as "blocks FILE" or "imap <12>". */
static inline uint64_t debugfs_number(const char *request)
{
	char cmd[300];
	unsigned long long v = 0;
	FILE *p;

	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; debugfs -R '%s' d 2>/dev/null", request);
	p = popen(cmd, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_msg(fscanf(p, "%llu", &v) == 1, "%s", request);
	pclose(p);
	return v;
}

/* The byte of the image where an inode lies. */
static inline uint64_t inode_off(const char *path)
{
	char cmd[400];
	unsigned long long block = 0;
	unsigned off = 0;
	FILE *p;

	snprintf(cmd, sizeof cmd,
		 "PATH=$PATH:/sbin:/usr/sbin; debugfs -R 'imap %s' d 2>/dev/null | sed -n 's/.*at block \\([0-9]*\\), offset "
		 "0x\\(.*\\)/\\1 \\2/p'",
		 path);
	p = popen(cmd, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_msg(fscanf(p, "%llu %x", &block, &off) == 2, "%s", path);
	pclose(p);
	return block * 1024 + off;
}

static inline int open_fs(struct fs **fs)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	int rc;

	ok(block_open("d", &how, &b, &e));
	rc = fs_open(b, fs, &e);
	block_unref(b);
	return rc;
}

static inline struct vfs *open_tree(void)
{
	struct vfs *v = NULL;
	struct fs *fs = NULL;

	ok(open_fs(&fs));
	ok(vfs_new(&v, &e));
	ok(vfs_mount(v, fs, "/", &e));
	return v;
}

static inline void refused(enum err_code code, const char *words)
{
	struct fs *fs = NULL;
	int rc = open_fs(&fs);

	if (rc == 0)
		fs_close(fs);
	ck_assert_msg(rc == -(int)code && strstr(e.msg, words), "%s: %d (%s)", words, rc, rc ? e.msg : "opened");
}

#endif
