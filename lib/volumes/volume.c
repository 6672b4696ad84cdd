/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* volume.c - the list of volumes: scanning a disk by every table that we know, names, warnings. */
#include "volume_driver.h"

#include "alloc.h"
#include "checked.h"
#include "strbuf.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A warning of a table that is damaged everywhere need not name every place. */
#define WARNING_MAX 2000

static void volume_clear(struct volume *v)
{
	free(v->name);
	free(v->label);
	block_unref(v->block);
}

void volume_list_free(struct volume_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		volume_clear(&l->items[i]);
	free(l->items);
	free(l->warning);
	memset(l, 0, sizeof *l);
}

/* "/dev/sda", "/dev/sdz", "/dev/sdaa" as Linux goes on, and the number of a partition. */
static char *device_name(unsigned disk, unsigned number)
{
	char letters[8];
	size_t at = sizeof letters - 1;

	letters[at] = '\0';
	for (uint64_t n = (uint64_t)disk + 1; n > 0; n = (n - 1) / 26)
		letters[--at] = (char)('a' + (n - 1) % 26);
	return number ? alloc_printf("/dev/sd%s%u", letters + at, number) : alloc_printf("/dev/sd%s", letters + at);
}

int volume_add(struct volume_list *l, struct block *disk, unsigned idx, const char *scheme, unsigned number,
	       uint64_t off, uint64_t size, struct volume **v, struct err *e)
{
	struct volume *items = alloc_resize(l->items, l->n + 1, sizeof *items), *it;
	int rc = 0;

	if (!items)
		return err_nomem(e);
	l->items = items;
	it = &items[l->n];
	memset(it, 0, sizeof *it);
	it->scheme = scheme;
	it->number = number;
	it->disk = idx;
	it->off = off;
	it->size = size;
	it->name = device_name(idx, number);
	if (!it->name)
		return err_nomem(e);
	if (off == 0 && size == block_size(disk))
		it->block = block_ref(disk);
	else
		rc = block_window(disk, off, size, &it->block, e);
	if (rc < 0) {
		rc = err_in(e, rc, "%s", it->name);
		volume_clear(it);
		return rc;
	}
	l->n++;
	*v = it;
	return 0;
}

int volume_warn(struct volume_list *l, struct err *e, const char *fmt, ...)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	va_list ap;

	if (l->warning) {
		if (strlen(l->warning) > WARNING_MAX)
			return 0;
		strbuf_puts(&b, l->warning);
		strbuf_puts(&b, "; ");
	}
	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
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
static int warnings_join(struct volume_list *l, char *earlier, unsigned disk, struct err *e)
{
	CLEANUP(free_ptr) char *own = take(l->warning), *name = NULL;

	l->warning = earlier;
	if (!own)
		return 0;
	name = device_name(disk, 0);
	return name ? volume_warn(l, e, "%s: %s", name, own) : err_nomem(e);
}

int volume_scan(struct block *disk_block, unsigned disk, struct volume_list *out, struct err *e)
{
	char *earlier = take(out->warning);
	size_t before = out->n;
	struct volume *whole;
	int rc = 0, warned;

	for (const struct volume_driver *const *d = volume_drivers; *d && rc == 0; d++) {
		rc = (*d)->scan(disk_block, disk, out, e);
		if (rc < 0)
			err_in(e, rc, "%s", (*d)->name);
	}
	if (rc == 0)
		rc = volume_add(out, disk_block, disk, "disk", 0, 0, block_size(disk_block), &whole, e);
	warned = warnings_join(out, earlier, disk, rc < 0 ? NULL : e);
	if (rc >= 0)
		rc = warned;
	/* Nothing of a disk that could not be read to its end. */
	while (rc < 0 && out->n > before)
		volume_clear(&out->items[--out->n]);
	if (out->sector_size == 0)
		out->sector_size = 512;
	return rc;
}

const struct volume *volume_find(const struct volume_list *l, const char *name)
{
	const char *rest;

	if (!text_starts(name, "/dev/", &rest))
		rest = name;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].name + strlen("/dev/"), rest) == 0)
			return &l->items[i];
	return NULL;
}
