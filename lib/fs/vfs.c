/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vfs.c - the mount table, and paths resolved through it.
 *
 * A resolution keeps the stack of directories from the root to where it is; ".." pops it and stops at the root, a
 * symlink's target is resolved on top of it (an absolute one from the root).  So nothing leads out of the guest.
 */
#include "vfs.h"

#include "alloc.h"
#include "limits.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct mount {
	struct vfs_node covered; /* the directory beneath; fs NULL for the first */
	struct fs *fs;		 /* ours */
	uint64_t root;		 /* its node */
	char *path;
};

struct vfs {
	struct mount mounts[LIMIT_MOUNTS];
	size_t n;
};

int vfs_new(struct vfs **out, struct err *e)
{
	*out = alloc_zero(sizeof **out);
	return *out ? 0 : err_nomem(e);
}

void vfs_free(struct vfs *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++) {
		fs_close(v->mounts[i].fs);
		free(v->mounts[i].path);
	}
	free(v);
}

void vfs_freep(struct vfs **v)
{
	vfs_free(*v);
	*v = NULL;
}

size_t vfs_nmounts(const struct vfs *v)
{
	return v->n;
}

struct vfs_mount_info vfs_mount_info(const struct vfs *v, size_t i)
{
	return (struct vfs_mount_info){ .path = v->mounts[i].path, .fs = v->mounts[i].fs, .root = v->mounts[i].root };
}

static bool same_node(struct vfs_node a, struct vfs_node b)
{
	return a.fs == b.fs && a.ino == b.ino;
}

/*
 * What is seen at a node: the root of what is mounted over it.  One turn suffices, as a mount covers what was seen when
 * it was made, so later ones lie over earlier ones.
 */
static struct vfs_node cross(const struct vfs *v, struct vfs_node n)
{
	for (size_t i = 1; i < v->n; i++)
		if (same_node(v->mounts[i].covered, n))
			n = (struct vfs_node){ .fs = v->mounts[i].fs, .ino = v->mounts[i].root };
	return n;
}

/* ---- resolving ---- */

/* An error about a path; the path is the guest's, so it is quoted. */
static int path_error(struct err *e, int errnum, const char *path)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, path, strlen(path));
	if (errnum == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "%s: No such file or directory", q.s);
	return err_sys(e, errnum, "%s", q.s);
}

static int path_in(struct err *e, int rc, const char *path)
{
	CLEANUP(strbuf_free) struct strbuf q = STRBUF_INIT;

	text_quote(&q, path, strlen(path));
	return err_in(e, rc, "%s", q.s);
}

struct step {
	struct vfs_node node;
	size_t name_end; /* of real.len, with this component */
};

/* Where a resolution is: steps[0] is the root. */
struct walk_state {
	struct vfs *v;
	const char *whole; /* as the caller gave it, for messages */
	struct step *steps;
	size_t n, cap;
	struct strbuf real; /* "/usr/lib" for the steps; "" at the root */
	unsigned links;
};

static void state_free(struct walk_state *s)
{
	free(s->steps);
	strbuf_free(&s->real);
}

static int step_push(struct walk_state *s, struct vfs_node n, const char *name, size_t len, struct err *e)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct step *steps = alloc_resize(s->steps, cap, sizeof *steps);

		if (!steps)
			return err_nomem(e);
		s->steps = steps;
		s->cap = cap;
	}
	if (name) {
		strbuf_putc(&s->real, '/');
		strbuf_add(&s->real, name, len);
		if (s->real.failed)
			return err_nomem(e);
	}
	s->steps[s->n++] = (struct step){ .node = n, .name_end = s->real.len };
	return 0;
}

static void step_pop(struct walk_state *s)
{
	if (s->n == 1)
		return;
	s->n--;
	s->real.len = s->steps[s->n - 1].name_end;
	/* An empty strbuf's text is not ours to write, and ends already. */
	if (s->real.cap)
		s->real.s[s->real.len] = '\0';
}

