/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "window.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <pthread.h>

/* Between the parts, and at the end. */
#define ZEROS (1 * MiB)

struct window_state {
	uint8_t *bytes;
	uint64_t off, size; /* of the window */
	pthread_rwlock_t lock; /* among those who serve the disk */
	bool has_lock;
};

/* Which part has this byte, and where that ends. */
enum part {
	PART_TOOLS,
	PART_ZEROS,
	PART_WINDOW,
};
static enum part part_at(const struct block *b, uint64_t off, uint64_t *end)
{
	const struct window_state *s = b->state;
	const uint64_t tools = block_size(b->file);

	*end = off < tools ? tools : off < s->off ? s->off : off < s->off + s->size ? s->off + s->size : b->size;
	return off < tools ? PART_TOOLS : off >= s->off && off < s->off + s->size ? PART_WINDOW : PART_ZEROS;
}

static int window_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct window_state *s = b->state;
	uint8_t *to = buf;
	int rc = 0;

	/* Ends: each turn is a part further. */
	while (rc == 0 && len) {
		uint64_t end;
		enum part part = part_at(b, off, &end);
		size_t n = (size_t)MIN_OF((uint64_t)len, end - off);

		if (part == PART_TOOLS) {
			rc = block_pread(b->file, to, n, off, e);
		} else if (part == PART_ZEROS) {
			memset(to, 0, n);
		} else {
			pthread_rwlock_rdlock(&s->lock);
			memcpy(to, s->bytes + (off - s->off), n);
			pthread_rwlock_unlock(&s->lock);
		}
		to += n;
		off += n;
		len -= n;
	}
	return rc;
}

static int window_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct window_state *s = b->state;
	uint64_t end;

	if (part_at(b, off, &end) != PART_WINDOW || len > end - off)
		return err_sys(e, EROFS, "the disk of tools is only read");
	pthread_rwlock_wrlock(&s->lock);
	memcpy(s->bytes + (off - s->off), buf, len);
	pthread_rwlock_unlock(&s->lock);
	return 0;
}

static int window_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	uint64_t end;
	enum part part = part_at(b, off, &end);

	if (part == PART_TOOLS)
		return block_extent(b->file, MIN_OF(len, end - off), off, out, e);
	out->len = MIN_OF(len, end - off);
	out->flags = EXTENT_ALLOC | (part == PART_ZEROS ? EXTENT_ZERO : EXTENT_DATA);
	return 0;
}


static void window_close(struct block *b)
{
	struct window_state *s = b->state;

	free(s->bytes);
	if (s->has_lock)
		pthread_rwlock_destroy(&s->lock);
}

static const struct block_driver window_filter = {
	.name = "window",
	.state_size = sizeof(struct window_state),
	.close = window_close,
	.pread = window_pread,
	.pwrite = window_pwrite,
	.extent = window_extent,
};

int window_block(struct block *tools, size_t size, struct block **out, uint8_t **bytes, uint64_t *off, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct window_state *s;
	int rc = block_new_filter(&window_filter, tools, &b, e);

	if (rc < 0)
		return rc;
	s = b->state;
	s->size = size;
	if (!checked_round_up(block_size(tools), ZEROS, &s->off) || !checked_add(s->off, ZEROS, &s->off) ||
	    !checked_add(s->off, size + ZEROS, &b->size))
		return err_set(e, ERR_LIMIT, "an image of tools of %llu bytes", (unsigned long long)block_size(tools));
	b->flags |= BLOCK_WRITE;
	s->has_lock = pthread_rwlock_init(&s->lock, NULL) == 0;
	/* Pages that nobody touches cost nothing. */
	s->bytes = alloc_zero(size);
	if (!s->bytes || !s->has_lock)
		return err_nomem(e);
	*bytes = s->bytes;
	*off = s->off;
	*out = take(b);
	return 0;
}
