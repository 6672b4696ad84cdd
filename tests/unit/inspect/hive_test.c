/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hive_test.c - registry hives: right ones, and what a stranger may have made of them. */
#include "testing.h"

#include "alloc.h"
#include "hive.h"
#include "hive_image.h"
#include "limits.h"

#include <inttypes.h>

static struct err e = ERR_INIT;
static struct hive_image img;

struct bytes {
	const uint8_t *b;
	size_t size;
};

static int read_bytes(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	const struct bytes *m = arg;

	if (off > m->size || len > m->size - off)
		return err_set(err, ERR_CORRUPT, "it ends too early");
	memcpy(buf, m->b + off, len);
	return 0;
}

static int opened(size_t size, struct hive **h)
{
	static struct bytes m;
	const struct hive_bytes file = { read_bytes, &m, size };

	m = (struct bytes){ img.b, size };
	*h = NULL;
	return hive_open(&file, NULL, 0, h, &e);
}

/* What a walk tells: "path;" for each key, "!path: sentence;" for what failed. */
struct told {
	struct hive *h;
	struct strbuf text;
	unsigned nkeys;
};

static int on_key(void *arg, hive_key k, const char *path, unsigned depth, struct err *err)
{
	struct told *t = arg;
	CLEANUP(free_ptr) uint32_t *values = NULL;
	size_t n = 0;

	(void)depth, (void)err;
	if (t->nkeys++ < 40)
		strbuf_printf(&t->text, "%s;", path);
	if (hive_values(t->h, k, &values, &n, NULL) == 0) {
		for (size_t i = 0; i < n; i++) {
			struct hive_value v;

			if (hive_value(t->h, values[i], &v, NULL) == 0)
				hive_value_clear(&v);
		}
	}
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *err)
{
	struct told *t = arg;

	(void)err;
	ck_assert_int_ne(why->code, ERR_NONE);
	ck_assert_uint_ne(strlen(why->msg), 0);
	if (t->text.len < 4000)
		strbuf_printf(&t->text, "!%s: %s;", path, why->msg);
	return 0;
}

static int walked(struct hive *h, struct told *t, bool sorted)
{
	const struct hive_walk w = { .max_depth = ~0u, .sorted = sorted, .key = on_key, .failed = on_failure, .arg = t };

	*t = (struct told){ .h = h, .text = STRBUF_INIT };
	return hive_walk(h, hive_root(h), &w, &e);
}

START_TEST(keys_and_values_are_read)
{
	struct hive_value v;
	struct told t;
	struct hive *h;
	hive_key k;
	uint64_t n;

	image_good(&img);
	ok(opened(sizeof img.b, &h));
	ck_assert_ptr_null(hive_warning(h));
	ok(walked(h, &t, true));
	ck_assert_str_eq(t.text.s, ";A;A\\B;C\xc3\xa9;");
	ck_assert_int_eq(hive_find(h, hive_root(h), "\\a\\\\b\\", &k, &e), 1);
	ck_assert_int_eq(hive_get(h, k, "TEXT", &v, &e), 1);
	ck_assert_uint_eq(v.type, REG_SZ);
	ck_assert_uint_eq(v.len, 6);
	strbuf_reset(&t.text);
	ck_assert(hive_value_text(&v, &t.text));
	ck_assert_str_eq(t.text.s, "hi");
	hive_value_clear(&v);
	ck_assert_int_eq(hive_get_at(h, hive_root(h), "A\\B", "", &v, &e), 1);
	ck_assert(hive_value_number(&v, &n));
	ck_assert_uint_eq(n, 42);
	hive_value_clear(&v);
	ck_assert_int_eq(hive_get(h, k, "bytes", &v, &e), 1);
	ck_assert_mem_eq(v.data, "123456789", 9);
	hive_value_clear(&v);
	ck_assert_int_eq(hive_get(h, k, "none", &v, &e), 1);
	ck_assert_uint_eq(v.len, 0);
	hive_value_clear(&v);
	ck_assert_int_eq(hive_get(h, k, "absent", &v, &e), 0);
	ck_assert_int_eq(hive_find(h, hive_root(h), "c\xc3\x89", &k, &e), 1);
	ck_assert_int_eq(hive_find(h, hive_root(h), "A\\absent", &k, &e), 0);
	strbuf_free(&t.text);
	hive_close(h);
}
END_TEST

