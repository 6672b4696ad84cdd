/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exfat_super.c - the boot region of exFAT: probing, its checksum, and where everything lies. */
#include "exfat.h"

#include "alloc.h"
#include "checked.h"
#include "text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define BOOT_SECTORS 11 /* that the checksum in the twelfth covers */
#define CLUSTER_BITS_MAX 25
#define NCLUSTERS_MAX 0xfffffff5u
#define LABEL_CLUSTERS 100 /* of the root directory are searched for a label */

struct exfat_boot {
	uint8_t jump[3], magic[8], zeros[53];
	le64 partition_off, sectors;
	le32 table_off, table_sectors, clusters_off, nclusters, root_cluster, serial;
	le16 revision, flags;
	uint8_t sector_bits, cluster_sector_bits, ntables, drive, percent;
	uint8_t reserved[7], code[390], signature[2];
};
_Static_assert(sizeof(struct exfat_boot) == 512, "as on the disk");

int exfat_super_read(struct block *dev, uint64_t off, struct exfat_super *s, struct err *e)
{
	struct exfat_boot b;
	uint64_t table_end;
	int rc;

	memset(s, 0, sizeof *s);
	if (!range_in(off, sizeof b, block_size(dev)))
		return 0;
	rc = block_pread(dev, &b, sizeof b, off, e);
	if (rc < 0)
		return rc;
	if (memcmp(b.magic, "EXFAT   ", sizeof b.magic) != 0 || b.signature[0] != 0x55 || b.signature[1] != 0xaa)
		return 0;
	if (b.sector_bits < 9 || b.sector_bits > 12 || b.cluster_sector_bits > CLUSTER_BITS_MAX - b.sector_bits)
		return 0;
	s->sector_bits = b.sector_bits;
	s->cluster_bits = b.sector_bits + b.cluster_sector_bits;
	s->sectors = le64_get(b.sectors);
	s->ntables = b.ntables;
	if (s->ntables < 1 || s->ntables > 2 || s->sectors > UINT64_MAX >> s->sector_bits)
		return 0;
	s->table_off = (uint64_t)le32_get(b.table_off) << s->sector_bits;
	s->table_size = (uint64_t)le32_get(b.table_sectors) << s->sector_bits;
	s->clusters_off = (uint64_t)le32_get(b.clusters_off) << s->sector_bits;
	table_end = s->table_off + s->ntables * s->table_size;
	s->nclusters = le32_get(b.nclusters);
	s->root_cluster = le32_get(b.root_cluster);
	s->serial = le32_get(b.serial);
	s->flags = le16_get(b.flags);
	/* The table has an entry for each cluster and lies between the boot regions and the heap, which fits the volume. */
	if (s->nclusters == 0 || s->nclusters > NCLUSTERS_MAX || s->table_size / 4 < (uint64_t)s->nclusters + 2)
		return 0;
	if (s->table_off < 24ULL << s->sector_bits || s->clusters_off < table_end ||
	    !range_in(s->clusters_off, (uint64_t)s->nclusters << s->cluster_bits, s->sectors << s->sector_bits))
		return 0;
	return le16_get(b.revision) >> 8 == 1;
}

int exfat_boot_checked(struct block *dev, uint64_t off, unsigned sector_bits, bool *good, struct err *e)
{
	size_t size = (size_t)1 << sector_bits, covered = BOOT_SECTORS * size;
	CLEANUP(free_ptr) uint8_t *region = alloc_bytes(covered + size);
	uint32_t sum = 0;
	int rc;

	*good = false;
	if (!region)
		return err_nomem(e);
	if (!range_in(off, covered + size, block_size(dev)))
		return 0;
	rc = block_pread(dev, region, covered + size, off, e);
	if (rc < 0)
		return rc;
	/* All but what changes while the volume is in use: its flags, and how full it is. */
	for (size_t i = 0; i < covered; i++) {
		if (i == offsetof(struct exfat_boot, flags) || i == offsetof(struct exfat_boot, flags) + 1 ||
		    i == offsetof(struct exfat_boot, percent))
			continue;
		sum = (sum >> 1 | sum << 31) + region[i];
	}
	*good = true;
	for (size_t i = 0; i < size; i += 4) {
		le32 v;

		memcpy(&v, region + covered + i, sizeof v);
		if (le32_get(v) != sum)
			*good = false;
	}
	return 0;
}

void exfat_clusters(const struct exfat_super *s, struct lines *io, struct clusters *out)
{
	unsigned active = s->flags & EXFAT_ACTIVE_TABLE && s->ntables == 2;

	memset(out, 0, sizeof *out);
	out->io = io;
	out->off = s->clusters_off;
	out->bits = s->cluster_bits;
	out->n = s->nclusters;
	out->table_off = s->table_off + active * s->table_size;
	out->entry_bits = 32;
	out->value_mask = UINT32_MAX;
	out->bad = 0xfffffff7;
}

/* ---- probing ---- */

/* 1: the label was found, or the directory ends. */
static int label_in(struct lines *io, uint64_t off, size_t len, struct fs_id *id, struct err *e)
{
	for (size_t i = 0; i + EXFAT_ENTRY_SIZE <= len; i += EXFAT_ENTRY_SIZE) {
		struct exfat_label_raw raw;
		uint16_t units[ARRAY_LEN(raw.units)];
		int rc = lines_read(io, &raw, sizeof raw, off + i, e);

		if (rc < 0)
			return rc;
		if (raw.type == EXFAT_END)
			return 1;
		if (raw.type != EXFAT_LABEL)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(units); k++)
			units[k] = le16_get(raw.units[k]);
		text_from_utf16(units, MIN_OF((size_t)raw.nunits, ARRAY_LEN(units)), id->label, sizeof id->label);
		return 1;
	}
	return 0;
}

/* It ends: at most LABEL_CLUSTERS clusters are looked at. */
static int root_label(struct block *dev, const struct exfat_super *s, struct fs_id *id, struct err *e)
{
	CLEANUP(lines_free) struct lines io = { .n = 0 };
	struct clusters c;
	uint32_t cluster = s->root_cluster;
	int rc = lines_init(&io, dev, 4096, 2, e);

	if (rc < 0)
		return rc;
	exfat_clusters(s, &io, &c);
	for (unsigned i = 0; i < LABEL_CLUSTERS && cluster >= 2 && cluster - 2 < c.n; i++) {
		rc = label_in(&io, clusters_off(&c, cluster), (size_t)1 << c.bits, id, e);
		if (rc == 0)
			rc = clusters_next(&c, cluster, &cluster, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int exfat_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct exfat_super s;
	int rc = exfat_super_read(dev, 0, &s, e);

	if (rc <= 0)
		return rc;
	id->type = "exfat";
	id->readable = true;
	id->size = s.sectors << s.sector_bits;
	if (s.serial)
		snprintf(id->uuid, sizeof id->uuid, "%04" PRIX32 "-%04" PRIX32, s.serial >> 16, s.serial & 0xffff);
	rc = root_label(dev, &s, id, e);
	/* A root directory that cannot be followed is told when it is opened. */
	if (rc == -ERR_CORRUPT)
		err_clear(e);
	else if (rc < 0)
		return rc;
	return FS_PROBE_MINE;
}
