/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff_registry.c - drydock diff: which keys and values of the registry came, went, or are others.
 *
 * Hive by hive, both are gone through side by side in one order of names, whatever their case, so that no more than one key of
 * each is in memory.
 */
#include "diff.h"

#include "alloc.h"
#include "out.h"
#include "registry.h"

#include <inttypes.h>
#include <stdio.h>

enum { FROM, TO };

/* Columns of a value in a line: bytes behind are told by dots. */
#define SHOWN 200

struct side {
	struct registry_diff *f;
	int i;
	struct dry_registry *r;
	struct dry_registry_tree *tree;
	const struct dry_registry_key *key; /* NULL: there is none any more */
	char **places;			    /* hives by the paths of their roots, in their order */
	size_t nplaces;
};

struct registry_diff {
	struct diff *d;
	struct side sides[2];
};

static void sides_close(struct registry_diff *f)
{
	for (int i = 0; i < 2; i++) {
		struct side *s = &f->sides[i];

		dry_registry_tree_close(s->tree);
		dry_registry_close(s->r);
		for (size_t k = 0; k < s->nplaces; k++)
			free(s->places[k]);
		free(s->places);
	}
}

/* What could not be read is told, and the comparison goes on without. */
static int on_failed(void *arg, const char *path, const struct dry_error *why)
{
	const struct side *s = arg;
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	reg_quote(&q, path);
	cmd_warn("%s: %s: %s", s->f->d->set.guests[s->i].label, q.s, why->msg);
	s->f->d->trouble = true;
	return 0;
}

/* What ends the comparison. */
static int fatal(const struct side *s, const struct dry_error *e)
{
	guest_fail(&s->f->d->set.guests[s->i], e);
	return DIFF_TROUBLE;
}

/* ---- what is printed ---- */

static void put_data(const struct dry_registry_value *v, struct strbuf *out)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	char type[24];

	strbuf_printf(out, "%s", reg_type(v->type, type));
	reg_line(v, &text);
	strbuf_puts(out, text.len ? " " : "");
	if (text.len <= SHOWN) {
		strbuf_add(out, text.s, text.len);
	} else {
		size_t len = SHOWN;

		while (len && ((unsigned char)text.s[len] & 0xc0) == 0x80)
			len--;
		strbuf_add(out, text.s, len);
		strbuf_puts(out, "...");
	}
	out->failed |= text.failed;
}

static void put_date(int64_t seconds, struct strbuf *out)
{
	char date[32];

	strbuf_puts(out, reg_date(seconds, date) ? date : "unknown");
}

static void begin_line(struct diff *d, const char *word, const char *what, const char *path)
{
	strbuf_printf(&d->text, "%-10s  %-9s  ", word, what);
	reg_quote(&d->text, path);
}

static const char *word_of(const void *a, const void *b)
{
	return a && b ? "changed" : a ? "removed" : "added";
}

static void json_side(struct json *j, const char *name, const struct dry_registry_key *k, const struct dry_registry_value *v)
{
	char date[32];

	if (!k && !v)
		return;
	json_object(j, name);
	if (v)
		reg_json(v, j);
	else if (reg_date(k->written, date))
		json_str(j, "written", date);
	json_object_end(j);
}

/* A key of the first guest, of the second; NULL: it has none. */
static int report_key(struct diff *d, const struct dry_registry_key *a, const struct dry_registry_key *b)
{
	const struct dry_registry_key *shown = b ? b : a;

	d->ndifferences++;
	if (d->quiet)
		return DIFF_DIFFERENT;
	if (d->json) {
		json_object(&d->j, NULL);
		json_str(&d->j, "change", word_of(a, b));
		json_str(&d->j, "key", shown->path);
		json_side(&d->j, "from", a, NULL);
		json_side(&d->j, "to", b, NULL);
		json_object_end(&d->j);
		return diff_flush(d);
	}
	begin_line(d, word_of(a, b), "key", shown->path);
	if (a && b) {
		strbuf_puts(&d->text, ": written ");
		put_date(a->written, &d->text);
		strbuf_puts(&d->text, " to ");
		put_date(b->written, &d->text);
	}
	strbuf_putc(&d->text, '\n');
	return diff_flush(d);
}

