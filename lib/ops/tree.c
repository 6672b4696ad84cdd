/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tree.c - what jobs make of a tree's few calls. */
#include "tree.h"

#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool is_type(struct tree *t, const char *path, uint32_t type)
{
	struct fs_stat st;

	return t->ops->stat(t, path, true, &st, NULL) == 0 && (!type || (st.mode & S_IFMT) == type);
}

bool tree_has(struct tree *t, const char *path)
{
	return is_type(t, path, 0);
}

bool tree_is_dir(struct tree *t, const char *path)
{
	return is_type(t, path, S_IFDIR);
}

bool tree_is_file(struct tree *t, const char *path)
{
	return is_type(t, path, S_IFREG);
}

int tree_text(struct tree *t, const char *path, char **out, size_t *len, struct err *e)
{
	size_t got;
	int rc;

	*out = NULL;
	rc = t->ops->read(t, path, LIMIT_PASSWD_BYTES, out, len ? len : &got, e);
	return rc == -ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

int tree_put(struct tree *t, const char *path, const char *text, uint32_t mode, struct err *e)
{
	const struct tree_owner owner = { .mode = mode };
	int rc = tree_make_parents(t, path, e);

	return rc < 0 ? rc : t->ops->write(t, path, text, strlen(text), tree_has(t, path) ? NULL : &owner, e);
}

int tree_drop(struct tree *t, const char *path, struct err *e)
{
	struct fs_stat st;
	int rc = t->ops->stat(t, path, false, &st, e);

	return rc == -ERR_NOT_FOUND ? 0 : rc < 0 ? rc : t->ops->remove(t, path, e);
}

int tree_relink(struct tree *t, const char *path, const char *target, struct err *e)
{
	int rc = tree_make_parents(t, path, e);

	if (rc == 0)
		rc = tree_drop(t, path, e);
	return rc < 0 ? rc : t->ops->symlink(t, path, target, e);
}

char *tree_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash || slash == path ? alloc_strdup("/") : alloc_strndup(path, (size_t)(slash - path));
}

int tree_make_parents(struct tree *t, const char *path, struct err *e)
{
	const struct tree_owner owner = { .mode = 0755 };
	CLEANUP(free_ptr) char *dir = tree_parent(path);

	if (!dir)
		return err_nomem(e);
	return tree_is_dir(t, dir) ? 0 : t->ops->mkdir(t, dir, &owner, e);
}

/* ---- names ---- */

struct entry {
	char *name;
	uint32_t type; /* S_IFMT bits, 0: unknown */
};
struct names {
	struct entry *items;
	size_t n, bytes;
};

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->items[i].name);
	free(n->items);
	*n = (struct names){ NULL, 0, 0 };
}

static int name_add(void *arg, const char *name, uint32_t type, struct err *e)
{
	struct names *n = arg;

	n->bytes += strlen(name) + 1;
	if (n->bytes > LIMIT_DIR_BYTES)
		return err_set(e, ERR_LIMIT, "a folder has too many names");
	if ((n->n & (n->n - 1)) == 0) {
		struct entry *items = alloc_resize(n->items, n->n ? n->n * 2 : 1, sizeof *items);

		if (!items)
			return err_nomem(e);
		n->items = items;
	}
	n->items[n->n] = (struct entry){ alloc_strdup(name), type };
	return n->items[n->n].name ? (n->n++, 0) : err_nomem(e);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int names_read(struct tree *t, const char *dir, struct names *out, struct err *e)
{
	int rc = t->ops->list(t, dir, name_add, out, e);

	if (rc == 0 && out->n > 1)
		qsort(out->items, out->n, sizeof *out->items, by_bytes);
	return rc;
}

/* ---- patterns ---- */

struct glob {
	struct tree *t;
	int (*fn)(void *arg, const char *path, struct err *e);
	void *arg;
};

static bool is_gone(int rc, const struct err *why)
{
	return rc == -ERR_NOT_FOUND || (rc == -ERR_SYSTEM && (why->sys_errno == ENOTDIR || why->sys_errno == ELOOP));
}

/* What `rest` of a pattern names below dir ("" is the root); it gets shorter by a component each time, so the depth is its own. */
static int glob_below(const struct glob *g, const char *dir, const char *rest, struct err *e)
{
	CLEANUP(names_free) struct names names = { NULL, 0, 0 };
	CLEANUP(free_ptr) char *part = NULL;
	struct err why = ERR_INIT;
	struct fs_stat st;
	size_t len;
	bool last;
	int rc;

	rest += strspn(rest, "/");
	len = strcspn(rest, "/");
	last = rest[len + strspn(rest + len, "/")] == '\0';
	part = alloc_strndup(rest, len);
	if (!part)
		return err_nomem(e);
	if (!strpbrk(part, "*?[")) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s/%s", dir, part);

		if (!path)
			return err_nomem(e);
		if (!last)
			return glob_below(g, path, rest + len, e);
		rc = g->t->ops->stat(g->t, path, false, &st, &why);
		if (rc == 0)
			return g->fn(g->arg, path, e);
		return is_gone(rc, &why) ? 0 : err_set(e, why.code, "%s", why.msg);
	}
	rc = names_read(g->t, *dir ? dir : "/", &names, &why);
	if (rc < 0)
		return is_gone(rc, &why) ? 0 : err_set(e, why.code, "%s", why.msg);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = NULL;

		if (fnmatch(part, names.items[i].name, FNM_PERIOD) != 0)
			continue;
		path = alloc_printf("%s/%s", dir, names.items[i].name);
		if (!path)
			return err_nomem(e);
		if (last)
			rc = g->fn(g->arg, path, e);
		else if (g->t->ops->stat(g->t, path, false, &st, NULL) == 0 && S_ISDIR(st.mode))
			rc = glob_below(g, path, rest + len, e);
	}
	return rc;
}

