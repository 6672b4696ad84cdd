/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_snap_test.c - internal snapshots made, applied and deleted here, and what the peer says of them. */
#include "alloc.h"
#include "block_driver.h"
#include "testing.h"

#include <string.h>

static struct err e;

static bool have_peer(void)
{
	return system("qemu-img --version >/dev/null 2>&1") == 0;
}

static void peer(const char *command)
{
	if (have_peer())
		ck_assert_msg(system(command) == 0, "%s", command);
}

static struct block *make(const char *path, const char *key, const char *value)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_RESIZE };
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct block *b;

	ok(dict_set(&opts, "size", "4M", &e));
	if (key)
		ok(dict_set(&opts, key, value, &e));
	ok(block_create(path, "qcow2", &opts, NULL, &e));
	ok(block_open(path, &how, &b, &e));
	return b;
}

static void put(struct block *b, int byte, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = malloc(len);

	memset(buf, byte, len);
	ok(block_pwrite(b, buf, len, off, &e));
}

static int get(struct block *b, uint64_t off)
{
	uint8_t byte;

	ok(block_pread(b, &byte, 1, off, &e));
	return byte;
}

static void snap(struct block *b, const char *name)
{
	struct block_snapshot what = { .name = (char *)name, .date_sec = 1000000000, .vm_clock_nsec = 61000000000 };

	ok(block_snapshot_create(b, &what, &e));
}

START_TEST(a_snapshot_keeps_what_the_disk_held_and_the_peer_agrees)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);

	put(b, 1, 0, 1 << 20);
	snap(b, "one");
	put(b, 2, 65536, 65536);
	snap(b, "two");
	put(b, 3, 0, 4096);
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
	peer("qemu-img snapshot -U -l a.qcow2 | grep -q '^1 *one .*00:01:01.000'");
	peer("qemu-img snapshot -U -l a.qcow2 | grep -q '^2 *two '");
	ok(block_snapshot_apply(b, "two", &e));
	ck_assert_int_eq(get(b, 0), 1);
	ck_assert_int_eq(get(b, 65536), 2);
	ok(block_snapshot_apply(b, "1", &e));
	ck_assert_int_eq(get(b, 65536), 1);
	put(b, 9, 2 << 20, 65536);
	ok(block_snapshot_delete(b, "1", &e));
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
	block_unrefp(&b);
	peer("qemu-io -c 'read -P 1 0 1M' -c 'read -P 9 2M 64k' a.qcow2 | grep -q verification && exit 1; exit 0");
	peer("qemu-img snapshot -a two a.qcow2 && qemu-io -c 'read -P 2 64k 64k' a.qcow2 | grep -qv verification");
	peer("qemu-img snapshot -d two a.qcow2 && qemu-img check -q a.qcow2");
}
END_TEST

START_TEST(names_need_not_differ_ids_are_found_first_and_are_chosen_in_turn)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	struct block_snapshots list;

	snap(b, "x");
	snap(b, "x");
	snap(b, "1");
	ok(block_snapshot_delete(b, "1", &e)); /* the id, not the name */
	ok(block_snapshots(b, &list, &e));
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(list.items[0].id, "2");
	ck_assert_str_eq(list.items[1].id, "3");
	block_snapshots_free(&list);
	snap(b, "next");
	fails(block_snapshot_create(b, &(struct block_snapshot){ .id = (char *)"4", .name = (char *)"y" }, &e), ERR_USAGE);
	fails(block_snapshot_apply(b, "none", &e), ERR_NOT_FOUND);
	fails(block_snapshot_delete(b, "none", &e), ERR_NOT_FOUND);
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

START_TEST(a_snapshot_brings_its_size_back)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);

	put(b, 1, 3 << 20, 65536);
	snap(b, "large");
	ok(block_truncate(b, 1 << 20, PREALLOC_OFF, &e));
	snap(b, "small");
	ok(block_snapshot_apply(b, "large", &e));
	ck_assert_uint_eq(block_size(b), 4 << 20);
	ck_assert_int_eq(get(b, 3 << 20), 1);
	ok(block_snapshot_apply(b, "small", &e));
	ck_assert_uint_eq(block_size(b), 1 << 20);
	ok(block_truncate(b, 4 << 20, PREALLOC_OFF, &e));
	ck_assert_int_eq(get(b, 3 << 20), 0);
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

START_TEST(refcounts_of_one_bit_allow_no_snapshot_of_data_and_nothing_leaks)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "refcount_bits", "1");

	put(b, 1, 0, 1 << 20);
	fails(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e), ERR_LIMIT);
	put(b, 2, 0, 4096);
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

START_TEST(the_vm_state_goes_with_the_snapshot_and_comes_back_with_it)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	char text[32] = "the state of a machine", back[32];

	ok(block_vmstate_pwrite(b, text, sizeof text, 100, &e));
	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"vm", .vm_state_size = 132 }, &e));
	ok(block_vmstate_pread(b, back, sizeof back, 100, &e));
	ck_assert_int_eq(back[0], 0);
	ok(block_snapshot_apply(b, "vm", &e));
	ok(block_vmstate_pread(b, back, sizeof back, 100, &e));
	ck_assert_str_eq(back, text);
	/* A larger disk does not show it. */
	ok(block_truncate(b, 2048ULL << 20, PREALLOC_OFF, &e));
	ck_assert_int_eq(get(b, (512 << 20) + 100), 0);
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

START_TEST(version_2_has_snapshots_too)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "compat", "0.10");

	put(b, 1, 0, 1 << 20);
	snap(b, "one");
	put(b, 2, 0, 1 << 20);
	ok(block_snapshot_apply(b, "one", &e));
	ck_assert_int_eq(get(b, 5), 1);
	fails(block_truncate(b, 8 << 20, PREALLOC_OFF, &e), ERR_UNSUPPORTED);
	ok(block_snapshot_delete(b, "one", &e));
	ok(block_finish(b, &e));
	peer("qemu-img check -q -U a.qcow2");
}
END_TEST

TEST_MAIN("qcow2 snapshots", a_snapshot_keeps_what_the_disk_held_and_the_peer_agrees,
	  names_need_not_differ_ids_are_found_first_and_are_chosen_in_turn, a_snapshot_brings_its_size_back,
	  refcounts_of_one_bit_allow_no_snapshot_of_data_and_nothing_leaks,
	  the_vm_state_goes_with_the_snapshot_and_comes_back_with_it, version_2_has_snapshots_too)
