/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.h - filesystems made by mke2fs for the tests of this folder, opened, patched and asked. */
#ifndef DRYDOCK_TEST_FS_FIXTURE_H
#define DRYDOCK_TEST_FS_FIXTURE_H

#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
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

/* The bytes of the image at off. */
static inline void peek(uint64_t off, void *buf, size_t len)
{
	FILE *f = fopen("d", "rb");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
	ck_assert_uint_eq(fread(buf, 1, len, f), len);
	fclose(f);
}

static inline uint16_t peek16(uint64_t off)
{
	uint8_t b[2];

	peek(off, b, sizeof b);
	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t peek32(uint64_t off)
{
	return peek16(off) | (uint32_t)peek16(off + 2) << 16;
}

/* A file of the guest is what a file here is. */
static inline void reads_as(struct vfs *v, const char *path, const char *host)
{
	char cmd[300], *text = NULL;
	size_t len = 0;
	FILE *f;

	ok(vfs_read_file(v, path, 64 << 20, &text, &len, &e));
	f = fopen("out", "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
	snprintf(cmd, sizeof cmd, "cmp out '%s'", host);
	run(cmd);
	free(text);
}

/* What the names of a directory are, sorted. */
struct seen {
	char names[40][800];
	size_t n;
};

static inline int see(void *arg, const struct vfs_dirent *d, struct err *er)
{
	struct seen *s = arg;

	(void)er;
	ck_assert_uint_lt(s->n, 40);
	snprintf(s->names[s->n++], sizeof s->names[0], "%s", d->name);
	return 0;
}

static inline void sees(struct vfs *v, const char *path, size_t n, const char *const *names)
{
	static struct seen s;
	struct vfs_node dir;

	s.n = 0;
	ok(vfs_lookup(v, path, true, &dir, &e));
	ok(vfs_readdir(v, dir, true, see, &s, &e));
	for (size_t i = 0; i < n && i < s.n; i++)
		ck_assert_str_eq(s.names[i], names[i]);
	ck_assert_uint_eq(s.n, n);
}

/* What fs_open() wants to be known; "" for nothing. */
static inline const char *opening_notice(void)
{
	static char text[300];
	struct fs *fs = NULL;

	ok(open_fs(&fs));
	snprintf(text, sizeof text, "%s", fs_notice(fs) ? fs_notice(fs) : "");
	fs_close(fs);
	return text;
}

/*
 * Lets the first, second, third ... read fail while a file is read: each time it is an error, unless it need not matter,
 * and the next attempt works, as nothing half read stays in a cache.
 */
static inline void each_failing_read_is_an_error(const char *path, bool may_not_matter)
{
	const struct block_open how = { .format = "raw" };
	unsigned long n;

	for (n = 1; n < 300; n++) {
		struct fault_plan plan = { .fail_read_at = n };
		struct block *file = NULL, *b = NULL;
		struct fs *fs = NULL;
		struct vfs *v = NULL;
		char *text = NULL;
		size_t len;
		int rc;

		ok(block_open("d", &how, &file, &e));
		ok(block_fault(file, &plan, &b, &e));
		rc = fs_open(b, &fs, &e);
		if (rc == 0) {
			ok(vfs_new(&v, &e));
			ok(vfs_mount(v, fs, "/", &e));
			rc = vfs_read_file(v, path, 1 << 20, &text, &len, &e);
			free(text);
			if (rc < 0)
				ok(vfs_read_file(v, path, 1 << 20, &text, &len, &e));
			if (rc < 0)
				free(text);
		}
		vfs_free(v);
		block_unref(b);
		block_unref(file);
		if (atomic_load(&plan.nreads) < n)
			break;
		ck_assert_msg(rc < 0 || may_not_matter, "read %lu did not matter", n);
	}
	ck_assert_uint_gt(n, 4);
	ck_assert_uint_lt(n, 300);
}

struct placed {
	unsigned files;
	uint64_t bytes; /* that were placed */
};

static inline int place_of_entry(void *arg, enum vfs_when when, const struct vfs_entry *ent, struct err *err)
{
	static uint8_t file[65536], dev[65536];
	struct placed *p = arg;
	uint64_t len, where;

	(void)when, (void)err;
	if (!S_ISREG(ent->st.mode))
		return VFS_GO_ON;
	p->files++;
	for (uint64_t off = 0; off < ent->st.size; off += len) {
		size_t got;
		int rc = fs_place(ent->node.fs, ent->node.ino, off, &len, &where, &e);

		ck_assert_msg(rc >= 0, "%s: %s", ent->path, e.msg);
		ck_assert_uint_gt(len, 0);
		len = MIN_OF(MIN_OF(len, ent->st.size - off), sizeof file);
		if (rc == 0)
			continue;
		ok(fs_pread(ent->node.fs, ent->node.ino, file, (size_t)len, off, &got, &e));
		ck_assert_uint_eq(got, len);
		ok(block_pread(fs_device(ent->node.fs), dev, (size_t)len, where, &e));
		ck_assert_mem_eq(file, dev, (size_t)len);
		p->bytes += len;
	}
	return VFS_GO_ON;
}

/* What fs_place() says of any file is where its bytes are; of some of them it says something. */
static inline void places_hold_the_bytes(struct vfs *v)
{
	struct placed p = { 0 };
	const struct vfs_walk w = { .fn = place_of_entry, .arg = &p };

	ok(vfs_walk(v, "/", &w, &e));
	ck_assert_uint_gt(p.files, 1);
	ck_assert_uint_gt(p.bytes, 0);
}

#endif
