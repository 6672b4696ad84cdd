/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "ondisk.h"
#include "text.h"
#include "volume.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define MB (1024 * 1024ULL)

static struct err e = ERR_INIT;

static bool have(const char *tool)
{
	char cmd[200];

	snprintf(cmd, sizeof cmd, "PATH=$PATH:/sbin:/usr/sbin; command -v %s >/dev/null", tool);
	return system(cmd) == 0;
}

static void run(const char *script)
{
	FILE *f = fopen("script", "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "PATH=$PATH:/sbin:/usr/sbin\n%s\n", script);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(system("sh -e script >log 2>&1 || { cat log; exit 1; }") == 0, "%s", script);
}

static void file_write(const char *path, uint64_t off, const void *data, size_t len)
{
	FILE *f = fopen(path, "r+b");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, (long)off, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static int scan(const char *path, struct volume_list *l)
{
	const struct block_open how = { .format = "raw" };
	struct block *b = NULL;
	int rc;

	memset(l, 0, sizeof *l);
	ok(block_open(path, &how, &b, &e));
	rc = volume_scan(b, 0, l, &e);
	block_unref(b);
	return rc;
}

static void expect(const struct volume *v, const char *name, uint64_t off, uint64_t size)
{
	ck_assert_str_eq(v->name, name);
	ck_assert_uint_eq(v->off, off);
	ck_assert_uint_eq(v->size, size);
	ck_assert_uint_eq(block_size(v->block), size);
}

/* ---- MBRs by hand ---- */

static void entry_put(uint8_t *sector, unsigned i, uint8_t flag, uint8_t type, uint32_t start, uint32_t n)
{
	uint8_t *p = sector + 446 + i * 16;
	le32 v;

	p[0] = flag;
	p[4] = type;
	le32_put(&v, start);
	memcpy(p + 8, &v, 4);
	le32_put(&v, n);
	memcpy(p + 12, &v, 4);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

START_TEST(a_disk_without_a_table_is_one_volume)
{
	struct volume_list l;

	run("truncate -s 1M d");
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 1);
	expect(&l.items[0], "/dev/sda", 0, MB);
	ck_assert_str_eq(l.items[0].scheme, "disk");
	ck_assert_ptr_null(volume_type_name(&l.items[0]));
	volume_list_free(&l);
}
END_TEST

START_TEST(primary_and_logical_partitions_are_found_as_sfdisk_made_them)
{
	struct volume_list l;

	if (!have("sfdisk"))
		return;
	run("truncate -s 64M d\n"
	    "printf 'label: dos\\n start=2048,size=8192,type=83,bootable\\n start=10240,size=2048,type=82\\n"
	    " start=12288,size=40960,type=5\\n start=14336,size=4096,type=83\\n start=20480,size=4096,type=8e\\n' | sfdisk -q d");
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 5);
	expect(&l.items[0], "/dev/sda1", MB, 4 * MB);
	ck_assert(l.items[0].active && l.items[0].mbr_type == 0x83);
	expect(&l.items[1], "/dev/sda2", 5 * MB, MB);
	ck_assert_str_eq(volume_type_name(&l.items[1]), "Linux swap");
	ck_assert(l.items[2].extended);
	expect(&l.items[3], "/dev/sda5", 7 * MB, 2 * MB);
	expect(&l.items[4], "/dev/sda6", 10 * MB, 2 * MB);
	ck_assert_ptr_null(l.warning);
	ck_assert_ptr_eq(volume_find(&l, "sda6"), &l.items[4]);
	ck_assert_ptr_null(volume_find(&l, "sda7"));
	volume_list_free(&l);
}
END_TEST

START_TEST(a_chain_of_logical_partitions_that_loops_ends_with_a_warning)
{
	uint8_t mbr[512] = { 0 }, ebr[512] = { 0 };
	struct volume_list l;

	run("truncate -s 1M d");
	entry_put(mbr, 0, 0, 5, 64, 1024);
	entry_put(ebr, 0, 0, 0x83, 1, 10);
	entry_put(ebr, 1, 0, 5, 100, 20);
	file_write("d", 0, mbr, 512);
	file_write("d", 64 * 512, ebr, 512);
	/* The second leads back to the first. */
	entry_put(ebr, 1, 0, 5, 0, 20);
	file_write("d", 164 * 512, ebr, 512);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.warning, "/dev/sda: the chain of logical partitions is a loop");
	volume_list_free(&l);
}
END_TEST

