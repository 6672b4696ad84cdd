/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.h - makes the files of an appliance from what this host has, without root and without mounts.
 *
 * What is built depends on the files that it is built from and on nothing else, and is called by a key over all of them: a
 * second build finds that it is done.  Everything is written into a folder of another name and gets its own when it is whole.
 * Of two builders at once, one waits for the other.
 */
#ifndef DRYDOCK_BUILD_H
#define DRYDOCK_BUILD_H

#include "err.h"

#include <stdbool.h>

struct appliance_build {
	const char *output;   /* the folder to make; NULL: one in the user's cache, which then finds it */
	const char *agent;    /* the agent's program; NULL: the one beside this program or installed with it */
	const char *kernel;   /* /boot/vmlinuz-RELEASE for QEMU; NULL: the best that is there */
	const char *packages; /* a folder of Debian packages, whose files are taken where this host has none; NULL: none */
	bool only_packages;   /* take nothing from this host */
	bool force;	      /* also when it is there already */
};

/*
 * *folder is where it is, to be freed; *made tells whether this call made it.  ERR_NOT_FOUND when a kernel or the agent is
 * missing.
 */
int appliance_build(const struct appliance_build *how, char **folder, bool *made, struct err *e);
/*
 * Removes appliances from the user's cache: those that are not the one in use, or all of them, and what killed builders left.
 * *removed counts the appliances.
 */
int appliance_clean(bool all, unsigned *removed, struct err *e);

#endif
