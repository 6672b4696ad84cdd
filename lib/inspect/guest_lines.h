/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_lines.h - a guest's text file, line by line, in bounded memory whatever its size. */
#ifndef DRYDOCK_GUEST_LINES_H
#define DRYDOCK_GUEST_LINES_H

#include "vfs.h"

#define LINES_BUFFER (64 * 1024)

struct lines {
	struct vfs_node node;
	uint64_t off, left; /* in the file: what is not in buf yet */
	size_t pos, have;
	bool cut; /* the line that was given was longer than the buffer, and its rest is left out */
	char *buf;
};

/* ERR_NOT_FOUND when there is no such regular file.  lines_close() ends it, also after a failure. */
int lines_open(struct vfs *v, const char *path, struct lines *l, struct err *e);
void lines_close(struct lines *l); /* for CLEANUP */
/*
 * The next line, without its end, NUL-terminated and lent until the next call: 1, or 0 at the end of the file.  A NUL in the
 * file ends the line that is seen.
 */
int lines_next(struct lines *l, char **line, struct err *e);

#endif
