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

/* It is written and read again by its node alone, as who holds it open does. */
static void same_file(struct agent_child *a, uint64_t node, const char *path, char byte)
{
	struct err e = ERR_INIT;
	char got = 0, seen = 0;
	size_t n;
	int fd;

	ok(client_pwrite(a->c, node, &byte, 1, 0, &e));
	ok(client_pread(a->c, node, &got, 1, 0, &n, &e));
	ck_assert_int_eq(got, byte);
	fd = open(path, O_RDONLY);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(read(fd, &seen, 1), 1);
	ck_assert_int_eq(seen, byte);
	close(fd);
}

START_TEST(files_below_a_folder_that_was_moved)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, d, de, x, f, deep, other;

	begin(&a, &root);
	ok(client_mkdir(a.c, root, "d", 0755, geteuid(), getegid(), &d, &e));
	ok(client_mkdir(a.c, d, "e", 0755, geteuid(), getegid(), &de, &e));
	ok(client_mkdir(a.c, root, "x", 0755, geteuid(), getegid(), &x, &e));
	ok(client_create(a.c, d, "f", 0600, geteuid(), getegid(), &f, &e));
	ok(client_create(a.c, de, "f", 0600, geteuid(), getegid(), &deep, &e));
	ok(client_create(a.c, x, "f", 0600, geteuid(), getegid(), &other, &e));
	same_file(&a, f, "d/f", '1');
	/* Nothing is looked up again after each. */
	ok(client_rename(a.c, root, "d", root, "d2", 0, &e));
	same_file(&a, f, "d2/f", '2');
	same_file(&a, deep, "d2/e/f", '3');
	ok(client_rename(a.c, root, "d2", x, "d3", 0, &e));
	same_file(&a, deep, "x/d3/e/f", '4');
	ok(client_rename(a.c, root, "x", root, "y", 0, &e));
	same_file(&a, f, "y/d3/f", '5');
	same_file(&a, deep, "y/d3/e/f", '6');
	/* What is above goes below: first out of it. */
	ok(client_rename(a.c, d, "e", root, "e", 0, &e));
	ok(client_rename(a.c, root, "y", de, "y", 0, &e));
	same_file(&a, f, "e/y/d3/f", '7');
	same_file(&a, deep, "e/f", '8');
	/* Folders that change places, and one that takes that of another. */
	ok(client_rename(a.c, x, "d3", root, "d", 0, &e));
	ok(client_rename(a.c, root, "d", de, "y", CLIENT_RENAME_EXCHANGE, &e));
	same_file(&a, f, "e/y/f", '9');
	same_file(&a, other, "d/f", 'a');
	ok(client_unlink(a.c, x, "f", &e));
	ok(client_rename(a.c, root, "e", root, "d", 0, &e));
	same_file(&a, f, "d/y/f", 'b');
	same_file(&a, deep, "d/f", 'c');
	agent_close(&a);
}
END_TEST

/* Somebody else moves them: programs in the guest do. */
START_TEST(files_below_a_folder_that_others_moved)
{
	struct err e = ERR_INIT;
	struct agent_child a;
	uint64_t root, d, de, f, deep;

	begin(&a, &root);
	ok(client_mkdir(a.c, root, "d", 0755, geteuid(), getegid(), &d, &e));
	ok(client_mkdir(a.c, d, "e", 0755, geteuid(), getegid(), &de, &e));
	ok(client_create(a.c, d, "f", 0600, geteuid(), getegid(), &f, &e));
	ok(client_create(a.c, de, "f", 0600, geteuid(), getegid(), &deep, &e));
	ck_assert_int_eq(rename("d/e", "e"), 0);
	ck_assert_int_eq(rename("d", "e/d"), 0);
	/* The lower one is met at its new place while the agent knows it as the higher: no circle is walked. */
	ok(client_lookup(a.c, de, "d", &d, &e));
	ok(client_lookup(a.c, root, "e", &de, &e));
	same_file(&a, deep, "e/f", '1');
	same_file(&a, f, "e/d/f", '2');
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

TEST_MAIN("appliance/change", makes_files_of_every_kind, a_folder_that_was_moved_keeps_its_node,
	  files_below_a_folder_that_was_moved, files_below_a_folder_that_others_moved, a_new_name_that_is_taken,
	  writes_bytes_and_facts, attributes, a_folder_of_this_host_is_not_frozen, a_read_only_mount_refuses_all)
