/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unpack.c - one entry over the libraries that decompress. */
#include "unpack.h"

#include "alloc.h"
#include "limits.h"

#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
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

static int lzo_unpack(const void *in, size_t len, void *out, size_t cap, size_t *got)
{
	lzo_uint n = cap;
	int rc = lzo1x_decompress_safe(in, len, out, &n, NULL);

	*got = n;
	/* What follows the end mark is not looked at: a block may be padded. */
	return rc == LZO_E_OK || rc == LZO_E_INPUT_NOT_CONSUMED;
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
		rc = lzo_unpack(in, len, out, cap, got);
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
