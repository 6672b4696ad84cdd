/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known_rest.c - the rows of types that have no reader of their own, by their magic near the beginning.
 *
 * The last column tells whether Linux itself can read it, so that it could be read through a kernel.
 */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

static const uint8_t *at(const struct head *h, size_t off)
{
	return h->bytes + off;
}

/* ---- containers ---- */

/* As LVM prints it: 32 letters in groups. */
static void lvm_uuid(struct fs_id *id, const uint8_t *p)
{
	static const uint8_t groups[] = { 6, 4, 4, 4, 4, 4, 6 };
	size_t n = 0;

	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (g)
			id->uuid[n++] = '-';
		for (size_t i = 0; i < groups[g]; i++, p++)
			id->uuid[n++] = isalnum(*p) ? (char)*p : '?';
	}
	id->uuid[n] = '\0';
}

static int lvm1_more(const struct head *h, struct fs_id *id, struct err *e)
{
	unsigned version = known_le16(at(h, 2));

	(void)e;
	if (version != 1 && version != 2)
		return 0;
	lvm_uuid(id, at(h, 0x2c));
	return 1;
}

/* It says in which sector it lies. */
static int bcache_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)id, (void)e;
	return known_le32(at(h, 4096 + 8)) == 8;
}

static int verity_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)id, (void)e;
	return known_le32(at(h, 8)) == 1;
}

/* The second header of LUKS2, where the first is gone. */
static int luks2_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)e;
	known_label(id, at(h, 0x4000 + 24), 48);
	return known_be16(at(h, 0x4000 + 6)) == 2 && known_be64(at(h, 0x4000 + 256)) == 0x4000;
}

/* The device's own UUID, as 32 digits without dashes; guarded by a checksum. */
static int stratis_more(const struct head *h, struct fs_id *id, struct err *e)
{
	const uint8_t *sb = at(h, 512), *uuid = sb + 64;
	size_t n = 0;

	(void)e;
	if (~crc32c(~0u, sb + 4, 508) != known_le32(sb))
		return 0;
	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			id->uuid[n++] = '-';
		id->uuid[n++] = isxdigit(uuid[i]) ? (char)uuid[i] : '?';
	}
	id->uuid[n] = '\0';
	return 1;
}

/* ---- filesystems ---- */

static int gfs2_more(const struct head *h, struct fs_id *id, struct err *e)
{
	uint32_t format = known_be32(at(h, 0x10000 + 24));

	(void)id, (void)e;
	return known_be32(at(h, 0x10000 + 4)) == 1 && format >= 1801 && format <= 1899;
}

/* The magic is short, the checksum is not. */
static int nilfs_more(const struct head *h, struct fs_id *id, struct err *e)
{
	const uint8_t *sb = at(h, 1024);
	unsigned len = known_le16(sb + 8);
	uint8_t copy[1024];
	uLong sum;

	(void)e;
	if (len < 24 || len > sizeof copy)
		return 0;
	memcpy(copy, sb, len);
	memset(copy + 16, 0, 4);
	/* zlib inverts the sum before and after, nilfs does not. */
	sum = ~crc32(~(uLong)known_le32(sb + 12) & 0xffffffff, copy, len) & 0xffffffff;
	id->size = known_le32(sb + 32) | (uint64_t)known_le32(sb + 36) << 32;
	return sum == known_le32(sb + 16);
}

/* Container superblock: object type 1, no subtype, blocks of a size that is used. */
static int apfs_more(const struct head *h, struct fs_id *id, struct err *e)
{
	uint32_t block = known_le32(at(h, 36));

	(void)id, (void)e;
	return (known_le32(at(h, 24)) & 0xffff) == 1 && known_le32(at(h, 28)) == 0 && is_pow2(block) && block >= 4096 &&
	       block <= 65536;
}

/* OS/2: a spare superblock behind the first; the boot sector may have a name and a number. */
static int hpfs_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)e;
	if (memcmp(at(h, 0x2200), "\x49\x18\x91\xf9", 4) != 0)
		return 0;
	if (memcmp(at(h, 510), "\x55\xaa", 2) == 0 && memcmp(at(h, 54), "HPFS", 4) == 0) {
		known_label(id, at(h, 43), 11);
		snprintf(id->uuid, sizeof id->uuid, "%02X%02X-%02X%02X", *at(h, 42), *at(h, 41), *at(h, 40), *at(h, 39));
	}
	return 1;
}

static int squashfs_old(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)id, (void)e;
	/* Version 4 has its own reader. */
	return known_le16(at(h, 28)) < 4;
}

/* LINUX: could be read by it. */
#define LINUX true
#define OTHER false
#define OCFS2_AT(off)                                                                                                  \
	{ "ocfs2", MAGIC(off, "OCFSV2"), false, UUID_BYTES, (off) + 336, LABEL_BYTES, (off) + 272, 64, NULL, LINUX }

