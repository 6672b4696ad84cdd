/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each test takes itself rights in a child, and looks what is left. */
#include "landlock.h"

#include "alloc.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static bool writes(const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT, 0600);

	return fd >= 0;
}

static bool reads(const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY);

	return fd >= 0;
}

/* 0: as it should be; else the number of what is not. */
static int look(const char *path, unsigned what, bool reading, bool writing, bool executing)
{
	CLEANUP(landlock_free) struct landlock l = LANDLOCK_INIT;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_new(&l, 0) || landlock_allow(&l, path, what) ||
	    landlock_allow(&l, "nothing there", what) || landlock_restrict(&l))
		return 1;
	if (reads("in/program") != reading)
		return 2;
	if (writes("in/new") != writing)
		return 3;
	if (reads("out") || writes("outside"))
		return 4;
	execl("in/program", "in/program", (char *)NULL);
	/* What the kernel does not take for a program, it has looked at. */
	return (errno != EACCES) == executing ? 0 : 5;
}

static void leaves(const char *path, unsigned what, bool reading, bool writing, bool executing)
{
	int status = -1;
	pid_t pid;

	ck_assert_int_eq(mkdir("in", 0700), 0);
	ck_assert(writes("in/program") && writes("out"));
	ck_assert_int_eq(chmod("in/program", 0700), 0);
	if (!landlock_abi())
		return;
	pid = fork();
	if (pid == 0)
		_exit(look(path, what, reading, writing, executing));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(reading_is_not_executing)
{
	leaves("in", LANDLOCK_READ, true, false, false);
}
END_TEST

START_TEST(executing_is_a_right_of_its_own)
{
	leaves("in", LANDLOCK_READ | LANDLOCK_EXECUTE, true, false, true);
}
END_TEST

START_TEST(who_may_write_may_not_execute)
{
	leaves("in", LANDLOCK_READ | LANDLOCK_WRITE, true, true, false);
}
END_TEST

START_TEST(a_file_can_be_allowed_alone)
{
	leaves("in/program", LANDLOCK_READ | LANDLOCK_EXECUTE, true, false, true);
}
END_TEST

START_TEST(what_is_not_named_is_taken)
{
	leaves("nothing there", LANDLOCK_READ, false, false, false);
}
END_TEST

TEST_MAIN("landlock", reading_is_not_executing, executing_is_a_right_of_its_own, who_may_write_may_not_execute,
	  a_file_can_be_allowed_alone, what_is_not_named_is_taken)
