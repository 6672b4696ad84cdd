/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_file.h - a text log, compressed or not, line by line in bounded memory; and the names that its older parts get. */
#ifndef DRYDOCK_LOG_FILE_H
#define DRYDOCK_LOG_FILE_H

#include "guest_file.h"

struct log_file;

/* ERR_UNSUPPORTED for what is compressed in another way than by gzip, xz or zstd.  *out is ended by log_file_close(). */
int log_file_open(const struct guest_file *f, struct log_file **out, struct err *e);
void log_file_close(struct log_file *f); /* NULL is fine */
/*
 * The next line, without its end and NUL-terminated, lent until the next call: 1, or 0 at the end.  Of a longer line than
 * LIMIT_LOG_LINE the rest is left out.  NULs in front, as a crash leaves them, are no part of it.
 */
int log_file_line(struct log_file *f, char **line, size_t *len, struct err *e);

/* The files of a log that is rotated: "syslog.2.gz", "syslog.1", "syslog"; "messages-20260101.xz", "messages". */
struct log_paths {
	struct log_path {
		char *path;
		uint64_t rank; /* the older one has the lower */
	} *items;
	size_t n;
};
/* Adds those of the log at path that are there, the oldest first. */
int log_paths_find(struct vfs *v, const char *path, struct log_paths *out, struct err *e);
void log_paths_free(struct log_paths *p); /* for CLEANUP */

#endif