static void to_root(struct walk_state *s)
{
	while (s->n > 1)
		step_pop(s);
}

/*
 * Resolves `path` on top of the steps.  follow: also a symlink in the last component.  It ends: each turn uses up a part
 * of a path, and at most LIMIT_SYMLINKS paths (one level of recursion each) are added.
 */
static int resolve(struct walk_state *s, const char *path, bool follow, struct err *e)
{
	const char *p = path;
	struct fs_stat st;
	int rc;

	if (*p == '/')
		to_root(s);
	for (;;) {
		struct vfs_node dir = s->steps[s->n - 1].node, child;
		const char *name, *rest;
		char part[FS_NAME_MAX + 1];
		size_t len;
		bool last;

		while (*p == '/')
			p++;
		if (!*p)
			return 0;
		name = p;
		len = strcspn(name, "/");
		rest = name + len;
		p = rest;
		while (*p == '/')
			p++;
		/* With a "/" behind it the last component is one that must be a directory: followed and checked. */
		last = *p == '\0' && *rest == '\0';
		rc = fs_stat(dir.fs, dir.ino, &st, e);
		if (rc < 0)
			return path_in(e, rc, s->whole);
		if (!S_ISDIR(st.mode))
			return path_error(e, ENOTDIR, s->whole);
		if (len > FS_NAME_MAX)
			return path_error(e, ENAMETOOLONG, s->whole);
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			step_pop(s);
			continue;
		}
		memcpy(part, name, len);
		part[len] = '\0';
		child.fs = dir.fs;
		rc = fs_lookup(dir.fs, dir.ino, part, &child.ino, e);
		if (rc == -ERR_NOT_FOUND)
			return path_error(e, ENOENT, s->whole);
		if (rc < 0)
			return path_in(e, rc, s->whole);
		child = cross(s->v, child);
		rc = fs_stat(child.fs, child.ino, &st, e);
		if (rc < 0)
			return path_in(e, rc, s->whole);
		if (S_ISLNK(st.mode) && (!last || follow)) {
			CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;

			if (++s->links > LIMIT_SYMLINKS)
				return path_error(e, ELOOP, s->whole);
			rc = fs_readlink(child.fs, child.ino, &target, e);
			if (rc < 0)
				return path_in(e, rc, s->whole);
			if (target.len == 0)
				return path_error(e, ENOENT, s->whole);
			rc = resolve(s, target.s, true, e);
			if (rc < 0)
				return rc;
		} else {
			rc = step_push(s, child, name, len, e);
			if (rc < 0)
				return rc;
		}
		if (*p == '\0' && *rest == '/') {
			struct vfs_node end = s->steps[s->n - 1].node;

			rc = fs_stat(end.fs, end.ino, &st, e);
			if (rc < 0)
				return path_in(e, rc, s->whole);
			if (!S_ISDIR(st.mode))
				return path_error(e, ENOTDIR, s->whole);
		}
	}
}

int vfs_child(struct vfs *v, struct vfs_node dir, const char *name, struct vfs_node *out, struct err *e)
{
	struct vfs_node child = { .fs = dir.fs };
	int rc;

	if (strlen(name) > FS_NAME_MAX)
		return path_error(e, ENAMETOOLONG, name);
	rc = fs_lookup(dir.fs, dir.ino, name, &child.ino, e);
	if (rc == -ERR_NOT_FOUND)
		return path_error(e, ENOENT, name);
	if (rc < 0)
		return path_in(e, rc, name);
	*out = cross(v, child);
	return 0;
}

int vfs_realpath(struct vfs *v, const char *path, bool follow_last, struct vfs_node *out, struct strbuf *real,
		 struct err *e)
{
	CLEANUP(state_free) struct walk_state s = { .v = v, .whole = path, .real = STRBUF_INIT };
	struct vfs_node root;
	int rc;

