// SPDX-License-Identifier: LGPL-2.1-or-later
#include "qcow2_view.h"

#include "qcow2.h"

#include <inttypes.h>

enum { REFCOUNT_ORDER = 4 };

/* Guest clusters with data that lie together, and how many there are before them. */
struct view_run {
	uint64_t guest, n, before;
};

/* Parts of the file: where each begins, in clusters. */
enum view_part { PART_HEADER, PART_REFTABLE, PART_REFBLOCKS, PART_L1, PART_L2, PART_DATA, PART_END };

struct view_state {
	struct block **sources;
	size_t nsources;
	uint64_t disk_size, cluster_size;
	unsigned cluster_bits, l2_bits;
	uint64_t l1_size; /* entries */
	struct view_run *runs;
	size_t nruns, room;
	uint64_t *tables; /* L1 indices that have an L2 table, rising */
	size_t ntables, tables_room;
	uint64_t part[PART_END + 1];
};

static void view_close(struct block *b)
{
	struct view_state *s = b->state;

	for (size_t i = 0; i < s->nsources; i++)
		block_unref(s->sources[i]);
	free(s->sources);
	free(s->runs);
	free(s->tables);
}

/* ---- the map ---- */

/* An array with room for one more. */
static int make_room(void *array, size_t n, size_t *room, size_t size, struct err *e)
{
	void *p;

	if (n < *room)
		return 0;
	memcpy(&p, array, sizeof p);
	p = alloc_resize(p, MAX_OF(2 * n, (size_t)64), size);
	if (!p)
		return err_nomem(e);
	memcpy(array, &p, sizeof p);
	*room = MAX_OF(2 * n, (size_t)64);
	return 0;
}

/* Guest clusters [from, to) hold data; from only grows. */
static int add_run(struct view_state *s, uint64_t from, uint64_t to, struct err *e)
{
	struct view_run *last = s->nruns ? &s->runs[s->nruns - 1] : NULL;
	int rc;

	if (last && from < last->guest + last->n)
		from = last->guest + last->n; /* the cluster that two extents share */
	if (from >= to)
		return 0;
	for (uint64_t t = from >> s->l2_bits; t <= (to - 1) >> s->l2_bits; t++) {
		if (s->ntables && s->tables[s->ntables - 1] == t)
			continue;
		rc = make_room(&s->tables, s->ntables, &s->tables_room, sizeof *s->tables, e);
		if (rc < 0)
			return rc;
		s->tables[s->ntables++] = t;
	}
	if (last && from == last->guest + last->n) {
		last->n += to - from;
		return 0;
	}
	rc = make_room(&s->runs, s->nruns, &s->room, sizeof *s->runs, e);
	if (rc < 0)
		return rc;
	last = s->nruns ? &s->runs[s->nruns - 1] : NULL;
	s->runs[s->nruns] = (struct view_run){ .guest = from, .n = to - from, .before = last ? last->before + last->n : 0 };
	s->nruns++;
	return 0;
}

static int read_map(struct view_state *s, struct err *e)
{
	uint64_t start = 0;

	for (size_t i = 0; i < s->nsources; i++) {
		uint64_t size = block_size(s->sources[i]);

		/* Ends: an extent has at least one byte. */
		for (uint64_t off = 0; off < size;) {
			struct extent x;
			int rc = block_extent_merged(s->sources[i], NULL, size - off, off, &x, e);

			if (rc == 0 && !(x.flags & EXTENT_ZERO) && x.flags & (EXTENT_DATA | EXTENT_ALLOC))
				rc = add_run(s, (start + off) >> s->cluster_bits,
					     div_round_up(start + off + x.len, s->cluster_size), e);
			if (rc < 0)
				return rc;
			off += x.len;
		}
		start += size;
	}
	return 0;
}

