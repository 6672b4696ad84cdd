/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appliance_fs.h - filesystems that Linux reads for us: as any other struct fs to those above. */
#ifndef DRYDOCK_APPLIANCE_FS_H
#define DRYDOCK_APPLIANCE_FS_H

#include "client.h"
#include "fs.h"

/* How Linux mounts what fs_probe() calls so. */
struct appliance_type {
	const char *type;	/* "ext3", as fs_probe() has it */
	const char *driver;	/* "ext4", as mount(8) has it */
	const char *options[3]; /* what it is mounted with, by the first that the kernel takes; ends at NULL */
	bool replays;		/* it brings a journal or log up to date that our own reader may have to leave */
};
/* NULL: Linux has no driver for it, or none that is asked. */
const struct appliance_type *appliance_type_find(const char *type);

/* Mounts a device of the agent's to look at it; *mount is its number. */
int appliance_fs_mount(struct client *c, const char *device, const struct appliance_type *type, uint32_t *mount,
		       struct err *e);
/*
 * The same to change it, with further mount options (NULL: none); where Linux has no driver that writes, read-only, which *readonly
 * tells.
 */
int appliance_fs_mount_to_change(struct client *c, const char *device, const struct appliance_type *type, const char *options,
				 uint32_t *mount, bool *readonly, struct err *e);
/* What was mounted. */
struct appliance_mounted {
	struct client *client; /* must outlive the filesystem */
	const char *device;
	uint32_t mount;	       /* it stays when the filesystem is closed */
	struct block *block;   /* where the filesystem lies; lent for the call */
	/* What the machine has for it: the same bytes, and what it has written itself; lent likewise.  NULL: places are not told */
	struct block *disk;
	struct block *const *others; /* blocks that the filesystem lies in, too; lent likewise */
	size_t nothers;
	const char *notice;    /* what fs_notice() is to say */
};
/* As a filesystem; `id` is what fs_probe() said of it. */
int appliance_fs_open(const struct appliance_mounted *m, const struct fs_id *id, struct fs **out, struct err *e);

#endif
