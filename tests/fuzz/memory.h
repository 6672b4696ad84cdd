/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - a read-only disk in memory, for fuzzers.
 *
 * The fuzzer's bytes describe a mostly empty disk in short: 16 bits of size in KiB (at most MEMORY_KIB), then records of
 * 16 bits of place (in units of 256 bytes) and 256 bytes of content; little-endian.
 */
#ifndef DRYDOCK_FUZZ_MEMORY_H
#define DRYDOCK_FUZZ_MEMORY_H

#include "block_driver.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_KIB 4096
#define MEMORY_UNIT 256

struct memory {
	uint8_t *bytes;
};

static int memory_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct memory *m = b->state;

	(void)e;
	memcpy(buf, m->bytes + off, len);
	return 0;
}

static void memory_close(struct block *b)
{
	free(((struct memory *)b->state)->bytes);
}

static const struct block_driver memory_driver = {
	.name = "memory",
	.state_size = sizeof(struct memory),
	.is_protocol = true,
	.pread = memory_pread,
	.close = memory_close,
};

/* NULL: no disk at all. */
static inline struct block *memory_disk(const uint8_t *data, size_t len)
{
	struct block *b = NULL;
	size_t size;
	uint8_t *bytes;

	if (len < 2)
		return NULL;
	size = (data[0] | (size_t)data[1] << 8) % (MEMORY_KIB + 1) * 1024;
	bytes = calloc(1, size + 1);
	if (!bytes || block_new_filter(&memory_driver, NULL, &b, NULL) < 0) {
		free(bytes);
		return NULL;
	}
	for (size_t at = 2; at + 2 < len; at += 2 + MEMORY_UNIT) {
		size_t place = (data[at] | (size_t)data[at + 1] << 8) * MEMORY_UNIT;
		size_t n = len - at - 2 < MEMORY_UNIT ? len - at - 2 : MEMORY_UNIT;

		if (place + n <= size)
			memcpy(bytes + place, data + at + 2, n);
	}
	((struct memory *)b->state)->bytes = bytes;
	b->size = size;
	return b;
}

#endif
