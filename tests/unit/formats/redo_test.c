/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redo_test.c - changes that reach images whole or not at all: in order, cut off anywhere, and what the next open makes of it. */
#include "redo_fixture.h"

/* ---- in order ---- */

static void check_round(const char *format)
{
	struct redo_result result;
	struct block *b;
	struct redo *r;

	make_image("a", format, SIZE + 512);
	b = open_image("a", format, BLOCK_WRITE);
	fill(b, 'o', 100000, 0);
	ok(redo_begin(&b, 1, &r, &e));
	ck_assert(there(".a.drydock-redo"));
	fill(redo_disk(r, 0), 'n', 5000, 3000);
	fill(redo_disk(r, 0), 'o', 4096, 65536); /* as it was */
	ok(block_zero(redo_disk(r, 0), 10000, 40000, BLOCK_ZERO_UNMAP, &e));
	fill(redo_disk(r, 0), 'e', 700, SIZE - 188);
	ck_assert(holds(redo_disk(r, 0), 'n', 5000, 3000));
	ck_assert(holds(redo_disk(r, 0), 'o', 3000, 0));
	ck_assert(holds(redo_disk(r, 0), 'o', 32000, 8000));
	ck_assert(holds(redo_disk(r, 0), 0, 10000, 40000));
	ck_assert(holds(redo_disk(r, 0), 'o', 15000, 50000));
	ck_assert(holds(redo_disk(r, 0), 'e', 700, SIZE - 188));
	ck_assert(holds(b, 'o', 100000, 0));
	ok(redo_commit(r, NULL, &result, NULL, &e));
	/* 0-8191 (2), 36864-53247 (4), the last two of the disk */
	ck_assert_uint_eq(result.blocks, 2 + 4 + 2);
	ck_assert_uint_eq(result.bytes, 7 * 4096 + 512);
	ck_assert(holds(b, 'n', 5000, 3000));
	ck_assert(holds(b, 'o', 3000, 0));
	ck_assert(holds(b, 0, 10000, 40000));
	ck_assert(holds(b, 'e', 700, SIZE - 188));
	/* The next transaction. */
	ck_assert(holds(redo_disk(r, 0), 'n', 5000, 3000));
	fill(redo_disk(r, 0), 'x', 10, 0);
	ok(redo_commit(r, NULL, &result, NULL, &e));
	ck_assert_uint_eq(result.blocks, 1);
	fill(redo_disk(r, 0), 'y', 10, 0);
	redo_free(r);
	ck_assert(holds(b, 'x', 10, 0));
	ok(block_finish(b, &e));
	block_unref(b);
	ck_assert_uint_eq(nfiles(), 1);
	ck_assert(image_holds("a", format, 0, 'n', 5000, 3000));
}

START_TEST(a_raw_image_gets_what_was_written)
{
	check_round("raw");
}
END_TEST

START_TEST(a_qcow2_image_gets_what_was_written)
{
	check_round("qcow2");
}
END_TEST

