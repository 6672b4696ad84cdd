/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lvm_test.c - volume groups: which copy of the metadata counts, what is missing, and what LVs are made of. */
#include "lvm_assemble.h"

#include "limits.h"
#include "strbuf.h"

static struct disk a, b;

static const char two_lvs[] = LV("lin", "VISIBLE", 2, LINEAR("pv0", 3)) LV("other", "VISIBLE", 1, LINEAR("pv1", 0))
	LV("hidden", "LOCKED", 1, LINEAR("pv0", 9));

static void two_disks(void)
{
	disk_pv(&a, ID_BARE(a), 1, vg_text(5, 2, two_lvs));
	disk_pv(&b, ID_BARE(b), 101, vg_text(5, 2, two_lvs));
	store("a", &a);
	store("b", &b);
}

START_TEST(linear_volumes_of_two_disks_are_listed)
{
	struct volume_list l;
	const struct volume *v;

	two_disks();
	ok(assemble("a b", &l));
	ck_assert_ptr_null(l.warning);
	ck_assert_uint_eq(l.n, 4);
	v = find(&l, "/dev/vg/lin");
	ck_assert_str_eq(v->scheme, "lvm");
	ck_assert_str_eq(v->uuid, ID_TEXT(l));
	ck_assert_ptr_eq(volume_find(&l, "/dev/mapper/vg-lin"), v);
	ck_assert_ptr_eq(volume_find(&l, "mapper/vg-lin"), v);
	ck_assert_ptr_eq(volume_find(&l, "/dev/disk/by-id/dm-name-vg-lin"), v);
	ck_assert_ptr_eq(volume_find(&l, "/dev/disk/by-id/dm-uuid-LVM-" ID_BARE(v) ID_BARE(l)), v);
	ck_assert_uint_eq(v->nparts, 1);
	ck_assert_uint_eq(v->parts[0], 0);
	HOLDS(v, EXTENT, 4, 5);
	HOLDS(find(&l, "vg/other"), EXTENT, 101);
	ck_assert(l.items[0].in_use && l.items[1].in_use && !v->in_use);
	ck_assert_uint_eq(l.ngroups, 1);
	ck_assert_str_eq(l.groups[0].name, "vg");
	ck_assert_str_eq(l.groups[0].uuid, ID_TEXT(v));
	ck_assert_uint_eq(l.groups[0].size, 30 * EXTENT);
	ck_assert_uint_eq(l.groups[0].free, 26 * EXTENT);
	ck_assert_uint_eq(l.groups[0].members[1].item, 1);
	ck_assert_uint_eq(l.groups[0].members[1].free, 14 * EXTENT);
	ck_assert_uint_eq(v->group, 1);
	ck_assert_uint_eq(l.items[1].group, 1);
	volume_list_free(&l);
}
END_TEST

START_TEST(hyphens_are_doubled_where_names_are_joined)
{
	struct volume_list l;
	char *text = strdup(vg_text(1, 1, LV("a-b", "VISIBLE", 1, LINEAR("pv0", 0))));

	memcpy(text, "v- {", 4);
	disk_pv(&a, ID_BARE(a), 1, text);
	free(text);
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_eq(find(&l, "/dev/mapper/v---a--b"), find(&l, "/dev/v-/a-b"));
	volume_list_free(&l);
}
END_TEST

/* The disk of another guest, with one partition of 100 sectors behind the first 16. */
START_TEST(partitions_in_a_logical_volume_are_listed)
{
	struct volume_list l;
	const struct volume *v;
	uint8_t *sector = a.bytes + EXTENTS_OFF;

	disk_pv(&a, ID_BARE(a), 1,
		vg_text(1, 1, LV("disk", "VISIBLE", 2, LINEAR("pv0", 0)) LV("disk2", "VISIBLE", 1, LINEAR("pv0", 2))));
	memset(sector, 0, 512);
	sector[446 + 4] = 0x83;
	disk_le32(&a, EXTENTS_OFF + 446 + 8, 16);
	disk_le32(&a, EXTENTS_OFF + 446 + 12, 100);
	memcpy(sector + 510, "\x55\xaa", 2);
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_null(l.warning);
	v = find(&l, "/dev/vg/disk1");
	ck_assert_ptr_eq(find(&l, "/dev/mapper/vg-disk1"), v);
	ck_assert_uint_eq(v->size, 100 * 512);
	ck_assert_uint_eq(v->off, 16 * 512);
	ck_assert(find(&l, "vg/disk")->in_use && !v->in_use);
	HOLDS(find(&l, "vg/disk2"), EXTENT, 3);
	volume_list_free(&l);
}
END_TEST

