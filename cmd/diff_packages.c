/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_packages.c - drydock diff: which packages came, went, or have another version. */
#include "diff.h"

#include "alloc.h"
#include "out.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

enum { FROM, TO };

struct item {
	char *format, *name, *arch; /* arch "" when it is not known */
	char *version, *release;    /* release NULL: there is none */
	uint32_t epoch;
};
struct list {
	struct diff *d;
	int side;
	struct item *items;
	size_t n, cap;
};

static void item_clear(struct item *it)
{
	free(it->format);
	free(it->name);
	free(it->arch);
	free(it->version);
	free(it->release);
}

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		item_clear(&l->items[i]);
	free(l->items);
}

static int add(void *arg, const struct dry_package *p)
{
	struct list *l = arg;
	struct item *it;

	if (l->n == l->cap) {
		const size_t cap = l->cap ? l->cap * 2 : 256;
		struct item *items = alloc_resize(l->items, cap, sizeof *items);

		if (!items)
			return 1;
		l->items = items;
		l->cap = cap;
	}
	it = &l->items[l->n++];
	*it = (struct item){
		.format = alloc_strdup(p->format),
		.name = alloc_strdup(p->name ? p->name : ""),
		.arch = alloc_strdup(p->arch ? p->arch : ""),
		.version = alloc_strdup(p->version ? p->version : ""),
		.release = p->release ? alloc_strdup(p->release) : NULL,
		.epoch = p->epoch,
	};
	return !it->format || !it->name || !it->arch || !it->version || (p->release && !it->release);
}

static int failed(void *arg, const char *path, const struct dry_error *why)
{
	const struct list *l = arg;

	cmd_warn("%s: %s: %s", l->d->set.guests[l->side].label, path, why->msg);
	l->d->trouble = true;
	return 0;
}

static struct dry_package public_of(const struct item *it)
{
	return (struct dry_package){
		.format = it->format, .name = it->name, .arch = it->arch, .version = it->version, .release = it->release,
		.epoch = it->epoch
	};
}

static int version_order(const struct item *a, const struct item *b)
{
	const struct dry_package x = public_of(a), y = public_of(b);

	return dry_package_order(&x, &y);
}

/* By what makes two of them one package. */
static int key_order(const struct item *a, const struct item *b)
{
	int order = strcmp(a->name, b->name);

	if (!order)
		order = strcmp(a->format, b->format);
	return order ? order : strcmp(a->arch, b->arch);
}

static int text_order(const struct item *a, const struct item *b)
{
	int order = (a->epoch > b->epoch) - (a->epoch < b->epoch);

	if (!order)
		order = strcmp(a->version, b->version);
	return order ? order : strcmp(a->release ? a->release : "", b->release ? b->release : "");
}

/* Versions in any order that is the same in both lists will do, so that what is the same in both can be told. */
static int by_key(const void *a, const void *b)
{
	const int order = key_order(a, b);

	return order ? order : text_order(a, b);
}

static int load(struct list *l)
{
	const struct dry_package_walk w = { .package = add, .failed = failed, .arg = l };
	struct dry_error e = { .code = DRY_OK };

	if (dry_guest_packages(l->d->set.guests[l->side].guest, &w, &e) < 0) {
		if (e.code == DRY_CANCELED)
			cmd_warn("out of memory");
		else
			guest_fail(&l->d->set.guests[l->side], &e);
		return DIFF_TROUBLE;
	}
	if (l->n)
		qsort(l->items, l->n, sizeof *l->items, by_key);
	return 0;
}

/* ---- what is printed ---- */

static void put_version(const struct item *it, struct strbuf *out)
{
	if (it->epoch)
		strbuf_printf(out, "%" PRIu32 ":", it->epoch);
	strbuf_puts(out, it->version);
	if (it->release)
		strbuf_printf(out, "-%s", it->release);
}

/* it: one of both. */
static void put_line(struct diff *d, const char *word, const struct item *it, const struct item *a, const struct item *b)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	strbuf_puts(&text, it->name);
	if (*it->arch)
		strbuf_printf(&text, " (%s)", it->arch);
	strbuf_putc(&text, ' ');
	if (a)
		put_version(a, &text);
	if (a && b)
		strbuf_puts(&text, " to ");
	if (b)
		put_version(b, &text);
	strbuf_printf(&d->text, "%-10s  package    ", word);
	/* Never raw, as no name of a package has such bytes. */
	text_quote(&d->text, text.s, text.len);
	strbuf_putc(&d->text, '\n');
	d->text.failed |= text.failed;
}

