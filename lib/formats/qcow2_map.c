// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_map.c - from a guest offset to what is stored there.
 *
 * L1 entry:  0-8 reserved, 9-55 offset of the L2 table, 56-62 reserved, 63 copied.
 * L2 entry:  standard: 0 zero flag (version 3, no subclusters), 1-8 reserved, 9-55 host offset, 56-61 reserved;
 *            compressed (bit 62): 0..x-1 host offset, x..61 number of further sectors, x = 62 - (cluster_bits - 8);
 *            63 copied.  With subclusters a second word follows: 0-31 allocated, 32-63 reads as zeros.
 *
 * With an external data file offset 0 is a place like any other, so there "copied" tells whether an entry is used.
 */
#include "qcow2.h"

#include <inttypes.h>

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many different L2 tables the n entries name; *used: how many of the entries name one.  0: memory is out. */
static uint32_t count_different(const uint64_t *l1, uint32_t n, uint32_t *used)
{
	CLEANUP(free_ptr) uint64_t *offs = alloc_array(n, sizeof *offs);
	uint32_t different = 1;

	*used = 0;
	for (uint32_t i = 0; offs && i < n; i++)
		if (l1[i] & QCOW2_OFFSET_MASK)
			offs[(*used)++] = l1[i] & QCOW2_OFFSET_MASK;
	if (!*used)
		return 0;
	qsort(offs, *used, sizeof *offs, by_number);
	for (uint32_t i = 1; i < *used; i++)
		different += offs[i] != offs[i - 1];
	return different;
}

int qcow2_l1_refuse_repeats(const uint64_t *l1, uint32_t n, struct err *e)
{
	uint32_t same = 0, used, different;

	/* Most tables name theirs in order; neighbours that are equal are as good a sign as any. */
	for (uint32_t i = 1; i < n; i++)
		same += (l1[i] & QCOW2_OFFSET_MASK) && (l1[i] & QCOW2_OFFSET_MASK) <= (l1[i - 1] & QCOW2_OFFSET_MASK);
	if (same < LIMIT_QCOW2_L1_REPEATS_FROM)
		return 0;
	different = count_different(l1, n, &used);
	if (!different)
		return err_nomem(e); /* some are used: they were seen */
	if (used / different < LIMIT_QCOW2_L1_REPEATS)
		return 0;
	return err_set(e, ERR_CORRUPT, "the L1 table names %" PRIu32 " L2 tables %" PRIu32 " times", different, used);
}

int qcow2_l1_judge(struct block *b, uint64_t l1_idx, uint64_t entry, uint64_t *off, struct err *e)
{
	const struct qcow2_state *s = b->state;

	*off = entry & QCOW2_OFFSET_MASK;
	if (entry & QCOW2_L1_RESERVED)
		return err_set(e, ERR_CORRUPT, "L1 entry %" PRIu64 " has reserved bits set: 0x%" PRIx64, l1_idx, entry);
	if (*off & (s->cluster_size - 1))
		return err_set(e, ERR_CORRUPT, "L2 table %" PRIu64 " lies at %" PRIu64 ", not at a cluster's start",
			       l1_idx, *off);
	/* A table that we have just made may still be in memory only. */
	if (*off && *off >= block_size(b->file) && !(entry & QCOW2_COPIED && *off < s->virgin))
		return err_set(e, ERR_CORRUPT, "L2 table %" PRIu64 " lies at %" PRIu64 ", past the end of the file",
			       l1_idx, *off);
	return 0;
}

bool qcow2_l2_host(const struct qcow2_state *s, uint64_t entry, uint64_t *host)
{
	if (entry & QCOW2_COMPRESSED)
		return false;
	*host = entry & QCOW2_OFFSET_MASK;
	return *host || (s->data_file && (entry & QCOW2_COPIED));
}

