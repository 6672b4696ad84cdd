/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * btrfs_fuzz.c - btrfs: whatever the fuzzer has changed, the sums of superblock and nodes are right, as a stranger's would
 * be.  The seeds are what tests/unit/btrfs_make.h makes.
 */
#include "memory.h"

#include "btrfs_make.h"
#include "look.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int on_subvolume(void *arg, uint64_t id, const char *path, struct err *e)
{
	struct fs_stat st;
	uint64_t root;
	char opts[40];

	snprintf(opts, sizeof opts, "subvolid=%llu", (unsigned long long)id);
	if (!*path || strlen(path) > 5000)
		abort();
	if (fs_mount_root(arg, opts, &root, e) == 0)
		fs_stat(arg, root, &st, e);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);
	struct fs *fs = NULL;
	struct err e = ERR_INIT;
	uint64_t root;

	if (!disk)
		return 0;
	if (block_size(disk) >= BTRFS_SUPER_OFF + BTRFS_SUPER_SIZE)
		make_sums_at(((struct memory *)disk->state)->bytes, block_size(disk));
	look_at_disk(disk);
	/* The same disk among the others must not matter. */
	if (fs_open_among(disk, &disk, 1, &fs, &e) == 0) {
		fs_subvolumes(fs, on_subvolume, fs, NULL);
		fs_mount_root(fs, "subvol=sub", &root, NULL);
		fs_mount_root(fs, "subvol=/sub/inner", &root, NULL);
		fs_close(fs);
	}
	block_unref(disk);
	return 0;
}
