/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_super.c - superblocks: which copy is good, and what its claims are worth.
 *
 * The superblock lies 64 KiB into each device, with copies at 64 MiB and 256 GiB where the device is large enough.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"
#include "text.h"

#include <inttypes.h>
#include <stddef.h>

static const uint64_t places[BTRFS_SUPER_COPIES] = BTRFS_SUPER_OFFS;

/* Incompatible features: what has no name is unknown; what is not read has a name all the same. */
static const struct feature {
	const char *name; /* as btrfs inspect-internal dump-super prints it */
	bool read;
} incompat[] = {
	[0] = { "mixed_backref", true },    [1] = { "default_subvol", true },
	[2] = { "mixed_groups", true },	    [3] = { "compress_lzo", true },
	[4] = { "compress_zstd", true },    [5] = { "big_metadata", true },
	[6] = { "extended_iref", true },    [7] = { "raid56", true },
	[8] = { "skinny_metadata", true },  [9] = { "no_holes", true },
	[10] = { "metadata_uuid", true },   [11] = { "raid1c34", true },
	[12] = { "zoned", false },	    [13] = { "extent_tree_v2", false },
	[14] = { "raid_stripe_tree", false }, [16] = { "simple_quota", true },
	[17] = { "remap_tree", false },
};

/* ---- one device ---- */

/* 1: this copy is good. */
static int copy_judge(const struct btrfs_disk_super *d, uint64_t off, struct err *e)
{
	uint8_t csum[BTRFS_CSUM_MAX];
	unsigned type = le16_get(d->csum_type);

	if (memcmp(d->magic, BTRFS_MAGIC, sizeof d->magic) != 0)
		return err_set(e, ERR_CORRUPT, "wrong magic");
	if (!btrfs_csum_size(type))
		return err_set(e, ERR_UNSUPPORTED, "checksums of type %u", type);
	btrfs_csum(type, (const uint8_t *)d + BTRFS_CSUM_MAX, sizeof *d - BTRFS_CSUM_MAX, csum);
	if (memcmp(csum, d->csum, btrfs_csum_size(type)) != 0)
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	if (le64_get(d->bytenr) != off)
		return err_set(e, ERR_CORRUPT, "it says that it lies at byte %" PRIu64, le64_get(d->bytenr));
	return 1;
}

