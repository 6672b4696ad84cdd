/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * regex.h - regular expressions as Perl has them, by libpcre2, which is loaded when the first one is made.
 *
 * A pattern is the user's, what it is tried on may be a stranger's: a match has a bound on steps and memory, and the error
 * "limit" when it reaches that.  Bytes are letters of ASCII or none.
 */
#ifndef DRYDOCK_REGEX_H
#define DRYDOCK_REGEX_H

#include "err.h"

#include <stddef.h>

struct regex;
enum { REGEX_CASELESS = 1u << 0, REGEX_MULTILINE = 1u << 1, REGEX_DOTALL = 1u << 2, REGEX_EXTENDED = 1u << 3 };
/* ERR_USAGE: it is none, in the words of the library; ERR_UNSUPPORTED: there is no library.  Before confinement. */
int regex_new(const char *pattern, size_t len, unsigned flags, struct regex **out, struct err *e);
void regex_free(struct regex *r); /* NULL is fine */

struct regex_group {
	size_t from, to; /* REGEX_NONE both: it took no part */
};
#define REGEX_NONE ((size_t)-1)
enum { REGEX_GROUPS = 32, REGEX_NOT_EMPTY_HERE = 1u << 0 };
/*
 * The first match at or behind `at`: 1, and the groups, the first of which is the whole; 0: there is none.  With
 * REGEX_NOT_EMPTY_HERE only one that begins at `at` and is not empty counts.  Groups behind the last are not stored.
 */
int regex_match(struct regex *r, const char *text, size_t len, size_t at, unsigned flags, struct regex_group *groups,
		size_t ngroups, struct err *e);

#endif
