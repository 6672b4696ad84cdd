/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_walk_l2.c - the map of the disk, as the check walks it: L1 entries, L2 tables, and the clusters they name.
 *
 * An L2 table that many L1 entries use (snapshots share them) is read once, in the order of the file, and what it
 * points at counts as often as it is used.  So the work is bounded by what the file holds, whatever points where.
 */
#include "qcow2_check.h"

#include <inttypes.h>
#include <stdio.h>

enum l2_kind check_l2_kind(const struct qcow2_check *c, uint64_t entry)
{
	if (entry & QCOW2_COMPRESSED)
		return L2_COMPRESSED;
	if ((entry & QCOW2_ZERO_FLAG) && !c->extended_l2)
		return entry & QCOW2_OFFSET_MASK ? L2_ZERO_DATA : L2_ZERO;
	if (entry & QCOW2_OFFSET_MASK)
		return L2_DATA;
	/* In a data file the cluster at offset 0 can hold data; its flag tells it from one that is not allocated. */
	return c->s->data_file && (entry & QCOW2_COPIED) ? L2_DATA : L2_NONE;
}

bool check_l2_has_cluster(enum l2_kind kind)
{
	return kind == L2_DATA || kind == L2_ZERO_DATA;
}

static const char *snapshot_where(const struct qcow2_check *c, uint32_t owner, char *buf)
{
	if (owner == 0)
		return "";
	snprintf(buf, CHECK_WHERE, "snapshot \"%s\", ", c->snapshots[owner - 1].name);
	return buf;
}

const char *check_where(const struct qcow2_check *c, const struct check_l2 *t, char *buf)
{
	char who[CHECK_WHERE];

	snprintf(buf, CHECK_WHERE, "%.120sL1 entry %" PRIu32, snapshot_where(c, t->owner, who), t->l1_idx);
	return buf;
}

/* ---- L1 tables ---- */

static void l2_merge(struct qcow2_check *c);

/*
 * Room for another one.  L1 tables may name the same L2 table millions of times: once there are many, those are put
 * together first, and there is always as much room for them as a third of what is held.
 */
static int l2_make_room(struct qcow2_check *c, struct err *e)
{
	enum { FIRST = 256, MERGE_FROM = 1 << 16 };
	const size_t most = LIMIT_QCOW2_CHECK_L2 + LIMIT_QCOW2_CHECK_L2 / 2;
	size_t cap = c->l2_cap ? MIN_OF(c->l2_cap * 2, most) : FIRST;
	struct check_l2 *l2;

	if (c->nl2 >= MERGE_FROM)
		l2_merge(c);
	if (c->nl2 > LIMIT_QCOW2_CHECK_L2)
		return err_set(e, ERR_LIMIT, "more than %llu L2 tables", (unsigned long long)LIMIT_QCOW2_CHECK_L2);
	if (cap == c->l2_cap || c->nl2 < c->l2_cap / 2)
		return 0;
	l2 = alloc_resize(c->l2, cap, sizeof *l2);
	if (!l2)
		return err_nomem(e);
	c->l2 = l2;
	c->l2_cap = cap;
	return 0;
}

static int l2_note(struct qcow2_check *c, uint64_t off, uint32_t l1_idx, uint32_t owner, struct err *e)
{
	int rc = c->nl2 == c->l2_cap ? l2_make_room(c, e) : 0;

	if (rc < 0)
		return rc;
	c->l2[c->nl2++] = (struct check_l2){
		.off = off, .uses = 1, .active_uses = owner == 0, .l1_idx = l1_idx, .owner = owner
	};
	return 0;
}

/*
 * Judges one L1 entry.  Returns what it should be: the same, with reserved bits cleared, or 0 when it cannot be used.
 */