int qcow2_l2_judge(struct block *b, uint64_t guest, uint64_t entry, uint64_t bitmap, struct err *e)
{
	const struct qcow2_state *s = b->state;
	uint64_t host;

	if (entry & QCOW2_COMPRESSED) {
		if (s->data_file)
			return err_set(e, ERR_CORRUPT,
				       "the cluster at %" PRIu64 " is compressed, in an image with a data file", guest);
		host = qcow2_compressed_off(s, entry);
		if (host < s->cluster_size || host >= block_size(b->file))
			return err_set(e, ERR_CORRUPT,
				       "the compressed cluster at %" PRIu64 " is said to lie at %" PRIu64
				       ", outside of the file's data",
				       guest, host);
		if (bitmap)
			return err_set(e, ERR_CORRUPT, "the compressed cluster at %" PRIu64 " has a subcluster bitmap",
				       guest);
		return 0;
	}
	if (entry & (QCOW2_L2_RESERVED | (s->version < 3 || s->subclusters > 1 ? QCOW2_ZERO_FLAG : 0)))
		return err_set(e, ERR_CORRUPT, "the L2 entry of the cluster at %" PRIu64
			       " has reserved bits set: 0x%" PRIx64, guest, entry);
	if (bitmap & (bitmap >> 32) & UINT32_MAX)
		return err_set(e, ERR_CORRUPT, "subclusters at %" PRIu64 " are both allocated and zero", guest);
	if (!qcow2_l2_host(s, entry, &host)) {
		if (bitmap & UINT32_MAX)
			return err_set(e, ERR_CORRUPT, "subclusters at %" PRIu64 " are allocated, but their cluster is not",
				       guest);
		return 0;
	}
	if (host & (s->cluster_size - 1))
		return err_set(e, ERR_CORRUPT, "the cluster at %" PRIu64 " is said to lie at %" PRIu64
			       ", not at a cluster's start", guest, host);
	if (s->data_file_raw && host != round_down(guest, s->cluster_size))
		return err_set(e, ERR_CORRUPT, "the cluster at %" PRIu64 " is said to lie at %" PRIu64
			       " of a raw data file", guest, host);
	/* What was cut off the end of the image would otherwise read as zeros.  A data file may be sparse there. */
	if (!s->data_file && host >= block_size(b->file) && host >= s->virgin)
		return err_set(e, ERR_CORRUPT, "the cluster at %" PRIu64 " is said to lie at %" PRIu64
			       ", past the end of the file", guest, host);
	return 0;
}

enum qcow2_kind qcow2_l2_kind(const struct qcow2_state *s, uint64_t entry, uint64_t bitmap, unsigned sub)
{
	uint64_t host;

	if (entry & QCOW2_COMPRESSED)
		return QCOW2_KIND_COMPRESSED;
	if (s->subclusters > 1) {
		if (bitmap >> (32 + sub) & 1)
			return QCOW2_KIND_ZERO;
		return bitmap >> sub & 1 ? QCOW2_KIND_NORMAL : QCOW2_KIND_UNALLOC;
	}
	if (entry & QCOW2_ZERO_FLAG)
		return QCOW2_KIND_ZERO;
	return qcow2_l2_host(s, entry, &host) ? QCOW2_KIND_NORMAL : QCOW2_KIND_UNALLOC;
}

int qcow2_l2_slice(struct block *b, uint64_t off, struct qcow2_cache_entry **x, unsigned *idx, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t l1_idx = qcow2_l1_index(s, off), table, at;
	int rc;

	*x = NULL;
	*idx = 0;
	if (l1_idx >= s->l1_size)
		return err_set(e, ERR_CORRUPT, "the L1 table is too small for offset %" PRIu64, off);
	rc = qcow2_l1_judge(b, l1_idx, s->l1[l1_idx], &table, e);
	if (rc < 0 || !table)
		return rc;
	at = qcow2_l2_index(s, off) * s->l2_entry_size;
	*idx = (unsigned)((at & (s->l2_slice_size - 1)) / s->l2_entry_size);
	return qcow2_meta_get(b, &s->l2, table + round_down(at, s->l2_slice_size), false, x, e);
}

/* How many following entries of the slice go on as the first: same flags, and its host offset if any goes on. */
static unsigned count_plain(const struct qcow2_state *s, const uint8_t *slice, unsigned idx, unsigned max,
			    uint64_t entry, bool has_host)
{
	uint64_t step = has_host ? s->cluster_size : 0;
	unsigned n = 1;

	while (n < max && qcow2_l2_entry(s, slice, idx + n) == entry + n * step)
		n++;
	return n;
}

