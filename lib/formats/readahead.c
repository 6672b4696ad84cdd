/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "readahead.h"

#include "alloc.h"
#include "checked.h"

#include <pthread.h>
#include <stdbool.h>

enum { BLOCKS = LIMIT_READAHEAD_HELD / (64 * KiB), STREAMS = 8 };

enum state { FREE, COMING, THERE };

struct held {
	uint64_t number; /* of the block */
	uint64_t used;	 /* when, by the clock of the whole */
	enum state state;
	uint8_t *bytes; /* READAHEAD_BLOCK of them; NULL: not allocated yet */
};

/* Somebody who reads on: where the next block would be, and how many were fetched last. */
struct stream {
	uint64_t next, blocks, used;
};

/* The same of large reads: where the next would begin, and whose it was. */
struct runner {
	uint64_t next, used;
	pthread_t who;
};

struct readahead {
	struct readahead_how how;
	pthread_mutex_t lock;
	pthread_cond_t came; /* a block is there, or will not come */
	uint64_t clock;
	struct held held[BLOCKS];
	struct stream streams[STREAMS];
	struct runner runners[STREAMS];
};

int readahead_new(const struct readahead_how *how, struct readahead **out, struct err *e)
{
	struct readahead *r = alloc_zero(sizeof *r);

	if (!r)
		return err_nomem(e);
	r->how = *how;
	if (pthread_mutex_init(&r->lock, NULL) != 0) {
		free(r);
		return err_nomem(e);
	}
	if (pthread_cond_init(&r->came, NULL) != 0) {
		pthread_mutex_destroy(&r->lock);
		free(r);
		return err_nomem(e);
	}
	*out = r;
	return 0;
}

void readahead_free(struct readahead *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < BLOCKS; i++)
		free(r->held[i].bytes);
	pthread_cond_destroy(&r->came);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- with the lock held ---- */

static struct held *find(struct readahead *r, uint64_t number)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (r->held[i].state != FREE && r->held[i].number == number)
			return &r->held[i];
	return NULL;
}

/* A place for a block that is about to come: a free one, or that of the one unused for longest; NULL: all are coming. */
static struct held *reserve(struct readahead *r, uint64_t number)
{
	struct held *best = NULL;

	for (size_t i = 0; i < BLOCKS; i++) {
		struct held *h = &r->held[i];

		if (h->state == COMING)
			continue;
		if (!best || (h->state == FREE && best->state != FREE) || (h->state == best->state && h->used < best->used))
			best = h;
	}
	if (!best)
		return NULL;
	if (!best->bytes)
		best->bytes = alloc_bytes(READAHEAD_BLOCK);
	if (!best->bytes)
		return NULL;
	best->state = COMING;
	best->number = number;
	best->used = ++r->clock;
	return best;
}

static size_t block_len(const struct readahead *r, uint64_t number)
{
	return (size_t)MIN_OF((uint64_t)READAHEAD_BLOCK, r->how.size - number * READAHEAD_BLOCK);
}

/* How many blocks to fetch from this one on, which `wanted` asks for at least. */
static uint64_t plan(struct readahead *r, uint64_t number, uint64_t wanted)
{
	struct stream *s = &r->streams[0];
	uint64_t n = MAX_OF(wanted, div_round_up(r->how.ahead, READAHEAD_BLOCK)), last;

	for (size_t i = 0; i < STREAMS; i++) {
		if (r->streams[i].used && r->streams[i].next == number) {
			s = &r->streams[i];
			n = MAX_OF(n, 2 * s->blocks);
			break;
		}
		if (r->streams[i].used < s->used)
			s = &r->streams[i];
	}
	n = MIN_OF(n, (uint64_t)(LIMIT_READAHEAD / READAHEAD_BLOCK));
	last = div_round_up(r->how.size, READAHEAD_BLOCK);
	n = MIN_OF(n, last - number);
	/* What is known, or on its way, is not fetched again. */
	for (uint64_t i = 1; i < n; i++) {
		if (find(r, number + i)) {
			n = i;
			break;
		}
	}
	*s = (struct stream){ number + n, n, ++r->clock };
	return n;
}

/*
 * A large read: does it go on where the same thread's last one has ended?  Of several that copy a disk side by side each goes
 * on where another one is; they need nobody to read ahead.
 */
static bool runs_on(struct readahead *r, uint64_t off, size_t len)
{
	struct runner *run = &r->runners[0];
	const pthread_t self = pthread_self();
	bool found = false;

	for (size_t i = 0; i < STREAMS && !found; i++) {
		found = r->runners[i].used && r->runners[i].next == off && pthread_equal(r->runners[i].who, self);
		if (found || r->runners[i].used < run->used)
			run = &r->runners[i];
	}
	*run = (struct runner){ off + len, ++r->clock, self };
	return found;
}

