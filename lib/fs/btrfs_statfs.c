/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_statfs.c - how full it is, in the numbers of the kernel's statfs() (as of Linux 6.18, found by experiment).
 *
 * Sizes count what lies on the devices, divided by how often the profile of the data keeps each byte; inodes are not
 * counted at all.  What is free is what is not used, less a reserve for the trees; what users can have is what is free in
 * the chunks for data, and the chunks that could still be made.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>

/* The kernel leaves the first so many bytes of each device alone. */
#define DEVICE_RESERVED (1 * MiB)
#define RESERVE_MAX (512 * MiB)

#define MIRRORED (BTRFS_BG_PROFILES & ~BTRFS_BG_RAID0)

struct sums {
	uint64_t used, data_free; /* bytes on devices */
	uint64_t unmirrored_free; /* as much of data_free is not mirrored */
	uint64_t data_profiles;	  /* of the chunks for data, each a bit; `single` is none */
};

/* ---- block groups: as many as chunks, each with the count of the bytes in use ---- */

static int group_used(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_chunk *c, uint64_t *used,
		      struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { c->logical, BTRFS_BLOCK_GROUP_ITEM, c->length };
	struct btrfs_disk_block_group d;
	const void *item = NULL;
	size_t size = 0;
	int rc = btrfs_seek_exact(b, t, &key, &p, e);

	if (rc < 0)
		return rc;
	if (rc > 0)
		item = btrfs_path_item(&p, &size);
	if (size < sizeof d)
		return err_set(e, ERR_CORRUPT, "the chunk at %" PRIu64 " has no block group", c->logical);
	memcpy(&d, item, sizeof d);
	*used = le64_get(d.used);
	if (*used > c->length)
		return err_set(e, ERR_CORRUPT, "block group at %" PRIu64 ": %" PRIu64 " of %" PRIu64 " bytes are used",
			       c->logical, *used, c->length);
	return 0;
}

/* Nothing is written to a chunk on a seed, or when more of its devices are missing than its profile survives. */
static bool is_writable(const struct btrfs *b, const struct btrfs_chunk *c)
{
	unsigned parity = btrfs_profile_parity(c->type), missing = 0;

	for (unsigned i = 0; i < c->nstripes; i++) {
		size_t dev = c->stripes[i].dev;

		if (dev == BTRFS_NO_DEV || !b->devs[dev].block)
			missing++;
		else if (b->devs[dev].seed)
			return false;
	}
	return missing <= (parity ? parity : c->type & BTRFS_BG_DUP ? 0 : btrfs_profile_copies(c->type) - 1);
}

static int groups_sum(struct btrfs *b, struct sums *s, struct err *e)
{
	const struct btrfs_chunk *c = NULL;
	struct btrfs_tree t;
	bool own_tree = b->compat_ro & BTRFS_COMPAT_RO_BLOCK_GROUP_TREE;
	uint64_t from = 0, used = 0;
	int rc = btrfs_tree_find(b, own_tree ? BTRFS_TREE_BLOCK_GROUP : BTRFS_TREE_EXTENT, &t, e);

	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "there is no tree of block groups");
	/* Ends: each turn begins behind the chunk of the last. */
	while ((rc = btrfs_chunk_next(b, from, &c, e)) > 0) {
		unsigned copies = btrfs_profile_copies(c->type);
		uint64_t length = c->length, type = c->type;
		bool writable = is_writable(b, c);

		from = c->logical + length;
		rc = group_used(b, &t, c, &used, e);
		if (rc < 0)
			return rc;
		/* Sums of what may be a stranger's numbers: lengths are below 2^63, and a wrong sum is only a wrong answer. */
		s->used += used * copies;
		if (!(type & BTRFS_BG_DATA))
			continue;
		if (writable)
			s->data_free += (length - used) * copies;
		if (writable && !(type & MIRRORED))
			s->unmirrored_free += length - used;
		s->data_profiles |= type & BTRFS_BG_PROFILES;
	}
	return rc;
}

/* ---- the reserve ---- */

static int tree_used(struct btrfs *b, uint64_t id, uint64_t *sum, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key key = { id, BTRFS_ROOT_ITEM, UINT64_MAX };
	struct btrfs_disk_root d;
	const void *item;
	size_t size;
	int rc = btrfs_seek_last(b, &b->root_tree, &key, &p, e);

	if (rc <= 0 || !btrfs_path_is(&p, id, BTRFS_ROOT_ITEM))
		return rc < 0 ? rc : 0;
	item = btrfs_path_item(&p, &size);
	if (size >= sizeof d) {
		memcpy(&d, item, sizeof d);
		*sum += MIN_OF(le64_get(d.bytes_used), RESERVE_MAX);
	}
	return 0;
}

