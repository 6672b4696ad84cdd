/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "readahead.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct err e;

/* A source whose byte at an offset is known, and which counts what it is asked. */
struct source {
	atomic_ulong fetches, bytes;
	unsigned long fail_at;
	uint64_t last_off;
	size_t last_len;
};

static uint8_t byte_at(uint64_t off)
{
	return (uint8_t)(off * 31 + off / 65536 * 7);
}

static int fetch(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	struct source *s = arg;
	const unsigned long nth = atomic_fetch_add(&s->fetches, 1) + 1;

	atomic_fetch_add(&s->bytes, len);
	s->last_off = off;
	s->last_len = len;
	if (s->fail_at == nth)
		return err_set(err, ERR_SYSTEM, "no");
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = byte_at(off + i);
	return 0;
}

static struct readahead *new_over(struct source *s, uint64_t size, size_t ahead)
{
	const struct readahead_how how = { .fetch = fetch, .arg = s, .size = size, .ahead = ahead };
	struct readahead *r;

	ok(readahead_new(&how, &r, &e));
	return r;
}

static void reads(struct readahead *r, size_t len, uint64_t off)
{
	uint8_t *buf = alloc_bytes(len);

	ck_assert_ptr_nonnull(buf);
	ok(readahead_read(r, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		if (buf[i] != byte_at(off + i))
			ck_abort_msg("byte %zu behind %llu", i, (unsigned long long)off);
	free(buf);
}

START_TEST(what_was_read_is_not_fetched_again)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 10 * MiB, 0);

	reads(r, 100, 5 * MiB + 10);
	reads(r, 65000, 5 * MiB);
	ck_assert_uint_eq(s.fetches, 1);
	ck_assert_uint_eq(s.bytes, READAHEAD_BLOCK);
	reads(r, 100, 5 * MiB - 50);
	ck_assert_uint_eq(s.fetches, 2);
	readahead_free(r);
}
END_TEST

START_TEST(who_reads_on_gets_more_at_a_time)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 64 * MiB, 0);

	for (uint64_t off = 0; off < 8 * MiB; off += 4096)
		reads(r, 4096, off);
	ck_assert_uint_le(s.fetches, 12);
	ck_assert_uint_le(s.bytes, 8 * MiB + LIMIT_READAHEAD);
	ck_assert_uint_eq(s.last_len, LIMIT_READAHEAD);
	readahead_free(r);
}
END_TEST

START_TEST(who_jumps_about_gets_one_block)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 64 * MiB, 0);

	for (unsigned i = 1; i < 50; i++)
		reads(r, 512, i * 7919 % 50 * MiB);
	ck_assert_uint_le(s.bytes, 50 * READAHEAD_BLOCK);
	readahead_free(r);
}
END_TEST

START_TEST(a_large_read_is_passed_on_as_it_is)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 64 * MiB, 0);

	reads(r, 3 * MiB + 1, 4097);
	ck_assert_uint_eq(s.fetches, 1);
	ck_assert_uint_eq(s.last_off, 4097);
	ck_assert_uint_eq(s.last_len, 3 * MiB + 1);
	readahead_free(r);
}
END_TEST

/* What was expected last. */
static uint64_t expected_off, expected_len;

static void expect(void *arg, uint64_t off, uint64_t len)
{
	(void)arg;
	expected_off = off;
	expected_len = len;
}

START_TEST(the_source_is_told_what_comes_next)
{
	struct source s = { 0 };
	const struct readahead_how how = { .fetch = fetch, .expect = expect, .arg = &s, .size = 20 * MiB };
	struct readahead *r;

	ok(readahead_new(&how, &r, &e));
	expected_off = 0;
	/* Two that read on, by turns, and some that do not. */
	reads(r, 1 * MiB, 3 * MiB);
	reads(r, 512 * KiB, 10 * MiB);
	reads(r, 512 * KiB, 8 * MiB);
	ck_assert_uint_eq(expected_off, 0);
	reads(r, 1 * MiB, 4 * MiB);
	ck_assert_uint_eq(expected_off, 5 * MiB);
	ck_assert_uint_eq(expected_len, LIMIT_READAHEAD_RUN);
	reads(r, 512 * KiB, 10 * MiB + 512 * KiB);
	ck_assert_uint_eq(expected_off, 11 * MiB);
	reads(r, 9 * MiB - 1, 11 * MiB);
	ck_assert_uint_eq(expected_off, 20 * MiB - 1);
	ck_assert_uint_eq(expected_len, 1);
	/* Who reads to the end, wants nothing next. */
	expected_off = 0;
	reads(r, 1 * MiB, 18 * MiB);
	reads(r, 1 * MiB, 19 * MiB);
	ck_assert_uint_eq(expected_off, 0);
	/* Small steps, once their fetches are as long as they get. */
	for (uint64_t off = 0; off < 7 * MiB; off += 4096)
		reads(r, 4096, off);
	ck_assert_uint_gt(expected_off, 2 * MiB);
	readahead_free(r);
}
END_TEST

