/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ext_image.h"

#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint8_t big[3 * 4096 + 100];

static void make(const char *path)
{
	static const uint8_t uuid[16] = { 1, 2, 3 };
	struct ext_image *x;
	struct err e = ERR_INIT;
	char name[64];

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 >> 3);
	close(open(path, O_CREAT | O_RDWR, 0600));
	ok(ext_image_new(path, 1000, 1000, uuid, 1764115200, &x, &e));
	ok(ext_image_folder(x, "etc", 0755, &e));
	ok(ext_image_folder(x, "etc/deep", 0700, &e));
	ok(ext_image_file(x, "etc/deep/big", 0644, big, sizeof big, &e));
	ok(ext_image_file(x, "etc/empty", 0600, "", 0, &e));
	ok(ext_image_symlink(x, "link", "etc/deep", &e));
	/* More names than one block of a folder holds. */
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "etc/a-name-that-is-somewhat-long-%d", i);
		ok(ext_image_file(x, name, 0644, "x", 1, &e));
	}
	ok(ext_image_finish(x, &e));
	ext_image_free(&x);
}

START_TEST(the_reference_checker_finds_nothing)
{
	make("x.ext4");
	if (system("command -v e2fsck >/dev/null") != 0)
		return;
	ck_assert_int_eq(system("e2fsck -fn x.ext4 >log 2>&1 || { cat log; false; }"), 0);
	ck_assert_int_eq(system("debugfs -R 'cat etc/deep/big' x.ext4 >big 2>/dev/null"), 0);
	ck_assert_int_eq(system("[ $(stat -c %s big) = 12388 ]"), 0);
	ck_assert_int_eq(system("debugfs -R 'stat link' x.ext4 2>/dev/null | grep -q 'Fast link dest: \"etc/deep\"'"), 0);
}
END_TEST

START_TEST(the_same_calls_give_the_same_bytes)
{
	make("a.ext4");
	sleep(1); /* another second of the clock */
	make("b.ext4");
	ck_assert_int_eq(system("cmp a.ext4 b.ext4"), 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
	static const uint8_t uuid[16] = { 1 };
	struct ext_image *x;
	struct err e = ERR_INIT;

	close(open("y", O_CREAT | O_RDWR, 0600));
	ok(ext_image_new("y", 10, 10, uuid, 1, &x, &e));
	fails(ext_image_file(x, "no/file", 0644, "x", 1, &e), ERR_SYSTEM);
	ext_image_free(&x);
}
END_TEST

START_TEST(an_image_that_is_full_is_an_error)
{
	static const uint8_t uuid[16] = { 1 };
	static uint8_t much[64 << 20];
	struct ext_image *x;
	struct err e = ERR_INIT;

	close(open("y", O_CREAT | O_RDWR, 0600));
	ok(ext_image_new("y", 10, 10, uuid, 1, &x, &e));
	fails(ext_image_file(x, "much", 0644, much, sizeof much, &e), ERR_SYSTEM);
	ext_image_free(&x);
}
END_TEST

TEST_MAIN("ext_image", the_reference_checker_finds_nothing, the_same_calls_give_the_same_bytes,
	  a_folder_that_is_not_there_is_an_error, an_image_that_is_full_is_an_error)
