// SPDX-License-Identifier: LGPL-2.1-or-later
/* codec_zstd.c - zstd by libzstd, with contexts that are used again. */
#include "codec_internal.h"

#include "alloc.h"
#include "limits.h"

#include <zstd.h>
#include <zstd_errors.h>

/* The level of CODEC_FAST: a quarter less work than the library's usual 3, and one or two per cent larger. */
enum { FAST_LEVEL = 2 };

struct zstd_work {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
};

void zstd_work_free(struct zstd_work *w)
{
	if (!w)
		return;
	ZSTD_freeCCtx(w->c);
	ZSTD_freeDCtx(w->d);
	free(w);
}

static struct zstd_work *work_of(struct codec *c)
{
	if (!c->zstd)
		c->zstd = alloc_zero(sizeof *c->zstd);
	return c->zstd;
}

static int error_of(size_t rc, struct err *e)
{
	if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
		return err_nomem(e);
	return err_set(e, ERR_CORRUPT, "broken zstd data: %s", ZSTD_getErrorName(rc));
}

/*
 * Piece by piece: for a frame that holds more than was asked for, and for several frames behind each other.  This needs
 * a window as large as the frame says, so what it says has a limit here.
 */
static int decompress_stream(ZSTD_DCtx *d, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	ZSTD_outBuffer out = { .dst = dst, .size = dst_len };
	ZSTD_inBuffer in = { .src = src, .size = src_len };
	size_t rc = ZSTD_DCtx_reset(d, ZSTD_reset_session_only);

	if (!ZSTD_isError(rc))
		rc = ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG);
	/* Ends: a turn that neither eats nor gives is the last. */
	while (!ZSTD_isError(rc) && out.pos < out.size) {
		size_t before = in.pos + out.pos;

		rc = ZSTD_decompressStream(d, &out, &in);
		if (in.pos + out.pos == before)
			break;
	}
	if (ZSTD_isError(rc))
		return error_of(rc, e);
	if (out.pos < out.size)
		return err_set(e, ERR_CORRUPT, "compressed data ends after %zu of %zu bytes", out.pos, dst_len);
	return 0;
}

int zstd_decompress(struct codec *c, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	struct zstd_work *w = work_of(c);
	size_t frame = ZSTD_findFrameCompressedSize(src, src_len);

	if (w && !w->d)
		w->d = ZSTD_createDCtx();
	if (!w || !w->d)
		return err_nomem(e);
	/* One frame of just this length, which is what everybody writes, goes straight into dst and needs no window. */
	if (!ZSTD_isError(frame) && ZSTD_decompressDCtx(w->d, dst, dst_len, src, frame) == dst_len)
		return 0;
	return decompress_stream(w->d, dst, dst_len, src, src_len, e);
}

long zstd_compress(struct codec *c, int level, void *dst, size_t cap, const void *src, size_t src_len, struct err *e)
{
	struct zstd_work *w = work_of(c);
	size_t rc;

	if (w && !w->c)
		w->c = ZSTD_createCCtx();
	if (!w || !w->c)
		return err_nomem(e);
	rc = ZSTD_compressCCtx(w->c, dst, cap, src, src_len, level == CODEC_FAST ? FAST_LEVEL : level);
	if (!ZSTD_isError(rc))
		return (long)rc;
	if (ZSTD_getErrorCode(rc) == ZSTD_error_dstSize_tooSmall)
		return 0;
	return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation
		       ? err_nomem(e)
		       : err_set(e, ERR_UNSUPPORTED, "zstd: %s", ZSTD_getErrorName(rc));
}
