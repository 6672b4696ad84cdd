/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_list.c - lists a tree as the kernel shows it, in the words of "drydock ls -R --json --xattrs --checksum=sha256",
 * one entry a line, so that the two can be compared with diff.
 *
 * usage: tree_list [--copy | --no-sums] DIR
 *   --copy      only what a copy keeps: no inodes, access times, change times, allocation; not the folder itself
 *   --no-sums   no checksums of contents
 */
#include "digest.h"
#include "json.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "tree_list: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put_hex(struct json *j, const char *key, const unsigned char *bytes, size_t len)
{
	struct strbuf hex = STRBUF_INIT;

	for (size_t i = 0; i < len; i++)
		strbuf_printf(&hex, "%02x", bytes[i]);
	json_str(j, key, hex.s);
	strbuf_free(&hex);
}

static void put_guest(struct json *j, const char *key, const char *bytes)
{
	char hex_key[32];

	json_str(j, key, bytes);
	if (text_utf8_valid(bytes, strlen(bytes)) == strlen(bytes))
		return;
	snprintf(hex_key, sizeof hex_key, "%s_hex", key);
	put_hex(j, hex_key, (const unsigned char *)bytes, strlen(bytes));
}

static void put_time(struct json *j, const char *key, const struct statx_timestamp *t)
{
	char text[64];
	time_t sec = t->tv_sec;
	struct tm tm;
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&sec, &tm));

	snprintf(text + n, sizeof text - n, ".%09" PRIu32 "Z", t->tv_nsec);
	json_str(j, key, text);
}

/* Which filesystem (or subvolume) it is, counted in the order in which they are met. */
static uint64_t number_of_dev(const struct statx *st)
{
	static uint64_t devs[1000];
	static size_t n;
	uint64_t dev = (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;

	for (size_t i = 0; i < n; i++)
		if (devs[i] == dev)
			return i;
	if (n == sizeof devs / sizeof *devs)
		die("too many filesystems");
	devs[n] = dev;
	return n++;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_xattrs(struct json *j, const char *path)
{
	static char names[65536], value[65536];
	char *sorted[4096];
	size_t n = 0;
	ssize_t len = llistxattr(path, names, sizeof names);

	if (len < 0 && errno == ENOTSUP)
		len = 0; /* a filesystem without any */
	if (len < 0)
		die(path);
	for (char *p = names; p < names + len && n < 4096; p += strlen(p) + 1)
		sorted[n++] = p;
	qsort(sorted, n, sizeof *sorted, by_bytes);
	json_array(j, "xattrs");
	for (size_t i = 0; i < n; i++) {
		ssize_t got = lgetxattr(path, sorted[i], value, sizeof value);

		if (got < 0)
			die(path);
		json_object(j, NULL);
		put_guest(j, "name", sorted[i]);
		put_hex(j, "value_hex", (unsigned char *)value, (size_t)got);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_checksum(struct json *j, const char *path)
{
	static char buf[1 << 20], text[DIGEST_TEXT];
	struct digest d;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_NOFOLLOW);

	if (fd < 0)
		die(path);
	digest_start(&d, DIGEST_SHA256);
	while ((n = read(fd, buf, sizeof buf)) > 0)
		digest_add(&d, buf, (size_t)n);
	if (n < 0)
		die(path);
	close(fd);
	digest_end(&d, text);
	json_str(j, "checksum", text);
}

static const char *type_word(unsigned mode)
{
	return S_ISDIR(mode)	? "directory"
	       : S_ISREG(mode)	? "file"
	       : S_ISLNK(mode)	? "symlink"
	       : S_ISCHR(mode)	? "char"
	       : S_ISBLK(mode)	? "block"
	       : S_ISFIFO(mode) ? "fifo"
				: "socket";
}

/* Only of files and folders is it told. */
static uint32_t project_of(const char *path, const struct statx *st)
{
	struct fsxattr attr = { .fsx_projid = 0 };
	int fd;

	if (!S_ISREG(st->stx_mode) && !S_ISDIR(st->stx_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
		attr.fsx_projid = 0;
	if (fd >= 0)
		close(fd);
	return attr.fsx_projid;
}

enum what { ALL, COPY, NO_SUMS };

static void put_entry(const char *path, const char *shown, enum what what, unsigned *mode)
{
	struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out, false);
	struct statx st;
	bool copy = what == COPY;
	uint32_t project;
	char text[8192];

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		die(path);
	*mode = st.stx_mode;
	json_object(&j, NULL);
	put_guest(&j, "path", shown);
	json_str(&j, "type", type_word(st.stx_mode));
	snprintf(text, sizeof text, "%04o", st.stx_mode & 07777);
	json_str(&j, "mode", text);
	json_u64(&j, "uid", st.stx_uid);
	json_u64(&j, "gid", st.stx_gid);
	project = copy ? 0 : project_of(path, &st);
	if (project)
		json_u64(&j, "project", project);
	if (!copy || !S_ISDIR(st.stx_mode))
		json_u64(&j, "size", st.stx_size);
	if (!copy) {
		json_u64(&j, "allocated", st.stx_blocks * 512);
		json_u64(&j, "filesystem", number_of_dev(&st));
		json_u64(&j, "inode", st.stx_ino);
	}
	json_u64(&j, "links", st.stx_nlink);
	if (!copy)
		put_time(&j, "accessed", &st.stx_atime);
	put_time(&j, "modified", &st.stx_mtime);
	if (!copy) {
		put_time(&j, "changed", &st.stx_ctime);
		if (st.stx_mask & STATX_BTIME)
			put_time(&j, "created", &st.stx_btime);
	}
	if (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) {
		json_u64(&j, "major", st.stx_rdev_major);
		json_u64(&j, "minor", st.stx_rdev_minor);
	}
	if (S_ISLNK(st.stx_mode)) {
		ssize_t n = readlink(path, text, sizeof text - 1);

		if (n < 0)
			die(path);
		text[n] = '\0';
		put_guest(&j, "target", text);
	}
	if (S_ISREG(st.stx_mode) && what != NO_SUMS)
		put_checksum(&j, path);
	put_xattrs(&j, path);
	json_object_end(&j);
	puts(out.s);
	strbuf_free(&out);
}

static int not_a_dot(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Paths grow beyond PATH_MAX: so each folder is entered. */
static void list(const char *shown, enum what what)
{
	struct dirent **names;
	int n = scandir(".", &names, not_a_dot, by_name);

	if (n < 0)
		die(shown);
	for (int i = 0; i < n; i++) {
		struct strbuf path = STRBUF_INIT;
		unsigned mode;

		strbuf_printf(&path, "%s/%s", shown, names[i]->d_name);
		put_entry(names[i]->d_name, path.s, what, &mode);
		if (S_ISDIR(mode)) {
			if (chdir(names[i]->d_name) < 0)
				die(path.s);
			list(path.s, what);
			if (chdir("..") < 0)
				die(path.s);
		}
		strbuf_free(&path);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	enum what what = ALL;
	unsigned mode;

	if (argc == 3)
		what = strcmp(argv[1], "--copy") == 0 ? COPY : strcmp(argv[1], "--no-sums") == 0 ? NO_SUMS : ALL;
	if (argc != 2 + (what != ALL)) {
		fprintf(stderr, "usage: tree_list [--copy | --no-sums] DIR\n");
		return 2;
	}
	if (chdir(argv[argc - 1]) < 0)
		die(argv[argc - 1]);
	if (what != COPY)
		put_entry(".", "/", what, &mode);
	list("", what);
	return 0;
}
