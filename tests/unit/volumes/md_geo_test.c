/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * md_geo_test.c - the layouts of arrays against drawings of them.
 *
 * A row of a drawing is one chunk on each disk: a number is the array's chunk there, P and Q its parity, a dot nothing.
 */
#include "md_fixture.h"

struct drawing {
	const char *name;
	struct array array;
	const char *rows[8];
};

static const struct drawing drawings[] = {
	{ "raid4", { 4, 0, 4, 4, 12, 0 }, { "0 1 2 P", "3 4 5 P", "6 7 8 P" } },
	{ "raid5 left asymmetric", { 5, 0, 4, 4, 16, 0 }, { "0 1 2 P", "3 4 P 5", "6 P 7 8", "P 9 10 11" } },
	{ "raid5 right asymmetric", { 5, 1, 4, 4, 16, 0 }, { "P 0 1 2", "3 P 4 5", "6 7 P 8", "9 10 11 P" } },
	{ "raid5 left symmetric", { 5, 2, 4, 4, 20, 0 }, { "0 1 2 P", "4 5 P 3", "8 P 6 7", "P 9 10 11", "12 13 14 P" } },
	{ "raid5 right symmetric", { 5, 3, 4, 4, 16, 0 }, { "P 0 1 2", "5 P 3 4", "7 8 P 6", "9 10 11 P" } },
	{ "raid5 parity first", { 5, 4, 3, 4, 8, 0 }, { "P 0 1", "P 2 3" } },
	{ "raid5 parity last", { 5, 5, 3, 4, 8, 0 }, { "0 1 P", "2 3 P" } },
	{ "raid6 left asymmetric", { 6, 0, 5, 4, 20, 0 },
	  { "Q 0 1 2 P", "3 4 5 P Q", "6 7 P Q 8", "9 P Q 10 11", "P Q 12 13 14" } },
	{ "raid6 right asymmetric", { 6, 1, 5, 4, 20, 0 },
	  { "P Q 0 1 2", "3 P Q 4 5", "6 7 P Q 8", "9 10 11 P Q", "Q 12 13 14 P" } },
	{ "raid6 left symmetric", { 6, 2, 5, 4, 20, 0 },
	  { "Q 0 1 2 P", "3 4 5 P Q", "7 8 P Q 6", "11 P Q 9 10", "P Q 12 13 14" } },
	{ "raid6 right symmetric", { 6, 3, 5, 4, 20, 0 },
	  { "P Q 0 1 2", "5 P Q 3 4", "7 8 P Q 6", "9 10 11 P Q", "Q 12 13 14 P" } },
	{ "raid6 parity first", { 6, 4, 4, 4, 8, 0 }, { "P Q 0 1", "P Q 2 3" } },
	{ "raid6 parity last", { 6, 5, 4, 4, 8, 0 }, { "0 1 P Q", "2 3 P Q" } },
	{ "raid6 zero restart", { 6, 8, 4, 4, 16, 0 }, { "P Q 0 1", "2 P Q 3", "4 5 P Q", "Q 6 7 P" } },
	{ "raid6 N restart", { 6, 9, 4, 4, 16, 0 }, { "0 1 P Q", "2 P Q 3", "P Q 4 5", "Q 6 7 P" } },
	{ "raid6 N continue", { 6, 10, 4, 4, 16, 0 }, { "0 1 Q P", "3 Q P 2", "Q P 4 5", "P 6 7 Q" } },
	{ "raid6 left asymmetric, Q last", { 6, 16, 4, 4, 12, 0 }, { "0 1 P Q", "2 P 3 Q", "P 4 5 Q" } },
	{ "raid6 right asymmetric, Q last", { 6, 17, 4, 4, 12, 0 }, { "P 0 1 Q", "2 P 3 Q", "4 5 P Q" } },
	{ "raid6 left symmetric, Q last", { 6, 18, 4, 4, 12, 0 }, { "0 1 P Q", "3 P 2 Q", "P 4 5 Q" } },
	{ "raid6 right symmetric, Q last", { 6, 19, 4, 4, 12, 0 }, { "P 0 1 Q", "3 P 2 Q", "4 5 P Q" } },
	{ "raid6 parity first, Q last", { 6, 20, 4, 4, 8, 0 }, { "P 0 1 Q", "P 2 3 Q" } },
	{ "raid10 near 2", { 10, 0x102, 4, 4, 8, 0 }, { "0 0 1 1", "2 2 3 3" } },
	{ "raid10 near 2, odd", { 10, 0x102, 3, 4, 12, 0 }, { "0 0 1", "1 2 2", "3 3 ." } },
	{ "raid10 far 2", { 10, 0x201, 4, 4, 16, 0 }, { "0 1 2 3", "4 5 6 7", "3 0 1 2", "7 4 5 6" } },
	{ "raid10 far 2 in sets", { 10, 0x40201, 4, 4, 16, 0 }, { "0 1 2 3", "4 5 6 7", "1 0 3 2", "5 4 7 6" } },
	{ "raid10 far 2 in sets, odd", { 10, 0x40201, 5, 4, 8, 0 }, { "0 1 2 3 4", "1 0 4 2 3" } },
	{ "raid10 offset 2", { 10, 0x10201, 4, 4, 16, 0 }, { "0 1 2 3", "3 0 1 2", "4 5 6 7", "7 4 5 6" } },
	{ "raid10 offset 3", { 10, 0x10301, 3, 4, 12, 0 }, { "0 1 2", "2 0 1", "1 2 0" } },
	{ "raid10 near 2 far 2", { 10, 0x202, 4, 4, 8, 0 }, { "0 0 1 1", "1 1 0 0" } },
};

