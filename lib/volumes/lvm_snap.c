/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_snap.c - snapshots of the older kind (dm-snapshot): an origin, and a store with the chunks that differ from it.
 *
 * The store is made of chunks, too.  The first holds a header: "SnAp", whether the snapshot is still valid (0: it ran full),
 * version 1, and the chunk's size in sectors.  Then come areas of one chunk with pairs of numbers, each area followed by the
 * chunks that it has room to name: which chunk of the origin is which chunk of the store.  A pair whose second number is 0
 * ends the list.  A header of zeros is that of a snapshot that was never active: nothing differs.
 *
 * The pairs are read when the snapshot is read for the first time.
 */
#include "lvm.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <pthread.h>

#define SNAP_MAGIC 0x70416e53u
#define CHUNK_MIN 512u
#define CHUNK_MAX (16 * MiB)

struct snap_header {
	le32 magic, valid, version, chunk_sectors;
};
struct disk_pair {
	le64 old, new;
};

struct pair {
	uint64_t old, new;
};

struct snap_state {
	struct block *origin, *store; /* a reference each */
	uint64_t chunk;		      /* 0: the store is new */
	pthread_mutex_t lock;	      /* of the reading of the pairs */
	bool has_lock, loaded;
	struct pair *pairs; /* in the order of the old ones */
	size_t npairs;
};

static void snap_close(struct block *b)
{
	struct snap_state *s = b->state;

	block_unref(s->origin);
	block_unref(s->store);
	if (s->has_lock)
		pthread_mutex_destroy(&s->lock);
	free(s->pairs);
}

/* ---- the pairs ---- */

static int by_old(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->old < y->old ? -1 : x->old > y->old;
}

/* Adds the pairs of one area; 1 when the list ends in it. */
static int area_add(struct snap_state *s, const struct disk_pair *area, size_t n, size_t *cap, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct pair p = { le64_get(area[i].old), le64_get(area[i].new) };
		uint64_t off;

		if (p.new == 0)
			return 1;
		if (!checked_mul(p.new, s->chunk, &off) || !range_in(off, s->chunk, block_size(s->store)))
			return err_set(e, ERR_CORRUPT, "chunk %" PRIu64 " lies past the end of the snapshot's store", p.new);
		if (s->npairs == LIMIT_SNAPSHOT_CHUNKS)
			return err_set(e, ERR_LIMIT, "a snapshot with more than %d changed chunks", LIMIT_SNAPSHOT_CHUNKS);
		if (s->npairs == *cap) {
			struct pair *pairs = alloc_resize(s->pairs, *cap ? 2 * *cap : 256, sizeof *pairs);

			if (!pairs)
				return err_nomem(e);
			s->pairs = pairs;
			*cap = *cap ? 2 * *cap : 256;
		}
		s->pairs[s->npairs++] = p;
	}
	return 0;
}

static int pairs_read(struct snap_state *s, struct err *e)
{
	CLEANUP(free_ptr) struct disk_pair *area = alloc_bytes((size_t)s->chunk);
	size_t per_area = (size_t)s->chunk / sizeof *area, cap = 0;
	uint64_t off = s->chunk;
	int rc = 0;

	if (!area)
		return err_nomem(e);
	/* It ends: the areas lie behind each other, and the store has an end. */
	while (rc == 0 && range_in(off, s->chunk, block_size(s->store))) {
		rc = block_pread(s->store, area, (size_t)s->chunk, off, e);
		if (rc == 0)
			rc = area_add(s, area, per_area, &cap, e);
		off += (per_area + 1) * s->chunk;
	}
	if (rc < 0)
		return rc;
	if (s->npairs)
		qsort(s->pairs, s->npairs, sizeof *s->pairs, by_old);
	return 0;
}

static int pairs_need(struct block *b, struct err *e)
{
	struct snap_state *s = b->state;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->loaded && s->chunk) {
		free(s->pairs);
		s->pairs = NULL;
		s->npairs = 0;
		rc = pairs_read(s, e);
	}
	s->loaded |= rc == 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- reading ---- */

