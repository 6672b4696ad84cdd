/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deb.h - the files of a Debian package, put into a folder: for those who cannot install it. */
#ifndef DRYDOCK_DEB_H
#define DRYDOCK_DEB_H

#include "err.h"

/*
 * Unpacks the package into the folder `into`, a descriptor: folders, regular files and symlinks, hard links as such; what else
 * there may be is left out.  A path that leads out of the folder, by itself or through a link, is ERR_CORRUPT.
 */
int deb_unpack(const char *path, int into, struct err *e);

#endif
