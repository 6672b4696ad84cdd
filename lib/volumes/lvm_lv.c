/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_lv.c - a logical volume as a block: its segments are put together from physical volumes and other LVs, each of which
 * is made once.
 *
 * What cannot be made has a reason, a sentence that goes up to the LV that somebody sees.  Mirrors and RAID go on without
 * the legs that cannot be made.
 */
#include "lvm.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

struct build {
	struct lvm_vg *vg;
	struct volume_list *l;
	unsigned depth;
};

static int lv_make(struct build *b, uint32_t idx, struct err *e);

/* Failures that are those of one LV: others may be whole. */
static bool is_its_own(int rc)
{
	return rc < 0 && rc != -ERR_NOMEM;
}

/* ---- on which PVs ---- */

static size_t pv_words(const struct lvm_vg *vg)
{
	return ((size_t)vg->npvs + 63) / 64;
}

static void pvs_merge(const struct build *b, struct lvm_lv *lv, const struct lvm_lv *part)
{
	for (size_t i = 0; part->pvs && i < pv_words(b->vg); i++)
		lv->pvs[i] |= part->pvs[i];
	lv->arrays = MAX_OF(lv->arrays, part->arrays);
}

/* ---- parts ---- */

/* The block of another LV, lent, of at least `size` bytes. */
static int part_lv(struct build *b, struct lvm_lv *lv, uint32_t idx, uint64_t size, struct block **out, struct err *e)
{
	struct lvm_lv *part = &b->vg->lvs[idx];
	int rc;

	if (b->depth == LIMIT_LVM_DEPTH)
		return err_set(e, ERR_LIMIT, "logical volumes in each other more than %d deep", LIMIT_LVM_DEPTH);
	b->depth++;
	rc = lv_make(b, idx, e);
	b->depth--;
	if (rc < 0)
		return rc;
	if (!part->block || size > block_size(part->block))
		return err_set(e, ERR_CORRUPT, "%s, of which it is made, is too small", part->name);
	pvs_merge(b, lv, part);
	*out = part->block;
	return 0;
}

static int part_pv(struct build *b, struct lvm_lv *lv, const struct lvm_area *a, uint64_t size, struct lvm_stripe *out,
		   struct err *e)
{
	const struct lvm_vg *vg = b->vg;
	const struct lvm_pv *pv = &vg->pvs[a->idx];
	struct block *block;

	if (pv->item == VOLUME_NO_ITEM)
		return err_set(e, ERR_NOT_FOUND, "physical volume %s is missing", pv->id);
	block = b->l->items[pv->item].block;
	/* start and extent are below 2^63 and 2^32; the product of the latter was judged with the PV. */
	if (a->extent > pv->count || div_round_up(size, vg->extent_size) > pv->count - a->extent)
		return err_set(e, ERR_CORRUPT, "a part of it lies past the last extent of %s", pv->key);
	out->off = pv->start + a->extent * vg->extent_size;
	if (!range_in(out->off, size, block_size(block)))
		return err_set(e, ERR_CORRUPT, "a part of it lies past the end of %s", b->l->items[pv->item].name);
	out->block = block_ref(block);
	lv->pvs[a->idx / 64] |= 1ULL << (a->idx % 64);
	lv->arrays = MAX_OF(lv->arrays, b->l->items[pv->item].arrays);
	return 0;
}

/* Where `size` bytes of an area are; a reference. */
static int part_area(struct build *b, struct lvm_lv *lv, const struct lvm_area *a, uint64_t size, struct lvm_stripe *out,
		     struct err *e)
{
	struct block *block;
	uint64_t end;
	int rc;

	if (a->on_pv)
		return part_pv(b, lv, a, size, out, e);
	if (!checked_mul(a->extent, b->vg->extent_size, &out->off) || !checked_add(out->off, size, &end))
		return err_set(e, ERR_CORRUPT, "a part of it lies far away");
	rc = part_lv(b, lv, a->idx, end, &block, e);
	if (rc == 0)
		out->block = block_ref(block);
	return rc;
}

/* ---- segments ---- */

static int striped_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_piece *p,
			struct err *e)
{
	uint64_t each = p->len / s->nareas;

