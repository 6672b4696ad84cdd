/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "upcase.h"

START_TEST(letters_have_the_upper_case_that_windows_gives_them)
{
	static const uint16_t pairs[][2] = {
		{ 'a', 'A' },	    { 'z', 'Z' },	{ 'A', 'A' },	    { '`', '`' },	{ '{', '{' },
		{ 0xe9, 0xc9 },	    { 0xff, 0x178 },	{ 0xdf, 0xdf },	    { 0xf7, 0xf7 },	{ 0x101, 0x100 },
		{ 0x100, 0x100 },   { 0x131, 0x131 },	{ 0x3b1, 0x391 },   { 0x3c2, 0x3c2 },	{ 0x430, 0x410 },
		{ 0x44f, 0x42f },   { 0x561, 0x531 },	{ 0x1e01, 0x1e00 }, { 0x1f00, 0x1f08 }, { 0x24d0, 0x24b6 },
		{ 0x3042, 0x3042 }, { 0xff41, 0xff21 }, { 0xff5a, 0xff3a }, { 0, 0 },		{ 0xffff, 0xffff },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		ck_assert_uint_eq(upcase_unit(pairs[i][0]), pairs[i][1]);
}
END_TEST

START_TEST(upper_case_is_its_own_upper_case)
{
	for (unsigned u = 0; u < 65536; u++)
		ck_assert_uint_eq(upcase_unit(upcase_unit((uint16_t)u)), upcase_unit((uint16_t)u));
}
END_TEST

TEST_MAIN("upcase", letters_have_the_upper_case_that_windows_gives_them, upper_case_is_its_own_upper_case)
