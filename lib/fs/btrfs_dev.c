/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_dev.c - the devices of a filesystem: found by the UUIDs in their superblocks, missed by what the chunk tree lists.
 *
 * A seed is a device of another filesystem, which is only read: this one has grown from it, and its chunks are still used.
 */
#include "btrfs.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>

static int dev_add(struct btrfs *b, struct btrfs_dev **out, struct err *e)
{
	struct btrfs_dev *devs;

	if (b->ndevs == LIMIT_BTRFS_DEVICES)
		return err_set(e, ERR_LIMIT, "more than %d devices", LIMIT_BTRFS_DEVICES);
	devs = alloc_resize(b->devs, b->ndevs + 1, sizeof *devs);
	if (!devs)
		return err_nomem(e);
	b->devs = devs;
	*out = &devs[b->ndevs++];
	memset(*out, 0, sizeof **out);
	return 0;
}

/* Does the device say of itself what d says? */
static bool is_same(const struct btrfs_dev *dev, const struct btrfs_disk_dev *d)
{
	return dev->devid == le64_get(d->devid) && memcmp(dev->uuid, d->uuid, sizeof d->uuid) == 0 &&
	       memcmp(dev->fsid, d->fsid, sizeof d->fsid) == 0;
}

/* The device of that number, UUID and filesystem; a new one where there was none. */
static int dev_get(struct btrfs *b, const struct btrfs_disk_dev *d, struct btrfs_dev **out, struct err *e)
{
	int rc;

	for (size_t i = 0; i < b->ndevs; i++)
		if (is_same(&b->devs[i], d)) {
			*out = &b->devs[i];
			return 0;
		}
	rc = dev_add(b, out, e);
	if (rc < 0)
		return rc;
	(*out)->devid = le64_get(d->devid);
	memcpy((*out)->uuid, d->uuid, sizeof d->uuid);
	memcpy((*out)->fsid, d->fsid, sizeof d->fsid);
	return 0;
}

/* Takes a device that was found in a block; of two that say they are the same the newer one. */
static int dev_found(struct btrfs *b, struct block *block, const struct btrfs_super *s, struct err *e)
{
	struct btrfs_dev *dev;
	int rc = dev_get(b, &s->d.dev, &dev, e);

	if (rc < 0 || (dev->block && dev->generation >= s->generation))
		return rc;
	block_unref(dev->block);
	dev->block = block_ref(block);
	dev->generation = s->generation;
	return 0;
}

int btrfs_devs_find(struct fs *fs, struct err *e)
{
	struct btrfs *b = fs->state;
	struct btrfs_super s;
	int rc = btrfs_super_read(fs->dev, &b->super, e);

	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "superblock: wrong magic");
	rc = dev_found(b, fs->dev, &b->super, e);
	for (size_t i = 0; rc == 0 && i < fs->nothers; i++) {
		struct err why = ERR_INIT;
		bool same;

		rc = btrfs_super_read(fs->others[i], &s, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		/* A device that cannot be read is missing. */
		if (rc <= 0) {
			rc = 0;
			continue;
		}
		same = memcmp(s.d.fsid, b->super.d.fsid, sizeof s.d.fsid) == 0;
		rc = same || (s.flags & BTRFS_SUPER_SEEDING) ? dev_found(b, fs->others[i], &s, e) : 0;
		if (same && s.generation > b->super.generation)
			b->super = s;
	}
	return rc;
}

size_t btrfs_dev_of(const struct btrfs *b, uint64_t devid, const uint8_t uuid[16])
{
	size_t found = BTRFS_NO_DEV;

	for (size_t i = 0; i < b->ndevs; i++) {
		const struct btrfs_dev *d = &b->devs[i];

		if (!d->block || d->devid != devid || memcmp(d->uuid, uuid, sizeof d->uuid) != 0)
			continue;
		/* A copy of a seed may have become a filesystem of its own: ours is the one that says so. */
		if (memcmp(d->fsid, b->fsid, sizeof d->fsid) == 0)
			return i;
		found = i;
	}
	return found;
}

/* What the chunk tree says of a device. */
static int dev_listed(struct btrfs *b, const struct btrfs_disk_dev *d, struct err *e)
{
	struct btrfs_dev *dev;
	int rc = dev_get(b, d, &dev, e);

	if (rc < 0)
		return rc;
	dev->listed = true;
	dev->total = le64_get(d->total_bytes);
	dev->used = le64_get(d->bytes_used);
	dev->seed = memcmp(d->fsid, b->fsid, sizeof d->fsid) != 0;
	dev->stale = dev->block && !dev->seed && dev->generation < b->generation;
	return 0;
}

int btrfs_devs_judge(struct btrfs *b, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	const struct btrfs_key first = { BTRFS_DEV_ITEMS, BTRFS_DEV_ITEM, 0 };
	struct btrfs_disk_dev d;
	int rc = btrfs_seek(b, &b->chunk_tree, &first, &p, e);

	/* Ends: keys only grow. */
	while (rc > 0 && btrfs_path_is(&p, BTRFS_DEV_ITEMS, BTRFS_DEV_ITEM)) {
		size_t size;
		const void *item = btrfs_path_item(&p, &size);

		if (size < sizeof d)
			return err_set(e, ERR_CORRUPT, "chunk tree: a device item of %zu bytes", size);
		memcpy(&d, item, sizeof d);
		rc = dev_listed(b, &d, e);
		if (rc == 0)
			rc = btrfs_next(b, &b->chunk_tree, &p, e);
	}
	if (rc < 0)
		return rc;
	/* What was found, but is not ours; where it lies in the array others depend on. */
	for (size_t i = 0; i < b->ndevs; i++)
		if (!b->devs[i].listed) {
			block_unref(b->devs[i].block);
			b->devs[i].block = NULL;
		}
	return 0;
}

void btrfs_devs_free(struct btrfs *b)
{
	for (size_t i = 0; i < b->ndevs; i++)
		block_unref(b->devs[i].block);
	free(b->devs);
	b->devs = NULL;
	b->ndevs = 0;
}

bool btrfs_fsid_is_ours(const struct btrfs *b, const uint8_t fsid[16])
{
	if (memcmp(fsid, b->fsid, sizeof b->fsid) == 0)
		return true;
	for (size_t i = 0; i < b->ndevs; i++)
		if (b->devs[i].block && memcmp(fsid, b->devs[i].fsid, sizeof b->fsid) == 0)
			return true;
	return false;
}

void btrfs_devs_notice(const struct btrfs *b, struct strbuf *notice)
{
	size_t missing = 0, told = 0;
	char uuid[37];

	for (size_t i = 0; i < b->ndevs; i++)
		missing += b->devs[i].listed && !b->devs[i].block;
	for (size_t i = 0; i < b->ndevs; i++) {
		const struct btrfs_dev *d = &b->devs[i];

		if (!d->listed || d->block)
			continue;
		if (missing == 1)
			strbuf_printf(notice, "%sdevice %" PRIu64 " (%s) is missing", notice->len ? "; " : "", d->devid,
				      text_uuid(d->uuid, uuid));
		else if (told++ == 0)
			strbuf_printf(notice, "%sthese devices are missing: %" PRIu64, notice->len ? "; " : "", d->devid);
		else
			strbuf_printf(notice, ", %" PRIu64, d->devid);
	}
	for (size_t i = 0; i < b->ndevs; i++)
		if (b->devs[i].stale)
			strbuf_printf(notice, "%sdevice %" PRIu64 " has missed changes (generation %" PRIu64 " of %" PRIu64 ")",
				      notice->len ? "; " : "", b->devs[i].devid, b->devs[i].generation, b->generation);
}
