/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "io.h"

#include <fcntl.h>

START_TEST(a_pipe_gives_all_it_has)
{
	int p[2];
	char buf[16];
	size_t got;

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(io_write(p[1], "hello", 5), 0);
	close(p[1]);
	ck_assert_int_eq(io_read(p[0], buf, sizeof buf, &got), 0);
	ck_assert_uint_eq(got, 5);
	ck_assert_mem_eq(buf, "hello", 5);
	close(p[0]);
}
END_TEST

START_TEST(one_byte_at_a_time_comes_out_whole)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	char buf[16] = "";
	size_t got;

	setenv("DRYDOCK_TEST_SHORT_IO", "1", 1);
	ck_assert_int_eq(io_pwrite(fd, "0123456789", 10, 3), 0);
	ck_assert_int_eq(io_pread(fd, buf, sizeof buf, 3, &got), 0);
	ck_assert_uint_eq(got, 10);
	ck_assert_mem_eq(buf, "0123456789", 10);
	close(fd);
}
END_TEST

TEST_MAIN("io", a_pipe_gives_all_it_has, one_byte_at_a_time_comes_out_whole)
