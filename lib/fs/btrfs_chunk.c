/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_chunk.c - chunks: where a range of logical addresses lies on the devices.
 *
 * Those in which the chunk tree itself lies ("system") are in the superblock, too; the others are looked up in the chunk
 * tree when they are needed, and some are kept.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>

static const struct profile {
	uint64_t type;
	const char *name;
	unsigned copies, parity;
	unsigned min, max; /* stripes; max 0: any number */
} profiles[] = {
	{ 0, "single", 1, 0, 1, 1 },
	{ BTRFS_BG_DUP, "DUP", 2, 0, 2, 2 },
	{ BTRFS_BG_RAID0, "RAID0", 1, 0, 1, 0 },
	{ BTRFS_BG_RAID1, "RAID1", 2, 0, 2, 2 },
	{ BTRFS_BG_RAID1C3, "RAID1C3", 3, 0, 3, 3 },
	{ BTRFS_BG_RAID1C4, "RAID1C4", 4, 0, 4, 4 },
	{ BTRFS_BG_RAID10, "RAID10", 2, 0, 2, 0 },
	{ BTRFS_BG_RAID5, "RAID5", 1, 1, 2, 0 },
	{ BTRFS_BG_RAID6, "RAID6", 1, 2, 3, 0 },
};

/* NULL: several at once. */
static const struct profile *profile_of(uint64_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (profiles[i].type == (type & BTRFS_BG_PROFILES))
			return &profiles[i];
	return NULL;
}

unsigned btrfs_profile_copies(uint64_t type)
{
	const struct profile *p = profile_of(type);

	return p ? p->copies : 1;
}

unsigned btrfs_profile_parity(uint64_t type)
{
	const struct profile *p = profile_of(type);

	return p ? p->parity : 0;
}

/* Copies of RAID1 and DUP hold the same; the stripes of the others share the bytes among them. */
unsigned btrfs_data_stripes(const struct btrfs_chunk *c)
{
	if (c->type & (BTRFS_BG_RAID0 | BTRFS_BG_RAID5 | BTRFS_BG_RAID6))
		return c->nstripes - btrfs_profile_parity(c->type);
	return c->type & BTRFS_BG_RAID10 ? c->nstripes / 2 : 1;
}

static int chunk_judge(const struct btrfs *b, const struct btrfs_chunk *c, const struct btrfs_disk_chunk *d, struct err *e)
{
	const struct profile *p = profile_of(c->type);
	uint64_t end;

	if (!p || c->type >> 11 || !(c->type & (BTRFS_BG_DATA | BTRFS_BG_SYSTEM | BTRFS_BG_METADATA)))
		return err_set(e, ERR_UNSUPPORTED, "type 0x%" PRIx64, c->type);
	if (c->nstripes < p->min || (p->max && c->nstripes > p->max) ||
	    ((c->type & BTRFS_BG_RAID10) && (c->nstripes % 2 || le16_get(d->sub_stripes) != 2)))
		return err_set(e, ERR_CORRUPT, "%u stripes in %s", c->nstripes, p->name);
	if (le64_get(d->stripe_len) != BTRFS_STRIPE_LEN)
		return err_set(e, ERR_CORRUPT, "stripes of %" PRIu64 " bytes", le64_get(d->stripe_len));
	if (c->length == 0 || c->length % b->sectorsize || c->logical % b->sectorsize ||
	    !checked_add(c->logical, c->length, &end))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes", c->length);
	for (unsigned i = 0; i < c->nstripes; i++)
		if (!checked_add(c->stripes[i].off, c->length, &end) || end > LIMIT_IMAGE_SIZE)
			return err_set(e, ERR_CORRUPT, "a stripe at byte %" PRIu64 " of device %" PRIu64,
				       c->stripes[i].off, c->stripes[i].devid);
	return 0;
}

/* From an item of size bytes; *used: how many of them are the chunk's. */
static int chunk_parse(const struct btrfs *b, uint64_t logical, const uint8_t *item, size_t size, struct btrfs_chunk **out,
		       size_t *used, struct err *e)
{
	CLEANUP(free_ptr) struct btrfs_chunk *c = NULL;
	struct btrfs_disk_chunk d;
	unsigned n;
	int rc;

	if (size < sizeof d)
		return err_set(e, ERR_CORRUPT, "chunk at %" PRIu64 ": %zu bytes of it", logical, size);
	memcpy(&d, item, sizeof d);
	n = le16_get(d.num_stripes);
	*used = sizeof d + n * sizeof d.stripes[0];
	if (size < *used)
		return err_set(e, ERR_CORRUPT, "chunk at %" PRIu64 ": %u stripes in %zu bytes", logical, n, size);
	c = alloc_zero(sizeof *c + n * sizeof c->stripes[0]);
	if (!c)
		return err_nomem(e);
	c->logical = logical;
	c->length = le64_get(d.length);
	c->type = le64_get(d.type);
	c->nstripes = n;
	for (unsigned i = 0; i < n; i++) {
		struct btrfs_disk_stripe s;

		memcpy(&s, item + sizeof d + i * sizeof s, sizeof s);
		c->stripes[i].devid = le64_get(s.devid);
		c->stripes[i].off = le64_get(s.offset);
		c->stripes[i].dev = btrfs_dev_of(b, c->stripes[i].devid, s.dev_uuid);
	}
	rc = chunk_judge(b, c, &d, e);
	if (rc < 0)
		return err_in(e, rc, "chunk at %" PRIu64, logical);
	*out = take(c);
	return 0;
}

