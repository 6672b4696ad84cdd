/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm.h - the three databases in which rpm has kept its packages, each giving headers; and what is in a header.
 *
 * All of them are a stranger's files of any size: each is read in place, a page or a header at a time.
 */
#ifndef DRYDOCK_RPM_H
#define DRYDOCK_RPM_H

#include "pkg.h"

/* Called with each header, as the database has it; its answer, when it is not 0, ends the walk and is returned. */
typedef int (*rpm_header_fn)(void *arg, const uint8_t *header, size_t len, struct err *e);

/* rpm_sqlite.c: the table Packages of rpmdb.sqlite, with what its write-ahead log holds. */
int rpm_sqlite_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e);
/* rpm_ndb.c: Packages.db. */
int rpm_ndb_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e);
/* rpm_bdb.c: Packages, a hash of Berkeley DB. */
int rpm_bdb_walk(struct vfs *v, const char *path, rpm_header_fn fn, void *arg, struct err *e);

#endif
