/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec_internal.h - between the codecs of each library and what chooses among them. */
#ifndef DRYDOCK_CODEC_INTERNAL_H
#define DRYDOCK_CODEC_INTERNAL_H

#include "codec.h"

/* All members are made at their first use. */
struct codec {
	struct codec *next; /* in the list of the idle ones */
	uint8_t *buffers[CODEC_BUFFERS];
	size_t sizes[CODEC_BUFFERS];
	struct deflate_work *deflate;
	struct zstd_work *zstd;
};

/* codec_deflate.c: ISA-L to compress fast, zlib to compress well, libdeflate to decompress, and zlib where that refuses. */
int deflate_decompress(struct codec *c, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e);
long deflate_compress(struct codec *c, int level, void *dst, size_t cap, const void *src, size_t src_len, struct err *e);
void deflate_work_free(struct deflate_work *w);

/* codec_zstd.c */
int zstd_decompress(struct codec *c, void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e);
long zstd_compress(struct codec *c, int level, void *dst, size_t cap, const void *src, size_t src_len, struct err *e);
void zstd_work_free(struct zstd_work *w);

#endif
