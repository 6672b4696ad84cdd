/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iso9660_fuzz.c - ISO 9660 with Rock Ridge and Joliet. */
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
