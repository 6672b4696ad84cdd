/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_legs.c - mirrors: several legs, each of which has everything, or everything up to where its rebuilding has come.
 *
 * The first good leg is read, always the same while it can be: after a crash legs may differ where writes were under way.
 * A leg that fails gives way to the next and is not tried again, as a kernel would do it; so an image that fails at every
 * byte costs no more than one try of each leg.
 */
#include "lvm.h"

#include "alloc.h"
#include "block_driver.h"

#include <stdatomic.h>

struct legs_state {
	struct lvm_leg *legs;
	atomic_bool *failed;
	size_t n;
};

static void legs_close(struct block *b)
{
	struct legs_state *s = b->state;

	for (size_t i = 0; i < s->n; i++)
		block_unref(s->legs[i].block);
	free(s->legs);
	free(s->failed);
}

/* The leg for the bytes from off on, and in *len how many of them it has; s->n: none. */
static size_t leg_for(const struct legs_state *s, uint64_t off, uint64_t *len)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->legs[i].block || s->legs[i].good <= off || atomic_load(&s->failed[i]))
			continue;
		*len = MIN_OF(*len, s->legs[i].good - off);
		return i;
	}
	return s->n;
}

static int none_left(const struct err *last, struct err *e)
{
	if (last->code == ERR_NONE)
		return err_set(e, ERR_CORRUPT, "no leg of the mirror can be read there");
	if (e)
		*e = *last;
	return -(int)last->code;
}

static int legs_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct legs_state *s = b->state;
	struct err why = ERR_INIT;
	char *p = buf;

	/* It ends: each turn reads something or takes a leg away. */
	while (len) {
		uint64_t n = len;
		size_t leg = leg_for(s, off, &n);
		int rc;

		if (leg == s->n)
			return none_left(&why, e);
		rc = block_pread(s->legs[leg].block, p, (size_t)n, off, &why);
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc < 0) {
			atomic_store(&s->failed[leg], true);
			continue;
		}
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

static int legs_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	static const struct err nothing = ERR_INIT;
	struct legs_state *s = b->state;
	size_t leg = leg_for(s, off, &len);
	int rc;

	if (leg == s->n)
		return none_left(&nothing, e);
	rc = block_extent_chain(s->legs[leg].block, NULL, len, off, out, e);
	out->off = off;
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	return rc;
}

static const struct block_driver legs_driver = {
	.name = "lvm-mirror",
	.state_size = sizeof(struct legs_state),
	.close = legs_close,
	.pread = legs_pread,
	.extent = legs_extent,
};

int lvm_legs_new(const char *name, uint64_t size, const struct lvm_leg *legs, size_t n, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct legs_state *s;
	int rc = lvm_block_new(&legs_driver, name, size, &b, e);

	if (rc < 0)
		return rc;
	s = b->state;
	s->legs = alloc_array(n, sizeof *s->legs);
	s->failed = alloc_array(n, sizeof *s->failed);
	if (!s->legs || !s->failed)
		return err_nomem(e);
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		s->legs[i] = legs[i];
		if (legs[i].block)
			block_ref(legs[i].block);
	}
	*out = take(b);
	return 0;
}
