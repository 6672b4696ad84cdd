/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cor.c - copy on read: what is read from a backing file is written into the image above it on the way.
 *
 * The filter lies over an image with a backing file.  The option "bottom" of the peers, which names a node by its
 * node name, is refused: nodes have no names here.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <pthread.h>

struct cor_state {
	bool has_lock;
	pthread_mutex_t lock; /* one copy at a time, so that a copy never overwrites a newer write */
};

static int cor_start(struct block *b, struct err *e)
{
	struct cor_state *s = b->state;

	s->has_lock = pthread_mutex_init(&s->lock, NULL) == 0;
	if (!s->has_lock)
		return err_nomem(e);
	b->size = block_size(b->file);
	return 0;
}

static int cor_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	(void)opts;
	(void)env;
	return cor_start(b, e);
}

static void cor_close(struct block *b)
{
	struct cor_state *s = b->state;

	if (s->has_lock)
		pthread_mutex_destroy(&s->lock);
}

/* Reads a run that a backing file decides and keeps it; zeros are kept as zeros. */
static int copy_up(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct cor_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = block_pread(b->file, buf, len, off, e);
	if (rc == 0)
		rc = block_pwrite(b->file, buf, len, off, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int cor_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *p = buf;

	if (!block_writable(b->file))
		return block_pread(b->file, buf, len, off, e);
	while (len) {
		struct extent x;
		size_t n;
		int rc = block_extent(b->file, len, off, &x, e);

		if (rc < 0)
			return rc;
		n = (size_t)x.len;
		rc = x.flags & EXTENT_ALLOC ? block_pread(b->file, p, n, off, e) : copy_up(b, p, n, off, e);
		if (rc < 0)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* A write waits for a copy in flight: otherwise the copy could put old bytes over it. */
static int cor_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct cor_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = block_pwrite(b->file, buf, len, off, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int cor_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct cor_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = block_zero(b->file, len, off, how, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int cor_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	struct cor_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = block_discard(b->file, len, off, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int cor_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	int rc = block_truncate(b->file, size, p, e);

	if (rc == 0)
		b->size = block_size(b->file);
	return rc;
}

const struct block_driver block_copy_on_read = {
	.name = "copy-on-read",
	.state_size = sizeof(struct cor_state),
	.is_filter = true,
	.open = cor_open,
	.close = cor_close,
	.pread = cor_pread,
	.pwrite = cor_pwrite,
	.zero = cor_zero,
	.discard = cor_discard,
	.truncate = cor_truncate,
};

int block_copy_on_reads(struct block *over, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(&block_copy_on_read, over, &b, e);

	if (rc == 0)
		rc = cor_start(b, e);
	if (rc == 0)
		*out = take(b);
	return rc;
}
