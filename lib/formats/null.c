/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * null.c - a disk that holds nothing: writes vanish, reads leave the buffer as it is (or give zeros, with the option
 * "read-zeroes").  For measuring everything but the disk.  "null-co" and "null-aio" are one here.
 */
#include "block_driver.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <time.h>

struct null_state {
	bool read_zeros;
	uint64_t latency_ns;
};

static int null_open(struct block *b, struct dict *opts, const struct block_env *env, struct err *e)
{
	struct null_state *s = b->state;
	CLEANUP(free_ptr) char *latency = dict_take(opts, "latency-ns");
	int rc;

	(void)env;
	free(dict_take(opts, "filename")); /* "null-co://": it names nothing */
	b->size = 1 * GiB;
	if ((rc = dict_take_size(opts, "size", &b->size, e)) < 0 ||
	    (rc = dict_take_bool(opts, "read-zeroes", &s->read_zeros, e)) < 0)
		return rc;
	if (b->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "size of %llu bytes", (unsigned long long)b->size);
	if (latency && !text_parse_u64(latency, &s->latency_ns))
		return err_set(e, ERR_USAGE, "option \"latency-ns\": \"%s\" is not a number", latency);
	if (s->latency_ns > 60 * 1000000000ULL)
		return err_set(e, ERR_USAGE, "option \"latency-ns\": more than a minute");
	free(b->name);
	b->name = alloc_printf("%s://", b->drv->name);
	return b->name ? 0 : err_nomem(e);
}

static int null_wait(const struct block *b)
{
	const struct null_state *s = b->state;
	struct timespec t = { (time_t)(s->latency_ns / 1000000000), (long)(s->latency_ns % 1000000000) };

	while (s->latency_ns && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
	return 0;
}

static int null_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct null_state *s = b->state;

	(void)off;
	(void)e;
	if (s->read_zeros)
		memset(buf, 0, len);
	return null_wait(b);
}

static int null_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)buf;
	(void)len;
	(void)off;
	(void)e;
	return null_wait(b);
}

static int null_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	(void)len;
	(void)off;
	(void)how;
	(void)e;
	return null_wait(b);
}

static int null_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	return null_zero(b, len, off, 0, e);
}

static int null_flush(struct block *b, struct err *e)
{
	(void)e;
	return null_wait(b);
}

static int null_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	const struct null_state *s = b->state;

	(void)len;
	(void)e;
	out->flags = EXTENT_ALLOC | EXTENT_PLAIN | (s->read_zeros ? EXTENT_ZERO : EXTENT_DATA);
	out->host = b;
	out->host_off = off;
	return 0;
}

static uint64_t null_allocated(const struct block *b)
{
	(void)b;
	return 0;
}

#define NULL_OPS                                                                                                       \
	.state_size = sizeof(struct null_state), .is_protocol = true, .takes_names = true, .open = null_open,          \
	.pread = null_pread, .pwrite = null_pwrite, .zero = null_zero, .discard = null_discard, .flush = null_flush,   \
	.extent = null_extent, .allocated = null_allocated

const struct block_driver block_null_co = { .name = "null-co", NULL_OPS };
const struct block_driver block_null_aio = { .name = "null-aio", NULL_OPS };
