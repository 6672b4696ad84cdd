// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_resize.c - a disk that grows or shrinks, and clusters mapped ahead of need.
 *
 * The header's size is written last when growing: what it then shows has been zeroed.  It is written last when
 * shrinking, too: a crash before leaves a disk of the old size whose end has been cut, not one of the new size that
 * would show old bytes when it grows again.
 */
#include "qcow2.h"

#include <inttypes.h>

/* ---- the L1 table ---- */

static int write_l1(struct block *b, const uint64_t *l1, uint32_t first, uint32_t end, uint64_t off, struct err *e)
{
	CLEANUP(free_ptr) be64 *disk = alloc_array(MAX_OF(end - first, 1), sizeof *disk);
	int rc;

	if (!disk)
		return err_nomem(e);
	for (uint32_t i = first; i < end; i++)
		be64_put(&disk[i - first], l1[i]);
	rc = block_pwrite(b->file, disk, 8UL * (end - first), off + 8ULL * first, e);
	return rc < 0 ? err_in(e, rc, "L1 table") : 0;
}

/* The header names the table at off with n entries, and that is stable; else all is as before. */
static int name_l1(struct block *b, uint64_t off, uint32_t n, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t old_off = s->l1_off;
	uint32_t old_n = s->l1_size;
	int rc = qcow2_sync(b, e);

	if (rc < 0)
		return rc;
	s->l1_off = off;
	s->l1_size = n;
	block_event(b->file, "l1_grow_activate_table");
	rc = qcow2_header_write(b, e);
	if (rc == 0)
		rc = block_flush(b->file, e);
	if (rc < 0) {
		s->l1_off = old_off;
		s->l1_size = old_n;
	}
	return rc;
}

int qcow2_grow_l1(struct block *b, uint64_t n, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t nclusters = div_round_up(n * 8, s->cluster_size), off, old_off = s->l1_off;
	uint64_t have = div_round_up(8ULL * s->l1_size, s->cluster_size);
	CLEANUP(free_ptr) uint64_t *l1 = NULL;
	uint32_t old_n = s->l1_size;
	int rc;

	if (n <= s->l1_size)
		return 0;
	if (n > LIMIT_QCOW2_L1_BYTES / 8)
		return err_set(e, ERR_LIMIT, "%s: the disk is too large for clusters of %" PRIu64 " bytes", b->name,
			       s->cluster_size);
	l1 = alloc_array(n, sizeof *l1);
	if (!l1)
		return err_nomem(e);
	memcpy(l1, s->l1, 8UL * s->l1_size);
	/* What the table names must be on disk before the table is. */
	rc = qcow2_write_meta(b, e);
	if (rc < 0)
		return rc;
	if (have == nclusters) {
		rc = write_l1(b, l1, s->l1_size, (uint32_t)n, s->l1_off, e);
		if (rc == 0)
			rc = name_l1(b, s->l1_off, (uint32_t)n, e);
	} else {
		block_event(b->file, "l1_grow_alloc_table");
		rc = qcow2_alloc(b, nclusters, true, &off, NULL, NULL, e);
		if (rc < 0)
			return rc;
		rc = qcow2_write_refs(b, e);
		block_event(b->file, "l1_grow_write_table");
		if (rc == 0)
			rc = write_l1(b, l1, 0, (uint32_t)n, off, e);
		if (rc == 0)
			rc = name_l1(b, off, (uint32_t)n, e);
		if (rc < 0)
			qcow2_alloc_undo(b, off, nclusters);
		else if (old_n)
			qcow2_free_later(b, old_off, have, QCOW2_FREE_OTHER);
	}
	if (rc < 0)
		return rc;
	free(s->l1);
	s->l1 = take(l1);
	return 0;
}

/* ---- preallocation ---- */