/* The drawing, filled in by asking where each chunk is. */
static void draw(const struct md_geo *g, char cells[8][8][8])
{
	for (uint64_t off = 0; off < g->size; off += g->chunk) {
		ck_assert_uint_eq(md_run(g, off), g->chunk);
		for (unsigned copy = 0; copy < md_copies(g); copy++) {
			struct md_place p = md_locate(g, off + 17, copy);

			ck_assert_uint_eq(p.off % g->chunk, 17);
			ck_assert_uint_lt(p.disk, g->ndisks);
			ck_assert_uint_le(p.off, g->member_size);
			snprintf(cells[p.off / g->chunk][p.disk], 8, "%u", (unsigned)(off / g->chunk));
		}
		if (md_is_parity(g)) {
			struct md_stripe s = md_stripe_at(g, off);
			uint64_t row = md_locate(g, off, 0).off / g->chunk;

			strcpy(cells[row][s.p], "P");
			if (s.q != MD_NO_DISK)
				strcpy(cells[row][s.q], "Q");
		}
	}
}

START_TEST(chunks_lie_where_the_drawings_have_them)
{
	for (size_t i = 0; i < ARRAY_LEN(drawings); i++) {
		const struct drawing *d = &drawings[i];
		const struct md_super s = { .level = d->array.level, .layout = d->array.layout, .ndisks = d->array.ndisks,
					    .nroles = 8, .chunk = d->array.chunk_kb * KB, .used = d->array.data_kb * KB };
		char cells[8][8][8] = { { "" } };
		struct md_geo g;

		ok(md_geo_init(&g, &s, NULL, &e));
		draw(&g, cells);
		for (unsigned row = 0; row < d->array.data_kb / d->array.chunk_kb; row++) {
			char text[80] = "";

			for (unsigned k = 0; k < d->array.ndisks; k++)
				snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? " " : "",
					 cells[row][k][0] ? cells[row][k] : ".");
			ck_assert_msg(strcmp(text, d->rows[row]) == 0, "%s, row %u: %s, not %s", d->name, row, text, d->rows[row]);
		}
		md_geo_free(&g);
	}
}
END_TEST

START_TEST(raid0_of_disks_of_several_sizes_has_zones_in_either_layout)
{
	/* 3, 1 and 2 chunks: zones of 3, 2 and 1 disks. */
	static const uint64_t sizes[] = { 13 * KB, 4 * KB, 11 * KB };
	static const unsigned original[][2] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 2, 1 }, { 0, 1 }, { 0, 2 } };
	static const unsigned alternate[][2] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 0, 1 }, { 2, 1 }, { 0, 2 } };

	for (unsigned layout = 1; layout <= 2; layout++) {
		const struct md_super s = { .level = 0, .layout = layout, .features = MD_FEATURE_RAID0_LAYOUT, .ndisks = 3,
					    .nroles = 8, .chunk = 4 * KB };
		struct md_geo g;

		ok(md_geo_init(&g, &s, sizes, &e));
		ck_assert_uint_eq(g.size, 24 * KB);
		for (unsigned i = 0; i < 6; i++) {
			struct md_place p = md_locate(&g, i * 4 * KB + 5, 0);
			const unsigned *want = layout == 1 ? original[i] : alternate[i];

			ck_assert_msg(p.disk == want[0] && p.off == want[1] * 4 * KB + 5, "layout %u, chunk %u: disk %u, %" PRIu64,
				      layout, i, p.disk, p.off);
		}
		md_geo_free(&g);
	}
}
END_TEST

START_TEST(raid0_that_does_not_tell_its_layout_is_read_where_both_are_the_same)
{
	static const uint64_t three[] = { 12 * KB, 4 * KB, 8 * KB }, two[] = { 12 * KB, 4 * KB };
	struct md_super s = { .level = 0, .ndisks = 3, .nroles = 8, .chunk = 4 * KB };
	struct md_geo g;

	fails(md_geo_init(&g, &s, three, &e), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(e.msg, "does not say which layout it has"));
	md_geo_free(&g);
	s.ndisks = 2;
	ok(md_geo_init(&g, &s, two, &e));
	ck_assert_uint_eq(md_locate(&g, 8 * KB, 0).disk, 0);
	ck_assert_uint_eq(md_locate(&g, 12 * KB, 0).off, 8 * KB);
	md_geo_free(&g);
}
END_TEST

