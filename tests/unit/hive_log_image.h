/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hive_log_image.h - logs of registry hives made by hand, from the specification: a checksum of its own, so that a mistake in the
 * reader's is no agreement.
 */
#ifndef DRYDOCK_TEST_HIVE_LOG_IMAGE_H
#define DRYDOCK_TEST_HIVE_LOG_IMAGE_H

#include "hive_image.h"

struct hive_log {
	uint8_t b[512 + 6 * 5120];
	size_t used;
};

/* Marvin32 of any bytes, with the seed of the registry. */
static inline uint64_t log_sum(const uint8_t *bytes, size_t len)
{
	static const unsigned left[] = { 20, 9, 27, 19 };
	uint64_t half[2] = { 0x7a4e55c5, 0x82ef4d88 };
	size_t rounds = len / 4 + 2;

	for (size_t i = 0; i < rounds; i++) {
		uint64_t word = 0;

		for (size_t k = 0; k < 4; k++) {
			size_t at = 4 * i + k;

			word |= (uint64_t)(at < len ? bytes[at] : at == len ? 0x80 : 0) << 8 * k;
		}
		half[0] = (half[0] + word) & 0xffffffff;
		half[1] ^= half[0];
		for (size_t k = 0; k < 4; k++) {
			uint64_t *v = &half[k % 2], *other = &half[!(k % 2)];

			*v = (*v << left[k] | *v >> (32 - left[k])) & 0xffffffff;
			if (k == 0 || k == 2)
				*v = (*v + *other) & 0xffffffff;
			else if (k == 1)
				*v ^= *other;
		}
	}
	return half[1] << 32 | half[0];
}

static inline void log_header_sum(struct hive_log *l)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= l->b[i] | l->b[i + 1] << 8 | l->b[i + 2] << 16 | (uint32_t)l->b[i + 3] << 24;
	image_put(l->b + 508, sum, 4);
}

static inline void log_begin(struct hive_log *l)
{
	memset(l, 0, sizeof *l);
	memcpy(l->b, "regf", 4);
	image_put(l->b + 20, 1, 4);
	image_put(l->b + 24, 5, 4);
	image_put(l->b + 28, 6, 4);
	log_header_sum(l);
	l->used = 512;
}

/* Both checksums of a record of that length. */
static inline void log_sums(uint8_t *record, size_t len)
{
	image_put(record + 24, log_sum(record + 40, len - 40), 8);
	image_put(record + 32, log_sum(record, 32), 8);
}

/* A record with one page. */
static inline void log_record(struct hive_log *l, uint32_t number, uint32_t bins_len, uint32_t off, const uint8_t *page,
			      uint32_t page_len)
{
	size_t len = (40 + 8 + page_len + 511) / 512 * 512;
	uint8_t *r = l->b + l->used;

	memcpy(r, "HvLE", 4);
	image_put(r + 4, len, 4);
	image_put(r + 12, number, 4);
	image_put(r + 16, bins_len, 4);
	image_put(r + 20, 1, 4);
	image_put(r + 40, off, 4);
	image_put(r + 44, page_len, 4);
	memcpy(r + 48, page, page_len);
	log_sums(r, len);
	l->used += len;
}

#endif
