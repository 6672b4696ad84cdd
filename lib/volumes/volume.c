/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* volume.c - the list of volumes: tables of disks, volumes made of others, names, warnings. */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A warning of a table that is damaged everywhere need not name every place. */
#define WARNING_MAX 2000
/* Where the first volume descriptor of ISO 9660 has its identifier. */
#define DISC_ID_OFF 32769

static void volume_clear(struct volume *v)
{
	for (size_t i = 0; i < v->naliases; i++)
		free(v->aliases[i]);
	free(v->aliases);
	free(v->parts);
	free(v->uuid);
	free(v->name);
	free(v->label);
	free(v->type_text);
	block_unref(v->block);
}

static void group_clear(struct volume_group *g)
{
	for (size_t i = 0; i < g->nmembers; i++)
		free(g->members[i].uuid);
	free(g->members);
	free(g->name);
	free(g->uuid);
}

void volume_list_free(struct volume_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		volume_clear(&l->items[i]);
	for (size_t i = 0; i < l->ngroups; i++)
		group_clear(&l->groups[i]);
	free(l->items);
	free(l->groups);
	free(l->warning);
	memset(l, 0, sizeof *l);
}

/* "/dev/sda", "/dev/sdz", "/dev/sdaa" as Linux goes on. */
static char *disk_name(unsigned disk)
{
	char letters[8];
	size_t at = sizeof letters - 1;

	letters[at] = '\0';
	for (uint64_t n = (uint64_t)disk + 1; n > 0; n = (n - 1) / 26)
		letters[--at] = (char)('a' + (n - 1) % 26);
	return alloc_printf("/dev/sd%s", letters + at);
}

/* As Linux names partitions: "/dev/sda1", but "/dev/md127p1". */
static char *partition_name(const char *disk, unsigned number)
{
	size_t len = strlen(disk);

	if (!number)
		return alloc_strdup(disk);
	return alloc_printf("%s%s%u", disk, len && isdigit((unsigned char)disk[len - 1]) ? "p" : "", number);
}

