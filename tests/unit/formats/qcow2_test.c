/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "limits.h"

#include <string.h>
#include <sys/stat.h>

static struct err e;

static void create(const char *path, const char *text)
{
	struct dict opts = DICT_INIT;

	ok(dict_parse(&opts, text, NULL, &e));
	ok(block_create(path, "qcow2", &opts, NULL, &e));
	dict_free(&opts);
}

static void refused(const char *text, enum err_code why)
{
	struct dict opts = DICT_INIT;

	ok(dict_parse(&opts, text, NULL, &e));
	fails(block_create("refused.qcow2", "qcow2", &opts, NULL, &e), why);
	dict_free(&opts);
	ck_assert_int_ne(access("refused.qcow2", F_OK), 0);
}

static int try_open(const char *path, unsigned flags, const char *text, struct block **out)
{
	struct block_open how = { .format = "qcow2", .flags = flags };
	struct dict opts = DICT_INIT;
	int rc;

	ok(dict_parse(&opts, text, NULL, &e));
	how.opts = &opts;
	rc = block_open(path, &how, out, &e);
	dict_free(&opts);
	return rc;
}

static struct block *open_image(const char *path, unsigned flags)
{
	struct block *b;

	ok(try_open(path, flags, "", &b));
	return b;
}

static void done(struct block *b)
{
	ok(block_finish(b, &e));
	block_unref(b);
}