/* The same with subclusters: the length in bytes of the run of `kind` that begins at subcluster `sub` of entry idx. */
static uint64_t count_subclusters(const struct qcow2_state *s, const uint8_t *slice, unsigned idx, unsigned max,
				  unsigned sub, enum qcow2_kind kind, bool has_host)
{
	uint64_t entry = qcow2_l2_entry(s, slice, idx), len = 0;

	for (unsigned n = 0; n < max; n++, sub = 0) {
		uint64_t next = qcow2_l2_entry(s, slice, idx + n), bitmap = qcow2_l2_bitmap(s, slice, idx + n);

		if (next != entry + (has_host ? n * s->cluster_size : 0) || (bitmap & (bitmap >> 32) & UINT32_MAX) ||
		    (!has_host && (bitmap & UINT32_MAX)))
			break;
		for (; sub < s->subclusters && qcow2_l2_kind(s, next, bitmap, sub) == kind; sub++)
			len += 1ULL << s->sub_bits;
		if (sub < s->subclusters)
			break;
	}
	return len;
}

/* The run at off inside one L2 slice, or through L1 entries without a table. */
static int map_once(struct block *b, uint64_t off, uint64_t len, struct qcow2_run *out, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t in_cluster = off & (s->cluster_size - 1), entry, bitmap, host = 0, run;
	struct qcow2_cache_entry *x;
	unsigned idx, max, sub;
	int rc;

	*out = (struct qcow2_run){ .off = off, .len = len };
	rc = qcow2_l2_slice(b, off, &x, &idx, e);
	if (rc < 0)
		return rc;
	if (!x) {
		unsigned bits = s->cluster_bits + s->l2_bits;
		uint64_t i = qcow2_l1_index(s, off) + 1, last = qcow2_l1_index(s, off + len - 1);

		while (i <= last && i < s->l1_size && s->l1[i] == 0)
			i++;
		out->kind = QCOW2_KIND_UNALLOC;
		out->len = MIN_OF(len, (i << bits) - off);
		return 0;
	}
	max = (unsigned)(s->l2_slice_size / s->l2_entry_size) - idx;
	max = (unsigned)MIN_OF((uint64_t)max, div_round_up(in_cluster + len, s->cluster_size));
	entry = qcow2_l2_entry(s, x->data, idx);
	bitmap = qcow2_l2_bitmap(s, x->data, idx);
	sub = (unsigned)(in_cluster >> s->sub_bits);
	rc = qcow2_l2_judge(b, off - in_cluster, entry, bitmap, e);
	if (rc < 0)
		goto done;
	out->kind = qcow2_l2_kind(s, entry, bitmap, sub);
	out->copied = (entry & QCOW2_COPIED) && (s->l1[qcow2_l1_index(s, off)] & QCOW2_COPIED);
	if (out->kind == QCOW2_KIND_COMPRESSED) {
		out->host_off = qcow2_compressed_off(s, entry);
		out->csize = qcow2_compressed_size(s, entry);
		out->len = MIN_OF(len, s->cluster_size - in_cluster);
		goto done;
	}
	out->has_host = qcow2_l2_host(s, entry, &host);
	out->host_off = out->has_host ? host + in_cluster : 0;
	if (s->subclusters == 1)
		run = (uint64_t)count_plain(s, x->data, idx, max, entry, out->has_host) * s->cluster_size - in_cluster;
	else
		run = count_subclusters(s, x->data, idx, max, sub, out->kind, out->has_host) -
		      (in_cluster & ((1ULL << s->sub_bits) - 1));
	out->len = MIN_OF(len, run);
	/* The first cluster was judged; the last of a long run must lie in the file as well. */
	if (out->has_host && out->len > s->cluster_size) {
		uint64_t limit = MAX_OF(block_size(b->file), s->virgin);
		uint64_t end = host + in_cluster + out->len;

		if (!s->data_file && end > limit && round_down(end - 1, s->cluster_size) >= limit)
			out->len = round_up(limit, s->cluster_size) - out->host_off;
	}
done:
	qcow2_cache_put(x);
	return rc;
}

