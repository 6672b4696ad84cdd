// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_order.c - the order in which metadata reaches the disk.
 *
 *	refcount blocks, flush, refcount table, flush, L2 slices, flush, L1 table, flush, lower counts, reuse
 *
 * Each kind may only name what the kinds before it have made stable, and a flush is only made where something of an
 * earlier kind is not yet stable.  Refcount blocks may be written at any time: counts are raised before anything
 * names a cluster and lowered after nothing does, so at worst they are too high.
 */
#include "qcow2.h"

#include <inttypes.h>

int qcow2_sync(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = s->data_file && s->data_unsynced ? block_flush(s->data_file, e) : 0;

	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc == 0)
		s->refs_unsynced = s->l2_unsynced = s->l1_unsynced = s->data_unsynced = false;
	return rc;
}

/* Writes the changed entries of a table of 64-bit words. */
static int write_table(struct block *b, const uint64_t *table, uint64_t table_off, struct qcow2_dirty *d,
		       const char *what, struct err *e)
{
	uint32_t n = d->hi - d->lo;
	CLEANUP(free_ptr) be64 *buf = alloc_array(n, sizeof *buf);
	int rc;

	if (!buf)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++)
		be64_put(&buf[i], table[d->lo + i]);
	block_event(b->file, table == qcow2_state(b)->l1 ? "l1_update" : "refblock_alloc_hookup");
	rc = block_pwrite(b->file, buf, n * sizeof *buf, table_off + 8ULL * d->lo, e);
	if (rc < 0)
		return err_in(e, rc, "%s", what);
	*d = (struct qcow2_dirty){ .hi = 0 };
	return 0;
}

static int write_refblocks(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;

	if (!s->refs.ndirty)
		return 0;
	s->refs_unsynced = true;
	return qcow2_cache_write(&s->refs, b->file, "refcount block", "refblock_update_part", e);
}

int qcow2_write_refs(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = write_refblocks(b, e);

	if (rc < 0 || !s->reftable_dirty.hi)
		return rc;
	if (s->refs_unsynced && (rc = qcow2_sync(b, e)) < 0)
		return rc;
	s->refs_unsynced = true;
	return write_table(b, s->reftable, s->reftable_off, &s->reftable_dirty, "refcount table", e);
}

/* With lazy refcounts the dirty bit on disk says that counts may be too low. */
static bool refs_may_lag(const struct qcow2_state *s)
{
	return s->lazy_refcounts && (s->incompat & QCOW2_INCOMPAT_DIRTY) && s->dirty_ours;
}

static int write_l2(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool lag = refs_may_lag(s);
	int rc = lag ? 0 : qcow2_write_refs(b, e);

	if (rc == 0 && ((s->refs_unsynced && !lag) || s->data_unsynced))
		rc = qcow2_sync(b, e);
	if (rc < 0 || !s->l2.ndirty)
		return rc;
	s->l2_unsynced = true;
	return qcow2_cache_write(&s->l2, b->file, "L2 table", "l2_update", e);
}

int qcow2_write_meta(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	if (!s->l2.ndirty && !s->l1_dirty.hi)
		return refs_may_lag(s) ? 0 : qcow2_write_refs(b, e);
	rc = write_l2(b, e);
	if (rc < 0 || !s->l1_dirty.hi)
		return rc;
	if (s->l2_unsynced && (rc = qcow2_sync(b, e)) < 0)
		return rc;
	s->l1_unsynced = true;
	return write_table(b, s->l1, s->l1_off, &s->l1_dirty, "L1 table", e);
}

int qcow2_meta_get(struct block *b, struct qcow2_cache *c, uint64_t off, bool fresh, struct qcow2_cache_entry **out,
		   struct err *e)
{
	struct qcow2_state *s = b->state;
	const char *what = c == &s->l2 ? "L2 table" : "refcount block";
	struct qcow2_cache_entry *x = qcow2_cache_find(c, off);
	bool full;
	int rc;

