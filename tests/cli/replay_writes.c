/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay_writes.c - what a power failure leaves of files whose changes record_writes.c has logged.
 *
 * usage: replay_writes LOG                      prints the number of events
 *        replay_writes LOG N SEED FILE...       makes the first N changes to the files, which are as they were before
 *
 * SEED 0 makes all N.  With another, what a file was not flushed behind is there by chance, and some of it in part, as disks
 * do it.
 */
#define _GNU_SOURCE
#include "writes.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t length_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		die("fstat");
	return (uint64_t)st.st_size;
}

static void make_longer(int fd, uint64_t len)
{
	if (length_of(fd) < len && ftruncate(fd, (off_t)len) != 0)
		die("ftruncate");
}

static void zeros(int fd, uint64_t off, uint64_t len)
{
	static const char none[4096];

	while (len) {
		size_t n = len < sizeof none ? (size_t)len : sizeof none;

		if (pwrite(fd, none, n, (off_t)off) != (ssize_t)n)
			die("pwrite");
		off += n;
		len -= n;
	}
}

/* The first `len` bytes of it. */
static void change(int fd, const struct write_event *x, const char *data, uint64_t len)
{
	uint64_t size = length_of(fd), end = x->off + len;

	switch (x->kind) {
	case WRITE_DATA:
		if (pwrite(fd, data, (size_t)len, (off_t)x->off) != (ssize_t)len)
			die("pwrite");
		break;
	case WRITE_HOLE:
		if (x->off < size)
			zeros(fd, x->off, (end < size ? end : size) - x->off);
		break;
	case WRITE_ZEROS:
		zeros(fd, x->off, len);
		break;
	case WRITE_ROOM:
		make_longer(fd, x->off + x->len);
		break;
	case WRITE_LENGTH:
		if (ftruncate(fd, (off_t)x->len) != 0)
			die("ftruncate");
		break;
	default:
		break;
	}
}

int main(int argc, char **argv)
{
	static struct write_event events[100000];
	static const char *data[100000];
	size_t n = 0, flushed[WRITES_FILES_MAX] = { 0 }, size, count;
	unsigned long seed;
	char *log;
	FILE *f;

	if (argc < 2 || !(f = fopen(argv[1], "r")))
		die("log");
	size = length_of(fileno(f));
	log = malloc(size + 1);
	if (!log || fread(log, 1, size, f) != size)
		die("log");
	for (size_t at = 0; at < size; n++) {
		if (n == sizeof events / sizeof *events)
			die("too many events");
		memcpy(&events[n], log + at, sizeof *events);
		at += sizeof *events;
		data[n] = log + at;
		if (events[n].kind == WRITE_DATA)
			at += events[n].len;
	}
	if (argc < 5) {
		printf("%zu\n", n);
		return 0;
	}
	count = strtoul(argv[2], NULL, 10);
	seed = strtoul(argv[3], NULL, 10);
	srand((unsigned)seed);
	for (size_t i = 0; i < count && i < n; i++)
		if (events[i].kind == WRITE_FLUSH)
			flushed[events[i].file] = i;
	for (size_t i = 0; i < count && i < n; i++) {
		const struct write_event *x = &events[i];
		bool safe = seed == 0 || i < flushed[x->file], torn;
		int chance = rand() % 8, fd;

		if (!safe && chance < 4)
			continue;
		fd = open(argv[4 + x->file], O_RDWR);
		if (fd < 0)
			die(argv[4 + x->file]);
		torn = !safe && chance == 4 && x->len > 512;
		change(fd, x, data[i], torn ? 512 * (1 + (uint64_t)rand() % (x->len / 512)) : x->len);
		close(fd);
	}
	return 0;
}
