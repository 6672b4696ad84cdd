/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_fixture.h - small images, made, filled and looked at. */
#ifndef DRYDOCK_REDO_FIXTURE_H
#define DRYDOCK_REDO_FIXTURE_H

#include "testing.h"

#include "alloc.h"
#include "limits.h"
#include "redo_internal.h"

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
	FILE *p = popen("ls -A | wc -l", "r");
	size_t n = 0;

	ck_assert_int_eq(fscanf(p, "%zu", &n), 1);
	pclose(p);
	return n;
}

#endif
