/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote_test.c - a helper that was taken over: it says what it likes, and the library takes what makes sense.
 *
 * The helper is this very program, under the name that the library starts; what it does is told by FAKE_HELPER.
 */
#include "testing.h"

#include "alloc.h"
#include "block.h"
#include "io.h"
#include "remote.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

enum { FAKE_SIZE = 1 << 20 };

static uint8_t byte_at(uint64_t off)
{
	return (uint8_t)(off * 13 + off / 4096);
}

/* ---- the helper ---- */

static bool does(const char *what)
{
	return strcmp(getenv("FAKE_HELPER"), what) == 0;
}

/* Bytes that were asked for, in front of the first slot's data. */
static atomic_ullong *asked_at(const void *first)
{
	return (atomic_ullong *)(void *)((char *)(uintptr_t)first - sizeof(atomic_ullong));
}

static void fake_answer(struct net_slot *s, uint8_t *data)
{
	memset(&s->failure, 0, sizeof s->failure);
	if (does("fails")) {
		s->failure = (struct net_failure){ .code = ERR_CORRUPT, .msg = "it is \033[31mbroken" };
	} else if (does("fails-oddly")) {
		s->failure = (struct net_failure){ .code = 4000000000u, .sys_errno = -7 };
		memset(s->failure.msg, 'a', sizeof s->failure.msg);
	} else if (does("maps-much")) {
		s->nextents = UINT32_MAX;
		for (size_t i = 0; i < NET_EXTENTS; i++)
			s->extents[i] = (struct net_extent){ UINT64_MAX, UINT64_MAX };
	} else if (does("maps-nothing")) {
		s->nextents = 1;
		s->extents[0] = (struct net_extent){ 0, 0 };
	} else if (does("fails-some") && s->len == 128 * KiB) {
		s->failure = (struct net_failure){ .code = ERR_CORRUPT, .msg = "not that" };
	} else if (s->op == NET_READ && s->len <= NET_DATA) {
		for (uint64_t i = 0; i < s->len; i++)
			data[i] = byte_at(s->off + i);
	}
}

static void *fake_slot(void *arg)
{
	const int slot = (int)(intptr_t)arg;
	char *memory = mmap(NULL, NET_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, NET_FD_MEMORY, 0);
	struct net_slot *s = (struct net_slot *)(void *)(memory + (size_t)slot * NET_SLOT_SPAN);
	uint64_t n;

	while (read(NET_FD_SLOTS + 2 * slot, &n, sizeof n) == sizeof n) {
		if (does("dies"))
			_exit(1);
		if (does("cuts"))
			_exit(ftruncate(NET_FD_MEMORY, 0) < 0 ? 7 : 0);
		if (does("silent"))
			pause();
		atomic_fetch_add(asked_at(memory + NET_SLOT_HEAD), s->len);
		fake_answer(s, (uint8_t *)s + NET_SLOT_HEAD);
		if (io_write(NET_FD_SLOTS + 2 * slot + 1, "", 1))
			break;
	}
	return NULL;
}

static void fake_helper(void)
{
	struct net_hello h = { .version = NET_VERSION, .features = ~0u, .slots = NET_SLOTS, .block_min = 1,
			       .block_max = NET_DATA, .size = FAKE_SIZE };
	size_t got;
	char byte;

	if (does("hello-version"))
		h.version = 99;
	if (does("hello-slots"))
		h.slots = 1000;
	if (does("hello-block"))
		h.block_min = 3;
	if (does("hello-block-huge"))
		h.block_max = UINT32_MAX;
	if (does("hello-first"))
		h.first_len = UINT32_MAX;
	if (does("hello-size"))
		h.size = UINT64_MAX;
	if (does("hello-silent"))
		pause();
	if (does("hello-dies"))
		_exit(0);
	if (does("blocks"))
		h.block_min = 4096;
	if (io_write(NET_FD_HELLO, &h, does("hello-half") ? 20 : sizeof h) || does("hello-half"))
		_exit(0);
	for (intptr_t i = 0; i < NET_SLOTS; i++) {
		pthread_t t;

		pthread_create(&t, NULL, fake_slot, (void *)i);
	}
	(void)io_read(NET_FD_LIFE, &byte, 1, &got);
	_exit(0);
}

__attribute__((constructor)) static void be_the_helper(void)
{
	if (strcmp(program_invocation_short_name, "drydock-nbd") == 0 && getenv("FAKE_HELPER"))
		fake_helper();
}

