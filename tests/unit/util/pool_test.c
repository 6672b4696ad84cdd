/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pool.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct job {
	atomic_uint workers, ticks;
	unsigned lasts; /* so many ticks */
};

static void job_work(void *arg)
{
	struct job *j = arg;

	while (atomic_load(&j->ticks) < j->lasts)
		usleep(1000);
	atomic_fetch_add(&j->workers, 1);
}

static void job_tick(void *arg)
{
	struct job *j = arg;

	atomic_fetch_add(&j->ticks, 1);
}

START_TEST(every_thread_runs_the_work_once)
{
	struct job j = { .lasts = 0 };

	ck_assert_int_eq(pool_run(5, job_work, job_tick, &j, NULL), 0);
	ck_assert_uint_eq(j.workers, 5);
}
END_TEST

START_TEST(the_caller_ticks_while_the_work_lasts)
{
	struct job j = { .lasts = 2 };

	ck_assert_int_eq(pool_run(2, job_work, job_tick, &j, NULL), 0);
	ck_assert_uint_eq(j.workers, 2);
	ck_assert_uint_ge(j.ticks, 2);
}
END_TEST

START_TEST(there_are_at_least_two_threads)
{
	ck_assert_uint_ge(pool_threads(), 2);
	ck_assert_uint_le(pool_threads(), POOL_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");
	int failed;

	tcase_add_test(t, every_thread_runs_the_work_once);
	tcase_add_test(t, the_caller_ticks_while_the_work_lasts);
	tcase_add_test(t, there_are_at_least_two_threads);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
