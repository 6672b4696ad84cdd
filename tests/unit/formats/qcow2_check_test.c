/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "limits.h"
#include "ondisk.h"
#include "qcow2_check.h"
#include "testing.h"

#include <fcntl.h>
#include <string.h>

static struct err e;

/* ---- counting ---- */

START_TEST(a_count_grows_as_far_as_it_must)
{
	struct usage u;

	ok(usage_init(&u, 10000, &e));
	ck_assert_uint_eq(usage_count(&u, 9999), 0);
	ok(usage_add(&u, 9999, 255, USE_DATA, 0, NULL, &e));
	ok(usage_add(&u, 9998, 7, USE_L2, 0, NULL, &e));
	ok(usage_add(&u, 9999, 1, USE_DATA, 0, NULL, &e));
	ck_assert_uint_eq(usage_count(&u, 9999), 256);
	ok(usage_add(&u, 9999, UINT32_MAX, USE_DATA, 0, NULL, &e));
	ck_assert_uint_eq(usage_count(&u, 9999), 256 + (uint64_t)UINT32_MAX);
	ok(usage_add(&u, 9999, UINT64_MAX, USE_DATA, 0, NULL, &e));
	ck_assert_uint_eq(usage_count(&u, 9999), UINT64_MAX);
	ck_assert_uint_eq(usage_count(&u, 9998), 7);
	ck_assert_int_eq(usage_kind(&u, 9998), USE_L2);
	usage_free(&u);
}
END_TEST

START_TEST(the_first_use_of_a_cluster_names_it_until_the_last_is_gone)
{
	enum usage_kind was;
	struct usage u;

	ok(usage_init(&u, 10, &e));
	ok(usage_add(&u, 3, 1, USE_L1, 0, &was, &e));
	ck_assert_int_eq(was, USE_NONE);
	ok(usage_add(&u, 3, 1, USE_DATA, 0, &was, &e));
	ck_assert_int_eq(was, USE_L1);
	ck_assert_int_eq(usage_kind(&u, 3), USE_L1);
	usage_drop(&u, 3);
	ck_assert_int_eq(usage_kind(&u, 3), USE_L1);
	usage_drop(&u, 3);
	ck_assert_int_eq(usage_kind(&u, 3), USE_NONE);
	usage_free(&u);
}
END_TEST

START_TEST(clusters_far_apart_cost_no_more_than_the_metadata_explains)
{
	struct usage u;
	uint64_t n = 0;

	fails(usage_init(&u, LIMIT_QCOW2_CHECK_CLUSTERS + 1, &e), ERR_LIMIT);
	ok(usage_init(&u, 1ULL << 30, &e));
	while (usage_add(&u, n * USAGE_CHUNK, 1, USE_DATA, 0, NULL, &e) == 0)
		n++;
	ck_assert_int_eq(e.code, ERR_LIMIT);
	ck_assert_uint_le(u.bytes, LIMIT_QCOW2_CHECK_MEMORY);
	usage_allow(&u, 1 * MiB);
	ok(usage_add(&u, n * USAGE_CHUNK, 1, USE_DATA, 0, NULL, &e));
	usage_free(&u);
}
END_TEST

START_TEST(refcounts_of_every_width_are_read_as_they_were_written)
{
	for (unsigned order = 0; order <= 6; order++) {
		uint64_t most = order == 6 ? UINT64_MAX : (1ULL << (1u << order)) - 1;
		uint8_t block[512] = { 0 };

		for (uint64_t i = 0; i < sizeof block * 8 >> order; i++)
			check_refcount_put(block, i, order, i % 3 ? i & most : most);
		for (uint64_t i = 0; i < sizeof block * 8 >> order; i++)
			ck_assert_uint_eq(check_refcount_get(block, i, order), i % 3 ? i & most : most);
	}
	/* The specification: narrow ones begin in the lowest bits of a byte. */
	ck_assert_uint_eq(check_refcount_get((const uint8_t *)"\x02", 1, 0), 1);
	ck_assert_uint_eq(check_refcount_get((const uint8_t *)"\x40", 1, 2), 4);
}
END_TEST

