/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_change.c - the section "changing a guest" of drydock.h: a machine that writes to the disks of a transaction.
 *
 * The transaction began when the guest was opened (guest.c), as it must make files; what is mounted in the machine takes the place
 * of the guest's tree, so that all that reads shows the changes.
 */
#include "guest_api.h"

#include "change.h"
#include "client.h"
#include "limits.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(DRY_NAME_SIZE == FS_NAME_MAX + 1, "a public name has room for any");
_Static_assert((int)DRY_RENAME_NOREPLACE == (int)CLIENT_RENAME_NOREPLACE &&
		       (int)DRY_RENAME_EXCHANGE == (int)CLIENT_RENAME_EXCHANGE &&
		       (int)DRY_ALLOCATE_PUNCH == (int)CLIENT_ALLOCATE_PUNCH &&
		       (int)DRY_ALLOCATE_KEEP_SIZE == (int)CLIENT_ALLOCATE_KEEP_SIZE &&
		       (int)DRY_ALLOCATE_ZERO == (int)CLIENT_ALLOCATE_ZERO &&
		       (int)DRY_XATTR_CREATE == (int)CLIENT_XATTR_CREATE && (int)DRY_XATTR_REPLACE == (int)CLIENT_XATTR_REPLACE,
	       "public and internal flags are one list");

struct dry_change {
	struct dry_guest *g;
	struct change *change;
	bool finished; /* unmounted, and the machine ended well */
	struct guest_plan plan; /* what is mounted */
	struct dry_progress progress;
	struct dry_guest *before; /* of a preview */
};

/* ---- the beginning ---- */

static int plan_given(struct dry_guest *g, const struct dry_shell_mount *m, struct guest_plan *p, struct err *e)
{
	return guest_plan_given(&g->contents, m->volume, m->path ? m->path : "/", m->options, m->type, p, e);
}

/* A system that hibernates knows its filesystems as they were, and would write what it has in memory over the change. */
static int is_asleep(struct dry_guest *g, struct err *e)
{
	for (size_t i = 0; i < g->contents.n; i++) {
		const struct content *it = &g->contents.items[i];

		if (it->id.type && strcmp(it->id.type, "swsuspend") == 0)
			return err_set(e, ERR_POLICY,
				       "%s holds a system that hibernates: let it wake up and shut down before it is changed",
				       it->vol->name);
	}
	return 0;
}

static int begin(struct dry_change *c, const struct dry_change_how *how, struct err *e)
{
	struct dry_guest *g = c->g;
	struct change_how inner = { .plan = &c->plan, .all_volumes = how->all_volumes };
	int rc;

	if (g->tree.nmounted)
		return err_set(e, ERR_USAGE, "the guest is mounted already");
	if (!g->machines)
		return err_set(e, ERR_USAGE, "changing a guest needs an appliance");
	rc = guest_scan(g, e);
	if (rc == 0 && g->redo)
		rc = is_asleep(g, e);
	if (rc == 0 && how->inspect)
		rc = guest_plan_inspected(&g->contents, how->any, &c->plan, e);
	for (size_t i = 0; i < how->nmounts && rc == 0; i++)
		rc = plan_given(g, &how->mounts[i], &c->plan, e);
	if (rc < 0)
		return rc;
	/* Machines that our readers had started would show what was there before. */
	engine_stop(g->engine);
	inner.machine = guest_machine_of(g);
	return change_open(&inner, &g->tree, &c->change, e);
}

static void change_end_all(struct dry_change *c)
{
	dry_guest_close(c->before);
	dry_guest_unmount(c->g);
	change_free(c->change);
	guest_plan_free(&c->plan);
	free(c);
}

int dry_guest_change(struct dry_guest *g, const struct dry_change_how *how, struct dry_change **out, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_change *c = alloc_zero(sizeof *c);
	int rc;

	if (!c)
		return err_nomem(e);
	c->g = g;
	c->progress = how->progress;
	for (size_t i = 0; i < g->ndisks; i++)
		if (!g->images[i] || !block_writable(g->disks[i])) {
			free(c);
			return err_set(e, ERR_USAGE, "%s was not opened to be changed", block_name(g->disks[i]));
		}
	rc = begin(c, how, e);
	if (rc < 0)
		change_end_all(c);
	else
		*out = c;
	return rc;
}

struct dry_guest *dry_change_guest(const struct dry_change *c)
{
	return c->g;
}

