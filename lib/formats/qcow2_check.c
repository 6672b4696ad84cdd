/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_check.c - compares the refcounts and flags that a qcow2 image stores with those it should have.
 *
 * Order of a repair, so that a crash never makes an image worse than it was: entries that cannot be used are cleared
 * (which only leaks), refcounts that are too low are raised, those that are too high are lowered, and only then do
 * entries say again that their cluster is theirs alone.  Between two steps the file is flushed; the dirty and corrupt
 * bits go last.
 */
#include "qcow2_check.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- telling ---- */

static void tell_va(struct qcow2_check *c, bool fixed, const char *fmt, va_list ap)
{
	struct check_finding about = c->about;
	char text[600];

	c->about = (struct check_finding){ .kind = CHECK_OTHER };
	if (c->quiet || (!c->r->finding && !c->r->detail) || c->findings > LIMIT_CHECK_FINDINGS)
		return;
	if (c->findings++ == LIMIT_CHECK_FINDINGS) {
		snprintf(text, sizeof text, "there is more; what follows is counted, but not told");
		about.kind = CHECK_OTHER;
	} else {
		vsnprintf(text, sizeof text, fmt, ap);
	}
	about.fixed = fixed;
	about.text = text;
	if (c->r->finding)
		c->r->finding(c->r->arg, fixed, text);
	if (c->r->detail)
		c->r->detail(c->r->arg, &about);
}

void check_tell(struct qcow2_check *c, bool fixed, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell_va(c, fixed, fmt, ap);
	va_end(ap);
}

void check_corrupt(struct qcow2_check *c, bool fixed, const char *fmt, ...)
{
	va_list ap;

	if (fixed)
		c->r->corruptions_fixed++;
	else
		c->r->corruptions++;
	va_start(ap, fmt);
	tell_va(c, fixed, fmt, ap);
	va_end(ap);
}

void check_unreadable(struct qcow2_check *c, const struct err *why, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	c->r->check_errors++;
	c->unreadable++;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	check_tell(c, false, "%s cannot be read: %s", what, why->msg);
}

/* ---- the file ---- */

int check_pread(struct qcow2_check *c, void *buf, uint64_t len, uint64_t off, struct err *e)
{
	uint64_t there = off >= c->file_size ? 0 : MIN_OF(len, c->file_size - off);

	memset((uint8_t *)buf + there, 0, len - there);
	return there ? block_pread(c->file, buf, there, off, e) : 0;
}

int check_pwrite(struct qcow2_check *c, const void *buf, uint64_t len, uint64_t off, struct err *e)
{
	int rc = block_pwrite(c->file, buf, len, off, e);

	if (rc == 0) {
		c->wrote = true;
		c->file_size = block_size(c->file);
	}
	return rc;
}

/* ---- what may be repaired ---- */

bool check_edits(const struct qcow2_check *c)
{
	return (c->fix & CHECK_FIX_ERRORS) && !c->no_edits;
}

/* With a table unread nobody knows what it uses. */
static bool fixes_low(const struct qcow2_check *c)
{
	return (c->fix & CHECK_FIX_ERRORS) && !c->unreadable;
}

/* What looks like a leak may be what a damaged entry meant to say: it is only given up when the entry is. */
static bool fixes_leaks(const struct qcow2_check *c)
{
	return fixes_low(c) || ((c->fix & CHECK_FIX_LEAKS) && !c->unreadable && !c->damaged && !c->refs_damaged);
}

/* ---- refcounts against uses ---- */

/* Neighbours with the same wrong count are told in one sentence. */
struct wrong_run {
	uint64_t first, n, stored, uses;
};

static void tell_run(struct qcow2_check *c, struct wrong_run *r)
{
	bool low = r->stored < r->uses;
	char who[80];

	if (!r->n)
		return;
	if (r->n == 1)
		snprintf(who, sizeof who, "cluster %" PRIu64 " (offset 0x%" PRIx64 ")", r->first,
			 r->first << c->s->cluster_bits);
	else
		snprintf(who, sizeof who, "clusters %" PRIu64 " to %" PRIu64 " (offset 0x%" PRIx64 ")", r->first,
			 r->first + r->n - 1, r->first << c->s->cluster_bits);
	c->about = (struct check_finding){ .kind = CHECK_REFCOUNT, .cluster = r->first, .nclusters = r->n,
					   .refcount = r->stored, .references = r->uses };
	if (r->uses > c->s->refcount_max)
		check_tell(c, fixes_low(c) && c->refs_damaged,
			   "%s: used %" PRIu64 " times, more than its refcount can say", who, r->uses);
	else if (low)
		check_tell(c, fixes_low(c), "%s: refcount is %" PRIu64 ", but it is used %" PRIu64 " time%s", who,
			   r->stored, r->uses, r->uses == 1 ? "" : "s");
	else
		check_tell(c, fixes_leaks(c), "leaked %s: refcount is %" PRIu64 ", but it is used %" PRIu64 " time%s",
			   who, r->stored, r->uses, r->uses == 1 ? "" : "s");
	r->n = 0;
}

