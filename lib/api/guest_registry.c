/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_registry.c - the registry section of drydock.h. */
#include "guest_api.h"

#include "io.h"
#include "registry_api.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

static int registry_public(struct registry *registry, struct dry_registry **out, struct err *e)
{
	struct dry_registry *r = alloc_zero(sizeof *r);

	if (!r) {
		registry_free(registry);
		return err_nomem(e);
	}
	r->registry = registry;
	*out = r;
	return 0;
}

int dry_guest_registry(struct dry_guest *g, struct dry_registry **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct registry *r = NULL;
	const char *root;
	int rc = guest_mounted(g, e);

	if (rc < 0)
		return rc;
	root = registry_systemroot(g->tree.vfs);
	if (!root)
		return err_set(e, ERR_NOT_FOUND, "there is no Windows, and no registry");
	rc = registry_new(g->tree.vfs, root, &r, e);
	return rc < 0 ? rc : registry_public(r, out, e);
}

int dry_guest_hive(struct dry_guest *g, const char *path, struct dry_registry **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct registry *r = NULL;
	int rc = guest_mounted(g, e);

	if (rc == 0)
		rc = registry_of_file(g->tree.vfs, path, &r, e);
	else
		return rc;
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "%s: there is no such file", path);
	return rc < 0 ? rc : registry_public(r, out, e);
}

static int read_host(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	size_t got;
	int rc = io_pread((int)(intptr_t)arg, buf, len, off, &got);

	if (rc)
		return err_sys(e, rc, "it cannot be read");
	return got == len ? 0 : err_set(e, ERR_CORRUPT, "it ends too early");
}

/* A confined process can ask a descriptor for its size in no other way. */
static int host_bytes(int fd, const char *name, struct hive_bytes *out, struct err *e)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return err_sys(e, errno, "%s", name);
	*out = (struct hive_bytes){ .read = read_host, .arg = (void *)(intptr_t)fd, .size = (uint64_t)size };
	return 0;
}

int dry_hive_open(int fd, const int *logs, size_t nlogs, const char *name, struct dry_registry **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(hive_closep) struct hive *h = NULL;
	struct hive_bytes bytes, log_bytes[HIVE_LOGS];
	struct registry *r = NULL;
	int rc = host_bytes(fd, name, &bytes, e);

	if (nlogs > HIVE_LOGS)
		return err_set(e, ERR_USAGE, "a hive has no more than %d logs", HIVE_LOGS);
	for (size_t i = 0; i < nlogs && rc == 0; i++)
		rc = host_bytes(logs[i], name, &log_bytes[i], e);
	if (rc == 0 && (rc = hive_open(&bytes, log_bytes, nlogs, &h, e)) < 0)
		rc = err_in(e, rc, "%s", name);
	if (rc == 0)
		rc = registry_of_hive(&h, name, &r, e);
	return rc < 0 ? rc : registry_public(r, out, e);
}

void dry_registry_close(struct dry_registry *r)
{
	if (!r)
		return;
	hive_value_clear(&r->last);
	registry_free(r->registry);
	free(r);
}

const char *dry_registry_warning(const struct dry_registry *r, size_t i)
{
	return registry_warning(r->registry, i);
}

const char *dry_registry_type_name(uint32_t type)
{
	static const char *const names[] = { "REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD",
					     "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST",
					     "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD" };

	return type < ARRAY_LEN(names) ? names[type] : NULL;
}

int registry_no_such(struct err *e, const char *what, const char *name)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	for (size_t len; *name; name += len) {
		len = strcspn(name, "\\");
		text_quote(&q, name, len);
		strbuf_puts(&q, name[len] ? "\\" : "");
		len += name[len] != '\0';
	}
	return err_set(e, ERR_NOT_FOUND, "there is no %s \"%s\"", what, q.s);
}

struct dry_registry_value registry_value_public(const struct hive_value *v)
{
	return (struct dry_registry_value){ .name = v->name, .type = v->type, .data = v->data, .len = v->len };
}

int dry_registry_get(struct dry_registry *r, const char *key, const char *name, struct dry_registry_value *out,
		     struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	int rc = registry_find(r->registry, key, &k, e);

	hive_value_clear(&r->last);
	if (rc == 0)
		return registry_no_such(e, "key", key);
	if (rc > 0)
		rc = k.hive ? hive_get(k.hive, k.key, name, &r->last, e) : 0;
	if (rc == 0)
		return *name ? registry_no_such(e, "value", name) : err_set(e, ERR_NOT_FOUND, "the key has no default value");
	if (rc < 0)
		return rc;
	*out = registry_value_public(&r->last);
	return 0;
}

int registry_stopped(struct err *e)
{
	return err_set(e, ERR_CANCELED, "the walk through the registry was stopped");
}

int registry_failed(int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg, const char *path,
		    const struct err *why, struct err *e)
{
	struct dry_error pub = { .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };

	if (why->code == ERR_CANCELED || why->code == ERR_NOMEM || !failed) {
		if (e)
			*e = *why;
		return -(int)why->code;
	}
	memcpy(pub.msg, why->msg, sizeof pub.msg);
	return failed(arg, path, &pub) ? registry_stopped(e) : 0;
}

