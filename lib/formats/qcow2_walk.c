/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2_walk.c - everything in a qcow2 file that points at clusters.
 *
 * The header points at the active L1 table, the snapshot table, the bitmap directory and the refcount table; L1
 * tables at L2 tables; L2 tables at data.  Whoever comes first in that order keeps a cluster that two claim: data may
 * never lie in a table, but tables never give way to data.  The refcounts come last, since they can be computed.
 *
 * The map of the disk itself, from L1 entries to data, is walked in qcow2_walk_l2.c.
 */
#include "qcow2_check.h"

#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

void check_walk_reset(struct qcow2_check *c)
{
	usage_free(&c->use);
	free(take(c->l1));
	for (uint32_t i = 0; i < c->nsnapshots_read; i++)
		free(c->snapshots[i].name);
	free(take(c->snapshots));
	c->nsnapshots_read = 0;
	free(take(c->l2));
	c->nl2 = c->l2_cap = 0;
	free(take(c->reftable));
	c->reftable_counted = false;
	c->run_from = c->run_to = 0;
	c->data_not_copied = false;
	c->unreadable = c->damaged = 0;
	c->edited = c->refs_damaged = false;
}

/*
 * The last cluster of a file may be cut short, so a range may reach past the end by less than a cluster.
 */
bool check_in_file(const struct qcow2_check *c, uint64_t off, uint64_t len)
{
	uint64_t end;

	return checked_add(off, len, &end) && (end <= c->file_size || end - c->file_size < c->s->cluster_size);
}

bool check_aligned(const struct qcow2_check *c, uint64_t off)
{
	return !(off & (c->s->cluster_size - 1));
}

/*
 * Counts n uses of every cluster that a range touches.  *met is the kind of the first of them that had another use
 * before (USE_NONE: all were free).
 */
int check_count(struct qcow2_check *c, uint64_t off, uint64_t len, uint64_t n, enum usage_kind kind,
		       enum usage_kind *met, struct err *e)
{
	enum usage_kind was;
	int rc;

	*met = USE_NONE;
	if (!len)
		return 0;
	for (uint64_t i = off >> c->s->cluster_bits; i <= (off + len - 1) >> c->s->cluster_bits; i++) {
		rc = usage_add(&c->use, i, n, kind, 0, &was, e);
		if (rc < 0)
			return rc;
		if (*met == USE_NONE)
			*met = was;
	}
	return 0;
}

/* What a range would meet, before it is counted. */
enum usage_kind check_met(const struct qcow2_check *c, uint64_t off, uint64_t len)
{
	enum usage_kind kind = USE_NONE;

	for (uint64_t i = off >> c->s->cluster_bits; kind == USE_NONE && i <= (off + len - 1) >> c->s->cluster_bits; i++)
		kind = usage_kind(&c->use, i);
	return kind;
}

/*
 * Is this part of the file a hole?  Reading terabytes of zeros takes its time, and nothing points out of them.  The run
 * that was found last is remembered: tables are walked in the order of the file.
 */
static bool in_hole(struct qcow2_check *c, uint64_t off, uint64_t len)
{
	struct extent x;

	if (!range_in(off, len, c->file_size))
		return false;
	if (off < c->run_from || off >= c->run_to) {
		if (block_extent(c->file, c->file_size - off, off, &x, NULL) < 0)
			return false;
		c->run_from = off;
		c->run_to = off + x.len;
		c->run_zero = x.flags & EXTENT_ZERO;
	}
	return c->run_zero && len <= c->run_to - off;
}

/* Reads a piece of metadata; *zero tells that it is a hole, and buf was left alone. */
int check_read_table(struct qcow2_check *c, void *buf, uint64_t len, uint64_t off, bool *zero, struct err *e)
{
	*zero = in_hole(c, off, len);
	if (*zero)
		return 0;
	usage_allow(&c->use, len);
	return check_pread(c, buf, len, off, e);
}

/* ---- the active L1 table ---- */

