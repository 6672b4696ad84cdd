/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_img_node.h - what the peer says about options of a node that cannot be. */
#ifndef DRYDOCK_QEMU_IMG_NODE_H
#define DRYDOCK_QEMU_IMG_NODE_H

#include "cmd.h"
#include "strbuf.h"

#include <stdbool.h>

/* After a failed open (e) with these options: appends the peer's sentence; false when it is not about them. */
bool qi_node_problem(struct strbuf *out, const struct dry_opts *opts, const struct dry_error *e);

#endif
