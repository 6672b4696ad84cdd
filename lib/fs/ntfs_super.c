/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ntfs_super.c - the boot sector of NTFS, and records as they lie on the disk; probing. */
#include "ntfs.h"

#include "alloc.h"
#include "checked.h"
#include "text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define SECTOR 512u /* that fixups count in, whatever the disk's are */
#define RECORD_SIZE_MAX 4096u
#define INDEX_SIZE_MAX 65536u
#define CLUSTER_BITS_MAX 21 /* 2 MiB */

struct nt_boot {
	uint8_t jump[3], magic[8];
	le16 sector_size;
	uint8_t cluster_sectors;
	uint8_t unused[26];
	le64 sectors, mft_lcn, mftmirr_lcn;
	int8_t record_clusters; /* negative: the exponent of the size in bytes */
	uint8_t unused2[3];
	int8_t index_clusters;
	uint8_t unused3[3];
	le64 serial;
	le32 checksum;
	uint8_t code[426], signature[2];
};
_Static_assert(sizeof(struct nt_boot) == 512, "as on the disk");

/* Sizes of records are in clusters, or, negated, an exponent.  0: neither makes sense. */
static uint64_t size_of(int8_t clusters, unsigned cluster_bits)
{
	if (clusters > 0)
		return (uint64_t)clusters << cluster_bits;
	return clusters < 0 && clusters > -32 ? 1ULL << -clusters : 0;
}

int nt_super_read(struct block *dev, struct nt_super *s, struct err *e)
{
	struct nt_boot b;
	uint64_t cluster, record, index, mft, mirror;
	int rc;

	memset(s, 0, sizeof *s);
	if (block_size(dev) < sizeof b)
		return 0;
	rc = block_pread(dev, &b, sizeof b, 0, e);
	if (rc < 0)
		return rc;
	if (memcmp(b.magic, "NTFS    ", sizeof b.magic) != 0)
		return 0;
	s->sector_size = le16_get(b.sector_size);
	if (!is_pow2(s->sector_size) || s->sector_size < 256 || s->sector_size > 4096)
		return 0;
	/* Larger clusters than 128 sectors are given as a negated exponent, too. */
	cluster = s->sector_size;
	if (b.cluster_sectors > 0x80)
		cluster <<= 256u - b.cluster_sectors < 32 ? 256u - b.cluster_sectors : 0;
	else
		cluster *= b.cluster_sectors;
	if (!is_pow2(cluster) || cluster < 512 || cluster > 1ULL << CLUSTER_BITS_MAX)
		return 0;
	s->cluster_bits = log2_of(cluster);
	record = size_of(b.record_clusters, s->cluster_bits);
	index = size_of(b.index_clusters, s->cluster_bits);
	if (!is_pow2(record) || record < 1024 || record > RECORD_SIZE_MAX || !is_pow2(index) || index < SECTOR ||
	    index > INDEX_SIZE_MAX)
		return 0;
	s->record_size = (unsigned)record;
	s->index_size = (unsigned)index;
	mft = le64_get(b.mft_lcn);
	mirror = le64_get(b.mftmirr_lcn);
	if (le64_get(b.sectors) == 0 || !checked_mul(le64_get(b.sectors), s->sector_size, &s->size) || s->size > INT64_MAX)
		return 0;
	s->nclusters = s->size >> s->cluster_bits;
	/* The last record of a system file must lie in the volume, too. */
	if (mft == 0 || mft >= s->nclusters || mirror >= s->nclusters)
		return 0;
	s->mft_off = mft << s->cluster_bits;
	s->mftmirr_off = mirror << s->cluster_bits;
	s->serial = le64_get(b.serial);
	return 1;
}

/* ---- records ---- */

bool nt_fixup(uint8_t *bytes, size_t size)
{
	struct nt_record_raw h; /* index blocks begin in the same way */
	size_t off, n, nsectors = size / SECTOR;

	memcpy(&h, bytes, sizeof h);
	off = le16_get(h.fixups_off);
	n = le16_get(h.nfixups);
	/* The number that each sector ends with, then what belongs there. */
	if (n != nsectors + 1 || off % 2 || off < offsetof(struct nt_record_raw, lsn) || off + n * 2 > SECTOR - 2)
		return false;
	for (size_t i = 0; i < nsectors; i++)
		if (memcmp(bytes + (i + 1) * SECTOR - 2, bytes + off, 2) != 0)
			return false;
	for (size_t i = 0; i < nsectors; i++)
		memcpy(bytes + (i + 1) * SECTOR - 2, bytes + off + 2 + i * 2, 2);
	return true;
}

