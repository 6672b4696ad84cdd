/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - the guests section of drydock.h: disks, volumes, mounts, confinement. */
#include "guest_api.h"

#include "confine.h"
#include "limits.h"
#include "redo.h"
#include "stream.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

_Static_assert((int)DRY_CONFINE_OFF == (int)CONFINE_OFF && (int)DRY_CONFINE_REQUIRED == (int)CONFINE_REQUIRED,
	       "public and internal words for confinement are one list");

/* With whatever images may be read, the folders in which the journals of some lie. */
static int readable(const struct dry_confine *how, char *states[2], const char ***out, size_t *n, struct err *e)
{
	const char **paths = alloc_array(how->nread + 2, sizeof *paths);

	if (!paths)
		return err_nomem(e);
	*out = paths;
	for (*n = 0; *n < how->nread; ++*n)
		paths[*n] = how->read_paths[*n];
	if (!how->again || !how->nread)
		return 0;
	if (redo_state_folders(states, e) < 0)
		return -(int)ERR_NOMEM;
	for (size_t i = 0; i < 2; i++)
		if (states[i])
			paths[(*n)++] = states[i];
	return 0;
}

int dry_confine(const struct dry_confine *how, struct dry_confined *result, struct dry_error *error)
{
	API_ERR(e, error);
	/* One for each disk, that of what they have in common, and that of the undo file. */
	int folders[APPLIANCE_DISKS_MAX + 2];
	const size_t nfolders = how->change && how->change->redo ? redo_folders(how->change->redo, folders, ARRAY_LEN(folders)) : 0;
	CLEANUP(free_ptr) const char **paths = NULL;
	CLEANUP(free_ptr) char *own_state = NULL;
	CLEANUP(free_ptr) char *system_state = NULL;
	char *states[2] = { NULL, NULL };
	size_t npaths = 0;
	const int failed = readable(how, states, &paths, &npaths, e);
	const struct confine_how inner = {
		.remove_dirs = folders,
		.nremove = MIN_OF(nfolders, ARRAY_LEN(folders)),
		.want = (enum confine_want)how->want,
		.read_paths = paths,
		.nread = npaths,
		.write = how->write,
		.write_dir = how->write_dir,
		.again = how->again,
		.terminal = how->terminal,
		.serve = how->appliance || how->write_images || how->serve,
		.mount = how->mount,
		.memory = how->memory,
		.seconds = how->seconds,
	};
	struct confine_report r;
	int rc;

	own_state = states[0];
	system_state = states[1];
	if (failed < 0)
		return failed;
	rc = confine(&inner, &r, e);
	if (!result)
		return rc;
	*result = (struct dry_confined){
		.privs = r.done & CONFINE_PRIVS,
		.limits = r.done & CONFINE_LIMITS,
		.landlock = r.done & CONFINE_LANDLOCK,
		.seccomp = r.done & CONFINE_SECCOMP,
		.chroot = r.done & CONFINE_CHROOT,
		.landlock_abi = r.landlock_abi,
	};
	snprintf(result->missing, sizeof result->missing, "%s", r.missing);
	return rc;
}

/* What a scan has found. */
static void scan_forget(struct dry_guest *g)
{
	/* Its machines have disks that are volumes. */
	engine_stop(g->engine);
	roots_free(&g->roots);
	free(take(g->root_facts));
	for (size_t i = 0; g->subvolumes && i < g->contents.n; i++)
		free(g->subvolumes[i].items);
	free(take(g->subvolumes));
	for (size_t i = 0; g->groups && i < g->vols.ngroups; i++)
		free((struct dry_member *)g->groups[i].members);
	free(take(g->groups));
	contents_free(&g->contents);
	volume_list_free(&g->vols);
	for (size_t i = 0; i < g->ntexts; i++)
		free(g->texts[i]);
	for (size_t i = 0; i < g->nnotes; i++)
		free(g->notes[i]);
	free(take(g->facts));
	free(take(g->texts));
	free(take(g->notes));
	for (size_t i = 0; i < g->nwarnings; i++)
		free(g->warnings[i]);
	free(take(g->warnings));
	g->ntexts = g->nnotes = g->nwarnings = 0;
}

void dry_guest_close(struct dry_guest *g)
{
	if (!g)
		return;
	dry_guest_unmount(g);
	scan_forget(g);
	engine_free(g->engine);
	guest_keys_forget(g);
	for (size_t i = 0; i < g->ndisks; i++) {
		block_unref(g->disks[i]);
		free(g->devices[i]);
	}
	redo_free(g->redo);
	for (size_t i = 0; g->images && i < g->ndisks; i++)
		block_unref(g->images[i]);
	free(g->images);
	free(g->disks);
	free(g->devices);
	free(g);
}