static int lay_out(struct view_state *s, struct err *e)
{
	uint64_t per_block = (s->cluster_size * 8) >> REFCOUNT_ORDER, per_table = s->cluster_size / 8;
	const struct view_run *last = s->nruns ? &s->runs[s->nruns - 1] : NULL;
	uint64_t l1 = div_round_up(s->l1_size, per_table), data = last ? last->before + last->n : 0;
	uint64_t blocks = 0, table = 0, before, n;

	/* Ends: both numbers only grow, and by less each time. */
	do {
		before = blocks + table;
		n = 1 + table + blocks + l1 + s->ntables + data;
		blocks = div_round_up(n, per_block);
		table = div_round_up(blocks, per_table);
	} while (blocks + table != before);
	if (table << s->cluster_bits > LIMIT_QCOW2_REFTABLE_BYTES)
		return err_set(e, ERR_LIMIT, "too much data for qcow2 with clusters of %" PRIu64 " bytes", s->cluster_size);
	s->part[PART_HEADER] = 0;
	s->part[PART_REFTABLE] = 1;
	s->part[PART_REFBLOCKS] = 1 + table;
	s->part[PART_L1] = 1 + table + blocks;
	s->part[PART_L2] = s->part[PART_L1] + l1;
	s->part[PART_DATA] = s->part[PART_L2] + s->ntables;
	s->part[PART_END] = s->part[PART_DATA] + data;
	return 0;
}

/* ---- metadata, a cluster at a time ---- */

static void put_entry(uint8_t *p, uint64_t i, uint64_t value)
{
	be64 v;

	be64_put(&v, value);
	memcpy(p + 8 * i, &v, sizeof v);
}

static void header_cluster(const struct view_state *s, uint8_t *p)
{
	struct qcow2_header h = { .compression = 0 };

	be32_put(&h.magic, QCOW2_MAGIC);
	be32_put(&h.version, 3);
	be32_put(&h.cluster_bits, s->cluster_bits);
	be64_put(&h.size, s->disk_size);
	be32_put(&h.l1_size, (uint32_t)s->l1_size);
	be64_put(&h.l1_off, s->part[PART_L1] << s->cluster_bits);
	be64_put(&h.reftable_off, s->part[PART_REFTABLE] << s->cluster_bits);
	be32_put(&h.reftable_clusters, (uint32_t)(s->part[PART_REFBLOCKS] - s->part[PART_REFTABLE]));
	be32_put(&h.refcount_order, REFCOUNT_ORDER);
	be32_put(&h.header_len, sizeof h);
	memcpy(p, &h, sizeof h);
}

/* The first run that ends behind guest cluster g. */
static size_t find_run(const struct view_state *s, uint64_t g)
{
	size_t lo = 0, hi = s->nruns;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->runs[mid].guest + s->runs[mid].n > g)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void l2_cluster(const struct view_state *s, uint64_t k, uint8_t *p)
{
	uint64_t first = s->tables[k] << s->l2_bits, end = first + (1ULL << s->l2_bits);

	for (size_t i = find_run(s, first); i < s->nruns && s->runs[i].guest < end; i++) {
		const struct view_run *r = &s->runs[i];
		uint64_t to = MIN_OF(r->guest + r->n, end);

		for (uint64_t g = MAX_OF(r->guest, first); g < to; g++)
			put_entry(p, g - first,
				  (s->part[PART_DATA] + r->before + (g - r->guest)) << s->cluster_bits | QCOW2_COPIED);
	}
}

static void l1_cluster(const struct view_state *s, uint64_t k, uint8_t *p)
{
	uint64_t per_table = s->cluster_size / 8, first = k * per_table;

	for (size_t i = 0; i < s->ntables; i++)
		if (s->tables[i] >= first && s->tables[i] < first + per_table)
			put_entry(p, s->tables[i] - first, (s->part[PART_L2] + i) << s->cluster_bits | QCOW2_COPIED);
}

static void reftable_cluster(const struct view_state *s, uint64_t k, uint8_t *p)
{
	uint64_t per_table = s->cluster_size / 8, blocks = s->part[PART_L1] - s->part[PART_REFBLOCKS];

	for (uint64_t i = 0; i < per_table && k * per_table + i < blocks; i++)
		put_entry(p, i, (s->part[PART_REFBLOCKS] + k * per_table + i) << s->cluster_bits);
}

static void refblock_cluster(const struct view_state *s, uint64_t k, uint8_t *p)
{
	uint64_t per_block = (s->cluster_size * 8) >> REFCOUNT_ORDER;

	for (uint64_t i = 0; i < per_block && k * per_block + i < s->part[PART_END]; i++)
		qcow2_refblock_set(REFCOUNT_ORDER, p, i, 1);
}

