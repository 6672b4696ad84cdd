/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hive_log_fuzz.c - logs of a registry hive.  The hive is a right one whose last write was not completed; the fuzzer's bytes say
 * which records are in its two logs.  Their checksums are made here: nothing could find them.
 */
#include "hive.h"
#include "hive_log_image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FIRST 7
/* A record: which log, whether its checksums are right, how far its number is; sectors, pages of bins, pages; then its body. */
enum { HOW, SECTORS, BINS, PAGES, BODY, HEAD };
enum { SECOND_LOG = 1, WRONG_HEAD = 2, WRONG_REST = 4, NUMBER_SHIFT = 4 };

static int read_image(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)e;
	memcpy(buf, ((const struct hive_image *)arg)->b + off, len);
	return 0;
}

static int read_log(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct hive_log *l = arg;

	(void)e;
	if (off > l->used || len > l->used - off)
		abort();
	memcpy(buf, l->b + off, len);
	return 0;
}

/* The bytes of data that it took; 0: no more fits. */
static size_t put_record(struct hive_log logs[2], const uint8_t *data, size_t len)
{
	struct hive_log *l = &logs[data[HOW] & SECOND_LOG];
	size_t size = (data[SECTORS] % 8 + 1) * 512, body = data[BODY] < len - HEAD ? data[BODY] : len - HEAD;
	uint8_t *r = l->b + l->used;

	if (size > sizeof l->b - l->used)
		return 0;
	memcpy(r, "HvLE", 4);
	image_put(r + 4, size, 4);
	image_put(r + 12, (uint64_t)FIRST - 2 + (data[HOW] >> NUMBER_SHIFT), 4);
	image_put(r + 16, data[BINS] ? data[BINS] * 4096u : HIVE_IMAGE_BINS, 4);
	image_put(r + 20, data[PAGES], 4);
	memcpy(r + 40, data + HEAD, body);
	log_sums(r, size);
	r[32] ^= data[HOW] & WRONG_HEAD;
	r[40 + body] ^= data[HOW] & WRONG_REST;
	l->used += size;
	return HEAD + body;
}

static int on_key(void *arg, hive_key k, const char *path, unsigned depth, struct err *e)
{
	struct hive *h = arg;
	uint32_t *values = NULL;
	size_t n = 0;

	(void)path, (void)depth, (void)e;
	if (hive_values(h, k, &values, &n, NULL) == 0) {
		for (size_t i = 0; i < n && i < 50; i++) {
			struct hive_value v;

			if (hive_value(h, values[i], &v, NULL) == 0)
				hive_value_clear(&v);
		}
	}
	free(values);
	return 0;
}

static int on_failure(void *arg, const char *path, const struct err *why, struct err *e)
{
	(void)arg, (void)path, (void)e;
	if (why->code == ERR_NONE || !why->msg[0])
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct hive_image img;
	static struct hive_log logs[2];
	const struct hive_bytes file = { read_image, &img, sizeof img.b };
	struct hive_bytes log_files[2];
	struct err e = ERR_INIT;
	struct hive *h;

	image_good(&img);
	image_put(img.b + 4, FIRST + 1, 4);
	image_put(img.b + 8, FIRST, 4);
	image_sum(&img);
	log_begin(&logs[0]);
	log_begin(&logs[1]);
	for (size_t took; len > HEAD && (took = put_record(logs, data, len)) > 0; len -= took)
		data += took;
	for (size_t i = 0; i < 2; i++)
		log_files[i] = (struct hive_bytes){ read_log, &logs[i], logs[i].used };
	/* The hive itself is right: whatever its logs say, it can be opened, but where they have made its root another thing. */
	if (hive_open(&file, log_files, 2, &h, &e) < 0) {
		if (e.code == ERR_NONE || !e.msg[0])
			abort();
		return 0;
	}
	hive_walk(h, hive_root(h), &(struct hive_walk){ .max_depth = 20, .key = on_key, .failed = on_failure, .arg = h }, &e);
	hive_close(h);
	return 0;
}
