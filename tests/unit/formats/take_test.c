/* SPDX-License-Identifier: GPL-2.0-or-later */
/* take_test.c - what lies in another file goes into an image without passing through our memory. */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "convert.h"
#include "limits.h"

#include <fcntl.h>
#include <string.h>

static struct err e;

enum { SOURCE = 3 << 20, DISK = 4 << 20 };

static struct block *open_image(const char *path, const char *format, unsigned flags)
{
	struct block_open how = { .format = format, .flags = flags };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static void new_image(const char *path, const char *opts_text)
{
	struct dict opts = DICT_INIT;
	struct create_plan plan = { .format = "qcow2", .opts = &opts };

	ok(dict_parse(&opts, opts_text, NULL, &e));
	ok(dict_set(&opts, "size", "4M", &e));
	ok(convert_create(path, &plan, &e));
	dict_free(&opts);
}

/* A host file with bytes of which no two stretches are the same. */
static struct block *new_source(uint8_t *bytes)
{
	struct block *b = NULL;
	bool made;

	ok(block_open_host("source", BLOCK_WRITE, &made, &b, &e));
	for (size_t i = 0; i < SOURCE; i++)
		bytes[i] = (uint8_t)(random() >> 7);
	ok(block_pwrite(b, bytes, SOURCE, 0, &e));
	return b;
}

static void check_clean(struct block *b)
{
	struct check_report r = { .finding = NULL };

	ok(block_check(b, 0, &r, &e));
	ck_assert(!r.corruptions && !r.leaks && !r.check_errors);
}

static void check_content(struct block *b, const uint8_t *want)
{
	uint8_t *got = malloc(DISK);

	ok(block_pread(b, got, DISK, 0, &e));
	ck_assert(memcmp(got, want, DISK) == 0);
	free(got);
}

START_TEST(the_kernel_copies_into_any_place_of_any_image)
{
	static const char *const geometries[] = {
		"cluster_size=64k", "cluster_size=4k", "cluster_size=512", "cluster_size=2M", "compat=0.10",
		"extended_l2=on,cluster_size=16k", "backing_file=base,backing_fmt=qcow2", "data_file=data,data_file_raw=on",
		"refcount_bits=1", "preallocation=metadata",
	};
	uint8_t *bytes = malloc(SOURCE), *want = malloc(DISK), *fill = malloc(DISK);
	struct block *src = new_source(bytes);

	srandom(5);
	memset(fill, 0x5a, DISK);
	for (size_t g = 0; g < ARRAY_LEN(geometries); g++) {
		bool over = strstr(geometries[g], "backing_file");
		struct block *b;

		new_image("base", "cluster_size=64k");
		b = open_image("base", "qcow2", BLOCK_WRITE);
		ok(block_pwrite(b, fill, DISK, 0, &e));
		ok(block_finish(b, &e));
		block_unref(b);
		unlink("data");
		new_image("image", geometries[g]);
		b = open_image("image", "qcow2", BLOCK_WRITE);
		memset(want, over ? 0x5a : 0, DISK);
		for (int i = 0; i < 30; i++) {
			uint64_t align = i % 3 ? 4096 : 1, src_off = round_down((uint64_t)random() % SOURCE, align);
			uint64_t off = round_down((uint64_t)random() % DISK, align), len = 1 + (uint64_t)random() % (600 * KiB);

			len = round_up(MIN_OF(len, MIN_OF(SOURCE - src_off, DISK - off)), align);
			ok(block_pwrite_from(b, src, len, src_off, off, BLOCK_FROM_COPY, &e));
			memcpy(want + off, bytes + src_off, len);
			if (i % 7 == 0)
				ok(block_zero(b, 100 * KiB, 1 * MiB + 512, BLOCK_ZERO_UNMAP, &e));
			if (i % 7 == 0)
				memset(want + 1 * MiB + 512, 0, 100 * KiB);
		}
		check_content(b, want);
		ok(block_finish(b, &e));
		block_unref(b);
		b = open_image("image", "qcow2", 0);
		check_content(b, want);
		check_clean(b);
		block_unref(b);
	}
	block_unref(src);
	free(bytes);
	free(want);
	free(fill);
}
END_TEST

START_TEST(what_the_host_refuses_changes_nothing_that_can_be_seen)
{
	uint8_t *bytes = malloc(SOURCE), *want = malloc(DISK);
	struct block *src = new_source(bytes), *b, *full, *file;
	struct fault_plan plan = { .record = NULL };

	new_image("image", "cluster_size=64k");
	b = open_image("image", "qcow2", BLOCK_WRITE);
	memset(want, 0, DISK);
	memcpy(want + 70000, bytes, 300000);
	ok(block_pwrite(b, bytes, 300000, 70000, &e));
	/* A range of the source that is not there, and blocks that cannot be shared since they are none. */
	fails(block_pwrite_from(b, src, 4096, SOURCE, 0, BLOCK_FROM_COPY, &e), ERR_USAGE);
	fails(block_pwrite_from(b, src, 4095, 0, 0, BLOCK_FROM_SHARE, &e), ERR_UNSUPPORTED);
	fails(block_pwrite_from(b, src, 200000, 1, 2 * MiB, BLOCK_FROM_SHARE, &e), ERR_UNSUPPORTED);
	/* What is written must be looked at in between. */
	fails(block_pwrite_from(b, b, 4096, 0, 0, BLOCK_FROM_COPY, &e), ERR_UNSUPPORTED);
	ok(block_fault(src, &plan, &full, &e));
	fails(block_pwrite_from(full, src, 4096, 0, 0, BLOCK_FROM_COPY, &e), ERR_UNSUPPORTED);
	block_unref(full);
	/* A file that got shorter since. */
	ck_assert_int_eq(truncate("source", 1 * MiB), 0);
	fails(block_pwrite_from(b, src, 2 * MiB, 0, 2 * MiB, BLOCK_FROM_COPY, &e), ERR_UNSUPPORTED);
	ok(block_finish(b, &e));
	check_clean(b);
	ok(block_pread(b, want + 2 * MiB, 2 * MiB, 2 * MiB, &e)); /* may have been written to */
	check_content(b, want);
	block_unref(b);
	/* A disk whose format was guessed. */
	ok(block_open_host("guess", BLOCK_WRITE, &(bool){ false }, &file, &e));
	ok(block_truncate(file, MiB, PREALLOC_OFF, &e));
	block_unref(file);
	b = open_image("guess", NULL, BLOCK_WRITE | BLOCK_GUESS_WRITE);
	fails(block_pwrite_from(b, src, 4096, 0, 0, BLOCK_FROM_COPY, &e), ERR_UNSUPPORTED);
	ok(block_pwrite_from(b, src, 4096, 0, 4096, BLOCK_FROM_COPY, &e));
	block_unref(b);
	block_unref(src);
	free(bytes);
	free(want);
}
END_TEST

TEST_MAIN("take", the_kernel_copies_into_any_place_of_any_image, what_the_host_refuses_changes_nothing_that_can_be_seen)
