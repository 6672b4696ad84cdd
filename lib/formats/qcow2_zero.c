// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_zero.c - clusters that lose their content: zeroed, discarded, dropped.
 *
 * Whole clusters (and whole subclusters) change their L2 entry; what is smaller is written out as zeros.  A version 2
 * image has no entry that says "zeros": there a cluster can only become unallocated, which reads as zeros only where
 * no backing file shines through.
 */
#include "qcow2.h"

#include <inttypes.h>

enum zap { ZAP_ZERO_KEEP, ZAP_ZERO_UNMAP, ZAP_DISCARD, ZAP_DROP };

static bool has_backing(const struct block *b)
{
	return b->backing || b->backing_name;
}

/* The new entry of a whole cluster, and whether the old one gives its host cluster up. */
static bool zapped(const struct block *b, enum zap how, uint64_t old, uint64_t *entry, uint64_t *bitmap)
{
	const struct qcow2_state *s = b->state;
	bool has_host = qcow2_l2_host(s, old, &(uint64_t){ 0 });
	bool keep = has_host && (how == ZAP_ZERO_KEEP || (how != ZAP_DROP && s->data_file_raw) ||
				 (how == ZAP_DISCARD && s->discard_no_unref));

	*entry = keep ? old : 0;
	*bitmap = 0;
	if (how == ZAP_DROP || s->version < 3)
		return true;
	if (s->subclusters > 1)
		*bitmap = (uint64_t)UINT32_MAX << 32;
	else
		*entry |= QCOW2_ZERO_FLAG;
	return !keep;
}

/* Host space behind a cluster that stays referenced, or that the refcounts do not know of. */
static void discard_behind(struct block *b, uint64_t guest, uint64_t old)
{
	struct qcow2_state *s = b->state;
	uint64_t host;

	if (!s->pass_discard[QCOW2_FREE_REQUEST] || !qcow2_l2_host(s, old, &host))
		return;
	if (s->data_file && guest < block_size(s->data_file))
		block_discard(s->data_file, MIN_OF(s->cluster_size, block_size(s->data_file) - guest), guest, NULL);
	else if (!s->data_file && s->discard_no_unref && (old & QCOW2_COPIED) && host < block_size(b->file))
		block_discard(b->file, MIN_OF(s->cluster_size, block_size(b->file) - host), host, NULL);
}

/* Whole clusters of one slice from off on, at most up to end; *next is where it stopped. */
static int zap_slice(struct block *b, enum zap how, uint64_t off, uint64_t end, uint64_t *next, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_cache_entry *x;
	unsigned idx, max;
	int rc = qcow2_l2_writable(b, off, e);

	if (rc == 0)
		rc = qcow2_l2_slice(b, off, &x, &idx, e);
	if (rc < 0)
		return rc;
	max = (unsigned)(s->l2_slice_size / s->l2_entry_size);
	for (; idx < max && off < end; idx++, off += s->cluster_size) {
		uint64_t old = qcow2_l2_entry(s, x->data, idx), old_bitmap = qcow2_l2_bitmap(s, x->data, idx);
		uint64_t entry, bitmap;
		bool gives_up;

		rc = qcow2_l2_judge(b, off, old, old_bitmap, e);
		if (rc < 0)
			break;
		gives_up = zapped(b, how, old, &entry, &bitmap);
		if (entry == old && bitmap == old_bitmap)
			continue;
		/* As QEMU: discarding what never was here, with nothing beneath, changes nothing. */
		if (how == ZAP_DISCARD && !old && !old_bitmap && !has_backing(b))
			continue;
		qcow2_l2_set(s, x, idx, entry, bitmap);
		if (how == ZAP_DISCARD || how == ZAP_DROP)
			discard_behind(b, off, old);
		if (gives_up)
			qcow2_free_entry(b, old, QCOW2_FREE_REQUEST);
	}
	qcow2_cache_put(x);
	*next = off;
	return rc;
}

/* Would the entries of this run stay as they are? */
static bool is_done(const struct block *b, enum zap how, const struct qcow2_run *run)
{
	const struct qcow2_state *s = b->state;

	switch (run->kind) {
	case QCOW2_KIND_UNALLOC:
		return !run->has_host && (how == ZAP_DROP || !has_backing(b) || s->version < 3);
	case QCOW2_KIND_ZERO:
		return how == ZAP_ZERO_KEEP || (!run->has_host && how != ZAP_DROP);
	case QCOW2_KIND_NORMAL:
	case QCOW2_KIND_COMPRESSED:
		break;
	}
	return false;
}

/* Whole clusters; with the lock and an exclusive request. */
static int zap(struct block *b, enum zap how, uint64_t off, uint64_t end, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc = 0;

	while (rc == 0 && off < end) {
		struct qcow2_run run;

		rc = qcow2_map(b, off, end - off, &run, e);
		if (rc < 0)
			break;
		/* Nothing to do here: and no reason to make or copy an L2 table.  Part of a cluster is not enough. */
		if (is_done(b, how, &run) && (off + run.len == end || run.len >= s->cluster_size)) {
			off = off + run.len == end ? end : round_down(off + run.len, s->cluster_size);
			continue;
		}
		rc = zap_slice(b, how, off, end, &off, e);
	}
	return rc;
}

/* ---- zero ---- */

