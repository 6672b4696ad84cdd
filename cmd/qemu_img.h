/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qemu_img.h - what the files of the qemu-img front end share.
 *
 * Called as qemu-img, the program takes that program's options, prints what version 7.2 of it prints and exits as it
 * exits, because scripts read those texts.  The library's own sentences differ; qemu_img_open.c and qemu_img_options.c
 * build the expected ones from what is known about the file, the options and the error's code.
 */
#ifndef DRYDOCK_QEMU_IMG_H
#define DRYDOCK_QEMU_IMG_H

#include "alloc.h"
#include "cmd.h"
#include "strbuf.h"

#include <getopt.h>

/* ---- qemu_img_util.c: messages, numbers, progress ---- */

/* "qemu-img: MESSAGE" on stderr. */
__attribute__((format(printf, 1, 2))) void qi_error(const char *fmt, ...);
/* For the `notice` of whatever opens images. */
void qi_notice(void *arg, const char *sentence);
/* The same, and how to get help; returns EXIT_FAILED. */
__attribute__((format(printf, 1, 2))) int qi_usage(const char *fmt, ...);
/* What getopt_long() returned stands for a wrong option: says so and returns EXIT_FAILED. */
int qi_bad_option(int c, char **argv);
int qi_help(void);
/* The text of a library error as the end of a sentence: the host's words for a host error, else the library's. */
const char *qi_reason(const struct dry_error *e);

/* Is it about a key (missing, unknown, wrong)?  Then appends the peer's sentence. */
bool qi_key_reason(struct strbuf *out, const struct dry_error *e);
/* The same for a failed read or write: damaged metadata is told on a line of its own, and is an I/O error. */
const char *qi_io_reason(const struct dry_error *e);

enum qi_number { QI_OK, QI_INVALID, QI_RANGE };
/* A size: decimal, hex or a fraction, with a suffix b k M G T P E in either case; leading blanks are fine. */
enum qi_number qi_parse_size(const char *text, uint64_t *out);
/* The same for an option of the command line, at most INT64_MAX; says what is wrong with "image size" and answers false. */
bool qi_size_option(const char *what, const char *text, uint64_t *out);
/* What is said about a parameter that is no size: the text after "qemu-img: " (with its hint lines). */
void qi_size_problem(struct strbuf *out, const char *name, const char *value, enum qi_number why);

