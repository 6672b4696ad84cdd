/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folders.h - folders that are made whole under another name, and taken away with all that is in them. */
#ifndef DRYDOCK_FOLDERS_H
#define DRYDOCK_FOLDERS_H

#include "err.h"

/* Makes a folder and those above it; one that is there is fine. */
int folder_make_all(const char *path, struct err *e);
/* Removes what has that name in folder `at`, with all that is in it; one that is not there is fine. */
int folder_remove(int at, const char *name, struct err *e);
/* A new folder that is called ".build-" and something in `path`; its whole path, to be freed. */
int folder_new_hidden(const char *path, char **out, struct err *e);
/* Removes those that killed builders left; the caller holds the lock. */
int folder_remove_hidden(int at, struct err *e);
/* Puts folder `from` in the place of `to`, which may be there: at no time is there a part of one.  Removes the old one. */
int folder_replace(const char *from, const char *to, struct err *e);
/* Makes `name` in folder `at` a symlink to target, at once. */
int folder_point(int at, const char *name, const char *target, struct err *e);

#endif
