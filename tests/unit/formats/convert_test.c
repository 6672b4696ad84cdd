/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert_test.c - whole conversions of random chains of qcow2 images, into random geometries. */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "compare.h"
#include "convert.h"
#include "limits.h"

#include <dirent.h>
#include <string.h>

static struct err e;

static struct block *open_image(const char *path, unsigned flags)
{
	struct block_open how = { .format = "qcow2", .flags = flags };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static unsigned pick(unsigned n)
{
	return (unsigned)(random() % n);
}

static const char *pick_options(void)
{
	static const char *const options[] = {
		"cluster_size=64k", "cluster_size=512", "cluster_size=4k", "cluster_size=2M", "compat=0.10",
		"compat=0.10,cluster_size=4k", "extended_l2=on,cluster_size=16k", "compression_type=zstd",
		"refcount_bits=1", "preallocation=metadata",
	};

	return options[pick(ARRAY_LEN(options))];
}

/* Random bytes, zeros and holes; over data of the images beneath, too. */
static void scribble(struct block *b)
{
	static unsigned char buf[300 * 1024];

	for (unsigned i = 0, n = 3 + pick(12); i < n; i++) {
		uint64_t off = (uint64_t)random() % block_size(b);
		size_t want = 1 + pick(sizeof buf), len = (size_t)MIN_OF((uint64_t)want, block_size(b) - off);

		switch (pick(5)) {
		case 0:
			ok(block_zero(b, len, off, pick(2) ? BLOCK_ZERO_UNMAP : 0, &e));
			break;
		case 1:
			memset(buf, 0, len);
			ok(block_pwrite(b, buf, len, off, &e));
			break;
		case 2:
			ok(block_discard(b, len, off, &e));
			break;
		default:
			memset(buf, 1 + (int)pick(255), len);
			ok(block_pwrite(b, buf, len, off, &e));
		}
	}
}

/* image 0 has no backing file, image i stands on image i - 1; sizes differ. */
static void make_chain(unsigned depth)
{
	char path[16], below[16];

	for (unsigned i = 0; i < depth; i++) {
		struct dict opts = DICT_INIT;
		struct create_plan plan = { "qcow2", &opts, NULL, false };
		char size[24];
		struct block *b;

		snprintf(path, sizeof path, "c%u", i);
		snprintf(below, sizeof below, "c%u", i - 1);
		snprintf(size, sizeof size, "%u", 512 * (1 + pick(20000)));
		ok(dict_parse(&opts, i ? "cluster_size=16k" : pick_options(), NULL, &e));
		ok(dict_set(&opts, "size", size, &e));
		if (i) {
			ok(dict_set(&opts, "backing_file", below, &e));
			ok(dict_set(&opts, "backing_fmt", "qcow2", &e));
		}
		ok(convert_create(path, &plan, &e));
		dict_free(&opts);
		b = open_image(path, BLOCK_WRITE);
		scribble(b);
		ok(block_finish(b, &e));
		block_unref(b);
	}
}

static void check_same(struct block *a, struct block *b, const char *what)
{
	struct compare_job job = { .sides = { a, b } };
	struct compare_result r;

	ok(compare_run(&job, &r, &e));
	ck_assert_msg(r.difference == COMPARE_SAME, "%s: they differ at %llu", what, (unsigned long long)r.off);
}

static void check_clean(struct block *b, const char *what)
{
	struct check_report r = { .finding = NULL };

	ok(block_check(b, 0, &r, &e));
	ck_assert_msg(!r.corruptions && !r.leaks && !r.check_errors, "%s is not clean", what);
}

static unsigned hidden_files(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	for (struct dirent *f; (f = readdir(d));)
		n += strstr(f->d_name, ".drydock-") != NULL;
	closedir(d);
	return n;
}

static void convert_once(unsigned round)
{
	static const uint64_t sparse[] = { 0, 512, 4096, 65536, 8 * MiB };
	unsigned depth = 1 + pick(4), base = depth > 1 ? pick(depth) : 0;
	struct dict opts = DICT_INIT;
	struct block *src, *out;
	struct convert_result r;
	const char *text = pick_options();
	char what[160], below[16];

	make_chain(depth);
	snprintf(below, sizeof below, "c%u", depth - 1);
	src = open_image(below, 0);
	ok(dict_parse(&opts, text, NULL, &e));
	bool over = depth > 1 && base < depth - 1 && pick(2) && !strstr(text, "prealloc");
	if (over) {
		snprintf(below, sizeof below, "c%u", base);
		ok(dict_set(&opts, "backing_file", below, &e));
		ok(dict_set(&opts, "backing_fmt", "qcow2", &e));
	}
	struct convert how = {
		.copy = { .sources = &src, .nsources = 1, .sparse = sparse[pick(ARRAY_LEN(sparse))], .threads = 1 + pick(4),
			  .compress = pick(3) == 0 },
		.target = "out", .format = "qcow2", .opts = &opts,
	};
	snprintf(what, sizeof what, "round %u: depth %u, %s, over %s, sparse %llu%s", round, depth, text, over ? below : "-",
		 (unsigned long long)how.copy.sparse, how.copy.compress ? ", compressed" : "");
	ck_assert_msg(convert_run(&how, &r, &e) == 0, "%s: %s", what, e.msg);
	ck_assert_int_eq(r.stage, CONVERT_DONE);
	out = open_image("out", 0);
	check_same(src, out, what);
	check_clean(out, what);
	ck_assert_uint_eq(hidden_files(), 0);
	block_unref(out);
	block_unref(src);
	dict_free(&opts);
}

START_TEST(random_chains_convert_to_the_same_disk)
{
	const char *rounds = getenv("DRYDOCK_TEST_ROUNDS"), *seed = getenv("DRYDOCK_TEST_SEED");
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 10) : 60;

	srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : 20);
	for (unsigned i = 0; i < n; i++)
		convert_once(i);
}
END_TEST

START_TEST(a_failing_conversion_says_at_which_stage_and_leaves_nothing)
{
	struct dict opts = DICT_INIT;
	struct convert_result r;
	struct block *src, *bad;
	struct fault_plan plan = { .fail_read_at = 1, .fail_all_after = true };
	struct convert how = { .copy = { .nsources = 1, .sparse = 4096 }, .target = "out", .format = "qcow2", .opts = &opts };

	srandom(3);
	make_chain(1);
	src = open_image("c0", 0);
	how.copy.sources = &src;
	ok(dict_set(&opts, "cluster_size", "3", &e));
	fails(convert_run(&how, &r, &e), ERR_USAGE);
	ck_assert_int_eq(r.stage, CONVERT_CREATE);
	dict_free(&opts);
	opts = (struct dict)DICT_INIT;
	ok(block_fault(src, &plan, &bad, &e));
	how.copy.sources = &bad;
	fails(convert_run(&how, &r, &e), ERR_SYSTEM);
	ck_assert(r.stage == CONVERT_READ || r.stage == CONVERT_MAP);
	ck_assert_int_ne(access("out", F_OK), 0);
	ck_assert_uint_eq(hidden_files(), 0);
	how.target = "c0";
	fails(convert_run(&how, &r, &e), ERR_USAGE);
	ck_assert_int_eq(r.stage, CONVERT_PREPARE);
	block_unref(bad);
	block_unref(src);
}
END_TEST

/* All of a conversion with the nth allocation failing; false: there are not so many. */
static bool fails_for_want_of_memory(const struct convert *how, struct block *src, unsigned long nth)
{
	struct convert_result r;
	struct block *out;
	int rc;

	alloc_fault_at(nth);
	rc = convert_run(how, &r, &e);
	if (!alloc_fault_hit()) {
		alloc_fault_at(0);
		ok(rc);
		unlink("out");
		return false;
	}
	alloc_fault_at(0);
	ck_assert_msg(rc == 0 || rc == -(int)ERR_NOMEM, "allocation %lu: %s", nth, e.msg);
	if (rc == 0) { /* it could do without */
		out = open_image("out", 0);
		check_same(src, out, "a conversion with less memory");
		check_clean(out, "a conversion with less memory");
		block_unref(out);
		unlink("out");
	}
	ck_assert_msg(access("out", F_OK) != 0, "allocation %lu left a target (%d, %s)", nth, rc, e.msg);
	if (how->resume) {
		unlink(".out.drydock-resume");
		unlink(".out.drydock-journal");
	}
	ck_assert_uint_eq(hidden_files(), 0);
	return true;
}

START_TEST(every_allocation_of_a_conversion_may_fail)
{
	static const struct {
		bool compress, resume, verify, hashes;
		const char *opts;
	} ways[] = {
		{ false, false, false, false, "cluster_size=64k" },
		{ true, false, false, false, "compression_type=zstd" },
		{ true, true, false, false, "" },
		{ false, false, true, true, "backing_file=c0,backing_fmt=qcow2" },
	};

	srandom(7);
	make_chain(2);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct block *src = open_image("c1", 0);
		struct dict opts = DICT_INIT;
		struct convert how = { .copy = { .sources = &src, .nsources = 1, .sparse = 4096, .threads = 1,
						 .compress = ways[i].compress, .hashes = ways[i].hashes },
				       .target = "out", .format = "qcow2", .opts = &opts, .verify = ways[i].verify,
				       .resume = ways[i].resume };
		unsigned long nth = 1;

		ok(dict_parse(&opts, ways[i].opts, NULL, &e));
		while (fails_for_want_of_memory(&how, src, nth))
			ck_assert_uint_lt(++nth, 5000);
		ck_assert_uint_gt(nth, 20);
		dict_free(&opts);
		block_unref(src);
	}
}
END_TEST

TEST_MAIN("convert", random_chains_convert_to_the_same_disk, a_failing_conversion_says_at_which_stage_and_leaves_nothing,
	  every_allocation_of_a_conversion_may_fail)
