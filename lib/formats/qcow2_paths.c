// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_paths.c - all that an L1 table leads to, referenced once more or once less.
 *
 * A cluster's refcount is the number of paths that lead to it from L1 tables: an L2 table that two L1 tables name counts
 * twice for everything in it.  So a snapshot adds one to all of the active table's paths, in whatever tables they run.
 */
#include "qcow2.h"

#include <inttypes.h>

/*
 * Neighbouring clusters are counted at once.  The run began with entry l2_idx of L1 entry l1_idx; the table itself comes
 * behind its last entry: once its count is lowered, its space may be given back and it reads as zeros.
 */
struct walk {
	struct block *b;
	int delta;
	uint64_t idx, n;
	uint32_t l1_idx;
	uint64_t l2_idx;
};

static int count_run(struct walk *w, struct err *e)
{
	struct qcow2_state *s = w->b->state;
	int rc = w->n ? qcow2_ref_change(w->b, w->idx, w->n, w->delta, e) : 0;

	if (rc == 0 && w->n && w->delta < 0 && s->pass_discard[QCOW2_FREE_SNAPSHOT])
		qcow2_punch(w->b, w->idx, w->n);
	if (rc == 0)
		w->n = 0;
	return rc;
}

static int add(struct walk *w, uint64_t idx, uint64_t n, uint32_t l1_idx, uint64_t l2_idx, struct err *e)
{
	int rc;

	if (w->n && w->idx + w->n == idx) {
		w->n += n;
		return 0;
	}
	rc = count_run(w, e);
	if (rc < 0)
		return rc;
	w->idx = idx;
	w->n = n;
	w->l1_idx = l1_idx;
	w->l2_idx = l2_idx;
	return 0;
}

/* The clusters that an L2 entry takes in the image file; *n 0: none. */
static void entry_clusters(const struct qcow2_state *s, uint64_t entry, uint64_t *idx, uint64_t *n)
{
	uint64_t host;

	*idx = *n = 0;
	if (entry & QCOW2_COMPRESSED) {
		uint64_t first = qcow2_compressed_off(s, entry), last = first + qcow2_compressed_size(s, entry) - 1;

		*idx = first >> s->cluster_bits;
		*n = (last >> s->cluster_bits) - *idx + 1;
	} else if (!s->data_file && qcow2_l2_host(s, entry, &host)) {
		*idx = host >> s->cluster_bits;
		*n = 1;
	}
}

/* The entries of one L2 table, up to the until-th; with clear their COPIED flags go. */
static int walk_table(struct walk *w, uint64_t table, uint32_t l1_idx, uint64_t until, bool clear, struct err *e)
{
	struct block *b = w->b;
	struct qcow2_state *s = b->state;
	uint64_t per_slice = s->l2_slice_size / s->l2_entry_size;
	uint64_t guest = (uint64_t)l1_idx << (s->cluster_bits + s->l2_bits);
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < until; i += per_slice) {
		struct qcow2_cache_entry *x;

		rc = qcow2_meta_get(b, &s->l2, table + i * s->l2_entry_size, false, &x, e);
		if (rc < 0)
			break;
		for (unsigned k = 0; rc == 0 && k < per_slice && i + k < until; k++) {
			uint64_t entry = qcow2_l2_entry(s, x->data, k), bitmap = qcow2_l2_bitmap(s, x->data, k), idx, n;

			if (!entry)
				continue;
			rc = qcow2_l2_judge(b, guest + ((i + k) << s->cluster_bits), entry, bitmap, e);
			entry_clusters(s, entry, &idx, &n);
			if (rc == 0 && n)
				rc = add(w, idx, n, l1_idx, i + k, e);
			if (rc == 0 && clear && (entry & QCOW2_COPIED))
				qcow2_l2_set(s, x, k, entry & ~QCOW2_COPIED, bitmap);
		}
		qcow2_cache_put(x);
	}
	return rc;
}

