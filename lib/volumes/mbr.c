/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mbr.c - the PC's partition table: four entries of 16 bytes at byte 446 of the first sector, then 0x55 0xaa.
 *
 * An entry: boot flag (0x80 or 0), CHS start, type, CHS end, LBA start, number of sectors (of 512 bytes).  One entry may
 * be extended: it holds a chain of sectors like this one, each with one logical partition (relative to that sector) and
 * a link to the next (relative to the extended partition).
 *
 * The boot sector of a FAT, exFAT or NTFS filesystem on an unpartitioned disk ends in 0x55 0xaa too, with code where
 * the table would be.
 */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

#define SECTOR 512u
#define ID_OFF 440
#define TABLE_OFF 446
#define FIRST_LOGICAL 5

struct mbr_entry {
	uint8_t flag, chs_start[3], type, chs_end[3];
	le32 start, nsectors;
};

static bool has_signature(const uint8_t *sector)
{
	return sector[510] == 0x55 && sector[511] == 0xaa;
}

static void entries_get(const uint8_t *sector, struct mbr_entry out[4])
{
	memcpy(out, sector + TABLE_OFF, 4 * sizeof *out);
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool is_used(const struct mbr_entry *ent)
{
	return ent->type != 0 && le32_get(ent->nsectors) != 0;
}

bool mbr_is_protective(const uint8_t sector[512])
{
	struct mbr_entry ent[4];

	entries_get(sector, ent);
	if (!has_signature(sector))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (ent[i].type == MBR_TYPE_PROTECTIVE)
			return true;
	return false;
}

bool mbr_is_hybrid(const uint8_t sector[512])
{
	struct mbr_entry ent[4];
	unsigned nothers = 0;

	entries_get(sector, ent);
	for (size_t i = 0; i < 4; i++)
		nothers += is_used(&ent[i]) && ent[i].type != MBR_TYPE_PROTECTIVE;
	return mbr_is_protective(sector) && nothers > 0;
}

/* A boot sector of a filesystem: the name of one, or a BIOS parameter block that makes sense. */
static bool is_filesystem(const uint8_t *s)
{
	unsigned bytes = s[11] | (unsigned)s[12] << 8, reserved = s[14] | (unsigned)s[15] << 8;

	if (memcmp(s + 3, "NTFS    ", 8) == 0 || memcmp(s + 3, "EXFAT   ", 8) == 0)
		return true;
	return (s[0] == 0xeb || s[0] == 0xe9) && is_pow2(bytes) && bytes >= 512 && bytes <= 4096 && is_pow2(s[13]) &&
	       reserved > 0 && (s[16] == 1 || s[16] == 2) && (s[21] == 0xf0 || s[21] >= 0xf8);
}

/* Adds one partition; what lies past the end of the disk is left out or cut, and said. */
static int partition_add(struct volume_list *l, const struct volume_disk *disk, const struct mbr_entry *ent,
			 unsigned number, uint64_t start_sector, struct volume **out, struct err *e)
{
	uint64_t off = start_sector * SECTOR, size = (uint64_t)le32_get(ent->nsectors) * SECTOR;
	int rc;

	*out = NULL;
	if (off >= block_size(disk->block))
		return volume_warn(l, e, "partition %u lies past the end of the disk", number);
	if (size > block_size(disk->block) - off) {
		size = block_size(disk->block) - off;
		rc = volume_warn(l, e, "partition %u ends past the end of the disk", number);
		if (rc < 0)
			return rc;
	}
	rc = volume_add(l, disk, "mbr", number, off, size, out, e);
	if (rc < 0)
		return rc;
	(*out)->mbr_type = ent->type;
	(*out)->active = ent->flag == 0x80;
	(*out)->extended = is_extended(ent->type);
	return 0;
}

struct chain {
	uint64_t start, nsectors; /* of the extended partition */
	uint32_t visited[LIMIT_MBR_LOGICAL];
	unsigned n;
};

/* Logical partitions.  The chain ends: no sector is visited twice, and there are at most LIMIT_MBR_LOGICAL. */
static int logical_scan(const struct volume_disk *disk, struct chain *c, unsigned *number, struct volume_list *l,
			struct err *e)
{
	uint32_t at = 0; /* relative to the extended partition */

	for (;;) {
		uint8_t sector[SECTOR];
		struct mbr_entry ent[4];
		bool has_link = false;
		uint32_t link = 0;
		int rc;

		for (unsigned i = 0; i < c->n; i++)
			if (c->visited[i] == at)
				return volume_warn(l, e, "the chain of logical partitions is a loop");
		if (c->n == LIMIT_MBR_LOGICAL)
			return volume_warn(l, e, "more than %d logical partitions, the rest is left out", LIMIT_MBR_LOGICAL);
		c->visited[c->n++] = at;
		if (at >= c->nsectors || !range_in((c->start + at) * SECTOR, SECTOR, block_size(disk->block)))
			return volume_warn(l, e, "the chain of logical partitions leaves the extended partition");
		rc = block_pread(disk->block, sector, SECTOR, (c->start + at) * SECTOR, e);
		if (rc < 0)
			return rc;
		if (!has_signature(sector))
			return volume_warn(l, e, "the chain of logical partitions is broken at sector %" PRIu64, c->start + at);
		entries_get(sector, ent);
		for (size_t i = 0; i < 4; i++) {
			struct volume *v;

			if (!is_used(&ent[i]))
				continue;
			if (is_extended(ent[i].type)) {
				if (!has_link)
					link = le32_get(ent[i].start);
				has_link = true;
				continue;
			}
			/* Only the first two entries mean anything. */
			if (i >= 2)
				continue;
			rc = partition_add(l, disk, &ent[i], (*number)++, c->start + at + le32_get(ent[i].start), &v, e);
			if (rc < 0)
				return rc;
		}
		if (!has_link)
			return 0;
		at = link;
	}
}

static int mbr_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	unsigned nused = 0, number = FIRST_LOGICAL;
	size_t from = out->n;
	uint8_t sector[SECTOR];
	struct mbr_entry ent[4];
	le32 id;
	int rc;

	if (block_size(disk->block) < SECTOR)
		return 0;
	rc = block_pread(disk->block, sector, SECTOR, 0, e);
	if (rc < 0)
		return rc;
	if (!has_signature(sector) || is_filesystem(sector))
		return 0;
	entries_get(sector, ent);
	for (size_t i = 0; i < 4; i++) {
		/* Code, not a table. */
		if (ent[i].flag != 0 && ent[i].flag != 0x80)
			return 0;
		nused += is_used(&ent[i]);
	}
	/* An empty table, or the boot sector of a boot loader on an unpartitioned disk: the disk is the volume. */
	if (nused == 0)
		return 0;
	for (unsigned i = 0; i < 4; i++) {
		struct volume *v;

		if (!is_used(&ent[i]))
			continue;
		rc = partition_add(out, disk, &ent[i], i + 1, le32_get(ent[i].start), &v, e);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < 4; i++) {
		struct chain c = { .start = le32_get(ent[i].start), .nsectors = le32_get(ent[i].nsectors) };

		if (!is_used(&ent[i]) || !is_extended(ent[i].type))
			continue;
		rc = logical_scan(disk, &c, &number, out, e);
		if (rc < 0)
			return rc;
	}
	memcpy(&id, sector + ID_OFF, sizeof id);
	for (size_t i = from; i < out->n; i++)
		out->items[i].mbr_id = le32_get(id);
	if (out->sector_size == 0)
		out->sector_size = SECTOR;
	rc = volume_warn_overlaps(out, from, e);
	if (rc == 0)
		rc = bsd_in_mbr(disk, from, &number, out, e);
	return rc < 0 ? rc : 1;
}

const struct volume_driver volume_mbr = {
	.name = "mbr",
	.scan = mbr_scan,
};
