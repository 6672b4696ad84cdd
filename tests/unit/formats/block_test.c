/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "limits.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct err e;

static void make_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static struct block *open_raw(const char *path, unsigned flags)
{
	struct block_open how = { .format = "raw", .flags = flags };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

START_TEST(a_raw_file_reads_rounded_up_to_a_sector)
{
	char buf[512];
	struct block *b;

	make_file("a", "hello", 5);
	b = open_raw("a", 0);
	ck_assert_uint_eq(block_size(b), 512);
	ok(block_pread(b, buf, 512, 0, &e));
	ck_assert_mem_eq(buf, "hello\0\0\0", 8);
	fails(block_pread(b, buf, 2, 511, &e), ERR_USAGE);
	fails(block_pwrite(b, buf, 1, 0, &e), ERR_USAGE);
	block_unref(b);
}
END_TEST

START_TEST(a_window_shows_its_part_and_no_more)
{
	struct block_open how = { .format = "raw" };
	struct dict opts = DICT_INIT;
	struct block *b;
	char buf[4];

	make_file("a", "0123456789", 10);
	ok(dict_parse(&opts, "offset=3,size=4", NULL, &e));
	how.opts = &opts;
	ok(block_open("a", &how, &b, &e));
	ck_assert_uint_eq(block_size(b), 4);
	ok(block_pread(b, buf, 4, 0, &e));
	ck_assert_mem_eq(buf, "3456", 4);
	block_unref(b);
	ok(dict_set(&opts, "size", "8", &e));
	fails(block_open("a", &how, &b, &e), ERR_USAGE);
	dict_free(&opts);
}
END_TEST

START_TEST(json_names_open_the_same_tree)
{
	struct block_open how = { .format = NULL };
	struct block *b;
	char c;

	make_file("a", "0123456789", 10);
	ok(block_open("json:{\"driver\":\"raw\",\"offset\":2,\"size\":1,\"file\":{\"driver\":\"file\",\"filename\":\"a\"}}", &how,
		      &b, &e));
	ok(block_pread(b, &c, 1, 0, &e));
	ck_assert_int_eq(c, '2');
	block_unref(b);
	fails(block_open("json:{\"driver\":\"raw\",\"file\":{\"filename\":\"a\"},\"zap\":1}", &how, &b, &e), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(e.msg, "zap"));
	fails(block_open("json:{\"driver\":\"raw\"}", &how, &b, &e), ERR_USAGE);
	fails(block_open("json:[", &how, &b, &e), ERR_USAGE);
}
END_TEST

START_TEST(a_guess_is_raw_for_reading_and_refused_for_writing)
{
	struct block_open how = { .flags = 0 };
	struct block *b;

	make_file("a", "x", 1);
	ok(block_open("a", &how, &b, &e));
	ck_assert_str_eq(block_format(b), "raw");
	ck_assert(block_guessed(b));
	block_unref(b);
	how.flags = BLOCK_WRITE;
	fails(block_open("a", &how, &b, &e), ERR_USAGE);
	how.flags = BLOCK_WRITE | BLOCK_GUESS_WRITE;
	ok(block_open("a", &how, &b, &e));
	block_unref(b);
}
END_TEST

START_TEST(what_is_no_file_is_refused_and_never_waited_for)
{
	struct block_open how = { .format = "raw" };
	struct block *b;

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	fails(block_open("fifo", &how, &b, &e), ERR_UNSUPPORTED);
	fails(block_open(".", &how, &b, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EISDIR);
	fails(block_open("none", &how, &b, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOENT);
	fails(block_open("nbd://host/x", &how, &b, &e), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(holes_and_data_are_told_apart)
{
	struct extent x;
	struct block *b;
	int fd = open("a", O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 512 * 1024), 1);
	close(fd);
	b = open_raw("a", 0);
	ok(block_extent_merged(b, NULL, 1 << 20, 0, &x, &e));
	if (x.len == 1 << 20)
		ck_assert_uint_eq(x.flags & EXTENT_DATA, EXTENT_DATA); /* a filesystem that knows no holes */
	else {
		ck_assert_uint_eq(x.len, 512 * 1024);
		ck_assert_uint_eq(x.flags & (EXTENT_ZERO | EXTENT_DATA), EXTENT_ZERO);
		ok(block_extent_merged(b, NULL, 512 * 1024, 512 * 1024, &x, &e));
		ck_assert_uint_eq(x.flags & (EXTENT_ZERO | EXTENT_DATA | EXTENT_PLAIN), EXTENT_DATA | EXTENT_PLAIN);
		ck_assert_uint_eq(x.host_off, 512 * 1024);
	}
	block_unref(b);
}
END_TEST

START_TEST(zeroing_and_growing_read_as_zeros)
{
	static const char zeros[4096];
	char buf[4096];
	struct block *b;

	memset(buf, 'x', sizeof buf);
	make_file("a", buf, sizeof buf);
	b = open_raw("a", BLOCK_WRITE | BLOCK_RESIZE);
	ok(block_zero(b, 1000, 10, BLOCK_ZERO_UNMAP, &e));
	ok(block_pread(b, buf, 4096, 0, &e));
	ck_assert_mem_eq(buf + 10, zeros, 1000);
	ck_assert_int_eq(buf[9], 'x');
	ck_assert_int_eq(buf[1010], 'x');
	ok(block_truncate(b, 8192, PREALLOC_FULL, &e));
	ok(block_pread(b, buf, 4096, 4096, &e));
	ck_assert_mem_eq(buf, zeros, 4096);
	ok(block_finish(b, &e));
	block_unref(b);
}
END_TEST

/* Opens in another process, since locks are between open file descriptions. */
static int code_of_open(const char *path, unsigned flags)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct block_open how = { .format = "raw", .flags = flags };
		struct block *b;
		int rc = block_open(path, &how, &b, &e);
		_exit(rc < 0 ? e.sys_errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

START_TEST(a_writer_keeps_others_out_and_readers_share)
{
	struct block *b;

	make_file("a", "x", 1);
	b = open_raw("a", BLOCK_WRITE);
	ck_assert_int_eq(code_of_open("a", BLOCK_WRITE), EAGAIN);
	ck_assert_int_eq(code_of_open("a", 0), EBUSY);
	ck_assert_int_eq(code_of_open("a", BLOCK_FORCE_SHARE), 0);
	ck_assert_int_eq(code_of_open("a", BLOCK_SHARE_WRITE), 0);
	block_unref(b);
	b = open_raw("a", 0);
	ck_assert_int_eq(code_of_open("a", 0), 0);
	ck_assert_int_eq(code_of_open("a", BLOCK_WRITE), EAGAIN);
	block_unref(b);
	ck_assert_int_eq(code_of_open("a", BLOCK_WRITE), 0);
}
END_TEST

static void takes_all_writes(int (*overlay)(struct block *over, struct block **out, struct err *e))
{
	static char want[300000], got[300000];
	struct block *base, *b;

	for (size_t i = 0; i < sizeof want; i++)
		want[i] = (char)(i * 7 + i / 251);
	make_file("a", want, sizeof want);
	base = open_raw("a", 0);
	ok(overlay(base, &b, &e));
	for (unsigned i = 0; i < 200; i++) {
		size_t off = (size_t)rand() % (sizeof want - 1000), len = (size_t)rand() % 1000;
		memset(want + off, (int)i, len);
		ok(block_pwrite(b, want + off, len, off, &e));
		off = (size_t)rand() % (sizeof want - 10000);
		ok(block_pread(b, got, 10000, off, &e));
		ck_assert_mem_eq(got, want + off, 10000);
	}
	memset(want + 290000, 0, 10000);
	ok(block_zero(b, 10000, 290000, 0, &e));
	ok(block_pread(b, got, sizeof got, 0, &e));
	ck_assert_mem_eq(got, want, sizeof got);
	ok(block_pread(base, got, sizeof got, 0, &e));
	for (size_t i = 0; i < sizeof got; i++)
		ck_assert_int_eq(got[i], (char)(i * 7 + i / 251));
	block_unref(b);
	block_unref(base);
}

static int overlay_on_file(struct block *over, struct block **out, struct err *error)
{
	int fd = stream_temporary(error);

	return fd < 0 ? fd : block_overlay_fd(over, fd, out, error);
}

START_TEST(an_overlay_takes_all_writes)
{
	takes_all_writes(block_overlay);
	takes_all_writes(overlay_on_file);
	takes_all_writes(block_scratch);
}
END_TEST

START_TEST(scratch_takes_so_much_and_no_more)
{
	const size_t piece = 16 * MiB;
	CLEANUP(free_ptr) char *zeros = alloc_zero(piece);
	struct block *base, *b;
	uint64_t off = 0;

	make_file("a", "", 0);
	ck_assert_int_eq(truncate("a", 1 << 30), 0);
	base = open_raw("a", 0);
	ok(block_scratch(base, &b, &e));
	ck_assert_ptr_nonnull(zeros);
	for (; off < LIMIT_SCRATCH_BYTES; off += piece)
		ok(block_pwrite(b, zeros, piece, off, &e));
	fails(block_pwrite(b, "x", 1, off, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOSPC);
	/* What was written can be written again. */
	ok(block_pwrite(b, "x", 1, 0, &e));
	block_unref(b);
	block_unref(base);
}
END_TEST

START_TEST(direct_io_takes_any_alignment)
{
	static char want[20000], got[20000];
	struct block_open how = { .format = "raw", .flags = BLOCK_WRITE | BLOCK_DIRECT };
	struct block *b;

	make_file("a", want, sizeof want);
	if (block_open("a", &how, &b, &e) < 0 && e.sys_errno == EINVAL)
		return; /* the filesystem (tmpfs) has no direct I/O */
	for (unsigned i = 0; i < 100; i++) {
		size_t off = (size_t)rand() % (sizeof want - 5000), len = (size_t)rand() % 5000;
		memset(want + off, (int)i, len);
		ok(block_pwrite(b, want + off, len, off, &e));
	}
	ok(block_pread(b, got, sizeof got, 0, &e));
	ck_assert_mem_eq(got, want, sizeof got);
	block_unref(b);
}
END_TEST

START_TEST(the_fault_filter_fails_the_nth_write_only)
{
	struct fault_plan plan = { .fail_write_at = 2 };
	struct block *base, *b;

	make_file("a", "0123", 4);
	base = open_raw("a", BLOCK_WRITE);
	ok(block_fault(base, &plan, &b, &e));
	ok(block_pwrite(b, "x", 1, 0, &e));
	fails(block_pwrite(b, "y", 1, 1, &e), ERR_SYSTEM);
	ok(block_pwrite(b, "z", 1, 2, &e));
	block_unref(b);
	block_unref(base);
}
END_TEST

TEST_MAIN("block", a_raw_file_reads_rounded_up_to_a_sector, a_window_shows_its_part_and_no_more, json_names_open_the_same_tree,
	  a_guess_is_raw_for_reading_and_refused_for_writing, what_is_no_file_is_refused_and_never_waited_for,
	  holes_and_data_are_told_apart, zeroing_and_growing_read_as_zeros, a_writer_keeps_others_out_and_readers_share,
	  an_overlay_takes_all_writes, scratch_takes_so_much_and_no_more, direct_io_takes_any_alignment,
	  the_fault_filter_fails_the_nth_write_only)
