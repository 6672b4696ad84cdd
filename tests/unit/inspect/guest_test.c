/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "guest.h"

#include <string.h>

static struct err e = ERR_INIT;

static void run(const char *script)
{
	FILE *f = fopen("script", "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "PATH=$PATH:/sbin:/usr/sbin\n%s\n", script);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(system("sh -e script >log 2>&1 || { cat log; exit 1; }") == 0, "%s", script);
}

struct disk {
	struct block *block;
	struct volume_list vols;
	struct contents c;
};

static void disk_open(struct disk *d, const char *path)
{
	const struct block_open how = { .format = "raw" };

	memset(d, 0, sizeof *d);
	ok(block_open(path, &how, &d->block, &e));
	ok(volume_scan(d->block, 0, &d->vols, &e));
	ok(contents_scan(&d->vols, NULL, &d->c, &e));
}

static void disk_close(struct disk *d)
{
	contents_free(&d->c);
	volume_list_free(&d->vols);
	block_unref(d->block);
}

START_TEST(fstab_lines_are_split_and_unescaped)
{
	static const char text[] = "# comment\n\n  \t\nUUID=1-2 / ext4 defaults,noatime 0 1\n"
				   "LABEL=a\\040b\t/my\\040dir\\134\tauto\nonly-one-field\n/dev/sda9 /x\nproc /proc proc";
	struct fstab f;

	ok(fstab_parse(text, sizeof text - 1, &f, &e));
	ck_assert_uint_eq(f.n, 4);
	ck_assert_str_eq(f.items[0].opts, "defaults,noatime");
	ck_assert_str_eq(f.items[1].spec, "LABEL=a b");
	ck_assert_str_eq(f.items[1].dir, "/my dir\\");
	ck_assert_str_eq(f.items[1].opts, "defaults");
	ck_assert_str_eq(f.items[2].type, "auto");
	ck_assert_str_eq(f.items[3].dir, "/proc");
	fstab_free(&f);
}
END_TEST

START_TEST(an_endless_fstab_is_refused)
{
	struct strbuf b = STRBUF_INIT;
	struct fstab f;

	for (int i = 0; i < 5000; i++)
		strbuf_puts(&b, "a /b c d\n");
	fails(fstab_parse(b.s, b.len, &f, &e), ERR_LIMIT);
	strbuf_free(&b);
}
END_TEST

/* GPT: 1 root (LABEL=root), 2 var, 3 swap; the root's fstab names them in different ways. */
static const char make_guest[] =
	"mkdir -p r/etc r/bin r/var r/boot r/srv v/log\n"
	"printf '%s\\n' 'LABEL=root / ext4 defaults 0 1' '/dev/vda2 /var ext4 defaults' 'UUID=none /srv ext4 x'"
	" 'PARTLABEL=swap none swap sw' 'tmpfs /tmp tmpfs x' > r/etc/fstab\n"
	"echo hello > v/log/messages\n"
	"truncate -s 64M d; sgdisk -n 1:2048:+20M -n 2:0:+20M -c 2:data -n 3:0:+5M -c 3:swap d\n"
	"mke2fs -q -t ext4 -L root -d r -E offset=1048576 d 20M\n"
	"mke2fs -q -t ext3 -d v -E offset=22020096 d 20M\n"
	"truncate -s 5M s; mkswap -L sw s; dd if=s of=d bs=1M seek=41 conv=notrunc\n";

START_TEST(the_root_is_found_and_its_fstab_mounted)
{
	struct guest g;
	struct disk d;
	char *text;
	size_t len;

	run(make_guest);
	disk_open(&d, "d");
	ck_assert_uint_eq(d.c.n, 3);
	ck_assert_str_eq(d.c.items[0].id.type, "ext4");
	ck_assert_str_eq(d.c.items[1].id.type, "ext3");
	ck_assert_str_eq(d.c.items[2].id.type, "swap");
	ck_assert_str_eq(d.c.items[2].id.label, "sw");
	ok(guest_open(&d.c, false, &g, &e));
	ck_assert_uint_eq(vfs_nmounts(g.vfs), 2);
	ck_assert_str_eq(vfs_mount_info(g.vfs, 1).path, "/var");
	ck_assert_ptr_eq(g.mounted[1], &d.c.items[1]);
	ok(vfs_read_file(g.vfs, "/var/log/messages", 100, &text, &len, &e));
	ck_assert_str_eq(text, "hello\n");
	free(text);
	ck_assert_uint_eq(g.nnotes, 1);
	ck_assert_str_eq(g.notes[0], "fstab: /srv (UUID=none) is not mounted: no such volume");
	guest_free(&g);
	disk_close(&d);
}
END_TEST

START_TEST(volumes_are_found_by_every_name)
{
	struct disk d;
	char spec[100];

	run(make_guest);
	disk_open(&d, "d");
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/sda2"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "sda2"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/vda3"), &d.c.items[2]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/xvda1"), &d.c.items[0]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/nvme0n1p2"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/mmcblk0p2"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "LABEL=root"), &d.c.items[0]);
	ck_assert_ptr_eq(contents_find(&d.c, "LABEL=\"root\""), &d.c.items[0]);
	ck_assert_ptr_eq(contents_find(&d.c, "PARTLABEL=data"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/disk/by-partlabel/d\\x61ta"), &d.c.items[1]);
	snprintf(spec, sizeof spec, "UUID=%s", d.c.items[1].id.uuid);
	ck_assert_ptr_eq(contents_find(&d.c, spec), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/ada0p2"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/vtbd0p1"), &d.c.items[0]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/gpt/data"), &d.c.items[1]);
	ck_assert_ptr_eq(contents_find(&d.c, "/dev/ext2fs/root"), &d.c.items[0]);
	ck_assert_ptr_eq(contents_find(&d.c, "NAME=data"), &d.c.items[1]);
	ck_assert_ptr_null(contents_find(&d.c, "/dev/ada1p2"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/ada0p"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/ada0p2x"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/ada0s"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/sd0a"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/sdb1"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/sda99999999999999999999"));
	ck_assert_ptr_null(contents_find(&d.c, "/dev/sda1x"));
	ck_assert_ptr_null(contents_find(&d.c, "LABEL="));
	ck_assert_ptr_null(contents_find(&d.c, ""));
	disk_close(&d);
}
END_TEST

/* Those of a BSD are named by the disk, the MBR partition in which the label lies, and a letter. */
START_TEST(partitions_of_a_bsd_are_found_by_its_names)
{
	struct volume v = { .scheme = "bsd", .number = 6, .disk = 1, .letter = 'e', .slice = 2 };
	static const char *const yes[] = { "/dev/ada1s2e", "ada1e", "/dev/sd1e", "wd1e", "ld1e", "/dev/sdb6",
					   "/dev/0123456789abcdef.e", "0123456789ABCDEF.e" };
	static const char *const no[] = { "ada1s1e", "ada0s2e", "ada1s2f", "ada1s2", "ada1s6", "ada1p6", "sd1", "sd1ee", "sd1w",
					  "0123456789abcdef.f", "0123456789abcdee.e", "0123456789abcdef", "ada1s99999999e", "" };

	v.has_duid = true;
	memcpy(v.duid, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		ck_assert_msg(device_is_volume(yes[i], &v), "%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		ck_assert_msg(!device_is_volume(no[i], &v), "%s", no[i]);
	v = (struct volume){ .scheme = "mbr", .number = 2 };
	ck_assert(device_is_volume("/dev/ada0s2", &v) && device_is_volume("/dev/hd0s2", &v));
	ck_assert(!device_is_volume("/dev/ada0s2a", &v) && !device_is_volume("/dev/ada0", &v));
}
END_TEST

START_TEST(two_roots_are_a_question)
{
	struct guest g;
	struct disk d;

	run("mkdir -p r/etc r/bin; touch r/etc/hosts\n"
	    "truncate -s 64M d; sgdisk -n 1:2048:+20M -n 2:0:+20M d\n"
	    "mke2fs -q -t ext4 -d r -E offset=1048576 d 20M; mke2fs -q -t ext4 -d r -E offset=22020096 d 20M\n");
	disk_open(&d, "d");
	fails(guest_open(&d.c, true, &g, &e), ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(e.msg, "/dev/sda1 (ext4), /dev/sda2 (ext4)"));
	ok(guest_mount_root(&d.c, &(struct root){ .content = 1 }, &g, &e));
	guest_free(&g);
	disk_close(&d);
}
END_TEST

/* What a snapshot of the root, with all its labels, would be. */
START_TEST(a_snapshot_of_the_root_is_not_asked_while_there_is_the_root)
{
	struct guest g;
	struct disk d;

	run(make_guest);
	run("dd if=d of=d bs=1M skip=1 seek=21 count=20 conv=notrunc");
	disk_open(&d, "d");
	fails(guest_open(&d.c, false, &g, &e), ERR_USAGE);
	d.vols.items[0].snapshot = true;
	ck_assert_ptr_eq(contents_find(&d.c, "LABEL=root"), &d.c.items[1]);
	ok(guest_open(&d.c, false, &g, &e));
	ck_assert_ptr_eq(g.mounted[0], &d.c.items[1]);
	guest_free(&g);
	/* Alone it has to do. */
	d.vols.items[1].extended = true;
	memset(&d.c.items[1].id, 0, sizeof d.c.items[1].id);
	ck_assert_ptr_eq(contents_find(&d.c, "LABEL=root"), &d.c.items[0]);
	ok(guest_open(&d.c, false, &g, &e));
	ck_assert_ptr_eq(g.mounted[0], &d.c.items[0]);
	guest_free(&g);
	disk_close(&d);
}
END_TEST

START_TEST(a_filesystem_that_is_no_root_is_opened_only_on_request)
{
	struct guest g = { 0 };
	struct disk d;

	run("mkdir r; touch r/file; truncate -s 20M d; mke2fs -q -t ext4 -d r d\n");
	disk_open(&d, "d");
	fails(guest_open(&d.c, false, &g, &e), ERR_NOT_FOUND);
	ck_assert_str_eq(e.msg, "no operating system was found; the volumes are: /dev/sda (ext4)");
	ok(guest_open(&d.c, true, &g, &e));
	ck_assert(vfs_is_file(g.vfs, "/file"));
	guest_free(&g);
	fails(guest_mount(&d.c, "/dev/sda1", NULL, "/", &g, &e), ERR_NOT_FOUND);
	ok(guest_mount(&d.c, "/dev/sda", NULL, "/", &g, &e));
	guest_free(&g);
	disk_close(&d);
}
END_TEST

START_TEST(every_failing_allocation_of_an_opening_is_an_error)
{
	struct disk d;
	unsigned long n;

	run(make_guest);
	disk_open(&d, "d");
	for (n = 1; n < 5000; n++) {
		struct guest g;
		int rc;

		alloc_fault_at(n);
		rc = guest_open(&d.c, false, &g, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			guest_free(&g);
			break;
		}
		alloc_fault_at(0);
		/* Where only the words of an expected failure were lost, the answer is the whole one. */
		ck_assert_msg(rc == -ERR_NOMEM || (rc == 0 && vfs_nmounts(g.vfs) == 2 && g.nnotes == 1),
			      "allocation %lu: %d %s", n, rc, e.msg);
		if (rc == 0)
			guest_free(&g);
	}
	ck_assert_uint_lt(n, 5000);
	disk_close(&d);
}
END_TEST

TEST_MAIN("guest", fstab_lines_are_split_and_unescaped, an_endless_fstab_is_refused,
	  the_root_is_found_and_its_fstab_mounted, volumes_are_found_by_every_name,
	  partitions_of_a_bsd_are_found_by_its_names, two_roots_are_a_question,
	  a_snapshot_of_the_root_is_not_asked_while_there_is_the_root,
	  a_filesystem_that_is_no_root_is_opened_only_on_request, every_failing_allocation_of_an_opening_is_an_error)
