/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_block.h - a file of the guest as a disk: for images that lie in it. */
#ifndef DRYDOCK_GUEST_BLOCK_H
#define DRYDOCK_GUEST_BLOCK_H

#include "block.h"
#include "guest_file.h"

/* Read only; the filesystem of the file stays open as long. */
int guest_block_open(const struct guest_file *f, const char *name, struct block **out, struct err *e);

#endif
