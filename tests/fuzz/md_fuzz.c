/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * md_fuzz.c - arrays of Linux software RAID: several disks are put together, and what comes of it is read.
 *
 * The fuzzer's bytes: how many disks there are (at most 8), then for each 16 bits of length, little-endian, and a disk as
 * memory.h has it.  Checksums of superblocks are made right, as the fuzzer would not find them.
 */
#include "memory.h"

#include "volume.h"

#define DISKS 8
#define READS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint32_t get32(const uint8_t *p, int big)
{
	return big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
		   : p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t x, int big)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> (big ? 24 - 8 * i : 8 * i));
}

static void sum_1(uint8_t *s)
{
	size_t len = 256 + 2 * (size_t)(get32(s + 220, 0) % 1921);
	uint64_t sum = 0;

	put32(s + 216, 0, 0);
	for (size_t i = 0; i + 4 <= len; i += 4)
		sum += get32(s + i, 0);
	if (len % 4)
		sum += s[len - 2] | (unsigned)s[len - 1] << 8;
	put32(s + 216, (uint32_t)sum + (uint32_t)(sum >> 32), 0);
}

static void sum_0(uint8_t *s, int big)
{
	uint64_t sum = 0;

	put32(s + 4 * 38, 0, big);
	for (unsigned i = 0; i < 1024; i++)
		sum += get32(s + 4 * i, big);
	put32(s + 4 * 38, (uint32_t)sum + (uint32_t)(sum >> 32), big);
}

static void sums_put(struct block *disk)
{
	uint8_t *bytes = ((struct memory *)disk->state)->bytes;
	size_t size = (size_t)disk->size;
	const size_t places[] = { 0, 4096, size < 12288 ? size : (size / 512 - 16) / 8 * 8 * 512 };

	for (unsigned i = 0; i < 3; i++)
		if (places[i] + 4096 <= size && get32(bytes + places[i], 0) == 0xa92b4efc)
			sum_1(bytes + places[i]);
	if (size < 131072)
		return;
	bytes += (size / 65536 - 1) * 65536;
	for (int big = 0; big < 2; big++)
		if (get32(bytes, big) == 0xa92b4efc && get32(bytes + 4, big) == 0)
			sum_0(bytes, big);
}

/* Reads here and there; what is said to be zeros must be. */
static void look(struct block *b)
{
	static uint8_t buf[20000];
	uint64_t size = block_size(b), step = size / READS + 1;

	for (uint64_t off = 0; off < size; off += step) {
		size_t n = size - off < sizeof buf ? (size_t)(size - off) : sizeof buf;
		struct extent x;
		struct err e = ERR_INIT;

		if (block_pread(b, buf, n, off, &e) < 0) {
			if (!e.msg[0])
				abort();
			continue;
		}
		if (block_extent(b, n, off, &x, &e) < 0)
			abort();
		for (size_t i = 0; (x.flags & EXTENT_ZERO) && i < x.len; i++)
			if (buf[i])
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct volume_list l = { 0 };
	struct err e = ERR_INIT;
	size_t at = 1;

	if (len < 1)
		return 0;
	for (unsigned i = 0; i < data[0] % (DISKS + 1) && at + 2 < len; i++) {
		size_t n = data[at] | (size_t)data[at + 1] << 8;
		struct block *disk;

		at += 2;
		n = n < len - at ? n : len - at;
		disk = memory_disk(data + at, n);
		at += n;
		if (!disk)
			continue;
		sums_put(disk);
		volume_scan(disk, i, &l, &e);
		block_unref(disk);
	}
	if (l.n && volume_assemble(&l, NULL, &e) < 0)
		abort();
	for (size_t i = 0; i < l.n; i++)
		if (l.items[i].nparts && strcmp(l.items[i].scheme, "md") == 0)
			look(l.items[i].block);
	volume_list_free(&l);
	return 0;
}
