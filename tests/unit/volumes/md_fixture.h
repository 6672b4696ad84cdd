/* SPDX-License-Identifier: GPL-2.0-or-later */
/* md_fixture.h - members of MD arrays, made from nothing but the format, as files "0", "1", "2" ... */
#ifndef DRYDOCK_TEST_MD_FIXTURE_H
#define DRYDOCK_TEST_MD_FIXTURE_H

#include "testing.h"

#include "alloc.h"
#include "md.h"
#include "ondisk.h"
#include "volume.h"

#include <inttypes.h>
#include <string.h>

#define KB 1024ULL

static struct err e = ERR_INIT;

static inline void put32(uint8_t *p, uint32_t x)
{
	le32 v;

	le32_put(&v, x);
	memcpy(p, &v, sizeof v);
}

static inline void put64(uint8_t *p, uint64_t x)
{
	put32(p, (uint32_t)x);
	put32(p + 4, (uint32_t)(x >> 32));
}

static inline uint32_t get32(const uint8_t *p)
{
	le32 v;

	memcpy(&v, p, sizeof v);
	return le32_get(v);
}

/* One disk: 1 MiB, with its data from 64 KiB on and superblock 1.2, unless a test says otherwise. */
struct disk {
	uint64_t size, data_off;
	uint64_t super_off; /* of version 1 */
	uint8_t super[4096];
	uint8_t *bytes;
};

static inline void disk_free(struct disk *d)
{
	free(d->bytes);
}

struct array {
	int level;
	unsigned layout, ndisks, chunk_kb, data_kb; /* data_kb: of each disk */
	unsigned features;
};

static inline void sum_1(uint8_t *s)
{
	uint64_t sum = 0;
	size_t len = 256 + 2 * get32(s + 220);

	put32(s + 216, 0);
	for (size_t i = 0; i + 4 <= len; i += 4)
		sum += get32(s + i);
	if (len % 4)
		sum += s[len - 2] | (unsigned)s[len - 1] << 8;
	put32(s + 216, (uint32_t)sum + (uint32_t)(sum >> 32));
}

/* Disk number i of an array, with empty data. */
static inline struct disk disk_make(const struct array *a, unsigned i)
{
	struct disk d = { .size = 1024 * KB, .data_off = 64 * KB, .super_off = 4 * KB };
	uint8_t *s = d.super;

	d.bytes = calloc(1, d.size);
	ck_assert_ptr_nonnull(d.bytes);
	put32(s, 0xa92b4efc);
	put32(s + 4, 1);
	put32(s + 8, a->features);
	memcpy(s + 16, "0123456789abcdef", 16);
	memcpy(s + 32, "there:data", 10);
	put64(s + 64, 1000000000);
	put32(s + 72, (uint32_t)a->level);
	put32(s + 76, a->layout);
	put64(s + 80, a->data_kb * 2);
	put32(s + 88, a->chunk_kb * 2);
	put32(s + 92, a->ndisks);
	put64(s + 128, d.data_off / 512);
	put64(s + 136, a->data_kb * 2);
	put64(s + 144, d.super_off / 512);
	put32(s + 160, i);
	put64(s + 200, 10);
	put64(s + 208, UINT64_MAX);
	put32(s + 220, 8);
	for (unsigned k = 0; k < 8; k++) {
		s[256 + 2 * k] = (uint8_t)(k < a->ndisks ? k : 0xff);
		s[257 + 2 * k] = k < a->ndisks ? 0 : 0xff;
	}
	return d;
}

static inline void disk_write(struct disk *d, const char *name)
{
	FILE *f = fopen(name, "wb");

	sum_1(d->super);
	memcpy(d->bytes + d->super_off, d->super, sizeof d->super);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(d->bytes, 1, d->size, f), d->size);
	ck_assert_int_eq(fclose(f), 0);
}

/* The volumes of these files, one character each. */
static inline struct volume_list assemble(const char *names)
{
	const struct block_open how = { .format = "raw" };
	struct volume_list l = { 0 };

	for (unsigned i = 0; names[i]; i++) {
		const char name[2] = { names[i], '\0' };
		struct block *b = NULL;

		ok(block_open(name, &how, &b, &e));
		ok(volume_scan(b, i, &l, &e));
		block_unref(b);
	}
	ok(volume_assemble(&l, NULL, &e));
	return l;
}

/* What the array's byte at off is, in all tests. */
static inline uint8_t pattern(uint64_t off)
{
	uint64_t x = (off / 7 + 1) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(x >> 56 ^ off);
}

static inline void expect_pattern(struct block *b, uint64_t off, size_t len)
{
	uint8_t *buf = malloc(len);

	ck_assert_ptr_nonnull(buf);
	ok(block_pread(b, buf, len, off, &e));
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(buf[i] == pattern(off + i), "byte %" PRIu64, off + i);
	free(buf);
}

static inline void warned(const struct volume_list *l, const char *words)
{
	ck_assert_msg(l->warning && strstr(l->warning, words), "\"%s\" in \"%s\"", words, l->warning ? l->warning : "nothing");
}

#endif
