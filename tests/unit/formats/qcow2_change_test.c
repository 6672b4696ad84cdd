/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_change_test.c - a backing file's name changed, a disk emptied, and what the peer says of it. */
#include "alloc.h"
#include "block_driver.h"
#include "testing.h"

#include <string.h>

static struct err e;

static void peer(const char *command)
{
	if (system("qemu-img --version >/dev/null 2>&1") == 0)
		ck_assert_msg(system(command) == 0, "%s", command);
}

static struct block *reopen(const char *path, unsigned flags)
{
	struct block_open how = { .format = "qcow2", .flags = flags | BLOCK_NO_BACKING };
	struct block *b;

	ok(block_open(path, &how, &b, &e));
	return b;
}

static struct block *make(const char *path, const char *key, const char *value)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;

	ok(dict_set(&opts, "size", "4M", &e));
	if (key)
		ok(dict_set(&opts, key, value, &e));
	ok(block_create(path, "qcow2", &opts, NULL, &e));
	return reopen(path, BLOCK_WRITE | BLOCK_RESIZE);
}

START_TEST(the_backing_name_changes_and_the_peer_reads_it)
{
	static const char *const compats[] = { "0.10", "1.1" };

	for (size_t i = 0; i < ARRAY_LEN(compats); i++) {
		CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "compat", compats[i]);

		ok(block_change_backing(b, "some/base.img", "raw", &e));
		ok(block_finish(b, &e));
		peer("qemu-img info -U a.qcow2 | grep -q '^backing file: some/base.img'");
		peer("qemu-img info -U a.qcow2 | grep -q '^backing file format: raw'");
		ok(block_change_backing(b, "other", NULL, &e));
		peer("qemu-img info -U a.qcow2 | grep -q '^backing file: other'");
		peer("! qemu-img info -U a.qcow2 | grep -q '^backing file format'");
		ok(block_change_backing(b, NULL, NULL, &e));
		peer("! qemu-img info -U a.qcow2 | grep -q '^backing file'");
		peer("qemu-img check -q -U a.qcow2");
		block_unrefp(&b);
		b = reopen("a.qcow2", 0);
		ck_assert_ptr_null(block_backing_name(b));
		unlink("a.qcow2");
	}
}
END_TEST

START_TEST(a_name_too_long_is_refused_and_the_old_one_stays)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "cluster_size", "1024");
	char name[1025];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	ok(block_change_backing(b, "base", "raw", &e));
	fails(block_change_backing(b, name, "raw", &e), ERR_LIMIT);
	name[1000] = 0;
	fails(block_change_backing(b, name, "raw", &e), ERR_LIMIT);
	fails(block_change_backing(b, NULL, "raw", &e), ERR_USAGE);
	ck_assert_str_eq(block_backing_name(b), "base");
	ok(block_finish(b, &e));
	block_unrefp(&b);
	b = reopen("a.qcow2", 0);
	ck_assert_str_eq(block_backing_name(b), "base");
	ck_assert_str_eq(block_backing_format(b), "raw");
}
END_TEST

START_TEST(an_extension_that_nobody_knows_stays)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	uint8_t ext[] = { 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	uint8_t head[1024];
	bool found = false;

	block_unrefp(&b);
	{
		FILE *f = fopen("a.qcow2", "r+b");

		ck_assert_ptr_nonnull(f);
		ck_assert_int_eq(fseek(f, 112, SEEK_SET), 0);
		ck_assert_uint_eq(fwrite(ext, sizeof ext, 1, f), 1);
		fclose(f);
	}
	b = reopen("a.qcow2", BLOCK_WRITE);
	ok(block_change_backing(b, "base", "raw", &e));
	ok(block_pread(block_file(b), head, sizeof head, 0, &e));
	for (size_t i = 112; i + 11 < sizeof head; i++)
		found |= memcmp(head + i, ext, 11) == 0;
	ck_assert(found);
}
END_TEST

