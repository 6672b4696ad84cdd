/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tar_in.h - drydock tar --extract: an archive unpacked in a guest. */
#ifndef DRYDOCK_TAR_IN_H
#define DRYDOCK_TAR_IN_H

#include "change_opts.h"

/* archive "-": standard input.  The exit status. */
int tar_in(struct change_opts *o, const char *archive, bool no_xattrs, int argc, char **argv);

#endif
