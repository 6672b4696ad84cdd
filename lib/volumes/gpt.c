/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gpt.c - GUID partition tables (UEFI specification, chapter 5).
 *
 * A header in the second sector and a copy of it in the last, each with its own array of entries; both header and
 * array carry a CRC32.  Sectors have 512 or 4096 bytes, which an image does not tell: both are tried.  The MBR before
 * it has an entry of type 0xee; without that the table is the forgotten one of an earlier life.
 */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"
#include "text.h"

#include <inttypes.h>
#include <zlib.h>

#define ATTR_LEGACY_BOOT (1ULL << 2)
#define NAME_UNITS 36

struct gpt_header {
	char signature[8];
	le32 revision, header_size, crc, reserved;
	le64 my_lba, alternate_lba, first_usable, last_usable;
	uint8_t disk_guid[16];
	le64 entries_lba;
	le32 nentries, entry_size, entries_crc;
};
#define HEADER_SIZE 92
_Static_assert(sizeof(struct gpt_header) == HEADER_SIZE, "as the specification has it");

struct gpt_entry {
	uint8_t type[16], id[16];
	le64 first, last, attributes;
	le16 name[NAME_UNITS];
};
_Static_assert(sizeof(struct gpt_entry) == 128, "as the specification has it");

/* One of the two tables, read and judged. */
struct table {
	unsigned sector;
	uint64_t alternate;
	uint8_t *array;
	size_t nentries, entry_size;
};

static void table_free(struct table *t)
{
	free(t->array);
	t->array = NULL;
}

/* Is there a header's signature at this sector? */
static int has_signature(struct block *disk, unsigned sector, uint64_t lba, struct err *e)
{
	uint64_t off;
	char signature[8];
	int rc;

	if (!checked_mul(lba, sector, &off) || !range_in(off, sector, block_size(disk)))
		return 0;
	rc = block_pread(disk, signature, sizeof signature, off, e);
	if (rc < 0)
		return rc;
	return memcmp(signature, "EFI PART", sizeof signature) == 0;
}

/* Reads the table whose header lies at lba; ERR_CORRUPT or ERR_LIMIT say what is wrong with it. */
static int table_read(struct block *disk, unsigned sector, uint64_t lba, struct table *t, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *raw = NULL;
	struct gpt_header h;
	uint64_t off, size;
	uint32_t header_size, stored;
	int rc = has_signature(disk, sector, lba, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "there is no header in sector %" PRIu64, lba);
	raw = alloc_bytes(sector);
	if (!raw)
		return err_nomem(e);
	rc = block_pread(disk, raw, sector, lba * sector, e);
	if (rc < 0)
		return rc;
	memcpy(&h, raw, sizeof h);
	header_size = le32_get(h.header_size);
	if (header_size < HEADER_SIZE || header_size > sector)
		return err_set(e, ERR_CORRUPT, "a header of %" PRIu32 " bytes", header_size);
	stored = le32_get(h.crc);
	memset(raw + 16, 0, 4);
	if (crc32(0, raw, header_size) != stored)
		return err_set(e, ERR_CORRUPT, "the checksum of its header does not match");
	if (le32_get(h.revision) >> 16 != 1)
		return err_set(e, ERR_UNSUPPORTED, "revision 0x%08" PRIx32, le32_get(h.revision));
	if (le64_get(h.my_lba) != lba)
		return err_set(e, ERR_CORRUPT, "its header says that it lies in sector %" PRIu64, le64_get(h.my_lba));

	t->sector = sector;
	t->alternate = le64_get(h.alternate_lba);
	t->nentries = le32_get(h.nentries);
	t->entry_size = le32_get(h.entry_size);
	if (t->entry_size < sizeof(struct gpt_entry) || t->entry_size > LIMIT_GPT_ENTRY_SIZE || t->entry_size % 8)
		return err_set(e, ERR_LIMIT, "entries of %zu bytes", t->entry_size);
	if (t->nentries > LIMIT_GPT_ENTRIES || t->nentries * t->entry_size > LIMIT_GPT_ARRAY)
		return err_set(e, ERR_LIMIT, "%zu entries of %zu bytes", t->nentries, t->entry_size);
	size = t->nentries * t->entry_size;
	if (!checked_mul(le64_get(h.entries_lba), sector, &off) || !range_in(off, size, block_size(disk)))
		return err_set(e, ERR_CORRUPT, "its entries lie past the end of the disk");
	t->array = alloc_bytes((size_t)size);
	if (!t->array)
		return err_nomem(e);
	rc = size ? block_pread(disk, t->array, (size_t)size, off, e) : 0;
	if (rc < 0)
		return rc;
	if (crc32(0, t->array, (unsigned)size) != le32_get(h.entries_crc))
		return err_set(e, ERR_CORRUPT, "the checksum of its entries does not match");
	return 0;
}

/* A failure that is about the bytes of one table, so that the other may still be good. */
static bool is_damage(int rc)
{
	return rc == -ERR_CORRUPT || rc == -ERR_LIMIT || rc == -ERR_UNSUPPORTED;
}

/*
 * The table to use: the primary, or the backup with a warning.  0 and t->array NULL: neither header is there in sectors
 * of this size.
 */
