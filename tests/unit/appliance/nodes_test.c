/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nodes_test.c - the nodes of the real agent: hard links, deep trees, more files than are kept open, subvolumes; over a folder
 * and, as root, over loop-mounted filesystems whose files are found by their numbers.
 */
#include "agent_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static void make_tree(const char *top)
{
	int fd = open(top, O_RDONLY | O_DIRECTORY);
	char name[32];

	ck_assert_int_ge(fd, 0);
	for (unsigned i = 0; i < 300; i++) {
		int f;

		snprintf(name, sizeof name, "d%u", i);
		ck_assert_int_eq(mkdirat(fd, name, 0755), 0);
		snprintf(name, sizeof name, "d%u/f", i);
		f = openat(fd, name, O_WRONLY | O_CREAT, 0644);
		ck_assert_int_ge(f, 0);
		ck_assert_int_eq(write(f, name, strlen(name)), (ssize_t)strlen(name));
		close(f);
	}
	ck_assert_int_eq(linkat(fd, "d7/f", fd, "hard", 0), 0);
	ck_assert_int_eq(symlinkat("d7/f", fd, "soft"), 0);
	ck_assert_int_eq(mkfifoat(fd, "pipe", 0600), 0);
	/* 500 folders in each other. */
	for (unsigned i = 0; i < 500; i++) {
		int next;

		ck_assert_int_eq(mkdirat(fd, "deep", 0755), 0);
		next = openat(fd, "deep", O_RDONLY | O_DIRECTORY);
		ck_assert_int_ge(next, 0);
		close(fd);
		fd = next;
	}
	close(openat(fd, "end", O_WRONLY | O_CREAT, 0600));
	close(fd);
}

static void look(struct agent_child *a, const char *top, uint64_t root)
{
	struct err e = ERR_INIT;
	uint64_t nodes[300], dir, node, found, deep[500];
	struct fs_stat st;
	struct stat host;
	char name[64], got[64], path[4200];
	size_t n;

	for (unsigned times = 0; times < 2; times++)
		for (unsigned i = 0; i < 300; i++) {
			snprintf(name, sizeof name, "d%u", i);
			ok(client_lookup(a->c, root, name, &dir, &e));
			ok(client_lookup(a->c, dir, "f", &node, &e));
			if (times)
				ck_assert_uint_eq(node, nodes[i]);
			nodes[i] = node;
		}
	/* More than are open at once, from the first again. */
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d%u/f", i);
		ok(client_pread(a->c, nodes[i], got, sizeof got, 0, &n, &e));
		ck_assert_uint_eq(n, strlen(name));
		ck_assert_mem_eq(got, name, n);
		ok(client_stat(a->c, nodes[i], &st, &e));
		snprintf(path, sizeof path, "%s/%s", top, name);
		ck_assert_int_eq(lstat(path, &host), 0);
		ck_assert_uint_eq(st.ino, host.st_ino);
	}
	ok(client_lookup(a->c, root, "hard", &found, &e));
	ck_assert_uint_eq(found, nodes[7]);
	ok(client_lookup(a->c, root, "soft", &found, &e));
	fails(client_pread(a->c, found, got, 1, 0, &n, &e), ERR_SYSTEM);
	ok(client_lookup(a->c, root, "pipe", &found, &e));
	fails(client_pread(a->c, found, got, 1, 0, &n, &e), ERR_SYSTEM);
	ok(client_stat(a->c, found, &st, &e));
	ck_assert_uint_eq(st.mode, S_IFIFO | 0600);
	ok(client_lookup(a->c, root, "..", &found, &e));
	ck_assert_msg(found == root, "above the root is the root");
	dir = root;
	for (unsigned i = 0; i < 500; i++) {
		ok(client_lookup(a->c, dir, "deep", &deep[i], &e));
		dir = deep[i];
	}
	/* What is above it is not open any more. */
	for (unsigned i = 0; i < 300; i++)
		ok(client_stat(a->c, nodes[i], &st, &e));
	ok(client_lookup(a->c, deep[499], "end", &node, &e));
	ok(client_lookup(a->c, deep[499], "..", &found, &e));
	ck_assert_uint_eq(found, deep[498]);
	ok(client_stat(a->c, deep[250], &st, &e));
	/* Nodes that nobody gave. */
	fails(client_stat(a->c, 0, &st, &e), ERR_SYSTEM);
	fails(client_stat(a->c, root ^ 0x0012345600000000, &st, &e), e.code);
	ck_assert(!client_lost(a->c));
	fails(client_stat(a->c, 200ull << 56 | 5, &st, &e), ERR_SYSTEM);
	ck_assert_int_eq(e.sys_errno, ESTALE);
}

