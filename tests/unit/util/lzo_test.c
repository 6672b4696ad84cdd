/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lzo_test.c - LZO1X, instruction by instruction. */
#include "testing.h"

#include "alloc.h"
#include "lzo.h"

#include <stdint.h>
#include <string.h>

/* Every byte is checked to be needed, and the buffer to be kept: exact sizes under AddressSanitizer. */
static void lzo_gives(const char *hex, const char *want, size_t len)
{
	size_t n = 0, got;
	uint8_t *in, *out = alloc_bytes(len);

	in = alloc_bytes(strlen(hex) / 2);
	for (const char *p = hex; *p; p += 2)
		sscanf(p, "%2hhx", &in[n++]);
	ck_assert(lzo_decompress(out, len, in, n, &got));
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(out, want, len);
	ck_assert(!lzo_decompress(out, len - 1, in, n, &got));
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *part = alloc_bytes(cut ? cut : 1);

		memcpy(part, in, cut);
		ck_assert(!lzo_decompress(out, len, part, cut, &got));
		free(part);
	}
	free(in);
	free(out);
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
	ck_assert(lzo_decompress(out, 40000, z, n, &got));
	ck_assert_uint_eq(got, 3 + 20000 + 3 + 1 + 2 + 4 + 3);
	ck_assert_mem_eq(out, "abccc", 5);
	ck_assert_mem_eq(out + 20002, "cabc!!!wxyzccc", 14);
	free(out);
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
	uint8_t out[100];
	size_t got;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert(!lzo_decompress(out, sizeof out, bad[i].bytes, bad[i].len, &got));
}
END_TEST

TEST_MAIN("lzo", every_instruction_of_lzo_does_what_the_format_says, lzo_looks_far_back, lzo_does_not_look_before_its_output)
