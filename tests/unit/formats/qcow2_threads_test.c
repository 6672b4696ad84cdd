/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many threads on one qcow2 handle: no write is lost, no byte of another's cluster is seen. */
#include "testing.h"

#include "alloc.h"
#include "block_driver.h"
#include "limits.h"

#include <pthread.h>
#include <string.h>

enum { NTHREADS = 4, STRIPE = 1536, DISK = 4 << 20, ZONE = 512 << 10, NOPS = 400 };

static struct err e;

/*
 * The first half of the disk belongs to all: each thread owns every fourth stripe, so that clusters have several
 * owners.  The second half is cut into a zone each, for operations on whole clusters.
 */
struct worker {
	struct block *b;
	unsigned me;
	uint64_t cluster;
	uint64_t random;
	uint8_t *model; /* of the whole disk; each thread touches what it owns */
	struct err e;
	const char *wrong;
};

static uint32_t roll(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 16);
}

static void check_range(struct worker *w, uint64_t off, size_t len)
{
	uint8_t got[STRIPE];

	while (len && !w->wrong) {
		size_t n = MIN_OF(len, sizeof got);

		if (block_pread(w->b, got, n, off, &w->e) < 0)
			w->wrong = "read";
		else if (memcmp(got, w->model + off, n) != 0)
			w->wrong = "content";
		off += n;
		len -= n;
	}
}

static void stripe_op(struct worker *w)
{
	uint64_t off = (uint64_t)(roll(w) % (DISK / 2 / STRIPE / NTHREADS) * NTHREADS + w->me) * STRIPE;
	uint8_t buf[STRIPE];

	memset(buf, (int)roll(w), sizeof buf);
	if (roll(w) % 8 == 0) {
		memset(buf, 0, sizeof buf);
		if (block_zero(w->b, sizeof buf, off, BLOCK_ZERO_UNMAP, &w->e) < 0)
			w->wrong = "zero";
	} else if (block_pwrite(w->b, buf, sizeof buf, off, &w->e) < 0) {
		w->wrong = "write";
	}
	memcpy(w->model + off, buf, sizeof buf);
	check_range(w, off, sizeof buf);
}

static void zone_op(struct worker *w)
{
	uint64_t many = MIN_OF(16, ZONE / w->cluster / 2);
	uint64_t off = DISK / 2 + (uint64_t)w->me * ZONE + roll(w) % (ZONE / w->cluster - many) * w->cluster;
	size_t len = (1 + roll(w) % many) * w->cluster;
	unsigned kind = roll(w) % 4;
	int rc = 0;

	memset(w->model + off, kind < 2 ? (int)roll(w) : 0, len);
	if (kind == 0)
		rc = block_pwrite(w->b, w->model + off, len, off, &w->e);
	for (size_t at = 0; kind == 1 && rc == 0 && at < len; at += w->cluster)
		rc = block_pwrite_compressed(w->b, w->model + off + at, w->cluster, off + at, &w->e);
	if (kind == 2)
		rc = block_zero(w->b, len, off, 0, &w->e);
	if (kind == 3)
		rc = block_discard(w->b, len, off, &w->e);
	if (rc < 0)
		w->wrong = "zone";
	check_range(w, off, len);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < NOPS && !w->wrong; i++) {
		unsigned what = roll(w) % 16;

		if (what < 9)
			stripe_op(w);
		else if (what < 15)
			zone_op(w);
		else if (block_flush(w->b, &w->e) < 0)
			w->wrong = "flush";
	}
	return NULL;
}

static void run(const char *create_opts)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_UNSAFE };
	uint8_t *model = alloc_zero(DISK), *all = alloc_zero(DISK);
	struct worker w[NTHREADS];
	pthread_t threads[NTHREADS];
	struct dict opts = DICT_INIT;
	struct block_info info;
	struct block *b;

	ok(dict_parse(&opts, create_opts, NULL, &e));
	ok(dict_set(&opts, "size", "4M", &e));
	ok(block_create("t.qcow2", "qcow2", &opts, NULL, &e));
	dict_free(&opts);
	ok(block_open("t.qcow2", &how, &b, &e));
	ok(block_info(b, &info, &e));
	for (unsigned i = 0; i < NTHREADS; i++) {
		w[i] = (struct worker){ .b = b, .me = i, .cluster = info.cluster_size, .model = model };
		w[i].random = 88172645463325252ULL + i * 7919;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < NTHREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_msg(!w[i].wrong, "thread %u: %s: %s", i, w[i].wrong, w[i].e.msg);
	}
	ok(block_finish(b, &e));
	block_unref(b);
	how.flags = 0;
	ok(block_open("t.qcow2", &how, &b, &e));
	ok(block_pread(b, all, DISK, 0, &e));
	ck_assert(memcmp(all, model, DISK) == 0);
	block_unref(b);
	free(all);
	free(model);
}

START_TEST(threads_share_clusters_without_losing_writes)
{
	run("cluster_size=4096");
}
END_TEST

START_TEST(threads_share_large_clusters_with_subclusters)
{
	run("cluster_size=64k,extended_l2=on,compat=1.1,compression_type=zstd");
}
END_TEST

START_TEST(threads_share_tiny_clusters_and_lazy_refcounts)
{
	run("cluster_size=512,refcount_bits=64,lazy_refcounts=on");
}
END_TEST

TEST_MAIN("qcow2 threads", threads_share_clusters_without_losing_writes, threads_share_large_clusters_with_subclusters,
	  threads_share_tiny_clusters_and_lazy_refcounts)
