/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * locked.h - memory for keys and passphrases: not swapped out, not in a core file, wiped when it is freed.
 *
 * The lock is a wish: a process that has used up its RLIMIT_MEMLOCK gets memory all the same, since refusing to open
 * a disk would help nobody.  The wiping is a promise.
 */
#ifndef DRYDOCK_LOCKED_H
#define DRYDOCK_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct locked {
	uint8_t *p; /* zeroed when allocated; NULL: none */
	size_t len;
	size_t room; /* bytes that are ours: whole pages */
};

#define LOCKED_INIT { .p = NULL }

/* len bytes, zeroed.  false when memory is out; then *m is empty. */
bool locked_alloc(struct locked *m, size_t len);
/* Makes *m a copy of len bytes; what it held is not freed.  false when memory is out. */
bool locked_copy(struct locked *m, const void *bytes, size_t len);
/* Wipes and frees; *m is empty afterwards, and may be freed again.  For CLEANUP too. */
void locked_free(struct locked *m);
/* Hands the memory over: *m is empty afterwards. */
struct locked locked_take(struct locked *m);

/* Wipes a string of ordinary memory and frees it; NULL is fine. */
void wipe_str(char *s);
/* Fills buf from the kernel's generator.  false with errno when there is none. */
bool random_bytes(void *buf, size_t len);

#endif
