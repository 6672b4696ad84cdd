/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * accounts.h - the accounts of a guest like Unix: /etc/passwd, shadow, group and their like.
 *
 * Lines that are not of the form are left as they are.  Files that the guest does not have (gshadow, subuid) are not made.
 */
#ifndef DRYDOCK_ACCOUNTS_H
#define DRYDOCK_ACCOUNTS_H

#include "password.h"

struct account {
	char *name, *home, *shell;
	uint32_t uid, gid;
};
void account_clear(struct account *a); /* for CLEANUP */
/* ERR_NOT_FOUND when there is no such user. */
int account_find(struct tree *t, const char *name, struct account *out, struct err *e);
/* Calls fn for each line of /etc/passwd. */
int accounts_each(struct tree *t, int (*fn)(void *arg, const struct account *a, struct err *e), void *arg, struct err *e);
/* Does the name look like one that useradd would take? */
bool account_name_ok(const char *name);

/* Sets the second field of a user's line in /etc/shadow (of systems without that file, in /etc/passwd). */
int account_set_password(struct tree *t, const char *name, const char *field, struct err *e);
/*
 * Makes an ordinary user with a group and a home of its own, filled from /etc/skel, and no password; groups: further ones between
 * commas, which must be there, NULL: none.  Numbers are the next that /etc/login.defs leaves free.
 */
int account_add(struct tree *t, const char *name, const char *groups, struct err *e);
/* Removes a user with its home, mail, and the group of its name where nobody else has it. */
int account_remove(struct tree *t, const char *name, struct err *e);
/* Lets a key ("ssh-ed25519 AAAA... who") in as a user: a line of ~/.ssh/authorized_keys, unless it is there. */
int account_add_key(struct tree *t, const char *name, const char *key, struct err *e);

#endif
