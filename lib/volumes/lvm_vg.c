/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_vg.c - a volume group from the text of its metadata.
 *
 * A section with the group's name holds its id, the extent size in sectors, and two sections: physical_volumes, each with
 * an id, where its extents begin and how many there are, and logical_volumes, each with its segments, which follow each
 * other.  A segment says of what type it is, and in which extents of a PV or of another LV its parts lie.
 */
#include "lvm.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define NAME_MAX_LVM 127
/* 4 GiB in sectors, what LVM allows at most is less. */
#define EXTENT_SECTORS_MAX (8ULL * 1024 * 1024)

static void segment_free(struct lvm_segment *s)
{
	free(s->areas);
	free(s->metas);
}

void lvm_vg_free(struct lvm_vg *vg)
{
	for (uint32_t i = 0; i < vg->nlvs; i++) {
		struct lvm_lv *lv = &vg->lvs[i];

		for (uint32_t k = 0; k < lv->nsegments; k++)
			segment_free(&lv->segments[k]);
		free(lv->segments);
		free(lv->why);
		free(lv->pvs);
		block_unref(lv->block);
		lvm_pool_unref(lv->thin_pool);
	}
	free(vg->lvs);
	free(vg->pvs);
	free(vg->pv_names);
	free(vg->lv_names);
	lvm_text_free(&vg->text);
	memset(vg, 0, sizeof *vg);
}

/* ---- names ---- */

/* As LVM allows them: they become names of device nodes. */
static bool name_is_good(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LVM && name[0] != '-' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lvm_name *)a)->name, ((const struct lvm_name *)b)->name);
}

/* Sorts the names, of which no two may be equal. */
static int names_sort(struct lvm_name *names, uint32_t n, struct err *e)
{
	qsort(names, n, sizeof *names, by_name);
	for (uint32_t i = 1; i < n; i++)
		if (strcmp(names[i - 1].name, names[i].name) == 0)
			return err_set(e, ERR_CORRUPT, "%s is listed twice", names[i].name);
	return 0;
}

static uint32_t name_find(const struct lvm_name *names, uint32_t n, const char *name)
{
	const struct lvm_name wanted = { .name = name }, *found = n ? bsearch(&wanted, names, n, sizeof *names, by_name) : NULL;

	return found ? found->idx : LVM_NONE;
}

static uint32_t lv_find(const struct lvm_vg *vg, const char *name)
{
	return name_find(vg->lv_names, vg->nlvs, name);
}

/* The LV that a segment names by this key: LVM_NONE in *out when it names none. */
static int lv_named(const struct lvm_vg *vg, const struct lvm_value *v, const char *key, uint32_t *out, struct err *e)
{
	const char *name = lvm_string(&vg->text, v, key);

	*out = name ? lv_find(vg, name) : LVM_NONE;
	if (name && *out == LVM_NONE)
		return err_set(e, ERR_CORRUPT, "its %s is not there", key);
	return 0;
}

/* ---- physical volumes ---- */

static int pv_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_pv *pv, struct err *e)
{
	const struct lvm_text *t = &vg->text;
	uint64_t sectors, size;

	pv->key = v->key;
	pv->id = lvm_string(t, v, "id");
	pv->hint = lvm_string(t, v, "device");
	pv->flagged_missing = lvm_has_word(t, v, "flags", "MISSING") || lvm_has_word(t, v, "status", "MISSING");
	pv->item = VOLUME_NO_ITEM;
	if (!pv->id || !lvm_id_is_good(pv->id))
		return err_set(e, ERR_CORRUPT, "it has no id");
	if (!lvm_number(t, v, "pe_start", LIMIT_IMAGE_SIZE / LVM_SECTOR, &sectors) ||
	    !lvm_number(t, v, "pe_count", UINT32_MAX, &pv->count))
		return err_set(e, ERR_CORRUPT, "it does not say where its extents are");
	pv->start = sectors * LVM_SECTOR;
	if (!checked_mul(pv->count, vg->extent_size, &size) || size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " extents", pv->count);
	for (const struct lvm_pv *other = vg->pvs; other < pv; other++)
		if (strcmp(other->id, pv->id) == 0)
			return err_set(e, ERR_CORRUPT, "it has the id of %s", other->key);
	return 0;
}

static uint32_t count_sections(const struct lvm_text *t, const struct lvm_value *parent)
{
	uint32_t n = 0;

	for (const struct lvm_value *v = lvm_first(t, parent); v; v = lvm_next(t, v))
		n += v->kind == LVM_SECTION;
	return n;
}