/* ---- walking ---- */

struct walk_call {
	struct dry_registry *r;
	const struct dry_registry_walk *w;
	const struct registry_key *start; /* of the hive's part */
	unsigned depth;			  /* of the start */
};

static int walk_failed(const struct dry_registry_walk *w, const char *path, const struct err *why, struct err *e)
{
	return registry_failed(w->failed, w->arg, path, why, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hive_value *)a)->name, ((const struct hive_value *)b)->name);
}

/* The values of one key. */
struct values {
	struct hive_value *items;
	size_t n;
};

static void values_free(struct values *v)
{
	for (size_t i = 0; i < v->n; i++)
		hive_value_clear(&v->items[i]);
	free(v->items);
}

static int values_tell(const struct walk_call *c, const struct dry_registry_key *pub, hive_key k, struct err *e)
{
	CLEANUP(free_ptr) uint32_t *places = NULL;
	CLEANUP(values_free) struct values all = { NULL, 0 };
	struct hive *h = c->start->hive;
	struct err why = ERR_INIT;
	size_t n, bytes = 0;
	int rc = hive_values(h, k, &places, &n, &why);

	if (rc < 0)
		return walk_failed(c->w, pub->path, &why, e);
	all.items = alloc_array(n + 1, sizeof *all.items);
	if (!all.items)
		return err_nomem(e);
	/* In the order of the hive each is told and forgotten; to be sorted they are kept. */
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct hive_value *v = &all.items[all.n];
		struct dry_registry_value p;

		rc = hive_value(h, places[i], v, &why);
		if (rc < 0) {
			rc = walk_failed(c->w, pub->path, &why, e);
			continue;
		}
		if (c->w->sorted) {
			all.n++;
			bytes += v->len;
			if (bytes > hive_size(h)) {
				err_set(&why, ERR_CORRUPT, "its values have more bytes than the hive");
				return walk_failed(c->w, pub->path, &why, e);
			}
			continue;
		}
		p = registry_value_public(v);
		rc = c->w->value(c->w->arg, pub, &p) ? registry_stopped(e) : 0;
		hive_value_clear(v);
	}
	if (all.n > 1)
		qsort(all.items, all.n, sizeof *all.items, by_name);
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		struct dry_registry_value p = registry_value_public(&all.items[i]);

		rc = c->w->value(c->w->arg, pub, &p) ? registry_stopped(e) : 0;
	}
	return rc;
}

const char *registry_last_name(const char *path)
{
	const char *slash = strrchr(path, '\\');

	return slash ? slash + 1 : path;
}

static int walk_key(void *arg, hive_key k, const char *path, unsigned depth, struct err *e)
{
	const struct walk_call *c = arg;
	const char *start = c->start->path;
	CLEANUP(free_ptr) char *full = alloc_printf("%s%s%s", start, *start && *path ? "\\" : "", path);
	struct dry_registry_key pub = { .depth = c->depth + depth };

	if (!full)
		return err_nomem(e);
	pub.path = full;
	pub.name = registry_last_name(full);
	hive_key_time(c->start->hive, k, &pub.written, NULL);
	if (c->w->key(c->w->arg, &pub))
		return registry_stopped(e);
	return c->w->value ? values_tell(c, &pub, k, e) : 0;
}

static int walk_key_failed(void *arg, const char *path, const struct err *why, struct err *e)
{
	const struct walk_call *c = arg;
	const char *start = c->start->path;
	CLEANUP(free_ptr) char *full = alloc_printf("%s%s%s", start, *start && *path ? "\\" : "", path);

	return full ? walk_failed(c->w, full, why, e) : err_nomem(e);
}

static int walk_hive(const struct walk_call *c, struct err *e)
{
	const struct hive_walk how = {
		.max_depth = c->w->max_depth == DRY_DEPTH_ALL ? UINT_MAX : c->w->max_depth - c->depth,
		.sorted = c->w->sorted,
		.key = walk_key,
		.failed = walk_key_failed,
		.arg = (void *)c,
	};

	return hive_walk(c->start->hive, c->start->key, &how, e);
}

/* One of the hives beneath a root. */
static int walk_place(void *arg, const char *path, struct err *e)
{
	const struct walk_call *root = arg;
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	const struct walk_call c = { .r = root->r, .w = root->w, .start = &k, .depth = 1 };
	struct err why = ERR_INIT;
	int rc = registry_find(root->r->registry, path, &k, &why);

	if (rc > 0)
		rc = walk_hive(&c, &why);
	return rc < 0 ? walk_failed(root->w, path, &why, e) : 0;
}

int dry_registry_walk(struct dry_registry *r, const char *key, const struct dry_registry_walk *w, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(registry_key_clear) struct registry_key k = { NULL };
	struct walk_call c = { .r = r, .w = w, .start = &k };
	int rc = registry_find(r->registry, key, &k, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return registry_no_such(e, "key", key);
	if (k.hive)
		return walk_hive(&c, e);
	if (w->key(w->arg, &(const struct dry_registry_key){ .path = k.path, .name = k.path }))
		return registry_stopped(e);
	return w->max_depth ? registry_places(r->registry, &k, walk_place, &c, e) : 0;
}
