/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* volume_driver.h - for those who write a partition table reader: one const table each, listed in registry.c. */
#ifndef DRYDOCK_VOLUME_DRIVER_H
#define DRYDOCK_VOLUME_DRIVER_H

#include "volume.h"

struct volume_driver {
	const char *name;
	/*
	 * 1 and the volumes appended when the disk has this table, 0 when it has not, < 0 when it has one that cannot
	 * be read.  Tried in the order of the registry (GPT before the MBR that protects it).
	 */
	int (*scan)(struct block *disk, unsigned idx, struct volume_list *out, struct err *e);
};

extern const struct volume_driver *const volume_drivers[]; /* ends at NULL */
extern const struct volume_driver volume_gpt, volume_mbr;

/* Appends one window of a disk: fills name, block, disk, off and size; the caller fills the rest through *v. */
int volume_add(struct volume_list *l, struct block *disk, unsigned idx, const char *scheme, unsigned number,
	       uint64_t off, uint64_t size, struct volume **v, struct err *e);

/* Adds a sentence to the list's warning. */
__attribute__((format(printf, 3, 4))) int volume_warn(struct volume_list *l, struct err *e, const char *fmt, ...);
/* Warns of partitions from item `from` on that overlap; extended ones hold others and do not count. */
int volume_warn_overlaps(struct volume_list *l, size_t from, struct err *e);

/* mbr.c: what GPT asks of the first sector. */
#define MBR_TYPE_PROTECTIVE 0xee
/* Does the first sector end as an MBR does and have an entry of type 0xee? */
bool mbr_is_protective(const uint8_t sector[512]);

#endif
