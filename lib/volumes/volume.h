/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h - disks cut into named windows, and volumes put together from them.
 *
 * volume_scan() finds the partition table of a disk and lists its partitions, each with a block of its own (a window of
 * the disk).  When all disks are listed, volume_assemble() adds what is made of them: arrays, encrypted volumes that a key
 * opens, logical volumes, and what lies in these in turn.  Volumes know nothing of filesystems: what is inside one is
 * asked of lib/fs.
 */
#ifndef DRYDOCK_VOLUME_H
#define DRYDOCK_VOLUME_H

#include "block.h"
#include "err.h"
#include "locked.h"

#include <stdbool.h>
#include <stdint.h>

struct volume {
	/* "/dev/sda1": disk letter from the order of the disks, number from the table; "/dev/vg/lv", "/dev/md127" ... */
	char *name;
	char **aliases;		/* other names of the same ("/dev/mapper/vg-lv"); NULL: none */
	size_t naliases;
	/* "mbr", "gpt" ...; "disk" for a whole disk without a table; what is put together from others: volume_stack.name */
	const char *scheme;
	unsigned number;	/* partition number, as Linux counts: logical ones from 5; 0: not a partition */
	unsigned disk;		/* index of the disk; of the first part's, where it is made of others */
	uint64_t off, size;	/* bytes; off is on the disk (or volume) whose table names it, else 0 */
	size_t *parts;		/* the volumes in which it lies: items of the list that come before it; NULL: a disk's own */
	size_t nparts;
	unsigned depth;		/* 0: of a disk's own; else one more than the deepest of its parts */
	unsigned arrays;	/* mirrors and arrays with parity that lie in each other beneath it */
	bool in_use;		/* other volumes are made of it, and it has no filesystem of its own */
	bool snapshot;		/* what another volume held at some time */
	bool dormant;		/* the guest does not activate it by itself */
	size_t group;		/* its group's place in the list's groups, counted from 1; 0: none */
	char *uuid;		/* of what is made of others, as its own tools print it; NULL: none */
	bool locked;		/* encrypted, and not opened: no key fits, or nothing here can; the warning tells */
	bool wrong_key;		/* locked, and keys were tried in vain */
	struct block *block;	/* one reference */
	char letter;		/* with bsd: of the partition in its label, else '\0' */
	unsigned slice;		/* with bsd: the MBR partition in which the label lies; 0: it has the whole disk */
	bool has_duid;
	uint8_t duid[8];	/* with bsd, of OpenBSD: the label's number */
	uint8_t mbr_type;	/* with mbr, else 0; with bsd the disklabel's type of filesystem */
	char *type_text;	/* with mac: as the map has it; NULL: none */
	uint32_t mbr_id;	/* with mbr: the disk's signature, of which PARTUUID is made ("%08x-%02x" with the number) */
	bool active;		/* the MBR boot flag, or the GPT legacy BIOS bootable attribute */
	bool extended;		/* an MBR extended partition: it holds the logical ones and has no content of its own */
	uint8_t type_uuid[16], part_uuid[16]; /* with gpt, in text order */
	uint64_t attributes;	/* with gpt */
	char *label;		/* GPT or Apple name as UTF-8; NULL: none */
};

/* A pool of space on several volumes, out of which others are made: a volume group of LVM. */
struct volume_group {
	const char *scheme; /* volume_stack.name */
	char *name, *uuid;
	uint64_t extent_size, size, free; /* bytes */
	bool foreign; /* exported, or of another machine or a cluster: none but them may change it */
	struct volume_member {
		size_t item;	     /* in the list; VOLUME_NO_ITEM: it is missing */
		char *uuid;
		uint64_t size, free; /* of what it gives to the group */
	} *members;
	size_t nmembers;
};
#define VOLUME_NO_ITEM SIZE_MAX

struct volume_list {
	struct volume *items;
	size_t n;
	struct volume_group *groups;
	size_t ngroups;
	unsigned sector_size;	/* what the table of the first disk counts in; 512 where there is none */
	/* A table that is damaged but readable, in words for the user ("the backup GPT ..."), or NULL. */
	char *warning;
	uint64_t key_work; /* what trying keys has cost so far: LIMIT_LUKS_GUEST_WORK */
};

void volume_list_free(struct volume_list *l);
/* Appends the volumes of one disk, number `disk` (0 is /dev/sda).  A disk without a table gives one volume, itself. */
int volume_scan(struct block *disk_block, unsigned disk, struct volume_list *out, struct err *e);
/*
 * Appends what is made of the volumes of all disks, and what lies in that in turn, to a depth of LIMIT_VOLUME_DEPTH.  What
 * cannot be put together (a part is missing, no key opens it, its kind is unknown) is left out and told in the warning;
 * an error is that of a disk that cannot be read, or of memory.
 */
struct volume_how {
	/*
	 * The nth (from 0) passphrase to try on the encrypted volume v, found by its name, aliases or UUID: 1 and *key, a
	 * buffer that the caller wipes; 0 when there are no more.  NULL: there are none at all.
	 */
	int (*key)(void *arg, const struct volume *v, const char *uuid, unsigned nth, struct locked *key, struct err *e);
	/* The header of the encrypted volume v, which lies in another file, lent; NULL: none.  NULL: no such headers. */
	struct block *(*header)(void *arg, const struct volume *v);
	/* Was a key given for this very volume, and not just for any?  NULL: none was. */
	bool (*is_named)(void *arg, const struct volume *v);
	void *arg;
};
int volume_assemble(struct volume_list *l, const struct volume_how *how, struct err *e);
/* What a partition is for, in a few words: from its GPT type, or its MBR type byte; NULL: unknown, or no partition. */
const char *volume_type_name(const struct volume *v);
/* Is that its name or an alias, with or without "/dev/"? */
bool volume_is_called(const struct volume *v, const char *name);
/* The item of that name or alias ("/dev/sda1", "sda1", "vg/lv"), or NULL. */
const struct volume *volume_find(const struct volume_list *l, const char *name);

#endif
