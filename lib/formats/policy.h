/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h - which host files, and which addresses on a network, an image may name.
 *
 * An image is a stranger's claim, and so is the name of its backing file: a raw disk whose guest wrote a qcow2 header
 * into it could name any file of the host.  Only what lies in the image's own folder (links resolved), or under a
 * path the user allowed, is opened.
 *
 * An address is a door, too: whoever opens it tells a stranger that, and from where, and reaches servers that only this
 * host can.  An image on this host never reaches the network by itself; one that came from a web server may name what
 * lies in its own folder there.  And nothing that came from the network names a file of this host.
 */
#ifndef DRYDOCK_POLICY_H
#define DRYDOCK_POLICY_H

#include "block.h"

/* The real path to open in *out (free() it), or ERR_POLICY with the sentence for the user. */
int policy_admit(const struct block_policy *p, const char *image_path, const char *named_path, char **out,
		 struct err *e);
/*
 * The same for an address: admitted as it is, or ERR_POLICY.  image: where the image that names it is, an address or a
 * path.  Addresses are allowed by name as files are: one of them, or a folder, which ends with "/".
 */
int policy_admit_address(const struct block_policy *p, const char *image, const char *address, struct err *e);

#endif
