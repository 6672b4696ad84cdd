/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* The one piece of state at file scope: allocations left until the injected failure, 0 when there is none. */
static atomic_ulong fault_countdown;
static atomic_bool fault_was_hit;

void alloc_fault_at(unsigned long nth)
{
	atomic_store(&fault_was_hit, false);
	atomic_store(&fault_countdown, nth);
}

bool alloc_fault_hit(void)
{
	return atomic_load(&fault_was_hit);
}

static bool fault_now(void)
{
	unsigned long left = atomic_load_explicit(&fault_countdown, memory_order_relaxed);

	if (left == 0)
		return false;
	while (!atomic_compare_exchange_weak(&fault_countdown, &left, left - 1))
		if (left == 0)
			return false;
	if (left != 1)
		return false;
	atomic_store(&fault_was_hit, true);
	errno = ENOMEM;
	return true;
}

void *alloc_array(size_t n, size_t size)
{
	if (fault_now())
		return NULL;
	/* A valid pointer for nothing keeps callers free of a special case. */
	return calloc(n ? n : 1, size ? size : 1);
}

void *alloc_zero(size_t size)
{
	return alloc_array(1, size);
}

void *alloc_bytes(size_t size)
{
	return fault_now() ? NULL : malloc(size ? size : 1);
}

void *alloc_aligned(size_t align, size_t size)
{
	void *p;

	if (fault_now() || posix_memalign(&p, align, size ? size : 1) != 0)
		return NULL;
	return p;
}

void *alloc_resize(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (fault_now() || __builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(p, bytes ? bytes : 1);
}

char *alloc_strndup(const char *s, size_t len)
{
	char *copy = alloc_bytes(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *alloc_strdup(const char *s)
{
	return alloc_strndup(s, strlen(s));
}

char *alloc_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	s = alloc_bytes((size_t)len + 1);
	if (!s)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(s, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return s;
}

void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}
