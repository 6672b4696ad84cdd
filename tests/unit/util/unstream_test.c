/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "alloc.h"
#include "unstream.h"

#include <string.h>

#define PLAIN 300000

static struct err e = ERR_INIT;
static uint8_t plain[PLAIN], packed[PLAIN], back[2 * PLAIN];

/* The file of this folder, in bits. */
struct source {
	size_t len, pos, step;
};

static int give(void *arg, void *buf, size_t len, size_t *got, struct err *err)
{
	struct source *s = arg;

	(void)err;
	*got = MIN_OF(MIN_OF(len, s->step), s->len - s->pos);
	memcpy(buf, packed + s->pos, *got);
	s->pos += *got;
	return 0;
}

static size_t load(const char *path, uint8_t *to, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(to, 1, cap, f);
	fclose(f);
	return n;
}

/* Reads all of it: how many bytes came before *rc. */
static size_t read_all(size_t len, size_t step, size_t want, int *rc)
{
	struct source s = { len, 0, step };
	struct unstream *u = NULL;
	enum unpack_alg alg;
	size_t n = 0, got = 1;

	ck_assert(unstream_detect(packed, len, &alg));
	ok(unstream_new(alg, give, &s, &u, &e));
	for (*rc = 0; *rc == 0 && got; n += got)
		*rc = unstream_read(u, back + n, MIN_OF(want, sizeof back - n), &got, &e);
	/* At its end it stays there, and what is damaged is not forgotten. */
	ck_assert_int_eq(unstream_read(u, back + n, 1, &got, &e), *rc);
	ck_assert_uint_eq(got, 0);
	unstream_free(u);
	return n;
}

static const char *const tools[] = { "gzip", "xz", "zstd" };

static size_t pack(const char *tool)
{
	char script[200];

	snprintf(script, sizeof script, "seq 1 40000 >plain; %s -q -c plain >packed; head -c 9 plain | %s -q -c >>packed", tool,
		 tool);
	ck_assert_int_eq(system(script), 0);
	ck_assert_uint_gt(load("plain", plain, sizeof plain), 100000);
	return load("packed", packed, sizeof packed);
}

START_TEST(streams_in_a_row_are_one_whatever_the_pieces)
{
	size_t size, len = pack(tools[_i]);
	int rc;

	size = load("plain", plain, sizeof plain);
	for (size_t step = 1; step < 1000000; step *= 999) {
		ck_assert_uint_eq(read_all(len, step, step == 1 ? 4096 : 777, &rc), size + 9);
		ck_assert_int_eq(rc, 0);
		ck_assert_mem_eq(back, plain, size);
		ck_assert_mem_eq(back + size, plain, 9);
	}
}
END_TEST

START_TEST(what_came_before_the_damage_is_right)
{
	size_t len = pack(tools[_i]), n;
	int rc;

	n = read_all(len / 2, 999, 4096, &rc);
	ck_assert_int_eq(rc, -ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "is cut off"));
	ck_assert_mem_eq(back, plain, n);
	for (size_t i = 0; i < 40; i++)
		packed[len / 3 + i] ^= 0x55;
	n = read_all(len, 999, 4096, &rc);
	ck_assert_int_eq(rc, -ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "is damaged"));
}
END_TEST

START_TEST(a_file_that_asks_for_much_memory_does_not_get_it)
{
	size_t len;
	int rc;

	/* Windows of 1 GiB. */
	ck_assert_int_eq(system("head -c 1000 /dev/zero | xz -q --lzma2=dict=1GiB >packed"), 0);
	len = load("packed", packed, sizeof packed);
	ck_assert_uint_eq(read_all(len, 999, 4096, &rc), 0);
	ck_assert_int_eq(rc, -ERR_LIMIT);
	/* A frame of zstd whose window has the exponent 30, without a size. */
	memcpy(packed, "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 9);
	ck_assert_uint_eq(read_all(9, 999, 4096, &rc), 0);
	ck_assert_int_eq(rc, -ERR_CORRUPT);
}
END_TEST

START_TEST(other_files_are_not_taken_for_compressed_ones)
{
	enum unpack_alg alg;

	ck_assert(!unstream_detect("words", 5, &alg));
	ck_assert(!unstream_detect("\x1f", 1, &alg));
	ck_assert(!unstream_detect("\xfd" "7zX", 4, &alg));
	ck_assert(!unstream_detect("", 0, &alg));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("unstream");
	Suite *s = suite_create("unstream");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, enter_scratch, leave_scratch);
	tcase_add_loop_test(t, streams_in_a_row_are_one_whatever_the_pieces, 0, ARRAY_LEN(tools));
	tcase_add_loop_test(t, what_came_before_the_damage_is_right, 0, ARRAY_LEN(tools));
	tcase_add_test(t, a_file_that_asks_for_much_memory_does_not_get_it);
	tcase_add_test(t, other_files_are_not_taken_for_compressed_ones);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