int dry_guest_finish(struct dry_guest *g, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->ndisks; i++)
		if (block_writable(g->disks[i]))
			rc = block_finish(g->disks[i], e);
	return rc;
}

static void guest_closep(struct dry_guest **g)
{
	dry_guest_close(*g);
}

/* The i-th image itself. */
static struct block *image_of(const struct dry_guest *g, size_t i)
{
	return g->images && g->images[i] ? g->images[i] : g->disks[i];
}

/* As Linux names SCSI disks: sda ... sdz, sdaa, sdab ... */
static char *disk_device(size_t i)
{
	char letters[16];
	size_t at = sizeof letters;

	letters[--at] = '\0';
	for (i++; i; i = (i - 1) / 26)
		letters[--at] = (char)('a' + (i - 1) % 26);
	return alloc_printf("/dev/sd%s", letters + at);
}

int dry_temporary(struct dry_error *error)
{
	API_ERR(e, error);

	return stream_temporary(e);
}

/* *beneath: of a temporary one the image itself; *file: for its writes, taken over, -1: none is there yet. */
static int disk_open(const struct dry_guest_image *image, unsigned flags, const struct block_policy *policy, int *file,
		     struct block **out, struct block **beneath, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	const bool temporary = flags & DRY_OPEN_TEMPORARY;
	const struct block_open open = {
		/* Said or seen, a LUKS header is that of a volume, and the keys are those of volumes. */
		.format = image->format && strcmp(image->format, "luks") == 0 ? "raw" : image->format,
		.flags = BLOCK_NO_LUKS | (flags & DRY_OPEN_FORCE_SHARE ? BLOCK_FORCE_SHARE : 0) |
			 (!temporary && flags & DRY_OPEN_WRITE ? BLOCK_WRITE : 0) |
			 (!temporary && flags & DRY_OPEN_GUESS_WRITE ? BLOCK_GUESS_WRITE : 0),
		.policy = policy,
	};
	int rc = block_open(image->name, &open, &b, e);

	if (rc == 0 && image->snapshot)
		rc = block_snapshot_load(b, image->snapshot, e);
	if (rc == 0 && temporary) {
		const int fd = *file;

		*file = -1;
		rc = fd >= 0 ? block_overlay_fd(b, fd, out, e) : block_overlay(b, out, e);
	}
	if (rc == 0)
		*(temporary ? beneath : out) = take(b);
	return rc;
}

/* From here on the disks are those of a transaction over the images. */
static int transaction_begin(struct dry_guest *g, const char *undo, struct err *e)
{
	int rc;

	for (size_t i = 0; i < g->ndisks; i++) {
		if (g->images[i])
			return err_set(e, ERR_USAGE, "%s: an image that is thrown away has no part in a change",
				       block_name(g->images[i]));
	}
	for (size_t i = 0; i < g->ndisks; i++)
		g->images[i] = take(g->disks[i]);
	rc = redo_begin(g->images, g->ndisks, &g->redo, e);
	if (rc == 0 && undo)
		rc = redo_keep_undo(g->redo, undo, e);
	for (size_t i = 0; i < g->ndisks && rc == 0; i++)
		g->disks[i] = block_ref(redo_disk(g->redo, i));
	return rc;
}

static void tell_notices(const struct dry_guest_open *how, const struct block *disk)
{
	const char *sentence;

	for (size_t i = 0; how->notice && (sentence = block_notice(disk, i)); i++)
		how->notice(how->notice_arg, sentence);
}

