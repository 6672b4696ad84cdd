/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nodes_test.c - the filters and test protocols that option strings and json: names reach. */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static struct err e;

static void make_file(const char *path, char fill, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	while (len--)
		fputc(fill, f);
	ck_assert_int_eq(fclose(f), 0);
}

static int open_opts(const char *text, unsigned flags, struct block **out)
{
	struct dict d = DICT_INIT;
	struct block_open how = { .flags = flags, .opts = &d };
	int rc;

	ok(dict_parse(&d, text, NULL, &e));
	rc = block_open(NULL, &how, out, &e);
	dict_free(&d);
	return rc;
}

START_TEST(a_null_disk_takes_everything_and_gives_zeros)
{
	struct block_open how = { .format = "raw", .flags = BLOCK_WRITE };
	struct block *b;
	char buf[8] = "xxxxxxx";

	ok(open_opts("driver=null-co,size=1M,read-zeroes=on", BLOCK_WRITE, &b));
	ck_assert_uint_eq(block_size(b), 1 << 20);
	ok(block_pwrite(b, buf, 8, 100, &e));
	ok(block_pread(b, buf, 8, 100, &e));
	ck_assert_mem_eq(buf, "\0\0\0\0\0\0\0\0", 8);
	block_unref(b);
	ok(block_open("null-co://", &how, &b, &e));
	ck_assert_uint_eq(block_size(b), 1ULL << 30);
	block_unref(b);
}
END_TEST

