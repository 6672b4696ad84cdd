/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xfs_fuzz.c - XFS with its log.
 *
 * The smallest filesystem has 16 MiB, most of which nobody reads: the disk is described as in memory.h, but kept as its
 * records, and what has none reads as zeros.  Blocks of version 5 are covered by checksums, which would hide from the fuzzer
 * what lies behind: they are made right before the disk is shown.
 */
#include "look.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"

#define DISK (16u << 20)
#define UNIT 256u
#define MAX_INPUT (256u << 10)
#define MAX_COVERED (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t units[MAX_INPUT + UNIT];
static uint16_t unit_of[DISK / UNIT]; /* one more than the index in units */

static void disk_get(uint8_t *buf, size_t len, uint64_t off)
{
	while (len > 0) {
		size_t in = off % UNIT, n = MIN_OF(len, UNIT - in);
		unsigned u = unit_of[off / UNIT];

		if (u)
			memcpy(buf, units + (size_t)(u - 1) * UNIT + in, n);
		else
			memset(buf, 0, n);
		buf += n;
		off += n;
		len -= n;
	}
}

/* Little-endian; where there is nothing, nothing is kept. */
static void disk_put32(uint64_t off, uint32_t v)
{
	unsigned u = unit_of[off / UNIT];

	for (unsigned i = 0; u && i < 4; i++)
		units[(size_t)(u - 1) * UNIT + off % UNIT + i] = (uint8_t)(v >> (i * 8));
}

static int sparse_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)b, (void)e;
	disk_get(buf, len, off);
	return 0;
}

static const struct block_driver sparse_driver = {
	.name = "sparse",
	.is_protocol = true,
	.pread = sparse_pread,
};

/* The checksum of [off, off + len) with the 4 bytes at `at` as zeros, put there. */
static void cover(uint64_t off, size_t len, size_t at)
{
	static uint8_t buf[MAX_COVERED];

	if (len > sizeof buf || at + 4 > len || !range_in(off, len, DISK))
		return;
	disk_get(buf, len, off);
	memset(buf + at, 0, 4);
	disk_put32(off + at, ~crc32c(~0u, buf, len));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A record of the log: the fields of its head, and the body, as long as that does not go around the end of the log. */
static void cover_record(uint64_t off, const uint8_t *head)
{
	static uint8_t buf[MAX_COVERED];
	uint32_t len = get32(head + 12), crc;

	if (len > sizeof buf || !range_in(off + 512, len, DISK))
		return;
	disk_get(buf, 328, off);
	memset(buf + 32, 0, 4);
	crc = crc32c(~0u, buf, 328);
	disk_get(buf, len, off + 512);
	disk_put32(off + 32, ~crc32c(crc, buf, len));
}

struct covered {
	const char *magic;
	uint8_t magic_at, magic_len;
	uint16_t crc_at;
	enum { SECTOR, INODE, BLOCK, DIR_BLOCK } size;
};
static const struct covered kinds[] = {
	{ "XFSB", 0, 4, 224, SECTOR },	     { "XAGF", 0, 4, 216, SECTOR },	  { "XAGI", 0, 4, 312, SECTOR },
	{ "IN", 0, 2, 100, INODE },	     { "BMA3", 0, 4, 64, BLOCK },	  { "R3FC", 0, 4, 52, BLOCK },
	{ "XSLM", 0, 4, 12, BLOCK },	     { "XARM", 0, 4, 12, BLOCK },	  { "XDB3", 0, 4, 4, DIR_BLOCK },
	{ "XDD3", 0, 4, 4, DIR_BLOCK },	     { "\x3d\xf1", 8, 2, 12, DIR_BLOCK }, { "\x3d\xff", 8, 2, 12, DIR_BLOCK },
	{ "\x3e\xbe", 8, 2, 12, DIR_BLOCK }, { "\x3b\xee", 8, 2, 12, BLOCK },
};

static void cover_all(void)
{
	uint8_t h[512];
	size_t sizes[4];

	disk_get(h, sizeof h, 0);
	if ((h[101] & 0xf) != 5)
		return;
	sizes[SECTOR] = (size_t)h[102] << 8 | h[103];
	sizes[INODE] = (size_t)h[104] << 8 | h[105];
	sizes[BLOCK] = get32(h + 4);
	sizes[DIR_BLOCK] = h[192] < 8 ? sizes[BLOCK] << h[192] : 0;
	for (uint64_t off = 0; off < DISK; off += 512) {
		if (!unit_of[off / UNIT])
			continue;
		disk_get(h, sizeof h, off);
		if (get32(h) == 0xfeedbabe)
			cover_record(off, h);
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (memcmp(h + kinds[i].magic_at, kinds[i].magic, kinds[i].magic_len) == 0)
				cover(off, sizes[kinds[i].size], kinds[i].crc_at);
	}
}

/* Calls fn for each record of the description. */
static void each_record(const uint8_t *data, size_t len, void (*fn)(size_t place, const uint8_t *bytes, size_t n))
{
	/* The size that memory.h reads first is always the same here. */
	for (size_t at = 2; at + 2 < len; at += 2 + UNIT)
		fn(data[at] | (size_t)data[at + 1] << 8, data + at + 2, MIN_OF(len - at - 2, (size_t)UNIT));
}

static unsigned nunits;

static void record_put(size_t place, const uint8_t *bytes, size_t n)
{
	memset(units + nunits * UNIT, 0, UNIT);
	memcpy(units + nunits * UNIT, bytes, n);
	unit_of[place] = (uint16_t)++nunits;
}

static void record_forget(size_t place, const uint8_t *bytes, size_t n)
{
	(void)bytes, (void)n;
	unit_of[place] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct block *disk = NULL;

	if (len < 2 || len > MAX_INPUT || block_new_filter(&sparse_driver, NULL, &disk, NULL) < 0)
		return 0;
	disk->size = DISK;
	nunits = 0;
	each_record(data, len, record_put);
	cover_all();
	look_at_disk(disk);
	each_record(data, len, record_forget);
	block_unref(disk);
	return 0;
}
