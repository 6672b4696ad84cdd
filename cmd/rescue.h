/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rescue.h - a shell in the appliance: what "drydock rescue" and virt-rescue share. */
#ifndef DRYDOCK_RESCUE_H
#define DRYDOCK_RESCUE_H

#include "guest_opts.h"

#define RESCUE_ESCAPE 0x1d /* ^] */

struct rescue {
	const char *name; /* that sentences begin with: "drydock", "virt-rescue" */
	struct guest_opts *opts;
	bool inspect, suggest;
	int escape; /* the key, -1: none */
};

/* The image that stands for a disk of nothing, whose writes are thrown away. */
extern const char rescue_scratch[];
/* "none", "^x", or a character: false when it is none of these. */
bool rescue_escape_parse(const char *text, int *out);

/*
 * Runs the shell in the guest of that set, whose opts.mounts are mounted; the set was opened with the appliance.  The exit
 * status.
 */
int rescue_run(const struct rescue *r, struct guest_ref *g);

/*
 * rescue_tty.c: the user's terminal and the shell until one of them ends.  `mounts` tells what of the guest is to be mounted;
 * `info` is what the escape key's "i" prints; NULL: there is nothing.  0, or < 0 with *e filled.
 */
int rescue_talk(struct dry_guest *g, const struct dry_shell_how *mounts, const struct rescue *r, const char *info,
		struct dry_error *e);

#endif