START_TEST(blkdebug_fails_after_its_event_and_in_its_state)
{
	struct block *b;
	char c;

	make_file("a", 'a', 4096);
	ok(open_opts("driver=blkdebug,image.filename=a,set-state.0.event=l2_update,set-state.0.new_state=2,"
		     "inject-error.0.event=read_aio,inject-error.0.state=2,inject-error.0.errno=28,inject-error.0.sector=1,"
		     "inject-error.0.once=on", 0, &b));
	block_event(b, "read_aio");
	ok(block_pread(b, &c, 1, 600, &e));
	block_event(b, "l2_update");
	block_event(b, "read_aio");
	ok(block_pread(b, &c, 1, 100, &e));
	fails(block_pread(b, &c, 1, 600, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOSPC);
	ok(block_pread(b, &c, 1, 600, &e));
	block_event(b, "read_aio");
	ok(block_pread(b, &c, 1, 600, &e));
	block_unref(b);
	fails(open_opts("driver=blkdebug,image.filename=a,inject-error.0.event=lunch", 0, &b), ERR_USAGE);
	fails(open_opts("driver=blkdebug,image.filename=a,inject-error.0.event=none,inject-error.0.zap=1", 0, &b), ERR_USAGE);
}
END_TEST

START_TEST(blkdebug_reads_its_rules_from_a_file)
{
	struct block_open how = { .format = "raw" };
	struct block *b;
	FILE *f = fopen("rules", "w");
	char c;

	make_file("a", 'a', 4096);
	fputs("# comment\n[inject-error]\nevent = \"none\"\nerrno = \"5\"\n\n"
	      "[set-state]\nevent = \"l1_update\"\nnew_state = \"3\"\n", f);
	fclose(f);
	ok(block_open("blkdebug:rules:a", &how, &b, &e));
	block_event(block_file(b), "none");
	fails(block_pread(b, &c, 1, 0, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EIO);
	block_unref(b);
}
END_TEST

START_TEST(blkdebug_widens_requests_to_its_alignment)
{
	struct block *b;
	char buf[1024];

	make_file("a", 'a', 1024);
	ok(open_opts("driver=blkdebug,image.filename=a,align=512,max-transfer=512", BLOCK_WRITE, &b));
	ok(block_pwrite(b, "xyz", 3, 511, &e));
	ok(block_pread(b, buf, 1024, 0, &e));
	ck_assert_mem_eq(buf + 509, "aaxyzaa", 7);
	block_unref(b);
}
END_TEST

static void *report_event(void *arg)
{
	block_event(arg, "write_aio");
	return NULL;
}

START_TEST(a_breakpoint_holds_a_request_until_it_is_resumed)
{
	struct timespec ms = { 0, 1000000 };
	pthread_t t;
	struct block *b;

	make_file("a", 'a', 512);
	ok(open_opts("driver=blkdebug,image.filename=a", 0, &b));
	fails(block_debug(b, BLOCK_DEBUG_RESUME, NULL, "A", &e), ERR_NOT_FOUND);
	ok(block_debug(b, BLOCK_DEBUG_BREAK, "write_aio", "A", &e));
	ck_assert_int_eq(block_debug(b, BLOCK_DEBUG_IS_SUSPENDED, NULL, "A", &e), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, report_event, b), 0);
	while (block_debug(b, BLOCK_DEBUG_IS_SUSPENDED, NULL, "A", &e) == 0)
		nanosleep(&ms, NULL);
	ok(block_debug(b, BLOCK_DEBUG_RESUME, NULL, "A", &e));
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	block_event(b, "write_aio"); /* used up */
	block_unref(b);
}
END_TEST

START_TEST(a_quorum_outvotes_a_bad_child_and_mends_it)
{
	struct block *b;
	char c;

	make_file("a", 'a', 512);
	make_file("b", 'b', 512);
	make_file("c", 'a', 512);
	ok(open_opts("driver=quorum,vote-threshold=2,rewrite-corrupted=on,children.0.filename=b,children.1.filename=a,"
		     "children.2.filename=c", BLOCK_WRITE, &b));
	ok(block_pread(b, &c, 1, 7, &e));
	ck_assert_int_eq(c, 'a');
	block_unref(b);
	ok(open_opts("driver=file,filename=b", 0, &b));
	ok(block_pread(b, &c, 1, 7, &e));
	ck_assert_int_eq(c, 'a');
	ok(block_pread(b, &c, 1, 8, &e));
	ck_assert_int_eq(c, 'b');
	block_unref(b);
	ok(open_opts("driver=quorum,vote-threshold=3,children.0.filename=b,children.1.filename=a,children.2.filename=c", 0, &b));
	fails(block_pread(b, &c, 1, 8, &e), ERR_CORRUPT);
	block_unref(b);
	ok(open_opts("driver=quorum,vote-threshold=1,read-pattern=fifo,children.0.filename=b,children.1.filename=a", 0, &b));
	ok(block_pread(b, &c, 1, 8, &e));
	ck_assert_int_eq(c, 'b');
	block_unref(b);
	fails(open_opts("driver=quorum,vote-threshold=2,children.0.filename=a", 0, &b), ERR_USAGE);
	fails(open_opts("driver=quorum,children.0.filename=a", 0, &b), ERR_USAGE);
}
END_TEST

START_TEST(a_throttle_makes_the_second_request_wait)
{
	struct timespec t0, t1;
	struct block *b;
	char buf[4096];

	make_file("a", 'a', 4096);
	ok(open_opts("driver=throttle,bps-total=10000,file.filename=a", 0, &b));
	clock_gettime(CLOCK_MONOTONIC, &t0);
	ok(block_pread(b, buf, 4096, 0, &e));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	/* 4096 bytes cost 0.41 s, of which 0.1 s is on credit. */
	ck_assert(t1.tv_sec - t0.tv_sec + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9 > 0.25);
	block_unref(b);
}
END_TEST

TEST_MAIN("nodes", a_null_disk_takes_everything_and_gives_zeros, blkdebug_fails_after_its_event_and_in_its_state,
	  blkdebug_reads_its_rules_from_a_file, blkdebug_widens_requests_to_its_alignment,
	  a_breakpoint_holds_a_request_until_it_is_resumed, a_quorum_outvotes_a_bad_child_and_mends_it,
	  a_throttle_makes_the_second_request_wait)