int tree_glob(struct tree *t, const char *pattern, int (*fn)(void *arg, const char *path, struct err *e), void *arg,
	      struct err *e)
{
	const struct glob g = { t, fn, arg };

	if (strlen(pattern) > LIMIT_PATH)
		return err_set(e, ERR_LIMIT, "a pattern of %zu bytes", strlen(pattern));
	return glob_below(&g, "", pattern, e);
}

int tree_glob_homes(struct tree *t, const char *pattern, int (*fn)(void *arg, const char *path, struct err *e), void *arg,
		    struct err *e)
{
	static const char *const homes[] = { "/root", "/home/*" };
	bool of_root = strncmp(pattern, "~~", 2) == 0;
	int rc = 0;

	if (*pattern != '~')
		return tree_glob(t, pattern, fn, arg, e);
	for (size_t i = 0; i < (of_root ? 1 : ARRAY_LEN(homes)) && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = alloc_printf("%s%s", homes[i], pattern + 1 + of_root);

		rc = path ? tree_glob(t, path, fn, arg, e) : err_nomem(e);
	}
	return rc;
}

/* ---- walking ---- */

struct find {
	struct tree *t;
	int (*fn)(void *arg, const char *path, uint32_t type, struct err *e);
	void *arg;
};

static int find_at(const struct find *f, const char *path, uint32_t type, unsigned depth, struct err *e)
{
	CLEANUP(names_free) struct names names = { NULL, 0, 0 };
	int rc = 0;

	if (!type) {
		struct fs_stat st;

		rc = f->t->ops->stat(f->t, path, false, &st, e);
		if (rc < 0)
			return rc;
		type = st.mode & S_IFMT;
	}
	if (type == S_IFDIR) {
		if (depth >= LIMIT_TREE_DEPTH)
			return err_set(e, ERR_LIMIT, "folders lie more than %d deep", LIMIT_TREE_DEPTH);
		rc = names_read(f->t, path, &names, e);
	}
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		const struct entry *x = &names.items[i];
		CLEANUP(free_ptr) char *below = alloc_printf("%s/%s", strcmp(path, "/") == 0 ? "" : path, x->name);

		rc = below ? find_at(f, below, x->type, depth + 1, e) : err_nomem(e);
	}
	return rc < 0 ? rc : f->fn(f->arg, path, type, e);
}

int tree_walk_types(struct tree *t, const char *path, int (*fn)(void *arg, const char *path, uint32_t type, struct err *e),
		    void *arg, struct err *e)
{
	const struct find f = { t, fn, arg };

	return find_at(&f, path, 0, 0, e);
}

struct walk {
	struct tree *t;
	int (*fn)(void *arg, const char *path, const struct fs_stat *st, struct err *e);
	void *arg;
};

static int walk_one(void *arg, const char *path, uint32_t type, struct err *e)
{
	const struct walk *w = arg;
	struct fs_stat st;
	int rc = w->t->ops->stat(w->t, path, false, &st, e);

	(void)type;
	return rc < 0 ? rc : w->fn(w->arg, path, &st, e);
}

int tree_walk(struct tree *t, const char *path, int (*fn)(void *arg, const char *path, const struct fs_stat *st, struct err *e),
	      void *arg, struct err *e)
{
	struct walk w = { t, fn, arg };

	return tree_walk_types(t, path, walk_one, &w, e);
}

/* ---- texts of lines ---- */

int text_set_value(char **text, const char *key, const char *value, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	const char *p = *text ? *text : "";
	size_t key_len = strlen(key);
	bool done = false;
	char *made;

	while (*p) {
		size_t len = strcspn(p, "\n"), blanks = strspn(p, " \t");

		if (!done && strncmp(p + blanks, key, key_len) == 0 && p[blanks + key_len] == '=') {
			strbuf_printf(&out, "%s=%s", key, value);
			done = true;
		} else {
			strbuf_add(&out, p, len);
		}
		strbuf_putc(&out, '\n');
		p += len + (p[len] == '\n');
	}
	if (!done)
		strbuf_printf(&out, "%s=%s\n", key, value);
	made = strbuf_detach(&out);
	if (!made)
		return err_nomem(e);
	free(*text);
	*text = made;
	return 0;
}

int text_append_line(const char *text, size_t len, const char *line, struct strbuf *out, struct err *e)
{
	const char *first = len ? memchr(text, '\n', len) : NULL;
	const char *end = first && first > text && first[-1] == '\r' ? "\r\n" : "\n";

	strbuf_add(out, text, len);
	if (len && text[len - 1] != '\n')
		strbuf_puts(out, end);
	strbuf_puts(out, line);
	strbuf_puts(out, end);
	return out->failed ? err_nomem(e) : 0;
}
