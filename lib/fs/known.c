/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.c - what lies in a block, by its magic bytes, where we can tell but not read it: other filesystems, swap, and
 * containers of volumes.  Types, labels and UUIDs are given as blkid prints them.
 */
#include "fs_driver.h"

#include "alloc.h"
#include "checked.h"
#include "ondisk.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* All that the table looks at lies before this, except what is at the end of a device. */
#define HEAD_SIZE (72 * 1024u)

/* The first HEAD_SIZE bytes of the device; what it does not have is zeros. */
struct head {
	struct block *dev;
	uint64_t size;
	uint8_t *bytes;
};

enum uuid_kind { UUID_NONE, UUID_BYTES, UUID_TEXT, UUID_SERIAL32, UUID_SERIAL64 };
enum label_kind { LABEL_NONE, LABEL_BYTES, LABEL_UTF16, LABEL_PADDED };

struct known {
	const char *type;
	uint32_t off;
	const char *magic;
	uint8_t len;
	bool container;
	enum uuid_kind uuid_kind;
	uint32_t uuid_off;
	enum label_kind label_kind;
	uint32_t label_off;
	uint16_t label_len; /* bytes; UTF-16: units */
	/* A second look, and what the table cannot say: 1 mine, 0 not, < 0 a read error.  NULL: the magic is enough. */
	int (*more)(const struct head *h, struct fs_id *id, struct err *e);
};

static uint16_t get16(const struct head *h, size_t off)
{
	le16 v;

	memcpy(&v, h->bytes + off, sizeof v);
	return le16_get(v);
}

static uint32_t get32(const struct head *h, size_t off)
{
	le32 v;

	memcpy(&v, h->bytes + off, sizeof v);
	return le32_get(v);
}

static uint64_t get64(const struct head *h, size_t off)
{
	return get32(h, off) | (uint64_t)get32(h, off + 4) << 32;
}

/* ---- labels and UUIDs ---- */

/* Up to a NUL, without blanks at the end. */
static void label_bytes(struct fs_id *id, const uint8_t *p, size_t len)
{
	len = strnlen((const char *)p, MIN_OF(len, sizeof id->label - 1));
	while (len > 0 && p[len - 1] == ' ')
		len--;
	memcpy(id->label, p, len);
	id->label[len] = '\0';
}

static int label_utf16(struct fs_id *id, const uint8_t *p, size_t units, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	text_utf16le(&b, p, units);
	if (b.failed)
		return err_nomem(e);
	label_bytes(id, (const uint8_t *)b.s, b.len);
	return 0;
}

static void uuid_bytes(struct fs_id *id, const uint8_t *p)
{
	static const uint8_t none[16];

	if (memcmp(p, none, sizeof none) != 0)
		text_uuid(p, id->uuid);
}

static void serial32(struct fs_id *id, uint32_t serial)
{
	if (serial)
		snprintf(id->uuid, sizeof id->uuid, "%04" PRIX32 "-%04" PRIX32, serial >> 16, serial & 0xffff);
}

/* ---- second looks ---- */

/* The version of swap areas that are made since 1998. */
static int swap_more(const struct head *h, struct fs_id *id, struct err *e)
{
	(void)id, (void)e;
	return get32(h, 1024) == 1;
}

static int luks_more(const struct head *h, struct fs_id *id, struct err *e)
{
	unsigned version = (unsigned)h->bytes[6] << 8 | h->bytes[7];

	(void)e;
	if (version == 2)
		label_bytes(id, h->bytes + 24, 48);
	return version == 1 || version == 2;
}

/* The label is in one of the first four sectors and names where the UUID is: 32 letters, printed in groups. */
static int lvm2_more(const struct head *h, struct fs_id *id, struct err *e)
{
	static const uint8_t groups[] = { 6, 4, 4, 4, 4, 4, 6 };
	size_t n = 0;

	(void)e;
	for (size_t at = 0; at < 2048; at += 512) {
		const uint8_t *p = h->bytes + at;
		uint32_t off = get32(h, at + 20);

		if (memcmp(p, "LABELONE", 8) != 0 || memcmp(p + 24, "LVM2 001", 8) != 0 || off > 512 - 32)
			continue;
		p += off;
		for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
			if (g)
				id->uuid[n++] = '-';
			for (size_t i = 0; i < groups[g]; i++, p++)
				id->uuid[n++] = isalnum(*p) ? (char)*p : '?';
		}
		id->uuid[n] = '\0';
		return 1;
	}
	return 0;
}

