// SPDX-License-Identifier: GPL-2.0-or-later
/* convert_verify_test.c - a copy that reads back differently is found. */
#include "testing.h"

#include "alloc.h"
#include "block.h"
#include "convert_internal.h"

#include <fcntl.h>
#include <string.h>

enum { SIZE = 5 << 20 };

static struct err e;

static struct block *disk(const char *path, uint64_t odd_byte)
{
	struct block_open how = { .format = "raw", .flags = BLOCK_WRITE };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct block *b;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	close(fd);
	ok(block_open(path, &how, &b, &e));
	ok(block_pwrite(b, "data", 4, 1 << 20, &e));
	if (odd_byte < SIZE)
		ok(block_pwrite(b, "x", 1, odd_byte, &e));
	return b;
}

static void judge(uint64_t odd_byte, bool salvage, int want, const char *text)
{
	struct block *source = disk("source", UINT64_MAX), *target = disk("target", odd_byte);
	struct convert how = { .target = "target",
			       .copy = { .sources = &source, .nsources = 1, .salvage = salvage, .hash = HASH_SHA256 } };
	struct copy_result copied = { .total = SIZE };
	uint8_t *all = alloc_bytes(SIZE);

	ok(block_pread(source, all, SIZE, 0, &e));
	hash_two(HASH_SHA256, all, SIZE, NULL, 0, copied.digest);
	free(all);
	err_clear(&e);
	ck_assert_int_eq(convert_verify(&how, target, &copied, &e), want);
	if (text)
		ck_assert_msg(strstr(e.msg, text), "%s", e.msg);
	block_unref(source);
	block_unref(target);
}

START_TEST(a_copy_that_reads_back_the_same_is_good)
{
	judge(UINT64_MAX, false, 0, NULL);
	judge(UINT64_MAX, true, 0, NULL);
}
END_TEST

START_TEST(a_byte_that_differs_is_told_with_its_place)
{
	judge(4194305, false, -(int)ERR_CORRUPT, "target: what was written reads back differently at byte 4194305");
}
END_TEST

START_TEST(a_byte_that_differs_is_found_by_the_digest)
{
	judge(SIZE - 1, true, -(int)ERR_CORRUPT, "target: what was written reads back differently");
}
END_TEST

TEST_MAIN("convert_verify", a_copy_that_reads_back_the_same_is_good, a_byte_that_differs_is_told_with_its_place,
	  a_byte_that_differs_is_found_by_the_digest)
