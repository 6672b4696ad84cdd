/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "memfile.h"

#include <fcntl.h>
#include <string.h>

static struct err e = ERR_INIT;

static int read_by_name(void *arg, const char *name, struct err *err)
{
	char buf[10] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	(void)err;
	ck_assert_ptr_eq(name, memfile_name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)read(fd, buf, sizeof buf), 5);
	ck_assert_str_eq(buf, arg);
	close(fd);
	return 7;
}

START_TEST(what_was_written_is_read_by_the_name)
{
	static char wanted[] = "hello";
	int fd;

	for (int i = 0; i < 2; i++) {
		ok(memfile_new(&fd, &e));
		ck_assert_int_eq((int)write(fd, "hello", 5), 5);
		ck_assert_int_eq(memfile_by_name(fd, read_by_name, wanted, &e), 7);
		/* The name is nobody's afterwards. */
		ck_assert_int_lt(open(memfile_name, O_RDONLY), 0);
		close(fd);
	}
}
END_TEST

START_TEST(a_slot_that_is_taken_is_told)
{
	int fd;

	ok(memfile_new(&fd, &e));
	ck_assert_int_eq(dup2(fd, MEMFILE_SLOT), MEMFILE_SLOT);
	fails(memfile_by_name(fd, read_by_name, NULL, &e), ERR_LIMIT);
	close(MEMFILE_SLOT);
	close(fd);
}
END_TEST

TEST_MAIN("memfile", what_was_written_is_read_by_the_name, a_slot_that_is_taken_is_told)
