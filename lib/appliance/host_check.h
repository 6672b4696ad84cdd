/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_check.h - what this host can do for us, found out by trying, and what could be installed to have more.
 */
#ifndef DRYDOCK_HOST_CHECK_H
#define DRYDOCK_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum host_state {
	HOST_GOOD,
	HOST_POOR,    /* it goes without */
	HOST_MISSING, /* something does not work without */
};

struct host_fact {
	const char *name; /* "kvm" */
	enum host_state state;
	char text[300];	  /* what was found */
	char install[160]; /* what to install, or to do; "" when there is nothing */
};

#define HOST_FACTS 16

struct host_check {
	struct host_fact facts[HOST_FACTS];
	size_t n;
	bool appliance; /* one of its backends can be started */
};

void host_check(struct host_check *out);

#endif