static int walk_active_l1(struct qcow2_check *c, struct err *e)
{
	uint64_t len = (uint64_t)c->l1_size * 8;
	enum usage_kind met;
	bool zero;
	int rc;

	if (!len)
		return 0;
	if (len > LIMIT_QCOW2_L1_BYTES)
		return err_set(e, ERR_LIMIT, "L1 table of %" PRIu32 " entries", c->l1_size);
	if (!check_aligned(c, c->l1_off) || !check_in_file(c, c->l1_off, len))
		return err_set(e, ERR_CORRUPT, "the L1 table at 0x%" PRIx64 " does not lie in the file", c->l1_off);
	rc = check_count(c, c->l1_off, len, 1, USE_L1, &met, e);
	if (rc < 0)
		return rc;
	if (met != USE_NONE)
		return err_set(e, ERR_CORRUPT, "the L1 table at 0x%" PRIx64 " overlaps %s", c->l1_off,
			       usage_kind_name(met));
	c->l1 = alloc_zero(len);
	if (!c->l1)
		return err_nomem(e);
	rc = check_read_table(c, c->l1, len, c->l1_off, &zero, e);
	return rc < 0 ? err_in(e, rc, "L1 table") : 0;
}

/* ---- the snapshot table ---- */

/* Cuts the table behind the snapshots that could be read. */
static int snapshots_cut(struct qcow2_check *c, uint32_t n, struct err *e)
{
	be32 count;
	int rc;

	c->damaged += !check_edits(c);
	if (!check_edits(c))
		return 0;
	be32_put(&count, n);
	rc = check_pwrite(c, &count, sizeof count, 60, e);
	if (rc < 0)
		return err_in(e, rc, "header");
	c->nsnapshots = n;
	c->edited = true;
	return 0;
}

/* A snapshot whose L1 table is of no use becomes one of an empty disk. */
static int snapshot_drop_l1(struct qcow2_check *c, struct check_snapshot *s, struct err *e)
{
	struct qcow2_snapshot_entry head = { .l1_size = { { 0 } } };
	int rc;

	s->l1_size = 0;
	if (!check_edits(c)) {
		c->damaged++;
		return 0;
	}
	rc = check_pwrite(c, &head, 12, s->entry_off, e);
	if (rc < 0)
		return err_in(e, rc, "snapshot table");
	c->edited = true;
	return 0;
}

/* Reads one entry of the table; *len is what it takes, 0 when it cannot be one. */
static int snapshot_entry(struct qcow2_check *c, uint64_t off, uint64_t left, struct check_snapshot *s, uint64_t *len,
			  struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;
	CLEANUP(free_ptr) char *name = NULL;
	struct qcow2_snapshot_entry h;
	uint64_t extra, names;
	int rc;

	*len = 0;
	if (left < sizeof h || !check_in_file(c, off, sizeof h))
		return 0;
	rc = check_pread(c, &h, sizeof h, off, e);
	if (rc < 0)
		return rc;
	extra = be32_get(h.extra_len);
	names = (uint64_t)be16_get(h.id_len) + be16_get(h.name_len);
	if (extra > LIMIT_QCOW2_SNAPSHOT_EXTRA || sizeof h + extra + names > left ||
	    !check_in_file(c, off, sizeof h + extra + names))
		return 0;
	name = alloc_bytes(be16_get(h.name_len) + 1);
	if (!name)
		return err_nomem(e);
	rc = be16_get(h.name_len) ? check_pread(c, name, be16_get(h.name_len),
						off + sizeof h + extra + be16_get(h.id_len), e)
				  : 0;
	if (rc < 0)
		return rc;
	text_quote(&quoted, name, MIN_OF(be16_get(h.name_len), 60));
	s->name = strbuf_detach(&quoted);
	if (!s->name)
		return err_nomem(e);
	s->entry_off = off;
	s->l1_off = be64_get(h.l1_off);
	s->l1_size = be32_get(h.l1_size);
	*len = sizeof h + extra + names;
	return 0;
}