START_TEST(of_a_folder)
{
	struct agent_child a;
	char here[CHILD_PATH];
	uint64_t root;

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	make_tree(here);
	agent_open(&a);
	agent_folder(&a, here, NULL, true, &root);
	look(&a, here, root);
	agent_close(&a);
}
END_TEST

/* false: it cannot be mounted here. */
static bool of_type(const char *type, const char *mkfs, unsigned mib)
{
	char cmd[300], here[CHILD_PATH];
	struct agent_child a;
	uint64_t root;

	snprintf(cmd, sizeof cmd, "truncate -s %uM img && %s img >/dev/null 2>&1 && mkdir m && mount -o loop img m 2>/dev/null",
		 mib, mkfs);
	if (geteuid() != 0 || system(cmd) != 0)
		return false;
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	strcat(here, "/m");
	make_tree(here);
	agent_open(&a);
	agent_folder(&a, here, type, true, &root);
	look(&a, here, root);
	agent_close(&a);
	ck_assert_int_eq(umount("m"), 0);
	return true;
}

static const char needs[] = "needs root, the filesystem's own tool, a loop device, and a driver";

START_TEST(of_ext4)
{
	skip_unless(of_type("ext4", "mkfs.ext4 -q -F", 32), needs);
}
END_TEST

START_TEST(of_xfs)
{
	skip_unless(of_type("xfs", "mkfs.xfs -q -f", 300), needs);
}
END_TEST

START_TEST(of_btrfs)
{
	skip_unless(of_type("btrfs", "mkfs.btrfs -q -f", 120), needs);
}
END_TEST

static int on_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	uint64_t *seen = arg;

	(void)e;
	if (strcmp(d->name, "sub") == 0)
		seen[0] = d->ino + 1;
	if (strcmp(d->name, "f") == 0)
		seen[1] = d->ino;
	return 0;
}

START_TEST(of_subvolumes)
{
	uint64_t root, sub, snap, f, g, seen[2] = { 0, 0 };
	struct err e = ERR_INIT;
	char here[CHILD_PATH];
	struct agent_child a;
	struct fs_stat st, other;

	skip_unless(geteuid() == 0 && system("truncate -s 120M img && mkfs.btrfs -q -f img >/dev/null 2>&1 && mkdir m && "
				     "mount -o loop img m 2>/dev/null && "
				     "btrfs -q subvolume create m/sub && echo one >m/sub/f && "
				     "btrfs -q subvolume snapshot m/sub m/snap && echo two >m/snap/f && sync") == 0, needs);
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	strcat(here, "/m");
	agent_open(&a);
	agent_folder(&a, here, "btrfs", true, &root);
	ok(client_lookup(a.c, root, "sub", &sub, &e));
	ok(client_lookup(a.c, root, "snap", &snap, &e));
	ok(client_lookup(a.c, sub, "f", &f, &e));
	ok(client_lookup(a.c, snap, "f", &g, &e));
	ck_assert_uint_ne(sub, snap);
	ck_assert_uint_ne(f, g);
	ok(client_stat(a.c, f, &st, &e));
	ok(client_stat(a.c, g, &other, &e));
	ck_assert_uint_eq(st.ino, other.ino);
	ck_assert_uint_ne(st.subvol, other.subvol);
	ck_assert_uint_eq(st.subvol, 256);
	/* A listing does not know which folder is a subvolume, but files it does. */
	ok(client_readdir(a.c, root, on_entry, seen, &e));
	ck_assert_uint_eq(seen[0], 1);
	ok(client_readdir(a.c, snap, on_entry, seen, &e));
	ck_assert_uint_eq(seen[1], g);
	ok(client_lookup(a.c, snap, "..", &g, &e));
	ck_assert_uint_eq(g, root);
	agent_close(&a);
	ck_assert_int_eq(umount("m"), 0);
}
END_TEST

TEST_MAIN("appliance/nodes", of_a_folder, of_ext4, of_xfs, of_btrfs, of_subvolumes)
