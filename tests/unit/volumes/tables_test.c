/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tables_test.c - partition tables of BSD systems and of Apple's, and those that come with another. */
#include "testing.h"

#include "alloc.h"
#include "ondisk.h"
#include "volume.h"

#include <inttypes.h>
#include <string.h>

#define MB (1024 * 1024ULL)
#define DISK (20 * MB)

static struct err e = ERR_INIT;
static uint8_t *disk;

static void disk_new(void)
{
	free(disk);
	disk = calloc(1, DISK);
	ck_assert_ptr_nonnull(disk);
}

static void put16(uint8_t *p, unsigned x)
{
	p[0] = (uint8_t)x;
	p[1] = (uint8_t)(x >> 8);
}

static void put32(uint8_t *p, uint32_t x)
{
	put16(p, x & 0xffff);
	put16(p + 2, x >> 16);
}

static void put32be(uint8_t *p, uint32_t x)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void mbr_put(uint64_t sector, unsigned i, uint8_t type, uint32_t start, uint32_t n)
{
	uint8_t *p = disk + sector * 512;

	p[446 + i * 16 + 4] = type;
	put32(p + 446 + i * 16 + 8, start);
	put32(p + 446 + i * 16 + 12, n);
	p[510] = 0x55;
	p[511] = 0xaa;
}

/* A disklabel of n partitions at a byte; then its partitions, and its checksum. */
static uint8_t *label_put(uint64_t at, unsigned n)
{
	uint8_t *l = disk + at;

	put32(l, 0x82564557);
	put32(l + 40, 512);
	put32(l + 132, 0x82564557);
	put16(l + 138, n);
	return l;
}

static void part_put(uint8_t *l, char letter, uint32_t off, uint32_t size, uint8_t type)
{
	uint8_t *p = l + 148 + 16 * (letter - 'a');

	put32(p, size);
	put32(p + 4, off);
	p[12] = type;
}

static void sum_put(uint8_t *l)
{
	size_t len = 148 + 16 * (l[138] | (size_t)l[139] << 8);
	unsigned sum = 0;

	put16(l + 136, 0);
	for (size_t i = 0; i < len; i += 2)
		sum ^= l[i] | (unsigned)l[i + 1] << 8;
	put16(l + 136, sum);
}

static struct volume_list scan(void)
{
	const struct block_open how = { .format = "raw" };
	struct volume_list l = { 0 };
	struct block *b = NULL;
	FILE *f = fopen("d", "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(disk, 1, DISK, f), DISK);
	ck_assert_int_eq(fclose(f), 0);
	ok(block_open("d", &how, &b, &e));
	ok(volume_scan(b, 0, &l, &e));
	block_unref(b);
	return l;
}

/* "1 mbr 2048+8192, 6 bsd 2064+4000 ..." in sectors of 512 bytes */
static void expect(const struct volume_list *l, const char *want)
{
	char text[2000] = "";

	for (size_t i = 0; i < l->n; i++) {
		const struct volume *v = &l->items[i];

		ck_assert_uint_eq(block_size(v->block), v->size);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u %s %" PRIu64 "+%" PRIu64, i ? ", " : "", v->number,
			 v->scheme, v->off / 512, v->size / 512);
	}
	ck_assert_str_eq(text, want);
}

static void warned(const struct volume_list *l, const char *words)
{
	ck_assert_msg(l->warning && strstr(l->warning, words), "\"%s\" in \"%s\"", words, l->warning ? l->warning : "nothing");
}

/* ---- BSD ---- */

START_TEST(labels_in_an_mbr_are_numbered_as_linux_does)
{
	struct volume_list l;
	uint8_t *p;

	disk_new();
	mbr_put(0, 0, 0xa5, 2048, 8192);
	mbr_put(0, 1, 0xa6, 10240, 8192);
	mbr_put(0, 2, 0x05, 18432, 8192);
	mbr_put(0, 3, 0xa9, 28672, 8192);
	mbr_put(18432, 0, 0x83, 64, 1000);
	/* FreeBSD counts from its partition where "c" begins with 0. */
	p = label_put(2049 * 512, 8);
	part_put(p, 'a', 16, 4000, 7);
	part_put(p, 'b', 4016, 1000, 1);
	part_put(p, 'c', 0, 8192, 0);
	part_put(p, 'd', 5016, 3176, 27);
	part_put(p, 'e', 0, 20000, 7);
	sum_put(p);
	/* OpenBSD counts from the beginning of the disk, and lists what is not its own. */
	p = label_put(10241 * 512, 16);
	put16(p + 114, 1);
	memcpy(p + 64, "\1\2\3\4\5\6\7\x08", 8);
	part_put(p, 'a', 10240, 4000, 7);
	part_put(p, 'b', 14240, 1000, 1);
	part_put(p, 'c', 0, 40960, 0);
	part_put(p, 'i', 18496, 1000, 17);
	part_put(p, 'p', 15240, 100, 7);
	sum_put(p);
	/* NetBSD's "c" is its partition, "d" the disk. */
	p = label_put(28673 * 512, 16);
	part_put(p, 'a', 28672, 4000, 7);
	part_put(p, 'c', 28672, 8192, 0);
	part_put(p, 'd', 0, 40960, 0);
	part_put(p, 'e', 33000, 500, 77);
	sum_put(p);
	l = scan();
	expect(&l, "1 mbr 2048+8192, 2 mbr 10240+8192, 3 mbr 18432+8192, 4 mbr 28672+8192, 5 mbr 18496+1000, "
		   "6 bsd 2064+4000, 7 bsd 6064+1000, 8 bsd 7064+3176, 9 bsd 10240+4000, 10 bsd 14240+1000, 11 bsd 15240+100, "
		   "12 bsd 28672+4000, 13 bsd 33000+500");
	ck_assert_ptr_null(l.warning);
	ck_assert(l.items[7].letter == 'd' && l.items[7].slice == 1 && !l.items[7].has_duid);
	ck_assert(l.items[10].letter == 'p' && l.items[10].slice == 2 && l.items[10].has_duid);
	ck_assert_mem_eq(l.items[10].duid, "\1\2\3\4\5\6\7\x08", 8);
	ck_assert_str_eq(volume_type_name(&l.items[5]), "4.2BSD (UFS)");
	ck_assert_str_eq(volume_type_name(&l.items[7]), "ZFS");
	ck_assert_ptr_null(volume_type_name(&l.items[12]));
	ck_assert(l.items[0].in_use && l.items[1].in_use && l.items[3].in_use && !l.items[4].in_use);
	volume_list_free(&l);
}
END_TEST

