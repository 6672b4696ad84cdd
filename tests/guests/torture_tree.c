/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * torture_tree.c - fills a folder with what readers of filesystems break on, in seconds.
 *
 * usage: torture_tree DIR PART[=NUMBER]...
 *
 * Each part is a folder of its own, or what its NUMBER says where a filesystem has less:
 *   bytes              names of every byte that may be in one, and names of 255 bytes
 *   unicode=UNITS      names of one sense in several spellings, of several scripts, and one of so many characters of 3 bytes
 *   deep=LEVELS        folders in each other, every tenth with a name of 250 bytes
 *   many=ENTRIES       a folder of so many names
 *   sparse=BYTES       a file of this size, with data here and there up to its end
 *   extents=N          a file with N pieces of data and as many holes
 *   links=N            a file of N names, in two folders
 *   special            devices of all sizes of number, FIFOs, sockets, symlinks up to the longest
 *   times              the first and last times of every counter that filesystems have
 *   xattrs=BYTES       values up to so many bytes, names up to the longest, and many at once
 *   acls=ENTRIES       an access and a default ACL with so many users
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "torture_tree: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		die(what);
}

static void enter(const char *folder)
{
	must(mkdir(folder, 0755), folder);
	must(chdir(folder), folder);
}

static void make(const char *name)
{
	must(mknod(name, S_IFREG | 0644, 0), name);
}

static void make_at(const char *name, const void *data, size_t len, off_t off)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0644);

	must(fd, name);
	if (pwrite(fd, data, len, off) != (ssize_t)len)
		die(name);
	close(fd);
}

/* Bytes that do not compress, the same each time. */
static void noise(unsigned char *buf, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = (unsigned char)(seed >> 24);
	}
}

/* ---- names ---- */

static void bytes(uint64_t unused)
{
	char name[256];

	(void)unused;
	for (unsigned c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		snprintf(name, sizeof name, "%c", (int)c);
		if (c != '.')
			make(name);
		snprintf(name, sizeof name, "a%cb", (int)c);
		make(name);
		memset(name, (int)c, 255);
		name[255] = '\0';
		make(name);
	}
	make("...");
	make("..a");
}

static void unicode(uint64_t units)
{
	static const char *const names[] = {
		"\u00e9", "e\u0301",			       /* composed and not */
		"\u212b", "\u00c5\u0300", "A\u030a",	       /* Angstrom, in three ways */
		"stra\u00dfe", "STRASSF", "\u0130stanbul",     /* where case does not go one to one */
		"\ufb01le", "\u01c4", "\u1e9e",		       /* ligatures, a digraph, the capital sharp s */
		"\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab", /* and Hangul by its letters */
		"\u0645\u0631\u062d\u0628\u0627", "\u202eright to left", "\u0928\u092e\u0938\u094d\u0924\u0947",
		"\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f3f4\U000e0067\U000e007f", "\U00010400\U0010fffd",
		"\u2028line\u2029paragraph", "\ufeffmark", "\u00a0blank\u3000", "\uffff"
	};
	char name[1021] = "";

	/* Filesystems that fold case take some of them for others, and some not at all. */
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (mknod(names[i], S_IFREG | 0644, 0) < 0 && errno != EEXIST && errno != EINVAL && errno != EILSEQ)
			die(names[i]);
	for (uint64_t i = 0; i < units && i < 340; i++)
		strcat(name, "\u20ac");
	make(name);
}

static void deep(uint64_t levels)
{
	char name[256];

	for (uint64_t i = 0; i < levels; i++) {
		snprintf(name, sizeof name, "%0*" PRIu64, i % 10 == 9 ? 250 : 1, i % 10);
		enter(name);
	}
	make_at("bottom", "bottom", 6, 0);
}

static void many(uint64_t entries)
{
	char name[256];

	for (uint64_t i = 0; i < entries; i++) {
		/* Neither in order nor of one length; every name once, as the factor is odd. */
		uint32_t k = (uint32_t)i * 2654435761u;

		snprintf(name, sizeof name, "%0*" PRIx32, (int)(8 + (i % 1000 == 0 ? 240 : i % 13)), k);
		make(name);
	}
}

/* ---- contents ---- */

