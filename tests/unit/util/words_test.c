/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "words.h"
#include "alloc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A line, and its words with a newline behind each; NULL: it is refused. */
static void splits(const char *line, const char *words)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	const char *why = NULL, *at = words;
	size_t n = 0;

	if (!words) {
		ck_assert_msg(!words_split(line, "/home/ann", &w, &why), "\"%s\" was taken", line);
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_null(w.word);
		return;
	}
	ck_assert_msg(words_split(line, "/home/ann", &w, &why), "\"%s\": %s", line, why);
	for (; *at; n++) {
		const size_t len = strcspn(at, "\n");

		ck_assert_uint_lt(n, w.n);
		ck_assert_msg(strlen(w.word[n]) == len && memcmp(w.word[n], at, len) == 0, "\"%s\": word %zu is \"%s\"", line, n,
			      w.word[n]);
		at += len + 1;
	}
	ck_assert_uint_eq(w.n, n);
	ck_assert_ptr_null(w.word[n]);
}

START_TEST(blanks_part_words_and_quotes_keep_them)
{
	splits("", "");
	splits("  \t ", "");
	splits("ls /etc", "ls\n/etc\n");
	splits(" write\t/x  'a  b' \"c d\" ", "write\n/x\na  b\nc d\n");
	splits("echo '' \"\"", "echo\n\n\n");
	splits("a\"b c'd", "a\"b\nc'd\n");
}
END_TEST

START_TEST(double_quotes_take_escapes)
{
	splits("\"\\x41\\102\\t\\\\\\\"\\'\"", "AB\t\\\"'\n");
	splits("'\\x41'", "\\x41\n");
	splits("\\x41", "\\x41\n");
	splits("\"\\q\"", NULL);
	splits("\"\\x4\"", NULL);
	splits("\"\\777\"", NULL);
	splits("\"\\", NULL);
}
END_TEST

START_TEST(what_is_not_closed_or_not_parted_is_refused)
{
	splits("cat \"/x", NULL);
	splits("cat '/x", NULL);
	splits("'a'b", NULL);
	splits("\"a\"'b'", NULL);
}
END_TEST

START_TEST(a_tilde_that_begins_a_word_is_home)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	const char *why;

	splits("lcd ~ ~/x '~' a~ ~b", "lcd\n/home/ann\n/home/ann/x\n~\na~\n~b\n");
	ck_assert(words_split("~/x", NULL, &w, &why));
	ck_assert_str_eq(w.word[0], "~/x");
}
END_TEST

START_TEST(what_stands_behind_a_bar_is_one_text)
{
	struct words w;
	const char *why;

	ck_assert(words_split("cat /x | grep 'a | b' ", NULL, &w, &why));
	ck_assert_uint_eq(w.n, 2);
	ck_assert_str_eq(w.pipe, " grep 'a | b' ");
	words_free(&w);
	ck_assert(words_split("cat '|' a|b", NULL, &w, &why));
	ck_assert_uint_eq(w.n, 3);
	ck_assert_ptr_null(w.pipe);
	words_free(&w);
	ck_assert(words_list("a | b", NULL, &w, &why));
	ck_assert_uint_eq(w.n, 3);
	ck_assert_ptr_null(w.pipe);
	words_free(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("words");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, blanks_part_words_and_quotes_keep_them);
	tcase_add_test(tc, double_quotes_take_escapes);
	tcase_add_test(tc, what_is_not_closed_or_not_parted_is_refused);
	tcase_add_test(tc, a_tilde_that_begins_a_word_is_home);
	tcase_add_test(tc, what_stands_behind_a_bar_is_one_text);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
