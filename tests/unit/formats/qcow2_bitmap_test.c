/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_bitmap_test.c - persistent dirty bitmaps: what is recorded, what is kept, and what the peer says of it. */
#include "alloc.h"
#include "block_driver.h"
#include "testing.h"

#include <stdarg.h>
#include <string.h>

static struct err e;

/* Runs a command; true when there is no qemu-img to ask. */
static bool peer(const char *fmt, ...)
{
	char cmd[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof cmd, fmt, ap);
	va_end(ap);
	return system("qemu-img --version >/dev/null 2>&1") != 0 || system(cmd) == 0;
}

static struct block *reopen(const char *path)
{
	struct block_open how = { .format = "qcow2", .flags = BLOCK_WRITE | BLOCK_RESIZE };
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
	return reopen(path);
}

static void close_it(struct block **b)
{
	ok(block_finish(*b, &e));
	block_unrefp(b);
}

static void put(struct block *b, uint64_t off, size_t len)
{
	CLEANUP(free_ptr) uint8_t *buf = calloc(1, len);

	memset(buf, 5, len);
	ok(block_pwrite(b, buf, len, off, &e));
}

/* The marked runs, in KiB: "64+128 512+64". */
static const char *runs(struct block *b, const char *name)
{
	static char text[1000];
	uint64_t off = 0, len;

	text[0] = 0;
	for (;;) {
		ok(block_bitmap_next(b, name, off, &off, &len, &e));
		if (!len)
			return text;
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%g+%g", text[0] ? " " : "",
			 (double)off / 1024, (double)len / 1024);
		off += len;
	}
}

START_TEST(an_enabled_bitmap_records_writes_and_the_peer_reads_it)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	struct block_bitmaps list;

	ok(block_bitmap_add(b, "on", 0, false, &e));
	ok(block_bitmap_add(b, "off", 4096, true, &e));
	put(b, 70000, 100);
	put(b, 1 << 20, 128 << 10);
	ok(block_zero(b, 64 << 10, 2 << 20, BLOCK_ZERO_UNMAP, &e));
	ok(block_discard(b, 64 << 10, 3 << 20, &e));
	ck_assert_str_eq(runs(b, "on"), "64+64 1024+128 2048+64 3072+64");
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2"));
	ck_assert(peer("qemu-img info a.qcow2 | tr -d ' \\n' | "
		       "grep -q 'flags:\\[0\\]:autoname:ongranularity:65536\\[1\\]:flags:name:offgranularity:4096'"));
	b = reopen("a.qcow2");
	ck_assert_str_eq(runs(b, "on"), "64+64 1024+128 2048+64 3072+64");
	ck_assert_str_eq(runs(b, "off"), "");
	put(b, 0, 1);
	close_it(&b);
	/* The peer goes on where we stopped, and we where it did. */
	ck_assert(peer("qemu-io -c 'write 3584k 64k' a.qcow2 >/dev/null && qemu-img check -q a.qcow2"));
	b = reopen("a.qcow2");
	if (peer("exit 1"))
		ck_assert_str_eq(runs(b, "on"), "0+128 1024+128 2048+64 3072+64");
	else
		ck_assert_str_eq(runs(b, "on"), "0+128 1024+128 2048+64 3072+64 3584+64");
	ok(block_bitmaps(b, &list, &e));
	ck_assert_uint_eq(list.n, 2);
	ck_assert(list.items[0].enabled && !list.items[1].enabled && !list.items[0].inconsistent);
	block_bitmaps_free(&list);
}
END_TEST

START_TEST(a_writer_that_never_finished_leaves_it_inconsistent_and_only_removal_is_allowed)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);
	struct block_bitmaps list;

	ok(block_bitmap_add(b, "x", 0, false, &e));
	ok(block_bitmap_add(b, "y", 0, true, &e));
	close_it(&b);
	b = reopen("a.qcow2");
	put(b, 0, 4096);
	ok(block_flush(b, &e));
	block_unrefp(&b);
	b = reopen("a.qcow2");
	ok(block_bitmaps(b, &list, &e));
	ck_assert(list.items[0].inconsistent && !list.items[1].inconsistent);
	block_bitmaps_free(&list);
	fails(block_bitmap_clear(b, "x", &e), ERR_USAGE);
	fails(block_bitmap_enable(b, "x", false, &e), ERR_USAGE);
	fails(block_truncate(b, 8 << 20, PREALLOC_OFF, &e), ERR_USAGE);
	put(b, 65536, 4096);
	ok(block_bitmap_remove(b, "x", &e));
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2"));
	ck_assert(peer("test \"$(qemu-img info a.qcow2 | grep -c granularity)\" = 1"));
}
END_TEST

