/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h - disks that come and go through pipes.
 *
 * What comes: a raw disk is a node without a size that can only be read on, by the copy engine.  Every other format
 * needs to be read here and there, so it is kept in a file without a name first, and is then an image like any other.
 *
 * What goes: a node that takes writes from any thread and lets each wait until it is its turn.
 */
#ifndef DRYDOCK_STREAM_H
#define DRYDOCK_STREAM_H

#include "block.h"

#include <stdatomic.h>

/*
 * The disk that the descriptor fd gives (which stays the caller's, open as long as the block).  A regular file that is
 * at its beginning is opened as an image.  Otherwise how->format, or the first bytes, tell whether it is raw.
 */
int block_stream_open(int fd, const struct block_open *how, struct block **out, struct err *e);
/* Is it one that can only be read on?  Its size is 0. */
bool block_is_stream(const struct block *b);
/* The next len bytes; *got is less only at the end.  When *stop becomes true (NULL: never) it is ERR_CANCELED. */
int block_stream_read(struct block *b, void *buf, size_t len, const atomic_bool *stop, size_t *got, struct err *e);

/*
 * A node of `size` bytes whose bytes go to fd, front to back: a write waits until all before it is written.  So
 * everything must be written, and once.  fd stays the caller's.
 */
int block_pipe_open(int fd, uint64_t size, struct block **out, struct err *e);
/* Whoever waits, or will, gets ERR_CANCELED: a write that they wait for will not come.  Not a pipe: nothing. */
void block_pipe_break(struct block *b);

/* A file without a name, in TMPDIR or /var/tmp: its descriptor, or < 0. */
int stream_temporary(struct err *e);
/* The folder in which that is. */
const char *stream_folder(void);

#endif
