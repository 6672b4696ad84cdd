/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_side.h - a second process of ours that does on the host what the confined one may not do any more: reads and writes files
 * that are named later, starts the editor and the programs that the user names.
 *
 * It is forked before anything of a guest is opened, never sees a byte of an image, and does what it is asked over a socket:
 * the words are the user's, and what it gets of the guest are contents, never names.  One thing is asked at a time.
 */
#ifndef DRYDOCK_HOST_SIDE_H
#define DRYDOCK_HOST_SIDE_H

#include "drydock.h"
#include "strbuf.h"

struct host_side;
/* Before images are opened, threads made and the process confined. */
int host_side_start(struct host_side **out, struct dry_error *e);
void host_side_stop(struct host_side *h); /* NULL is fine */

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
