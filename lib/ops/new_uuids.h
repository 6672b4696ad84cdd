/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * new_uuids.h - other UUIDs for filesystems, and for the volume groups of LVM2 and what they consist of, so that a clone is none of
 * them.
 *
 * They are given when all is unmounted, in the same machine and transaction.  What is named by its UUID where the guest would not
 * find it again keeps it: GRUB's own image, which nobody can change here, names the group that /boot lies on, and its grub.cfg
 * tells so.
 */
#ifndef DRYDOCK_NEW_UUIDS_H
#define DRYDOCK_NEW_UUIDS_H

#include "change.h"
#include "tree.h"

/*
 * Settles which groups of vols, as the machine's contents were made of, get other UUIDs at the end of the change, and removes what
 * would not be true then: LVM's file of devices, and its records of groups.  What stays as it is, is told.
 */
int new_uuids_settle(struct change *c, struct tree *t, const struct volume_list *vols, void (*say)(void *arg, const char *line),
		     void *arg, struct err *e);
/* Gives them: nothing is mounted. */
int new_uuids_give(struct change *c, struct err *e);

/*
 * The same of ext, XFS and btrfs; texts of the guest that name the old ones (/etc/fstab, the boot loader's configuration) are
 * changed at once.  What cannot be changed here and may name them, too, is told.
 */
int new_fs_uuids_settle(struct change *c, struct tree *t, void (*say)(void *arg, const char *line), void *arg, struct err *e);
int new_fs_uuids_give(struct change *c, struct err *e);

#endif
