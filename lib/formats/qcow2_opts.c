// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_opts.c - what a user may ask of an open image: caches, discards, checks before writes.
 *
 * The names are those of QEMU's block options.
 */
#include "qcow2.h"
#include "text.h"

#include <inttypes.h>

/* The L2 tables of the whole disk, but not more than this by default: 32 MiB serve 256 GiB with 64 KiB clusters. */
#define DEFAULT_L2_CACHE (32 * MiB)
#define DEFAULT_SLICE	 (64 * KiB)
#define DEFAULT_REFCOUNT_BLOCKS 4
#define DEFAULT_CLEAN_INTERVAL 600
#define MAX_CACHE (16 * GiB)

static int take_caches(struct block *b, struct dict *opts, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t needed = qcow2_l1_entries(s, b->size) << s->cluster_bits;
	uint64_t total = UINT64_MAX, l2 = UINT64_MAX, refs = UINT64_MAX, interval = DEFAULT_CLEAN_INTERVAL;
	uint64_t min_refs = DEFAULT_REFCOUNT_BLOCKS * s->cluster_size;
	int rc;

	s->l2_slice_size = MIN_OF(s->cluster_size, DEFAULT_SLICE);
	if ((rc = dict_take_size(opts, "cache-size", &total, e)) < 0 ||
	    (rc = dict_take_size(opts, "l2-cache-size", &l2, e)) < 0 ||
	    (rc = dict_take_size(opts, "refcount-cache-size", &refs, e)) < 0 ||
	    (rc = dict_take_size(opts, "l2-cache-entry-size", &s->l2_slice_size, e)) < 0 ||
	    (rc = dict_take_size(opts, "cache-clean-interval", &interval, e)) < 0)
		return rc;
	if (!is_pow2(s->l2_slice_size) || s->l2_slice_size < 512 || s->l2_slice_size > s->cluster_size)
		return err_set(e, ERR_USAGE, "\"l2-cache-entry-size\" is a power of two from 512 to the cluster size (%" PRIu64 ")",
			       s->cluster_size);
	if (interval > UINT32_MAX)
		return err_set(e, ERR_USAGE, "\"cache-clean-interval\" is too large");
	if (total != UINT64_MAX && l2 != UINT64_MAX && refs != UINT64_MAX)
		return err_set(e, ERR_USAGE,
			       "give at most two of \"cache-size\", \"l2-cache-size\" and \"refcount-cache-size\"");
	if (total != UINT64_MAX) {
		if ((l2 != UINT64_MAX && l2 > total) || (refs != UINT64_MAX && refs > total))
			return err_set(e, ERR_USAGE, "\"cache-size\" is less than one of its parts");
		if (l2 != UINT64_MAX)
			refs = total - l2;
		else if (refs != UINT64_MAX)
			l2 = total - refs;
		else if ((l2 = MIN_OF(total, needed)) + min_refs > total)
			refs = min_refs; /* the least that works */
		else
			refs = total - l2;
	}
	if (l2 == UINT64_MAX)
		l2 = MIN_OF(needed, DEFAULT_L2_CACHE);
	if (refs == UINT64_MAX)
		refs = min_refs;
	if (l2 > MAX_CACHE || refs > MAX_CACHE)
		return err_set(e, ERR_USAGE, "a metadata cache of more than 16 GiB");
	s->l2_cache_size = MIN_OF(l2, MAX_OF(needed, s->l2_slice_size));
	s->refcount_cache_size = MAX_OF(refs, min_refs);
	s->clean_interval = (unsigned)interval;
	return 0;
}

static const struct {
	const char *name;
	unsigned bits;
} templates[] = {
	{ "none", 0 },
	{ "constant", QCOW2_OL_CONSTANT },
	{ "cached", QCOW2_OL_CACHED },
	{ "all", QCOW2_OL_ALL },
}, overlaps[] = {
	{ "overlap-check.main-header", QCOW2_OL_HEADER },
	{ "overlap-check.active-l1", QCOW2_OL_L1 },
	{ "overlap-check.active-l2", QCOW2_OL_L2 },
	{ "overlap-check.refcount-table", QCOW2_OL_REFTABLE },
	{ "overlap-check.refcount-block", QCOW2_OL_REFBLOCK },
	{ "overlap-check.snapshot-table", QCOW2_OL_SNAPTABLE },
	{ "overlap-check.inactive-l1", QCOW2_OL_INACTIVE_L1 },
	{ "overlap-check.inactive-l2", QCOW2_OL_INACTIVE_L2 },
	{ "overlap-check.bitmap-directory", QCOW2_OL_BITMAPS },
};

