/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bsd.c - disklabels of FreeBSD, NetBSD and OpenBSD (disklabel(5)).
 *
 * A label lies in the second sector of an MBR partition of their type, or of a disk that they have for themselves (there also
 * 64 bytes behind the beginning), and lists up to 22 partitions, "a" to "v".  Offsets count from the beginning of the disk;
 * FreeBSD's from that of "c", which is the whole.  OpenBSD has sizes of 48 bits, whose upper parts lie where the others
 * keep the size of fragments.
 *
 * In an MBR, Linux numbers them behind the logical partitions, one label after the other, and leaves out those that do not
 * lie in their MBR partition: OpenBSD lists those of others, too.  On a whole disk "a" is number 1.
 */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stdio.h>

#define MAGIC 0x82564557u
#define MAX_PARTITIONS 22
/* The partition "c". */
#define RAW_PART 2

struct bsd_partition {
	le32 size, off;
	union {
		le32 fragment;
		struct {
			le16 off, size;
		} high;
	} u;
	uint8_t type, fragments;
	le16 group;
};
struct bsd_label {
	le32 magic;
	uint8_t names[36];
	le32 sector, geometry[5];
	uint8_t uid[8]; /* OpenBSD's; else more of the geometry */
	le32 more[10];
	le16 pad, version;
	uint8_t spare[16];
	le32 magic2;
	le16 checksum, npartitions;
	le32 boot_size, super_size;
	struct bsd_partition partitions[MAX_PARTITIONS];
};
_Static_assert(offsetof(struct bsd_label, uid) == 64 && offsetof(struct bsd_label, version) == 114 &&
		       offsetof(struct bsd_label, partitions) == 148,
	       "as the format has it");

/* The MBR types, and what differs. */
enum { TYPE_FREEBSD = 0xa5, TYPE_OPENBSD = 0xa6, TYPE_NETBSD = 0xa9 };

/* Where partitions of a label may lie, and where it is itself. */
struct place {
	const struct volume_disk *disk;
	uint64_t off, size;
	uint8_t type;	/* of the MBR partition; 0: a whole disk */
	unsigned slice; /* its number */
	char what[32];	/* for sentences */
};

/* The words of a label, its checksum among them, make 0. */
static bool checksum_matches(const struct bsd_label *l, unsigned npartitions)
{
	size_t len = offsetof(struct bsd_label, partitions) + npartitions * sizeof *l->partitions;
	const uint8_t *p = (const uint8_t *)l;
	unsigned sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum ^= p[i] | (unsigned)p[i + 1] << 8;
	return sum == 0;
}

/* 1 when a label begins there; one that makes no sense is none, and said. */
static int label_read(const struct place *pl, uint64_t at, struct bsd_label *l, struct volume_list *out, struct err *e)
{
	unsigned n;
	int rc;

	if (!range_in(at, sizeof *l, pl->size))
		return 0;
	rc = block_pread(pl->disk->block, l, sizeof *l, pl->off + at, e);
	if (rc < 0)
		return rc;
	if (le32_get(l->magic) != MAGIC || le32_get(l->magic2) != MAGIC)
		return 0;
	n = le16_get(l->npartitions);
	if (n > MAX_PARTITIONS)
		return volume_warn(out, e, "%s: a BSD disklabel of %u partitions is left out", pl->what, n);
	if (le32_get(l->sector) != 512 && le32_get(l->sector) != 4096)
		return volume_warn(out, e, "%s: a BSD disklabel with sectors of %" PRIu32 " bytes is left out", pl->what,
				   le32_get(l->sector));
	/* Linux does not look at it, and parted writes a wrong one. */
	rc = checksum_matches(l, n) ? 0 : volume_warn(out, e, "%s: the checksum of its BSD disklabel does not match", pl->what);
	return rc < 0 ? rc : 1;
}

static int label_find(const struct place *pl, struct bsd_label *l, struct volume_list *out, struct err *e)
{
	static const unsigned places[] = { 512, 4096, 64 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int rc;

		if (places[i] == 64 && pl->type)
			break;
		rc = label_read(pl, places[i], l, out, e);
		/* The second sector of a disk whose sectors are of another size is a leftover. */
		if (rc < 0 || (rc > 0 && (places[i] == 64 || places[i] == le32_get(l->sector))))
			return rc;
	}
	return 0;
}

