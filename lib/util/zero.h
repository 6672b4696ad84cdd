/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zero.h - questions about the content of buffers, answered at the speed of memcmp. */
#ifndef DRYDOCK_ZERO_H
#define DRYDOCK_ZERO_H

#include <stdbool.h>
#include <stddef.h>

bool mem_is_zero(const void *buf, size_t len);
/* How many leading bytes agree: len when all do. */
size_t mem_agree(const void *a, const void *b, size_t len);

#endif