/* ---- fetching ---- */

/* Without the lock. */
static void expect(struct readahead *r, uint64_t off)
{
	if (r->how.expect && off < r->how.size)
		r->how.expect(r->how.arg, off, MIN_OF((uint64_t)LIMIT_READAHEAD_RUN, r->how.size - off));
}

static int read_large(struct readahead *r, void *buf, size_t len, uint64_t off, struct err *e)
{
	bool more;

	pthread_mutex_lock(&r->lock);
	more = runs_on(r, off, len);
	pthread_mutex_unlock(&r->lock);
	if (more)
		expect(r, off + len);
	return r->how.fetch(r->how.arg, buf, len, off, e);
}

/*
 * Fetches blocks from that of off on, and takes what is wanted of the first: it may have found no place.  Called and left
 * with the lock held.
 */
static int fetch(struct readahead *r, uint8_t *to, size_t take, uint64_t at, uint64_t wanted, struct err *e)
{
	const uint64_t number = at / READAHEAD_BLOCK;
	struct held *places[LIMIT_READAHEAD / (64 * KiB)];
	const uint64_t n = plan(r, number, wanted);
	const uint64_t off = number * READAHEAD_BLOCK;
	const size_t len = (size_t)MIN_OF(n * READAHEAD_BLOCK, r->how.size - off);
	uint8_t *bytes;
	int rc;

	for (uint64_t i = 0; i < n; i++)
		places[i] = reserve(r, number + i);
	pthread_mutex_unlock(&r->lock);
	/* A stream's fetches have got as long as they get. */
	if (n * READAHEAD_BLOCK == LIMIT_READAHEAD)
		expect(r, off + len);
	bytes = alloc_bytes(len);
	rc = bytes ? r->how.fetch(r->how.arg, bytes, len, off, e) : err_nomem(e);
	pthread_mutex_lock(&r->lock);
	for (uint64_t i = 0; i < n; i++) {
		if (!places[i])
			continue;
		if (rc == 0)
			memcpy(places[i]->bytes, bytes + i * READAHEAD_BLOCK, block_len(r, number + i));
		places[i]->state = rc == 0 ? THERE : FREE;
	}
	if (rc == 0)
		memcpy(to, bytes + at % READAHEAD_BLOCK, take);
	free(bytes);
	pthread_cond_broadcast(&r->came);
	return rc < 0 ? rc : 1;
}

/* The part of one block, with the lock held.  1: it was there; 0: look again; < 0: an error. */
static int take_part(struct readahead *r, uint8_t *to, size_t len, uint64_t off, uint64_t wanted, struct err *e)
{
	const uint64_t number = off / READAHEAD_BLOCK;
	struct held *h = find(r, number);

	if (h && h->state == THERE) {
		memcpy(to, h->bytes + off % READAHEAD_BLOCK, len);
		h->used = ++r->clock;
		return 1;
	}
	if (h) {
		pthread_cond_wait(&r->came, &r->lock);
		return 0;
	}
	return fetch(r, to, len, off, wanted, e);
}

int readahead_read(struct readahead *r, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *to = buf;
	int rc = 0;

	if (len >= READAHEAD_LARGE)
		return read_large(r, buf, len, off, e);
	pthread_mutex_lock(&r->lock);
	/* Ends: a block that is not there is fetched, by us or by somebody for whom we wait; then len gets less. */
	while (rc >= 0 && len) {
		const size_t n = (size_t)MIN_OF((uint64_t)len, READAHEAD_BLOCK - off % READAHEAD_BLOCK);
		const uint64_t wanted = div_round_up(off + len, READAHEAD_BLOCK) - off / READAHEAD_BLOCK;

		rc = take_part(r, to, n, off, wanted, e);
		if (rc == 1) {
			to += n;
			off += n;
			len -= n;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return rc < 0 ? rc : 0;
}

void readahead_know(struct readahead *r, const void *bytes, size_t len, uint64_t off)
{
	pthread_mutex_lock(&r->lock);
	for (uint64_t number = div_round_up(off, READAHEAD_BLOCK); number * READAHEAD_BLOCK < off + len; number++) {
		const uint64_t at = number * READAHEAD_BLOCK;
		struct held *h;

		if (at + block_len(r, number) > off + len || find(r, number) || !(h = reserve(r, number)))
			break;
		memcpy(h->bytes, (const uint8_t *)bytes + (at - off), block_len(r, number));
		h->state = THERE;
	}
	pthread_mutex_unlock(&r->lock);
}
