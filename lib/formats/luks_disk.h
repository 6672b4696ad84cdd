/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks_disk.h - a LUKS volume of either version, from its header to a block that shows what it holds.
 */
#ifndef DRYDOCK_LUKS_DISK_H
#define DRYDOCK_LUKS_DISK_H

#include "block.h"
#include "err.h"

struct json;
struct luks_disk;

/*
 * Reads and judges the header at the beginning of `header`; the data lies in `data` (NULL: behind the header).  Takes
 * references on both.  ERR_NOT_FOUND: there is no LUKS header.  ERR_CORRUPT, ERR_UNSUPPORTED or ERR_LIMIT say what is wrong
 * with the one that is there.
 */
int luks_disk_open(struct block *header, struct block *data, struct luks_disk **out, struct err *e);
void luks_disk_free(struct luks_disk *d); /* NULL is fine */
void luks_disk_freep(struct luks_disk **d);

unsigned luks_disk_version(const struct luks_disk *d);
/* As the header has it; "" where that is not a UUID. */
const char *luks_disk_uuid(const struct luks_disk *d);
/* A sentence about a damaged header that another stands in for, or NULL. */
const char *luks_disk_notice(const struct luks_disk *d);
/* Bytes of what it holds. */
uint64_t luks_disk_size(const struct luks_disk *d);
/* Members of the facts of version 2, into an open object. */
void luks_disk_info(const struct luks_disk *d, struct json *j);

/* As luks_unlock(); what one call may cost. */
int luks_disk_unlock(struct luks_disk *d, const void *pass, size_t len, struct err *e);
uint64_t luks_disk_work(const struct luks_disk *d);
/* Of an unlocked one: [off, off + len) lies in its size.  May be called from many threads at once. */
int luks_disk_pread(const struct luks_disk *d, void *buf, size_t len, uint64_t off, struct err *e);
/*
 * A node over the data that shows what an unlocked volume holds, and can be written to where the data can.  It owns d from now
 * on, if it succeeds.
 */
int luks_disk_block(struct luks_disk *d, struct block **out, struct err *e);

#endif