struct compare {
	struct qcow2_check *c;
	struct wrong_run run;
};

static void compare_wrong(struct compare *cmp, uint64_t cluster, uint64_t stored, uint64_t uses)
{
	struct qcow2_check *c = cmp->c;
	struct wrong_run *r = &cmp->run;
	uint64_t block = cluster >> c->s->refblock_bits;

	if (uses > c->s->refcount_max)
		c->too_many++;
	else if (stored < uses)
		c->low++;
	else
		c->leaks++;
	if (block >= c->reftable_size || !c->reftable[block])
		c->no_block = true;
	else
		c->block_wrong[block] |= stored < uses ? REFS_LOW : REFS_LEAK;
	if (r->n && r->first + r->n == cluster && r->stored == stored && r->uses == uses) {
		r->n++;
		return;
	}
	tell_run(c, r);
	*r = (struct wrong_run){ .first = cluster, .n = 1, .stored = stored, .uses = uses };
}

/* One cluster: stored is what its refcount block says. */
static inline void compare_one(struct compare *cmp, struct usage_chunk *k, uint64_t cluster, uint64_t stored)
{
	unsigned i = cluster & (USAGE_CHUNK - 1);
	uint64_t uses = k->marks ? usage_chunk_count(k, i) : 0;

	if (stored | uses)
		cmp->c->highest = MAX_OF(cmp->c->highest, cluster);
	if (stored == 1 && k->marks)
		k->marks[i] |= USE_STORED_ONE;
	if (stored != uses)
		compare_wrong(cmp, cluster, stored, uses);
}

/* n clusters from first, all in one chunk; their refcounts begin at index idx of a block (NULL: all are 0). */
static void compare_part(struct compare *cmp, uint64_t first, uint64_t n, const uint8_t *block, uint64_t idx)
{
	struct qcow2_check *c = cmp->c;
	struct usage_chunk *k = &c->use.chunks[first >> USAGE_CHUNK_BITS];
	uint64_t i = 0;

	if (!block && !k->marks)
		return;
	if (!block) {
		for (; i < n; i++)
			compare_one(cmp, k, first + i, 0);
	} else if (c->s->refcount_order == 4 && (!k->marks || k->width_log2 == 0)) {
		/* The usual widths: skip what is equal without looking twice. */
		const be16 *stored = (const be16 *)block + idx;
		uint8_t *marks = k->marks ? k->marks + (first & (USAGE_CHUNK - 1)) : NULL;
		const uint8_t *counts = k->marks ? (const uint8_t *)k->counts + (first & (USAGE_CHUNK - 1)) : NULL;

		for (; i < n; i++) {
			uint16_t v = be16_get(stored[i]);

			if (marks && v == counts[i]) {
				marks[i] |= v == 1 ? USE_STORED_ONE : 0;
				if (v)
					c->highest = first + i;
			} else if (v || marks) {
				compare_one(cmp, k, first + i, v);
			}
		}
	} else {
		for (; i < n; i++)
			compare_one(cmp, k, first + i, check_refcount_get(block, idx + i, c->s->refcount_order));
	}
}

static void forget_stored(struct qcow2_check *c)
{
	for (uint64_t i = 0; i < c->use.nchunks; i++)
		for (unsigned k = 0; c->use.chunks[i].marks && k < USAGE_CHUNK; k++)
			c->use.chunks[i].marks[k] &= (uint8_t)~USE_STORED_ONE;
}

/* Those of the file, and the one behind it when something that was cut short reaches there. */
static uint64_t clusters_to_compare(const struct qcow2_check *c)
{
	uint64_t n = div_round_up(c->file_size, c->s->cluster_size);

	return n + (usage_count(&c->use, n) != 0);
}

/*
 * Compares all refcounts; c->low and c->leaks are how many are wrong.  An unreadable refcount block counts as a table
 * that is lost, unless the refcounts are going to be written anew.
 */
