/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h - a disk cut into named windows: partition tables (and later LVM, LUKS, MD).
 *
 * volume_scan() finds the table of a disk and lists its partitions, each with a block of its own (a window of the
 * disk).  Volumes know nothing of filesystems: what is inside a partition is asked of lib/fs.
 */
#ifndef DRYDOCK_VOLUME_H
#define DRYDOCK_VOLUME_H

#include "block.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct volume {
	char *name;		/* "/dev/sda1": disk letter from the order of the disks, number from the table */
	const char *scheme;	/* "mbr", "gpt"; "disk" for a whole disk without a table */
	unsigned number;	/* partition number, as Linux counts: logical ones from 5; 0: the whole disk */
	unsigned disk;		/* index of the disk */
	uint64_t off, size;	/* bytes, on the disk */
	struct block *block;	/* one reference */
	uint8_t mbr_type;	/* with mbr, else 0 */
	uint32_t mbr_id;	/* with mbr: the disk's signature, of which PARTUUID is made ("%08x-%02x" with the number) */
	bool active;		/* the MBR boot flag, or the GPT legacy BIOS bootable attribute */
	bool extended;		/* an MBR extended partition: it holds the logical ones and has no content of its own */
	uint8_t type_uuid[16], part_uuid[16]; /* with gpt, in text order */
	uint64_t attributes;	/* with gpt */
	char *label;		/* GPT name as UTF-8; NULL: none */
};

struct volume_list {
	struct volume *items;
	size_t n;
	unsigned sector_size;	/* what the table of the first disk counts in; 512 where there is none */
	/* A table that is damaged but readable, in words for the user ("the backup GPT ..."), or NULL. */
	char *warning;
};

void volume_list_free(struct volume_list *l);
/* Appends the volumes of one disk, number `disk` (0 is /dev/sda).  A disk without a table gives one volume, itself. */
int volume_scan(struct block *disk_block, unsigned disk, struct volume_list *out, struct err *e);
/* What a partition is for, in a few words: from its GPT type, or its MBR type byte; NULL: unknown, or no partition. */
const char *volume_type_name(const struct volume *v);
/* The item of that name ("/dev/sda1", "sda1"), or NULL. */
const struct volume *volume_find(const struct volume_list *l, const char *name);

#endif
