// SPDX-License-Identifier: GPL-2.0-or-later
/* codec_test.c - what is compressed comes back, for others too; what is broken is refused, and nothing is written past the end. */
#include "testing.h"

#include "alloc.h"
#include "codec.h"

#include <pthread.h>
#include <zlib.h>
#include <zstd.h>

enum { LEN = 65536, METHODS = 2 };

static uint64_t seed;

static uint8_t next_byte(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint8_t)(seed >> 56);
}

/* Words of a small vocabulary. */
static void fill_text(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned word = next_byte() % 64;

		for (unsigned k = 0; k < 3 + word % 5 && i < len; k++)
			p[i++] = (uint8_t)('a' + (word * 7 + k * 3) % 26);
		if (i < len)
			p[i++] = ' ';
	}
}

static void fill_random(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = next_byte();
}

static void round_trip(struct codec *c, enum codec_method method, int level, const uint8_t *src, size_t len)
{
	struct err e = ERR_INIT;
	uint8_t *z = alloc_bytes(len + 64), *back = alloc_bytes(len);
	long size = codec_compress(c, method, level, z, len - 1, src, len, &e);

	ck_assert_int_gt(size, 0);
	memset(z + size, 0xaa, len + 64 - (size_t)size);
	ck_assert_int_eq(codec_decompress(c, method, back, len, z, (size_t)size + 32, &e), 0);
	ck_assert_mem_eq(back, src, len);
	free(z);
	free(back);
}

START_TEST(what_is_compressed_at_any_level_comes_back)
{
	static const size_t lens[] = { 512, 4096, LEN, 2 << 20 };
	struct codec *c = codec_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		uint8_t *src = alloc_bytes(lens[i]);

		fill_text(src, lens[i]);
		for (int level = 0; level <= 9; level += 3) {
			round_trip(c, CODEC_DEFLATE, level, src, lens[i]);
			round_trip(c, CODEC_ZSTD, level, src, lens[i]);
		}
		free(src);
	}
	codec_free(c);
}
END_TEST

START_TEST(deflate_looks_back_at_most_four_kib)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN), *back = alloc_bytes(LEN);

	/* A repetition 8 KiB behind would be taken by a larger window. */
	fill_random(src, LEN);
	for (size_t i = 0; i < LEN; i++)
		src[i] &= 0x3f;
	memcpy(src + 8192, src, 8192);
	for (int level = 0; level <= 9; level += 3) {
		long size = codec_compress(c, CODEC_DEFLATE, level, z, LEN, src, LEN, NULL);
		z_stream s = { .next_in = z, .avail_in = (uInt)size, .next_out = back, .avail_out = LEN };

		ck_assert_int_gt(size, 0);
		ck_assert_int_eq(inflateInit2(&s, -12), Z_OK);
		ck_assert_int_eq(inflate(&s, Z_FINISH), Z_STREAM_END);
		ck_assert_int_eq(inflateEnd(&s), Z_OK);
		ck_assert_mem_eq(back, src, LEN);
	}
	codec_free(c);
	free(src);
	free(z);
	free(back);
}
END_TEST

START_TEST(what_does_not_become_smaller_is_not_compressed)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN);

	fill_random(src, LEN);
	for (int level = 0; level <= 9; level += 3)
		for (int m = 0; m < METHODS; m++)
			ck_assert_int_eq(codec_compress(c, (enum codec_method)m, level, z, LEN - 1, src, LEN, NULL), 0);
	codec_free(c);
	free(src);
	free(z);
}
END_TEST

START_TEST(random_bytes_that_repeat_are_noticed)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN);
	long size;

	fill_random(src, 1024);
	for (size_t at = 1024; at < LEN; at += 1024)
		memcpy(src + at, src, 1024);
	size = codec_compress(c, CODEC_DEFLATE, CODEC_FAST, z, LEN, src, LEN, NULL);
	ck_assert_int_gt(size, 0);
	ck_assert_int_lt(size, LEN / 8);
	codec_free(c);
	free(src);
	free(z);
}
END_TEST

START_TEST(a_deflate_stream_without_its_end_mark_is_read)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN), *back = alloc_bytes(LEN);
	z_stream s = { .next_in = src, .avail_in = LEN, .next_out = z, .avail_out = LEN };
	struct err e = ERR_INIT;

	fill_text(src, LEN);
	ck_assert_int_eq(deflateInit2(&s, 6, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&s, Z_SYNC_FLUSH), Z_OK);
	deflateEnd(&s);
	ck_assert_int_eq(codec_decompress(c, CODEC_DEFLATE, back, LEN, z, LEN - s.avail_out, &e), 0);
	ck_assert_mem_eq(back, src, LEN);
	codec_free(c);
	free(src);
	free(z);
	free(back);
}
END_TEST

START_TEST(a_stream_that_holds_more_fills_the_buffer_and_no_more)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(4 * LEN), *z = alloc_bytes(4 * LEN), *back = alloc_bytes(LEN + 16);

	fill_text(src, 4 * LEN);
	for (int m = 0; m < METHODS; m++) {
		long size = codec_compress(c, (enum codec_method)m, 3, z, 4 * LEN, src, 4 * LEN, NULL);

		memset(back + LEN, 0x5c, 16);
		ck_assert_int_gt(size, 0);
		ck_assert_int_eq(codec_decompress(c, (enum codec_method)m, back, LEN, z, (size_t)size, NULL), 0);
		ck_assert_mem_eq(back, src, LEN);
		for (int i = 0; i < 16; i++)
			ck_assert_uint_eq(back[LEN + i], 0x5c);
	}
	codec_free(c);
	free(src);
	free(z);
	free(back);
}
END_TEST

