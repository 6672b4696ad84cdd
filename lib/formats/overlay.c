/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay.c - writes go to an unlinked temporary file, the image beneath is only read.
 *
 * The temporary file is as large as the disk and sparse: a grain that was written lies at its own offset there, and
 * a bit per grain says so.  A grain that is written in part is first completed from beneath, under the lock, so that
 * a set bit always means a whole grain; once set, reads and writes go straight to the file without the lock.
 */
#include "block_driver.h"

#include "alloc.h"
#include "stream.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { GRAIN = 64 * 1024 };

struct overlay_state {
	struct block *temp;
	atomic_uchar *written; /* a bit a grain: 20 MiB for 10 TiB */
	pthread_mutex_t lock;
	bool has_lock;
};

static bool grain_written(const struct overlay_state *s, uint64_t grain)
{
	return atomic_load_explicit(&s->written[grain / 8], memory_order_acquire) & (1u << grain % 8);
}

static void grain_set(struct overlay_state *s, uint64_t grain)
{
	atomic_fetch_or_explicit(&s->written[grain / 8], (unsigned char)(1u << grain % 8), memory_order_release);
}

/* How far from off the grains are all written, or all not; at most len. */
static uint64_t same_run(const struct overlay_state *s, uint64_t off, uint64_t len, bool *written)
{
	uint64_t end = off + len, at = round_down(off, GRAIN) + GRAIN;

	*written = grain_written(s, off / GRAIN);
	while (at < end && grain_written(s, at / GRAIN) == *written)
		at += GRAIN;
	return MIN_OF(at, end) - off;
}

static int overlay_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct overlay_state *s = b->state;
	uint8_t *p = buf;

	while (len) {
		bool written;
		size_t n = (size_t)same_run(s, off, len, &written);
		int rc = block_pread(written ? s->temp : b->file, p, n, off, e);
		if (rc < 0)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Writes into one grain that may not be complete yet; the caller holds the lock. */
static int write_grain(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct overlay_state *s = b->state;
	uint64_t start = round_down(off, GRAIN);
	size_t whole = (size_t)MIN_OF((uint64_t)GRAIN, block_size(b) - start);
	CLEANUP(free_ptr) uint8_t *grain = NULL;
	int rc;

	if (len == whole || grain_written(s, off / GRAIN)) {
		rc = block_pwrite(s->temp, buf, len, off, e);
	} else {
		grain = alloc_bytes(whole);
		if (!grain)
			return err_nomem(e);
		rc = block_pread(b->file, grain, whole, start, e);
		if (rc < 0)
			return rc;
		memcpy(grain + (off - start), buf, len);
		rc = block_pwrite(s->temp, grain, whole, start, e);
	}
	if (rc == 0)
		grain_set(s, off / GRAIN);
	return rc;
}

static int overlay_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct overlay_state *s = b->state;
	const uint8_t *p = buf;
	int rc = 0;

	while (len && rc == 0) {
		bool written;
		size_t n = (size_t)same_run(s, off, len, &written);
		if (written) {
			rc = block_pwrite(s->temp, p, n, off, e);
		} else {
			n = (size_t)MIN_OF((uint64_t)len, round_down(off, GRAIN) + GRAIN - off);
			pthread_mutex_lock(&s->lock);
			rc = write_grain(b, p, n, off, e);
			pthread_mutex_unlock(&s->lock);
		}
		p += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int overlay_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct overlay_state *s = b->state;
	bool written;
	uint64_t n = same_run(s, off, len, &written);
	int rc = block_extent_chain(written ? s->temp : b->file, NULL, n, off, out, e);

	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	return rc;
}

static void overlay_close(struct block *b)
{
	struct overlay_state *s = b->state;

	block_unref(s->temp);
	free((void *)s->written);
	if (s->has_lock)
		pthread_mutex_destroy(&s->lock);
}

static uint64_t overlay_allocated(const struct block *b)
{
	return block_allocated(((const struct overlay_state *)b->state)->temp);
}

/* The overlay lives no longer than the process: there is nothing to make stable. */
static const struct block_driver overlay_filter = {
	.name = "overlay",
	.state_size = sizeof(struct overlay_state),
	.close = overlay_close,
	.pread = overlay_pread,
	.pwrite = overlay_pwrite,
	.extent = overlay_extent,
	.allocated = overlay_allocated,
};

int block_overlay_fd(struct block *over, int file, struct block **out, struct err *e)
{
	CLEANUP(close_fd) int fd = file;
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct overlay_state *s;
	int rc = block_new_filter(&overlay_filter, over, &b, e);

	if (rc < 0)
		return rc;
	b->flags |= BLOCK_WRITE;
	s = b->state;
	s->has_lock = pthread_mutex_init(&s->lock, NULL) == 0;
	s->written = alloc_array(div_round_up(div_round_up(b->size, GRAIN), 8), 1);
	if (!s->written || !s->has_lock)
		return err_nomem(e);
	file = fd;
	fd = -1;
	rc = block_host_fd_open(file, "temporary overlay", BLOCK_WRITE | BLOCK_RESIZE | BLOCK_UNSAFE, &s->temp, e);
	if (rc == 0)
		rc = block_truncate(s->temp, b->size, PREALLOC_OFF, e);
	if (rc == 0)
		*out = take(b);
	return rc;
}

int block_overlay(struct block *over, struct block **out, struct err *e)
{
	int fd = stream_temporary(e);

	return fd < 0 ? fd : block_overlay_fd(over, fd, out, e);
}