bool dry_change_lost(const struct dry_change *c)
{
	return c->finished || client_lost(change_client(c->change));
}

/* ---- files ---- */

/* Before something is changed: what was known of the system may be otherwise. */
static int changing(struct dry_change *c, struct err *e)
{
	guest_changed(c->g);
	return c->finished ? err_set(e, ERR_USAGE, "the change has ended") : 0;
}

int change_inner(struct dry_change *c, struct change **out, struct err *e)
{
	*out = c->change;
	return changing(c, e);
}

static int place(struct dry_change *c, struct dry_node n, uint64_t *node, struct err *e)
{
	int rc = changing(c, e);

	return rc < 0 ? rc : change_node(c->change, (struct vfs_node){ n.fs, n.ino }, node, e);
}

/* The same of a folder, in which something gets a name. */
static int place_for(struct dry_change *c, struct dry_node dir, const char *name, uint64_t *node, struct err *e)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERR_USAGE, "a name of a file is one component of a path");
	return place(c, dir, node, e);
}

static int made(struct dry_node dir, uint64_t ino, struct dry_node *node, int rc)
{
	if (rc == 0 && node)
		*node = (struct dry_node){ .fs = dir.fs, .ino = ino };
	return rc;
}

int dry_change_parent(struct dry_change *c, const char *path, struct dry_node *dir, char name[DRY_NAME_SIZE],
		      struct dry_error *error)
{
	API_ERR(e, error);
	struct vfs_node n;
	int rc = c->finished ? err_set(e, ERR_USAGE, "the change has ended") : 0;

	if (rc == 0)
		rc = change_parent(c->change, path, &n, name, DRY_NAME_SIZE, e);
	if (rc == 0)
		*dir = (struct dry_node){ n.fs, n.ino };
	return rc;
}

int dry_change_create(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *o,
		      struct dry_node *node, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder, ino = 0;
	int rc = place_for(c, dir, name, &folder, e);

	if (rc == 0)
		rc = client_create(change_client(c->change), folder, name, o->mode, o->uid, o->gid, &ino, e);
	return made(dir, ino, node, rc);
}

int dry_change_mkdir(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *o,
		     struct dry_node *node, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder, ino = 0;
	int rc = place_for(c, dir, name, &folder, e);

	if (rc == 0)
		rc = client_mkdir(change_client(c->change), folder, name, o->mode, o->uid, o->gid, &ino, e);
	return made(dir, ino, node, rc);
}

int dry_change_mknod(struct dry_change *c, struct dry_node dir, const char *name, const struct dry_owner *o, uint32_t major,
		     uint32_t minor, struct dry_node *node, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder, ino = 0;
	int rc = place_for(c, dir, name, &folder, e);

	if (rc == 0)
		rc = client_mknod(change_client(c->change), folder, name, o->mode, o->uid, o->gid, major, minor, &ino, e);
	return made(dir, ino, node, rc);
}

int dry_change_symlink(struct dry_change *c, struct dry_node dir, const char *name, const char *target,
		       const struct dry_owner *o, struct dry_node *node, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder, ino = 0;
	int rc = place_for(c, dir, name, &folder, e);

	if (rc == 0)
		rc = client_symlink(change_client(c->change), folder, name, target, o->uid, o->gid, &ino, e);
	return made(dir, ino, node, rc);
}

int dry_change_link(struct dry_change *c, struct dry_node node, struct dry_node dir, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder, ino;
	int rc = place_for(c, dir, name, &folder, e);

	if (rc == 0)
		rc = place(c, node, &ino, e);
	if (rc == 0 && node.fs != dir.fs)
		rc = err_sys(e, EXDEV, "a link");
	return rc < 0 ? rc : client_link(change_client(c->change), ino, folder, name, e);
}

int dry_change_unlink(struct dry_change *c, struct dry_node dir, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder;
	int rc = place_for(c, dir, name, &folder, e);

	return rc < 0 ? rc : client_unlink(change_client(c->change), folder, name, e);
}

int dry_change_rmdir(struct dry_change *c, struct dry_node dir, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t folder;
	int rc = place_for(c, dir, name, &folder, e);

	return rc < 0 ? rc : client_rmdir(change_client(c->change), folder, name, e);
}

