/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log_text.h - text logs as streams: a format says how a line is read, the rest is the same for all. */
#ifndef DRYDOCK_LOG_TEXT_H
#define DRYDOCK_LOG_TEXT_H

#include "log_file.h"
#include "logs.h"

struct text_log;
struct text_format {
	enum log_source source;
	const char *identifier; /* of all lines; NULL: each has its own */
	/*
	 * Reads a line, of which ent's texts are pieces, and sets t->usec where the line has a time.  False: it is nothing to
	 * show.  Before, ent is that of a line that says nothing of itself: its message is all of it.
	 */
	bool (*parse)(struct text_log *t, char *line, struct log_entry *ent);
};
struct text_log {
	struct log_stream base;
	struct log_open how;
	const struct text_format *format;
	struct log_paths paths;
	size_t next; /* the path that comes when the present file ends */
	struct log_file *file;
	int64_t mtime; /* of the present file */
	int64_t usec;  /* of the last line that had a time */
	int64_t year;  /* of lines whose dates have none; 0: not known yet */
	int month;     /* of the last such line */
	bool told;
	struct log_entry ent;
};

/* Adds the log at path, with all that was rotated away of it, if it is there. */
int text_log_collect(const struct log_open *how, const char *path, const struct text_format *format, struct log_streams *out,
		     struct err *e);

/*
 * A date and time at *p, which moves behind it: "2026-11-25T21:50:40.123+01:00", "2026-11-25  21:50:40", "2026-11-25 21:50".
 * Without a zone it is the guest's.
 */
bool text_time_iso(const struct text_log *t, char **p, int64_t *usec);
/* "Nov 25 21:50:40": the year is found by those of the lines before and by when the file was last written. */
bool text_time_bsd(struct text_log *t, char **p, int64_t *usec);
/* "err", "error", "WARNING" ...: 0 to 7, or -1. */
int text_priority(const char *word, size_t len);

#endif