START_TEST(names_have_an_order_whatever_their_case)
{
	ck_assert_int_eq(hive_name_order("", ""), 0);
	ck_assert_int_eq(hive_name_order("abC", "ABc"), 0);
	ck_assert_int_eq(hive_name_order("c\xc3\xa9", "C\xc3\x89"), 0);
	ck_assert_int_lt(hive_name_order("a", "B"), 0);
	ck_assert_int_gt(hive_name_order("b", "A"), 0);
	ck_assert_int_lt(hive_name_order("", "a"), 0);
	/* What is in a key comes before keys whose names go on. */
	ck_assert_int_lt(hive_name_order("A\\z", "a b"), 0);
	ck_assert_int_lt(hive_name_order("\xef\xbf\xbd", "\xf0\x9f\x98\x80"), 0);
	/* Cut off. */
	ck_assert_int_ne(hive_name_order("\xf0", "\xe2\x82"), 0);
}
END_TEST

START_TEST(a_tree_is_drawn_on_key_by_key)
{
	const struct hive_place *p;
	struct hive_tree *t;
	struct strbuf text = STRBUF_INIT;
	struct hive *h;
	uint32_t root, kids[3];
	int rc;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	kids[0] = image_key(&img, "b");
	kids[1] = image_key(&img, "A");
	kids[2] = image_key(&img, "C");
	image_subkeys(&img, root, image_list(&img, "lh", kids, 3), 3);
	image_subkeys(&img, kids[1], HIVE_IMAGE_NONE, 1);
	image_end(&img, root);
	ok(opened(sizeof img.b, &h));
	ok(hive_tree_open(h, hive_root(h), 9, hive_name_order, &t, &e));
	while ((rc = hive_tree_next(t, &p, &e)) > 0)
		strbuf_printf(&text, "%s%s:%u;", p->failed ? "!" : "", p->path, p->depth);
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(text.s, ":0;A:1;!A:0;b:1;C:1;");
	ck_assert_int_eq(hive_tree_next(t, &p, &e), 0);
	hive_tree_close(t);
	hive_tree_close(NULL);
	strbuf_free(&text);
	hive_close(h);
}
END_TEST

START_TEST(a_hive_that_was_not_written_to_its_end_is_told)
{
	struct hive *h;

	image_good(&img);
	image_put(img.b + 4, 2, 4);
	image_sum(&img);
	ok(opened(sizeof img.b, &h));
	ck_assert_ptr_nonnull(strstr(hive_warning(h), "log"));
	hive_close(h);
}
END_TEST

/* One wrong thing in the good hive, and what is said of it. */
struct lie {
	const char *words;
	uint32_t off; /* in the file */
	uint32_t value;
	size_t len;
	bool header;
};

static const struct lie lies[] = {
	{ "not a registry hive", 0, 'x', 1, true },
	{ "checksum", 508, 1, 4, false },
	{ "version 7", 20, 7, 4, true },
	{ "not made of pages", 40, 12287, 4, true },
	{ "past the end", 40, 0x10000, 4, true },
	{ "more than any registry hive", 40, 0xfffff000, 4, true },
	{ "no bin begins", 4096, 'x', 1, false },
	{ "wrong length", 4096 + 8, 0, 4, false },
	{ "wrong length", 4096 + 8, 32768, 4, false },
	{ "wrong length", 4096 + 8, 4097, 4, false },
	{ "wrong length", 4096 + 32, 0, 4, false },
	{ "wrong length", 4096 + 32, 0xfffffffc, 4, false },
	{ "wrong length", 4096 + 32, 0x80000000, 4, false },
	{ "wrong length", 4096 + 32, 0x7ffffff8, 4, false },
	{ "its root: the key at 33554432 is in no cell", 36, 0x2000000, 4, true },
	{ "its root: there is no key", 4096 + 36, 'x', 1, false },
};

START_TEST(a_lie_of_the_file_is_told)
{
	const struct lie *l = &lies[_i];
	struct hive *h;

	image_good(&img);
	image_put(img.b + l->off, l->value, l->len);
	if (l->header)
		image_sum(&img);
	ck_assert_int_lt(opened(sizeof img.b, &h), 0);
	ck_assert_msg(strstr(e.msg, l->words) != NULL, "%s", e.msg);
}
END_TEST

/* Walks what a body made, and wants those words in what is told; the time is bounded by what the walk counts. */
static void tells(const char *words, bool ends)
{
	struct told t;
	struct hive *h;
	int rc;

	ok(opened(sizeof img.b, &h));
	rc = walked(h, &t, false);
	ck_assert_int_eq(rc < 0, ends);
	ck_assert_msg(strstr(ends ? e.msg : t.text.s, words) != NULL, "%s / %s", e.msg, t.text.s);
	strbuf_free(&t.text);
	hive_close(h);
}