START_TEST(linear_disks_follow_each_other)
{
	static const uint64_t sizes[] = { 10 * KB, 1 * KB, 30 * KB };
	struct md_super s = { .level = MD_LINEAR, .ndisks = 3, .nroles = 8 };
	struct md_geo g;

	ok(md_geo_init(&g, &s, sizes, &e));
	ck_assert_uint_eq(g.size, 41 * KB);
	ck_assert_uint_eq(md_run(&g, 3 * KB), 7 * KB);
	ck_assert_uint_eq(md_locate(&g, 11 * KB - 1, 0).disk, 1);
	ck_assert_uint_eq(md_locate(&g, 11 * KB + 7, 0).disk, 2);
	ck_assert_uint_eq(md_locate(&g, 11 * KB + 7, 0).off, 7);
	md_geo_free(&g);
	/* Rounded to chunks, the second one has none. */
	s.chunk = 4 * KB;
	ok(md_geo_init(&g, &s, sizes, &e));
	ck_assert_uint_eq(g.size, 36 * KB);
	ck_assert_uint_eq(md_locate(&g, 8 * KB, 0).disk, 2);
	md_geo_free(&g);
}
END_TEST

START_TEST(forms_that_make_no_sense_are_refused)
{
	static const struct {
		struct array a;
		enum err_code code;
		const char *words;
	} cases[] = {
		{ { 5, 6, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid5 with layout 6" },
		{ { 5, 16, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid5 with layout 16" },
		{ { 6, 11, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid6 with layout 11" },
		{ { 6, 24, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid6 with layout 24" },
		{ { 5, 8, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid5 with layout 8" },
		{ { 6, 21, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid6 with layout 21" },
		{ { 6, 0, 3, 4, 16, 0 }, ERR_CORRUPT, "raid6 of 3 disks" },
		{ { 5, 0, 1, 4, 16, 0 }, ERR_CORRUPT, "raid5 of 1 disks" },
		{ { 5, 0, 3, 0, 16, 0 }, ERR_CORRUPT, "chunks of 0 bytes" },
		{ { 5, 0, 3, 12, 24, 0 }, ERR_CORRUPT, "chunks of 12288 bytes" },
		{ { 10, 0, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "raid10 of 4 disks with layout 0x0" },
		{ { 10, 0x302, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "with layout 0x302" },
		{ { 10, 0x60102, 4, 4, 16, 0 }, ERR_UNSUPPORTED, "with layout 0x60102" },
		{ { 10, 0x102, 0, 4, 16, 0 }, ERR_CORRUPT, "an array of 0 disks" },
		{ { 10, 0x102, 9, 4, 16, 0 }, ERR_CORRUPT, "an array of 9 disks with room for 8" },
		{ { 5, 0, 3, 4, 3, 0 }, ERR_CORRUPT, "an array of no size" },
		{ { -4, 0, 3, 4, 16, 0 }, ERR_UNSUPPORTED, "level -4" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct array *a = &cases[i].a;
		const struct md_super s = { .level = a->level, .layout = a->layout, .ndisks = a->ndisks, .nroles = 8,
					    .chunk = a->chunk_kb * KB, .used = a->data_kb * KB };
		struct md_geo g;

		fails(md_geo_init(&g, &s, NULL, &e), cases[i].code);
		ck_assert_msg(strstr(e.msg, cases[i].words) != NULL, "%s: %s", cases[i].words, e.msg);
		md_geo_free(&g);
	}
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
	static const int levels[] = { 1, 5, 10 };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct md_super s = { .level = levels[i], .layout = levels[i] == 10 ? 0x102 : 2, .ndisks = 1920, .nroles = 1920,
				      .chunk = 4 * KB, .used = UINT64_MAX };
		struct md_geo g;

		fails(md_geo_init(&g, &s, NULL, &e), ERR_LIMIT);
		md_geo_free(&g);
	}
}
END_TEST

START_TEST(which_disks_are_enough)
{
	struct md_super s = { .level = 10, .layout = 0x102, .ndisks = 4, .nroles = 8, .chunk = 4 * KB, .used = 16 * KB };
	bool pairs[] = { true, false, false, true }, half[] = { false, false, true, true };
	struct md_geo g;

	ok(md_geo_init(&g, &s, NULL, &e));
	ck_assert(md_enough(&g, pairs));
	ck_assert(!md_enough(&g, half));
	md_geo_free(&g);
	s.level = 6;
	s.layout = 2;
	ok(md_geo_init(&g, &s, NULL, &e));
	ck_assert(md_enough(&g, half));
	half[3] = false;
	ck_assert(!md_enough(&g, half));
	md_geo_free(&g);
}
END_TEST

TEST_MAIN("md_geo", chunks_lie_where_the_drawings_have_them, raid0_of_disks_of_several_sizes_has_zones_in_either_layout,
	  raid0_that_does_not_tell_its_layout_is_read_where_both_are_the_same, linear_disks_follow_each_other,
	  forms_that_make_no_sense_are_refused, sizes_that_overflow_are_refused, which_disks_are_enough)
