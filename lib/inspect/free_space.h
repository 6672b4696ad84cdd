/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* free_space.h - what of a disk its filesystems call free, so that a copy may leave it out. */
#ifndef DRYDOCK_FREE_SPACE_H
#define DRYDOCK_FREE_SPACE_H

#include "copy.h"

/* What became of one volume. */
struct free_volume {
	char name[64], type[64]; /* type: "" when nothing is known to be in it */
	uint64_t size, free;	 /* bytes; free is what ranges has of it */
	char why[sizeof(((struct err *)NULL)->msg)]; /* it is copied whole, since ...; "": its free space is known */
};
struct free_space {
	struct copy_range *ranges; /* of the disk, in order, apart from each other */
	size_t n, cap;
	uint64_t least; /* shorter ones are left out, since there are so many */
	struct free_volume *volumes;
	size_t nvolumes;
};

/*
 * Looks at the partitions of a disk, or the one filesystem on it.  What lies in arrays, encrypted or logical volumes is not
 * looked at.  A volume that cannot be read, or whose filesystem was not shut down well, gives no ranges and tells why; an
 * error is that of the disk's partition table, or of memory.
 */
int free_space_scan(struct block *disk, struct free_space *out, struct err *e);
/* Adds a range behind the last one; too many of them make short ones go. */
int free_space_add(struct free_space *f, uint64_t off, uint64_t len, struct err *e);
/* Adds a volume, zeroed; NULL: out of memory. */
struct free_volume *free_space_volume(struct free_space *f);
void free_space_free(struct free_space *f); /* for CLEANUP */

#endif
