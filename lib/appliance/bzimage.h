/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bzimage.h - the kernel in a bzImage, as the ELF file that it was compressed from. */
#ifndef DRYDOCK_BZIMAGE_H
#define DRYDOCK_BZIMAGE_H

#include "err.h"

#include <stddef.h>

/*
 * *out is to be freed.  ERR_UNSUPPORTED when the bytes are no bzImage, or are compressed by a method that is not known here
 * (gzip, xz, zstd, LZ4 and none are).
 */
int bzimage_unpack(const void *bytes, size_t len, void **out, size_t *out_len, struct err *e);

#endif
