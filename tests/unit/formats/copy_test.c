/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "compare.h"
#include "copy.h"
#include "limits.h"
#include "ondisk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

static struct block *open_raw(const char *path, unsigned flags)
{
	struct block_open how = { .format = "raw", .flags = flags };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static struct block *new_raw(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return open_raw(path, BLOCK_WRITE);
}

/* Bytes that are not zero at [off, off + len). */
static void put(struct block *b, uint64_t off, size_t len, unsigned char byte)
{
	unsigned char *buf = malloc(len);

	memset(buf, byte, len);
	ok(block_pwrite(b, buf, len, off, &e));
	free(buf);
}

static void check_same(struct block *a, struct block *b)
{
	struct compare_job job = { .sides = { a, b } };
	struct compare_result r;

	ok(compare_run(&job, &r, &e));
	ck_assert_msg(r.difference == COMPARE_SAME, "they differ at %llu", (unsigned long long)r.off);
}

static uint64_t blocks_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Data around piece borders, a long hole, and zeros that are stored. */
static struct block *make_source(const char *path)
{
	struct block *b = new_raw(path, 40 * MiB + 512);

	put(b, 0, 10000, 1);
	put(b, 2 * MiB - 700, 1400, 2);
	put(b, 3 * MiB, 4 * MiB + 5, 3);
	put(b, 9 * MiB, 2 * MiB, 0); /* zeros, stored */
	put(b, 10 * MiB, 1, 9);
	put(b, 40 * MiB, 512, 4);
	return b;
}

START_TEST(a_copy_has_the_same_bytes_and_no_more_of_them)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src));
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 4096 };
	struct copy_result r;

	ok(copy_run(&job, &r, &e));
	check_same(src, dst);
	ck_assert_uint_lt(r.copied, 4 * MiB + 64 * KiB);
	ck_assert_uint_lt(blocks_of("dst"), 5 * MiB);
	block_unref(src);
	block_unref(dst);
}
END_TEST

START_TEST(sparse_of_zero_stores_everything)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src));
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .target_is_zero = true };
	struct copy_result r;

	ok(copy_run(&job, &r, &e));
	check_same(src, dst);
	ck_assert_uint_eq(r.copied, 40 * MiB + 512);
	ck_assert_uint_ge(blocks_of("dst"), 40 * MiB);
	block_unref(src);
	block_unref(dst);
}
END_TEST

START_TEST(what_a_target_held_before_does_not_shine_through)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src));
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .sparse = 4096 };
	struct copy_result r;

	put(dst, 0, 40 * MiB, 0xee);
	ok(copy_run(&job, &r, &e));
	check_same(src, dst);
	ck_assert_uint_lt(blocks_of("dst"), 5 * MiB);
	block_unref(src);
	block_unref(dst);
}
END_TEST

/* Random stretches of random data that nobody misses, over piece borders too, against a model. */
static void copy_without_unused(unsigned seed)
{
	enum { SIZE = 24 << 20, N = 300 };
	struct block *src = new_raw("src", SIZE), *dst = new_raw("dst", SIZE);
	struct copy_range unused[N];
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .sparse = 4096, .target_is_zero = seed & 1,
				.unused = unused, .hashes = seed & 2, .hash = HASH_SHA256 };
	unsigned char *want = malloc(SIZE), *got = malloc(SIZE);
	uint64_t at = 0, sum = 0;
	struct copy_result r;
	struct hash_work hash;
	uint8_t digest[HASH_MAX];

	srand(seed);
	memset(want, 0x5a, SIZE);
	ok(block_pwrite(src, want, SIZE, 0, &e));
	if (!job.target_is_zero)
		put(dst, 0, SIZE, 0xee);
	while (job.nunused < N) {
		uint64_t len = 512 * (1 + (uint64_t)rand() % (rand() % 10 ? 40 : 8000));

		at += 512 * (1 + (uint64_t)rand() % 100);
		if (at + len > SIZE)
			break;
		unused[job.nunused++] = (struct copy_range){ at, len };
		memset(want + at, 0, len);
		at += len;
		sum += len;
	}
	ck_assert_uint_gt(job.nunused, 10);
	ok(copy_run(&job, &r, &e));
	ck_assert_uint_le(r.dropped, sum);
	/* But for crumbs in pieces of too many parts. */
	ck_assert_uint_gt(r.dropped, sum / 2);
	ok(block_pread(dst, got, SIZE, 0, &e));
	ck_assert_int_eq(memcmp(want, got, SIZE), 0);
	if (job.hashes) {
		hash_start(&hash, HASH_SHA256);
		hash_add(&hash, want, SIZE);
		hash_end(&hash, digest);
		ck_assert_int_eq(memcmp(digest, r.digest, hash_size(HASH_SHA256)), 0);
	}
	free(want);
	free(got);
	block_unref(src);
	block_unref(dst);
}