START_TEST(without_a_disk_the_volumes_that_are_whole_are_given)
{
	struct volume_list l;

	two_disks();
	ok(assemble("b", &l));
	HOLDS(find(&l, "vg/other"), EXTENT, 101);
	ck_assert_ptr_null(volume_find(&l, "vg/lin"));
	warns(&l, "volume group vg: physical volume " ID_TEXT(a) " (last seen as /dev/old0) is missing");
	warns(&l, "logical volume vg/lin is left out: physical volume " ID_TEXT(a) " is missing");
	ck_assert_uint_eq(l.groups[0].members[0].item, VOLUME_NO_ITEM);
	ck_assert_uint_eq(l.groups[0].size, 30 * EXTENT);
	volume_list_free(&l);
}
END_TEST

START_TEST(text_goes_round_in_its_area)
{
	struct volume_list l;
	const char *text = vg_text(5, 1, LV("lin", "VISIBLE", 1, LINEAR("pv0", 3)));

	disk_pv(&a, ID_BARE(a), 1, text);
	memset(a.bytes + MDA_OFF + 512, 'x', 4096);
	disk_mda(&a, MDA_OFF, MDA_SIZE, MDA_SIZE - 100, text);
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_null(l.warning);
	HOLDS(find(&l, "vg/lin"), EXTENT, 4);
	volume_list_free(&l);
}
END_TEST

START_TEST(the_newest_metadata_counts_and_older_is_told)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(9, 2, LV("old", "VISIBLE", 1, LINEAR("pv0", 0))));
	disk_pv(&b, ID_BARE(b), 101, vg_text(10, 2, LV("new", "VISIBLE", 1, LINEAR("pv0", 0))));
	store("a", &a);
	store("b", &b);
	ok(assemble("a b", &l));
	HOLDS(find(&l, "vg/new"), EXTENT, 1);
	ck_assert_ptr_null(volume_find(&l, "vg/old"));
	ck_assert_str_eq(l.warning, "/dev/sda has the metadata of volume group vg as it was at change 9; "
				    "what is used is of change 10");
	volume_list_free(&l);

	disk_pv(&a, ID_BARE(a), 1, vg_text(10, 2, LV("old", "VISIBLE", 1, LINEAR("pv0", 0))));
	store("a", &a);
	ok(assemble("b a", &l));
	warns(&l, "/dev/sdb has other metadata of volume group vg, of the same change");
	volume_list_free(&l);
}
END_TEST

