/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "links.h"

#include "alloc.h"

static size_t place_of(const struct links *l, uint64_t dev, uint64_t ino)
{
	size_t mask = l->cap - 1;
	size_t i = (size_t)((ino * 0x9e3779b97f4a7c15u ^ dev) >> 20) & mask;

	/* Ends: the table is never full. */
	while (l->items[i].path && (l->items[i].dev != dev || l->items[i].ino != ino))
		i = (i + 1) & mask;
	return i;
}

const char *links_find(const struct links *l, const struct dry_stat *st)
{
	return l->cap && st->nlink > 1 ? l->items[place_of(l, st->dev, st->ino)].path : NULL;
}

static bool grow(struct links *l)
{
	size_t was = l->cap;
	struct link_item *old = l->items;

	l->items = alloc_array(was ? was * 2 : 64, sizeof *l->items);
	if (!l->items) {
		l->items = old;
		return false;
	}
	l->cap = was ? was * 2 : 64;
	for (size_t i = 0; i < was; i++)
		if (old[i].path)
			l->items[place_of(l, old[i].dev, old[i].ino)] = old[i];
	free(old);
	return true;
}

bool links_add(struct links *l, const struct dry_stat *st, const char *path)
{
	struct link_item *it;

	if (st->nlink < 2)
		return true;
	if (2 * l->n >= l->cap && !grow(l))
		return false;
	it = &l->items[place_of(l, st->dev, st->ino)];
	if (it->path)
		return true;
	*it = (struct link_item){ st->dev, st->ino, alloc_strdup(path) };
	if (!it->path)
		return false;
	l->n++;
	return true;
}

void links_free(struct links *l)
{
	for (size_t i = 0; i < l->cap; i++)
		free(l->items[i].path);
	free(l->items);
	*l = (struct links){ .items = NULL };
}
