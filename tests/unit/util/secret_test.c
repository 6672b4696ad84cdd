/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "limits.h"
#include "secret.h"

#include <string.h>

static struct err e;

static int add(struct secrets *s, const char *text)
{
	err_clear(&e);
	return secrets_add_object(s, text, &e);
}

static void is(const struct secrets *s, const char *id, const void *bytes, size_t len)
{
	const struct locked *data;

	ok(secrets_find(s, id, &data, &e));
	ck_assert_uint_eq(data->len, len);
	ck_assert_mem_eq(data->p, bytes, len);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

START_TEST(data_is_taken_as_it_is_written)
{
	struct secrets s = SECRETS_INIT;

	ok(add(&s, "secret,id=a,data=pass,,word"));
	ok(add(&s, "secret,id=b,data=,format=raw"));
	ok(add(&s, "{\"qom-type\":\"secret\",\"id\":\"c\",\"data\":\"x y\"}"));
	is(&s, "a", "pass,word", 9);
	is(&s, "b", "", 0);
	is(&s, "c", "x y", 3);
	secrets_free(&s);
}
END_TEST

START_TEST(a_file_is_taken_whole_with_its_newline)
{
	struct secrets s = SECRETS_INIT;
	char *big = alloc_zero(100000);

	write_file("f", "word\n", 5);
	memset(big, 'x', 100000);
	write_file("big", big, 100000);
	ok(add(&s, "secret,id=a,file=f"));
	is(&s, "a", "word\n", 5);
	ok(add(&s, "secret,id=b,file=big"));
	is(&s, "b", big, 100000);
	fails(add(&s, "secret,id=c,file=none"), ERR_SYSTEM);
	ck_assert_str_eq(e.msg, "unable to read none: No such file or directory");
	ck_assert_int_eq(truncate("big", LIMIT_SECRET), 0);
	fails(add(&s, "secret,id=c,file=big"), ERR_LIMIT);
	secrets_free(&s);
	free(big);
}
END_TEST

START_TEST(base64_is_decoded_and_judged)
{
	static const char *const bad[] = {
		"YWJj=", "YWJ", "YQ=a", "====", "Y===", "Y*Jj", "YQ====", "YQ==YQ==", "YWJjZ"
	};
	struct secrets s = SECRETS_INIT;
	char text[64];

	ok(add(&s, "secret,id=a,data=YWJj,format=base64"));
	is(&s, "a", "abc", 3);
	ok(add(&s, "secret,id=b,data=YWI=,format=base64"));
	is(&s, "b", "ab", 2);
	ok(add(&s, "secret,id=c,data=+/8AYQ==,format=base64"));
	is(&s, "c", "\xfb\xff\0a", 4);
	write_file("f", "YW\nJj\n", 6);
	ok(add(&s, "secret,id=d,file=f,format=base64"));
	is(&s, "d", "abc", 3);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof text, "secret,id=x,format=base64,data=%s", bad[i]);
		fails(add(&s, text), ERR_USAGE);
		ck_assert_msg(strstr(e.msg, "base64"), "%s: %s", bad[i], e.msg);
	}
	secrets_free(&s);
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "secret,data=a", "parameter 'id' is missing" },
		{ "secret,id=a", "either 'file' or 'data' must be provided" },
		{ "secret,id=a,data=b,file=c", "'file' and 'data' are mutually exclusive" },
		{ "secret,id=a,data=b,format=hex", "parameter 'format' does not accept value 'hex'" },
		{ "secret,id=a,data=b,zap=c", "parameter 'zap' is unexpected" },
		{ "secret,id=there,data=b", "attempt to add duplicate property 'there' to object" },
		{ "id=a,data=b", "parameter 'qom-type' is missing" },
	};
	struct secrets s = SECRETS_INIT;
	const struct locked *data;

	ok(add(&s, "secret,id=there,data=x"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		fails(add(&s, bad[i].text), ERR_USAGE);
		ck_assert_str_eq(e.msg, bad[i].msg);
	}
	fails(add(&s, "tls-creds-x509,id=t"), ERR_UNSUPPORTED);
	ck_assert_uint_eq(s.n, 1);
	fails(secrets_find(&s, "a", &data, &e), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "no secret with id 'a'");
	fails(secrets_find(NULL, "a", &data, &e), ERR_NOT_FOUND);
	secrets_free(&s);
}
END_TEST