static int pvs_parse(struct lvm_vg *vg, const struct lvm_value *section, struct err *e)
{
	const struct lvm_value *list = lvm_find(&vg->text, section, "physical_volumes", LVM_SECTION);
	uint32_t n = list ? count_sections(&vg->text, list) : 0;

	if (n == 0)
		return err_set(e, ERR_CORRUPT, "no physical volumes are listed");
	if (n > LIMIT_LVM_PVS)
		return err_set(e, ERR_LIMIT, "%" PRIu32 " physical volumes", n);
	vg->pvs = alloc_array(n, sizeof *vg->pvs);
	vg->pv_names = alloc_array(n, sizeof *vg->pv_names);
	if (!vg->pvs || !vg->pv_names)
		return err_nomem(e);
	for (const struct lvm_value *v = lvm_first(&vg->text, list); v; v = lvm_next(&vg->text, v)) {
		int rc = v->kind == LVM_SECTION ? pv_parse(vg, v, &vg->pvs[vg->npvs], e) : 0;

		if (rc < 0)
			return err_in(e, rc, "physical volume %s", v->key);
		if (v->kind == LVM_SECTION) {
			vg->pv_names[vg->npvs] = (struct lvm_name){ v->key, vg->npvs };
			vg->npvs++;
		}
	}
	return names_sort(vg->pv_names, vg->npvs, e);
}

/* ---- segments ---- */

static enum lvm_type type_of(const char *name)
{
	static const char *const raids[] = { "raid1",	   "raid10",	 "raid10_near", "raid4",      "raid5",
					     "raid5_n",	   "raid5_la",	 "raid5_ra",	"raid5_ls",   "raid5_rs",
					     "raid6",	   "raid6_zr",	 "raid6_nr",	"raid6_nc",   "raid6_n_6",
					     "raid6_la_6", "raid6_ra_6", "raid6_ls_6",	"raid6_rs_6" };
	static const struct {
		const char *name;
		enum lvm_type type;
	} types[] = {
		{ "striped", LVM_STRIPED },	{ "linear", LVM_STRIPED },
		{ "mirror", LVM_MIRROR },	{ "raid0", LVM_RAID0 },
		{ "raid0_meta", LVM_RAID0 },	{ "thin-pool", LVM_THIN_POOL },
		/* Its metadata volume is cut at what the kernel uses. */
		{ "thin-pool+CROP_METADATA", LVM_THIN_POOL },
		{ "thin", LVM_THIN },		{ "snapshot", LVM_SNAPSHOT },
		{ "zero", LVM_ZERO },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(name, types[i].name) == 0)
			return types[i].type;
	for (size_t i = 0; i < ARRAY_LEN(raids); i++)
		if (strcmp(name, raids[i]) == 0)
			return LVM_RAID;
	return LVM_REFUSED;
}

static uint32_t count_values(const struct lvm_text *t, const struct lvm_value *list)
{
	uint32_t n = 0;

	for (const struct lvm_value *v = lvm_first(t, list); v; v = lvm_next(t, v))
		n++;
	return n;
}

/* A name and, if with_extent, a number behind it: *v is the first of them, and afterwards what follows; NULL: the end. */
static int area_parse(struct lvm_vg *vg, const struct lvm_value **v, bool with_extent, struct lvm_area *a, struct err *e)
{
	const struct lvm_text *t = &vg->text;
	const struct lvm_value *name = *v, *extent = name && with_extent ? lvm_next(t, name) : NULL;

	if (!name || name->kind != LVM_STRING || (with_extent && (!extent || extent->kind != LVM_NUMBER)))
		return err_set(e, ERR_CORRUPT, "its list of parts is not one");
	a->extent = extent ? extent->num : 0;
	a->idx = with_extent ? name_find(vg->pv_names, vg->npvs, name->str) : LVM_NONE;
	a->on_pv = a->idx != LVM_NONE;
	if (!a->on_pv)
		a->idx = lv_find(vg, name->str);
	if (a->idx == LVM_NONE)
		return err_set(e, ERR_CORRUPT, "a part of it is not there");
	*v = lvm_next(t, with_extent ? extent : name);
	return 0;
}

/* "stripes" and "mirrors": a name and an extent each. */
static int areas_parse(struct lvm_vg *vg, const struct lvm_value *v, const char *key, const char *count_key,
		       struct lvm_segment *s, struct err *e)
{
	const struct lvm_value *list = lvm_find(&vg->text, v, key, LVM_LIST), *item;
	uint64_t n;

