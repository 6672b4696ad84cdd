/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_tree.c - the guests section of drydock.h: walks that their caller draws on. */
#include "guest_api.h"

#include "vfs_cursor.h"

struct dry_tree {
	struct dry_guest *g;
	struct vfs_cursor *cursor;
	int (*failed)(void *arg, const char *path, const struct dry_error *why);
	void *arg;
	struct dry_entry ent;
};

static int tree_failed(void *arg, const char *path, const struct err *why, struct err *e)
{
	const struct dry_tree *t = arg;
	struct dry_error pub = { .code = (enum dry_code)why->code, .sys_errno = why->sys_errno };

	memcpy(pub.msg, why->msg, sizeof pub.msg);
	return t->failed(t->arg, path, &pub) ? err_set(e, ERR_CANCELED, "the walk was stopped") : 0;
}

int dry_tree_open(struct dry_guest *g, const char *path,
		  int (*failed)(void *arg, const char *path, const struct dry_error *why), void *arg,
		  struct dry_tree **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_ptr) struct dry_tree *t = NULL;
	int rc = guest_mounted(g, e);

	if (rc < 0)
		return rc;
	t = alloc_zero(sizeof *t);
	if (!t)
		return err_nomem(e);
	t->g = g;
	t->failed = failed;
	t->arg = arg;
	rc = vfs_cursor_open(g->tree.vfs, path, failed ? tree_failed : NULL, t, &t->cursor, e);
	if (rc < 0)
		return rc;
	*out = take(t);
	return 0;
}

void dry_tree_close(struct dry_tree *t)
{
	if (!t)
		return;
	vfs_cursor_close(t->cursor);
	free(t);
}

int dry_tree_next(struct dry_tree *t, const struct dry_entry **out, struct dry_error *error)
{
	API_ERR(e, error);
	const struct vfs_entry *ent;
	int rc = vfs_cursor_next(t->cursor, &ent, e);

	*out = NULL;
	if (rc < 0 || !ent)
		return rc;
	t->ent = (struct dry_entry){
		.path = ent->path,
		.rel = ent->rel,
		.name = ent->name,
		.depth = ent->depth,
		.node = { ent->node.fs, ent->node.ino },
	};
	guest_stat_public(t->g, ent->node.fs, &ent->st, &t->ent.stat);
	*out = &t->ent;
	return 0;
}

void dry_tree_skip(struct dry_tree *t)
{
	vfs_cursor_skip(t->cursor);
}

int dry_path_order(const char *a, const char *b)
{
	return path_order(a, b);
}