/* files: of how->temporary, those that are not taken yet; or NULL. */
static int open_all(const struct dry_guest_open *how, int *files, struct dry_guest **out, struct err *e)
{
	CLEANUP(guest_closep) struct dry_guest *g = alloc_zero(sizeof *g);
	const struct block_policy policy = {
		.allow_all = how->policy.trust == DRY_TRUST_ANY,
		.allow_none = how->policy.trust == DRY_TRUST_NONE,
		.allowed = how->policy.allowed,
		.nallowed = how->policy.nallowed,
	};

	int failed;

	if (!g)
		return err_nomem(e);
	if (!how->nimages)
		return err_set(e, ERR_USAGE, "a guest needs at least one disk image");
	failed = guest_engine(how, &g->engine, e);
	if (failed < 0)
		return failed;
	g->machines = how->machines;
	g->keys = how->keys;
	g->ask = how->ask;
	g->policy = how->engine;
	g->disks = alloc_array(how->nimages, sizeof *g->disks);
	g->images = alloc_array(how->nimages, sizeof *g->images);
	g->devices = alloc_array(how->nimages, sizeof *g->devices);
	if (!g->disks || !g->devices || !g->images)
		return err_nomem(e);
	for (size_t i = 0; i < how->nimages; i++) {
		int none = -1;
		int rc = disk_open(&how->images[i], how->images[i].flags ? how->images[i].flags : how->flags, &policy,
				   files ? &files[i] : &none, &g->disks[i], &g->images[i], e);

		if (rc < 0)
			return rc;
		tell_notices(how, g->disks[i]);
		g->ndisks++;
		g->devices[i] = disk_device(i);
		if (!g->devices[i])
			return err_nomem(e);
	}
	if (how->flags & DRY_OPEN_CHANGE) {
		int rc = transaction_begin(g, how->undo_file, e);

		if (rc < 0)
			return rc;
	}
	*out = take(g);
	return 0;
}

int dry_guest_open(const struct dry_guest_open *how, struct dry_guest **out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(free_ptr) int *files = how->temporary ? alloc_array(how->nimages, sizeof *files) : NULL;
	int rc = how->temporary && !files ? err_nomem(e) : 0;

	for (size_t i = 0; files && i < how->nimages; i++)
		files[i] = how->temporary[i];
	if (rc == 0)
		rc = open_all(how, files, out, e);
	for (size_t i = 0; how->temporary && i < how->nimages; i++)
		if (!files || files[i] >= 0)
			close(how->temporary[i]);
	return rc;
}

int guest_twin(struct dry_guest *g, struct dry_guest **out, struct err *e)
{
	CLEANUP(guest_closep) struct dry_guest *t = alloc_zero(sizeof *t);
	const struct dry_guest_open how = { .engine = g->policy, .machines = g->machines };
	int rc;

	if (!t)
		return err_nomem(e);
	rc = guest_engine(&how, &t->engine, e);
	if (rc < 0)
		return rc;
	t->twin_of = g;
	t->disks = alloc_array(g->ndisks, sizeof *t->disks);
	t->devices = alloc_array(g->ndisks, sizeof *t->devices);
	if (!t->disks || !t->devices)
		return err_nomem(e);
	for (size_t i = 0; i < g->ndisks; i++) {
		t->disks[i] = block_ref(image_of(g, i));
		t->ndisks++;
		t->devices[i] = disk_device(i);
		if (!t->devices[i])
			return err_nomem(e);
	}
	*out = take(t);
	return 0;
}

bool dry_guest_disk(const struct dry_guest *g, size_t i, struct dry_disk *out)
{
	if (i >= g->ndisks)
		return false;
	*out = (struct dry_disk){
		.device = g->devices[i],
		.name = block_name(g->disks[i]),
		.format = block_format(image_of(g, i)),
		.size = block_size(g->disks[i]),
	};
	return true;
}

/* ---- volumes ---- */

/* Keeps a string for the life of the guest; an empty or missing one is NULL.  *failed when memory is out. */
static const char *keep_text(struct dry_guest *g, const char *s, bool *failed)
{
	char **texts, *copy;

	if (!s || !*s)
		return NULL;
	texts = alloc_resize(g->texts, g->ntexts + 1, sizeof *texts);
	if (texts)
		g->texts = texts;
	copy = texts ? alloc_strdup(s) : NULL;
	if (!copy) {
		*failed = true;
		return NULL;
	}
	g->texts[g->ntexts++] = copy;
	return copy;
}

static bool uuid_is_set(const uint8_t uuid[16])
{
	static const uint8_t none[16];

	return memcmp(uuid, none, sizeof none) != 0;
}