int btrfs_super_read(struct block *dev, struct btrfs_super *out, struct err *e)
{
	struct btrfs_super s;
	struct err first = ERR_INIT, why = ERR_INIT;
	int found = 0;

	for (unsigned i = 0; i < BTRFS_SUPER_COPIES && range_in(places[i], sizeof s.d, block_size(dev)); i++) {
		int rc = block_pread(dev, &s.d, sizeof s.d, places[i], &why);

		if (i == 0 && rc == 0 && memcmp(s.d.magic, BTRFS_MAGIC, sizeof s.d.magic) != 0)
			return 0;
		if (rc == 0)
			rc = copy_judge(&s.d, places[i], &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (i == 0 && rc < 0)
			first = why;
		/* What lies further on may be left from another filesystem. */
		if (rc < 0 || (found && (memcmp(s.d.fsid, out->d.fsid, sizeof s.d.fsid) != 0 ||
					 le64_get(s.d.generation) <= out->generation)))
			continue;
		s.off = places[i];
		s.generation = le64_get(s.d.generation);
		s.flags = le64_get(s.d.flags);
		s.csum_type = le16_get(s.d.csum_type);
		*out = s;
		found = 1;
	}
	if (!found && first.code == ERR_NONE)
		return 0;
	if (!found)
		return err_set(e, first.code, "superblock: %s%s", first.msg,
			       block_size(dev) > places[1] + sizeof s.d ? ", and none of its copies is good" : "");
	return found;
}

void btrfs_super_identify(const struct btrfs_disk_super *d, struct fs_id *id)
{
	size_t len = strnlen((const char *)d->label, sizeof d->label);

	id->type = "btrfs";
	id->readable = true;
	id->shared = le64_get(d->num_devices) > 1;
	id->size = le64_get(d->total_bytes);
	len = MIN_OF(len, sizeof id->label - 1);
	while (len > 0 && d->label[len - 1] == ' ')
		len--;
	memcpy(id->label, d->label, len);
	id->label[len] = '\0';
	for (size_t i = 0; i < sizeof d->fsid; i++)
		if (d->fsid[i]) {
			text_uuid(d->fsid, id->uuid);
			break;
		}
}

/* ---- the filesystem ---- */

static int judge_features(struct btrfs *b, struct err *e)
{
	for (unsigned i = 0; i < 64; i++) {
		const struct feature *f = i < ARRAY_LEN(incompat) ? &incompat[i] : NULL;

		if (!(b->incompat >> i & 1) || (f && f->read))
			continue;
		if (f && f->name)
			return err_set(e, ERR_UNSUPPORTED, "feature \"%s\" is not read", f->name);
		return err_set(e, ERR_UNSUPPORTED, "unknown incompatible feature 0x%" PRIx64, (uint64_t)1 << i);
	}
	/* Half of the nodes have another UUID then; btrfstune goes on where it was stopped. */
	if (b->super.flags & BTRFS_SUPER_CHANGING_FSID)
		return err_set(e, ERR_UNSUPPORTED, "a change of its UUID was begun and not ended");
	return 0;
}

static int judge_sizes(struct btrfs *b, struct err *e)
{
	b->sectorsize = le32_get(b->super.d.sectorsize);
	b->nodesize = le32_get(b->super.d.nodesize);
	if (!is_pow2(b->sectorsize) || b->sectorsize < 4096 || b->sectorsize > 65536)
		return err_set(e, ERR_CORRUPT, "sectors of %" PRIu32 " bytes (4 KiB to 64 KiB are possible)", b->sectorsize);
	if (!is_pow2(b->nodesize) || b->nodesize < b->sectorsize || b->nodesize > 65536)
		return err_set(e, ERR_CORRUPT, "nodes of %" PRIu32 " bytes with sectors of %" PRIu32, b->nodesize,
			       b->sectorsize);
	b->sector_bits = log2_of(b->sectorsize);
	return 0;
}

static int judge_roots(struct btrfs *b, struct err *e)
{
	const struct btrfs_disk_super *d = &b->super.d;

	if (d->root_level >= BTRFS_MAX_LEVEL || d->chunk_root_level >= BTRFS_MAX_LEVEL)
		return err_set(e, ERR_CORRUPT, "trees of %u and %u levels", d->root_level + 1, d->chunk_root_level + 1);
	if (le64_get(d->num_devices) == 0)
		return err_set(e, ERR_CORRUPT, "no devices");
	if (le32_get(d->sys_chunk_array_size) > sizeof d->sys_chunk_array)
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " bytes of system chunks", le32_get(d->sys_chunk_array_size));
	b->root_tree = (struct btrfs_tree){
		.id = 1, .root = le64_get(d->root), .level = d->root_level, .generation = b->generation
	};
	b->chunk_tree = (struct btrfs_tree){ .id = 3,
					     .root = le64_get(d->chunk_root),
					     .level = d->chunk_root_level,
					     .generation = le64_get(d->chunk_root_generation),
					     .system = true };
	return 0;
}

int btrfs_super_judge(struct btrfs *b, struct err *e)
{
	int (*const judges[])(struct btrfs *, struct err *) = { judge_features, judge_sizes, judge_roots };
	const struct btrfs_disk_super *d = &b->super.d;

	b->generation = b->super.generation;
	b->compat_ro = le64_get(d->compat_ro);
	b->incompat = le64_get(d->incompat);
	b->csum_type = b->super.csum_type;
	b->csum_size = btrfs_csum_size(b->csum_type);
	memcpy(b->fsid, b->incompat & BTRFS_INCOMPAT_METADATA_UUID ? d->metadata_uuid : d->fsid, sizeof b->fsid);
	for (size_t i = 0; i < ARRAY_LEN(judges); i++) {
		int rc = judges[i](b, e);

		if (rc < 0)
			return err_in(e, rc, "superblock");
	}
	return 0;
}
