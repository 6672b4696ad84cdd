/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testing.h - what every unit test needs: a main() over a list of tests, a scratch folder, errors in assertions. */
#ifndef DRYDOCK_TESTING_H
#define DRYDOCK_TESTING_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Check notes the place of every assertion that holds, with a write to its file, so that a crash can be told where it was.  A
 * loop over the bytes of an image would be nothing but writes: here the place is noted when it is another than before.
 */
static inline void testing_passed(const char *file, int line)
{
	static const char *last_file;
	static int last_line;

	if (file == last_file && line == last_line)
		return;
	last_file = file;
	last_line = line;
	_mark_point(file, line);
}
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                                       \
	((expr) ? testing_passed(__FILE__, __LINE__)                                                                   \
		: _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", ##__VA_ARGS__))

/* Asserts that a call which fills `err` (a struct err in scope named e) succeeded. */
#define ok(call)                                                                                                       \
	do {                                                                                                           \
		int ok_rc_ = (call);                                                                                   \
		ck_assert_msg(ok_rc_ >= 0, "%s: %s", #call, e.msg);                                                     \
	} while (0)
/* Asserts that it failed with this code. */
#define fails(call, want)                                                                                              \
	do {                                                                                                           \
		int fails_rc_ = (call);                                                                                \
		ck_assert_msg(fails_rc_ == -(int)(want), "%s: %d (%s)", #call, fails_rc_, e.msg);                       \
	} while (0)

/*
 * A test that cannot be done here returns, and says why.  Check knows no such thing: tests/run has the reasons in a file, and
 * tells them.
 */
static inline void skip_for(const char *function, const char *why)
{
	const char *path = getenv("DRYDOCK_UNIT_SKIPPED"), *end = strrchr(function, '_');
	FILE *f = path ? fopen(path, "ae") : NULL;
	size_t len;

	if (!f)
		return;
	/* Some versions of Check call the function of a test TEST_fn. */
	len = end && strcmp(end, "_fn") == 0 ? (size_t)(end - function) : strlen(function);
	fprintf(f, "%.*s: %s\n", (int)len, function, why);
	fclose(f);
}
#define skip_unless(is, why)                                                                                           \
	do {                                                                                                           \
		if (!(is)) {                                                                                           \
			skip_for(__func__, why);                                                                       \
			return;                                                                                        \
		}                                                                                                      \
	} while (0)

/* A new folder under TMPDIR or /var/tmp, and the working directory from now on. */
static inline void enter_scratch(void)
{
	const char *top = getenv("TMPDIR");
	char path[256];

	snprintf(path, sizeof path, "%s/drydock-unit-XXXXXX", top && *top ? top : "/var/tmp");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(chdir(path), 0);
	setenv("DRYDOCK_UNIT_SCRATCH", path, 1);
}

static inline void leave_scratch(void)
{
	const char *path = getenv("DRYDOCK_UNIT_SCRATCH");
	char cmd[320];

	if (!path || chdir("/") != 0)
		return;
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
	if (system(cmd) != 0)
		fprintf(stderr, "%s is left\n", path);
	unsetenv("DRYDOCK_UNIT_SCRATCH");
}

/* main() of a test program: each test runs in its own process, in a scratch folder of its own. */
#define TEST_MAIN(suite, ...)                                                                                          \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const TTest *const tests_[] = { __VA_ARGS__ };                                                         \
		TCase *t_ = tcase_create(suite);                                                                       \
		Suite *s_ = suite_create(suite);                                                                       \
		SRunner *r_ = srunner_create(s_);                                                                      \
		int failed_;                                                                                           \
                                                                                                                       \
		tcase_add_checked_fixture(t_, enter_scratch, leave_scratch);                                           \
		tcase_set_timeout(t_, 200);                                                                            \
		for (size_t i_ = 0; i_ < sizeof tests_ / sizeof *tests_; i_++)                                         \
			tcase_add_test(t_, tests_[i_]);                                                                \
		suite_add_tcase(s_, t_);                                                                               \
		srunner_run_all(r_, CK_ENV);                                                                           \
		failed_ = srunner_ntests_failed(r_);                                                                   \
		srunner_free(r_);                                                                                      \
		return failed_ != 0;                                                                                   \
	}

#endif