START_TEST(an_emptied_disk_reads_as_zeros_takes_no_space_and_snapshots_stay)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	CLEANUP(free_ptr) uint8_t *buf = malloc(2 << 20);
	uint64_t size;

	memset(buf, 7, 2 << 20);
	ok(block_pwrite(b, buf, 1 << 20, 0, &e));
	ok(block_finish(b, &e));
	size = block_size(block_file(b));
	ok(block_make_empty(b, &e));
	ck_assert_uint_lt(block_size(block_file(b)), size);
	ok(block_pwrite(b, buf, 1 << 20, 0, &e));
	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e));
	ok(block_pwrite(b, buf, 2 << 20, 0, &e));
	ok(block_make_empty(b, &e));
	ok(block_pread(b, buf, 4096, 100, &e));
	ck_assert_int_eq(buf[0], 0);
	ok(block_snapshot_apply(b, "s", &e));
	ok(block_pread(b, buf, 4096, 100, &e));
	ck_assert_int_eq(buf[0], 7);
	ok(block_snapshot_delete(b, "s", &e));
	ok(block_make_empty(b, &e));
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

START_TEST(each_step_of_the_driver_is_an_event_that_a_fault_can_wait_for)
{
	static const char *const events[] = {
		"l2_load", "l2_update", "l2_alloc_write", "cluster_alloc", "refblock_load",
		"refblock_update_part", "write_aio", "read_aio", "cow_read", "cow_write", "l1_update",
		"reftable_load", "flush_to_os", "l1_grow_write_table", "l1_grow_activate_table",
		"refblock_alloc", "read_compressed", "write_compressed", "vmstate_save",
	};
	CLEANUP(free_ptr) uint8_t *buf = calloc(1, 128 << 10);

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		CLEANUP(dict_free) struct dict opts = DICT_INIT;
		CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "cluster_size", "512");
		struct block_open how = { .flags = BLOCK_WRITE | BLOCK_RESIZE, .opts = &opts };
		char text[400];
		int rc = 0, failed = 0;

		memset(buf, 1, 128 << 10);
		ok(block_pwrite(b, buf, 4096, 0, &e));
		ok(block_pwrite_compressed(b, buf, 512, 8192, &e));
		ok(block_pwrite_compressed(b, buf, 512, 16384, &e));
		ok(block_finish(b, &e));
		block_unrefp(&b);
		snprintf(text, sizeof text,
			 "driver=qcow2,file.driver=blkdebug,file.image.driver=file,file.image.filename=a.qcow2,"
			 "file.inject-error.0.event=%s,file.inject-error.0.errno=28,file.inject-error.0.once=on",
			 events[i]);
		ok(dict_parse(&opts, text, NULL, &e));
		ok(block_open(NULL, &how, &b, &e));
		/* One of these meets it, and says so. */
		for (int step = 0; step < 9; step++) {
			switch (step) {
			case 0:
				rc = block_pread(b, buf, 512, 0, &e);
				break;
			case 1:
				rc = block_pread(b, buf, 10, 8192, &e);
				break;
			case 2:
				rc = block_pwrite(b, buf, 100, 16400, &e);
				break;
			case 3:
				rc = block_pwrite(b, buf, 128 << 10, 2 << 20, &e);
				break;
			case 4:
				rc = block_pwrite_compressed(b, buf, 512, 512, &e);
				break;
			case 5:
				rc = block_discard(b, 4096, 0, &e);
				break;
			case 6:
				rc = block_truncate(b, 64 << 20, PREALLOC_OFF, &e);
				break;
			case 7:
				rc = block_vmstate_pwrite(b, buf, 100, 0, &e);
				break;
			default:
				rc = block_flush(b, &e);
			}
			failed += rc < 0;
			if (rc < 0)
				ck_assert_int_eq(e.sys_errno, 28);
		}
		ck_assert_msg(failed == 1, "%s: %d failures", events[i], failed);
		ok(block_finish(b, &e));
		block_unrefp(&b);
		peer("qemu-img check -q a.qcow2; test $? = 0 -o $? = 3");
		unlink("a.qcow2");
	}
}
END_TEST

TEST_MAIN("qcow2 changes", each_step_of_the_driver_is_an_event_that_a_fault_can_wait_for,
	  the_backing_name_changes_and_the_peer_reads_it, a_name_too_long_is_refused_and_the_old_one_stays,
	  an_extension_that_nobody_knows_stays, an_emptied_disk_reads_as_zeros_takes_no_space_and_snapshots_stay)
