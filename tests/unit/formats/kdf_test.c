/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "kdf.h"
#include "limits.h"

#include <string.h>

static struct err e;

static void is_hex(const uint8_t *bytes, size_t len, const char *want)
{
	char got[129];

	for (size_t i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", bytes[i]);
	ck_assert_str_eq(got, want);
}

static struct kdf argon2(enum kdf_alg alg, uint32_t memory, uint32_t lanes)
{
	struct kdf k = { .alg = alg, .cost = 2, .memory = memory, .lanes = lanes, .salt_len = 8 };

	memcpy(k.salt, "somesalt", 8);
	return k;
}

/* Those of the reference implementation's own tests. */
START_TEST(argon2_gives_the_published_vectors)
{
	static const struct {
		enum kdf_alg alg;
		uint32_t memory, lanes;
		const char *want;
	} known[] = {
		{ KDF_ARGON2I, 256, 1, "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f" },
		{ KDF_ARGON2ID, 256, 1, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe" },
		{ KDF_ARGON2ID, 256, 2, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037" },
	};
	uint8_t out[32];

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		struct kdf k = argon2(known[i].alg, known[i].memory, known[i].lanes);

		ok(kdf_judge(&k, &e));
		ok(kdf_derive(&k, "password", 8, out, sizeof out, &e));
		is_hex(out, sizeof out, known[i].want);
	}
}
END_TEST

START_TEST(pbkdf2_is_that_of_the_hashes)
{
	struct kdf k = { .alg = KDF_PBKDF2, .hash = HASH_SHA1, .cost = 4096, .salt_len = 4 };
	uint8_t out[20];

	memcpy(k.salt, "salt", 4);
	ok(kdf_judge(&k, &e));
	ok(kdf_derive(&k, "password", 8, out, sizeof out, &e));
	is_hex(out, sizeof out, "4b007901b765489abead49d926f721d065a429c1");
}
END_TEST

START_TEST(costs_that_make_no_sense_or_know_no_measure_are_refused)
{
	struct kdf k = argon2(KDF_ARGON2ID, 256, 1);

	k.cost = 0;
	fails(kdf_judge(&k, &e), ERR_CORRUPT);
	k = argon2(KDF_ARGON2ID, 256, 0);
	fails(kdf_judge(&k, &e), ERR_CORRUPT);
	k = argon2(KDF_ARGON2ID, 8 * LIMIT_ARGON2_LANES, LIMIT_ARGON2_LANES);
	ok(kdf_judge(&k, &e));
	k = argon2(KDF_ARGON2ID, UINT32_MAX, LIMIT_ARGON2_LANES + 1);
	fails(kdf_judge(&k, &e), ERR_LIMIT);
	k = argon2(KDF_ARGON2ID, 15, 2);
	fails(kdf_judge(&k, &e), ERR_CORRUPT);
	k = argon2(KDF_ARGON2ID, (uint32_t)LIMIT_ARGON2_KIB, 1);
	ok(kdf_judge(&k, &e));
	k.memory++;
	fails(kdf_judge(&k, &e), ERR_LIMIT);
	ck_assert_str_eq(e.msg, "Argon2 with 2048 MiB of memory");
	k = argon2(KDF_ARGON2ID, 256, 1);
	k.salt_len = 7;
	fails(kdf_judge(&k, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(what_cryptsetup_makes_costs_a_small_part_of_the_limit_and_the_most_does_not_overflow)
{
	struct kdf k = argon2(KDF_ARGON2ID, 1 << 20, 4);

	k.cost = 10;
	ck_assert_uint_lt(kdf_work(&k, 64), LIMIT_LUKS_WORK / 10);
	k.cost = k.memory = UINT32_MAX;
	ck_assert_uint_gt(kdf_work(&k, 64), LIMIT_LUKS_WORK);
	ck_assert_uint_le(kdf_work(&k, 64), INT64_MAX);
	k = (struct kdf){ .alg = KDF_PBKDF2, .hash = HASH_SHA256, .cost = 1000 };
	ck_assert_uint_eq(kdf_work(&k, 64), 2000);
}
END_TEST

TEST_MAIN("kdf", argon2_gives_the_published_vectors, pbkdf2_is_that_of_the_hashes,
	  costs_that_make_no_sense_or_know_no_measure_are_refused,
	  what_cryptsetup_makes_costs_a_small_part_of_the_limit_and_the_most_does_not_overflow)
