/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe.h - which format do the first and last bytes claim? */
#ifndef DRYDOCK_PROBE_H
#define DRYDOCK_PROBE_H

#include "block_driver.h"

/* *out is the one driver that claims the file, NULL when none does; two claims are ERR_CORRUPT. */
int probe_format(struct block *file, const struct block_driver **out, struct err *e);

/* The first driver that would claim a disk beginning with these bytes, by magic alone; NULL: none. */
const struct block_driver *probe_bytes(const void *head, size_t len);

#endif