static int compare(struct qcow2_check *c, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(c->s->cluster_size);
	uint64_t per_block = check_block_entries(c), total = clusters_to_compare(c);
	struct compare cmp = { .c = c };
	struct err why = ERR_INIT;

	free(c->block_wrong);
	c->block_wrong = alloc_zero(MAX_OF(c->reftable_size, 1));
	if (!block || !c->block_wrong)
		return err_nomem(e);
	forget_stored(c);
	c->low = c->leaks = c->too_many = c->highest = 0;
	c->no_block = false;
	for (uint64_t first = 0; first < total;) {
		uint64_t b = first >> c->s->refblock_bits, end = MIN_OF(total, (b + 1) * per_block);
		const uint8_t *stored = NULL;
		bool zero;

		if (b >= c->reftable_size)
			end = total; /* no block covers what follows */
		else if (c->reftable[b]) {
			if (check_read_table(c, block, c->s->cluster_size, c->reftable[b], &zero, &why) == 0) {
				stored = zero ? NULL : block;
			} else if (c->fix & CHECK_FIX_ERRORS) {
				check_corrupt(c, fixes_low(c), "refcount block %" PRIu64 " at 0x%" PRIx64
					      " cannot be read: %s", b, c->reftable[b], why.msg);
				c->refs_damaged = true;
			} else {
				check_unreadable(c, &why, "refcount block %" PRIu64 " at 0x%" PRIx64, b, c->reftable[b]);
				first = end;
				continue;
			}
		}
		while (first < end) {
			uint64_t stop = MIN_OF(end, (first | (USAGE_CHUNK - 1)) + 1);

			compare_part(&cmp, first, stop - first, stored, first & (per_block - 1));
			first = stop;
		}
	}
	tell_run(c, &cmp.run);
	return 0;
}

/* Compares again after a repair: nothing that was to be repaired may be left. */
static int compare_again(struct qcow2_check *c, bool low, bool leaks, struct err *e)
{
	bool quiet = c->quiet;
	int rc;

	c->quiet = true;
	rc = compare(c, e);
	c->quiet = quiet;
	if (rc == 0 && ((low && c->low) || (leaks && c->leaks)))
		return err_set(e, ERR_CORRUPT, "refcounts are still wrong after they were written");
	return rc;
}

static int fix_refcounts(struct qcow2_check *c, struct err *e)
{
	bool low = fixes_low(c), leaks = fixes_leaks(c), anew = low && (c->refs_damaged || c->no_block);
	uint64_t too_many = c->too_many;
	int rc = 0;

	*(low ? &c->r->corruptions_fixed : &c->r->corruptions) += c->low;
	*(leaks ? &c->r->leaks_fixed : &c->r->leaks) += c->leaks;
	if (anew) {
		rc = check_rebuild(c, e);
	} else {
		if (low && c->low)
			rc = check_fix_in_place(c, REFS_LOW, e);
		if (rc == 0 && leaks && c->leaks)
			rc = check_fix_in_place(c, REFS_LEAK, e);
	}
	if (rc == 0 && (anew || (low && c->low) || (leaks && c->leaks)))
		rc = compare_again(c, low, leaks, e);
	if (rc < 0)
		return err_in(e, rc, "refcounts");
	/* A new structure is in nobody's way: what only it made too many is right now. */
	c->r->corruptions += c->too_many;
	c->r->corruptions_fixed += too_many - MIN_OF(too_many, c->too_many);
	return 0;
}

/* ---- the flags that say "mine alone" ---- */

/* Does a cluster's stored refcount say what the flag of an entry for it says? */
static bool copied_right(const struct qcow2_check *c, uint64_t off, bool copied)
{
	uint64_t cluster = off >> c->s->cluster_bits;
	const struct usage_chunk *k;

	/* Entries that cannot be used were told already. */
	if (!check_aligned(c, off) || !check_in_file(c, off, c->s->cluster_size))
		return true;
	k = &c->use.chunks[cluster >> USAGE_CHUNK_BITS];
	return !k->marks || copied == !!(k->marks[cluster & (USAGE_CHUNK - 1)] & USE_STORED_ONE);
}

/* Is there any entry with a wrong flag?  In bulk, from the marks. */
static bool copied_any_wrong(const struct qcow2_check *c)
{
	for (uint64_t i = 0; i < c->use.nchunks; i++) {
		const uint8_t *m = c->use.chunks[i].marks;
		unsigned bad = 0;

		for (unsigned k = 0; m && k < USAGE_CHUNK; k++) {
			unsigned one = m[k] & USE_STORED_ONE;

			bad |= one ? m[k] & USE_NOT_COPIED : m[k] & USE_COPIED;
		}
		if (bad)
			return true;
	}
	return c->data_not_copied;
}