static int walk_snapshot_table(struct qcow2_check *c, struct err *e)
{
	uint64_t used = 0, end = 0;
	enum usage_kind met;
	int rc;

	if (!c->nsnapshots)
		return 0;
	if (!check_aligned(c, c->snapshots_off) || !check_in_file(c, c->snapshots_off, 1) ||
	    check_met(c, c->snapshots_off, 1) != USE_NONE) {
		check_corrupt(c, check_edits(c), "the snapshot table at 0x%" PRIx64 " is not where a table can be",
			      c->snapshots_off);
		return snapshots_cut(c, 0, e);
	}
	c->snapshots = alloc_array(MIN_OF(c->nsnapshots, LIMIT_QCOW2_SNAPSHOTS), sizeof *c->snapshots);
	if (!c->snapshots)
		return err_nomem(e);
	while (c->nsnapshots_read < c->nsnapshots) {
		uint64_t len = 0;

		if (c->nsnapshots_read < LIMIT_QCOW2_SNAPSHOTS) {
			rc = snapshot_entry(c, c->snapshots_off + used, LIMIT_QCOW2_SNAPSHOT_TABLE - used,
					    &c->snapshots[c->nsnapshots_read], &len, e);
			if (rc < 0)
				return err_in(e, rc, "snapshot table");
		}
		if (!len) {
			check_corrupt(c, check_edits(c),
				      "snapshot %" PRIu32 " of %" PRIu32 " runs past the end of the snapshot table",
				      c->nsnapshots_read + 1, c->nsnapshots);
			rc = snapshots_cut(c, c->nsnapshots_read, e);
			if (rc < 0)
				return rc;
			break;
		}
		c->nsnapshots_read++;
		end = used + len;
		used = round_up(end, 8);
	}
	rc = check_count(c, c->snapshots_off, end, 1, USE_SNAPSHOTS, &met, e);
	if (rc == 0 && met != USE_NONE)
		check_corrupt(c, false, "the snapshot table overlaps %s", usage_kind_name(met));
	return rc;
}

static int walk_snapshots(struct qcow2_check *c, struct err *e)
{
	int rc;

	rc = walk_snapshot_table(c, e);
	/* All L1 tables are marked before one of them is followed. */
	for (uint32_t i = 0; rc == 0 && i < c->nsnapshots_read; i++) {
		struct check_snapshot *s = &c->snapshots[i];
		uint64_t len = (uint64_t)s->l1_size * 8;
		enum usage_kind met;

		if (!len)
			continue;
		if (len > LIMIT_QCOW2_L1_BYTES || !check_aligned(c, s->l1_off) || !check_in_file(c, s->l1_off, len)) {
			check_corrupt(c, check_edits(c),
				      "snapshot \"%s\": L1 table of %" PRIu32 " entries at 0x%" PRIx64
				      " does not lie in the file", s->name, s->l1_size, s->l1_off);
			rc = snapshot_drop_l1(c, s, e);
			continue;
		}
		met = check_met(c, s->l1_off, len);
		if (met != USE_NONE) {
			check_corrupt(c, check_edits(c), "snapshot \"%s\": L1 table at 0x%" PRIx64 " overlaps %s", s->name,
				      s->l1_off, usage_kind_name(met));
			rc = snapshot_drop_l1(c, s, e);
			continue;
		}
		rc = check_count(c, s->l1_off, len, 1, USE_SNAPSHOT_L1, &met, e);
	}
	return rc;
}

/* ---- bitmaps ---- */

#define BITMAP_TABLE_RESERVED 0xff000000000001feULL

/* Counts a range of the bitmaps; 0 when it is fine, 1 when it cannot be. */
static int bitmap_range(struct qcow2_check *c, uint64_t off, uint64_t len, const char *what, unsigned idx, struct err *e)
{
	enum usage_kind met;

	if (!check_aligned(c, off) || !check_in_file(c, off, len)) {
		check_corrupt(c, check_edits(c), "bitmap %u: %s at 0x%" PRIx64 " does not lie in the file", idx, what,
			      off);
		return 1;
	}
	met = check_met(c, off, len);
	if (met != USE_NONE) {
		check_corrupt(c, check_edits(c), "bitmap %u: %s at 0x%" PRIx64 " overlaps %s", idx, what, off,
			      usage_kind_name(met));
		return 1;
	}
	return check_count(c, off, len, 1, USE_BITMAPS, &met, e);
}

