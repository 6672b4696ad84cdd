/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lzo.h - LZO1X, undone. */
#ifndef DRYDOCK_LZO_H
#define DRYDOCK_LZO_H

#include <stdbool.h>
#include <stddef.h>

/* One block into at most cap bytes, *got of them; what src has behind its end does not matter.  false: it is broken, or longer. */
bool lzo_decompress(void *dst, size_t cap, const void *src, size_t src_len, size_t *got);

#endif
