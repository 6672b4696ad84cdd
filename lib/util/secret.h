/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.h - passphrases and keys by name, as "--object secret,id=...,..." defines them.
 *
 *	id=ID			its name
 *	data=TEXT | file=PATH	where its bytes come from, one of the two; all of the file, its last newline too
 *	format=raw|base64	how they are written there (raw)
 *	keyid=ID,iv=BASE64	they are encrypted with AES-256-CBC and PKCS #7 padding, and the secret ID is the key
 */
#ifndef DRYDOCK_SECRET_H
#define DRYDOCK_SECRET_H

#include "dict.h"
#include "err.h"
#include "locked.h"

struct secret {
	char *id;
	struct locked data;
};
/* In the order in which they were added. */
struct secrets {
	struct secret *items;
	size_t n;
};

#define SECRETS_INIT { .items = NULL }

void secrets_free(struct secrets *s);
/* Adds the secret that opts describe; takes the options out and wipes them.  An option too many is ERR_USAGE. */
int secrets_add(struct secrets *s, struct dict *opts, struct err *e);
/* The same for the whole text behind --object: "secret,id=..." or a JSON object; other kinds are ERR_UNSUPPORTED. */
int secrets_add_object(struct secrets *s, const char *text, struct err *e);
/* Lent for the life of s.  s may be NULL, for none.  ERR_NOT_FOUND when there is no such secret. */
int secrets_find(const struct secrets *s, const char *id, const struct locked **out, struct err *e);
/* The same for a passphrase, which must be text: valid UTF-8 without a NUL. */
int secrets_find_text(const struct secrets *s, const char *id, const struct locked **out, struct err *e);
/* All that a file holds: any file that can be read, a pipe too; more than LIMIT_SECRET bytes are ERR_LIMIT. */
int secret_read_file(const char *path, struct locked *out, struct err *e);

#endif
