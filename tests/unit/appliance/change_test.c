/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change_test.c - what the client changes through the real agent, seen on the host. */
#include "agent_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char here[CHILD_PATH];

static void begin(struct agent_child *a, uint64_t *root)
{
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(a);
	agent_folder(a, here, NULL, false, root);
}

START_TEST(makes_files_of_every_kind)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, dir, node, found;
	struct stat st;
	char target[20] = "";

	begin(&a, &root);
	ok(client_mkdir(a.c, root, "d", 02751, geteuid(), getegid(), &dir, &e));
	ok(client_create(a.c, dir, "f", 0640, geteuid(), getegid(), &node, &e));
	ok(client_lookup(a.c, dir, "f", &found, &e));
	ck_assert_uint_eq(node, found);
	ok(client_symlink(a.c, dir, "l", "f", geteuid(), getegid(), &node, &e));
	ok(client_mknod(a.c, dir, "p", S_IFIFO | 0600, geteuid(), getegid(), 0, 0, &node, &e));
	ok(client_link(a.c, found, dir, "g", &e));
	ck_assert_int_eq(stat("d", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 02751);
	ck_assert_int_eq(stat("d/g", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(readlink("d/l", target, sizeof target), 1);
	ck_assert_int_eq(lstat("d/p", &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	fails(client_create(a.c, dir, "f", 0600, 0, 0, &node, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EEXIST);
	fails(client_rmdir(a.c, root, "d", &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENOTEMPTY);
	ok(client_unlink(a.c, dir, "p", &e));
	ck_assert_int_eq(lstat("d/p", &st), -1);
	agent_close(&a);
}
END_TEST

START_TEST(a_folder_that_was_moved_keeps_its_node)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	struct fs_stat st;
	uint64_t root, x, y, f, found;

	begin(&a, &root);
	ok(client_mkdir(a.c, root, "x", 0755, geteuid(), getegid(), &x, &e));
	ok(client_mkdir(a.c, root, "y", 0755, geteuid(), getegid(), &y, &e));
	ok(client_create(a.c, x, "f", 0600, geteuid(), getegid(), &f, &e));
	ok(client_rename(a.c, root, "x", y, "z", 0, &e));
	ok(client_lookup(a.c, x, "f", &found, &e));
	ck_assert_uint_eq(found, f);
	ok(client_stat(a.c, f, &st, &e));
	ck_assert_int_eq(access("y/z/f", F_OK), 0);
	fails(client_lookup(a.c, root, "x", &found, &e), ERR_NOT_FOUND);
	agent_close(&a);
}
END_TEST

START_TEST(a_new_name_that_is_taken)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, dir, x, y, found;

	begin(&a, &root);
	ok(client_mkdir(a.c, root, "d", 0755, geteuid(), getegid(), &dir, &e));
	ok(client_create(a.c, root, "x", 0600, geteuid(), getegid(), &x, &e));
	ok(client_create(a.c, dir, "y", 0600, geteuid(), getegid(), &y, &e));
	fails(client_rename(a.c, root, "x", dir, "y", CLIENT_RENAME_NOREPLACE, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EEXIST);
	ok(client_rename(a.c, root, "x", dir, "y", CLIENT_RENAME_EXCHANGE, &e));
	ok(client_lookup(a.c, root, "x", &found, &e));
	ck_assert_uint_eq(found, y);
	ok(client_lookup(a.c, dir, "y", &found, &e));
	ck_assert_uint_eq(found, x);
	fails(client_rename(a.c, root, "none", dir, "y", CLIENT_RENAME_EXCHANGE, &e), ERR_NOT_FOUND);
	ok(client_rename(a.c, root, "x", dir, "y", 0, &e));
	fails(client_lookup(a.c, root, "x", &found, &e), ERR_NOT_FOUND);
	fails(client_rename(a.c, root, "d", dir, "z", 4, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EPROTO);
	agent_close(&a);
}
END_TEST

START_TEST(writes_bytes_and_facts)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	const size_t len = 5 * 1024 * 1024 + 17;
	uint8_t *want = malloc(len), *got = malloc(len);
	const struct fs_time then = { .sec = -5, .nsec = 123456789 };
	uint64_t root, node, run;
	struct fs_stat st;
	bool hole;
	size_t n;

	ck_assert(want && got);
	for (size_t i = 0; i < len; i++)
		want[i] = (uint8_t)(i >> 7 ^ i);
	begin(&a, &root);
	ok(client_create(a.c, root, "f", 0600, geteuid(), getegid(), &node, &e));
	ok(client_pwrite(a.c, node, want, len, 0, &e));
	ok(client_pread(a.c, node, got, len, 0, &n, &e));
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(want, got, len);
	ok(client_truncate(a.c, node, 3 << 20, &e));
	ok(client_truncate(a.c, node, 16 << 20, &e));
	ok(client_fallocate(a.c, node, 0, 1 << 20, CLIENT_ALLOCATE_PUNCH, &e));
	ok(client_extent(a.c, node, 0, &run, &hole, &e));
	ck_assert_uint_eq(run, 1 << 20);
	ck_assert(hole);
	ok(client_extent(a.c, node, 1 << 20, &run, &hole, &e));
	ck_assert_uint_eq(run, 2 << 20);
	ck_assert(!hole);
	ok(client_extent(a.c, node, 3 << 20, &run, &hole, &e));
	ck_assert_uint_eq(run, 13 << 20);
	ck_assert(hole);
	ok(client_chmod(a.c, node, 0444, &e));
	ok(client_utimens(a.c, node, NULL, &then, &e));
	ok(client_fsync(a.c, node, &e));
	ok(client_stat(a.c, node, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFREG | 0444);
	ck_assert_int_eq(st.mtime.sec, -5);
	ck_assert_uint_eq(st.mtime.nsec, 123456789);
	ok(client_sync(a.c, &e));
	agent_close(&a);
	free(want);
	free(got);
}
END_TEST

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	unsigned *n = arg;

	(void)e;
	if (strcmp(name, "user.big") == 0) {
		ck_assert_uint_eq(len, 3000);
		ck_assert_int_eq(((const char *)value)[2999], 'x');
		(*n)++;
	}
	if (strcmp(name, "user.empty") == 0) {
		ck_assert_uint_eq(len, 0);
		(*n)++;
	}
	return 0;
}

START_TEST(attributes)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, node;
	unsigned n = 0;
	char big[3000];

	memset(big, 'x', sizeof big);
	begin(&a, &root);
	ok(client_create(a.c, root, "f", 0600, geteuid(), getegid(), &node, &e));
	ok(client_setxattr(a.c, node, "user.big", big, sizeof big, 0, &e));
	ok(client_setxattr(a.c, node, "user.empty", "", 0, 0, &e));
	fails(client_setxattr(a.c, node, "user.big", "y", 1, CLIENT_XATTR_CREATE, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EEXIST);
	fails(client_setxattr(a.c, node, "user.none", "y", 1, CLIENT_XATTR_REPLACE, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ENODATA);
	ok(client_setxattr(a.c, node, "user.big", big, sizeof big, CLIENT_XATTR_REPLACE, &e));
	ok(client_xattrs(a.c, node, on_xattr, &n, &e));
	ck_assert_uint_eq(n, 2);
	ok(client_removexattr(a.c, node, "user.big", &e));
	ok(client_xattrs(a.c, node, on_xattr, &n, &e));
	ck_assert_uint_eq(n, 3);
	agent_close(&a);
}
END_TEST

START_TEST(a_folder_of_this_host_is_not_frozen)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, node;
	uint32_t mount;
	bool frozen = true;

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(&a);
	mount = agent_folder(&a, here, NULL, false, &root);
	ok(client_freeze(a.c, mount, &frozen, &e));
	ck_assert(!frozen);
	ok(client_create(a.c, root, "f", 0600, geteuid(), getegid(), &node, &e));
	ok(client_thaw(a.c, mount, &e));
	fails(client_freeze(a.c, mount + 1, &frozen, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EINVAL);
	agent_close(&a);
}
END_TEST

START_TEST(a_read_only_mount_refuses_all)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, node;

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	agent_open(&a);
	agent_folder(&a, here, NULL, true, &root);
	fails(client_create(a.c, root, "f", 0600, 0, 0, &node, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EROFS);
	fails(client_chmod(a.c, root, 0, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, EROFS);
	ok(client_ping(a.c, &e));
	agent_close(&a);
}
END_TEST

TEST_MAIN("appliance/change", makes_files_of_every_kind, a_folder_that_was_moved_keeps_its_node, a_new_name_that_is_taken,
	  writes_bytes_and_facts, attributes, a_folder_of_this_host_is_not_frozen, a_read_only_mount_refuses_all)
