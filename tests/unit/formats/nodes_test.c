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

/* ---- what any node may be asked ---- */

static void make_image(const char *path, const char *size)
{
	struct dict opts = DICT_INIT;

	ok(dict_set(&opts, "size", size, &e));
	ok(block_create(path, "qcow2", &opts, NULL, &e));
	dict_free(&opts);
}

/* What another reader of the file, which knows nothing of our caches, finds at its beginning. */
static char first_byte_on_disk(const char *path)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_FORCE_SHARE };
	struct block *b;
	char c;

	ok(block_open(path, &how, &b, &e));
	ok(block_pread(b, &c, 1, 0, &e));
	block_unref(b);
	return c;
}

START_TEST(a_write_that_is_written_through_can_be_found_again_at_once)
{
	struct block_open back = { .format = "qcow2", .flags = BLOCK_WRITE };
	struct block_open through = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_WRITETHROUGH };
	struct block *b;

	make_image("a", "1M");
	ok(block_open("a", &back, &b, &e));
	ok(block_pwrite(b, "x", 1, 0, &e));
	ck_assert_int_eq(first_byte_on_disk("a"), 0); /* its L2 entry is in our memory only */
	block_unref(b);
	ok(block_open("a", &through, &b, &e));
	ok(block_pwrite(b, "x", 1, 0, &e));
	ck_assert_int_eq(first_byte_on_disk("a"), 'x');
	ok(block_zero(b, 512, 0, 0, &e));
	ck_assert_int_eq(first_byte_on_disk("a"), 0);
	block_unref(b);
}
END_TEST

static bool is_allocated(struct block *b, uint64_t off, bool *zero)
{
	struct extent x;

	ok(block_extent(b, 512, off, &x, &e));
	*zero = x.flags & EXTENT_ZERO;
	return x.flags & EXTENT_ALLOC && x.flags & EXTENT_DATA;
}

START_TEST(zeros_that_are_written_are_seen_if_asked_for)
{
	static char zeros[65536], ones[65536] = { 1 };
	struct block *b;
	bool zero;

	make_image("a", "1M");
	ok(open_opts("driver=qcow2,file.filename=a,detect-zeroes=on", BLOCK_WRITE, &b));
	ok(block_pwrite(b, zeros, sizeof zeros, 0, &e));
	ok(block_pwrite(b, ones, sizeof ones, 65536, &e));
	ck_assert(!is_allocated(b, 0, &zero));
	ck_assert(is_allocated(b, 65536, &zero));
	ok(block_finish(b, &e));
	block_unref(b);
	ok(open_opts("driver=qcow2,file.filename=a", BLOCK_WRITE, &b));
	ok(block_pwrite(b, zeros, sizeof zeros, 131072, &e));
	ck_assert(is_allocated(b, 131072, &zero));
	ck_assert(!zero);
	ok(block_finish(b, &e));
	block_unref(b);
}
END_TEST

START_TEST(discards_are_ignored_if_asked_for)
{
	struct block *b;
	char c;

	make_file("a", 'a', 65536);
	ok(open_opts("driver=raw,file.filename=a,discard=ignore", BLOCK_WRITE, &b));
	ok(block_discard(b, 65536, 0, &e));
	ok(block_pread(b, &c, 1, 0, &e));
	ck_assert_int_eq(c, 'a');
	block_unref(b);
	ok(open_opts("driver=raw,file.filename=a,discard=unmap", BLOCK_WRITE, &b));
	ok(block_discard(b, 65536, 0, &e));
	ok(block_pread(b, &c, 1, 0, &e));
	ck_assert_int_eq(c, 0);
	block_unref(b);
}
END_TEST

