/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* known_raid.c - what is told by the end of a device: members of RAIDs, of Linux and of firmware, and DRBD. */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

#define SECTOR 512u
#define MD_MAGIC 0xa92b4efcu

/*
 * MD keeps its superblock at the end of a member in versions 1.0 (8 KiB before, aligned to 4 KiB) and 0.90 (in the last
 * whole 64 KiB, in either byte order); so a mirror's member shows the filesystem's magic too.
 */
static int md_at_end(const struct head *h, struct fs_id *id, struct err *e)
{
	uint8_t sb[128], uuid[16];
	bool big;
	int rc;

	if (h->size < 128 * KiB)
		return 0;
	rc = known_read(h, round_down(h->size / SECTOR - 16, 8) * SECTOR, sb, sizeof sb, e);
	if (rc < 0)
		return rc;
	if (known_le32(sb) == MD_MAGIC && known_le32(sb + 4) == 1) {
		id->type = "linux_raid_member";
		known_uuid(id, sb + 16);
		known_label(id, sb + 32, 32);
		return 1;
	}
	rc = known_read(h, round_down(h->size, 64 * KiB) - 64 * KiB, sb, sizeof sb, e);
	if (rc < 0)
		return rc;
	big = known_be32(sb) == MD_MAGIC;
	if ((!big && known_le32(sb) != MD_MAGIC) || known_le32(sb + 4) != 0)
		return 0;
	id->type = "linux_raid_member";
	/* Word 5, then words 13 to 15; numbers of that machine, printed with their most significant byte first. */
	memcpy(uuid, sb + 20, 4);
	memcpy(uuid + 4, sb + 52, 12);
	for (size_t i = 0; !big && i < 16; i += 4) {
		be32 v;

		be32_put(&v, known_le32(uuid + i));
		memcpy(uuid + i, &v, sizeof v);
	}
	known_uuid(id, uuid);
	return 1;
}

/* Firmware's: a magic at so many bytes before the end. */
static const struct {
	const char *type, *magic;
	uint8_t len;
	uint32_t from_end;
} firmware[] = {
	{ "ddf_raid_member", "\xde\x11\xde\x11", 4, SECTOR },
	{ "ddf_raid_member", "\x11\xde\x11\xde", 4, SECTOR },
	{ "ddf_raid_member", "\xde\x11\xde\x11", 4, 257 * SECTOR },
	{ "ddf_raid_member", "\x11\xde\x11\xde", 4, 257 * SECTOR },
	{ "isw_raid_member", "Intel Raid ISM Cfg Sig. ", 24, 2 * SECTOR },
	{ "lsi_mega_raid_member", "$XIDE$", 6, SECTOR },
	{ "nvidia_raid_member", "NVIDIA", 6, 2 * SECTOR },
	{ "promise_fasttrack_raid_member", "Promise Technology, Inc.", 24, 63 * SECTOR },
	{ "promise_fasttrack_raid_member", "Promise Technology, Inc.", 24, 255 * SECTOR },
	{ "promise_fasttrack_raid_member", "Promise Technology, Inc.", 24, 256 * SECTOR },
};

int known_raid(const struct head *h, struct fs_id *id, struct err *e)
{
	uint64_t end = round_down(h->size, SECTOR);
	int rc = md_at_end(h, id, e);

	for (size_t i = 0; i < ARRAY_LEN(firmware) && rc == 0; i++) {
		uint8_t magic[24];

		if (firmware[i].from_end > end || end < 64 * KiB)
			continue;
		rc = known_read(h, end - firmware[i].from_end, magic, firmware[i].len, e);
		if (rc > 0)
			rc = memcmp(magic, firmware[i].magic, firmware[i].len) == 0;
		if (rc > 0)
			id->type = firmware[i].type;
	}
	return rc;
}

/* Metadata in the last 4 KiB, of version 8 or 9: the device's own number is the UUID. */
int known_drbd(const struct head *h, struct fs_id *id, struct err *e)
{
	uint64_t end = round_down(h->size, 4 * KiB);
	uint8_t md[64];
	uint32_t magic;
	int rc = end >= 64 * KiB ? known_read(h, end - 4 * KiB, md, sizeof md, e) : 0;

	if (rc <= 0)
		return rc;
	magic = known_be32(md + 60);
	/* 0x83740267 and what was added to it with each form. */
	if (magic < 0x8374026b || magic > 0x8374026d)
		return 0;
	id->type = "drbd";
	id->takes_linux = true;
	snprintf(id->uuid, sizeof id->uuid, "%" PRIx64, known_be64(md + (magic == 0x8374026d ? 48 : 40)));
	return 1;
}