static int take_overlap(struct block *b, struct dict *opts, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(free_ptr) char *whole = dict_take(opts, "overlap-check");
	CLEANUP(free_ptr) char *template = dict_take(opts, "overlap-check.template");
	const char *name = template ? template : whole;
	bool found = !name;

	if (whole && template && strcmp(whole, template) != 0)
		return err_set(e, ERR_USAGE, "\"overlap-check\" and \"overlap-check.template\" contradict each other");
	s->overlap = QCOW2_OL_CACHED;
	for (size_t i = 0; name && i < ARRAY_LEN(templates); i++) {
		if (strcmp(templates[i].name, name) == 0) {
			s->overlap = templates[i].bits;
			found = true;
		}
	}
	if (!found)
		return err_set(e, ERR_USAGE, "\"overlap-check\" is none, constant, cached or all");
	for (size_t i = 0; i < ARRAY_LEN(overlaps); i++) {
		bool on = (s->overlap & overlaps[i].bits) != 0;
		int rc = dict_take_bool(opts, overlaps[i].name, &on, e);

		if (rc < 0)
			return rc;
		s->overlap = on ? s->overlap | overlaps[i].bits : s->overlap & ~overlaps[i].bits;
	}
	return 0;
}

/* How hard compressed writes try; 0 is the fast way. */
static int take_level(struct block *b, struct dict *opts, struct err *e)
{
	struct qcow2_state *s = b->state;
	unsigned max = s->compression == QCOW2_ZSTD ? CODEC_ZSTD_MAX : CODEC_DEFLATE_MAX;
	CLEANUP(free_ptr) char *text = dict_take(opts, "compression-level");
	uint64_t level = CODEC_FAST;

	if (text && (!text_parse_u64(text, &level) || level < 1 || level > max))
		return err_set(e, ERR_USAGE, "the compression level is a number from 1 to %u for %s", max,
			       s->compression == QCOW2_ZSTD ? "zstd" : "zlib");
	s->compression_level = (int)level;
	return 0;
}

int qcow2_take_options(struct block *b, struct dict *opts, struct err *e)
{
	struct qcow2_state *s = b->state;
	bool asked = dict_get(opts, "lazy-refcounts") != NULL;
	int rc;

	s->lazy_refcounts = s->version >= 3 && (s->compat & QCOW2_COMPAT_LAZY);
	s->pass_discard[QCOW2_FREE_REQUEST] = true;
	s->pass_discard[QCOW2_FREE_SNAPSHOT] = true;
	if ((rc = take_caches(b, opts, e)) < 0 || (rc = take_overlap(b, opts, e)) < 0 ||
	    (rc = dict_take_bool(opts, "lazy-refcounts", &s->lazy_refcounts, e)) < 0 ||
	    (rc = dict_take_bool(opts, "pass-discard-request", &s->pass_discard[QCOW2_FREE_REQUEST], e)) < 0 ||
	    (rc = dict_take_bool(opts, "pass-discard-snapshot", &s->pass_discard[QCOW2_FREE_SNAPSHOT], e)) < 0 ||
	    (rc = dict_take_bool(opts, "pass-discard-other", &s->pass_discard[QCOW2_FREE_OTHER], e)) < 0 ||
	    (rc = dict_take_bool(opts, "discard-no-unref", &s->discard_no_unref, e)) < 0 ||
	    (rc = take_level(b, opts, e)) < 0)
		return rc;
	if (asked && s->lazy_refcounts && s->version < 3)
		return err_set(e, ERR_USAGE, "lazy refcounts need a qcow2 image of version 3");
	if (s->discard_no_unref && s->version < 3)
		return err_set(e, ERR_USAGE, "\"discard-no-unref\" needs a qcow2 image of version 3");
	return 0;
}
