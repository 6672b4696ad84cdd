/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#define MB (1024 * 1024ULL)

static struct fs_id probe(void)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	struct fs_id id;

	ok(block_open("d", &how, &b, &e));
	ok(fs_probe(b, &id, &e));
	block_unref(b);
	return id;
}

static void is(const char *type, const char *label, const char *uuid)
{
	struct fs_id id = probe();

	ck_assert_str_eq(id.type ? id.type : "nothing", type);
	ck_assert_str_eq(id.label, label);
	if (uuid)
		ck_assert_str_eq(id.uuid, uuid);
}

START_TEST(an_empty_or_tiny_disk_holds_nothing)
{
	run("truncate -s 1M d");
	is("nothing", "", "");
	run("truncate -s 0 d");
	is("nothing", "", "");
	run("truncate -s 1025 d");
	is("nothing", "", "");
}
END_TEST

START_TEST(swap_has_a_label_and_a_uuid)
{
	run("truncate -s 1M d; mkswap -L pages -U 11111111-2222-3333-4444-555555555555 d");
	is("swap", "pages", "11111111-2222-3333-4444-555555555555");
	run("printf S1SUSPEND | dd of=d bs=1 seek=4086 conv=notrunc");
	is("swsuspend", "pages", "11111111-2222-3333-4444-555555555555");
	run("truncate -s 4M d; mkswap -p 65536 d");
	is("swap", "", NULL);
}
END_TEST

START_TEST(kinds_of_ext_are_told_by_their_features)
{
	run("mkdir t");
	make_fs("8M", "-t ext2 -L two -U 11111111-2222-3333-4444-555555555555");
	is("ext2", "two", "11111111-2222-3333-4444-555555555555");
	make_fs("8M", "-t ext3 -L 0123456789abcdef");
	is("ext3", "0123456789abcdef", NULL);
	make_fs("8M", "-t ext4");
	is("ext4", "", NULL);
	ck_assert(probe().readable);
	ck_assert_uint_eq(probe().size, 8 * MB);
	run("truncate -s 8M d; mke2fs -q -F -O journal_dev d");
	is("jbd", "", NULL);
	ck_assert(!probe().readable);
	refused(ERR_UNSUPPORTED, "filesystem type jbd cannot be read");
}
END_TEST

START_TEST(fat_is_named_by_its_root_directory)
{
	run("truncate -s 2M d; mkfs.vfat -F 12 -i 1234abcd -n LABEL d");
	is("vfat", "LABEL", "1234-ABCD");
	run("rm d; truncate -s 40M d; mkfs.vfat -F 32 -i 1234abcd d");
	is("vfat", "", "1234-ABCD");
}
END_TEST

