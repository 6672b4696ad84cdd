/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cp_in.h - the way of drydock cp into a guest. */
#ifndef DRYDOCK_CP_IN_H
#define DRYDOCK_CP_IN_H

#include "change_opts.h"

struct cp_in {
	struct change_opts *change;
	bool recursive, no_preserve, no_owner, no_xattrs, all_xattrs, setuid;
};
/*
 * Is the last operand in a guest?  IMAGE:/path, or with -a or -d ":/path", and then *target is what change_begin() takes;
 * NULL: it is of the host.
 */
void cp_in_target(const struct change_opts *o, char *last, char **target);
/* Copies the sources to the target.  The exit status. */
int cp_in(const struct cp_in *c, size_t nsources, char **sources, char *target);

#endif
