/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ntfs_fuzz.c - NTFS: everything that a reader can ask of a few hundred files.
 *
 * Before the disk is looked at, the sectors of all that looks like a record or an index block are given the number that they
 * must end with, as no fuzzer finds it (unless byte 2 says that they are to stay as they are); and the table of upper case,
 * 128 KiB that are always the same, is put where the file $UpCase says it is.
 */
#include "look.h"

#include "upcase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SECTOR 512
#define RECORD 1024

static uint64_t number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static void put_fixups(uint8_t *disk, size_t size)
{
	for (size_t at = 0; at + SECTOR <= size; at += SECTOR) {
		size_t off, n;

		if (memcmp(disk + at, "FILE", 4) != 0 && memcmp(disk + at, "INDX", 4) != 0)
			continue;
		off = (size_t)number(disk + at + 4, 2);
		n = (size_t)number(disk + at + 6, 2);
		if (off + 2 > SECTOR || n < 2 || n > 129 || at + (n - 1) * SECTOR > size)
			continue;
		for (size_t i = 1; i < n; i++)
			memcpy(disk + at + i * SECTOR - 2, disk + at + off, 2);
	}
}

/* Its data are the first unnamed 0x80 of record 10; only one run is looked at. */
static void put_upcase(uint8_t *disk, size_t size)
{
	uint64_t cluster = number(disk + 11, 2) * disk[13], record = number(disk + 48, 8) * cluster + 10 * RECORD;
	uint64_t pos, off, to = 0;
	static uint8_t table[2 * 65536];
	const uint8_t *run;

	if (cluster == 0 || record > size || size - record < RECORD)
		return;
	for (pos = number(disk + record + 20, 2); pos + 72 < RECORD; pos += number(disk + record + pos + 4, 4)) {
		if (number(disk + record + pos, 4) == 0x80 && disk[record + pos + 8] == 1)
			break;
		if (number(disk + record + pos + 4, 4) < 24)
			return;
	}
	if (pos + 72 >= RECORD || number(disk + record + pos, 4) != 0x80)
		return;
	off = number(disk + record + pos + 32, 2);
	if (pos + off + 17 >= RECORD)
		return;
	run = disk + record + pos + off;
	if ((run[0] & 15) > 8 || run[0] >> 4 > 7)
		return;
	to = number(run + 1 + (run[0] & 15), run[0] >> 4);
	if (to > size / cluster || size - to * cluster < 2 * 65536)
		return;
	for (unsigned i = 0; i < 65536 && !table[2 * 65535]; i++) {
		table[2 * i] = (uint8_t)upcase_unit((uint16_t)i);
		table[2 * i + 1] = (uint8_t)(upcase_unit((uint16_t)i) >> 8);
	}
	memcpy(disk + to * cluster, table, sizeof table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = memory_disk(data, len);
	uint8_t *bytes;

	if (!disk)
		return 0;
	bytes = ((struct memory *)disk->state)->bytes;
	if (block_size(disk) >= SECTOR) {
		put_upcase(bytes, block_size(disk));
		if (!(bytes[2] & 1))
			put_fixups(bytes, block_size(disk));
	}
	look_at_disk(disk);
	block_unref(disk);
	return 0;
}
