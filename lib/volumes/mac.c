/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mac.c - Apple's partition map (Inside Macintosh: Devices, chapter 3).
 *
 * Big-endian.  The first block begins with "ER" and the size of blocks; from the second block on each holds one entry: "PM", how
 * many entries there are, start and number of blocks, a name and a type as text.  The map is an entry of itself, free space
 * has entries, too; Linux numbers all of them.
 */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"
#include "text.h"

#include <inttypes.h>

struct mac_entry {
	char signature[2];
	uint8_t pad[2];
	be32 nentries, start, nblocks;
	char name[32], type[32];
};

/* A text of at most 32 bytes: what can be printed of it (it is in Apple's own code, of which ASCII is a part). */
static int text_get(const char *bytes, char **out, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	size_t len = strnlen(bytes, 32);

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] >= ' ' && bytes[i] < 0x7f)
			strbuf_putc(&b, bytes[i]);
		else
			strbuf_puts(&b, "\xef\xbf\xbd");
	}
	if (b.len == 0 && !b.failed)
		return 0;
	*out = strbuf_detach(&b);
	return *out ? 0 : err_nomem(e);
}

static int entry_add(const struct volume_disk *disk, const struct mac_entry *ent, unsigned number, unsigned block,
		     struct volume_list *out, struct err *e)
{
	uint64_t off = (uint64_t)be32_get(ent->start) * block, size = (uint64_t)be32_get(ent->nblocks) * block;
	uint64_t end = block_size(disk->block);
	struct volume *v;
	int rc;

	if (size == 0)
		return 0;
	if (off >= end)
		return volume_warn(out, e, "partition %u lies past the end of the disk", number);
	if (size > end - off) {
		size = end - off;
		rc = volume_warn(out, e, "partition %u ends past the end of the disk", number);
		if (rc < 0)
			return rc;
	}
	rc = volume_add(out, disk, "mac", number, off, size, &v, e);
	if (rc == 0)
		rc = text_get(ent->name, &v->label, e);
	if (rc == 0)
		rc = text_get(ent->type, &v->type_text, e);
	return rc;
}

/* A disc for both worlds: what it holds is found by its own magic, whichever map says where the Mac's part of it is. */
static int is_iso9660(struct block *b, struct err *e)
{
	char magic[5];
	int rc;

	if (block_size(b) < 0x8001 + sizeof magic)
		return 0;
	rc = block_pread(b, magic, sizeof magic, 0x8001, e);
	return rc < 0 ? rc : memcmp(magic, "CD001", sizeof magic) == 0;
}

static int mac_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	uint8_t first[4];
	struct mac_entry ent;
	size_t from = out->n;
	unsigned block;
	uint32_t n = 1;
	int rc;

	if (block_size(disk->block) < 8192)
		return 0;
	rc = block_pread(disk->block, first, sizeof first, 0, e);
	if (rc < 0)
		return rc;
	block = (unsigned)first[2] << 8 | first[3];
	if (memcmp(first, "ER", 2) != 0 || !is_pow2(block) || block < 512 || block > 4096)
		return 0;
	rc = is_iso9660(disk->block, e);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	/* The first entry tells how many there are; each further one must be there. */
	for (uint32_t i = 1; i <= n; i++) {
		if (i > LIMIT_MAC_ENTRIES) {
			rc = volume_warn(out, e, "an Apple partition map of %" PRIu32 " entries: the rest is left out", n);
			break;
		}
		if (!range_in((uint64_t)i * block, sizeof ent, block_size(disk->block)))
			break;
		rc = block_pread(disk->block, &ent, sizeof ent, (uint64_t)i * block, e);
		if (rc < 0)
			return rc;
		if (memcmp(ent.signature, "PM", 2) != 0) {
			rc = i == 1 ? 0 : volume_warn(out, e, "entry %" PRIu32 " of the Apple partition map is missing", i);
			break;
		}
		n = i == 1 ? be32_get(ent.nentries) : n;
		rc = entry_add(disk, &ent, i, block, out, e);
		if (rc < 0)
			return rc;
	}
	if (rc < 0 || out->n == from)
		return rc;
	if (out->sector_size == 0)
		out->sector_size = block;
	rc = volume_warn_overlaps(out, from, e);
	return rc < 0 ? rc : 1;
}

const struct volume_driver volume_mac = {
	.name = "mac",
	.scan = mac_scan,
};
