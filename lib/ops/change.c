/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c - a guest that is changed: mounted for writing in a machine that has its whole disks, and unmounted again.
 *
 * What is mounted is a list of ours; the tree, which all reading goes through, is put together from it anew when something is
 * unmounted.  Each mount is a filesystem of its own to us, subvolumes of one btrfs too.
 */
#include "change.h"

#include "alloc.h"
#include "appliance_fs.h"
#include "change_internal.h"
#include "limits.h"
#include "new_uuids.h"
#include "strbuf.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- mounts ---- */

static void mounted_free(struct change_mounted *m)
{
	fs_close(m->fs);
	free(m->path);
	free(m->device);
	*m = (struct change_mounted){ .fs = NULL };
}

/* The tree as the list of mounts says. */
static int tree_build(struct change *c, struct err *e)
{
	struct guest *t = c->tree;
	int rc;

	guest_free(t);
	if (!c->n)
		return 0;
	t->mounted = alloc_array(c->n, sizeof *t->mounted);
	rc = t->mounted ? vfs_new(&t->vfs, e) : err_nomem(e);
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		const struct change_mounted *m = &c->items[i];

		fs_ref(m->fs);
		rc = vfs_mount(t->vfs, m->fs, m->path, e);
		if (rc < 0)
			fs_close(m->fs);
		else
			t->mounted[t->nmounted++] = m->it;
	}
	if (rc < 0)
		guest_free(t);
	return rc;
}

/* Mounts in the machine, and opens what is there as a filesystem. */
static int mounted_begin(struct change *c, const struct guest_planned *p, struct change_mounted *m, struct err *e)
{
	const struct fs_id *id = &p->it->id;
	const struct appliance_type *type = appliance_type_find(p->type ? p->type : id->type);
	CLEANUP(strbuf_free) struct strbuf device = STRBUF_INIT;
	struct appliance_mounted made = { .client = c->machine.client, .block = p->it->vol->block, .notice = "" };
	int rc;

	if (!type)
		return err_set(e, ERR_UNSUPPORTED, "%s is nothing that the appliance mounts",
			       id->type ? id->type : "what is there");
	rc = guest_machine_device(&c->machine, p->it, &device, e);
	if (rc < 0)
		return rc;
	m->device = alloc_strdup(device.s);
	if (!m->device)
		return err_nomem(e);
	made.device = m->device;
	rc = appliance_fs_mount_to_change(made.client, m->device, type, p->options, &m->mount, &m->readonly, e);
	if (rc < 0)
		return rc;
	made.mount = m->mount;
	rc = appliance_fs_open(&made, id, &m->fs, e);
	if (rc < 0)
		client_umount(made.client, m->mount, NULL);
	return rc;
}

int change_mount(struct change *c, const struct guest_planned *p, struct err *e)
{
	struct change_mounted *items = alloc_resize(c->items, c->n + 1, sizeof *items), *m;
	int rc;

	if (!items)
		return err_nomem(e);
	c->items = items;
	m = &items[c->n];
	*m = (struct change_mounted){ .it = p->it, .path = alloc_strdup(p->path) };
	rc = m->path ? mounted_begin(c, p, m, e) : err_nomem(e);
	if (rc < 0) {
		mounted_free(m);
		return err_in(e, rc, "%s", p->it->vol->name);
	}
	c->n++;
	rc = tree_build(c, e);
	if (rc < 0) {
		struct err unused = ERR_INIT;

		client_umount(c->machine.client, m->mount, NULL);
		mounted_free(&c->items[--c->n]);
		tree_build(c, &unused);
		return err_in(e, rc, "%s", p->it->vol->name);
	}
	return 0;
}

/* Is a path, as it was resolved, beneath another? */
static bool is_beneath(const char *path, const char *folder)
{
	size_t len = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/' && path[len + 1];
}

/* Takes the i-th away, of which nothing in the tree may be in use. */
static int mounted_end(struct change *c, size_t i, struct err *e)
{
	int rc = client_umount(c->machine.client, c->items[i].mount, e);

	if (rc < 0)
		return err_in(e, rc, "%s", c->items[i].it->vol->name);
	mounted_free(&c->items[i]);
	memmove(&c->items[i], &c->items[i + 1], (--c->n - i) * sizeof *c->items);
	return 0;
}

static int unmount_all(struct change *c, struct err *e)
{
	int rc = 0;

	guest_free(c->tree);
	while (c->n && rc == 0)
		rc = mounted_end(c, c->n - 1, e);
	return rc;
}

int change_unmount(struct change *c, const char *path, struct err *e)
{
	size_t at = c->n;
	int rc;

	if (!path)
		return unmount_all(c, e);
	for (size_t i = 0; i < c->n; i++) {
		const char *there = vfs_mount_info(c->tree->vfs, i).path;

		if (strcmp(there, path) == 0)
			at = i;
		else if (is_beneath(there, path))
			return err_sys(e, EBUSY, "%s cannot be unmounted: %s is beneath it", path, there);
	}
	if (at == c->n)
		return err_set(e, ERR_NOT_FOUND, "nothing is mounted on %s", path);
	rc = mounted_end(c, at, e);
	return rc == 0 ? tree_build(c, e) : rc;
}

