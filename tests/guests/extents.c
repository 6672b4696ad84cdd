/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * extents.c - lists where the files of a tree have data, as the kernel tells it (SEEK_DATA, SEEK_HOLE) or as drydock does,
 * one file a line, so that the two can be compared with diff.
 *
 * usage: extents kernel DIR
 *        extents guest DEVICE IMAGE...    the filesystem on DEVICE ("/dev/sda") of these disks
 */
#include <drydock.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
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

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void kernel_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	off_t at = 0, end;

	if (fd < 0)
		die(path, strerror(errno));
	for (;;) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0)
			break;
		end = lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			die(path, strerror(errno));
		printf(" %jd+%jd", (intmax_t)at, (intmax_t)(end - at));
		at = end;
	}
	if (errno != ENXIO)
		die(path, strerror(errno));
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

static int guest_file(void *arg, const struct dry_entry *ent)
{
	struct dry_guest *g = arg;
	struct dry_error e;
	uint64_t len;
	bool hole;

	if (!S_ISREG(ent->stat.mode))
		return DRY_WALK_ON;
	print_name(ent->path);
	for (uint64_t at = 0; at < ent->stat.size; at += len) {
		if (dry_node_extent(g, ent->node, at, &len, &hole, &e) < 0)
			die(ent->path, e.msg);
		if (len == 0)
			die(ent->path, "an empty run");
		if (!hole)
			printf(" %" PRIu64 "+%" PRIu64, at, len);
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
	if (argc == 3 && strcmp(argv[1], "kernel") == 0)
		return kernel_tree(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "guest") == 0)
		return guest_tree(argv[2], argv + 3, argc - 3);
	fprintf(stderr, "usage: extents kernel DIR | extents guest DEVICE IMAGE...\n");
	return 2;
}
