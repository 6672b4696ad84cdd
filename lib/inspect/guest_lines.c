/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_lines.c - a guest's text file, line by line. */
#include "guest_lines.h"

#include "alloc.h"

#include <sys/stat.h>

int lines_open(struct vfs *v, const char *path, struct lines *l, struct err *e)
{
	struct fs_stat st;
	int rc;

	memset(l, 0, sizeof *l);
	rc = vfs_lookup(v, path, true, &l->node, e);
	if (rc == 0)
		rc = fs_stat(l->node.fs, l->node.ino, &st, e);
	if (rc < 0)
		return rc;
	if (!S_ISREG(st.mode))
		return err_set(e, ERR_NOT_FOUND, "%s is not a regular file", path);
	l->left = st.size;
	l->buf = alloc_bytes(LINES_BUFFER + 1);
	return l->buf ? 0 : err_nomem(e);
}

void lines_close(struct lines *l)
{
	free(l->buf);
	l->buf = NULL;
}

/* Moves what is left to the front and reads behind it: 1, or 0 when there is no more to read, or no room. */
static int refill(struct lines *l, struct err *e)
{
	size_t room, got;
	int rc;

	memmove(l->buf, l->buf + l->pos, l->have - l->pos);
	l->have -= l->pos;
	l->pos = 0;
	room = (size_t)MIN_OF((uint64_t)(LINES_BUFFER - l->have), l->left);
	if (room == 0)
		return 0;
	rc = fs_pread(l->node.fs, l->node.ino, l->buf + l->have, room, l->off, &got, e);
	if (rc < 0)
		return rc;
	if (got == 0)
		l->left = 0;
	l->have += got;
	l->off += got;
	l->left -= MIN_OF((uint64_t)got, l->left);
	return got > 0;
}

/* Leaves out everything up to the end of the line.  It ends: each turn takes what is in the buffer, and the file ends. */
static int skip_rest(struct lines *l, struct err *e)
{
	for (;;) {
		char *end = memchr(l->buf + l->pos, '\n', l->have - l->pos);
		int rc;

		if (end) {
			l->pos = (size_t)(end - l->buf) + 1;
			return 0;
		}
		l->pos = l->have;
		rc = refill(l, e);
		if (rc <= 0)
			return rc;
	}
}

int lines_next(struct lines *l, char **line, struct err *e)
{
	int rc;

	if (l->cut) {
		l->cut = false;
		rc = skip_rest(l, e);
		if (rc < 0)
			return rc;
	}
	for (;;) {
		char *end = memchr(l->buf + l->pos, '\n', l->have - l->pos);

		if (end) {
			*end = '\0';
			*line = l->buf + l->pos;
			l->pos = (size_t)(end - l->buf) + 1;
			return 1;
		}
		rc = refill(l, e);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
	}
	if (l->pos == l->have)
		return 0;
	/* The last line without an end, or one that fills the buffer. */
	l->cut = l->left > 0;
	l->buf[l->have] = '\0';
	*line = l->buf + l->pos;
	l->pos = l->have;
	return 1;
}