/* *pos only grows, by the length of an attribute, which is at least its head's. */
int nt_attr_next(const uint8_t *record, size_t size, size_t *pos, struct nt_attr_raw *attr, const uint8_t **at,
		   struct err *e)
{
	struct nt_record_raw h;
	size_t used, len, head;
	le32 type;

	memcpy(&h, record, sizeof h);
	used = le32_get(h.used);
	if (used > size)
		return err_set(e, ERR_CORRUPT, "a record of %zu bytes in %zu", used, size);
	if (*pos == 0) {
		*pos = le16_get(h.attrs_off);
		if (*pos < offsetof(struct nt_record_raw, next_instance) || *pos % 8)
			return err_set(e, ERR_CORRUPT, "attributes at byte %zu of a record", *pos);
	}
	if (!range_in(*pos, sizeof type, used))
		return err_set(e, ERR_CORRUPT, "a record whose attributes have no end");
	memcpy(&type, record + *pos, sizeof type);
	if (le32_get(type) == NTFS_END)
		return 0;
	memset(attr, 0, sizeof *attr);
	if (!range_in(*pos, NTFS_ATTR_RESIDENT_SIZE, used))
		return err_set(e, ERR_CORRUPT, "an attribute that runs past its record");
	memcpy(attr, record + *pos, NTFS_ATTR_RESIDENT_SIZE);
	len = le32_get(attr->len);
	head = attr->non_resident ? NTFS_ATTR_RUNS_SIZE : NTFS_ATTR_RESIDENT_SIZE;
	if (len < head || len % 8 || !range_in(*pos, len, used))
		return err_set(e, ERR_CORRUPT, "an attribute of %zu bytes that does not fit its record", len);
	memcpy(attr, record + *pos, MIN_OF(len, sizeof *attr));
	if (attr->name_len && (le16_get(attr->name_off) < head || !range_in(le16_get(attr->name_off), 2u * attr->name_len, len)))
		return err_set(e, ERR_CORRUPT, "the name of an attribute lies outside of it");
	if (!attr->non_resident &&
	    (le16_get(attr->u.resident.value_off) < head ||
	     !range_in(le16_get(attr->u.resident.value_off), le32_get(attr->u.resident.value_len), len)))
		return err_set(e, ERR_CORRUPT, "the value of an attribute lies outside of it");
	if (attr->non_resident && (le16_get(attr->u.runs.runs_off) < head || le16_get(attr->u.runs.runs_off) > len))
		return err_set(e, ERR_CORRUPT, "the runs of an attribute lie outside of it");
	*at = record + *pos;
	*pos += len;
	return 1;
}

/* ---- probing ---- */

/* The label is an attribute of file 3.  Where that is damaged there is no label; that it is so is told at opening. */
static int read_label(struct block *dev, const struct nt_super *s, struct fs_id *id, struct err *e)
{
	uint64_t off = s->mft_off + (uint64_t)NTFS_FILE_VOLUME * s->record_size;
	uint8_t record[RECORD_SIZE_MAX];
	CLEANUP(strbuf_free) struct strbuf label = STRBUF_INIT;
	struct nt_attr_raw attr;
	const uint8_t *at = NULL;
	size_t pos = 0;
	int rc;

	if (!range_in(off, s->record_size, block_size(dev)))
		return 0;
	rc = block_pread(dev, record, s->record_size, off, e);
	if (rc < 0)
		return rc;
	if (memcmp(record, "FILE", 4) != 0 || !nt_fixup(record, s->record_size))
		return 0;
	while (nt_attr_next(record, s->record_size, &pos, &attr, &at, NULL) > 0) {
		size_t len;

		if (le32_get(attr.type) != NTFS_VOLUME_NAME || attr.non_resident)
			continue;
		text_utf16le(&label, at + le16_get(attr.u.resident.value_off), le32_get(attr.u.resident.value_len) / 2);
		if (label.failed)
			return err_nomem(e);
		len = MIN_OF(label.len, sizeof id->label - 1);
		while (len > 0 && label.s[len - 1] == ' ')
			len--;
		memcpy(id->label, label.s, len);
		id->label[len] = '\0';
		break;
	}
	return 0;
}

int nt_probe(struct block *dev, struct fs_id *id, struct err *e)
{
	struct nt_super s;
	int rc = nt_super_read(dev, &s, e);

	if (rc <= 0)
		return rc;
	id->type = "ntfs";
	id->size = s.size;
	if (s.serial)
		snprintf(id->uuid, sizeof id->uuid, "%016" PRIX64, s.serial);
	rc = read_label(dev, &s, id, e);
	return rc < 0 ? rc : FS_PROBE_MINE;
}
