/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.h - "scheme://user:password@host:port/path?query" taken apart, and names of neighbours of such an address.
 *
 * What a user types and what an image names: judged, never trusted.
 */
#ifndef DRYDOCK_URI_H
#define DRYDOCK_URI_H

#include "dict.h"
#include "err.h"
#include "strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* Unless said otherwise a part is decoded (%2F is "/"); NULL: it is not there. */
struct uri {
	char *scheme;	     /* lower case */
	char *user, *password;
	char *host;	     /* without the brackets of an IPv6 address; NULL: empty */
	unsigned port;	     /* 0: not given */
	char *path;	     /* with its leading "/"; never NULL */
	struct dict query;   /* "a=1&b=2" */
	char *plain;	     /* the whole as it was typed, without user and password: what may be shown */
};
#define URI_INIT { .scheme = NULL }

void uri_free(struct uri *u); /* for CLEANUP; wipes the password */
/* ERR_USAGE: it is not such an address.  A "#fragment" is refused: nobody would see it. */
int uri_parse(const char *text, struct uri *out, struct err *e);
/* The length of the scheme when the name begins with "scheme://"; 0: it is something else. */
size_t uri_scheme(const char *name);
/* A name as it stands in the path of an address: all but letters, digits and "-._~/" is encoded. */
void uri_escape(struct strbuf *out, const char *name);
/*
 * The address of a file that is named relative to another one's address: in its folder, its query and what else follows
 * left out; characters that mean something in an address are encoded.  free() it; NULL: out of memory.
 */
char *uri_sibling(const char *base, const char *name);
/*
 * Does the address lie in that folder, or is it that file?  top ends with "/" or at the end of a part of the address.  No
 * when there is a "..", encoded or not, behind it: only the server knows what becomes of that.
 */
bool uri_is_beneath(const char *address, const char *top);

#endif
