/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * raid_disk.c - disks that are members of a RAID as a whole: what looks like their partition table is that of the array.
 *
 * Each such disk is listed as one volume.  Members of Linux' own RAID are put together by md.c.  Two kinds of RAID that
 * firmware makes and Linux can run, DDF and Intel's, keep what they know at the end of each disk; these are named, and
 * nothing of them is read.
 */
#include "md.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "volume_driver.h"

#define SECTOR 512u

/* ---- Linux' own ---- */

/* What a partition table lists, if there is one; one that cannot be read is none here. */
static int partitions_list(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	static const struct volume_driver *const tables[] = { &volume_gpt, &volume_mbr };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++)
		rc = tables[i]->scan(disk, out, NULL);
	return rc == -ERR_NOMEM ? err_nomem(e) : 0;
}

/* Does a partition hold those bytes?  Then they are the partition's own. */
static int partition_holds(const struct volume_disk *disk, uint64_t off, struct err *e)
{
	CLEANUP(volume_list_free) struct volume_list l = { 0 };
	int rc = partitions_list(disk, &l, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l.n; i++)
		if (!l.items[i].extended && off >= l.items[i].off && off - l.items[i].off < l.items[i].size)
			return 1;
	return 0;
}

/*
 * Version 1 says where on its device it lies, so that a partition's is not taken for the disk's.  Version 0.90 does not:
 * at the end of the last partition it may lie where that of the disk would.  *data_off: where the array's data begin.
 */
static int is_md(const struct volume_disk *disk, uint64_t *data_off, struct err *e)
{
	CLEANUP(md_super_free) struct md_super s = { 0 };
	int rc = md_super_read(disk->block, &s, NULL);

	if (rc <= 0)
		return rc == -ERR_NOMEM ? err_nomem(e) : 0;
	*data_off = s.data_off;
	if (strcmp(s.version, "0.90") != 0)
		return 1;
	rc = partition_holds(disk, round_down(block_size(disk->block), 64 * KiB) - 64 * KiB, e);
	return rc < 0 ? rc : !rc;
}

/*
 * A table in front of the array's data is not the array's: either it or the superblock is left from an earlier life, and
 * nothing tells which.  Its partitions are listed, too.
 */
static int table_in_front(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	size_t from = out->n;
	int rc = partitions_list(disk, out, e);

	if (rc < 0 || out->n == from)
		return rc;
	return volume_warn(out, e, "the disk is a member of an MD array as a whole, and has a partition table, too: one of them is "
			   "left from earlier");
}

/* ---- firmware's ---- */

/* Are these bytes there, so far from the end? */
static int has_at_end(struct block *b, uint64_t from_end, const char *magic, size_t len, struct err *e)
{
	uint64_t size = round_down(block_size(b), SECTOR);
	char bytes[32];
	int rc;

	if (from_end > size)
		return 0;
	rc = block_pread(b, bytes, len, size - from_end, e);
	return rc < 0 ? rc : memcmp(bytes, magic, len) == 0;
}

static int firmware_kind(struct block *b, const char **kind, struct err *e)
{
	static const struct {
		const char *name, *magic;
		size_t len;
		unsigned from_end;
	} kinds[] = {
		{ "Intel (IMSM)", "Intel Raid ISM Cfg Sig. ", 24, 2 * SECTOR },
		{ "Intel (IMSM)", "Intel Raid ISM Cfg Sig. ", 24, 2 * 4096 },
		{ "DDF", "\xde\x11\xde\x11", 4, SECTOR },
		{ "DDF", "\x11\xde\x11\xde", 4, SECTOR },
		{ "DDF", "\xde\x11\xde\x11", 4, 257 * SECTOR },
		{ "DDF", "\x11\xde\x11\xde", 4, 257 * SECTOR },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int rc = has_at_end(b, kinds[i].from_end, kinds[i].magic, kinds[i].len, e);

		*kind = kinds[i].name;
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int raid_disk_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	struct volume *v;
	const char *kind = NULL;
	uint64_t data_off = 0;
	int rc;

	/* In a volume that is made of others there is no firmware, and it is listed already. */
	if (disk->item != VOLUME_NO_ITEM)
		return 0;
	rc = is_md(disk, &data_off, e);
	if (rc == 0)
		rc = firmware_kind(disk->block, &kind, e);
	if (rc <= 0)
		return rc;
	if (kind) {
		rc = volume_warn(out, e, "the disk is a member of a RAID of kind %s, which is not read", kind);
		if (rc < 0)
			return rc;
	}
	rc = volume_add(out, disk, "disk", 0, 0, block_size(disk->block), &v, e);
	if (rc == 0 && data_off > 0)
		rc = table_in_front(disk, out, e);
	return rc < 0 ? rc : 1;
}

const struct volume_driver volume_raid_disk = {
	.name = "raid",
	.scan = raid_disk_scan,
};