START_TEST(what_is_unused_is_not_read_and_is_zeros)
{
	for (unsigned i = 0; i < 8; i++)
		copy_without_unused(i);
}
END_TEST

START_TEST(sources_lie_one_behind_the_other)
{
	struct block *srcs[3] = { new_raw("s0", 5 * 512), new_raw("s1", 0), new_raw("s2", 3 * MiB + 512) };
	struct block *dst = new_raw("dst", 3 * MiB + 6 * 512);
	struct copy_job job = { .sources = srcs, .nsources = 3, .target = dst, .target_is_zero = true, .sparse = 4096 };
	struct copy_result r;
	unsigned char buf[1024];

	put(srcs[0], 4 * 512, 512, 7);
	put(srcs[2], 0, 512, 8);
	put(srcs[2], 3 * MiB, 512, 9);
	ok(copy_run(&job, &r, &e));
	ok(block_pread(dst, buf, 1024, 4 * 512, &e));
	ck_assert_uint_eq(buf[0], 7);
	ck_assert_uint_eq(buf[512], 8);
	ok(block_pread(dst, buf, 512, 5 * 512 + 3 * MiB, &e));
	ck_assert_uint_eq(buf[0], 9);
	job.nsources = 1;
	job.target = srcs[1];
	fails(copy_run(&job, &r, &e), ERR_USAGE); /* the target is too short */
	for (int i = 0; i < 3; i++)
		block_unref(srcs[i]);
	block_unref(dst);
}
END_TEST

START_TEST(short_runs_of_zeros_are_stored_long_ones_are_not)
{
	struct block *src = new_raw("src", 4 * MiB), *dst = new_raw("dst", 4 * MiB);
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 64 * KiB };
	struct copy_result r;

	put(src, 0, 4 * MiB, 1);
	put(src, 64 * KiB, 32 * KiB, 0);   /* too short */
	put(src, 2 * MiB, 64 * KiB, 0);    /* long enough */
	put(src, 3 * MiB + 1, 128 * KiB, 0); /* long enough, not aligned */
	ok(copy_run(&job, &r, &e));
	check_same(src, dst);
	ck_assert_uint_eq(r.copied, 4 * MiB - 64 * KiB - (128 * KiB - 4096));
	block_unref(src);
	block_unref(dst);
}
END_TEST

START_TEST(a_read_that_fails_says_where_and_stops)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src)), *bad;
	struct fault_plan plan = { .fail_read_at = 3, .fail_all_after = true };
	struct copy_job job = { .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 4096, .threads = 1 };
	struct copy_result r;

	ok(block_fault(src, &plan, &bad, &e));
	job.sources = &bad;
	fails(copy_run(&job, &r, &e), ERR_SYSTEM);
	ck_assert_int_eq(r.stage, COPY_READ);
	ck_assert_int_eq(e.sys_errno, EIO);
	ck_assert_uint_gt(r.off, 0);
	block_unref(bad);
	block_unref(src);
	block_unref(dst);
}
END_TEST

