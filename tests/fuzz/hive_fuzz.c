/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hive_fuzz.c - registry hives.  The fuzzer's bytes are the content of one bin, for which a header is made here: a checksum is
 * nothing that it could find.
 */
#include "hive.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define BINS 8192
#define HEADER 4096
/* Of a walk that would go on. */
#define KEYS 300

static void put(uint8_t *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(v >> 8 * i);
}

static int read_image(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)e;
	memcpy(buf, (const uint8_t *)arg + off, len);
	return 0;
}

struct look {
	struct hive *h;
	unsigned nkeys;
};

static int on_key(void *arg, hive_key k, const char *path, unsigned depth, struct err *e)
{
	struct look *l = arg;
	uint32_t *values = NULL;
	int64_t written;
	size_t n = 0;

	(void)depth, (void)e;
	if (strlen(path) > 100u * 70000)
		abort();
	hive_key_time(l->h, k, &written, NULL);
	if (hive_values(l->h, k, &values, &n, NULL) == 0) {
		for (size_t i = 0; i < n && i < KEYS; i++) {
			struct strbuf text = STRBUF_INIT;
			struct hive_value v;
			uint64_t number;

			if (hive_value(l->h, values[i], &v, NULL) < 0)
				continue;
			if (v.len > hive_size(l->h))
				abort();
			hive_value_text(&v, &text);
			hive_value_number(&v, &number);
			strbuf_free(&text);
			hive_value_clear(&v);
		}
	}
	free(values);
	return ++l->nkeys >= KEYS;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	struct look *l = arg;

	(void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return ++l->nkeys >= KEYS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t image[HEADER + BINS];
	struct look l = { .nkeys = 0 };
	const struct hive_walk w = { .max_depth = 600, .sorted = len & 1, .key = on_key, .failed = on_failure, .arg = &l };
	struct err e = ERR_INIT;
	struct hive_value v;
	uint32_t sum = 0;

	if (len < 8)
		return 0;
	memset(image, 0, sizeof image);
	memcpy(image, "regf", 4);
	put(image + 4, 1);
	put(image + 8, data[0] ? 1 : 2);
	put(image + 20, 1);
	put(image + 24, 3 + data[1] % 4);
	put(image + 36, data[2] * 8u);
	put(image + 40, BINS);
	memcpy(image + HEADER, "hbin", 4);
	put(image + HEADER + 8, BINS);
	len = len - 3 < BINS - 32 ? len - 3 : BINS - 32;
	memcpy(image + HEADER + 32, data + 3, len);
	/* What is left is one free cell. */
	len = (len + 7) & ~(size_t)7;
	if (len < BINS - 32)
		put(image + HEADER + 32 + len, (uint32_t)(BINS - 32 - len));
	for (size_t i = 0; i < 508; i += 4)
		sum ^= image[i] | image[i + 1] << 8 | image[i + 2] << 16 | (uint32_t)image[i + 3] << 24;
	put(image + 508, sum);
	if (hive_open(&(struct hive_bytes){ read_image, image, sizeof image }, NULL, 0, &l.h, &e) < 0) {
		if (e.code == ERR_NONE || !e.msg[0])
			abort();
		return 0;
	}
	hive_walk(l.h, hive_root(l.h), &w, &e);
	if (hive_get_at(l.h, hive_root(l.h), "A\\B", "text", &v, NULL) > 0)
		hive_value_clear(&v);
	hive_close(l.h);
	return 0;
}
