/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpio.h - an archive in the "newc" format of cpio, as the kernel unpacks it for its initramfs.
 *
 * A member is a header of 110 letters (a magic and 13 numbers of 8 hex digits), its name with a NUL, and its content, each
 * padded to 4 bytes; a member named TRAILER!!! ends it.  The same members give the same bytes: no clock and no owner is in
 * them.  A folder goes before what is in it.
 */
#ifndef DRYDOCK_CPIO_H
#define DRYDOCK_CPIO_H

#include "err.h"
#include "strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct cpio {
	int fd;	      /* where it goes, in order */
	uint32_t ino; /* of the member before */
	uint64_t written;
	struct strbuf head;
};

#define CPIO_INIT(to) { .fd = (to), .head = STRBUF_INIT }

void cpio_free(struct cpio *c);
/* Paths have no "/" at the front. */
int cpio_folder(struct cpio *c, const char *path, unsigned mode, struct err *e);
int cpio_file(struct cpio *c, const char *path, unsigned mode, const void *bytes, size_t len, struct err *e);
int cpio_symlink(struct cpio *c, const char *path, const char *target, struct err *e);
int cpio_char_device(struct cpio *c, const char *path, unsigned mode, unsigned major, unsigned minor, struct err *e);
int cpio_end(struct cpio *c, struct err *e);

#endif
