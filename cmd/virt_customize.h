/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_customize.h - what virt-customize and virt-sysprep share: the operations as options, and what is told. */
#ifndef DRYDOCK_VIRT_CUSTOMIZE_H
#define DRYDOCK_VIRT_CUSTOMIZE_H

#include "customize.h"
#include "virt_change.h"

#include <time.h>

/* Long options: those of the tool, of operations, and what is left over. */
enum {
	VIRT_CUSTOMIZE_OP = VIRT_OWN + 100, /* the operations, by their index in `ops` */
	VIRT_CUSTOMIZE_SM = VIRT_CUSTOMIZE_OP + CUSTOMIZE_OPS, /* of subscription-manager */
};
#define VIRT_CUSTOMIZE_OPTIONS 120

struct virt_customize {
	struct virt v;
	struct option options[VIRT_CUSTOMIZE_OPTIONS];
	size_t noptions;
	struct opt_events events;
	struct customize_job job;
	bool quiet, dry_run, network;
	uint64_t memsize, smp;
	struct timespec began;
	struct dry_change *change;
};

/* The tool's own options (ending with an empty one), and behind them the operations. */
void virt_customize_options(struct virt_customize *z, const struct option *own);
/* Handles what all tools share: VIRT_GO_ON or the exit status. */
int virt_customize_option(struct virt_customize *z, int option, const char *long_name);
/* Takes the operations, opens the guest and begins: VIRT_GO_ON or the exit status. */
int virt_customize_begin(struct virt_customize *z);
/* "virt-customize: error: SENTENCE"; EXIT_FAILED. */
int virt_customize_fail(const struct virt_customize *z, const char *sentence);
/* "[   1.2] SENTENCE", unless it shall be quiet. */
void virt_customize_say(void *z, const char *line);
/* With EXIT_DONE keeps the change, unless it is a dry run; frees all.  The exit status. */
int virt_customize_end(struct virt_customize *z, int status);

#endif