/* What a cluster's refcount says, for a finding; 0 when it cannot be read. */
static uint64_t stored_refcount(struct qcow2_check *c, uint64_t off)
{
	uint64_t cluster = off >> c->s->cluster_bits, block = cluster >> c->s->refblock_bits;
	uint64_t idx = cluster & ((1ULL << c->s->refblock_bits) - 1);
	unsigned order = c->s->refcount_order, bytes = order > 3 ? 1u << (order - 3) : 1;
	uint8_t raw[8];

	if (block >= c->reftable_size || !c->reftable[block] ||
	    check_pread(c, raw, bytes, c->reftable[block] + ((idx << order) >> 3), NULL) < 0)
		return 0;
	return check_refcount_get(raw, order < 3 ? idx & ((8u >> order) - 1) : 0, order);
}

static int copied_fix_l1(struct qcow2_check *c, bool fix, struct err *e)
{
	int rc;

	for (uint32_t i = 0; c->l1 && i < c->l1_size; i++) {
		uint64_t entry = be64_get(c->l1[i]), off = entry & QCOW2_OFFSET_MASK;

		if (!off || copied_right(c, off, entry & QCOW2_COPIED))
			continue;
		c->about = (struct check_finding){ .kind = CHECK_L1_COPIED, .entry = entry, .l1_idx = i,
						   .refcount = stored_refcount(c, off) };
		check_corrupt(c, fix, "L1 entry %" PRIu32 ": its flag says that the L2 table at 0x%" PRIx64
			      " is %s, its refcount says otherwise", i, off, entry & QCOW2_COPIED ? "not shared" : "shared");
		if (!fix)
			continue;
		be64_put(&c->l1[i], entry ^ QCOW2_COPIED);
		rc = check_pwrite(c, &c->l1[i], sizeof c->l1[i], c->l1_off + (uint64_t)i * 8, e);
		if (rc < 0)
			return err_in(e, rc, "L1 entry %" PRIu32, i);
	}
	return 0;
}

static int copied_fix_l2(struct qcow2_check *c, const struct check_l2 *t, be64 *table, bool fix, struct err *e)
{
	size_t step = c->s->l2_entry_size / sizeof *table;
	unsigned n = 1u << c->s->l2_bits;
	char where[CHECK_WHERE];
	bool dirty = false;
	int rc;

	for (unsigned i = 0; i < n; i++) {
		uint64_t entry = be64_get(table[i * step]), off = entry & QCOW2_OFFSET_MASK;

		if (!check_l2_has_cluster(check_l2_kind(c, entry)))
			continue;
		if (c->s->data_file ? entry & QCOW2_COPIED : copied_right(c, off, entry & QCOW2_COPIED))
			continue;
		c->about = (struct check_finding){ .kind = CHECK_DATA_COPIED, .entry = entry,
						   .refcount = c->s->data_file ? 1 : stored_refcount(c, off) };
		check_corrupt(c, fix, "%s, L2 entry %u: its flag says that the cluster at 0x%" PRIx64
			      " is %s, %s says otherwise", check_where(c, t, where), i, off,
			      entry & QCOW2_COPIED ? "not shared" : "shared",
			      c->s->data_file ? "its place in a data file" : "its refcount");
		be64_put(&table[i * step], entry ^ QCOW2_COPIED);
		dirty = true;
	}
	if (!dirty || !fix)
		return 0;
	rc = check_pwrite(c, table, c->s->cluster_size, t->off, e);
	return rc < 0 ? err_in(e, rc, "%s", check_where(c, t, where)) : 0;
}

static int check_copied(struct qcow2_check *c, struct err *e)
{
	bool fix = fixes_low(c) || (fixes_leaks(c) && !c->r->corruptions);
	CLEANUP(free_ptr) be64 *table = NULL;
	bool zero;
	int rc;

	if (!copied_any_wrong(c))
		return 0;
	table = alloc_bytes(c->s->cluster_size);
	if (!table)
		return err_nomem(e);
	rc = copied_fix_l1(c, fix, e);
	for (size_t i = 0; rc == 0 && i < c->nl2; i++) {
		if (!c->l2[i].active_uses)
			continue;
		/* One that could not be read was told already. */
		if (check_read_table(c, table, c->s->cluster_size, c->l2[i].off, &zero, NULL) == 0 && !zero)
			rc = copied_fix_l2(c, &c->l2[i], table, fix, e);
	}
	return rc;
}

