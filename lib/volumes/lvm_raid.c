/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_raid.c - how far the legs of mirrors and RAID volumes can be believed.
 *
 * RAID: each image has a metadata volume, in whose first sector the kernel (dm-raid) writes a superblock: how often the
 * superblocks were updated, which devices have failed, how far this one is rebuilt.  The one with the most updates knows
 * which devices have failed; a device with fewer was away when things changed.  A metadata volume of zeros is that of a
 * device that the array has not seen yet.  Those of a volume that was never active are zeros, all of them.
 *
 * Behind the superblocks is an MD array without superblocks of its own: md.h reads it.
 *
 * Mirror: its log has a header and, from the third sector on, a bit for each region that is in sync.
 */
#include "lvm.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "md.h"
#include "ondisk.h"

#include <inttypes.h>

#define RAID_MAGIC 0x64526d44u /* "DmRd" */
#define RAID_HAS_V190 1u
#define RAID_RESHAPING 1u
#define EVERYTHING UINT64_MAX

struct raid_super {
	le32 magic, compat, ndevices, position;
	le64 events, failed, rebuilt, resynced;
	le32 level, layout, chunk;
	/* From target version 1.9.0 on: */
	le32 flags;
	le64 reshape_position;
	le32 new_level, new_layout, new_chunk, delta_disks;
	le64 array_sectors, data_off, new_data_off, sectors;
	le64 failed_more[3];
	le32 incompat;
};
_Static_assert(sizeof(struct raid_super) == 148, "as dm-raid writes it");

struct super {
	bool there;
	uint64_t events, rebuilt;
	uint64_t failed[4];
	uint64_t resynced;
	int level;
	uint32_t layout;
	uint64_t data_off;
	bool reshaping;
};

/* Levels and layouts as dm-raid knows them; a superblock may say otherwise. */
struct type {
	const char *name;
	int level;
	uint32_t layout;
};
static const struct type types[] = {
	{ "raid1", 1, 0 },	  { "raid10", 10, 0x100 },  { "raid10_near", 10, 0x100 }, { "raid4", 5, 5 },
	{ "raid5", 5, 2 },	  { "raid5_ls", 5, 2 },	    { "raid5_la", 5, 0 },	  { "raid5_ra", 5, 1 },
	{ "raid5_rs", 5, 3 },	  { "raid5_n", 5, 5 },	    { "raid6", 6, 8 },		  { "raid6_zr", 6, 8 },
	{ "raid6_nr", 6, 9 },	  { "raid6_nc", 6, 10 },    { "raid6_n_6", 6, 5 },	  { "raid6_la_6", 6, 16 },
	{ "raid6_ra_6", 6, 17 },  { "raid6_ls_6", 6, 18 },  { "raid6_rs_6", 6, 19 },
};

static const struct type *type_find(const struct lvm_raid *r)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, r->type_name) == 0)
			return &types[i];
	return NULL;
}

static bool is_failed(const struct super *s, uint32_t i)
{
	return s->failed[i / 64] >> (i % 64) & 1;
}

/* Sectors as bytes; what is more than any image is everything. */
static uint64_t bytes_of(uint64_t sectors)
{
	return sectors > LIMIT_IMAGE_SIZE / LVM_SECTOR ? EVERYTHING : sectors * LVM_SECTOR;
}