int dry_change_rename(struct dry_change *c, struct dry_node dir, const char *name, struct dry_node newdir, const char *newname,
		      unsigned flags, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t from, to;
	int rc = place_for(c, dir, name, &from, e);

	if (rc == 0)
		rc = place_for(c, newdir, newname, &to, e);
	if (rc == 0 && dir.fs != newdir.fs)
		rc = err_sys(e, EXDEV, "a new name");
	return rc < 0 ? rc : client_rename(change_client(c->change), from, name, to, newname, flags, e);
}

int dry_change_chmod(struct dry_change *c, struct dry_node node, uint32_t mode, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_chmod(change_client(c->change), ino, mode, e);
}

int dry_change_chown(struct dry_change *c, struct dry_node node, uint32_t uid, uint32_t gid, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_chown(change_client(c->change), ino, uid, gid, e);
}

int dry_change_utimens(struct dry_change *c, struct dry_node node, const struct dry_time *atime, const struct dry_time *mtime,
		       struct dry_error *error)
{
	API_ERR(e, error);
	const struct fs_time a = atime ? (struct fs_time){ atime->sec, atime->nsec } : (struct fs_time){ 0 };
	const struct fs_time m = mtime ? (struct fs_time){ mtime->sec, mtime->nsec } : (struct fs_time){ 0 };
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_utimens(change_client(c->change), ino, atime ? &a : NULL, mtime ? &m : NULL, e);
}

int dry_change_truncate(struct dry_change *c, struct dry_node node, uint64_t size, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_truncate(change_client(c->change), ino, size, e);
}

int dry_change_write(struct dry_change *c, struct dry_node node, const void *buf, size_t len, uint64_t off,
		     struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_pwrite(change_client(c->change), ino, buf, len, off, e);
}

int dry_change_allocate(struct dry_change *c, struct dry_node node, uint64_t off, uint64_t len, unsigned how,
			struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_fallocate(change_client(c->change), ino, off, len, how, e);
}

int dry_change_setxattr(struct dry_change *c, struct dry_node node, const char *name, const void *value, size_t len,
			unsigned flags, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_setxattr(change_client(c->change), ino, name, value, len, flags, e);
}

int dry_change_removexattr(struct dry_change *c, struct dry_node node, const char *name, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_removexattr(change_client(c->change), ino, name, e);
}

int dry_change_fsync(struct dry_change *c, struct dry_node node, struct dry_error *error)
{
	API_ERR(e, error);
	uint64_t ino;
	int rc = place(c, node, &ino, e);

	return rc < 0 ? rc : client_fsync(change_client(c->change), ino, e);
}

/* What the layer beneath takes for an owner; NULL: none was given. */
static const struct change_owner *owner_of(const struct dry_owner *o, struct change_owner *room)
{
	if (!o)
		return NULL;
	*room = (struct change_owner){ o->mode, o->uid, o->gid };
	return room;
}

int dry_change_write_file(struct dry_change *c, const char *path, const void *bytes, size_t len, const struct dry_owner *owner,
			  struct dry_error *error)
{
	API_ERR(e, error);
	struct change_owner room;
	int rc = changing(c, e);

	return rc < 0 ? rc : change_write_file(c->change, path, bytes, len, owner_of(owner, &room), e);
}

int dry_change_make_folders(struct dry_change *c, const char *path, const struct dry_owner *owner, struct dry_error *error)
{
	API_ERR(e, error);
	struct change_owner room;
	int rc = changing(c, e);

	return rc < 0 ? rc : change_make_folders(c->change, path, owner_of(owner, &room), e);
}

int dry_change_remove_tree(struct dry_change *c, const char *path, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = changing(c, e);

	return rc < 0 ? rc : change_remove_tree(c->change, path, e);
}

/* ---- programs ---- */

static int run_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	const struct dry_run_how *how = arg;

	return how->output(how->arg, stream, bytes, len) ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

static int run_input(void *arg, void *buf, size_t len, size_t *got, struct err *e)
{
	const struct dry_run_how *how = arg;

	return how->input(how->arg, buf, len, got) ? err_set(e, ERR_CANCELED, "stopped") : 0;
}

static bool run_stop(void *arg)
{
	const struct dry_run_how *how = arg;

	return how->stop(how->arg);
}

int dry_change_run(struct dry_change *c, const struct dry_run_how *how, int *status, struct dry_error *error)
{
	API_ERR(e, error);
	const struct client_run run = {
		.argv = how->argv,
		.env = how->env,
		.tools = how->in_appliance && how->sees_guest,
		.network = how->network && !how->in_appliance,
		.max_ms = how->max_ms,
		.max_output = how->max_output,
		.output = how->output ? run_output : NULL,
		.input = how->input ? run_input : NULL,
		.stop = how->stop ? run_stop : NULL,
		.arg = (void *)how,
	};
	int rc = changing(c, e);

	return rc < 0 ? rc : change_run(c->change, &run, how->in_appliance, status, e);
}

