/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain_test.c - jobs on images with backing files: commit and rebase; and the benchmark. */
#include "testing.h"

#include "alloc.h"
#include "bench.h"
#include "commit.h"
#include "rebase.h"

#include <string.h>
#include <unistd.h>

#define MiB_ (1ULL << 20)

static struct err e;

static void make(const char *path, uint64_t size, const char *backing)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)size);
	ok(dict_set(&opts, "size", text, &e));
	if (backing) {
		ok(dict_set(&opts, "backing_file", backing, &e));
		ok(dict_set(&opts, "backing_fmt", "qcow2", &e));
	}
	ok(block_create(path, "qcow2", &opts, NULL, &e));
}

static struct block *open_image(const char *path, unsigned flags)
{
	struct block_open how = { .format = "qcow2", .flags = flags };
	struct block *b = NULL;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static void fill(const char *path, int byte, size_t len, uint64_t off)
{
	struct block *b = open_image(path, BLOCK_WRITE);
	CLEANUP(free_ptr) unsigned char *buf = alloc_bytes(len);

	memset(buf, byte, len);
	if (byte)
		ok(block_pwrite(b, buf, len, off, &e));
	else
		ok(block_zero(b, len, off, BLOCK_ZERO_UNMAP, &e));
	ok(block_finish(b, &e));
	block_unref(b);
}

static int byte_at(const char *path, uint64_t off)
{
	struct block *b = open_image(path, 0);
	unsigned char c;

	ok(block_pread(b, &c, 1, off, &e));
	block_unref(b);
	return c;
}

/* Of the image's own, not of its backing chain. */
static bool allocated(const char *path, uint64_t off)
{
	struct block *b = open_image(path, BLOCK_NO_BACKING);
	struct extent x;

	ok(block_extent(b, 1, off, &x, &e));
	block_unref(b);
	return x.flags & EXTENT_ALLOC;
}

static int commit(const char *name, const char *base, bool keep, struct commit_result *result)
{
	struct block_open open = { .format = "qcow2" };
	struct commit how = { .name = name, .open = &open, .base = base, .keep = keep };

	return commit_run(&how, result, &e);
}

/* base 2M, mid 2M over it, top 3M over that. */
static void make_chain(void)
{
	make("base", 2 * MiB_, NULL);
	fill("base", 1, 1 << 20, 0);
	make("mid", 2 * MiB_, "base");
	fill("mid", 2, 65536, 65536);
	make("top", 3 * MiB_, "mid");
	fill("top", 3, 65536, 131072);
	fill("top", 0, 65536, 196608);
	fill("top", 4, 4096, 2 * MiB_ + 8192);
}

START_TEST(a_commit_moves_everything_into_the_backing_file_and_empties_the_image)
{
	struct commit_result r;

	make_chain();
	ok(commit("top", NULL, false, &r));
	ck_assert_int_eq(r.stage, COMMIT_DONE);
	ck_assert(r.emptied);
	ck_assert(!allocated("top", 131072));
	ck_assert_int_eq(byte_at("mid", 131072), 3);
	ck_assert_int_eq(byte_at("mid", 196608), 0);
	ck_assert_int_eq(byte_at("mid", 65536), 2);
	ck_assert_int_eq(byte_at("mid", 0), 1);
	ck_assert_int_eq(byte_at("mid", 2 * MiB_ + 8192), 4);
	ck_assert_int_eq(byte_at("top", 131072), 3);
	ck_assert_int_eq(byte_at("base", 131072), 1);
}
END_TEST

START_TEST(a_commit_into_a_deeper_base_keeps_the_images_between_as_they_are)
{
	struct commit_result r;

	make_chain();
	ok(commit("top", "base", false, &r));
	ck_assert(!r.emptied);
	ck_assert(allocated("top", 131072));
	ck_assert(allocated("mid", 65536));
	ck_assert_int_eq(byte_at("base", 131072), 3);
	ck_assert_int_eq(byte_at("base", 65536), 2);
	ck_assert_int_eq(byte_at("base", 2 * MiB_ + 8192), 4);
}
END_TEST

START_TEST(what_a_shorter_image_between_hides_becomes_zeros_in_the_base)
{
	struct commit_result r;

	make("base", 3 * MiB_, NULL);
	fill("base", 1, 3 << 20, 0);
	make("mid", MiB_, "base");
	make("top", 3 * MiB_, "mid");
	ck_assert_int_eq(byte_at("top", 2 * MiB_), 0);
	ok(commit("top", "base", false, &r));
	ck_assert_int_eq(byte_at("base", 2 * MiB_), 0);
	ck_assert_int_eq(byte_at("base", 0), 1);
}
END_TEST

START_TEST(a_kept_image_keeps_its_data)
{
	struct commit_result r;

	make_chain();
	ok(commit("top", NULL, true, &r));
	ck_assert(!r.emptied);
	ck_assert(allocated("top", 131072));
	ck_assert_int_eq(byte_at("mid", 131072), 3);
}
END_TEST

START_TEST(a_base_that_is_not_in_the_chain_is_refused)
{
	struct commit_result r;

	make_chain();
	make("other", MiB_, NULL);
	fails(commit("top", "other", false, &r), ERR_NOT_FOUND);
	ck_assert_int_eq(r.stage, COMMIT_FIND);
	fails(commit("base", NULL, false, &r), ERR_NOT_FOUND);
}
END_TEST

static int stop_at_once(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return 1;
}

START_TEST(a_commit_that_is_stopped_leaves_the_image_as_it_was)
{
	struct block_open open = { .format = "qcow2" };
	struct commit how = { .name = "top", .open = &open, .rate = 65536, .progress = stop_at_once };
	struct commit_result r;

	make("base", 8 * MiB_, NULL);
	make("top", 8 * MiB_, "base");
	fill("top", 9, 8 << 20, 0);
	fails(commit_run(&how, &r, &e), ERR_CANCELED);
	ck_assert(allocated("top", 0));
	ck_assert(allocated("top", 7 * MiB_));
	ck_assert_int_eq(byte_at("top", 7 * MiB_), 9);
}
END_TEST

static void rebase(const char *name, const char *backing)
{
	struct block *image = open_image(name, BLOCK_WRITE), *under = backing ? open_image(backing, 0) : NULL;
	struct rebase job = { .image = image, .backing = under };
	struct rebase_result r;

	ok(rebase_copy(&job, &r, &e));
	ck_assert_int_eq(r.stage, REBASE_DONE);
	ok(block_change_backing(image, backing, backing ? "qcow2" : NULL, &e));
	ok(block_finish(image, &e));
	block_unref(under);
	block_unref(image);
}

START_TEST(a_rebase_keeps_the_content_over_another_file)
{
	make_chain();
	make("new", 4 * MiB_, NULL);
	fill("new", 1, 65536, 0);
	fill("new", 7, 2 << 20, 2 * MiB_);
	rebase("top", "new");
	ck_assert_int_eq(byte_at("top", 0), 1);
	ck_assert(!allocated("top", 0)); /* both have it */
	ck_assert_int_eq(byte_at("top", 65536), 2);
	ck_assert_int_eq(byte_at("top", 131072), 3);
	ck_assert_int_eq(byte_at("top", 512 << 10), 1);
	ck_assert_int_eq(byte_at("top", 2 * MiB_ + 8192), 4);
	ck_assert_int_eq(byte_at("top", 2 * MiB_ + 65536), 0); /* zeros that the new one would hide */
}
END_TEST

START_TEST(a_rebase_onto_a_file_of_the_own_chain_copies_what_lies_between)
{
	make_chain();
	rebase("top", "base");
	ck_assert_int_eq(byte_at("top", 65536), 2);
	ck_assert(allocated("top", 65536));
	ck_assert(!allocated("top", 0));
	ck_assert(!allocated("top", 512 << 10));
}
END_TEST

START_TEST(a_rebase_onto_nothing_makes_the_image_stand_by_itself)
{
	make_chain();
	rebase("top", NULL);
	unlink("mid");
	unlink("base");
	ck_assert_int_eq(byte_at("top", 0), 1);
	ck_assert_int_eq(byte_at("top", 65536), 2);
	ck_assert_int_eq(byte_at("top", 2 * MiB_), 0);
}
END_TEST

START_TEST(an_image_without_a_backing_file_stays_the_same_over_one)
{
	make("alone", MiB_, NULL);
	fill("alone", 5, 65536, 0);
	make("new", MiB_, NULL);
	fill("new", 6, 1 << 20, 0);
	rebase("alone", "new");
	ck_assert_int_eq(byte_at("alone", 0), 5);
	ck_assert_int_eq(byte_at("alone", 65536), 0);
	ck_assert_int_eq(byte_at("alone", MiB_ - 1), 0);
}
END_TEST

static void rebase_to_nothing(const char *name, unsigned threads)
{
	struct block *image = open_image(name, BLOCK_WRITE);
	struct rebase job = { .image = image, .threads = threads };
	struct rebase_result r;

	ok(rebase_copy(&job, &r, &e));
	ok(block_change_backing(image, NULL, NULL, &e));
	ok(block_finish(image, &e));
	block_unref(image);
}

START_TEST(images_are_laid_out_alike_whatever_the_threads_do)
{
	struct block_open open = { .format = "qcow2" };

	make("base", 16 * MiB_, NULL);
	make("top", 16 * MiB_, "base");
	for (unsigned i = 0; i < 16; i++)
		fill("top", (int)i + 1, MiB_ - 65536, i * MiB_);
	ck_assert_int_eq(system("cp base one.base; cp top one.top"), 0);
	for (unsigned threads = 1; threads <= 16; threads += 5) {
		struct commit how = { .name = "top", .open = &open, .keep = true, .threads = threads };
		struct commit_result r;

		ck_assert_int_eq(system("cp one.base base; cp one.top top"), 0);
		ok(commit_run(&how, &r, &e));
		make("over", 16 * MiB_, "top");
		rebase_to_nothing("over", threads);
		ck_assert_int_eq(system(threads == 1 ? "cp base want.base; cp over want.over"
						     : "cmp base want.base && cmp over want.over"), 0);
	}
}
END_TEST

START_TEST(a_benchmark_sends_what_it_was_told_to)
{
	struct bench job = { .write = true, .count = 64, .depth = 4, .len = 4096, .step = 4096, .pattern = 0x5a,
			     .flush_interval = 16 };
	struct bench_result r;

	make("disk", MiB_, NULL);
	job.image = open_image("disk", BLOCK_WRITE);
	ok(bench_run(&job, &r, &e));
	ck_assert_uint_eq(r.done, 64);
	ck_assert_uint_eq(r.flushes, 4);
	ok(block_finish(job.image, &e));
	block_unref(job.image);
	ck_assert_int_eq(byte_at("disk", 64 * 4096 - 1), 0x5a);
	ck_assert_int_eq(byte_at("disk", 64 * 4096), 0);
}
END_TEST

START_TEST(a_benchmark_past_the_end_fails)
{
	struct bench job = { .count = 2, .depth = 1, .len = 4096, .step = 4096, .off = MiB_ };
	struct bench_result r;

	make("disk", MiB_, NULL);
	job.image = open_image("disk", 0);
	fails(bench_run(&job, &r, &e), ERR_SYSTEM);
	block_unref(job.image);
}
END_TEST

TEST_MAIN("chain", a_commit_moves_everything_into_the_backing_file_and_empties_the_image,
	  a_commit_into_a_deeper_base_keeps_the_images_between_as_they_are,
	  what_a_shorter_image_between_hides_becomes_zeros_in_the_base, a_kept_image_keeps_its_data,
	  a_base_that_is_not_in_the_chain_is_refused, a_commit_that_is_stopped_leaves_the_image_as_it_was,
	  a_rebase_keeps_the_content_over_another_file, a_rebase_onto_a_file_of_the_own_chain_copies_what_lies_between,
	  a_rebase_onto_nothing_makes_the_image_stand_by_itself, an_image_without_a_backing_file_stays_the_same_over_one,
	  images_are_laid_out_alike_whatever_the_threads_do, a_benchmark_sends_what_it_was_told_to,
	  a_benchmark_past_the_end_fails)
