/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpio.h"

#include "io.h"
#include "testing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Writes one archive; its bytes, NUL behind them. */
static char *archive(size_t *len)
{
	struct err e = ERR_INIT;
	int fd = open("a.cpio", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct cpio c = CPIO_INIT(fd);
	char *bytes;
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ok(cpio_folder(&c, "dev", 0755, &e));
	ok(cpio_char_device(&c, "dev/console", 0600, 5, 1, &e));
	ok(cpio_file(&c, "init", 0555, "12345", 5, &e));
	ok(cpio_symlink(&c, "sh", "bin/sh", &e));
	ok(cpio_end(&c, &e));
	cpio_free(&c);
	ck_assert_int_eq(fstat(fd, &st), 0);
	bytes = calloc(1, (size_t)st.st_size + 1);
	ck_assert_int_eq(io_pread(fd, bytes, (size_t)st.st_size, 0, len), 0);
	close(fd);
	return bytes;
}

START_TEST(members_are_headers_names_and_content_padded_to_four_bytes)
{
	size_t len;
	char *a = archive(&len);
	const char *init = memmem(a, len, "init", 5);

	ck_assert_uint_eq(len % 4, 0);
	ck_assert_mem_eq(a, "07070100000001000041ED", 22);
	ck_assert_ptr_nonnull(init);
	/* 110 bytes of header, "init" with its NUL makes 115: one byte of padding. */
	ck_assert_mem_eq(init - 110, "070701", 6);
	ck_assert_mem_eq(init - 110 + 54, "00000005", 8);
	ck_assert_mem_eq(init + 5, "\0" "12345\0\0\0" "070701", 15);
	ck_assert_ptr_nonnull(memmem(a, len, "TRAILER!!!", 11));
	free(a);
}
END_TEST

START_TEST(the_same_members_give_the_same_bytes)
{
	size_t n, m;
	char *a = archive(&n), *b = archive(&m);

	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(a, b, n);
	free(a);
	free(b);
}
END_TEST

START_TEST(cpio_reads_it)
{
	size_t len;
	FILE *list;
	char line[200] = "";

	if (system("command -v cpio >/dev/null") != 0)
		return;
	free(archive(&len));
	list = popen("cpio -itv --quiet <a.cpio 2>&1 | awk '{ print $1, $NF }' | tr '\\n' ';'", "r");
	ck_assert_ptr_nonnull(list);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, list));
	pclose(list);
	ck_assert_str_eq(line, "drwxr-xr-x dev;crw------- dev/console;-r-xr-xr-x init;lrwxrwxrwx bin/sh;");
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
	struct err e = ERR_INIT;
	int fd = open("/dev/full", O_WRONLY);
	struct cpio c = CPIO_INIT(fd);

	fails(cpio_file(&c, "init", 0555, "x", 1, &e), ERR_SYSTEM);
	cpio_free(&c);
	close(fd);
}
END_TEST

TEST_MAIN("cpio", members_are_headers_names_and_content_padded_to_four_bytes, the_same_members_give_the_same_bytes, cpio_reads_it,
	  a_full_disk_is_an_error)
