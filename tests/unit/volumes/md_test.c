/* SPDX-License-Identifier: GPL-2.0-or-later */
/* md_test.c - arrays put together from members made by hand. */
#include "md_fixture.h"

#include "block_driver.h"
#include "crc32c.h"

/* ---- arrays full of the pattern ---- */

static const struct array mirror = { 1, 0, 2, 0, 256, 0 };
static const struct array raid5 = { 5, 2, 3, 4, 64, 0 };
static const struct array raid6 = { 6, 2, 5, 4, 64, 0 };

static uint8_t twice(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1d : 0));
}

/* P and Q of each byte of the stripe that begins at off, from its data disks in the order in which they count. */
static void parity_write(struct disk *disks, const struct md_geo *g, uint64_t off)
{
	struct md_stripe s = md_stripe_at(g, off);
	uint64_t at = disks[0].data_off + md_locate(g, off, 0).off;

	for (uint64_t i = at; i < at + g->chunk; i++) {
		uint8_t p = 0, q = 0, factor = 1;

		for (unsigned k = 0; k < g->ndisks; k++) {
			unsigned d = (s.first + k) % g->ndisks;

			if (d == s.p || d == s.q) {
				factor = s.by_number ? twice(factor) : factor;
				continue;
			}
			p ^= disks[d].bytes[i];
			for (uint8_t bit = 1, x = disks[d].bytes[i]; bit; bit = (uint8_t)(bit << 1), x = twice(x))
				q ^= factor & bit ? x : 0;
			factor = twice(factor);
		}
		disks[s.p].bytes[i] = p;
		if (s.q != MD_NO_DISK)
			disks[s.q].bytes[i] = q;
	}
}

static void fill(struct disk *disks, const struct array *a)
{
	const struct md_super s = { .level = a->level, .layout = a->layout, .ndisks = a->ndisks, .nroles = 8,
				    .chunk = a->chunk_kb * KB, .used = a->data_kb * KB };
	struct md_geo g;

	ok(md_geo_init(&g, &s, NULL, &e));
	for (uint64_t off = 0; off < g.size; off++)
		for (unsigned copy = 0; copy < md_copies(&g); copy++) {
			struct md_place p = md_locate(&g, off, copy);

			disks[p.disk].bytes[disks[p.disk].data_off + p.off] = pattern(off);
		}
	for (uint64_t off = 0; md_is_parity(&g) && off < g.size; off += g.chunk)
		parity_write(disks, &g, off);
	md_geo_free(&g);
}

/* Files "0", "1" ... of an array; disks stay for changes, until disks_end(). */
static void disks_begin(struct disk *disks, const struct array *a)
{
	for (unsigned i = 0; i < a->ndisks; i++)
		disks[i] = disk_make(a, i);
	fill(disks, a);
}

static void disks_write(struct disk *disks, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const char name[2] = { (char)('0' + i), '\0' };

		disk_write(&disks[i], name);
	}
}

static void disks_end(struct disk *disks, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		disk_free(&disks[i]);
}

static void make(const struct array *a)
{
	struct disk disks[8];

	disks_begin(disks, a);
	disks_write(disks, a->ndisks);
	disks_end(disks, a->ndisks);
}

/* The array of these files, which must hold the pattern. */
static struct volume_list whole(const char *names)
{
	struct volume_list l = assemble(names);

	ck_assert_msg(l.n == strlen(names) + 1, "%s", l.warning ? l.warning : "no array");
	expect_pattern(l.items[l.n - 1].block, 0, (size_t)l.items[l.n - 1].size);
	return l;
}

static void refused(const char *names, const char *words)
{
	struct volume_list l = assemble(names);

	ck_assert_uint_eq(l.n, strlen(names));
	warned(&l, words);
	volume_list_free(&l);
}

START_TEST(an_array_has_the_names_that_its_own_machine_gives_it)
{
	struct volume_list l;
	const struct volume *v;

	make(&mirror);
	l = whole("01");
	v = &l.items[2];
	ck_assert_str_eq(v->name, "/dev/md127");
	ck_assert_str_eq(v->scheme, "md");
	ck_assert_str_eq(v->uuid, "30313233:34353637:38396162:63646566");
	ck_assert(volume_is_called(v, "/dev/md/data") && volume_is_called(v, "md/there:data"));
	ck_assert(volume_is_called(v, "/dev/disk/by-id/md-uuid-30313233:34353637:38396162:63646566"));
	ck_assert(volume_is_called(v, "/dev/disk/by-id/md-name-there:data"));
	ck_assert(v->nparts == 2 && v->parts[0] == 0 && v->parts[1] == 1 && v->depth == 1);
	ck_assert(l.items[0].in_use && l.items[1].in_use && !v->in_use);
	ck_assert_ptr_null(l.warning);
	volume_list_free(&l);
}
END_TEST