static uint64_t l1_judge(struct qcow2_check *c, uint64_t entry, uint32_t idx, uint32_t owner)
{
	uint64_t off = entry & QCOW2_OFFSET_MASK;
	bool fix = check_edits(c);
	enum usage_kind met;
	char who[CHECK_WHERE];

	if (!check_aligned(c, off)) {
		check_corrupt(c, fix, "%sL1 entry %" PRIu32 ": L2 table at 0x%" PRIx64 " does not begin a cluster",
			      snapshot_where(c, owner, who), idx, off);
		return 0;
	}
	if (!off) {
		check_corrupt(c, fix, "%sL1 entry %" PRIu32 ": 0x%016" PRIx64 " has flags, but no L2 table",
			      snapshot_where(c, owner, who), idx, entry);
		return 0;
	}
	if (!check_in_file(c, off, c->s->cluster_size)) {
		check_corrupt(c, fix, "%sL1 entry %" PRIu32 ": L2 table at 0x%" PRIx64 " lies past the end of the file",
			      snapshot_where(c, owner, who), idx, off);
		return 0;
	}
	met = check_met(c, off, c->s->cluster_size);
	if (met != USE_NONE && met != USE_L2) {
		check_corrupt(c, fix, "%sL1 entry %" PRIu32 ": L2 table at 0x%" PRIx64 " overlaps %s",
			      snapshot_where(c, owner, who), idx, off, usage_kind_name(met));
		return 0;
	}
	if (entry & QCOW2_L1_RESERVED) {
		check_corrupt(c, fix, "%sL1 entry %" PRIu32 ": 0x%016" PRIx64 " has reserved bits set",
			      snapshot_where(c, owner, who), idx, entry);
		return entry & ~QCOW2_L1_RESERVED;
	}
	return entry;
}

