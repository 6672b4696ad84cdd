/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "files.h"

#include "testing.h"

#include <string.h>
#include <sys/stat.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void write_key(unsigned layout, const char *rest)
{
	char text[200];

	snprintf(text, sizeof text, "drydock appliance %u\n%s", layout, rest);
	write_text("a/key", text);
}

/* An appliance with user-mode Linux only, in ./a. */
static void make_one(void)
{
	mkdir("a", 0755);
	write_key(APPLIANCE_LAYOUT, KEY "\numl ext4 xfs ntfs\n");
	write_text("a/uml", "kernel");
	write_text("a/uml.initrd", "initrd");
	write_text("a/tools.ext4", "tools");
}

START_TEST(the_files_that_are_there_are_opened)
{
	struct appliance_files f;
	struct err e = ERR_INIT;

	make_one();
	ok(appliance_files_open("a", &f, &e));
	ck_assert_str_eq(f.key, KEY);
	ck_assert_str_eq(f.uml.path, "a/uml");
	ck_assert_int_ge(f.tools.fd, 0);
	ck_assert_ptr_null(f.vmlinux.path);
	ck_assert(appliance_mounts(f.uml_mounts, "xfs"));
	ck_assert(appliance_mounts(f.uml_mounts, "ntfs"));
	ck_assert(!appliance_mounts(f.uml_mounts, "ntfs3"));
	ck_assert(!appliance_mounts(f.uml_mounts, "fs"));
	ck_assert(!appliance_mounts(f.uml_mounts, ""));
	ck_assert(!appliance_mounts(f.vmlinux_mounts, "ext4"));
	appliance_files_free(&f);
}
END_TEST

START_TEST(a_folder_that_is_not_whole_is_none)
{
	struct appliance_files f;
	struct err e = ERR_INIT;

	fails(appliance_files_open("a", &f, &e), ERR_NOT_FOUND);
	make_one();
	unlink("a/uml.initrd");
	fails(appliance_files_open("a", &f, &e), ERR_CORRUPT);
	unlink("a/key");
	fails(appliance_files_open("a", &f, &e), ERR_NOT_FOUND);
	appliance_files_free(&f);
}
END_TEST

START_TEST(a_key_of_somebody_else_is_refused)
{
	struct appliance_files f;
	struct err e = ERR_INIT;

	make_one();
	write_key(APPLIANCE_LAYOUT + 1, KEY "\n");
	fails(appliance_files_open("a", &f, &e), ERR_UNSUPPORTED);
	write_key(APPLIANCE_LAYOUT, "0123\n");
	fails(appliance_files_open("a", &f, &e), ERR_CORRUPT);
	write_text("a/key", "something");
	fails(appliance_files_open("a", &f, &e), ERR_CORRUPT);
	write_text("a/key", "");
	fails(appliance_files_open("a", &f, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(a_fifo_or_a_link_in_its_place_is_refused)
{
	struct appliance_files f;
	struct err e = ERR_INIT;

	make_one();
	unlink("a/uml");
	ck_assert_int_eq(mkfifo("a/uml", 0600), 0);
	fails(appliance_files_open("a", &f, &e), ERR_CORRUPT);
	unlink("a/uml");
	ck_assert_int_eq(symlink("/bin/sh", "a/uml"), 0);
	fails(appliance_files_open("a", &f, &e), ERR_SYSTEM);
}
END_TEST

START_TEST(the_folder_that_is_asked_for_is_the_only_one)
{
	struct appliance_files f;
	struct err e = ERR_INIT;
	char cache[300], cwd[200];

	make_one();
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	mkdir("cache", 0755);
	mkdir("cache/drydock", 0755);
	snprintf(cache, sizeof cache, "%s/cache", cwd);
	setenv("XDG_CACHE_HOME", cache, 1);
	ck_assert_int_eq(symlink("../../a", "cache/drydock/appliance"), 0);
	unsetenv("DRYDOCK_APPLIANCE_DIR");
	ok(appliance_files_find(&f, &e));
	appliance_files_free(&f);
	setenv("DRYDOCK_APPLIANCE_DIR", "b", 1);
	fails(appliance_files_find(&f, &e), ERR_NOT_FOUND);
	unsetenv("DRYDOCK_APPLIANCE_DIR");
	unlink("cache/drydock/appliance");
	fails(appliance_files_find(&f, &e), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.msg, "drydock appliance build"));
}
END_TEST

START_TEST(a_cache_that_others_may_write_is_passed_over)
{
	struct appliance_files f;
	struct err e = ERR_INIT;
	char cwd[200];

	make_one();
	ck_assert_int_eq(chmod("a", 0777), 0);
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
	setenv("XDG_CACHE_HOME", cwd, 1);
	mkdir("drydock", 0755);
	ck_assert_int_eq(symlink("../a", "drydock/appliance"), 0);
	fails(appliance_files_find(&f, &e), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.msg, "another user"));
}
END_TEST

TEST_MAIN("files", the_files_that_are_there_are_opened, a_folder_that_is_not_whole_is_none, a_key_of_somebody_else_is_refused,
	  a_fifo_or_a_link_in_its_place_is_refused, the_folder_that_is_asked_for_is_the_only_one,
	  a_cache_that_others_may_write_is_passed_over)
