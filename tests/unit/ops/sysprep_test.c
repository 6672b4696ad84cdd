/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysprep_test.c - which operations are chosen, what they take away, and which secrets are found. */
#include "testing.h"

#include "host_tree.h"
#include "sysprep.h"

static struct err e = ERR_INIT;
static struct host_tree h;

/* Planted, and gone after the operations that are done by default; then those that stay. */
static const char *const planted[] = {
	"/etc/ssh/ssh_host_rsa_key",
	"/etc/ssh/ssh_host_rsa_key.pub",
	"/root"
	"/.ssh/id_rsa",
	"/home/ann/.ssh/authorized_keys",
	"/root"
	"/.bash_history",
	"/home/ann/.bash_history",
	"/home/ann/.zsh_history",
	"/var/log/syslog",
	"/var/log/apt/history.log",
	"/var/log/journal/0123/system.journal",
	"/tmp/x",
	"/tmp/.hidden/y",
	"/var/tmp/z",
	"/etc/shadow-",
	"/etc/krb5.keytab",
	"/var/lib/dhcp/dhclient.leases",
	"/var/cache/apt/archives/a.deb",
	"/var/lib/cloud/instances/i/user-data.txt",
	"/etc/udev/rules.d/70-persistent-net.rules",
	"/etc/NetworkManager/system-connections/w.nmconnection",
	"/var/mail/ann",
	"/etc/x.bak",
	"/srv/y~",
	"/var/lib/dbus/machine-id",
};
static const char *const staying[] = { "/etc/ssh/sshd_config", "/home/ann/file", "/var/log/apt", "/var/cache/apt/archives/lock",
				       "/tmp", "/etc/passwd", "/var/mail" };

static void guest(void)
{
	host_tree_new(&h, "linux", "debian");
	for (size_t i = 0; i < ARRAY_LEN(planted); i++)
		host_put(&h, planted[i], "secret\n");
	for (size_t i = 0; i < ARRAY_LEN(staying); i++)
		if (!tree_has(&h.tree, staying[i]))
			host_put(&h, staying[i],
				 "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/"
				 "home/bob:/x\n");
	host_put(&h, "/etc/machine-id", "0123\n");
	host_put(&h, "/etc/shadow", "root:$6$x$y:1\nann:*:1\nbob:$y$z:1\n");
	host_put(&h, "/etc/sysconfig/network-scripts/ifcfg-eth0", "DEVICE=eth0\nHWADDR=00:11\nHOSTNAME=x\n");
}

static int did(const char *operations, const char *keep)
{
	struct sysprep_job job = { .customize = { .tree = &h.tree }, .keep = keep };
	int rc = sysprep_operations(operations, false, &job.choice, &e);

	return rc < 0 ? rc : sysprep_run(&job, &e);
}

START_TEST(nothing_that_was_planted_is_left)
{
	guest();
	ok(did("defaults", NULL));
	for (size_t i = 0; i < ARRAY_LEN(planted); i++)
		ck_assert_msg(!tree_has(&h.tree, planted[i]), "%s is there", planted[i]);
	for (size_t i = 0; i < ARRAY_LEN(staying); i++)
		ck_assert_msg(tree_has(&h.tree, staying[i]), "%s is gone", staying[i]);
	ck_assert_str_eq(host_get(&h, "/etc/machine-id"), "");
	ck_assert_str_eq(host_get(&h, "/etc/sysconfig/network-scripts/ifcfg-eth0"), "DEVICE=eth0\n");
	host_tree_free(&h);
}
END_TEST

START_TEST(operations_are_chosen_one_after_the_other)
{
	struct sysprep_choice a, b;
	size_t n = 0, own = 0;

	ok(sysprep_operations("defaults,-ssh-hostkeys", false, &a, &e));
	sysprep_defaults(false, &b);
	for (size_t i = 0; sysprep_op_at(i); i++)
		n += a.on[i] != b.on[i];
	ck_assert_uint_eq(n, 1);
	ok(sysprep_operations("all,-all,tmp-files", false, &a, &e));
	ok(sysprep_enable("tmp-files", &b, &e));
	ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
	fails(sysprep_enable("tmp-files,nothing", &a, &e), ERR_USAGE);
	ck_assert_str_eq(e.msg, "\"nothing\" is not a known operation");
	fails(sysprep_operations("defaults,-nothing", false, &a, &e), ERR_USAGE);
	fails(sysprep_enable("", &a, &e), ERR_USAGE);
	sysprep_defaults(true, &a);
	for (size_t i = 0; sysprep_op_at(i); i++) {
		own += sysprep_op_at(i)->own;
		ck_assert(!(sysprep_op_at(i)->own && a.on[i]));
		if (i)
			ck_assert_int_lt(strcmp(sysprep_op_at(i - 1)->name, sysprep_op_at(i)->name), 0);
	}
	ck_assert_uint_eq(own, 3);
}
END_TEST

