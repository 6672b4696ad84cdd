/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known_apple.c - HFS and HFS+ (Technical Note 1150).
 *
 * Both have their header at 1 KiB, big-endian.  An HFS+ may lie inside an HFS, which is then only its cover.  The UUID is
 * made of 8 bytes of the header with MD5.  HFS+ has its name as that of the root folder, in the first leaf of its catalog.
 */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "digest.h"
#include "limits.h"
#include "text.h"

#include <stdio.h>

#define HEADER_OFF 1024u

/* ---- what both share ---- */

static void uuid_make(struct fs_id *id, const uint8_t info[8])
{
	static const uint8_t none[8];
	static const uint8_t space[16] = { 0xb3, 0xe2, 0x0f, 0x39, 0xf2, 0x92, 0x11, 0xd6,
					   0x97, 0xa4, 0x00, 0x30, 0x65, 0x43, 0xec, 0xac };
	char hex[DIGEST_TEXT];
	struct digest d;
	uint8_t uuid[16];

	if (memcmp(info, none, sizeof none) == 0)
		return;
	digest_start(&d, DIGEST_MD5);
	digest_add(&d, space, sizeof space);
	digest_add(&d, info, 8);
	digest_end(&d, hex);
	for (size_t i = 0; i < sizeof uuid; i++) {
		unsigned byte = 0;

		sscanf(hex + 2 * i, "%2x", &byte);
		uuid[i] = (uint8_t)byte;
	}
	/* Version 3, made of a name. */
	uuid[6] = (uuid[6] & 0x0f) | 0x30;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	known_uuid(id, uuid);
}

static bool is_cover(const uint8_t *mdb)
{
	return memcmp(mdb, "BD", 2) == 0 && (memcmp(mdb + 124, "H+", 2) == 0 || memcmp(mdb + 124, "HX", 2) == 0);
}

int known_hfs(const struct head *h, struct fs_id *id, struct err *e)
{
	const uint8_t *mdb = h->bytes + HEADER_OFF;
	uint32_t block = known_be32(mdb + 20);

	(void)e;
	if (memcmp(mdb, "BD", 2) != 0 || is_cover(mdb) || block == 0 || block % 512 || mdb[36] > 27)
		return 0;
	id->type = "hfs";
	id->takes_linux = true;
	id->size = (uint64_t)known_be16(mdb + 18) * block;
	known_label(id, mdb + 37, mdb[36]);
	uuid_make(id, mdb + 116);
	return 1;
}

/* ---- HFS+ ---- */

struct catalog {
	uint64_t start; /* of the filesystem, bytes */
	uint32_t block;
	const uint8_t *extents; /* 8 of them: first block, and how many */
};

/* Where a byte of the catalog lies; false when it is not in its first extents. */
static bool catalog_place(const struct catalog *c, uint64_t off, uint64_t *out)
{
	for (size_t i = 0; i < 8; i++) {
		uint64_t size = (uint64_t)known_be32(c->extents + 8 * i + 4) * c->block;

		if (off < size)
			return checked_add(c->start + off, (uint64_t)known_be32(c->extents + 8 * i) * c->block, out);
		off -= size;
	}
	return false;
}

/* The root folder's name is in the first record of the first leaf. */
static int hfsplus_label(const struct head *h, const struct catalog *c, struct fs_id *id, struct err *e)
{
	uint8_t header[34], leaf[14 + 8 + 2 * 255];
	uint64_t off;
	uint32_t node_size;
	int rc;

	if (!catalog_place(c, 0, &off))
		return 0;
	rc = known_read(h, off, header, sizeof header, e);
	if (rc <= 0)
		return rc;
	node_size = known_be16(header + 32);
	if (known_be32(header + 20) == 0 || node_size < sizeof leaf ||
	    !catalog_place(c, (uint64_t)known_be32(header + 24) * node_size, &off))
		return 0;
	rc = known_read(h, off, leaf, sizeof leaf, e);
	/* A leaf with a record whose parent is that of the root. */
	if (rc <= 0 || leaf[8] != 0xff || known_be16(leaf + 10) == 0 || known_be32(leaf + 16) != 1)
		return rc < 0 ? rc : 0;
	return known_label_utf16be(id, leaf + 22, MIN_OF(known_be16(leaf + 20), 255), e);
}

int known_hfsplus(const struct head *h, struct fs_id *id, struct err *e)
{
	const uint8_t *mdb = h->bytes + HEADER_OFF;
	uint8_t header[512];
	struct catalog c = { 0 };
	int rc;

	if (is_cover(mdb))
		c.start = (uint64_t)known_be16(mdb + 28) * 512 + (uint64_t)known_be16(mdb + 126) * known_be32(mdb + 20);
	rc = known_read(h, c.start + HEADER_OFF, header, sizeof header, e);
	if (rc <= 0)
		return rc;
	c.block = known_be32(header + 40);
	if ((memcmp(header, "H+", 2) != 0 && memcmp(header, "HX", 2) != 0) || !is_pow2(c.block) || c.block < 512)
		return 0;
	id->type = "hfsplus";
	id->takes_linux = true;
	id->size = (uint64_t)known_be32(header + 44) * c.block;
	uuid_make(id, header + 104);
	c.extents = header + 288;
	rc = hfsplus_label(h, &c, id, e);
	return rc < 0 ? rc : 1;
}
