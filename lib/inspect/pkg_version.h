/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkg_version.h - which of two versions is the newer one, by the rules of a package format. */
#ifndef DRYDOCK_PKG_VERSION_H
#define DRYDOCK_PKG_VERSION_H

#include "pkg.h"

/*
 * < 0, 0, > 0: a is older than, as old as, newer than b.  Epochs first, then versions, then releases, where both have one; of
 * "deb", "rpm", "apk", "ebuild" and "pacman" by their own rules, of any other format by those of deb.
 */
int pkg_version_order(const char *format, const struct package *a, const struct package *b);

#endif
