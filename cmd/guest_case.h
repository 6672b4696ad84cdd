/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_case.h - paths whose case is not right, as on Windows. */
#ifndef DRYDOCK_GUEST_CASE_H
#define DRYDOCK_GUEST_CASE_H

#include "drydock.h"

/*
 * The path as the guest has it: each component that is not there is looked for in any case.  The last one need not be there.
 * free() it.  DRY_NOT_FOUND: there is no such folder.
 */
int guest_case_path(struct dry_guest *g, const char *path, char **out, struct dry_error *e);

#endif
