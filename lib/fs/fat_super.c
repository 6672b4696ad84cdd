/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fat_super.c - the boot sector of FAT12, FAT16 and FAT32: probing, and where everything lies.
 *
 * What kind it is follows from the number of clusters, not from any text: FAT32 has no 16-bit size of its tables, FAT12 at
 * most 4084 clusters.
 */
#include "fat.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>
#include <stdio.h>

#define FAT12_CLUSTERS_MAX 4084
#define LABEL_CLUSTERS 100 /* of a root directory are searched for a label, as blkid does */
#define STATE_DIRTY 1

struct fat_boot {
	uint8_t jump[3], oem[8];
	le16 sector_size;
	uint8_t cluster_sectors;
	le16 reserved;
	uint8_t ntables;
	le16 root_entries, sectors16;
	uint8_t media;
	le16 table_sectors16, track_sectors, heads;
	le32 hidden, sectors32;
	union {
		struct {
			uint8_t drive, state, signature;
			le32 serial;
			uint8_t label[11], type[8];
		} small;
		struct {
			le32 table_sectors;
			le16 flags, version;
			le32 root_cluster;
			le16 info_sector, backup_sector;
			uint8_t reserved[12];
			uint8_t drive, state, signature;
			le32 serial;
			uint8_t label[11], type[8];
		} large;
	} u;
};
_Static_assert(sizeof(struct fat_boot) == 90, "as on the disk");

/* The last two bytes of the sector, and a jump, or where there is none at least the name that formatting programs write. */
static bool signed_as_fat(const struct fat_boot *b, const uint8_t *sector, bool is32)
{
	const uint8_t *type = is32 ? b->u.large.type : b->u.small.type;

	if (memcmp(b->oem, "NTFS    ", 8) == 0 || memcmp(b->oem, "EXFAT   ", 8) == 0)
		return false;
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return false;
	return b->jump[0] == 0xeb || b->jump[0] == 0xe9 || memcmp(type, "FAT", 3) == 0;
}

/* Fields that differ between FAT32 and the others. */
static void take_extended(const struct fat_boot *b, struct fat_super *s)
{
	uint8_t signature = s->bits == 32 ? b->u.large.signature : b->u.small.signature;

	s->serial = le32_get(s->bits == 32 ? b->u.large.serial : b->u.small.serial);
	s->has_serial = signature == 0x28 || signature == 0x29;
	memset(s->label, ' ', sizeof s->label);
	if (signature == 0x29)
		memcpy(s->label, s->bits == 32 ? b->u.large.label : b->u.small.label, sizeof s->label);
	s->dirty = (s->bits == 32 ? b->u.large.state : b->u.small.state) & STATE_DIRTY;
	s->mirrored = true;
	if (s->bits != 32)
		return;
	s->root_cluster = le32_get(b->u.large.root_cluster);
	s->version = le16_get(b->u.large.version);
	/* One table only is kept up to date, and this is its number. */
	if (le16_get(b->u.large.flags) & 0x80) {
		s->mirrored = false;
		s->active = le16_get(b->u.large.flags) & 0xf;
	}
}

int fat_super_read(struct block *dev, struct fat_super *s, struct err *e)
{
	uint8_t sector[512];
	struct fat_boot b;
	uint64_t table_sectors, root_sectors, used, nclusters, entries;
	unsigned reserved;
	bool is32;
	int rc;

	memset(s, 0, sizeof *s);
	if (block_size(dev) < sizeof sector)
		return 0;
	rc = block_pread(dev, sector, sizeof sector, 0, e);
	if (rc < 0)
		return rc;
	memcpy(&b, sector, sizeof b);
	s->sector_size = le16_get(b.sector_size);
	reserved = le16_get(b.reserved);
	s->ntables = b.ntables;
	s->sectors = le16_get(b.sectors16) ? le16_get(b.sectors16) : le32_get(b.sectors32);
	is32 = le16_get(b.table_sectors16) == 0;
	table_sectors = is32 ? le32_get(b.u.large.table_sectors) : le16_get(b.table_sectors16);
	s->media = b.media;
	if (!is_pow2(s->sector_size) || s->sector_size < 512 || s->sector_size > 4096)
		return 0;
	if (!is_pow2(b.cluster_sectors) || reserved == 0 || s->ntables == 0 || table_sectors == 0)
		return 0;
	if (s->media != 0xf0 && s->media < 0xf8)
		return 0;
	if (!signed_as_fat(&b, sector, is32) || is32 != (le16_get(b.root_entries) == 0))
		return 0;
	/* None of these comes near 2^64. */
	s->root_size = le16_get(b.root_entries) * FAT_ENTRY_SIZE;
	root_sectors = div_round_up(s->root_size, s->sector_size);
	used = reserved + s->ntables * table_sectors + root_sectors;
	if (s->sectors <= used)
		return 0;
	s->cluster_bits = log2_of(s->sector_size) + log2_of(b.cluster_sectors);
	s->table_off = (uint64_t)reserved * s->sector_size;
	s->table_size = table_sectors * s->sector_size;
	s->root_off = s->table_off + s->ntables * s->table_size;
	s->clusters_off = used * s->sector_size;
	nclusters = (s->sectors - used) / b.cluster_sectors;
	s->bits = is32 ? 32 : nclusters > FAT12_CLUSTERS_MAX ? 16 : 12;
	entries = s->table_size * 8 / s->bits;
	nclusters = MIN_OF(nclusters, entries - 2);
	/* Too many for its kind: fat_open() says so. */
	s->nclusters = (uint32_t)MIN_OF(nclusters, (uint64_t)UINT32_MAX);
	take_extended(&b, s);
	return 1;
}