/* ---- beginning ---- */

int change_open(const struct change_how *how, struct guest *tree, struct change **out, struct err *e)
{
	CLEANUP(change_freep) struct change *c = alloc_zero(sizeof *c);
	unsigned kinds = CLIENT_MD | CLIENT_LVM | CLIENT_BTRFS;
	struct guest_machine_how machine = how->machine;
	int rc;

	if (!c)
		return err_nomem(e);
	c->tree = tree;
	/* Each is a program to be started, which takes longer than a small change. */
	if (!how->all_volumes && how->machine.contents)
		kinds = guest_machine_kinds(how->machine.contents);
	machine.any_volumes = how->all_volumes;
	rc = guest_machine_start(&machine, &c->machine, e);
	if (rc == 0)
		rc = guest_machine_activate(&c->machine, kinds, e);
	c->kinds = kinds;
	for (size_t i = 0; rc == 0 && i < how->plan->n; i++)
		rc = change_mount(c, &how->plan->items[i], e);
	if (rc == 0)
		*out = take(c);
	return rc;
}

void change_free(struct change *c)
{
	if (!c)
		return;
	guest_free(c->tree);
	while (c->n)
		mounted_free(&c->items[--c->n]);
	free(c->items);
	while (c->ngroups)
		free(c->groups[--c->ngroups].uuid);
	free(c->groups);
	free(c->filesystems);
	free(c->closed);
	guest_machine_kill(&c->machine);
	free(c);
}

void change_freep(struct change **c)
{
	change_free(*c);
	*c = NULL;
}

struct client *change_client(struct change *c)
{
	return c->machine.client;
}

struct guest_machine *change_machine(struct change *c)
{
	return &c->machine;
}

/* ---- running ---- */

int change_run(struct change *c, const struct client_run *how, bool in_appliance, int *status, struct err *e)
{
	const bool sees = !in_appliance || how->tools;
	struct client_run run = *how;
	CLEANUP(free_ptr) struct client_bind *binds = alloc_array(c->n + 1, sizeof *binds);

	if (!binds)
		return err_nomem(e);
	if (sees && !c->n)
		return err_set(e, ERR_USAGE, "no filesystem of the guest is mounted");
	for (size_t i = 0; i < c->n && sees; i++)
		binds[i] = (struct client_bind){ .mount = c->items[i].mount, .path = vfs_mount_info(c->tree->vfs, i).path };
	run.binds = binds;
	run.nbinds = sees ? c->n : 0;
	return client_run(c->machine.client, &run, status, e);
}

/* ---- holding still, and the end ---- */

int change_freeze(struct change *c, struct err *e)
{
	int rc = client_sync(c->machine.client, e);
	bool frozen;

	/* One that lies in a file of another cannot be written out once that is held still. */
	for (size_t i = c->n; i-- > 0 && rc == 0;)
		if (!c->items[i].readonly)
			rc = client_freeze(c->machine.client, c->items[i].mount, &frozen, e);
	if (rc < 0)
		change_thaw(c, NULL);
	return rc;
}

int change_thaw(struct change *c, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < c->n; i++) {
		int thawed = c->items[i].readonly ? 0 : client_thaw(c->machine.client, c->items[i].mount, rc == 0 ? e : NULL);

		rc = rc < 0 ? rc : thawed;
	}
	return rc;
}

/* What was unmounted, and is to be looked at. */
struct unmounted {
	const struct content *it;
	char *device;
	bool small; /* all of it can be looked at */
};

/* What takes 0.3 s to be looked at as a whole, about as long as the change itself: inodes of XFS, bytes of btrfs. */
enum { SMALL_INODES = 4096, SMALL_BYTES = 256 << 20 };

/* While it is mounted.  Devices of one btrfs find each other only where udev runs. */
static bool is_small(const struct change_mounted *m)
{
	struct fs_usage u;

	if (m->it->id.shared || fs_statfs(m->fs, &u, NULL) < 0)
		return false;
	/* btrfs has no number of inodes. */
	return u.inodes ? u.inodes - MIN_OF(u.inodes, u.inodes_free) <= SMALL_INODES
			: u.blocks - MIN_OF(u.blocks, u.blocks_free) <= (uint64_t)SMALL_BYTES / MAX_OF(u.block_size, (uint64_t)1);
}

