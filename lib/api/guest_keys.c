/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_keys.c - the keys of encrypted volumes: which were given, for which volume, and who is asked for more. */
#include "guest_api.h"

#include "limits.h"
#include "secret.h"
#include "text.h"

#include <strings.h>

/* One key, or one header. */
struct key_item {
	char *name; /* of the volume */
	struct locked key;
	struct block *header; /* one reference; NULL: a key */
};
struct dry_keys {
	struct key_item *items;
	size_t n;
};

/* ---- given ---- */

struct dry_keys *dry_keys_new(void)
{
	return alloc_zero(sizeof(struct dry_keys));
}

static void item_clear(struct key_item *it)
{
	free(it->name);
	locked_free(&it->key);
	block_unrefp(&it->header);
}

void dry_keys_free(struct dry_keys *k)
{
	for (size_t i = 0; k && i < k->n; i++)
		item_clear(&k->items[i]);
	if (k)
		free(k->items);
	free(k);
}

static struct key_item *item_add(struct dry_keys *k, const char *name, size_t len, struct err *e)
{
	struct key_item *items = alloc_resize(k->items, k->n + 1, sizeof *items), *it;

	if (!items) {
		err_nomem(e);
		return NULL;
	}
	k->items = items;
	it = &items[k->n];
	*it = (struct key_item){ .name = alloc_strndup(name, len) };
	if (!it->name) {
		err_nomem(e);
		return NULL;
	}
	k->n++;
	return it;
}

static int key_add(struct dry_keys *k, const char *name, size_t name_len, const void *key, size_t len, struct err *e)
{
	struct key_item *it = item_add(k, name, name_len, e);

	if (!it)
		return -ERR_NOMEM;
	return locked_copy(&it->key, key, len) ? 0 : err_nomem(e);
}

/* cryptsetup takes a key file as it is, libguestfs takes its first line: editors and echo end a line with a newline. */
static int file_add(struct dry_keys *k, const char *name, size_t name_len, const char *path, struct err *e)
{
	CLEANUP(locked_free) struct locked bytes = LOCKED_INIT;
	int rc = secret_read_file(path, &bytes, e);

	if (rc == 0 && bytes.len && memchr(bytes.p, '\n', bytes.len) == bytes.p + bytes.len - 1)
		rc = key_add(k, name, name_len, bytes.p, bytes.len - 1, e);
	return rc < 0 ? rc : key_add(k, name, name_len, bytes.p, bytes.len, e);
}

static int header_add(struct dry_keys *k, const char *name, size_t name_len, const char *path, struct err *e)
{
	const struct block_open how = { .format = "raw" };
	CLEANUP(block_unrefp) struct block *header = NULL;
	int rc = block_open(path, &how, &header, e);
	struct key_item *it = rc < 0 ? NULL : item_add(k, name, name_len, e);

	if (!it)
		return rc < 0 ? rc : -ERR_NOMEM;
	it->header = take(header);
	return 0;
}

int dry_keys_add(struct dry_keys *k, const char *selector, struct dry_error *error)
{
	API_ERR(e, error);
	const char *kind = strchr(selector, ':'), *rest;
	size_t name_len = kind ? (size_t)(kind - selector) : 0;

	if (name_len && text_starts(kind, ":key:", &rest))
		return key_add(k, selector, name_len, rest, strlen(rest), e);
	if (name_len && text_starts(kind, ":file:", &rest) && *rest)
		return file_add(k, selector, name_len, rest, e);
	if (name_len && text_starts(kind, ":header:", &rest) && *rest)
		return header_add(k, selector, name_len, rest, e);
	if (name_len && strcmp(kind, ":clevis") == 0)
		return err_set(e, ERR_UNSUPPORTED, "the key of %.*s: what clevis keeps on a server or in a TPM is not fetched; "
						   "give a passphrase", (int)name_len, selector);
	return err_set(e, ERR_USAGE, "a key is given as NAME:key:PASSPHRASE, NAME:file:PATH or NAME:header:PATH");
}

int dry_keys_add_bytes(struct dry_keys *k, const char *name, const void *key, size_t len, struct dry_error *error)
{
	API_ERR(e, error);

	return key_add(k, name, strlen(name), key, len, e);
}

