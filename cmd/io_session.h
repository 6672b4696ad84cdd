/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_session.h - the exerciser, "drydock io" and qemu-io: what its files share.
 *
 *	io.c		options, the command loop, help and quit
 *	io_text.c	numbers and reports as the peer prints them
 *	io_file.c	open, close, reopen, and questions about the open image
 *	io_data.c	read, write, readv, writev, discard, flush, truncate
 *	io_aio.c	aio_read, aio_write, aio_flush
 *	io_debug.c	break, resume, sleep, sigraise, abort ...
 *
 * A command prints on stdout what went wrong with a request, as the peer does, and returns IO_FAILED; the session goes
 * on, and its exit status tells.
 */
#ifndef DRYDOCK_IO_SESSION_H
#define DRYDOCK_IO_SESSION_H

#include "cmd.h"

#include <pthread.h>
#include <time.h>

enum io_answer { IO_OK, IO_FAILED, IO_QUIT };

/* How the image is to be opened; open and reopen change it. */
struct io_how {
	const char *format;
	bool read_only, temporary, copy_on_read, force_share, native_aio;
	bool options_given;  /* name is an option string */
	bool ignore_discard; /* discards do nothing, and zeros make no holes */
	enum dry_cache cache;
};

struct io_request;

struct io_session {
	const char *self; /* "qemu-io" or "drydock io": in front of messages */
	struct dry_image *img; /* NULL: none is open */
	struct io_how how;
	struct dry_opts *opts; /* of the open image, for reopen */
	struct dry_secrets *secrets; /* NULL: none */
	char *name;
	bool misalign;
	bool failed; /* some command has */

	/* aio: requests in flight, under the lock; idle is signalled when the last has ended */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned in_flight;
};

struct io_command {
	const char *name, *alias; /* alias may be NULL */
	enum io_answer (*run)(struct io_session *s, int argc, char **argv); /* argv[0] is the name */
	int argmin, argmax; /* -1: any number */
	bool without_image; /* may run when nothing is open */
	bool writes;	    /* refused on a read-only image */
	const char *args;   /* NULL: takes none */
	const char *oneline;
	const char *help;   /* NULL: the one line is all */
};

/* Tables end at name NULL. */
extern const struct io_command io_file_commands[], io_data_commands[], io_aio_commands[], io_debug_commands[],
	io_help_commands[];

/* The one-line usage of a command, after a wrong option; returns IO_FAILED. */
enum io_answer io_usage(const struct io_command *c);
/* "SELF: sentence" on stderr; returns IO_FAILED. */
__attribute__((format(printf, 2, 3))) enum io_answer io_error(const struct io_session *s, const char *fmt, ...);

/* ---- io_file.c ---- */

/* Opens name as s->how says; opts (taken over; may be NULL) are further options.  A failure is printed. */
enum io_answer io_open(struct io_session *s, const char *name, struct dry_opts *opts);
/* Waits for requests in flight, finishes and closes. */
enum io_answer io_close(struct io_session *s);
bool io_cache_mode(struct io_session *s, const char *name, enum dry_cache *out);
bool io_discard_mode(struct io_session *s, const char *name, bool *ignore);
bool io_aio_mode(struct io_session *s, const char *name, bool *native);

/* ---- io_text.c ---- */

#define IO_MAX_REQUEST 2147483136LL

/* A size argument; false with the sentence printed. */
bool io_number(const char *arg, uint64_t *out);
/* An offset and a length of at most IO_MAX_REQUEST. */
bool io_offset(const char *arg, uint64_t *out);
bool io_length(const char *arg, uint64_t *out);
/* A byte, decimal or 0x hex; false with the sentence printed. */
bool io_pattern(const char *arg, int *out);
/* "64 KiB", "97.656 KiB", "1 bytes"; returns buf. */
char *io_amount(double value, char *buf, size_t size);
struct timespec io_now(void);
/* The two lines (or with machine the one) that tell how a request went. */
void io_report(const char *op, struct timespec began, uint64_t off, uint64_t count, uint64_t total, unsigned ops,
	       bool machine);
void io_dump(const uint8_t *bytes, size_t len, uint64_t off);
/* "read failed: Input/output error" */
void io_print_failure(const char *op, const struct dry_error *e);

/* ---- io_specific.c ---- */

/* The text of dry_image_specific(), a fact a line. */
void io_print_specific(const char *text);

/* ---- io_aio.c ---- */

void io_drain(struct io_session *s);

/* ---- io_data.c ---- */

/* What read and write, readv and writev, aio_read and aio_write have in common. */
struct io_transfer {
	bool write, gathered; /* gathered: from several buffers */
	bool machine, quiet, dump, zero, unmap, no_fallback, fua, compressed, vmstate, invalid;
	int pattern;			   /* -1: none given */
	bool part_off, part_len;	   /* read: these were given: */
	uint64_t pattern_off, pattern_len; /* the part that is verified */
	const char *source;		   /* write: a file that gives the bytes */
	uint64_t off, len;
	unsigned vectors;
	uint8_t *buf; /* len bytes */
};
/* The work itself: all of it or an error. */
int io_transfer_read(struct io_session *s, struct io_transfer *t, struct dry_error *e);
int io_transfer_write(struct io_session *s, struct io_transfer *t, struct dry_error *e);
/* Prints the sentence and returns false when the bytes are not the pattern. */
bool io_transfer_verify(const struct io_transfer *t);
/*
 * Takes the options that `letters` names; optind is then the first operand.  false: a sentence or the usage was
 * printed.
 */
bool io_transfer_options(struct io_transfer *t, const struct io_command *self, const char *letters, int argc,
			 char **argv);
/* "off len [len..]" into off, len and vectors; false with the sentence printed. */
bool io_transfer_ranges(struct io_transfer *t, int argc, char **argv);

#endif
