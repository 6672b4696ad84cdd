/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_amend_test.c - settings of an image changed: its content stays, and the peer agrees with what it says. */
#include "alloc.h"
#include "block_driver.h"
#include "secret.h"
#include "testing.h"

#include <string.h>

static struct err e;

static bool peer(const char *command)
{
	return system("qemu-img --version >/dev/null 2>&1") != 0 || system(command) == 0;
}

static struct block *make(const char *text)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_RESIZE };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct block *b;

	ok(dict_parse(&opts, text, NULL, &e));
	ok(block_create("a.qcow2", "qcow2", &opts, NULL, &e));
	ok(block_open("a.qcow2", &how, &b, &e));
	return b;
}

static int amend(struct block *b, const char *text)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;

	ok(dict_parse(&opts, text, NULL, &e));
	return block_amend(b, &opts, NULL, false, &e);
}

static void put(struct block *b, int byte, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);

	memset(buf, byte, len);
	ok(block_pwrite(b, buf, len, off, &e));
}

static void expect(struct block *b, int byte, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);

	ok(block_pread(b, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(buf[i], byte);
}

/* Does the peer's info have this line, and is its check content? */
static bool says(struct block *b, const char *line)
{
	char cmd[300];

	ok(block_finish(b, &e));
	snprintf(cmd, sizeof cmd, "qemu-img check -q -U a.qcow2 && qemu-img info -U a.qcow2 | grep -q '%s'", line);
	return peer(cmd);
}

START_TEST(the_version_goes_down_and_up_again)
{
	CLEANUP(block_unrefp) struct block *b = make("size=4M,lazy_refcounts=on");

	put(b, 1, 0, 1 << 20);
	ok(block_zero(b, 512 << 10, 256 << 10, 0, &e));
	ok(block_bitmap_add(b, "x", 0, false, &e));
	ok(amend(b, "compat=0.10"));
	ck_assert(says(b, "compat: 0.10"));
	expect(b, 1, 0, 256 << 10);
	expect(b, 0, 256 << 10, 512 << 10);
	expect(b, 1, 768 << 10, 256 << 10);
	put(b, 2, 0, 100);
	fails(amend(b, "refcount_bits=8"), ERR_USAGE);
	fails(amend(b, "lazy_refcounts=on"), ERR_USAGE);
	ok(amend(b, "compat=1.1,lazy_refcounts=on"));
	ck_assert(says(b, "lazy refcounts: true"));
	put(b, 3, 0, 100);
	ok(amend(b, "lazy_refcounts=off"));
	ck_assert(says(b, "lazy refcounts: false"));
	expect(b, 3, 0, 100);
}
END_TEST

START_TEST(zeros_over_a_backing_file_stay_zeros_in_version_2)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	static uint8_t ones[1 << 20];
	FILE *f = fopen("base", "wb");

	memset(ones, 1, sizeof ones);
	ck_assert_ptr_nonnull(f);
	fwrite(ones, sizeof ones, 1, f);
	fclose(f);
	b = make("size=1M,backing_file=base,backing_fmt=raw");
	ok(block_zero(b, 512 << 10, 0, BLOCK_ZERO_UNMAP, &e));
	ok(amend(b, "compat=0.10"));
	expect(b, 0, 0, 512 << 10);
	expect(b, 1, 512 << 10, 512 << 10);
	ck_assert(says(b, "compat: 0.10"));
}
END_TEST

