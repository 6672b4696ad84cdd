/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xfs_make.h - filesystems made by mkfs.xfs and changed by xfs_db, for the tests of XFS. */
#ifndef DRYDOCK_TEST_FS_XFS_MAKE_H
#define DRYDOCK_TEST_FS_XFS_MAKE_H

#include "fixture.h"

#define UUID_TEXT "11111111-2222-3333-4444-555555555555"
static const uint8_t uuid_bytes[16] = {
	0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
};

/* Names in the folder "same", all of one hash: each pair of letters has another that shifts and adds up to the same. */
#define NSAME 1024
static inline void same_hash_name(unsigned n, char *name)
{
	for (unsigned bit = 0; bit < 10; bit++) {
		name[bit * 2] = n >> bit & 1 ? 'a' : '`';
		name[bit * 2 + 1] = n >> bit & 1 ? '\xe1' : 'a';
	}
	name[20] = '\0';
}

static inline void fifos(FILE *f, const char *folder, unsigned n)
{
	fprintf(f, "%s d--755 0 0\n", folder);
	for (unsigned i = 1; i <= n; i++)
		fprintf(f, "%s-%u p--644 0 0\n", folder, i);
	fputs("$\n", f);
}

/*
 * An image "d" of 16 MiB: "file" (what the file "words" here is), "tiny", "empty", a device, symlinks, and folders "few" (in the
 * inode), "some" (one block), "many" (one leaf of hashes), "most" (a tree of them) and "same".  Small filesystems are only for who
 * tests mkfs.xfs, which these variables tell it.
 */
static inline void make_xfs(const char *options)
{
	char cmd[600], name[24];
	FILE *f;

	run("head -c 200000 /dev/urandom >words; printf tiny >tiny; : >empty");
	f = fopen("proto", "w");
	ck_assert_ptr_nonnull(f);
	fputs("/\n0 0\nd--755 0 0\nfile ---640 12 34 words\ntiny -u-755 0 0 tiny\nempty ---600 0 0 empty\n"
	      "device c--660 0 5 10 200\nshort l--777 0 0 file\n",
	      f);
	fifos(f, "few", 2);
	fifos(f, "some", 40);
	fifos(f, "many", 200);
	fifos(f, "most", 700);
	fputs("same d--755 0 0\n", f);
	for (unsigned i = 0; i < NSAME; i++) {
		same_hash_name(i, name);
		fprintf(f, "%s p--644 0 0\n", name);
	}
	fputs("$\n$\n", f);
	ck_assert_int_eq(fclose(f), 0);
	snprintf(cmd, sizeof cmd,
		 "rm -f d; truncate -s 16M d; export TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x; mkfs.xfs -q -p proto -m uuid=%s %s d",
		 UUID_TEXT, options);
	run(cmd);
}

/* A number that xfs_db prints as the last thing for a list of -c COMMAND. */
static inline uint64_t xfs_db_number(const char *commands)
{
	char cmd[600];
	unsigned long long v = 0;
	FILE *p;

	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; xfs_db -x %s d | tail -1 | sed 's/.*[^0-9]//'", commands);
	p = popen(cmd, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_msg(fscanf(p, "%llu", &v) == 1, "%s", commands);
	pclose(p);
	return v;
}

/* The byte where what xfs_db then looks at lies. */
static inline uint64_t xfs_db_at(const char *commands)
{
	char all[500];

	snprintf(all, sizeof all, "%s -c daddr", commands);
	return xfs_db_number(all) * 512;
}

/* The byte of an inode; these have the size that mkfs.xfs gives them. */
static inline uint64_t xfs_inode_at(const char *path, unsigned size, unsigned block)
{
	char cmd[200];
	uint64_t ino;

	snprintf(cmd, sizeof cmd, "-c 'path %s' -c inode", path);
	ino = xfs_db_number(cmd);
	return ino / (block / size) * block + ino % (block / size) * size;
}

#endif