START_TEST(damaged_areas_are_told_and_another_is_used)
{
	static const struct {
		size_t at;
		const char *what;
	} cases[] = {
		{ MDA_OFF + 5, "/dev/sda: metadata area 1: it has no header" },
		{ MDA_OFF + 100, "/dev/sda: metadata area 1: the checksum of its header does not match" },
		{ MDA_OFF + 600, "/dev/sda: metadata area 1: the checksum of its text does not match" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		two_disks();
		a.bytes[cases[i].at] ^= 1;
		store("a", &a);
		ok(assemble("a b", &l));
		HOLDS(find(&l, "vg/lin"), EXTENT, 4, 5);
		ck_assert_str_eq(l.warning, cases[i].what);
		volume_list_free(&l);
		/* Alone nobody knows its group. */
		ok(assemble("a", &l));
		ck_assert_uint_eq(l.n, 1);
		ck_assert_str_eq(l.warning, cases[i].what);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(wrong_places_in_an_area_are_told)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *what;
	} cases[] = {
		{ 24, 512, "its header says that it is another one" },
		{ 32, 512, "its header says that it is another one" },
		{ 40, 100, "its text lies past its end" },
		{ 40, MDA_SIZE, "its text lies past its end" },
		{ 48, MDA_SIZE, "its text lies past its end" },
		{ 48, 0, "its text lies past its end" },
		{ 48, 5, "the checksum of its text does not match" },
		{ 20, 2, "version 2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		two_disks();
		disk_le64(&a, MDA_OFF + cases[i].at, cases[i].value);
		if (cases[i].at == 20)
			disk_le64(&a, MDA_OFF + 24, MDA_OFF);
		disk_le32(&a, MDA_OFF, disk_crc(a.bytes + MDA_OFF + 4, 508));
		store("a", &a);
		ok(assemble("a b", &l));
		warns(&l, cases[i].what);
		find(&l, "vg/lin");
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(two_areas_one_ignored_and_none_at_all)
{
	struct volume_list l;

	two_disks();
	disk_pv(&b, ID_BARE(b), 101, NULL);
	store("b", &b);
	/* A second area at the end of a, and the first one ignored. */
	disk_le64(&a, 512 + 120, DISK_SIZE - 32768);
	disk_le64(&a, 512 + 128, 32768);
	disk_label_sum(&a);
	disk_mda(&a, DISK_SIZE - 32768, 32768, 512, vg_text(5, 2, two_lvs));
	disk_le32(&a, MDA_OFF + 60, 1);
	a.bytes[MDA_OFF + 600] ^= 1;
	disk_le32(&a, MDA_OFF, disk_crc(a.bytes + MDA_OFF + 4, 508));
	store("a", &a);
	ok(assemble("a b", &l));
	ck_assert_ptr_null(l.warning);
	HOLDS(find(&l, "vg/other"), EXTENT, 101);
	volume_list_free(&l);

	/* The same area, no longer ignored. */
	disk_le32(&a, MDA_OFF + 60, 0);
	disk_le32(&a, MDA_OFF, disk_crc(a.bytes + MDA_OFF + 4, 508));
	store("a", &a);
	ok(assemble("a b", &l));
	warns(&l, "/dev/sda: metadata area 1: the checksum of its text does not match");
	find(&l, "vg/other");
	volume_list_free(&l);
}
END_TEST

START_TEST(labels_that_are_none_are_no_volumes)
{
	static const size_t spoil[] = { 512, 512 + 8, 512 + 17, 512 + 24, 512 + 200 };

	for (size_t i = 0; i < ARRAY_LEN(spoil); i++) {
		struct volume_list l;

		two_disks();
		a.bytes[spoil[i]] ^= 1;
		store("a", &a);
		ok(assemble("a", &l));
		ck_assert_uint_eq(l.n, 1);
		ck_assert(!l.items[0].in_use);
		ck_assert_ptr_null(l.warning);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(copies_of_disks_are_told)
{
	struct volume_list l;

	two_disks();
	store("c", &a);
	ok(assemble("a b c", &l));
	ck_assert_uint_eq(l.n, 5);
	ck_assert_str_eq(l.warning, "/dev/sdc is a copy of /dev/sda, which is used");
	ck_assert(l.items[2].in_use);
	volume_list_free(&l);

	/* The copy whose metadata is the newest is used, wherever it is. */
	disk_pv(&a, ID_BARE(a), 51, vg_text(4, 2, two_lvs));
	store("a", &a);
	ok(assemble("a b c", &l));
	HOLDS(find(&l, "vg/lin"), EXTENT, 4, 5);
	warns(&l, "/dev/sda is a copy of /dev/sdc, which is used");
	volume_list_free(&l);
}
END_TEST

START_TEST(two_groups_of_one_name_are_both_read)
{
	struct volume_list l;
	char *text;

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, LV("lin", "VISIBLE", 1, LINEAR("pv0", 0))));
	store("a", &a);
	text = strdup(vg_text(1, 1, LV("lin", "VISIBLE", 1, LINEAR("pv0", 0))));
	memcpy(strstr(text, ID_TEXT(v)), ID_TEXT(w), 38);
	memcpy(strstr(text, ID_TEXT(a)), ID_TEXT(b), 38);
	disk_pv(&b, ID_BARE(b), 101, text);
	free(text);
	store("b", &b);
	ok(assemble("a b", &l));
	HOLDS(find(&l, "vg/lin"), EXTENT, 1);
	HOLDS(find(&l, ID_TEXT(w) "/lin"), EXTENT, 101);
	ck_assert_uint_eq(volume_find(&l, "/dev/mapper/vg-lin")->parts[0], 0);
	warns(&l, "there are several volume groups called vg");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_disk_that_left_its_group_is_told)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(7, 1, LV("lin", "VISIBLE", 1, LINEAR("pv0", 0))));
	disk_pv(&b, ID_BARE(b), 101, vg_text(6, 2, two_lvs));
	store("a", &a);
	store("b", &b);
	ok(assemble("b a", &l));
	HOLDS(find(&l, "vg/lin"), EXTENT, 1);
	ck_assert_ptr_null(volume_find(&l, "vg/other"));
	warns(&l, "/dev/sda has the metadata of volume group vg as it was at change 6; what is used is of change 7");
	warns(&l, "is no part of it");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_disk_that_its_group_counts_as_missing_is_not_read)
{
	struct volume_list l;
	char *text = strdup(vg_text(5, 2, two_lvs)), *at = strstr(text, "device = \"/dev/old0\"");

	memcpy(at, "flags = [\"MISSING\"] ", 20);
	disk_pv(&a, ID_BARE(a), 1, text);
	disk_pv(&b, ID_BARE(b), 101, text);
	free(text);
	store("a", &a);
	store("b", &b);
	ok(assemble("a b", &l));
	find(&l, "vg/other");
	ck_assert_ptr_null(volume_find(&l, "vg/lin"));
	warns(&l, "volume group vg counts /dev/sda as missing, although it is there");
	volume_list_free(&l);
}
END_TEST

START_TEST(groups_that_make_no_sense_are_told)
{
	static const struct {
		const char *from, *to, *what;
	} cases[] = {
		{ "extent_size = 128", "extent_size = 0  ", "its extents have no size" },
		{ "pe_start = 128", "pe_start = bad", "line 9 of the metadata: a value is neither" },
		{ "pe_count = 15", "pe_c0unt = 15", "physical volume pv0: it does not say where its extents are" },
		{ "physical_volumes {", "physical_v0lumes {", "no physical volumes are listed" },
		{ "pv1 {", "pv0 {", "pv0 is listed twice" },
		{ "other {", "lin {  ", "lin is listed twice" },
		{ "other {", "..    {", "logical volume ..: that is no name" },
		{ "vg {", ". { ", "its name is none" },
		{ "start_extent = 0", "start_extent = 1", "segment1: it does not begin where the one before it ends" },
		{ "extent_count = 2", "extent_count = 0", "segment1: it does not say which extents it has" },
		{ "type = \"str", "typ3 = \"str", "segment1: it has no type" },
		{ "stripes = [\"pv0\"", "stripes = [\"pv9\"", "segment1: a part of it is not there" },
		{ "stripes = [\"pv0\", 3", "stripes = [33333, 4", "segment1: its list of parts is not one" },
		{ "stripe_count = 1", "stripe_count = 2", "segment1: it does not list its stripes" },
		{ "segment1 {", "segment1 =1", "of the metadata: " },
		{ ID_TEXT(l), "too short-----------------------------", "logical volume lin: it has no id" },
		{ ID_TEXT(b), ID_TEXT(a), "physical volume pv1: it has the id of pv0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;
		char *text = strdup(vg_text(5, 2, two_lvs)), *at = strstr(text, cases[i].from);

		ck_assert_ptr_nonnull(at);
		memcpy(at, cases[i].to, strlen(cases[i].to));
		disk_pv(&a, ID_BARE(a), 1, text);
		free(text);
		store("a", &a);
		ok(assemble("a", &l));
		warns(&l, cases[i].what);
		warns(&l, "the volume group on /dev/sda cannot be read");
		ck_assert_uint_eq(l.n, 1);
		volume_list_free(&l);
	}
}
END_TEST

/* One disk, and what is told of a volume "bad" of it that is left out. */
static void left_out(const char *lvs, const char *why)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, lvs));
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_null(volume_find(&l, "vg/bad"));
	warns(&l, "logical volume vg/bad is left out: ");
	warns(&l, why);
	volume_list_free(&l);
}