START_TEST(keys_that_go_in_a_circle_end)
{
	uint32_t root, kids[2];

	image_begin(&img);
	root = image_key(&img, "ROOT");
	kids[0] = image_key(&img, "A");
	kids[1] = root;
	image_subkeys(&img, root, image_list(&img, "lf", kids, 2), 2);
	image_subkeys(&img, kids[0], image_list(&img, "lf", kids, 2), 2);
	image_end(&img, root);
	tells("in a circle", true);
}
END_TEST

START_TEST(a_tree_met_many_times_over_ends)
{
	uint32_t keys[41];

	image_begin(&img);
	for (size_t i = 0; i < 41; i++)
		keys[i] = image_key(&img, "K");
	for (size_t i = 0; i < 40; i++) {
		const uint32_t twice[2] = { keys[i + 1], keys[i + 1] };

		image_subkeys(&img, keys[i], image_list(&img, "lf", twice, 2), 2);
	}
	image_end(&img, keys[0]);
	tells("in a circle", true);
}
END_TEST

START_TEST(lists_within_lists_are_told)
{
	uint32_t root, key, li, ri;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	key = image_key(&img, "A");
	li = image_list(&img, "li", &key, 1);
	ri = image_list(&img, "ri", &li, 1);
	image_subkeys(&img, root, ri, 1);
	image_end(&img, root);
	tells(";A;", false);
	ri = image_list(&img, "ri", &ri, 1);
	image_subkeys(&img, root, ri, 1);
	image_end(&img, root);
	tells("no list of keys", false);
}
END_TEST

START_TEST(lists_without_keys_are_told)
{
	uint32_t root, lists[200];

	image_begin(&img);
	root = image_key(&img, "ROOT");
	lists[0] = image_list(&img, "li", NULL, 0);
	for (size_t i = 1; i < 200; i++)
		lists[i] = lists[0];
	image_subkeys(&img, root, image_list(&img, "ri", lists, 200), 1);
	image_end(&img, root);
	tells("nonsense", false);
}
END_TEST

START_TEST(a_list_longer_than_its_cell_is_told)
{
	uint32_t root, key, list;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	key = image_key(&img, "A");
	list = image_list(&img, "lf", &key, 1);
	image_put(image_at(&img, list) + 2, 60000, 2);
	image_subkeys(&img, root, list, 60000);
	image_end(&img, root);
	tells("does not fit its cell", false);
	image_put(image_at(&img, list) + 2, 1, 2);
	image_subkeys(&img, root, list, 7);
	tells("7 subkeys are counted and 1 are listed", false);
	image_subkeys(&img, root, key, 1);
	tells("no list of keys", false);
	image_subkeys(&img, root, 12, 1);
	tells("in no cell", false);
}
END_TEST

START_TEST(keys_nested_without_end_are_told)
{
	uint32_t before, root;

	/* A key is 80 bytes and its list 16: as many as fit, and the last one is its own child through the one before. */
	image_begin(&img);
	root = before = image_key(&img, "R");
	while (img.used + 200 < HIVE_IMAGE_BINS) {
		uint32_t key = image_key(&img, "K");

		image_subkeys(&img, before, image_list(&img, "lf", &key, 1), 1);
		before = key;
	}
	image_subkeys(&img, before, image_list(&img, "lf", &root, 1), 1);
	image_end(&img, root);
	tells("in a circle", true);
}
END_TEST