START_TEST(partitions_past_the_end_and_overlaps_are_said)
{
	uint8_t mbr[512] = { 0 };
	struct volume_list l;

	run("truncate -s 1M d");
	entry_put(mbr, 0, 0, 0x83, 8, 100);
	entry_put(mbr, 1, 0, 0x83, 50, 4000000000u);
	entry_put(mbr, 2, 0, 0x83, 5000, 10);
	file_write("d", 0, mbr, 512);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 2);
	expect(&l.items[1], "/dev/sda2", 25600, MB - 25600);
	ck_assert_str_eq(l.warning, "/dev/sda: partition 2 ends past the end of the disk; "
				    "partition 3 lies past the end of the disk; partitions 1 and 2 overlap");
	volume_list_free(&l);
}
END_TEST

START_TEST(the_boot_sector_of_a_filesystem_is_no_table)
{
	static const char *const makers[] = { "mkfs.vfat d", "mkfs.ntfs -F -Q d" };

	for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
		struct volume_list l;
		char tool[20];

		snprintf(tool, sizeof tool, "%.9s", makers[i]);
		if (!have(tool))
			continue;
		run("rm -f d; truncate -s 8M d");
		run(makers[i]);
		ok(scan("d", &l));
		ck_assert_uint_eq(l.n, 1);
		ck_assert_str_eq(l.items[0].scheme, "disk");
		volume_list_free(&l);
	}
}
END_TEST

/* ---- GPTs by hand, so that they can be broken ---- */

static void crc_put(uint8_t *header)
{
	le32 v;

	memset(header + 16, 0, 4);
	le32_put(&v, (uint32_t)crc32(0, header, 92));
	memcpy(header + 16, &v, 4);
}

static void put32(uint8_t *p, uint32_t x)
{
	le32 v;

	le32_put(&v, x);
	memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t x)
{
	put32(p, (uint32_t)x);
	put32(p + 4, (uint32_t)(x >> 32));
}

struct gpt {
	unsigned sector;
	uint64_t nsectors;
	uint8_t entries[128 * 128];
};

static void gpt_entry(struct gpt *g, unsigned i, uint64_t first, uint64_t last, const char *name)
{
	static const uint8_t linux_fs[16] = { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
					      0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4 };
	uint8_t *p = g->entries + i * 128;

	memcpy(p, linux_fs, 16);
	memset(p + 16, (int)i + 1, 16);
	put64(p + 32, first);
	put64(p + 40, last);
	for (size_t k = 0; name[k]; k++)
		p[56 + 2 * k] = (uint8_t)name[k];
}

static void gpt_header(const struct gpt *g, uint8_t *h, uint64_t my, uint64_t other, uint64_t entries)
{
	memset(h, 0, g->sector);
	memcpy(h, "EFI PART\0\0\1\0\134\0\0", 16);
	put64(h + 24, my);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, g->nsectors - 34);
	put64(h + 72, entries);
	put32(h + 80, 128);
	put32(h + 84, 128);
	put32(h + 88, (uint32_t)crc32(0, g->entries, sizeof g->entries));
	crc_put(h);
}

static void gpt_write(const struct gpt *g)
{
	uint8_t mbr[512] = { 0 }, h[4096];
	uint64_t last = g->nsectors - 1, array = sizeof g->entries / g->sector;
	char cmd[100];

	snprintf(cmd, sizeof cmd, "rm -f d; truncate -s %" PRIu64 " d", g->nsectors * g->sector);
	run(cmd);
	entry_put(mbr, 0, 0, 0xee, 1, (uint32_t)last);
	file_write("d", 0, mbr, 512);
	gpt_header(g, h, 1, last, 2);
	file_write("d", g->sector, h, g->sector);
	file_write("d", 2 * g->sector, g->entries, sizeof g->entries);
	gpt_header(g, h, last, 1, last - array);
	file_write("d", last * g->sector, h, g->sector);
	file_write("d", (last - array) * g->sector, g->entries, sizeof g->entries);
}

static struct gpt two_partitions(unsigned sector)
{
	struct gpt g = { .sector = sector, .nsectors = 4096 };

	gpt_entry(&g, 0, 64, 127, "root");
	gpt_entry(&g, 4, 128, 200, "");
	return g;
}