const struct known known_rest[] = {
	{ "crypto_LUKS", MAGIC(0x4000, "SKUL\xba\xbe"), true, UUID_TEXT, 0x4000 + 168, NO_LABEL, luks2_more, LINUX },
	{ "LVM1_member", MAGIC(0, "HM"), true, NO_UUID, NO_LABEL, lvm1_more, OTHER },
	{ "bcache", MAGIC(4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"), true, UUID_BYTES,
	  4096 + 40, LABEL_BYTES, 4096 + 72, 32, bcache_more, LINUX },
	{ "DM_snapshot_cow", MAGIC(0, "SnAp"), true, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "DM_verity_hash", MAGIC(0, "verity\0\0"), true, UUID_BYTES, 16, NO_LABEL, verity_more, LINUX },
	{ "DM_integrity", MAGIC(0, "integrt\0"), true, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "vdo", MAGIC(0, "dmvdo001"), true, UUID_BYTES, 40, NO_LABEL, NULL, OTHER },
	{ "stratis", MAGIC(512 + 4, "!Stra0tis\x86\xff\x02^\x41rh"), true, NO_UUID, NO_LABEL, stratis_more, LINUX },
	{ "ceph_bluestore", MAGIC(0, "bluestore block device"), true, NO_UUID, NO_LABEL, NULL, OTHER },
	{ "oracleasm", MAGIC(32, "ORCLDISK"), false, NO_UUID, LABEL_BYTES, 40, 24, NULL, OTHER },
	{ "erofs", MAGIC(1024, "\xe2\xe1\xf5\xe0"), false, UUID_BYTES, 1024 + 48, LABEL_BYTES, 1024 + 64, 16, NULL, LINUX },
	{ "f2fs", MAGIC(1024, "\x10\x20\xf5\xf2"), false, UUID_BYTES, 1024 + 108, LABEL_UTF16, 1024 + 124, 512, NULL, LINUX },
	{ "jfs", MAGIC(0x8000, "JFS1"), false, UUID_BYTES, 0x8000 + 136, LABEL_BYTES, 0x8000 + 152, 16, NULL, LINUX },
	{ "reiserfs", MAGIC(0x10034, "ReIsEr2Fs"), false, UUID_BYTES, 0x10054, LABEL_BYTES, 0x10064, 16, NULL, LINUX },
	{ "reiserfs", MAGIC(0x10034, "ReIsEr3Fs"), false, UUID_BYTES, 0x10054, LABEL_BYTES, 0x10064, 16, NULL, LINUX },
	{ "reiserfs", MAGIC(0x10034, "ReIsErFs"), false, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "reiserfs", MAGIC(0x2034, "ReIsErFs"), false, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "reiserfs", MAGIC(0x2014, "ReIsErFs"), false, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "reiser4", MAGIC(0x10000, "ReIsEr4"), false, UUID_BYTES, 0x10014, LABEL_BYTES, 0x10024, 16, NULL, OTHER },
	{ "gfs2", MAGIC(0x10000, "\x01\x16\x19\x70"), false, UUID_BYTES, 0x10100, LABEL_BYTES, 0x100a0, 64, gfs2_more, LINUX },
	OCFS2_AT(0x400),
	OCFS2_AT(0x800),
	OCFS2_AT(0x1000),
	OCFS2_AT(0x2000),
	{ "nilfs2", MAGIC(1024 + 6, "\x34\x34"), false, UUID_BYTES, 1024 + 152, LABEL_BYTES, 1024 + 168, 80, nilfs_more, LINUX },
	{ "vxfs", MAGIC(1024, "\xf5\xfc\x01\xa5"), false, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "cramfs", MAGIC(0, "\x45\x3d\xcd\x28"), false, NO_UUID, LABEL_BYTES, 48, 16, NULL, LINUX },
	{ "cramfs", MAGIC(0, "\x28\xcd\x3d\x45"), false, NO_UUID, LABEL_BYTES, 48, 16, NULL, LINUX },
	{ "romfs", MAGIC(0, "-rom1fs-"), false, NO_UUID, LABEL_BYTES, 16, 240, NULL, LINUX },
	{ "squashfs3", MAGIC(0, "hsqs"), false, NO_UUID, NO_LABEL, squashfs_old, OTHER },
	{ "squashfs3", MAGIC(0, "sqsh"), false, NO_UUID, NO_LABEL, NULL, OTHER },
	{ "bfs", MAGIC(0, "\xce\xfa\xad\x1b"), false, NO_UUID, NO_LABEL, NULL, LINUX },
	{ "befs", MAGIC(512 + 32, "BFS1"), false, NO_UUID, LABEL_BYTES, 512, 32, NULL, LINUX },
	{ "befs", MAGIC(512 + 32, "1SFB"), false, NO_UUID, LABEL_BYTES, 512, 32, NULL, LINUX },
	{ "hpfs", MAGIC(0x2000, "\x49\xe8\x95\xf9"), false, NO_UUID, NO_LABEL, hpfs_more, LINUX },
	{ "apfs", MAGIC(32, "NXSB"), false, UUID_BYTES, 72, NO_LABEL, apfs_more, OTHER },
	{ "ReFS", MAGIC(0, "\0\0\0ReFS\0"), false, NO_UUID, NO_LABEL, NULL, OTHER },
	{ .type = NULL },
};
