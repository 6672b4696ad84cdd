// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * copy_hash.c - the digest of all that is copied: pieces are added in their order, whichever thread has them.
 *
 * A thread has written its piece before it waits for its turn, so only the digest itself goes one by one.
 */
#include "alloc.h"
#include "copy_internal.h"

/* Bytes of the piece that are the disk's: a stream's last one may be padded. */
static uint64_t length_of(struct copy *c, const struct piece *p)
{
	uint64_t end;

	if (!c->stream)
		return p->len;
	pthread_mutex_lock(&c->lock);
	end = c->end;
	pthread_mutex_unlock(&c->lock);
	return MIN_OF(p->len, end - p->off);
}

void copy_hash_piece(struct copy_worker *w)
{
	struct copy *c = w->c;
	const struct piece *p = &w->piece;
	uint64_t left = length_of(c, p);

	if (!turn_await(&c->hash_turn, p->off, &c->stop))
		return;
	if (p->len > COPY_PIECE) /* zeros, and the buffer is free */
		memset(w->buf, 0, COPY_PIECE);
	while (left && !atomic_load(&c->stop)) {
		size_t n = (size_t)MIN_OF(left, (uint64_t)COPY_PIECE);

		hash_add(&c->hash, w->buf, n);
		left -= n;
	}
	turn_pass(&c->hash_turn, p->off + p->len);
}
