/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "unpack.h"

#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zstd.h>

#define PLAIN 20000

static struct err e = ERR_INIT;
static uint8_t plain[PLAIN], packed[2 * PLAIN], back[PLAIN];

/* Of each 1000 bytes 16 are literals, which the others repeat; tests/unit/util/lzo_test.c has every instruction. */
static size_t lzo_pack(void)
{
	static const uint8_t repeat[] = { 32, 0, 0, 0, 186, 15 << 2, 0 }; /* 2 + 31 + 3 * 255 + 186 = 984 bytes, 16 back */
	static const uint8_t end[] = { 17, 0, 0 };
	size_t len = 0;

	for (size_t i = 0; i < PLAIN; i += 1000) {
		packed[len++] = i ? 16 - 3 : 17 + 16;
		memcpy(packed + len, plain + i, 16);
		memcpy(packed + len + 16, repeat, sizeof repeat);
		len += 16 + sizeof repeat;
	}
	memcpy(packed + len, end, sizeof end);
	return len + sizeof end;
}

/* Text that repeats itself, compressed by the library itself. */
static size_t pack(enum unpack_alg alg)
{
	struct libdeflate_compressor *c;
	size_t len = 0;

	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)("a guest's words "[i % 1000 % 16] + i / 1000);
	switch (alg) {
	case UNPACK_ZLIB:
	case UNPACK_GZIP:
		c = libdeflate_alloc_compressor(6);
		len = alg == UNPACK_ZLIB ? libdeflate_zlib_compress(c, plain, PLAIN, packed, sizeof packed)
					 : libdeflate_gzip_compress(c, plain, PLAIN, packed, sizeof packed);
		libdeflate_free_compressor(c);
		break;
	case UNPACK_XZ:
		ck_assert_int_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, plain, PLAIN, packed, &len, sizeof packed),
				 LZMA_OK);
		break;
	case UNPACK_LZO:
		len = lzo_pack();
		break;
	case UNPACK_LZ4:
		len = (size_t)LZ4_compress_default((char *)plain, (char *)packed, PLAIN, sizeof packed);
		break;
	case UNPACK_ZSTD:
		len = ZSTD_compress(packed, sizeof packed, plain, PLAIN, 3);
		break;
	}
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_lt(len, PLAIN);
	return len;
}

START_TEST(what_the_library_packed_is_unpacked)
{
	struct unpacker *u = NULL;
	size_t len = pack((enum unpack_alg)_i), got;

	ok(unpacker_new((enum unpack_alg)_i, &u, &e));
	for (int twice = 0; twice < 2; twice++) {
		memset(back, 0, sizeof back);
		ok(unpack(u, packed, len, back, sizeof back, &got, &e));
		ck_assert_uint_eq(got, PLAIN);
		ck_assert_mem_eq(back, plain, PLAIN);
	}
	unpacker_free(u);
}
END_TEST

START_TEST(more_than_the_room_for_it_is_an_error)
{
	struct unpacker *u = NULL;
	size_t len = pack((enum unpack_alg)_i), got;

	ok(unpacker_new((enum unpack_alg)_i, &u, &e));
	fails(unpack(u, packed, len, back, PLAIN - 1, &got, &e), ERR_CORRUPT);
	unpacker_free(u);
}
END_TEST

START_TEST(half_of_it_and_garbage_are_errors)
{
	struct unpacker *u = NULL;
	size_t len = pack((enum unpack_alg)_i), got;

	ok(unpacker_new((enum unpack_alg)_i, &u, &e));
	fails(unpack(u, packed, len / 2, back, sizeof back, &got, &e), ERR_CORRUPT);
	memset(packed, 0xff, len);
	fails(unpack(u, packed, len, back, sizeof back, &got, &e), ERR_CORRUPT);
	unpacker_free(u);
}
END_TEST

/* zlib, gzip, zstd */
START_TEST(a_stream_gives_what_it_has_up_to_the_room)
{
	static const enum unpack_alg algs[] = { UNPACK_ZLIB, UNPACK_GZIP, UNPACK_ZSTD };
	struct unpacker *u = NULL;
	size_t len = pack(algs[_i]), got;

	ok(unpacker_new(algs[_i], &u, &e));
	/* What lies behind the stream does not matter. */
	memset(packed + len, 0, 100);
	ok(unpack_some(u, packed, len + 100, back, sizeof back, &got, &e));
	ck_assert_uint_eq(got, PLAIN);
	ck_assert_mem_eq(back, plain, PLAIN);
	memset(back, 0, sizeof back);
	ok(unpack_some(u, packed, len, back, 1000, &got, &e));
	ck_assert_uint_eq(got, 1000);
	ck_assert_mem_eq(back, plain, 1000);
	ck_assert_uint_eq(back[1000], 0);
	fails(unpack_some(u, packed, len / 2, back, sizeof back, &got, &e), ERR_CORRUPT);
	fails(unpack_some(u, packed, 0, back, sizeof back, &got, &e), ERR_CORRUPT);
	memset(packed, 0xff, len);
	fails(unpack_some(u, packed, len, back, sizeof back, &got, &e), ERR_CORRUPT);
	unpacker_free(u);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("unpack");
	TCase *t = tcase_create("unpack");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, what_the_library_packed_is_unpacked, UNPACK_ZLIB, UNPACK_ZSTD + 1);
	tcase_add_loop_test(t, more_than_the_room_for_it_is_an_error, UNPACK_ZLIB, UNPACK_ZSTD + 1);
	tcase_add_loop_test(t, half_of_it_and_garbage_are_errors, UNPACK_ZLIB, UNPACK_ZSTD + 1);
	tcase_add_loop_test(t, a_stream_gives_what_it_has_up_to_the_room, 0, 3);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