/* out->there is false when it is not there, of zeros, or cannot be read. */
static int super_read(struct block *meta, const struct lvm_raid *r, uint32_t position, struct super *out, struct err *e)
{
	struct err why = ERR_INIT;
	struct raid_super h;
	int rc;

	memset(out, 0, sizeof *out);
	if (!meta || block_size(meta) < sizeof h)
		return 0;
	rc = block_pread(meta, &h, sizeof h, 0, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0 || le32_get(h.magic) != RAID_MAGIC)
		return 0;
	if (le32_get(h.ndevices) != r->n || le32_get(h.position) != position)
		return err_set(e, ERR_CORRUPT, "the metadata of image %" PRIu32 " is that of another array", position);
	out->there = true;
	out->events = le64_get(h.events);
	out->rebuilt = bytes_of(le64_get(h.rebuilt));
	out->resynced = bytes_of(le64_get(h.resynced));
	out->level = (int)le32_get(h.level);
	out->layout = le32_get(h.layout);
	out->failed[0] = le64_get(h.failed);
	if (!(le32_get(h.compat) & RAID_HAS_V190))
		return 0;
	if (le32_get(h.incompat))
		return err_set(e, ERR_UNSUPPORTED, "features 0x%" PRIx32 " of its metadata are not known",
			       le32_get(h.incompat));
	for (size_t i = 0; i < ARRAY_LEN(h.failed_more); i++)
		out->failed[1 + i] = le64_get(h.failed_more[i]);
	out->reshaping = le32_get(h.flags) & RAID_RESHAPING;
	out->data_off = bytes_of(le64_get(h.data_off));
	return 0;
}

/* What all superblocks say together. */
struct judged {
	uint64_t synced; /* bytes of each image in which the copies, or the parity, agree */
	int level;
	uint32_t layout;
};

static int legs_judge(const struct lvm_raid *r, struct judged *out, struct err *e)
{
	CLEANUP(free_ptr) struct super *s = alloc_array(r->n, sizeof *s);
	const struct super *newest = NULL;
	uint32_t nmissing = 0;

	if (!s)
		return err_nomem(e);
	for (uint32_t i = 0; i < r->n; i++) {
		int rc = super_read(r->metas[i], r, i, &s[i], e);

		if (rc < 0)
			return rc;
		if (s[i].there && (!newest || s[i].events > newest->events))
			newest = &s[i];
		nmissing += !r->metas[i];
	}
	out->synced = EVERYTHING;
	/* Never active, or all that knew is gone: then nobody can say what the others are worth. */
	if (!newest)
		return nmissing == 0 ? 0
				 : err_set(e, ERR_CORRUPT, "no metadata is left that tells whether its images are in sync");
	if (newest->reshaping || newest->data_off)
		return err_set(e, ERR_UNSUPPORTED, "a %s that is, or was, reshaped is not read", r->type_name);
	if (newest->level != out->level && !(out->level == 5 && newest->level == 4))
		return err_set(e, ERR_CORRUPT, "its metadata says that it is of level %d", newest->level);
	out->synced = newest->resynced;
	out->level = newest->level;
	out->layout = newest->layout;
	for (uint32_t i = 0; i < r->n; i++) {
		/* The kernel writes them one after the other: one update less is a crash in between. */
		if (!s[i].there || s[i].events + 1 < newest->events || is_failed(newest, i))
			r->legs[i].good = 0;
		else
			r->legs[i].good = MIN_OF(r->legs[i].good, s[i].rebuilt);
	}
	return 0;
}

int lvm_raid_image_size(const struct lvm_raid *r, uint64_t *out, struct err *e)
{
	const struct type *t = type_find(r);
	uint64_t nparity = 0, copies = 1, all;

	if (!t)
		return err_set(e, ERR_UNSUPPORTED, "type %s is not read", r->type_name);
	if (t->level == 1)
		copies = r->n;
	else if (t->level == 10)
		copies = r->data_copies;
	else
		nparity = (uint64_t)t->level - 4;
	if (copies == 0 || copies > r->n || nparity >= r->n || !checked_mul(r->size, copies, &all) || all % (r->n - nparity))
		return err_set(e, ERR_CORRUPT, "a %s of %" PRIu32 " images", r->type_name, r->n);
	*out = all / (r->n - nparity);
	return 0;
}

static int mirror_new(const struct lvm_raid *r, const char *name, struct block **out, struct err *e)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->legs[i].block)
			best = MAX_OF(best, r->legs[i].good);
	if (best < r->size)
		return err_set(e, ERR_CORRUPT, "none of its images that are there is in sync");
	return lvm_legs_new(name, r->size, r->legs, r->n, out, e);
}

