/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* change_internal.h - what the files of a change share. */
#ifndef DRYDOCK_CHANGE_INTERNAL_H
#define DRYDOCK_CHANGE_INTERNAL_H

#include "change.h"

struct change_mounted {
	const struct content *it; /* lent */
	uint32_t mount;		  /* its number in the machine */
	bool readonly;
	char *path, *device;
	struct fs *fs; /* ours */
};
struct change {
	struct guest_machine machine;
	struct guest *tree; /* lent: see change_open() */
	struct change_mounted *items; /* in the order of the tree's mounts */
	size_t n;
	unsigned kinds; /* of volumes that were activated */
	bool *closed;	/* encrypted volumes that were closed again, by their places in the contents; NULL: none */
	struct client_group *groups; /* that get other UUIDs at the end; number is that of volume.group */
	size_t ngroups;
	struct change_filesystem {
		const struct content *it; /* lent */
		char uuid[37];
	} *filesystems; /* the same */
	size_t nfilesystems;
	bool free_members; /* physical volumes of no group do, too */
};

/* Closes an encrypted volume that the machine has opened, the ith of the contents; all others, and once closed ones, are left. */
int change_luks_close(struct change *c, size_t i, struct err *e);

#endif
