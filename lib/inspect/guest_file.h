/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_file.h - a regular file of the guest that is read at places: databases. */
#ifndef DRYDOCK_INSPECT_GUEST_FILE_H
#define DRYDOCK_INSPECT_GUEST_FILE_H

#include "vfs.h"

struct guest_file {
	struct vfs_node node;
	uint64_t size;
};
/* 1, or 0 when there is no such regular file. */
int guest_file_find(struct vfs *v, const char *path, struct guest_file *f, struct err *e);
/* Exactly len bytes; the file ending before is ERR_CORRUPT. */
int guest_file_read(const struct guest_file *f, void *buf, size_t len, uint64_t off, struct err *e);

#endif
