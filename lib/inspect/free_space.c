/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "free_space.h"

#include "alloc.h"
#include "checked.h"
#include "fs.h"
#include "limits.h"
#include "volume.h"

#include <stdio.h>
#include <stdlib.h>

void free_space_free(struct free_space *f)
{
	free(take(f->ranges));
	free(take(f->volumes));
	f->n = f->cap = f->nvolumes = 0;
}

/* Doubles what a range must at least have until a half of them is gone: each time fewer are left, or all are longer. */
static void forget_short(struct free_space *f)
{
	size_t before = f->n;

	while (f->n > before / 2) {
		size_t kept = 0;

		f->least = MAX_OF(2 * f->least, (uint64_t)(8 * KiB));
		for (size_t i = 0; i < f->n; i++)
			if (f->ranges[i].len >= f->least)
				f->ranges[kept++] = f->ranges[i];
		f->n = kept;
	}
}

int free_space_add(struct free_space *f, uint64_t off, uint64_t len, struct err *e)
{
	struct copy_range *last = f->n ? &f->ranges[f->n - 1] : NULL;

	if (last && last->off + last->len == off) {
		last->len += len;
		return 0;
	}
	if (len == 0 || len < f->least)
		return 0;
	if (f->n == LIMIT_FREE_RANGES)
		forget_short(f);
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 256;
		struct copy_range *ranges = alloc_resize(f->ranges, cap, sizeof *ranges);

		if (!ranges)
			return err_nomem(e);
		f->ranges = ranges;
		f->cap = cap;
	}
	f->ranges[f->n++] = (struct copy_range){ off, len };
	return 0;
}

struct free_volume *free_space_volume(struct free_space *f)
{
	struct free_volume *v = alloc_resize(f->volumes, f->nvolumes + 1, sizeof *v);

	if (!v)
		return NULL;
	f->volumes = v;
	v += f->nvolumes++;
	memset(v, 0, sizeof *v);
	return v;
}

/* ---- one volume ---- */

struct taker {
	struct free_space *out;
	uint64_t off, size; /* of the volume on the disk */
};

static int take_range(void *arg, uint64_t off, uint64_t len, struct err *e)
{
	struct taker *t = arg;

	if (!range_in(off, len, t->size))
		return err_set(e, ERR_CORRUPT, "the filesystem is larger than its volume");
	return free_space_add(t->out, t->off + off, len, e);
}

/* Bytes of the ranges that lie in the volume: the last ones, as volumes come in order. */
static uint64_t free_of(const struct free_space *f, uint64_t off)
{
	uint64_t sum = 0;

	for (size_t i = f->n; i > 0 && f->ranges[i - 1].off + f->ranges[i - 1].len > off; i--)
		sum += f->ranges[i - 1].len - (f->ranges[i - 1].off < off ? off - f->ranges[i - 1].off : 0);
	return sum;
}

/* Drops what lies at and behind off. */
static void forget_from(struct free_space *f, uint64_t off)
{
	while (f->n && f->ranges[f->n - 1].off >= off)
		f->n--;
	if (f->n && f->ranges[f->n - 1].off + f->ranges[f->n - 1].len > off)
		f->ranges[f->n - 1].len = off - f->ranges[f->n - 1].off;
}

static int look(const struct volume *v, struct free_volume *told, struct free_space *out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct taker taker = { .out = out, .off = v->off, .size = v->size };
	struct fs_id id;
	struct err why = ERR_INIT;
	int rc = fs_probe(v->block, &id, &why);

	if (rc == 0)
		snprintf(told->type, sizeof told->type, "%s", id.type ? id.type : "");
	if (rc == 0 && !id.type)
		rc = err_set(&why, ERR_UNSUPPORTED, "what is in it is not known");
	if (rc == 0)
		rc = fs_open(v->block, &fs, &why);
	if (rc == 0)
		rc = fs_free_extents(fs, take_range, &taker, &why);
	if (rc == 0) {
		told->free = free_of(out, v->off);
		return 0;
	}
	forget_from(out, v->off);
	if (rc == -(int)ERR_NOMEM)
		return err_nomem(e);
	snprintf(told->why, sizeof told->why, "%s", why.msg);
	return 0;
}

/* ---- all of them ---- */

static int by_place(const void *a, const void *b)
{
	const struct volume *x = *(const struct volume *const *)a, *y = *(const struct volume *const *)b;

	return (x->off > y->off) - (x->off < y->off);
}

/* What is free in one may be a file in another. */
static bool overlap(const struct volume *const *items, size_t n)
{
	uint64_t end = 0;

	for (size_t i = 0; i < n; i++) {
		if (items[i]->off < end)
			return true;
		end = MAX_OF(end, items[i]->off + items[i]->size);
	}
	return false;
}

int free_space_scan(struct block *disk, struct free_space *out, struct err *e)
{
	CLEANUP(volume_list_free) struct volume_list vols = { 0 };
	CLEANUP(free_ptr) const struct volume **items = NULL;
	size_t n = 0;
	bool unclear;
	int rc = volume_scan(disk, 0, &vols, e);

	if (rc < 0)
		return rc;
	items = alloc_array(vols.n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	/* Those of a table inside a partition lie in it, and so the outer one is not what it seems. */
	unclear = vols.warning;
	for (size_t i = 0; i < vols.n; i++) {
		unclear = unclear || vols.items[i].nparts;
		if (!vols.items[i].extended)
			items[n++] = &vols.items[i];
	}
	qsort(items, n, sizeof(*items), by_place);
	unclear = unclear || overlap(items, n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct free_volume *told = free_space_volume(out);

		if (!told)
			return err_nomem(e);
		snprintf(told->name, sizeof told->name, "%s", items[i]->name);
		told->size = items[i]->size;
		if (unclear)
			snprintf(told->why, sizeof told->why, "partitions overlap, lie in each other, or their table is damaged");
		else
			rc = look(items[i], told, out, e);
	}
	return rc;
}
