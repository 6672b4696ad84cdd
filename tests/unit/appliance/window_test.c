/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window_test.c - the window for bulk data: as a block behind the tools, and between the client and the real agent. */
#include "agent_child.h"
#include "block.h"
#include "limits.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* An odd length, as images of tools may have. */
#define TOOLS (3 * 1024 * 1024 + 512)

static struct block *tools(void)
{
	struct err e = ERR_INIT;
	struct block *b;
	uint8_t bytes[512];
	int fd = open("tools", O_RDWR | O_CREAT, 0600);

	memset(bytes, 'T', sizeof bytes);
	ck_assert_int_eq(ftruncate(fd, TOOLS), 0);
	ck_assert_int_eq(pwrite(fd, bytes, sizeof bytes, TOOLS - sizeof bytes), sizeof bytes);
	close(fd);
	ok(block_open("tools", &(const struct block_open){ .format = "raw" }, &b, &e));
	return b;
}

static bool all(const uint8_t *bytes, size_t len, uint8_t is)
{
	size_t i = 0;

	while (i < len && bytes[i] == is)
		i++;
	return i == len;
}

START_TEST(the_window_lies_between_zeros_behind_the_tools)
{
	struct err e = ERR_INIT;
	struct block *below = tools(), *b;
	uint8_t *bytes, *buf = malloc(8 << 20);
	struct extent x;
	uint64_t off;

	ok(window_block(below, 1 << 20, &b, &bytes, &off, &e));
	block_unref(below);
	ck_assert_uint_eq(off % (1 << 20), 0);
	ck_assert_uint_ge(off, TOOLS + (1 << 20));
	ck_assert_uint_eq(block_size(b), off + (2 << 20));
	memset(bytes, 'W', 1 << 20);
	ok(block_pread(b, buf, block_size(b), 0, &e));
	ck_assert(all(buf, TOOLS - 512, 0) && all(buf + TOOLS - 512, 512, 'T'));
	ck_assert(all(buf + TOOLS, off - TOOLS, 0));
	ck_assert(all(buf + off, 1 << 20, 'W') && all(buf + off + (1 << 20), 1 << 20, 0));
	/* A file holds the tools, as before; nobody's descriptor has the rest. */
	ok(block_extent(b, 4096, TOOLS - 512, &x, &e));
	ck_assert_uint_eq(x.len, 512);
	ck_assert(x.flags & EXTENT_PLAIN);
	ok(block_extent(b, 2 << 20, off, &x, &e));
	ck_assert_uint_eq(x.len, 1 << 20);
	ck_assert(!(x.flags & (EXTENT_PLAIN | EXTENT_ZERO)));
	block_unref(b);
	free(buf);
}
END_TEST

START_TEST(nothing_but_the_window_is_written_to)
{
	static const uint8_t some[8192] = { 1, 2, 3 };
	struct err e = ERR_INIT;
	struct block *below = tools(), *b;
	uint8_t *bytes;
	uint64_t off;

	ok(window_block(below, 1 << 20, &b, &bytes, &off, &e));
	ok(block_pwrite(b, some, sizeof some, off, &e));
	ok(block_pwrite(b, some, sizeof some, off + (1 << 20) - sizeof some, &e));
	ck_assert_mem_eq(bytes, some, sizeof some);
	ck_assert_mem_eq(bytes + (1 << 20) - sizeof some, some, sizeof some);
	fails(block_pwrite(b, some, sizeof some, 0, &e), ERR_SYSTEM);
	fails(block_pwrite(b, some, sizeof some, off - 4096, &e), ERR_SYSTEM);
	fails(block_pwrite(b, some, sizeof some, off + (1 << 20) - 4096, &e), ERR_SYSTEM);
	fails(block_pwrite(b, some, sizeof some, off + (1 << 20), &e), ERR_SYSTEM);
	fails(block_zero(b, 4096, 0, 0, &e), ERR_SYSTEM);
	ok(block_flush(b, &e));
	block_unref(b);
	block_unref(below);
}
END_TEST

/* A file that both see, as a machine's disk is seen by both. */
static uint8_t *share(uint64_t off)
{
	uint8_t *bytes;
	int fd = open("window", O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, (off_t)(off + CLIENT_WINDOW)), 0);
	bytes = mmap(NULL, CLIENT_WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);
	ck_assert(bytes != MAP_FAILED);
	close(fd);
	return bytes;
}

static void write_and_read(struct client *c, uint64_t root, const char *name)
{
	struct err e = ERR_INIT;
	const size_t len = 13 * 1024 * 1024 + 17;
	uint8_t *want = malloc(len), *got = malloc(len);
	uint64_t node;
	struct fs_stat st;
	size_t n;

	for (size_t i = 0; i < len; i++)
		want[i] = (uint8_t)(i >> 9 ^ i >> 20 ^ i);
	ok(client_create(c, root, name, 0600, geteuid(), getegid(), &node, &e));
	/* What is little goes by the channel, and what begins in the middle of a block, too; in any order. */
	ok(client_pwrite(c, node, want, 100, 0, &e));
	ok(client_pwrite(c, node, want + 100, 200000, 100, &e));
	ok(client_pwrite(c, node, want + 200100, len - 200100, 200100, &e));
	ok(client_stat(c, node, &st, &e));
	ck_assert_uint_eq(st.size, len);
	ok(client_pread(c, node, got, len, 0, &n, &e));
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(want, got, len);
	/* In pieces one after the other, past the end. */
	memset(got, 0, len);
	for (size_t at = 0; at < len; at += n) {
		ok(client_pread(c, node, got + at, len - at < 300000 ? len - at : 300000, at, &n, &e));
		ck_assert_uint_gt(n, 0);
	}
	ck_assert_mem_eq(want, got, len);
	ok(client_pread(c, node, got, 1 << 20, len - 10, &n, &e));
	ck_assert_uint_eq(n, 10);
	ok(client_pread(c, node, got, 1 << 20, len, &n, &e));
	ck_assert_uint_eq(n, 0);
	free(want);
	free(got);
}

START_TEST(files_go_through_the_window)
{
	struct err e = ERR_INIT;
	char here[CHILD_PATH];
	struct agent_child a;
	uint64_t root, dir;
	uint8_t *bytes = share(1 << 20);

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(&a);
	agent_folder(&a, here, NULL, false, &root);
	ok(client_mkdir(a.c, root, "d", 0700, geteuid(), getegid(), &dir, &e));
	client_set_window(a.c, "/proc/self/cwd/window", 1 << 20, bytes);
	write_and_read(a.c, dir, "f");
	/* That it did not go by the socket. */
	ck_assert(!all(bytes, CLIENT_WINDOW, 0));
	fails(client_pwrite(a.c, dir, bytes, 1 << 20, 0, &e), ERR_SYSTEM);
	ck_assert(!client_lost(a.c));
	agent_close(&a);
	munmap(bytes, CLIENT_WINDOW);
}
END_TEST

START_TEST(a_window_that_cannot_be_opened_is_done_without)
{
	static uint8_t bytes[CLIENT_WINDOW];
	char here[CHILD_PATH];
	struct agent_child a;
	uint64_t root;

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(&a);
	agent_folder(&a, here, NULL, false, &root);
	client_set_window(a.c, "/none", 0, bytes);
	write_and_read(a.c, root, "g");
	ck_assert(all(bytes, sizeof bytes, 0));
	agent_close(&a);
}
END_TEST

TEST_MAIN("window", the_window_lies_between_zeros_behind_the_tools, nothing_but_the_window_is_written_to,
	  files_go_through_the_window, a_window_that_cannot_be_opened_is_done_without)
