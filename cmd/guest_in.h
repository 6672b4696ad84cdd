/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_in.h - from the host into a guest that is being changed: what cp, tar and the peers' names for it share. */
#ifndef DRYDOCK_GUEST_IN_H
#define DRYDOCK_GUEST_IN_H

#include "guest_put.h"
#include "host_side.h"

/* The archive that is asked of the host side with host_open() or host_tree(): read to its end and unpacked. */
int guest_in_archive(struct guest_put *p, struct host_side *h, struct dry_error *e);
/* The last component of a path, "" when that is no name ("/", ".", "a/.."); false: it does not fit. */
bool guest_in_name(const char *path, char *buf, size_t size);
/* Trees of the host into a folder of the guest, each under its own name; flags of host_tar.h. */
/* Before a guest is opened: the host side reads these files and trees ("-": standard input) and does nothing else. */
int guest_in_only(struct host_side *h, char *const *paths, size_t n, struct dry_error *e);
int guest_in_trees(struct guest_put *p, struct host_side *h, const char *const *paths, size_t n, unsigned flags,
		   struct dry_error *e);
/* What host_open() was asked for becomes the content of a file: as guest_put_stream(). */
int guest_in_file(struct dry_change *c, struct host_side *h, const char *path, const struct dry_owner *owner, uint64_t *bytes,
		  struct dry_error *e);
/* Is there a folder (symlinks followed)?  1, 0, or < 0. */
int guest_in_folder(struct dry_guest *g, const char *path, struct dry_error *e);

#endif