START_TEST(a_gpt_is_read_with_sectors_of_either_size)
{
	static const unsigned sizes[] = { 512, 4096 };

	for (size_t i = 0; i < 2; i++) {
		struct gpt g = two_partitions(sizes[i]);
		struct volume_list l;
		char uuid[40];

		gpt_write(&g);
		ok(scan("d", &l));
		ck_assert_uint_eq(l.n, 2);
		ck_assert_uint_eq(l.sector_size, sizes[i]);
		expect(&l.items[0], "/dev/sda1", 64 * sizes[i], 64 * sizes[i]);
		expect(&l.items[1], "/dev/sda5", 128 * sizes[i], 73 * sizes[i]);
		ck_assert_str_eq(l.items[0].label, "root");
		ck_assert_ptr_null(l.items[1].label);
		ck_assert_str_eq(volume_type_name(&l.items[0]), "Linux filesystem");
		ck_assert_str_eq(text_uuid(l.items[0].type_uuid, uuid), "0fc63daf-8483-4772-8e79-3d69d8477de4");
		ck_assert_ptr_null(l.warning);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(a_broken_primary_gives_way_to_the_backup)
{
	struct gpt g = two_partitions(512);
	struct volume_list l;

	gpt_write(&g);
	file_write("d", 512 + 40, "x", 1);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.warning, "/dev/sda: the primary GPT is not usable, the backup is used: "
				    "the checksum of its header does not match");
	volume_list_free(&l);

	gpt_write(&g);
	file_write("d", 1024 + 600, "x", 1);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 2);
	ck_assert_ptr_nonnull(strstr(l.warning, "the checksum of its entries does not match"));
	volume_list_free(&l);
}
END_TEST

START_TEST(a_broken_backup_is_said)
{
	struct gpt g = two_partitions(512);
	struct volume_list l;

	gpt_write(&g);
	file_write("d", 4095 * 512, "x", 1);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.warning, "/dev/sda: the backup GPT is not usable: there is no header in sector 4095");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_gpt_with_both_tables_broken_is_an_error)
{
	struct gpt g = two_partitions(512);
	struct volume_list l;

	gpt_write(&g);
	file_write("d", 512 + 40, "x", 1);
	file_write("d", 4095 * 512 + 40, "x", 1);
	fails(scan("d", &l), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "neither table is usable"));
	volume_list_free(&l);
}
END_TEST

START_TEST(giant_numbers_of_entries_are_refused)
{
	static const uint32_t sizes[][2] = { { 0xffffffff, 128 }, { 128, 0xffffff80 }, { 4096, 4096 }, { 128, 64 } };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct gpt g = two_partitions(512);
		struct volume_list l;
		uint8_t h[512];

		gpt_write(&g);
		gpt_header(&g, h, 1, 4095, 2);
		put32(h + 80, sizes[i][0]);
		put32(h + 84, sizes[i][1]);
		crc_put(h);
		file_write("d", 512, h, 512);
		ok(scan("d", &l));
		ck_assert_ptr_nonnull(strstr(l.warning, "the backup is used"));
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(gpt_entries_past_the_end_and_backwards_are_left_out)
{
	struct gpt g = two_partitions(512);
	struct volume_list l;

	gpt_entry(&g, 5, 300, 299, "backwards");
	gpt_entry(&g, 6, 5000, 6000, "outside");
	gpt_entry(&g, 7, 4000, UINT64_MAX, "cut");
	gpt_entry(&g, 8, 100, 110, "overlap");
	gpt_write(&g);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 4);
	expect(&l.items[2], "/dev/sda8", 4000 * 512, 96 * 512);
	ck_assert_ptr_nonnull(strstr(l.warning, "partitions 1 and 9 overlap"));
	ck_assert_ptr_nonnull(strstr(l.warning, "partition 6 goes from sector 300 to 299"));
	ck_assert_ptr_nonnull(strstr(l.warning, "partition 7 lies past the end of the disk"));
	volume_list_free(&l);
}
END_TEST

