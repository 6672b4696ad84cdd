/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_test.c - a pipe as a target, written by several threads. */
#include "testing.h"

#include "block_driver.h"
#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

static struct err e;

enum { PART = 4096 };

struct waiter {
	struct block *pipe;
	sem_t begun;
	atomic_bool noted; /* the failure of the other one */
	bool noted_before; /* ... when this one came back */
	struct err err;
	int rc;
};

static void *write_second_part(void *arg)
{
	static const char part[PART] = "second";
	struct waiter *w = arg;

	sem_post(&w->begun);
	w->rc = block_pwrite(w->pipe, part, PART, PART, &w->err);
	w->noted_before = atomic_load(&w->noted);
	return NULL;
}

START_TEST(a_failure_is_noted_before_others_that_wait_for_it_give_up)
{
	static const char part[PART] = "first";
	struct waiter w = { .rc = 1 };
	pthread_t t;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(fds), 0);
	close(fds[0]);
	sem_init(&w.begun, 0, 0);
	ok(block_pipe_open(fds[1], 2 * PART, &w.pipe, &e));
	fails(block_pwrite(w.pipe, part, PART, 0, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EPIPE);
	ck_assert_int_eq(pthread_create(&t, NULL, write_second_part, &w), 0);
	sem_wait(&w.begun);
	usleep(50000); /* time enough to do it wrong; what is right does not depend on it */
	atomic_store(&w.noted, true);
	block_pipe_break(w.pipe);
	pthread_join(t, NULL);
	ck_assert(w.noted_before);
	ck_assert_int_eq(w.rc, -(int)ERR_CANCELED);
	block_unref(w.pipe);
	close(fds[1]);
}
END_TEST

START_TEST(parts_go_out_in_their_order)
{
	static const char part[PART] = "first";
	struct waiter w = { .rc = 1 };
	pthread_t t;
	char got[2 * PART];
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	sem_init(&w.begun, 0, 0);
	ok(block_pipe_open(fds[1], 2 * PART, &w.pipe, &e));
	ck_assert_int_eq(pthread_create(&t, NULL, write_second_part, &w), 0);
	sem_wait(&w.begun);
	ok(block_pwrite(w.pipe, part, PART, 0, &e));
	pthread_join(t, NULL);
	ck_assert_int_eq(w.rc, 0);
	ck_assert_int_eq(read(fds[0], got, sizeof got), (int)sizeof got);
	ck_assert_str_eq(got, "first");
	ck_assert_str_eq(got + PART, "second");
	block_unref(w.pipe);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

TEST_MAIN("stream", a_failure_is_noted_before_others_that_wait_for_it_give_up, parts_go_out_in_their_order)
