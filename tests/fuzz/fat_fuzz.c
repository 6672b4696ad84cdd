/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fat_fuzz.c - FAT12, FAT16 and FAT32: everything that a reader can ask of a few hundred files. */
#include "look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);

	if (disk)
		look_at_disk(disk);
	block_unref(disk);
	return 0;
}