static int volume_facts(struct dry_guest *g, const struct content *c, struct dry_volume *out, struct err *e)
{
	const struct volume *v = c->vol;
	bool failed = false, gpt = strcmp(v->scheme, "gpt") == 0, mbr = strcmp(v->scheme, "mbr") == 0;
	char text[40] = "";

	*out = (struct dry_volume){
		.name = v->name,
		.scheme = v->scheme,
		.disk = v->disk,
		.number = v->number,
		.off = v->off,
		.size = v->size,
		.bootable = v->active,
		.extended = v->extended,
		.in_use = v->in_use,
		.locked = v->locked,
		.wrong_key = v->wrong_key,
		.writable = v->block && block_writable(v->block),
		.snapshot = v->snapshot,
		.dormant = v->dormant,
		.group = v->group ? g->vols.groups[v->group - 1].name : NULL,
		.aliases = (const char *const *)v->aliases,
		.naliases = v->naliases,
		.uuid = v->uuid,
		.parts = v->parts,
		.nparts = v->nparts,
		.mbr_type = v->mbr_type,
		.part_type_name = volume_type_name(v),
		.fs_readable = c->id.readable,
		.by_appliance = c->by_appliance,
	};
	if (mbr)
		snprintf(text, sizeof text, "0x%02x", v->mbr_type);
	else if (gpt)
		text_uuid(v->type_uuid, text);
	out->part_type = keep_text(g, text, &failed);
	if (gpt && uuid_is_set(v->part_uuid))
		out->part_uuid = keep_text(g, text_uuid(v->part_uuid, text), &failed);
	out->part_label = keep_text(g, v->label, &failed);
	out->fs_type = keep_text(g, c->id.type, &failed);
	out->fs_label = keep_text(g, c->id.label, &failed);
	out->fs_uuid = keep_text(g, c->id.uuid, &failed);
	return failed ? err_nomem(e) : 0;
}

static int group_facts(const struct volume_group *v, struct dry_group *out, struct err *e)
{
	struct dry_member *members = alloc_array(v->nmembers, sizeof *members);

	if (!members)
		return err_nomem(e);
	for (size_t i = 0; i < v->nmembers; i++) {
		const struct volume_member *m = &v->members[i];

		members[i] = (struct dry_member){
			.volume = m->item == VOLUME_NO_ITEM ? DRY_NO_VOLUME : m->item,
			.uuid = m->uuid,
			.size = m->size,
			.free = m->free,
		};
	}
	*out = (struct dry_group){
		.name = v->name,
		.scheme = v->scheme,
		.uuid = v->uuid,
		.size = v->size,
		.free = v->free,
		.extent_size = v->extent_size,
		.members = members,
		.nmembers = v->nmembers,
	};
	return 0;
}

