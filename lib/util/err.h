/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err.h - what went wrong, said once, where it is known.
 *
 * A function that can fail takes a struct err as its last parameter and returns 0 (or a documented
 * positive value) on success and the negated error code on failure:
 *
 *	return err_set(e, ERR_CORRUPT, "L2 table %u lies past the end of the file", i);
 *
 * The caller owns the struct err; nothing is allocated, so an error can be reported when memory is
 * out.  On the way up err_in() puts context in front: "web.qcow2: snapshot "a": L2 table 7 lies ...".
 * Every function here accepts a NULL struct err, for callers that need only the code.
 */
#ifndef DRYDOCK_ERR_H
#define DRYDOCK_ERR_H

#include <stdarg.h>

enum err_code {
	ERR_NONE,
	ERR_USAGE,	 /* the caller asked for something that makes no sense */
	ERR_SYSTEM,	 /* the host said no: see sys_errno */
	ERR_NOMEM,	 /* out of memory */
	ERR_NOT_FOUND,	 /* no such snapshot, volume, file ... */
	ERR_CORRUPT,	 /* the bytes of an image contradict its format */
	ERR_UNSUPPORTED, /* valid, but not something this build reads or does */
	ERR_LIMIT,	 /* larger than a cap of limits.h */
	ERR_POLICY,	 /* allowed by the format, refused by the policy (backing files, confinement) */
	ERR_CANCELED,	 /* the user asked to stop */
};

struct err {
	enum err_code code;
	int sys_errno;	/* with ERR_SYSTEM, else 0 */
	char msg[1000]; /* outermost context first, no trailing full stop or newline */
};

#define ERR_INIT { .code = ERR_NONE }

/* Fills e and returns -code. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *e, enum err_code code, const char *fmt, ...);
/* As err_set(ERR_SYSTEM), with ": " and the text of errnum behind the message. */
__attribute__((format(printf, 3, 4))) int err_sys(struct err *e, int errnum, const char *fmt, ...);
/* Out of memory. */
int err_nomem(struct err *e);
/*
 * Puts "context: " in front of the message and returns rc unchanged.  Where both do not fit, older context gives way
 * ("..."): the reason, at the end, is what matters.
 */
__attribute__((format(printf, 3, 4))) int err_in(struct err *e, int rc, const char *fmt, ...);
/* Forgets an error that has been dealt with. */
void err_clear(struct err *e);
/* "corrupt", "limit" ...: stable words for JSON. */
const char *err_code_name(enum err_code code);
/* The errno that says the same thing, for FUSE and for callers that speak errno; never 0 for a failure. */
int err_errno(const struct err *e);

#endif
