/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm_ndb.c - Packages.db of rpm's own database, as SUSE has it: after a head of 32 bytes slots of 16 bytes fill the first
 * pages of 4 KiB; each tells where, in units of 16 bytes, the header of one package lies, framed by a head and a tail.
 * All integers are little-endian.
 */
#include "rpm.h"

#include "alloc.h"
#include "checked.h"
#include "guest_file.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>

#define PAGE 4096
#define UNIT 16
#define HEAD_MAGIC 0x506d7052u /* "RpmP" */
#define SLOT_MAGIC 0x746f6c53u /* "Slot" */
#define BLOB_MAGIC 0x53626c42u /* "BlbS" */

struct ondisk_head {
	le32 magic, version, generation, slot_pages;
	uint8_t rest[16];
};
struct ondisk_slot {
	le32 magic, package, unit, nunits;
};
struct ondisk_blob {
	le32 magic, package, generation, len;
};

static int blob_give(const struct guest_file *f, const struct ondisk_slot *slot, rpm_header_fn fn, void *arg,
		     struct err *e)
{
	uint64_t off = (uint64_t)le32_get(slot->unit) * UNIT;
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	struct ondisk_blob b;
	uint32_t len;
	int rc = guest_file_read(f, &b, sizeof b, off, e);

	if (rc < 0)
		return rc;
	len = le32_get(b.len);
	if (le32_get(b.magic) != BLOB_MAGIC || le32_get(b.package) != le32_get(slot->package))
		return err_set(e, ERR_CORRUPT, "no header of package %" PRIu32 " at %" PRIu64, le32_get(slot->package), off);
	if (len > LIMIT_RPM_HEADER)
		return err_set(e, ERR_LIMIT, "a header of %" PRIu32 " bytes", len);
	if (!range_in(off + sizeof b, len, f->size))
		return err_set(e, ERR_CORRUPT, "the header of package %" PRIu32 " leaves the file", le32_get(slot->package));
	bytes = alloc_bytes(len + 1);
	if (!bytes)
		return err_nomem(e);
	rc = guest_file_read(f, bytes, len, off + sizeof b, e);
	return rc < 0 ? rc : fn(arg, bytes, len, e);
}

int rpm_ndb_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e)
{
	struct ondisk_slot slots[PAGE / sizeof(struct ondisk_slot)];
	struct ondisk_head head;
	struct guest_file f;
	uint32_t pages, npackages = 0;
	int rc = guest_file_find(v, path, &f, e);

	if (rc <= 0)
		return rc;
	rc = guest_file_read(&f, &head, sizeof head, 0, e);
	if (rc < 0)
		return rc;
	pages = le32_get(head.slot_pages);
	if (le32_get(head.magic) != HEAD_MAGIC)
		return err_set(e, ERR_CORRUPT, "it is no database of rpm");
	if (le32_get(head.version) != 0)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 " of the database", le32_get(head.version));
	if (!range_in(0, (uint64_t)pages * PAGE, f.size))
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " pages of slots in a file of %" PRIu64 " bytes", pages, f.size);
	for (uint32_t page = 0; page < pages; page++) {
		rc = guest_file_read(&f, slots, sizeof slots, (uint64_t)page * PAGE, e);
		/* The head takes the place of two slots. */
		for (size_t i = page == 0 ? 2 : 0; rc == 0 && i < ARRAY_LEN(slots); i++) {
			if (le32_get(slots[i].magic) != SLOT_MAGIC)
				return err_set(e, ERR_CORRUPT, "slot %zu of page %" PRIu32 " is none", i, page);
			if (le32_get(slots[i].unit) == 0)
				continue;
			if (++npackages > LIMIT_PACKAGES)
				return err_set(e, ERR_LIMIT, "more than %d packages", LIMIT_PACKAGES);
			rc = blob_give(&f, &slots[i], fn, arg, e);
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}