static void poke(const char *path, long off, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "r+");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, off, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void peek(const char *path, long off, void *bytes, size_t len)
{
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, off, SEEK_SET), 0);
	ck_assert_uint_eq(fread(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* Every byte of [off, off + len) is `want`. */
static void all_are(struct block *b, uint64_t off, size_t len, int want)
{
	uint8_t *buf = alloc_bytes(len);

	ok(block_pread(b, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		if (buf[i] != want)
			ck_abort_msg("byte %llu is %02x", (unsigned long long)(off + i), buf[i]);
	free(buf);
}

static void fill(struct block *b, uint64_t off, size_t len, int byte)
{
	uint8_t *buf = alloc_bytes(len);

	memset(buf, byte, len);
	ok(block_pwrite(b, buf, len, off, &e));
	free(buf);
}

static uint64_t bytes_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

START_TEST(an_empty_image_is_three_clusters_and_its_l1_table)
{
	create("a", "size=1G");
	ck_assert_uint_eq(bytes_of("a"), 3 * 65536 + 2 * 8);
	create("b", "size=1000,cluster_size=512");
	ck_assert_uint_eq(bytes_of("b"), 3 * 512 + 8);
}
END_TEST

START_TEST(options_that_contradict_each_other_are_refused)
{
	refused("size=1M,cluster_size=100", ERR_USAGE);
	refused("size=1M,cluster_size=4M", ERR_USAGE);
	refused("size=1M,extended_l2=on,cluster_size=8k", ERR_USAGE);
	refused("size=1M,extended_l2=on,compat=0.10", ERR_USAGE);
	refused("size=1M,lazy_refcounts=on,compat=0.10", ERR_USAGE);
	refused("size=1M,refcount_bits=3", ERR_USAGE);
	refused("size=1M,refcount_bits=8,compat=0.10", ERR_USAGE);
	refused("size=1M,data_file_raw=on", ERR_USAGE);
	refused("size=1M,backing_file=a", ERR_USAGE);
	refused("size=1M,backing_file=a,backing_fmt=raw,preallocation=metadata", ERR_USAGE);
	refused("size=1M,encryption=on", ERR_USAGE);
	refused("size=1T,cluster_size=512", ERR_LIMIT);
	refused("cluster_size=64k", ERR_USAGE);
}
END_TEST

START_TEST(what_was_written_is_read_after_reopening_in_every_geometry)
{
	static const char *const geometries[] = {
		"compat=0.10",
		"compat=0.10,cluster_size=512",
		"cluster_size=512,refcount_bits=64",
		"cluster_size=2M,refcount_bits=1",
		"cluster_size=16k,extended_l2=on,refcount_bits=2",
		"cluster_size=4k,lazy_refcounts=on,refcount_bits=32",
		"data_file=d",
		"data_file=d,data_file_raw=on",
		"preallocation=metadata",
		"extended_l2=on,preallocation=falloc",
	};

	for (size_t i = 0; i < ARRAY_LEN(geometries); i++) {
		char text[200];
		struct block *b;

		unlink("d");
		snprintf(text, sizeof text, "size=4M,%s", geometries[i]);
		create("a", text);
		b = open_image("a", BLOCK_WRITE);
		fill(b, 0, 1 << 20, 1);
		fill(b, 5000, 10, 2);
		fill(b, (3 << 20) - 7, 100001, 3);
		done(b);
		b = open_image("a", 0);
		all_are(b, 0, 5000, 1);
		all_are(b, 5000, 10, 2);
		all_are(b, 5010, (1 << 20) - 5010, 1);
		all_are(b, 1 << 20, (2 << 20) - 7, 0);
		all_are(b, (3 << 20) - 7, 100001, 3);
		all_are(b, (3 << 20) - 7 + 100001, (1 << 20) + 7 - 100001, 0);
		block_unref(b);
	}
}
END_TEST

START_TEST(a_large_write_is_one_host_write)
{
	struct fault_plan plan = { .fail_write_at = 0 };
	struct block_env env = { .flags = BLOCK_WRITE };
	struct dict none = DICT_INIT;
	struct block *host, *fault, *b;
	unsigned long before;

	create("a", "size=64M");
	ok(block_open_host("a", BLOCK_WRITE | BLOCK_RESIZE, NULL, &host, &e));
	ok(block_fault(host, &plan, &fault, &e));
	ok(block_new_filter(&block_qcow2, fault, &b, &e));
	ok(block_qcow2.open(b, &none, &env, &e));
	before = plan.nwrites;
	fill(b, 1 << 20, 8 << 20, 5);
	ck_assert_uint_eq(plan.nwrites - before, 1);
	done(b);
	block_unref(fault);
	block_unref(host);
}
END_TEST

START_TEST(a_partial_write_copies_what_the_backing_file_has_around_it)
{
	struct block *b;

	create("base", "size=1M");
	b = open_image("base", BLOCK_WRITE);
	fill(b, 0, 1 << 20, 7);
	done(b);
	create("a", "size=1M,backing_file=base,backing_fmt=qcow2");
	b = open_image("a", BLOCK_WRITE);
	fill(b, 70000, 10, 8);
	all_are(b, 65536, 70000 - 65536, 7);
	all_are(b, 70000, 10, 8);
	all_are(b, 70010, 131072 - 70010, 7);
	done(b);
}
END_TEST

START_TEST(zeroed_clusters_hide_the_backing_file_and_give_their_space_back)
{
	struct extent x;
	struct block *b;

	create("base", "size=1M");
	b = open_image("base", BLOCK_WRITE);
	fill(b, 0, 1 << 20, 7);
	done(b);
	create("a", "size=1M,backing_file=base,backing_fmt=qcow2");
	b = open_image("a", BLOCK_WRITE);
	fill(b, 0, 1 << 19, 8);
	ok(block_zero(b, 1 << 19, 1 << 18, BLOCK_ZERO_UNMAP, &e));
	all_are(b, 0, 1 << 18, 8);
	all_are(b, 1 << 18, 1 << 19, 0);
	all_are(b, 3 << 18, 1 << 18, 7);
	ok(block_extent(b, 1 << 18, 1 << 18, &x, &e));
	ck_assert_uint_eq(x.flags, EXTENT_ZERO | EXTENT_ALLOC);
	ck_assert_ptr_null(x.host);
	ok(block_flush(b, &e));
	/* The freed clusters are taken again before the file grows. */
	uint64_t before = bytes_of("a");
	fill(b, 3 << 18, 1 << 18, 9);
	ck_assert_uint_eq(bytes_of("a"), before);
	done(b);
}
END_TEST

START_TEST(growing_over_a_longer_backing_file_reads_zeros)
{
	struct block *b;

	create("base", "size=1M");
	b = open_image("base", BLOCK_WRITE);
	fill(b, 0, 1 << 20, 7);
	done(b);
	for (int i = 0; i < 2; i++) {
		create("a", i ? "size=100k,backing_file=base,backing_fmt=qcow2,compat=0.10"
			      : "size=100k,backing_file=base,backing_fmt=qcow2");
		b = open_image("a", BLOCK_WRITE | BLOCK_RESIZE);
		ok(block_truncate(b, 2 << 20, PREALLOC_OFF, &e));
		all_are(b, 0, 100 << 10, 7);
		all_are(b, 100 << 10, (2 << 20) - (100 << 10), 0);
		done(b);
	}
}
END_TEST

START_TEST(shrinking_and_growing_again_shows_no_old_bytes)
{
	struct block *b;

	create("a", "size=1M");
	b = open_image("a", BLOCK_WRITE | BLOCK_RESIZE);
	fill(b, 0, 1 << 20, 7);
	ok(block_truncate(b, 100 << 10, PREALLOC_OFF, &e));
	ck_assert_uint_le(bytes_of("a"), 8 * 65536);
	ok(block_truncate(b, 1 << 20, PREALLOC_METADATA, &e));
	all_are(b, 0, 100 << 10, 7);
	all_are(b, 100 << 10, (1 << 20) - (100 << 10), 0);
	done(b);
}
END_TEST

START_TEST(compressed_clusters_are_small_and_can_be_written_over)
{
	for (int i = 0; i < 2; i++) {
		uint8_t cluster[65536];
		struct block *b;

		create("a", i ? "size=1M,compression_type=zstd" : "size=1M");
		b = open_image("a", BLOCK_WRITE);
		for (int k = 0; k < 16; k++) {
			memset(cluster, k, sizeof cluster);
			ok(block_pwrite_compressed(b, cluster, sizeof cluster, (uint64_t)k * sizeof cluster, &e));
		}
		ok(block_flush(b, &e));
		ck_assert_uint_lt(bytes_of("a"), 6 * 65536);
		fill(b, 5 * 65536 + 100, 50, 99);
		all_are(b, 5 * 65536, 100, 5);
		all_are(b, 5 * 65536 + 100, 50, 99);
		all_are(b, 6 * 65536 - 1000, 1000, 5);
		all_are(b, 15 * 65536, 65536, 15);
		done(b);
	}
}
END_TEST

START_TEST(lazy_refcounts_mark_the_image_dirty_until_it_is_finished)
{
	uint8_t incompat[8];
	struct block *b;

	create("a", "size=1M,lazy_refcounts=on");
	b = open_image("a", BLOCK_WRITE);
	fill(b, 0, 512, 1);
	peek("a", 72, incompat, sizeof incompat);
	ck_assert_uint_eq(incompat[7], 1);
	done(b);
	peek("a", 72, incompat, sizeof incompat);
	ck_assert_uint_eq(incompat[7], 0);
}
END_TEST

START_TEST(unknown_incompatible_features_are_named)
{
	static const char row[48] = "\0\x05time travel";
	struct block *b;

	create("a", "size=1M");
	poke("a", 79, "\x20", 1);
	fails(try_open("a", 0, "", &b), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "bit 5"));
	/* In place of the name of the first feature. */
	poke("a", 120, row, sizeof row);
	fails(try_open("a", 0, "", &b), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "time travel"));
}
END_TEST

START_TEST(an_image_marked_corrupt_is_read_and_not_written)
{
	struct block *b;

	create("a", "size=1M");
	poke("a", 79, "\x02", 1);
	block_unref(open_image("a", 0));
	fails(try_open("a", BLOCK_WRITE, "", &b), ERR_CORRUPT);
	ok(try_open("a", BLOCK_WRITE | BLOCK_CHECK, "", &b));
	block_unref(b);
}
END_TEST

START_TEST(an_encrypted_image_without_its_key_opens_for_facts)
{
	struct block_info info;
	struct block *b;

	create("a", "size=1M");
	poke("a", 35, "\x01", 1);
	fails(try_open("a", 0, "", &b), ERR_USAGE);
	b = open_image("a", BLOCK_FACTS);
	ok(block_info(b, &info, &e));
	ck_assert(info.encrypted);
	block_unref(b);
}
END_TEST

START_TEST(autoclear_bits_are_cleared_by_the_first_write_and_not_by_reading)
{
	uint8_t bits[8];
	struct block *b;

	create("a", "size=1M");
	poke("a", 95, "\x80", 1);
	block_unref(open_image("a", 0));
	b = open_image("a", BLOCK_WRITE);
	peek("a", 88, bits, sizeof bits);
	ck_assert_uint_eq(bits[7], 0x80);
	fill(b, 0, 1, 1);
	peek("a", 88, bits, sizeof bits);
	ck_assert_uint_eq(bits[7], 0);
	done(b);
}
END_TEST

START_TEST(tables_that_lie_are_corrupt_and_never_followed)
{
	static const uint8_t past[8] = { 0x80, 0, 0, 0x10, 0, 0, 0, 0 }, crooked[8] = { 0x80, 0, 0, 0, 0, 0, 0x12, 0 };
	static const uint8_t reserved[8] = { 0x80, 0, 0, 0, 0, 5, 0, 2 };
	struct block *b;
	char buf[512];

	for (int i = 0; i < 6; i++) {
		create("a", "size=1M");
		b = open_image("a", BLOCK_WRITE);
		fill(b, 0, 65536, 1);
		done(b);
		/* The L1 table is the fourth cluster; the L2 table the fifth. */
		poke("a", i < 3 ? 3 * 65536 : 4 * 65536, i % 3 == 0 ? past : i % 3 == 1 ? crooked : reserved, 8);
		b = open_image("a", 0);
		fails(block_pread(b, buf, sizeof buf, 0, &e), ERR_CORRUPT);
		block_unref(b);
	}
}
END_TEST

START_TEST(a_write_that_would_hit_metadata_marks_the_image_corrupt)
{
	uint8_t incompat[8];
	struct block *b;
	char buf[512] = "x";

	create("a", "size=1M");
	/* The refcounts say that the L1 table's cluster is free. */
	poke("a", 2 * 65536 + 6, "\0\0", 2);
	b = open_image("a", BLOCK_WRITE);
	fails(block_pwrite(b, buf, sizeof buf, 0, &e), ERR_CORRUPT);
	fails(block_pwrite(b, buf, sizeof buf, 0, &e), ERR_CORRUPT);
	peek("a", 72, incompat, sizeof incompat);
	ck_assert_uint_eq(incompat[7], 2);
	block_unref(b);
}
END_TEST

START_TEST(options_of_an_open_image_work_or_are_refused)
{
	struct block *b;

	create("a", "size=1M,compat=0.10");
	fails(try_open("a", 0, "lazy-refcounts=on", &b), ERR_USAGE);
	fails(try_open("a", 0, "discard-no-unref=on", &b), ERR_USAGE);
	fails(try_open("a", 0, "overlap-check=some", &b), ERR_USAGE);
	fails(try_open("a", 0, "l2-cache-entry-size=1000", &b), ERR_USAGE);
	fails(try_open("a", 0, "cache-size=1M,l2-cache-size=2M", &b), ERR_USAGE);
	fails(try_open("a", 0, "no-such-option=1", &b), ERR_USAGE);
	ok(try_open("a", 0, "cache-size=1M,l2-cache-entry-size=4k,overlap-check.template=all", &b));
	block_unref(b);
}
END_TEST

TEST_MAIN("qcow2", an_empty_image_is_three_clusters_and_its_l1_table, options_that_contradict_each_other_are_refused,
	  what_was_written_is_read_after_reopening_in_every_geometry, a_large_write_is_one_host_write,
	  a_partial_write_copies_what_the_backing_file_has_around_it,
	  zeroed_clusters_hide_the_backing_file_and_give_their_space_back, growing_over_a_longer_backing_file_reads_zeros,
	  shrinking_and_growing_again_shows_no_old_bytes, compressed_clusters_are_small_and_can_be_written_over,
	  lazy_refcounts_mark_the_image_dirty_until_it_is_finished, unknown_incompatible_features_are_named,
	  an_image_marked_corrupt_is_read_and_not_written, an_encrypted_image_without_its_key_opens_for_facts,
	  autoclear_bits_are_cleared_by_the_first_write_and_not_by_reading,
	  tables_that_lie_are_corrupt_and_never_followed, a_write_that_would_hit_metadata_marks_the_image_corrupt,
	  options_of_an_open_image_work_or_are_refused)
