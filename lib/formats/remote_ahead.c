/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_ahead.c - ranges that are fetched while whoever reads is busy with what it has.
 *
 * A slot is asked for what a reader is about to want, and nobody waits for the answer: the helper has a thread for each slot, and
 * the bytes stay in the memory that both share until they are taken from there.  So no thread is needed on our side, which a
 * process that forks has none of, and no memory but that of the slots.  One slot is always left to those who want something else.
 *
 * What is fetched in vain is bounded: at any time the bytes that were asked for ahead and have found no reader, or not yet, are
 * at most a tenth (AHEAD_PART) of those that readers wanted.  An answer that is a failure is dropped: the reader asks again,
 * and hears of it then.
 */
#include "remote_internal.h"

#include "alloc.h"
#include "checked.h"

#include <poll.h>
#include <string.h>

enum { AHEAD_PART = 10 };
/* Less than this is not worth a question of its own. */
#define AHEAD_MIN ((uint64_t)(128 * KiB))

void remote_ahead_drop(struct remote *r, unsigned i)
{
	struct ahead *a = &r->locks->ahead[i];
	struct err ignored = ERR_INIT;

	if (atomic_load(&a->state) == AHEAD_ASKED)
		(void)remote_answer(r, i, &ignored);
	atomic_store(&a->state, AHEAD_NONE);
}

/* With the slot's lock: is that byte in it?  Waits for it to come. */
static bool has_come(struct remote *r, unsigned i, uint64_t off)
{
	struct ahead *a = &r->locks->ahead[i];
	struct err ignored = ERR_INIT;

	if (atomic_load(&a->state) == AHEAD_NONE || off < atomic_load(&a->off) || off >= atomic_load(&a->end))
		return false;
	if (atomic_load(&a->state) == AHEAD_ASKED)
		atomic_store(&a->state, remote_answer(r, i, &ignored) == 0 ? AHEAD_THERE : AHEAD_NONE);
	return atomic_load(&a->state) == AHEAD_THERE;
}

/* Which slot was asked for that byte, as far as one can see without its lock; NET_SLOTS: none. */
static unsigned find(const struct remote *r, uint64_t off)
{
	for (unsigned i = 0; i < r->hello.slots; i++) {
		const struct ahead *a = &r->locks->ahead[i];

		if (atomic_load(&a->state) != AHEAD_NONE && off >= atomic_load(&a->off) && off < atomic_load(&a->end))
			return i;
	}
	return NET_SLOTS;
}

size_t remote_ahead_take(struct remote *r, void *buf, size_t len, uint64_t off)
{
	const unsigned i = find(r, off);
	size_t n = 0;

	if (i == NET_SLOTS || !remote_lock(r, i, false))
		return 0;
	if (has_come(r, i, off)) {
		struct ahead *a = &r->locks->ahead[i];
		const uint64_t begin = atomic_load(&a->off), left = atomic_load(&a->left);

		n = (size_t)MIN_OF((uint64_t)len, atomic_load(&a->end) - off);
		memcpy(buf, remote_data(r, i) + (off - begin), n);
		atomic_store(&a->when, atomic_load(&r->locks->wanted));
		atomic_store(&a->left, left - MIN_OF((uint64_t)n, left));
		atomic_fetch_sub(&r->locks->unused, MIN_OF((uint64_t)n, left));
		/* Who reads on wants the slot for what comes next. */
		if (n >= left)
			atomic_store(&a->state, AHEAD_NONE);
	}
	remote_unlock(r, i);
	return n;
}

/* How many slots hold, or await, what was asked for ahead. */
static unsigned busy_with_it(const struct remote *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->hello.slots; i++)
		n += atomic_load(&r->locks->ahead[i].state) != AHEAD_NONE;
	return n;
}

/*
 * It lies outside of this range and was not wanted while others read as much as can be under way: whoever read there has gone
 * elsewhere.
 */
static bool is_stale(const struct ahead *a, uint64_t off, uint64_t end, uint64_t now)
{
	return atomic_load(&a->state) != AHEAD_NONE && (atomic_load(&a->off) >= end || atomic_load(&a->end) <= off) &&
	       now >= atomic_load(&a->when) + LIMIT_READAHEAD_RUN;
}

static void drop_stale(struct remote *r, uint64_t off, uint64_t end)
{
	const uint64_t now = atomic_load(&r->locks->wanted);

	for (unsigned i = 0; i < r->hello.slots; i++) {
		const struct ahead *a = &r->locks->ahead[i];
		struct pollfd answered = { .fd = r->done[i], .events = POLLIN };

		if (!is_stale(a, off, end, now) || !remote_lock(r, i, true))
			continue;
		/* One that is late is not waited for here. */
		if (is_stale(a, off, end, now) && (atomic_load(&a->state) == AHEAD_THERE || poll(&answered, 1, 0) == 1))
			remote_ahead_drop(r, i);
		remote_unlock(r, i);
	}
}

/* As much as may be asked for now by one slot; 0: nothing. */
static uint64_t allowance(const struct remote *r)
{
	const uint64_t all = atomic_load(&r->locks->wanted) / AHEAD_PART, unused = atomic_load(&r->locks->unused);
	/* So that all slots have a part of it, not one all of it. */
	const uint64_t part = MIN_OF(round_down(all / (r->hello.slots - 1), AHEAD_MIN), (uint64_t)r->hello.block_max);

	return part >= AHEAD_MIN && unused + part <= all ? part : 0;
}

/* Asks an idle slot; false: there is none. */
static bool ask_ahead(struct remote *r, uint64_t off, uint64_t len)
{
	for (unsigned i = 0; i < r->hello.slots; i++) {
		struct ahead *a = &r->locks->ahead[i];
		bool asked = false;

		if (atomic_load(&a->state) != AHEAD_NONE || !remote_lock(r, i, true))
			continue;
		if (atomic_load(&a->state) == AHEAD_NONE) {
			atomic_store(&a->off, off);
			atomic_store(&a->left, len);
			atomic_store(&a->end, off + len);
			atomic_store(&a->when, atomic_load(&r->locks->wanted));
			asked = remote_send(r, i, NET_READ, 0, len, off) == 0;
			atomic_store(&r->locks->lost[i], !asked);
			atomic_store(&a->state, asked ? AHEAD_ASKED : AHEAD_NONE);
		}
		remote_unlock(r, i);
		if (asked)
			return true;
	}
	return false;
}

void remote_expect(struct remote *r, uint64_t off, uint64_t len)
{
	const uint64_t end = MIN_OF(off + len, r->hello.size);

	/* A connection for those who want something else, and blocks that nothing must be cut from. */
	if (r->hello.slots < 2 || r->hello.block_min > 1)
		return;
	drop_stale(r, off, end);
	/* Ends: off grows, or there is no slot. */
	while (off < end) {
		const unsigned i = find(r, off);
		uint64_t n;

		if (i < NET_SLOTS) {
			const uint64_t known = atomic_load(&r->locks->ahead[i].end);

			off = MAX_OF(off + 1, known);
			continue;
		}
		n = MIN_OF(allowance(r), end - off);
		if (!n || busy_with_it(r) + 1 >= r->hello.slots)
			return;
		atomic_fetch_add(&r->locks->unused, n);
		if (!ask_ahead(r, off, n)) {
			atomic_fetch_sub(&r->locks->unused, n);
			return;
		}
		off += n;
	}
}
