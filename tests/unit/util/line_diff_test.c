/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "limits.h"
#include "line_diff.h"

#include <stdio.h>
#include <stdlib.h>

static void differs(const char *a, const char *b, const char *want)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;

	ck_assert_int_eq(line_diff(a, strlen(a), b, strlen(b), &out), LINE_DIFF_TEXT);
	ck_assert_str_eq(out.s, want);
}

START_TEST(changes_are_shown_as_diff_shows_them)
{
	differs("a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
	differs("", "new\n", "@@ -0,0 +1 @@\n+new\n");
	differs("old\n", "", "@@ -1 +0,0 @@\n-old\n");
	differs("a", "b", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n");
	differs("a\n", "a", "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n");
	/* The block is shown as far down as it can be. */
	differs("x\na\ny\n", "x\na\na\ny\n", "@@ -1,3 +1,4 @@\n x\n a\n+a\n y\n");
}
END_TEST

START_TEST(changes_far_from_each_other_are_hunks_of_their_own)
{
	differs("1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
		"@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n");
	differs("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
		"@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n");
}
END_TEST

START_TEST(what_is_no_text_is_not_shown)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	CLEANUP(free_ptr) char *big = alloc_zero(LIMIT_LINE_DIFF_BYTES + 1);

	ck_assert_int_eq(line_diff("a\0b", 3, "a\0b", 3, &out), LINE_DIFF_SAME);
	ck_assert_int_eq(line_diff("a\0b", 3, "a\0c", 3, &out), LINE_DIFF_BINARY);
	ck_assert_ptr_nonnull(big);
	memset(big, 'x', LIMIT_LINE_DIFF_BYTES + 1);
	ck_assert_int_eq(line_diff(big, LIMIT_LINE_DIFF_BYTES + 1, "", 0, &out), LINE_DIFF_LARGE);
	memset(big, '\n', LIMIT_LINE_DIFF_BYTES);
	ck_assert_int_eq(line_diff(big, LIMIT_LINE_DIFF_BYTES, "", 0, &out), LINE_DIFF_LARGE);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(texts_with_nothing_in_common_end)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf a = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	for (int i = 0; i < 60000; i++) {
		strbuf_printf(&a, "%d\n", i);
		strbuf_printf(&b, "%d\n", -1 - i);
	}
	ck_assert_int_eq(line_diff(a.s, a.len, b.s, b.len, &out), LINE_DIFF_TEXT);
	ck_assert_uint_eq(out.len, a.len + b.len + 2 * 60000 + strlen("@@ -1,60000 +1,60000 @@\n"));
}
END_TEST

static unsigned seed = 1;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return seed / 65536 % n;
}

static char *file_of(const char *name, struct strbuf *text)
{
	FILE *f;
	unsigned lines = pick(40);

	strbuf_reset(text);
	for (unsigned i = 0; i < lines; i++)
		strbuf_printf(text, "%c%s", (char)('a' + (int)pick(5)), i + 1 == lines && pick(3) == 0 ? "" : "\n");
	f = fopen(name, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text->s, 1, text->len, f), text->len);
	ck_assert_int_eq(fclose(f), 0);
	return text->s;
}

static size_t signs(const char *text)
{
	size_t n = 0;

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		n += *p == '-' || *p == '+';
	return n;
}

/* diff itself says how many lines a shortest script has, and patch makes one text of the other. */
START_TEST(scripts_are_the_shortest_and_turn_one_text_into_the_other)
{
	CLEANUP(strbuf_free) struct strbuf a = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	bool patches = system("command -v patch >/dev/null") == 0;

	if (system("command -v diff >/dev/null") != 0)
		return;
	for (int i = 0; i < 60; i++) {
		CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
		char peer[4000];
		size_t len;
		FILE *f;

		file_of("a", &a);
		file_of("b", &b);
		if (line_diff(a.s, a.len, b.s, b.len, &out) == LINE_DIFF_SAME)
			continue;
		f = popen("diff -d -u a b | tail -n +3", "r");
		ck_assert_ptr_nonnull(f);
		len = fread(peer, 1, sizeof peer - 1, f);
		peer[len] = '\0';
		pclose(f);
		ck_assert_msg(signs(out.s) == signs(peer), "ours:\n%s\ndiff's:\n%s", out.s, peer);
		if (!patches)
			continue;
		f = fopen("p", "w");
		ck_assert_ptr_nonnull(f);
		fprintf(f, "--- a\n+++ b\n%s", out.s);
		ck_assert_int_eq(fclose(f), 0);
		ck_assert_msg(system("patch -s -o c a p >/dev/null 2>&1 && cmp -s b c") == 0, "%s", out.s);
	}
}
END_TEST

TEST_MAIN("line_diff", changes_are_shown_as_diff_shows_them, changes_far_from_each_other_are_hunks_of_their_own,
	  what_is_no_text_is_not_shown, texts_with_nothing_in_common_end,
	  scripts_are_the_shortest_and_turn_one_text_into_the_other)
