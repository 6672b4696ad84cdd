/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfile.h - bytes in memory as a file, for a library that takes nothing but a file's name.
 *
 * A confined process opens no names.  One it may: that of a descriptor of its own, which is fixed, so that the filter of
 * system calls can tell it from every other by where it lies in memory.  Landlock lets pass what has no place in any folder.
 */
#ifndef DRYDOCK_MEMFILE_H
#define DRYDOCK_MEMFILE_H

#include "err.h"

/* The only name that is given out; confine() allows this very pointer to be opened for reading. */
extern const char memfile_name[];
/* The descriptor that it names. */
#define MEMFILE_SLOT 1000

/* An empty file that nobody else sees; *fd is the caller's to close. */
int memfile_new(int *fd, struct err *e);
/*
 * Calls fn with a name by which the file can be opened until fn returns, whose answer is returned.  One caller at a time:
 * others wait.
 */
int memfile_by_name(int fd, int (*fn)(void *arg, const char *name, struct err *e), void *arg, struct err *e);

#endif
