/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "turn.h"

#include "testing.h"

enum { PARTS = 64, THREADS = 4 };

struct work {
	struct turn turn;
	atomic_bool stop;
	atomic_uint next;
	unsigned done[PARTS], ndone; /* only for whose turn it is */
};

static void *in_turn(void *arg)
{
	struct work *w = arg;
	unsigned part;

	while ((part = atomic_fetch_add(&w->next, 1)) < PARTS) {
		if (part % 3 == 0)
			usleep(part * 10);
		if (!turn_await(&w->turn, part, &w->stop))
			return w;
		w->done[w->ndone++] = part;
		turn_pass(&w->turn, part + 1);
	}
	return NULL;
}

START_TEST(parts_are_done_in_order_whoever_has_them)
{
	struct work w = { .ndone = 0 };
	pthread_t t[THREADS];
	void *stopped;

	turn_init(&w.turn, 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, in_turn, &w), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i], &stopped);
		ck_assert_ptr_null(stopped);
	}
	ck_assert_uint_eq(w.ndone, PARTS);
	for (unsigned i = 0; i < PARTS; i++)
		ck_assert_uint_eq(w.done[i], i);
}
END_TEST

START_TEST(who_waits_for_nothing_is_let_go)
{
	struct work w = { .ndone = 0 };
	pthread_t t;
	void *stopped;

	turn_init(&w.turn, PARTS); /* so that no part ever comes */
	ck_assert_int_eq(pthread_create(&t, NULL, in_turn, &w), 0);
	atomic_store(&w.stop, true);
	turn_wake(&w.turn);
	pthread_join(t, &stopped);
	ck_assert_ptr_nonnull(stopped);
	ck_assert_uint_eq(w.ndone, 0);
}
END_TEST

TEST_MAIN("turn", parts_are_done_in_order_whoever_has_them, who_waits_for_nothing_is_let_go)