	if (p->len % s->nareas || (s->nareas > 1 && (s->stripe_size == 0 || each % s->stripe_size)))
		return err_set(e, ERR_CORRUPT, "stripes of %" PRIu64 " bytes do not fill it", s->stripe_size);
	p->stripes = alloc_array(s->nareas, sizeof *p->stripes);
	if (!p->stripes)
		return err_nomem(e);
	p->stripe_size = s->stripe_size;
	for (; p->nstripes < s->nareas; p->nstripes++) {
		int rc = part_area(b, lv, &s->areas[p->nstripes], each, &p->stripes[p->nstripes], e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The piece is a block of its own, whose reference it takes. */
static int piece_of_block(struct lvm_piece *p, struct block *block, struct err *e)
{
	p->stripes = alloc_array(1, sizeof *p->stripes);
	if (!p->stripes) {
		block_unref(block);
		return err_nomem(e);
	}
	p->stripes->block = block;
	p->nstripes = 1;
	return 0;
}

static void legs_unref(struct lvm_leg *legs, size_t n)
{
	for (size_t i = 0; legs && i < n; i++)
		block_unref(legs[i].block);
	free(legs);
}

/*
 * Each leg of at least `size` bytes as a block of its own; those that cannot be made have none, and *missing says why the
 * last of them could not.
 */
static int legs_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, uint64_t size, struct lvm_leg *legs,
		     uint32_t *nmissing, struct err *missing, struct err *e)
{
	*nmissing = 0;
	for (uint32_t i = 0; i < s->nareas; i++) {
		struct lvm_stripe at = { NULL, 0 };
		int rc = part_area(b, lv, &s->areas[i], size, &at, missing);

		if (rc == 0) {
			rc = block_window(at.block, at.off, size, &legs[i].block, missing);
			block_unref(at.block);
		}
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		*nmissing += rc < 0;
		legs[i].good = UINT64_MAX;
	}
	return 0;
}

static int warn_degraded(struct build *b, const struct lvm_lv *lv, uint32_t nmissing, uint32_t n, const struct err *why,
			 struct err *e)
{
	return volume_warn(b->l, e, "logical volume %s/%s lacks %" PRIu32 " of %" PRIu32 " images: %s", b->vg->name, lv->name,
			   nmissing, n, why->msg);
}

/*
 * The first leg of a mirror is the one that others are brought in sync with.  They are as good when the log says so.  A
 * mirror without a log is made anew at each activation: then only the user can know.
 */
static int mirror_judge(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_leg *legs,
			struct err *e)
{
	struct block *log;
	struct err why = ERR_INIT;
	uint64_t size = s->count * b->vg->extent_size;
	int rc = 0;

	if (s->log == LVM_NONE) {
		if (legs[0].block) {
			for (uint32_t i = 1; i < s->nareas; i++)
				legs[i].good = 0;
			return 0;
		}
		if (s->areas[0].on_pv)
			return err_set(e, ERR_CORRUPT, "what is being moved is missing where it comes from");
		return volume_warn(b->l, e, "logical volume %s/%s: the first leg of a mirror without a log is missing, and "
				   "nothing tells whether the others are in sync", b->vg->name, lv->name);
	}
	rc = part_lv(b, lv, s->log, 0, &log, &why);
	if (rc == 0 && s->region_size == 0)
		rc = err_set(&why, ERR_CORRUPT, "its regions have no size");
	if (rc == 0)
		rc = lvm_mirror_log(log, div_round_up(size, s->region_size), &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc > 0)
		return 0;
	if (!legs[0].block)
		return err_set(e, ERR_CORRUPT, "its first leg is missing, and the others are not in sync");
	for (uint32_t i = 1; i < s->nareas; i++)
		legs[i].good = 0;
	return 0;
}

static int mirror_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_piece *p, struct err *e)
{
	struct lvm_leg *legs = alloc_array(s->nareas, sizeof *legs);
	struct err why = ERR_INIT;
	struct block *block = NULL;
	uint32_t nmissing = 0;
	int rc = legs ? legs_make(b, lv, s, p->len, legs, &nmissing, &why, e) : err_nomem(e);

	if (rc == 0 && nmissing == s->nareas)
		rc = err_set(e, ERR_NOT_FOUND, "none of its legs is there: %s", why.msg);
	if (rc == 0 && nmissing)
		rc = warn_degraded(b, lv, nmissing, s->nareas, &why, e);
	if (rc == 0)
		rc = mirror_judge(b, lv, s, legs, e);
	if (rc == 0)
		rc = lvm_legs_new(lv->name, p->len, legs, s->nareas, &block, e);
	legs_unref(legs, s->nareas);
	return rc < 0 ? rc : piece_of_block(p, block, e);
}

/* The metadata volumes that are there, lent. */
static int metas_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct block **metas, struct err *e)
{
	struct err why = ERR_INIT;

	for (uint32_t i = 0; i < s->nareas; i++)
		if (part_lv(b, lv, s->metas[i].idx, 0, &metas[i], &why) == -ERR_NOMEM)
			return err_nomem(e);
	return 0;
}