/* Maps the unmapped clusters of one slice from off on; *next is where it stopped. */
static int map_ahead(struct block *b, uint64_t off, uint64_t end, uint64_t *next, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t zero = s->crypt_method && s->subclusters == 1 ? QCOW2_ZERO_FLAG : 0;
	uint64_t hint = s->free_hint, host, n = 0, max, got;
	struct qcow2_cache_entry *x;
	bool virgin;
	unsigned idx;
	int rc = qcow2_l2_writable(b, off, e);

	if (rc == 0)
		rc = qcow2_l2_slice(b, off, &x, &idx, e);
	if (rc < 0)
		return rc;
	max = MIN_OF(s->l2_slice_size / s->l2_entry_size - idx, (round_up(end, s->cluster_size) - off) >> s->cluster_bits);
	while (n < max && !(qcow2_l2_entry(s, x->data, idx + (unsigned)n) & ~QCOW2_ZERO_FLAG))
		n++;
	if (!n) {
		qcow2_cache_put(x);
		*next = off + s->cluster_size;
		return 0;
	}
	if (s->data_file) {
		host = off;
		got = n;
	} else {
		/* Only what was never written reads as zeros. */
		s->free_hint = MAX_OF(hint, s->virgin >> s->cluster_bits);
		rc = qcow2_alloc(b, n, false, &host, &got, &virgin, e);
		if (hint < s->virgin >> s->cluster_bits && hint < host >> s->cluster_bits)
			s->free_hint = hint;
	}
	for (uint64_t i = 0; rc == 0 && i < got; i++) {
		unsigned k = idx + (unsigned)i;

		/* With subclusters none is allocated yet: the place is taken, the content stays.  Zeros decrypt to noise. */
		qcow2_l2_set(s, x, k, (host + (i << s->cluster_bits)) | QCOW2_COPIED | zero, qcow2_l2_bitmap(s, x->data, k));
	}
	qcow2_cache_put(x);
	if (rc == 0)
		*next = off + (got << s->cluster_bits);
	return rc;
}

