/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - all that one appliance is to be made from, known before anything is written, and the key over it. */
#ifndef DRYDOCK_PLAN_H
#define DRYDOCK_PLAN_H

#include "kernels.h"
#include "strbuf.h"
#include "tools.h"

struct plan {
	struct sources sources;
	struct kernel uml, pc; /* release NULL: none */
	struct tools tools;
	char *agent_path;
	void *agent;
	size_t agent_len;
	char key[65]; /* SHA-256 in hex */
};

/*
 * Looks for everything.  The sources are the caller's, in the order in which they are to be asked, and become the plan's.
 * `kernel` and `agent` as in build.h.
 */
int plan_make(struct plan *p, const char *kernel, const char *agent, struct err *e);
void plan_free(struct plan *p); /* for CLEANUP; zeroed is fine */
/* The filesystems that a kernel mounts, by itself or by a program among the tools; blanks between. */
int plan_filesystems(const struct plan *p, const struct kernel *k, struct strbuf *out, struct err *e);

#endif
