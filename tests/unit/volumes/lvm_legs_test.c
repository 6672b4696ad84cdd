/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lvm_legs_test.c - mirrors, raid1, thin pools and snapshots, with their own metadata made by hand. */
#include "lvm_assemble.h"

#include "crc32c.h"

static struct disk a, b;

static size_t extent_at(unsigned i)
{
	return EXTENTS_OFF + (size_t)i * EXTENT;
}

/* Both disks, with the same metadata; b's extents are filled from 101 on. */
static void two_disks(const char *lvs)
{
	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 2, lvs));
	disk_pv(&b, ID_BARE(b), 101, vg_text(1, 2, lvs));
}

static void store_both(void)
{
	store("a", &a);
	store("b", &b);
}

/* ---- mirrors ---- */

static const char mirror[] = LV("m", "VISIBLE", 2, "type = \"mirror\"\nmirror_count = 2\nmirror_log = \"log\"\n"
						    "region_size = 128\nmirrors = [\"m0\", 0, \"m1\", 0]\n")
	LV("m0", "", 2, LINEAR("pv0", 3)) LV("m1", "", 2, LINEAR("pv1", 3)) LV("log", "", 1, LINEAR("pv1", 9));

static void log_put(struct disk *d, size_t at, uint64_t nregions, uint8_t bits)
{
	memset(d->bytes + at, 0, EXTENT);
	disk_le32(d, at, 0x4d695272);
	disk_le32(d, at + 4, 2);
	disk_le64(d, at + 8, nregions);
	d->bytes[at + 1024] = bits;
}

START_TEST(the_first_leg_of_a_mirror_is_read)
{
	struct volume_list l;

	two_disks(mirror);
	log_put(&b, extent_at(9), 2, 3);
	store_both();
	ok(assemble("a b", &l));
	ck_assert_ptr_null(l.warning);
	HOLDS(find(&l, "vg/m"), EXTENT, 4, 5);
	ck_assert_uint_eq(l.n, 3);
	volume_list_free(&l);
}
END_TEST

