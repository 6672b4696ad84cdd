/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hive_log_test.c - hives whose last write was not completed, and logs that hold what is newer, or lies. */
#include "testing.h"

#include "alloc.h"
#include "hive.h"
#include "hive_image.h"
#include "hive_log_image.h"
#include "limits.h"

static struct err e = ERR_INIT;
static struct hive_image img, newer;
static struct hive_log logs[2];

static int read_bytes(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	const struct hive_log *l = arg;

	if (off > l->used || len > l->used - off)
		return err_set(err, ERR_CORRUPT, "it ends too early");
	memcpy(buf, l->b + off, len);
	return 0;
}

static int read_image(void *arg, void *buf, size_t len, uint64_t off, struct err *err)
{
	(void)err;
	memcpy(buf, ((const struct hive_image *)arg)->b + off, len);
	return 0;
}

/* A hive that has A\B's value 42, and `newer`, the same with another number; the hive waits for record 7. */
static void begin(void)
{
	uint32_t root;

	image_good(&img);
	image_put(img.b + 4, 8, 4);
	image_put(img.b + 8, 7, 4);
	image_sum(&img);
	root = image_good(&newer);
	(void)root;
	log_begin(&logs[0]);
	log_begin(&logs[1]);
}

/* A page of `newer`, whose number of A\B is n. */
static const uint8_t *page_with(uint8_t n)
{
	for (size_t i = 4096; i < sizeof newer.b - 4; i++)
		if (memcmp(newer.b + i, "vk\0\0\4\0\0\200", 8) == 0)
			newer.b[i + 8] = n;
	return newer.b + 4096;
}

/* The number that the hive shows with the logs; 0: it cannot be opened. */
static uint64_t number(size_t nlogs, char *warning)
{
	const struct hive_bytes file = { read_image, &img, sizeof img.b };
	const struct hive_bytes log_files[2] = { { read_bytes, &logs[0], logs[0].used }, { read_bytes, &logs[1], logs[1].used } };
	struct hive_value v;
	uint64_t n = 0;
	struct hive *h;

	*warning = '\0';
	if (hive_open(&file, log_files, nlogs, &h, &e) < 0)
		return 0;
	if (hive_warning(h))
		snprintf(warning, 200, "%s", hive_warning(h));
	if (hive_get_at(h, hive_root(h), "A\\B", "", &v, &e) > 0) {
		hive_value_number(&v, &n);
		hive_value_clear(&v);
	}
	hive_close(h);
	return n;
}

static char told[200];
#define shows(wanted, nlogs, words)                                                                                    \
	do {                                                                                                           \
		ck_assert_uint_eq(number(nlogs, told), wanted);                                                        \
		ck_assert_msg((words) ? strstr(told, (words) ? (words) : "") != NULL : !*told, "%s", told);            \
	} while (0)

/* The two vectors are those of the specification's hash of "" and "h" with this seed, by another program. */
START_TEST(the_checksum_is_the_one_that_windows_uses)
{
	ck_assert_uint_eq((uint32_t)(log_sum((const uint8_t *)"", 0) ^ log_sum((const uint8_t *)"", 0) >> 32), 0xb00892ac);
	ck_assert_uint_eq((uint32_t)(log_sum((const uint8_t *)"h", 1) ^ log_sum((const uint8_t *)"h", 1) >> 32), 0xf41a608e);
}
END_TEST

START_TEST(a_record_is_put_over_the_hive)
{
	begin();
	shows(42, 0, "not read");
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	shows(43, 1, NULL);
	/* Half a page will do. */
	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(44), 2048);
	shows(44, 1, NULL);
}
END_TEST

START_TEST(records_are_taken_in_their_order_from_both_logs)
{
	begin();
	log_record(&logs[1], 7, HIVE_IMAGE_BINS, 0, page_with(50), 4096);
	log_record(&logs[1], 8, HIVE_IMAGE_BINS, 0, page_with(51), 4096);
	log_record(&logs[0], 9, HIVE_IMAGE_BINS, 0, page_with(52), 4096);
	shows(52, 2, NULL);
	/* What is older is in the hive, and what stands behind the last is of another time. */
	begin();
	log_record(&logs[0], 5, HIVE_IMAGE_BINS, 0, page_with(60), 4096);
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(61), 4096);
	log_record(&logs[0], 3, HIVE_IMAGE_BINS, 0, page_with(62), 4096);
	shows(61, 2, NULL);
	/* A gap. */
	begin();
	log_record(&logs[0], 8, HIVE_IMAGE_BINS, 0, page_with(63), 4096);
	shows(42, 2, "not read");
}
END_TEST

START_TEST(a_hive_that_was_written_to_its_end_needs_no_log)
{
	begin();
	image_put(img.b + 4, 7, 4);
	image_sum(&img);
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	shows(42, 1, NULL);
}
END_TEST