/* ---- FAT ---- */

struct fat {
	unsigned bytes_per_sector, sectors_per_cluster, reserved, nfats, root_entries;
	uint64_t fat_sectors, sectors;
	bool is32;
};

static bool fat_judge(const struct head *h, struct fat *f)
{
	uint64_t used;

	f->bytes_per_sector = get16(h, 11);
	f->sectors_per_cluster = h->bytes[13];
	f->reserved = get16(h, 14);
	f->nfats = h->bytes[16];
	f->root_entries = get16(h, 17);
	f->sectors = get16(h, 19) ? get16(h, 19) : get32(h, 32);
	f->is32 = get16(h, 22) == 0;
	f->fat_sectors = f->is32 ? get32(h, 36) : get16(h, 22);
	if (!is_pow2(f->bytes_per_sector) || f->bytes_per_sector < 512 || f->bytes_per_sector > 4096)
		return false;
	if (!is_pow2(f->sectors_per_cluster) || f->reserved == 0 || f->nfats == 0 || f->fat_sectors == 0)
		return false;
	if (h->bytes[21] != 0xf0 && h->bytes[21] < 0xf8)
		return false;
	if (h->bytes[510] != 0x55 || h->bytes[511] != 0xaa)
		return false;
	used = f->reserved + f->nfats * f->fat_sectors;
	return f->sectors > used && (f->is32 ? f->root_entries == 0 : f->root_entries > 0);
}

/* The entry of the root directory that holds the label: searched for in at most 64 KiB of it. */
static int fat_root_label(const struct head *h, const struct fat *f, struct fs_id *id, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *dir = NULL;
	uint64_t sector = f->reserved + f->nfats * f->fat_sectors, off;
	size_t len = (size_t)f->root_entries * 32;
	int rc;

	if (f->is32) {
		uint32_t cluster = get32(h, 44);

		if (cluster < 2)
			return 0;
		sector += (uint64_t)(cluster - 2) * f->sectors_per_cluster;
		len = (size_t)f->sectors_per_cluster * f->bytes_per_sector;
	}
	len = MIN_OF(len, (size_t)65536);
	off = sector * f->bytes_per_sector;
	if (!range_in(off, len, h->size))
		return 0;
	dir = alloc_bytes(len);
	if (!dir)
		return err_nomem(e);
	rc = block_pread(h->dev, dir, len, off, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i + 32 <= len && dir[i]; i += 32) {
		/* A volume label, but no part of a long name, and not deleted. */
		if (dir[i] == 0xe5 || (dir[i + 11] & 0x3f) == 0x0f || (dir[i + 11] & 0x18) != 0x08)
			continue;
		if (dir[i] == 0x05)
			dir[i] = 0xe5;
		label_bytes(id, dir + i, 11);
		break;
	}
	return 0;
}

static int fat_probe(const struct head *h, struct fs_id *id, struct err *e)
{
	struct fat f;
	size_t boot;
	int rc;

	if (!fat_judge(h, &f) || memcmp(h->bytes + 3, "NTFS    ", 8) == 0 || memcmp(h->bytes + 3, "EXFAT   ", 8) == 0)
		return 0;
	/* A jump, and where there is none at least the name that formatting programs write. */
	boot = f.is32 ? 64 : 36;
	if (h->bytes[0] != 0xeb && h->bytes[0] != 0xe9 && memcmp(h->bytes + boot + 18, "FAT", 3) != 0)
		return 0;
	id->type = "vfat";
	id->size = f.sectors * f.bytes_per_sector;
	if (h->bytes[boot + 2] == 0x28 || h->bytes[boot + 2] == 0x29)
		serial32(id, get32(h, boot + 3));
	rc = fat_root_label(h, &f, id, e);
	if (rc < 0)
		return rc;
	if (!id->label[0] && h->bytes[boot + 2] == 0x29 && memcmp(h->bytes + boot + 7, "NO NAME    ", 11) != 0)
		label_bytes(id, h->bytes + boot + 7, 11);
	return 1;
}

