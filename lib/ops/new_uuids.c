/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* new_uuids.c - which groups of LVM2 get other UUIDs, and how they are given. */
#include "new_uuids.h"

#include "alloc.h"
#include "change_internal.h"
#include "limits.h"
#include "text.h"

#include <string.h>

/* ---- who names one ---- */

/* Files in which a group or a member may be named by its UUID ("lvmid/...", "/dev/disk/by-id/dm-uuid-LVM-..."). */
static const char *const namers[] = {
	"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/efi/EFI/*/grub.cfg", "/boot/loader/entries/*.conf",
	"/etc/kernel/cmdline", "/etc/default/grub",    "/etc/fstab",		   "/etc/crypttab",
	"/etc/lvm/lvm.conf",
};

struct search {
	struct tree *t;
	const char *uuid, *bare; /* with its hyphens, and without */
	char *found;		 /* the file */
};

static int look_into(void *arg, const char *path, struct err *e)
{
	struct search *s = arg;
	CLEANUP(free_ptr) char *text = NULL;
	size_t len;
	int rc = s->found || !tree_is_file(s->t, path) ? 0 : tree_text(s->t, path, &text, &len, e);

	if (rc <= 0)
		return rc;
	if (memmem(text, len, s->uuid, strlen(s->uuid)) || memmem(text, len, s->bare, strlen(s->bare))) {
		s->found = alloc_strdup(path);
		return s->found ? 0 : err_nomem(e);
	}
	return 0;
}

/* The file that names it, for free(); NULL: none. */
static int named_by(struct tree *t, const char *uuid, char **file, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf bare = STRBUF_INIT;
	struct search s = { .t = t, .uuid = uuid };
	int rc = 0;

	for (const char *p = uuid; *p; p++)
		if (*p != '-')
			strbuf_putc(&bare, *p);
	if (bare.failed)
		return err_nomem(e);
	s.bare = bare.s;
	for (size_t i = 0; i < ARRAY_LEN(namers) && rc == 0; i++)
		rc = tree_glob(t, namers[i], look_into, &s, e);
	*file = s.found;
	return rc;
}

/* ---- which ---- */

/* "vg keeps WHAT, as WHY", with the guest's words quoted. */
struct teller {
	void (*say)(void *arg, const char *line);
	void *arg;
};

static int tell(const struct teller *to, const char *group, const char *what, const char *file, const char *why, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;

	text_quote(&line, group, strlen(group));
	strbuf_printf(&line, " keeps %s, as ", what);
	text_quote(&line, file, strlen(file));
	strbuf_puts(&line, why);
	if (line.failed)
		return err_nomem(e);
	if (to->say)
		to->say(to->arg, line.s);
	return 0;
}

static int group_add(struct change *c, const struct volume_group *g, size_t number, bool itself, struct err *e)
{
	struct client_group *groups = alloc_resize(c->groups, c->ngroups + 1, sizeof *groups);

	if (!groups)
		return err_nomem(e);
	c->groups = groups;
	groups[c->ngroups] = (struct client_group){ .uuid = alloc_strdup(g->uuid), .number = number, .itself = itself };
	return groups[c->ngroups++].uuid ? 0 : err_nomem(e);
}

static int drop(void *arg, const char *path, struct err *e)
{
	return tree_drop(arg, path, e);
}

/* Backups of what a group was like, which name its members: LVM makes new ones. */
static int drop_records(struct tree *t, const struct volume_group *g, struct err *e)
{
	CLEANUP(free_ptr) char *backup = alloc_printf("/etc/lvm/backup/%s", g->name);
	CLEANUP(free_ptr) char *archive = alloc_printf("/etc/lvm/archive/%s_*.vg", g->name);
	int rc = backup && archive ? tree_drop(t, backup, e) : err_nomem(e);

	return rc < 0 ? rc : tree_glob(t, archive, drop, t, e);
}

