/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * password.h - what a password is to be, in the peers' words, and its hash as the guest's own programs would write it.
 *
 *	file:FILE		the first line of a file of the host
 *	password:TEXT		all that follows
 *	random			letters and digits, which are told
 *	disabled		none: nobody logs in with one
 *	locked			the account is locked
 *	locked:SELECTOR		locked, and after unlocking this one
 */
#ifndef DRYDOCK_PASSWORD_H
#define DRYDOCK_PASSWORD_H

#include "locked.h"
#include "tree.h"

enum password_kind { PASSWORD_TEXT, PASSWORD_RANDOM, PASSWORD_DISABLED };
struct password {
	enum password_kind kind;
	bool locked;	    /* in front of the hash stands "!!" */
	struct locked text; /* of TEXT and RANDOM, with a NUL behind it */
};
/* Reads the file of "file:"; a wrong selector is ERR_USAGE.  A random one is made here. */
int password_parse(const char *selector, struct password *out, struct err *e);
void password_free(struct password *p); /* for CLEANUP */

enum password_hash {
	PASSWORD_HASH_GUEST, /* what the guest itself uses */
	PASSWORD_HASH_MD5,
	PASSWORD_HASH_SHA256,
	PASSWORD_HASH_SHA512,
	PASSWORD_HASH_YESCRYPT,
	PASSWORD_HASH_BCRYPT,
};
/* "md5" ...; false for another word. */
bool password_hash_parse(const char *name, enum password_hash *out);
/*
 * As the guest's passwd(1) would: what its PAM says (common-password, system-auth), else ENCRYPT_METHOD of login.defs, else what
 * the hashes in /etc/shadow are; SHA512 where nothing tells.
 */
int password_hash_of(struct tree *t, enum password_hash *out, struct err *e);

/* The field of /etc/shadow: free(*out). */
int password_field(const struct password *p, enum password_hash hash, char **out, struct err *e);

#endif