START_TEST(volumes_that_make_no_sense_are_left_out)
{
	left_out(LV("bad", "VISIBLE", 2, LINEAR("pv0", 14)), "a part of it lies past the last extent of pv0");
	left_out(LV("bad", "VISIBLE", 2, LINEAR("bad", 0)), "bad is made of itself");
	left_out(LV("bad", "VISIBLE", 2, LINEAR("x", 0)) LV("x", "", 2, LINEAR("y", 0)) LV("y", "", 2, LINEAR("bad", 0)),
		 "bad is made of itself");
	left_out(LV("bad", "VISIBLE", 2, LINEAR("x", 1)) LV("x", "", 2, LINEAR("pv0", 0)),
		 "x, of which it is made, is too small");
	left_out(LV("bad", "VISIBLE", 3, "type = \"striped\"\nstripe_count = 2\nstripes = [\"pv0\", 0, \"pv0\", 2]\n"),
		 "stripes of 0 bytes do not fill it");
	left_out(LV("bad", "VISIBLE", 2,
		    "type = \"striped\"\nstripe_count = 2\nstripe_size = 256\nstripes = [\"pv0\", 0, \"pv0\", 2]\n"),
		 "stripes of 131072 bytes do not fill it");
	left_out(LV("bad", "VISIBLE", 2, "type = \"cache\"\ncache_pool = \"x\"\norigin = \"y\"\n"), "type cache is not read");
	left_out(LV("bad", "VISIBLE", 2, "type = \"vdo\"\n"), "type vdo is not read");
	left_out(LV("bad", "VISIBLE", 2, "type = \"ev\x1bil\"\n"), "type ev\\x1bil is not read");
	left_out(LV("bad", "VISIBLE", 2, "type = \"error\"\n"), "type error is not read");
}
END_TEST