int btrfs_sys_chunks(struct btrfs *b, struct err *e)
{
	const uint8_t *p = b->super.d.sys_chunk_array;
	size_t left = le32_get(b->super.d.sys_chunk_array_size);

	/* Ends: each turn takes a key and more of the array. */
	while (left > 0) {
		struct btrfs_chunk **chunks = alloc_resize(b->sys_chunks, b->nsys_chunks + 1, sizeof *chunks);
		struct btrfs_disk_key disk;
		struct btrfs_key key;
		size_t used;
		int rc;

		if (!chunks)
			return err_nomem(e);
		b->sys_chunks = chunks;
		if (left < sizeof disk)
			return err_set(e, ERR_CORRUPT, "superblock: system chunks that end amid a key");
		memcpy(&disk, p, sizeof disk);
		p += sizeof disk;
		left -= sizeof disk;
		key = btrfs_disk_key_get(&disk);
		if (key.type != BTRFS_CHUNK_ITEM)
			return err_set(e, ERR_CORRUPT, "superblock: an item of type %u among the system chunks", key.type);
		rc = chunk_parse(b, key.offset, p, left, &chunks[b->nsys_chunks], &used, e);
		if (rc < 0)
			return err_in(e, rc, "superblock");
		b->nsys_chunks++;
		p += used;
		left -= used;
	}
	return 0;
}

void btrfs_chunks_free(struct btrfs *b)
{
	for (size_t i = 0; i < b->nsys_chunks; i++)
		free(b->sys_chunks[i]);
	free(b->sys_chunks);
	for (size_t i = 0; i < BTRFS_CACHED_CHUNKS; i++)
		free(b->chunks[i]);
}

static bool has_address(const struct btrfs_chunk *c, uint64_t logical)
{
	return logical >= c->logical && logical - c->logical < c->length;
}

/* The chunk item at p, kept. */
static int chunk_keep(struct btrfs *b, const struct btrfs_path *p, const struct btrfs_chunk **out, struct err *e)
{
	const struct btrfs_key key = btrfs_path_key(p);
	struct btrfs_chunk **slot = &b->chunks[0], *c;
	size_t size, used;
	const void *item = btrfs_path_item(p, &size);
	int rc = chunk_parse(b, key.offset, item, size, &c, &used, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < BTRFS_CACHED_CHUNKS && *slot; i++)
		if (!b->chunks[i] || b->chunks[i]->used < (*slot)->used)
			slot = &b->chunks[i];
	free(*slot);
	*slot = c;
	c->used = ++b->clock;
	*out = c;
	return 0;
}

int btrfs_chunk_find(struct btrfs *b, uint64_t logical, bool system, const struct btrfs_chunk **out, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { BTRFS_CHUNKS, BTRFS_CHUNK_ITEM, logical };
	int rc;

	for (size_t i = 0; i < b->nsys_chunks; i++)
		if (has_address(b->sys_chunks[i], logical)) {
			*out = b->sys_chunks[i];
			return 0;
		}
	if (system)
		return err_set(e, ERR_CORRUPT, "address %" PRIu64 " is in none of the superblock's chunks", logical);
	for (size_t i = 0; i < BTRFS_CACHED_CHUNKS; i++)
		if (b->chunks[i] && has_address(b->chunks[i], logical)) {
			b->chunks[i]->used = ++b->clock;
			*out = b->chunks[i];
			return 0;
		}
	/* No chunk is needed for the nodes on this way but those of the superblock. */
	rc = btrfs_seek_last(b, &b->chunk_tree, &key, &p, e);
	if (rc > 0 && btrfs_path_is(&p, BTRFS_CHUNKS, BTRFS_CHUNK_ITEM)) {
		rc = chunk_keep(b, &p, out, e);
		if (rc < 0 || has_address(*out, logical))
			return rc;
	}
	return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "address %" PRIu64 " is in no chunk", logical);
}

int btrfs_chunk_next(struct btrfs *b, uint64_t from, const struct btrfs_chunk **out, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { BTRFS_CHUNKS, BTRFS_CHUNK_ITEM, from };
	int rc = btrfs_seek(b, &b->chunk_tree, &key, &p, e);

	if (rc <= 0 || !btrfs_path_is(&p, BTRFS_CHUNKS, BTRFS_CHUNK_ITEM))
		return rc < 0 ? rc : 0;
	rc = chunk_keep(b, &p, out, e);
	return rc < 0 ? rc : 1;
}
