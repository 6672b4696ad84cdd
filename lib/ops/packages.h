/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packages.h - the words by which a guest's own package manager is told to do something. */
#ifndef DRYDOCK_PACKAGES_H
#define DRYDOCK_PACKAGES_H

#include "tree.h"

enum package_job { PACKAGES_INSTALL, PACKAGES_UNINSTALL, PACKAGES_UPDATE };
/*
 * A script for the guest's /bin/sh, appended: names are those of packages between commas (not for an update).  ERR_USAGE for a
 * name that no package has, ERR_UNSUPPORTED for a manager that is not known.
 */
int packages_script(const struct os *os, enum package_job job, const char *names, struct strbuf *out, struct err *e);

#endif
