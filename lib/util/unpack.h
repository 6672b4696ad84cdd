/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack.h - blocks that were compressed whole by a common algorithm: what filesystems and logs of guests hold.
 *
 * The length of what comes out is bounded by the caller, so that a small block cannot become a large one; nothing is kept
 * between calls but the libraries' own working memory, which is bounded as well.
 */
#ifndef DRYDOCK_UNPACK_H
#define DRYDOCK_UNPACK_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

enum unpack_alg {
	UNPACK_ZLIB, /* RFC 1950 */
	UNPACK_GZIP, /* RFC 1952, one member */
	UNPACK_XZ,   /* .xz streams, also with filters for machine code */
	UNPACK_LZO,  /* LZO1X, without any header */
	UNPACK_LZ4,  /* one LZ4 block, without a frame */
	UNPACK_ZSTD, /* RFC 8878 */
};

/* The word that people know it by: "gzip" for the first two, "xz" ... */
const char *unpack_name(enum unpack_alg alg);

struct unpacker;
/* For one thread at a time. */
int unpacker_new(enum unpack_alg alg, struct unpacker **out, struct err *e);
void unpacker_free(struct unpacker *u); /* NULL is fine */
/*
 * Decompresses the whole of `in` to at most cap bytes of out; *got is their number.  ERR_CORRUPT when it is no such stream,
 * or is longer than cap.
 */
int unpack(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got, struct err *e);
/*
 * The same where neither length is known but as an upper bound: the stream (ZLIB, GZIP, ZSTD) may end before `in` does, and
 * what does not fit is left; the block (LZO) may end before `in` does.
 */
int unpack_some(struct unpacker *u, const void *in, size_t len, void *out, size_t cap, size_t *got, struct err *e);

#endif
