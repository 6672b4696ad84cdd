/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_image.h - a new ext4 image with files in it, made by libext2fs without a mount.
 *
 * The same calls give the same bytes: times, UUID and hash seed are the caller's.  Files lie in one piece where that is
 * possible; there is no journal, since nobody writes to it.
 */
#ifndef DRYDOCK_EXT_IMAGE_H
#define DRYDOCK_EXT_IMAGE_H

#include "err.h"

#include <stdint.h>

struct ext_image;

/* Blocks that a file of that size takes, to add up for ext_image_new(). */
uint64_t ext_image_blocks(uint64_t size);
/*
 * Makes an image in the empty file at that path, for so many blocks of content and so many files, folders and symlinks.  All
 * times in it are `when`, seconds since 1970.
 */
int ext_image_new(const char *path, uint64_t nblocks, uint32_t nfiles, const uint8_t uuid[16], uint32_t when,
		  struct ext_image **out, struct err *e);
/* Paths have no "/" at the front; the folder that they are in must be there.  All belongs to root. */
int ext_image_folder(struct ext_image *x, const char *path, unsigned mode, struct err *e);
int ext_image_file(struct ext_image *x, const char *path, unsigned mode, const void *bytes, uint64_t size, struct err *e);
int ext_image_symlink(struct ext_image *x, const char *path, const char *target, struct err *e);
/* Writes all that is left and closes it. */
int ext_image_finish(struct ext_image *x, struct err *e);
void ext_image_free(struct ext_image **x); /* for CLEANUP: gives up what is not finished; *x may be NULL */

#endif