static bool is_openbsd(const struct place *pl, const struct bsd_label *l)
{
	return pl->type == TYPE_OPENBSD || (pl->type == 0 && le16_get(l->version) == 1);
}

/* Bytes from the beginning of the disk.  Numbers of 48 bits times at most 4096 fit. */
static void range_get(const struct place *pl, const struct bsd_label *l, unsigned i, uint64_t *off, uint64_t *size)
{
	const struct bsd_partition *p = &l->partitions[i];
	/* FreeBSD's labels count from the beginning of "c", those written by others from that of the disk. */
	bool relative = pl->type == TYPE_FREEBSD && le32_get(l->partitions[RAW_PART].off) == 0;

	*off = le32_get(p->off);
	*size = le32_get(p->size);
	if (is_openbsd(pl, l) && le16_get(l->version) >= 1) {
		*off |= (uint64_t)le16_get(p->u.high.off) << 32;
		*size |= (uint64_t)le16_get(p->u.high.size) << 32;
	}
	*off *= le32_get(l->sector);
	*size *= le32_get(l->sector);
	if (relative)
		*off += pl->off;
}

/* Adds one partition, or leaves it out: an empty one, the whole, one that belongs to others. */
static int partition_add(const struct place *pl, const struct bsd_label *l, unsigned i, unsigned number,
			 struct volume_list *out, struct err *e)
{
	uint64_t off, size;
	struct volume *v;
	int rc;

	range_get(pl, l, i, &off, &size);
	if (size == 0 || l->partitions[i].type == 0 || i == RAW_PART || (off == pl->off && size == pl->size))
		return 0;
	if (off >= block_size(pl->disk->block) || size > block_size(pl->disk->block) - off)
		return volume_warn(out, e,
				   "%s: partition \"%c\" of its BSD disklabel ends past the end of the disk and is left out",
				   pl->what, 'a' + (int)i);
	if (off < pl->off || !range_in(off - pl->off, size, pl->size))
		return 0;
	rc = volume_add(out, pl->disk, "bsd", number, off, size, &v, e);
	if (rc < 0)
		return rc;
	v->mbr_type = l->partitions[i].type;
	v->letter = (char)('a' + i);
	v->slice = pl->slice;
	v->has_duid = is_openbsd(pl, l) && memcmp(l->uid, (const uint8_t[8]){ 0 }, sizeof l->uid) != 0;
	memcpy(v->duid, l->uid, sizeof v->duid);
	return 1;
}

/* 1 when there is a label; *number is that of its next partition (of a whole disk: letters count). */
static int label_scan(const struct place *pl, unsigned *number, struct volume_list *out, struct err *e)
{
	struct bsd_label l = { .npartitions = { { 0 } } };
	size_t from = out->n;
	int rc = label_find(pl, &l, out, e);

	if (rc <= 0)
		return rc;
	for (unsigned i = 0; i < le16_get(l.npartitions); i++) {
		rc = partition_add(pl, &l, i, pl->type ? *number : i + 1, out, e);
		if (rc < 0)
			return rc;
		*number += (unsigned)rc;
	}
	rc = volume_warn_overlaps(out, from, e);
	return rc < 0 ? rc : 1;
}

int bsd_in_mbr(const struct volume_disk *disk, size_t from, unsigned *number, struct volume_list *out, struct err *e)
{
	size_t n = out->n;

	for (size_t i = from; i < n; i++) {
		const struct volume *v = &out->items[i];
		struct place pl = { .disk = disk, .off = v->off, .size = v->size, .type = v->mbr_type,
				    .slice = v->number };
		size_t before = out->n;
		int rc;

		if (v->number > 4 || (v->mbr_type != TYPE_FREEBSD && v->mbr_type != TYPE_OPENBSD && v->mbr_type != TYPE_NETBSD))
			continue;
		snprintf(pl.what, sizeof pl.what, "partition %u", v->number);
		rc = label_scan(&pl, number, out, e);
		if (rc < 0)
			return rc;
		if (out->n > before)
			out->items[i].in_use = true;
	}
	return 0;
}

static int bsd_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	const struct place pl = { .disk = disk, .size = block_size(disk->block), .what = "the disk" };
	size_t from = out->n;
	unsigned number = 1;
	int rc = label_scan(&pl, &number, out, e);

	/* One that lists nothing leaves the disk to what else is on it. */
	return rc < 0 ? rc : out->n > from;
}

const struct volume_driver volume_bsd = {
	.name = "bsd",
	.scan = bsd_scan,
};
