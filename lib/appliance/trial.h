/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trial.h - is an appliance of any use here: each backend is started once, asked, and ended. */
#ifndef DRYDOCK_TRIAL_H
#define DRYDOCK_TRIAL_H

#include "launch.h"

struct appliance_trial {
	enum appliance_backend backend; /* that answered */
	unsigned launch_ms;		/* until the agent was there */
	char *kernel;			/* that it runs on; to be freed */
};

/*
 * Starts the appliance of that folder (NULL: the one that is found) with that backend, asks the agent for an answer, runs a
 * program of its tools, and powers it off.  To be called before the process confines itself or makes threads.
 */
int appliance_try(const char *folder, enum appliance_backend backend, struct appliance_trial *out, struct err *e);

#endif