static void sparse(uint64_t size)
{
	unsigned char data[70000];

	noise(data, sizeof data, 1);
	make_at("sparse", data, 1, 0);
	make_at("sparse", data, sizeof data, (off_t)(size / 1000 * 3 + 5));
	for (unsigned shift = 12; size >> shift > 2; shift += 3)
		make_at("sparse", data, 4096, (off_t)(1ULL << shift));
	make_at("sparse", data, 10, (off_t)(size - 10));
	make_at("hole-at-end", data, 5000, 0);
	must(truncate("hole-at-end", (off_t)size), "hole-at-end");
	make("all-hole");
	must(truncate("all-hole", (off_t)size), "all-hole");
}

static void extents(uint64_t n)
{
	unsigned char data[65536];
	struct statfs fs;
	int fd = open("extents", O_WRONLY | O_CREAT, 0644);

	must(fd, "extents");
	must(fstatfs(fd, &fs), "extents");
	if (fs.f_bsize <= 0 || fs.f_bsize > (long)sizeof data)
		fs.f_bsize = 4096;
	noise(data, sizeof data, 2);
	for (uint64_t i = 0; i < n; i++) {
		memcpy(data, &i, sizeof i);
		if (pwrite(fd, data, (size_t)fs.f_bsize, (off_t)(i * 2 * (uint64_t)fs.f_bsize)) != fs.f_bsize)
			die("extents");
	}
	close(fd);
}

/* ---- inodes ---- */

static void links(uint64_t n)
{
	char name[256];

	must(mkdir("other", 0755), "other");
	make_at("of-many-names", "same", 4, 0);
	for (uint64_t i = 1; i < n; i++) {
		snprintf(name, sizeof name, "%s%0*" PRIu64, i % 2 ? "other/" : "", (int)(1 + i % 200), i);
		must(link("of-many-names", name), name);
	}
}

static void special(uint64_t unused)
{
	static const unsigned numbers[][2] = { { 1, 3 }, { 255, 255 }, { 256, 0 }, { 0, 256 }, { 4095, 1048575 }, { 8, 65536 } };
	static const mode_t kinds[] = { S_IFCHR, S_IFBLK };
	char name[64];

	(void)unused;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		for (size_t k = 0; k < 2; k++) {
			snprintf(name, sizeof name, "%s-%u-%u", k ? "block" : "char", numbers[i][0], numbers[i][1]);
			/* XFS has 14 bits and 18. */
			if (mknod(name, kinds[k] | 0600, makedev(numbers[i][0], numbers[i][1])) < 0 && errno != EINVAL)
				die(name);
		}
	must(mknod("fifo", S_IFIFO | 0777, 0), "fifo");
	must(mknod("socket", S_IFSOCK | 0755, 0), "socket");
	for (int mode = 0; mode < 010000; mode += 0123) {
		snprintf(name, sizeof name, "mode-%04o", (unsigned)mode);
		make(name);
		must(chown(name, (uid_t)(mode * 1000003u), (gid_t)(4294967294u - (unsigned)mode)), name);
		must(chmod(name, (mode_t)mode), name);
	}
	/* Inside of an inode and outside of it, which each filesystem decides by itself; XFS has room for 1023 bytes. */
	for (unsigned len = 1; len < 4096; len = len < 200 ? len + 1 : len * 3 / 2) {
		char target[4096], link_name[32];

		memset(target, 'a' + (int)(len % 26), len);
		target[len] = '\0';
		snprintf(link_name, sizeof link_name, "to-%u", len);
		if (symlink(target, link_name) < 0 && errno != ENAMETOOLONG)
			die(link_name);
	}
}

static void times(uint64_t unused)
{
	static const int64_t seconds[] = {
		0, 1, -1, INT32_MAX, (int64_t)INT32_MAX + 1, INT32_MIN, (int64_t)INT32_MIN - 1, UINT32_MAX,
		(int64_t)UINT32_MAX + 1, (3LL << 32) + INT32_MAX, (3LL << 32) + INT32_MAX + 1, 16299260424, 16299260425,
		951782400, 4107542400, -11644473600, 315532800, 4354819198, 253402300799
	};
	static const long nanoseconds[] = { 0, 1, 500000000, 999999999 };
	char name[64];

	(void)unused;
	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
		for (size_t k = 0; k < sizeof nanoseconds / sizeof *nanoseconds; k++) {
			const struct timespec t[2] = { { .tv_sec = seconds[i], .tv_nsec = nanoseconds[k] },
						       { .tv_sec = seconds[i], .tv_nsec = nanoseconds[(k + 1) % 4] } };

			snprintf(name, sizeof name, "at%" PRId64 ".%ld", seconds[i], nanoseconds[k]);
			make(name);
			must(utimensat(AT_FDCWD, name, t, 0), name);
		}
}