START_TEST(a_hive_grows_as_its_log_says)
{
	static uint8_t bin[4096];

	begin();
	memset(bin, 0, sizeof bin);
	memcpy(bin, "hbin", 4);
	image_put(bin + 4, HIVE_IMAGE_BINS, 4);
	image_put(bin + 8, sizeof bin, 4);
	image_put(bin + 32, sizeof bin - 32, 4);
	log_record(&logs[0], 7, HIVE_IMAGE_BINS + 4096, HIVE_IMAGE_BINS, bin, 4096);
	shows(42, 1, NULL);
	/* Without what belongs there it is damaged, and the log is left out. */
	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS + 4096, 0, page_with(43), 4096);
	shows(42, 1, "would damage it");
}
END_TEST

/* One wrong thing in a record, whose checksums are made again where that is asked for. */
static const struct {
	uint32_t off, value;
	size_t len;
	bool sums;
	const char *words;
} lies[] = {
	{ 512, 'x', 1, false, "not read" },	    /* "HvLE" */
	{ 512 + 8, 1, 4, false, "is damaged" },	    /* the head's checksum */
	{ 512 + 24, 1, 4, false, "is damaged" },    /* that of the rest, in the head */
	{ 512 + 48, 'x', 1, false, "is damaged" },  /* a page */
	{ 512 + 4, 0, 4, true, "is damaged" },	    /* no length */
	{ 512 + 4, 100, 4, true, "is damaged" },
	{ 512 + 4, 0x7ffffe00, 4, true, "is damaged" },
	{ 512 + 16, 0, 4, true, "is damaged" },	    /* no bins */
	{ 512 + 16, 4097, 4, true, "is damaged" },
	{ 512 + 16, 0xfffff000, 4, true, "is damaged" },
	{ 512 + 20, 0xffffffff, 4, true, "is damaged" }, /* pages */
	{ 512 + 20, 3, 4, true, "is damaged" },
	{ 512 + 40, 1, 4, true, "is damaged" },	    /* where one goes */
	{ 512 + 40, HIVE_IMAGE_BINS, 4, true, "is damaged" },
	{ 512 + 40, 0xfffffe00, 4, true, "is damaged" },
	{ 512 + 44, 0, 4, true, "is damaged" },	    /* how long it is */
	{ 512 + 44, 8192, 4, true, "is damaged" },
	{ 0, 'x', 1, false, "not read" },	    /* the log's own header */
	{ 508, 1, 4, false, "not read" },
};

START_TEST(a_lie_of_a_log_is_told_and_the_hive_is_read)
{
	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	image_put(logs[0].b + lies[_i].off, lies[_i].value, lies[_i].len);
	if (lies[_i].sums)
		log_sums(logs[0].b + 512, 40 + 8 + 4096 + 512 - 48);
	shows(42, 1, lies[_i].words);
}
END_TEST

START_TEST(what_was_right_before_a_damaged_record_is_taken)
{
	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	log_record(&logs[0], 8, HIVE_IMAGE_BINS, 0, page_with(44), 4096);
	logs[0].b[logs[0].used - 600] ^= 1;
	shows(43, 1, "is damaged");
	/* And the other log is not the one that comes next. */
	log_record(&logs[1], 9, HIVE_IMAGE_BINS, 0, page_with(45), 4096);
	shows(43, 2, "is damaged");
}
END_TEST

START_TEST(logs_of_the_older_kind_are_not_read)
{
	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	image_put(logs[0].b + 28, 1, 4);
	log_header_sum(&logs[0]);
	shows(42, 1, "not read");
}
END_TEST

START_TEST(a_log_that_ends_anywhere_is_no_danger)
{
	size_t all;

	begin();
	log_record(&logs[0], 7, HIVE_IMAGE_BINS, 0, page_with(43), 4096);
	all = logs[0].used;
	for (size_t cut = 1; cut <= all; cut += 61) {
		logs[0].used = all - cut;
		ck_assert_uint_eq(number(1, told), 42);
		ck_assert(*told);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hive_log");
	TCase *c = tcase_create("hive_log");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, the_checksum_is_the_one_that_windows_uses);
	tcase_add_test(c, a_record_is_put_over_the_hive);
	tcase_add_test(c, records_are_taken_in_their_order_from_both_logs);
	tcase_add_test(c, a_hive_that_was_written_to_its_end_needs_no_log);
	tcase_add_test(c, a_hive_grows_as_its_log_says);
	tcase_add_loop_test(c, a_lie_of_a_log_is_told_and_the_hive_is_read, 0, ARRAY_LEN(lies));
	tcase_add_test(c, what_was_right_before_a_damaged_record_is_taken);
	tcase_add_test(c, logs_of_the_older_kind_are_not_read);
	tcase_add_test(c, a_log_that_ends_anywhere_is_no_danger);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