/* ---- images ---- */

#define CLUSTER 4096
enum { TABLE = 1, BLOCK = 2, L1 = 3 }; /* the clusters of a new image */

static void make_image(const char *more_key, const char *more_value)
{
	struct dict o = DICT_INIT;

	ok(dict_set(&o, "size", "1M", &e));
	ok(dict_set(&o, "cluster_size", "4k", &e));
	if (more_key)
		ok(dict_set(&o, more_key, more_value, &e));
	if (more_key && strcmp(more_key, "backing_file") == 0)
		ok(dict_set(&o, "backing_fmt", "raw", &e));
	ok(block_create("image", "qcow2", &o, NULL, &e));
	dict_free(&o);
}

static struct block *open_image(unsigned flags)
{
	struct block_open how = { .format = "qcow2", .flags = flags };
	struct block *b;

	ok(block_open("image", &how, &b, &e));
	return b;
}

static void fill(uint64_t off, size_t len)
{
	struct block *b = open_image(BLOCK_WRITE);
	uint8_t *buf = malloc(len);

	memset(buf, 0x77, len);
	ok(block_pwrite(b, buf, len, off, &e));
	ok(block_finish(b, &e));
	block_unref(b);
	free(buf);
}

static uint64_t get64(uint64_t off)
{
	int fd = open("image", O_RDONLY);
	be64 v;

	ck_assert_int_eq(pread(fd, &v, sizeof v, (off_t)off), sizeof v);
	close(fd);
	return be64_get(v);
}

static void put(uint64_t off, const void *bytes, size_t len)
{
	int fd = open("image", O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)off), (ssize_t)len);
	close(fd);
}

static void put64(uint64_t off, uint64_t value)
{
	be64 v;

	be64_put(&v, value);
	put(off, &v, sizeof v);
}

static uint64_t l2_table(void)
{
	return get64(L1 * CLUSTER) & 0x00fffffffffffe00ULL;
}

static unsigned nfindings;

static void count_finding(void *arg, bool fixed, const char *text)
{
	(void)arg, (void)fixed, (void)text;
	nfindings++;
}

static struct check_report check(unsigned fix)
{
	struct check_report r = { .finding = count_finding };
	struct block *b = open_image(BLOCK_CHECK | (fix ? BLOCK_WRITE | BLOCK_RESIZE : 0));

	nfindings = 0;
	ok(block_check(b, fix, &r, &e));
	block_unref(b);
	return r;
}

START_TEST(neighbours_that_leak_are_told_in_one_sentence)
{
	be16 ones[200];
	struct check_report r;

	make_image(NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(ones); i++)
		be16_put(&ones[i], 1);
	put(BLOCK * CLUSTER + 2 * 50, ones, sizeof ones);
	ck_assert_int_eq(truncate("image", 300 * CLUSTER), 0);
	r = check(0);
	ck_assert_uint_eq(r.leaks, 200);
	ck_assert_uint_eq(nfindings, 1);
	r = check(CHECK_FIX_LEAKS);
	ck_assert_uint_eq(r.leaks, 0);
	ck_assert_uint_eq(r.leaks_fixed, 200);
	ck_assert_uint_eq(check(0).leaks, 0);
}
END_TEST

/* Its entry may have meant the cluster that leaks: a person may still mend it. */
START_TEST(what_leaks_beside_a_damaged_entry_is_kept_unless_errors_are_repaired)
{
	struct check_report r;

	make_image(NULL, NULL);
	fill(0, 2 * CLUSTER);
	put64(l2_table(), get64(l2_table()) | 0x200);
	r = check(CHECK_FIX_LEAKS);
	ck_assert_uint_eq(r.corruptions, 1);
	ck_assert_uint_eq(r.leaks, 1);
	ck_assert_uint_eq(r.leaks_fixed, 0);
	r = check(CHECK_FIX_LEAKS | CHECK_FIX_ERRORS);
	ck_assert_uint_eq(r.corruptions + r.leaks, 0);
	ck_assert_uint_eq(r.corruptions_fixed, 1);
	ck_assert_uint_eq(r.leaks_fixed, 1);
}
END_TEST

