/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm.c - LVM2: physical volumes among the volumes are put into their groups, and the groups' logical volumes are listed.
 *
 * There is no specification but LVM2 itself; lvm_label.c, lvm_vg.c, lvm_raid.c, lvm_thin.c and lvm_snap.c describe the
 * formats.  The metadata of a group lies on many of its PVs; the copy with the highest sequence number counts, and what
 * disagrees is told.  A group that lacks PVs waits until no more can come; then the LVs that are whole are listed.
 */
#include "lvm.h"

#include "alloc.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

/* A volume that is a PV. */
struct found {
	size_t item;
	struct lvm_label label;
	bool taken; /* it is in a group, or a copy of one that is */
};

/* A group of which some PV has metadata, and the newest copy of that. */
struct group {
	const char *id;
	size_t found;
	const struct lvm_copy *copy;
};

struct scan {
	struct volume_list *l;
	struct found *found;
	size_t nfound;
	struct group *groups;
	size_t ngroups;
	struct strbuf text; /* for names */
};

static void scan_free(struct scan *s)
{
	for (size_t i = 0; i < s->nfound; i++)
		lvm_label_free(&s->found[i].label);
	free(s->found);
	free(s->groups);
	strbuf_free(&s->text);
}

static const char *item_name(const struct scan *s, size_t item)
{
	return s->l->items[item].name;
}

/* ---- who is there ---- */

static int pvs_find(struct scan *s, struct err *e)
{
	uint64_t budget = LIMIT_LVM_TEXT_TOTAL;

	for (size_t i = 0; i < s->l->n; i++) {
		struct lvm_label label;
		struct found *found;
		int rc = volume_is_leaf(&s->l->items[i]) ? lvm_label_read(s->l->items[i].block, &budget, &label, e) : 0;

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		found = alloc_resize(s->found, s->nfound + 1, sizeof *found);
		if (!found) {
			lvm_label_free(&label);
			return err_nomem(e);
		}
		s->found = found;
		found[s->nfound++] = (struct found){ .item = i, .label = label };
	}
	return 0;
}

static struct group *group_of(const struct scan *s, const char *id)
{
	for (size_t i = 0; i < s->ngroups; i++)
		if (strcmp(s->groups[i].id, id) == 0)
			return &s->groups[i];
	return NULL;
}

static int groups_find(struct scan *s, struct err *e)
{
	for (size_t i = 0; i < s->nfound; i++) {
		for (size_t k = 0; k < s->found[i].label.ncopies; k++) {
			const struct lvm_copy *c = &s->found[i].label.copies[k];
			struct group *g = group_of(s, c->vg_id);

			if (!g) {
				struct group *groups = alloc_resize(s->groups, s->ngroups + 1, sizeof *groups);

				if (!groups)
					return err_nomem(e);
				s->groups = groups;
				g = &groups[s->ngroups++];
				*g = (struct group){ .id = c->vg_id, .found = i, .copy = c };
			} else if (c->seqno > g->copy->seqno) {
				g->found = i;
				g->copy = c;
			}
		}
	}
	return 0;
}

/* The newest copy of this group's metadata that a PV has; NULL: it has none. */
static const struct lvm_copy *copy_on(const struct found *f, const char *vg_id)
{
	const struct lvm_copy *best = NULL;

	for (size_t i = 0; i < f->label.ncopies; i++) {
		const struct lvm_copy *c = &f->label.copies[i];

		if (strcmp(c->vg_id, vg_id) == 0 && (!best || c->seqno > best->seqno))
			best = c;
	}
	return best;
}

/* Where a PV is: of several that say so, one whose metadata is the newest.  NULL: it is missing. */
static struct found *pv_locate(struct scan *s, const struct lvm_vg *vg, const struct lvm_pv *pv)
{
	struct found *best = NULL;

	for (size_t i = 0; i < s->nfound; i++) {
		struct found *f = &s->found[i];
		const struct lvm_copy *c;

		if (f->taken || strcmp(f->label.id, pv->id) != 0)
			continue;
		if (!best)
			best = f;
		c = copy_on(f, vg->id);
		if (c && c->seqno == vg->seqno)
			return f;
	}
	return best;
}

