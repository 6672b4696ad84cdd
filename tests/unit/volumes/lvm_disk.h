/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lvm_disk.h - physical volumes of LVM2 made by hand, so that they can be wrong.
 *
 * A disk of 1 MiB has its label in the second sector, a metadata area of 60 KiB from 4 KiB on, and 15 extents of 64 KiB from
 * 64 KiB on.  Each extent is filled with its own byte (first + its number), so that it can be told from all others.
 */
#ifndef DRYDOCK_LVM_DISK_H
#define DRYDOCK_LVM_DISK_H

#include "ondisk.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define DISK_SIZE (1024 * 1024)
#define MDA_OFF 4096
#define MDA_SIZE (60 * 1024)
#define EXTENTS_OFF (64 * 1024)
#define EXTENT (64 * 1024)
#define NEXTENTS 15

struct disk {
	uint8_t bytes[DISK_SIZE];
};

static inline void disk_le32(struct disk *d, size_t off, uint32_t x)
{
	le32 v;

	le32_put(&v, x);
	memcpy(d->bytes + off, &v, sizeof v);
}

static inline void disk_le64(struct disk *d, size_t off, uint64_t x)
{
	le64 v;

	le64_put(&v, x);
	memcpy(d->bytes + off, &v, sizeof v);
}

static inline uint32_t disk_crc(const void *bytes, size_t len)
{
	return ~(uint32_t)crc32(~0xf597a6cfu, bytes, (unsigned)len);
}

/* The label's checksum, right again. */
static inline void disk_label_sum(struct disk *d)
{
	disk_le32(d, 512 + 16, disk_crc(d->bytes + 512 + 20, 512 - 20));
}

/* The header of the metadata area at off, with its text at text_off of the area. */
static inline void disk_mda(struct disk *d, size_t off, size_t size, size_t text_off, const char *text)
{
	size_t len = text ? strlen(text) + 1 : 0, first = len < size - text_off ? len : size - text_off;

	memset(d->bytes + off, 0, 512);
	memcpy(d->bytes + off + 4, " LVM2 x[5A%r0N*>", 16);
	disk_le32(d, off + 20, 1);
	disk_le64(d, off + 24, off);
	disk_le64(d, off + 32, size);
	if (text) {
		memcpy(d->bytes + off + text_off, text, first);
		memcpy(d->bytes + off + 512, text + first, len - first);
		disk_le64(d, off + 40, text_off);
		disk_le64(d, off + 48, len);
		disk_le32(d, off + 56, disk_crc(text, len));
	}
	disk_le32(d, off, disk_crc(d->bytes + off + 4, 512 - 4));
}

/* id: 32 letters.  text NULL: no metadata area at all. */
static inline void disk_pv(struct disk *d, const char *id, uint8_t first, const char *text)
{
	memset(d, 0, sizeof *d);
	memcpy(d->bytes + 512, "LABELONE", 8);
	disk_le64(d, 512 + 8, 1);
	disk_le32(d, 512 + 20, 32);
	memcpy(d->bytes + 512 + 24, "LVM2 001", 8);
	memcpy(d->bytes + 512 + 32, id, 32);
	disk_le64(d, 512 + 64, DISK_SIZE);
	disk_le64(d, 512 + 72, EXTENTS_OFF);
	if (text) {
		disk_le64(d, 512 + 104, MDA_OFF);
		disk_le64(d, 512 + 112, MDA_SIZE);
		disk_mda(d, MDA_OFF, MDA_SIZE, 512, text);
	}
	disk_label_sum(d);
	for (size_t i = 0; i < NEXTENTS; i++)
		memset(d->bytes + EXTENTS_OFF + i * EXTENT, first + (int)i, EXTENT);
}

#define ID_TEXT(letter) #letter #letter #letter #letter #letter #letter "-" ID_FOUR(letter) "-" ID_FOUR(letter) "-" \
	ID_FOUR(letter) "-" ID_FOUR(letter) "-" ID_FOUR(letter) "-" #letter #letter #letter #letter #letter #letter
#define ID_FOUR(letter) #letter #letter #letter #letter
#define ID_BARE(letter) ID_FOUR(letter) ID_FOUR(letter) ID_FOUR(letter) ID_FOUR(letter) ID_FOUR(letter) ID_FOUR(letter) \
	ID_FOUR(letter) ID_FOUR(letter)

/* The text of a group "vg" at change `seqno` over PVs a, b and c (n of them), with these LVs. */
static inline const char *vg_text(unsigned seqno, unsigned n, const char *lvs)
{
	static const char *const ids[] = { ID_TEXT(a), ID_TEXT(b), ID_TEXT(c) };
	static char text[32 * 1024];
	int len = snprintf(text, sizeof text, "vg {\nid = \"" ID_TEXT(v) "\"\nseqno = %u\nextent_size = 128\nphysical_volumes {\n",
			   seqno);

	for (unsigned i = 0; i < n; i++)
		len += snprintf(text + len, sizeof text - (size_t)len,
				"pv%u {\nid = \"%s\"\ndevice = \"/dev/old%u\"\npe_start = 128\npe_count = %d\n}\n", i, ids[i], i,
				NEXTENTS);
	snprintf(text + len, sizeof text - (size_t)len, "}\nlogical_volumes {\n%s}\n}\n", lvs);
	return text;
}

/* An LV: its name, "VISIBLE" or nothing, how many extents its only segment has, and what that says. */
#define LV(name, status, extents, segment)                                                                             \
	name " {\nid = \"" ID_TEXT(l) "\"\nstatus = [\"READ\", \"" status "\"]\nsegment1 {\nstart_extent = 0\nextent_count = "  \
	     #extents "\n" segment "}\n}\n"
#define LINEAR(pv, extent) "type = \"striped\"\nstripe_count = 1\nstripes = [\"" pv "\", " #extent "]\n"

#endif