	if (v->n == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing is mounted");
	if (!*path)
		return path_error(e, ENOENT, path);
	if (strlen(path) >= LIMIT_PATH)
		return path_error(e, ENAMETOOLONG, path);
	root = cross(v, (struct vfs_node){ .fs = v->mounts[0].fs, .ino = v->mounts[0].root });
	rc = step_push(&s, root, NULL, 0, e);
	if (rc == 0)
		rc = resolve(&s, path, follow_last, e);
	if (rc < 0)
		return rc;
	*out = s.steps[s.n - 1].node;
	if (real) {
		strbuf_puts(real, s.real.len ? s.real.s : "/");
		if (real->failed)
			return err_nomem(e);
	}
	return 0;
}

int vfs_lookup(struct vfs *v, const char *path, bool follow_last, struct vfs_node *out, struct err *e)
{
	return vfs_realpath(v, path, follow_last, out, NULL, e);
}

int vfs_stat(struct vfs *v, const char *path, bool follow_last, struct fs_stat *out, struct err *e)
{
	struct vfs_node n;
	int rc = vfs_lookup(v, path, follow_last, &n, e);

	if (rc == 0) {
		rc = fs_stat(n.fs, n.ino, out, e);
		if (rc < 0)
			return path_in(e, rc, path);
	}
	return rc;
}

bool vfs_is_dir(struct vfs *v, const char *path)
{
	struct fs_stat st;

	return vfs_stat(v, path, true, &st, NULL) == 0 && S_ISDIR(st.mode);
}

bool vfs_is_file(struct vfs *v, const char *path)
{
	struct fs_stat st;

	return vfs_stat(v, path, true, &st, NULL) == 0 && S_ISREG(st.mode);
}

int vfs_mount(struct vfs *v, struct fs *fs, const char *mountpoint, struct err *e)
{
	return vfs_mount_node(v, fs, fs_root(fs), mountpoint, e);
}

int vfs_mount_node(struct vfs *v, struct fs *fs, uint64_t root, const char *mountpoint, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf real = STRBUF_INIT;
	struct mount *m = &v->mounts[v->n];
	struct vfs_node at = { .fs = NULL };
	struct fs_stat st;
	int rc;

	if (v->n == LIMIT_MOUNTS)
		return err_set(e, ERR_LIMIT, "more than %d mounts", LIMIT_MOUNTS);
	if (v->n == 0) {
		if (strcmp(mountpoint, "/") != 0)
			return err_set(e, ERR_USAGE, "the first filesystem must be mounted on \"/\", not on \"%s\"", mountpoint);
		strbuf_puts(&real, "/");
	} else {
		rc = vfs_realpath(v, mountpoint, true, &at, &real, e);
		if (rc == 0)
			rc = fs_stat(at.fs, at.ino, &st, e);
		if (rc < 0)
			return rc;
		if (!S_ISDIR(st.mode))
			return path_error(e, ENOTDIR, mountpoint);
	}
	m->path = strbuf_detach(&real);
	if (!m->path)
		return err_nomem(e);
	m->covered = at;
	m->fs = fs;
	m->root = root;
	v->n++;
	return 0;
}

/* ---- reading ---- */

struct name_list {
	struct vfs *v;
	struct vfs_node dir;
	struct strbuf names; /* NUL-terminated each */
	struct name_item {
		size_t name;
		uint64_t ino;
		uint32_t type;
	} *items;
	size_t n, cap;
};

static void names_free(struct name_list *l)
{
	strbuf_free(&l->names);
	free(l->items);
}

static int names_add(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct name_list *l = arg;

	if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct name_item *items = alloc_resize(l->items, cap, sizeof *items);

		if (!items)
			return err_nomem(e);
		l->items = items;
		l->cap = cap;
	}
	if (l->names.len + l->n * sizeof *l->items > LIMIT_DIR_BYTES)
		return err_set(e, ERR_LIMIT, "a directory of more than %zu entries", l->n);
	l->items[l->n++] = (struct name_item){ .name = l->names.len, .ino = d->ino, .type = d->type };
	strbuf_add(&l->names, d->name, strlen(d->name) + 1);
	return l->names.failed ? err_nomem(e) : 0;
}

