/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_side.h - a second process of ours that does on the host what the confined one may not do any more: reads and writes files
 * that are named later, starts the editor and the programs that the user names.
 *
 * It is forked before anything of a guest is opened, never sees a byte of an image, and does what it is asked over a socket.
 * Before a guest is opened it is told what it may be asked for (host_only()), or it reads the user's script by itself: who asks is
 * confined because it may be taken over, and gets what the user's own words name and nothing else.  One thing is asked at a time.
 */
#ifndef DRYDOCK_HOST_SIDE_H
#define DRYDOCK_HOST_SIDE_H

#include "drydock.h"
#include "host_allow.h"
#include "strbuf.h"

#include <stdio.h>

struct host_side;
/* Before images are opened, threads made and the process confined. */
int host_side_start(struct host_side **out, struct dry_error *e);
/* A script that the process reads: lines of a file, or words with ":" between commands. */
struct host_script {
	FILE *from; /* NULL: the words */
	char **words;
	size_t nwords;
	/* Notes what a line or a command asks for. */
	void (*allow_line)(struct host_allowed *a, const char *line);
	void (*allow_words)(struct host_allowed *a, char *const *word, size_t n);
};
int host_side_start_script(struct host_side **out, const struct host_script *script, struct dry_error *e);
void host_side_stop(struct host_side *h); /* NULL is fine */
/*
 * From now on it does these things and no others, except what the line of the script asks for that was given last.  Before a guest
 * is opened; once.
 */
int host_only(struct host_side *h, const struct host_allowed *a, struct dry_error *e);
/* The next line of the script without its end, or the words of a command, a NUL behind each; *number 0: there is no more. */
int host_line(struct host_side *h, struct strbuf *out, int *number, struct dry_error *e);

/* ---- what comes from the host: after one of these, host_read() up to its end ---- */

/* The content of a file; "-" is standard input. */
int host_open(struct host_side *h, const char *path, struct dry_error *e);
/*
 * Trees as a tar archive, paths[i] under the name names[i] ("": what is in it goes where the archive goes); see host_tar.h for
 * flags.
 */
int host_tree(struct host_side *h, const char *const *paths, const char *const *names, size_t n, unsigned flags,
	      struct dry_error *e);
/* What a command of the user's prints. */
int host_output(struct host_side *h, const char *command, struct dry_error *e);
/* *got 0: that was all, and it ended well.  Any error is the end, too. */
int host_read(struct host_side *h, void *buf, size_t len, size_t *got, struct dry_error *e);

/* ---- what goes to the host: after one of these, host_write(), then host_finish() ---- */

/* A file, which is made or replaced; "-" is standard output. */
int host_create(struct host_side *h, const char *path, struct dry_error *e);
/* A command of the user's, which reads it.  It need not read to the end. */
int host_pipe(struct host_side *h, const char *command, struct dry_error *e);
/* A program that compresses, into a file; "-" is standard output, or what reads it (behind, NULL: nothing). */
int host_pack(struct host_side *h, const char *program, const char *path, const char *behind, struct dry_error *e);
/* An archive, unpacked in a folder: what is in it into the folder of that name, or the one file of that name. */
int host_unpack(struct host_side *h, const char *folder, const char *name, bool is_folder, struct dry_error *e);
int host_write(struct host_side *h, const void *buf, size_t len, struct dry_error *e);
/* status: of a command, as waitpid() tells; else NULL. */
int host_finish(struct host_side *h, int *status, struct dry_error *e);

/* ---- the rest ---- */

/*
 * The user's editor ($EDITOR, else vi) on a text, in a temporary file with an ending like name's: *changed tells whether another
 * text came back, in out.
 */
int host_edit(struct host_side *h, const char *name, const void *text, size_t len, struct strbuf *out, bool *changed,
	      struct dry_error *e);
/* A command of the user's, at the terminal. */
int host_run(struct host_side *h, const char *command, int *status, struct dry_error *e);
/* The folder in which all this is done. */
int host_chdir(struct host_side *h, const char *path, struct dry_error *e);
/* A variable of its environment; value NULL removes it. */
int host_setenv(struct host_side *h, const char *name, const char *value, struct dry_error *e);

#endif