START_TEST(lost_data_reads_as_zeros_and_not_as_the_backing_files)
{
	FILE *f = fopen("base", "w");
	struct block *b;
	uint8_t byte;

	for (int i = 0; i < 1 << 20; i++)
		fputc('b', f);
	fclose(f);
	make_image("backing_file", "base");
	fill(0, 2 * CLUSTER);
	put64(l2_table(), 1ULL << 63 | 1ULL << 40);
	check(CHECK_FIX_LEAKS | CHECK_FIX_ERRORS);
	b = open_image(0);
	ok(block_pread(b, &byte, 1, 100, &e));
	ck_assert_uint_eq(byte, 0);
	ok(block_pread(b, &byte, 1, CLUSTER, &e));
	ck_assert_uint_eq(byte, 0x77);
	ok(block_pread(b, &byte, 1, 2 * CLUSTER, &e));
	ck_assert_uint_eq(byte, 'b');
	block_unref(b);
}
END_TEST

START_TEST(an_image_that_was_not_closed_is_counted_again_before_it_is_written)
{
	struct block *b;

	make_image("lazy_refcounts", "on");
	fill(0, 8 * CLUSTER);
	put64(72, 1);
	put(BLOCK * CLUSTER + 8, "\0\0\0\0\0\0\0\0", 8);
	ck_assert_uint_gt(check(0).corruptions, 0);
	b = open_image(BLOCK_WRITE);
	block_unref(b);
	ck_assert_uint_eq(get64(72), 0);
	ck_assert_uint_eq(check(0).corruptions, 0);
}
END_TEST

START_TEST(an_image_that_was_not_closed_and_is_damaged_is_not_written_and_not_changed)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE };
	struct block *b;
	uint64_t entry;

	make_image("lazy_refcounts", "on");
	fill(0, 8 * CLUSTER);
	put64(72, 1);
	entry = 1ULL << 63 | 1ULL << 40;
	put64(l2_table(), entry);
	fails(block_open("image", &how, &b, &e), ERR_CORRUPT);
	ck_assert_uint_eq(get64(l2_table()), entry);
	ck_assert_uint_eq(get64(72), 1);
}
END_TEST

START_TEST(a_repaired_image_can_be_written_through_the_same_handle)
{
	struct check_report r = { .finding = NULL };
	uint8_t buf[3 * CLUSTER];
	struct block *b;

	make_image(NULL, NULL);
	fill(0, 4 * CLUSTER);
	put64(TABLE * CLUSTER, 0x2200); /* the refcounts are written anew */
	b = open_image(BLOCK_CHECK | BLOCK_WRITE | BLOCK_RESIZE);
	ok(block_check(b, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &r, &e));
	ck_assert_uint_eq(r.corruptions, 0);
	memset(buf, 0x11, sizeof buf);
	ok(block_pwrite(b, buf, sizeof buf, 100 * CLUSTER, &e));
	ok(block_finish(b, &e));
	ok(block_check(b, 0, &r, &e));
	ck_assert_uint_eq(r.corruptions + r.leaks, 0);
	ok(block_pread(b, buf, 1, 0, &e));
	ck_assert_uint_eq(buf[0], 0x77);
	block_unref(b);
}
END_TEST

TEST_MAIN("qcow2_check", a_count_grows_as_far_as_it_must, the_first_use_of_a_cluster_names_it_until_the_last_is_gone,
	  clusters_far_apart_cost_no_more_than_the_metadata_explains,
	  refcounts_of_every_width_are_read_as_they_were_written, neighbours_that_leak_are_told_in_one_sentence,
	  what_leaks_beside_a_damaged_entry_is_kept_unless_errors_are_repaired,
	  lost_data_reads_as_zeros_and_not_as_the_backing_files,
	  an_image_that_was_not_closed_is_counted_again_before_it_is_written,
	  an_image_that_was_not_closed_and_is_damaged_is_not_written_and_not_changed,
	  a_repaired_image_can_be_written_through_the_same_handle)
