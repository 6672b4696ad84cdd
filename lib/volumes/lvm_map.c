/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_map.c - a volume made of pieces after each other, each of them zeros, a part of another block, or stripes that take
 * turns over several.  It can be written to where all that it is made of can.
 */
#include "lvm.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"

#include <inttypes.h>

struct map_state {
	struct lvm_piece *pieces;
	uint64_t *starts; /* of the pieces, in bytes */
	size_t n;
};

void lvm_pieces_free(struct lvm_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < pieces[i].nstripes; k++)
			block_unref(pieces[i].stripes[k].block);
		free(pieces[i].stripes);
	}
	free(pieces);
}

static void map_close(struct block *b)
{
	struct map_state *s = b->state;

	lvm_pieces_free(s->pieces, s->n);
	free(s->starts);
}

/* Where a byte lies: in which block (NULL: it is a zero) and where, and how many follow it there, at most len. */
struct place {
	struct block *block;
	uint64_t off, len;
};

static struct place map_find(const struct map_state *s, uint64_t off, uint64_t len)
{
	size_t from = 0, to = s->n;
	const struct lvm_piece *p;
	const struct lvm_stripe *stripe;
	uint64_t chunk, in_chunk;

	while (to - from > 1) {
		size_t mid = from + (to - from) / 2;

		if (s->starts[mid] <= off)
			from = mid;
		else
			to = mid;
	}
	p = &s->pieces[from];
	off -= s->starts[from];
	len = MIN_OF(len, p->len - off);
	if (p->nstripes == 0)
		return (struct place){ NULL, 0, len };
	if (p->nstripes == 1)
		return (struct place){ p->stripes->block, p->stripes->off + off, len };
	chunk = off / p->stripe_size;
	in_chunk = off % p->stripe_size;
	stripe = &p->stripes[chunk % p->nstripes];
	return (struct place){ stripe->block, stripe->off + chunk / p->nstripes * p->stripe_size + in_chunk,
			       MIN_OF(len, p->stripe_size - in_chunk) };
}

static int map_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	char *p = buf;

	while (len) {
		struct place at = map_find(b->state, off, len);
		int rc = 0;

		if (at.block)
			rc = block_pread(at.block, p, (size_t)at.len, at.off, e);
		else
			memset(p, 0, (size_t)at.len);
		if (rc < 0)
			return rc;
		p += at.len;
		off += at.len;
		len -= (size_t)at.len;
	}
	return 0;
}

static int map_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	const char *p = buf;

	while (len) {
		struct place at = map_find(b->state, off, len);
		int rc = block_pwrite(at.block, p, (size_t)at.len, at.off, e);

		if (rc < 0)
			return rc;
		p += at.len;
		off += at.len;
		len -= (size_t)at.len;
	}
	return 0;
}

static int map_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	while (len) {
		struct place at = map_find(b->state, off, len);
		int rc = block_zero(at.block, at.len, at.off, how, e);

		if (rc < 0)
			return rc;
		off += at.len;
		len -= at.len;
	}
	return 0;
}

static int map_flush(struct block *b, struct err *e)
{
	const struct map_state *s = b->state;
	int rc = 0;

	for (size_t i = 0; i < s->n && rc == 0; i++)
		for (uint32_t k = 0; k < s->pieces[i].nstripes && rc == 0; k++)
			rc = block_flush(s->pieces[i].stripes[k].block, e);
	return rc;
}

/* Pieces that are zeros are no place for anything. */
static bool map_takes_writes(const struct map_state *s)
{
	bool all = s->n > 0;

	for (size_t i = 0; i < s->n; i++) {
		all = all && s->pieces[i].nstripes > 0;
		for (uint32_t k = 0; k < s->pieces[i].nstripes; k++)
			all = all && block_writable(s->pieces[i].stripes[k].block);
	}
	return all;
}

static int map_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct place at = map_find(b->state, off, len);
	int rc;

	if (!at.block) {
		out->len = at.len;
		out->flags = EXTENT_ZERO | EXTENT_ALLOC;
		return 0;
	}
	rc = block_extent_chain(at.block, NULL, at.len, at.off, out, e);
	out->off = off;
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	return rc;
}

static const struct block_driver map_driver = {
	.name = "lvm",
	.state_size = sizeof(struct map_state),
	.close = map_close,
	.pread = map_pread,
	.pwrite = map_pwrite,
	.zero = map_zero,
	.flush = map_flush,
	.extent = map_extent,
};

int lvm_block_new(const struct block_driver *drv, const char *name, uint64_t size, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	int rc = block_new_filter(drv, NULL, &b, e);

	if (rc < 0)
		return rc;
	free(b->name);
	b->name = alloc_strdup(name);
	if (!b->name)
		return err_nomem(e);
	b->size = size;
	*out = take(b);
	return 0;
}

int lvm_map_new(const char *name, struct lvm_piece *pieces, size_t n, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct map_state *s;
	uint64_t size = 0;
	int rc = lvm_block_new(&map_driver, name, 0, &b, e);

	if (rc < 0) {
		lvm_pieces_free(pieces, n);
		return rc;
	}
	s = b->state;
	s->pieces = pieces;
	s->n = n;
	s->starts = alloc_array(n, sizeof *s->starts);
	if (!s->starts)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		s->starts[i] = size;
		size += pieces[i].len;
	}
	b->size = size;
	if (map_takes_writes(s))
		b->flags |= BLOCK_WRITE;
	*out = take(b);
	return 0;
}
