/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "err.h"

#include <errno.h>
#include <string.h>

static struct err e;

START_TEST(context_goes_in_front)
{
	int rc = err_set(&e, ERR_CORRUPT, "L2 table %d is odd", 7);

	ck_assert_int_eq(rc, -(int)ERR_CORRUPT);
	ck_assert_int_eq(err_in(&e, rc, "snapshot \"%s\"", "a"), rc);
	ck_assert_int_eq(err_in(&e, rc, "web.qcow2"), rc);
	ck_assert_str_eq(e.msg, "web.qcow2: snapshot \"a\": L2 table 7 is odd");
	ck_assert_int_eq(e.code, ERR_CORRUPT);
}
END_TEST

START_TEST(a_system_error_says_what_the_host_said)
{
	ck_assert_int_eq(err_sys(&e, ENOENT, "a.img"), -(int)ERR_SYSTEM);
	ck_assert_str_eq(e.msg, "a.img: No such file or directory");
	ck_assert_int_eq(e.sys_errno, ENOENT);
	ck_assert_int_eq(err_errno(&e), ENOENT);
}
END_TEST

START_TEST(context_that_does_not_fit_gives_way_to_the_reason)
{
	char big[3000];

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	err_set(&e, ERR_LIMIT, "%s", big);
	err_in(&e, -1, "%s", big);
	ck_assert_uint_lt(strlen(e.msg), sizeof e.msg);
	err_set(&e, ERR_LIMIT, "the reason");
	for (int i = 0; i < 300; i++)
		err_in(&e, -1, "file %d", i);
	err_in(&e, -1, "front");
	ck_assert_uint_lt(strlen(e.msg), sizeof e.msg);
	ck_assert(strncmp(e.msg, "front: ...", 10) == 0);
	ck_assert_str_eq(e.msg + strlen(e.msg) - strlen(": the reason"), ": the reason");
}
END_TEST

START_TEST(nobody_needs_to_want_the_words)
{
	ck_assert_int_eq(err_set(NULL, ERR_USAGE, "x"), -(int)ERR_USAGE);
	ck_assert_int_eq(err_in(NULL, -3, "x"), -3);
	err_clear(NULL);
}
END_TEST

START_TEST(every_failure_has_an_errno)
{
	for (int c = ERR_USAGE; c <= ERR_CANCELED; c++) {
		err_set(&e, (enum err_code)c, "x");
		ck_assert_int_ne(err_errno(&e), 0);
		ck_assert_str_ne(err_code_name((enum err_code)c), "unknown");
	}
}
END_TEST

TEST_MAIN("err", context_goes_in_front, a_system_error_says_what_the_host_said, context_that_does_not_fit_gives_way_to_the_reason,
	  nobody_needs_to_want_the_words, every_failure_has_an_errno)