START_TEST(the_end_of_the_source_is_the_end)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 100001, 1 * MiB);

	reads(r, 1, 100000);
	reads(r, 100001, 0);
	ck_assert_uint_eq(s.bytes, 100001);
	readahead_free(r);
	r = new_over(&s, 1, 0);
	reads(r, 1, 0);
	readahead_free(r);
}
END_TEST

START_TEST(as_much_is_read_ahead_as_was_asked_for)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 64 * MiB, 1 * MiB);

	reads(r, 1, 10 * MiB);
	ck_assert_uint_eq(s.last_len, 1 * MiB);
	readahead_free(r);
}
END_TEST

START_TEST(what_is_known_is_not_fetched)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 100000, 0);
	uint8_t bytes[100000];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = byte_at(i);
	readahead_know(r, bytes, sizeof bytes, 0);
	reads(r, 100000, 0);
	ck_assert_uint_eq(s.fetches, 0);
	readahead_free(r);
	/* Half a block is nothing that is known. */
	r = new_over(&s, 1 * MiB, 0);
	readahead_know(r, bytes, 70000, 0);
	reads(r, 70000, 0);
	ck_assert_uint_eq(s.fetches, 1);
	ck_assert_uint_eq(s.last_off, READAHEAD_BLOCK);
	readahead_free(r);
}
END_TEST

START_TEST(an_error_is_told_and_forgotten)
{
	struct source s = { .fail_at = 1 };
	struct readahead *r = new_over(&s, 1 * MiB, 0);
	char byte;

	fails(readahead_read(r, &byte, 1, 0, &e), ERR_SYSTEM);
	reads(r, 1, 0);
	ck_assert_uint_eq(s.fetches, 2);
	readahead_free(r);
}
END_TEST

START_TEST(what_is_kept_has_an_end)
{
	struct source s = { 0 };
	const uint64_t blocks = LIMIT_READAHEAD_HELD / READAHEAD_BLOCK;
	struct readahead *r = new_over(&s, 64 * MiB, 0);

	/* Backwards: nobody reads on. */
	for (uint64_t i = 2 * blocks; i-- > 0;)
		reads(r, 1, i * READAHEAD_BLOCK);
	ck_assert_uint_eq(s.fetches, 2 * blocks);
	reads(r, 1, 0);
	ck_assert_uint_eq(s.fetches, 2 * blocks);
	reads(r, 1, (2 * blocks - 1) * READAHEAD_BLOCK);
	ck_assert_uint_eq(s.fetches, 2 * blocks + 1);
	readahead_free(r);
}
END_TEST

static void *read_all(void *arg)
{
	for (uint64_t off = 0; off < 8 * MiB; off += 5000)
		reads(arg, (size_t)MIN_OF(5000, 8 * MiB - off), off);
	return NULL;
}

START_TEST(threads_share_what_is_fetched)
{
	struct source s = { 0 };
	struct readahead *r = new_over(&s, 8 * MiB, 0);
	pthread_t threads[8];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, r), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(s.bytes, 8 * MiB);
	readahead_free(r);
}
END_TEST

TEST_MAIN("readahead", a_large_read_is_passed_on_as_it_is, an_error_is_told_and_forgotten,
	  as_much_is_read_ahead_as_was_asked_for, the_end_of_the_source_is_the_end, the_source_is_told_what_comes_next,
	  threads_share_what_is_fetched, what_is_kept_has_an_end, what_is_known_is_not_fetched,
	  what_was_read_is_not_fetched_again, who_jumps_about_gets_one_block, who_reads_on_gets_more_at_a_time)