	if (!list || !lvm_number(&vg->text, v, count_key, LIMIT_LVM_LEGS, &n) || n == 0 ||
	    count_values(&vg->text, list) != 2 * n)
		return err_set(e, ERR_CORRUPT, "it does not list its %s", key);
	s->areas = alloc_array((size_t)n, sizeof *s->areas);
	if (!s->areas)
		return err_nomem(e);
	item = lvm_first(&vg->text, list);
	for (; s->nareas < n; s->nareas++) {
		int rc = area_parse(vg, &item, true, &s->areas[s->nareas], e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* "raid0_lvs": images; "raids": a metadata volume and an image each. */
static int images_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_segment *s, struct err *e)
{
	const struct lvm_value *list = lvm_find(&vg->text, v, "raids", LVM_LIST), *item;
	bool with_meta = list;
	uint64_t n;

	if (!list && s->type == LVM_RAID0)
		list = lvm_find(&vg->text, v, "raid0_lvs", LVM_LIST);
	if (!list || (!lvm_number(&vg->text, v, "device_count", LIMIT_LVM_LEGS, &n) &&
		      !lvm_number(&vg->text, v, "stripe_count", LIMIT_LVM_LEGS, &n)) ||
	    n == 0 || count_values(&vg->text, list) != n * (with_meta ? 2 : 1))
		return err_set(e, ERR_CORRUPT, "it does not list its images");
	s->areas = alloc_array((size_t)n, sizeof *s->areas);
	s->metas = with_meta ? alloc_array((size_t)n, sizeof *s->metas) : NULL;
	if (!s->areas || (with_meta && !s->metas))
		return err_nomem(e);
	item = lvm_first(&vg->text, list);
	for (; s->nareas < n; s->nareas++) {
		int rc = with_meta ? area_parse(vg, &item, false, &s->metas[s->nareas], e) : 0;

		if (rc == 0)
			rc = area_parse(vg, &item, false, &s->areas[s->nareas], e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A number of sectors, as bytes; 0 when there is none. */
static uint64_t sectors_get(const struct lvm_vg *vg, const struct lvm_value *v, const char *key)
{
	uint64_t n;

	return lvm_number(&vg->text, v, key, EXTENT_SECTORS_MAX, &n) ? n * LVM_SECTOR : 0;
}

static int thin_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_segment *s, struct err *e)
{
	int rc;

	if ((rc = lv_named(vg, v, "thin_pool", &s->pool, e)) < 0 || (rc = lv_named(vg, v, "origin", &s->origin, e)) < 0 ||
	    (rc = lv_named(vg, v, "external_origin", &s->external, e)) < 0 ||
	    (rc = lv_named(vg, v, "merge", &s->merging, e)) < 0)
		return rc;
	if (s->pool == LVM_NONE || !lvm_number(&vg->text, v, "device_id", (1 << 24) - 1, &s->device_id))
		return err_set(e, ERR_CORRUPT, "it does not say where in which pool it is");
	return 0;
}

static int pool_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_segment *s, struct err *e)
{
	int rc;

	if ((rc = lv_named(vg, v, "metadata", &s->meta, e)) < 0 || (rc = lv_named(vg, v, "pool", &s->data, e)) < 0)
		return rc;
	if (s->meta == LVM_NONE || s->data == LVM_NONE ||
	    !lvm_number(&vg->text, v, "transaction_id", UINT64_MAX, &s->transaction_id))
		return err_set(e, ERR_CORRUPT, "it does not say where its data and metadata are");
	s->has_messages = lvm_find(&vg->text, v, "message1", LVM_SECTION);
	return 0;
}

static int snapshot_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_segment *s, struct err *e)
{
	int rc;

	if ((rc = lv_named(vg, v, "origin", &s->origin, e)) < 0 || (rc = lv_named(vg, v, "cow_store", &s->cow, e)) < 0 ||
	    (rc = lv_named(vg, v, "merging_store", &s->merging, e)) < 0)
		return rc;
	if (s->origin == LVM_NONE || (s->cow == LVM_NONE) == (s->merging == LVM_NONE))
		return err_set(e, ERR_CORRUPT, "it does not say of what it is a snapshot");
	return 0;
}

static int segment_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_segment *s, struct err *e)
{
	const struct lvm_text *t = &vg->text;
	uint64_t n;

	s->log = s->pool = s->meta = s->data = s->origin = s->external = s->cow = s->merging = LVM_NONE;
	s->type_name = lvm_string(t, v, "type");
	if (!s->type_name)
		return err_set(e, ERR_CORRUPT, "it has no type");
	if (!lvm_number(t, v, "start_extent", UINT32_MAX, &s->start) ||
	    !lvm_number(t, v, "extent_count", UINT32_MAX, &s->count) || s->count == 0)
		return err_set(e, ERR_CORRUPT, "it does not say which extents it has");
	s->type = type_of(s->type_name);
	s->stripe_size = sectors_get(vg, v, "stripe_size");
	s->region_size = sectors_get(vg, v, "region_size");
	s->chunk_size = sectors_get(vg, v, "chunk_size");
	switch (s->type) {
	case LVM_STRIPED:
		return areas_parse(vg, v, "stripes", "stripe_count", s, e);
	case LVM_MIRROR: {
		int rc = lv_named(vg, v, "mirror_log", &s->log, e);

		return rc < 0 ? rc : areas_parse(vg, v, "mirrors", "mirror_count", s, e);
	}
	case LVM_RAID0:
	case LVM_RAID:
		s->data_copies = lvm_number(t, v, "data_copies", LIMIT_LVM_LEGS, &n) ? (uint32_t)n : 2;
		s->reshaping = lvm_number(t, v, "reshape_count", UINT32_MAX, &n) && n;
		return images_parse(vg, v, s, e);
	case LVM_THIN_POOL:
		return pool_parse(vg, v, s, e);
	case LVM_THIN:
		return thin_parse(vg, v, s, e);
	case LVM_SNAPSHOT:
		return snapshot_parse(vg, v, s, e);
	case LVM_ZERO:
	case LVM_REFUSED:
		break;
	}
	return 0;
}

/* What an LV of this type is there for is to carry others. */
static bool is_internal(const struct lvm_segment *s)
{
	return s->type == LVM_THIN_POOL || s->type == LVM_SNAPSHOT || text_starts(s->type_name, "cache-pool", NULL) ||
	       text_starts(s->type_name, "vdo-pool", NULL);
}

/* Segments may be in any order of the text but follow each other in this order: that is how LVM writes them. */
static int segments_parse(struct lvm_vg *vg, const struct lvm_value *section, struct lvm_lv *lv, struct err *e)
{
	uint32_t n = count_sections(&vg->text, section);

	if (n == 0)
		return err_set(e, ERR_CORRUPT, "it has no segments");
	lv->segments = alloc_array(n, sizeof *lv->segments);
	if (!lv->segments)
		return err_nomem(e);
	for (const struct lvm_value *v = lvm_first(&vg->text, section); v; v = lvm_next(&vg->text, v)) {
		struct lvm_segment *s = &lv->segments[lv->nsegments];
		int rc;

		if (v->kind != LVM_SECTION)
			continue;
		lv->nsegments++;
		rc = segment_parse(vg, v, s, e);
		if (rc < 0)
			return err_in(e, rc, "%s", v->key);
		if (s->start != lv->extents)
			return err_set(e, ERR_CORRUPT, "%s: it does not begin where the one before it ends", v->key);
		lv->extents += s->count;
		lv->internal |= is_internal(s);
	}
	if (lv->extents > LIMIT_IMAGE_SIZE / vg->extent_size)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " extents", lv->extents);
	return 0;
}