START_TEST(freebsd_offsets_from_the_disk_s_beginning_are_known_by_c)
{
	struct volume_list l;
	uint8_t *p;

	disk_new();
	mbr_put(0, 0, 0xa5, 2048, 8192);
	p = label_put(2049 * 512, 8);
	part_put(p, 'a', 2064, 4000, 7);
	part_put(p, 'c', 2048, 8192, 0);
	sum_put(p);
	l = scan();
	expect(&l, "1 mbr 2048+8192, 5 bsd 2064+4000");
	volume_list_free(&l);
}
END_TEST

START_TEST(labels_of_a_whole_disk_are_numbered_by_letters)
{
	static const unsigned places[] = { 512, 64 };

	for (size_t i = 0; i < 2; i++) {
		struct volume_list l;
		uint8_t *p;

		disk_new();
		p = label_put(places[i], 16);
		part_put(p, 'a', 16, 4000, 7);
		part_put(p, 'c', 0, 40960, 0);
		part_put(p, 'e', 8000, 100, 1);
		sum_put(p);
		l = scan();
		expect(&l, "1 bsd 16+4000, 5 bsd 8000+100");
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(labels_of_sectors_of_4096_bytes_and_of_48_bits)
{
	struct volume_list l;
	uint8_t *p;

	disk_new();
	p = label_put(4096, 8);
	put32(p + 40, 4096);
	part_put(p, 'a', 2, 500, 7);
	sum_put(p);
	l = scan();
	expect(&l, "1 bsd 16+4000");
	volume_list_free(&l);

	disk_new();
	p = label_put(512, 16);
	put16(p + 114, 1);
	part_put(p, 'a', 64, 4000, 7);
	part_put(p, 'b', 64, 1, 7);
	put16(p + 148 + 16 + 10, 0xffff);
	sum_put(p);
	l = scan();
	expect(&l, "1 bsd 64+4000");
	warned(&l, "/dev/sda: the disk: partition \"b\" of its BSD disklabel ends past the end of the disk and is left out");
	volume_list_free(&l);
}
END_TEST

START_TEST(labels_that_make_no_sense_are_told)
{
	struct volume_list l;
	uint8_t *p;

	disk_new();
	mbr_put(0, 0, 0xa5, 2048, 8192);
	p = label_put(2049 * 512, 8);
	part_put(p, 'a', 16, 4000, 7);
	part_put(p, 'b', 100, 50, 7);
	part_put(p, 'd', 0xfffffff0, 4000, 7);
	l = scan();
	warned(&l, "partition 1: the checksum of its BSD disklabel does not match");
	warned(&l, "partition 1: partition \"d\" of its BSD disklabel ends past the end of the disk and is left out");
	warned(&l, "partitions 5 and 6 overlap");
	volume_list_free(&l);
	put16(p + 138, 23);
	l = scan();
	expect(&l, "1 mbr 2048+8192");
	warned(&l, "partition 1: a BSD disklabel of 23 partitions is left out");
	volume_list_free(&l);
	put16(p + 138, 8);
	put32(p + 40, 0);
	l = scan();
	warned(&l, "partition 1: a BSD disklabel with sectors of 0 bytes is left out");
	ck_assert(!l.items[0].in_use);
	volume_list_free(&l);
}
END_TEST

/* ---- Apple ---- */

static void map_put(unsigned block, unsigned i, unsigned n, uint32_t start, uint32_t nblocks, const char *name, const char *type)
{
	uint8_t *p = disk + (size_t)block * i;

	memcpy(disk, "ER", 2);
	disk[2] = (uint8_t)(block >> 8);
	memcpy(p, "PM", 2);
	put32be(p + 4, n);
	put32be(p + 8, start);
	put32be(p + 12, nblocks);
	memcpy(p + 16, name, strlen(name));
	memcpy(p + 48, type, strlen(type));
}

START_TEST(an_apple_map_is_listed_with_itself_and_its_free_space)
{
	static const unsigned blocks[] = { 512, 2048, 4096 };

	for (size_t i = 0; i < 3; i++) {
		unsigned k = blocks[i] / 512;
		char want[200];
		struct volume_list l;

		disk_new();
		map_put(blocks[i], 1, 3, 1, 63, "Apple", "Apple_partition_map");
		map_put(blocks[i], 2, 3, 64, 1000, "Macintosh\xca HD\x1b[m", "Apple_HFS");
		map_put(blocks[i], 3, 3, 1064, 100, "", "Apple_Free");
		l = scan();
		snprintf(want, sizeof want, "1 mac %u+%u, 2 mac %u+%u, 3 mac %u+%u", k, 63 * k, 64 * k, 1000 * k, 1064 * k,
			 100 * k);
		expect(&l, want);
		ck_assert_uint_eq(l.sector_size, blocks[i]);
		ck_assert_str_eq(l.items[1].label, "Macintosh\xef\xbf\xbd HD\xef\xbf\xbd[m");
		ck_assert_str_eq(volume_type_name(&l.items[1]), "Apple_HFS");
		ck_assert_ptr_null(l.items[2].label);
		ck_assert_ptr_null(l.warning);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(an_apple_map_that_makes_no_sense_is_told)
{
	struct volume_list l;

	disk_new();
	map_put(512, 1, UINT32_MAX, 1, 63, "Apple", "Apple_partition_map");
	map_put(512, 2, 3, 64, UINT32_MAX, "long", "Apple_HFS");
	map_put(512, 3, 3, UINT32_MAX, UINT32_MAX, "far", "Apple_HFS");
	l = scan();
	expect(&l, "1 mac 1+63, 2 mac 64+40896");
	ck_assert_str_eq(l.warning, "/dev/sda: partition 2 ends past the end of the disk; "
				    "partition 3 lies past the end of the disk; entry 4 of the Apple partition map is missing");
	volume_list_free(&l);
	for (unsigned i = 1; i < 300; i++)
		map_put(512, i, 299, 400 + i, 1, "x", "y");
	l = scan();
	ck_assert_uint_eq(l.n, 256);
	warned(&l, "an Apple partition map of 299 entries: the rest is left out");
	volume_list_free(&l);
	/* Blocks of no size: no map. */
	disk[2] = 0;
	l = scan();
	expect(&l, "0 disk 0+40960");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_disc_for_both_worlds_is_one_volume)
{
	struct volume_list l;

	disk_new();
	map_put(2048, 1, 2, 1, 10, "Apple", "Apple_partition_map");
	map_put(2048, 2, 2, 100, 1000, "disc", "Apple_HFS");
	memcpy(disk + 0x8001, "CD001", 5);
	l = scan();
	expect(&l, "0 disk 0+40960");
	volume_list_free(&l);
}
END_TEST

START_TEST(maps_as_parted_makes_them_read_the_same)
{
	struct volume_list l;
	FILE *f;

	if (system("PATH=$PATH:/sbin:/usr/sbin; command -v parted >/dev/null && truncate -s 20M p && parted -s p mklabel mac "
		   "mkpart one hfs 1MiB 5MiB mkpart two ext2 5MiB 12MiB") != 0)
		return;
	disk_new();
	f = fopen("p", "rb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(disk, 1, DISK, f), DISK);
	fclose(f);
	l = scan();
	expect(&l, "1 mac 1+63, 2 mac 2048+8192, 3 mac 10240+14336, 4 mac 64+1984, 5 mac 24576+16384");
	ck_assert_str_eq(l.items[1].label, "one");
	volume_list_free(&l);
}
END_TEST

START_TEST(every_failing_allocation_of_a_scan_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct volume_list whole;
	struct block *b = NULL;
	unsigned long n;

	disk_new();
	map_put(512, 1, 3, 1, 63, "Apple", "Apple_partition_map");
	map_put(512, 2, 3, 20, 1000, "name", "Apple_HFS");
	whole = scan();
	volume_list_free(&whole);
	ok(block_open("d", &how, &b, &e));
	for (n = 1; n < 100; n++) {
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
	ck_assert_uint_lt(n, 100);
	block_unref(b);
}
END_TEST

TEST_MAIN("tables", labels_in_an_mbr_are_numbered_as_linux_does, freebsd_offsets_from_the_disk_s_beginning_are_known_by_c,
	  labels_of_a_whole_disk_are_numbered_by_letters, labels_of_sectors_of_4096_bytes_and_of_48_bits,
	  labels_that_make_no_sense_are_told, an_apple_map_is_listed_with_itself_and_its_free_space,
	  an_apple_map_that_makes_no_sense_is_told, a_disc_for_both_worlds_is_one_volume,
	  maps_as_parted_makes_them_read_the_same, every_failing_allocation_of_a_scan_is_an_error)
