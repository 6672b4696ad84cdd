/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote.h - a source on a network, through the helper process that holds the connections (net_proto.h).
 *
 * For drivers.  A helper is started when a source is opened, and ends when it is closed, or when this process does.  What
 * was opened can be asked by a confined process, too, and by a child that was forked: it takes reading and writing of
 * descriptors and nothing else.  All functions but the first and last may be called from many threads at once.
 */
#ifndef DRYDOCK_REMOTE_H
#define DRYDOCK_REMOTE_H

#include "block_driver.h"
#include "dict.h"
#include "err.h"
#include "net_proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct remote;

struct remote_how {
	const char *helper;	   /* "drydock-http" */
	const char *name;	   /* of the source, in front of each error */
	const struct dict *opts;   /* for the helper */
	unsigned open_seconds;	   /* it must have connected by then */
	unsigned patience_seconds; /* no answer takes longer */
};

/* All strings are copied.  ERR_UNSUPPORTED: the helper is not installed. */
int remote_start(const struct remote_how *how, struct remote **out, struct err *e);
void remote_free(struct remote *r); /* NULL is fine */

/* What the server said, judged; lent. */
const struct net_hello *remote_hello(const struct remote *r);
/* The first bytes, of which hello tells how many there are: only before the first question. */
const void *remote_first(const struct remote *r);

/* Any range within the size: cut into questions, and widened where the server has blocks. */
int remote_read(struct remote *r, void *buf, size_t len, uint64_t off, struct err *e);
/*
 * A reader is about to want that range, within the size: some of it is fetched now, and nobody waits.  Only of a source that does
 * not change, as what was fetched is what a reader gets.
 */
void remote_expect(struct remote *r, uint64_t off, uint64_t len);
/* Begins and ends at blocks. */
int remote_write(struct remote *r, const void *buf, size_t len, uint64_t off, struct err *e);
/* NET_ZERO, NET_TRIM, NET_FLUSH with their flags; any length, in blocks. */
int remote_do(struct remote *r, enum net_op op, unsigned flags, uint64_t len, uint64_t off, struct err *e);
/* Runs from off on, at least one and at most NET_EXTENTS; their lengths are at least 1 and may reach beyond the range. */
int remote_map(struct remote *r, uint64_t len, uint64_t off, struct net_extent *out, size_t *n, struct err *e);

/*
 * Before a source is opened for b, which has its name: is it the same as that of an image above it, whose backing file it
 * would be (ERR_CORRUPT), or one too many (ERR_LIMIT: LIMIT_REMOTE_DEPTH)?
 */
int remote_judge_chain(const struct block *b, const struct block_env *env, struct err *e);

/* Where helpers are: free() it; NULL: nowhere. */
char *remote_helper_path(const char *helper);

#endif
