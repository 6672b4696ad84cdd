/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * extents.c - lists where the files of a tree have data, as the kernel tells it (SEEK_DATA, SEEK_HOLE) or as drydock does,
 * one file a line, so that the two can be compared with diff.
 *
 * usage: extents [--sums] kernel DIR
 *        extents [--sums] guest DEVICE IMAGE...    the filesystem on DEVICE ("/dev/sda") of these disks
 *   --sums   and a sum of what is there: holes are not read, however large they are
 */
#include <drydock.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "extents: %s: %s\n", what, why);
	exit(1);
}

static void print_name(const char *path)
{
	for (; *path; path++)
		printf(*path > ' ' && *path < 127 ? "%c" : "\\%02x", (unsigned char)*path);
}

/* ---- sums ---- */

static bool sums;
static unsigned char chunk[1 << 20];

/* FNV-1a over words of 8 bytes; what is behind the last one counts as zeros. */
static uint64_t sum_add(uint64_t sum, size_t len)
{
	memset(chunk + len, 0, (8 - len % 8) % 8);
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word;

		memcpy(&word, chunk + i, 8);
		sum = (sum ^ word) * 0x100000001b3;
	}
	return sum;
}

/* Prints the run and, if they are wanted, its sum; read_at() fills chunk. */
static void print_run(uint64_t at, uint64_t len, void (*read_at)(void *arg, size_t len, uint64_t at), void *arg)
{
	uint64_t sum = 0xcbf29ce484222325;

	printf(" %" PRIu64 "+%" PRIu64, at, len);
	if (!sums)
		return;
	while (len > 0) {
		size_t n = len < sizeof chunk ? (size_t)len : sizeof chunk;

		read_at(arg, n, at);
		sum = sum_add(sum, n);
		at += n;
		len -= n;
	}
	printf("=%016" PRIx64, sum);
}

/* ---- the kernel ---- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void kernel_read(void *arg, size_t len, uint64_t at)
{
	if (pread(*(int *)arg, chunk, len, (off_t)at) != (ssize_t)len)
		die("read", strerror(errno));
}

/* All is asked before anything is read: what reading ahead leaves in the cache of an unwritten extent would be data. */
static void kernel_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	off_t at = 0, end;
	uint64_t *runs = NULL;
	size_t n = 0;

	if (fd < 0)
		die(path, strerror(errno));
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			die(path, strerror(errno));
		if (n % 1024 == 0)
			runs = realloc(runs, (n + 1024) * 2 * sizeof *runs);
		if (!runs)
			die(path, strerror(errno));
		runs[n * 2] = (uint64_t)at;
		runs[n++ * 2 + 1] = (uint64_t)(end - at);
		at = end;
	}
	if (errno != ENXIO)
		die(path, strerror(errno));
	for (size_t i = 0; i < n; i++)
		print_run(runs[i * 2], runs[i * 2 + 1], kernel_read, &fd);
	free(runs);
	close(fd);
}

static int kernel_tree(char *dir)
{
	char *const dirs[] = { dir, NULL };
	FTS *tree = fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *ent;

	if (!tree)
		die(dir, strerror(errno));
	while ((ent = fts_read(tree))) {
		if (ent->fts_info != FTS_F)
			continue;
		print_name(ent->fts_path + strlen(dir));
		kernel_file(ent->fts_path);
		putchar('\n');
	}
	fts_close(tree);
	return 0;
}

/* ---- drydock ---- */

struct file {
	struct dry_guest *g;
	const struct dry_entry *ent;
};

static void guest_read(void *arg, size_t len, uint64_t at)
{
	const struct file *f = arg;
	struct dry_error e;
	size_t got;

	if (dry_node_read(f->g, f->ent->node, chunk, len, at, &got, &e) < 0)
		die(f->ent->path, e.msg);
	if (got != len)
		die(f->ent->path, "it ends early");
}

static int guest_file(void *arg, const struct dry_entry *ent)
{
	struct file f = { .g = arg, .ent = ent };
	struct dry_error e;
	uint64_t len;
	bool hole;

	if (!S_ISREG(ent->stat.mode))
		return DRY_WALK_ON;
	print_name(ent->path);
	for (uint64_t at = 0; at < ent->stat.size; at += len) {
		if (dry_node_extent(f.g, ent->node, at, &len, &hole, &e) < 0)
			die(ent->path, e.msg);
		if (len == 0)
			die(ent->path, "an empty run");
		if (!hole)
			print_run(at, len, guest_read, &f);
	}
	putchar('\n');
	return DRY_WALK_ON;
}

static int guest_tree(const char *device, char **images, int n)
{
	struct dry_guest_image list[16] = { { NULL, NULL } };
	const struct dry_guest_open how = { .images = list, .nimages = (size_t)n };
	struct dry_walk walk = { .max_depth = DRY_DEPTH_ALL, .fn = guest_file };
	struct dry_guest *g;
	struct dry_error e;

	for (int i = 0; i < n && i < 16; i++)
		list[i] = (struct dry_guest_image){ images[i], "raw" };
	if (dry_guest_open(&how, &g, &e) < 0 || dry_guest_mount(g, device, NULL, "/", &e) < 0)
		die(images[0], e.msg);
	walk.arg = g;
	if (dry_guest_walk(g, "/", &walk, &e) < 0)
		die(images[0], e.msg);
	dry_guest_close(g);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--sums") == 0) {
		sums = true;
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	if (argc == 3 && strcmp(argv[1], "kernel") == 0)
		return kernel_tree(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "guest") == 0)
		return guest_tree(argv[2], argv + 3, argc - 3);
	fprintf(stderr, "usage: extents [--sums] kernel DIR | extents [--sums] guest DEVICE IMAGE...\n");
	return 2;
}