START_TEST(a_stream_that_ends_early_is_corrupt)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN), *back = alloc_bytes(2 * LEN);
	struct err e = ERR_INIT;

	fill_text(src, LEN);
	for (int m = 0; m < METHODS; m++) {
		long size = codec_compress(c, (enum codec_method)m, 3, z, LEN, src, LEN, NULL);

		err_clear(&e);
		ck_assert_int_eq(codec_decompress(c, (enum codec_method)m, back, 2 * LEN, z, (size_t)size, &e),
				 -(int)ERR_CORRUPT);
		ck_assert_ptr_nonnull(strstr(e.msg, "ends after 65536 of 131072 bytes"));
		ck_assert_int_lt(codec_decompress(c, (enum codec_method)m, back, LEN, z, (size_t)size / 2, &e), 0);
		ck_assert_int_lt(codec_decompress(c, (enum codec_method)m, back, LEN, z, 0, &e), 0);
	}
	codec_free(c);
	free(src);
	free(z);
	free(back);
}
END_TEST

START_TEST(garbage_is_refused_and_the_codec_works_on)
{
	struct codec *c = codec_new(NULL);
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN), *back = alloc_bytes(LEN + 16);

	fill_text(src, LEN);
	for (int round = 0; round < 300; round++) {
		enum codec_method m = (enum codec_method)(round % METHODS);
		long size = codec_compress(c, m, CODEC_FAST, z, LEN, src, LEN, NULL);
		struct err e = ERR_INIT;

		memset(back + LEN, 0x5c, 16);
		if (round < 100)
			fill_random(z, (size_t)size);
		for (int i = 0; i < 4; i++)
			z[(next_byte() << 8 | next_byte()) % size] ^= (uint8_t)(1 + next_byte() % 255);
		/* It may be read as something else; it must not hurt. */
		if (codec_decompress(c, m, back, LEN, z, (size_t)size, &e) < 0)
			ck_assert_int_eq(e.code, ERR_CORRUPT);
		for (int i = 0; i < 16; i++)
			ck_assert_uint_eq(back[LEN + i], 0x5c);
		round_trip(c, m, CODEC_FAST, src, LEN);
	}
	codec_free(c);
	free(src);
	free(z);
	free(back);
}
END_TEST

START_TEST(a_zstd_stream_with_a_huge_window_does_not_get_it)
{
	/* A frame of unknown length with a window of 128 MiB and one block that is not the last. */
	static const uint8_t bomb[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0xfa, 0xff, 0x1f, 'x', 0xfa, 0xff, 0x1f, 'x' };
	struct codec *c = codec_new(NULL);
	uint8_t *back = alloc_bytes(LEN);
	struct err e = ERR_INIT;

	ck_assert_int_eq(codec_decompress(c, CODEC_ZSTD, back, LEN, bomb, sizeof bomb, &e), -(int)ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "broken zstd data"));
	codec_free(c);
	free(back);
}
END_TEST

START_TEST(when_memory_is_out_it_says_so)
{
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN);
	unsigned failed = 0;

	fill_text(src, LEN);
	for (unsigned long nth = 1; nth < 10; nth++) {
		struct codec *c;
		struct err e = ERR_INIT;
		long rc;

		alloc_fault_at(nth);
		c = codec_new(&e);
		rc = c ? codec_compress(c, CODEC_DEFLATE, CODEC_FAST, z, LEN, src, LEN, &e) : -(long)ERR_NOMEM;
		alloc_fault_at(0);
		codec_free(c);
		if (rc > 0)
			break;
		failed++;
		ck_assert_int_eq(rc, -(long)ERR_NOMEM);
		ck_assert_int_eq(e.code, ERR_NOMEM);
	}
	ck_assert_uint_ge(failed, 3);
	free(src);
	free(z);
}
END_TEST

struct shared {
	struct codecs all;
	const uint8_t *src;
	pthread_barrier_t all_have_one;
};

static void *lease_and_use(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 20; i++) {
		CLEANUP(codecs_give) struct codec_lease lease = codecs_take(&s->all, NULL);

		if (i == 0)
			pthread_barrier_wait(&s->all_have_one);
		round_trip(lease.codec, (enum codec_method)(i % METHODS), CODEC_FAST, s->src, LEN);
	}
	return NULL;
}

START_TEST(threads_share_as_many_as_work_at_once)
{
	struct shared s = { .src = NULL };
	pthread_t threads[4];
	uint8_t *src = alloc_bytes(LEN);

	fill_text(src, LEN);
	s.src = src;
	ck_assert_int_eq(codecs_init(&s.all, NULL), 0);
	pthread_barrier_init(&s.all_have_one, NULL, 4);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, lease_and_use, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&s.all_have_one);
	codecs_free(&s.all);
	free(src);
}
END_TEST

TEST_MAIN("codec", what_is_compressed_at_any_level_comes_back,
	  deflate_looks_back_at_most_four_kib,
	  what_does_not_become_smaller_is_not_compressed,
	  random_bytes_that_repeat_are_noticed,
	  a_deflate_stream_without_its_end_mark_is_read,
	  a_stream_that_holds_more_fills_the_buffer_and_no_more,
	  a_stream_that_ends_early_is_corrupt,
	  garbage_is_refused_and_the_codec_works_on,
	  a_zstd_stream_with_a_huge_window_does_not_get_it,
	  when_memory_is_out_it_says_so,
	  threads_share_as_many_as_work_at_once)