START_TEST(magics_by_hand_are_recognised)
{
	static const uint8_t xfs[] = { 'X', 'F', 'S', 'B', 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0x40, 0 };
	static const uint8_t ones[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static const char *const u = "01010101-0101-0101-0101-010101010101";

	run("truncate -s 1M d");
	poke(0, xfs, sizeof xfs);
	poke(32, ones, 16);
	poke(91, "\4", 1);
	poke(101, "\5", 1);
	poke(108, "xlabel", 6);
	is("xfs", "xlabel", u);
	ck_assert_uint_eq(probe().size, 64 * MB);

	run("rm d; truncate -s 1M d");
	poke(0x10040, "_BHRfS_M", 8);
	poke(0x10020, ones, 16);
	poke(0x1012b, "blabel", 6);
	is("btrfs", "blabel", u);

	run("rm d; truncate -s 1M d");
	poke(0, "LUKS\xba\xbe\0\2", 8);
	poke(24, "llabel", 6);
	poke(168, u, 36);
	is("crypto_LUKS", "llabel", u);
	refused(ERR_UNSUPPORTED, "filesystem type crypto_LUKS cannot be read");

	run("rm d; truncate -s 1M d");
	poke(512, "LABELONE", 8);
	poke(512 + 20, " \0\0\0LVM2 001", 12);
	poke(512 + 32, "abcdefghijklmnopqrstuvwxyz012345", 32);
	is("LVM2_member", "", "abcdef-ghij-klmn-opqr-stuv-wxyz-012345");
	/* An offset that leads out of the label's sector. */
	poke(512 + 20, "\xff\xff\xff\xff", 4);
	is("nothing", "", "");

	run("rm d; truncate -s 1M d");
	poke(0x8001, "CD001", 5);
	poke(0x8028, "MY DISC                         ", 32);
	poke(0x8000 + 813, "2026010203040506", 17);
	poke(0x8000 + 830, "0000000000000000", 17);
	is("iso9660", "MY DISC", "2026-01-02-03-04-05-06");
}
END_TEST

START_TEST(a_member_of_a_mirror_is_not_the_filesystem_inside)
{
	static const uint8_t md[] = { 0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0 };
	static const uint8_t md90[] = { 0xfc, 0x4e, 0x2b, 0xa9, 0, 0, 0, 0 };

	run("mkdir t");
	make_fs("8M", "-t ext4");
	/* Version 1.0: at the end. */
	poke(8 * MB - 8192, md, sizeof md);
	poke(8 * MB - 8192 + 32, "host:0", 6);
	is("linux_raid_member", "host:0", "");
	make_fs("8M", "-t ext4");
	poke(8 * MB - 65536, md90, sizeof md90);
	is("linux_raid_member", "", "");
	refused(ERR_UNSUPPORTED, "filesystem type linux_raid_member cannot be read");
}
END_TEST

START_TEST(what_linux_itself_could_read_is_told_apart)
{
	run("truncate -s 4M d");
	poke(512 + 32, "BFS1", 4);
	poke(512, "haiku", 5);
	is("befs", "haiku", "");
	refused(ERR_UNSUPPORTED, "filesystem type befs cannot be read yet: it takes the driver of Linux itself");
	run("rm d; truncate -s 4M d");
	poke(3, "ReFS", 4);
	is("ReFS", "", "");
	refused(ERR_UNSUPPORTED, "filesystem type ReFS cannot be read");
	ck_assert_ptr_null(strstr(e.msg, "yet"));
}
END_TEST

/* A block of 4 KiB, a catalog of two of them from block 4 on: its header and a leaf. */
static void hfsplus_put(void)
{
	run("rm -f d; truncate -s 1M d");
	poke(1024, "H+\0\4", 4);
	poke(1024 + 40, "\0\0\x10\0\0\0\1\0", 8);
	poke(1024 + 288, "\0\0\0\4\0\0\0\2", 8);
	poke(0x4000 + 20, "\0\0\0\1\0\0\0\1\0\0\0\1\x10\0", 14);
	poke(0x5000 + 8, "\xff\1\0\1\0\0\0\x10\0\0\0\1\0\3\0M\0a\0c", 20);
}

START_TEST(hfsplus_is_named_by_its_catalog_where_that_makes_sense)
{
	hfsplus_put();
	is("hfsplus", "Mac", "");
	/* The catalog lies past the end. */
	poke(1024 + 288, "\xff\xff\xff\xff", 4);
	is("hfsplus", "", "");
	/* The leaf does. */
	hfsplus_put();
	poke(0x4000 + 24, "\xff\xff\xff\xff", 4);
	is("hfsplus", "", "");
	/* A name longer than a name may be. */
	hfsplus_put();
	poke(0x5000 + 20, "\xff\xff", 2);
	is("hfsplus", "Mac", "");
	/* Blocks of no size. */
	poke(1024 + 40, "\0\0\0\0", 4);
	is("nothing", "", "");
	/* A cover whose inside is not there. */
	run("rm -f d; truncate -s 1M d");
	poke(1024, "BD", 2);
	poke(1024 + 20, "\xff\xff\xff\xff", 4);
	poke(1024 + 124, "H+\xff\xff", 4);
	is("nothing", "", "");
}
END_TEST

START_TEST(a_pool_of_zfs_is_told_only_with_an_uberblock)
{
	static const uint8_t list[] = { 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const uint8_t name[] = { 0, 0, 0, 0x20, 0, 0, 0, 0x20, 0, 0, 0, 4, 'n', 'a', 'm', 'e',
					0, 0, 0, 9,    0, 0, 0, 1,    0, 0, 0, 4, 't', 'a', 'n', 'k' };

	run("truncate -s 1M d");
	poke(0x4000, list, sizeof list);
	poke(0x400c, name, sizeof name);
	is("nothing", "", "");
	poke(0x20000 + 5 * 1024, "\x0c\xb1\xba\0\0\0\0\0", 8);
	is("zfs_member", "tank", "");
	/* A text that is longer than its pair. */
	poke(0x400c + 24, "\xff\xff\xff\xff", 4);
	is("zfs_member", "", "");
	/* A pair that is longer than the list, and one that is too short to go on from. */
	poke(0x400c, "\xff\xff\xff\xff", 4);
	is("zfs_member", "", "");
	poke(0x400c, "\0\0\0\0", 4);
	is("zfs_member", "", "");
}
END_TEST

START_TEST(a_disc_may_hold_several_that_do_not_contradict)
{
	run("truncate -s 2M d");
	poke(0x8000, "\1CD001\1", 7);
	poke(0x8028, "DISC", 4);
	is("iso9660", "DISC", NULL);
	poke(0x8800, "\0BEA01\1", 7);
	poke(0x9000, "\0NSR02\1", 7);
	poke(256 * 2048, "\2\0", 2);
	poke(256 * 2048 + 12, "\0\1\0\0", 4);
	is("udf", "", "");
	/* Descriptors without end, at a place far away. */
	poke(256 * 2048 + 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	is("udf", "", "");
	poke(0x10040, "_BHRfS_M", 8);
	is("ambivalent", "", "");
}
END_TEST

START_TEST(short_magics_are_not_enough)
{
	run("truncate -s 1M d");
	poke(1024 + 16, "\x7f\x13", 2);
	is("nothing", "", "");
	poke(1024 + 6, "\x34\x34", 2);
	is("nothing", "", "");
	poke(0, "HM", 2);
	is("nothing", "", "");
	run("mkfs.minix d; printf '\\123\\357' | dd of=d bs=1 seek=1080 conv=notrunc");
	/* Where ext2 has its magic, Minix's is a number of inodes. */
	ck_assert_str_eq(probe().type, "ext2");
}
END_TEST

START_TEST(every_failing_allocation_of_a_probe_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	unsigned long n;

	hfsplus_put();
	ok(block_open("d", &how, &b, &e));
	for (n = 1; n < 50; n++) {
		struct fs_id id;
		int rc;

		alloc_fault_at(n);
		rc = fs_probe(b, &id, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			break;
		}
		alloc_fault_at(0);
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d", n, rc);
	}
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, 50);
	block_unref(b);
}
END_TEST

START_TEST(two_claims_are_ambivalent_and_not_opened)
{
	run("mkdir t");
	make_fs("8M", "-t ext4");
	poke(0x8001, "CD001", 5);
	is("ambivalent", "", "");
	refused(ERR_UNSUPPORTED, "the signatures of several filesystems are there at once");
	run("rm d; truncate -s 1M d");
	poke(0x10040, "_BHRfS_M", 8);
	poke(0x8001, "CD001", 5);
	is("ambivalent", "", "");
}
END_TEST

TEST_MAIN("known", an_empty_or_tiny_disk_holds_nothing, swap_has_a_label_and_a_uuid,
	  kinds_of_ext_are_told_by_their_features, fat_is_named_by_its_root_directory, magics_by_hand_are_recognised,
	  a_member_of_a_mirror_is_not_the_filesystem_inside, what_linux_itself_could_read_is_told_apart,
	  hfsplus_is_named_by_its_catalog_where_that_makes_sense, a_pool_of_zfs_is_told_only_with_an_uberblock,
	  a_disc_may_hold_several_that_do_not_contradict, short_magics_are_not_enough,
	  every_failing_allocation_of_a_probe_is_an_error, two_claims_are_ambivalent_and_not_opened)
