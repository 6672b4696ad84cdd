/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry_change.c - changes sorted by hive, in their order, and written. */
#include "registry_change.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <stdlib.h>

/* The changes of one hive, whose keys are paths in it. */
struct part {
	struct hive *hive;  /* lent from the registry */
	const char *file;   /* the same */
	struct reg_edits edits;
};
struct parts {
	struct part *items;
	size_t n;
};

static void parts_free(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		reg_edits_free(&p->items[i].edits);
	free(p->items);
	*p = (struct parts){ NULL, 0 };
}

static int part_of(struct parts *p, struct hive *h, const char *file, struct part **out, struct err *e)
{
	struct part *items;

	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].hive == h) {
			*out = &p->items[i];
			return 0;
		}
	}
	items = alloc_resize(p->items, p->n + 1, sizeof *items);
	if (!items)
		return err_nomem(e);
	p->items = items;
	*out = &items[p->n++];
	**out = (struct part){ .hive = h, .file = file };
	return 0;
}

static int key_quoted(struct err *e, enum err_code code, const char *what, const char *key)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, key, strlen(key));
	return err_set(e, code, "%s \"%.300s\"", what, q.s);
}

static int sort(struct registry *r, const struct reg_edits *edits, struct parts *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < edits->n && rc == 0; i++) {
		CLEANUP(strbuf_free) struct strbuf inside = STRBUF_INIT;
		struct reg_edit edit = edits->items[i];
		struct hive *h = NULL;
		const char *file = NULL;
		struct part *part = NULL;

		rc = registry_place(r, edit.key, &h, &file, &inside, e);
		if (rc == 0)
			rc = key_quoted(e, ERR_NOT_FOUND, "the guest has no hive for the key", edit.key);
		else if (rc > 0 && edit.kind == REG_EDIT_KEY_DELETE && !inside.len)
			rc = key_quoted(e, ERR_USAGE, "a whole hive is not removed:", edit.key);
		else if (rc > 0)
			rc = part_of(p, h, file, &part, e);
		if (rc < 0)
			return rc;
		edit.key = inside.s;
		rc = reg_edits_add(&part->edits, &edit, e);
	}
	return rc;
}

int registry_change(struct tree *t, struct registry *r, struct hive_writer *w, const struct reg_edits *edits, size_t *nhives,
		    struct err *e)
{
	CLEANUP(parts_free) struct parts parts = { NULL, 0 };
	int rc = sort(r, edits, &parts, e);

	*nhives = 0;
	for (size_t i = 0; i < parts.n && rc == 0; i++) {
		const struct part *p = &parts.items[i];
		CLEANUP(free_ptr) uint8_t *bytes = NULL;
		size_t len;
		bool changed;

		rc = hive_write(w, p->hive, p->edits.items, p->edits.n, &bytes, &len, &changed, e);
		if (rc == 0 && changed) {
			rc = t->ops->write(t, p->file, bytes, len, NULL, e);
			++*nhives;
		}
		if (rc < 0)
			rc = err_in(e, rc, "%s", p->file);
	}
	return rc;
}

int registry_change_alone(struct registry *r, struct hive_writer *w, const struct reg_edits *edits, uint8_t **out, size_t *len,
			  struct err *e)
{
	CLEANUP(parts_free) struct parts parts = { NULL, 0 };
	bool changed;
	int rc = sort(r, edits, &parts, e);

	*out = NULL;
	if (rc < 0 || !parts.n)
		return rc;
	return hive_write(w, parts.items[0].hive, parts.items[0].edits.items, parts.items[0].edits.n, out, len, &changed, e);
}