int qcow2_map(struct block *b, uint64_t off, uint64_t len, struct qcow2_run *out, struct err *e)
{
	int rc = map_once(b, off, len, out, e);

	/* Ends: each turn makes the run longer.  What comes behind is judged when it is asked for by itself. */
	while (rc == 0 && out->len < len && out->kind != QCOW2_KIND_COMPRESSED) {
		struct qcow2_run next;

		if (map_once(b, off + out->len, len - out->len, &next, NULL) < 0 || next.kind != out->kind ||
		    next.has_host != out->has_host || next.copied != out->copied ||
		    (out->has_host && next.host_off != out->host_off + out->len))
			break;
		out->len += next.len;
	}
	return rc;
}

/* Where bytes of the file below lie on the host, if plainly; may shorten the run. */
static int plain_place(struct block *file, uint64_t off, struct extent *out, struct err *e)
{
	struct extent x;
	uint64_t size = block_size(file);
	int rc;

	if (!block_file(file)) {
		out->host = file;
		out->host_off = off;
		return 0;
	}
	if (off >= size)
		return 0;
	rc = block_extent(file, MIN_OF(out->len, size - off), off, &x, e);
	if (rc < 0)
		return rc;
	if (x.host) {
		out->host = x.host;
		out->host_off = x.host_off;
		if (out->len > x.len && off + x.len < size)
			out->len = x.len;
	}
	return 0;
}

/*
 * Does the file take so much less room on the host than its length that clusters must lie in holes (preallocated ones,
 * or a file copied sparsely)?  Only then is it worth a system call per run to find zeros there.
 */
static bool file_is_sparse(struct block *b)
{
	struct qcow2_state *s = b->state;
	int known = atomic_load(&s->file_is_sparse);

	if (!known) {
		uint64_t there = block_allocated(b->file);
		uint64_t stored = there >> s->cluster_bits, clusters = div_round_up(block_size(b->file), s->cluster_size);

		known = there != UINT64_MAX && clusters >= MAX_OF(stored + stored / 9, stored + 2) ? 1 : -1;
		atomic_store(&s->file_is_sparse, known);
	}
	return known > 0;
}

/* The bytes of a plain run may be a hole of the host's file. */
static int host_zeros(struct extent *out, struct err *e)
{
	uint64_t size = block_size(out->host);
	struct extent x;
	int rc;

	if (out->host_off >= size)
		return 0;
	rc = block_extent(out->host, MIN_OF(out->len, size - out->host_off), out->host_off, &x, e);
	if (rc < 0)
		return rc;
	out->flags |= x.flags & EXTENT_ZERO;
	if (x.len < out->len && out->host_off + x.len < size)
		out->len = x.len;
	return 0;
}

int qcow2_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_run run;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_map(b, off, len, &run, e);
	pthread_mutex_unlock(&s->lock);
	if (rc < 0)
		return rc;
	out->len = run.len;
	switch (run.kind) {
	case QCOW2_KIND_UNALLOC:
		out->flags = 0;
		return 0;
	case QCOW2_KIND_COMPRESSED:
		out->flags = EXTENT_DATA | EXTENT_ALLOC | EXTENT_COMPRESSED;
		return 0;
	case QCOW2_KIND_ZERO:
		/* A cluster kept behind zeros has a place, but its bytes there mean nothing: not EXTENT_PLAIN. */
		out->flags = EXTENT_ZERO | EXTENT_ALLOC;
		return run.has_host ? plain_place(qcow2_data(b), run.host_off, out, e) : 0;
	case QCOW2_KIND_NORMAL:
		break;
	}
	out->flags = EXTENT_DATA | EXTENT_ALLOC;
	if (s->crypt_method)
		return 0;
	rc = plain_place(qcow2_data(b), run.host_off, out, e);
	if (rc < 0 || !out->host)
		return rc;
	out->flags |= EXTENT_PLAIN;
	return file_is_sparse(b) ? host_zeros(out, e) : 0;
}
