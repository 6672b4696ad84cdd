/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "convert.h"
#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

static void make_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void holds(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_le(fread(buf, 1, sizeof buf - 1, f), sizeof buf);
	fclose(f);
	ck_assert_str_eq(buf, text);
}

static unsigned files_here(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	for (struct dirent *f; (f = readdir(d));)
		n += strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0;
	closedir(d);
	return n;
}

START_TEST(the_name_appears_with_the_commit_and_not_before)
{
	CLEANUP(target_abort) struct target t = TARGET_INIT;

	ok(target_begin(&t, "new.img", &e));
	ck_assert_int_eq(strncmp(t.path, ".new.img.drydock-", 17), 0);
	ck_assert_int_ne(access("new.img", F_OK), 0);
	make_file(t.path, "whole", 0644);
	ok(target_commit(&t, true, &e));
	holds("new.img", "whole");
	ck_assert_uint_eq(files_here(), 1);
}
END_TEST

START_TEST(giving_up_leaves_what_was_there)
{
	struct target t = TARGET_INIT;

	make_file("old.img", "old", 0640);
	ok(target_begin(&t, "old.img", &e));
	target_abort(&t);
	holds("old.img", "old");
	ck_assert_uint_eq(files_here(), 1);
}
END_TEST

START_TEST(a_replaced_file_keeps_its_permissions_and_its_link)
{
	CLEANUP(target_abort) struct target t = TARGET_INIT;
	struct stat st;

	make_file("old.img", "old", 0604);
	ck_assert_int_eq(mkdir("sub", 0755), 0);
	ck_assert_int_eq(symlink("../old.img", "sub/link"), 0);
	ok(target_begin(&t, "sub/link", &e));
	FILE *f = fopen(t.path, "w");
	fputs("new", f);
	fclose(f);
	ok(target_commit(&t, true, &e));
	holds("old.img", "new");
	ck_assert_int_eq(lstat("sub/link", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(stat("old.img", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
}
END_TEST

START_TEST(a_name_of_any_length_has_a_temporary_name)
{
	CLEANUP(target_abort) struct target t = TARGET_INIT;
	char name[256];

	memset(name, 'x', 255);
	name[255] = '\0';
	ok(target_begin(&t, name, &e));
	ok(target_commit(&t, true, &e));
	ck_assert_int_eq(access(name, F_OK), 0);
}
END_TEST

START_TEST(folders_and_protocols_are_no_targets)
{
	struct target t = TARGET_INIT;

	ck_assert_int_eq(mkdir("d", 0755), 0);
	fails(target_begin(&t, "d", &e), ERR_SYSTEM);
	target_abort(&t);
	fails(target_begin(&t, "missing/x", &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOENT);
	ck_assert_ptr_null(strstr(e.msg, ".drydock-"));
	target_abort(&t);
	fails(target_begin(&t, "json:{}", &e), ERR_UNSUPPORTED);
	target_abort(&t);
}
END_TEST

START_TEST(options_of_create_are_judged_before_anything_is_made)
{
	struct dict opts = DICT_INIT, out = DICT_INIT;
	struct create_plan plan = { .format = "raw", .opts = &opts };

	ok(dict_parse(&opts, "size=1M,nocow=yes", NULL, &e));
	ok(convert_plan_create("x", &plan, &out, &e));
	ck_assert_str_eq(dict_get(&out, "size"), "1048576");
	ck_assert_str_eq(dict_get(&out, "nocow"), "on");
	dict_free(&out);
	out = (struct dict)DICT_INIT;
	ok(dict_parse(&opts, "colour=red", NULL, &e));
	fails(convert_create("x", &plan, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "raw has no option \"colour\"");
	ck_assert_uint_eq(files_here(), 0);
	dict_free(&opts);
	opts = (struct dict)DICT_INIT;
	fails(convert_create("x", &plan, &e), ERR_USAGE); /* no size */
	plan.format = "paper";
	fails(convert_create("x", &plan, &e), ERR_USAGE);
	dict_free(&out);
	dict_free(&opts);
}
END_TEST

TEST_MAIN("target", the_name_appears_with_the_commit_and_not_before, giving_up_leaves_what_was_there,
	  a_replaced_file_keeps_its_permissions_and_its_link, a_name_of_any_length_has_a_temporary_name,
	  folders_and_protocols_are_no_targets, options_of_create_are_judged_before_anything_is_made)