static int raid_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_piece *p, struct err *e)
{
	CLEANUP(free_ptr) struct block **metas = alloc_array(s->nareas, sizeof *metas);
	struct lvm_raid r = { .type_name = s->type_name, .metas = metas, .n = s->nareas, .data_copies = s->data_copies,
			      .chunk = s->stripe_size, .size = p->len };
	struct err why = ERR_INIT;
	struct block *block = NULL;
	uint32_t nmissing = 0;
	uint64_t each;
	int rc;

	if (s->reshaping)
		return err_set(e, ERR_UNSUPPORTED, "a %s that is, or was, reshaped is not read", s->type_name);
	rc = lvm_raid_image_size(&r, &each, e);
	if (rc < 0)
		return rc;
	r.legs = alloc_array(s->nareas, sizeof *r.legs);
	rc = r.legs && metas ? legs_make(b, lv, s, each, r.legs, &nmissing, &why, e) : err_nomem(e);
	if (rc == 0)
		rc = metas_make(b, lv, s, metas, e);
	if (rc == 0 && nmissing == s->nareas)
		rc = err_set(e, ERR_NOT_FOUND, "none of its images is there: %s", why.msg);
	if (rc == 0 && lvm_raid_is_array(&r) && ++lv->arrays > LIMIT_VOLUME_ARRAYS)
		rc = err_set(e, ERR_LIMIT, "arrays in each other more than %d deep", LIMIT_VOLUME_ARRAYS);
	if (rc == 0)
		rc = lvm_raid_new(&r, lv->name, &block, e);
	if (rc == 0 && nmissing)
		rc = warn_degraded(b, lv, nmissing, s->nareas, &why, e);
	legs_unref(r.legs, s->nareas);
	if (rc < 0) {
		block_unref(block);
		return rc;
	}
	return piece_of_block(p, block, e);
}

/* ---- thin ---- */

/* Opens the pool that an LV is; it is kept with it. */
static int pool_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct err *e)
{
	struct lvm_pool_how how = { .name = lv->name, .chunk_size = s->chunk_size, .transaction_id = s->transaction_id,
				    .has_messages = s->has_messages };
	int rc;

	if ((rc = part_lv(b, lv, s->meta, 0, &how.meta, e)) < 0 || (rc = part_lv(b, lv, s->data, 0, &how.data, e)) < 0)
		return rc;
	rc = lvm_pool_open(&how, &lv->thin_pool, e);
	if (rc < 0)
		return rc;
	return lvm_pool_needs_check(lv->thin_pool)
		       ? volume_warn(b->l, e, "thin pool %s/%s needs to be checked (thin_check)", b->vg->name, lv->name)
		       : 0;
}

static int thin_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_piece *p, struct err *e)
{
	struct lvm_lv *pool = &b->vg->lvs[s->pool];
	struct block *external = NULL, *block;
	int rc;

	if (pool->segments->type != LVM_THIN_POOL)
		return err_set(e, ERR_CORRUPT, "%s is no thin pool", pool->name);
	rc = lv_make(b, s->pool, e);
	if (rc < 0)
		return err_in(e, rc, "thin pool %s", pool->name);
	pvs_merge(b, lv, pool);
	rc = s->external == LVM_NONE ? 0 : part_lv(b, lv, s->external, 0, &external, e);
	if (rc == 0)
		rc = lvm_thin_new(pool->thin_pool, lv->name, s->device_id, p->len, external, &block, e);
	return rc < 0 ? rc : piece_of_block(p, block, e);
}

static int refuse(const struct lvm_segment *s, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, s->type_name, strlen(s->type_name));
	return q.failed ? err_nomem(e) : err_set(e, ERR_UNSUPPORTED, "type %s is not read", q.s);
}

static int piece_make(struct build *b, struct lvm_lv *lv, const struct lvm_segment *s, struct lvm_piece *p, struct err *e)
{
	p->len = s->count * b->vg->extent_size;
	/* Of these an LV has one segment, the whole. */
	if (lv->nsegments > 1 && s->type != LVM_STRIPED && s->type != LVM_MIRROR && s->type != LVM_ZERO &&
	    s->type != LVM_REFUSED)
		return err_set(e, ERR_CORRUPT, "it has several segments");
	switch (s->type) {
	case LVM_STRIPED:
	case LVM_RAID0:
		return striped_make(b, lv, s, p, e);
	case LVM_MIRROR:
		return mirror_make(b, lv, s, p, e);
	case LVM_RAID:
		return raid_make(b, lv, s, p, e);
	case LVM_THIN:
		return thin_make(b, lv, s, p, e);
	case LVM_ZERO:
		return 0;
	case LVM_THIN_POOL: /* whose data nobody reads but its volumes */
	case LVM_SNAPSHOT:
	case LVM_REFUSED:
		break;
	}
	return refuse(s, e);
}

