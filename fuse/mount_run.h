/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount_run.h - a mount as "drydock mount" and guestmount have it: what was asked for, and the work of its server. */
#ifndef DRYDOCK_MOUNT_RUN_H
#define DRYDOCK_MOUNT_RUN_H

#include "mount.h"

struct mount_run {
	const struct libfuse *f;
	const char *name; /* that sentences begin with */
	struct guest_opts *opts;
	struct guest_set set; /* one guest; not opened */
	const char *mountpoint;
	struct mount_opts mount;
	bool blocks, write, foreground;
	bool live;	      /* of files that are read: others change them */
	bool discard;	      /* with write, of files: nothing is kept */
	uint64_t commit_every; /* likewise: seconds, 0: only at the end */
	bool guess_write;     /* also where raw was only guessed */
	bool trust_backing; /* follow every backing file, as the peers do */
	int ready_fd;
	const char *pid_file;
	char **names; /* of snapshots: theirs, and those of their files */
	size_t nnames;
};
#define MOUNT_RUN_INIT(sentence_name, guest_options)                                                                   \
	{                                                                                                              \
		.name = (sentence_name), .opts = (guest_options), .ready_fd = -1, .mount = {                           \
			.attr_timeout = -1,                                                                            \
			.entry_timeout = -1,                                                                           \
			.negative_timeout = -1,                                                                        \
		},                                                                                                     \
	}

/* Mounts it: the exit status. */
int mount_run(struct mount_run *r);
void mount_run_free(struct mount_run *r);

#endif
