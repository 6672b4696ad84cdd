/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server has to offer, asked in the open and encrypted; and servers that say what they should not. */
#include "testing.h"

#include "nbd_list.h"
#include "nbd_proto.h"
#include "nbd_server.h"
#include "tls.h"

#include "alloc.h"
#include "limits.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct err e;
static struct block *b;
static struct nbd_server *s;

#define fails_with(call, code, text)                                                                                   \
	do {                                                                                                           \
		fails(call, code);                                                                                     \
		ck_assert_str_eq(e.msg, text);                                                                         \
	} while (0)

static void serve(struct tls_creds *tls)
{
	const struct nbd_server_how how = { .tls = tls };
	struct block_open open = { .format = "raw" };
	struct nbd_export exports[2] = { { .name = "", .description = "first" }, { .name = "b\xc3\xa4" } };
	FILE *f = fopen("disk", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ftruncate(fileno(f), 1 << 20), 0);
	ck_assert_int_eq(fclose(f), 0);
	ok(block_open("disk", &open, &b, &e));
	exports[0].block = exports[1].block = exports[1].depth_of = b;
	ok(nbd_server_new(exports, 2, &how, &s, &e));
}

static int ask(struct tls_creds *tls, struct nbd_listing *out)
{
	int pair[2], rc;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ok(nbd_server_client(s, pair[1], &e));
	rc = nbd_list(pair[0], tls, NULL, out, &e);
	close(pair[0]);
	return rc;
}

static void stop(void)
{
	ok(nbd_server_stop(s, &e));
	block_unref(b);
}

static void is_listed(const struct nbd_listing *l)
{
	ck_assert_uint_eq(l->n, 2);
	ck_assert_str_eq(l->items[0].name, "");
	ck_assert_str_eq(l->items[0].description, "first");
	ck_assert(l->items[0].known && l->items[0].size == 1 << 20 && l->items[0].max_block == LIMIT_NBD_PAYLOAD);
	ck_assert(l->items[0].flags & NBD_FLAG_READ_ONLY);
	ck_assert_uint_eq(l->items[0].ncontexts, 1);
	ck_assert_str_eq(l->items[1].name, "b\xc3\xa4");
	ck_assert_ptr_null(l->items[1].description);
	ck_assert_uint_eq(l->items[1].ncontexts, 2);
	ck_assert_str_eq(l->items[1].contexts[1], "qemu:allocation-depth");
}

START_TEST(exports_are_told_with_their_facts)
{
	struct nbd_listing l;

	serve(NULL);
	ok(ask(NULL, &l));
	is_listed(&l);
	nbd_listing_free(&l);
	stop();
}
END_TEST

/* ---- encrypted ---- */

static struct tls_creds *creds(const char *dir, const char *keys, bool is_client, const char *username)
{
	const struct tls_how how = { .dir = dir, .client = is_client, .psk = true, .username = username };
	struct tls_creds *out;
	char path[100];
	FILE *f;