START_TEST(what_version_2_cannot_say_prevents_it)
{
	CLEANUP(block_unrefp) struct block *b = make("size=4M,refcount_bits=8");

	fails(amend(b, "compat=0.10"), ERR_USAGE);
	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e));
	fails(amend(b, "compat=0.10,refcount_bits=16"), ERR_UNSUPPORTED);
	ok(block_snapshot_delete(b, "s", &e));
	ok(amend(b, "compat=0.10,refcount_bits=16"));
	ck_assert(says(b, "refcount bits: 16"));
	block_unrefp(&b);
	unlink("a.qcow2");
	b = make("size=4M,extended_l2=on");
	fails(amend(b, "compat=0.10"), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(refcounts_get_any_width_that_holds_them)
{
	static const char *const widths[] = { "1", "64", "2", "32", "4", "8", "16" };
	CLEANUP(block_unrefp) struct block *b = make("size=64M,cluster_size=512");
	char text[40], line[40];

	put(b, 1, 0, 3 << 20);
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		snprintf(text, sizeof text, "refcount_bits=%s", widths[i]);
		snprintf(line, sizeof line, "refcount bits: %s", widths[i]);
		ok(amend(b, text));
		put(b, 2, (uint64_t)(4 + i) << 20, 1 << 20);
		ck_assert_msg(says(b, line), "%s", line);
	}
	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e));
	fails(amend(b, "refcount_bits=1"), ERR_USAGE);
	ck_assert(says(b, "refcount bits: 16"));
	fails(amend(b, "refcount_bits=3"), ERR_USAGE);
	expect(b, 1, 0, 3 << 20);
	expect(b, 2, 4 << 20, 7 << 20);
}
END_TEST

START_TEST(size_data_file_and_what_cannot_be_amended)
{
	CLEANUP(block_unrefp) struct block *b = make("size=4M,data_file=d.raw,data_file_raw=on");

	ok(amend(b, "size=8M"));
	ck_assert_uint_eq(block_size(b), 8 << 20);
	ok(amend(b, "data_file_raw=off"));
	fails(amend(b, "data_file_raw=on"), ERR_USAGE);
	fails(amend(b, "compat=0.10"), ERR_UNSUPPORTED);
	ok(amend(b, "data_file=d.raw"));
	ck_assert(says(b, "data file raw: false"));
	ck_assert(says(b, "data file: d.raw"));
	fails(amend(b, "cluster_size=512"), ERR_USAGE);
	fails(amend(b, "backing_file=x"), ERR_USAGE);
	fails(amend(b, "compat=0.11"), ERR_USAGE);
	fails(amend(b, "encrypt.state=active"), ERR_USAGE);
	block_unrefp(&b);
	unlink("a.qcow2");
	b = make("size=4M");
	fails(amend(b, "data_file=x"), ERR_USAGE);
}
END_TEST

START_TEST(a_key_is_added_and_the_old_one_erased)
{
	struct secrets secrets = SECRETS_INIT;
	struct block_create_how how = { .secrets = &secrets };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	CLEANUP(dict_free) struct dict key = DICT_INIT;
	CLEANUP(dict_free) struct dict change = DICT_INIT;
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct block_open open_how = { .format = "qcow2", .flags = BLOCK_WRITE, .secrets = &secrets, .opts = &key };

	ok(secrets_add_object(&secrets, "secret,id=s,data=abc", &e));
	ok(secrets_add_object(&secrets, "secret,id=t,data=other", &e));
	ok(dict_parse(&opts, "size=1M,encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", NULL, &e));
	ok(block_create_with("a.qcow2", "qcow2", &opts, &how, &e));
	ok(dict_set(&key, "encrypt.key-secret", "s", &e));
	ok(block_open("a.qcow2", &open_how, &b, &e));
	put(b, 5, 0, 4096);
	ok(dict_parse(&change, "encrypt.state=active,encrypt.new-secret=t,encrypt.iter-time=10", NULL, &e));
	ok(block_amend(b, &change, &secrets, false, &e));
	dict_free(&change);
	change = (struct dict)DICT_INIT;
	ok(dict_parse(&change, "encrypt.state=inactive,encrypt.old-secret=s", NULL, &e));
	ok(block_amend(b, &change, &secrets, false, &e));
	ok(block_finish(b, &e));
	block_unrefp(&b);
	fails(block_open("a.qcow2", &open_how, &b, &e), ERR_USAGE);
	ok(dict_set(&key, "encrypt.key-secret", "t", &e));
	ok(block_open("a.qcow2", &open_how, &b, &e));
	expect(b, 5, 0, 4096);
	secrets_free(&secrets);
}
END_TEST

TEST_MAIN("qcow2 amend", the_version_goes_down_and_up_again, zeros_over_a_backing_file_stay_zeros_in_version_2,
	  what_version_2_cannot_say_prevents_it, refcounts_get_any_width_that_holds_them,
	  size_data_file_and_what_cannot_be_amended, a_key_is_added_and_the_old_one_erased)