/* The same of a value of the key of that path. */
static int report_value(struct diff *d, const char *path, const struct dry_registry_value *a,
			const struct dry_registry_value *b)
{
	const struct dry_registry_value *shown = b ? b : a;

	d->ndifferences++;
	if (d->quiet)
		return DIFF_DIFFERENT;
	if (d->json) {
		json_object(&d->j, NULL);
		json_str(&d->j, "change", word_of(a, b));
		json_str(&d->j, "key", path);
		json_str(&d->j, "value", shown->name);
		json_side(&d->j, "from", NULL, a);
		json_side(&d->j, "to", NULL, b);
		json_object_end(&d->j);
		return diff_flush(d);
	}
	begin_line(d, word_of(a, b), "value", path);
	strbuf_puts(&d->text, ", ");
	reg_quote(&d->text, *shown->name ? shown->name : "(default)");
	strbuf_puts(&d->text, ": ");
	if (a)
		put_data(a, &d->text);
	strbuf_puts(&d->text, a && b ? " to " : "");
	if (b)
		put_data(b, &d->text);
	strbuf_putc(&d->text, '\n');
	return diff_flush(d);
}

/* ---- values ---- */

/* The i-th value of a side: 1; 0 when it cannot be read, which is told; or DIFF_TROUBLE. */
static int value_at(struct side *s, size_t i, struct dry_registry_value *v)
{
	struct dry_error e = { .code = DRY_OK };

	if (dry_registry_tree_value(s->tree, i, v, &e) > 0)
		return 1;
	if (e.code == DRY_NOMEM)
		return fatal(s, &e);
	on_failed(s, s->key->path, &e);
	return 0;
}

static bool same_value(const struct dry_registry_value *a, const struct dry_registry_value *b)
{
	return a->type == b->type && a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0);
}

/* Both are at one key, or (has) only one of them is at a key. */
static int compare_values(struct registry_diff *f, const bool has[2])
{
	size_t at[2] = { 0, 0 };
	int rc = 0;

	/* Each turn takes one name at least. */
	while (!rc) {
		const char *names[2];
		struct dry_registry_value v[2];
		bool read[2] = { false, false }, failed = false;
		int order;

		for (int i = 0; i < 2; i++)
			names[i] = has[i] ? dry_registry_tree_name(f->sides[i].tree, at[i]) : NULL;
		if (!names[FROM] && !names[TO])
			break;
		order = !names[FROM] ? 1 : !names[TO] ? -1 : dry_registry_order(names[FROM], names[TO]);
		for (int i = 0; i < 2; i++) {
			if (i == FROM ? order > 0 : order < 0)
				continue;
			rc = value_at(&f->sides[i], at[i]++, &v[i]);
			if (rc > 1)
				return rc;
			read[i] = rc == 1;
			failed |= rc == 0;
		}
		/* One that cannot be read cannot be compared. */
		rc = failed || (read[FROM] && read[TO] && same_value(&v[FROM], &v[TO]))
			     ? 0
			     : report_value(f->d, f->sides[has[TO] ? TO : FROM].key->path, read[FROM] ? &v[FROM] : NULL,
					    read[TO] ? &v[TO] : NULL);
	}
	return rc;
}

/* ---- keys ---- */

static int next_key(struct side *s)
{
	struct dry_error e = { .code = DRY_OK };

	if (!s->tree || dry_registry_tree_next(s->tree, &s->key, &e) >= 0)
		return 0;
	s->key = NULL;
	return fatal(s, &e);
}

static int compare_keys(struct registry_diff *f)
{
	struct side *s = f->sides;
	int rc = next_key(&s[FROM]);

	if (!rc)
		rc = next_key(&s[TO]);
	/* Each turn takes one key at least. */
	while (!rc && (s[FROM].key || s[TO].key)) {
		const int order = !s[FROM].key	 ? 1
				  : !s[TO].key ? -1
					       : dry_registry_order(s[FROM].key->path, s[TO].key->path);
		const bool has[2] = { order <= 0, order >= 0 };

		if (order || (f->d->times && s[FROM].key->written != s[TO].key->written))
			rc = report_key(f->d, has[FROM] ? s[FROM].key : NULL, has[TO] ? s[TO].key : NULL);
		if (!rc)
			rc = compare_values(f, has);
		for (int i = 0; i < 2 && !rc; i++)
			if (has[i])
				rc = next_key(&s[i]);
	}
	return rc;
}

