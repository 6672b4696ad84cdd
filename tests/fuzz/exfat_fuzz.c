/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exfat_fuzz.c - exFAT: everything that a reader can ask of a few hundred files.
 *
 * Checksums are made right before the disk is looked at, as no fuzzer finds them: those of the boot region, unless byte 2
 * says that it is to stay wrong, and those of all that looks like a set of entries.
 */
#include "look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ENTRY 32

static void sum_boot(uint8_t *disk, size_t size, size_t at)
{
	size_t sector = (size_t)1 << (disk[at + 108] & 15);
	uint32_t sum = 0;

	if (sector < 512 || sector > 4096 || size < at + 12 * sector)
		return;
	for (size_t i = 0; i < 11 * sector; i++)
		if (i != 106 && i != 107 && i != 112)
			sum = (sum >> 1 | sum << 31) + disk[at + i];
	for (size_t i = 0; i < sector; i += 4)
		memcpy(disk + at + 11 * sector + i, &sum, 4);
}

static void sum_sets(uint8_t *disk, size_t size)
{
	for (size_t at = 0; at + ENTRY <= size; at += ENTRY) {
		size_t n = (disk[at + 1] + 1u) * ENTRY;
		uint16_t sum = 0;

		if (disk[at] != 0x85 || n > 19 * ENTRY || at + n > size)
			continue;
		for (size_t i = 0; i < n; i++)
			if (i != 2 && i != 3)
				sum = (uint16_t)((sum >> 1 | (unsigned)sum << 15) + disk[at + i]);
		memcpy(disk + at + 2, &sum, 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);
	uint8_t *bytes;

	if (!disk)
		return 0;
	bytes = ((struct memory *)disk->state)->bytes;
	if (block_size(disk) >= 512) {
		if (!(bytes[2] & 1))
			sum_boot(bytes, block_size(disk), 0);
		if (block_size(disk) > 24 * 512)
			sum_boot(bytes, block_size(disk), 12 * 512);
		sum_sets(bytes, block_size(disk));
	}
	look_at_disk(disk);
	block_unref(disk);
	return 0;
}