/* ---- mounts and volumes ---- */

int dry_change_device(struct dry_change *c, const char *volume, char **device, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	const struct content *it = contents_find(&c->g->contents, volume);
	int rc = c->finished ? err_set(e, ERR_USAGE, "the change has ended") : 0;

	if (rc == 0 && !it)
		rc = err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", volume);
	if (rc == 0)
		rc = guest_machine_device(change_machine(c->change), it, &path, e);
	if (rc < 0)
		return rc;
	*device = strbuf_detach(&path);
	return *device ? 0 : err_nomem(e);
}

int dry_change_mount(struct dry_change *c, const struct dry_shell_mount *m, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = changing(c, e);

	if (rc == 0)
		rc = plan_given(c->g, m, &c->plan, e);
	if (rc < 0)
		return rc;
	rc = change_mount(c->change, &c->plan.items[c->plan.n - 1], e);
	if (rc < 0)
		guest_plan_drop(&c->plan, c->plan.n - 1);
	return rc;
}

int dry_change_unmount(struct dry_change *c, const char *path, struct dry_error *error)
{
	API_ERR(e, error);
	size_t at = 0;
	int rc = changing(c, e);

	/* The plan has the mounts in the tree's order. */
	while (path && at < c->g->tree.nmounted && strcmp(vfs_mount_info(c->g->tree.vfs, at).path, path) != 0)
		at++;
	if (rc == 0)
		rc = change_unmount(c->change, path, e);
	if (rc == 0 && path)
		guest_plan_drop(&c->plan, at);
	while (rc == 0 && !path && c->plan.n)
		guest_plan_drop(&c->plan, c->plan.n - 1);
	return rc;
}

int dry_change_rescan(struct dry_change *c, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = changing(c, e);

	if (rc == 0 && c->plan.n)
		rc = err_set(e, ERR_USAGE, "what is mounted must be unmounted before the disks are looked at anew");
	if (rc == 0)
		rc = client_sync(change_client(c->change), e);
	return rc < 0 ? rc : guest_rescan(c->g, e);
}

/* An encrypted volume, and the name under which the machine knows what is inside. */
static int locked_volume(struct dry_change *c, const char *volume, const struct content **out, struct strbuf *name, struct err *e)
{
	const struct content *it = contents_find(&c->g->contents, volume);
	int rc = changing(c, e);

	if (rc < 0)
		return rc;
	if (!it)
		return err_set(e, ERR_NOT_FOUND, "no volume \"%s\"", volume);
	if (!it->id.type || strcmp(it->id.type, "crypto_LUKS") != 0)
		return err_set(e, ERR_USAGE, "%s is not encrypted by LUKS", volume);
	strbuf_printf(name, "luks-%s", it->id.uuid);
	*out = it;
	return name->failed ? err_nomem(e) : 0;
}

int dry_change_unlock(struct dry_change *c, const char *volume, const void *key, size_t len, bool readonly, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT, device = STRBUF_INIT;
	const struct content *it;
	int rc = locked_volume(c, volume, &it, &name, e);

	if (rc == 0)
		rc = guest_machine_device(change_machine(c->change), it, &device, e);
	return rc < 0 ? rc : client_luks_open(change_client(c->change), device.s, key, len, name.s, readonly, e);
}

int dry_change_lock(struct dry_change *c, const char *volume, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(strbuf_free) struct strbuf name = STRBUF_INIT;
	const struct content *it;
	int rc = locked_volume(c, volume, &it, &name, e);

	return rc < 0 ? rc : client_luks_close(change_client(c->change), name.s, e);
}

int dry_change_sync(struct dry_change *c, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = changing(c, e);

	return rc < 0 ? rc : client_sync(change_client(c->change), e);
}

/* ---- the end ---- */

static int commit_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct dry_change *c = arg;

	return c->progress.run(c->progress.arg, done, total);
}

