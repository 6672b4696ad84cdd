/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2_fuzz.c - any bytes as a qcow2 image: opened, looked at, read, checked, repaired, written to.
 *
 * Besides not crashing it has to keep a promise: what a repair calls repaired, a second check finds clean.
 */
#include "alloc.h"
#include "block_driver.h"
#include "json.h"
#include "limits.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct block *file_of(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct block *file = NULL;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (block_host_fd_open(fd, "fuzz", BLOCK_WRITE | BLOCK_RESIZE | BLOCK_NO_LOCK, &file, NULL) < 0)
		return NULL;
	return file;
}

static struct block *open_over(struct block *file, unsigned flags)
{
	static const struct block_policy nowhere = { .allow_none = true };
	struct block_env env = { .flags = flags | BLOCK_NO_BACKING, .policy = &nowhere };
	struct dict opts = DICT_INIT;
	struct block *b = NULL;
	struct err e = ERR_INIT;

	if (!file || block_new_filter(&block_qcow2, file, &b, &e) < 0)
		return NULL;
	b->flags = env.flags;
	if (block_qcow2.open(b, &opts, &env, &e) < 0)
		block_unrefp(&b);
	dict_free(&opts);
	return b;
}

static void read_some(struct block *b)
{
	static const uint64_t parts[] = { 0, 1, 2, 3, 7 };
	uint64_t size = block_size(b);
	uint8_t *buf = alloc_bytes(64 * KiB);
	struct err e = ERR_INIT;

	for (size_t i = 0; buf && size && i < ARRAY_LEN(parts); i++) {
		uint64_t off = size / 8 * parts[i];

		block_pread(b, buf, (size_t)MIN_OF(64 * KiB, size - off), off, &e);
	}
	if (buf && size)
		block_pread(b, buf, 1, size - 1, &e);
	free(buf);
}

static void walk_extents(struct block *b)
{
	uint64_t size = block_size(b), off = 0;
	struct err e = ERR_INIT;
	struct extent x;

	for (int i = 0; i < 200 && off < size; i++, off += x.len) {
		if (block_extent_merged(b, NULL, MIN_OF(size - off, 16 * MiB), off, &x, &e) < 0)
			return;
		if (x.off != off || x.len == 0 || x.len > size - off)
			__builtin_trap();
	}
}

static void look(struct block *b)
{
	struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, true);
	struct block_info info;
	struct err e = ERR_INIT;

	block_info(b, &info, &e);
	json_object(&j, NULL);
	json_object(&j, "data");
	block_info_specific(b, &j);
	json_object_end(&j);
	json_object_end(&j);
	strbuf_free(&text);
	walk_extents(b);
	read_some(b);
}

static void look_at_snapshots(struct block *b)
{
	struct block_snapshots list;
	struct err e = ERR_INIT;

	if (block_snapshots(b, &list, &e) < 0)
		return;
	for (size_t i = 0; i < list.n && i < 3; i++)
		if (block_snapshot_load(b, list.items[i].id, &e) == 0)
			look(b);
	block_snapshots_free(&list);
}

static void take_finding(void *arg, bool fixed, const char *text)
{
	unsigned *n = arg;

	*n += fixed + !!*text;
}

static void check_and_repair(const uint8_t *data, size_t len)
{
	struct block *file = file_of(data, len), *b = open_over(file, BLOCK_CHECK | BLOCK_WRITE | BLOCK_RESIZE);
	unsigned n = 0;
	struct check_report r = { .finding = take_finding, .arg = &n };
	struct err e = ERR_INIT;

	if (b && block_check(b, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, &r, &e) == 0 && !r.corruptions && !r.check_errors &&
	    !r.leaks) {
		look(b);
		block_unref(b);
		b = open_over(file, BLOCK_CHECK);
		if (!b || block_check(b, 0, &r, &e) < 0 || r.corruptions || r.check_errors || r.leaks)
			__builtin_trap();
	}
	block_unref(b);
	block_unref(file);
}

static void write_a_little(const uint8_t *data, size_t len)
{
	struct block *file = file_of(data, len), *b = open_over(file, BLOCK_WRITE | BLOCK_RESIZE);
	uint64_t size = b ? block_size(b) : 0;
	uint8_t buf[3000];
	struct err e = ERR_INIT;

	memset(buf, 0x5a, sizeof buf);
	if (size > sizeof buf) {
		block_pwrite(b, buf, sizeof buf, 0, &e);
		block_pwrite(b, buf, sizeof buf, size / 2, &e);
		block_zero(b, MIN_OF(size - 1000, 1 * MiB), 1000, BLOCK_ZERO_UNMAP, &e);
		block_pwrite(b, buf, 512, size - 512, &e);
		block_discard(b, MIN_OF(size / 2, 1 * MiB), size / 4, &e);
		block_flush(b, &e);
	}
	if (size && size < 64 * MiB) {
		block_truncate(b, size + 100 * KiB, PREALLOC_OFF, &e);
		block_truncate(b, size / 2, PREALLOC_OFF, &e);
	}
	if (b)
		block_finish(b, &e);
	block_unref(b);
	block_unref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct check_report r = { .finding = NULL };
	struct err e = ERR_INIT;
	struct block *file, *b;

	if (len > 1 * MiB)
		return 0;
	file = file_of(data, len);
	b = open_over(file, 0);
	if (b) {
		look(b);
		block_check(b, 0, &r, &e);
		look_at_snapshots(b);
	}
	block_unref(b);
	block_unref(file);
	check_and_repair(data, len);
	write_a_little(data, len);
	return 0;
}