int qcow2_preallocate(struct block *b, uint64_t off, uint64_t len, enum block_prealloc p, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t end = off + len, at = round_down(off, s->cluster_size);
	enum block_prealloc host = p == PREALLOC_METADATA ? PREALLOC_OFF : p;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	/* A data file must read as zeros before entries name its bytes. */
	if (s->data_file && block_size(s->data_file) < end)
		rc = block_truncate(s->data_file, end, host, e);
	while (rc == 0 && at < end)
		rc = map_ahead(b, at, end, &at, e);
	if (rc == 0 && !s->data_file && block_size(b->file) < s->virgin)
		rc = block_truncate(b->file, s->virgin, host, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- truncate ---- */

static int write_size(struct block *b, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t old = s->disk_size;
	int rc = qcow2_write_meta(b, e);

	if (rc == 0)
		rc = qcow2_sync(b, e);
	if (rc < 0)
		return rc;
	s->disk_size = size;
	rc = qcow2_header_write(b, e);
	if (rc < 0)
		s->disk_size = old;
	return rc;
}

/* L2 tables of which the disk has no longer a byte. */
static int drop_l2_tables(struct block *b, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;

	for (uint64_t i = qcow2_l1_entries(s, size); i < s->l1_size; i++) {
		uint64_t table;
		int rc = qcow2_l1_judge(b, i, s->l1[i], &table, e);

		if (rc < 0)
			return rc;
		if (!table)
			continue;
		s->l1[i] = 0;
		qcow2_note_dirty(&s->l1_dirty, (uint32_t)i);
		qcow2_free_later(b, table, 1, QCOW2_FREE_OTHER);
	}
	return 0;
}

/* Cuts the file behind its last used cluster. */
static int cut_file(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t n = div_round_up(block_size(b->file), s->cluster_size), count = 0;
	int rc;

	while (n > 0) {
		rc = qcow2_refcount(b, n - 1, &count, e);
		if (rc < 0)
			return rc;
		if (count)
			break;
		n--;
	}
	if (n << s->cluster_bits >= block_size(b->file))
		return 0;
	rc = qcow2_write_refs(b, e);
	if (rc == 0)
		rc = block_truncate(b->file, n << s->cluster_bits, PREALLOC_OFF, e);
	if (rc == 0)
		s->virgin = n << s->cluster_bits;
	return rc;
}

/* A VM state that was applied with a snapshot lies behind the disk: it must not come into view as part of it. */
static int drop_vm_state(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t from = round_up(b->size, s->cluster_size), until = (uint64_t)s->l1_size << (s->cluster_bits + s->l2_bits);

	return from < until ? qcow2_drop(b, from, until - from, e) : 0;
}

static int shrink(struct block *b, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t from = round_up(size, s->cluster_size), until = round_up(b->size, s->cluster_size);
	int rc = 0;

	if (s->nsnapshots && s->version < 3)
		return err_set(e, ERR_UNSUPPORTED, "%s: a version 2 image with internal snapshots cannot be resized", b->name);
	if (from < until)
		rc = qcow2_drop(b, from, until - from, e);
	block_event(b->file, "l1_shrink_write_table");
	if (rc == 0)
		rc = drop_l2_tables(b, size, e);
	block_event(b->file, "l1_shrink_free_l2_clusters");
	if (rc == 0)
		rc = qcow2_apply_frees(b, e);
	if (rc == 0)
		rc = write_size(b, size, e);
	if (rc < 0)
		return rc;
	qcow2_bitmaps_resize(b, size);
	if (s->data_file && block_size(s->data_file) > size && (rc = block_truncate(s->data_file, size, PREALLOC_OFF, e)) < 0)
		return rc;
	return cut_file(b, e);
}

/* What came into view reads as zeros: the rest of the old last cluster, and what a longer backing file has there. */
static int zero_new(struct block *b, uint64_t old, uint64_t size, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t tail = MIN_OF(round_up(old, s->cluster_size), size), end = tail;
	int rc = old < tail ? block_zero(b, tail - old, old, BLOCK_ZERO_UNMAP, e) : 0;

	if (b->backing)
		end = MIN_OF(block_size(b->backing), size);
	else if (b->backing_name)
		end = size; /* not opened: it may be as long as it likes */
	if (end < size)
		end = MIN_OF(round_up(end, s->cluster_size), size);
	return rc < 0 || end <= tail ? rc : block_zero(b, end - tail, tail, BLOCK_ZERO_UNMAP, e);
}

static int grow(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t old = b->size;
	int rc;

	if (s->nsnapshots && s->version < 3)
		return err_set(e, ERR_UNSUPPORTED, "%s: a version 2 image with internal snapshots cannot be resized", b->name);
	pthread_mutex_lock(&s->lock);
	rc = qcow2_grow_l1(b, qcow2_l1_entries(s, size), e);
	if (rc < 0) {
		pthread_mutex_unlock(&s->lock);
		return rc;
	}
	qcow2_bitmaps_resize(b, size);
	pthread_mutex_unlock(&s->lock);
	rc = zero_new(b, old, size, e);
	if (rc == 0 && p != PREALLOC_OFF)
		rc = qcow2_preallocate(b, old, size - old, p, e);
	if (rc == 0 && s->data_file && block_size(s->data_file) < size)
		rc = block_truncate(s->data_file, size, PREALLOC_OFF, e);
	pthread_mutex_lock(&s->lock);
	if (rc == 0)
		rc = write_size(b, size, e);
	if (rc < 0)
		qcow2_bitmaps_resize(b, old);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int qcow2_truncate(struct block *b, uint64_t size, enum block_prealloc p, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t old = b->size;
	int rc;

	if (size & 511)
		return err_set(e, ERR_USAGE, "%s: the size must be a multiple of 512 bytes", b->name);
	if (size < b->size && p != PREALLOC_OFF)
		return err_set(e, ERR_USAGE, "%s: preallocation is for images that grow", b->name);
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write(b, e);
	if (rc == 0 && size != old)
		rc = qcow2_bitmaps_may_resize(b, e);
	if (rc == 0 && size != old)
		rc = drop_vm_state(b, e);
	if (rc == 0 && size < old)
		rc = shrink(b, size, e);
	pthread_mutex_unlock(&s->lock);
	if (rc == 0 && size > old)
		rc = grow(b, size, p, e);
	return rc;
}

/* ---- emptying ---- */

/* A raw data file must read the same by itself: there the disk becomes zeros. */
static int empty_data_file(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;

	if (s->data_file_raw)
		return b->size ? qcow2_zero(b, b->size, 0, BLOCK_ZERO_UNMAP, e) : 0;
	return block_size(s->data_file) ? block_discard(s->data_file, block_size(s->data_file), 0, e) : 0;
}

int qcow2_make_empty(struct block *b, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) uint64_t *old = alloc_array(MAX_OF(s->l1_size, 1), sizeof *old);
	int rc;

	if (!old)
		return err_nomem(e);
	if (s->data_file_raw)
		return empty_data_file(b, e);
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write_at(b, 0, b->size, e);
	if (rc == 0)
		rc = qcow2_apply_frees(b, e);
	if (rc == 0 && s->l1_size) {
		memcpy(old, s->l1, s->l1_size * sizeof *old);
		memset(s->l1, 0, s->l1_size * sizeof *old);
		s->l1_dirty = (struct qcow2_dirty){ .lo = 0, .hi = s->l1_size };
		block_event(b->file, "empty_image_prepare");
		/* When that is on disk nothing refers to the clusters any more. */
		rc = qcow2_write_meta(b, e);
		if (rc == 0)
			rc = qcow2_sync(b, e);
		if (rc == 0)
			rc = qcow2_paths_lower(b, old, s->l1_size, e);
	}
	if (rc == 0)
		rc = cut_file(b, e);
	pthread_mutex_unlock(&s->lock);
	return rc == 0 && s->data_file ? empty_data_file(b, e) : rc;
}
