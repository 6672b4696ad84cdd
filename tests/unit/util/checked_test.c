/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "checked.h"
#include "ondisk.h"

START_TEST(sums_and_products_that_do_not_fit_are_told)
{
	uint64_t v;

	ck_assert(checked_add(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
	ck_assert(!checked_add(UINT64_MAX, 1, &v));
	ck_assert(checked_mul(1ULL << 32, (1ULL << 32) - 1, &v));
	ck_assert(!checked_mul(1ULL << 32, 1ULL << 32, &v));
	ck_assert(checked_round_up(4097, 4096, &v) && v == 8192);
	ck_assert(!checked_round_up(UINT64_MAX - 5, 4096, &v));
	ck_assert_uint_eq(div_round_up(UINT64_MAX, 2), 1ULL << 63);
}
END_TEST

START_TEST(ranges_are_judged_without_overflow)
{
	ck_assert(range_in(0, 10, 10));
	ck_assert(range_in(10, 0, 10));
	ck_assert(!range_in(11, 0, 10));
	ck_assert(!range_in(UINT64_MAX, 2, 10));
	ck_assert(!range_in(5, UINT64_MAX, 10));
	ck_assert(ranges_overlap(0, 10, 9, 1));
	ck_assert(!ranges_overlap(0, 10, 10, 1));
	ck_assert(!ranges_overlap(5, 0, 0, 10));
	ck_assert(ranges_overlap(UINT64_MAX - 1, 1, UINT64_MAX - 1, 1));
}
END_TEST

START_TEST(integers_lie_on_disk_in_their_order)
{
	be32 b;
	le64 l;

	be32_put(&b, 0x514649fb);
	ck_assert_mem_eq(b.b, "QFI\xfb", 4);
	ck_assert_uint_eq(be32_get(b), 0x514649fb);
	le64_put(&l, 0x0102030405060708);
	ck_assert_mem_eq(l.b, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
	ck_assert_uint_eq(le64_get(l), 0x0102030405060708);
}
END_TEST

TEST_MAIN("checked", sums_and_products_that_do_not_fit_are_told, ranges_are_judged_without_overflow,
	  integers_lie_on_disk_in_their_order)