/* ---- attributes ---- */

/* A value of the size, unless the filesystem has no room for it. */
static void attribute(const char *file, const char *name, size_t size, uint32_t seed)
{
	static unsigned char value[65536];

	noise(value, size, seed);
	if (setxattr(file, name, value, size, 0) < 0 && errno != ENOSPC && errno != E2BIG)
		die(name);
}

static void xattrs(uint64_t max)
{
	char name[300], file[64];

	for (uint64_t size = 0; size <= max; size = size < 40 ? size + 13 : size * 5 / 3) {
		snprintf(file, sizeof file, "of-%" PRIu64, size);
		make(file);
		attribute(file, "user.value", (size_t)size, (uint32_t)size);
		attribute(file, "trusted.small", 3, 3);
	}
	make("of-most");
	attribute("of-most", "user.most", (size_t)max, 4);
	attribute("of-most", "user.again", (size_t)max, 4); /* the same value: it may be stored once */
	make("name-longest");
	memset(name, 'n', 255);
	memcpy(name, "user.", 5);
	name[255] = '\0';
	attribute("name-longest", name, 17, 5);
	make("name-odd");
	attribute("name-odd", "user.\u00fcn\u00efc\u00f6d\u00e9 \xff\x01.", 5, 6);
	make("many");
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "user.%0*u", (int)(1 + i % 30), i);
		attribute("many", name, i % 50, i);
	}
	must(mkdir("folder", 0755), "folder");
	attribute("folder", "user.folder", max < 3000 ? (size_t)max : 3000, 7);
	must(symlink("target", "symlink"), "symlink");
	if (lsetxattr("symlink", "trusted.of-a-symlink", "yes", 3, 0) < 0)
		die("symlink");
}

/* In the form that the kernel takes: version 2, then entries of tag, permissions, id. */
static size_t acl(unsigned char *to, uint64_t users)
{
	size_t n = 0;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e;
	const uint32_t version = 2;

	memcpy(to, &version, 4);
	n = 4;
#define ENTRY(t, p, i) (e.tag = (t), e.perm = (p), e.id = (i), memcpy(to + n, &e, sizeof e), n += sizeof e)
	ENTRY(0x01, 7, UINT32_MAX);
	for (uint64_t i = 0; i < users; i++)
		ENTRY(0x02, (uint16_t)(i % 8), (uint32_t)(i * 1000 + 1));
	ENTRY(0x04, 5, UINT32_MAX);
	ENTRY(0x08, 4, 4000000000u);
	ENTRY(0x10, 6, UINT32_MAX);
	ENTRY(0x20, 1, UINT32_MAX);
#undef ENTRY
	return n;
}

static void acls(uint64_t users)
{
	static unsigned char list[65536];
	size_t len = acl(list, users > 8000 ? 8000 : users);

	make("file");
	must(setxattr("file", "system.posix_acl_access", list, len, 0), "file");
	must(mkdir("folder", 0755), "folder");
	must(setxattr("folder", "system.posix_acl_access", list, len, 0), "folder");
	must(setxattr("folder", "system.posix_acl_default", list, len, 0), "folder");
	make("folder/inherits");
	must(mkdir("folder/inherits-too", 0755), "folder/inherits-too");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fill)(uint64_t number);
	} parts[] = {
		{ "bytes", bytes }, { "unicode", unicode }, { "deep", deep },	  { "many", many },   { "sparse", sparse },
		{ "extents", extents }, { "links", links }, { "special", special }, { "times", times }, { "xattrs", xattrs },
		{ "acls", acls },
	};
	int top;

	umask(0);
	if (argc < 3) {
		fprintf(stderr, "usage: torture_tree DIR PART[=NUMBER]...\n");
		return 2;
	}
	must(chdir(argv[1]), argv[1]);
	top = open(".", O_RDONLY | O_DIRECTORY);
	must(top, argv[1]);
	for (int i = 2; i < argc; i++) {
		char *number = strchr(argv[i], '=');
		bool known = false;

		if (number)
			*number++ = '\0';
		for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
			if (strcmp(argv[i], parts[k].name) == 0) {
				known = true;
				must(fchdir(top), argv[1]);
				enter(argv[i]);
				parts[k].fill(number ? strtoull(number, NULL, 0) : 0);
			}
		if (!known) {
			fprintf(stderr, "torture_tree: no part \"%s\"\n", argv[i]);
			return 2;
		}
	}
	return 0;
}
