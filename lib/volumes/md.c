/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md.c - Linux software RAID: volumes that are members of an array are found by their superblocks, and each array whose
 * members suffice becomes a volume.
 *
 * Which members can be believed: the one with the highest number of events knows best.  What it calls failed, and what
 * lags behind it by more than the one event that a crash may cost, is left out and told, as are members that contradict it.
 * An array with all its disks is made as soon as they are there; one that lacks some waits until nothing more will come.
 *
 * Names are those that mdadm gives in a rescue system: the preferred minor of version 0.90, else numbers from 127 down.
 */
#include "md.h"

#include "alloc.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"
#include "volume_driver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

struct found {
	size_t item;
	struct md_super s;
	bool done;
};

struct found_list {
	struct found *items;
	size_t n;
};

static void found_free(struct found_list *f)
{
	for (size_t i = 0; i < f->n; i++)
		md_super_free(&f->items[i].s);
	free(f->items);
	memset(f, 0, sizeof *f);
}

/* One array, and what is known of its members. */
struct set {
	struct volume_list *l;
	struct found **all; /* in the order of the list */
	size_t n;
	const struct found *fresh;
	/* By disk; NULL: missing.  spare: a second one that is (becoming) the copy of the first. */
	const struct found **disks, **replacements;
	const struct found *journal;
	unsigned nmissing;
	uint64_t resync_from;
	struct strbuf left_out; /* sentences */
};

static void set_free(struct set *s)
{
	free(s->all);
	free(s->disks);
	free(s->replacements);
	strbuf_free(&s->left_out);
}

static const char *name_of(const struct set *s, const struct found *f)
{
	return s->l->items[f->item].name;
}

/* How people know an array that has no device yet: MD array "host:0", or MD array 1f3c...:...:...:... */
static void set_name(struct strbuf *b, const struct md_super *s)
{
	char uuid[40];

	strbuf_puts(b, "MD array ");
	if (s->name[0]) {
		strbuf_putc(b, '"');
		text_quote(b, s->name, strlen(s->name));
		strbuf_putc(b, '"');
	} else {
		strbuf_puts(b, md_uuid_text(s->uuid, uuid));
	}
}

__attribute__((format(printf, 3, 4))) static void leave_out(struct set *s, const struct found *f, const char *fmt, ...)
{
	va_list ap;

	strbuf_puts(&s->left_out, s->left_out.len ? "; " : "");
	strbuf_printf(&s->left_out, "%s ", name_of(s, f));
	va_start(ap, fmt);
	strbuf_vprintf(&s->left_out, fmt, ap);
	va_end(ap);
}

/* ---- which members can be believed ---- */

static bool is_disk(unsigned role)
{
	return role < MD_ROLE_MAX;
}

/* The one with the most events among those that take part in the array as they know it; NULL: there are only spares. */
static const struct found *freshest(const struct set *s)
{
	const struct found *best = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct md_super *m = &s->all[i]->s;

		if (is_disk(md_role(m, m->number)) && (!best || m->events > best->s.events))
			best = s->all[i];
	}
	return best;
}

static bool same_array(const struct md_super *a, const struct md_super *b)
{
	return a->level == b->level && a->layout == b->layout && a->chunk == b->chunk && a->ndisks == b->ndisks &&
	       (a->used == b->used || a->level <= 0);
}

/* Two for one place: the one that knows more stays, the first of two equals. */
static void put_in_place(struct set *s, const struct found **place, const struct found *f, unsigned role)
{
	if (!*place) {
		*place = f;
	} else if (f->s.events > (*place)->s.events) {
		leave_out(s, *place, "is disk %u as %s is, which is newer", role, name_of(s, f));
		*place = f;
	} else {
		leave_out(s, f, "is disk %u as %s is", role, name_of(s, *place));
	}
}

