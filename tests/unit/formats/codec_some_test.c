// SPDX-License-Identifier: GPL-2.0-or-later
/* codec_some_test.c - streams whose length is known only as an upper bound, and LZO1X, instruction by instruction. */
#include "testing.h"

#include "alloc.h"
#include "codec.h"

#include <zlib.h>
#include <zstd.h>

enum { LEN = 60000 };

static struct err e = ERR_INIT;

/* Every byte is checked to be needed, and the buffer to be kept: exact sizes under AddressSanitizer. */
static void lzo_gives(const char *hex, const char *want, size_t len)
{
	struct codec *c = codec_new(&e);
	size_t n = 0, got;
	uint8_t *in, *out = alloc_bytes(len);

	in = alloc_bytes(strlen(hex) / 2);
	for (const char *p = hex; *p; p += 2)
		sscanf(p, "%2hhx", &in[n++]);
	ok(codec_decompress_some(c, CODEC_LZO, out, len, in, n, &got, &e));
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(out, want, len);
	ok(codec_decompress(c, CODEC_LZO, out, len, in, n, &e));
	fails(codec_decompress_some(c, CODEC_LZO, out, len - 1, in, n, &got, &e), ERR_CORRUPT);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *part = alloc_bytes(cut ? cut : 1);

		memcpy(part, in, cut);
		fails(codec_decompress_some(c, CODEC_LZO, out, len, part, cut, &got, &e), ERR_CORRUPT);
		free(part);
	}
	free(in);
	free(out);
	codec_free(c);
}

START_TEST(every_instruction_of_lzo_does_what_the_format_says)
{
	char want[40000];

	/* Four to 238 literals first, and the end. */
	lzo_gives("1568656c6c110000", "hell", 4);
	/* One to three literals first, then a match of 2 within 1 KiB. */
	lzo_gives("136162" "0400" "110000", "abab", 4);
	/* After no literals: 4 literals; more than 18 have a second length byte. */
	lzo_gives("1568656c6c" "4000" "01" "61626364" "110000", "helllllabcd", 11);
	memset(want, 'x', 23);
	lzo_gives("0005" "7878787878787878787878787878787878787878787878" "110000", want, 23);
	/* 64 to 127: three or four bytes, and literals behind them. */
	lzo_gives("1568656c6c" "4e00" "6f6f" "110000", "hellhelo" "o", 9);
	lzo_gives("1568656c6c" "6c00" "110000", "hellhell", 8);
	/* 128 to 255: five to eight bytes, which overlap what they make. */
	lzo_gives("1568656c6c" "e000" "110000", "hellllllllll", 12);
	/* 32 to 63, with long lengths: 2 + 31 + 1, and 2 + 31 + 255 + 1. */
	memset(want, 'l', 300);
	memcpy(want, "hel", 3);
	lzo_gives("1568656c6c" "2001" "0000" "110000", want, 4 + 34);
	lzo_gives("1568656c6c" "200001" "0000" "110000", want, 4 + 289);
}
END_TEST

START_TEST(lzo_looks_far_back)
{
	uint8_t z[400], *out = alloc_bytes(40000);
	struct codec *c = codec_new(&e);
	size_t n = 0, got;

	/* "abc" and then c again: 2 + 31 + 78 * 255 + 77 = 20000. */
	z[n++] = 17 + 3;
	memcpy(z + n, "abc", 3);
	n += 3;
	z[n++] = 32;
	memset(z + n, 0, 78);
	n += 78;
	z[n++] = 77;
	z[n++] = 0;
	z[n++] = 0;
	/* Within 48 KiB: 16384 + 3619 = 20003 back, which is "abc"; 3 bytes, one literal behind them. */
	z[n++] = 16 + 1;
	z[n++] = (uint8_t)(3619 << 2 | 1);
	z[n++] = (uint8_t)(3619 << 2 >> 8);
	z[n++] = '!';
	/* 4 literals need none before them: a match of 2 without. */
	z[n++] = 0 << 2;
	z[n++] = 0;
	z[n++] = 1;
	memcpy(z + n, "wxyz", 4);
	n += 4;
	/* After many literals a match of 3 lies 2049 and more back. */
	z[n++] = 0;
	z[n++] = 0;
	memcpy(z + n, "\x11\0\0", 3);
	n += 3;
	ok(codec_decompress_some(c, CODEC_LZO, out, 40000, z, n, &got, &e));
	ck_assert_uint_eq(got, 3 + 20000 + 3 + 1 + 2 + 4 + 3);
	ck_assert_mem_eq(out, "abccc", 5);
	ck_assert_mem_eq(out + 20002, "cabc!!!wxyzccc", 14);
	free(out);
	codec_free(c);
}
END_TEST

START_TEST(lzo_does_not_look_before_its_output)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x15hell\x40\x01", 7 }, { "\x13zz\x08\x00", 5 },  { "\x15hell\x21\x10\x00", 8 },
		{ "\x15hell\x11\x04\x00", 8 }, { "\x15hell\x00\x00", 7 }, { "\x10", 1 }, { "\x20\x00\x00", 3 }, { "", 0 },
	};
	struct codec *c = codec_new(&e);
	uint8_t out[100];
	size_t got;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		fails(codec_decompress_some(c, CODEC_LZO, out, sizeof out, bad[i].bytes, bad[i].len, &got, &e),
		      ERR_CORRUPT);
	codec_free(c);
}
END_TEST

/* _i: zlib, zstd, deflate */
START_TEST(a_stream_gives_what_it_has_up_to_the_cap)
{
	static const enum codec_method methods[] = { CODEC_ZLIB, CODEC_ZSTD, CODEC_DEFLATE };
	uint8_t *src = alloc_bytes(LEN), *z = alloc_bytes(LEN + 100), *out = alloc_bytes(2 * LEN);
	struct codec *c = codec_new(&e);
	uLongf zlen = LEN;
	size_t size, got;

	for (size_t i = 0; i < LEN; i++)
		src[i] = (uint8_t)(i % 251 * (i / 1000));
	if (_i == 1) {
		size = ZSTD_compress(z, LEN, src, LEN, 3);
	} else {
		ck_assert_int_eq(compress2(z, &zlen, src, LEN, 3), Z_OK);
		size = zlen;
		if (_i == 2)
			memmove(z, z + 2, size -= 6);
	}
	/* What lies behind the stream does not matter. */
	memset(z + size, 0, 100);
	ok(codec_decompress_some(c, methods[_i], out, 2 * LEN, z, size + 100, &got, &e));
	ck_assert_uint_eq(got, LEN);
	ck_assert_mem_eq(out, src, LEN);
	ok(codec_decompress_some(c, methods[_i], out, 1000, z, size, &got, &e));
	ck_assert_uint_eq(got, 1000);
	ck_assert_mem_eq(out, src, 1000);
	fails(codec_decompress_some(c, methods[_i], out, LEN, z, size / 2, &got, &e), ERR_CORRUPT);
	fails(codec_decompress_some(c, methods[_i], out, LEN, z, 0, &got, &e), ERR_CORRUPT);
	memset(z, 0xff, 20);
	fails(codec_decompress_some(c, methods[_i], out, LEN, z, size, &got, &e), ERR_CORRUPT);
	free(src);
	free(z);
	free(out);
	codec_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codec_some");
	TCase *t = tcase_create("codec_some");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, every_instruction_of_lzo_does_what_the_format_says);
	tcase_add_test(t, lzo_looks_far_back);
	tcase_add_test(t, lzo_does_not_look_before_its_output);
	tcase_add_loop_test(t, a_stream_gives_what_it_has_up_to_the_cap, 0, 3);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
