/* SPDX-License-Identifier: GPL-2.0-or-later */
/* customize.h - operations on a guest, as the commands of our own and under the peers' names take and do them. */
#ifndef DRYDOCK_CUSTOMIZE_CMD_H
#define DRYDOCK_CUSTOMIZE_CMD_H

#include "change_opts.h"

/* Room in tables of options: more than there are operations. */
#define CUSTOMIZE_OPS 64

struct customize_job {
	struct dry_customize *ops;
	struct dry_hive_writer *writer; /* NULL: there is no libhivex */
	struct opt_list paths; /* of the host, that are read later */
	bool quiet;	       /* what programs say is not printed */
	uint64_t seconds, max_output;
	bool network; /* of programs */
	/* What is done, safe for a terminal; NULL: nobody wants to know. */
	void (*say)(void *arg, const char *line);
	void *arg;
};
void customize_job_free(struct customize_job *z); /* for CLEANUP */
/* Takes the operations, before anything is confined: 0, or < 0 with *e filled. */
int customize_take(struct customize_job *z, const struct opt_events *events, struct dry_error *e);
/* The operations as options, which are noted in their order; OPT_END is behind them. */
void customize_opts(struct opt opts[CUSTOMIZE_OPS + 1], struct opt_events *events);
/* How they are done; lent from z. */
struct dry_customize_how customize_how(struct customize_job *z);
/* Does them: 0, or < 0 with *e filled. */
int customize_do(struct customize_job *z, struct dry_change *c, struct dry_error *e);

#endif
