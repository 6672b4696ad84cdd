/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * api.h - the seam between the public names of drydock.h and the layers beneath.
 *
 * A public function begins with API_ERR(e, error): e is then a struct err of the layers beneath, copied into the
 * caller's struct dry_error when the function is left.
 */
#ifndef DRYDOCK_API_H
#define DRYDOCK_API_H

#include "alloc.h"
#include "drydock.h"
#include "err.h"

struct api_err {
	struct err err;
	struct dry_error *out;
};
void api_err_copy(struct api_err *a);

#define API_ERR(name, public_error)                                                                                    \
	CLEANUP(api_err_copy) struct api_err name##_api_ = { .out = (public_error) };                                  \
	struct err *name = &name##_api_.err

_Static_assert((int)DRY_CANCELED == (int)ERR_CANCELED && (int)DRY_POLICY == (int)ERR_POLICY &&
		       (int)DRY_CORRUPT == (int)ERR_CORRUPT,
	       "public and internal codes are one list");

#endif