static void member_place(struct set *s, const struct found *f)
{
	const struct md_super *fresh = &s->fresh->s, *m = &f->s;
	unsigned role = md_role(fresh, m->number), own = md_role(m, m->number);

	if (role == MD_ROLE_SPARE && !is_disk(own))
		return;
	if (!same_array(m, fresh))
		leave_out(s, f, "tells another form of the array than %s, which is newer", name_of(s, s->fresh));
	else if (role == MD_ROLE_JOURNAL)
		s->journal = f;
	else if (role == MD_ROLE_FAULTY || role == MD_ROLE_SPARE)
		leave_out(s, f, "has failed or was taken out, as %s knows", name_of(s, s->fresh));
	else if (role >= fresh->ndisks)
		leave_out(s, f, "is disk %u of %u", role, fresh->ndisks);
	else if (m->events + 1 < fresh->events)
		leave_out(s, f, "is out of date (it knows of %" PRIu64 " events, %s of %" PRIu64 ")", m->events,
			  name_of(s, s->fresh), fresh->events);
	else if (fresh->level > 0 && m->data_size < fresh->used)
		leave_out(s, f, "has room for %" PRIu64 " bytes of %" PRIu64, m->data_size, fresh->used);
	else
		put_in_place(s, m->features & MD_FEATURE_REPLACEMENT ? &s->replacements[role] : &s->disks[role], f, role);
}

/* A member that is whole and stays is better than a copy in the making; a copy that is whole is better than nothing. */
static const struct found *disk_of(const struct set *s, unsigned disk)
{
	const struct found *f = s->disks[disk], *copy = s->replacements[disk];

	return copy && (!f || copy->s.rebuilt > f->s.rebuilt) ? copy : f;
}

static int members_place(struct set *s, struct err *e)
{
	unsigned ndisks = s->fresh->s.ndisks;

	/* More than the superblock has room for is found out when the array's form is judged. */
	if (ndisks == 0 || ndisks > s->fresh->s.nroles)
		return err_set(e, ERR_CORRUPT, "an array of %u disks with room for %u", ndisks, s->fresh->s.nroles);
	s->disks = alloc_array(ndisks, sizeof *s->disks);
	s->replacements = alloc_array(ndisks, sizeof *s->replacements);
	if (!s->disks || !s->replacements)
		return err_nomem(e);
	for (size_t i = 0; i < s->n; i++)
		member_place(s, s->all[i]);
	for (unsigned i = 0; i < ndisks; i++) {
		const struct found *f = disk_of(s, i);

		s->nmissing += !f || f->s.rebuilt < s->fresh->s.used;
	}
	return s->left_out.failed ? err_nomem(e) : 0;
}

/* ---- making the array ---- */

/* "disk 1 is missing", "disks 1 and 3 are missing": at most some of them by number. */
static void missing_name(struct strbuf *b, const struct set *s)
{
	unsigned said = 0;

	strbuf_puts(b, s->nmissing == 1 ? "disk " : "disks ");
	for (unsigned i = 0; i < s->fresh->s.ndisks; i++) {
		const struct found *f = disk_of(s, i);

		if (f && f->s.rebuilt >= s->fresh->s.used)
			continue;
		if (said == 8) {
			strbuf_puts(b, " and others");
			break;
		}
		if (said)
			strbuf_puts(b, said + 1 == s->nmissing ? " and " : ", ");
		strbuf_printf(b, "%u", i);
		said++;
	}
	strbuf_printf(b, s->nmissing == 1 ? " of %u is missing" : " of %u are missing", s->fresh->s.ndisks);
}

static int geo_of(const struct set *s, struct md_geo *g, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf missing = STRBUF_INIT;
	unsigned ndisks = s->fresh->s.ndisks;
	CLEANUP(free_ptr) uint64_t *sizes = alloc_array(ndisks, sizeof *sizes);
	CLEANUP(free_ptr) bool *there = alloc_array(ndisks, sizeof *there);
	bool needs_all = s->fresh->s.level <= 0;
	int rc;

	if (!sizes || !there)
		return err_nomem(e);
	missing_name(&missing, s);
	if (missing.failed)
		return err_nomem(e);
	for (unsigned i = 0; i < ndisks; i++) {
		const struct found *f = disk_of(s, i);

		sizes[i] = f ? f->s.data_size : 0;
		/* A disk that is rebuilt in part helps where it can, but is not counted on. */
		there[i] = f && f->s.rebuilt >= s->fresh->s.used;
	}
	if (s->fresh->s.features & MD_FEATURE_RESHAPE)
		return err_set(e, ERR_UNSUPPORTED, "it was being reshaped; mdadm must finish that first");
	if (needs_all && s->nmissing)
		return err_set(e, ERR_NOT_FOUND, "%s", missing.s);
	rc = md_geo_init(g, &s->fresh->s, sizes, e);
	if (rc == 0 && !md_enough(g, there))
		rc = err_set(e, ERR_NOT_FOUND, "%s", missing.s);
	return rc;
}

