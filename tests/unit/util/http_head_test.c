/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "http_head.h"

#include <string.h>

static struct http_head said(const char *const *lines)
{
	struct http_head h = { .status = 0 };

	for (; *lines; lines++)
		http_head_line(&h, *lines, strlen(*lines));
	return h;
}
#define SAID(...) said((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(a_part_says_what_it_is)
{
	struct http_head h = SAID("HTTP/1.1 206 Partial Content\r\n", "content-RANGE: \tbytes 5-9/4711 \r\n", "ETag: \"x\"\r\n",
				  "Last-Modified: then\r\n", "Content-Encoding: identity\r\n", "\r\n");

	ck_assert_int_eq(h.status, 206);
	ck_assert(h.has_range && !h.encoded);
	ck_assert(h.begin == 5 && h.end == 9 && h.size == 4711);
	ck_assert_str_eq(h.etag, "\"x\"");
	ck_assert_str_eq(h.modified, "then");
	ck_assert(SAID("HTTP/1.1 206", "Content-Encoding: gzip").encoded);
}
END_TEST

START_TEST(a_status_line_begins_anew)
{
	struct http_head h = SAID("HTTP/1.1 302 Found", "ETag: a", "Content-Range: bytes 0-1/2", "HTTP/2 200");

	ck_assert_int_eq(h.status, 200);
	ck_assert(!h.has_range);
	ck_assert_str_eq(h.etag, "");
}
END_TEST

START_TEST(ranges_that_cannot_be_were_not_said)
{
	static const char *const wrong[] = {
		"bytes 5-4/10", "bytes 5-10/10", "bytes 5-9", "bytes 5/10", "bytes 5/9-7", "bytes */10", "bytes -5/10", "5-9/10",
		"bytes 5-9/99999999999999999999", "bytes 5-9/x", "", "/", "-",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char line[100];

		snprintf(line, sizeof line, "Content-Range: %s", wrong[i]);
		ck_assert_msg(!SAID("HTTP/1.1 206", line).has_range, "%s", wrong[i]);
		ck_assert_msg(!SAID("HTTP/1.1 206", "Content-Range: bytes 0-1/2", line).has_range, "%s", wrong[i]);
	}
	/* Of an empty file nothing is a part. */
	ck_assert(SAID("HTTP/1.1 416", "Content-Range: bytes */0").has_range);
}
END_TEST

START_TEST(long_lines_are_cut_off)
{
	struct http_head h = { .status = 0 };
	char line[5000];

	memset(line, 'a', sizeof line);
	memcpy(line, "ETag: ", 6);
	http_head_line(&h, line, sizeof line);
	ck_assert_uint_eq(strlen(h.etag), HTTP_TAG_MAX - 1);
	http_head_line(&h, "HTTP/1.1", 8);
	ck_assert_int_eq(h.status, 0);
	http_head_line(&h, "", 0);
}
END_TEST

TEST_MAIN("http_head", a_part_says_what_it_is, a_status_line_begins_anew, long_lines_are_cut_off,
	  ranges_that_cannot_be_were_not_said)