/* A zeroed item behind the last one; it counts when l->n is increased. */
static int item_new(struct volume_list *l, struct volume **out, struct err *e)
{
	struct volume *items;

	if (l->n == LIMIT_VOLUMES)
		return err_set(e, ERR_LIMIT, "more than %d volumes", LIMIT_VOLUMES);
	items = alloc_resize(l->items, l->n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	l->items = items;
	*out = &items[l->n];
	memset(*out, 0, sizeof **out);
	return 0;
}

unsigned volume_arrays(const struct volume_list *l, const size_t *parts, size_t nparts)
{
	unsigned most = 0;

	for (size_t i = 0; i < nparts; i++)
		most = MAX_OF(most, l->items[parts[i]].arrays);
	return most;
}

/* Notes in what a new item lies; marks nothing. */
static int parts_set(const struct volume_list *l, struct volume *v, const size_t *parts, size_t nparts, struct err *e)
{
	v->parts = alloc_array(nparts, sizeof *parts);
	if (!v->parts)
		return err_nomem(e);
	memcpy(v->parts, parts, nparts * sizeof *parts);
	v->nparts = nparts;
	v->disk = l->items[parts[0]].disk;
	v->arrays = volume_arrays(l, parts, nparts);
	for (size_t i = 0; i < nparts; i++)
		v->depth = MAX_OF(v->depth, l->items[parts[i]].depth + 1);
	return 0;
}

int volume_add(struct volume_list *l, const struct volume_disk *disk, const char *scheme, unsigned number, uint64_t off,
	       uint64_t size, struct volume **v, struct err *e)
{
	struct volume *it;
	int rc = item_new(l, &it, e);

	if (rc < 0)
		return rc;
	it->scheme = scheme;
	it->number = number;
	it->disk = disk->idx;
	it->off = off;
	it->size = size;
	it->name = partition_name(disk->name, number);
	if (!it->name)
		return err_nomem(e);
	if (disk->item != VOLUME_NO_ITEM)
		rc = parts_set(l, it, &disk->item, 1, e);
	if (rc == 0 && off == 0 && size == block_size(disk->block))
		it->block = block_ref(disk->block);
	else if (rc == 0)
		rc = block_window(disk->block, off, size, &it->block, e);
	if (rc < 0) {
		rc = err_in(e, rc, "%s", it->name);
		volume_clear(it);
		return rc;
	}
	l->n++;
	*v = it;
	return 0;
}

int volume_add_made(struct volume_list *l, const struct volume_made *made, struct volume **v, struct err *e)
{
	struct volume *it;
	int rc = item_new(l, &it, e);

	if (rc < 0)
		return rc;
	it->scheme = made->stack->name;
	it->size = block_size(made->block);
	it->name = alloc_strdup(made->name);
	rc = it->name ? parts_set(l, it, made->parts, made->nparts, e) : err_nomem(e);
	if (rc < 0) {
		volume_clear(it);
		return rc;
	}
	it->arrays = MAX_OF(it->arrays, made->arrays);
	it->block = block_ref(made->block);
	for (size_t i = 0; i < made->nparts; i++)
		l->items[made->parts[i]].in_use = true;
	l->n++;
	*v = it;
	return 0;
}

int volume_alias(struct volume *v, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	char **aliases = alloc_resize(v->aliases, v->naliases + 1, sizeof *aliases);
	va_list ap;

	if (!aliases)
		return err_nomem(e);
	v->aliases = aliases;
	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	aliases[v->naliases] = strbuf_detach(&b);
	if (!aliases[v->naliases])
		return err_nomem(e);
	v->naliases++;
	return 0;
}

int volume_group_add(struct volume_list *l, struct volume_group **g, struct err *e)
{
	struct volume_group *groups;

	if (l->ngroups == LIMIT_VOLUMES)
		return err_set(e, ERR_LIMIT, "more than %d groups of volumes", LIMIT_VOLUMES);
	groups = alloc_resize(l->groups, l->ngroups + 1, sizeof *groups);
	if (!groups)
		return err_nomem(e);
	l->groups = groups;
	*g = &groups[l->ngroups++];
	memset(*g, 0, sizeof **g);
	return 0;
}

int volume_warn(struct volume_list *l, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT, sentence = STRBUF_INIT;
	va_list ap;

	if (l->warning && strlen(l->warning) > WARNING_MAX)
		return 0;
	va_start(ap, fmt);
	strbuf_vprintf(&sentence, fmt, ap);
	va_end(ap);
	if (sentence.failed)
		return err_nomem(e);
	/* What is put together is looked at more than once. */
	if (l->warning && strstr(l->warning, sentence.s))
		return 0;
	if (l->warning)
		strbuf_printf(&b, "%s; ", l->warning);
	strbuf_puts(&b, sentence.s);
	if (b.failed)
		return err_nomem(e);
	free(l->warning);
	l->warning = strbuf_detach(&b);
	return 0;
}

int volume_warn_overlaps(struct volume_list *l, size_t from, struct err *e)
{
	for (size_t i = from; i < l->n; i++) {
		for (size_t k = i + 1; k < l->n; k++) {
			const struct volume *a = &l->items[i], *b = &l->items[k];
			int rc;

			if (a->extended || b->extended || !ranges_overlap(a->off, a->size, b->off, b->size))
				continue;
			rc = volume_warn(l, e, "partitions %u and %u overlap", a->number, b->number);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* What was warned of this disk, behind what was warned of others. */
static int warnings_join(struct volume_list *l, char *earlier, const char *name, struct err *e)
{
	CLEANUP(free_ptr) char *own = take(l->warning);

	l->warning = earlier;
	return own ? volume_warn(l, e, "%s: %s", name, own) : 0;
}

/* Every table that we know; 1 when one was found. */
static int tables_scan(const struct volume_disk *disk, struct volume_list *out, struct err *e)
{
	int rc = 0;

	for (const struct volume_driver *const *d = volume_drivers; *d && rc == 0; d++) {
		rc = (*d)->scan(disk, out, e);
		if (rc < 0)
			err_in(e, rc, "%s", (*d)->name);
	}
	return rc;
}

/*
 * An image that is a disc (ISO 9660) as well as a disk with partitions, of which none need begin where the disc does: 1.
 */
static int is_hybrid_disc(const struct volume_list *l, size_t from, struct block *b, struct err *e)
{
	char id[5];
	int rc;

	for (size_t i = from; i < l->n; i++)
		if (l->items[i].off == 0)
			return 0;
	if (!range_in(DISC_ID_OFF, sizeof id, block_size(b)))
		return 0;
	rc = block_pread(b, id, sizeof id, DISC_ID_OFF, e);
	return rc < 0 ? rc : memcmp(id, "CD001", sizeof id) == 0;
}

int volume_scan(struct block *disk_block, unsigned disk, struct volume_list *out, struct err *e)
{
	CLEANUP(free_ptr) char *name = disk_name(disk);
	const struct volume_disk d = { .block = disk_block, .idx = disk, .name = name, .item = VOLUME_NO_ITEM };
	char *earlier;
	size_t before = out->n;
	struct volume *whole;
	int rc, warned;

	if (!name)
		return err_nomem(e);
	earlier = take(out->warning);
	rc = tables_scan(&d, out, e);
	if (rc > 0) {
		rc = is_hybrid_disc(out, before, disk_block, e);
		rc = rc < 0 ? rc : !rc;
	}
	if (rc == 0)
		rc = volume_add(out, &d, "disk", 0, 0, block_size(disk_block), &whole, e);
	if (rc >= 0)
		rc = volume_warn_sealed(disk_block, out, e);
	warned = warnings_join(out, earlier, name, rc < 0 ? NULL : e);
	if (rc >= 0)
		rc = warned;
	/* Nothing of a disk that could not be read to its end. */
	while (rc < 0 && out->n > before)
		volume_clear(&out->items[--out->n]);
	if (out->sector_size == 0)
		out->sector_size = 512;
	return rc;
}

/* ---- volumes made of others ---- */

/* Partitions from `from` on lie in a volume with other names ("/dev/md/root"): they have those, too ("/dev/md/root1"). */
static int partition_aliases(struct volume_list *l, size_t disk, size_t from, struct err *e)
{
	for (size_t i = from; i < l->n; i++) {
		const struct volume *d = &l->items[disk];
		int rc = 0;

		for (size_t k = 0; rc == 0 && k < d->naliases; k++) {
			bool by_id = text_starts(d->aliases[k], "/dev/disk/", NULL);
			CLEANUP(free_ptr) char *name = by_id ? alloc_printf("%s-part%u", d->aliases[k], l->items[i].number)
							     : partition_name(d->aliases[k], l->items[i].number);

			rc = name ? volume_alias(&l->items[i], e, "%s", name) : err_nomem(e);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The partition table in item i, which is used as a disk. */
static int table_inside(struct volume_list *l, size_t i, struct err *e)
{
	CLEANUP(free_ptr) char *name = alloc_strdup(l->items[i].name);
	CLEANUP(block_unrefp) struct block *block = block_ref(l->items[i].block);
	const struct volume_disk d = { .block = block, .idx = l->items[i].disk, .name = name, .item = i };
	struct err why = ERR_INIT;
	char *earlier;
	size_t before = l->n;
	int rc, warned;

	if (!name)
		return err_nomem(e);
	earlier = take(l->warning);
	rc = tables_scan(&d, l, &why);
	warned = warnings_join(l, earlier, name, e);
	if (warned < 0)
		return warned;
	if (rc > 0) {
		l->items[i].in_use = true;
		return partition_aliases(l, i, before, e);
	}
	if (rc == 0)
		return 0;
	while (l->n > before)
		volume_clear(&l->items[--l->n]);
	return rc == -ERR_NOMEM ? err_nomem(e) : volume_warn(l, e, "%s: %s", name, why.msg);
}

/* One turn: everything that the items so far make up, and the tables therein. */
static int assemble_once(struct volume_list *l, const struct volume_how *how, bool last, struct err *e)
{
	for (const struct volume_stack *const *s = volume_stacks; *s; s++) {
		size_t before = l->n, made;
		int rc = (*s)->assemble(l, how, last, e);

		made = l->n;
		for (size_t i = before; rc == 0 && (*s)->holds_tables && i < made; i++)
			rc = table_inside(l, i, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int volume_assemble(struct volume_list *l, const struct volume_how *how, struct err *e)
{
	static const struct volume_how no_keys = { .key = NULL };
	bool last = false;

	/* It ends: a turn that is not the last adds a volume, and what is not deeper than the limit is finite. */
	for (;;) {
		size_t before = l->n;
		int rc = assemble_once(l, how ? how : &no_keys, last, e);

		if (rc < 0)
			return rc;
		for (size_t i = before; i < l->n; i++)
			if (l->items[i].depth >= LIMIT_VOLUME_DEPTH)
				return volume_warn(l, e, "%s: volumes in each other, %u deep: the rest is left out",
						   l->items[i].name, l->items[i].depth);
		if (l->n == before && last)
			return 0;
		last = l->n == before;
	}
}

/* "/dev/sda1" by "/dev/sda1" or "sda1". */
static bool has_name(const char *name, const char *wanted)
{
	const char *rest;

	return strcmp(name, wanted) == 0 || (text_starts(name, "/dev/", &rest) && strcmp(rest, wanted) == 0);
}

bool volume_is_called(const struct volume *v, const char *name)
{
	if (has_name(v->name, name))
		return true;
	for (size_t i = 0; i < v->naliases; i++)
		if (has_name(v->aliases[i], name))
			return true;
	return false;
}

const struct volume *volume_find(const struct volume_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (volume_is_called(&l->items[i], name))
			return &l->items[i];
	return NULL;
}