/* ---- the tests ---- */

static int start(const char *what, unsigned seconds, struct remote **out)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	const struct remote_how how = { .helper = "drydock-nbd", .name = "nbd://x", .opts = &opts, .open_seconds = 30,
					.patience_seconds = seconds };
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	enter_scratch();
	ck_assert_int_eq(symlink(path, "drydock-nbd"), 0);
	setenv("DRYDOCK_HELPERS", getenv("DRYDOCK_UNIT_SCRATCH"), 1);
	setenv("FAKE_HELPER", what, 1);
	ok(dict_set(&opts, "a", "b", &e));
	return remote_start(&how, out, &e);
}

static void says(const char *what)
{
	ck_assert_msg(strstr(e.msg, what) != NULL, "%s", e.msg);
}

static void reads(struct remote *r, size_t len, uint64_t off)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(len);

	ck_assert_ptr_nonnull(buf);
	ok(remote_read(r, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		if (buf[i] != byte_at(off + i))
			ck_abort_msg("byte %zu behind %llu", i, (unsigned long long)off);
}

START_TEST(what_is_asked_is_answered)
{
	struct remote *r = NULL;

	ok(start("honest", 60, &r));
	ck_assert_uint_eq(remote_hello(r)->size, FAKE_SIZE);
	reads(r, FAKE_SIZE, 0);
	reads(r, 1, FAKE_SIZE - 1);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(a_hello_that_makes_no_sense_is_refused)
{
	static const char *const words[] = { "hello-version", "hello-slots", "hello-block", "hello-block-huge", "hello-first" };
	struct remote *r = NULL;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		fails(start(words[i], 60, &r), ERR_CORRUPT);
		says("makes no sense");
		leave_scratch();
	}
	fails(start("hello-size", 60, &r), ERR_LIMIT);
	leave_scratch();
}
END_TEST

START_TEST(a_helper_that_ends_is_an_error)
{
	struct remote *r = NULL;
	char byte;

	fails(start("hello-dies", 60, &r), ERR_SYSTEM);
	says("has ended");
	leave_scratch();
	fails(start("hello-half", 60, &r), ERR_SYSTEM);
	says("has ended");
	leave_scratch();
	ok(start("dies", 60, &r));
	fails(remote_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	says("has ended");
	/* And goes on to be one, at each slot. */
	for (unsigned i = 0; i <= NET_SLOTS; i++)
		fails(remote_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	says("the connection is lost");
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(who_does_not_answer_is_given_up)
{
	struct remote *r = NULL;
	char byte;

	ok(start("silent", 1, &r));
	fails(remote_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	says("no answer in 1 seconds");
	ck_assert_int_eq(e.sys_errno, ETIMEDOUT);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(the_shared_memory_cannot_be_cut_off)
{
	struct remote *r = NULL;
	char byte;

	ok(start("cuts", 60, &r));
	fails(remote_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	/* No SIGBUS. */
	(void)*(volatile const char *)remote_first(r);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(its_words_are_quoted_and_its_numbers_judged)
{
	struct remote *r = NULL;
	char byte;

	ok(start("fails", 60, &r));
	fails(remote_read(r, &byte, 1, 0, &e), ERR_CORRUPT);
	says("nbd://x: it is \\x1b[31mbroken");
	remote_free(r);
	leave_scratch();
	ok(start("fails-oddly", 60, &r));
	fails(remote_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EIO);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(a_map_is_judged)
{
	struct net_extent runs[NET_EXTENTS];
	struct remote *r = NULL;
	size_t n;

	ok(start("maps-much", 60, &r));
	ok(remote_map(r, 100, 0, runs, &n, &e));
	ck_assert_uint_eq(n, NET_EXTENTS);
	remote_free(r);
	leave_scratch();
	ok(start("maps-nothing", 60, &r));
	fails(remote_map(r, 100, 0, runs, &n, &e), ERR_CORRUPT);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(a_read_is_widened_to_blocks)
{
	struct remote *r = NULL;

	ok(start("blocks", 60, &r));
	reads(r, 3, 4095);
	reads(r, 5000, 1);
	reads(r, FAKE_SIZE - 2, 1);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(a_child_reads_beside_its_parent)
{
	struct remote *r = NULL;
	pid_t pid;
	int status;

	ok(start("honest", 60, &r));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	for (unsigned i = 0; i < 500; i++)
		reads(r, 1000, i * 777 % (FAKE_SIZE - 1000));
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* It has not taken the helper with it. */
	reads(r, 10, 0);
	remote_free(r);
	leave_scratch();
}
END_TEST

/* Enough is wanted that something may be fetched before it is; into the first slot, as nobody uses any. */
static void expects(struct remote *r, uint64_t off)
{
	for (unsigned i = 0; i < 8; i++)
		reads(r, FAKE_SIZE, 0);
	remote_expect(r, off, 128 * KiB);
}

START_TEST(what_is_expected_comes_before_it_is_read)
{
	const uint64_t at = 300001;
	struct remote *r = NULL;
	const volatile uint8_t *data;

	ok(start("honest", 60, &r));
	expects(r, at);
	data = remote_first(r);
	for (size_t i = 0; i < 128 * KiB; i++)
		while (data[i] != byte_at(at + i))
			usleep(1000);
	/* Before it, into it, out of it, once more. */
	reads(r, 1000, at - 500);
	reads(r, 100 * KiB, at + 10);
	reads(r, 200 * KiB, at + 50 * KiB);
	reads(r, 128 * KiB, at);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(little_is_fetched_that_nobody_reads)
{
	uint64_t wanted = 0;
	struct remote *r = NULL;

	ok(start("honest", 60, &r));
	for (unsigned i = 0; i < 300; i++) {
		const size_t len = i % 2 ? 300000 : 7000;

		remote_expect(r, i * 70001 % (FAKE_SIZE / 2), FAKE_SIZE / 2);
		reads(r, len, i * 90001 % (FAKE_SIZE - len));
		wanted += len;
		ck_assert_uint_le(atomic_load(asked_at(remote_first(r))), wanted + wanted / 10);
	}
	ck_assert_uint_gt(wanted, 40 * MiB);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(a_child_reads_what_its_parent_expected)
{
	struct remote *r = NULL;
	pid_t pid;
	int status;

	ok(start("honest", 60, &r));
	expects(r, 1234);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	for (unsigned i = 0; i < 100; i++) {
		remote_expect(r, i * 7777 % (FAKE_SIZE / 2), FAKE_SIZE / 2);
		reads(r, 50000, i * 7777 % (FAKE_SIZE / 2));
	}
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(what_was_expected_and_failed_is_asked_again)
{
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(128 * KiB);
	struct remote *r = NULL;

	ok(start("fails-some", 60, &r));
	expects(r, 4096);
	reads(r, 1000, 4096);
	remote_expect(r, 4096, 128 * KiB);
	fails(remote_read(r, buf, 128 * KiB, 4096, &e), ERR_CORRUPT);
	says("not that");
	remote_free(r);
	leave_scratch();
}
END_TEST

static void *read_some(void *arg)
{
	for (unsigned i = 0; i < 200; i++)
		reads(arg, 3000, i * 991 % (FAKE_SIZE - 3000));
	return NULL;
}

START_TEST(more_threads_than_slots_take_turns)
{
	struct remote *r = NULL;
	pthread_t threads[4 * NET_SLOTS];

	ok(start("honest", 60, &r));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_some, r), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	remote_free(r);
	leave_scratch();
}
END_TEST

START_TEST(without_a_helper_there_is_a_sentence)
{
	const struct remote_how how = { .helper = "drydock-none", .name = "nbd://x", .open_seconds = 1 };
	struct remote *r = NULL;

	unsetenv("DRYDOCK_HELPERS");
	fails(remote_start(&how, &r, &e), ERR_UNSUPPORTED);
	says("drydock-none, which talks to the server, is not there");
}
END_TEST

TEST_MAIN("remote", a_child_reads_beside_its_parent, a_child_reads_what_its_parent_expected,
	  a_hello_that_makes_no_sense_is_refused, a_helper_that_ends_is_an_error, a_map_is_judged,
	  a_read_is_widened_to_blocks, its_words_are_quoted_and_its_numbers_judged,
	  little_is_fetched_that_nobody_reads, more_threads_than_slots_take_turns, the_shared_memory_cannot_be_cut_off,
	  what_is_asked_is_answered, what_is_expected_comes_before_it_is_read,
	  what_was_expected_and_failed_is_asked_again, who_does_not_answer_is_given_up,
	  without_a_helper_there_is_a_sentence)