/* All up to (not with) the entry that `end` gives. */
static int walk(struct walk *w, uint64_t *l1, uint32_t n, const struct walk *end, bool clear, struct err *e)
{
	struct qcow2_state *s = w->b->state;
	uint32_t stop = end ? end->l1_idx : n;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n && i <= stop; i++) {
		uint64_t table, until = 1ULL << s->l2_bits;

		if (end && i == stop)
			until = end->l2_idx;
		rc = qcow2_l1_judge(w->b, i, l1[i], &table, e);
		if (rc < 0 || !table)
			continue;
		rc = walk_table(w, table, i, until, clear, e);
		if (rc == 0 && !(end && i == stop))
			rc = add(w, table >> s->cluster_bits, 1, i, until, e);
		if (rc == 0 && clear && (l1[i] & QCOW2_COPIED)) {
			l1[i] &= ~QCOW2_COPIED;
			qcow2_note_dirty(&s->l1_dirty, i);
		}
	}
	return rc == 0 ? count_run(w, e) : rc;
}

int qcow2_paths_raise(struct block *b, uint64_t *l1, uint32_t n, bool clear, struct err *e)
{
	struct walk w = { .b = b, .delta = 1 }, back = { .b = b, .delta = -1 };
	struct qcow2_state *s = b->state;
	int rc = walk(&w, l1, n, NULL, clear, e);

	if (rc < 0) {
		/* The run that w holds was not counted.  Where this fails clusters leak. */
		if (walk(&back, l1, n, &w, false, NULL) < 0)
			s->needs_recount = true;
		if (clear && qcow2_paths_flags(b, NULL) < 0)
			s->needs_recount = true;
	}
	return rc;
}

int qcow2_paths_lower(struct block *b, uint64_t *l1, uint32_t n, struct err *e)
{
	struct walk w = { .b = b, .delta = -1 };
	struct qcow2_state *s = b->state;
	int rc = walk(&w, l1, n, NULL, false, e);

	s->zgen++;
	if (rc < 0)
		s->needs_recount = true;
	return rc;
}

/* ---- flags ---- */

static int is_single(struct block *b, uint64_t off, bool *out, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t count;
	int rc = qcow2_refcount(b, off >> s->cluster_bits, &count, e);

	*out = count == 1;
	return rc;
}

static int flag_table(struct block *b, uint64_t table, struct err *e)
{
	struct qcow2_state *s = b->state;
	unsigned per_slice = (unsigned)(s->l2_slice_size / s->l2_entry_size);
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < s->cluster_size; at += s->l2_slice_size) {
		struct qcow2_cache_entry *x;

		rc = qcow2_meta_get(b, &s->l2, table + at, false, &x, e);
		if (rc < 0)
			break;
		for (unsigned k = 0; rc == 0 && k < per_slice; k++) {
			uint64_t entry = qcow2_l2_entry(s, x->data, k), host, want;
			bool single = false;

			/* Of a data file the flag says that the entry is in use. */
			if (!entry || s->data_file)
				continue;
			if (qcow2_l2_host(s, entry, &host) && !(host & (s->cluster_size - 1)))
				rc = is_single(b, host, &single, e);
			want = single ? entry | QCOW2_COPIED : entry & ~QCOW2_COPIED;
			if (rc == 0 && want != entry)
				qcow2_l2_set(s, x, k, want, qcow2_l2_bitmap(s, x->data, k));
		}
		qcow2_cache_put(x);
	}
	return rc;
}

int qcow2_paths_flags(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->l1_size; i++) {
		uint64_t table, want;
		bool single;

		rc = qcow2_l1_judge(b, i, s->l1[i], &table, e);
		if (rc < 0 || !table)
			continue;
		rc = is_single(b, table, &single, e);
		if (rc == 0)
			rc = flag_table(b, table, e);
		want = single ? table | QCOW2_COPIED : table;
		if (rc == 0 && want != s->l1[i]) {
			s->l1[i] = want;
			qcow2_note_dirty(&s->l1_dirty, i);
		}
	}
	return rc;
}