/* A journal in front of raid4, 5 and 6 may hold writes that the disks lack. */
static int journal_judge(struct set *s, struct err *e)
{
	struct block *b;
	int rc;

	s->resync_from = s->fresh->s.resync_from;
	if (!(s->fresh->s.features & MD_FEATURE_JOURNAL))
		return 0;
	if (!s->journal) {
		s->resync_from = 0;
		return 0;
	}
	b = s->l->items[s->journal->item].block;
	rc = md_journal_pending(b, &s->journal->s, e);
	if (rc > 0)
		return err_set(e, ERR_UNSUPPORTED, "its journal on %s may hold writes that are not on the disks, and is not "
			       "replayed; without that disk the array is read as it is", name_of(s, s->journal));
	return rc;
}

static int members_open(const struct set *s, struct md_member **out, struct err *e)
{
	unsigned ndisks = s->fresh->s.ndisks;
	struct md_member *members = alloc_array(ndisks, sizeof *members);

	if (!members)
		return err_nomem(e);
	for (unsigned i = 0; i < ndisks; i++) {
		const struct found *f = disk_of(s, i);
		struct md_member *m = &members[i];

		if (!f)
			continue;
		m->data_off = f->s.data_off;
		m->rebuilt = f->s.rebuilt;
		m->write_mostly = f->s.write_mostly;
		m->bad = alloc_array(MAX_OF(f->s.nbad, (size_t)1), sizeof *m->bad);
		if (!m->bad) {
			md_members_free(members, ndisks);
			return err_nomem(e);
		}
		if (f->s.nbad)
			memcpy(m->bad, f->s.bad, f->s.nbad * sizeof *m->bad);
		m->nbad = f->s.nbad;
		m->block = block_ref(s->l->items[f->item].block);
	}
	*out = members;
	return 0;
}

/* ---- names ---- */

/* Numbers below this are taken in turn, as mdadm does. */
#define NUMBERS 512

/* "/dev/md7": 7; NUMBERS when it is another name. */
static unsigned number_of(const char *name)
{
	const char *rest;
	uint64_t n;

	if (!text_starts(name, "/dev/md", &rest) || !isdigit((unsigned char)*rest) || strlen(rest) > 3 ||
	    !text_parse_u64(rest, &n) || n >= NUMBERS)
		return NUMBERS;
	return (unsigned)n;
}

static char *choose_name(const struct volume_list *l, const struct md_super *s)
{
	bool taken[NUMBERS + 1] = { false };

	for (size_t i = 0; i < l->n; i++) {
		taken[number_of(l->items[i].name)] = true;
		for (size_t k = 0; k < l->items[i].naliases; k++)
			taken[number_of(l->items[i].aliases[k])] = true;
	}
	if (s->preferred_minor >= 0 && s->preferred_minor < NUMBERS && !taken[s->preferred_minor])
		return alloc_printf("/dev/md%d", s->preferred_minor);
	for (unsigned i = 0; i < NUMBERS; i++) {
		/* 127 to 0, then 511 to 128. */
		unsigned n = (NUMBERS + 127 - i) % NUMBERS;

		if (!taken[n])
			return alloc_printf("/dev/md%u", n);
	}
	/* LIMIT_VOLUMES ends this long before numbers do. */
	return alloc_printf("/dev/md%zu", NUMBERS + l->n);
}

/* May it be part of a path as it is? */
static bool is_file_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0 || text_utf8_valid(s, len) != len)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '/' || *s == 0x7f)
			return false;
	return true;
}

/* One more name, unless another volume has it. */
static int alias_add(struct volume_list *l, size_t item, const char *dir, const char *name, struct err *e)
{
	char path[100];

	snprintf(path, sizeof path, "%s%s", dir, name);
	if (volume_find(l, path))
		return 0;
	return volume_alias(&l->items[item], e, "%s", path);
}

