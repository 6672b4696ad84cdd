/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "crc32c.h"

#include <string.h>

/* RFC 3720, appendix B.4 */
START_TEST(the_examples_of_the_iscsi_specification_hold)
{
	uint8_t buf[32];

	memset(buf, 0, sizeof buf);
	ck_assert_uint_eq(~crc32c(~0u, buf, sizeof buf), 0x8a9136aa);
	memset(buf, 0xff, sizeof buf);
	ck_assert_uint_eq(~crc32c(~0u, buf, sizeof buf), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)i;
	ck_assert_uint_eq(~crc32c(~0u, buf, sizeof buf), 0x46dd794e);
	ck_assert_uint_eq(~crc32c(~0u, "123456789", 9), 0xe3069283);
}
END_TEST

START_TEST(pieces_give_what_the_whole_gives)
{
	uint8_t buf[4096];
	uint32_t whole;

	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)(i * 31 + i / 256);
	whole = crc32c(~0u, buf, sizeof buf);
	for (size_t cut = 0; cut <= sizeof buf; cut += 61)
		ck_assert_uint_eq(crc32c(crc32c(~0u, buf, cut), buf + cut, sizeof buf - cut), whole);
	ck_assert_uint_eq(crc32c(5, buf, 0), 5);
}
END_TEST

TEST_MAIN("crc32c", the_examples_of_the_iscsi_specification_hold, pieces_give_what_the_whole_gives)