/* ---- logical volumes ---- */

static int lv_parse(struct lvm_vg *vg, const struct lvm_value *v, struct lvm_lv *lv, struct err *e)
{
	const struct lvm_text *t = &vg->text;

	lv->name = v->key;
	lv->id = lvm_string(t, v, "id");
	lv->snapshot = lv->merging = LVM_NONE;
	lv->visible = lvm_has_word(t, v, "status", "VISIBLE");
	lv->skipped = lvm_has_word(t, v, "flags", "ACTIVATION_SKIP") || lvm_has_word(t, v, "status", "ACTIVATION_SKIP");
	if (!name_is_good(lv->name))
		return err_set(e, ERR_CORRUPT, "that is no name");
	if (!lv->id || !lvm_id_is_good(lv->id))
		return err_set(e, ERR_CORRUPT, "it has no id");
	return 0;
}

/*
 * The link between an origin and the store of its snapshot is an LV of its own: what it links is noted where it is looked
 * for.  What is being merged into an origin shows there, and no longer by itself.
 */
static void snapshots_link(struct lvm_vg *vg)
{
	for (uint32_t i = 0; i < vg->nlvs; i++) {
		const struct lvm_segment *s = vg->lvs[i].segments;

		if (s->type == LVM_SNAPSHOT && s->cow != LVM_NONE) {
			vg->lvs[s->cow].snapshot = i;
			vg->lvs[s->cow].visible = true;
		} else if (s->type == LVM_SNAPSHOT) {
			vg->lvs[s->merging].visible = false;
			vg->lvs[s->origin].merging = i;
		} else if (s->type == LVM_THIN && s->merging != LVM_NONE) {
			vg->lvs[i].visible = false;
			vg->lvs[s->merging].merging = i;
		}
	}
}