/* What udev and mdadm link to it on its own machine, where the name has no host in front. */
static int aliases_add(struct volume_list *l, size_t item, const struct md_super *s, struct err *e)
{
	const char *colon = strchr(s->name, ':'), *own = colon ? colon + 1 : s->name;
	char uuid[40];
	int rc = alias_add(l, item, "/dev/disk/by-id/md-uuid-", md_uuid_text(s->uuid, uuid), e);

	if (rc == 0 && s->preferred_minor >= 0) {
		char minor[12];

		snprintf(minor, sizeof minor, "%d", s->preferred_minor);
		return alias_add(l, item, "/dev/md/", minor, e);
	}
	if (rc == 0 && is_file_name(s->name))
		rc = alias_add(l, item, "/dev/disk/by-id/md-name-", s->name, e);
	if (rc < 0 || !is_file_name(own))
		return rc;
	rc = alias_add(l, item, "/dev/md/", own, e);
	if (rc == 0 && strspn(own, "0123456789") == strlen(own))
		rc = alias_add(l, item, "/dev/md", own, e);
	if (rc == 0 && colon && is_file_name(s->name))
		rc = alias_add(l, item, "/dev/md/", s->name, e);
	return rc;
}

/* ---- the list ---- */

/* What the user should know of an array that can be read. */
static int made_warn(struct set *s, const char *name, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf missing = STRBUF_INIT;
	const struct md_super *f = &s->fresh->s;
	bool parity = f->level >= 4 && f->level <= 6, one_copy = f->level <= 0 || (f->level == 1 && s->nmissing + 1 == f->ndisks);
	int rc = 0;

	if (s->left_out.len)
		rc = volume_warn(s->l, e, "%s: left out: %s", name, s->left_out.s);
	if (rc == 0 && parity && f->features & MD_FEATURE_JOURNAL && !s->journal)
		rc = volume_warn(s->l, e, "%s: its journal is missing, and perhaps with it what was written last", name);
	if (rc == 0 && !one_copy && s->resync_from < f->used && !(f->features & MD_FEATURE_JOURNAL))
		rc = volume_warn(s->l, e, "%s: it was not shut down cleanly%s", name,
				 !parity       ? "; where its copies differ, the first one is read"
				 : s->nmissing ? ", so that what lay on the missing disk cannot be told"
					       : ", and its parity is not used");
	if (rc < 0 || s->nmissing == 0)
		return rc;
	missing_name(&missing, s);
	return missing.failed ? err_nomem(e) : volume_warn(s->l, e, "%s: %s", name, missing.s);
}

static int set_add(struct set *s, struct block *b, const char *name, struct err *e)
{
	unsigned ndisks = s->fresh->s.ndisks;
	CLEANUP(free_ptr) size_t *parts = alloc_array(2 * (size_t)ndisks + 1, sizeof *parts);
	struct volume_made made = { .stack = &volume_md, .name = name, .block = b, .parts = parts };
	struct volume *v;
	char uuid[40];
	int rc;

	if (!parts)
		return err_nomem(e);
	for (unsigned i = 0; i < ndisks; i++) {
		if (s->disks[i])
			parts[made.nparts++] = s->disks[i]->item;
		if (s->replacements[i])
			parts[made.nparts++] = s->replacements[i]->item;
	}
	if (s->journal)
		parts[made.nparts++] = s->journal->item;
	if (s->fresh->s.level > 0)
		made.arrays = volume_arrays(s->l, parts, made.nparts) + 1;
	if (made.arrays > LIMIT_VOLUME_ARRAYS)
		return err_set(e, ERR_LIMIT, "arrays in each other more than %d deep", LIMIT_VOLUME_ARRAYS);
	rc = volume_add_made(s->l, &made, &v, e);
	if (rc < 0)
		return rc;
	v->uuid = alloc_strdup(md_uuid_text(s->fresh->s.uuid, uuid));
	if (!v->uuid)
		return err_nomem(e);
	rc = aliases_add(s->l, s->l->n - 1, &s->fresh->s, e);
	return rc < 0 ? rc : made_warn(s, name, e);
}

static int set_make(struct set *s, const char *name, struct err *e)
{
	CLEANUP(md_geo_free) struct md_geo geo = { 0 };
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct md_member *members = NULL;
	int rc = journal_judge(s, e);

	if (rc == 0)
		rc = geo_of(s, &geo, e);
	if (rc == 0)
		rc = members_open(s, &members, e);
	if (rc == 0)
		rc = md_block(&geo, &members, s->resync_from, name, &b, e);
	return rc < 0 ? rc : set_add(s, b, name, e);
}

