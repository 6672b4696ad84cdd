/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pairs of deb and rpm are asked of dpkg and rpm themselves where these are installed. */
#include "testing.h"

#include "alloc.h"
#include "pkg_version.h"

#include <stdio.h>
#include <stdlib.h>

static int order(const char *format, const char *a, const char *b)
{
	char ta[100], tb[100];
	struct package pa = { 0 }, pb = { 0 };

	snprintf(ta, sizeof ta, "%s", a);
	snprintf(tb, sizeof tb, "%s", b);
	pkg_version_split(ta, &pa);
	pkg_version_split(tb, &pb);
	return pkg_version_order(format, &pa, &pb);
}

/* Each is older than the next one. */
static const char *const deb[] = { "0", "1.0~~", "1.0~~a", "1.0~", "1.0~rc1", "1.0", "1.0-0+b1", "1.0-1", "1.0-1+b1", "1.0-1.1",
				   "1.0-10", "1.0a", "1.0+dfsg-1", "1.0.1", "1.2", "1.10", "2", "10", "1:0", "2:0~a" };
static const char *const rpm[] = { "0", "1.0~rc1", "1.0~rc2", "1.0", "1.0^", "1.0^git1", "1.0^git2", "1.0a", "1.0b", "1.0.1",
				   "1.0.1.1", "1.1", "1.10", "2.a", "2.1", "10", "1:0" };
static const char *const pacman[] = { "1.0a", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1",
				      "1.1-1", "1.1-2", "1.1-10", "1.10", "1:0.1" };
static const char *const apk[] = { "1.0_alpha", "1.0_alpha2", "1.0_beta", "1.0_pre", "1.0_rc1", "1.0_rc10", "1.0-r0",
				   "1.0-r2", "1.0-r10", "1.0_git20200101", "1.0_p1-r0", "1.0_p1-r1", "1.0a", "1.0b",
				   "1.0.1", "1.2", "1.10" };

static void ascends(const char *format, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			int got = order(format, list[i], list[k]);

			ck_assert_msg((got > 0) - (got < 0) == (i > k) - (i < k), "%s: %s and %s: %d", format, list[i], list[k],
				      got);
		}
}

START_TEST(versions_are_ordered_by_their_formats_rules)
{
	ascends("deb", deb, ARRAY_LEN(deb));
	ascends("rpm", rpm, ARRAY_LEN(rpm));
	ascends("pacman", pacman, ARRAY_LEN(pacman));
	ascends("apk", apk, ARRAY_LEN(apk));
	ascends("ebuild", apk, ARRAY_LEN(apk));
	ascends("something", deb, ARRAY_LEN(deb));
}
END_TEST

START_TEST(numbers_may_be_as_long_as_they_like)
{
	ck_assert_int_lt(order("deb", "99999999999999999999999998", "99999999999999999999999999"), 0);
	ck_assert_int_eq(order("rpm", "1.0001", "1.1"), 0);
	ck_assert_int_gt(order("apk", "1.100000000000000000000000", "1.99999999999999999999999"), 0);
	ck_assert_int_eq(order("deb", "", ""), 0);
	ck_assert_int_lt(order("rpm", "", "0"), 0);
}
END_TEST

START_TEST(dpkg_says_the_same)
{
	char cmd[200];

	if (system("command -v dpkg >/dev/null") != 0)
		return;
	for (size_t i = 0; i + 1 < ARRAY_LEN(deb); i++) {
		snprintf(cmd, sizeof cmd, "dpkg --compare-versions '%s' lt '%s'", deb[i], deb[i + 1]);
		ck_assert_msg(system(cmd) == 0, "%s", cmd);
	}
}
END_TEST

START_TEST(rpm_says_the_same)
{
	char cmd[300];

	if (system("rpm --version >/dev/null 2>&1") != 0)
		return;
	for (size_t i = 0; i + 2 < ARRAY_LEN(rpm); i++) {
		snprintf(cmd, sizeof cmd, "[ \"$(rpm --eval '%%{lua: print(rpm.vercmp(\"%s\", \"%s\"))}')\" = -1 ]", rpm[i],
			 rpm[i + 1]);
		ck_assert_msg(system(cmd) == 0, "%s", cmd);
	}
}
END_TEST

TEST_MAIN("pkg_version", versions_are_ordered_by_their_formats_rules, numbers_may_be_as_long_as_they_like, dpkg_says_the_same,
	  rpm_says_the_same)