/* ---- NTFS and exFAT ---- */

/* The label is attribute 0x60 of record 3 of the master file table. */
static int ntfs_more(const struct head *h, struct fs_id *id, struct err *e)
{
	unsigned sector = get16(h, 11), per_cluster = h->bytes[13], pos;
	int8_t record = (int8_t)h->bytes[64];
	uint64_t cluster_size, record_size, off;
	uint8_t mft[4096];
	int rc;

	if (!is_pow2(sector) || sector < 256 || sector > 4096 || per_cluster == 0)
		return 0;
	cluster_size = (uint64_t)sector * per_cluster;
	/* Larger clusters are given as the negated exponent. */
	if (per_cluster > 0x80) {
		if (256 - per_cluster > 31)
			return 0;
		cluster_size = (uint64_t)sector << (256 - per_cluster);
	}
	record_size = record > 0 ? cluster_size * (unsigned)record : record > -31 ? 1ULL << -record : 0;
	id->size = 0;
	if (!checked_mul(get64(h, 40), sector, &id->size))
		id->size = 0;
	if (record_size < 1024 || record_size > sizeof mft || !checked_mul(get64(h, 48), cluster_size, &off) ||
	    !checked_add(off, 3 * record_size, &off) || !range_in(off, record_size, h->size))
		return 1;
	rc = block_pread(h->dev, mft, (size_t)record_size, off, e);
	if (rc < 0)
		return rc;
	if (memcmp(mft, "FILE", 4) != 0)
		return 1;
	/* Attributes: type, length; this one lies in the record: its value's length at 16, offset at 20.  pos only grows. */
	for (pos = mft[20] | (unsigned)mft[21] << 8; pos + 24 <= record_size;) {
		le32 type, len, value_len;
		unsigned value_off = mft[pos + 20] | (unsigned)mft[pos + 21] << 8;

		memcpy(&type, mft + pos, 4);
		memcpy(&len, mft + pos + 4, 4);
		memcpy(&value_len, mft + pos + 16, 4);
		if (le32_get(type) == 0xffffffff || le32_get(len) < 24 || le32_get(len) > record_size - pos)
			break;
		if (le32_get(type) == 0x60 && mft[pos + 8] == 0 && range_in(value_off, le32_get(value_len), le32_get(len))) {
			rc = label_utf16(id, mft + pos + value_off, le32_get(value_len) / 2, e);
			return rc < 0 ? rc : 1;
		}
		pos += le32_get(len);
	}
	return 1;
}

/* The label is entry type 0x83 in the root directory's first cluster. */
static int exfat_more(const struct head *h, struct fs_id *id, struct err *e)
{
	unsigned sector_bits = h->bytes[108], cluster_bits = h->bytes[109];
	uint32_t heap = get32(h, 88), root = get32(h, 96);
	uint8_t dir[4096];
	uint64_t off, len;
	int rc;

	if (sector_bits < 9 || sector_bits > 12 || cluster_bits > 25 - sector_bits)
		return 0;
	if (get64(h, 72) <= UINT64_MAX >> sector_bits)
		id->size = get64(h, 72) << sector_bits;
	if (root < 2)
		return 1;
	off = ((uint64_t)heap << sector_bits) + ((uint64_t)(root - 2) << (sector_bits + cluster_bits));
	len = MIN_OF(1ULL << (sector_bits + cluster_bits), (uint64_t)sizeof dir);
	if (!range_in(off, len, h->size))
		return 1;
	rc = block_pread(h->dev, dir, (size_t)len, off, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i + 32 <= len && dir[i]; i += 32)
		if (dir[i] == 0x83) {
			rc = label_utf16(id, dir + i + 2, MIN_OF(dir[i + 1], 11), e);
			return rc < 0 ? rc : 1;
		}
	return 1;
}