static int group_settle(struct change *c, struct tree *t, const struct volume_list *vols, size_t i,
			const struct teller *to, struct err *e)
{
	const struct volume_group *g = &vols->groups[i];
	CLEANUP(free_ptr) char *file = NULL;
	int rc = 0;

	if (g->foreign)
		return tell(to, g->name, "its UUIDs", "it", " was exported, or belongs to another machine or a cluster", e);
	for (size_t k = 0; k < g->nmembers; k++) {
		CLEANUP(free_ptr) char *names_member = NULL;

		if (g->members[k].item == VOLUME_NO_ITEM)
			return tell(to, g->name, "its UUIDs", g->members[k].uuid, ", which is one of its disks, is missing", e);
		rc = named_by(t, g->members[k].uuid, &names_member, e);
		if (rc < 0)
			return rc;
		if (names_member)
			return tell(to, g->name, "its UUIDs", names_member, " names one of its disks by them", e);
	}
	rc = named_by(t, g->uuid, &file, e);
	if (rc == 0 && file)
		rc = tell(to, g->name, "the UUID of the group", file, " names it", e);
	if (rc == 0)
		rc = group_add(c, g, i + 1, !file, e);
	return rc < 0 ? rc : drop_records(t, g, e);
}

/* Is there a physical volume that belongs to no group? */
static bool has_free_members(const struct contents *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].id.type && strcmp(all->items[i].id.type, "LVM2_member") == 0 && !all->items[i].vol->group)
			return true;
	return false;
}

int new_uuids_settle(struct change *c, struct tree *t, const struct volume_list *vols, void (*say)(void *arg, const char *line),
		     void *arg, struct err *e)
{
	const struct teller to = { say, arg };
	int rc = 0;

	if (!c->machine.how.contents)
		return 0;
	for (size_t i = 0; i < vols->ngroups && rc == 0; i++)
		if (strcmp(vols->groups[i].scheme, "lvm") == 0)
			rc = group_settle(c, t, vols, i, &to, e);
	c->free_members = has_free_members(c->machine.how.contents);
	if (rc == 0 && (c->ngroups || c->free_members))
		rc = tree_drop(t, "/etc/lvm/devices/system.devices", e);
	return rc;
}

/* ---- giving ---- */

/* Marks encrypted volumes that lie in the group's, however deep, and are open: it is in use as long as they are. */
static bool find_inside(const struct change *c, size_t group, bool *inside)
{
	const struct contents *all = c->machine.how.contents;
	bool any = false;

	memset(inside, 0, all->n * sizeof *inside);
	/* Parts come before what is made of them. */
	for (size_t i = 0; i < all->n; i++) {
		const struct volume *v = all->items[i].vol;

		for (size_t k = 0; k < v->nparts; k++)
			inside[i] |= inside[v->parts[k]] || all->items[v->parts[k]].vol->group == group;
		any |= inside[i] && strcmp(v->scheme, "luks") == 0 && !(c->closed && c->closed[i]);
	}
	return any;
}

int new_uuids_give(struct change *c, struct err *e)
{
	const struct contents *all = c->machine.how.contents;
	CLEANUP(free_ptr) bool *inside = c->ngroups ? alloc_array(all->n + 1, sizeof *inside) : NULL;
	struct client *client = c->machine.client;
	size_t end = c->ngroups;
	int rc = 0;

	if (c->ngroups && !inside)
		return err_nomem(e);
	/*
	 * A group may lie in volumes of one that comes before it in the list: it must be done before these are closed.  As many as
	 * can be are done at a time, as each program that is started takes longer than what it does.
	 */
	for (size_t i = c->ngroups; i-- > 0 && rc == 0;) {
		if (!find_inside(c, c->groups[i].number, inside))
			continue;
		if (end > i + 1)
			rc = client_lvm_new_uuids(client, c->groups + i + 1, end - i - 1, false, e);
		end = i + 1;
		for (size_t k = all->n; k-- > 0 && rc == 0;)
			if (inside[k])
				rc = change_luks_close(c, k, e);
	}
	return rc == 0 && (end || c->free_members) ? client_lvm_new_uuids(client, c->groups, end, c->free_members, e) : rc;
}
