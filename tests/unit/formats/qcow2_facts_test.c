/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts without content, findings as numbers, and zeros that only the host knows of. */
#include "testing.h"

#include "alloc.h"
#include "block.h"
#include "dict.h"
#include "ondisk.h"

#include <fcntl.h>

static struct err e;
static const struct block_policy trust = { .allow_all = true };

static void make(const char *path, const char *options)
{
	CLEANUP(dict_free) struct dict d = DICT_INIT;

	ok(dict_parse(&d, options, NULL, &e));
	ok(block_create(path, "qcow2", &d, &trust, &e));
}

static struct block *open_image(const char *name, unsigned flags)
{
	struct block_open how = { .flags = flags, .policy = &trust };
	struct block *b = NULL;

	ok(block_open(name, &how, &b, &e));
	return b;
}

static void fill(const char *path, uint64_t len)
{
	struct block *b = open_image(path, BLOCK_WRITE);
	char *buf = malloc(len);

	ck_assert_ptr_nonnull(buf);
	memset(buf, 7, len);
	ok(block_pwrite(b, buf, len, 0, &e));
	ok(block_finish(b, &e));
	block_unref(b);
	free(buf);
}

START_TEST(an_image_opened_for_its_facts_needs_no_data_file_and_refuses_its_content)
{
	struct block_info info;
	struct block *b;
	char c;

	make("a.qcow2", "size=1M,data_file=a.data");
	ck_assert_int_eq(unlink("a.data"), 0);
	b = open_image("a.qcow2", BLOCK_FACTS);
	ok(block_info(b, &info, &e));
	ck_assert_uint_eq(info.cluster_size, 65536);
	fails(block_pread(b, &c, 1, 0, &e), ERR_USAGE);
	block_unref(b);
}
END_TEST

static void keep(void *arg, const struct check_finding *f)
{
	*(struct check_finding *)arg = *f;
}

START_TEST(a_check_tells_a_leaked_cluster_by_its_number_and_counts)
{
	struct check_finding got = { .kind = CHECK_OTHER };
	struct check_report r = { .detail = keep, .arg = &got };
	be64 table, block;
	be16 three;
	struct block *b;
	int fd;

	make("a.qcow2", "size=1M");
	fill("a.qcow2", 65536);
	fd = open("a.qcow2", O_RDWR);
	ck_assert_int_eq(pread(fd, &table, sizeof table, 48), sizeof table);
	ck_assert_int_eq(pread(fd, &block, sizeof block, (off_t)be64_get(table)), sizeof block);
	be16_put(&three, 3);
	ck_assert_int_eq(pwrite(fd, &three, sizeof three, (off_t)be64_get(block)), sizeof three); /* the header's */
	close(fd);
	b = open_image("a.qcow2", BLOCK_CHECK);
	ok(block_check(b, 0, &r, &e));
	block_unref(b);
	ck_assert_uint_eq(r.leaks, 1);
	ck_assert_int_eq(got.kind, CHECK_REFCOUNT);
	ck_assert(!got.fixed);
	ck_assert_uint_eq(got.cluster, 0);
	ck_assert_uint_eq(got.nclusters, 1);
	ck_assert_uint_eq(got.refcount, 3);
	ck_assert_uint_eq(got.references, 1);
}
END_TEST

START_TEST(preallocated_clusters_in_a_hole_of_the_host_file_are_zeros)
{
	struct extent x;
	struct block *b;

	make("a.qcow2", "size=4M,preallocation=metadata");
	b = open_image("a.qcow2", 0);
	ok(block_extent(b, 4 << 20, 0, &x, &e));
	ck_assert_uint_eq(x.flags & (EXTENT_DATA | EXTENT_ZERO | EXTENT_ALLOC), EXTENT_DATA | EXTENT_ZERO | EXTENT_ALLOC);
	block_unref(b);
}
END_TEST

START_TEST(data_written_into_a_preallocated_image_is_not_told_as_zeros)
{
	struct extent x;
	struct block *b;

	make("a.qcow2", "size=4M,preallocation=metadata");
	fill("a.qcow2", 65536);
	b = open_image("a.qcow2", 0);
	ok(block_extent(b, 4 << 20, 0, &x, &e));
	ck_assert_uint_eq(x.flags & EXTENT_ZERO, 0);
	ck_assert_uint_eq(x.len, 65536);
	block_unref(b);
}
END_TEST

START_TEST(a_backing_of_null_leaves_the_backing_file_alone)
{
	struct block *b;
	char c = 1;

	make("base.qcow2", "size=1M");
	fill("base.qcow2", 65536);
	make("top.qcow2", "size=1M,backing_file=base.qcow2,backing_fmt=qcow2");
	b = open_image("json:{\"driver\":\"qcow2\",\"file.filename\":\"top.qcow2\",\"backing\":null}", 0);
	ck_assert_ptr_null(block_backing(b));
	ok(block_pread(b, &c, 1, 0, &e));
	ck_assert_int_eq(c, 0);
	block_unref(b);
}
END_TEST

TEST_MAIN("qcow2 facts", an_image_opened_for_its_facts_needs_no_data_file_and_refuses_its_content,
	  a_check_tells_a_leaked_cluster_by_its_number_and_counts,
	  preallocated_clusters_in_a_hole_of_the_host_file_are_zeros,
	  data_written_into_a_preallocated_image_is_not_told_as_zeros, a_backing_of_null_leaves_the_backing_file_alone)