void fat_clusters(const struct fat_super *s, struct lines *io, struct clusters *out)
{
	memset(out, 0, sizeof *out);
	out->io = io;
	out->off = s->clusters_off;
	out->bits = s->cluster_bits;
	out->n = s->nclusters;
	out->table_off = s->table_off + s->active * s->table_size;
	if (s->mirrored && s->ntables > 1)
		out->table_copy_off = s->table_off + s->table_size;
	out->entry_bits = s->bits;
	out->value_mask = s->bits == 32 ? 0x0fffffff : (1u << s->bits) - 1;
	out->bad = out->value_mask - 8;
}

/* ---- probing ---- */

/* 1 when the entry is the label, which is copied, or the end of the directory. */
static int label_in(struct lines *io, uint64_t off, size_t len, struct fs_id *id, struct err *e)
{
	for (size_t i = 0; i + FAT_ENTRY_SIZE <= len; i += FAT_ENTRY_SIZE) {
		struct fat_entry_raw raw;
		size_t n = sizeof raw.name;
		int rc = lines_read(io, &raw, sizeof raw, off + i, e);

		if (rc < 0)
			return rc;
		if (raw.name[0] == 0)
			return 1;
		/* A volume label, but no part of a long name, and not deleted. */
		if (raw.name[0] == FAT_DELETED || (raw.attr & 0x3f) == FAT_LONG_NAME ||
		    (raw.attr & (FAT_VOLUME | FAT_DIR)) != FAT_VOLUME)
			continue;
		if (raw.name[0] == 0x05)
			raw.name[0] = 0xe5;
		while (n > 0 && raw.name[n - 1] == ' ')
			n--;
		memcpy(id->label, raw.name, n);
		return 1;
	}
	return 0;
}

/* It ends: at most LABEL_CLUSTERS clusters are looked at. */
static int root_label(struct block *dev, const struct fat_super *s, struct fs_id *id, struct err *e)
{
	CLEANUP(lines_free) struct lines io = { .n = 0 };
	struct clusters c;
	uint32_t cluster = s->root_cluster;
	int rc = lines_init(&io, dev, 4096, 2, e);

	if (rc < 0)
		return rc;
	if (s->bits != 32)
		return label_in(&io, s->root_off, s->root_size, id, e);
	fat_clusters(s, &io, &c);
	for (unsigned i = 0; i < LABEL_CLUSTERS && cluster >= 2 && cluster - 2 < c.n; i++) {
		rc = label_in(&io, clusters_off(&c, cluster), (size_t)1 << c.bits, id, e);
		if (rc == 0)
			rc = clusters_next(&c, cluster, &cluster, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int fat_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct fat_super s;
	int rc = fat_super_read(dev, &s, e);

	if (rc <= 0)
		return rc;
	id->type = "vfat";
	id->readable = true;
	id->size = s.sectors * s.sector_size;
	if (s.has_serial && s.serial)
		snprintf(id->uuid, sizeof id->uuid, "%04" PRIX32 "-%04" PRIX32, s.serial >> 16, s.serial & 0xffff);
	rc = root_label(dev, &s, id, e);
	/* A root directory that cannot be followed is told when it is opened. */
	if (rc == -ERR_CORRUPT)
		err_clear(e);
	else if (rc < 0)
		return rc;
	if (!id->label[0] && memcmp(s.label, "NO NAME    ", sizeof s.label) != 0) {
		size_t n = strnlen((const char *)s.label, sizeof s.label);

		while (n > 0 && s.label[n - 1] == ' ')
			n--;
		memcpy(id->label, s.label, n);
	}
	return FS_PROBE_SHARED;
}
