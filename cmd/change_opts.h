/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * change_opts.h - what every command that changes a guest shares: its options, opening and confining, the change's beginning,
 * and its end: into the image, or told and thrown away.
 *
 *	struct mkdir c = { .change = CHANGE_OPTS_INIT };
 *	const struct opt opts[] = { CHANGE_OPTS(&c.change, 'd'), ..., OPT_END };
 *	...
 *	status = change_begin("mkdir", &c.change, argc, argv, NULL, &job);
 *	for (size_t i = 0; i < job.set.nitems && !status; i++)
 *		if (work(job.c, job.set.items[i].path, &e) < 0)
 *			status = change_fail(&job, &e);
 *	status = change_end(&job, status);
 */
#ifndef DRYDOCK_CHANGE_OPTS_H
#define DRYDOCK_CHANGE_OPTS_H

#include "guest_opts.h"
#include "json.h"
#include "progress.h"

struct change_opts {
	struct guest_opts guest;
	bool dry_run, inspect, json;
	const char *undo; /* NULL: nothing is kept */
	int progress; /* enum progress_mode: PROGRESS_OPT(&o.progress) */
};

#define CHANGE_OPTS_INIT { .progress = PROGRESS_AUTO }
/* domain_letter: of --domain, 0 where the command's own -d is another option. */
#define CHANGE_OPTS(o, domain_letter)                                                                                  \
	GUEST_OPTS(&(o)->guest), GUEST_OPT_DOMAIN(&(o)->guest, domain_letter), GUEST_OPT_MOUNT(&(o)->guest),           \
	OPT_FLAG('i', "inspector", &(o)->inspect, "mount what the guest itself would; the default without -m"),        \
	OPT_FLAG('n', "dry-run", &(o)->dry_run, "print what would change, and change nothing"),                         \
	OPT_STRING(0, "undo-file", "FILE", &(o)->undo, "keep there what \"drydock undo\" needs to go back"),             \
	PROGRESS_OPT(&(o)->progress), OPT_FLAG(0, "json", &(o)->json, "print JSON")

void change_opts_free(struct change_opts *o); /* for CLEANUP */

/* What a command needs of the host once it is confined. */
struct change_host {
	const char *const *read_paths; /* files and folders that may still be opened for reading */
	size_t nread;
	int write_dir;	 /* a folder in which files may be made; -1: none */
	bool terminal;	 /* the terminal's settings may be changed */
	bool guess_write; /* a raw format may be guessed, as the peers do */
	bool keep_images; /* never write to the images: all is thrown away at the end (--ro) */
	bool all_volumes; /* as in struct dry_change_how */
	bool nothing_mounted; /* neither -i nor -m mean that nothing is mounted, not that the guest is looked for */
};

/* One change of one guest. */
struct change_job {
	const struct change_opts *opts;
	const char *verb;
	struct guest_set set; /* its one guest, and the operands: items[i].path */
	struct guest_ref *ref; /* the guest, for guest_say() and the like */
	struct dry_guest *g;
	struct dry_change *c;
	struct progress bar;
	struct dry_change_result result; /* after change_end() */
};

/*
 * Takes operands as guest_set_paths() does (argv NULL: there are none, the guest is that of -a or -d), which must be about one
 * guest; opens it, confines the process, and begins the change.  host NULL: nothing is needed of it.  0, or the exit status with a
 * sentence printed.  change_end() follows in either case.
 */
int change_begin(const char *verb, struct change_opts *o, int argc, char **argv, const struct change_host *host,
		 struct change_job *job);
/* "drydock: IMAGE: MESSAGE": EXIT_FAILED, or EXIT_USAGE for DRY_USAGE. */
int change_fail(const struct change_job *job, const struct dry_error *e);
/* The same, with the path that the message does not name. */
int change_fail_path(const struct change_job *job, const char *path, const struct dry_error *e);
/*
 * With status 0 commits, or with --dry-run prints what would have changed; else abandons.  Frees what the job has.  The exit
 * status.
 */
int change_end(struct change_job *job, int status);
/* What was done so far is kept, whatever comes: 0, or the exit status with a sentence printed.  Not with --dry-run: then 0. */
int change_checkpoint(struct change_job *job);

#endif