/* Less than a cluster: zeros written out, unless it is known to read as zeros. */
static int zero_by_write(struct block *b, uint64_t off, uint64_t end, unsigned how, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *zeros = NULL;
	struct qcow2_state *s = b->state;
	struct qcow2_req req;
	bool is_zero;

	if (off == end)
		return 0;
	pthread_mutex_lock(&s->lock);
	qcow2_req_begin(b, &req, off, end - off, false);
	is_zero = !s->data_file_raw && qcow2_reads_zero(b, off, end - off);
	qcow2_req_end(b, &req);
	pthread_mutex_unlock(&s->lock);
	if (is_zero)
		return 0;
	if (how & BLOCK_ZERO_FAST)
		return err_set(e, ERR_UNSUPPORTED, "%s: zeroing part of a cluster without writing", b->name);
	zeros = alloc_zero(end - off);
	return zeros ? qcow2_pwrite(b, zeros, end - off, off, e) : err_nomem(e);
}

/* The whole subclusters [off, end) of one cluster; *done false when the cluster is compressed and must be rewritten. */
static int zero_subclusters(struct block *b, uint64_t off, uint64_t end, bool *done, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t in = s->cluster_size - 1, entry, bits;
	struct qcow2_cache_entry *x = NULL;
	struct qcow2_req req;
	unsigned idx;
	int rc;

	bits = (1ULL << (((end - 1) & in) >> s->sub_bits) << 1) - (1ULL << ((off & in) >> s->sub_bits));
	*done = false;
	pthread_mutex_lock(&s->lock);
	qcow2_req_begin(b, &req, off, end - off, true);
	rc = qcow2_l2_writable(b, off, e);
	if (rc == 0)
		rc = qcow2_l2_slice(b, off, &x, &idx, e);
	if (rc == 0) {
		entry = qcow2_l2_entry(s, x->data, idx);
		*done = !(entry & QCOW2_COMPRESSED);
	}
	if (rc == 0 && *done)
		qcow2_l2_set(s, x, idx, entry, (qcow2_l2_bitmap(s, x->data, idx) & ~bits) | bits << 32);
	qcow2_cache_put(x);
	qcow2_req_end(b, &req);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* A range within one cluster, not all of it. */
static int zero_part(struct block *b, uint64_t off, uint64_t end, unsigned how, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t unit = 1ULL << s->sub_bits, from = round_up(off, unit), until = round_down(end, unit);
	bool done = false;
	int rc = 0;

	if (off >= end)
		return 0;
	if (s->subclusters > 1 && !s->data_file_raw && from < until)
		rc = zero_subclusters(b, from, until, &done, e);
	if (rc < 0 || !done)
		return rc < 0 ? rc : zero_by_write(b, off, end, how, e);
	rc = zero_by_write(b, off, from, how, e);
	return rc < 0 ? rc : zero_by_write(b, until, end, how, e);
}

/* Whole clusters. */
static int zero_clusters(struct block *b, uint64_t off, uint64_t end, unsigned how, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_req req;
	int rc;

	pthread_mutex_lock(&s->lock);
	qcow2_req_begin(b, &req, off, end - off, true);
	rc = zap(b, how & BLOCK_ZERO_UNMAP ? ZAP_ZERO_UNMAP : ZAP_ZERO_KEEP, off, end, e);
	qcow2_req_end(b, &req);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int check_begin(struct block *b, uint64_t off, uint64_t len, struct err *e)
{
	struct qcow2_state *s = b->state;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write_at(b, off, len, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_zero(struct block *b, uint64_t len, uint64_t off, unsigned how, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t end = off + len, from = round_up(off, s->cluster_size);
	/* The last cluster is whole when the disk ends in it. */
	uint64_t until = end == b->size ? round_up(end, s->cluster_size) : round_down(end, s->cluster_size);
	int rc = check_begin(b, off, len, e);

	if (rc < 0)
		return rc;
	if (s->version < 3 && (has_backing(b) || !(how & BLOCK_ZERO_UNMAP))) {
		bool is_zero;

		pthread_mutex_lock(&s->lock);
		is_zero = qcow2_reads_zero(b, off, len);
		pthread_mutex_unlock(&s->lock);
		return is_zero ? 0 : err_set(e, ERR_UNSUPPORTED, "%s: version 2 has no zero clusters", b->name);
	}
	/* The raw data file must read the same by itself. */
	if (s->data_file_raw)
		rc = block_zero(s->data_file, len, off, how, e);
	if (rc == 0 && s->data_file_raw)
		s->data_unsynced = true;
	if (rc == 0 && from < until)
		rc = zero_clusters(b, from, until, how, e);
	if (rc < 0 || s->data_file_raw)
		return rc;
	if (from > until)
		return zero_part(b, off, end, how, e);
	rc = zero_part(b, off, MIN_OF(from, end), how, e);
	return rc < 0 || until >= end ? rc : zero_part(b, MAX_OF(until, off), end, how, e);
}

/* ---- discard and drop ---- */

int qcow2_discard(struct block *b, uint64_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t end = off + len, from = round_up(off, s->cluster_size);
	uint64_t until = end == b->size ? round_up(end, s->cluster_size) : round_down(end, s->cluster_size);
	struct qcow2_req req;
	int rc;

	/* In version 2 the old content of the backing file would come back. */
	if (from >= until || (s->version < 3 && has_backing(b)))
		return 0;
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write_at(b, from, until - from, e);
	if (rc == 0) {
		qcow2_req_begin(b, &req, from, until - from, true);
		rc = zap(b, ZAP_DISCARD, from, until, e);
		qcow2_req_end(b, &req);
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

int qcow2_drop(struct block *b, uint64_t off, uint64_t len, struct err *e)
{
	return zap(b, ZAP_DROP, off, off + len, e);
}
