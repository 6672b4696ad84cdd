/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack.c - one entry over the libraries that decompress. */
#include "unpack.h"

#include "alloc.h"
#include "limits.h"
#include "lzo.h"

#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

struct unpacker {
	enum unpack_alg alg;
	struct libdeflate_decompressor *deflate;
	ZSTD_DCtx *zstd;
};

const char *unpack_name(enum unpack_alg alg)
{
	static const char *const names[] = { [UNPACK_ZLIB] = "gzip", [UNPACK_GZIP] = "gzip", [UNPACK_XZ] = "xz",
					     [UNPACK_LZO] = "lzo",   [UNPACK_LZ4] = "lz4",   [UNPACK_ZSTD] = "zstd" };

	return names[alg];
}

void unpacker_free(struct unpacker *u)
{
	if (!u)
		return;
	libdeflate_free_decompressor(u->deflate);
	ZSTD_freeDCtx(u->zstd);
	free(u);
}

int unpacker_new(enum unpack_alg alg, struct unpacker **out, struct err *e)
{
	struct unpacker *u = alloc_zero(sizeof *u);
	bool made = u != NULL;

	if (!u)
		return err_nomem(e);
	u->alg = alg;
	if (alg == UNPACK_ZLIB || alg == UNPACK_GZIP) {
		u->deflate = libdeflate_alloc_decompressor();
		made = u->deflate != NULL;
	} else if (alg == UNPACK_ZSTD) {
		u->zstd = ZSTD_createDCtx();
		made = u->zstd != NULL;
	}
	if (!made) {
		unpacker_free(u);
		return err_nomem(e);
	}
	*out = u;
	return 0;
}

/* All of these: 1 done, 0 no such stream or longer than cap, < 0 out of memory. */

static int deflate_unpack(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	if (u->alg == UNPACK_GZIP)
		return libdeflate_gzip_decompress(u->deflate, in, len, out, cap, got) == LIBDEFLATE_SUCCESS;
	return libdeflate_zlib_decompress(u->deflate, in, len, out, cap, got) == LIBDEFLATE_SUCCESS;
}

static int xz_unpack(const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	uint64_t memory = LIMIT_XZ_MEMORY;
	size_t in_pos = 0;
	lzma_ret rc;

	*got = 0;
	rc = lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_pos, len, out, got, cap);
	return rc == LZMA_MEM_ERROR ? -ERR_NOMEM : rc == LZMA_OK;
}

static int lz4_unpack(const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	int n;

	if (len > INT_MAX || cap > INT_MAX)
		return 0;
	n = LZ4_decompress_safe(in, out, (int)len, (int)cap);
	*got = n > 0 ? (size_t)n : 0;
	return n >= 0;
}

static int zstd_unpack(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	size_t n = ZSTD_decompressDCtx(u->zstd, out, cap, in, len);

	*got = ZSTD_isError(n) ? 0 : n;
	return !ZSTD_isError(n);
}

int unpack(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got, struct err *e)
{
	int rc = 0;

	*got = 0;
	switch (u->alg) {
	case UNPACK_ZLIB:
	case UNPACK_GZIP:
		rc = deflate_unpack(u, in, len, out, cap, got);
		break;
	case UNPACK_XZ:
		rc = xz_unpack(in, len, out, cap, got);
		break;
	case UNPACK_LZO:
		rc = lzo_decompress(out, cap, in, len, got);
		break;
	case UNPACK_LZ4:
		rc = lz4_unpack(in, len, out, cap, got);
		break;
	case UNPACK_ZSTD:
		rc = zstd_unpack(u, in, len, out, cap, got);
		break;
	}
	if (rc < 0)
		return err_nomem(e);
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "%zu bytes that do not decompress by %s to at most %zu", len, unpack_name(u->alg),
			       cap);
	return 0;
}

/* ---- up to the end of the stream, or of the room ---- */

/* libdeflate wants room for all; where there is less, zlib gives what fits. */
static int deflate_some(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	bool gzip = u->alg == UNPACK_GZIP;
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)cap };
	size_t used;
	int rc = gzip ? (int)libdeflate_gzip_decompress_ex(u->deflate, in, len, out, cap, &used, got)
		      : (int)libdeflate_zlib_decompress_ex(u->deflate, in, len, out, cap, &used, got);

	if (rc == LIBDEFLATE_SUCCESS)
		return 1;
	if (rc != LIBDEFLATE_INSUFFICIENT_SPACE || len > UINT_MAX || cap > UINT_MAX)
		return 0;
	if (inflateInit2(&z, gzip ? MAX_WBITS + 16 : MAX_WBITS) != Z_OK)
		return -ERR_NOMEM;
	rc = inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	*got = cap - z.avail_out;
	return (rc == Z_OK || rc == Z_BUF_ERROR) && z.avail_out == 0;
}

static int zstd_some(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, len), rc;
	ZSTD_inBuffer from = { in, len, 0 };
	ZSTD_outBuffer to = { out, cap, 0 };

	/* In one go it needs no window. */
	if (!ZSTD_isError(frame) && zstd_unpack(u, in, frame, out, cap, got))
		return 1;
	rc = ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only);
	if (!ZSTD_isError(rc))
		rc = ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG);
	/* Ends: a turn that neither eats nor gives is the last. */
	while (!ZSTD_isError(rc) && to.pos < to.size) {
		size_t before = from.pos + to.pos;

		rc = ZSTD_decompressStream(u->zstd, &to, &from);
		if (rc == 0 || from.pos + to.pos == before)
			break;
	}
	*got = to.pos;
	return !ZSTD_isError(rc) && (rc == 0 || to.pos == to.size);
}

int unpack_some(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got, struct err *e)
{
	int rc;

	*got = 0;
	if (u->alg == UNPACK_ZSTD)
		rc = zstd_some(u, in, len, out, cap, got);
	else if (u->alg == UNPACK_ZLIB || u->alg == UNPACK_GZIP)
		rc = deflate_some(u, in, len, out, cap, got);
	else
		return unpack(u, in, len, out, cap, got, e);
	if (rc < 0)
		return err_nomem(e);
	return rc ? 0 : err_set(e, ERR_CORRUPT, "%zu bytes that do not decompress by %s", len, unpack_name(u->alg));
}
