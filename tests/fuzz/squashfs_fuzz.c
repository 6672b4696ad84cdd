/* SPDX-License-Identifier: GPL-2.0-or-later */
/* squashfs_fuzz.c - squashfs: the seeds are not compressed, so that what changes is what is parsed. */
#include "memory.h"

#include "look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);

	if (!disk)
		return 0;
	look_at_disk(disk);
	block_unref(disk);
	return 0;
}
