/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h - which host files an image may name.
 *
 * An image is a stranger's claim, and so is the name of its backing file: a raw disk whose guest wrote a qcow2 header
 * into it could name any file of the host.  Only what lies in the image's own folder (links resolved), or under a
 * path the user allowed, is opened.
 */
#ifndef DRYDOCK_POLICY_H
#define DRYDOCK_POLICY_H

#include "block.h"

/* The real path to open in *out (free() it), or ERR_POLICY with the sentence for the user. */
int policy_admit(const struct block_policy *p, const char *image_path, const char *named_path, char **out,
		 struct err *e);

#endif
