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
	  a_member_of_a_mirror_is_not_the_filesystem_inside, two_claims_are_ambivalent_and_not_opened)
