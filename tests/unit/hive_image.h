/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hive_image.h - registry hives made by hand, cell by cell: right ones, and such as no Windows writes. */
#ifndef DRYDOCK_TEST_HIVE_IMAGE_H
#define DRYDOCK_TEST_HIVE_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HIVE_IMAGE_BINS 24576
#define HIVE_IMAGE_NONE 0xffffffffu

struct hive_image {
	uint8_t b[4096 + HIVE_IMAGE_BINS];
	uint32_t used; /* of the bin */
};

static inline void image_put(uint8_t *b, uint64_t v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(v >> 8 * i);
}

static inline void image_begin(struct hive_image *h)
{
	memset(h, 0, sizeof *h);
	h->used = 32;
}

/* The content of a cell at an offset. */
static inline uint8_t *image_at(struct hive_image *h, uint32_t off)
{
	return h->b + 4096 + off + 4;
}

/* A used cell for len bytes, all zero: its offset. */
static inline uint32_t image_cell(struct hive_image *h, size_t len)
{
	uint32_t off = h->used, size = (uint32_t)(4 + len + 7) & ~7u;

	image_put(h->b + 4096 + off, (uint64_t)-(int64_t)size, 4);
	h->used += size;
	return off;
}

/* A key without anything in it. */
static inline uint32_t image_key(struct hive_image *h, const char *name)
{
	size_t len = strlen(name);
	uint32_t off = image_cell(h, 76 + len);
	uint8_t *c = image_at(h, off);

	memcpy(c, "nk", 2);
	image_put(c + 2, 0x20, 2);
	image_put(c + 4, 0x01d0000000000000, 8);
	image_put(c + 28, HIVE_IMAGE_NONE, 4);
	image_put(c + 32, HIVE_IMAGE_NONE, 4);
	image_put(c + 40, HIVE_IMAGE_NONE, 4);
	image_put(c + 44, HIVE_IMAGE_NONE, 4);
	image_put(c + 48, HIVE_IMAGE_NONE, 4);
	image_put(c + 72, len, 2);
	memcpy(c + 76, name, len);
	return off;
}

/* A list "lf" or "lh" (8 bytes an entry), "li" or "ri" (4). */
static inline uint32_t image_list(struct hive_image *h, const char *id, const uint32_t *items, size_t n)
{
	size_t each = id[1] == 'i' ? 4 : 8;
	uint32_t off = image_cell(h, 4 + n * each);
	uint8_t *c = image_at(h, off);

	memcpy(c, id, 2);
	image_put(c + 2, n, 2);
	for (size_t i = 0; i < n; i++)
		image_put(c + 4 + i * each, items[i], 4);
	return off;
}

static inline void image_subkeys(struct hive_image *h, uint32_t key, uint32_t list, size_t n)
{
	image_put(image_at(h, key) + 20, n, 4);
	image_put(image_at(h, key) + 28, list, 4);
}

static inline uint32_t image_value(struct hive_image *h, const char *name, uint32_t type, const void *data, uint32_t len)
{
	size_t name_len = strlen(name);
	uint32_t off = image_cell(h, 20 + name_len), at;
	uint8_t *c = image_at(h, off);

	memcpy(c, "vk", 2);
	image_put(c + 2, name_len, 2);
	image_put(c + 12, type, 4);
	image_put(c + 16, 1, 2);
	memcpy(c + 20, name, name_len);
	if (len <= 4) {
		image_put(c + 4, len | 0x80000000u, 4);
		memcpy(c + 8, data, len);
		return off;
	}
	at = image_cell(h, len);
	memcpy(image_at(h, at), data, len);
	image_put(c + 4, len, 4);
	image_put(c + 8, at, 4);
	return off;
}

static inline void image_values(struct hive_image *h, uint32_t key, const uint32_t *values, size_t n)
{
	uint32_t list = image_cell(h, 4 * n);

	for (size_t i = 0; i < n; i++)
		image_put(image_at(h, list) + 4 * i, values[i], 4);
	image_put(image_at(h, key) + 36, n, 4);
	image_put(image_at(h, key) + 40, list, 4);
}

static inline void image_sum(struct hive_image *h)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= h->b[i] | h->b[i + 1] << 8 | h->b[i + 2] << 16 | (uint32_t)h->b[i + 3] << 24;
	image_put(h->b + 508, sum, 4);
}

/* The header, the bin's, and what is left of it. */
static inline void image_end(struct hive_image *h, uint32_t root)
{
	memcpy(h->b, "regf", 4);
	image_put(h->b + 4, 1, 4);
	image_put(h->b + 8, 1, 4);
	image_put(h->b + 20, 1, 4);
	image_put(h->b + 24, 3, 4);
	image_put(h->b + 32, 1, 4);
	image_put(h->b + 36, root, 4);
	image_put(h->b + 40, HIVE_IMAGE_BINS, 4);
	image_put(h->b + 44, 1, 4);
	image_sum(h);
	memcpy(h->b + 4096, "hbin", 4);
	image_put(h->b + 4096 + 8, HIVE_IMAGE_BINS, 4);
	if (h->used < HIVE_IMAGE_BINS)
		image_put(h->b + 4096 + h->used, HIVE_IMAGE_BINS - h->used, 4);
}

/* A root with A (A\B) and C, some values. */
static inline uint32_t image_good(struct hive_image *h)
{
	uint32_t root, kids[2], b, values[4];

	image_begin(h);
	root = image_key(h, "ROOT");
	kids[0] = image_key(h, "A");
	kids[1] = image_key(h, "C\xe9");
	b = image_key(h, "B");
	image_subkeys(h, kids[0], image_list(h, "lf", &b, 1), 1);
	image_subkeys(h, root, image_list(h, "lh", kids, 2), 2);
	values[0] = image_value(h, "text", 1, "h\0i\0\0\0", 6);
	values[1] = image_value(h, "", 4, "\x2a\0\0\0", 4);
	values[2] = image_value(h, "bytes", 3, "123456789", 9);
	values[3] = image_value(h, "none", 0, "", 0);
	image_values(h, b, values, 4);
	image_end(h, root);
	return root;
}

#endif
