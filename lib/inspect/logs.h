/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logs.h - what a guest has written down about itself: the systemd journal, syslog and other text, the histories of package
 * managers, records of logins, Windows event logs; merged by time into one stream.
 *
 * Each kind is a stream of its own (struct log_stream) that reads forward in bounded memory, whatever the size of its files.
 */
#ifndef DRYDOCK_LOGS_H
#define DRYDOCK_LOGS_H

#include "log_fields.h"
#include "vfs.h"

enum log_source { LOG_JOURNAL, LOG_SYSLOG, LOG_PACKAGES, LOG_LOGINS, LOG_EVTX, LOG_SOURCES };
const char *log_source_name(enum log_source s); /* "journal" ... */

/* Texts are the guest's, lent until the next step; NULL: not known. */
struct log_entry {
	enum log_source source;
	const char *path; /* of the file that it stands in */
	int64_t usec;	  /* since 1970; when it happened, as far as the source knows */
	int64_t logged;	  /* when it was logged: the order of entries, and what since and until look at */
	int priority;	  /* 0 (emerg) to 7 (debug); -1: not known */
	const char *host, *unit, *identifier, *pid, *boot;
	const char *message; /* never NULL */
	size_t message_len;
	const struct log_fields *fields; /* all that the source tells of it; NULL: nothing more */
	const char *xml;		 /* of a Windows event */
};

/* What is wanted; all zeros but max_priority: everything. */
struct log_query {
	unsigned sources;    /* a bit (1 << enum log_source) for each; 0: all */
	bool has_since, has_until;
	int64_t since, until; /* usec, both included */
	const char *const *units; /* any of these, patterns of the shell; of other sources than the journal the identifier */
	size_t nunits;
	int max_priority;  /* -1: any, and those without one; else this and more urgent ones */
	const char *boot;  /* NULL: any; its ID, or a number: 0 the last one, -1 the one before it, 1 the first */
	uint64_t last;	   /* 0: all; else at most so many, the last ones, are of interest: the rest may be left out */
};

struct log_walk {
	int (*entry)(void *arg, const struct log_entry *ent, struct err *e);
	/* Told when a file cannot be read, or not wholly; once for each: 0 goes on. */
	int (*failed)(void *arg, const char *path, const struct err *why, struct err *e);
	void *arg;
};
/* Calls w->entry for each in the order of time until it returns non-zero, which is then returned. */
int log_walk(struct vfs *v, const struct log_query *q, const struct log_walk *w, struct err *e);

/* ---- between the parts ---- */

struct zone;

/* What a stream is opened with, lent as long as it is open. */
struct log_open {
	struct vfs *vfs;
	const struct log_query *query;
	const struct log_walk *walk;
	const struct zone *zone; /* the guest's */
};

struct log_stream;
struct log_driver {
	/* Goes to the next entry and sets s->usec: 1, or 0 at the end.  Damage is told by log_failed() and stepped over. */
	int (*next)(struct log_stream *s, struct err *e);
	/* The whole of the present one: 1, or 0 when it is not to be had after all, which was told. */
	int (*entry)(struct log_stream *s, struct log_entry *out, struct err *e);
	void (*close)(struct log_stream *s); /* frees it */
};
struct log_stream {
	const struct log_driver *drv;
	int64_t usec; /* of the present entry: what the streams are merged by */
	size_t rank;  /* which was collected first */
};

/* Streams that are being collected. */
struct log_streams {
	struct log_stream **items;
	size_t n;
};
/* Takes s over, also in failure. */
int log_streams_add(struct log_streams *l, struct log_stream *s, struct err *e);

/* Each adds what the guest has of it. */
int journal_collect(const struct log_open *how, struct log_streams *out, struct err *e);
int syslog_collect(const struct log_open *how, struct log_streams *out, struct err *e);
int log_packages_collect(const struct log_open *how, struct log_streams *out, struct err *e);
int log_logins_collect(const struct log_open *how, struct log_streams *out, struct err *e);
int evtx_collect(const struct log_open *how, struct log_streams *out, struct err *e);

/* Tells what could not be read; out of memory and a stop go up as they are.  0 goes on. */
int log_failed(const struct log_walk *w, const char *path, const struct err *why, struct err *e);

/* Is the entry, by what journalctl looks at, one of the unit (a pattern)? */
bool journal_unit_is(const struct log_fields *f, const char *pattern);

#endif
