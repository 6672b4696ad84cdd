/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions that are Perl's, too, are also given to perl where there is one. */
#include "line_edit.h"

#include "alloc.h"
#include "io.h"

#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\napache:x:48:48::/var/www:/sbin/nologin\nann:x:1000:1000:Ann\n";

static const struct {
	const char *expr, *in, *out;
} perl[] = {
	{ "s/a/b/g", "banana\ncar\n", "bbnbnb\ncbr\n" },
	{ "s/a/b/", "banana\naa", "bbnana\nba" },
	{ "s/^root:.*?:/root::/", passwd,
	  "root::0:0:root:/root:/bin/bash\napache:x:48:48::/var/www:/sbin/nologin\nann:x:1000:1000:Ann\n" },
	{ "$_ = \"\" if /^apache:/", passwd, "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann\n" },
	{ "s/^id:.*/id:5:initdefault:/", "a\nid:3:x\n", "a\nid:5:initdefault:\n" },
	{ "s/x*/-/g", "aab\n", "-a-a-b-\n-" },
	{ "s/a*/-/g", "aab", "--b-" },
	{ "s/(\\w+) (\\w+)/$2 ${1}x/", "one two\n", "two onex\n" },
	{ "s/(\\w+) (\\w+)/\\2 \\1/", "one two\n", "two one\n" },
	{ "s/\\b(\\w)/\\u$1/g", "one two\n", "One Two\n" },
	{ "s/(.*)/\\U$1\\E!/", "one\n", "ONE!\n" },
	{ "s,/usr,/opt,g", "/usr/a:/usr/b\n", "/opt/a:/opt/b\n" },
	{ "s{a}{b}g; s<c>(d)", "aac\n", "bbd\n" },
	{ "s/A/b/i unless /no/", "a\nno a\n", "b\nno a\n" },
	{ "s/\\r?\\n$/\\n/", "dos\r\nunix\n", "dos\nunix\n" },
	{ "s/$/ end/", "one\ntwo", "one end\ntwo end" },
	{ "$_ .= \"new\\n\" if $lineno == 2", "1\n2\n3\n", "1\n2\nnew\n3\n" },
	{ "$_ = \"first\\n\" . $_ if $lineno == 1", "1\n2\n", "first\n1\n2\n" },
	{ "$_ = \"$lineno: $_\"", "a\nb\n", "1: a\n2: b\n" },
	{ "next if /^#/", "#a\nb\n", "b\n" },
	{ "print \"before\\n\" if /b/", "a\nb\n", "a\nbefore\nb\n" },
	{ "tr/a-z/A-Z/", "Straße 1\n", "STRAßE 1\n" },
	{ "y/a-y/b-z/", "hal\n", "ibm\n" },
	{ "tr/a-z//cd", "a1b2\n", "ab" },
	{ "tr/a//s", "aabaa\n", "aba\n" },
	{ "if (/a/ && !/b/) { s/a/1/; s/$/ x/ } elsif ($_ =~ /c/) { $_ = 'c'.\"\\n\" } else { s/^/-/ }", "a\nab\ncc\n",
	  "1 x\n-ab\nc\n" },
	{ "s/a/b/ or s/c/d/", "ac\nc\n", "bc\nd\n" },
	{ "/x/ and s/y/z/", "xy\ny\n", "xz\ny\n" },
	{ "$_ = $1.\"\\n\" if /^(?:export )?(\\w+)=/", "export A=1\nB=2\nc\n", "A\nB\nc\n" },
	{ "chomp; $_ = \"<$_>\\n\"", "a\nb", "<a>\n<b>\n" },
	{ "s/^(?<key>PermitRootLogin)\\s+\\S+/$1 no/i", "PermitRootLogin yes\n", "PermitRootLogin no\n" },
	{ "s/user\\@host/x/", "user@host\n", "x\n" },
	{ "s/a|b/<$&>/g", "cab\n", "c<a><b>\n" },
	{ "s/(a)|b/<$1>/g", "ab\n", "<a><>\n" },
	{ "", "a\n", "a\n" },
	{ "s/\\t/    /g # tabs", "a\tb\n", "a    b\n" },
	{ "s|a\\|b|x|", "a|b a\n", "x|b a\n" },
	{ "s{a\\{2\\}}{x}", "a{2}a\n", "xa\n" },
	{ "unless ($lineno >= 2) { s/^/x/ }", "a\nb\n", "xa\nb\n" },
	{ "s/a/\\x41\\$1/", "a\n", "A$1\n" },
}, sed[] = {
	{ "/b/d", "a\nb\nc\n", "a\nc\n" },
	{ "2d", "a\nb\nc\n", "a\nc\n" },
	{ "/b/s/^/#/", "a\nb\n", "a\n#b\n" },
	{ "3s/c/d/", "c\nc\nc\n", "c\nc\nd\n" },
};

