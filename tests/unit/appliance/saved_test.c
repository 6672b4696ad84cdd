/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved machines as files; what QEMU makes of them is tests/appliance/saved.bats. */
#include "saved.h"

#include "io.h"
#include "limits.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PAGE 4096

static const struct saved_of of = { .key = KEY, .memory = 4, .khz = 2000000 };
static const char state[] = "processor and devices";

static int new_memory(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)(of.memory * MiB)), 0);
	return fd;
}

/* Pages 0, 3, 4 and the last hold something; page 7 was written, and is zero. */
static void fill(int memory)
{
	const unsigned pages[] = { 0, 3, 4, (unsigned)(of.memory * MiB / PAGE) - 1 };

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		ck_assert_int_eq(io_pwrite(memory, "data", 4, (uint64_t)pages[i] * PAGE + i), 0);
	ck_assert_int_eq(io_pwrite(memory, "\0\0\0", 3, 7 * PAGE), 0);
}

static void save(int memory)
{
	int fd = open("saved", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct err e = ERR_INIT;

	ck_assert_int_ge(fd, 0);
	ok(saved_write(fd, &of, memory, state, sizeof state, &e));
	close(fd);
}

static void same(int a, int b)
{
	static uint8_t x[PAGE], y[PAGE];
	size_t got;

	for (uint64_t off = 0; off < of.memory * MiB; off += PAGE) {
		ck_assert_int_eq(io_pread(a, x, PAGE, off, &got), 0);
		ck_assert_int_eq(io_pread(b, y, PAGE, off, &got), 0);
		ck_assert_mem_eq(x, y, PAGE);
	}
}

START_TEST(what_was_saved_is_loaded)
{
	int memory = new_memory(), copy = new_memory();
	struct err e = ERR_INIT;
	char text[sizeof state];
	struct saved s;
	size_t got;

	fill(memory);
	save(memory);
	ok(saved_open("saved", &of, &s, &e));
	ck_assert_uint_eq(s.npages, 4);
	ck_assert_uint_eq(s.nruns, 3);
	ck_assert_uint_eq(s.state_len, sizeof state);
	ck_assert_int_eq(io_pread(s.fd, text, sizeof text, s.state_off, &got), 0);
	ck_assert_str_eq(text, state);
	ok(saved_load(&s, -1, &e));
	ok(saved_load(&s, copy, &e));
	same(memory, copy);
	saved_close(&s);
	close(memory);
	close(copy);
}
END_TEST

START_TEST(one_of_something_else_is_none)
{
	struct saved_of other;
	struct err e = ERR_INIT;
	int memory = new_memory();
	struct saved s;

	fails(saved_open("saved", &of, &s, &e), ERR_NOT_FOUND);
	ck_assert_int_eq(s.fd, -1);
	save(memory);
	other = of;
	other.key[5] = 'x';
	fails(saved_open("saved", &other, &s, &e), ERR_NOT_FOUND);
	other = of;
	other.memory = 8;
	fails(saved_open("saved", &other, &s, &e), ERR_NOT_FOUND);
	other = of;
	other.khz += of.khz / 20;
	fails(saved_open("saved", &other, &s, &e), ERR_NOT_FOUND);
	other.khz = 0;
	fails(saved_open("saved", &other, &s, &e), ERR_NOT_FOUND);
	/* The counter is measured. */
	other.khz = of.khz + of.khz / 1000;
	ok(saved_open("saved", &other, &s, &e));
	saved_close(&s);
	close(memory);
}
END_TEST

/* Each byte of the head, the runs and the state counts, and each of the pages. */
START_TEST(whatever_byte_is_another_is_seen)
{
	struct err e = ERR_INIT;
	int memory = new_memory(), fd;
	struct stat st;

	fill(memory);
	save(memory);
	fd = open("saved", O_RDWR);
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (uint64_t off = 0; off < (uint64_t)st.st_size; off += off < 136 || off >= 5 * PAGE ? 1 : PAGE - 1) {
		struct saved s;
		uint8_t byte;
		size_t got;
		int rc;

		/* Between the head and the pages is nothing. */
		if (off >= 136 && off < PAGE)
			continue;
		ck_assert_int_eq(io_pread(fd, &byte, 1, off, &got), 0);
		byte ^= 0x10;
		ck_assert_int_eq(io_pwrite(fd, &byte, 1, off), 0);
		rc = saved_open("saved", &of, &s, &e);
		if (rc == 0)
			rc = saved_load(&s, -1, &e);
		ck_assert_msg(rc == -ERR_CORRUPT || rc == -ERR_NOT_FOUND, "byte %llu: %d", (unsigned long long)off, rc);
		saved_close(&s);
		byte ^= 0x10;
		ck_assert_int_eq(io_pwrite(fd, &byte, 1, off), 0);
	}
	ck_assert_int_eq(ftruncate(fd, st.st_size - 1), 0);
	fails(saved_open("saved", &of, &(struct saved){ .fd = -1 }, &e), ERR_CORRUPT);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	fails(saved_open("saved", &of, &(struct saved){ .fd = -1 }, &e), ERR_CORRUPT);
	close(fd);
	close(memory);
}
END_TEST

START_TEST(one_that_others_may_write_is_refused)
{
	struct err e = ERR_INIT;
	int memory = new_memory();
	struct saved s;

	save(memory);
	ck_assert_int_eq(chmod("saved", 0620), 0);
	fails(saved_open("saved", &of, &s, &e), ERR_POLICY);
	ck_assert_str_eq(e.msg, "the saved machine could have been written by another user");
	ck_assert_int_eq(chmod("saved", 0600), 0);
	ck_assert_int_eq(symlink("saved", "link"), 0);
	fails(saved_open("link", &of, &s, &e), ERR_SYSTEM);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	fails(saved_open("fifo", &of, &s, &e), ERR_POLICY);
	close(memory);
}
END_TEST

START_TEST(what_was_given_up_is_not_tried_for_a_day)
{
	struct timespec before[2];
	struct err e = ERR_INIT;
	int memory = new_memory();
	struct saved s;

	save(memory);
	ok(saved_give_up("saved", &e));
	fails(saved_open("saved", &of, &s, &e), ERR_UNSUPPORTED);
	clock_gettime(CLOCK_REALTIME, &before[0]);
	before[0].tv_sec -= SAVED_NOT_SECONDS + 1;
	before[1] = before[0];
	ck_assert_int_eq(utimensat(AT_FDCWD, "saved", before, 0), 0);
	fails(saved_open("saved", &of, &s, &e), ERR_NOT_FOUND);
	close(memory);
}
END_TEST

START_TEST(it_is_kept_beside_the_appliance_or_in_the_cache)
{
	struct appliance_files f = { .folder = (char[]){ "/a" } };
	char *path = saved_path(&f, false);

	ck_assert_str_eq(path, "/a/saved");
	free(path);
	f.installed = true;
	setenv("XDG_CACHE_HOME", "/c", 1);
	path = saved_path(&f, true);
	ck_assert_str_eq(path, "/c/drydock/saved-programs");
	free(path);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	ck_assert_ptr_null(saved_path(&f, false));
}
END_TEST

TEST_MAIN("saved", what_was_saved_is_loaded, one_of_something_else_is_none, whatever_byte_is_another_is_seen,
	  one_that_others_may_write_is_refused, what_was_given_up_is_not_tried_for_a_day,
	  it_is_kept_beside_the_appliance_or_in_the_cache)