START_TEST(bitmaps_are_added_cleared_enabled_disabled_merged_and_removed)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "cluster_size", "4096");
	CLEANUP(block_unrefp) struct block *other = make("b.qcow2", NULL, NULL);
	char name[1025];

	memset(name, 'n', sizeof name - 1);
	name[1024] = 0;
	fails(block_bitmap_add(b, name, 0, false, &e), ERR_USAGE);
	fails(block_bitmap_add(b, "", 0, false, &e), ERR_USAGE);
	fails(block_bitmap_add(b, "x", 256, false, &e), ERR_USAGE);
	fails(block_bitmap_add(b, "x", 1000, false, &e), ERR_USAGE);
	ok(block_bitmap_add(b, "x", 512, false, &e));
	fails(block_bitmap_add(b, "x", 512, false, &e), ERR_USAGE);
	fails(block_bitmap_clear(b, "none", &e), ERR_NOT_FOUND);
	fails(block_bitmap_remove(b, "none", &e), ERR_NOT_FOUND);
	put(b, 1024, 512);
	close_it(&b);
	b = reopen("a.qcow2");
	ok(block_bitmap_enable(b, "x", false, &e));
	put(b, 1 << 20, 512);
	ck_assert_str_eq(runs(b, "x"), "1+0.5");
	ok(block_bitmap_add(other, "y", 0, false, &e));
	ok(block_bitmap_merge(other, "y", b, "x", &e));
	fails(block_bitmap_merge(other, "y", b, "none", &e), ERR_NOT_FOUND);
	fails(block_bitmap_merge(other, "none", b, "x", &e), ERR_NOT_FOUND);
	ck_assert_str_eq(runs(other, "y"), "0+64");
	ok(block_bitmap_enable(b, "x", true, &e));
	ok(block_bitmap_clear(b, "x", &e));
	ck_assert_str_eq(runs(b, "x"), "");
	ok(block_bitmap_add(b, "z", 0, true, &e));
	ok(block_bitmap_mark(b, "z", 1 << 20, 1 << 20, &e));
	close_it(&b);
	close_it(&other);
	ck_assert(peer("qemu-img check -q a.qcow2 && qemu-img check -q b.qcow2"));
	ck_assert(peer("qemu-img bitmap --merge z a.qcow2 x && qemu-img check -q a.qcow2"));
	b = reopen("a.qcow2");
	ck_assert_str_eq(runs(b, "z"), "1024+1024");
	if (peer("exit 1"))
		return;
	ck_assert_str_eq(runs(b, "x"), "1024+1024");
	ok(block_bitmap_remove(b, "x", &e));
	ok(block_bitmap_remove(b, "z", &e));
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2 && ! qemu-img info a.qcow2 | grep -q bitmaps"));
}
END_TEST

START_TEST(bitmaps_follow_the_size_of_the_disk)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "cluster_size", "512");

	ok(block_bitmap_add(b, "x", 512, false, &e));
	put(b, (4 << 20) - 512, 512);
	ok(block_truncate(b, 16 << 20, PREALLOC_OFF, &e));
	ck_assert_str_eq(runs(b, "x"), "4095.5+12288.5");
	ok(block_bitmap_clear(b, "x", &e));
	put(b, (16 << 20) - 1024, 1024);
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2 && qemu-img bitmap --enable a.qcow2 x"));
	b = reopen("a.qcow2");
	ck_assert_str_eq(runs(b, "x"), "16383+1");
	ok(block_truncate(b, 1 << 20, PREALLOC_OFF, &e));
	ck_assert_str_eq(runs(b, "x"), "");
	ok(block_truncate(b, 16 << 20, PREALLOC_OFF, &e));
	ck_assert_str_eq(runs(b, "x"), "1024+15360");
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2 && qemu-img bitmap --enable a.qcow2 x"));
}
END_TEST

START_TEST(a_snapshot_that_is_applied_is_all_new_to_a_bitmap)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", NULL, NULL);

	ok(block_snapshot_create(b, &(struct block_snapshot){ .name = (char *)"s" }, &e));
	ok(block_bitmap_add(b, "x", 0, false, &e));
	ok(block_snapshot_apply(b, "s", &e));
	ck_assert_str_eq(runs(b, "x"), "0+4096");
	close_it(&b);
	ck_assert(peer("qemu-img check -q a.qcow2"));
}
END_TEST

START_TEST(version_2_has_no_bitmaps)
{
	CLEANUP(block_unrefp) struct block *b = make("a.qcow2", "compat", "0.10");

	fails(block_bitmap_add(b, "x", 0, false, &e), ERR_UNSUPPORTED);
}
END_TEST

TEST_MAIN("qcow2 bitmaps", an_enabled_bitmap_records_writes_and_the_peer_reads_it,
	  a_writer_that_never_finished_leaves_it_inconsistent_and_only_removal_is_allowed,
	  bitmaps_are_added_cleared_enabled_disabled_merged_and_removed, bitmaps_follow_the_size_of_the_disk,
	  a_snapshot_that_is_applied_is_all_new_to_a_bitmap, version_2_has_no_bitmaps)
