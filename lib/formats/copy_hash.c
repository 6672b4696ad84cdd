// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * copy_hash.c - the digest of all that is copied: pieces are added in their order, whichever thread has them.
 *
 * A thread has written its piece before it waits for its turn, so only the digest itself goes one by one.  Whoever has
 * the first piece that is missing does not wait for anybody.
 */
#include "alloc.h"
#include "copy_internal.h"

/* Takes the turn for the piece; false: all is being stopped. */
static bool await_turn(struct copy *c, uint64_t off)
{
	bool mine;

	pthread_mutex_lock(&c->hash_lock);
	while (c->hashed != off && !atomic_load(&c->stop))
		pthread_cond_wait(&c->hash_turn, &c->hash_lock);
	mine = c->hashed == off;
	pthread_mutex_unlock(&c->hash_lock);
	return mine;
}

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

	if (!await_turn(c, p->off))
		return;
	if (p->len > COPY_PIECE) /* zeros, and the buffer is free */
		memset(w->buf, 0, COPY_PIECE);
	while (left && !atomic_load(&c->stop)) {
		size_t n = (size_t)MIN_OF(left, (uint64_t)COPY_PIECE);

		hash_add(&c->hash, w->buf, n);
		left -= n;
	}
	pthread_mutex_lock(&c->hash_lock);
	c->hashed = p->off + p->len;
	pthread_cond_broadcast(&c->hash_turn);
	pthread_mutex_unlock(&c->hash_lock);
}

void copy_hash_wake(struct copy *c)
{
	pthread_mutex_lock(&c->hash_lock);
	pthread_cond_broadcast(&c->hash_turn);
	pthread_mutex_unlock(&c->hash_lock);
}
