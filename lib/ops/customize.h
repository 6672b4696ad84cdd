/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * customize.h - a guest made as somebody wants it: operations with names, in the order in which they are given.
 *
 * They are taken first, when the host's files that they name are read or opened, and done later, by a process that may be
 * confined.  The table says what each is called, which argument it has, and what it does.
 */
#ifndef DRYDOCK_CUSTOMIZE_H
#define DRYDOCK_CUSTOMIZE_H

#include "accounts.h"
#include "line_edit.h"
#include "reg_text.h"
#include "tree.h"
#include "windows_media.h"

struct customize_item;
struct customize_job;
struct customize_op {
	const char *name; /* "append-line" */
	const char *arg;  /* its form, "FILE:LINE"; NULL: it has none */
	const char *help;
	const char *say;  /* what is told when it is done: %a and %b are the parts of the argument */
	/* Judges the argument, which lies in item->text and, split at its first colon, in a and b. */
	int (*judge)(struct customize_item *item, struct err *e);
	int (*run)(struct customize_job *job, const struct customize_item *item, struct err *e);
	bool split;    /* the argument has two parts */
	bool own;      /* the peer's virt-customize does not have it */
	bool machine;  /* a program of the guest is run */
};
/* NULL past the end. */
const struct customize_op *customize_op_at(size_t i);

struct customize_item {
	const struct customize_op *op;
	char *text;	    /* the argument; wiped when it may hold a secret */
	const char *a, *b;  /* its parts: b NULL where it is not split */
	struct password password;
	struct line_edit *edit;
	uint32_t mode, uid, gid;
	int fd;		    /* of a file to be uploaded; -1: none */
	uint8_t *bytes;	    /* of a script or key */
	struct windows_media *media; /* NULL: none */
	size_t len;
};
struct customize {
	struct customize_item *items;
	size_t n;
	enum password_hash hash;
	bool relabel, no_relabel, relabel_at_boot;
	char **unlabelled; /* what keeps the labels that it has */
	size_t nunlabelled;
};
#define CUSTOMIZE_INIT { NULL, 0, PASSWORD_HASH_GUEST, false, false, false, NULL, 0 }
void customize_free(struct customize *z); /* for CLEANUP */
/* Takes one; arg NULL: none was given.  ERR_USAGE for an operation or argument that is wrong. */
int customize_add(struct customize *z, const char *name, const char *arg, struct err *e);
/* Is anything of the guest's run? */
bool customize_runs(const struct customize *z);
/* The i-th file or folder of the host that is read only when the operation is done; NULL past the end. */
const char *customize_host_path(const struct customize *z, size_t i);

struct customize_job {
	struct tree *tree;
	/* What is done, and what programs say (stream 1 or 2); NULL: nobody wants to know. */
	void (*say)(void *arg, const char *line);
	int (*output)(void *arg, int stream, const void *bytes, size_t len, struct err *e);
	/* Unpacks an archive of the host, which is open, in a folder that is there; NULL: there is nobody who could. */
	int (*unpack)(void *arg, int fd, const char *folder, struct err *e);
	/* Makes the changes to the registry of a Windows; NULL: there is nobody who could. */
	int (*registry)(void *arg, const struct reg_edits *edits, struct err *e);
	void *arg;
	struct reg_edits edits; /* what was gathered for it */
};
/*
 * Does all, in their order; but passwords are set when all else is done, so that who was made meanwhile can have one, and labels
 * are given at the very end.
 */
int customize_run(const struct customize *z, struct customize_job *job, struct err *e);
/* Runs a program of the guest; any status but 0 is an error, with the last line that it said. */
int customize_program(struct customize_job *job, const char *const *argv, struct err *e);
/* Tells a sentence, if somebody wants to know. */
__attribute__((format(printf, 2, 3))) void customize_say(struct customize_job *job, const char *fmt, ...);

/* ---- customize_files.c, customize_guest.c, customize_windows.c: the functions of the table ---- */

#define CUSTOMIZE_TAKE(name) int take_##name(struct customize_item *item, struct err *e);
#define CUSTOMIZE_RUN(name)                                                                                            \
	int run_##name(struct customize_job *job, const struct customize_item *item, struct err *e);
CUSTOMIZE_TAKE(path) CUSTOMIZE_TAKE(two_paths) CUSTOMIZE_TAKE(upload) CUSTOMIZE_TAKE(copy_in) CUSTOMIZE_TAKE(chmod)
CUSTOMIZE_TAKE(chown) CUSTOMIZE_TAKE(edit) CUSTOMIZE_TAKE(link)
CUSTOMIZE_RUN(append_line) CUSTOMIZE_RUN(chmod) CUSTOMIZE_RUN(chown) CUSTOMIZE_RUN(copy) CUSTOMIZE_RUN(copy_in)
CUSTOMIZE_RUN(delete) CUSTOMIZE_RUN(edit) CUSTOMIZE_RUN(link) CUSTOMIZE_RUN(mkdir) CUSTOMIZE_RUN(move) CUSTOMIZE_RUN(scrub)
CUSTOMIZE_RUN(tar_in) CUSTOMIZE_RUN(touch) CUSTOMIZE_RUN(truncate) CUSTOMIZE_RUN(truncate_recursive)
CUSTOMIZE_RUN(upload) CUSTOMIZE_RUN(write)

CUSTOMIZE_TAKE(script) CUSTOMIZE_TAKE(password) CUSTOMIZE_TAKE(root_password) CUSTOMIZE_TAKE(ssh_inject) CUSTOMIZE_TAKE(user)
CUSTOMIZE_TAKE(packages) CUSTOMIZE_TAKE(command) CUSTOMIZE_TAKE(word)
CUSTOMIZE_RUN(firstboot) CUSTOMIZE_RUN(firstboot_command) CUSTOMIZE_RUN(firstboot_install) CUSTOMIZE_RUN(hostname)
CUSTOMIZE_RUN(install) CUSTOMIZE_RUN(machine_id) CUSTOMIZE_RUN(script) CUSTOMIZE_RUN(command) CUSTOMIZE_RUN(ssh_inject)
CUSTOMIZE_RUN(timezone) CUSTOMIZE_RUN(uninstall) CUSTOMIZE_RUN(update) CUSTOMIZE_RUN(user) CUSTOMIZE_RUN(password)

CUSTOMIZE_TAKE(media)
CUSTOMIZE_RUN(inject_blnsvr) CUSTOMIZE_RUN(inject_qemu_ga) CUSTOMIZE_RUN(inject_virtio_win)

#endif
