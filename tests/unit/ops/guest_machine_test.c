/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_machine_test.c - what is to be mounted in a machine, and what must be activated for it. */
#include "guest_machine.h"

#include "testing.h"

static char name_a[] = "/dev/sda1", name_b[] = "/dev/vg/root", name_c[] = "/dev/md127", name_d[] = "/dev/sdb";
static struct volume vols[] = {
	{ .name = name_a, .scheme = "gpt", .number = 1 },
	{ .name = name_b, .scheme = "lvm", .depth = 1 },
	{ .name = name_c, .scheme = "md", .depth = 1 },
	{ .name = name_d, .scheme = "disk", .disk = 1 },
};
static struct content items[] = {
	{ .vol = &vols[0], .id = { .type = "ext4", .uuid = "aaaa" } },
	{ .vol = &vols[1], .id = { .type = "xfs", .uuid = "bbbb", .label = "root" } },
	{ .vol = &vols[2], .id = { .type = "ext4" } },
	{ .vol = &vols[3], .id = { .type = "btrfs", .uuid = "cccc" } },
};
static struct contents contents(size_t n)
{
	return (struct contents){ .items = items, .n = n };
}

START_TEST(volumes_are_planned_by_any_of_their_names)
{
	const struct contents c = contents(4);
	struct guest_plan p = { .items = NULL };
	struct err e = ERR_INIT;

	ok(guest_plan_given(&c, "LABEL=root", "/", NULL, NULL, &p, &e));
	ok(guest_plan_given(&c, "/dev/vda1", "/boot", "ro", "ext4", &p, &e));
	ok(guest_plan_given(&c, "btrfsvol:/dev/sdb/@home", "/home", "compress", NULL, &p, &e));
	ok(guest_plan_given(&c, "btrfsvol:/dev/sdb/@", "/srv", NULL, NULL, &p, &e));
	fails(guest_plan_given(&c, "/dev/sdc", "/x", NULL, NULL, &p, &e), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "no volume \"/dev/sdc\"");
	ck_assert_uint_eq(p.n, 4);
	ck_assert_ptr_eq(p.items[0].it, &items[1]);
	ck_assert_ptr_null(p.items[0].options);
	ck_assert_ptr_eq(p.items[1].it, &items[0]);
	ck_assert_str_eq(p.items[1].path, "/boot");
	ck_assert_str_eq(p.items[1].options, "ro");
	ck_assert_str_eq(p.items[1].type, "ext4");
	ck_assert_str_eq(p.items[2].options, "compress,subvol=@home");
	ck_assert_str_eq(p.items[3].options, "subvol=@");
	/* The others keep their order. */
	guest_plan_drop(&p, 1);
	ck_assert_uint_eq(p.n, 3);
	ck_assert_str_eq(p.items[1].path, "/home");
	ck_assert_str_eq(p.items[2].path, "/srv");
	guest_plan_free(&p);
	ck_assert_uint_eq(p.n, 0);
}
END_TEST

START_TEST(only_kinds_of_volumes_that_are_there_are_activated)
{
	struct contents c = contents(1);

	ck_assert_uint_eq(guest_machine_kinds(&c), 0);
	c = contents(2);
	ck_assert_uint_eq(guest_machine_kinds(&c), CLIENT_LVM);
	c = contents(4);
	ck_assert_uint_eq(guest_machine_kinds(&c), CLIENT_LVM | CLIENT_MD);
	items[3].again = true;
	ck_assert_uint_eq(guest_machine_kinds(&c), CLIENT_LVM | CLIENT_MD | CLIENT_BTRFS);
	items[3].again = false;
}
END_TEST

START_TEST(raid6_is_expected_where_it_may_be)
{
	struct contents c = contents(1);
	struct guest_machine_how how = { .ndisks = 3, .contents = &c };

	ck_assert(!guest_machine_raid6(&how));
	how.any_volumes = true;
	ck_assert(guest_machine_raid6(&how));
	how.ndisks = 1;
	ck_assert(!guest_machine_raid6(&how));
	how.any_volumes = false;
	/* Logical volumes are none by themselves; arrays may be, and those that are not put together; btrfs of several devices. */
	c = contents(2);
	ck_assert(!guest_machine_raid6(&how));
	vols[1].arrays = 1;
	ck_assert(guest_machine_raid6(&how));
	vols[1].arrays = 0;
	items[0].id.type = "linux_raid_member";
	ck_assert(guest_machine_raid6(&how));
	items[0].id.type = "ext4";
	items[1].again = true;
	ck_assert(guest_machine_raid6(&how));
	items[1].again = false;
	c = contents(4);
	ck_assert(guest_machine_raid6(&how));
	how = (struct guest_machine_how){ .ndisks = 2 };
	ck_assert(guest_machine_raid6(&how));
}
END_TEST

static int no_machine(void *arg, const struct appliance_disk *disks, size_t n, bool raid6, struct appliance **out, struct err *e)
{
	size_t *seen = arg;

	ck_assert(!raid6);
	*seen = n;
	ck_assert_str_eq(disks[0].serial, "disk0");
	ck_assert(!disks[0].writable);
	*out = NULL;
	return err_set(e, ERR_NOT_FOUND, "there is no appliance");
}

START_TEST(a_machine_that_does_not_come_up_leaves_nothing)
{
	struct guest_machine m;
	struct block *disk;
	struct err e = ERR_INIT;
	size_t seen = 0;
	struct guest_machine_how how = { .ndisks = 1, .launch = no_machine, .arg = &seen };
	const struct block_open open = { .format = "raw" };
	FILE *f = fopen("disk", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ftruncate(fileno(f), 65536), 0);
	fclose(f);
	ok(block_open("disk", &open, &disk, &e));
	how.disks = &disk;
	fails(guest_machine_start(&how, &m, &e), ERR_NOT_FOUND);
	ck_assert_uint_eq(seen, 1);
	guest_machine_kill(&m);
	block_unref(disk);
}
END_TEST

TEST_MAIN("guest_machine", volumes_are_planned_by_any_of_their_names, only_kinds_of_volumes_that_are_there_are_activated,
	  raid6_is_expected_where_it_may_be,
	  a_machine_that_does_not_come_up_leaves_nothing)