START_TEST(names_that_are_numbers_are_devices_and_unsafe_ones_are_none)
{
	static const struct {
		const char *name, *is, *is_not;
	} cases[] = {
		{ "there:0", "/dev/md0", "/dev/md1" },
		{ "7", "/dev/md7", "/dev/md0" },
		{ "there:../x", "/dev/md127", "/dev/md/../x" },
		{ "a b", "/dev/md127", "/dev/md/a b" },
		{ "there:", "/dev/md127", "/dev/md/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct disk d[2];
		struct volume_list l;

		disks_begin(d, &mirror);
		for (unsigned k = 0; k < 2; k++) {
			memset(d[k].super + 32, 0, 32);
			memcpy(d[k].super + 32, cases[i].name, strlen(cases[i].name));
		}
		disks_write(d, 2);
		disks_end(d, 2);
		l = whole("01");
		ck_assert_str_eq(l.items[2].name, "/dev/md127");
		ck_assert_msg(volume_is_called(&l.items[2], cases[i].is), "%s", cases[i].is);
		ck_assert_msg(!volume_is_called(&l.items[2], cases[i].is_not), "%s", cases[i].is_not);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(arrays_are_numbered_down_from_127)
{
	struct disk d[3];
	struct volume_list l;

	for (unsigned i = 0; i < 3; i++) {
		static const struct array one = { 1, 0, 1, 0, 64, 0 };

		d[i] = disk_make(&one, 0);
		d[i].super[16] = (uint8_t)i;
	}
	disks_write(d, 3);
	disks_end(d, 3);
	l = assemble("012");
	ck_assert_uint_eq(l.n, 6);
	ck_assert_str_eq(l.items[3].name, "/dev/md127");
	ck_assert_str_eq(l.items[5].name, "/dev/md125");
	/* A name belongs to the first who has it. */
	ck_assert(volume_is_called(&l.items[3], "/dev/md/data") && !volume_is_called(&l.items[4], "/dev/md/data"));
	volume_list_free(&l);
}
END_TEST

START_TEST(raid5_is_read_without_any_one_disk)
{
	static const char *const sets[] = { "012", "210", "01", "12", "02" };

	make(&raid5);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct volume_list l = whole(sets[i]);

		expect_pattern(l.items[l.n - 1].block, 4095, 30000);
		if (strlen(sets[i]) == 2)
			warned(&l, "of 3 is missing");
		volume_list_free(&l);
	}
	refused("1", "MD array \"there:data\" on /dev/sda: it cannot be put together: disks 0 and 2 of 3 are missing");
}
END_TEST

static void without_any_two(const struct array *array)
{
	make(array);
	for (unsigned a = 0; a < 5; a++) {
		for (unsigned b = a; b < 5; b++) {
			char names[6] = "";
			struct volume_list l;

			for (unsigned i = 0; i < 5; i++)
				if (i != a && i != b)
					names[strlen(names)] = (char)('0' + i);
			l = whole(names);
			volume_list_free(&l);
		}
	}
	refused("03", "disks 1, 2 and 4 of 5 are missing");
}

START_TEST(raid6_is_read_without_any_two_disks)
{
	/* Those of Linux, and of DDF. */
	static const unsigned layouts[] = { 2, 8, 9, 10 };

	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		struct array array = raid6;

		array.layout = layouts[i];
		without_any_two(&array);
	}
}
END_TEST

START_TEST(arrays_in_each_other_have_a_limit_where_their_reads_would_multiply)
{
	static const unsigned data_kb[] = { 64, 256, 512 };

	for (int level = 0; level < 2; level++) {
		uint8_t *inner = NULL;
		struct volume_list l;

		for (unsigned k = 0; k < 3; k++) {
			const struct array a = { level, 0, 1, level ? 0 : 4, data_kb[k], 0 };
			struct disk d = disk_make(&a, 0);

			d.super[16] = (uint8_t)k;
			if (inner)
				memcpy(d.bytes + d.data_off, inner, data_kb[k] * KB);
			disk_write(&d, "0");
			free(inner);
			inner = d.bytes;
		}
		free(inner);
		l = assemble("0");
		ck_assert_uint_eq(l.n, level ? 3 : 4);
		ck_assert_uint_eq(l.items[2].arrays, level ? 2 : 0);
		if (level)
			warned(&l, "it cannot be put together: arrays in each other more than 2 deep");
		volume_list_free(&l);
	}
}
END_TEST

/* ---- which members are believed ---- */

START_TEST(a_member_with_fewer_events_is_left_out_unless_it_lacks_only_one)
{
	struct disk d[2];
	struct volume_list l;

	disks_begin(d, &mirror);
	memset(d[0].bytes + d[0].data_off, 0, 1000);
	put64(d[0].super + 200, 8);
	disks_write(d, 2);
	l = whole("01");
	warned(&l, "/dev/md127: left out: /dev/sda is out of date (it knows of 8 events, /dev/sdb of 10)");
	ck_assert_uint_eq(l.items[2].nparts, 1);
	ck_assert(!l.items[0].in_use);
	volume_list_free(&l);

	fill(d, &mirror);
	put64(d[0].super + 200, 9);
	disks_write(d, 2);
	l = whole("01");
	ck_assert_ptr_null(l.warning);
	volume_list_free(&l);
	disks_end(d, 2);
}
END_TEST

START_TEST(what_the_newest_member_calls_failed_is_left_out)
{
	struct disk d[2];
	struct volume_list l;

	disks_begin(d, &mirror);
	memset(d[0].bytes + d[0].data_off, 0, 1000);
	put64(d[1].super + 200, 11);
	d[1].super[256] = 0xfe;
	d[1].super[257] = 0xff;
	disks_write(d, 2);
	disks_end(d, 2);
	l = whole("01");
	warned(&l, "left out: /dev/sda has failed or was taken out, as /dev/sdb knows");
	volume_list_free(&l);
}
END_TEST

START_TEST(members_that_contradict_each_other_are_told)
{
	struct disk d[2];
	struct volume_list l;

	disks_begin(d, &mirror);
	put32(d[1].super + 92, 3);
	disks_write(d, 2);
	l = whole("01");
	warned(&l, "left out: /dev/sdb tells another form of the array than /dev/sda, which is newer");
	volume_list_free(&l);
	/* The same disk twice. */
	put32(d[1].super + 92, 2);
	put32(d[1].super + 160, 0);
	disks_write(d, 2);
	l = whole("01");
	warned(&l, "left out: /dev/sdb is disk 0 as /dev/sda is");
	volume_list_free(&l);
	/* Too small for the array, which is not what it says itself. */
	put32(d[1].super + 160, 1);
	put64(d[1].super + 136, 100);
	disks_write(d, 2);
	l = whole("01");
	warned(&l, "left out: /dev/sdb has room for 51200 bytes of 262144");
	volume_list_free(&l);
	disks_end(d, 2);
}
END_TEST

START_TEST(a_disk_is_used_as_far_as_it_was_rebuilt)
{
	struct disk d[3];
	struct volume_list l;
	uint8_t byte;

	disks_begin(d, &raid5);
	put32(d[1].super + 8, MD_FEATURE_RECOVERY);
	put64(d[1].super + 152, 16);
	memset(d[1].bytes + d[1].data_off + 8 * KB, 0x55, 56 * KB);
	disks_write(d, 3);
	l = whole("012");
	warned(&l, "disk 1 of 3 is missing");
	volume_list_free(&l);
	/* Rebuilt by a bitmap nothing is certain. */
	put32(d[1].super + 8, MD_FEATURE_RECOVERY | MD_FEATURE_RECOVERY_BITMAP);
	memset(d[1].bytes + d[1].data_off, 0x55, 8 * KB);
	disks_write(d, 3);
	l = whole("012");
	volume_list_free(&l);
	refused("01", "disks 1 and 2 of 3 are missing");
	/* A mirror of which only that is there. */
	disks_end(d, 3);
	disks_begin(d, &mirror);
	put32(d[1].super + 8, MD_FEATURE_RECOVERY);
	put64(d[1].super + 152, 8);
	disks_write(d, 2);
	disks_end(d, 2);
	refused("1", "disks 0 and 1 of 2 are missing");
	l = whole("01");
	ok(block_pread(l.items[2].block, &byte, 1, 200 * KB, &e));
	volume_list_free(&l);
}
END_TEST

START_TEST(parity_is_not_believed_where_an_array_was_not_shut_down_cleanly)
{
	struct disk d[3];
	struct volume_list l;
	uint8_t buf[4096];

	disks_begin(d, &raid5);
	for (unsigned i = 0; i < 3; i++)
		put64(d[i].super + 208, 16); /* sectors of each disk */
	disks_write(d, 3);
	disks_end(d, 3);
	l = whole("012");
	warned(&l, "/dev/md127: it was not shut down cleanly, and its parity is not used");
	volume_list_free(&l);
	l = assemble("12");
	warned(&l, "what lay on the missing disk cannot be told");
	/* Rows 0 and 1 are in step; in row 3 disk 0 holds chunk 6. */
	expect_pattern(l.items[2].block, 0, 16 * KB);
	fails(block_pread(l.items[2].block, buf, 10, 24 * KB, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "/dev/md127: disk 0 is missing, and the array was not shut down cleanly: its parity cannot "
				"stand in for it");
	volume_list_free(&l);
}
END_TEST

START_TEST(bad_blocks_are_read_from_elsewhere)
{
	struct disk d[2];
	struct volume_list l;
	uint8_t buf[2048];

	disks_begin(d, &mirror);
	put32(d[0].super + 8, MD_FEATURE_BAD_BLOCKS);
	d[0].super[186] = 1;	  /* one sector of list */
	put32(d[0].super + 188, 16); /* that far behind the superblock */
	memset(d[0].bytes + 12 * KB, 0xff, 512);
	/* Sectors 2 and 3, and 10, of the data; not in order, and one list entry before the data. */
	put64(d[0].bytes + 12 * KB, (138ULL << 10) | 1);
	put64(d[0].bytes + 12 * KB + 8, (130ULL << 10) | 2);
	put64(d[0].bytes + 12 * KB + 16, (1ULL << 10) | 9);
	memset(d[0].bytes + d[0].data_off + 1024, 0, 1024);
	memset(d[0].bytes + d[0].data_off + 5120, 0, 512);
	disks_write(d, 2);
	l = whole("01");
	volume_list_free(&l);
	l = assemble("0");
	expect_pattern(l.items[1].block, 0, 1024);
	expect_pattern(l.items[1].block, 2048, 3072);
	fails(block_pread(l.items[1].block, buf, 2048, 0, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "/dev/md127: 1024 bytes at 1024 lie only on disks that are missing, or bad there");
	volume_list_free(&l);
	disks_end(d, 2);
}
END_TEST

START_TEST(a_disk_that_cannot_be_read_is_read_around)
{
	static const struct array kinds[] = { { 1, 0, 2, 0, 64, 0 }, { 5, 2, 3, 4, 64, 0 }, { 6, 3, 4, 4, 64, 0 },
					      { 10, 0x102, 4, 4, 64, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct fault_plan plan = { .fail_all_after = true };
		const struct block_open how = { .format = "raw" };
		struct volume_list l = { 0 };
		char names[5] = "";

		make(&kinds[i]);
		for (unsigned k = 0; k < kinds[i].ndisks; k++) {
			struct block *b = NULL, *faulty = NULL;

			names[0] = (char)('0' + k);
			ok(block_open(names, &how, &b, &e));
			if (k == 0)
				ok(block_fault(b, &plan, &faulty, &e));
			ok(volume_scan(k == 0 ? faulty : b, k, &l, &e));
			block_unref(faulty);
			block_unref(b);
		}
		ok(volume_assemble(&l, NULL, &e));
		plan.fail_read_at = 1;
		expect_pattern(l.items[l.n - 1].block, 0, (size_t)l.items[l.n - 1].size);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(when_nothing_helps_the_disk_s_own_error_is_told)
{
	struct fault_plan plan = { .fail_all_after = true };
	const struct block_open how = { .format = "raw" };
	struct volume_list l = { 0 };
	struct block *b = NULL, *faulty = NULL, *other = NULL;
	uint8_t buf[100];

	make(&raid5);
	ok(block_open("0", &how, &b, &e));
	ok(block_fault(b, &plan, &faulty, &e));
	ok(block_open("1", &how, &other, &e));
	ok(volume_scan(faulty, 0, &l, &e));
	ok(volume_scan(other, 1, &l, &e));
	ok(volume_assemble(&l, NULL, &e));
	plan.fail_read_at = 1;
	fails(block_pread(l.items[2].block, buf, sizeof buf, 0, &e), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(e.msg, "injected fault"));
	volume_list_free(&l);
	block_unref(faulty);
	block_unref(other);
	block_unref(b);
}
END_TEST

START_TEST(holes_of_members_are_holes_of_the_array)
{
	struct volume_list l;
	struct extent x;

	make(&raid5);
	/* Row 3 of all three disks. */
	for (char name = '0'; name < '3'; name++) {
		char cmd[100];

		snprintf(cmd, sizeof cmd, "fallocate -p -o %d -l 4096 %c", (64 + 12) * 1024, name);
		if (system(cmd) != 0)
			return;
	}
	l = assemble("012");
	ok(block_extent(l.items[3].block, 64 * KB, 20 * KB, &x, &e));
	ck_assert(x.flags == (EXTENT_DATA | EXTENT_ALLOC | EXTENT_PLAIN) && x.len == 4 * KB && x.host);
	ok(block_extent_merged(l.items[3].block, NULL, 64 * KB, 24 * KB, &x, &e));
	ck_assert(x.flags & EXTENT_ZERO && x.len == 8 * KB);
	volume_list_free(&l);
	/* What is computed is data. */
	l = assemble("01");
	ok(block_extent(l.items[2].block, 4 * KB, 8 * KB, &x, &e));
	ck_assert(x.flags == (EXTENT_DATA | EXTENT_ALLOC));
	volume_list_free(&l);
}
END_TEST

/* ---- version 0.90 ---- */

static bool big;

static void word_put(uint8_t *s, unsigned i, uint32_t x)
{
	be32 v;

	be32_put(&v, x);
	if (big)
		memcpy(s + 4 * i, &v, 4);
	else
		put32(s + 4 * i, x);
}

static uint32_t word_get(const uint8_t *s, unsigned i)
{
	be32 v;

	memcpy(&v, s + 4 * i, 4);
	return big ? be32_get(v) : get32(s + 4 * i);
}

/* Disk i of a raid0 or mirror of two, with preferred minor 3. */
static struct disk disk_0_make(int level, unsigned i)
{
	struct disk d = { .size = 1024 * KB, .super_off = (1024 - 64) * KB };
	uint8_t *s = d.super;

	d.bytes = calloc(1, d.size);
	ck_assert_ptr_nonnull(d.bytes);
	word_put(s, 0, 0xa92b4efc);
	word_put(s, 2, 90);
	word_put(s, 5, 0x01020304);
	word_put(s, 7, (uint32_t)level);
	word_put(s, 8, 128);
	word_put(s, 10, 2);
	word_put(s, 11, 3);
	word_put(s, 13, 0x05060708);
	word_put(s, 14, 0x090a0b0c);
	word_put(s, 15, 0x0d0e0f10);
	word_put(s, 33, 1);
	word_put(s, big ? 40 : 39, 77);
	word_put(s, 65, 4096);
	for (unsigned k = 0; k < 2; k++) {
		word_put(s, 128 + 32 * k, k);
		word_put(s, 128 + 32 * k + 3, k);
		word_put(s, 128 + 32 * k + 4, 6);
	}
	word_put(s, 992, i);
	word_put(s, 992 + 3, i);
	word_put(s, 992 + 4, 6);
	return d;
}

static void disk_0_write(struct disk *d, const char *name)
{
	uint64_t sum = 0;
	FILE *f = fopen(name, "wb");

	word_put(d->super, 38, 0);
	for (unsigned i = 0; i < 1024; i++)
		sum += word_get(d->super, i);
	word_put(d->super, 38, (uint32_t)sum + (uint32_t)(sum >> 32));
	memcpy(d->bytes + d->super_off, d->super, sizeof d->super);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(d->bytes, 1, d->size, f), d->size);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(version_0_90_is_read_in_either_byte_order)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		struct volume_list l;
		struct disk d[2];

		big = turn == 1;
		for (unsigned i = 0; i < 2; i++) {
			d[i] = disk_0_make(0, i);
			for (uint64_t off = 0; off < 960 * KB; off++)
				d[i].bytes[off] = pattern(off / 4096 * 8192 + i * 4096 + off % 4096);
		}
		disk_0_write(&d[0], "0");
		disk_0_write(&d[1], "1");
		disks_end(d, 2);
		l = whole("10");
		ck_assert_str_eq(l.items[2].name, "/dev/md3");
		ck_assert_str_eq(l.items[2].uuid, "01020304:05060708:090a0b0c:0d0e0f10");
		ck_assert(volume_is_called(&l.items[2], "/dev/md/3"));
		ck_assert_uint_eq(l.items[2].size, 2 * 960 * KB);
		ck_assert_ptr_null(l.warning);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(version_0_90_tells_failed_and_unclean_by_its_states)
{
	struct disk d[2] = { disk_0_make(1, 0), disk_0_make(1, 1) };
	struct volume_list l;

	for (unsigned i = 0; i < 2; i++) {
		word_put(d[i].super, 33, 0);
		for (uint64_t off = 0; off < 128 * KB; off++)
			d[i].bytes[off] = pattern(off);
	}
	disk_0_write(&d[0], "0");
	disk_0_write(&d[1], "1");
	l = whole("01");
	warned(&l, "/dev/md3: it was not shut down cleanly; where its copies differ, the first one is read");
	volume_list_free(&l);
	word_put(d[0].super, 128 + 32 + 4, 1);
	word_put(d[0].super, 39, 80);
	disk_0_write(&d[0], "0");
	l = whole("01");
	warned(&l, "left out: /dev/sdb has failed or was taken out, as /dev/sda knows");
	volume_list_free(&l);
	word_put(d[0].super, 2, 91);
	disk_0_write(&d[0], "0");
	refused("0", "/dev/sda: MD superblock 0.90: the array was being reshaped; mdadm must finish that first");
	word_put(d[0].super, 2, 90);
	disk_0_write(&d[0], "0");
	disks_end(d, 2);
	ck_assert_int_eq(system("printf x | dd of=0 bs=1 seek=983200 conv=notrunc status=none"), 0);
	refused("0", "/dev/sda: MD superblock 0.90: its checksum does not match");
}
END_TEST

START_TEST(a_superblock_at_the_end_of_the_last_partition_is_not_the_disk_s)
{
	struct disk d = disk_0_make(1, 0);
	uint8_t *ent = d.bytes + 446;
	struct volume_list l;

	ent[4] = 0xfd;
	put32(ent + 8, 256);
	put32(ent + 12, 2048 - 256);
	d.bytes[510] = 0x55;
	d.bytes[511] = 0xaa;
	disk_0_write(&d, "0");
	l = assemble("0");
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.items[0].name, "/dev/sda1");
	ck_assert_str_eq(l.items[1].name, "/dev/md3");
	ck_assert_uint_eq(l.items[1].parts[0], 0);
	volume_list_free(&l);
	/* It ends before it: the disk is the member, and the partition is the array's. */
	put32(ent + 12, 512);
	disk_0_write(&d, "0");
	disk_free(&d);
	l = assemble("0");
	ck_assert_uint_eq(l.n, 2);
	ck_assert_str_eq(l.items[0].name, "/dev/sda");
	ck_assert_str_eq(l.items[1].name, "/dev/md3");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_table_in_front_of_the_data_is_listed_beside_the_array)
{
	struct disk d = disk_make(&mirror, 0);
	uint8_t *ent = d.bytes + 446;
	struct volume_list l;

	ent[4] = 0x83;
	put32(ent + 8, 1024);
	put32(ent + 12, 512);
	d.bytes[510] = 0x55;
	d.bytes[511] = 0xaa;
	disk_write(&d, "0");
	disk_free(&d);
	l = assemble("0");
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.items[0].name, "/dev/sda");
	ck_assert_str_eq(l.items[1].name, "/dev/sda1");
	ck_assert_str_eq(l.items[2].name, "/dev/md127");
	warned(&l, "/dev/sda: the disk is a member of an MD array as a whole, and has a partition table, too: "
		   "one of them is left from earlier");
	volume_list_free(&l);
}
END_TEST

/* ---- what cannot be believed ---- */

START_TEST(damage_is_told_in_a_sentence)
{
	static const struct {
		unsigned at, width; /* bytes of the superblock of the only disk of a mirror */
		uint64_t value;
		const char *words;
	} cases[] = {
		{ 8, 4, 1u << 20, "it has features that are not known (0x100000)" },
		{ 8, 4, MD_FEATURE_CLUSTERED, "the array belongs to a cluster" },
		{ 8, 4, MD_FEATURE_RESHAPE, "it was being reshaped" },
		{ 72, 4, 7, "level 7" },
		{ 80, 8, UINT64_MAX, "left out: /dev/sda has room for 262144 bytes" },
		{ 92, 4, 0, "an array of 0 disks with room for 8" },
		{ 92, 4, 5000, "an array of 5000 disks with room for 8" },
		{ 128, 8, UINT64_MAX, "go past its end" },
		{ 136, 8, 4096, "its 2097152 bytes of data at 65536 go past its end (1048576 bytes)" },
		{ 220, 4, 2000, "2000 members" },
		{ 220, 4, UINT32_MAX, "members" },
		{ 256, 2, 0xffff, "there are only spares of it" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct disk d = disk_make(&mirror, 0);

		if (cases[i].width == 2)
			memcpy(d.super + cases[i].at, "\xff\xff", 2);
		else if (cases[i].width == 4)
			put32(d.super + cases[i].at, (uint32_t)cases[i].value);
		else
			put64(d.super + cases[i].at, cases[i].value);
		if (cases[i].at == 220) {
			uint32_t n = (uint32_t)cases[i].value;

			put32(d.super + 220, 8);
			sum_1(d.super);
			put32(d.super + 220, n);
			memcpy(d.bytes + d.super_off, d.super, sizeof d.super);
			FILE *f = fopen("0", "wb");

			ck_assert_ptr_nonnull(f);
			ck_assert_uint_eq(fwrite(d.bytes, 1, d.size, f), d.size);
			ck_assert_int_eq(fclose(f), 0);
		} else {
			disk_write(&d, "0");
		}
		disk_free(&d);
		refused("0", cases[i].words);
	}
}
END_TEST

START_TEST(a_list_of_bad_blocks_is_judged)
{
	struct disk d = disk_make(&mirror, 0);

	put32(d.super + 8, MD_FEATURE_BAD_BLOCKS);
	d.super[186] = 1;
	put32(d.super + 188, UINT32_MAX - 100);
	disk_write(&d, "0");
	refused("0", "its list of bad blocks lies outside");
	d.super[186] = 9;
	disk_write(&d, "0");
	refused("0", "a list of bad blocks of 4608 bytes");
	disk_free(&d);
}
END_TEST

START_TEST(of_two_superblocks_the_one_made_last_counts)
{
	static const struct array other = { 5, 2, 3, 4, 64, 0 };
	struct disk d = disk_make(&mirror, 0), old = disk_make(&other, 0);
	struct volume_list l;

	old.super_off = 1024 * KB - 8 * KB;
	put64(old.super + 144, old.super_off / 512);
	put64(old.super + 64, 999999999);
	sum_1(old.super);
	memcpy(d.bytes + old.super_off, old.super, sizeof old.super);
	disk_write(&d, "0");
	l = assemble("0");
	ck_assert_uint_eq(l.n, 2);
	ck_assert_uint_eq(l.items[1].size, 256 * KB);
	volume_list_free(&l);
	/* One that says it lies elsewhere is not this disk's. */
	put64(d.super + 144, 9);
	disk_write(&d, "0");
	disk_free(&d);
	disk_free(&old);
	refused("0", "disks 1 and 2 of 3 are missing");
}
END_TEST

START_TEST(firmware_s_raid_is_named_and_not_read)
{
	static const struct {
		const char *magic, *words;
		unsigned from_end;
	} cases[] = {
		{ "Intel Raid ISM Cfg Sig. 1.0.00",
		  "/dev/sda: the disk is a member of a RAID of kind Intel (IMSM), which is not read", 1024 },
		{ "\xde\x11\xde\x11", "a RAID of kind DDF", 512 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct disk d = disk_make(&mirror, 0);
		struct volume_list l;
		uint8_t *ent = d.bytes + 446;

		memset(d.super, 0, sizeof d.super);
		ent[4] = 0x83;
		put32(ent + 8, 8);
		put32(ent + 12, 100);
		d.bytes[510] = 0x55;
		d.bytes[511] = 0xaa;
		memcpy(d.bytes + d.size - cases[i].from_end, cases[i].magic, strlen(cases[i].magic));
		disk_write(&d, "0");
		disk_free(&d);
		l = assemble("0");
		ck_assert_uint_eq(l.n, 1);
		ck_assert_str_eq(l.items[0].name, "/dev/sda");
		warned(&l, cases[i].words);
		volume_list_free(&l);
	}
}
END_TEST

/* A block of a journal at a sector of its data. */
static void journal_put(struct disk *d, uint64_t sector, uint64_t seq, unsigned size)
{
	uint8_t *b = d->bytes + d->data_off + sector * 512;

	memset(b, 0, 4096);
	put32(b, 0x6433c509);
	b[8] = 1;
	put32(b + 12, size);
	put64(b + 16, seq);
	put64(b + 24, sector);
	put32(b + 4, crc32c(crc32c(~0u, d->super + 16, 16), b, 4096));
}

START_TEST(a_journal_that_holds_writes_stands_in_the_way)
{
	struct array a = raid5;
	struct disk d[4];
	struct volume_list l;

	a.features = MD_FEATURE_JOURNAL;
	disks_begin(d, &a);
	a.ndisks = 4;
	d[3] = disk_make(&a, 3);
	for (unsigned i = 0; i < 4; i++) {
		put32(d[i].super + 92, 3);
		d[i].super[256 + 6] = 0xfd;
		d[i].super[256 + 7] = 0xff;
	}
	put64(d[3].super + 152, 8);
	disks_write(d, 4);
	/* Nothing at the place where it would begin. */
	l = whole("0123");
	ck_assert_ptr_null(l.warning);
	ck_assert_uint_eq(l.items[4].nparts, 4);
	volume_list_free(&l);
	/* A block that holds nothing, and behind it one of an earlier round. */
	journal_put(&d[3], 8, 100, 32);
	journal_put(&d[3], 16, 90, 500);
	disk_write(&d[3], "3");
	l = whole("0123");
	ck_assert_ptr_null(l.warning);
	volume_list_free(&l);
	journal_put(&d[3], 16, 101, 500);
	disk_write(&d[3], "3");
	refused("0123", "its journal on /dev/sdd may hold writes that are not on the disks");
	/* None but empty ones, all round. */
	for (unsigned at = 0; at < 128; at += 8)
		journal_put(&d[3], at, 1000 + (at + 128 - 8) % 128 / 8, 32);
	disk_write(&d[3], "3");
	l = whole("0123");
	volume_list_free(&l);
	l = assemble("01");
	warned(&l, "/dev/md127: its journal is missing");
	volume_list_free(&l);
	disks_end(d, 4);
}
END_TEST

START_TEST(every_failing_allocation_of_an_assembly_is_an_error)
{
	const struct block_open how = { .format = "raw" };
	struct block *b[3] = { NULL };
	unsigned long n;

	make(&raid5);
	for (unsigned i = 0; i < 3; i++) {
		const char name[2] = { (char)('0' + i), '\0' };

		ok(block_open(name, &how, &b[i], &e));
	}
	for (n = 1; n < 500; n++) {
		struct volume_list l = { 0 };
		int rc = 0;

		alloc_fault_at(n);
		for (unsigned i = 0; i < 2 && rc == 0; i++)
			rc = volume_scan(b[i], i, &l, &e);
		if (rc >= 0)
			rc = volume_assemble(&l, NULL, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			volume_list_free(&l);
			break;
		}
		alloc_fault_at(0);
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d", n, rc);
		volume_list_free(&l);
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, 500);
	for (unsigned i = 0; i < 3; i++)
		block_unref(b[i]);
}
END_TEST

TEST_MAIN("md", an_array_has_the_names_that_its_own_machine_gives_it,
	  names_that_are_numbers_are_devices_and_unsafe_ones_are_none, arrays_are_numbered_down_from_127,
	  raid5_is_read_without_any_one_disk, raid6_is_read_without_any_two_disks,
	  arrays_in_each_other_have_a_limit_where_their_reads_would_multiply,
	  a_member_with_fewer_events_is_left_out_unless_it_lacks_only_one, what_the_newest_member_calls_failed_is_left_out,
	  members_that_contradict_each_other_are_told, a_disk_is_used_as_far_as_it_was_rebuilt,
	  parity_is_not_believed_where_an_array_was_not_shut_down_cleanly, bad_blocks_are_read_from_elsewhere,
	  a_disk_that_cannot_be_read_is_read_around, when_nothing_helps_the_disk_s_own_error_is_told,
	  holes_of_members_are_holes_of_the_array, version_0_90_is_read_in_either_byte_order,
	  version_0_90_tells_failed_and_unclean_by_its_states,
	  a_superblock_at_the_end_of_the_last_partition_is_not_the_disk_s,
	  a_table_in_front_of_the_data_is_listed_beside_the_array, damage_is_told_in_a_sentence,
	  a_list_of_bad_blocks_is_judged, of_two_superblocks_the_one_made_last_counts,
	  firmware_s_raid_is_named_and_not_read, a_journal_that_holds_writes_stands_in_the_way,
	  every_failing_allocation_of_an_assembly_is_an_error)
