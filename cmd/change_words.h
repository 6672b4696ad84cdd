/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change_words.h - what users call permissions and owners, and the frame of small commands that change a guest. */
#ifndef DRYDOCK_CHANGE_WORDS_H
#define DRYDOCK_CHANGE_WORDS_H

#include "change_opts.h"

/*
 * What chmod(1) makes of a mode: octal digits, or words like "u=rwX,go-w".  Where none of "ugoa" is said, all are meant.  false:
 * it is none.
 */
bool change_mode_parse(const char *text, uint32_t old, bool is_dir, uint32_t *out);
/* The same; what is none is told: 0 or EXIT_USAGE. */
int change_mode(const char *verb, const char *text, uint32_t old, bool is_dir, uint32_t *out);
/*
 * "USER", "USER:GROUP", ":GROUP", or "USER:", whose group is that of the user; by the names in the guest's own /etc/passwd and
 * /etc/group, else by numbers.  What is not said stays as it is in *uid, *gid.  0, or the exit status with a sentence printed.
 */
int change_owner(struct change_job *job, const char *text, uint32_t *uid, uint32_t *gid);

/* Parses the options, runs, and closes standard output; the exit status. */
int change_main(const struct usage *u, const struct opt *opts, struct change_opts *o, int argc, char **argv,
		int (*run)(void *arg, int argc, char **argv), void *arg);

/* A path as the operand says it: NULL is the root. */
const char *change_path(const struct change_job *job, size_t item);
/* The facts of what is there; its last symlink is followed when `follow` says so.  0, or EXIT_FAILED with a sentence printed. */
int change_stat(struct change_job *job, const char *path, bool follow, struct dry_node *node, struct dry_stat *st);

#endif