/* ---- the table ---- */

#define MAGIC(off, text) off, text, sizeof(text) - 1
#define NO_UUID UUID_NONE, 0
#define NO_LABEL LABEL_NONE, 0, 0
#define SWAP_IDS UUID_BYTES, 1024 + 12, LABEL_BYTES, 1024 + 28, 16
#define AT_PAGE_ENDS(type, text, more)                                                                                 \
	{ type, MAGIC(0x1000 - 10, text), false, SWAP_IDS, more }, { type, MAGIC(0x2000 - 10, text), false, SWAP_IDS, more }, \
		{ type, MAGIC(0x4000 - 10, text), false, SWAP_IDS, more },                                             \
		{ type, MAGIC(0x8000 - 10, text), false, SWAP_IDS, more },                                             \
	{                                                                                                              \
		type, MAGIC(0x10000 - 10, text), false, SWAP_IDS, more                                                 \
	}

static const struct known table[] = {
	{ "crypto_LUKS", MAGIC(0, "LUKS\xba\xbe"), true, UUID_TEXT, 168, NO_LABEL, luks_more },
	{ "BitLocker", MAGIC(3, "-FVE-FS-"), true, NO_UUID, NO_LABEL, NULL },
	{ "BitLocker", MAGIC(424, "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"), true, NO_UUID,
	  NO_LABEL, NULL },
	{ "LVM2_member", MAGIC(24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(512 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(1024 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "LVM2_member", MAGIC(1536 + 24, "LVM2 001"), true, NO_UUID, NO_LABEL, lvm2_more },
	{ "linux_raid_member", MAGIC(0, "\xfc\x4e\x2b\xa9\1\0\0\0"), true, UUID_BYTES, 16, LABEL_BYTES, 32, 32, NULL },
	{ "linux_raid_member", MAGIC(4096, "\xfc\x4e\x2b\xa9\1\0\0\0"), true, UUID_BYTES, 4096 + 16, LABEL_BYTES, 4096 + 32, 32,
	  NULL },
	AT_PAGE_ENDS("swap", "SWAPSPACE2", swap_more),
	AT_PAGE_ENDS("swap", "SWAP-SPACE", NULL),
	AT_PAGE_ENDS("swsuspend", "S1SUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "S2SUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "ULSUSPEND", NULL),
	AT_PAGE_ENDS("swsuspend", "LINHIB0001", NULL),
	{ "ntfs", MAGIC(3, "NTFS    "), false, UUID_SERIAL64, 72, NO_LABEL, ntfs_more },
	{ "exfat", MAGIC(3, "EXFAT   "), false, UUID_SERIAL32, 100, NO_LABEL, exfat_more },
	{ "erofs", MAGIC(1024, "\xe2\xe1\xf5\xe0"), false, UUID_BYTES, 1024 + 48, LABEL_BYTES, 1024 + 64, 16, NULL },
	{ "f2fs", MAGIC(1024, "\x10\x20\xf5\xf2"), false, UUID_BYTES, 1024 + 108, LABEL_UTF16, 1024 + 124, 512, NULL },
	{ "jfs", MAGIC(0x8000, "JFS1"), false, UUID_BYTES, 0x8000 + 136, LABEL_BYTES, 0x8000 + 152, 16, NULL },
	{ "reiserfs", MAGIC(0x10034, "ReIsEr2Fs"), false, UUID_BYTES, 0x10054, LABEL_BYTES, 0x10064, 16, NULL },
	{ "reiserfs", MAGIC(0x10034, "ReIsErFs"), false, UUID_BYTES, 0x10054, LABEL_BYTES, 0x10064, 16, NULL },
};

static int known_look(const struct known *k, const struct head *h, struct fs_id *id, struct err *e)
{
	int rc = 1;

	if (memcmp(h->bytes + k->off, k->magic, k->len) != 0)
		return 0;
	id->type = k->type;
	if (k->uuid_kind == UUID_BYTES)
		uuid_bytes(id, h->bytes + k->uuid_off);
	else if (k->uuid_kind == UUID_TEXT)
		snprintf(id->uuid, sizeof id->uuid, "%.36s", (const char *)h->bytes + k->uuid_off);
	else if (k->uuid_kind == UUID_SERIAL32)
		serial32(id, get32(h, k->uuid_off));
	else if (k->uuid_kind == UUID_SERIAL64)
		snprintf(id->uuid, sizeof id->uuid, "%016" PRIX64, get64(h, k->uuid_off));
	if (k->label_kind == LABEL_BYTES || k->label_kind == LABEL_PADDED)
		label_bytes(id, h->bytes + k->label_off, k->label_len);
	else if (k->label_kind == LABEL_UTF16)
		rc = label_utf16(id, h->bytes + k->label_off, k->label_len, e) < 0 ? -ERR_NOMEM : 1;
	return rc > 0 && k->more ? k->more(h, id, e) : rc;
}

/*
 * MD keeps its superblock at the end of a member in versions 1.0 (8 KiB before, aligned to 4 KiB) and 0.90 (in the last
 * whole 64 KiB); so a mirror's member shows the filesystem's magic too.
 */
static int raid_at_end(const struct head *h, struct fs_id *id, struct err *e)
{
	uint8_t sb[128], uuid[16];
	uint64_t off;
	le32 magic, version;
	int rc;

	if (h->size < 128 * 1024)
		return 0;
	off = round_down(h->size / 512 - 16, 8) * 512;
	rc = block_pread(h->dev, sb, sizeof sb, off, e);
	if (rc < 0)
		return rc;
	memcpy(&magic, sb, 4);
	memcpy(&version, sb + 4, 4);
	if (le32_get(magic) == 0xa92b4efc && le32_get(version) == 1) {
		id->type = "linux_raid_member";
		uuid_bytes(id, sb + 16);
		label_bytes(id, sb + 32, 32);
		return 1;
	}
	off = round_down(h->size, 65536) - 65536;
	rc = block_pread(h->dev, sb, sizeof sb, off, e);
	if (rc < 0)
		return rc;
	memcpy(&magic, sb, 4);
	memcpy(&version, sb + 4, 4);
	if (le32_get(magic) != 0xa92b4efc || le32_get(version) != 0)
		return 0;
	id->type = "linux_raid_member";
	/* Word 5, then words 13 to 15. */
	memcpy(uuid, sb + 20, 4);
	memcpy(uuid + 4, sb + 52, 12);
	uuid_bytes(id, uuid);
	return 1;
}

static int known_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = alloc_zero(HEAD_SIZE);
	struct head h = { .dev = dev, .size = block_size(dev), .bytes = bytes };
	struct fs_id found = { 0 };
	unsigned nclaims = 0;
	int rc;

	if (!bytes)
		return err_nomem(e);
	if (h.size == 0)
		return 0;
	rc = block_pread(dev, bytes, (size_t)MIN_OF((uint64_t)HEAD_SIZE, h.size), 0, e);
	if (rc == 0)
		rc = raid_at_end(&h, id, e);
	if (rc != 0)
		return rc < 0 ? rc : FS_PROBE_CONTAINER;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fs_id claim = { 0 };

		rc = known_look(&table[i], &h, &claim, e);
		if (rc < 0)
			return rc;
		if (rc == 0 || (nclaims && strcmp(found.type, claim.type) == 0))
			continue;
		if (nclaims++ == 0)
			found = claim;
		if (table[i].container) {
			*id = claim;
			return FS_PROBE_CONTAINER;
		}
	}
	memset(id, 0, sizeof *id);
	rc = fat_probe(&h, id, e);
	if (rc < 0)
		return rc;
	nclaims += rc > 0;
	if (nclaims == 0)
		return 0;
	if (rc == 0)
		*id = found;
	return nclaims > 1 ? FS_PROBE_MANY : FS_PROBE_MINE;
}

const struct fs_driver fs_known = {
	.name = "known",
	.probe = known_probe,
};
