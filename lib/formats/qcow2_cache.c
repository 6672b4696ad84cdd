// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_cache.c - bounded write-back cache of metadata: L2 slices, refcount blocks.
 *
 * A fixed number of entries of one size, found by host offset through a hash, replaced by least use.  The memory of an
 * entry is taken when it is first filled, so that a large bound costs nothing on a small image.  The cache knows
 * nothing of the order in which things must be written: when only dirty entries are left it says so, and
 * qcow2_meta_get() writes them.
 */
#include "qcow2.h"

#include <inttypes.h>

#define NO_OFF UINT64_MAX
/* So many dirty entries at the old end, and all dirty ones are written. */
#define DIRTY_RUN 64

int qcow2_cache_init(struct qcow2_cache *c, unsigned entry_size, uint64_t bytes, struct err *e)
{
	uint64_t n = bytes / entry_size;

	*c = (struct qcow2_cache){ .size = entry_size };
	/* Copying a table needs two entries at once, and one is pinned while its neighbours are fetched. */
	c->n = (int)MIN_OF(MAX_OF(n, 4), 1U << 20);
	c->nhash = 16;
	while (c->nhash < c->n)
		c->nhash *= 2;
	c->e = alloc_array((size_t)c->n, sizeof *c->e);
	c->hash = alloc_array((size_t)c->nhash, sizeof *c->hash);
	if (!c->e || !c->hash)
		return err_nomem(e);
	qcow2_cache_drop(c);
	return 0;
}

void qcow2_cache_free(struct qcow2_cache *c)
{
	for (int i = 0; c->e && i < c->n; i++)
		free(c->e[i].data);
	free(c->e);
	free(c->hash);
	*c = (struct qcow2_cache){ .size = 0 };
}

void qcow2_cache_drop(struct qcow2_cache *c)
{
	for (int i = 0; i < c->nhash; i++)
		c->hash[i] = -1;
	for (int i = 0; i < c->n; i++) {
		struct qcow2_cache_entry *x = &c->e[i];

		x->off = NO_OFF;
		x->next = -1;
		x->newer = i - 1;
		x->older = i + 1 < c->n ? i + 1 : -1;
		x->used = 0;
		x->dirty = false;
		x->pins = 0;
	}
	c->newest = 0;
	c->oldest = c->n - 1;
	c->ndirty = 0;
}

/* Takes x out of the order of use. */
static void unlist(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	*(x->newer >= 0 ? &c->e[x->newer].older : &c->newest) = x->older;
	*(x->older >= 0 ? &c->e[x->older].newer : &c->oldest) = x->newer;
}

static void use(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	int i = (int)(x - c->e);

	x->pins++;
	x->used = ++c->clock;
	if (c->newest == i)
		return;
	unlist(c, x);
	x->newer = -1;
	x->older = c->newest;
	c->e[c->newest].newer = i;
	c->newest = i;
}

/* Makes x the first to be replaced. */
static void disuse(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	int i = (int)(x - c->e);

	if (c->oldest == i)
		return;
	unlist(c, x);
	x->older = -1;
	x->newer = c->oldest;
	c->e[c->oldest].older = i;
	c->oldest = i;
}

static int *bucket(struct qcow2_cache *c, uint64_t off)
{
	uint64_t h = (off / c->size) * 0x9e3779b97f4a7c15ULL;

	return &c->hash[(h >> 32) & (uint64_t)(c->nhash - 1)];
}

static void unhash(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	int *link = bucket(c, x->off);

	while (*link != (int)(x - c->e))
		link = &c->e[*link].next;
	*link = x->next;
	x->next = -1;
	x->off = NO_OFF;
}

void qcow2_cache_clean(struct qcow2_cache *c, unsigned interval)
{
	struct timespec now;

	if (!interval || !c->n)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (!c->cleaned)
		c->cleaned = now.tv_sec;
	if (now.tv_sec - c->cleaned < (time_t)interval)
		return;
	for (int i = 0; i < c->n; i++) {
		struct qcow2_cache_entry *x = &c->e[i];

		if (x->dirty || x->pins || x->used > c->clean_clock)
			continue;
		if (x->off != NO_OFF)
			unhash(c, x);
		free(take(x->data));
		disuse(c, x);
	}
	c->cleaned = now.tv_sec;
	c->clean_clock = c->clock;
}

