/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt_change.h - a guest that is changed under a peer's name: its beginning and end, and the words in which they fail. */
#ifndef DRYDOCK_VIRT_CHANGE_H
#define DRYDOCK_VIRT_CHANGE_H

#include "change_opts.h"
#include "virt.h"

/*
 * Opens v's images as one guest, confines the process, and begins a change with what -m says, or what inspection finds:
 * VIRT_GO_ON or the exit status.  v->guest is that guest.  virt_change_end() follows in either case.  host NULL: nothing of the
 * host is needed; of it, what is to be read and keep_images count.
 */
int virt_change_begin(struct virt *v, const struct change_host *host, struct dry_change **out);
/* With status EXIT_DONE keeps what was changed, else nothing.  The exit status. */
int virt_change_end(struct virt *v, struct dry_change *c, int status);

#endif