START_TEST(what_is_not_committed_is_dropped)
{
	struct block *b;
	struct redo *r;

	make_image("a", "raw", SIZE);
	b = open_image("a", "raw", BLOCK_WRITE);
	ok(redo_begin(&b, 1, &r, &e));
	fill(redo_disk(r, 0), 'n', 5000, 3000);
	redo_free(r);
	ck_assert(holds(b, 0, SIZE, 0));
	block_unref(b);
	ck_assert_uint_eq(nfiles(), 1);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
	struct block *b;
	struct redo *r;

	make_image("a", "raw", SIZE);
	b = open_image("a", "raw", 0);
	fails(redo_begin(&b, 1, &r, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "a: not open for writing");
	block_unref(b);
	b = open_image("null-co://", "raw", BLOCK_WRITE);
	fails(redo_begin(&b, 1, &r, &e), ERR_UNSUPPORTED);
	block_unref(b);
}
END_TEST

struct changes {
	size_t n;
	uint64_t off[8], len[8];
};

static int note_change(void *arg, size_t disk, uint64_t off, uint64_t len, struct err *err)
{
	struct changes *c = arg;

	(void)err;
	ck_assert_uint_eq(disk, 0);
	ck_assert_uint_lt(c->n, 8);
	c->off[c->n] = off;
	c->len[c->n++] = len;
	return 0;
}

START_TEST(only_blocks_that_differ_are_told)
{
	struct changes c = { 0 };
	struct block *b;
	struct redo *r;

	make_image("a", "raw", SIZE);
	b = open_image("a", "raw", BLOCK_WRITE);
	fill(b, 'o', 100000, 0);
	ok(redo_begin(&b, 1, &r, &e));
	fill(redo_disk(r, 0), 'o', 50000, 10);
	fill(redo_disk(r, 0), 'n', 1, 8191);
	fill(redo_disk(r, 0), 'n', 1, 8192);
	fill(redo_disk(r, 0), 0, 4096, 500000 / 4096 * 4096);
	ok(block_zero(redo_disk(r, 0), 200000, 600000, BLOCK_ZERO_UNMAP, &e));
	ok(redo_changes(r, note_change, &c, &e));
	ck_assert_uint_eq(c.n, 1);
	ck_assert_uint_eq(c.off[0], 4096);
	ck_assert_uint_eq(c.len[0], 8192);
	redo_free(r);
	block_unref(b);
}
END_TEST

/* ---- cut off ---- */

/*
 * Between us and every file - journals, record, images - a filter counts the writes, and at one of them the process dies or the
 * write fails.
 */
static struct fault_plan plan;
static unsigned long die_at; /* 0: never */

static void at_write(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off)
{
	(void)arg, (void)kind, (void)buf, (void)len, (void)off;
	if (die_at && atomic_load(&plan.nwrites) >= die_at)
		raise(SIGKILL);
}

static int wrap(void *arg, struct block **file, struct err *err)
{
	struct block *over;
	int rc = block_fault(*file, arg, &over, err);
	if (rc < 0)
		return rc;
	over->flags = BLOCK_WRITE | BLOCK_RESIZE | BLOCK_UNSAFE;
	block_unref(*file);
	*file = over;
	return 0;
}

static const struct redo_test test = { wrap, &plan };

/* Puts the filter beneath the image's format. */
static struct block *open_faulty(const char *path, const char *format)
{
	struct block *b = open_image(path, format, BLOCK_WRITE | BLOCK_RESIZE);

	ok(wrap(&plan, &b->file, &e));
	return b;
}

static int change_disks(size_t n, const char *format, bool *decided, struct err *err)
{
	struct block *b[2] = { NULL, NULL };
	struct redo *r;
	int rc;

	for (size_t i = 0; i < n; i++)
		b[i] = open_faulty(disks[i], format);
	rc = redo_begin_tested(b, n, &test, &r, err);
	if (rc == 0)
		rc = write_change(r, n, err);
	if (rc == 0)
		rc = redo_commit(r, NULL, NULL, decided, err);
	redo_free(r);
	for (size_t i = 0; i < n; i++)
		block_unref(b[i]);
	return rc;
}

/* Every step of a commit: the process is killed there, or the write fails there once, or all do from there on. */
static void every_step(size_t n, const char *format)
{
	unsigned long seen_old = 0, seen_new = 0;

	make_base(format);
	for (unsigned long step = 1;; step++) {
		int status;
		pid_t pid;

		make_disks(n);
		plan = (struct fault_plan){ .record = at_write };
		pid = fork();
		if (pid == 0) {
			bool decided;

			die_at = step;
			_exit(change_disks(n, format, &decided, &e) == 0 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			ck_assert_int_eq(WEXITSTATUS(status), 0);
			ck_assert_int_eq(settle(n, format, "not killed", step), 'n');
			clear();
			break;
		}
		if (settle(n, format, "killed", step) == 'n')
			seen_new++;
		else
			seen_old++;
		clear();
	}
	ck_assert_uint_gt(seen_old, 3);
	ck_assert_uint_gt(seen_new, 3);
}

static void every_failure(size_t n, const char *format, bool stays)
{
	unsigned long failures = 0;
	int rc = -1;

	make_base(format);
	for (unsigned long step = 1; rc < 0; step++) {
		bool decided = false;

		make_disks(n);
		plan = (struct fault_plan){ .fail_write_at = step, .fail_all_after = stays, .sys_errno = ENOSPC };
		rc = change_disks(n, format, &decided, &e);
		failures += rc < 0;
		if (rc < 0)
			ck_assert_msg(settle(n, format, "failed", step) == (decided ? 'n' : 'o'), "step %lu", step);
		else
			ck_assert_int_eq(settle(n, format, "failed unseen", step), 'n');
		clear();
	}
	ck_assert_uint_gt(failures, 8);
}

START_TEST(killed_at_every_step_a_raw_image_is_old_or_new)
{
	every_step(1, "raw");
}
END_TEST

START_TEST(killed_at_every_step_a_qcow2_image_is_old_or_new)
{
	every_step(1, "qcow2");
}
END_TEST

START_TEST(killed_at_every_step_two_images_are_both_old_or_both_new)
{
	every_step(2, "qcow2");
}
END_TEST

START_TEST(a_write_that_fails_leaves_old_or_new)
{
	every_failure(1, "raw", false);
	every_failure(1, "qcow2", true);
	every_failure(2, "raw", true);
	every_failure(2, "qcow2", false);
}
END_TEST

TEST_MAIN("redo", a_raw_image_gets_what_was_written, a_qcow2_image_gets_what_was_written, what_is_not_committed_is_dropped,
	  what_cannot_be_written_is_refused, only_blocks_that_differ_are_told, killed_at_every_step_a_raw_image_is_old_or_new,
	  killed_at_every_step_a_qcow2_image_is_old_or_new, killed_at_every_step_two_images_are_both_old_or_both_new,
	  a_write_that_fails_leaves_old_or_new)