enum qi_output { QI_HUMAN, QI_JSON };
/* --output: NULL is human; says what is wrong and answers false. */
bool qi_output_option(const char *text, enum qi_output *out);
/* The same with bounds of its own. */
bool qi_size_range(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* --object: adds a secret to *into, made when there is none yet; says what is wrong and answers false. */
bool qi_object_option(const char *text, struct dry_secrets **into);
/* What the peer adds to a sentence about an object: a line, or nothing. */
const char *qi_object_hint(const struct dry_error *e);
void qi_secrets_freep(struct dry_secrets **s); /* for CLEANUP */
/* Is it a list for -o?  Says what is wrong if not, else appends it to *all (with a comma between). */
bool qi_add_options(struct strbuf *all, const char *text);
/* Does a list for -o ask for help? */
bool qi_wants_help(const char *options);

struct qi_progress {
	bool shown;
	double step, last; /* per cent; last < 0: nothing was shown yet */
};
/* Shows 0 %; step is the least that is worth showing.  Also makes SIGUSR1 show the progress once. */
void qi_progress_begin(struct qi_progress *p, bool shown, double step);
/* For struct dry_progress. */
int qi_progress_run(void *progress, uint64_t done, uint64_t total);
void qi_progress_end(struct qi_progress *p);

/* ---- qemu_img_open.c ---- */

struct qi_name {
	const char *name;   /* path, json: or, with image_opts, options */
	const char *format; /* NULL: guess */
	bool image_opts;
	bool force_share;
	struct dry_secrets *secrets; /* NULL: none */
};
/* For CLEANUP, where the name owns its secrets. */
void qi_name_free(struct qi_name *n);
/*
 * How to open it: name (NULL: *opts alone tell), flags as qi_open() makes them of DRY_OPEN_*.  *opts belongs to the
 * caller.  Says what is wrong and returns false.
 */
bool qi_how(const struct qi_name *n, unsigned flags, enum dry_cache cache, const char **name, struct dry_open *how,
	    struct dry_opts **opts);
/*
 * Opens an image as the peer does: any backing file, guessed formats, locks.  flags are DRY_OPEN_*.  Says what is wrong
 * and returns false.
 */
bool qi_open(const struct qi_name *n, unsigned flags, enum dry_cache cache, const char *snapshot, struct dry_image **out);
/*
 * The same for reading, showing an internal snapshot: "ID_OR_NAME", or "snapshot.id=ID,snapshot.name=NAME" with either
 * or both; NULL: the present.
 */
bool qi_open_snapshot(const struct qi_name *n, const char *snapshot, enum dry_cache cache, struct dry_image **out);
/* A cache mode by name: says "Invalid WHAT option" and returns false when there is none. */
bool qi_cache_option(const char *what, const char *text, enum dry_cache *out);
/*
 * Why a file could not be opened, as the peer says behind "Could not open 'NAME': ", found out from the file itself.
 * e is what the library said.
 */
void qi_why_not(struct strbuf *out, const char *name, const char *format, unsigned flags, const struct dry_error *e);
/* The same for what was opened by name, or (NULL) by how->opts alone. */
void qi_open_reason(struct strbuf *out, const char *name, const struct dry_open *how, const struct dry_error *e);
/* The host file in a name ("file:x", json:); free() it; NULL: there is none. */
char *qi_host_path(const char *name);
/*
 * May a file be made anew at path?  false when an existing file there is in use, also by ourselves: *why is then the
 * peer's sentence.
 */
bool qi_replaceable(const char *path, struct strbuf *why);
/* The size of a disk as the peer sees it, in whole sectors. */
uint64_t qi_disk_size(const struct dry_image *img);
void qi_image_closep(struct dry_image **img); /* for CLEANUP */
void qi_opts_freep(struct dry_opts **o);

/* ---- qemu_img_options.c: what create, convert and measure take behind -o ---- */

/*
 * Parses a list for -o against the options of a format (and, with `protocol`, those of host files), normalising
 * numbers.  On failure *why is the peer's sentence, and false is returned.
 */
bool qi_parse_options(struct dry_opts *into, const char *format, bool protocol, const char *options,
		      struct strbuf *why);
/* The same of what amend takes, and its listing. */
bool qi_parse_amend(struct dry_opts *into, const char *format, const char *options, struct strbuf *why);
int qi_print_amend(const char *format);
/* The listing of -o help. */
int qi_print_options(const char *format, const char *filename);
/* The tail of the "Formatting" line: every option given or with a default, in the peer's order. */
void qi_describe_options(struct strbuf *out, const char *format, const struct dry_opts *opts);
/* What the format itself finds wrong with the options, the peer's sentence; false when there is nothing. */
bool qi_options_problem(struct strbuf *why, const char *format, const struct dry_opts *opts,
			const struct dry_secrets *secrets);
/* What went wrong when an image was made, from the library's error: the peer's sentence. */
void qi_create_problem(struct strbuf *why, const char *path, const char *format, const struct dry_error *e);

/* ---- qemu_img_json.c ---- */

/* Appends a JSON text in the peer's layout, at an indentation of `level` steps of four. */
void qi_json_pretty(struct strbuf *out, const char *json, unsigned level);
/* Appends the members of a JSON object as lines for people: dashes in names become blanks. */
void qi_json_human(struct strbuf *out, const char *json, unsigned level);

/* ---- qemu_img_info.c ---- */

/* "Snapshot list:" and a line for each; nothing when there is none. */
void qi_print_snapshots(const struct dry_snapshot *list, size_t n);

/* ---- one each ---- */

int qemu_img_amend(int argc, char **argv);
int qemu_img_bench(int argc, char **argv);
int qemu_img_bitmap(int argc, char **argv);
int qemu_img_commit(int argc, char **argv);
int qemu_img_dd(int argc, char **argv);
int qemu_img_rebase(int argc, char **argv);
int qemu_img_snapshot(int argc, char **argv);

int qemu_img_create(int argc, char **argv);
int qemu_img_info(int argc, char **argv);
int qemu_img_convert(int argc, char **argv);
int qemu_img_check(int argc, char **argv);
int qemu_img_map(int argc, char **argv);
int qemu_img_compare(int argc, char **argv);
int qemu_img_measure(int argc, char **argv);
int qemu_img_resize(int argc, char **argv);

#endif
