/* SPDX-License-Identifier: GPL-2.0-or-later */
/* customize_test.c - operations by their names, done to a folder that stands for a guest. */
#include "testing.h"

#include "customize.h"
#include "host_tree.h"

static struct err e = ERR_INIT;
static struct host_tree h;
static struct strbuf told = STRBUF_INIT;

static void say(void *arg, const char *line)
{
	(void)arg;
	strbuf_printf(&told, "%s\n", line);
}

static void guest(void)
{
	host_tree_new(&h, "linux", "debian");
	h.os.package_manager = "apt";
	host_put(&h, "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
	host_put(&h, "/etc/shadow", "root:*:19000:0:99999:7:::\n");
	host_put(&h, "/etc/group", "root:x:0:\n");
	host_put(&h, "/tmp/a", "one\ntwo\n");
	strbuf_reset(&told);
}

/* Does all of them: "name argument", NULL behind the last. */
static int did(const char *const *ops)
{
	CLEANUP(customize_free) struct customize z = CUSTOMIZE_INIT;
	struct customize_job job = { .tree = &h.tree, .say = say };

	for (; *ops; ops++) {
		char *name = alloc_strdup(*ops), *blank = strchr(name, ' ');
		int rc;

		if (blank)
			*blank++ = '\0';
		rc = customize_add(&z, name, blank, &e);
		free(name);
		if (rc < 0)
			return rc;
	}
	return customize_run(&z, &job, &e);
}
#define DID(...) did((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(files_are_written_moved_and_removed)
{
	guest();
	ok(DID("write /etc/motd:hello: you", "append-line /etc/motd:more", "mkdir /srv/a/b", "copy /etc/motd:/srv/a/b",
	       "move /tmp/a:/srv/a/c", "link /srv/a:/srv/l1:/srv/l2", "touch /srv/t", "chmod 600:/srv/t", "chown 7:8:/srv/t",
	       "edit /srv/a/c:s/two/TWO/"));
	ck_assert_str_eq(host_get(&h, "/etc/motd"), "hello: you\nmore\n");
	ck_assert_str_eq(host_get(&h, "/srv/a/b/motd"), "hello: you\nmore\n");
	ck_assert_str_eq(host_get(&h, "/srv/a/c"), "one\nTWO\n");
	ck_assert_str_eq(host_link(&h, "/srv/l2"), "/srv/a");
	ck_assert_ptr_nonnull(strstr(h.owned.s, "/srv/t 7:8\n"));
	ck_assert_ptr_nonnull(strstr(told.s, "Writing: /etc/motd\nAppending line to /etc/motd\nMaking directory: /srv/a/b\n"));
	ok(DID("copy /srv/a:/srv/d", "truncate-recursive /srv/d", "truncate /etc/motd", "scrub /srv/a/c", "delete /srv/a/*"));
	ck_assert_str_eq(host_get(&h, "/srv/d/b/motd"), "");
	ck_assert_str_eq(host_get(&h, "/srv/d/c"), "");
	ck_assert_str_eq(host_get(&h, "/etc/motd"), "");
	ck_assert(tree_is_dir(&h.tree, "/srv/a") && !tree_has(&h.tree, "/srv/a/c") && !tree_has(&h.tree, "/srv/a/b"));
	fails(DID("copy /srv:/srv/a"), ERR_USAGE);
	host_tree_free(&h);
}
END_TEST

START_TEST(files_of_the_host_are_taken)
{
	guest();
	ck_assert_int_eq(system("mkdir -p tree/sub && echo x >tree/sub/f && ln -s sub tree/l && printf up >up && chmod 751 up"), 0);
	ok(DID("upload up:/etc", "upload up:/etc/other", "copy-in tree:/tmp"));
	ck_assert_str_eq(host_get(&h, "/etc/up"), "up");
	ck_assert_str_eq(host_get(&h, "/etc/other"), "up");
	ck_assert_str_eq(host_get(&h, "/tmp/tree/sub/f"), "x\n");
	ck_assert_str_eq(host_link(&h, "/tmp/tree/l"), "sub");
	fails(DID("upload no:/etc"), ERR_SYSTEM);
	fails(DID("copy-in tree:/no"), ERR_NOT_FOUND);
	fails(DID("tar-in up:/no"), ERR_NOT_FOUND);
	fails(DID("tar-in up:/etc"), ERR_UNSUPPORTED); /* there is nobody who could */
	host_tree_free(&h);
}
END_TEST

START_TEST(accounts_have_their_passwords_last)
{
	guest();
	ok(DID("password bob:disabled", "user bob", "ssh-inject bob:string:ssh-ed25519 AAAA me", "root-password password:x",
	       "password-crypto sha256"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/shadow"), "\nbob:*:"));
	ck_assert_ptr_nonnull(strstr(host_get(&h, "/etc/shadow"), "root:$5$"));
	ck_assert_str_eq(host_get(&h, "/home/bob/.ssh/authorized_keys"), "ssh-ed25519 AAAA me\n");
	fails(DID("password eve:random"), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "password: the guest has no user \"eve\"");
	fails(DID("password eve"), ERR_USAGE);
	fails(DID("ssh-inject root:xyz"), ERR_USAGE);
	fails(DID("ssh-inject root:string:-----BEGIN OPENSSH PRIVATE KEY-----"), ERR_USAGE);
	host_tree_free(&h);
}
END_TEST

START_TEST(programs_are_run_in_the_guest_and_their_failure_is_told)
{
	guest();
	ck_assert_int_eq(system("echo 'echo hi' >script"), 0);
	ok(DID("run-command echo a", "run script", "install vim"));
	ck_assert_ptr_nonnull(strstr(h.ran.s, "/bin/sh -c echo a\n"));
	ck_assert_ptr_nonnull(strstr(h.ran.s, "/bin/sh -c /bin/sh /.drydock-run\n/bin/sh -c set -e\n"));
	h.status = 100 << 8;
	h.says = "first\nE: Unable to locate\n";
	fails(DID("install vim"), ERR_SYSTEM);
	ck_assert_str_eq(e.msg, "install: it ended with status 100: E: Unable to locate");
	fails(DID("run script"), ERR_SYSTEM);
	ck_assert(!tree_has(&h.tree, "/.drydock-run"));
	host_tree_free(&h);
}
END_TEST

START_TEST(operations_come_from_files)
{
	guest();
	ck_assert_int_eq(system("printf '# x\\n\\nwrite /etc/a:1\\nappend-line /etc/a:two \\\\\\n  of it\\n' >ops"), 0);
	ok(DID("commands-from-file ops"));
	ck_assert_str_eq(host_get(&h, "/etc/a"), "1\ntwo \n  of it\n");
	ck_assert_int_eq(system("printf 'write /etc/a:1\\nno such\\n' >ops"), 0);
	fails(DID("commands-from-file ops"), ERR_USAGE);
	ck_assert_str_eq(e.msg, "commands-from-file: ops: line 2: there is no operation \"no\"");
	ck_assert_int_eq(system("printf 'commands-from-file ops\\n' >ops"), 0);
	fails(DID("commands-from-file ops"), ERR_USAGE);
	host_tree_free(&h);
}
END_TEST

START_TEST(a_wrong_argument_is_refused_before_anything_is_done)
{
	static const struct {
		const char *op, *sentence;
	} wrong[] = {
		{ "write a:b", "write: \"a\": paths of the guest begin with \"/\"" },
		{ "write /a", "write: it takes FILE:CONTENT" },
		{ "chmod 8:/a", "chmod: \"8\" are no permissions in octal digits" },
		{ "chown a:1:/a", "chown: owners are two numbers" },
		{ "chown 1:/a", "chown: it takes UID:GID:FILE" },
		{ "link a:b", "link: links are paths that begin with \"/\"" },
		{ "install a b", "install: \"a b\" is no name of a package" },
		{ "root-password x", "root-password: a password is selected by file:, password:, random, disabled or locked" },
		{ "password-crypto des", "password-crypto: \"des\" is no kind of hash" },
		{ "update x", "update: it takes nothing" },
		{ "write", "write: it takes FILE:CONTENT" },
		{ "nothing", "there is no operation \"nothing\"" },
		{ "user Bob", "user: \"Bob\" is no name for a user" },
	};

	guest();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		fails(DID("write /etc/x:1", wrong[i].op), ERR_USAGE);
		ck_assert_str_eq(e.msg, wrong[i].sentence);
		ck_assert_str_eq(host_get(&h, "/etc/x"), "(none)");
	}
	host_tree_free(&h);
}
END_TEST

START_TEST(every_operation_of_the_table_has_its_words)
{
	for (size_t i = 0; customize_op_at(i); i++) {
		const struct customize_op *op = customize_op_at(i);

		ck_assert_ptr_nonnull(op->help);
		if (i)
			ck_assert_int_lt(strcmp(customize_op_at(i - 1)->name, op->name), 0);
		if (op->split)
			ck_assert_ptr_nonnull(strchr(op->arg, ':'));
	}
}
END_TEST

TEST_MAIN("customize", files_are_written_moved_and_removed, files_of_the_host_are_taken, accounts_have_their_passwords_last,
	  programs_are_run_in_the_guest_and_their_failure_is_told, operations_come_from_files,
	  a_wrong_argument_is_refused_before_anything_is_done, every_operation_of_the_table_has_its_words)