	mkdir(dir, 0700);
	snprintf(path, sizeof path, "%s/keys.psk", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(keys, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ok(tls_creds_new(&how, &out, &e));
	return out;
}

#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "100102030405060708090a0b0c0d0e0f"

START_TEST(shared_keys_let_in_and_keep_out)
{
	static const struct {
		const char *keys, *username;
		bool good;
	} rows[] = {
		{ "anna:" KEY_A "\n", "anna", true },
		{ "# a comment\nother:" KEY_B "\nqemu:" KEY_B "\r\n", NULL, true },
		{ "anna:" KEY_B "\n", "anna", false },
		{ "nobody:" KEY_A "\n", "nobody", false },
	};
	struct tls_creds *server = creds("s", "anna:" KEY_A "\nqemu:" KEY_B "\n", false, NULL);
	struct tls_creds *own = creds("c", rows[_i].keys, true, rows[_i].username);
	struct nbd_listing l;

	serve(server);
	if (rows[_i].good) {
		ok(ask(own, &l));
		is_listed(&l);
		nbd_listing_free(&l);
	} else {
		fails(ask(own, &l), ERR_POLICY);
	}
	tls_creds_unref(own);
	tls_creds_unref(server);
	stop();
}
END_TEST

START_TEST(who_does_not_encrypt_is_told_to)
{
	struct tls_creds *server = creds("s", "qemu:" KEY_A "\n", false, NULL);
	struct nbd_listing l;

	serve(server);
	fails_with(ask(NULL, &l), ERR_POLICY, "the server serves those only who encrypt (TLS)");
	tls_creds_unref(server);
	stop();
}
END_TEST

START_TEST(who_encrypts_needs_a_server_that_can)
{
	struct tls_creds *own = creds("c", "qemu:" KEY_A "\n", true, NULL);
	struct nbd_listing l;

	serve(NULL);
	fails_with(ask(own, &l), ERR_UNSUPPORTED, "the server refuses to encrypt (error 2)");
	tls_creds_unref(own);
	stop();
}
END_TEST

START_TEST(files_of_keys_that_are_none_are_told)
{
	static const char *const wrong[] = { "qemu", "qemu:", "qemu:0", "qemu:0g", ":00", "# nothing\n" };
	const struct tls_how how = { .dir = "k", .psk = true };
	struct tls_creds *c;
	FILE *f;

	mkdir("k", 0700);
	fails(tls_creds_new(&how, &c, &e), ERR_SYSTEM);
	f = fopen("k/keys.psk", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(wrong[_i], f), 0);
	ck_assert_int_eq(fclose(f), 0);
	fails(tls_creds_new(&how, &c, &e), ERR_USAGE);
}
END_TEST

/* ---- servers that lie ---- */

#define GREETING "NBDMAGICIHAVEOPT\0\3"
#define REPLY "\0\3\xe8\x89\x04\x55\x65\xa9"

static const struct {
	const char *bytes;
	size_t len;
	enum err_code code;
	const char *text;
} liars[] = {
#define LIAR(bytes, code, text) { bytes, sizeof(bytes) - 1, code, text }
	LIAR("", ERR_CORRUPT, "the server has hung up"),
	LIAR("HTTP/1.1 400 Bad Request\r\n", ERR_CORRUPT, "the server does not speak NBD, or its oldest version only"),
	LIAR("NBDMAGICIHAVEOPT\0\0", ERR_UNSUPPORTED, "the server cannot list its exports"),
	LIAR(GREETING REPLY "\0\0\0\4\0\0\0\1\0\0\0\0", ERR_CORRUPT, "the server's answer is none to the option 3"),
	LIAR(GREETING REPLY "\0\0\0\3\0\0\0\2\xff\0\0\0", ERR_LIMIT, "the server's answer has 4278190080 bytes"),
	LIAR(GREETING REPLY "\0\0\0\3\0\0\0\2\0\0\0\2ab", ERR_CORRUPT, "the server's list of exports is damaged"),
	LIAR(GREETING REPLY "\0\0\0\3\0\0\0\2\0\0\0\5\0\0\0\2a", ERR_CORRUPT, "the server's list of exports is damaged"),
	LIAR(GREETING REPLY "\0\0\0\3\0\0\0\2\0\0\0\5\0\0\0\1\0", ERR_CORRUPT, "the server's list of exports is damaged"),
	LIAR(GREETING REPLY "\0\0\0\3\x80\0\0\1\0\0\0\0", ERR_UNSUPPORTED, "the server refuses to list its exports (error 1)"),
};

START_TEST(a_server_that_lies_gets_a_sentence)
{
	struct nbd_listing l;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(send(pair[1], liars[_i].bytes, liars[_i].len, MSG_NOSIGNAL), (ssize_t)liars[_i].len);
	shutdown(pair[1], SHUT_WR);
	fails_with(nbd_list(pair[0], NULL, NULL, &l, &e), liars[_i].code, liars[_i].text);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nbd_list");
	TCase *t = tcase_create("nbd_list");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_set_timeout(t, 200);
	tcase_add_test(t, exports_are_told_with_their_facts);
	tcase_add_loop_test(t, shared_keys_let_in_and_keep_out, 0, 4);
	tcase_add_test(t, who_does_not_encrypt_is_told_to);
	tcase_add_test(t, who_encrypts_needs_a_server_that_can);
	tcase_add_loop_test(t, files_of_keys_that_are_none_are_told, 0, 6);
	tcase_add_loop_test(t, a_server_that_lies_gets_a_sentence, 0, ARRAY_LEN(liars));
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