static void count_bad(void *arg, uint64_t off, uint64_t len, const char *text)
{
	uint64_t *bad = arg;

	ck_assert_uint_gt(strlen(text), 0);
	ck_assert_uint_le(off + len, 4 * MiB);
	*bad += len;
}

START_TEST(salvage_gives_up_only_what_cannot_be_read)
{
	struct block *src = new_raw("src", 4 * MiB), *dst = new_raw("dst", 4 * MiB), *bad;
	struct fault_plan plan = { .fail_read_at = 2 };
	uint64_t given_up = 0;
	struct copy_job job = { .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 4096, .threads = 1,
				.salvage = true, .unreadable = count_bad, .unreadable_arg = &given_up };
	struct copy_result r;

	put(src, 0, 4 * MiB, 1);
	ok(block_fault(src, &plan, &bad, &e));
	job.sources = &bad;
	ok(copy_run(&job, &r, &e)); /* the second piece failed once; block by block it did not */
	ck_assert_uint_eq(r.unread, 0);
	check_same(src, dst);
	block_unref(bad);
	plan = (struct fault_plan){ .fail_read_at = 2, .fail_all_after = true };
	ok(block_fault(src, &plan, &bad, &e));
	ok(copy_run(&job, &r, &e));
	ck_assert_uint_eq(r.unread, 2 * MiB);
	ck_assert_uint_eq(given_up, 2 * MiB);
	block_unref(bad);
	block_unref(src);
	block_unref(dst);
}
END_TEST

START_TEST(a_write_that_fails_is_told)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src)), *full;
	struct fault_plan plan = { .fail_write_at = 2, .fail_all_after = true, .sys_errno = ENOSPC };
	struct copy_job job = { .sources = &src, .nsources = 1, .target_is_zero = true, .sparse = 4096 };
	struct copy_result r;

	ok(block_fault(dst, &plan, &full, &e));
	job.target = full;
	fails(copy_run(&job, &r, &e), ERR_SYSTEM);
	ck_assert_int_eq(r.stage, COPY_WRITE);
	ck_assert_int_eq(e.sys_errno, ENOSPC);
	block_unref(full);
	block_unref(src);
	block_unref(dst);
}
END_TEST

static int stop_at_once(void *arg, uint64_t done, uint64_t total)
{
	ck_assert_uint_le(done, total);
	*(bool *)arg = true;
	return 1;
}

START_TEST(the_caller_can_stop_a_slow_copy)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src));
	bool asked = false;
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 4096,
				.rate = 100 * KiB, .progress = stop_at_once, .progress_arg = &asked };
	struct copy_result r;

	fails(copy_run(&job, &r, &e), ERR_CANCELED);
	ck_assert(asked);
	block_unref(src);
	block_unref(dst);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
	struct block *src = make_source("src"), *dst = new_raw("dst", block_size(src));
	struct copy_job job = { .sources = &src, .nsources = 1, .target = dst, .target_is_zero = true, .sparse = 4096,
				.threads = 1 };
	struct copy_result r;

	for (unsigned long nth = 1; nth < 20; nth++) {
		int rc;

		alloc_fault_at(nth);
		rc = copy_run(&job, &r, &e);
		ck_assert(rc == 0 ? !alloc_fault_hit() : rc == -(int)ERR_NOMEM);
		alloc_fault_at(0);
		if (rc == 0)
			break;
		ck_assert_uint_lt(nth, 19);
	}
	check_same(src, dst);
	block_unref(src);
	block_unref(dst);
}
END_TEST

/* ---- the order of writes ---- */

/* Reads as its file does, but what lies in the first piece only once something of the second has been read. */
struct late_state {
	pthread_mutex_t lock;
	pthread_cond_t seen_second;
	bool second;
};