START_TEST(a_node_keeps_to_what_it_was_told)
{
	static const struct {
		const char *text;
		unsigned flags;
		enum err_code code;
	} rows[] = {
		{ "driver=raw,file.filename=a,read-only=on", BLOCK_WRITE, ERR_USAGE },
		{ "driver=raw,file.filename=a,file.read-only=on", BLOCK_WRITE, ERR_USAGE },
		{ "driver=raw,file.filename=a,force-share=on", BLOCK_WRITE, ERR_USAGE },
		{ "driver=raw,file.filename=a,node-name=1a", 0, ERR_USAGE },
		{ "driver=raw,file.filename=a,discard=maybe", 0, ERR_USAGE },
		{ "driver=raw,file.filename=a,detect-zeroes=unmap,discard=off", 0, ERR_USAGE },
		{ "driver=raw,file.filename=a,file.aio=native", 0, ERR_USAGE },
		{ "driver=raw,file.filename=a,file.locking=never", 0, ERR_USAGE },
		{ "driver=raw,file.filename=a,cache.direct=often", 0, ERR_USAGE },
		{ "driver=host_device,filename=a", 0, ERR_USAGE },
	};
	static const char *const fine[] = {
		"driver=raw,file.filename=a,read-only=on,force-share=on,node-name=a-1",
		"driver=raw,file.filename=a,cache.direct=off,cache.no-flush=on,auto-read-only=on",
		"driver=raw,file.filename=a,file.aio=threads,file.locking=auto",
		"driver=raw,file.filename=a,detect-zeroes=unmap,discard=unmap",
	};
	struct block *b;

	make_file("a", 'a', 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int rc = open_opts(rows[i].text, rows[i].flags, &b);

		ck_assert_msg(rc == -(int)rows[i].code, "%s: %d (%s)", rows[i].text, rc, e.msg);
	}
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
		ok(open_opts(fine[i], 0, &b));
		block_unref(b);
	}
}
END_TEST

START_TEST(a_file_that_takes_no_locks_stands_in_nobodys_way)
{
	struct block *held, *b;

	make_file("a", 'a', 4096);
	ok(open_opts("driver=raw,file.filename=a", BLOCK_WRITE, &held));
	fails(open_opts("driver=raw,file.filename=a", BLOCK_WRITE, &b), ERR_SYSTEM);
	ok(open_opts("driver=raw,file.filename=a,file.locking=off", BLOCK_WRITE, &b));
	block_unref(b);
	block_unref(held);
}
END_TEST

START_TEST(a_filter_says_of_allocation_what_lies_beneath_it)
{
	struct dict opts = DICT_INIT;
	struct block *b;
	struct extent x;
	char c;

	make_file("base", 'b', 1 << 20);
	ok(dict_set(&opts, "size", "1M", &e));
	ok(dict_set(&opts, "backing_file", "base", &e));
	ok(dict_set(&opts, "backing_fmt", "raw", &e));
	ok(block_create("top", "qcow2", &opts, NULL, &e));
	dict_free(&opts);
	ok(open_opts("driver=copy-on-read,file.driver=qcow2,file.file.filename=top", BLOCK_WRITE, &b));
	ok(block_extent(b, 65536, 0, &x, &e));
	ck_assert(!(x.flags & EXTENT_ALLOC));
	ok(block_extent_chain(b, NULL, 65536, 0, &x, &e));
	ck_assert(x.flags & EXTENT_DATA);
	ck_assert_uint_eq(x.depth, 1);
	ok(block_pread(b, &c, 1, 0, &e));
	ck_assert_int_eq(c, 'b');
	ok(block_extent(b, 512, 0, &x, &e));
	ck_assert(x.flags & EXTENT_ALLOC);
	ok(block_finish(b, &e));
	block_unref(b);
}
END_TEST

TEST_MAIN("nodes", a_null_disk_takes_everything_and_gives_zeros, blkdebug_fails_after_its_event_and_in_its_state,
	  blkdebug_reads_its_rules_from_a_file, blkdebug_widens_requests_to_its_alignment,
	  a_breakpoint_holds_a_request_until_it_is_resumed, a_quorum_outvotes_a_bad_child_and_mends_it,
	  a_throttle_makes_the_second_request_wait, a_write_that_is_written_through_can_be_found_again_at_once,
	  zeros_that_are_written_are_seen_if_asked_for, discards_are_ignored_if_asked_for, a_node_keeps_to_what_it_was_told,
	  a_file_that_takes_no_locks_stands_in_nobodys_way, a_filter_says_of_allocation_what_lies_beneath_it)