START_TEST(a_passphrase_is_text)
{
	struct secrets s = SECRETS_INIT;
	const struct locked *data;

	ok(add(&s, "secret,id=a,data=/w==,format=base64"));
	ok(add(&s, "secret,id=b,data=YQBi,format=base64"));
	ok(add(&s, "secret,id=c,data=\xc3\xa4"));
	fails(secrets_find_text(&s, "a", &data, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "data from secret a is not valid UTF-8");
	fails(secrets_find_text(&s, "b", &data, &e), ERR_USAGE);
	ok(secrets_find_text(&s, "c", &data, &e));
	ck_assert_uint_eq(data->len, 2);
	secrets_free(&s);
}
END_TEST

/* The openssl command is the judge. */
START_TEST(a_secret_under_another_is_decrypted)
{
	static const char key[] = "secret,id=k,format=base64,data=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
	static const char iv[] = "Dw4NDAsKCQgHBgUEAwIBAA==";
	struct secrets s = SECRETS_INIT;
	char cipher[64], text[256];
	FILE *p = popen("printf secret | openssl enc -aes-256-cbc -A -base64 -iv 0f0e0d0c0b0a09080706050403020100 -K "
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 2>/dev/null",
			"r");

	ck_assert_ptr_nonnull(fgets(cipher, sizeof cipher, p));
	ck_assert_int_eq(pclose(p), 0);
	cipher[strcspn(cipher, "\n")] = '\0';
	ok(add(&s, key));
	ok(add(&s, "secret,id=short,data=abc"));
	snprintf(text, sizeof text, "secret,id=a,format=base64,keyid=k,iv=%s,data=%s", iv, cipher);
	ok(add(&s, text));
	is(&s, "a", "secret", 6);
	snprintf(text, sizeof text, "secret,id=b,format=base64,keyid=k,data=%s", cipher);
	fails(add(&s, text), ERR_USAGE);
	ck_assert_str_eq(e.msg, "IV is required to decrypt secret");
	snprintf(text, sizeof text, "secret,id=b,format=base64,keyid=short,iv=%s,data=%s", iv, cipher);
	fails(add(&s, text), ERR_USAGE);
	ck_assert_str_eq(e.msg, "key should be 32 bytes in length");
	snprintf(text, sizeof text, "secret,id=b,format=base64,keyid=k,iv=YWJj,data=%s", cipher);
	fails(add(&s, text), ERR_USAGE);
	ck_assert_str_eq(e.msg, "IV should be 16 bytes in length instead of 3");
	snprintf(text, sizeof text, "secret,id=b,format=base64,keyid=none,iv=%s,data=%s", iv, cipher);
	fails(add(&s, text), ERR_NOT_FOUND);
	snprintf(text, sizeof text, "secret,id=b,format=base64,keyid=k,iv=%s,data=YWJj", iv);
	fails(add(&s, text), ERR_USAGE);
	secrets_free(&s);
}
END_TEST

START_TEST(freed_memory_is_empty_and_may_be_freed_again)
{
	struct locked m = LOCKED_INIT, other;

	ck_assert(locked_copy(&m, "key", 3));
	ck_assert_mem_eq(m.p, "key\0\0", 5);
	other = locked_take(&m);
	ck_assert_ptr_null(m.p);
	locked_free(&m);
	locked_free(&other);
	ck_assert_ptr_null(other.p);
	locked_free(&other);
}
END_TEST

START_TEST(memory_that_runs_out_is_an_error_and_nothing_is_added)
{
	struct secrets s = SECRETS_INIT;

	write_file("f", "YWJj", 4);
	for (unsigned long n = 1;; n++) {
		int rc;

		alloc_fault_at(n);
		rc = add(&s, "secret,id=a,file=f,format=base64");
		if (!alloc_fault_hit())
			break;
		ck_assert_int_eq(rc, -(int)ERR_NOMEM);
		ck_assert_uint_eq(s.n, 0);
	}
	alloc_fault_at(0);
	is(&s, "a", "abc", 3);
	secrets_free(&s);
}
END_TEST

TEST_MAIN("secret", data_is_taken_as_it_is_written, a_file_is_taken_whole_with_its_newline,
	  base64_is_decoded_and_judged, options_that_make_no_sense_are_refused, a_passphrase_is_text,
	  a_secret_under_another_is_decrypted, freed_memory_is_empty_and_may_be_freed_again,
	  memory_that_runs_out_is_an_error_and_nothing_is_added)