START_TEST(a_forgotten_gpt_behind_a_real_mbr_is_not_taken)
{
	struct gpt g = two_partitions(512);
	uint8_t mbr[512] = { 0 };
	struct volume_list l;

	gpt_write(&g);
	entry_put(mbr, 0, 0x80, 0x83, 8, 100);
	file_write("d", 0, mbr, 512);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 1);
	ck_assert_str_eq(l.items[0].scheme, "mbr");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_gpt_counts_more_than_what_a_hybrid_mbr_lists)
{
	struct gpt g = two_partitions(512);
	uint8_t mbr[512] = { 0 };
	struct volume_list l;

	gpt_write(&g);
	entry_put(mbr, 0, 0, 0xee, 1, 63);
	entry_put(mbr, 1, 0x80, 0x83, 64, 64);
	file_write("d", 0, mbr, 512);
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.items[0].scheme, "gpt");
	ck_assert_str_eq(l.warning, "/dev/sda: the MBR lists partitions of its own beside the GPT (a hybrid MBR): the GPT counts");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_gpt_made_by_sgdisk_reads_the_same)
{
	struct volume_list l;
	char uuid[40];

	if (!have("sgdisk"))
		return;
	run("truncate -s 64M d\n"
	    "sgdisk -n 1:2048:+1M -t 1:ef02 -n 2:4096:+8M -t 2:ef00 -c 2:'EFI System Partition' -n 3:20480:0 -t 3:8300 "
	    "-u 3:11111111-2222-3333-4444-555555555555 -A 3:set:2 d");
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 3);
	expect(&l.items[1], "/dev/sda2", 2 * MB, 8 * MB);
	ck_assert_str_eq(l.items[1].label, "EFI System Partition");
	ck_assert_str_eq(volume_type_name(&l.items[0]), "BIOS boot");
	ck_assert_str_eq(text_uuid(l.items[2].part_uuid, uuid), "11111111-2222-3333-4444-555555555555");
	ck_assert(l.items[2].active);
	ck_assert_ptr_null(l.warning);
	volume_list_free(&l);

	/* Enlarged, as by qemu-img resize: the backup is no longer at the end, and still good. */
	run("truncate -s 80M d");
	ok(scan("d", &l));
	ck_assert_uint_eq(l.n, 3);
	ck_assert_ptr_null(l.warning);
	volume_list_free(&l);
}
END_TEST

START_TEST(disks_are_lettered_on_past_z)
{
	const struct block_open how = { .format = "raw" };
	struct volume_list l = { 0 };
	struct block *b = NULL;

	run("truncate -s 1M d");
	ok(block_open("d", &how, &b, &e));
	ok(volume_scan(b, 25, &l, &e));
	ok(volume_scan(b, 26, &l, &e));
	ok(volume_scan(b, 701, &l, &e));
	ok(volume_scan(b, 702, &l, &e));
	ck_assert_str_eq(l.items[0].name, "/dev/sdz");
	ck_assert_str_eq(l.items[1].name, "/dev/sdaa");
	ck_assert_str_eq(l.items[2].name, "/dev/sdzz");
	ck_assert_str_eq(l.items[3].name, "/dev/sdaaa");
	volume_list_free(&l);
	block_unref(b);
}
END_TEST

START_TEST(every_failing_allocation_of_a_scan_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct gpt g = two_partitions(512);
	struct block *b = NULL;
	unsigned long n;

	gpt_entry(&g, 8, 100, 110, "overlap");
	gpt_write(&g);
	file_write("d", 512 + 40, "x", 1);
	ok(block_open("d", &how, &b, &e));
	for (n = 1; n < 200; n++) {
		struct volume_list l = { 0 };
		int rc;

		alloc_fault_at(n);
		rc = volume_scan(b, 0, &l, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			volume_list_free(&l);
			break;
		}
		alloc_fault_at(0);
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d", n, rc);
		ck_assert_uint_eq(l.n, 0);
		volume_list_free(&l);
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_uint_lt(n, 200);
	block_unref(b);
}
END_TEST

TEST_MAIN("volumes", a_disk_without_a_table_is_one_volume,
	  primary_and_logical_partitions_are_found_as_sfdisk_made_them,
	  a_chain_of_logical_partitions_that_loops_ends_with_a_warning, partitions_past_the_end_and_overlaps_are_said,
	  the_boot_sector_of_a_filesystem_is_no_table, a_gpt_is_read_with_sectors_of_either_size,
	  a_broken_primary_gives_way_to_the_backup, a_broken_backup_is_said, a_gpt_with_both_tables_broken_is_an_error,
	  giant_numbers_of_entries_are_refused, gpt_entries_past_the_end_and_backwards_are_left_out,
	  a_forgotten_gpt_behind_a_real_mbr_is_not_taken, a_gpt_counts_more_than_what_a_hybrid_mbr_lists,
	  a_gpt_made_by_sgdisk_reads_the_same,
	  disks_are_lettered_on_past_z, every_failing_allocation_of_a_scan_is_an_error)
