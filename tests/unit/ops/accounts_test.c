/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accounts_test.c - passwords, users and keys, in a folder that stands for a guest. */
#include "testing.h"

#include "accounts.h"
#include "host_tree.h"

#include <crypt.h>

static struct err e = ERR_INIT;
static struct host_tree h;

static void guest(void)
{
	host_tree_new(&h, "linux", "debian");
	host_put(&h, "/etc/passwd",
		 "root:x:0:0:root:/root:/bin/bash\n+nis\nann:x:1000:1000:Ann,,,:/home/ann:/bin/"
		 "sh\nnobody:x:65534:65534::/:/bin/false\n");
	host_put(&h, "/etc/shadow", "root:$6$a$b:19000:0:99999:7:::\nann:!:19000::::::\n");
	host_put(&h, "/etc/group", "root:x:0:\nsudo:x:27:ann\nann:x:1000:\nwheel:x:28:bob,ann,eve\n");
	host_put(&h, "/etc/gshadow", "root:*::\nsudo:*::ann\nann:!::\n");
	host_put(&h, "/etc/subuid", "ann:100000:65536\n");
	host_put(&h, "/home/ann/x", "x");
	host_put(&h, "/root" "/x", "x");
}

START_TEST(each_selector_is_understood)
{
	static const struct {
		const char *selector;
		enum password_kind kind;
		bool locked;
		const char *text;
	} cases[] = {
		{ "password:a:b", PASSWORD_TEXT, false, "a:b" }, { "password:", PASSWORD_TEXT, false, "" },
		{ "file:secret", PASSWORD_TEXT, false, "of file" },	 { "disabled", PASSWORD_DISABLED, false, NULL },
		{ "locked", PASSWORD_DISABLED, true, NULL },	 { "locked:password:x", PASSWORD_TEXT, true, "x" },
		{ "locked:disabled", PASSWORD_DISABLED, true, NULL },
	};
	FILE *f = fopen("secret", "w");

	fputs("of file\nsecond\n", f);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct password p;

		ok(password_parse(cases[i].selector, &p, &e));
		ck_assert_int_eq(p.kind, cases[i].kind);
		ck_assert_int_eq(p.locked, cases[i].locked);
		if (cases[i].text)
			ck_assert_str_eq((const char *)p.text.p, cases[i].text);
		password_free(&p);
	}
}
END_TEST

START_TEST(a_wrong_selector_is_refused_and_not_repeated)
{
	static const char *const wrong[] = { "", "secret", "locked:secret", "lockedx", "random:1", "file", "password" };
	struct password p;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		fails(password_parse(wrong[i], &p, &e), ERR_USAGE);
		ck_assert_ptr_null(strstr(e.msg, "secret"));
	}
	fails(password_parse("file:/no/such", &p, &e), ERR_SYSTEM);
}
END_TEST

START_TEST(a_random_password_differs_each_time)
{
	struct password p, q;

	ok(password_parse("random", &p, &e));
	ok(password_parse("random", &q, &e));
	ck_assert_uint_eq(strlen((const char *)p.text.p), 16);
	ck_assert_str_ne((const char *)p.text.p, (const char *)q.text.p);
	password_free(&p);
	password_free(&q);
}
END_TEST

START_TEST(the_hash_is_of_the_kind_that_the_guest_uses)
{
	enum password_hash hash;

	host_tree_new(&h, "linux", "debian");
	ok(password_hash_of(&h.tree, &hash, &e));
	ck_assert_int_eq(hash, PASSWORD_HASH_SHA512);
	host_put(&h, "/etc/shadow", "root:*:1\nann:!$1$x$y:2\n");
	ok(password_hash_of(&h.tree, &hash, &e));
	ck_assert_int_eq(hash, PASSWORD_HASH_MD5);
	host_put(&h, "/etc/login.defs", "# ENCRYPT_METHOD DES\nENCRYPT_METHOD\tSHA256\n");
	ok(password_hash_of(&h.tree, &hash, &e));
	ck_assert_int_eq(hash, PASSWORD_HASH_SHA256);
	host_put(&h, "/etc/pam.d/common-password", "# x\npassword\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n");
	ok(password_hash_of(&h.tree, &hash, &e));
	ck_assert_int_eq(hash, PASSWORD_HASH_YESCRYPT);
	host_tree_free(&h);
}
END_TEST

START_TEST(a_field_is_what_crypt_verifies)
{
	static const char *const marks[] = { [PASSWORD_HASH_MD5] = "$1$",    [PASSWORD_HASH_SHA256] = "$5$",
					     [PASSWORD_HASH_SHA512] = "$6$", [PASSWORD_HASH_YESCRYPT] = "$y$",
					     [PASSWORD_HASH_BCRYPT] = "$2b$" };

	for (enum password_hash hash = PASSWORD_HASH_MD5; hash <= PASSWORD_HASH_BCRYPT; hash++) {
		struct password p;
		char *field;

		ok(password_parse("locked:password:s3cret", &p, &e));
		ok(password_field(&p, hash, &field, &e));
		ck_assert_int_eq(strncmp(field, "!!", 2), 0);
		ck_assert_int_eq(strncmp(field + 2, marks[hash], strlen(marks[hash])), 0);
		ck_assert_str_eq(crypt("s3cret", field + 2), field + 2);
		free(field);
		password_free(&p);
	}
}
END_TEST