static void json_version(struct diff *d, const char *key, const struct item *it)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;

	put_version(it, &text);
	json_str(&d->j, key, text.s);
	d->text.failed |= text.failed;
}

static void put_object(struct diff *d, const char *word, const struct item *it, const struct item *a, const struct item *b)
{
	json_object(&d->j, NULL);
	json_str(&d->j, "change", word);
	json_str(&d->j, "format", it->format);
	json_str(&d->j, "name", it->name);
	if (*it->arch)
		json_str(&d->j, "arch", it->arch);
	if (a)
		json_version(d, "from", a);
	if (b)
		json_version(d, "to", b);
	json_object_end(&d->j);
}

/* Of the first guest, of the second; NULL: it has none. */
static int report(struct diff *d, const char *word, const struct item *a, const struct item *b)
{
	const struct item *it = a ? a : b;

	d->ndifferences++;
	if (d->quiet)
		return 0;
	if (d->json)
		put_object(d, word, it, a, b);
	else
		put_line(d, word, it, a, b);
	return diff_flush(d);
}

/* ---- the merge ---- */

/* How many items from i on are of the same package. */
static size_t group_length(const struct list *l, size_t i)
{
	size_t n = 0;

	while (i + n < l->n && key_order(&l->items[i], &l->items[i + n]) == 0)
		n++;
	return n;
}

/* The items of one package in both: those that only one has, moved to the front; returns how many. */
static size_t only_here(struct item *a, size_t na, const struct item *b, size_t nb)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < na; i++) {
		while (k < nb && text_order(&b[k], &a[i]) < 0)
			k++;
		if (k < nb && text_order(&b[k], &a[i]) == 0) {
			k++;
			continue;
		}
		if (i != n) {
			struct item it = a[n];

			a[n] = a[i];
			a[i] = it;
		}
		n++;
	}
	return n;
}

/*
 * One version for one other is an upgrade or a downgrade; where several are installed at once (kernels), they come and go.
 */
static int compare_group(struct diff *d, struct item *a, size_t na, struct item *b, size_t nb)
{
	CLEANUP(free_ptr) struct item *kept = alloc_array(na + 1, sizeof *kept);
	size_t removed, added;
	int rc = 0;

	if (!kept) {
		cmd_warn("out of memory");
		return DIFF_TROUBLE;
	}
	/* The second look needs the first list in its order. */
	if (na)
		memcpy(kept, a, na * sizeof *kept);
	removed = only_here(a, na, b, nb);
	added = only_here(b, nb, kept, na);
	if (removed == 1 && added == 1) {
		const int order = version_order(a, b);

		return report(d, order < 0 ? "upgraded" : order > 0 ? "downgraded" : "changed", a, b);
	}
	for (size_t i = 0; i < removed && !rc; i++)
		rc = report(d, "removed", &a[i], NULL);
	for (size_t i = 0; i < added && !rc; i++)
		rc = report(d, "added", NULL, &b[i]);
	return rc;
}

int diff_packages(struct diff *d)
{
	CLEANUP(list_free) struct list from = { .d = d, .side = FROM };
	CLEANUP(list_free) struct list to = { .d = d, .side = TO };
	size_t i = 0, k = 0;
	int rc = load(&from);

	if (!rc)
		rc = load(&to);
	if (rc)
		return rc;
	if (d->json)
		json_array(&d->j, "packages");
	while (!rc && (i < from.n || k < to.n)) {
		const int order = i == from.n ? 1 : k == to.n ? -1 : key_order(&from.items[i], &to.items[k]);
		const size_t na = order <= 0 ? group_length(&from, i) : 0, nb = order >= 0 ? group_length(&to, k) : 0;

		rc = compare_group(d, na ? &from.items[i] : NULL, na, nb ? &to.items[k] : NULL, nb);
		i += na;
		k += nb;
	}
	if (d->json)
		json_array_end(&d->j);
	return rc;
}
