/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"
#include "strbuf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sizes_take_suffixes_and_fractions)
{
	uint64_t v;

	ck_assert(text_parse_size("512", &v) && v == 512);
	ck_assert(text_parse_size("64k", &v) && v == 65536);
	ck_assert(text_parse_size("1.5G", &v) && v == 1610612736);
	ck_assert(text_parse_size("8E", &v) && v == 1ULL << 63);
	ck_assert(text_parse_size("7b", &v) && v == 7);
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const char *const bad[] = { "", "-1", "1.5", "16E", "1x", "1kk", "k", " 1", "99999999999999999999" };
	uint64_t v;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!text_parse_size(bad[i], &v), "\"%s\" was taken", bad[i]);
}
END_TEST

START_TEST(sizes_print_three_digits)
{
	char buf[16];

	ck_assert_str_eq(text_size(0, buf, sizeof buf), "0 B");
	ck_assert_str_eq(text_size(1024, buf, sizeof buf), "1 KiB");
	ck_assert_str_eq(text_size(1610612736, buf, sizeof buf), "1.5 GiB");
	ck_assert_str_eq(text_size(1000ULL << 20, buf, sizeof buf), "0.977 GiB");
}
END_TEST

START_TEST(quoting_leaves_nothing_a_terminal_acts_on)
{
	struct strbuf b = STRBUF_INIT;

	text_quote(&b, "a\x1b[31m\n\xff\xc2\x9b\xc3\xa9\\", 13);
	ck_assert_str_eq(b.s, "a\\x1b[31m\\n\\xff\\xc2\\x9b\xc3\xa9\\\\");
	strbuf_free(&b);
}
END_TEST

START_TEST(a_uuid_prints_its_bytes_in_order_with_dashes)
{
	const uint8_t u[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	char buf[37];

	ck_assert_str_eq(text_uuid(u, buf), "01234567-89ab-cdef-fedc-ba9876543210");
}
END_TEST

START_TEST(utf16_becomes_utf8)
{
	static const uint8_t in[] = { 'a', 0, 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde, 0x00, 0xd8, 'b', 0, 0, 0, 'c', 0 };
	struct strbuf b = STRBUF_INIT;

	text_utf16le(&b, in, sizeof in / 2);
	ck_assert_str_eq(b.s, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd" "b");
	strbuf_free(&b);
}
END_TEST

START_TEST(utf8_becomes_utf16_and_back)
{
	static const char text[] = "aé\xe2\x82\xac\xf0\x9f\x98\x80z";
	static const uint16_t want[] = { 'a', 0xe9, 0x20ac, 0xd83d, 0xde00, 'z' };
	static const char *const bad[] = { "\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "a\xf0\x9f\x98" };
	uint16_t units[6];
	char utf8[20];
	size_t n = 0;

	ck_assert(text_to_utf16(text, strlen(text), units, 6, &n));
	ck_assert_uint_eq(n, 6);
	ck_assert_mem_eq(units, want, sizeof want);
	ck_assert_uint_eq(text_from_utf16(units, n, utf8, sizeof utf8), strlen(text));
	ck_assert_str_eq(utf8, text);
	/* Whole characters only, where there is no room. */
	ck_assert(!text_to_utf16(text, strlen(text), units, 5, &n));
	ck_assert(!text_to_utf16(text, strlen(text), units, 4, &n));
	ck_assert_uint_eq(text_from_utf16(want, 6, utf8, 10), 6);
	ck_assert_uint_eq(text_from_utf16(want, 6, utf8, 11), 10);
	/* Half a pair, and what follows a NUL. */
	ck_assert_uint_eq(text_from_utf16(want + 4, 2, utf8, sizeof utf8), 4);
	ck_assert_str_eq(utf8, "\xef\xbf\xbdz");
	ck_assert_uint_eq(text_from_utf16((const uint16_t[]){ 'a', 0, 'b' }, 3, utf8, sizeof utf8), 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!text_to_utf16(bad[i], strlen(bad[i]), units, 6, &n), "%zu was taken", i);
	ck_assert(text_to_utf16("", 0, units, 0, &n) && n == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, sizes_take_suffixes_and_fractions);
	tcase_add_test(t, what_is_no_size_is_refused);
	tcase_add_test(t, a_uuid_prints_its_bytes_in_order_with_dashes);
	tcase_add_test(t, sizes_print_three_digits);
	tcase_add_test(t, quoting_leaves_nothing_a_terminal_acts_on);
	tcase_add_test(t, utf16_becomes_utf8);
	tcase_add_test(t, utf8_becomes_utf16_and_back);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
