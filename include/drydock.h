/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drydock.h - disk images and what is inside them, as a C library.
 *
 * Handles are opaque.  Offsets, lengths and sizes are bytes.  A call that can fail takes a struct dry_error (NULL is
 * fine) as its last parameter and returns 0, or a negated enum dry_code with the error filled in.  The library never
 * prints and never exits.  Strings that are returned are lent until the handle goes away, unless said otherwise.
 */
#ifndef DRYDOCK_H
#define DRYDOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DRY_API __attribute__((visibility("default")))
#else
#define DRY_API
#endif

/* ---- errors ---- */

enum dry_code {
	DRY_OK,
	DRY_USAGE,
	DRY_SYSTEM,
	DRY_NOMEM,
	DRY_NOT_FOUND,
	DRY_CORRUPT,
	DRY_UNSUPPORTED,
	DRY_LIMIT,
	DRY_POLICY,
	DRY_CANCELED,
};

struct dry_error {
	enum dry_code code;
	int sys_errno;	/* with DRY_SYSTEM, else 0 */
	char msg[1000]; /* one sentence, outermost context first, no full stop */
};

/* "0.1.0" */
DRY_API const char *dry_version(void);

/* ==== images ==== */

/* ==== guests ==== */

#ifdef __cplusplus
}
#endif

#endif
