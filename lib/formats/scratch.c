/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.c - writes go to memory, the block beneath is only read.
 *
 * For who mounts a stranger's filesystem only to look: a kernel replays a journal before, and that must not reach the image.
 * overlay.c does the same with a temporary file, which a confined process cannot make.  Grains that were written are found by
 * a table of chains; there are never more of them than the cap allows, so that a chain stays short.
 */
#include "block_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <errno.h>
#include <pthread.h>

enum { GRAIN = 4096, CHAINS = 16384 };

struct grain {
	struct grain *next;
	uint64_t number;
	uint8_t bytes[GRAIN];
};

struct scratch_state {
	struct grain **chains;
	uint64_t n, most;
	pthread_rwlock_t lock;
	bool has_lock;
};

static struct grain *grain_find(const struct scratch_state *s, uint64_t number)
{
	struct grain *g = s->chains[number % CHAINS];

	while (g && g->number != number)
		g = g->next;
	return g;
}

/* The caller holds the lock.  Runs that nobody has written are read at once. */
static int read_locked(struct block *b, uint8_t *p, size_t len, uint64_t off, struct err *e)
{
	const struct scratch_state *s = b->state;
	uint64_t beneath = off; /* from here to off nothing was written */
	uint8_t *to = p;
	int rc = 0;

	if (s->n == 0)
		return block_pread(b->file, p, len, off, e);
	while (len) {
		size_t n = (size_t)MIN_OF((uint64_t)len, GRAIN - off % GRAIN);
		const struct grain *g = grain_find(s, off / GRAIN);

		if (g) {
			if (off > beneath)
				rc = block_pread(b->file, to, (size_t)(off - beneath), beneath, e);
			if (rc < 0)
				return rc;
			memcpy(p, g->bytes + off % GRAIN, n);
			beneath = off + n;
			to = p + n;
		}
		p += n;
		off += n;
		len -= n;
	}
	return off > beneath ? block_pread(b->file, to, (size_t)(off - beneath), beneath, e) : 0;
}

static int scratch_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct scratch_state *s = b->state;
	int rc;

	pthread_rwlock_rdlock(&s->lock);
	rc = read_locked(b, buf, len, off, e);
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

/* A grain for writing, completed from beneath unless all of it will be written. */
static int grain_get(struct block *b, uint64_t number, bool whole, struct grain **out, struct err *e)
{
	struct scratch_state *s = b->state;
	CLEANUP(free_ptr) struct grain *g = NULL;
	struct grain *found = grain_find(s, number);
	uint64_t start = number * GRAIN;
	int rc = 0;

	if (found) {
		*out = found;
		return 0;
	}
	if (s->n >= s->most)
		return err_sys(e, ENOSPC, "more than %llu MiB are written to what is only looked at",
			       (unsigned long long)(s->most * GRAIN / MiB));
	g = alloc_zero(sizeof *g);
	if (!g)
		return err_nomem(e);
	if (!whole)
		rc = block_pread(b->file, g->bytes, (size_t)MIN_OF((uint64_t)GRAIN, b->size - start), start, e);
	if (rc < 0)
		return rc;
	g->number = number;
	g->next = s->chains[number % CHAINS];
	s->chains[number % CHAINS] = g;
	s->n++;
	*out = take(g);
	return 0;
}

/* buf NULL: zeros. */
static int write_grains(struct block *b, const uint8_t *buf, uint64_t len, uint64_t off, struct err *e)
{
	struct scratch_state *s = b->state;
	int rc = 0;

	pthread_rwlock_wrlock(&s->lock);
	while (len && rc == 0) {
		size_t n = (size_t)MIN_OF(len, GRAIN - off % GRAIN);
		struct grain *g = NULL;

		rc = grain_get(b, off / GRAIN, n == GRAIN, &g, e);
		if (rc < 0)
			break;
		if (buf) {
			memcpy(g->bytes + off % GRAIN, buf, n);
			buf += n;
		} else {
			memset(g->bytes + off % GRAIN, 0, n);
		}
		off += n;
		len -= n;
	}
	pthread_rwlock_unlock(&s->lock);
	return rc;
}

static int scratch_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	return write_grains(b, buf, len, off, e);
}

static int scratch_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	(void)how;
	return write_grains(b, NULL, len, off, e);
}

static void scratch_close(struct block *b)
{
	struct scratch_state *s = b->state;

	for (size_t i = 0; s->chains && i < CHAINS; i++) {
		while (s->chains[i]) {
			struct grain *g = s->chains[i];

			s->chains[i] = g->next;
			free(g);
		}
	}
	free(s->chains);
	if (s->has_lock)
		pthread_rwlock_destroy(&s->lock);
}

/* It lives no longer than the process: there is nothing to make stable. */
static const struct block_driver scratch_filter = {
	.name = "scratch",
	.state_size = sizeof(struct scratch_state),
	.close = scratch_close,
	.pread = scratch_pread,
	.pwrite = scratch_pwrite,
	.zero = scratch_zero,
};

int block_scratch(struct block *over, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct scratch_state *s;
	int rc = block_new_filter(&scratch_filter, over, &b, e);

	if (rc < 0)
		return rc;
	b->flags |= BLOCK_WRITE;
	s = b->state;
	s->most = LIMIT_SCRATCH_BYTES / GRAIN;
	s->has_lock = pthread_rwlock_init(&s->lock, NULL) == 0;
	s->chains = alloc_array(CHAINS, sizeof *s->chains);
	if (!s->chains || !s->has_lock)
		return err_nomem(e);
	*out = take(b);
	return 0;
}
