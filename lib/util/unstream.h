/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unstream.h - a compressed file that is read from front to back: what unpack.h is for blocks.
 *
 * Memory is bounded, whatever the file asks for; how much comes out is the reader's to bound.
 */
#ifndef DRYDOCK_UNSTREAM_H
#define DRYDOCK_UNSTREAM_H

#include "unpack.h"

#include <stdbool.h>

/* By its first bytes (six are enough): is it compressed, and how?  GZIP, XZ or ZSTD. */
bool unstream_detect(const void *bytes, size_t len, enum unpack_alg *alg);

/* The next bytes of the compressed file, at most len; *got 0 at its end. */
typedef int (*unstream_fn)(void *arg, void *buf, size_t len, size_t *got, struct err *e);

struct unstream;
/* Several streams one after the other, as such files may have, are one. */
int unstream_new(enum unpack_alg alg, unstream_fn fn, void *arg, struct unstream **out, struct err *e);
void unstream_free(struct unstream *u); /* NULL is fine */
/* At most len bytes, at least one but at the end.  ERR_CORRUPT: it is damaged, or cut off; what came before was right. */
int unstream_read(struct unstream *u, void *buf, size_t len, size_t *got, struct err *e);

#endif