static int commit(struct dry_change *c, struct dry_change_result *result, struct err *e)
{
	const struct redo_how how = { .progress = c->progress.run ? commit_progress : NULL, .arg = c };
	struct redo_result r;
	bool decided = false;
	int rc;

	if (!c->g->redo)
		return err_set(e, ERR_USAGE, "what was opened to be thrown away cannot be kept");
	rc = redo_commit(c->g->redo, &how, &r, &decided, e);
	if (rc == 0 && result)
		*result = (struct dry_change_result){ .bytes = r.bytes };
	return rc;
}

int dry_change_checkpoint(struct dry_change *c, struct dry_change_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = changing(c, e), thawed;

	if (rc == 0)
		rc = change_freeze(c->change, e);
	if (rc < 0)
		return rc;
	rc = commit(c, result, e);
	thawed = change_thaw(c->change, rc == 0 ? e : NULL);
	return rc < 0 ? rc : thawed;
}

/* Once: what comes after has an unmounted guest. */
static int finish(struct dry_change *c, struct err *e)
{
	int rc = c->finished ? 0 : change_finish(c->change, e);

	c->finished = true;
	dry_guest_unmount(c->g);
	return rc;
}

static int add_bytes(void *arg, size_t disk, uint64_t off, uint64_t len, struct err *e)
{
	struct dry_change_result *r = arg;

	(void)disk;
	(void)off;
	(void)e;
	r->bytes += len;
	return 0;
}

/* The same of a disk whose writes are in a temporary file: what lies at one place of one host file was not written. */
static int add_temporary(struct block *image, struct block *disk, struct dry_change_result *r, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *a = alloc_bytes(MiB);
	CLEANUP(free_ptr) uint8_t *b = alloc_bytes(MiB);
	const uint64_t size = block_size(image);
	uint64_t n;

	if (!a || !b)
		return err_nomem(e);
	for (uint64_t off = 0; off < size; off += n) {
		struct extent was, is;
		int rc = block_extent_chain(disk, NULL, size - off, off, &is, e);

		if (rc == 0)
			rc = block_extent_chain(image, NULL, is.len, off, &was, e);
		if (rc < 0)
			return rc;
		n = was.len;
		if ((is.flags & was.flags & EXTENT_ZERO) ||
		    ((is.flags & was.flags & EXTENT_PLAIN) && is.host == was.host && is.host_off == was.host_off))
			continue;
		n = MIN_OF(n, MiB);
		rc = block_pread(image, a, (size_t)n, off, e);
		if (rc == 0)
			rc = block_pread(disk, b, (size_t)n, off, e);
		if (rc < 0)
			return rc;
		for (uint64_t at = 0; at < n; at += REDO_BLOCK) {
			size_t len = (size_t)MIN_OF((uint64_t)REDO_BLOCK, n - at);

			r->bytes += memcmp(a + at, b + at, len) ? len : 0;
		}
	}
	return 0;
}

static int count(struct dry_change *c, struct dry_change_result *r, struct err *e)
{
	struct dry_guest *g = c->g;
	int rc = 0;

	*r = (struct dry_change_result){ 0 };
	if (g->redo)
		return redo_changes(g->redo, add_bytes, r, e);
	for (size_t i = 0; i < g->ndisks && rc == 0; i++)
		rc = add_temporary(g->images[i], g->disks[i], r, e);
	return rc;
}

static int mount_as_planned(struct dry_change *c, struct dry_guest *g, struct err *e)
{
	int rc = guest_scan(g, e);

	for (size_t i = 0; i < c->plan.n && rc == 0; i++) {
		const struct guest_planned *p = &c->plan.items[i];

		rc = guest_mount(&g->contents, p->it->vol->name, p->options, p->path, &g->tree, e);
	}
	return rc;
}

int dry_change_preview(struct dry_change *c, struct dry_guest **before, struct dry_guest **after,
		       struct dry_change_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	struct dry_change_result unused;
	int rc = finish(c, e);

	if (rc == 0)
		rc = count(c, result ? result : &unused, e);
	if (rc == 0)
		rc = guest_twin(c->g, &c->before, e);
	if (rc == 0)
		rc = mount_as_planned(c, c->before, e);
	if (rc == 0)
		rc = mount_as_planned(c, c->g, e);
	*before = c->before;
	*after = c->g;
	return rc;
}

int dry_change_commit(struct dry_change *c, struct dry_change_result *result, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = finish(c, e);

	if (rc == 0)
		rc = commit(c, result, e);
	change_end_all(c);
	return rc;
}

void dry_change_abandon(struct dry_change *c)
{
	if (c)
		change_end_all(c);
}
