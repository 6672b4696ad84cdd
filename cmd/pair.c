/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pair.h"

#include "alloc.h"
#include "guest_file.h"

#include <stdio.h>

/* ---- two walks ---- */

struct side {
	const struct pair_walk *w;
	bool second;
	struct dry_tree *tree;
	const struct dry_entry *ent;
};

static int side_failed(void *arg, const char *path, const struct dry_error *why)
{
	const struct side *s = arg;

	return s->w->failed(s->w->arg, s->second, path, why);
}

int pair_walk(const struct pair_walk *w, struct dry_error *e)
{
	struct side sides[2] = { { .w = w }, { .w = w, .second = true } };
	int rc = 0;

	for (int i = 0; i < 2 && rc >= 0; i++) {
		struct side *s = &sides[i];

		rc = dry_tree_open(i ? w->second : w->first, "/", side_failed, s, &s->tree, e);
		if (rc >= 0)
			rc = dry_tree_next(s->tree, &s->ent, e);
	}
	while (rc == 0 && (sides[0].ent || sides[1].ent)) {
		/* The one that is behind; both where they stand at the same path. */
		int order = !sides[1].ent   ? -1
			    : !sides[0].ent ? 1
					    : dry_path_order(sides[0].ent->rel, sides[1].ent->rel);

		rc = w->fn(w->arg, order <= 0 ? sides[0].ent : NULL, order >= 0 ? sides[1].ent : NULL);
		if (rc == 0 && order <= 0)
			rc = dry_tree_next(sides[0].tree, &sides[0].ent, e);
		if (rc == 0 && order >= 0)
			rc = dry_tree_next(sides[1].tree, &sides[1].ent, e);
	}
	for (int i = 0; i < 2; i++)
		dry_tree_close(sides[i].tree);
	return rc;
}

/* ---- contents ---- */

/* Reads exactly len bytes, as the file is said to have them. */
static int read_whole(const struct pair_files *f, unsigned i, size_t len, uint64_t off, struct dry_error *e)
{
	size_t got;
	int rc = dry_node_read(f->guests[i], f->nodes[i], f->bufs[i], len, off, &got, e);

	if (rc >= 0 && got < len)
		memset((char *)f->bufs[i] + got, 0, len - got);
	return rc;
}

/* A run of a file from some place on: a hole, or data; and where that lies on the host, if that can be told. */
struct run {
	uint64_t len;
	bool hole, placed;
	struct dry_place place;
};

static int run_at(const struct pair_files *f, unsigned i, uint64_t off, struct run *r, struct dry_error *e)
{
	const uint64_t left = f->size - off;
	uint64_t len;
	int rc = dry_node_extent(f->guests[i], f->nodes[i], off, &r->len, &r->hole, e);

	if (rc < 0)
		return rc;
	if (!r->len || r->len > left)
		r->len = left;
	if (r->hole)
		return 0;
	rc = dry_node_place(f->guests[i], f->nodes[i], off, &len, &r->place, e);
	if (rc < 0)
		return rc;
	r->placed = rc > 0;
	r->len = MIN_OF(r->len, len);
	return 0;
}

static bool same_place(const struct run *a, const struct run *b)
{
	return a->placed && b->placed && a->place.host_dev == b->place.host_dev && a->place.host_ino == b->place.host_ino &&
	       a->place.host_off == b->place.host_off;
}

static void run_advance(struct run *r, uint64_t len)
{
	r->len -= len;
	r->place.host_off += len;
}

int pair_same_content(const struct pair_files *f, unsigned *which, struct dry_error *e)
{
	struct run runs[2] = { { .len = 0 }, { .len = 0 } };

	/* Ends: off grows by a byte at least in each turn. */
	for (uint64_t off = 0; off < f->size;) {
		uint64_t len;
		int rc;

		for (*which = 0; *which < 2; ++*which) {
			rc = runs[*which].len ? 0 : run_at(f, *which, off, &runs[*which], e);
			if (rc < 0)
				return rc;
		}
		len = MIN_OF(runs[0].len, runs[1].len);
		if (!(runs[0].hole && runs[1].hole) && !same_place(&runs[0], &runs[1])) {
			len = MIN_OF(len, GUEST_FILE_CHUNK);
			for (*which = 0; *which < 2; ++*which) {
				rc = read_whole(f, *which, (size_t)len, off, e);
				if (rc < 0)
					return rc;
			}
			if (memcmp(f->bufs[0], f->bufs[1], (size_t)len) != 0)
				return 0;
		}
		off += len;
		run_advance(&runs[0], len);
		run_advance(&runs[1], len);
	}
	return 1;
}

/* ---- extended attributes ---- */

void pair_xattrs_free(struct pair_xattrs *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->items[i].name);
		free(x->items[i].value);
	}
	free(x->items);
	*x = (struct pair_xattrs){ NULL, 0 };
}

static int add_xattr(void *arg, const char *name, const void *value, size_t len)
{
	struct pair_xattrs *x = arg;
	struct pair_xattr *items = alloc_resize(x->items, x->n + 1, sizeof *items), *it;

	if (!items)
		return 1;
	x->items = items;
	it = &items[x->n];
	*it = (struct pair_xattr){ alloc_strdup(name), alloc_bytes(len + 1), len };
	if (!it->name || !it->value) {
		free(it->name);
		free(it->value);
		return 1;
	}
	memcpy(it->value, value, len);
	((char *)it->value)[len] = '\0';
	x->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pair_xattr *)a)->name, ((const struct pair_xattr *)b)->name);
}

int pair_xattrs_load(struct dry_guest *g, struct dry_node n, struct pair_xattrs *out, struct dry_error *e)
{
	int rc;

	*out = (struct pair_xattrs){ NULL, 0 };
	rc = dry_node_xattrs(g, n, add_xattr, out, e);
	if (rc > 0) {
		*e = (struct dry_error){ .code = DRY_NOMEM, .msg = "out of memory" };
		rc = -DRY_NOMEM;
	}
	if (rc < 0)
		pair_xattrs_free(out);
	else if (out->n)
		qsort(out->items, out->n, sizeof *out->items, by_name);
	return rc;
}

bool pair_xattrs_same(const struct pair_xattrs *a, const struct pair_xattrs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i].name, b->items[i].name) != 0 || a->items[i].len != b->items[i].len ||
		    memcmp(a->items[i].value, b->items[i].value, a->items[i].len) != 0)
			return false;
	return true;
}
