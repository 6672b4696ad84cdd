/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "uri.h"

#include <string.h>

static struct err e;

START_TEST(an_address_is_taken_apart)
{
	struct uri u;

	ok(uri_parse("HTTP://us%40er:p%3aw@host.example:8080/a%20b/c?x=1&y&z=%2F", &u, &e));
	ck_assert_str_eq(u.scheme, "http");
	ck_assert_str_eq(u.user, "us@er");
	ck_assert_str_eq(u.password, "p:w");
	ck_assert_str_eq(u.host, "host.example");
	ck_assert_uint_eq(u.port, 8080);
	ck_assert_str_eq(u.path, "/a b/c");
	ck_assert_str_eq(dict_get(&u.query, "x"), "1");
	ck_assert_str_eq(dict_get(&u.query, "y"), "");
	ck_assert_str_eq(dict_get(&u.query, "z"), "/");
	ck_assert_str_eq(u.plain, "HTTP://host.example:8080/a%20b/c?x=1&y&z=%2F");
	uri_free(&u);
}
END_TEST

START_TEST(what_is_left_out_is_left_out)
{
	struct uri u;

	ok(uri_parse("nbd+unix:///?socket=/run/s", &u, &e));
	ck_assert_ptr_null(u.host);
	ck_assert_ptr_null(u.user);
	ck_assert_uint_eq(u.port, 0);
	ck_assert_str_eq(u.path, "/");
	ck_assert_str_eq(dict_get(&u.query, "socket"), "/run/s");
	uri_free(&u);
	ok(uri_parse("nbd://[::1]:10809", &u, &e));
	ck_assert_str_eq(u.host, "::1");
	ck_assert_uint_eq(u.port, 10809);
	ck_assert_str_eq(u.path, "");
	uri_free(&u);
	ok(uri_parse("http://user@host/", &u, &e));
	ck_assert_str_eq(u.user, "user");
	ck_assert_ptr_null(u.password);
	uri_free(&u);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {
		"", "host", "://host", "http:host", "http://host:x/", "http://host:0/", "http://h:65536/",
		"http://h:99999999999999999999/", "http://h/%", "http://h/%2", "http://h/%zz", "http://h/%00a", "http://h/a#b",
		"http://[::1/", "http://[::1]a/", "http://h/a b", "ht tp://h/",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct uri u;

		fails(uri_parse(bad[i], &u, &e), ERR_USAGE);
		uri_free(&u);
	}
}
END_TEST

START_TEST(a_scheme_is_before_two_slashes)
{
	ck_assert_uint_eq(uri_scheme("https://x"), 5);
	ck_assert_uint_eq(uri_scheme("nbd+unix:///x"), 8);
	ck_assert_uint_eq(uri_scheme("/a://b"), 0);
	ck_assert_uint_eq(uri_scheme("+a://b"), 0);
	ck_assert_uint_eq(uri_scheme("a:/b"), 0);
	ck_assert_uint_eq(uri_scheme("a b://c"), 0);
}
END_TEST

static void sibling(const char *base, const char *name, const char *want)
{
	char *got = uri_sibling(base, name);

	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(a_neighbour_lies_in_the_same_folder)
{
	sibling("http://h/a/b.qcow2", "c.raw", "http://h/a/c.raw");
	sibling("http://h/a/b.qcow2?token=/x/y#f", "c.raw", "http://h/a/c.raw");
	sibling("http://h", "c", "http://h/c");
	sibling("http://h?q=/a", "c", "http://h/c");
	sibling("http://h/", "c d?e#f%g", "http://h/c%20d%3Fe%23f%25g");
	sibling("http://h/a/b", "d/e", "http://h/a/d/e");
}
END_TEST

START_TEST(beneath_is_judged_by_whole_parts)
{
	ck_assert(uri_is_beneath("http://h/a/b", "http://h/a/"));
	ck_assert(uri_is_beneath("http://h/a/b", "http://h/a"));
	ck_assert(uri_is_beneath("http://h/a", "http://h/a"));
	ck_assert(uri_is_beneath("http://h/a", "http://h"));
	ck_assert(uri_is_beneath("http://h/a/..b/.c/d..", "http://h/a/"));
	ck_assert(uri_is_beneath("http://h/a/b?x=../..", "http://h/a/"));
	ck_assert(!uri_is_beneath("http://h/ab", "http://h/a"));
	ck_assert(!uri_is_beneath("http://h.evil/a", "http://h"));
	ck_assert(!uri_is_beneath("http://h@evil/a", "http://h"));
	ck_assert(!uri_is_beneath("http://h:1@evil/a", "http://h"));
	ck_assert(!uri_is_beneath("https://h/a", "http://h/"));
	ck_assert(!uri_is_beneath("/a/b", "/a"));
}
END_TEST

START_TEST(nothing_is_beneath_that_goes_up)
{
	static const char *const up[] = { "../b",     "x/../../b", "..",	"x/..",	  "%2e%2e/b", ".%2E/b", "%2e./b",
					  "x%2f../b", "x%5c..%5cb", "..\\b",	"..;/b",  "..?x",     "..%2fb", "%252e%252e/b" };

	for (size_t i = 0; i < ARRAY_LEN(up); i++) {
		char *address = alloc_printf("http://h/a/%s", up[i]);

		ck_assert_msg(!uri_is_beneath(address, "http://h/a/"), "%s", address);
		free(address);
	}
}
END_TEST

START_TEST(a_name_is_encoded_for_an_address)
{
	struct strbuf s = STRBUF_INIT;

	uri_escape(&s, "a b/c%?#d-._~\xc3\xa4");
	ck_assert_str_eq(s.s, "a%20b/c%25%3F%23d-._~%C3%A4");
	strbuf_free(&s);
}
END_TEST

TEST_MAIN("uri", a_name_is_encoded_for_an_address, a_neighbour_lies_in_the_same_folder,
	  a_scheme_is_before_two_slashes, an_address_is_taken_apart, beneath_is_judged_by_whole_parts,
	  nothing_is_beneath_that_goes_up, what_is_left_out_is_left_out, what_is_no_address_is_refused)