/* ---- hives ---- */

static int on_place(void *arg, const struct dry_registry_key *k)
{
	struct side *s = arg;
	char **places;

	if (k->depth == 0)
		return 0;
	places = alloc_resize(s->places, s->nplaces + 1, sizeof *places);
	if (!places)
		return 1;
	s->places = places;
	places[s->nplaces] = alloc_strdup(k->path);
	if (!places[s->nplaces])
		return 1;
	s->nplaces++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return dry_registry_order(*(char *const *)a, *(char *const *)b);
}

/* A hive that cannot be read is told here. */
static int load_places(struct side *s)
{
	static const char *const roots[] = { "HKEY_LOCAL_MACHINE", "HKEY_USERS" };
	const struct dry_registry_walk w = { .max_depth = 1, .key = on_place, .failed = on_failed, .arg = s };
	struct dry_error e = { .code = DRY_OK };

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		if (dry_registry_walk(s->r, roots[i], &w, &e) >= 0)
			continue;
		if (e.code != DRY_CANCELED)
			return fatal(s, &e);
		cmd_warn("out of memory");
		return DIFF_TROUBLE;
	}
	if (s->nplaces)
		qsort(s->places, s->nplaces, sizeof *s->places, by_path);
	return 0;
}

static int open_tree(struct side *s, const char *path)
{
	struct dry_error e = { .code = DRY_OK };

	return dry_registry_tree_open(s->r, path, on_failed, s, &s->tree, &e) < 0 ? fatal(s, &e) : 0;
}

/* Hives of both, in their order; one that only one has is added or removed with all that is in it. */
static int compare_places(struct registry_diff *f)
{
	struct side *s = f->sides;
	size_t at[2] = { 0, 0 };
	int rc = 0;

	while (!rc && (at[FROM] < s[FROM].nplaces || at[TO] < s[TO].nplaces)) {
		const int order = at[FROM] == s[FROM].nplaces ? 1
				  : at[TO] == s[TO].nplaces ? -1
							    : by_path(&s[FROM].places[at[FROM]], &s[TO].places[at[TO]]);

		for (int i = 0; i < 2 && !rc; i++)
			if (i == FROM ? order <= 0 : order >= 0)
				rc = open_tree(&s[i], s[i].places[at[i]++]);
		if (!rc)
			rc = compare_keys(f);
		for (int i = 0; i < 2; i++) {
			dry_registry_tree_close(take(s[i].tree));
			s[i].key = NULL;
		}
	}
	return rc;
}

/* 0; *none: there is no registry, which is told when it was asked for. */
static int open_registry(struct side *s, bool asked, bool *none)
{
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_registry(s->f->d->set.guests[s->i].guest, &s->r, &e) == 0)
		return load_places(s);
	*none = true;
	return e.code == DRY_NOT_FOUND && !asked ? 0 : fatal(s, &e);
}

int diff_registry(struct diff *d, bool asked)
{
	CLEANUP(sides_close) struct registry_diff f = { .d = d };
	bool none = false;
	int rc = 0;

	for (int i = 0; i < 2; i++)
		f.sides[i] = (struct side){ .f = &f, .i = i };
	for (int i = 0; i < 2 && !rc && !none; i++)
		rc = open_registry(&f.sides[i], asked, &none);
	if (rc || none)
		return rc;
	if (d->json)
		json_array(&d->j, "registry");
	rc = compare_places(&f);
	if (d->json)
		json_array_end(&d->j);
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; dry_registry_warning(f.sides[i].r, k); k++)
			guest_say(&d->set.guests[i], "warning: %s", dry_registry_warning(f.sides[i].r, k));
	/* With -q the first difference was enough. */
	return rc == DIFF_DIFFERENT ? 0 : rc;
}
