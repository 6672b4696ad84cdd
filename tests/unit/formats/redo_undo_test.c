/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_undo_test.c - going back: the disks are as they were before, if nobody has written to them since. */
#include "redo_fixture.h"

static struct block *images[2];
static size_t nimages;

/* Two disks of 'o', the second one half full. */
static struct redo *begin(size_t n, const char *format, const char *undo)
{
	static const char *const names[] = { "a", "b" };
	struct redo *r;

	nimages = n;
	for (size_t i = 0; i < n; i++) {
		make_image(names[i], format, SIZE + 512 * i);
		images[i] = open_image(names[i], format, BLOCK_WRITE);
		fill(images[i], 'o', SIZE / (i + 1), 0);
	}
	ok(redo_begin(images, n, &r, &e));
	if (undo)
		ok(redo_keep_undo(r, undo, &e));
	return r;
}

static void end(struct redo *r)
{
	redo_free(r);
	for (size_t i = 0; i < nimages; i++)
		block_unref(images[i]);
}

static int undo(const char *path, struct redo_result *out)
{
	CLEANUP(redo_undo_freep) struct redo_undo *u = NULL;
	struct block *b[2];
	size_t n = 0;
	int rc = redo_undo_open(path, &u, &e);
	const char *name, *format;

	if (rc < 0)
		return rc;
	ck_assert(redo_undo_is_ours(u));
	for (; redo_undo_disk(u, n, &name, &format); n++)
		b[n] = open_image(name, format, BLOCK_WRITE);
	rc = redo_undo_run(u, b, n, NULL, out, &e);
	while (n) {
		if (rc == 0)
			ok(block_finish(b[n - 1], &e));
		block_unref(b[--n]);
	}
	return rc;
}

START_TEST(two_disks_go_back_over_two_commits)
{
	struct redo *r = begin(2, "qcow2", "u");
	struct redo_result result;

	fill(redo_disk(r, 0), 'n', 10000, 4096);
	fill(redo_disk(r, 1), 'n', SIZE, 512);
	ok(redo_commit(r, NULL, NULL, NULL, &e));
	fill(redo_disk(r, 0), 'm', 10000, 8192);
	ok(block_zero(redo_disk(r, 1), 100000, 0, BLOCK_ZERO_UNMAP, &e));
	ok(redo_commit(r, NULL, NULL, NULL, &e));
	ck_assert(holds(redo_disk(r, 0), 'm', 10000, 8192));
	end(r);
	ok(undo("u", &result));
	ck_assert_uint_eq(result.blocks, 4 + 257);
	ck_assert(image_holds("a", "qcow2", 0, 'o', SIZE, 0));
	ck_assert(image_holds("b", "qcow2", 0, 'o', SIZE / 2, 0));
	ck_assert(image_holds("b", "qcow2", 0, 0, SIZE / 2 + 512, SIZE / 2));
	fails(undo("u", &result), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(e.msg, "/a: it is as it was before the change"));
	ck_assert_uint_eq(nfiles(), 3);
}
END_TEST

START_TEST(what_was_changed_since_is_not_lost)
{
	struct redo *r = begin(1, "raw", "u");
	struct redo_result result;
	struct block *b;

	fill(redo_disk(r, 0), 'n', 10000, 4096);
	ok(redo_commit(r, NULL, NULL, NULL, &e));
	end(r);
	b = open_image("a", "raw", BLOCK_WRITE);
	fill(b, 'x', 1, 9000);
	block_unref(b);
	fails(undo("u", &result), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(e.msg, "/a: it was changed since, so that what was done before cannot be taken back"));
	ck_assert(image_holds("a", "raw", 0, 'n', 4904, 4096));
	/* Elsewhere on the disk it does not matter. */
	b = open_image("a", "raw", BLOCK_WRITE);
	fill(b, 'n', 1, 9000);
	fill(b, 'x', 1, 90000);
	block_unref(b);
	ok(undo("u", &result));
	ck_assert(image_holds("a", "raw", 0, 'o', 90000, 0));
	ck_assert(image_holds("a", "raw", 0, 'x', 1, 90000));
}
END_TEST

START_TEST(without_a_commit_nothing_is_kept)
{
	struct redo *r = begin(1, "raw", "u");

	fill(redo_disk(r, 0), 'n', 10000, 4096);
	ck_assert(there("u"));
	fails(redo_keep_undo(r, "v", &e), ERR_USAGE);
	end(r);
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(a_file_that_is_there_is_not_overwritten)
{
	struct redo *r = begin(1, "raw", NULL);

	fails(redo_keep_undo(r, "a", &e), ERR_SYSTEM);
	ck_assert_str_eq(e.msg, "a: File exists");
	end(r);
	ck_assert(image_holds("a", "raw", 0, 'o', SIZE, 0));
}
END_TEST

START_TEST(what_is_no_undo_file_is_refused)
{
	struct redo *r = begin(1, "raw", "u");
	struct redo_undo *u;
	int fd;

	fails(redo_undo_open("a", &u, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "a: no undo file");
	fails(redo_undo_open("u", &u, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "u: nothing was changed that could be taken back");
	fails(redo_undo_open("nowhere", &u, &e), ERR_SYSTEM);
	fill(redo_disk(r, 0), 'n', 10000, 4096);
	ok(redo_commit(r, NULL, NULL, NULL, &e));
	end(r);
	fd = open("u", O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "x", 1, REDO_DATA_OFF + 5000), 1);
	close(fd);
	fails(redo_undo_open("u", &u, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "u: damaged: the sum of a block");
	ck_assert_int_eq(chmod("u", 0666), 0);
	fd = open("u", O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "o", 1, REDO_DATA_OFF + 5000), 1);
	close(fd);
	ok(redo_undo_open("u", &u, &e));
	ck_assert(!redo_undo_is_ours(u));
	redo_undo_free(u);
}
END_TEST

TEST_MAIN("redo_undo", two_disks_go_back_over_two_commits, what_was_changed_since_is_not_lost, without_a_commit_nothing_is_kept,
	  a_file_that_is_there_is_not_overwritten, what_is_no_undo_file_is_refused)
