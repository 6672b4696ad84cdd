/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "compare.h"
#include "limits.h"

#include <fcntl.h>
#include <string.h>

static struct err e;

static struct block *new_raw(const char *path, uint64_t size)
{
	struct block_open how = { .format = "raw", .flags = BLOCK_WRITE };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct block *b;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
	ok(block_open(path, &how, &b, &e));
	return b;
}

static void put(struct block *b, uint64_t off, unsigned char byte)
{
	ok(block_pwrite(b, &byte, 1, off, &e));
}

static struct compare_result compare(struct block *a, struct block *b, bool strict)
{
	struct compare_job job = { .sides = { a, b }, .strict = strict };
	struct compare_result r;

	ok(compare_run(&job, &r, &e));
	return r;
}

START_TEST(the_first_of_many_differences_is_told)
{
	struct block *a = new_raw("a", 30 * MiB), *b = new_raw("b", 30 * MiB);

	for (uint64_t off = 5 * MiB + 17; off < 30 * MiB; off += 777777)
		put(a, off, 1);
	for (int i = 0; i < 20; i++)
		ck_assert_uint_eq(compare(a, b, false).off, 5 * MiB + 17);
	put(b, 12345, 9);
	ck_assert_int_eq(compare(a, b, false).difference, COMPARE_CONTENT);
	ck_assert_uint_eq(compare(a, b, false).off, 12345);
	block_unref(a);
	block_unref(b);
}
END_TEST

START_TEST(holes_and_stored_zeros_are_the_same_content)
{
	struct block *a = new_raw("a", 3 * MiB), *b = new_raw("b", 3 * MiB);

	put(a, MiB, 1);
	put(b, MiB, 1);
	put(b, 2 * MiB, 0);
	ck_assert_int_eq(compare(a, b, false).difference, COMPARE_SAME);
	ck_assert_int_eq(compare(a, b, true).difference, COMPARE_ALLOC);
	ck_assert_uint_eq(compare(a, b, true).off, 2 * MiB);
	block_unref(a);
	block_unref(b);
}
END_TEST

START_TEST(a_longer_image_is_the_same_while_its_rest_is_zeros)
{
	struct block *a = new_raw("a", MiB), *b = new_raw("b", 4 * MiB);

	put(a, 5, 1);
	put(b, 5, 1);
	ck_assert(compare(a, b, false).sizes_differ);
	ck_assert_int_eq(compare(a, b, false).difference, COMPARE_SAME);
	ck_assert_int_eq(compare(a, b, true).difference, COMPARE_SIZE);
	put(b, 3 * MiB + 3, 1);
	ck_assert_int_eq(compare(a, b, false).difference, COMPARE_CONTENT);
	ck_assert_uint_eq(compare(b, a, false).off, 3 * MiB + 3);
	block_unref(a);
	block_unref(b);
}
END_TEST

START_TEST(a_difference_before_an_unreadable_place_is_still_found)
{
	struct block *a = new_raw("a", 8 * MiB), *b = new_raw("b", 8 * MiB), *bad;
	struct fault_plan plan = { .fail_read_at = 2, .fail_all_after = true };
	struct compare_job job = { .sides = { a, NULL }, .threads = 1 };
	struct compare_result r;

	for (uint64_t off = 0; off < 8 * MiB; off += 512) {
		put(a, off, 1);
		put(b, off, 1);
	}
	ok(block_fault(b, &plan, &bad, &e));
	job.sides[1] = bad;
	fails(compare_run(&job, &r, &e), ERR_SYSTEM);
	ck_assert_uint_eq(r.failed_side, 1);
	ck_assert(!r.failed_map);
	ck_assert_uint_eq(r.off, MiB);
	block_unref(bad);
	put(b, 100, 7);
	plan = (struct fault_plan){ .fail_read_at = 2, .fail_all_after = true };
	ok(block_fault(b, &plan, &bad, &e));
	job.sides[1] = bad;
	/* One thread: with two, which read comes second is not known. */
	ok(compare_run(&job, &r, &e));
	ck_assert_int_eq(r.difference, COMPARE_CONTENT);
	ck_assert_uint_eq(r.off, 100);
	block_unref(bad);
	block_unref(a);
	block_unref(b);
}
END_TEST

TEST_MAIN("compare", the_first_of_many_differences_is_told, holes_and_stored_zeros_are_the_same_content,
	  a_longer_image_is_the_same_while_its_rest_is_zeros, a_difference_before_an_unreadable_place_is_still_found)