	*out = NULL;
	if (!x) {
		qcow2_cache_clean(c, s->clean_interval);
		if (!fresh && !range_in(off, c->size, block_size(b->file)))
			return err_set(e, ERR_CORRUPT, "the %s at %" PRIu64 " lies past the end of the file", what, off);
		x = qcow2_cache_new(c, off, &full, e);
		if (!x && full) {
			rc = c == &s->l2 ? write_l2(b, e) : write_refblocks(b, e);
			if (rc < 0)
				return rc;
			x = qcow2_cache_new(c, off, &full, e);
		}
		if (!x)
			return e ? -(int)e->code : -(int)ERR_NOMEM;
		if (!fresh)
			block_event(b->file, c == &s->l2 ? "l2_load" : "refblock_load");
		rc = fresh ? 0 : block_pread(b->file, x->data, c->size, off, e);
		if (rc < 0) {
			qcow2_cache_forget(c, x);
			return err_in(e, rc, "%s", what);
		}
	}
	if (fresh)
		memset(x->data, 0, c->size);
	*out = x;
	return 0;
}

/* ---- giving clusters back ---- */

void qcow2_free_later(struct block *b, uint64_t off, uint64_t n, enum qcow2_why why)
{
	struct qcow2_state *s = b->state;
	uint64_t idx = off >> s->cluster_bits;
	struct qcow2_free *last = s->nfrees ? &s->frees[s->nfrees - 1] : NULL;

	if (last && last->why == why && last->idx + last->n == idx) {
		last->n += n;
		return;
	}
	/* If metadata cannot be written now, these clusters leak; the failure comes up with the next flush. */
	if (s->nfrees == QCOW2_MAX_FREES && qcow2_apply_frees(b, NULL) < 0 && s->nfrees == QCOW2_MAX_FREES)
		return;
	s->frees[s->nfrees++] = (struct qcow2_free){ .idx = idx, .n = n, .why = why };
}

void qcow2_free_entry(struct block *b, uint64_t entry, enum qcow2_why why)
{
	struct qcow2_state *s = b->state;
	uint64_t host;

	if (entry & QCOW2_COMPRESSED) {
		uint64_t first = qcow2_compressed_off(s, entry);
		uint64_t last = first + qcow2_compressed_size(s, entry) - 1;

		s->zgen++;
		qcow2_free_later(b, first, (last >> s->cluster_bits) - (first >> s->cluster_bits) + 1, why);
	} else if (qcow2_l2_host(s, entry, &host) && !s->data_file) {
		qcow2_free_later(b, host, 1, why);
	}
}

void qcow2_punch(struct block *b, uint64_t idx, uint64_t n)
{
	struct qcow2_state *s = b->state;
	uint64_t end = idx + n, i = idx, size = block_size(b->file);

	while (i < end) {
		uint64_t from = i, count, off, len;

		while (i < end && qcow2_refcount(b, i, &count, NULL) == 0 && count == 0)
			i++;
		off = from << s->cluster_bits;
		len = (i - from) << s->cluster_bits;
		if (len && off < size && qcow2_overlap_check(b, off, len, 0, NULL) == 0)
			block_discard(b->file, MIN_OF(len, size - off), off, NULL);
		i = MAX_OF(i, from + 1);
	}
}

int qcow2_apply_frees(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = qcow2_write_meta(b, e);

	if (rc == 0 && (s->l2_unsynced || s->l1_unsynced))
		rc = qcow2_sync(b, e);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < s->nfrees; i++) {
		int one;

		block_event(b->file, "cluster_free");
		one = qcow2_ref_change(b, s->frees[i].idx, s->frees[i].n, -1, rc == 0 ? e : NULL);

		if (one == 0 && s->pass_discard[s->frees[i].why])
			qcow2_punch(b, s->frees[i].idx, s->frees[i].n);
		if (rc == 0)
			rc = one;
	}
	s->nfrees = 0;
	return rc;
}
