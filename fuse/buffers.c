/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mount.h"

#include "alloc.h"

#include <pthread.h>

/* As many as are in use at once stay: a new piece of memory costs the kernel as much as reading into it. */
struct buffers {
	pthread_mutex_t lock;
	void *free[32];
	size_t n;
};

struct buffers *buffers_new(void)
{
	struct buffers *b = alloc_zero(sizeof *b);

	if (b)
		pthread_mutex_init(&b->lock, NULL);
	return b;
}

void buffers_free(struct buffers *b)
{
	if (!b)
		return;
	while (b->n)
		free(b->free[--b->n]);
	free(b);
}

void *buffers_take(struct buffers *b)
{
	void *buf = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->n)
		buf = b->free[--b->n];
	pthread_mutex_unlock(&b->lock);
	return buf ? buf : alloc_bytes(BUFFER_SIZE);
}

void buffers_give(struct buffers *b, void *buf)
{
	pthread_mutex_lock(&b->lock);
	if (b->n < ARRAY_LEN(b->free)) {
		b->free[b->n++] = buf;
		buf = NULL;
	}
	pthread_mutex_unlock(&b->lock);
	free(buf);
}