/* The first line of what a checker said that tells more than how far it is. */
static const char *finding(const char *said)
{
	static const char *const headings[] = { " ", "\t", "\n", "-", "[", "Phase ", "Opening ", "Checking ", "UUID",
						 "e2fsck ", "fsck." };
	const char *line = said;

	while (*line) {
		bool heading = false;

		for (size_t i = 0; i < ARRAY_LEN(headings); i++)
			heading |= text_starts(line, headings[i], NULL);
		if (!heading)
			return line;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return said;
}

static int unmounted_check(struct change *c, const struct unmounted *u, struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	enum client_fsck found = CLIENT_FSCK_CLEAN;
	int rc = client_fsck_quick(c->machine.client, u->device, u->it->id.type, u->small, &found, &said, e);

	if (rc == -ERR_UNSUPPORTED) {
		err_clear(e);
		return 0;
	}
	if (rc == 0 && found != CLIENT_FSCK_CLEAN) {
		CLEANUP(strbuf_free) struct strbuf line = STRBUF_INIT;
		const char *why = finding(said.s);

		text_quote(&line, why, strcspn(why, "\n"));
		rc = err_set(e, ERR_CORRUPT, "%s is not clean after it was changed: %s", u->it->id.type, line.failed ? "" : line.s);
	}
	return rc < 0 ? err_in(e, rc, "%s", u->it->vol->name) : 0;
}

int change_luks_close(struct change *c, size_t i, struct err *e)
{
	const struct contents *all = c->machine.how.contents;
	const struct volume *v = all->items[i].vol;
	char name[60];
	int rc;

	if (strcmp(v->scheme, "luks") != 0 || v->nparts != 1 || !v->uuid)
		return 0;
	if (!c->closed)
		c->closed = alloc_array(all->n, sizeof *c->closed);
	if (!c->closed)
		return err_nomem(e);
	if (c->closed[i])
		return 0;
	snprintf(name, sizeof name, "luks-%.50s", v->uuid);
	rc = client_luks_close(c->machine.client, name, e);
	c->closed[i] = rc == 0;
	return rc;
}

/* So that what the disks say of themselves is what an orderly end leaves there: arrays are marked clean. */
static int deactivate(struct change *c, struct err *e)
{
	const struct contents *all = c->machine.how.contents;
	int rc = 0;

	if (!(c->kinds & CLIENT_MD) || !(guest_machine_kinds(all) & CLIENT_MD))
		return 0;
	rc = client_deactivate(c->machine.client, CLIENT_LVM, e);
	for (size_t i = all->n; i-- > 0 && rc == 0;)
		rc = change_luks_close(c, i, e);
	return rc < 0 ? rc : client_deactivate(c->machine.client, CLIENT_LVM | CLIENT_MD, e);
}

/* Our own readers are a second opinion: a log that would have to be replayed, a superblock that says there were errors. */
static int read_back(struct change *c, const struct content *it, struct err *e)
{
	struct contents ours = *c->machine.how.contents;
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct fs_stat st;
	int rc;

	ours.engine = NULL;
	if (it->by_appliance)
		return 0;
	rc = content_open(&ours, it, &fs, e);
	if (rc == 0)
		rc = fs_stat(fs, fs_root(fs), &st, e);
	if (rc == 0 && (fs_notice(fs) || fs_warning(fs)))
		rc = err_set(e, ERR_CORRUPT, "%s: after it was changed: %s", it->vol->name,
			     fs_notice(fs) ? fs_notice(fs) : fs_warning(fs));
	return rc;
}

static int finish(struct change *c, struct unmounted *u, size_t *n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].readonly)
			continue;
		u[*n] = (struct unmounted){ .it = c->items[i].it, .device = take(c->items[i].device),
					    .small = is_small(&c->items[i]) };
		/* Subvolumes of one filesystem: once is enough. */
		for (size_t k = 0; k < *n; k++)
			if (u[k].it == u[*n].it) {
				free(u[*n].device);
				--*n;
				break;
			}
		++*n;
	}
	rc = client_sync(c->machine.client, e);
	if (rc == 0)
		rc = unmount_all(c, e);
	if (rc == 0)
		rc = new_fs_uuids_give(c, e);
	for (size_t i = 0; i < *n && rc == 0; i++)
		rc = unmounted_check(c, &u[i], e);
	if (rc == 0)
		rc = new_uuids_give(c, e);
	if (rc == 0)
		rc = deactivate(c, e);
	if (rc == 0)
		rc = client_poweroff(c->machine.client, e);
	return rc;
}

int change_finish(struct change *c, struct err *e)
{
	CLEANUP(free_ptr) struct unmounted *u = alloc_array(c->n + 1, sizeof *u);
	struct err disk = ERR_INIT;
	size_t n = 0;
	int rc = u ? finish(c, u, &n, e) : err_nomem(e);

	/* What the machine makes of a disk that does not take its bytes is not the reason. */
	if (c->machine.app && appliance_disk_error(c->machine.app, &disk) < 0) {
		if (e)
			*e = disk;
		rc = -(int)disk.code;
	}
	guest_free(c->tree);
	guest_machine_kill(&c->machine);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = read_back(c, u[i].it, e);
		free(u[i].device);
	}
	return rc;
}
