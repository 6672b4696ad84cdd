/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "blake2b.h"

#include <string.h>

static void is(const char *want, size_t outlen, const void *bytes, size_t len)
{
	uint8_t out[64];
	char hex[129];

	blake2b(out, outlen, bytes, len);
	for (size_t i = 0; i < outlen; i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	ck_assert_str_eq(hex, want);
}

START_TEST(the_rfc_s_own_example_comes_out)
{
	is("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
	   "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
	   64, "abc", 3);
}
END_TEST

/* What `b2sum -l 256` prints. */
START_TEST(digests_of_32_bytes_are_right_at_every_edge_of_a_block)
{
	uint8_t in[1024];

	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)i;
	is("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8", 32, in, 0);
	is("03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314", 32, in, 1);
	is("f2fe67ff342e21b8f45e8f2e0bcd1d9243245d50ee6c78042e9c491388791c72", 32, in, 127);
	is("c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1", 32, in, 128);
	is("f7f3c46ba2564ff4c4c162da1f5b605f9f1c4aa6a20652a9f9a337c1a2f5b9c9", 32, in, 129);
	is("39a7eb9fedc19aabc83425c6755dd90e6f9d0c804964a1f4aaeea3b9fb599835", 32, in, 256);
	is("f1551feeb252c7e60bb362205bd1ac2f70b145260a91d41e8c5d0a187549a5f2", 32, in, 1024);
}
END_TEST

TEST_MAIN("blake2b", the_rfc_s_own_example_comes_out, digests_of_32_bytes_are_right_at_every_edge_of_a_block)
