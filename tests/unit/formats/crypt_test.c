/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "crypt.h"

#include <pthread.h>
#include <string.h>

static struct err e;

static void hex(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void is_hex(const uint8_t *bytes, size_t len, const char *want)
{
	char got[2 * 512 + 1];

	hex(bytes, len, got);
	ck_assert_str_eq(got, want);
}

START_TEST(digests_are_those_of_the_standards)
{
	static const struct {
		const char *name, *of_abc;
	} known[] = {
		{ "md5", "900150983cd24fb0d6963f7d28e17f72" },
		{ "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
		{ "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "sha384",
		  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7" },
		{ "sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
		{ "ripemd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
		{ "whirlpool", "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
			       "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5" },
	};
	uint8_t out[HASH_MAX];
	enum hash_alg alg;

	ck_assert_uint_eq(ARRAY_LEN(known), HASH_N);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		ck_assert(hash_find(known[i].name, &alg));
		ck_assert_str_eq(hash_name(alg), known[i].name);
		hash_two(alg, "a", 1, "bc", 2, out);
		is_hex(out, hash_size(alg), known[i].of_abc);
	}
	ck_assert(!hash_find("sha3", &alg));
}
END_TEST

/* RFC 6070, and RFC 7914 section 11 for SHA-256. */
START_TEST(pbkdf2_gives_the_published_vectors)
{
	uint8_t out[64];

	hash_pbkdf2(HASH_SHA1, "password", 8, "salt", 4, 1, out, 20);
	is_hex(out, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
	hash_pbkdf2(HASH_SHA1, "password", 8, "salt", 4, 4096, out, 20);
	is_hex(out, 20, "4b007901b765489abead49d926f721d065a429c1");
	hash_pbkdf2(HASH_SHA1, "passwordPASSWORDpassword", 24, "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36, 4096, out,
		    25);
	is_hex(out, 25, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038");
	hash_pbkdf2(HASH_SHA1, "pass\0word", 9, "sa\0lt", 5, 4096, out, 16);
	is_hex(out, 16, "56fa6aa75548099dcc37d7f03425e0c3");
	hash_pbkdf2(HASH_SHA256, "passwd", 6, "salt", 4, 1, out, 64);
	is_hex(out, 64,
	       "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	       "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}
END_TEST

/* Keys longer than a block are hashed first: as libcrypto's own function has it. */
START_TEST(pbkdf2_agrees_with_openssl_for_every_digest_and_long_keys)
{
	for (unsigned alg = 0; alg < HASH_N; alg++) {
		uint8_t pass[200], out[80];
		char cmd[900], line[400], pass_hex[401], got[161];
		const char *name = hash_name((enum hash_alg)alg);
		FILE *p;

		memset(pass, 'p', sizeof pass);
		hex(pass, sizeof pass, pass_hex);
		snprintf(cmd, sizeof cmd,
			 "openssl kdf -provider default -provider legacy -keylen 80 -kdfopt digest:%s -kdfopt hexpass:%s "
			 "-kdfopt salt:saltsalt -kdfopt pkcs5:1 -kdfopt iter:77 PBKDF2 | tr -d ':\\n' | tr A-F a-f",
			 name, pass_hex);
		p = popen(cmd, "r");
		ck_assert_ptr_nonnull(fgets(line, sizeof line, p));
		pclose(p);
		hash_pbkdf2((enum hash_alg)alg, pass, sizeof pass, "saltsalt", 8, 77, out, sizeof out);
		hex(out, sizeof out, got);
		ck_assert_msg(strcmp(got, line) == 0, "%s: %s, not %s", name, got, line);
	}
}
END_TEST

START_TEST(measured_iterations_grow_with_the_time)
{
	uint64_t few = hash_pbkdf2_iterations(HASH_SHA256, 32, 20),
		 many = hash_pbkdf2_iterations(HASH_SHA256, 32, 2000);

	ck_assert_uint_gt(few, 1000);
	ck_assert_uint_gt(many, 10 * few);
	ck_assert_uint_eq(hash_pbkdf2_work(HASH_SHA256, 10, 64), 20);
	ck_assert_uint_eq(hash_pbkdf2_work(HASH_SHA1, 10, 64), 40);
}
END_TEST

static struct crypt *cipher(enum crypt_alg alg, enum crypt_mode mode, enum crypt_ivgen ivgen)
{
	struct crypt_spec s = { .alg = alg,
				.mode = mode,
				.ivgen = ivgen,
				.has_ivgen_hash = ivgen == CRYPT_ESSIV,
				.ivgen_hash = HASH_SHA256 };
	uint8_t key[CRYPT_KEY_MAX];
	struct crypt *c;

	for (unsigned i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(i * 7 + 1);
	ok(crypt_new(&s, key, &c, &e));
	return c;
}

/* IEEE 1619-2007, vector 10: XTS-AES-256, data unit ff. */
START_TEST(xts_gives_the_published_vector)
{
	static const uint8_t key[64] = {
		0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45, 0x23, 0x53, 0x60, 0x28, 0x74, 0x71, 0x35, 0x26,
		0x62, 0x49, 0x77, 0x57, 0x24, 0x70, 0x93, 0x69, 0x99, 0x59, 0x57, 0x49, 0x66, 0x96, 0x76, 0x27,
		0x31, 0x41, 0x59, 0x26, 0x53, 0x58, 0x97, 0x93, 0x23, 0x84, 0x62, 0x64, 0x33, 0x83, 0x27, 0x95,
		0x02, 0x88, 0x41, 0x97, 0x16, 0x93, 0x99, 0x37, 0x51, 0x05, 0x82, 0x09, 0x74, 0x94, 0x45, 0x92,
	};
	static const struct crypt_spec spec = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 };
	uint8_t data[512];
	struct crypt *c;

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)i;
	ok(crypt_new(&spec, key, &c, &e));
	ok(crypt_sectors(c, true, data, data, 512, 0xff * 512, &e));
	is_hex(data, 16, "1c3b3a102f770386e4836c99e370cf9b");
	ok(crypt_sectors(c, false, data, data, 512, 0xff * 512, &e));
	ck_assert_uint_eq(data[300], 300 - 256);
	crypt_free(c);
}
END_TEST

/* IEEE 1619 by the letter, over the bare cipher: the tweak doubles from block to block through all of the sector. */
static void xts_by_hand(enum crypt_alg alg, const uint8_t *key, uint64_t number, const uint8_t *in, uint8_t *out, size_t len)
{
	const struct crypt_spec ecb = { .alg = alg, .mode = CRYPT_ECB };
	uint8_t tweak[512] = { 0 };
	struct crypt *data, *tweaks;

	ok(crypt_new(&ecb, key, &data, &e));
	ok(crypt_new(&ecb, key + crypt_key_bytes(&ecb), &tweaks, &e));
	memcpy(tweak, &(uint64_t){ number }, 8);
	ok(crypt_sectors(tweaks, true, tweak, tweak, sizeof tweak, 0, &e));
	for (size_t at = 0; at < len; at += 16) {
		uint8_t block[512] = { 0 };
		unsigned carry = tweak[15] >> 7;

		for (unsigned i = 0; i < 16; i++)
			block[i] = in[at + i] ^ tweak[i];
		ok(crypt_sectors(data, true, block, block, sizeof block, 0, &e));
		for (unsigned i = 0; i < 16; i++)
			out[at + i] = block[i] ^ tweak[i];
		for (unsigned i = 16; i-- > 1;)
			tweak[i] = (uint8_t)(tweak[i] << 1 | tweak[i - 1] >> 7);
		tweak[0] = (uint8_t)(tweak[0] << 1 ^ (carry ? 0x87 : 0));
	}
	crypt_free(data);
	crypt_free(tweaks);
}

static void cbc_by_openssl(enum crypt_alg alg, const uint8_t *key, uint64_t number, const uint8_t *in, uint8_t *out,
			   size_t len)
{
	const struct crypt_spec s = { .alg = alg, .mode = CRYPT_CBC };
	char key_hex[2 * CRYPT_KEY_MAX + 1], cmd[400];
	FILE *f = fopen("in", "w");

	ck_assert_uint_eq(fwrite(in, 1, len, f), len);
	fclose(f);
	hex(key, crypt_key_bytes(&s), key_hex);
	snprintf(cmd, sizeof cmd, "openssl enc -%s-cbc -nopad -K %s -iv %02x%030x -in in -out out", crypt_alg_name(alg), key_hex,
		 (unsigned)number, 0u);
	ck_assert_int_eq(system(cmd), 0);
	f = fopen("out", "r");
	ck_assert_uint_eq(fread(out, 1, len, f), len);
	fclose(f);
}

START_TEST(a_larger_sector_is_one_unit_under_the_number_of_its_first_512_bytes)
{
	for (unsigned alg = CRYPT_AES_128; alg <= CRYPT_AES_256; alg++) {
		for (unsigned i = 0; i < 8; i++) {
			struct crypt_spec s = { .alg = (enum crypt_alg)alg, .mode = i % 2 ? CRYPT_XTS : CRYPT_CBC,
						.ivgen = CRYPT_PLAIN64, .sector = 512u << i / 2 };
			uint8_t key[CRYPT_KEY_MAX], plain[8192], ours[8192], theirs[8192];
			struct crypt *c;

			for (unsigned k = 0; k < sizeof key; k++)
				key[k] = (uint8_t)(k * 7 + 1);
			for (unsigned k = 0; k < sizeof plain; k++)
				plain[k] = (uint8_t)(k * 3 + k / 256);
			for (size_t at = 0; at < sizeof plain; at += s.sector)
				(s.mode == CRYPT_XTS ? xts_by_hand : cbc_by_openssl)(
					s.alg, key, 3 + at / 512, plain + at, theirs + at, s.sector);
			ok(crypt_new(&s, key, &c, &e));
			ok(crypt_sectors(c, true, ours, plain, sizeof plain, 3 * 512, &e));
			ck_assert_mem_eq(ours, theirs, sizeof ours);
			ok(crypt_sectors(c, false, ours, ours, sizeof ours, 3 * 512, &e));
			ck_assert_mem_eq(ours, plain, sizeof ours);
			fails(crypt_sectors(c, false, ours, ours, s.sector / 2, 0, &e), ERR_USAGE);
			crypt_free(c);
		}
	}
}
END_TEST

START_TEST(a_sector_size_that_is_none_is_refused)
{
	static const unsigned sizes[] = { 1, 256, 513, 1536, 8192, 0x80000000u };
	struct crypt_spec s = { .alg = CRYPT_AES_256, .mode = CRYPT_XTS, .ivgen = CRYPT_PLAIN64 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		s.sector = sizes[i];
		fails(crypt_judge(&s, &e), ERR_CORRUPT);
	}
}
END_TEST

START_TEST(every_cipher_comes_back_and_tells_sectors_apart)
{
	for (unsigned alg = 0; alg < CRYPT_ALG_N; alg++)
		for (unsigned mode = 0; mode < CRYPT_MODE_N; mode++)
			for (unsigned iv = 0; iv < CRYPT_IVGEN_N; iv++) {
				bool cast = alg == CRYPT_CAST5_128;
				uint8_t plain[1536], data[1536], one[512];
				struct crypt *c;

				if (cast && (mode == CRYPT_XTS || iv == CRYPT_ESSIV))
					continue;
				memset(plain, 'p', sizeof plain);
				c = cipher((enum crypt_alg)alg, (enum crypt_mode)mode, (enum crypt_ivgen)iv);
				ok(crypt_sectors(c, true, data, plain, sizeof data, 512 * 77, &e));
				ck_assert(memcmp(data, plain, 512) != 0);
				ck_assert_int_eq(memcmp(data, data + 512, 512) == 0, mode == CRYPT_ECB);
				ok(crypt_sectors(c, true, one, plain, 512, 512 * 78, &e));
				ck_assert_mem_eq(one, data + 512, 512);
				ok(crypt_sectors(c, false, one, data + 1024, 512, 512 * 79, &e));
				ck_assert_mem_eq(one, plain, 512);
				ok(crypt_sectors(c, false, data, data, sizeof data, 512 * 77, &e));
				ck_assert_mem_eq(data, plain, sizeof data);
				fails(crypt_sectors(c, true, data, data, 511, 0, &e), ERR_USAGE);
				crypt_free(c);
			}
}
END_TEST

START_TEST(plain_vectors_begin_again_after_32_bits_and_plain64_do_not)
{
	for (unsigned iv = CRYPT_PLAIN; iv <= CRYPT_PLAIN64; iv++) {
		struct crypt *c = cipher(CRYPT_AES_256, CRYPT_CBC, (enum crypt_ivgen)iv);
		uint8_t low[512] = { 0 }, high[512] = { 0 };

		ok(crypt_sectors(c, true, low, low, 512, 512 * 5, &e));
		ok(crypt_sectors(c, true, high, high, 512, 512 * (5 + (1ULL << 32)), &e));
		ck_assert_int_eq(memcmp(low, high, 512) == 0, iv == CRYPT_PLAIN);
		crypt_free(c);
	}
}
END_TEST

START_TEST(what_does_not_go_together_is_refused_in_words)
{
	struct crypt_spec s = { .alg = CRYPT_CAST5_128, .mode = CRYPT_XTS };
	enum crypt_alg alg;

	fails(crypt_judge(&s, &e), ERR_UNSUPPORTED);
	s = (struct crypt_spec){
		.alg = CRYPT_AES_256, .ivgen = CRYPT_ESSIV, .has_ivgen_hash = true, .ivgen_hash = HASH_SHA1
	};
	fails(crypt_judge(&s, &e), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "no AES cipher with key size 20 available"));
	fails(crypt_find_alg("serpent-256", &alg, &e), ERR_UNSUPPORTED);
	ck_assert_str_eq(e.msg, "algorithm 'serpent-256' not supported: aes and cast5 are");
	fails(crypt_find_alg("zz", &alg, &e), ERR_USAGE);
	fails(crypt_spec_from_luks("serpent", "xts-plain64", 64, &s, &e), ERR_UNSUPPORTED);
	fails(crypt_spec_from_luks("aes", "xts-benbi", 64, &s, &e), ERR_UNSUPPORTED);
	fails(crypt_spec_from_luks("aes", "lrw-plain64", 64, &s, &e), ERR_UNSUPPORTED);
	fails(crypt_spec_from_luks("aes", "cbc", 32, &s, &e), ERR_UNSUPPORTED);
	fails(crypt_spec_from_luks("aes", "xts-plain64", 63, &s, &e), ERR_CORRUPT);
	fails(crypt_spec_from_luks("aes", "cbc-essiv", 32, &s, &e), ERR_UNSUPPORTED);
	ok(crypt_spec_from_luks("aes", "ecb", 32, &s, &e));
	ok(crypt_spec_from_luks("aes", "cbc-essiv:sha256", 16, &s, &e));
	ck_assert_int_eq(s.alg, CRYPT_AES_128);
}
END_TEST

static void *work(void *arg)
{
	uint8_t *data = alloc_bytes(64 * 512);
	unsigned long bad = 0;

	for (unsigned i = 0; i < 200; i++) {
		memset(data, (int)i, 64 * 512);
		bad += crypt_sectors(arg, true, data, data, 64 * 512, i * 512ULL, NULL) != 0;
		bad += crypt_sectors(arg, false, data, data, 64 * 512, i * 512ULL, NULL) != 0;
		for (unsigned k = 0; k < 64 * 512; k++)
			bad += data[k] != (uint8_t)i;
	}
	free(data);
	return (void *)bad;
}

START_TEST(many_threads_share_one_cipher)
{
	struct crypt *c = cipher(CRYPT_AES_256, CRYPT_CBC, CRYPT_ESSIV);
	pthread_t t[4];

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, work, c), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *bad;
		pthread_join(t[i], &bad);
		ck_assert_ptr_null(bad);
	}
	crypt_free(c);
}
END_TEST

TEST_MAIN("crypt", digests_are_those_of_the_standards, pbkdf2_gives_the_published_vectors,
	  pbkdf2_agrees_with_openssl_for_every_digest_and_long_keys, measured_iterations_grow_with_the_time,
	  xts_gives_the_published_vector, a_larger_sector_is_one_unit_under_the_number_of_its_first_512_bytes,
	  a_sector_size_that_is_none_is_refused, every_cipher_comes_back_and_tells_sectors_apart,
	  plain_vectors_begin_again_after_32_bits_and_plain64_do_not, what_does_not_go_together_is_refused_in_words,
	  many_threads_share_one_cipher)