static int bitmap_table(struct qcow2_check *c, unsigned idx, uint64_t off, uint64_t len, struct err *e)
{
	CLEANUP(free_ptr) be64 *piece = alloc_bytes(MIN_OF(len, CHECK_READ_AT_ONCE));
	int rc;

	if (!piece)
		return err_nomem(e);
	for (uint64_t done = 0; done < len; done += CHECK_READ_AT_ONCE) {
		uint64_t part = MIN_OF(len - done, CHECK_READ_AT_ONCE);
		bool zero;

		rc = check_read_table(c, piece, part, off + done, &zero, e);
		if (rc < 0)
			return err_in(e, rc, "bitmap %u", idx);
		for (uint64_t i = 0; !zero && i < part / 8; i++) {
			uint64_t entry = be64_get(piece[i]), at = entry & QCOW2_OFFSET_MASK;

			if ((entry & BITMAP_TABLE_RESERVED) || (at && (entry & 1))) {
				check_corrupt(c, check_edits(c), "bitmap %u: table entry 0x%016" PRIx64
					      " has reserved bits set", idx, entry);
				return 1;
			}
			if (!at)
				continue;
			rc = bitmap_range(c, at, c->s->cluster_size, "its cluster", idx, e);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* 0 when the directory and all that it names is fine, 1 when not. */
static int bitmap_directory(struct qcow2_check *c, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *dir = NULL;
	uint64_t at = 0;
	int rc;

	if (c->s->bitmaps_dir_size > LIMIT_QCOW2_BITMAP_DIR) {
		check_corrupt(c, check_edits(c), "a bitmap directory of %" PRIu64 " bytes", c->s->bitmaps_dir_size);
		return 1;
	}
	rc = bitmap_range(c, c->s->bitmaps_dir_off, c->s->bitmaps_dir_size, "the directory", 0, e);
	if (rc)
		return rc;
	dir = alloc_bytes(c->s->bitmaps_dir_size);
	if (!dir)
		return err_nomem(e);
	rc = check_pread(c, dir, c->s->bitmaps_dir_size, c->s->bitmaps_dir_off, e);
	if (rc < 0)
		return err_in(e, rc, "bitmap directory");
	for (unsigned i = 0; i < c->nbitmaps; i++) {
		struct qcow2_bitmap_entry h;
		uint64_t len;

		if (c->s->bitmaps_dir_size - at < sizeof h)
			break;
		memcpy(&h, dir + at, sizeof h);
		len = round_up(sizeof h + (uint64_t)be16_get(h.name_len) + be32_get(h.extra_len), 8);
		if (len > c->s->bitmaps_dir_size - at)
			break;
		at += len;
		if (be32_get(h.table_size)) {
			uint64_t bytes = (uint64_t)be32_get(h.table_size) * 8;

			rc = bitmap_range(c, be64_get(h.table_off), bytes, "its table", i, e);
			if (rc == 0)
				rc = bitmap_table(c, i, be64_get(h.table_off), bytes, e);
			if (rc)
				return rc;
		}
		if (i + 1 == c->nbitmaps && at == c->s->bitmaps_dir_size)
			return 0;
	}
	check_corrupt(c, check_edits(c), "the bitmap directory does not hold %" PRIu32 " bitmaps in %" PRIu64 " bytes",
		      c->nbitmaps, c->s->bitmaps_dir_size);
	return 1;
}

/* Bitmaps tell what to back up and can be made again: when they are damaged, the image gives them all up. */
static int walk_bitmaps(struct qcow2_check *c, struct err *e)
{
	be64 autoclear;
	int rc;

	if (!c->nbitmaps || !c->s->bitmaps_dir_size)
		return 0;
	rc = bitmap_directory(c, e);
	if (rc <= 0)
		return rc;
	if (!check_edits(c)) {
		c->damaged++;
		return 0;
	}
	c->autoclear &= ~1ULL;
	c->nbitmaps = 0;
	be64_put(&autoclear, c->autoclear);
	c->edited = true;
	rc = check_pwrite(c, &autoclear, sizeof autoclear, 88, e);
	return rc < 0 ? err_in(e, rc, "header") : 0;
}

/* ---- the refcounts' own clusters ---- */

/*
 * Reads the refcount table.  Whatever is wrong with it or lies where something else lies only means that the
 * refcounts have to be written anew.
 */
static int walk_refcounts(struct qcow2_check *c, struct err *e)
{
	uint64_t len = c->reftable_size * 8;
	CLEANUP(free_ptr) be64 *disk = NULL;
	bool fix = check_edits(c) || c->no_edits;
	enum usage_kind met;
	struct err why = ERR_INIT;
	bool zero;
	int rc;

	c->reftable = alloc_array(MAX_OF(c->reftable_size, 1), sizeof *c->reftable);
	disk = alloc_zero(MAX_OF(len, 1));
	if (!c->reftable || !disk)
		return err_nomem(e);
	if (!len || !check_aligned(c, c->reftable_off) || !check_in_file(c, c->reftable_off, len)) {
		check_corrupt(c, fix, "the refcount table at 0x%" PRIx64 " does not lie in the file", c->reftable_off);
		c->refs_damaged = true;
		return 0;
	}
	rc = check_count(c, c->reftable_off, len, 1, USE_REFTABLE, &met, e);
	if (rc < 0)
		return rc;
	c->reftable_counted = true;
	if (met != USE_NONE) {
		check_corrupt(c, fix, "the refcount table at 0x%" PRIx64 " overlaps %s", c->reftable_off,
			      usage_kind_name(met));
		c->refs_damaged = true;
	}
	rc = check_read_table(c, disk, len, c->reftable_off, &zero, &why);
	if (rc < 0) {
		check_unreadable(c, &why, "refcount table at 0x%" PRIx64, c->reftable_off);
		return 0;
	}
	for (uint64_t i = 0; i < c->reftable_size; i++) {
		uint64_t entry = be64_get(disk[i]);

		if (!entry)
			continue;
		if ((entry & QCOW2_RT_RESERVED) || !check_aligned(c, entry)) {
			check_corrupt(c, fix, "refcount table entry %" PRIu64 ": 0x%016" PRIx64
				      " is not the offset of a cluster", i, entry);
			c->refs_damaged = true;
			continue;
		}
		if (entry >= round_up(c->file_size, c->s->cluster_size)) {
			check_corrupt(c, fix, "refcount block %" PRIu64 " at 0x%" PRIx64
				      " lies past the end of the file", i, entry);
			c->refs_damaged = true;
			continue;
		}
		rc = check_count(c, entry, c->s->cluster_size, 1, USE_REFBLOCK, &met, e);
		if (rc < 0)
			return rc;
		c->reftable[i] = entry;
		if (met != USE_NONE) {
			check_corrupt(c, fix, "refcount block %" PRIu64 " at 0x%" PRIx64 " overlaps %s", i, entry,
				      usage_kind_name(met));
			c->refs_damaged = true;
		}
	}
	return 0;
}

int check_walk(struct qcow2_check *c, struct err *e)
{
	enum usage_kind met;
	uint64_t clusters = div_round_up(c->file_size, c->s->cluster_size) + 1;
	int rc;

	c->r->allocated_clusters = c->r->fragmented_clusters = c->r->compressed_clusters = 0;
	rc = usage_init(&c->use, clusters, e);
	if (rc == 0)
		rc = check_count(c, 0, c->s->cluster_size, 1, USE_HEADER, &met, e);
	if (rc < 0)
		return rc;
	if (c->crypto_len) {
		if (!check_aligned(c, c->crypto_off) || !check_in_file(c, c->crypto_off, c->crypto_len))
			return err_set(e, ERR_CORRUPT, "the encryption header does not lie in the file");
		rc = check_count(c, c->crypto_off, c->crypto_len, 1, USE_CRYPTO, &met, e);
		if (rc < 0)
			return rc;
	}
	rc = walk_active_l1(c, e);
	if (rc == 0)
		rc = walk_snapshots(c, e);
	if (rc == 0 && c->l1)
		rc = check_walk_l1(c, c->l1, c->l1_size, 0, c->l1_off, 0, e);
	for (uint32_t i = 1; rc == 0 && i <= c->nsnapshots_read; i++)
		if (c->snapshots[i - 1].l1_size)
			rc = check_walk_snapshot_l1(c, i, e);
	if (rc < 0)
		return rc;
	rc = check_walk_l2_tables(c, e);
	if (rc == 0)
		rc = walk_bitmaps(c, e);
	if (rc == 0)
		rc = walk_refcounts(c, e);
	return rc;
}