START_TEST(values_that_are_not_there_are_told)
{
	struct hive_value v;
	struct hive *h;
	uint32_t root, value, key;
	static const struct {
		uint32_t off, value;
		size_t len;
		const char *words;
	} rows[] = {
		{ 4, 0x7fffffff, 4, "more than a value" },
		{ 4, 2000, 4, "are not there" },
		{ 4, 0x80000005, 4, "are not there" },
		{ 8, 0x7ffffff0, 4, "are not there" },
		{ 8, 13, 4, "are not there" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		image_begin(&img);
		root = image_key(&img, "ROOT");
		value = image_value(&img, "v", 3, "123456789", 9);
		image_values(&img, root, &value, 1);
		image_put(image_at(&img, value) + rows[i].off, rows[i].value, rows[i].len);
		image_end(&img, root);
		ok(opened(sizeof img.b, &h));
		key = hive_root(h);
		ck_assert_int_lt(hive_get(h, key, "v", &v, &e), 0);
		ck_assert_msg(strstr(e.msg, rows[i].words) != NULL, "%zu: %s", i, e.msg);
		hive_close(h);
	}
}
END_TEST

/* A value of that length in segments: its cell, and those of the list and the segments. */
static uint32_t segmented(uint32_t len, uint32_t *db, uint32_t *list)
{
	uint32_t value = image_value(&img, "big", 3, "12345", 5), n = 0;

	*db = image_cell(&img, 8);
	*list = image_cell(&img, 4 * (len / 16344 + 1));
	for (uint32_t at = 0; at < len; at += 16344) {
		uint32_t part = len - at < 16344 ? len - at : 16344, segment = image_cell(&img, part);

		for (uint32_t i = 0; i < part; i++)
			image_at(&img, segment)[i] = (uint8_t)((at + i) % 251);
		image_put(image_at(&img, *list) + 4 * n++, segment, 4);
	}
	memcpy(image_at(&img, *db), "db", 2);
	image_put(image_at(&img, *db) + 2, n, 2);
	image_put(image_at(&img, *db) + 4, *list, 4);
	image_put(image_at(&img, value) + 4, len, 4);
	image_put(image_at(&img, value) + 8, *db, 4);
	return value;
}

START_TEST(long_data_are_in_segments)
{
	enum { LEN = 16344 + 500 };
	static const struct {
		uint32_t off, value; /* of db, or behind 100 of the list */
		uint32_t minor;
		bool right;
	} rows[] = {
		{ 2, 2, 5, true }, { 2, 1, 5, false }, { 2, 3, 5, false }, { 0, 'x', 5, false }, { 4, 4, 5, false },
		{ 2, 2, 3, false }, { 100, 12, 5, false }, { 104, HIVE_IMAGE_NONE, 5, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t root, value, db, list;
		struct hive_value v;
		struct hive *h;
		int rc;

		image_begin(&img);
		root = image_key(&img, "ROOT");
		value = segmented(LEN, &db, &list);
		image_values(&img, root, &value, 1);
		if (rows[i].off < 100)
			image_put(image_at(&img, db) + rows[i].off, rows[i].value, rows[i].off == 4 ? 4 : 2);
		else
			image_put(image_at(&img, list) + rows[i].off - 100, rows[i].value, 4);
		image_end(&img, root);
		image_put(img.b + 24, rows[i].minor, 4);
		image_sum(&img);
		ok(opened(sizeof img.b, &h));
		rc = hive_get(h, hive_root(h), "big", &v, &e);
		ck_assert_msg(rows[i].right ? rc == 1 : rc == -ERR_CORRUPT, "%zu: %d", i, rc);
		if (rc == 1) {
			ck_assert_uint_eq(v.len, LEN);
			for (size_t k = 0; k < LEN; k++)
				if (v.data[k] != k % 251)
					ck_abort_msg("byte %zu", k);
			hive_value_clear(&v);
		}
		hive_close(h);
	}
}
END_TEST

/* A key in each bin, all of them subkeys of the first: more bytes than are held at a time. */
static uint8_t *large(uint32_t nkeys, size_t *size)
{
	static struct hive_image one;
	const uint32_t first = (uint32_t)(32 + 8 * nkeys + 4095 + 200) / 4096 * 4096;
	uint8_t *b = calloc(1, *size = 4096 + first + (size_t)nkeys * 4096), *bin = b + 4096, *list;
	uint32_t root;

	ck_assert_ptr_nonnull(b);
	/* The head and the root, whose list fills the first bin. */
	image_begin(&one);
	root = image_key(&one, "ROOT");
	image_put(image_at(&one, root) + 20, nkeys, 4);
	image_put(image_at(&one, root) + 28, one.used, 4);
	image_end(&one, root);
	image_put(one.b + 40, *size - 4096, 4);
	image_sum(&one);
	memcpy(b, one.b, 4096 + one.used);
	image_put(bin + 8, first, 4);
	list = bin + one.used;
	image_put(list, (uint64_t)-(int64_t)(first - one.used), 4);
	memcpy(list + 4, "lf", 2);
	image_put(list + 6, nkeys, 2);
	for (uint32_t i = 0; i < nkeys; i++) {
		uint32_t at = first + i * 4096, values[1], values_at, key;
		uint8_t data[3000];
		char name[16];

		snprintf(name, sizeof name, "key %u", i);
		memset(data, (int)(i % 255), sizeof data);
		image_begin(&one);
		key = image_key(&one, name);
		values[0] = image_value(&one, "v", 3, data, sizeof data);
		image_values(&one, key, values, 1);
		/* Its cells are that much farther. */
		values_at = one.used - 8;
		image_put(image_at(&one, values_at), at + values[0], 4);
		image_put(image_at(&one, key) + 40, at + values_at, 4);
		image_put(image_at(&one, values[0]) + 8, at + values[0] + 32, 4);
		memcpy(one.b + 4096, "hbin", 4);
		image_put(one.b + 4096 + 8, 4096, 4);
		image_put(one.b + 4096 + one.used, 4096 - one.used, 4);
		memcpy(b + 4096 + at, one.b + 4096, 4096);
		image_put(list + 8 + 8 * i, at + key, 4);
	}
	return b;
}

START_TEST(a_hive_larger_than_what_is_held_is_read_over_and_over)
{
	enum { KEYS = 3000 };
	struct bytes m = { NULL, 0 };
	struct hive_bytes file = { read_bytes, &m, 0 };
	struct hive *h;

	m.b = large(KEYS, &m.size);
	file.size = m.size;
	ck_assert_uint_gt(m.size, 2 * LIMIT_HIVE_HELD);
	ok(hive_open(&file, NULL, 0, &h, &e));
	for (uint32_t turn = 0; turn < 3; turn++) {
		hive_key *keys;
		size_t n;

		ok(hive_subkeys(h, hive_root(h), &keys, &n, &e));
		ck_assert_uint_eq(n, KEYS);
		for (uint32_t i = 0; i < KEYS; i++) {
			struct hive_value v;

			if (hive_get(h, keys[i], "V", &v, &e) != 1)
				ck_abort_msg("%u: %s", i, e.msg);
			if (v.len != 3000 || v.data[0] != i % 255 || v.data[2999] != i % 255)
				ck_abort_msg("%u has another's data", i);
			hive_value_clear(&v);
		}
		free(keys);
	}
	hive_close(h);
	free((void *)m.b);
}
END_TEST

START_TEST(work_on_one_hive_is_bounded)
{
	struct hive *h;
	struct hive_value v;
	uint32_t root, value, many[500];
	int rc = 0;

	image_begin(&img);
	root = image_key(&img, "ROOT");
	value = image_value(&img, "v", 3, "123456789", 9);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = value;
	image_values(&img, root, many, ARRAY_LEN(many));
	image_end(&img, root);
	ok(opened(sizeof img.b, &h));
	for (uint64_t i = 0; i <= LIMIT_HIVE_STEPS / ARRAY_LEN(many) && rc >= 0; i++)
		rc = hive_get(h, hive_root(h), "absent", &v, &e);
	ck_assert_int_eq(rc, -ERR_LIMIT);
	hive_close(h);
}
END_TEST

/* Whatever a byte becomes, there is an end and an answer. */
START_TEST(no_byte_leads_astray)
{
	static const uint8_t becomes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	size_t used;

	image_good(&img);
	used = 4096 + img.used + 8;
	for (size_t at = 36; at < used; at = at == 43 ? 4096 : at + 1) {
		for (size_t i = 0; i < ARRAY_LEN(becomes); i++) {
			struct told t;
			struct hive *h;

			image_good(&img);
			img.b[at] = becomes[i];
			image_sum(&img);
			if (opened(sizeof img.b, &h) < 0)
				continue;
			walked(h, &t, true);
			strbuf_free(&t.text);
			hive_close(h);
		}
	}
}
END_TEST

START_TEST(a_hive_cut_off_is_told)
{
	struct hive *h;

	image_good(&img);
	for (size_t size = 0; size < sizeof img.b; size += 509)
		ck_assert_int_lt(opened(size, &h), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hive");
	TCase *c = tcase_create("hive");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 200);
	tcase_add_test(c, keys_and_values_are_read);
	tcase_add_test(c, a_hive_that_was_not_written_to_its_end_is_told);
	tcase_add_loop_test(c, a_lie_of_the_file_is_told, 0, ARRAY_LEN(lies));
	tcase_add_test(c, keys_that_go_in_a_circle_end);
	tcase_add_test(c, a_tree_met_many_times_over_ends);
	tcase_add_test(c, lists_within_lists_are_told);
	tcase_add_test(c, lists_without_keys_are_told);
	tcase_add_test(c, a_list_longer_than_its_cell_is_told);
	tcase_add_test(c, keys_nested_without_end_are_told);
	tcase_add_test(c, values_that_are_not_there_are_told);
	tcase_add_test(c, work_on_one_hive_is_bounded);
	tcase_add_test(c, no_byte_leads_astray);
	tcase_add_test(c, a_hive_cut_off_is_told);
	tcase_add_test(c, names_have_an_order_whatever_their_case);
	tcase_add_test(c, a_tree_is_drawn_on_key_by_key);
	tcase_add_test(c, long_data_are_in_segments);
	tcase_add_test(c, a_hive_larger_than_what_is_held_is_read_over_and_over);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