static int groups_facts(struct dry_guest *g, struct err *e)
{
	if (g->vols.ngroups == 0)
		return 0;
	g->groups = alloc_array(g->vols.ngroups, sizeof *g->groups);
	if (!g->groups)
		return err_nomem(e);
	for (size_t i = 0; i < g->vols.ngroups; i++) {
		int rc = group_facts(&g->vols.groups[i], &g->groups[i], e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int scan(struct dry_guest *g, struct err *e)
{
	const struct volume_how how = guest_keys(g);
	int rc;

	for (size_t i = 0; i < g->ndisks; i++) {
		rc = volume_scan(g->disks[i], (unsigned)i, &g->vols, e);
		if (rc < 0)
			return err_in(e, rc, "%s", block_name(g->disks[i]));
	}
	rc = volume_assemble(&g->vols, &how, e);
	if (rc < 0)
		return rc;
	rc = contents_scan(&g->vols, g->engine, &g->contents, e);
	if (rc < 0)
		return rc;
	if (g->vols.warning) {
		g->notes = alloc_array(1, sizeof *g->notes);
		if (g->notes)
			g->notes[0] = alloc_strdup(g->vols.warning);
		if (!g->notes || !g->notes[0])
			return err_nomem(e);
		g->nnotes = 1;
	}
	if (g->contents.n) {
		g->facts = alloc_array(g->contents.n, sizeof *g->facts);
		g->subvolumes = alloc_array(g->contents.n, sizeof *g->subvolumes);
		if (!g->facts || !g->subvolumes)
			return err_nomem(e);
	}
	for (size_t i = 0; i < g->contents.n; i++) {
		rc = volume_facts(g, &g->contents.items[i], &g->facts[i], e);
		if (rc < 0)
			return rc;
	}
	return groups_facts(g, e);
}

/* What failed leaves nothing behind: it may be tried again. */
int guest_scan(struct dry_guest *g, struct err *e)
{
	int rc = g->scanned ? 0 : scan(g, e);

	g->scanned = rc >= 0;
	if (rc < 0)
		scan_forget(g);
	return rc;
}

int guest_rescan(struct dry_guest *g, struct err *e)
{
	scan_forget(g);
	g->scanned = g->rooted = false;
	return guest_scan(g, e);
}

int dry_guest_refresh(struct dry_guest *g, struct dry_error *error)
{
	API_ERR(e, error);
	bool same = !g->torn;
	int rc = 0;

	for (size_t i = 0; i < g->ndisks; i++) {
		if (block_writable(g->disks[i]) || g->images[i])
			return err_set(e, ERR_USAGE, "%s is not only read", block_name(g->disks[i]));
		same = same && block_is_unchanged(g->disks[i]);
	}
	if (same)
		return 0;
	dry_guest_unmount(g);
	scan_forget(g);
	g->scanned = g->rooted = false;
	for (size_t i = 0; rc == 0 && i < g->ndisks; i++)
		rc = block_refresh(g->disks[i], e);
	g->torn = rc < 0;
	return rc < 0 ? rc : 1;
}

int dry_guest_volumes(struct dry_guest *g, const struct dry_volume **out, size_t *n, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = guest_scan(g, e);

	if (rc < 0)
		return rc;
	*out = g->facts;
	*n = g->contents.n;
	return 0;
}

int dry_guest_groups(struct dry_guest *g, const struct dry_group **out, size_t *n, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = guest_scan(g, e);

	if (rc < 0)
		return rc;
	*out = g->groups;
	*n = g->vols.ngroups;
	return 0;
}

static struct fs *mounted_fs(const struct dry_guest *g, const struct content *c)
{
	for (size_t i = 0; i < g->tree.nmounted; i++)
		if (g->tree.mounted[i] == c)
			return vfs_mount_info(g->tree.vfs, i).fs;
	return NULL;
}

/* The filesystem of a volume, which is opened unless it is mounted; a reference. */
static int volume_fs(struct dry_guest *g, size_t volume, struct fs **out, struct err *e)
{
	CLEANUP(fs_closep) struct fs *fs = NULL;
	const struct content *c;
	struct fs *mounted;
	int rc = guest_scan(g, e);

	if (rc < 0)
		return rc;
	if (volume >= g->contents.n)
		return err_set(e, ERR_USAGE, "there is no volume number %zu", volume);
	c = &g->contents.items[volume];
	mounted = mounted_fs(g, c);
	if (mounted)
		fs = fs_ref(mounted);
	else
		rc = content_open(&g->contents, c, &fs, e);
	/* Only trying tells what a machine's kernel can read. */
	if (rc < 0 && c->by_appliance)
		g->facts[volume].fs_readable = false;
	if (rc == 0 && !mounted && fs_notice(fs))
		rc = sentence_add(&g->notes, &g->nnotes, e, "%s: %s", c->vol->name, fs_notice(fs));
	if (rc == 0 && fs_warning(fs))
		rc = sentence_add(&g->warnings, &g->nwarnings, e, "%s: %s", c->vol->name, fs_warning(fs));
	if (rc == 0)
		*out = take(fs);
	return rc;
}

struct subvolume_list {
	struct dry_guest *g;
	struct guest_subvolumes *s;
	const char *device;
	struct fs *fs;
};

static int subvolume_keep(void *arg, uint64_t id, const char *path, struct err *e)
{
	struct subvolume_list *l = arg;
	struct dry_subvolume *items = alloc_resize(l->s->items, l->s->n + 1, sizeof *items), *it;
	CLEANUP(free_ptr) char *name = alloc_printf("btrfsvol:%s/%s", l->device, path);
	char opts[40];
	uint64_t root;
	bool failed = !items || !name;

	if (items)
		l->s->items = items;
	if (failed)
		return err_nomem(e);
	it = &items[l->s->n];
	snprintf(opts, sizeof opts, "subvolid=%" PRIu64, id);
	*it = (struct dry_subvolume){
		.id = id,
		.path = keep_text(l->g, path, &failed),
		.name = keep_text(l->g, name, &failed),
		.is_default = fs_mount_root(l->fs, opts, &root, NULL) == 0 && root == fs_root(l->fs),
	};
	l->s->n++;
	return failed ? err_nomem(e) : 0;
}

int dry_guest_subvolumes(struct dry_guest *g, size_t volume, const struct dry_subvolume **out, size_t *n,
			 struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct subvolume_list l = { .g = g };
	int rc = guest_scan(g, e);

	/* No machine is started to hear that there are none. */
	*out = NULL;
	*n = 0;
	if (rc == 0 && volume < g->contents.n && g->contents.items[volume].by_appliance &&
	    strcmp(g->contents.items[volume].id.type, "btrfs") != 0)
		return 0;
	if (rc == 0)
		rc = volume_fs(g, volume, &fs, e);
	if (rc < 0)
		return rc;
	l.s = &g->subvolumes[volume];
	l.device = g->contents.items[volume].vol->name;
	l.fs = fs;
	if (!l.s->known) {
		l.s->n = 0;
		rc = fs_subvolumes(fs, subvolume_keep, &l, e);
		if (rc < 0)
			return err_in(e, rc, "%s", l.device);
		l.s->known = true;
	}
	*out = l.s->items;
	*n = l.s->n;
	return 0;
}

int dry_guest_usage(struct dry_guest *g, size_t volume, struct dry_usage *out, struct dry_error *error)
{
	API_ERR(e, error);
	CLEANUP(fs_closep) struct fs *fs = NULL;
	struct fs_usage u;
	int rc = volume_fs(g, volume, &fs, e);

	if (rc < 0)
		return rc;
	rc = fs_statfs(fs, &u, e);
	if (rc < 0)
		return err_in(e, rc, "%s", g->contents.items[volume].vol->name);
	*out = (struct dry_usage){ u.block_size, u.blocks, u.blocks_free, u.blocks_avail, u.inodes, u.inodes_free };
	return 0;
}

/* ---- mounts ---- */

int guest_mounted(const struct dry_guest *g, struct err *e)
{
	return g->tree.vfs && g->tree.nmounted ? 0 : err_set(e, ERR_USAGE, "no filesystem of the guest is mounted");
}

uint64_t guest_dev(const struct dry_guest *g, const struct fs *fs, uint64_t subvol)
{
	for (size_t i = 0; i < g->tree.nmounted; i++)
		if (vfs_mount_info(g->tree.vfs, i).fs == fs)
			return i + subvol * LIMIT_MOUNTS;
	return UINT64_MAX;
}

/* What was not found may be in what could not be put together: that is told with it. */
static int not_found(const struct dry_guest *g, int rc, struct err *e)
{
	const struct err why = *e;

	return rc == -ERR_NOT_FOUND && g->vols.warning ? err_set(e, ERR_NOT_FOUND, "%s (%s)", why.msg, g->vols.warning) : rc;
}

int dry_guest_mount(struct dry_guest *g, const char *volume, const char *options, const char *mountpoint,
		    struct dry_error *error)
{
	API_ERR(e, error);
	int rc = guest_scan(g, e);

	return rc < 0 ? rc : not_found(g, guest_mount(&g->contents, volume, options, mountpoint, &g->tree, e), e);
}

int dry_guest_mount_auto(struct dry_guest *g, bool any, struct dry_error *error)
{
	API_ERR(e, error);
	int rc = guest_scan(g, e);

	if (rc < 0)
		return rc;
	if (g->tree.nmounted)
		return err_set(e, ERR_USAGE, "the guest is mounted already");
	return not_found(g, guest_open(&g->contents, any, &g->tree, e), e);
}

bool dry_guest_mount_at(struct dry_guest *g, size_t i, struct dry_mount *out)
{
	struct vfs_mount_info m;
	const struct content *c;
	struct fs_stat st;

	if (i >= g->tree.nmounted)
		return false;
	c = g->tree.mounted[i];
	m = vfs_mount_info(g->tree.vfs, i);
	*out = (struct dry_mount){
		.path = m.path,
		.subvolume = fs_stat(m.fs, m.root, &st, NULL) == 0 ? st.subvol : 0,
		.volume = c->vol->name,
		.fs_type = c->id.type,
		.volume_index = (size_t)(c - g->contents.items),
	};
	return true;
}

const char *dry_guest_note(struct dry_guest *g, size_t i)
{
	if (i < g->nnotes)
		return g->notes[i];
	i -= g->nnotes;
	return i < g->tree.nnotes ? g->tree.notes[i] : NULL;
}

const char *dry_guest_written(struct dry_guest *g)
{
	/* By ourselves, that is. */
	for (size_t i = 0; i < g->ndisks && !g->redo; i++)
		if (block_was_written(g->disks[i]))
			return block_name(g->disks[i]);
	return NULL;
}

const char *dry_guest_warning(struct dry_guest *g, size_t i)
{
	if (i < g->tree.nwarnings)
		return g->tree.warnings[i];
	i -= g->tree.nwarnings;
	/* What has been told of a mounted filesystem is not told again. */
	for (size_t k = 0; k < g->nwarnings; k++) {
		bool told = false;

		for (size_t t = 0; t < g->tree.nwarnings && !told; t++)
			told = strcmp(g->tree.warnings[t], g->warnings[k]) == 0;
		if (!told && i-- == 0)
			return g->warnings[k];
	}
	return NULL;
}
