/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfs_cursor.h - a walk that its caller draws on, entry by entry: so that two trees can be gone through side by side.
 *
 * The order is that of vfs_walk() with sorted names: a directory, then what is in it.  Such an order is the same in any tree,
 * whatever lies there: path_order() tells which of two paths comes first.  What is held in memory are the names of the
 * directories between the start and the entry.
 */
#ifndef DRYDOCK_VFS_CURSOR_H
#define DRYDOCK_VFS_CURSOR_H

#include "vfs.h"

struct vfs_cursor;

/*
 * From `path` on, whose last symlink is followed; it need not be a directory.  Something at a path could not be read: that is
 * given to `failed` as vfs_walk() does; NULL: the first failure ends the walk.
 */
int vfs_cursor_open(struct vfs *v, const char *path,
		    int (*failed)(void *arg, const char *path, const struct err *why, struct err *e), void *arg,
		    struct vfs_cursor **out, struct err *e);
void vfs_cursor_close(struct vfs_cursor *c); /* NULL is fine */
/* The next entry, lent until the next call; *out NULL: that was the last.  After an error there is none. */
int vfs_cursor_next(struct vfs_cursor *c, const struct vfs_entry **out, struct err *e);
/* Not into the directory that vfs_cursor_next() gave last. */
void vfs_cursor_skip(struct vfs_cursor *c);

/* < 0, 0, > 0: which of two paths a walk meets first.  They are compared name by name. */
int path_order(const char *a, const char *b);

#endif