/* Why an array is not there. */
static int set_warn(struct set *s, const struct md_super *any, const struct err *why, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;

	set_name(&b, any);
	strbuf_printf(&b, " on %s", name_of(s, s->all[0]));
	for (size_t i = 1; i < MIN_OF(s->n, (size_t)4); i++)
		strbuf_printf(&b, ", %s", name_of(s, s->all[i]));
	strbuf_printf(&b, "%s: it cannot be put together: %s", s->n > 4 ? " ..." : "", why->msg);
	if (s->left_out.len)
		strbuf_printf(&b, "; left out: %s", s->left_out.s);
	return b.failed ? err_nomem(e) : volume_warn(s->l, e, "%s", b.s);
}

static int set_assemble(struct set *s, bool last, struct err *e)
{
	CLEANUP(free_ptr) char *name = NULL;
	struct err why = ERR_INIT;
	int rc;

	s->fresh = freshest(s);
	if (!s->fresh)
		rc = err_set(&why, ERR_NOT_FOUND, "there are only spares of it");
	else
		rc = members_place(s, &why);
	if (rc == 0 && s->nmissing && !last)
		return 0;
	if (rc == 0) {
		name = choose_name(s->l, &s->fresh->s);
		rc = name ? set_make(s, name, &why) : err_nomem(&why);
	}
	if (rc == 0 || why.code == ERR_NOMEM)
		return rc == 0 ? 0 : err_nomem(e);
	return last ? set_warn(s, s->fresh ? &s->fresh->s : &s->all[0]->s, &why, e) : 0;
}

/* Was an array of that UUID made already?  Then these are its spares, and what was left out of it. */
static bool is_made(const struct volume_list *l, const uint8_t uuid[16])
{
	char text[40];

	md_uuid_text(uuid, text);
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].scheme == volume_md.name && l->items[i].uuid && strcmp(l->items[i].uuid, text) == 0)
			return true;
	return false;
}

static int members_find(struct volume_list *l, bool last, struct found_list *out, struct err *e)
{
	out->items = alloc_array(MAX_OF(l->n, (size_t)1), sizeof *out->items);
	if (!out->items)
		return err_nomem(e);
	for (size_t i = 0; i < l->n; i++) {
		struct err why = ERR_INIT;
		struct found *f = &out->items[out->n];
		int rc = volume_is_leaf(&l->items[i]) ? md_super_read(l->items[i].block, &f->s, &why) : 0;

		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (rc < 0 && last)
			rc = volume_warn(l, e, "%s: %s", l->items[i].name, why.msg);
		else if (rc > 0)
			out->items[out->n++].item = i;
		if (rc < 0 && last)
			return rc;
	}
	return 0;
}

/* Everything with the UUID and the generation of superblock of item i. */
static int set_collect(struct set *s, struct found_list *f, size_t i, struct err *e)
{
	s->all = alloc_array(f->n - i, sizeof(struct found *));
	if (!s->all)
		return err_nomem(e);
	for (size_t k = i; k < f->n; k++) {
		if (f->items[k].done || memcmp(f->items[k].s.uuid, f->items[i].s.uuid, 16) != 0 ||
		    f->items[k].s.version[0] != f->items[i].s.version[0])
			continue;
		f->items[k].done = true;
		s->all[s->n++] = &f->items[k];
	}
	return 0;
}

static int md_assemble(struct volume_list *l, const struct volume_how *how, bool last, struct err *e)
{
	CLEANUP(found_free) struct found_list f = { 0 };
	int rc = members_find(l, last, &f, e);

	(void)how;
	for (size_t i = 0; rc == 0 && i < f.n; i++) {
		CLEANUP(set_free) struct set s = { .l = l, .left_out = STRBUF_INIT };

		if (f.items[i].done)
			continue;
		rc = set_collect(&s, &f, i, e);
		if (rc == 0 && !is_made(l, f.items[i].s.uuid))
			rc = set_assemble(&s, last, e);
	}
	return rc;
}

const struct volume_stack volume_md = {
	.name = "md",
	.holds_tables = true,
	.assemble = md_assemble,
};
