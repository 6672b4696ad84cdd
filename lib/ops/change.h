/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h - a guest that is changed: its disks in a machine, its tree mounted there for writing, and the end of it.
 *
 * The machine writes to the blocks that it is given; that these are journals, and when they go into the images, is known to who
 * calls (lib/api/guest_change.c).  A struct change belongs to one thread at a time.
 */
#ifndef DRYDOCK_CHANGE_H
#define DRYDOCK_CHANGE_H

#include "client.h"
#include "guest.h"
#include "guest_machine.h"

struct change;
struct change_how {
	struct guest_machine_how machine;
	const struct guest_plan *plan; /* what is mounted, in that order; lent for the call */
	bool all_volumes;	       /* all kinds of volumes are activated, not only those that are there */
};
/*
 * Starts the machine and mounts into *tree, which must be empty, and belongs to the caller: it is emptied before the change
 * is ended.  Filesystems in it are those of the machine.
 */
int change_open(const struct change_how *how, struct guest *tree, struct change **out, struct err *e);
/* Ends the machine at once, and the tree with it; NULL is fine. */
void change_free(struct change *c);
void change_freep(struct change **c);
struct client *change_client(struct change *c); /* lent */
struct guest_machine *change_machine(struct change *c); /* lent */

/* A place in the tree that may be written to: its node in the machine.  ERR_USAGE: it is none of this change. */
int change_node(struct change *c, struct vfs_node n, uint64_t *node, struct err *e);
/* What was made in a folder, as a place. */
struct vfs_node change_made(struct vfs_node dir, uint64_t node);

/* What drydock.h promises of dry_change_parent(), and so on. */
int change_parent(struct change *c, const char *path, struct vfs_node *dir, char *name, size_t size, struct err *e);
struct change_owner {
	uint32_t mode, uid, gid;
};
int change_write_file(struct change *c, const char *path, const void *bytes, size_t len, const struct change_owner *owner,
		      struct err *e);
int change_make_folders(struct change *c, const char *path, const struct change_owner *owner, struct err *e);
int change_remove_tree(struct change *c, const char *path, struct err *e);

/* Runs a program: how->binds is filled in with the tree unless it is one of the appliance's own. */
int change_run(struct change *c, const struct client_run *how, bool in_appliance, int *status, struct err *e);

int change_mount(struct change *c, const struct guest_planned *p, struct err *e);
int change_unmount(struct change *c, const char *path, struct err *e); /* NULL: all */

/* Writes all out, and holds what is mounted for writing still until change_thaw(): the disks are then as after a clean end. */
int change_freeze(struct change *c, struct err *e);
int change_thaw(struct change *c, struct err *e);
/*
 * Unmounts, checks each filesystem that was mounted for writing by its own quick tool, and ends the machine; all it has written
 * is in the blocks then.  The tree is empty.
 */
int change_finish(struct change *c, struct err *e);

#endif