/* Notes the L2 tables of a piece of an L1 table that has been read; entries that had to be mended are written back. */
int check_walk_l1(struct qcow2_check *c, be64 *piece, uint32_t n, uint32_t first, uint64_t table_off, uint32_t owner,
		    struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t entry = be64_get(piece[i]), good;
		int rc;

		if (!entry)
			continue;
		good = l1_judge(c, entry, first + i, owner);
		if (good != entry && check_edits(c)) {
			be64_put(&piece[i], good);
			c->edited = true;
			rc = check_pwrite(c, &piece[i], sizeof piece[i], table_off + (uint64_t)(first + i) * 8, e);
			if (rc < 0)
				return err_in(e, rc, "L1 entry %" PRIu32, first + i);
		} else if (!good) {
			c->damaged++;
		}
		if (!(good & QCOW2_OFFSET_MASK))
			continue;
		rc = l2_note(c, good & QCOW2_OFFSET_MASK, first + i, owner, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int check_walk_snapshot_l1(struct qcow2_check *c, uint32_t owner, struct err *e)
{
	const struct check_snapshot *s = &c->snapshots[owner - 1];
	uint64_t len = (uint64_t)s->l1_size * 8;
	CLEANUP(free_ptr) be64 *piece = NULL;
	struct err why = ERR_INIT;
	int rc;

	piece = alloc_bytes(MIN_OF(len, CHECK_READ_AT_ONCE));
	if (!piece)
		return err_nomem(e);
	for (uint64_t done = 0; done < len; done += CHECK_READ_AT_ONCE) {
		uint64_t part = MIN_OF(len - done, CHECK_READ_AT_ONCE);
		bool zero;

		rc = check_read_table(c, piece, part, s->l1_off + done, &zero, &why);
		if (rc < 0) {
			check_unreadable(c, &why, "snapshot \"%s\": L1 table at 0x%" PRIx64, s->name, s->l1_off);
			return 0;
		}
		if (zero)
			continue;
		rc = check_walk_l1(c, piece, (uint32_t)(part / 8), (uint32_t)(done / 8), s->l1_off, owner, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- L2 tables ---- */

static bool comes_before(const struct check_l2 *x, const struct check_l2 *y)
{
	if (x->off != y->off)
		return x->off < y->off;
	if (x->owner != y->owner)
		return x->owner < y->owner;
	return x->l1_idx < y->l1_idx;
}

/* Lets the item at i sink to its place in a heap of n, whose root is the last in order. */
static void l2_sink(struct check_l2 *a, size_t n, size_t i)
{
	struct check_l2 it = a[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && comes_before(&a[child], &a[child + 1]))
			child++;
		if (!comes_before(&it, &a[child]))
			break;
		a[i] = a[child];
	}
	a[i] = it;
}

/* In place, since qsort() takes as much memory again; most images have them in order already. */
static void l2_sort(struct check_l2 *a, size_t n)
{
	size_t sorted = 1;

	while (sorted < n && !comes_before(&a[sorted], &a[sorted - 1]))
		sorted++;
	if (sorted >= n)
		return;
	for (size_t i = n / 2; i-- > 0;)
		l2_sink(a, n, i);
	for (size_t last = n - 1; last > 0; last--) {
		struct check_l2 root = a[0];

		a[0] = a[last];
		a[last] = root;
		l2_sink(a, last, 0);
	}
}

/* More uses than a number of 32 bits holds are more than any refcount that we meet can be. */
static void add_uses(uint32_t *to, uint32_t n)
{
	*to = n > UINT32_MAX - *to ? UINT32_MAX : *to + n;
}

/* One item for each table, in the order of the file. */
static void l2_merge(struct qcow2_check *c)
{
	size_t n = 0;

	if (!c->nl2)
		return;
	l2_sort(c->l2, c->nl2);
	for (size_t i = 1; i < c->nl2; i++) {
		if (c->l2[i].off == c->l2[n].off) {
			add_uses(&c->l2[n].uses, c->l2[i].uses);
			add_uses(&c->l2[n].active_uses, c->l2[i].active_uses);
		} else {
			c->l2[++n] = c->l2[i];
		}
	}
	c->nl2 = n + 1;
}

static int l2_mark(struct qcow2_check *c, struct err *e)
{
	int rc;

	for (size_t i = 0; i < c->nl2; i++) {
		enum usage_kind met;

		rc = check_count(c, c->l2[i].off, c->s->cluster_size, c->l2[i].uses, USE_L2, &met, e);
		if (rc < 0)
			return rc;
	}
	/* What the active L1 table says about owning them, for the comparison with the refcounts. */
	for (uint32_t i = 0; c->l1 && i < c->l1_size; i++) {
		uint64_t entry = be64_get(c->l1[i]), cluster = (entry & QCOW2_OFFSET_MASK) >> c->s->cluster_bits;

		if (!cluster || usage_kind(&c->use, cluster) != USE_L2)
			continue;
		rc = usage_add(&c->use, cluster, 0, USE_L2, entry & QCOW2_COPIED ? USE_COPIED : USE_NOT_COPIED, NULL, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct l2_walk {
	const struct check_l2 *table;
	uint64_t next_off; /* where the next cluster is expected, for the statistics; 0: no matter */
	uint64_t allocated, fragmented, compressed;
	bool dirty;
};

/* An entry that cannot be used. */
#define l2_bad(c, w, idx, fmt, ...)                                                                                    \
	do {                                                                                                           \
		char where_[CHECK_WHERE];                                                                              \
		check_corrupt((c), check_edits(c), "%s, L2 entry %u: " fmt, check_where((c), (w)->table, where_),     \
			      (idx), __VA_ARGS__);                                                                     \
	} while (0)

/* The zero flag is one of the reserved bits where the format knows no such flag. */
static void l2_reserved(struct qcow2_check *c, const struct l2_walk *w, unsigned idx, uint64_t *entry)
{
	uint64_t reserved = QCOW2_L2_RESERVED;

	if (c->s->version < 3 || c->extended_l2)
		reserved |= QCOW2_ZERO_FLAG;
	if (!(*entry & reserved))
		return;
	l2_bad(c, w, idx, "0x%016" PRIx64 " has reserved bits set", *entry);
	*entry &= ~reserved;
}

/* Returns 1 when the entry can be used, 0 when not. */
static int l2_compressed(struct qcow2_check *c, struct l2_walk *w, unsigned idx, uint64_t *entry, uint64_t bitmap,
			 struct err *e)
{
	enum usage_kind kind;
	uint64_t off, len, first, last;
	int rc;

	off = qcow2_compressed_off(c->s, *entry);
	len = qcow2_compressed_size(c->s, *entry);
	if (c->s->data_file) {
		l2_bad(c, w, idx, "a compressed cluster (0x%" PRIx64 ") in an image with a data file", off);
		return 0;
	}
	if (bitmap) {
		l2_bad(c, w, idx, "a compressed cluster (0x%" PRIx64 ") with subclusters 0x%016" PRIx64, off, bitmap);
		return 0;
	}
	if (!check_in_file(c, off, len)) {
		l2_bad(c, w, idx, "%" PRIu64 " compressed bytes at 0x%" PRIx64 " lie past the end of the file", len,
		       off);
		return 0;
	}
	first = off >> c->s->cluster_bits;
	last = (off + len - 1) >> c->s->cluster_bits;
	for (uint64_t i = first; i <= last; i++) {
		kind = usage_kind(&c->use, i);
		if (kind != USE_NONE && kind != USE_DATA) {
			l2_bad(c, w, idx, "compressed bytes at 0x%" PRIx64 " overlap %s", off, usage_kind_name(kind));
			return 0;
		}
	}
	if (*entry & QCOW2_COPIED) {
		l2_bad(c, w, idx, "a compressed cluster (0x%" PRIx64 ") says that it is not shared", off);
		*entry &= ~QCOW2_COPIED;
	}
	for (uint64_t i = first; i <= last; i++) {
		rc = usage_add(&c->use, i, w->table->uses, USE_DATA, 0, NULL, e);
		if (rc < 0)
			return rc;
	}
	/* Several of them share a cluster and none can be rewritten in place, so each counts as a fragment. */
	w->allocated++;
	w->compressed++;
	w->fragmented++;
	return 1;
}

static int l2_data(struct qcow2_check *c, struct l2_walk *w, unsigned idx, uint64_t *entry, uint64_t *bitmap,
		   struct err *e)
{
	uint64_t off = *entry & QCOW2_OFFSET_MASK;
	enum usage_kind was;
	int rc;

	if (*bitmap & *bitmap >> 32) {
		l2_bad(c, w, idx, "subclusters are both allocated and zero: 0x%016" PRIx64, *bitmap);
		*bitmap &= ~((*bitmap & UINT32_MAX) << 32);
	}
	if (!check_aligned(c, off)) {
		l2_bad(c, w, idx, "the cluster at 0x%" PRIx64 " does not begin at a multiple of the cluster size", off);
		return 0;
	}
	if (!c->s->data_file) {
		if (!check_in_file(c, off, c->s->cluster_size)) {
			l2_bad(c, w, idx, "the cluster at 0x%" PRIx64 " lies past the end of the file", off);
			return 0;
		}
		was = usage_kind(&c->use, off >> c->s->cluster_bits);
		if (was != USE_NONE && was != USE_DATA) {
			l2_bad(c, w, idx, "the data cluster at 0x%" PRIx64 " overlaps %s", off, usage_kind_name(was));
			return 0;
		}
	}
	l2_reserved(c, w, idx, entry);
	if (!c->s->data_file) {
		rc = usage_add(&c->use, off >> c->s->cluster_bits, w->table->uses, USE_DATA,
			       !w->table->active_uses	? 0
			       : (*entry & QCOW2_COPIED) ? USE_COPIED
						      : USE_NOT_COPIED,
			       NULL, e);
		if (rc < 0)
			return rc;
	}
	if (c->s->data_file && w->table->active_uses && !(*entry & QCOW2_COPIED))
		c->data_not_copied = true;
	w->allocated++;
	if (w->next_off && off != w->next_off)
		w->fragmented++;
	w->next_off = off + c->s->cluster_size;
	return 1;
}

/*
 * Judges an entry and counts what it points at.  Returns 1 when it can be used (and mends what can be mended in
 * *entry and *bitmap), 0 when it cannot.
 */
static int l2_entry(struct qcow2_check *c, struct l2_walk *w, unsigned idx, uint64_t *entry, uint64_t *bitmap,
		    struct err *e)
{
	switch (check_l2_kind(c, *entry)) {
	case L2_COMPRESSED:
		return l2_compressed(c, w, idx, entry, *bitmap, e);
	case L2_DATA:
	case L2_ZERO_DATA:
		return l2_data(c, w, idx, entry, bitmap, e);
	case L2_ZERO:
	case L2_NONE:
		break;
	}
	l2_reserved(c, w, idx, entry);
	if (*bitmap & UINT32_MAX) {
		l2_bad(c, w, idx, "subclusters 0x%016" PRIx64 " are allocated without a cluster", *bitmap);
		return 0;
	}
	return 1;
}

static int l2_table(struct qcow2_check *c, const struct check_l2 *t, uint8_t *buf, struct err *e)
{
	size_t step = c->s->l2_entry_size;
	unsigned n = (unsigned)(c->s->cluster_size / step);
	struct l2_walk w = { .table = t };
	char where[CHECK_WHERE];
	int rc;

	for (unsigned i = 0; i < n; i++) {
		be64 *slot = (be64 *)(buf + i * step);
		uint64_t old = be64_get(slot[0]), entry = old, old_map = 0, bitmap;

		if (c->extended_l2)
			old_map = be64_get(slot[1]);
		if (!(old | old_map))
			continue;
		bitmap = old_map;
		rc = l2_entry(c, &w, i, &entry, &bitmap, e);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			/* Lost data reads as zeros, not as what a backing file happens to hold there. */
			entry = c->s->version >= 3 && !c->extended_l2 ? QCOW2_ZERO_FLAG : 0;
			bitmap = (uint64_t)UINT32_MAX << 32;
			c->damaged += !check_edits(c);
		}
		if (!check_edits(c) || (entry == old && bitmap == old_map))
			continue;
		be64_put(&slot[0], entry);
		if (c->extended_l2)
			be64_put(&slot[1], bitmap);
		w.dirty = true;
	}
	c->r->allocated_clusters += w.allocated * t->active_uses;
	c->r->fragmented_clusters += w.fragmented * t->active_uses;
	c->r->compressed_clusters += w.compressed * t->active_uses;
	if (!w.dirty)
		return 0;
	c->edited = true;
	rc = check_pwrite(c, buf, c->s->cluster_size, t->off, e);
	return rc < 0 ? err_in(e, rc, "%s", check_where(c, t, where)) : 0;
}

int check_walk_l2_tables(struct qcow2_check *c, struct err *e)
{
	size_t most = MAX_OF(CHECK_READ_AT_ONCE / c->s->cluster_size, 1), n;
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	struct err why = ERR_INIT;
	char where[CHECK_WHERE];
	bool zero;
	int rc;

	if (!c->nl2)
		return 0;
	l2_merge(c);
	rc = l2_mark(c, e);
	if (rc < 0)
		return rc;
	buf = alloc_bytes(MIN_OF(most, c->nl2) * c->s->cluster_size);
	if (!buf)
		return err_nomem(e);
	for (size_t i = 0; i < c->nl2; i += n) {
		for (n = 1; n < most && i + n < c->nl2; n++)
			if (c->l2[i + n].off != c->l2[i].off + n * c->s->cluster_size)
				break;
		rc = check_read_table(c, buf, n * c->s->cluster_size, c->l2[i].off, &zero, &why);
		if (rc < 0 && n > 1) {
			/* One bad sector must not hide its neighbours. */
			most = n = 1;
			rc = check_read_table(c, buf, c->s->cluster_size, c->l2[i].off, &zero, &why);
		}
		if (rc < 0) {
			check_unreadable(c, &why, "%s: L2 table at 0x%" PRIx64, check_where(c, &c->l2[i], where),
					 c->l2[i].off);
			continue;
		}
		for (size_t k = 0; !zero && k < n; k++) {
			rc = l2_table(c, &c->l2[i + k], buf + k * c->s->cluster_size, e);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

