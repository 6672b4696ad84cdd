/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zero.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static unsigned char buf[200000], other[200000];

START_TEST(one_byte_anywhere_is_found)
{
	static const size_t lens[] = { 1, 7, 31, 32, 33, 64, 100, 4096, 70001 };

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		size_t len = lens[i], step = len > 200 ? len / 97 : 1;

		ck_assert(mem_is_zero(buf + 1, len));
		for (size_t at = 0; at < len; at += step) {
			buf[1 + at] = 1;
			ck_assert_msg(!mem_is_zero(buf + 1, len), "byte %zu of %zu", at, len);
			buf[1 + at] = 0;
		}
		buf[1 + len] = 1; /* just behind */
		ck_assert(mem_is_zero(buf + 1, len));
		buf[1 + len] = 0;
	}
	ck_assert(mem_is_zero(buf, 0));
}
END_TEST

START_TEST(agreement_ends_at_the_first_difference)
{
	for (size_t at = 0; at < sizeof buf; at += 1 + at / 3) {
		other[at] = 9;
		ck_assert_uint_eq(mem_agree(buf, other, sizeof buf), at);
		other[at] = 0;
	}
	ck_assert_uint_eq(mem_agree(buf, other, sizeof buf), sizeof buf);
	ck_assert_uint_eq(mem_agree(buf, other, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("zero");
	TCase *t = tcase_create("zero");
	int failed;

	tcase_add_test(t, one_byte_anywhere_is_found);
	tcase_add_test(t, agreement_ends_at_the_first_difference);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
