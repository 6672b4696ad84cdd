/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unstream.h"

#include "alloc.h"
#include "limits.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define IN_SIZE (64 * 1024)

struct unstream {
	enum unpack_alg alg;
	unstream_fn fn;
	void *arg;
	uint8_t *in;
	size_t pos, have; /* in `in` */
	bool in_ended, between, ended; /* between: a stream has ended, and another may follow */
	struct err why;		       /* told when what came before it was read */
	bool has_gzip;
	z_stream gzip;
	lzma_stream xz;
	ZSTD_DStream *zstd;
};

bool unstream_detect(const void *bytes, size_t len, enum unpack_alg *alg)
{
	static const struct {
		const char *magic;
		size_t len;
		enum unpack_alg alg;
	} known[] = { { "\x1f\x8b", 2, UNPACK_GZIP }, { "\xfd" "7zXZ\0", 6, UNPACK_XZ }, { "\x28\xb5\x2f\xfd", 4, UNPACK_ZSTD } };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (len >= known[i].len && memcmp(bytes, known[i].magic, known[i].len) == 0) {
			*alg = known[i].alg;
			return true;
		}
	}
	return false;
}

int unstream_new(enum unpack_alg alg, unstream_fn fn, void *arg, struct unstream **out, struct err *e)
{
	struct unstream *u = alloc_zero(sizeof *u);
	bool made = false;

	if (!u)
		return err_nomem(e);
	*u = (struct unstream){ .alg = alg, .fn = fn, .arg = arg, .in = alloc_bytes(IN_SIZE), .xz = LZMA_STREAM_INIT };
	if (alg == UNPACK_GZIP)
		made = u->has_gzip = inflateInit2(&u->gzip, MAX_WBITS + 16) == Z_OK;
	else if (alg == UNPACK_XZ)
		made = lzma_stream_decoder(&u->xz, LIMIT_XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK;
	else if (alg == UNPACK_ZSTD)
		made = (u->zstd = ZSTD_createDStream()) &&
		       !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG));
	if (!u->in || !made) {
		unstream_free(u);
		return err_nomem(e);
	}
	*out = u;
	return 0;
}

void unstream_free(struct unstream *u)
{
	if (!u)
		return;
	if (u->has_gzip)
		inflateEnd(&u->gzip);
	lzma_end(&u->xz);
	ZSTD_freeDStream(u->zstd);
	free(u->in);
	free(u);
}

static int damaged(const struct unstream *u, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "what is compressed by %s there is damaged", unpack_name(u->alg));
}

/* Each of these takes from in[pos..have) and gives *got bytes; u->between when a stream has ended. */

static int gzip_step(struct unstream *u, void *buf, size_t len, size_t *got, struct err *e)
{
	z_stream *z = &u->gzip;
	int rc;

	if (u->between && inflateReset(z) != Z_OK)
		return damaged(u, e);
	u->between = false;
	z->next_in = u->in + u->pos;
	z->avail_in = (uInt)(u->have - u->pos);
	z->next_out = buf;
	z->avail_out = (uInt)MIN_OF(len, (size_t)INT32_MAX);
	len = z->avail_out;
	rc = inflate(z, Z_NO_FLUSH);
	*got = len - z->avail_out;
	u->pos = u->have - z->avail_in;
	if (rc == Z_MEM_ERROR)
		return err_nomem(e);
	u->between = rc == Z_STREAM_END;
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? 0 : damaged(u, e);
}

static int xz_step(struct unstream *u, void *buf, size_t len, size_t *got, struct err *e)
{
	lzma_ret rc;

	u->xz.next_in = u->in + u->pos;
	u->xz.avail_in = u->have - u->pos;
	u->xz.next_out = buf;
	u->xz.avail_out = len;
	rc = lzma_code(&u->xz, u->in_ended ? LZMA_FINISH : LZMA_RUN);
	*got = len - u->xz.avail_out;
	u->pos = u->have - u->xz.avail_in;
	if (rc == LZMA_MEM_ERROR)
		return err_nomem(e);
	if (rc == LZMA_MEMLIMIT_ERROR)
		return err_set(e, ERR_LIMIT, "what is compressed by xz there needs more than %llu MiB of memory",
			       LIMIT_XZ_MEMORY / MiB);
	u->ended = rc == LZMA_STREAM_END;
	return rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR ? 0 : damaged(u, e);
}

static int zstd_step(struct unstream *u, void *buf, size_t len, size_t *got, struct err *e)
{
	ZSTD_inBuffer from = { u->in, u->have, u->pos };
	ZSTD_outBuffer to = { buf, len, 0 };
	size_t rc = ZSTD_decompressStream(u->zstd, &to, &from);

	*got = to.pos;
	u->pos = from.pos;
	u->between = rc == 0;
	return ZSTD_isError(rc) ? damaged(u, e) : 0;
}

int unstream_read(struct unstream *u, void *buf, size_t len, size_t *got, struct err *e)
{
	*got = 0;
	if (u->why.code) {
		if (e)
			*e = u->why;
		return -(int)u->why.code;
	}
	/* Ends: each turn gives something, or takes from the file, which ends. */
	while (!u->ended && len) {
		size_t before;
		int rc;

		if (u->pos == u->have && !u->in_ended) {
			u->pos = u->have = 0;
			rc = u->fn(u->arg, u->in, IN_SIZE, &u->have, e);
			if (rc < 0)
				return rc;
			u->in_ended = u->have == 0;
		}
		if (u->in_ended && u->pos == u->have && u->between) {
			u->ended = true;
			break;
		}
		before = u->pos;
		rc = u->alg == UNPACK_GZIP ? gzip_step(u, buf, len, got, &u->why)
		     : u->alg == UNPACK_XZ ? xz_step(u, buf, len, got, &u->why)
					   : zstd_step(u, buf, len, got, &u->why);
		if (*got)
			return 0;
		if (rc == 0 && u->in_ended && u->pos == before && !u->ended && !u->between)
			rc = err_set(&u->why, ERR_CORRUPT, "what is compressed by %s there is cut off", unpack_name(u->alg));
		if (rc < 0) {
			if (e)
				*e = u->why;
			return rc;
		}
	}
	return 0;
}