static void meta_cluster(const struct view_state *s, uint64_t idx, uint8_t *p)
{
	memset(p, 0, s->cluster_size);
	if (idx >= s->part[PART_L2])
		l2_cluster(s, idx - s->part[PART_L2], p);
	else if (idx >= s->part[PART_L1])
		l1_cluster(s, idx - s->part[PART_L1], p);
	else if (idx >= s->part[PART_REFBLOCKS])
		refblock_cluster(s, idx - s->part[PART_REFBLOCKS], p);
	else if (idx >= s->part[PART_REFTABLE])
		reftable_cluster(s, idx - s->part[PART_REFTABLE], p);
	else
		header_cluster(s, p);
}

/* ---- reading ---- */

/* Bytes of the disk; zeros behind the sources. */
static int read_disk(const struct view_state *s, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t start = 0;

	for (size_t i = 0; i < s->nsources && len; i++) {
		uint64_t size = block_size(s->sources[i]);
		size_t n = off - start < size ? (size_t)MIN_OF((uint64_t)len, size - (off - start)) : 0;
		int rc = n ? block_pread(s->sources[i], buf, n, off - start, e) : 0;

		if (rc < 0)
			return rc;
		buf += n;
		len -= n;
		off += n;
		start += size;
	}
	memset(buf, 0, len);
	return 0;
}

/* The run of data that holds `at` (in bytes of all data), and how far it goes. */
static int read_data(const struct view_state *s, uint8_t *buf, size_t len, uint64_t at, size_t *done, struct err *e)
{
	uint64_t cluster = at >> s->cluster_bits, in_run;
	size_t lo = 0, hi = s->nruns;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->runs[mid].before <= cluster)
			lo = mid;
		else
			hi = mid;
	}
	in_run = at - (s->runs[lo].before << s->cluster_bits);
	*done = (size_t)MIN_OF((uint64_t)len, (s->runs[lo].n << s->cluster_bits) - in_run);
	return read_disk(s, buf, *done, (s->runs[lo].guest << s->cluster_bits) + in_run, e);
}

static int view_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct view_state *s = b->state;
	uint64_t data = s->part[PART_DATA] << s->cluster_bits;
	CLEANUP(free_ptr) uint8_t *cluster = off < data ? alloc_bytes(s->cluster_size) : NULL;
	uint8_t *p = buf;

	if (off < data && !cluster)
		return err_nomem(e);
	while (len) {
		size_t n;
		int rc = 0;

		if (off < data) {
			size_t in = (size_t)(off & (s->cluster_size - 1));

			n = (size_t)MIN_OF((uint64_t)len, s->cluster_size - in);
			meta_cluster(s, off >> s->cluster_bits, cluster);
			memcpy(p, cluster + in, n);
		} else {
			rc = read_data(s, p, len, off - data, &n, e);
		}
		if (rc < 0)
			return rc;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static const struct block_driver view_driver = {
	.name = "raw",
	.state_size = sizeof(struct view_state),
	.is_protocol = true,
	.close = view_close,
	.pread = view_pread,
};

int qcow2_view(const struct qcow2_view_how *how, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct view_state *s;
	int rc = block_new_filter(&view_driver, NULL, &b, e);

	if (rc < 0)
		return rc;
	if (!is_pow2(how->cluster_size) || how->cluster_size < 512 || how->cluster_size > 2 * MiB)
		return err_set(e, ERR_USAGE, "the cluster size must be a power of two from 512 to 2 MiB");
	s = b->state;
	s->cluster_size = how->cluster_size;
	s->cluster_bits = log2_of(how->cluster_size);
	s->l2_bits = s->cluster_bits - 3;
	s->disk_size = round_up(how->size, 512);
	s->l1_size = MAX_OF(div_round_up(s->disk_size, 1ULL << (s->cluster_bits + s->l2_bits)), (uint64_t)1);
	if (s->l1_size > LIMIT_QCOW2_L1_BYTES / 8)
		return err_set(e, ERR_LIMIT, "the disk is too large for qcow2 with clusters of %" PRIu64 " bytes",
			       s->cluster_size);
	s->sources = alloc_array(how->nsources, sizeof *s->sources);
	if (!s->sources)
		return err_nomem(e);
	for (size_t i = 0; i < how->nsources; i++)
		s->sources[s->nsources++] = block_ref(how->sources[i]);
	rc = read_map(s, e);
	if (rc == 0)
		rc = lay_out(s, e);
	if (rc < 0)
		return rc;
	b->size = s->part[PART_END] << s->cluster_bits;
	*out = take(b);
	return 0;
}