/* The size of the trees that each change touches, and no less than some operations' worth of nodes. */
static int reserve_size(struct btrfs *b, uint64_t *out, struct err *e)
{
	static const uint64_t trees[] = { BTRFS_TREE_EXTENT, BTRFS_TREE_CSUM, BTRFS_TREE_FREE_SPACE,
					  BTRFS_TREE_BLOCK_GROUP };
	bool free_space_tree = b->compat_ro & BTRFS_COMPAT_RO_FREE_SPACE_TREE;
	bool group_tree = b->compat_ro & BTRFS_COMPAT_RO_BLOCK_GROUP_TREE;
	uint64_t least = (uint64_t)b->nodesize * BTRFS_MAX_LEVEL * 2, sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		int rc = tree_used(b, trees[i], &sum, e);

		if (rc < 0)
			return rc;
	}
	least *= (free_space_tree ? 8 + 2 * 7 : 8 + 7) + group_tree;
	*out = MIN_OF(MAX_OF(sum, least), RESERVE_MAX);
	return 0;
}

/* ---- chunks that could be made ---- */

/* Devices to which something could be written. */
static size_t writable_devices(const struct btrfs *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->ndevs; i++)
		n += b->devs[i].listed && b->devs[i].block && !b->devs[i].seed;
	return n;
}

/* The profile that the next chunk for data would have: the first in the kernel's order for which there are devices. */
static uint64_t next_profile(uint64_t profiles, size_t ndevs)
{
	static const struct {
		uint64_t profile;
		unsigned ndevs;
	} order[] = {
		{ BTRFS_BG_RAID1C4, 4 }, { BTRFS_BG_RAID6, 3 }, { BTRFS_BG_RAID1C3, 3 }, { BTRFS_BG_RAID5, 2 },
		{ BTRFS_BG_RAID10, 2 },	 { BTRFS_BG_RAID1, 2 }, { BTRFS_BG_DUP, 1 },	 { BTRFS_BG_RAID0, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if ((profiles & order[i].profile) && ndevs >= order[i].ndevs)
			return order[i].profile;
	return 0;
}

/* How often each byte counts: where there are several profiles, by that of the highest bit. */
static unsigned data_factor(uint64_t profiles)
{
	return profiles ? btrfs_profile_copies(1ULL << (63 - __builtin_clzll(profiles))) : 1;
}

static int by_room(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x > y ? -1 : x < y;
}

/* The bytes on devices that chunks of a profile could get, all of them made as large as the emptiest devices let them. */
static uint64_t room_for(uint64_t *room, size_t n, uint64_t profile)
{
	unsigned parity = btrfs_profile_parity(profile), copies = btrfs_profile_copies(profile);
	size_t width = n, least = 1;
	uint64_t sum = 0;

	if (profile & (BTRFS_BG_RAID1 | BTRFS_BG_RAID1C3 | BTRFS_BG_RAID1C4))
		width = least = copies;
	else if (profile & BTRFS_BG_RAID10)
		width = 4, least = 2;
	else if (parity)
		least = parity + 1;
	else if (!(profile & BTRFS_BG_RAID0))
		width = 1;
	qsort(room, n, sizeof *room, by_room);
	/* Each turn fills the device with the least room, and as many others before it as a chunk needs. */
	for (; n >= least; n--) {
		uint64_t part = room[n - 1];

		width = MIN_OF(width, n);
		if (part < BTRFS_STRIPE_LEN * (profile & BTRFS_BG_DUP ? 2u : 1u))
			continue;
		sum += part * (width - parity);
		for (size_t i = n - width; i < n; i++)
			room[i] -= part;
	}
	return sum;
}

static int unallocated(const struct btrfs *b, uint64_t profile, uint64_t *out, struct err *e)
{
	CLEANUP(free_ptr) uint64_t *room = alloc_array(b->ndevs, sizeof *room);
	uint64_t stripe = BTRFS_STRIPE_LEN * (profile & BTRFS_BG_DUP ? 2u : 1u);
	size_t n = 0;

	if (!room)
		return err_nomem(e);
	for (size_t i = 0; i < b->ndevs; i++) {
		const struct btrfs_dev *d = &b->devs[i];
		uint64_t left;

		if (!d->listed || !d->block || d->seed || d->used > d->total)
			continue;
		left = round_down(d->total - d->used, BTRFS_STRIPE_LEN);
		if (left > DEVICE_RESERVED + stripe)
			room[n++] = left - DEVICE_RESERVED;
	}
	*out = room_for(room, n, profile);
	return 0;
}

int btrfs_statfs(struct btrfs *b, struct fs_usage *out, struct err *e)
{
	uint64_t reserve = 0, more = 0, used, profile;
	struct sums s = { 0 };
	unsigned factor;
	int rc = groups_sum(b, &s, e);

	profile = next_profile(s.data_profiles, writable_devices(b));
	if (rc == 0)
		rc = reserve_size(b, &reserve, e);
	if (rc == 0)
		rc = unallocated(b, profile, &more, e);
	if (rc < 0)
		return rc;
	/* Where data is mirrored by now, nothing more is written to what was not. */
	if (profile & MIRRORED)
		s.data_free -= s.unmirrored_free;
	factor = data_factor(s.data_profiles);
	used = s.used / factor >> b->sector_bits;
	reserve >>= b->sector_bits;
	out->block_size = b->sectorsize;
	out->blocks = le64_get(b->super.d.total_bytes) / factor >> b->sector_bits;
	out->blocks_free = out->blocks - MIN_OF(used, out->blocks);
	out->blocks_free -= MIN_OF(reserve, out->blocks_free);
	out->blocks_avail = (s.data_free / factor + more / factor) >> b->sector_bits;
	return 0;
}
