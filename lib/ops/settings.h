/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - the host name, time zone, machine id and random seed of a guest, where its distribution keeps them. */
#ifndef DRYDOCK_SETTINGS_H
#define DRYDOCK_SETTINGS_H

#include "tree.h"

/* ERR_UNSUPPORTED when it is not known where this system keeps it. */
int settings_hostname(struct tree *t, const char *name, struct err *e);
/* "Europe/London": ERR_NOT_FOUND when the guest does not know this zone. */
int settings_timezone(struct tree *t, const char *zone, struct err *e);
/* 32 hexadecimal digits, "random", or "empty": it gets another one when it starts next. */
int settings_machine_id(struct tree *t, const char *id, struct err *e);
/* New random bytes where the guest keeps some from one start to the next; it need not. */
int settings_random_seed(struct tree *t, struct err *e);
/*
 * Gives each file its SELinux label: by the guest's own setfiles, which leaves out what lies at the given paths, or where that
 * fails, or *at_boot is true, by itself at its next start: *at_boot tells which.  Nothing for a guest without SELinux.
 */
int settings_relabel(struct tree *t, const char *const *but, size_t nbut, bool *at_boot, struct err *e);

#endif