/* Are there enough images that are rebuilt as far as they are used? */
static int is_enough(const struct lvm_raid *r, const struct md_geo *g, uint64_t each, uint64_t synced, struct err *e)
{
	CLEANUP(free_ptr) bool *there = alloc_array(r->n, sizeof *there);
	uint32_t nmissing = 0;

	if (!there)
		return err_nomem(e);
	for (uint32_t i = 0; i < r->n; i++) {
		there[i] = r->legs[i].block && r->legs[i].good >= each;
		nmissing += !there[i];
	}
	if (!md_enough(g, there))
		return err_set(e, ERR_CORRUPT, "too many of its images are missing or not in sync (%" PRIu32 " of %" PRIu32 ")",
			       nmissing, r->n);
	if (nmissing && md_is_parity(g) && synced < each)
		return err_set(e, ERR_CORRUPT, "an image is missing, and the parity is not in sync");
	return 0;
}

static int array_new(const struct lvm_raid *r, const struct judged *j, const char *name, struct block **out, struct err *e)
{
	struct md_super s = { .level = j->level, .layout = j->layout, .ndisks = r->n, .nroles = r->n, .chunk = r->chunk };
	CLEANUP(md_geo_free) struct md_geo g = { .level = 0 };
	struct md_member *members;
	int rc = lvm_raid_image_size(r, &s.used, e);

	if (rc == 0)
		rc = md_geo_init(&g, &s, NULL, e);
	if (rc == 0 && g.size != r->size)
		rc = err_set(e, ERR_CORRUPT, "chunks of %" PRIu64 " bytes do not fill it", r->chunk);
	if (rc == 0)
		rc = is_enough(r, &g, s.used, j->synced, e);
	members = rc == 0 ? alloc_array(r->n, sizeof *members) : NULL;
	if (rc < 0)
		return rc;
	if (!members)
		return err_nomem(e);
	for (uint32_t i = 0; i < r->n; i++) {
		members[i].block = r->legs[i].block ? block_ref(r->legs[i].block) : NULL;
		members[i].rebuilt = r->legs[i].good;
	}
	return md_block(&g, &members, j->synced, name, out, e);
}

bool lvm_raid_is_array(const struct lvm_raid *r)
{
	const struct type *t = type_find(r);

	return t && t->level != 1;
}

int lvm_raid_new(const struct lvm_raid *r, const char *name, struct block **out, struct err *e)
{
	const struct type *t = type_find(r);
	struct judged j;
	int rc;

	if (!t)
		return err_set(e, ERR_UNSUPPORTED, "type %s is not read", r->type_name);
	j = (struct judged){ .level = t->level, .layout = t->layout | (t->level == 10 ? r->data_copies : 0) };
	rc = legs_judge(r, &j, e);
	if (rc < 0)
		return rc;
	return t->level == 1 ? mirror_new(r, name, out, e) : array_new(r, &j, name, out, e);
}

/* ---- logs of mirrors ---- */

#define LOG_MAGIC 0x4d695272u /* "MiRr" */
#define LOG_BITS 1024

struct log_header {
	le32 magic, version;
	le64 nregions;
};

int lvm_mirror_log(struct block *log, uint64_t nregions, struct err *e)
{
	struct log_header h;
	uint8_t buf[16 * KiB];
	int rc;

	if (block_size(log) < LOG_BITS)
		return 0;
	rc = block_pread(log, &h, sizeof h, 0, e);
	if (rc < 0)
		return rc;
	/* nregions counts at the last activation; a mirror that was extended since has more. */
	if (le32_get(h.magic) != LOG_MAGIC || le32_get(h.version) != 2 || le64_get(h.nregions) < nregions ||
	    (nregions + 7) / 8 > block_size(log) - LOG_BITS)
		return 0;
	for (uint64_t at = 0; at < nregions; at += sizeof buf * 8) {
		uint64_t n = MIN_OF(nregions - at, (uint64_t)sizeof buf * 8);

		rc = block_pread(log, buf, (size_t)((n + 7) / 8), LOG_BITS + at / 8, e);
		if (rc < 0)
			return rc;
		for (uint64_t i = 0; i < n; i++)
			if (!(buf[i / 8] >> (i % 8) & 1))
				return 0;
	}
	return 1;
}