static uint32_t pvs_locate(struct scan *s, struct lvm_vg *vg)
{
	uint32_t nmissing = 0;

	for (uint32_t i = 0; i < vg->npvs; i++) {
		const struct found *f = pv_locate(s, vg, &vg->pvs[i]);

		vg->pvs[i].item = f ? f->item : VOLUME_NO_ITEM;
		nmissing += !f;
	}
	return nmissing;
}

/* ---- what is told ---- */

static int warn_copies(struct scan *s, const struct lvm_vg *vg, const struct lvm_copy *used, struct err *e)
{
	for (size_t i = 0; i < s->nfound; i++) {
		const struct found *f = &s->found[i];
		int rc = 0;

		for (size_t k = 0; rc == 0 && k < f->label.ncopies; k++) {
			const struct lvm_copy *c = &f->label.copies[k];

			if (strcmp(c->vg_id, vg->id) != 0)
				continue;
			if (c->seqno != used->seqno)
				rc = volume_warn(s->l, e, "%s has the metadata of volume group %s as it was at change %" PRIu64
						 "; what is used is of change %" PRIu64, item_name(s, f->item), vg->name,
						 c->seqno, used->seqno);
			else if (c->crc != used->crc || c->len != used->len)
				rc = volume_warn(s->l, e, "%s has other metadata of volume group %s, of the same change as what is "
						 "used", item_name(s, f->item), vg->name);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int warn_damage(struct scan *s, const struct found *f, struct err *e)
{
	return f->label.damage ? volume_warn(s->l, e, "%s: %s", item_name(s, f->item), f->label.damage) : 0;
}

static int warn_missing(struct scan *s, const struct lvm_vg *vg, const struct lvm_pv *pv, struct err *e)
{
	strbuf_reset(&s->text);
	if (pv->hint) {
		strbuf_puts(&s->text, " (last seen as ");
		text_quote(&s->text, pv->hint, strlen(pv->hint));
		strbuf_putc(&s->text, ')');
	}
	return s->text.failed ? err_nomem(e)
			      : volume_warn(s->l, e, "volume group %s: physical volume %s%s is missing", vg->name, pv->id,
					    s->text.s);
}

/*
 * PVs of the group that are there and those that are not, and copies of PVs.  One that the group counts as lost stays lost:
 * what is on it may be old.
 */
static int pvs_take(struct scan *s, struct lvm_vg *vg, struct err *e)
{
	for (uint32_t i = 0; i < vg->npvs; i++) {
		struct lvm_pv *pv = &vg->pvs[i];
		int rc = pv->item == VOLUME_NO_ITEM ? warn_missing(s, vg, pv, e) : 0;

		for (size_t k = 0; rc == 0 && k < s->nfound; k++) {
			struct found *f = &s->found[k];

			if (f->taken || strcmp(f->label.id, pv->id) != 0)
				continue;
			f->taken = true;
			s->l->items[f->item].in_use = true;
			rc = warn_damage(s, f, e);
			if (rc == 0 && f->item != pv->item)
				rc = volume_warn(s->l, e, "%s is a copy of %s, which is used", item_name(s, f->item),
						 item_name(s, pv->item));
		}
		if (rc == 0 && pv->item != VOLUME_NO_ITEM && pv->flagged_missing) {
			rc = volume_warn(s->l, e, "volume group %s counts %s as missing, although it is there: it is not read",
					 vg->name, item_name(s, pv->item));
			pv->item = VOLUME_NO_ITEM;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- the group and its volumes ---- */

/* Of a second group of the same name the volumes go by its id. */
static int dir_choose(struct scan *s, const struct lvm_vg *vg, const char **dir, struct err *e)
{
	*dir = vg->name;
	for (size_t i = 0; i < s->l->ngroups; i++) {
		if (strcmp(s->l->groups[i].name, vg->name) != 0)
			continue;
		*dir = vg->id;
		return volume_warn(s->l, e, "there are several volume groups called %s: this one's volumes are /dev/%s/...",
				   vg->name, vg->id);
	}
	return 0;
}

static int group_list(struct scan *s, const struct lvm_vg *vg, const char *dir, struct err *e)
{
	struct volume_group *g;
	int rc = volume_group_add(s->l, &g, e);

	if (rc < 0)
		return rc;
	g->scheme = volume_lvm.name;
	g->name = alloc_strdup(dir);
	g->uuid = alloc_strdup(vg->id);
	g->extent_size = vg->extent_size;
	g->foreign = vg->foreign;
	g->members = alloc_array(vg->npvs, sizeof *g->members);
	if (!g->name || !g->uuid || !g->members)
		return err_nomem(e);
	for (uint32_t i = 0; i < vg->npvs; i++) {
		const struct lvm_pv *pv = &vg->pvs[i];
		struct volume_member *m = &g->members[g->nmembers++];

		m->item = pv->item;
		m->size = pv->count * vg->extent_size;
		m->free = pv->used < pv->count ? (pv->count - pv->used) * vg->extent_size : 0;
		m->uuid = alloc_strdup(pv->id);
		if (!m->uuid)
			return err_nomem(e);
		g->size += m->size;
		g->free += m->free;
		if (pv->item != VOLUME_NO_ITEM)
			s->l->items[pv->item].group = s->l->ngroups;
	}
	return 0;
}

/* As device-mapper joins names: "my--vg-lv". */
static void mapper_name(struct strbuf *out, const char *name)
{
	for (; *name; name++) {
		if (*name == '-')
			strbuf_putc(out, '-');
		strbuf_putc(out, *name);
	}
}

static void id_bare(struct strbuf *out, const char *id)
{
	for (; *id; id++)
		if (*id != '-')
			strbuf_putc(out, *id);
}

static int lv_aliases(struct scan *s, const struct lvm_vg *vg, const struct lvm_lv *lv, bool named, struct volume *v,
		      struct err *e)
{
	int rc = 0;

	strbuf_reset(&s->text);
	mapper_name(&s->text, vg->name);
	strbuf_putc(&s->text, '-');
	mapper_name(&s->text, lv->name);
	if (s->text.failed)
		return err_nomem(e);
	if (named) {
		rc = volume_alias(v, e, "/dev/mapper/%s", s->text.s);
		if (rc == 0)
			rc = volume_alias(v, e, "/dev/disk/by-id/dm-name-%s", s->text.s);
	}
	if (rc < 0)
		return rc;
	strbuf_reset(&s->text);
	id_bare(&s->text, vg->id);
	id_bare(&s->text, lv->id);
	return s->text.failed ? err_nomem(e) : volume_alias(v, e, "/dev/disk/by-id/dm-uuid-LVM-%s", s->text.s);
}

/* The volumes in which it lies, into parts; one of zeros lies in the first that is there. */
static size_t lv_parts(const struct lvm_vg *vg, const struct lvm_lv *lv, size_t *parts)
{
	size_t n = 0, first = VOLUME_NO_ITEM;

	for (uint32_t i = 0; i < vg->npvs; i++) {
		if (vg->pvs[i].item == VOLUME_NO_ITEM)
			continue;
		if (first == VOLUME_NO_ITEM)
			first = vg->pvs[i].item;
		if (lv->pvs[i / 64] >> (i % 64) & 1)
			parts[n++] = vg->pvs[i].item;
	}
	if (n == 0 && first != VOLUME_NO_ITEM)
		parts[n++] = first;
	return n;
}

static int lv_list(struct scan *s, struct lvm_vg *vg, uint32_t idx, const char *dir, size_t *parts, struct err *e)
{
	struct lvm_lv *lv = &vg->lvs[idx];
	CLEANUP(block_unrefp) struct block *block = NULL;
	CLEANUP(free_ptr) char *name = alloc_printf("/dev/%s/%s", dir, lv->name);
	struct volume_made made = { .stack = &volume_lvm, .name = name, .parts = parts };
	struct err why = ERR_INIT;
	struct volume *v;
	int rc = name ? lvm_lv_content(vg, idx, s->l, &block, &why) : err_nomem(&why);

	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return volume_warn(s->l, e, "logical volume %s/%s is left out: %s", vg->name, lv->name, why.msg);
	made.block = block;
	made.nparts = lv_parts(vg, lv, parts);
	made.arrays = lv->arrays;
	if (made.nparts == 0)
		return 0;
	rc = volume_add_made(s->l, &made, &v, e);
	if (rc < 0)
		return rc;
	v->group = s->l->ngroups;
	v->snapshot = lv->snapshot != LVM_NONE ||
		      (lv->segments->type == LVM_THIN && lv->segments->origin != LVM_NONE);
	v->dormant = lv->skipped;
	v->uuid = alloc_strdup(lv->id);
	return v->uuid ? lv_aliases(s, vg, lv, dir == vg->name, v, e) : err_nomem(e);
}

static int lvs_list(struct scan *s, struct lvm_vg *vg, const char *dir, struct err *e)
{
	CLEANUP(free_ptr) size_t *parts = alloc_array(vg->npvs, sizeof *parts);

	if (!parts)
		return err_nomem(e);
	for (uint32_t i = 0; i < vg->nlvs; i++) {
		uint32_t idx = vg->lv_names[i].idx;
		int rc;

		if (!vg->lvs[idx].visible || vg->lvs[idx].internal)
			continue;
		if (s->l->n == LIMIT_VOLUMES)
			return volume_warn(s->l, e, "volume group %s: there are more than %d volumes, the rest is left out",
					   vg->name, LIMIT_VOLUMES);
		rc = lv_list(s, vg, idx, dir, parts, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What PVs of a group that is listed already have come too late, or no longer belong to it. */
static int group_again(struct scan *s, const struct group *g, struct err *e)
{
	for (size_t i = 0; i < s->nfound; i++) {
		int rc;

		if (s->found[i].taken || !copy_on(&s->found[i], g->id))
			continue;
		s->found[i].taken = true;
		s->l->items[s->found[i].item].in_use = true;
		rc = volume_warn(s->l, e, "%s has the metadata of volume group %s, but is no part of it, or a copy",
				 item_name(s, s->found[i].item), g->id);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_listed(const struct volume_list *l, const char *id)
{
	for (size_t i = 0; i < l->ngroups; i++)
		if (strcmp(l->groups[i].uuid, id) == 0)
			return true;
	return false;
}

/* 1 when the group is listed now, 0 when it waits (partial: not even if parts of it are missing) or cannot be read. */
static int group_assemble(struct scan *s, const struct group *g, bool partial, struct err *e)
{
	CLEANUP(lvm_vg_free) struct lvm_vg vg = { .npvs = 0 };
	struct lvm_text text;
	struct err why = ERR_INIT;
	const char *dir;
	int rc = lvm_copy_read(s->l->items[s->found[g->found].item].block, g->copy, &text, &why);

	if (rc == 0)
		rc = lvm_vg_new(&text, &vg, &why);
	if (rc == -ERR_NOMEM)
		return err_nomem(e);
	if (rc < 0)
		return volume_warn(s->l, e, "the volume group on %s cannot be read: %s", item_name(s, s->found[g->found].item),
				   why.msg);
	if (pvs_locate(s, &vg) > 0 && !partial)
		return 0;
	if ((rc = warn_copies(s, &vg, g->copy, e)) < 0 || (rc = pvs_take(s, &vg, e)) < 0 ||
	    (rc = dir_choose(s, &vg, &dir, e)) < 0 || (rc = group_list(s, &vg, dir, e)) < 0 ||
	    (rc = lvs_list(s, &vg, dir, e)) < 0)
		return rc;
	return 1;
}

static int groups_assemble(struct scan *s, bool partial, bool *any, struct err *e)
{
	for (size_t i = 0; i < s->ngroups; i++) {
		int rc = is_listed(s->l, s->groups[i].id) ? group_again(s, &s->groups[i], e)
							   : group_assemble(s, &s->groups[i], partial, e);

		if (rc < 0)
			return rc;
		*any |= rc > 0;
	}
	return 0;
}

static int lvm_assemble(struct volume_list *l, const struct volume_how *how, bool last, struct err *e)
{
	CLEANUP(scan_free) struct scan s = { .l = l, .text = STRBUF_INIT };
	bool any = false;
	int rc = pvs_find(&s, e);

	(void)how;
	if (rc == 0)
		rc = groups_find(&s, e);
	if (rc == 0)
		rc = groups_assemble(&s, false, &any, e);
	/* What lacks PVs may find them in the volumes that were listed just now. */
	if (rc == 0 && last && !any)
		rc = groups_assemble(&s, true, &any, e);
	for (size_t i = 0; rc == 0 && last && i < s.nfound; i++)
		if (!s.found[i].taken)
			rc = warn_damage(&s, &s.found[i], e);
	return rc;
}

const struct volume_stack volume_lvm = {
	.name = "lvm",
	.holds_tables = true,
	.assemble = lvm_assemble,
};