/* ---- asked for ---- */

/* By name, by the kernel's name of a partition, by UUID. */
static bool is_for(const struct key_item *it, const struct volume *v, const char *uuid)
{
	return volume_is_called(v, it->name) || device_is_volume(it->name, v) ||
	       (*uuid && strcasecmp(it->name, uuid) == 0);
}

/* The same volume is opened more than once: here, and in a machine. */
static int asked_keep(struct dry_guest *g, const char *volume, unsigned nth, const struct locked *key, struct err *e)
{
	struct guest_asked *asked = alloc_resize(g->asked, g->nasked + 1, sizeof *asked), *it;

	if (!asked)
		return err_nomem(e);
	g->asked = asked;
	it = &asked[g->nasked];
	*it = (struct guest_asked){ .volume = alloc_strdup(volume), .nth = nth, .key = LOCKED_INIT };
	if (!it->volume || !locked_copy(&it->key, key->p, key->len)) {
		free(it->volume);
		return err_nomem(e);
	}
	g->nasked++;
	return 0;
}

void guest_keys_forget(struct dry_guest *g)
{
	for (size_t i = 0; i < g->nasked; i++) {
		free(g->asked[i].volume);
		locked_free(&g->asked[i].key);
	}
	free(take(g->asked));
	g->nasked = 0;
}

static int ask(struct dry_guest *g, const struct volume *v, const char *uuid, unsigned nth, struct locked *key, struct err *e)
{
	CLEANUP(locked_free) struct locked buf = LOCKED_INIT;
	size_t len = 0;
	int rc;

	if (!g->ask.passphrase)
		return 0;
	for (size_t i = 0; i < g->nasked; i++)
		if (g->asked[i].nth == nth && strcmp(g->asked[i].volume, v->name) == 0)
			return locked_copy(key, g->asked[i].key.p, g->asked[i].key.len) ? 1 : err_nomem(e);
	if (!locked_alloc(&buf, LIMIT_PASSPHRASE))
		return err_nomem(e);
	rc = g->ask.passphrase(g->ask.arg, block_name(g->disks[v->disk]), v->name, uuid, nth, (char *)buf.p, buf.len, &len);
	if (rc < 0)
		return err_set(e, (enum err_code)-rc, "no passphrase for %s was given", v->name);
	if (rc == 0)
		return 0;
	buf.len = MIN_OF(len, buf.len);
	rc = asked_keep(g, v->name, nth, &buf, e);
	if (rc < 0)
		return rc;
	*key = locked_take(&buf);
	return 1;
}

/* As volume_how.key.  Where any was given for the volume, nobody is asked. */
static int key_find(void *arg, const struct volume *v, const char *uuid, unsigned nth, struct locked *key, struct err *e)
{
	struct dry_guest *g = arg;
	unsigned n = 0;

	for (size_t i = 0; g->keys && i < g->keys->n; i++) {
		const struct key_item *it = &g->keys->items[i];

		if (it->header || (strcmp(it->name, "all") != 0 && !is_for(it, v, uuid)))
			continue;
		if (n++ == nth)
			return locked_copy(key, it->key.p, it->key.len) ? 1 : err_nomem(e);
	}
	return n ? 0 : ask(g, v, uuid, nth, key, e);
}

static struct block *header_find(void *arg, const struct volume *v)
{
	const struct dry_guest *g = arg;

	for (size_t i = 0; g->keys && i < g->keys->n; i++)
		if (g->keys->items[i].header && is_for(&g->keys->items[i], v, ""))
			return g->keys->items[i].header;
	return NULL;
}

static bool is_named(void *arg, const struct volume *v)
{
	const struct dry_guest *g = arg;

	for (size_t i = 0; g->keys && i < g->keys->n; i++)
		if (is_for(&g->keys->items[i], v, ""))
			return true;
	return false;
}

struct volume_how guest_keys(struct dry_guest *g)
{
	return (struct volume_how){
		.key = key_find, .header = header_find, .is_named = is_named, .arg = g->twin_of ? g->twin_of : g
	};
}
