/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_move.h - a file or tree of a guest moved to another filesystem of it, which has to be copied. */
#ifndef DRYDOCK_GUEST_MOVE_H
#define DRYDOCK_GUEST_MOVE_H

#include "drydock.h"

/*
 * What `path` names (not followed) gets the path `to`, with owners, permissions, times, attributes, holes and hard links among
 * what is moved, and is gone from where it was.  What had the new name is replaced as rename(2) does: a file, or an empty folder
 * by a folder; with no_clobber it is EEXIST.  A filesystem that is mounted in it is EBUSY.  Attributes that the other filesystem
 * does not have are left out.
 */
int guest_move(struct dry_change *c, const char *path, const char *to, bool no_clobber, struct dry_error *e);

#endif
