/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_move.h"

#include "alloc.h"
#include "guest_put.h"
#include "limits.h"
#include "links.h"
#include "strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct move {
	struct dry_change *c;
	struct dry_guest *g;
	const char *from, *to;
	struct strbuf path;  /* what is made */
	struct links links;  /* of files with several names, where they were made */
	struct dry_error *e;
};

static int fail(struct dry_error *e, int errnum, const char *path)
{
	*e = (struct dry_error){ .code = DRY_SYSTEM, .sys_errno = errnum };
	snprintf(e->msg, sizeof e->msg, "%.300s: %s", path, strerror(errnum));
	return -DRY_SYSTEM;
}

/* An error of the guest's kernel, with the path that it is about. */
static int fail_at(struct dry_error *e, const char *path, int rc)
{
	return rc < 0 && e->code == DRY_SYSTEM ? fail(e, e->sys_errno, path) : rc;
}

/* What has the new name goes. */
static int make_room(struct move *m, bool folder, bool no_clobber)
{
	struct dry_node dir, n;
	char name[DRY_NAME_SIZE];
	struct dry_stat st;
	int rc = dry_change_parent(m->c, m->to, &dir, name, m->e);

	if (rc >= 0)
		rc = dry_node_child(m->g, dir, name, &n, m->e);
	if (rc < 0)
		return rc == -DRY_NOT_FOUND ? 0 : rc;
	if (no_clobber)
		return fail(m->e, EEXIST, m->to);
	rc = dry_node_stat(m->g, n, &st, m->e);
	if (rc < 0)
		return rc;
	if (S_ISDIR(st.mode) != folder)
		return fail(m->e, folder ? ENOTDIR : EISDIR, m->to);
	rc = folder ? dry_change_rmdir(m->c, dir, name, m->e) : dry_change_unlink(m->c, dir, name, m->e);
	return fail_at(m->e, m->to, rc);
}

static int make(struct move *m, const struct dry_entry *ent, struct dry_node dir, const char *name, struct dry_node *made)
{
	const struct dry_stat *st = &ent->stat;
	const char *first = S_ISDIR(st->mode) ? NULL : links_find(&m->links, st);
	struct dry_owner owner = { st->mode & 07777, st->uid, st->gid };
	CLEANUP(free_ptr) char *target = NULL;
	struct dry_node n;
	int rc;

	if (first) {
		rc = dry_guest_lookup(m->g, first, false, &n, m->e);
		return rc < 0 ? rc : dry_change_link(m->c, n, dir, name, m->e);
	}
	if (S_ISDIR(st->mode))
		return dry_change_mkdir(m->c, dir, name, &owner, made, m->e);
	if (!links_add(&m->links, st, m->path.s))
		return fail(m->e, ENOMEM, m->path.s);
	if (S_ISLNK(st->mode)) {
		rc = dry_node_readlink(m->g, ent->node, &target, m->e);
		return rc < 0 ? rc : dry_change_symlink(m->c, dir, name, target, &owner, made, m->e);
	}
	if (!S_ISREG(st->mode)) {
		owner.mode = st->mode;
		return dry_change_mknod(m->c, dir, name, &owner, st->rdev_major, st->rdev_minor, made, m->e);
	}
	rc = dry_change_create(m->c, dir, name, &owner, made, m->e);
	return rc < 0 ? rc : guest_put_content(m->c, ent->node, *made, st->size, m->e);
}

/* Of a folder the times come when all is in it. */
static int move_entry(struct move *m, const struct dry_entry *ent)
{
	struct dry_node dir, made = { NULL, 0 };
	char name[DRY_NAME_SIZE];
	int rc;

	strbuf_reset(&m->path);
	strbuf_printf(&m->path, "%s%s%s", m->to, *ent->rel ? "/" : "", ent->rel);
	if (m->path.failed)
		return fail(m->e, ENOMEM, m->to);
	if (ent->leaving) {
		rc = dry_guest_lookup(m->g, m->path.s, false, &made, m->e);
	} else {
		rc = dry_change_parent(m->c, m->path.s, &dir, name, m->e);
		if (rc >= 0)
			rc = make(m, ent, dir, name, &made);
		if (rc >= 0 && made.fs) /* else it is another name of a file that has all this */
			rc = guest_put_xattrs(m->c, ent->node, made, m->e);
	}
	if (rc < 0 || !made.fs || (S_ISDIR(ent->stat.mode) && !ent->leaving))
		return rc;
	return dry_change_utimens(m->c, made, &ent->stat.atime, &ent->stat.mtime, m->e);
}

static int visit(void *arg, const struct dry_entry *ent)
{
	struct move *m = arg;

	return fail_at(m->e, m->path.s, move_entry(m, ent)) < 0 ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int move_all(struct move *m, const struct dry_entry *start)
{
	const struct dry_walk walk = { .leave = true, .one_fs = true, .max_depth = DRY_DEPTH_ALL, .fn = visit, .arg = m };
	int rc;

	/* A walk would follow a symlink. */
	if (!S_ISDIR(start->stat.mode))
		return fail_at(m->e, m->path.s, move_entry(m, start));
	rc = dry_guest_walk(m->g, m->from, &walk, m->e);
	return rc == DRY_WALK_STOP ? -(int)m->e->code : rc;
}

int guest_move(struct dry_change *c, const char *path, const char *to, bool no_clobber, struct dry_error *e)
{
	struct move m = { .c = c, .g = dry_change_guest(c), .from = path, .to = to, .path = STRBUF_INIT, .e = e };
	struct dry_entry start = { .path = path, .rel = "", .name = "" };
	int rc = dry_guest_lookup(m.g, path, false, &start.node, e);

	if (rc >= 0)
		rc = dry_node_stat(m.g, start.node, &start.stat, e);
	if (rc >= 0)
		rc = make_room(&m, S_ISDIR(start.stat.mode), no_clobber);
	if (rc >= 0)
		rc = move_all(&m, &start);
	if (rc >= 0)
		rc = dry_change_remove_tree(c, path, e);
	links_free(&m.links);
	strbuf_free(&m.path);
	return rc;
}