/* Where the bytes from off on lie, and how many of them, at most len, do so in a row. */
struct place {
	struct block *block;
	uint64_t off, len;
};

static struct place snap_find(const struct snap_state *s, uint64_t off, uint64_t len)
{
	uint64_t nr, in_chunk, n = 1;
	size_t from = 0, to = s->npairs;

	if (s->npairs == 0)
		return (struct place){ s->origin, off, len };
	nr = off / s->chunk;
	in_chunk = off % s->chunk;
	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (s->pairs[mid].old < nr)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == s->npairs)
		return (struct place){ s->origin, off, len };
	/* Not changed up to the next chunk that is.  off is an image's, chunks are small: no product gets too large. */
	if (s->pairs[from].old != nr) {
		if (s->pairs[from].old <= (off + len) / s->chunk)
			len = MIN_OF(len, s->pairs[from].old * s->chunk - off);
		return (struct place){ s->origin, off, len };
	}
	while (n * s->chunk - in_chunk < len && from + n < s->npairs && s->pairs[from + n].old == nr + n &&
	       s->pairs[from + n].new == s->pairs[from].new + n)
		n++;
	return (struct place){ s->store, s->pairs[from].new * s->chunk + in_chunk, MIN_OF(len, n * s->chunk - in_chunk) };
}

static int snap_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	char *p = buf;
	int rc = pairs_need(b, e);

	while (rc == 0 && len) {
		struct place at = snap_find(b->state, off, len);

		rc = block_pread(at.block, p, (size_t)at.len, at.off, e);
		p += at.len;
		off += at.len;
		len -= (size_t)at.len;
	}
	return rc;
}

static int snap_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct place at;
	int rc = pairs_need(b, e);

	if (rc < 0)
		return rc;
	at = snap_find(b->state, off, len);
	rc = block_extent_chain(at.block, NULL, at.len, at.off, out, e);
	out->off = off;
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	return rc;
}

static const struct block_driver snap_driver = {
	.name = "lvm-snapshot",
	.state_size = sizeof(struct snap_state),
	.close = snap_close,
	.pread = snap_pread,
	.extent = snap_extent,
};

/* The size of the chunks; 0: the store has never been used. */
static int header_read(struct block *store, uint64_t *chunk, struct err *e)
{
	struct snap_header h;
	int rc;

	if (block_size(store) < sizeof h)
		return err_set(e, ERR_CORRUPT, "the snapshot's store has no header");
	rc = block_pread(store, &h, sizeof h, 0, e);
	if (rc < 0)
		return rc;
	*chunk = 0;
	if (le32_get(h.magic) == 0)
		return 0;
	if (le32_get(h.magic) != SNAP_MAGIC)
		return err_set(e, ERR_CORRUPT, "the snapshot's store has no header");
	if (le32_get(h.valid) == 0)
		return err_set(e, ERR_CORRUPT, "the snapshot is no longer valid: its store ran full");
	if (le32_get(h.version) != 1)
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 " of the snapshot's store", le32_get(h.version));
	*chunk = (uint64_t)le32_get(h.chunk_sectors) * LVM_SECTOR;
	if (*chunk < CHUNK_MIN || *chunk > CHUNK_MAX || !is_pow2(*chunk))
		return err_set(e, ERR_CORRUPT, "the snapshot's chunks have %" PRIu64 " bytes", *chunk);
	return 0;
}

int lvm_snapshot_new(const char *name, struct block *origin, struct block *store, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct snap_state *s;
	uint64_t chunk = 0;
	int rc = header_read(store, &chunk, e);

	if (rc == 0)
		rc = lvm_block_new(&snap_driver, name, block_size(origin), &b, e);
	if (rc < 0)
		return rc;
	s = b->state;
	s->origin = block_ref(origin);
	s->store = block_ref(store);
	s->chunk = chunk;
	s->has_lock = pthread_mutex_init(&s->lock, NULL) == 0;
	if (!s->has_lock)
		return err_nomem(e);
	*out = take(b);
	return 0;
}