START_TEST(another_leg_is_read_when_its_log_says_that_it_may)
{
	static const struct {
		uint64_t nregions;
		uint8_t bits;
		bool good;
	} cases[] = { { 2, 3, true }, { 2, 1, false }, { 2, 0, false }, { 1, 3, false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		two_disks(mirror);
		log_put(&b, extent_at(9), cases[i].nregions, cases[i].bits);
		store_both();
		ok(assemble("b", &l));
		if (cases[i].good) {
			HOLDS(find(&l, "vg/m"), EXTENT, 104, 105);
			warns(&l, "logical volume vg/m lacks 1 of 2 images: physical volume " ID_TEXT(a) " is missing");
		} else {
			ck_assert_ptr_null(volume_find(&l, "vg/m"));
			warns(&l, "vg/m is left out: its first leg is missing, and the others are not in sync");
		}
		volume_list_free(&l);
	}
	/* No log that could be read. */
	{
		struct volume_list l;

		two_disks(mirror);
		store_both();
		ok(assemble("b", &l));
		ck_assert_ptr_null(volume_find(&l, "vg/m"));
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(a_mirror_without_a_log_is_read_with_a_word_of_warning)
{
	static const char core[] = LV("m", "VISIBLE", 1, "type = \"mirror\"\nmirror_count = 2\nmirrors = [\"m0\", 0, \"m1\", 0]\n")
		LV("m0", "", 1, LINEAR("pv0", 3)) LV("m1", "", 1, LINEAR("pv1", 3));
	struct volume_list l;

	two_disks(core);
	store_both();
	ok(assemble("a b", &l));
	ck_assert_ptr_null(l.warning);
	HOLDS(find(&l, "vg/m"), EXTENT, 4);
	volume_list_free(&l);
	ok(assemble("b", &l));
	HOLDS(find(&l, "vg/m"), EXTENT, 104);
	warns(&l, "nothing tells whether the others are in sync");
	volume_list_free(&l);
}
END_TEST

START_TEST(what_is_being_moved_is_read_where_it_comes_from)
{
	static const char moving[] = LV("lv", "VISIBLE", 2, "type = \"striped\"\nstripe_count = 1\nstripes = [\"pvmove0\", 0]\n")
		"pvmove0 {\nid = \"" ID_TEXT(p) "\"\nstatus = [\"PVMOVE\", \"LOCKED\"]\n"
		"segment1 {\nstart_extent = 0\nextent_count = 1\ntype = \"mirror\"\nmirror_count = 2\nextents_moved = 0\n"
		"mirrors = [\"pv0\", 7, \"pv1\", 7]\n}\n"
		"segment2 {\nstart_extent = 1\nextent_count = 1\n" LINEAR("pv0", 8) "}\n}\n";
	struct volume_list l;

	two_disks(moving);
	store_both();
	ok(assemble("a b", &l));
	HOLDS(find(&l, "vg/lv"), EXTENT, 8, 9);
	ck_assert_uint_eq(l.n, 3);
	volume_list_free(&l);
	ok(assemble("b", &l));
	ck_assert_ptr_null(volume_find(&l, "vg/lv"));
	warns(&l, "vg/lv is left out: what is being moved is missing where it comes from");
	volume_list_free(&l);
}
END_TEST

/* ---- raid1 ---- */

static const char raid1[] = LV("r", "VISIBLE", 2, "type = \"raid1\"\ndevice_count = 2\nregion_size = 128\n"
						   "raids = [\"s0\", \"i0\", \"s1\", \"i1\"]\n")
	LV("i0", "", 2, LINEAR("pv0", 3)) LV("i1", "", 2, LINEAR("pv1", 3)) LV("s0", "", 1, LINEAR("pv0", 2))
		LV("s1", "", 1, LINEAR("pv1", 2));

struct super {
	uint64_t events, failed, rebuilt;
};
#define ALL UINT64_MAX

static void super_at(struct disk *d, size_t at, uint32_t n, uint32_t position, const struct super *s)
{
	memset(d->bytes + at, 0, EXTENT);
	if (!s->events)
		return;
	disk_le32(d, at, 0x64526d44);
	disk_le32(d, at + 4, 1);
	disk_le32(d, at + 8, n);
	disk_le32(d, at + 12, position);
	disk_le64(d, at + 16, s->events);
	disk_le64(d, at + 24, s->failed);
	disk_le64(d, at + 32, s->rebuilt);
	disk_le64(d, at + 40, ALL);
	disk_le32(d, at + 48, 1);
}

static void super_put(struct disk *d, uint32_t position, const struct super *s)
{
	super_at(d, extent_at(2), 2, position, s);
}

START_TEST(the_first_image_that_is_in_sync_is_read)
{
	static const struct {
		struct super a, b;
		uint8_t first, second;
	} cases[] = {
		{ { 9, 0, ALL }, { 9, 0, ALL }, 4, 5 },	  /* both */
		{ { 8, 0, ALL }, { 9, 0, ALL }, 4, 5 },	  /* a crash between two updates */
		{ { 7, 0, ALL }, { 9, 0, ALL }, 104, 105 }, /* the first was away */
		{ { 9, 2, ALL }, { 5, 1, ALL }, 4, 5 },	  /* the second failed */
		{ { 9, 0, ALL }, { 9, 1, ALL }, 4, 5 },	  /* only the newest knows who failed: both are */
		{ { 8, 0, ALL }, { 9, 1, ALL }, 104, 105 },
		{ { 9, 0, 0 }, { 9, 0, ALL }, 104, 105 },  /* the first is being rebuilt: nothing yet */
		{ { 9, 0, 128 }, { 9, 0, ALL }, 4, 105 },  /* half of it */
		{ { 0, 0, 0 }, { 9, 0, ALL }, 104, 105 },  /* a new one */
		{ { 0, 0, 0 }, { 0, 0, 0 }, 4, 5 },	  /* never active */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		two_disks(raid1);
		super_put(&a, 0, &cases[i].a);
		super_put(&b, 1, &cases[i].b);
		store_both();
		ok(assemble("a b", &l));
		HOLDS(find(&l, "vg/r"), EXTENT, cases[i].first, cases[i].second);
		ck_assert_uint_eq(l.n, 3);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(a_raid1_without_a_good_image_is_left_out)
{
	static const struct {
		struct super a, b;
		const char *disks, *what;
	} cases[] = {
		{ { 9, 0, ALL }, { 9, 0, 128 }, "b", "none of its images that are there is in sync" },
		{ { 9, 2, 128 }, { 5, 0, ALL }, "a b", "none of its images that are there is in sync" },
		{ { 9, 0, ALL }, { 0, 0, 0 }, "b", "no metadata is left that tells whether its images are in sync" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		two_disks(raid1);
		super_put(&a, 0, &cases[i].a);
		super_put(&b, 1, &cases[i].b);
		store_both();
		ok(assemble(cases[i].disks, &l));
		ck_assert_ptr_null(volume_find(&l, "vg/r"));
		warns(&l, cases[i].what);
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(a_degraded_raid1_is_read_and_told)
{
	static const struct super both = { 9, 0, ALL };
	struct volume_list l;

	two_disks(raid1);
	super_put(&a, 0, &both);
	super_put(&b, 1, &both);
	store_both();
	ok(assemble("b", &l));
	HOLDS(find(&l, "vg/r"), EXTENT, 104, 105);
	warns(&l, "logical volume vg/r lacks 1 of 2 images: physical volume " ID_TEXT(a) " is missing");
	volume_list_free(&l);
}
END_TEST

START_TEST(raid_metadata_that_makes_no_sense_leaves_the_volume_out)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *what;
	} cases[] = {
		{ 8, 3, "the metadata of image 0 is that of another array" },
		{ 12, 1, "the metadata of image 0 is that of another array" },
		{ 60, 1, "a raid1 that is, or was, reshaped is not read" },
		{ 96, 8, "a raid1 that is, or was, reshaped is not read" },
		{ 144, 4, "features 0x4 of its metadata are not known" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const struct super both = { 9, 0, ALL };
		struct volume_list l;

		two_disks(raid1);
		super_put(&a, 0, &both);
		super_put(&b, 1, &both);
		disk_le32(&a, extent_at(2) + cases[i].at, cases[i].value);
		store_both();
		ok(assemble("a b", &l));
		ck_assert_ptr_null(volume_find(&l, "vg/r"));
		warns(&l, cases[i].what);
		volume_list_free(&l);
	}
}
END_TEST

/* ---- arrays ---- */

/* Three images of an extent on one disk, which are chunks: 4 and 5, and the parity, which is 6 rather than their sum. */
#define ARRAY(type, extents, more)                                                                                     \
	LV("r", "VISIBLE", extents, "type = \"" type "\"\ndevice_count = 3\nstripe_size = 128\n" more                     \
				     "raids = [\"s0\", \"i0\", \"s1\", \"i1\", \"s2\", \"i2\"]\n")                      \
	LV("i0", "", 1, LINEAR("pv0", 3)) LV("i1", "", 1, LINEAR("pv0", 4)) LV("i2", "", 1, LINEAR("pv0", 5))          \
		LV("s0", "", 1, LINEAR("pv0", 0)) LV("s1", "", 1, LINEAR("pv0", 1)) LV("s2", "", 1, LINEAR("pv0", 2))

static void array(const char *lvs, int level, uint32_t layout, const struct super supers[3])
{
	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, lvs));
	for (unsigned i = 0; i < 3; i++) {
		super_at(&a, extent_at(i), 3, i, &supers[i]);
		disk_le32(&a, extent_at(i) + 48, supers[i].events ? (uint32_t)level : 0);
		disk_le32(&a, extent_at(i) + 52, supers[i].events ? layout : 0);
	}
}

static const struct super all_good[3] = { { 9, 0, ALL }, { 9, 0, ALL }, { 9, 0, ALL } };

START_TEST(an_array_with_parity_is_read_and_what_is_out_of_date_is_computed)
{
	static const struct super stale[3] = { { 9, 0, ALL }, { 5, 0, ALL }, { 9, 0, ALL } };
	static const struct super never[3] = { { 0, 0, 0 } };
	struct volume_list l;

	array(ARRAY("raid5", 2, ""), 5, 2, all_good);
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/r"), EXTENT, 4, 5);
	ck_assert_uint_eq(find(&l, "vg/r")->arrays, 1);
	volume_list_free(&l);

	array(ARRAY("raid5", 2, ""), 5, 2, stale);
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/r"), EXTENT, 4, 4 ^ 6);
	volume_list_free(&l);

	array(ARRAY("raid5", 2, ""), 5, 2, never);
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/r"), EXTENT, 4, 5);
	volume_list_free(&l);
}
END_TEST

/* The LV "r" is left out with these words. */
static void array_left_out(const char *what)
{
	struct volume_list l;

	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_null(volume_find(&l, "vg/r"));
	warns(&l, what);
	volume_list_free(&l);
}

START_TEST(arrays_that_cannot_be_believed_are_left_out)
{
	static const struct super two_stale[3] = { { 9, 0, ALL }, { 5, 0, ALL }, { 4, 0, ALL } };
	static const struct super one_stale[3] = { { 9, 0, ALL }, { 5, 0, ALL }, { 9, 0, ALL } };

	array(ARRAY("raid5", 2, ""), 5, 2, two_stale);
	array_left_out("too many of its images are missing or not in sync (2 of 3)");
	array(ARRAY("raid5", 2, ""), 5, 2, one_stale);
	disk_le64(&a, extent_at(0) + 40, 64);
	array_left_out("an image is missing, and the parity is not in sync");
	array(ARRAY("raid5", 2, ""), 6, 8, all_good);
	array_left_out("its metadata says that it is of level 6");
	array(ARRAY("raid5", 2, ""), 5, 9, all_good);
	array_left_out("raid5 with layout 9");
	array(ARRAY("raid5", 3, ""), 5, 2, all_good);
	array_left_out("is made, is too small");
	array(ARRAY("raid10", 2, ""), 10, 0x102, all_good);
	array_left_out("a raid10 of 3 images");
	array(ARRAY("raid10", 2, "data_copies = 9\n"), 10, 0x109, all_good);
	array_left_out("a raid10 of 3 images");
	array(ARRAY("raid6", 1, ""), 6, 8, all_good);
	array_left_out("raid6 of 3 disks");
	array(ARRAY("raid5", 2, "reshape_count = 1\n"), 5, 2, all_good);
	array_left_out("a raid5 that is, or was, reshaped is not read");
}
END_TEST

#define IN_ARRAY(name, below) LV(name, "VISIBLE", 1, "type = \"raid4\"\ndevice_count = 2\nstripe_size = 128\nraids = [\"z" below \
						       "\", \"" below "\", \"z" below "\", \"" below "\"]\n")                 \
	LV("z" below, "", 1, "type = \"zero\"\n")
START_TEST(arrays_in_each_other_have_a_limit)
{
	struct volume_list l;

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, LV("x", "", 1, LINEAR("pv0", 3)) IN_ARRAY("one", "x") IN_ARRAY("two", "one")
					   IN_ARRAY("three", "two")));
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/two"), EXTENT, 4);
	ck_assert_ptr_null(volume_find(&l, "vg/three"));
	warns(&l, "vg/three is left out: arrays in each other more than 2 deep");
	volume_list_free(&l);
}
END_TEST

/* ---- thin ---- */

/*
 * The pool: metadata in extent 0 of a, data of 8 extents (chunks) from extent 1 on.  Device 1 has a tree of two levels: block
 * 0 in chunk 3, block 1 in chunk 4, block 5 in chunk 0.  Device 2, a snapshot, shares one leaf and has its own block 0.
 */
#define POOL_LVS(transaction, more)                                                                                    \
	LV("pool", "VISIBLE", 8, "type = \"thin-pool\"\nmetadata = \"meta\"\npool = \"data\"\nchunk_size = 128\n"         \
				  "transaction_id = " #transaction "\n" more)                                             \
	LV("meta", "", 1, LINEAR("pv0", 0))                                                                            \
	LV("data", "", 8, LINEAR("pv0", 1))                                                                            \
	LV("t", "VISIBLE", 8, "type = \"thin\"\nthin_pool = \"pool\"\ndevice_id = 1\n")                                   \
	LV("s", "VISIBLE", 8, "type = \"thin\"\nthin_pool = \"pool\"\ndevice_id = 2\norigin = \"t\"\n")                   \
	LV("e", "VISIBLE", 8, "type = \"thin\"\nthin_pool = \"pool\"\ndevice_id = 2\nexternal_origin = \"x\"\n")          \
	LV("none", "VISIBLE", 8, "type = \"thin\"\nthin_pool = \"pool\"\ndevice_id = 3\n")                                \
	LV("x", "VISIBLE", 3, LINEAR("pv0", 12))

static size_t block_at(unsigned nr)
{
	return extent_at(0) + (size_t)nr * 4096;
}

static void block_sum(unsigned nr, uint32_t salt)
{
	disk_le32(&a, block_at(nr), crc32c(~0u, a.bytes + block_at(nr) + 4, 4092) ^ salt);
}

/* Keys and values take turns. */
static void node_put(unsigned nr, bool leaf, unsigned n, const uint64_t *pairs)
{
	size_t at = block_at(nr);

	memset(a.bytes + at, 0, 4096);
	disk_le32(&a, at + 4, leaf ? 2 : 1);
	disk_le64(&a, at + 8, nr);
	disk_le32(&a, at + 16, n);
	disk_le32(&a, at + 20, 252);
	disk_le32(&a, at + 24, 8);
	for (unsigned i = 0; i < n; i++) {
		disk_le64(&a, at + 32 + 8 * i, pairs[2 * i]);
		disk_le64(&a, at + 32 + 8 * 252 + 8 * i, pairs[2 * i + 1]);
	}
	block_sum(nr, 121107);
}
#define NODE(nr, leaf, ...)                                                                                            \
	node_put(nr, leaf, sizeof((const uint64_t[]){ __VA_ARGS__ }) / 16, (const uint64_t[]){ __VA_ARGS__ })
#define MAPPED(chunk) ((uint64_t)(chunk) << 24 | 7)

static void pool_super(uint64_t transaction)
{
	size_t at = block_at(0);

	memset(a.bytes + at, 0, 4096);
	disk_le64(&a, at + 32, 27022010);
	disk_le32(&a, at + 40, 2);
	disk_le64(&a, at + 48, transaction);
	disk_le64(&a, at + 320, 1);
	disk_le32(&a, at + 336, 128);
	disk_le32(&a, at + 340, 8);
	disk_le64(&a, at + 344, 16);
	block_sum(0, 160774);
}

static void pool(const char *lvs)
{
	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, lvs));
	pool_super(5);
	NODE(1, true, 1, 2, 2, 5);		/* devices */
	NODE(2, false, 0, 3, 4, 4);		/* device 1 */
	NODE(3, true, 0, MAPPED(3), 1, MAPPED(4));
	NODE(4, true, 5, MAPPED(0));
	NODE(5, false, 0, 6, 4, 4);		/* device 2 */
	NODE(6, true, 0, MAPPED(7));
}

START_TEST(thin_volumes_and_their_snapshots_are_read)
{
	struct volume_list l;
	struct extent x;

	pool(POOL_LVS(5, ""));
	store("a", &a);
	ok(assemble("a", &l));
	/* Chunk n of the data is extent 1 + n. */
	HOLDS(find(&l, "vg/t"), EXTENT, 5, 6, 0, 0, 0, 2, 0, 0);
	HOLDS(find(&l, "vg/s"), EXTENT, 9, 0, 0, 0, 0, 2, 0, 0);
	ck_assert(find(&l, "vg/s")->snapshot && !find(&l, "vg/t")->snapshot);
	HOLDS(find(&l, "vg/e"), EXTENT, 9, 14, 15, 0, 0, 2, 0, 0);
	ck_assert_ptr_null(volume_find(&l, "vg/pool"));
	ck_assert_str_eq(l.warning, "logical volume vg/none is left out: thin pool pool has no device 3");

	ok(block_extent(find(&l, "vg/t")->block, 7 * EXTENT - 10, EXTENT + 10, &x, &e));
	ck_assert_uint_eq(x.flags & EXTENT_PLAIN, EXTENT_PLAIN);
	ck_assert_uint_eq(x.host_off, extent_at(5) + 10);
	ck_assert_uint_eq(x.len, EXTENT - 10);
	ok(block_extent(find(&l, "vg/t")->block, 5 * EXTENT, 2 * EXTENT, &x, &e));
	ck_assert_uint_eq(x.flags & EXTENT_ZERO, EXTENT_ZERO);
	/* Up to the bound between two nodes; what follows is of the same kind. */
	ck_assert_uint_eq(x.len, 2 * EXTENT);
	ok(block_extent_merged(find(&l, "vg/t")->block, NULL, 6 * EXTENT, 2 * EXTENT, &x, &e));
	ck_assert_uint_eq(x.len, 3 * EXTENT);
	volume_list_free(&l);
}
END_TEST

START_TEST(a_pool_at_another_transaction_is_not_read)
{
	static const struct {
		const char *lvs;
		bool good;
	} cases[] = {
		{ POOL_LVS(6, ""), false },
		{ POOL_LVS(4, ""), false },
		/* What it was told and has not done yet. */
		{ POOL_LVS(6, "message1 {\ncreate = \"t\"\n}\n"), true },
		{ POOL_LVS(7, "message1 {\ncreate = \"t\"\n}\n"), false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		pool(cases[i].lvs);
		store("a", &a);
		ok(assemble("a", &l));
		ck_assert_int_eq(volume_find(&l, "vg/t") != NULL, cases[i].good);
		if (!cases[i].good)
			warns(&l, "thin pool pool: it is at transaction 5, but the volume group at");
		volume_list_free(&l);
	}
}
END_TEST

START_TEST(broken_pools_are_told)
{
	static const struct {
		size_t at; /* in the metadata */
		uint32_t value;
		bool sum;
		const char *what;
	} cases[] = {
		{ 32, 1, true, "its metadata volume has no superblock" },
		{ 60, 1, false, "the checksum of its superblock does not match" },
		{ 40, 3, true, "version 3 of its metadata" },
		{ 360, 1, true, "with features 0x1" },
		{ 340, 16, true, "metadata blocks of 16 sectors" },
		{ 336, 64, true, "its chunks have 32768 bytes, but the volume group says 65536" },
		{ 320, 0, true, "metadata of thin pool pool: a tree leads to block 0 of 16" },
		{ 320, 16, true, "metadata of thin pool pool: a tree leads to block 16 of 16" },
		{ 320, 9, true, "the checksum of block 9 does not match" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_list l;

		pool(POOL_LVS(5, ""));
		disk_le32(&a, block_at(0) + cases[i].at, cases[i].value);
		if (cases[i].sum)
			block_sum(0, 160774);
		store("a", &a);
		ok(assemble("a", &l));
		ck_assert_ptr_null(volume_find(&l, "vg/t"));
		warns(&l, cases[i].what);
		volume_list_free(&l);
	}
}
END_TEST

/* Reading vg/t fails with these words. */
static void read_fails(const char *what)
{
	struct volume_list l;
	static char buf[8 * EXTENT];

	store("a", &a);
	ok(assemble("a", &l));
	fails(block_pread(find(&l, "vg/t")->block, buf, sizeof buf, 0, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.msg, what) != NULL, "%s", e.msg);
	volume_list_free(&l);
}

START_TEST(broken_nodes_are_told)
{
	pool(POOL_LVS(5, ""));
	NODE(3, true, 1, MAPPED(3), 0, MAPPED(4));
	read_fails("the keys of block 3 are not in order");

	pool(POOL_LVS(5, ""));
	NODE(2, false, 0, 2, 4, 4);
	read_fails("metadata of thin pool pool: a tree of more than 12 levels");

	pool(POOL_LVS(5, ""));
	NODE(3, true, 0, MAPPED(8));
	read_fails("block 8 of thin pool pool lies past its end");

	pool(POOL_LVS(5, ""));
	NODE(3, true, 0, UINT64_MAX);
	read_fails("of thin pool pool lies past its end");

	pool(POOL_LVS(5, ""));
	disk_le64(&a, block_at(3) + 8, 4);
	block_sum(3, 121107);
	read_fails("block 3 says that it is another one");

	pool(POOL_LVS(5, ""));
	disk_le32(&a, block_at(3) + 4, 3);
	block_sum(3, 121107);
	read_fails("block 3 is no node of its tree");

	pool(POOL_LVS(5, ""));
	disk_le32(&a, block_at(3) + 16, 253);
	block_sum(3, 121107);
	read_fails("block 3 is no node of its tree");

	pool(POOL_LVS(5, ""));
	disk_le32(&a, block_at(3) + 24, 16);
	block_sum(3, 121107);
	read_fails("block 3 is no node of its tree");
}
END_TEST

START_TEST(a_pool_that_needs_a_check_is_read_and_told)
{
	struct volume_list l;

	pool(POOL_LVS(5, ""));
	disk_le32(&a, block_at(0) + 4, 1);
	block_sum(0, 160774);
	store("a", &a);
	ok(assemble("a", &l));
	find(&l, "vg/t");
	warns(&l, "thin pool vg/pool needs to be checked");
	volume_list_free(&l);
}
END_TEST

START_TEST(a_thin_snapshot_that_is_merged_shows_in_its_origin)
{
	struct volume_list l;

	pool(POOL_LVS(5, "") LV("m", "VISIBLE", 8, "type = \"thin\"\nthin_pool = \"pool\"\ndevice_id = 2\nmerge = \"t\"\n"));
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/t"), EXTENT, 9, 0, 0, 0, 0, 2, 0, 0);
	ck_assert_ptr_null(volume_find(&l, "vg/m"));
	volume_list_free(&l);
}
END_TEST

/* ---- snapshots of the older kind ---- */

#define SNAP_LVS(how)                                                                                                  \
	LV("o", "VISIBLE", 4, LINEAR("pv0", 0))                                                                        \
	LV("c", "", 4, LINEAR("pv0", 8))                                                                               \
	LV("snapshot0", "VISIBLE", 4, "type = \"snapshot\"\nchunk_size = 128\norigin = \"o\"\n" how " = \"c\"\n")

/* Chunks are as large as extents: chunk n of the store is extent 8 + n.  Pairs are an old and a new one. */
static void snapshot(const char *lvs, uint32_t valid, unsigned n, const uint64_t *pairs)
{
	size_t at = extent_at(8);

	disk_pv(&a, ID_BARE(a), 1, vg_text(1, 1, lvs));
	memset(a.bytes + at, 0, 2 * EXTENT);
	disk_le32(&a, at, 0x70416e53);
	disk_le32(&a, at + 4, valid);
	disk_le32(&a, at + 8, 1);
	disk_le32(&a, at + 12, 128);
	for (unsigned i = 0; i < n; i++) {
		disk_le64(&a, at + EXTENT + 16 * i, pairs[2 * i]);
		disk_le64(&a, at + EXTENT + 16 * i + 8, pairs[2 * i + 1]);
	}
}

START_TEST(a_snapshot_is_its_origin_but_for_what_has_changed)
{
	static const uint64_t pairs[] = { 2, 3, 1, 2 };
	struct volume_list l;
	struct extent x;

	snapshot(SNAP_LVS("cow_store"), 1, 2, pairs);
	store("a", &a);
	ok(assemble("a", &l));
	ck_assert_ptr_null(l.warning);
	ck_assert_uint_eq(l.n, 3);
	HOLDS(find(&l, "vg/o"), EXTENT, 1, 2, 3, 4);
	HOLDS(find(&l, "vg/c"), EXTENT, 1, 11, 12, 4);
	ck_assert(find(&l, "vg/c")->snapshot);
	ok(block_extent(find(&l, "vg/c")->block, 3 * EXTENT - 5, EXTENT + 5, &x, &e));
	ck_assert_uint_eq(x.host_off, extent_at(10) + 5);
	ck_assert_uint_eq(x.len, 2 * EXTENT - 5);
	volume_list_free(&l);
}
END_TEST

START_TEST(what_is_merged_into_an_origin_shows_there)
{
	static const uint64_t pairs[] = { 2, 3, 1, 2 };
	struct volume_list l;

	snapshot(SNAP_LVS("merging_store"), 1, 2, pairs);
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/o"), EXTENT, 1, 11, 12, 4);
	ck_assert(!find(&l, "vg/o")->snapshot);
	ck_assert_uint_eq(l.n, 2);
	volume_list_free(&l);
}
END_TEST

START_TEST(a_snapshot_that_was_never_active_is_its_origin)
{
	struct volume_list l;

	snapshot(SNAP_LVS("cow_store"), 1, 0, NULL);
	memset(a.bytes + extent_at(8), 0, 16);
	memset(a.bytes + extent_at(9), 0x55, 64);
	store("a", &a);
	ok(assemble("a", &l));
	HOLDS(find(&l, "vg/c"), EXTENT, 1, 2, 3, 4);
	volume_list_free(&l);
}
END_TEST

START_TEST(snapshots_that_cannot_be_read_are_told)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *what;
	} cases[] = {
		{ 0, 1, "the snapshot's store has no header" },
		{ 4, 0, "the snapshot is no longer valid: its store ran full" },
		{ 8, 2, "version 2 of the snapshot's store" },
		{ 12, 0, "the snapshot's chunks have 0 bytes" },
		{ 12, 96, "the snapshot's chunks have 49152 bytes" },
		{ 12, 0x80000000u, "the snapshot's chunks have" },
	};
	static const uint64_t far_away[] = { 2, 4 };
	static char buf[4 * EXTENT];
	struct volume_list l;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snapshot(SNAP_LVS("cow_store"), 1, 0, NULL);
		disk_le32(&a, extent_at(8) + cases[i].at, cases[i].value);
		store("a", &a);
		ok(assemble("a", &l));
		ck_assert_ptr_null(volume_find(&l, "vg/c"));
		find(&l, "vg/o");
		warns(&l, cases[i].what);
		volume_list_free(&l);
	}
	snapshot(SNAP_LVS("cow_store"), 1, 1, far_away);
	store("a", &a);
	ok(assemble("a", &l));
	fails(block_pread(find(&l, "vg/c")->block, buf, sizeof buf, 0, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.msg, "chunk 4 lies past the end of the snapshot's store");
	volume_list_free(&l);
}
END_TEST

/* All volumes of the disk "a" are found and read; or memory was out, which is told. */
static int find_and_read(struct block *disk, size_t *nread)
{
	static char buf[8 * EXTENT];
	struct volume_list l = { 0 };
	int rc = volume_scan(disk, 0, &l, &e);

	*nread = 0;
	if (rc == 0)
		rc = volume_assemble(&l, NULL, &e);
	for (size_t i = 1; rc == 0 && i < l.n; i++, ++*nread)
		rc = block_pread(l.items[i].block, buf, l.items[i].size, 0, &e);
	volume_list_free(&l);
	return rc;
}

START_TEST(every_failing_allocation_is_an_error)
{
	static const uint64_t pairs[] = { 2, 3, 1, 2 };
	static const struct super stale[3] = { { 9, 0, ALL }, { 5, 0, ALL }, { 9, 0, ALL } };
	const struct block_open how = { .format = "raw" };

	for (unsigned kind = 0; kind < 3; kind++) {
		struct block *disk = NULL;
		size_t all, nread;
		unsigned long n;

		if (kind == 0)
			pool(POOL_LVS(5, ""));
		else if (kind == 1)
			snapshot(SNAP_LVS("cow_store"), 1, 2, pairs);
		else
			array(ARRAY("raid5", 2, ""), 5, 2, stale);
		store("a", &a);
		ok(block_open("a", &how, &disk, &e));
		ok(find_and_read(disk, &all));
		ck_assert_uint_ge(all, 1);
		for (n = 1; n < 2000; n++) {
			int rc;

			alloc_fault_at(n);
			rc = find_and_read(disk, &nread);
			if (!alloc_fault_hit())
				break;
			alloc_fault_at(0);
			/* Whether something else lies in a volume is asked without insisting on an answer. */
			ck_assert_msg(rc == -ERR_NOMEM || (rc == 0 && nread == all), "kind %u, allocation %lu: %d", kind, n, rc);
		}
		alloc_fault_at(0);
		ck_assert_uint_eq(nread, all);
		ck_assert(n > 50 && n < 2000);
		block_unref(disk);
	}
}
END_TEST

TEST_MAIN("lvm_legs", the_first_leg_of_a_mirror_is_read, another_leg_is_read_when_its_log_says_that_it_may,
	  a_mirror_without_a_log_is_read_with_a_word_of_warning, what_is_being_moved_is_read_where_it_comes_from,
	  the_first_image_that_is_in_sync_is_read, a_raid1_without_a_good_image_is_left_out,
	  a_degraded_raid1_is_read_and_told, raid_metadata_that_makes_no_sense_leaves_the_volume_out,
	  an_array_with_parity_is_read_and_what_is_out_of_date_is_computed,
	  arrays_that_cannot_be_believed_are_left_out, arrays_in_each_other_have_a_limit,
	  thin_volumes_and_their_snapshots_are_read, a_pool_at_another_transaction_is_not_read,
	  broken_pools_are_told, broken_nodes_are_told, a_pool_that_needs_a_check_is_read_and_told,
	  a_thin_snapshot_that_is_merged_shows_in_its_origin, a_snapshot_is_its_origin_but_for_what_has_changed,
	  what_is_merged_into_an_origin_shows_there, a_snapshot_that_was_never_active_is_its_origin,
	  snapshots_that_cannot_be_read_are_told, every_failing_allocation_is_an_error)
