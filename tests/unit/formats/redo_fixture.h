/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_fixture.h - small images, made, filled and looked at. */
#ifndef DRYDOCK_REDO_FIXTURE_H
#define DRYDOCK_REDO_FIXTURE_H

#include "testing.h"

#include "alloc.h"
#include "limits.h"
#include "redo_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

enum { SIZE = 1 << 20 };

static inline void make_image(const char *path, const char *format, uint64_t size)
{
	struct dict o = DICT_INIT;
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)size);
	ok(dict_set(&o, "size", text, &e));
	ok(block_create(path, format, &o, NULL, &e));
	dict_free(&o);
}

static inline struct block *open_image(const char *path, const char *format, unsigned flags)
{
	/* The host need not make anything stable: it is the order that matters. */
	struct block_open how = { .format = format, .flags = flags | (flags & BLOCK_WRITE ? BLOCK_UNSAFE : 0) };
	struct block *b = NULL;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static inline void fill(struct block *b, char c, size_t len, uint64_t off)
{
	char *buf = malloc(len);

	memset(buf, c, len);
	ok(block_pwrite(b, buf, len, off, &e));
	free(buf);
}

static inline bool holds(struct block *b, char c, size_t len, uint64_t off)
{
	char *buf = malloc(len);
	bool same = true;

	ok(block_pread(b, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		same &= buf[i] == c;
	free(buf);
	return same;
}

/* The image as a file tells it, opened for reading or writing. */
static inline bool image_holds(const char *path, const char *format, unsigned flags, char c, size_t len, uint64_t off)
{
	struct block *b = open_image(path, format, flags);
	bool same = holds(b, c, len, off);

	block_unref(b);
	return same;
}

static inline bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

static inline size_t nfiles(void)
{
	DIR *d = opendir(".");
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	for (struct dirent *ent; (ent = readdir(d));)
		n += strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* ---- one or two disks, which a change makes from old to new ---- */

static const char *const disks[] = { "a", "b/b" };
static const uint64_t places[] = { 0, 70000, 300000, 800000 };

/* What all begin with is made once. */
static inline void make_base(const char *format)
{
	struct block *b;

	unlink("base");
	make_image("base", format, SIZE);
	b = open_image("base", format, BLOCK_WRITE);
	fill(b, 'o', 200000, 0);
	fill(b, 'o', 8192, 800000 / 4096 * 4096);
	ok(block_finish(b, &e));
	block_unref(b);
}

static inline void make_disks(size_t n)
{
	mkdir("b", 0777);
	for (size_t i = 0; i < n; i++) {
		int from = open("base", O_RDONLY), to = open(disks[i], O_WRONLY | O_CREAT | O_EXCL, 0666);

		ck_assert(from >= 0 && to >= 0);
		ck_assert_int_gt(copy_file_range(from, NULL, to, NULL, 4 * SIZE, 0), 0);
		close(from);
		close(to);
	}
}

static inline int write_change(struct redo *r, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		for (size_t k = 0; k < ARRAY_LEN(places) && rc == 0; k++) {
			char buf[5000];

			memset(buf, 'n', sizeof buf);
			rc = block_pwrite(redo_disk(r, i), buf, sizeof buf, places[k], err);
		}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = block_zero(redo_disk(r, i), 20000, 100000, BLOCK_ZERO_UNMAP, err);
	return rc;
}

/* 'o' or 'n', when all of the disk is one of them; else 0. */
static inline char state_of(struct block *b)
{
	char state = holds(b, 'n', 5000, 0) ? 'n' : 'o';

	for (size_t k = 0; k < ARRAY_LEN(places); k++) {
		if (state == 'n' && !holds(b, 'n', 5000, places[k]))
			return 0;
		if (state == 'o' && !holds(b, places[k] == 300000 ? 0 : 'o', 4000, places[k]))
			return 0;
	}
	return holds(b, state == 'n' ? 0 : 'o', 20000, 100000) && holds(b, 'o', 50000, 10000) ? state : 0;
}

static inline char look(const char *path, const char *format, unsigned flags, bool *noticed)
{
	struct block *b = open_image(path, format, flags);
	char state = state_of(b);

	if (noticed)
		*noticed = block_notice(b, 0) != NULL;
	if (flags & BLOCK_WRITE)
		ok(block_finish(b, &e));
	block_unref(b);
	return state;
}

static inline void check_leaks_at_worst(const char *path, const char *format)
{
	struct check_report report = { 0 };
	struct block *b;

	if (strcmp(format, "raw") == 0)
		return;
	b = open_image(path, format, BLOCK_CHECK);
	ok(block_check(b, 0, &report, &e));
	ck_assert_uint_eq(report.corruptions + report.check_errors, 0);
	block_unref(b);
}

/* A file that nobody can know of; NULL: there is none. */
static const char *may_stay;

/* As the next command finds it: looked at, then written to. */
static inline char settle(size_t n, const char *format, const char *what, unsigned long step)
{
	char seen[2], settled[2];

	for (size_t i = 0; i < n; i++)
		seen[i] = look(disks[i], format, 0, NULL);
	ck_assert_msg(seen[0] && seen[n - 1] == seen[0], "%s at step %lu: %zu disks look like %d and %d", what, step, n, seen[0],
		      seen[n - 1]);
	for (size_t i = 0; i < n; i++) {
		bool noticed;

		check_leaks_at_worst(disks[i], format);
		settled[i] = look(disks[i], format, BLOCK_WRITE, NULL);
		ck_assert_msg(settled[i] == seen[0], "%s at step %lu: disk %zu is %d and was %d", what, step, i, settled[i],
			      seen[0]);
		ck_assert_int_eq(look(disks[i], format, 0, &noticed), settled[i]);
		ck_assert_msg(!noticed, "%s at step %lu: a second notice", what, step);
		check_leaks_at_worst(disks[i], format);
	}
	if (may_stay)
		unlink(may_stay);
	ck_assert_msg(nfiles() == 3, "%s at step %lu: something is left", what, step); /* a, b, base */
	ck_assert_int_eq(rmdir("b"), n == 2 ? -1 : 0);
	return settled[0];
}

static inline void clear(void)
{
	unlink("a");
	unlink("b/b");
	ck_assert_int_eq(rmdir("b") == 0 || errno == ENOENT ? 0 : errno, 0);
}

#endif