static int by_name(const void *a, const void *b, void *names)
{
	const struct name_item *x = a, *y = b;

	return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

/* The whole directory first, so that what is called for an entry may read other directories. */
static int names_load(struct name_list *l, bool sorted, struct err *e)
{
	int rc = fs_readdir(l->dir.fs, l->dir.ino, names_add, l, e);

	if (rc < 0)
		return rc;
	if (sorted && l->n)
		qsort_r(l->items, l->n, sizeof *l->items, by_name, l->names.s);
	return 0;
}

static struct vfs_dirent names_get(const struct name_list *l, size_t i)
{
	struct vfs_node covered = { .fs = l->dir.fs, .ino = l->items[i].ino };

	return (struct vfs_dirent){
		.name = l->names.s + l->items[i].name, .node = cross(l->v, covered), .type = l->items[i].type
	};
}

int vfs_readdir(struct vfs *v, struct vfs_node dir, bool sorted,
		int (*fn)(void *arg, const struct vfs_dirent *d, struct err *e), void *arg, struct err *e)
{
	CLEANUP(names_free) struct name_list l = { .v = v, .dir = dir, .names = STRBUF_INIT };
	int rc = names_load(&l, sorted, e);

	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		struct vfs_dirent d = names_get(&l, i);

		rc = fn(arg, &d, e);
	}
	return rc;
}

int vfs_read_file(struct vfs *v, const char *path, size_t max, char **out, size_t *len, struct err *e)
{
	CLEANUP(free_ptr) char *buf = NULL;
	struct vfs_node n;
	struct fs_stat st;
	int rc = vfs_lookup(v, path, true, &n, e);

	if (rc == 0)
		rc = fs_stat(n.fs, n.ino, &st, e);
	if (rc < 0)
		return rc;
	if (S_ISDIR(st.mode))
		return path_error(e, EISDIR, path);
	if (!S_ISREG(st.mode))
		return path_error(e, EINVAL, path);
	if (st.size > max)
		return path_in(e, err_set(e, ERR_LIMIT, "%" PRIu64 " bytes", st.size), path);
	buf = alloc_bytes((size_t)st.size + 1);
	if (!buf)
		return err_nomem(e);
	rc = fs_pread(n.fs, n.ino, buf, (size_t)st.size, 0, len, e);
	if (rc < 0)
		return path_in(e, rc, path);
	buf[*len] = '\0';
	*out = take(buf);
	return 0;
}

/* ---- walking ---- */

struct walk_ctx {
	struct vfs *v;
	const struct vfs_walk *w;
	struct strbuf path;
	size_t rel; /* where the part below the start begins in path */
	struct vfs_node stack[LIMIT_DIR_DEPTH]; /* the directories that are open */
};

/* Something cannot be read: the caller decides.  0: go on. */
static int walk_failed(struct walk_ctx *c, struct err *e, int rc)
{
	struct err why = ERR_INIT;

	/* Out of memory and a caller's stop are nobody's fault and not about this path. */
	if (!c->w->failed || rc == -ERR_NOMEM || rc == -ERR_CANCELED)
		return path_in(e, rc, c->path.s);
	if (e)
		why = *e;
	err_clear(e);
	return c->w->failed(c->w->arg, c->path.s, &why, e);
}

static bool in_stack(const struct walk_ctx *c, unsigned depth, struct vfs_node n)
{
	for (unsigned i = 0; i < depth; i++)
		if (same_node(c->stack[i], n))
			return true;
	return false;
}

static int walk_entry(struct walk_ctx *c, struct vfs_node n, size_t name, unsigned depth, struct err *e);

