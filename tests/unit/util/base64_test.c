/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "base64.h"

#include <string.h>

static struct err e;

static void is(const char *text, const char *bytes, size_t len)
{
	struct locked out = LOCKED_INIT;

	ok(base64_decode(text, strlen(text), "it", &out, &e));
	ck_assert_uint_eq(out.len, len);
	ck_assert_mem_eq(out.p, bytes, len);
	locked_free(&out);
}

START_TEST(groups_of_each_length_are_decoded)
{
	is("", "", 0);
	is("Zg==", "f", 1);
	is("Zm8=", "fo", 2);
	is("Zm9v", "foo", 3);
	is("Zm9vYmE=", "fooba", 5);
	is("+/+/\n", "\xfb\xff\xbf", 3);
	is(" Z m\r\n9\tv ", "foo", 3);
}
END_TEST

START_TEST(what_is_not_base64_is_refused)
{
	static const char *const bad[] = { "Z", "Zg", "Zm9", "Zg=", "=", "Z===", "Zg==Zg==", "Zm9v!", "Zg=a", "Zm-_" };
	struct locked out = LOCKED_INIT;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fails(base64_decode(bad[i], strlen(bad[i]), "it", &out, &e), ERR_USAGE);
		ck_assert_msg(strncmp(e.msg, "it is not valid base64", 22) == 0, "%s: %s", bad[i], e.msg);
	}
	ck_assert_ptr_null(out.p);
}
END_TEST

START_TEST(bytes_become_text)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;

	base64_encode(&out, "", 0, 0, NULL);
	ck_assert_str_eq(out.s, "");
	base64_encode(&out, "f", 1, 0, NULL);
	base64_encode(&out, "fo", 2, 0, NULL);
	base64_encode(&out, "foo", 3, 0, NULL);
	ck_assert_str_eq(out.s, "Zg==Zm8=Zm9v");
	strbuf_reset(&out);
	base64_encode(&out, "\xff\xee\xdd\xcc\xbb\xaa\0", 7, 4, "\n");
	ck_assert_str_eq(out.s, "/+7d\nzLuq\nAA==");
}
END_TEST

TEST_MAIN("base64", bytes_become_text, groups_of_each_length_are_decoded, what_is_not_base64_is_refused)
