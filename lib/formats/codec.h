/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codec.h - one buffer in, one buffer out: the compressions that image formats use for a cluster or grain.
 *
 * Calls keep nothing between each other and may run in any number of threads.
 */
#ifndef DRYDOCK_CODEC_H
#define DRYDOCK_CODEC_H

#include "err.h"

#include <stddef.h>

/*
 * Fill exactly dst_len bytes from the start of src; what src has behind the end of the stream does not matter.
 * ERR_CORRUPT when the stream is broken or gives fewer bytes.  inflate_raw: deflate without any header.
 */
int codec_inflate_raw(void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e);
int codec_zstd_decompress(void *dst, size_t dst_len, const void *src, size_t src_len, struct err *e);

/*
 * Compress all of src into at most cap bytes: the number of bytes, 0 when they are not enough, < 0 on error.
 * deflate_raw looks back at most 4 KiB (window bits 12), as qcow2 asks.
 */
long codec_deflate_raw(void *dst, size_t cap, const void *src, size_t src_len, struct err *e);
long codec_zstd_compress(void *dst, size_t cap, const void *src, size_t src_len, struct err *e);

#endif