START_TEST(accounts_go_but_those_that_are_kept)
{
	guest();
	ok(did("user-account", "bob,eve"));
	ck_assert_ptr_null(strstr(host_get(&h, "/etc/passwd"), "ann"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/passwd"), "bob"));
	ck_assert(!tree_has(&h.tree, "/home/ann"));
	host_tree_free(&h);
}
END_TEST

START_TEST(which_numbers_are_those_of_people_login_defs_says)
{
	guest();
	host_put(&h, "/etc/login.defs", "# UID_MIN 1\nUID_MIN\t\t 1001\nUID_MINIMUM 5\nUID_MAX 60000\n");
	ok(did("user-account", NULL));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/passwd"), "ann"));
	ck_assert_ptr_null(strstr(host_get(&h, "/etc/passwd"), "bob"));
	host_put(&h, "/etc/login.defs", "UID_MIN 0\n");
	ok(did("user-account", NULL));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/passwd"), "root"));
	host_tree_free(&h);
}
END_TEST

START_TEST(what_was_made_of_certificates_is_made_anew)
{
	guest();
	host_put(&h, "/usr/local/share/ca-certificates/mine.crt", "x");
	ok(did("ca-certificates", NULL));
	ck_assert_str_eq(h.ran.s, "");
	host_put(&h, "/usr/sbin/update-ca-certificates", "#!/bin/sh\n");
	ok(did("ca-certificates", NULL));
	ck_assert_str_eq(h.ran.s, "/usr/sbin/update-ca-certificates\n");
	ck_assert(!tree_has(&h.tree, "/usr/local/share/ca-certificates/mine.crt"));
	h.status = 3 << 8;
	fails(did("ca-certificates", NULL), ERR_SYSTEM);
	host_tree_free(&h);
}
END_TEST

START_TEST(another_system_is_left_alone)
{
	guest();
	h.os.type = "freebsd";
	ok(did("defaults", NULL));
	ck_assert(tree_has(&h.tree, "/tmp/x"));
	host_tree_free(&h);
}
END_TEST

static int on_secret(void *arg, const char *path, const char *what, struct err *err)
{
	(void)err;
	strbuf_printf(arg, "%s: %s\n", path, what);
	return 0;
}

START_TEST(secrets_are_named_until_they_are_gone)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	guest();
	host_put(&h, "/root" "/.aws/credentials", "x");
	ok(secrets_find_in(&h.tree, on_secret, &b, &e));
	ck_assert_ptr_nonnull(strstr(b.s, "/etc/shadow: the password of root\n/etc/shadow: the password of bob\n"));
	ck_assert_ptr_nonnull(strstr(b.s, "/etc/ssh/ssh_host_rsa_key: a host key of ssh\n"));
	ck_assert_ptr_nonnull(strstr(b.s, "/home/ann/.ssh/authorized_keys: keys that may log in\n"));
	ck_assert_ptr_nonnull(strstr(b.s, "/etc/machine-id: the identity of this machine\n"));
	ok(did("defaults", NULL));
	strbuf_reset(&b);
	ok(secrets_find_in(&h.tree, on_secret, &b, &e));
	ck_assert_str_eq(b.s, "/etc/shadow: the password of root\n/etc/shadow: the password of bob\n"
			      "/root" "/.aws/credentials: a password or token\n");
	host_tree_free(&h);
}
END_TEST

TEST_MAIN("sysprep", nothing_that_was_planted_is_left, operations_are_chosen_one_after_the_other,
	  accounts_go_but_those_that_are_kept, which_numbers_are_those_of_people_login_defs_says,
	  what_was_made_of_certificates_is_made_anew, another_system_is_left_alone, secrets_are_named_until_they_are_gone)