static int walk_children(struct walk_ctx *c, struct vfs_node dir, unsigned depth, struct err *e)
{
	CLEANUP(names_free) struct name_list l = { .v = c->v, .dir = dir, .names = STRBUF_INIT };
	size_t len = c->path.len;
	int rc;

	if (in_stack(c, depth, dir))
		return walk_failed(c, e, err_set(e, ERR_CORRUPT, "the directory contains itself"));
	if (depth >= LIMIT_DIR_DEPTH)
		return walk_failed(c, e, err_set(e, ERR_LIMIT, "directories %u deep", depth));
	c->stack[depth] = dir;
	rc = names_load(&l, c->w->sorted, e);
	if (rc < 0) {
		rc = walk_failed(c, e, rc);
		/* What was read before it failed is still shown. */
		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < l.n; i++) {
		struct vfs_dirent d = names_get(&l, i);
		size_t name;

		if (c->w->one_fs)
			d.node = (struct vfs_node){ .fs = dir.fs, .ino = l.items[i].ino };
		if (len == 0 || c->path.s[len - 1] != '/')
			strbuf_putc(&c->path, '/');
		name = c->path.len;
		strbuf_puts(&c->path, d.name);
		if (c->path.failed)
			return err_nomem(e);
		rc = walk_entry(c, d.node, name, depth + 1, e);
		c->path.len = len;
		c->path.s[len] = '\0';
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* name: where the last component begins in c->path. */
static int entry_stat(struct walk_ctx *c, struct vfs_node *n, size_t name, unsigned depth, struct fs_stat *st, struct err *e)
{
	int rc = fs_stat(n->fs, n->ino, st, e);

	/* Where files are known by a name, it may have been another one than this, which has been taken away since. */
	if (rc == -ERR_NOT_FOUND && depth && c->stack[depth - 1].fs == n->fs) {
		rc = fs_lookup(n->fs, c->stack[depth - 1].ino, c->path.s + name, &n->ino, e);
		if (rc == 0)
			rc = fs_stat(n->fs, n->ino, st, e);
	}
	return rc;
}

static int walk_entry(struct walk_ctx *c, struct vfs_node n, size_t name, unsigned depth, struct err *e)
{
	struct vfs_entry ent = { .depth = depth };
	bool covered;
	int rc = entry_stat(c, &n, name, depth, &ent.st, e);

	if (rc < 0)
		return walk_failed(c, e, rc);
	ent.node = n;
	ent.path = c->path.s;
	ent.rel = depth ? c->path.s + c->rel : "";
	ent.name = depth ? c->path.s + name : "";
	rc = c->w->fn(c->w->arg, VFS_ENTER, &ent, e);
	if (rc == VFS_SKIP)
		return 0;
	if (rc != VFS_GO_ON || !S_ISDIR(ent.st.mode))
		return rc;
	/* A mount point that is shown as what it covers is not entered. */
	covered = c->w->one_fs && depth > 0 && !same_node(cross(c->v, n), n);
	rc = covered ? 0 : walk_children(c, n, depth, e);
	if (rc != 0 || !c->w->want_leave)
		return rc;
	/* The path may have moved while it grew. */
	ent.path = c->path.s;
	ent.rel = depth ? c->path.s + c->rel : "";
	ent.name = depth ? c->path.s + name : "";
	rc = c->w->fn(c->w->arg, VFS_LEAVE, &ent, e);
	return rc == VFS_SKIP ? 0 : rc;
}

int vfs_walk(struct vfs *v, const char *path, const struct vfs_walk *w, struct err *e)
{
	struct walk_ctx *c = alloc_zero(sizeof *c);
	struct vfs_node n;
	int rc;

	if (!c)
		return err_nomem(e);
	c->v = v;
	c->w = w;
	c->path = (struct strbuf)STRBUF_INIT;
	strbuf_puts(&c->path, *path == '/' ? "" : "/");
	strbuf_puts(&c->path, path);
	c->rel = c->path.len + (c->path.len && c->path.s[c->path.len - 1] != '/');
	rc = c->path.failed ? err_nomem(e) : vfs_lookup(v, path, true, &n, e);
	if (rc == 0)
		rc = walk_entry(c, n, c->path.len, 0, e);
	strbuf_free(&c->path);
	free(c);
	return rc;
}
