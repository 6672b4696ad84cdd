// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * codec_deflate.c - raw deflate: compressed by ISA-L where speed counts and by zlib where size does, decompressed by
 * libdeflate.
 *
 * libdeflate wants a stream that ends, in the buffer's size.  Some writers leave the end mark out, so what it refuses
 * is given to zlib, whose judgement is the one that counts: for a hostile cluster that is twice the work, not more.
 */
#include "codec_internal.h"

#include "alloc.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <string.h>
#include <zlib.h>

enum { WINDOW_BITS = 12, READ_WINDOW_BITS = 15, FAST_LEVEL = 2, FAST_BUFFER = ISAL_DEF_LVL2_DEFAULT };
/* What is looked at to tell whether compressing is worth the time. */
enum { SAMPLES = 4096, SAMPLE_RUN = 64, TRIAL = 4096 };

struct deflate_work {
	struct isal_zstream fast;
	uint8_t *fast_buffer;
	z_stream slow, inflate;
	int level; /* of slow; 0: not made yet */
	bool inflate_made;
	struct libdeflate_decompressor *reader;
	uint8_t trial[TRIAL];
};

void deflate_work_free(struct deflate_work *w)
{
	if (!w)
		return;
	free(w->fast_buffer);
	if (w->level)
		deflateEnd(&w->slow);
	if (w->inflate_made)
		inflateEnd(&w->inflate);
	if (w->reader)
		libdeflate_free_decompressor(w->reader);
	free(w);
}

static struct deflate_work *work_of(struct codec *c)
{
	if (!c->deflate)
		c->deflate = alloc_zero(sizeof *c->deflate);
	return c->deflate;
}

/* ---- decompressing ---- */

static int inflate_zlib(struct deflate_work *w, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	z_stream *z = &w->inflate;
	int rc = w->inflate_made ? inflateReset(z) : inflateInit2(z, -READ_WINDOW_BITS);

	if (rc != Z_OK)
		return rc == Z_MEM_ERROR ? err_nomem(e) : err_set(e, ERR_UNSUPPORTED, "zlib: error %d", rc);
	w->inflate_made = true;
	z->next_in = (Bytef *)(uintptr_t)src;
	z->avail_in = (uInt)src_len;
	z->next_out = dst;
	z->avail_out = (uInt)dst_len;
	rc = inflate(z, Z_FINISH);
	if (rc == Z_MEM_ERROR)
		return err_nomem(e);
	/* Some writers leave the end mark out, or bytes behind it: a full buffer is what counts. */
	if ((rc == Z_STREAM_END || rc == Z_BUF_ERROR || rc == Z_OK) && z->avail_out == 0)
		return 0;
	if (rc == Z_STREAM_END || rc == Z_BUF_ERROR || rc == Z_OK)
		return err_set(e, ERR_CORRUPT, "compressed data ends after %zu of %zu bytes", dst_len - z->avail_out,
			       dst_len);
	return err_set(e, ERR_CORRUPT, "broken deflate data");
}

int deflate_decompress(struct codec *c, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	struct deflate_work *w = work_of(c);
	size_t got = 0;

	if (w && !w->reader)
		w->reader = libdeflate_alloc_decompressor();
	if (!w || !w->reader)
		return err_nomem(e);
	if (libdeflate_deflate_decompress(w->reader, src, src_len, dst, dst_len, &got) == LIBDEFLATE_SUCCESS &&
	    got == dst_len)
		return 0;
	return inflate_zlib(w, dst, dst_len, src, src_len, e);
}

/* ---- compressing ---- */

/* 0: dst is too small. */
static long compress_fast(struct deflate_work *w, void *dst, size_t cap, const void *src, size_t src_len)
{
	struct isal_zstream *z = &w->fast;

	isal_deflate_stateless_init(z);
	z->next_in = (uint8_t *)(uintptr_t)src;
	z->avail_in = (uint32_t)src_len;
	z->next_out = dst;
	z->avail_out = (uint32_t)cap;
	z->end_of_stream = 1;
	z->flush = NO_FLUSH;
	z->gzip_flag = IGZIP_DEFLATE;
	z->hist_bits = WINDOW_BITS;
	z->level = FAST_LEVEL;
	z->level_buf = w->fast_buffer;
	z->level_buf_size = FAST_BUFFER;
	return isal_deflate_stateless(z) == COMP_OK ? (long)z->total_out : 0;
}

static long compress_zlib(struct deflate_work *w, int level, void *dst, size_t cap, const void *src, size_t src_len,
			  struct err *e)
{
	z_stream *z = &w->slow;
	int rc = Z_OK;

	if (w->level && w->level != level) {
		deflateEnd(z);
		w->level = 0;
	}
	rc = w->level ? deflateReset(z)
		      : deflateInit2(z, level, Z_DEFLATED, -WINDOW_BITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
	if (rc != Z_OK)
		return rc == Z_MEM_ERROR ? err_nomem(e) : err_set(e, ERR_UNSUPPORTED, "zlib: error %d", rc);
	w->level = level;
	z->next_in = (Bytef *)(uintptr_t)src;
	z->avail_in = (uInt)src_len;
	z->next_out = dst;
	z->avail_out = (uInt)cap;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? (long)(cap - z->avail_out) : 0;
}

/*
 * Do samples from all over src use all byte values about equally?  The sum of the squares of their counts is
 * SAMPLES * (SAMPLES / 256 + 1) for random bytes on average, with a deviation of about half a per cent; text, code and
 * tables have many times that.
 */
static bool looks_random(const uint8_t *src, size_t len)
{
	uint16_t counts[256] = { 0 };
	size_t step = len / (SAMPLES / SAMPLE_RUN);
	uint64_t sum = 0;

	for (size_t run = 0; run < SAMPLES / SAMPLE_RUN; run++)
		for (size_t i = 0; i < SAMPLE_RUN; i++)
			counts[src[run * step + i]]++;
	for (size_t i = 0; i < 256; i++)
		sum += (uint64_t)counts[i] * counts[i];
	return sum < (uint64_t)SAMPLES * (SAMPLES / 256 + 1) * 115 / 100;
}

/* Equal counts do not tell what repeats itself: a small part of it, compressed, does. */
static bool is_incompressible(struct deflate_work *w, const uint8_t *src, size_t len)
{
	return len >= 4 * SAMPLES && looks_random(src, len) &&
	       compress_fast(w, w->trial, sizeof w->trial - sizeof w->trial / 64, src + len / 2, TRIAL) == 0;
}

long deflate_compress(struct codec *c, int level, void *dst, size_t cap, const void *src, size_t src_len, struct err *e)
{
	struct deflate_work *w = work_of(c);

	if (w && !w->fast_buffer)
		w->fast_buffer = alloc_bytes(FAST_BUFFER);
	if (!w || !w->fast_buffer)
		return err_nomem(e);
	if (level != CODEC_FAST)
		return compress_zlib(w, level, dst, cap, src, src_len, e);
	if (is_incompressible(w, src, src_len))
		return 0;
	return compress_fast(w, dst, cap, src, src_len);
}