static char *run(const char *expr, const char *in)
{
	struct line_edit *l;
	struct strbuf out = STRBUF_INIT;
	struct err e = ERR_INIT;

	ck_assert_msg(line_edit_new(expr, &l, &e) == 0, "%s: %s", expr, e.msg);
	ck_assert_msg(line_edit_run(l, in, strlen(in), &out, &e) == 0, "%s: %s", expr, e.msg);
	line_edit_free(l);
	return out.cap ? strbuf_detach(&out) : alloc_strdup("");
}

START_TEST(lines_become_what_the_expression_says)
{
	for (size_t i = 0; i < ARRAY_LEN(perl); i++) {
		char *got = run(perl[i].expr, perl[i].in);

		ck_assert_msg(strcmp(got, perl[i].out) == 0, "%s: \"%s\"", perl[i].expr, got);
		free(got);
	}
	for (size_t i = 0; i < ARRAY_LEN(sed); i++) {
		char *got = run(sed[i].expr, sed[i].in);

		ck_assert_msg(strcmp(got, sed[i].out) == 0, "%s: \"%s\"", sed[i].expr, got);
		free(got);
	}
}
END_TEST

/* What perl makes of it, run as virt-edit runs it. */
static void by_perl(const char *expr, const char *in, char *out, size_t size)
{
	char *script = alloc_printf("$lineno = 0; while (<STDIN>) { $lineno++; %s\n; print STDOUT }", expr);
	int to[2], from[2], status;
	size_t got;
	pid_t pid;

	ck_assert(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execlp("perl", "perl", "-e", script, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	ck_assert_int_eq(io_write(to[1], in, strlen(in)), 0);
	close(to[1]);
	ck_assert_int_eq(io_read(from[0], out, size - 1, &got), 0);
	out[got] = '\0';
	close(from[0]);
	ck_assert(waitpid(pid, &status, 0) == pid);
	ck_assert_msg(status == 0, "%s: perl says %d", expr, status);
	free(script);
}

START_TEST(perl_makes_the_same_of_it)
{
	char out[1000];

	if (access("/usr/bin/perl", X_OK) != 0)
		return; /* the outcomes stand above in any case */
	for (size_t i = 0; i < ARRAY_LEN(perl); i++) {
		by_perl(perl[i].expr, perl[i].in, out, sizeof out);
		ck_assert_msg(strcmp(out, perl[i].out) == 0, "%s: perl: \"%s\"", perl[i].expr, out);
	}
}
END_TEST

START_TEST(what_is_not_understood_is_refused_with_its_place)
{
	static const struct {
		const char *expr, *why;
	} bad[] = {
		{ "s/a/b", "the second part has no end at \"b\"" },
		{ "s/a/b/e", "a flag that is not known at \"e\"" },
		{ "s/(/b/", "pattern \"(\": missing closing parenthesis, at byte 1" },
		{ "system('rm')", "this is not understood at \"system('rm')\"" },
		{ "s/$x/y/", "a variable in a pattern is not known here at \"$x/y/\"" },
		{ "s/a/$name/", "a variable that is not known at \"$name/\"" },
		{ "s//x/", "an empty pattern means nothing here at \"\"" },
		{ "if (/a/) { s/a/b/", "\"}\" is expected at \"\"" },
		{ "s/a/b/ }", "\"}\" without \"{\" at \"}\"" },
		{ "$_ = ", "a text is expected at \"\"" },
		{ "s/a/b/ s/c/d/", "this is not understood at \"s/c/d/\"" },
		{ "/a", "a pattern without an end at \"a\"" },
		{ "tr/z-a//", "a range that ends before it begins at \"\"" },
		{ "s/a/\\q/", "an escape that is not known at \"\\q/\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct line_edit *l = NULL;
		struct err e = ERR_INIT;

		ck_assert_msg(line_edit_new(bad[i].expr, &l, &e) == -ERR_USAGE, "%s was taken", bad[i].expr);
		ck_assert_str_eq(e.msg, bad[i].why);
	}
}
END_TEST

START_TEST(parentheses_without_end_are_refused)
{
	char deep[2002];
	struct line_edit *l = NULL;
	struct err e = ERR_INIT;

	memset(deep, '(', 2001);
	deep[2001] = '\0';
	ck_assert_int_eq(line_edit_new(deep, &l, &e), -ERR_USAGE);
	ck_assert_str_eq(e.msg, "too many parentheses at \"((((((((((((((((((((((((((((((((((((((((\"");
}
END_TEST

START_TEST(die_ends_it_in_its_own_words)
{
	struct line_edit *l;
	struct strbuf out = STRBUF_INIT;
	struct err e = ERR_INIT;

	ck_assert_int_eq(line_edit_new("die \"no $1\" if /(b)/", &l, &e), 0);
	ck_assert_int_eq(line_edit_run(l, "a\nb\n", 4, &out, &e), -ERR_CANCELED);
	ck_assert_str_eq(e.msg, "line 2: no b");
	line_edit_free(l);
	strbuf_free(&out);
}
END_TEST

START_TEST(a_pattern_that_would_take_for_ever_is_stopped)
{
	struct line_edit *l;
	struct strbuf out = STRBUF_INIT;
	struct err e = ERR_INIT;
	char line[64];

	memset(line, 'a', sizeof line);
	ck_assert_int_eq(line_edit_new("s/^(a+)+b(a|b)$/x/", &l, &e), 0);
	memcpy(line + 60, "bcbc", 4);
	ck_assert_int_eq(line_edit_run(l, line, sizeof line, &out, &e), -ERR_LIMIT);
	line_edit_free(l);
	strbuf_free(&out);
}
END_TEST

START_TEST(a_text_that_grows_without_end_is_stopped)
{
	struct line_edit *l;
	struct strbuf out = STRBUF_INIT;
	struct err e = ERR_INIT;
	char *line = alloc_zero(100000);

	ck_assert_int_eq(line_edit_new("s/^/$_$_$_$_$_$_$_$_$_$_/; s/^/$_$_$_$_$_$_$_$_$_$_/; s/^/$_$_$_$_$_$_$_$_$_$_/", &l,
					&e), 0);
	ck_assert_int_eq(line_edit_run(l, line, 100000, &out, &e), -ERR_LIMIT);
	line_edit_free(l);
	strbuf_free(&out);
	free(line);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("line_edit");
	TCase *t = tcase_create("line_edit");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, lines_become_what_the_expression_says);
	tcase_add_test(t, perl_makes_the_same_of_it);
	tcase_add_test(t, what_is_not_understood_is_refused_with_its_place);
	tcase_add_test(t, parentheses_without_end_are_refused);
	tcase_add_test(t, die_ends_it_in_its_own_words);
	tcase_add_test(t, a_pattern_that_would_take_for_ever_is_stopped);
	tcase_add_test(t, a_text_that_grows_without_end_is_stopped);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
