/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume_driver.h - for those who write a reader of partition tables, or of volumes made of others: one const table each,
 * listed in registry.c.
 */
#ifndef DRYDOCK_VOLUME_DRIVER_H
#define DRYDOCK_VOLUME_DRIVER_H

#include "volume.h"

/* Where a partition table may be: a disk, or a volume that is used as one. */
struct volume_disk {
	struct block *block;
	unsigned idx;	  /* the disk's index */
	const char *name; /* "/dev/sda": its partitions are called after it */
	size_t item;	  /* the volume's index in the list; VOLUME_NO_ITEM: a disk */
};

struct volume_driver {
	const char *name;
	/*
	 * 1 and the volumes appended when the disk has this table, 0 when it has not, < 0 when it has one that cannot
	 * be read.  Tried in the order of the registry (GPT before the MBR that protects it).
	 */
	int (*scan)(const struct volume_disk *disk, struct volume_list *out, struct err *e);
};

extern const struct volume_driver *const volume_drivers[]; /* ends at NULL */
extern const struct volume_driver volume_raid_disk, volume_gpt, volume_mbr, volume_bsd, volume_mac;

/* Appends one window of a disk: fills name, block, disk, off and size; the caller fills the rest through *v. */
int volume_add(struct volume_list *l, const struct volume_disk *disk, const char *scheme, unsigned number, uint64_t off,
	       uint64_t size, struct volume **v, struct err *e);

/* A kind of volume that is made of others. */
struct volume_stack {
	const char *name;
	bool holds_tables; /* partition tables are looked for in it, as the kernel does in MD, and kpartx in what dm makes */
	/*
	 * Looks at the items for which volume_is_leaf(), and appends what they make up with volume_add_made().  Called again
	 * whenever there are new items.  What lacks a part waits until `last`, when no more will come: then it is made
	 * as far as it can be, or is warned of.  Returns < 0 only for what ends the whole scan.
	 */
	int (*assemble)(struct volume_list *l, const struct volume_how *how, bool last, struct err *e);
};
extern const struct volume_stack *const volume_stacks[]; /* ends at NULL */
extern const struct volume_stack volume_md, volume_bitlocker, volume_luks, volume_lvm;

/* May it be a part of others? */
static inline bool volume_is_leaf(const struct volume *v)
{
	return !v->extended && !v->in_use && !v->locked;
}
/*
 * Appends a volume made of others: takes a reference on block; parts are marked as in use.  The caller fills in uuid and
 * aliases.  Pointers to items from before are void afterwards.
 */
struct volume_made {
	const struct volume_stack *stack;
	const char *name;
	struct block *block;
	const size_t *parts;
	size_t nparts;
	unsigned arrays; /* as in struct volume, with what it adds; at most LIMIT_VOLUME_ARRAYS.  0: as its parts have */
};
/* The most that any of these has. */
unsigned volume_arrays(const struct volume_list *l, const size_t *parts, size_t nparts);
int volume_add_made(struct volume_list *l, const struct volume_made *made, struct volume **v, struct err *e);
/* Another name for a volume. */
__attribute__((format(printf, 3, 4))) int volume_alias(struct volume *v, struct err *e, const char *fmt, ...);

/* A zeroed group behind the last one, of which it is a part at once. */
int volume_group_add(struct volume_list *l, struct volume_group **g, struct err *e);

/* Adds a sentence to the list's warning, unless it is there already. */
__attribute__((format(printf, 3, 4))) int volume_warn(struct volume_list *l, struct err *e, const char *fmt, ...);
/* Warns of partitions from item `from` on that overlap; extended ones hold others and do not count. */
int volume_warn_overlaps(struct volume_list *l, size_t from, struct err *e);

/* sealed.c: warns of a disk whose boot loader asks for the passphrase of a system that TrueCrypt or VeraCrypt encrypted. */
int volume_warn_sealed(struct block *disk, struct volume_list *l, struct err *e);

/* mbr.c: what GPT asks of the first sector. */
#define MBR_TYPE_PROTECTIVE 0xee
/* Does the first sector end as an MBR does and have an entry of type 0xee? */
bool mbr_is_protective(const uint8_t sector[512]);
/* Has it entries of other types, too? */
bool mbr_is_hybrid(const uint8_t sector[512]);
/* bsd.c: appends what disklabels in the MBR partitions from item `from` on list, with numbers from *number on. */
int bsd_in_mbr(const struct volume_disk *disk, size_t from, unsigned *number, struct volume_list *out, struct err *e);

#endif
