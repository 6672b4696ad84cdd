// SPDX-License-Identifier: LGPL-2.1-or-later
/* codec.c - deflate by zlib, zstd by libzstd. */
#include "codec.h"

#include <stdint.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

int codec_inflate_raw(void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src, .avail_in = (uInt)src_len,
		       .next_out = dst, .avail_out = (uInt)dst_len };
	int rc = inflateInit2(&z, -15);

	if (rc != Z_OK)
		return rc == Z_MEM_ERROR ? err_nomem(e) : err_set(e, ERR_UNSUPPORTED, "zlib: error %d", rc);
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc == Z_MEM_ERROR)
		return err_nomem(e);
	/* Some writers leave the end mark out, or bytes behind it: a full buffer is what counts. */
	if ((rc == Z_STREAM_END || rc == Z_BUF_ERROR || rc == Z_OK) && z.avail_out == 0)
		return 0;
	if (rc == Z_STREAM_END || rc == Z_BUF_ERROR || rc == Z_OK)
		return err_set(e, ERR_CORRUPT, "compressed data ends after %zu of %zu bytes", dst_len - z.avail_out,
			       dst_len);
	return err_set(e, ERR_CORRUPT, "broken deflate data");
}

long codec_deflate_raw(void *dst, size_t cap, const void *src, size_t src_len, struct err *e)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src, .avail_in = (uInt)src_len,
		       .next_out = dst, .avail_out = (uInt)cap };
	int rc = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY);

	if (rc != Z_OK)
		return rc == Z_MEM_ERROR ? err_nomem(e) : err_set(e, ERR_UNSUPPORTED, "zlib: error %d", rc);
	rc = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return rc == Z_STREAM_END ? (long)(cap - z.avail_out) : 0;
}

int codec_zstd_decompress(void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e)
{
	ZSTD_outBuffer out = { .dst = dst, .size = dst_len };
	ZSTD_inBuffer in = { .src = src, .size = src_len };
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t rc = 0;

	if (!d)
		return err_nomem(e);
	/* Ends: a turn that neither eats nor gives is the last. */
	while (out.pos < out.size) {
		size_t before = in.pos + out.pos;

		rc = ZSTD_decompressStream(d, &out, &in);
		if (ZSTD_isError(rc) || in.pos + out.pos == before)
			break;
	}
	ZSTD_freeDCtx(d);
	if (ZSTD_isError(rc))
		return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation
			       ? err_nomem(e)
			       : err_set(e, ERR_CORRUPT, "broken zstd data: %s", ZSTD_getErrorName(rc));
	if (out.pos < out.size)
		return err_set(e, ERR_CORRUPT, "compressed data ends after %zu of %zu bytes", out.pos, dst_len);
	return 0;
}

long codec_zstd_compress(void *dst, size_t cap, const void *src, size_t src_len, struct err *e)
{
	size_t rc = ZSTD_compress(dst, cap, src, src_len, ZSTD_CLEVEL_DEFAULT);

	if (!ZSTD_isError(rc))
		return (long)rc;
	if (ZSTD_getErrorCode(rc) == ZSTD_error_dstSize_tooSmall)
		return 0;
	return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation
		       ? err_nomem(e)
		       : err_set(e, ERR_UNSUPPORTED, "zstd: %s", ZSTD_getErrorName(rc));
}