/* ---- logical volumes ---- */

static int segments_make(struct build *b, struct lvm_lv *lv, struct err *e)
{
	struct lvm_piece *pieces = alloc_array(lv->nsegments, sizeof *pieces);

	if (!pieces)
		return err_nomem(e);
	for (uint32_t i = 0; i < lv->nsegments; i++) {
		int rc = piece_make(b, lv, &lv->segments[i], &pieces[i], e);

		if (rc < 0) {
			lvm_pieces_free(pieces, lv->nsegments);
			return rc;
		}
	}
	return lvm_map_new(lv->name, pieces, lv->nsegments, &lv->block, e);
}

/* Recursion ends: what is being made is not made again, and part_lv() counts the depth. */
static int lv_make(struct build *b, uint32_t idx, struct err *e)
{
	struct lvm_lv *lv = &b->vg->lvs[idx];
	struct err why = ERR_INIT;
	int rc;

	if (lv->state == LVM_MADE)
		return 0;
	if (lv->state == LVM_TRYING)
		return err_set(e, ERR_CORRUPT, "%s is made of itself", lv->name);
	if (lv->state == LVM_FAILED)
		return err_set(e, lv->why_code, "%s", lv->why);
	lv->state = LVM_TRYING;
	lv->pvs = alloc_array(pv_words(b->vg), sizeof *lv->pvs);
	if (!lv->pvs)
		return err_nomem(e);
	rc = lv->segments->type == LVM_THIN_POOL && lv->nsegments == 1 ? pool_make(b, lv, lv->segments, &why)
									: segments_make(b, lv, &why);
	if (rc == 0) {
		lv->state = LVM_MADE;
		return 0;
	}
	if (!is_its_own(rc))
		return err_nomem(e);
	lv->state = LVM_FAILED;
	lv->why_code = why.code;
	lv->why = alloc_strdup(why.msg);
	return lv->why ? err_set(e, why.code, "%s", why.msg) : err_nomem(e);
}

/* What its own segments hold, lent. */
static int own_block(struct build *b, uint32_t idx, struct block **out, struct err *e)
{
	int rc = lv_make(b, idx, e);

	if (rc < 0)
		return rc;
	*out = b->vg->lvs[idx].block;
	return *out ? 0 : err_set(e, ERR_UNSUPPORTED, "%s holds no data of its own", b->vg->lvs[idx].name);
}

static int snapshot_make(struct build *b, struct lvm_lv *lv, uint32_t origin, uint32_t store, struct block **out,
			 struct err *e)
{
	struct block *under = NULL, *changes = NULL;
	int rc;

	if ((rc = own_block(b, origin, &under, e)) < 0 || (rc = own_block(b, store, &changes, e)) < 0)
		return rc;
	pvs_merge(b, lv, &b->vg->lvs[origin]);
	pvs_merge(b, lv, &b->vg->lvs[store]);
	return lvm_snapshot_new(lv->name, under, changes, out, e);
}

/* Linux keeps what a snapshot shows before it writes to the origin, and writes to a snapshot's store what is written to it. */
static bool has_snapshots(const struct lvm_vg *vg, uint32_t idx)
{
	for (uint32_t i = 0; i < vg->nlvs; i++)
		for (uint32_t k = 0; k < vg->lvs[i].nsegments; k++)
			if (vg->lvs[i].segments[k].type == LVM_SNAPSHOT && vg->lvs[i].segments[k].origin == idx)
				return true;
	return false;
}

int lvm_lv_content(struct lvm_vg *vg, uint32_t idx, struct volume_list *l, struct block **out, struct err *e)
{
	struct build b = { .vg = vg, .l = l };
	struct lvm_lv *lv = &vg->lvs[idx];
	const struct lvm_segment *link;
	struct block *own = NULL;
	int rc = own_block(&b, idx, &own, e);

	if (rc < 0)
		return rc;
	if (lv->snapshot != LVM_NONE) {
		link = vg->lvs[lv->snapshot].segments;
		return snapshot_make(&b, lv, link->origin, link->cow, out, e);
	}
	if (lv->merging != LVM_NONE) {
		link = vg->lvs[lv->merging].segments;
		if (link->type == LVM_SNAPSHOT)
			return snapshot_make(&b, lv, link->origin, link->merging, out, e);
		rc = own_block(&b, lv->merging, &own, e);
		if (rc < 0)
			return rc;
		pvs_merge(&b, lv, &vg->lvs[lv->merging]);
	}
	if (has_snapshots(vg, idx))
		own->flags &= ~(unsigned)BLOCK_WRITE;
	*out = block_ref(own);
	return 0;
}
