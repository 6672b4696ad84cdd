/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "strbuf.h"

START_TEST(text_grows_and_is_handed_over)
{
	struct strbuf b = STRBUF_INIT;
	char *s;

	ck_assert_str_eq(b.s, "");
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "%d,", i);
	ck_assert_uint_eq(b.len, 3890);
	s = strbuf_detach(&b);
	ck_assert_uint_eq(strlen(s), 3890);
	ck_assert_str_eq(b.s, "");
	free(s);
	s = strbuf_detach(&b);
	ck_assert_str_eq(s, "");
	free(s);
	strbuf_free(&b);
}
END_TEST

START_TEST(a_failed_allocation_is_told_at_the_end)
{
	struct strbuf b = STRBUF_INIT;

	strbuf_puts(&b, "kept");
	alloc_fault_at(1);
	for (int i = 0; i < 100; i++)
		strbuf_puts(&b, "more");
	alloc_fault_at(0);
	ck_assert(b.failed);
	ck_assert_ptr_null(strbuf_detach(&b));
	strbuf_puts(&b, "again");
	ck_assert_str_eq(b.s, "again");
	strbuf_free(&b);
}
END_TEST

TEST_MAIN("strbuf", text_grows_and_is_handed_over, a_failed_allocation_is_told_at_the_end)