/* ---- the whole ---- */

/* Where the encryption header lies, for images that have one. */
static int find_crypto(struct qcow2_check *c, struct err *e)
{
	uint64_t at = c->s->header_len, end = c->s->backing_off ? c->s->backing_off : c->s->cluster_size;
	CLEANUP(free_ptr) uint8_t *cluster = NULL;
	int rc;

	if (c->s->crypt_method != 2)
		return 0;
	cluster = alloc_bytes(c->s->cluster_size);
	if (!cluster)
		return err_nomem(e);
	rc = check_pread(c, cluster, c->s->cluster_size, 0, e);
	if (rc < 0)
		return err_in(e, rc, "header");
	/* Ends: every extension takes at least its own 8 bytes. */
	for (end = MIN_OF(end, c->s->cluster_size); at + sizeof(struct qcow2_ext) + 16 <= end;) {
		struct qcow2_ext x;
		be64 v[2];

		memcpy(&x, cluster + at, sizeof x);
		memcpy(v, cluster + at + sizeof x, sizeof v);
		if (be32_get(x.type) == QCOW2_EXT_END)
			return 0;
		if (be32_get(x.type) == QCOW2_EXT_CRYPTO && be32_get(x.len) == sizeof v) {
			c->crypto_off = be64_get(v[0]);
			c->crypto_len = be64_get(v[1]);
			return 0;
		}
		at += sizeof x + round_up(be32_get(x.len), 8);
	}
	return 0;
}

static int read_facts(struct qcow2_check *c, struct err *e)
{
	struct qcow2_header h = { .version = { { 0 } } };
	int rc;

	c->s = qcow2_state(c->b);
	c->file = c->b->file;
	c->file_size = block_size(c->file);
	rc = check_pread(c, &h, c->s->version >= 3 ? sizeof h : QCOW2_HEADER_V2, 0, e);
	if (rc < 0)
		return err_in(e, rc, "header");
	c->extended_l2 = c->s->l2_entry_size == 16;
	c->virtual_size = be64_get(h.size);
	c->l1_off = be64_get(h.l1_off);
	c->l1_size = be32_get(h.l1_size);
	c->reftable_off = be64_get(h.reftable_off);
	c->reftable_size = be32_get(h.reftable_clusters) * (c->s->cluster_size / 8);
	c->snapshots_off = be64_get(h.snapshots_off);
	c->nsnapshots = be32_get(h.nsnapshots);
	c->incompat = be64_get(h.incompat);
	c->autoclear = be64_get(h.autoclear);
	if (c->reftable_size > LIMIT_QCOW2_REFTABLE_BYTES / 8)
		return err_set(e, ERR_LIMIT, "refcount table of %" PRIu64 " entries", c->reftable_size);
	if (c->autoclear & QCOW2_AUTOCLEAR_BITMAPS)
		c->nbitmaps = c->s->nbitmaps;
	return find_crypto(c, e);
}

/* Dirty and corrupt go when everything is right again. */
static int clear_bits(struct qcow2_check *c, struct err *e)
{
	uint64_t bits = c->incompat & ~(uint64_t)(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT);
	be64 disk;
	int rc;

	if (bits == c->incompat || c->r->corruptions || c->r->check_errors || c->damaged)
		return 0;
	be64_put(&disk, bits);
	rc = block_flush(c->file, e);
	if (rc == 0)
		rc = check_pwrite(c, &disk, sizeof disk, offsetof(struct qcow2_header, incompat), e);
	if (rc < 0)
		return err_in(e, rc, "header");
	c->incompat = bits;
	return 0;
}

static int walk(struct qcow2_check *c, struct err *e)
{
	/*
	 * Clearing an entry makes what was counted out of date, so everything is walked again.  Ends: a walk edits only
	 * what it finds wrong, and clears it; what could still turn up then is behind a table that was hidden before.
	 */
	for (int round = 0; round < 8; round++) {
		int rc;

		check_walk_reset(c);
		c->r->corruptions = c->r->check_errors = 0;
		rc = check_walk(c, e);
		if (rc < 0 || !c->edited)
			return rc;
		rc = block_flush(c->file, e);
		if (rc < 0)
			return rc;
	}
	return err_set(e, ERR_CORRUPT, "repairs keep uncovering new damage");
}

