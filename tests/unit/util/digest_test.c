/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "digest.h"

#include "alloc.h"

#include <check.h>

static const enum digest_kind kinds[] = { DIGEST_CRC,	 DIGEST_MD5,	DIGEST_SHA1,  DIGEST_SHA224,
					  DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
static const char *const words[] = { "crc", "md5", "sha1", "sha224", "sha256", "sha384", "sha512" };

static void of(enum digest_kind kind, const void *bytes, size_t len, size_t piece, char text[DIGEST_TEXT])
{
	struct digest d;

	digest_start(&d, kind);
	for (size_t at = 0; at < len; at += piece)
		digest_add(&d, (const char *)bytes + at, MIN_OF(piece, len - at));
	digest_end(&d, text);
}

START_TEST(the_published_examples_come_out)
{
	char t[DIGEST_TEXT];

	of(DIGEST_CRC, "123456789", 9, 9, t);
	ck_assert_str_eq(t, "930766865");
	of(DIGEST_MD5, "", 0, 1, t);
	ck_assert_str_eq(t, "d41d8cd98f00b204e9800998ecf8427e");
	of(DIGEST_MD5, "message digest", 14, 14, t);
	ck_assert_str_eq(t, "f96b697d7cb7938d525a2f31aaf161d0");
	of(DIGEST_SHA1, "abc", 3, 3, t);
	ck_assert_str_eq(t, "a9993e364706816aba3e25717850c26c9cd0d89d");
	of(DIGEST_SHA224, "abc", 3, 3, t);
	ck_assert_str_eq(t, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
	of(DIGEST_SHA256, "abc", 3, 3, t);
	ck_assert_str_eq(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	of(DIGEST_SHA384, "abc", 3, 3, t);
	ck_assert_str_eq(t, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			    "8086072ba1e7cc2358baeca134c825a7");
	of(DIGEST_SHA512, "abc", 3, 3, t);
	ck_assert_str_eq(t, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}
END_TEST

START_TEST(a_million_letters_come_out)
{
	CLEANUP(free_ptr) char *a = malloc(1000000);
	char t[DIGEST_TEXT];

	ck_assert_ptr_nonnull(a);
	memset(a, 'a', 1000000);
	of(DIGEST_SHA256, a, 1000000, 1000000, t);
	ck_assert_str_eq(t, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	of(DIGEST_MD5, a, 1000000, 1000000, t);
	ck_assert_str_eq(t, "7707d6ae4e027c70eea2a935c2296f21");
}
END_TEST

START_TEST(it_does_not_matter_in_which_pieces_bytes_come)
{
	static const size_t pieces[] = { 1, 3, 63, 64, 65, 127, 128, 129, 2048 };
	uint8_t bytes[3000];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t len = 0; len < 300; len++) {
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			char whole[DIGEST_TEXT], parts[DIGEST_TEXT];
			size_t n = len > 290 ? sizeof bytes : len;

			of(kinds[k], bytes, n, sizeof bytes, whole);
			of(kinds[k], bytes, n, pieces[len % ARRAY_LEN(pieces)], parts);
			ck_assert_str_eq(whole, parts);
		}
	}
}
END_TEST

START_TEST(kinds_are_known_by_their_words)
{
	enum digest_kind k;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		ck_assert(digest_kind_parse(words[i], &k));
		ck_assert_int_eq(k, kinds[i]);
	}
	ck_assert(!digest_kind_parse("sha3", &k));
	ck_assert(!digest_kind_parse("", &k));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("digest");
	TCase *t = tcase_create("digest");
	SRunner *r;
	int failed;

	tcase_add_test(t, the_published_examples_come_out);
	tcase_add_test(t, a_million_letters_come_out);
	tcase_add_test(t, it_does_not_matter_in_which_pieces_bytes_come);
	tcase_add_test(t, kinds_are_known_by_their_words);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