START_TEST(a_disk_that_was_cut_off_loses_what_lay_there)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, LV("bad", "VISIBLE", 2, LINEAR("pv0", 13)) LV("lin", "VISIBLE", 2,
										       LINEAR("pv0", 0))));
	store("a", &a);
	ck_assert_int_eq(truncate("a", DISK_SIZE - 4096), 0);
	ok(assemble("a", &l));
	warns(&l, "logical volume vg/bad is left out: a part of it lies past the end of /dev/sda");
	HOLDS(find(&l, "vg/lin"), EXTENT, 1, 2);
	volume_list_free(&l);
}
END_TEST

START_TEST(volumes_in_each_other_have_a_limit)
{
	struct strbuf s = STRBUF_INIT;
	struct volume_list l;

	for (unsigned i = 0; i < 20; i++)
		strbuf_printf(&s, LV("deep%u", "VISIBLE", 1, "type = \"striped\"\nstripe_count = 1\nstripes = [\"%s%u\", 0]\n"), i,
			      i == 0 ? "pv" : "deep", i == 0 ? 0 : i - 1);
	disk_pv(&a, ID_BARE(a), 7, vg_text(1, 1, s.s));
	strbuf_free(&s);
	store("a", &a);
	ok(assemble("a", &l));
	/* By name: deep0, deep1, deep10, which is eight deep over deep1, and so on: each is made once. */
	HOLDS(find(&l, "vg/deep10"), EXTENT, 7);
	volume_list_free(&l);

	for (unsigned i = 0; i < 20; i++)
		strbuf_printf(&s, LV("z%c", "VISIBLE", 1, "type = \"striped\"\nstripe_count = 1\nstripes = [\"%s%c\", 0]\n"),
			      'z' - i, i == 0 ? "pv" : "z", i == 0 ? '0' : 'z' - i + 1);
	disk_pv(&a, ID_BARE(a), 7, vg_text(1, 1, s.s));
	strbuf_free(&s);
	store("a", &a);
	ok(assemble("a", &l));
	warns(&l, "logical volumes in each other more than 12 deep");
	volume_list_free(&l);
}
END_TEST

START_TEST(segments_of_many_kinds_follow_each_other)
{
	struct volume_list l;
	const struct volume *v;
	struct extent x;

	disk_pv(&a, ID_BARE(a), 1,
		vg_text(1, 2,
			"lv {\nid = \"" ID_TEXT(l) "\"\nstatus = [\"VISIBLE\"]\n"
			"segment1 {\nstart_extent = 0\nextent_count = 1\n" LINEAR("pv1", 2) "}\n"
			"segment2 {\nstart_extent = 1\nextent_count = 2\ntype = \"zero\"\n}\n"
			"segment3 {\nstart_extent = 3\nextent_count = 2\ntype = \"striped\"\nstripe_count = 2\nstripe_size = 64\n"
			"stripes = [\"pv0\", 4, \"pv1\", 5]\n}\n"
			"segment4 {\nstart_extent = 5\nextent_count = 1\n" LINEAR("pv0", 0) "}\n}\n"));
	disk_pv(&b, ID_BARE(b), 101, NULL);
	store("a", &a);
	store("b", &b);
	ok(assemble("a b", &l));
	ck_assert_ptr_null(l.warning);
	v = find(&l, "vg/lv");
	ck_assert_uint_eq(v->nparts, 2);
	HOLDS(v, EXTENT / 2, 103, 103, 0, 0, 0, 0, 5, 106, 5, 106, 1, 1);
	/* Holes and host runs show through. */
	ok(block_extent(v->block, 5 * EXTENT - 1, EXTENT + 1, &x, &e));
	ck_assert_uint_eq(x.flags & EXTENT_ZERO, EXTENT_ZERO);
	ck_assert_uint_eq(x.len, 2 * EXTENT - 1);
	ok(block_extent(v->block, 2 * EXTENT, 3 * EXTENT + EXTENT / 2, &x, &e));
	ck_assert_uint_eq(x.flags & EXTENT_PLAIN, EXTENT_PLAIN);
	ck_assert_uint_eq(x.host_off, EXTENTS_OFF + 5 * EXTENT);
	ck_assert_uint_eq(x.len, EXTENT / 2);
	volume_list_free(&l);
}
END_TEST

