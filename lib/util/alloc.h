/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alloc.h - memory that may run out, and owners that clean up after themselves.
 *
 * All memory of the library comes from here, so that a test can make the Nth allocation fail.  free() frees it.
 *
 *	CLEANUP(free_ptr) char *name = alloc_strdup(s);
 *	...
 *	*out = take(name);	// handed over: the cleanup now frees NULL
 */
#ifndef DRYDOCK_ALLOC_H
#define DRYDOCK_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The value of a pointer variable, which becomes NULL. */
#define take(ptr)                                                                                                      \
	({                                                                                                             \
		__typeof__(ptr) taken_ = (ptr);                                                                        \
		(ptr) = NULL;                                                                                          \
		taken_;                                                                                                \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* All return NULL when memory is out (or the product overflows); the memory of alloc_zero and alloc_array is zeroed. */
__attribute__((malloc)) void *alloc_zero(size_t size);
__attribute__((malloc)) void *alloc_array(size_t n, size_t size);
/* Not zeroed: for data buffers that are about to be filled. */
__attribute__((malloc)) void *alloc_bytes(size_t size);
/* Aligned for O_DIRECT and SIMD; align is a power of two, at least sizeof(void *). */
__attribute__((malloc)) void *alloc_aligned(size_t align, size_t size);
/* On failure the old memory stays valid.  New bytes are not zeroed. */
void *alloc_resize(void *p, size_t n, size_t size);
__attribute__((malloc)) char *alloc_strdup(const char *s);
__attribute__((malloc)) char *alloc_strndup(const char *s, size_t len);
__attribute__((malloc, format(printf, 1, 2))) char *alloc_printf(const char *fmt, ...);

/* For CLEANUP: frees what the variable points to. */
static inline void free_ptr(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof p);
	free(p);
}

/* For CLEANUP on a file descriptor; -1 means none.  Keeps errno. */
void close_fd(int *fd);

/*
 * Test hook: the nth allocation from now on (1 is the next) fails, and only that one; 0 turns the hook off.
 * alloc_fault_hit() tells whether it has.
 */
void alloc_fault_at(unsigned long nth);
bool alloc_fault_hit(void);

#endif
