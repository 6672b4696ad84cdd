/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known_zfs.c - members of ZFS pools.
 *
 * A label of 256 KiB at the beginning, a copy behind it, two more at the end: from 16 KiB on a list of names and values
 * (in XDR: numbers of 32 bits, big-endian, texts with their length and padded to 4 bytes), from 128 KiB on a ring of
 * uberblocks.  The pool's name is the label, its number the UUID.
 */
#include "known.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

#define LIST_OFF (16 * KiB)
#define RING_OFF (128 * KiB)
#define LIST_BYTES (8 * KiB) /* of 112 KiB; what is looked for comes first */
#define UBERBLOCK 0x00bab10cu

enum { TYPE_UINT64 = 8, TYPE_STRING = 9 };

/* XDR, no other way to encode; then version 0 and flags that say that names are unique. */
static bool is_list(const uint8_t *p)
{
	return p[0] == 1 && p[1] <= 1 && p[2] == 0 && p[3] == 0 && known_be32(p + 4) == 0 && known_be32(p + 8) == 1;
}

/* One pair of name and value, of len bytes. */
static void pair_look(const uint8_t *p, size_t len, struct fs_id *id)
{
	uint32_t name_len = known_be32(p + 8), value;
	const char *name = (const char *)p + 12;

	if (name_len > 64 || len < 12 + (size_t)name_len + 3 + 12)
		return;
	value = 12 + (name_len + 3) / 4 * 4;
	if (len < value + 16)
		return;
	/* Type, how many, and the value. */
	p += value;
	len -= value + 8;
	if (name_len == 4 && memcmp(name, "name", 4) == 0 && known_be32(p) == TYPE_STRING && known_be32(p + 8) <= len - 4)
		known_label(id, p + 12, known_be32(p + 8));
	else if (name_len == 9 && memcmp(name, "pool_guid", 9) == 0 && known_be32(p) == TYPE_UINT64 && len >= 8)
		snprintf(id->uuid, sizeof id->uuid, "%" PRIu64, known_be64(p + 8));
}

static void list_look(const uint8_t *list, struct fs_id *id)
{
	/* Ends: each pair has at least 32 bytes. */
	for (size_t at = 12; at + 32 <= LIST_BYTES;) {
		uint32_t len = known_be32(list + at);

		if (len < 32 || len > LIST_BYTES - at)
			return;
		pair_look(list + at, len, id);
		at += len;
	}
}

/* Is there an uberblock in the ring of the label at off? */
static int has_uberblock(const struct head *h, uint64_t off, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *ring = alloc_bytes(RING_OFF);
	int rc;

	if (!ring)
		return err_nomem(e);
	rc = known_read(h, off + RING_OFF, ring, RING_OFF, e);
	for (size_t i = 0; rc > 0 && i < RING_OFF; i += KiB)
		if ((known_le32(ring + i) == UBERBLOCK && known_le32(ring + i + 4) == 0) ||
		    (known_be32(ring + i + 4) == UBERBLOCK && known_be32(ring + i) == 0))
			return 1;
	return rc < 0 ? rc : 0;
}

int known_zfs(const struct head *h, struct fs_id *id, struct err *e)
{
	for (uint64_t off = 0; off <= 256 * KiB; off += 256 * KiB) {
		uint8_t list[LIST_BYTES];
		int rc = known_read(h, off + LIST_OFF, list, sizeof list, e);

		if (rc > 0)
			rc = is_list(list) ? has_uberblock(h, off, e) : 0;
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		id->type = "zfs_member";
		list_look(list, id);
		return 1;
	}
	return 0;
}