START_TEST(a_volume_of_zeros_alone_lies_on_what_is_there)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, LV("z", "VISIBLE", 2, "type = \"zero\"\n")));
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_uint_eq(find(&l, "vg/z")->nparts, 1);
	HOLDS(find(&l, "vg/z"), EXTENT, 0, 0);
	volume_list_free(&l);
}
END_TEST

START_TEST(a_group_in_a_logical_volume_is_found)
{
	struct volume_list l;
	char *inner = strdup(vg_text(1, 1, LV("in", "VISIBLE", 1, LINEAR("pv0", 1))));

	/* The inner PV is small: its label and text lie in the first extents of the outer one. */
	memcpy(inner, "vi {", 4);
	memcpy(strstr(inner, ID_TEXT(v)), ID_TEXT(w), 38);
	memcpy(strstr(inner, ID_TEXT(a)), ID_TEXT(b), 38);
	disk_pv(&b, ID_BARE(b), 101, inner);
	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, LV("out", "VISIBLE", 10, LINEAR("pv0", 2))));
	memcpy(a.bytes + EXTENTS_OFF + 2 * EXTENT, b.bytes, 8 * EXTENT);
	free(inner);
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_uint_eq(l.n, 3);
	HOLDS(find(&l, "vi/in"), EXTENT, 102);
	ck_assert_uint_eq(find(&l, "vi/in")->depth, 2);
	ck_assert(find(&l, "vg/out")->in_use);
	ck_assert_uint_eq(l.ngroups, 2);
	volume_list_free(&l);
}
END_TEST

START_TEST(every_failing_allocation_is_an_error)
{
	static const char lvs[] = LV("m", "VISIBLE", 1, "type = \"mirror\"\nmirror_count = 2\nregion_size = 128\n"
							  "mirrors = [\"pv0\", 0, \"pv1\", 0]\n")
		LV("lost", "VISIBLE", 1, LINEAR("pv2", 0)) LV("lin", "VISIBLE", 2, LINEAR("pv0", 3));
	const struct block_open how = { .format = "raw" };
	struct block *block = NULL;
	unsigned long n;

	disk_pv(&a, ID_BARE(a), 1, vg_text(5, 3, lvs));
	store("a", &a);
	ok(block_open("a", &how, &block, &e));
	for (n = 1; n < 2000; n++) {
		struct volume_list l = { 0 };
		int rc;

		ok(volume_scan(block, 0, &l, &e));
		alloc_fault_at(n);
		rc = volume_assemble(&l, NULL, &e);
		if (!alloc_fault_hit()) {
			alloc_fault_at(0);
			ok(rc);
			ck_assert_uint_eq(l.n, 3);
			volume_list_free(&l);
			break;
		}
		alloc_fault_at(0);
		ck_assert_msg(rc == -ERR_NOMEM, "allocation %lu: %d (%s)", n, rc, l.warning ? l.warning : "");
		volume_list_free(&l);
	}
	ck_assert(n > 50 && n < 2000);
	block_unref(block);
}
END_TEST

TEST_MAIN("lvm", linear_volumes_of_two_disks_are_listed, hyphens_are_doubled_where_names_are_joined,
	  partitions_in_a_logical_volume_are_listed, without_a_disk_the_volumes_that_are_whole_are_given,
	  text_goes_round_in_its_area, the_newest_metadata_counts_and_older_is_told,
	  damaged_areas_are_told_and_another_is_used, wrong_places_in_an_area_are_told,
	  two_areas_one_ignored_and_none_at_all, labels_that_are_none_are_no_volumes, copies_of_disks_are_told,
	  two_groups_of_one_name_are_both_read, a_disk_that_left_its_group_is_told,
	  a_disk_that_its_group_counts_as_missing_is_not_read, groups_that_make_no_sense_are_told,
	  volumes_that_make_no_sense_are_left_out, a_disk_that_was_cut_off_loses_what_lay_there,
	  volumes_in_each_other_have_a_limit, segments_of_many_kinds_follow_each_other,
	  a_volume_of_zeros_alone_lies_on_what_is_there, a_group_in_a_logical_volume_is_found,
	  every_failing_allocation_is_an_error)