static int lvs_parse(struct lvm_vg *vg, const struct lvm_value *section, struct err *e)
{
	const struct lvm_text *t = &vg->text;
	const struct lvm_value *list = lvm_find(t, section, "logical_volumes", LVM_SECTION);
	uint32_t n = list ? count_sections(t, list) : 0, i = 0;
	int rc;

	if (n == 0)
		return 0;
	vg->lvs = alloc_array(n, sizeof *vg->lvs);
	vg->lv_names = alloc_array(n, sizeof *vg->lv_names);
	if (!vg->lvs || !vg->lv_names)
		return err_nomem(e);
	for (const struct lvm_value *v = lvm_first(t, list); v; v = lvm_next(t, v)) {
		if (v->kind != LVM_SECTION)
			continue;
		rc = lv_parse(vg, v, &vg->lvs[vg->nlvs], e);
		if (rc < 0)
			return err_in(e, rc, "logical volume %s", v->key);
		vg->lv_names[vg->nlvs] = (struct lvm_name){ v->key, vg->nlvs };
		vg->nlvs++;
	}
	rc = names_sort(vg->lv_names, vg->nlvs, e);
	if (rc < 0)
		return rc;
	for (const struct lvm_value *v = lvm_first(t, list); v; v = lvm_next(t, v)) {
		rc = v->kind == LVM_SECTION ? segments_parse(vg, v, &vg->lvs[i++], e) : 0;
		if (rc < 0)
			return err_in(e, rc, "logical volume %s", v->key);
	}
	snapshots_link(vg);
	return 0;
}

/* Extents that segments take, for what is left free. */
static void extents_count(struct lvm_vg *vg)
{
	for (uint32_t i = 0; i < vg->nlvs; i++) {
		for (uint32_t k = 0; k < vg->lvs[i].nsegments; k++) {
			const struct lvm_segment *s = &vg->lvs[i].segments[k];

			for (uint32_t a = 0; a < s->nareas; a++)
				if (s->areas[a].on_pv)
					vg->pvs[s->areas[a].idx].used += s->type == LVM_STRIPED ? s->count / s->nareas
												: s->count;
		}
	}
}

static int vg_parse(struct lvm_vg *vg, struct err *e)
{
	const struct lvm_text *t = &vg->text;
	const struct lvm_value *section = lvm_first(t, t->values);
	const char *owner, *locks;
	uint64_t sectors;
	int rc;

	if (!section || section->kind != LVM_SECTION || !name_is_good(section->key))
		return err_set(e, ERR_CORRUPT, "its name is none");
	vg->name = section->key;
	vg->id = lvm_string(t, section, "id");
	if (!vg->id || !lvm_id_is_good(vg->id) || !lvm_number(t, section, "seqno", UINT64_MAX, &vg->seqno))
		return err_set(e, ERR_CORRUPT, "it has no id");
	if (!lvm_number(t, section, "extent_size", EXTENT_SECTORS_MAX, &sectors) || sectors == 0)
		return err_set(e, ERR_CORRUPT, "its extents have no size");
	vg->extent_size = sectors * LVM_SECTOR;
	owner = lvm_string(t, section, "system_id");
	locks = lvm_string(t, section, "lock_type");
	vg->foreign = (owner && *owner) || (locks && strcmp(locks, "none") != 0) || lvm_has_word(t, section, "status", "EXPORTED");
	if ((rc = pvs_parse(vg, section, e)) < 0 || (rc = lvs_parse(vg, section, e)) < 0)
		return rc;
	extents_count(vg);
	return 0;
}

int lvm_vg_new(struct lvm_text *text, struct lvm_vg *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof *out);
	out->text = *text;
	memset(text, 0, sizeof *text);
	rc = vg_parse(out, e);
	if (rc < 0)
		lvm_vg_free(out);
	return rc;
}