START_TEST(a_password_changes_one_field_of_one_line)
{
	guest();
	ok(account_set_password(&h.tree, "ann", "*", &e));
	ck_assert_str_eq(host_get(&h, "/etc/shadow"), "root:$6$a$b:19000:0:99999:7:::\nann:*:19000::::::\n");
	fails(account_set_password(&h.tree, "an", "*", &e), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "the guest has no user \"an\"");
	host_tree_free(&h);
}
END_TEST

START_TEST(a_new_user_has_its_lines_and_its_home)
{
	guest();
	host_put(&h, "/etc/skel/.profile", "skel");
	ok(account_add(&h.tree, "bob", "sudo", &e));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/passwd"), "\nbob:x:1001:1001::/home/bob:/bin/sh\n"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/shadow"), "\nbob:!::0:99999:7:::\n"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/group"), "\nsudo:x:27:ann,bob\n"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/group"), "\nbob:x:1001:\n"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/gshadow"), "\nsudo:*::ann,bob\n"));
	ck_assert_str_eq(host_get(&h, "/etc/subuid"), "ann:100000:65536\nbob:165536:65536\n");
	ck_assert_str_eq(host_get(&h, "/home/bob/.profile"), "skel");
	ck_assert_ptr_nonnull(strstr(h.owned.s, "/home/bob 1001:1001\n"));
	ck_assert_ptr_nonnull(strstr(h.owned.s, "/home/bob/.profile 1001:1001\n"));
	fails(account_add(&h.tree, "bob", NULL, &e), ERR_USAGE);
	fails(account_add(&h.tree, "B b", NULL, &e), ERR_USAGE);
	fails(account_add(&h.tree, "eve", "nogroup", &e), ERR_NOT_FOUND);
	host_tree_free(&h);
}
END_TEST

START_TEST(a_user_goes_with_all_of_it)
{
	guest();
	host_put(&h, "/var/mail/ann", "m");
	ok(account_remove(&h.tree, "ann", &e));
	ck_assert_str_eq(host_get(&h, "/etc/passwd"),
			 "root:x:0:0:root:/root:/bin/bash\n+nis\nnobody:x:65534:65534::/:/bin/false\n");
	ck_assert_str_eq(host_get(&h, "/etc/shadow"), "root:$6$a$b:19000:0:99999:7:::\n");
	ck_assert_str_eq(host_get(&h, "/etc/group"), "root:x:0:\nsudo:x:27:\nwheel:x:28:bob,eve\n");
	ck_assert_str_eq(host_get(&h, "/etc/subuid"), "");
	ck_assert(!tree_has(&h.tree, "/home/ann"));
	ck_assert(!tree_has(&h.tree, "/var/mail/ann"));
	/* The home of nobody is the root. */
	ok(account_remove(&h.tree, "nobody", &e));
	ck_assert(tree_has(&h.tree, "/etc/passwd"));
	host_tree_free(&h);
}
END_TEST

START_TEST(a_key_is_added_once)
{
	guest();
	ok(account_add_key(&h.tree, "ann", "ssh-ed25519 AAAA one", &e));
	ok(account_add_key(&h.tree, "ann", "ssh-ed25519 BBBB two", &e));
	ok(account_add_key(&h.tree, "ann", "ssh-ed25519 AAAA one", &e));
	ck_assert_str_eq(host_get(&h, "/home/ann/.ssh/authorized_keys"), "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n");
	ck_assert_str_eq(h.owned.s + strlen(h.owned.s) - strlen("/home/ann/.ssh/authorized_keys 1000:1000\n"),
			 "/home/ann/.ssh/authorized_keys 1000:1000\n");
	fails(account_add_key(&h.tree, "eve", "x", &e), ERR_NOT_FOUND);
	host_tree_free(&h);
}
END_TEST

START_TEST(patterns_and_lines)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char *text = alloc_strdup("A=1\n# B=2\n B=\"x\"\n");

	ok(text_set_value(&text, "B", "3", &e));
	ok(text_set_value(&text, "C", "4", &e));
	ck_assert_str_eq(text, "A=1\n# B=2\nB=3\nC=4\n");
	free(text);
	ok(text_append_line("a\r\nb", 4, "c", &b, &e));
	ck_assert_str_eq(b.s, "a\r\nb\r\nc\r\n");
}
END_TEST

TEST_MAIN("accounts", each_selector_is_understood, a_wrong_selector_is_refused_and_not_repeated,
	  a_random_password_differs_each_time, the_hash_is_of_the_kind_that_the_guest_uses,
	  a_field_is_what_crypt_verifies, a_password_changes_one_field_of_one_line,
	  a_new_user_has_its_lines_and_its_home, a_user_goes_with_all_of_it, a_key_is_added_once, patterns_and_lines)