static int late_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *err)
{
	struct late_state *s = b->state;

	pthread_mutex_lock(&s->lock);
	if (off >= COPY_PIECE) {
		s->second = true;
		pthread_cond_broadcast(&s->seen_second);
	}
	while (off < COPY_PIECE && !s->second)
		pthread_cond_wait(&s->seen_second, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (off < COPY_PIECE)
		usleep(50000); /* the second piece may be written meanwhile, if the order is free */
	return block_pread(b->file, buf, len, off, err);
}

static void late_close(struct block *b)
{
	(void)b;
}

static const struct block_driver late = {
	.name = "late",
	.state_size = sizeof(struct late_state),
	.pread = late_pread,
	.close = late_close,
};

/* Where the clusters at 0 and at the second piece lie in a qcow2 image made of such a source. */
static void copy_late_source(bool compress, uint64_t lies[2])
{
	struct block *file = new_raw("src", 2 * COPY_PIECE), *src, *dst;
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE };
	struct copy_job job = { .nsources = 1, .sources = &src, .target_is_zero = true, .sparse = 4096, .threads = 2,
				.compress = compress, .in_order = true };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct copy_result r;

	put(file, 0, 2 * COPY_PIECE, 7);
	ok(block_new_filter(&late, file, &src, &e));
	src->size = block_size(file);
	pthread_mutex_init(&((struct late_state *)src->state)->lock, NULL);
	pthread_cond_init(&((struct late_state *)src->state)->seen_second, NULL);
	ok(dict_set(&opts, "size", "4194304", &e));
	ok(block_create("dst", "qcow2", &opts, NULL, &e));
	ok(block_open("dst", &how, &dst, &e));
	job.target = dst;
	ok(copy_run(&job, &r, &e));
	ok(block_finish(dst, &e));
	check_same(file, dst);
	for (unsigned i = 0; i < 2; i++) {
		struct extent x;

		ok(block_extent(dst, 512, i * COPY_PIECE, &x, &e));
		lies[i] = x.host_off;
	}
	block_unref(dst);
	block_unref(src);
	block_unref(file);
}

START_TEST(an_image_is_laid_out_front_to_back_whoever_is_first)
{
	uint64_t lies[2];

	copy_late_source(false, lies);
	ck_assert_uint_eq(lies[1], lies[0] + COPY_PIECE);
}
END_TEST

/* The big-endian number at `off`. */
static uint64_t number_at(struct block *b, uint64_t off)
{
	be64 v;

	ok(block_pread(b, &v, sizeof v, off, &e));
	return be64_get(v);
}

START_TEST(compressed_clusters_lie_front_to_back_too)
{
	enum { L1_OFFSET = 40 }; /* in the header */
	const uint64_t table = 0x00fffffffffffe00, place = (1ULL << 54) - 1, compressed = 1ULL << 62;
	uint64_t lies[2], l2, first, second;
	struct block *b;

	copy_late_source(true, lies);
	b = open_raw("dst", 0);
	l2 = number_at(b, number_at(b, L1_OFFSET)) & table;
	first = number_at(b, l2);
	second = number_at(b, l2 + COPY_PIECE / (64 * KiB) * 8);
	ck_assert(first & compressed && second & compressed);
	ck_assert_uint_lt(first & place, second & place);
	block_unref(b);
}
END_TEST

TEST_MAIN("copy", a_copy_has_the_same_bytes_and_no_more_of_them, sparse_of_zero_stores_everything,
	  what_a_target_held_before_does_not_shine_through, what_is_unused_is_not_read_and_is_zeros,
	  sources_lie_one_behind_the_other,
	  short_runs_of_zeros_are_stored_long_ones_are_not, a_read_that_fails_says_where_and_stops,
	  salvage_gives_up_only_what_cannot_be_read, a_write_that_fails_is_told, the_caller_can_stop_a_slow_copy,
	  running_out_of_memory_is_an_error,
	  an_image_is_laid_out_front_to_back_whoever_is_first, compressed_clusters_lie_front_to_back_too)