static int table_choose(struct block *disk, unsigned sector, struct table *t, struct volume_list *l, struct err *e)
{
	CLEANUP(table_free) struct table other = { 0 };
	uint64_t last = block_size(disk) / sector;
	struct err why = ERR_INIT, why_backup = ERR_INIT;
	int first, second, rc;

	if (last < 2)
		return 0;
	last--;
	first = has_signature(disk, sector, 1, e);
	if (first < 0)
		return first;
	second = has_signature(disk, sector, last, e);
	if (second < 0)
		return second;
	if (!first && !second)
		return 0;
	rc = table_read(disk, sector, 1, t, &why);
	if (rc == 0) {
		/* A disk that was enlarged has its backup where its end was. */
		rc = t->alternate == 1 ? err_set(&why, ERR_CORRUPT, "the header names itself as its backup")
				       : table_read(disk, sector, t->alternate, &other, &why);
		if (is_damage(rc))
			return volume_warn(l, e, "the backup GPT is not usable: %s", why.msg);
		if (rc < 0 && e)
			*e = why;
		return rc;
	}
	if (!is_damage(rc)) {
		if (e)
			*e = why;
		return rc;
	}
	table_free(t);
	rc = table_read(disk, sector, last, t, &why_backup);
	if (rc == 0)
		return volume_warn(l, e, "the primary GPT is not usable, the backup is used: %s", why.msg);
	table_free(t);
	if (!is_damage(rc)) {
		if (e)
			*e = why_backup;
		return rc;
	}
	return err_set(e, ERR_CORRUPT, "neither table is usable: of the primary, %s; of the backup, %s", why.msg,
		       why_backup.msg);
}

/* The first three fields of a GUID lie little-endian; in text they are big-endian. */
static void guid_to_text_order(const uint8_t *in, uint8_t *out)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (size_t i = 0; i < 16; i++)
		out[i] = in[order[i]];
}

static int name_get(const struct gpt_entry *ent, char **out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	text_utf16le(&b, ent->name, NAME_UNITS);
	if (b.len == 0 && !b.failed)
		return 0;
	*out = strbuf_detach(&b);
	return *out ? 0 : err_nomem(e);
}

static int entry_add(const struct volume_disk *disk, const struct table *t, const struct gpt_entry *ent,
		     unsigned number, struct volume_list *l, struct err *e)
{
	uint64_t first = le64_get(ent->first), last = le64_get(ent->last), nsectors = block_size(disk->block) / t->sector;
	struct volume *v = NULL;
	int rc;

	if (first > last || first == 0)
		return volume_warn(l, e, "partition %u goes from sector %" PRIu64 " to %" PRIu64 " and is left out", number,
				   first, last);
	if (first >= nsectors)
		return volume_warn(l, e, "partition %u lies past the end of the disk", number);
	if (last >= nsectors) {
		last = nsectors - 1;
		rc = volume_warn(l, e, "partition %u ends past the end of the disk", number);
		if (rc < 0)
			return rc;
	}
	rc = volume_add(l, disk, "gpt", number, first * t->sector, (last - first + 1) * t->sector, &v, e);
	if (rc < 0)
		return rc;
	guid_to_text_order(ent->type, v->type_uuid);
	guid_to_text_order(ent->id, v->part_uuid);
	v->attributes = le64_get(ent->attributes);
	v->active = v->attributes & ATTR_LEGACY_BOOT;
	return name_get(ent, &v->label, e);
}

static int gpt_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	static const unsigned sectors[] = { 512, 4096 };
	static const uint8_t unused[16];
	CLEANUP(table_free) struct table t = { 0 };
	size_t from = out->n;
	uint8_t mbr[512];
	int rc;

	if (block_size(disk->block) < sizeof mbr)
		return 0;
	rc = block_pread(disk->block, mbr, sizeof mbr, 0, e);
	if (rc < 0)
		return rc;
	if (!mbr_is_protective(mbr))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(sectors) && !t.array; i++) {
		rc = table_choose(disk->block, sectors[i], &t, out, e);
		if (rc < 0)
			return rc;
	}
	if (!t.array)
		return err_set(e, ERR_CORRUPT, "the MBR announces a GPT, but neither of its headers is there");
	if (mbr_is_hybrid(mbr)) {
		rc = volume_warn(out, e, "the MBR lists partitions of its own beside the GPT (a hybrid MBR): the GPT counts");
		if (rc < 0)
			return rc;
	}
	if (out->sector_size == 0)
		out->sector_size = t.sector;
	for (size_t i = 0; i < t.nentries; i++) {
		struct gpt_entry ent;

		memcpy(&ent, t.array + i * t.entry_size, sizeof ent);
		if (memcmp(ent.type, unused, sizeof unused) == 0)
			continue;
		rc = entry_add(disk, &t, &ent, (unsigned)i + 1, out, e);
		if (rc < 0)
			return rc;
	}
	rc = volume_warn_overlaps(out, from, e);
	return rc < 0 ? rc : 1;
}

const struct volume_driver volume_gpt = {
	.name = "gpt",
	.scan = gpt_scan,
};
