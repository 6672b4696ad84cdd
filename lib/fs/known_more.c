/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* known_more.c - filesystems whose magic is at one of several places, or too short to be believed alone. */
#include "known.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- VMFS, of VMware's hosts ---- */

/* Four groups of bytes, the first three with the least significant one first. */
static void vmfs_uuid(struct fs_id *id, const uint8_t *u)
{
	snprintf(id->uuid, sizeof id->uuid, "%02x%02x%02x%02x-%02x%02x%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[3], u[2],
		 u[1], u[0], u[7], u[6], u[5], u[4], u[9], u[8], u[10], u[11], u[12], u[13], u[14], u[15]);
}

int known_vmfs_member(const struct head *h, struct fs_id *id, struct err *e)
{
	uint8_t sb[1024];
	int rc = known_read(h, MiB, sb, sizeof sb, e);

	if (rc <= 0 || known_le32(sb) != 0xc001d00d)
		return rc < 0 ? rc : 0;
	id->type = "VMFS_volume_member";
	/* As text, in the part that tells of the logical volume. */
	snprintf(id->uuid, sizeof id->uuid, "%.35s", (const char *)sb + 512 + 20);
	return 1;
}

int known_vmfs(const struct head *h, struct fs_id *id, struct err *e)
{
	uint8_t sb[256];
	int rc = known_read(h, 2 * MiB, sb, sizeof sb, e);

	if (rc <= 0 || known_le32(sb) != 0x2fabf15e)
		return rc < 0 ? rc : 0;
	id->type = "VMFS";
	vmfs_uuid(id, sb + 9);
	known_label(id, sb + 29, 128);
	return 1;
}

/* ---- UFS, of BSD and Solaris ---- */

int known_ufs(const struct head *h, struct fs_id *id, struct err *e)
{
	static const uint32_t places[] = { 64 * KiB, 8 * KiB, 0, 256 * KiB };
	static const uint32_t magics[] = { 0x00011954, 0x19540119, 0x00195612, 0x7c269d38, 0x00095014, 0x00612195, 0x05231994 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		uint8_t sb[1376];
		bool big = false, known = false;
		int rc = known_read(h, places[i], sb, sizeof sb, e);

		if (rc < 0)
			return rc;
		for (size_t k = 0; rc > 0 && k < ARRAY_LEN(magics) && !known; k++) {
			big = known_be32(sb + 1372) == magics[k];
			known = big || known_le32(sb + 1372) == magics[k];
		}
		if (!known)
			continue;
		id->type = "ufs";
		id->takes_linux = true;
		/* The second version has a name. */
		if (known_le32(sb + 1372) == 0x19540119 || known_be32(sb + 1372) == 0x19540119)
			known_label(id, sb + 680, 32);
		if (known_le32(sb + 144) || known_le32(sb + 148))
			snprintf(id->uuid, sizeof id->uuid, "%08" PRIx32 "%08" PRIx32,
				 big ? known_be32(sb + 144) : known_le32(sb + 144),
				 big ? known_be32(sb + 148) : known_le32(sb + 148));
		return 1;
	}
	return 0;
}

/* ---- Minix ---- */

/* Maps of inodes and zones that are as large as these need, in blocks of a number of bytes. */
static bool minix_maps_fit(uint64_t ninodes, uint64_t nzones, unsigned inode_map, unsigned zone_map, unsigned block)
{
	return ninodes && nzones && (uint64_t)inode_map * block * 8 >= ninodes && (uint64_t)zone_map * block * 8 >= nzones / 2 &&
	       inode_map <= 1 + ninodes / (block * 8) + 1;
}

int known_minix(const struct head *h, struct fs_id *id, struct err *e)
{
	const uint8_t *sb = h->bytes + KiB;
	unsigned magic = known_le16(sb + 16), block = known_le16(sb + 28);
	uint64_t zones = known_le32(sb + 20);
	bool fits = false;

	(void)e;
	/* The magic is where ext2 has the number of its free inodes. */
	if (known_le16(sb + 56) == 0xef53)
		return 0;
	if (magic == 0x137f || magic == 0x138f)
		fits = minix_maps_fit(known_le16(sb), known_le16(sb + 2), known_le16(sb + 4), known_le16(sb + 6), 1024);
	else if (magic == 0x2468 || magic == 0x2478)
		fits = minix_maps_fit(known_le16(sb), zones, known_le16(sb + 4), known_le16(sb + 6), 1024);
	else if (known_le16(sb + 24) == 0x4d5a && is_pow2(block) && block >= 1024)
		fits = minix_maps_fit(known_le32(sb), zones, known_le16(sb + 6), known_le16(sb + 8), block);
	if (!fits)
		return 0;
	id->type = "minix";
	id->takes_linux = true;
	return 1;
}

/* ---- System V ---- */

int known_sysv(const struct head *h, struct fs_id *id, struct err *e)
{
	static const uint32_t places[] = { 0, 9, 15, 18 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const uint8_t *sb = h->bytes + places[i] * KiB + 512;

		(void)e;
		if (known_le32(sb + 504) != 0xfd187e20 && known_be32(sb + 504) != 0xfd187e20)
			continue;
		id->type = "sysv";
		id->takes_linux = true;
		known_label(id, sb + 440, 6);
		return 1;
	}
	return 0;
}
