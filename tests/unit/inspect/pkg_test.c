/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pkg_test.c - package databases as their managers write them. */
#include "testing.h"

#include "alloc.h"
#include "lines.h"
#include "pkg.h"
#include "tree.h"

#include <inttypes.h>
#include <string.h>

/* Everything that was told, a line a package: "format name epoch:version-release arch source time". */
struct told {
	struct strbuf text;
	const char *format;
	char failed[1100];
};

static int on_format(void *arg, const char *format, const char *path, struct err *err)
{
	(void)path, (void)err;
	((struct told *)arg)->format = format;
	return 0;
}

static int on_package(void *arg, const struct package *p, struct err *err)
{
	struct told *t = arg;

	(void)err;
	strbuf_printf(&t->text, "%s %s %" PRIu32 ":%s-%s %s %s %" PRId64 "\n", t->format, p->name, p->epoch, p->version,
		      p->release ? p->release : "", p->arch ? p->arch : "", p->source ? p->source : "", p->install_time);
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err;
	snprintf(t->failed, sizeof t->failed, "%s: %s", path, why->msg);
	return 0;
}

static void tells(const char *script, const char *wanted)
{
	struct told t = { .text = STRBUF_INIT };
	const struct pkg_walk w = { .format = on_format, .package = on_package, .failed = on_failure, .arg = &t };
	struct vfs *v = tree(script);

	ok(pkg_walk(v, &w, &e));
	ck_assert_str_eq(t.failed, "");
	ck_assert_str_eq(t.text.s, wanted);
	strbuf_free(&t.text);
	vfs_free(v);
}

START_TEST(dpkg_lists_what_is_installed)
{
	tells("mkdir -p var/lib/dpkg/info; touch -d @1000000000 var/lib/dpkg/info/zlib1g:amd64.list\n"
	      "cat >var/lib/dpkg/status <<'X'\n"
	      "Package: zlib1g\nStatus: install ok installed\nPriority: required\nArchitecture: amd64\n"
	      "Multi-Arch: same\nSource: zlib (1:1.2.13.dfsg-1)\nVersion: 1:1.2.13.dfsg-1\n"
	      "Description: compression library\n runtime\n .\n more\nHomepage: http://zlib.net/\n\n"
	      "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1-1\n\n"
	      "Package: native\nStatus: install ok installed\nArchitecture: all\nVersion: 12.4+deb12u1\nX",
	      "deb zlib1g 1:1.2.13.dfsg-1 amd64 zlib 1000000000\n"
	      "deb native 0:12.4+deb12u1- all native 0\n");
}
END_TEST

START_TEST(apk_lists_what_is_installed)
{
	tells("mkdir -p lib/apk/db; cat >lib/apk/db/installed <<'X'\n"
	      "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nS:1\nT:the musl c library\nU:https://musl.libc.org/\no:musl\nF:lib\n"
	      "R:ld-musl-x86_64.so.1\na:0:0:755\n\nP:busybox-binsh\nV:1.36.1-r29\nA:x86_64\no:busybox\n\nX",
	      "apk musl 0:1.2.5-r0 x86_64 musl 0\napk busybox-binsh 0:1.36.1-r29 x86_64 busybox 0\n");
}
END_TEST

START_TEST(pacman_lists_what_is_installed)
{
	tells("mkdir -p var/lib/pacman/local/zlib-1:1.3.1-2; echo 9 >var/lib/pacman/local/ALPM_DB_VERSION\n"
	      "printf '%%NAME%%\\nzlib\\n\\n%%VERSION%%\\n1:1.3.1-2\\n\\n%%BASE%%\\nzlib\\n\\n%%ARCH%%\\nx86_64\\n\\n"
	      "%%LICENSE%%\\ncustom\\n\\n%%INSTALLDATE%%\\n1700000000\\n' >var/lib/pacman/local/zlib-1:1.3.1-2/desc",
	      "pacman zlib 1:1.3.1-2 x86_64 zlib 1700000000\n");
}
END_TEST

START_TEST(portage_lists_what_is_installed)
{
	tells("mkdir -p var/db/pkg/sys-libs/zlib-1.3.1-r1 var/db/pkg/dev-lang/python-exec-2.4.10 var/db/pkg/virtual\n"
	      "echo 1650000000 >var/db/pkg/sys-libs/zlib-1.3.1-r1/BUILD_TIME; echo x >var/db/pkg/stray",
	      "ebuild dev-lang/python-exec 0:2.4.10-   0\nebuild sys-libs/zlib 0:1.3.1-r1   1650000000\n");
}
END_TEST

START_TEST(a_database_that_is_no_file_is_told_and_left)
{
	struct told t = { .text = STRBUF_INIT };
	const struct pkg_walk w = { .format = on_format, .package = on_package, .failed = on_failure, .arg = &t };
	struct vfs *v = tree("mkdir -p var/lib/dpkg/status lib/apk/db; printf 'P:a\\nV:1-r0\\n\\n' >lib/apk/db/installed");

	ok(pkg_walk(v, &w, &e));
	ck_assert_str_eq(t.failed, "/var/lib/dpkg/status: /var/lib/dpkg/status is not a regular file");
	ck_assert_str_eq(t.text.s, "apk a 0:1-r0   0\n");
	strbuf_free(&t.text);
	vfs_free(v);
}
END_TEST

START_TEST(lines_longer_than_the_buffer_are_cut_and_the_next_is_whole)
{
	struct vfs *v = tree("{ echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; echo third; printf last; } >f; : >empty");
	struct lines l;
	char *line;

	ok(lines_open(v, "/f", &l, &e));
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "first");
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_uint_eq(strspn(line, "x"), strlen(line));
	ck_assert_uint_eq(strlen(line), LINES_BUFFER);
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "third");
	ck_assert_int_eq(lines_next(&l, &line, &e), 1);
	ck_assert_str_eq(line, "last");
	ck_assert_int_eq(lines_next(&l, &line, &e), 0);
	lines_close(&l);
	ok(lines_open(v, "/empty", &l, &e));
	ck_assert_int_eq(lines_next(&l, &line, &e), 0);
	lines_close(&l);
	fails(lines_open(v, "/etc", &l, &e), ERR_NOT_FOUND);
	lines_close(&l);
	vfs_free(v);
}
END_TEST

START_TEST(versions_are_split)
{
	static const struct {
		const char *text, *version, *release;
		uint32_t epoch;
	} rows[] = {
		{ "1.2-3", "1.2", "3", 0 },   { "2:1.2-3", "1.2", "3", 2 }, { "1.2", "1.2", NULL, 0 },
		{ "1.2-3-4", "1.2-3", "4", 0 }, { "x:1", "x:1", NULL, 0 },	   { "99999999999:1", "99999999999:1", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct package p = { .name = "x" };
		char text[40];

		snprintf(text, sizeof text, "%s", rows[i].text);
		pkg_version_split(text, &p);
		ck_assert_str_eq(p.version, rows[i].version);
		ck_assert_int_eq(p.release != NULL, rows[i].release != NULL);
		if (p.release)
			ck_assert_str_eq(p.release, rows[i].release);
		ck_assert_uint_eq(p.epoch, rows[i].epoch);
	}
}
END_TEST

TEST_MAIN("pkg", dpkg_lists_what_is_installed, apk_lists_what_is_installed, pacman_lists_what_is_installed,
	  portage_lists_what_is_installed, a_database_that_is_no_file_is_told_and_left,
	  lines_longer_than_the_buffer_are_cut_and_the_next_is_whole, versions_are_split)