struct qcow2_cache_entry *qcow2_cache_find(struct qcow2_cache *c, uint64_t off)
{
	for (int i = *bucket(c, off); i >= 0; i = c->e[i].next) {
		struct qcow2_cache_entry *x = &c->e[i];

		if (x->off == off) {
			use(c, x);
			return x;
		}
	}
	return NULL;
}

struct qcow2_cache_entry *qcow2_cache_new(struct qcow2_cache *c, uint64_t off, bool *full, struct err *e)
{
	struct qcow2_cache_entry *best = NULL;
	unsigned ndirty = 0;
	int *head;

	*full = false;
	for (int i = c->oldest; i >= 0; i = c->e[i].newer) {
		struct qcow2_cache_entry *x = &c->e[i];

		if (x->pins)
			continue;
		if (!x->dirty) {
			best = x;
			break;
		}
		/* The oldest are dirty: it is time to write, rather than to throw away what was used just now. */
		if (++ndirty >= DIRTY_RUN)
			break;
	}
	if (!best && ndirty) {
		*full = true;
		return NULL;
	}
	if (!best) {
		err_set(e, ERR_LIMIT, "all %d entries of a metadata cache are in use: make the cache larger", c->n);
		return NULL;
	}
	if (best->off != NO_OFF)
		unhash(c, best);
	if (!best->data) {
		best->data = alloc_aligned(4096, c->size);
		if (!best->data) {
			err_nomem(e);
			return NULL;
		}
	}
	head = bucket(c, off);
	best->off = off;
	best->next = *head;
	*head = (int)(best - c->e);
	use(c, best);
	return best;
}

void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	if (!x->dirty)
		c->ndirty++;
	x->dirty = true;
}

void qcow2_cache_forget(struct qcow2_cache *c, struct qcow2_cache_entry *x)
{
	x->pins--;
	if (x->dirty)
		c->ndirty--;
	x->dirty = false;
	unhash(c, x);
	disuse(c, x);
}

void qcow2_cache_evict(struct qcow2_cache *c, uint64_t off, uint64_t len)
{
	/* Whichever is shorter: asking for each place, or looking at each entry. */
	if (len / c->size > (uint64_t)c->n) {
		for (int i = 0; i < c->n; i++) {
			struct qcow2_cache_entry *x = &c->e[i];

			if (x->off != NO_OFF && x->off >= off && x->off - off < len) {
				x->pins++;
				qcow2_cache_forget(c, x);
			}
		}
		return;
	}
	for (uint64_t at = off; at < off + len; at += c->size) {
		struct qcow2_cache_entry *x = qcow2_cache_find(c, at);

		if (x)
			qcow2_cache_forget(c, x);
	}
}

static int by_off(const void *a, const void *b)
{
	const struct qcow2_cache_entry *const *x = a, *const *y = b;

	return (*x)->off < (*y)->off ? -1 : (*x)->off > (*y)->off;
}

int qcow2_cache_write(struct qcow2_cache *c, struct block *file, const char *what, const char *event, struct err *e)
{
	CLEANUP(free_ptr) struct qcow2_cache_entry **list = NULL;
	unsigned n = 0;

	if (!c->ndirty)
		return 0;
	list = alloc_array(c->ndirty, sizeof *list);
	if (!list)
		return err_nomem(e);
	for (int i = 0; i < c->n && n < c->ndirty; i++)
		if (c->e[i].dirty)
			list[n++] = &c->e[i];
	qsort(list, n, sizeof *list, by_off);
	for (unsigned i = 0; i < n; i++) {
		int rc;

		block_event(file, event);
		rc = block_pwrite(file, list[i]->data, c->size, list[i]->off, e);
		if (rc < 0)
			return err_in(e, rc, "%s at %" PRIu64, what, list[i]->off);
		list[i]->dirty = false;
		c->ndirty--;
	}
	return 0;
}
