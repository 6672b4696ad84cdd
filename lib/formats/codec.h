/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codec.h - one buffer in, one buffer out: the compressions that image formats use for a cluster or grain.
 *
 * What a library needs to work with (tables, windows, its own buffers) lives in a struct codec, which one thread uses
 * at a time, again and again: nothing is allocated for each cluster.  A struct codecs keeps as many of them as threads
 * were ever at work at once.
 *
 *	CLEANUP(codecs_give) struct codec_lease lease = codecs_take(&s->codecs, e);
 *	if (!lease.codec)
 *		return -(int)ERR_NOMEM;
 */
#ifndef DRYDOCK_CODEC_H
#define DRYDOCK_CODEC_H

#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

/* CODEC_DEFLATE has no header, and looks back at most 4 KiB (window bits 12), as qcow2 asks. */
enum codec_method { CODEC_DEFLATE, CODEC_ZSTD };
/* Deflate: zlib's levels 1 to 9; zstd: 1 to 19.  CODEC_FAST is made for speed, a little larger than zlib's usual level. */
enum { CODEC_FAST = 0, CODEC_DEFLATE_MAX = 9, CODEC_ZSTD_MAX = 19 };

/* NULL (e says so) when memory is out. */
struct codec *codec_new(struct err *e);
void codec_free(struct codec *c); /* NULL is fine */

/*
 * Fills exactly dst_len bytes from the start of src; what src has behind the end of the stream does not matter.
 * ERR_CORRUPT when the stream is broken or gives fewer bytes.
 */
int codec_decompress(struct codec *c, enum codec_method method, void *dst, size_t dst_len, const void *src,
		     size_t src_len, struct err *e);
/* Compresses all of src into at most cap bytes: the number of bytes, 0 when they are not enough, < 0 on error. */
long codec_compress(struct codec *c, enum codec_method method, int level, void *dst, size_t cap, const void *src,
		    size_t src_len, struct err *e);
/* A buffer of at least len bytes that belongs to c, until the next call of the same; two of them, 0 and 1. */
enum { CODEC_BUFFERS = 2 };
uint8_t *codec_buffer(struct codec *c, unsigned i, size_t len, struct err *e);

/* ---- for many threads ---- */

struct codecs {
	pthread_mutex_t lock;
	struct codec *idle;
	bool made;
};
struct codec_lease {
	struct codecs *of;
	struct codec *codec; /* NULL: memory is out */
};
int codecs_init(struct codecs *all, struct err *e);
/* Frees those that are idle: all must have been given back.  Zeroed memory is fine. */
void codecs_free(struct codecs *all);
struct codec_lease codecs_take(struct codecs *all, struct err *e);
void codecs_give(struct codec_lease *lease); /* for CLEANUP */

#endif
