/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel_file.h - what files say of themselves that a boot loader starts: kernels and initrds. */
#ifndef DRYDOCK_KERNEL_FILE_H
#define DRYDOCK_KERNEL_FILE_H

#include "vfs.h"

struct kernel_facts {
	const char *format;  /* "bzImage", "elf", "uki" ...; NULL: nothing that we know */
	const char *arch;    /* NULL: it does not tell */
	char version[128];   /* "" where it does not tell */
};
/* Looks at the first bytes of a regular file.  0, or an error of reading. */
int kernel_file_look(const struct vfs_node *n, struct kernel_facts *out, struct err *e);

/*
 * How the last part of an initrd is compressed: behind archives of microcode, which are not.  "gzip", "xz" ..., "none" for an
 * archive; *out NULL: it is nothing that we know.
 */
int initrd_file_look(const struct vfs_node *n, const char **out, struct err *e);

#endif