static int run(struct qcow2_check *c, struct err *e)
{
	int rc = read_facts(c, e);

	if (rc == 0)
		rc = walk(c, e);
	if (rc == 0 && c->no_edits && (c->damaged || c->unreadable))
		rc = err_set(e, ERR_CORRUPT, "its tables are damaged; repair them with check first");
	if (rc == 0)
		rc = compare(c, e);
	if (rc == 0)
		rc = fix_refcounts(c, e);
	if (rc == 0)
		rc = check_copied(c, e);
	if (rc == 0 && c->fix)
		rc = clear_bits(c, e);
	if (rc == 0 && c->wrote)
		rc = block_flush(c->file, e);
	if (rc < 0)
		return rc;
	c->r->image_end_offset = (c->highest + 1) << c->s->cluster_bits;
	c->r->total_clusters = div_round_up(c->virtual_size, c->s->cluster_size);
	return 0;
}

static void free_check(struct qcow2_check *c)
{
	check_walk_reset(c);
	free(c->block_wrong);
}

/*
 * What the driver holds in memory is read again from the image, which the check has changed beneath it.  Where that
 * fails the image cannot be written any more: its corrupt bit is set in memory.
 */
static void reload(struct qcow2_check *c)
{
	struct qcow2_state *s = qcow2_state(c->b);
	CLEANUP(free_ptr) be64 *l1 = alloc_bytes(MAX_OF((uint64_t)s->l1_size * 8, 1));
	uint64_t reftable_size = c->reftable_size;

	qcow2_cache_drop(&s->l2);
	qcow2_cache_drop(&s->refs);
	s->l1_dirty = s->reftable_dirty = (struct qcow2_dirty){ 0, 0 };
	free(take(s->reftable));
	qcow2_snapshots_free(s);
	s->free_hint = s->free_byte = 0;
	s->virgin = MAX_OF(s->virgin, round_up(c->file_size, s->cluster_size));
	s->zgen++;
	if (!l1 || read_facts(c, NULL) < 0 ||
	    check_pread(c, l1, (uint64_t)s->l1_size * 8, s->l1_off, NULL) < 0) {
		s->incompat |= QCOW2_INCOMPAT_CORRUPT;
		return;
	}
	for (uint32_t i = 0; i < s->l1_size; i++)
		s->l1[i] = be64_get(l1[i]);
	s->reftable_off = c->reftable_off;
	s->reftable_size = (uint32_t)c->reftable_size;
	s->reftable_clusters = (uint32_t)(c->reftable_size * 8 >> s->cluster_bits);
	s->incompat = c->incompat;
	s->autoclear = c->autoclear;
	qcow2_bitmaps_free(s);
	s->nsnapshots = c->nsnapshots;
	c->reftable_size = reftable_size;
}

int qcow2_check(struct block *b, unsigned fix, struct check_report *r, struct err *e)
{
	struct qcow2_check c = { .b = b, .r = r, .fix = fix };
	struct qcow2_state *s = qcow2_state(b);
	int rc = 0;

	*r = (struct check_report){ .finding = r->finding, .detail = r->detail, .arg = r->arg };
	if (block_writable(b)) {
		pthread_mutex_lock(&s->lock);
		rc = qcow2_write_meta(b, e);
		if (rc == 0)
			rc = qcow2_apply_frees(b, e);
		if (rc == 0)
			rc = qcow2_bitmaps_store(b, e);
		if (rc == 0) /* lazy refcounts are still in memory */
			rc = qcow2_write_refs(b, e);
		pthread_mutex_unlock(&s->lock);
	}
	if (rc == 0)
		rc = run(&c, e);
	if (c.wrote) {
		pthread_mutex_lock(&s->lock);
		reload(&c);
		pthread_mutex_unlock(&s->lock);
	}
	free_check(&c);
	return rc;
}

int qcow2_repair_refcounts(struct block *b, struct err *e)
{
	struct check_report r = { .finding = NULL };
	struct qcow2_check c = {
		.b = b, .r = &r, .fix = CHECK_FIX_LEAKS | CHECK_FIX_ERRORS, .quiet = true, .no_edits = true
	};
	int rc = run(&c, e);

	if (rc == 0 && (r.corruptions || r.check_errors))
		rc = err_set(e, ERR_CORRUPT, "its refcounts cannot be repaired");
	if (c.wrote)
		reload(&c);
	free_check(&c);
	return rc < 0 ? err_in(e, rc, "the image was not closed cleanly") : 0;
}
