/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appliance_fs.c - a filesystem that Linux has mounted in the appliance: one more fs_driver, over the client's calls.
 *
 * Nodes are the agent's.  A disk that is mounted here takes writes into memory (scratch.c): so Linux brings journals up to date,
 * as the guest itself would, and the image stays as it is.  Subvolumes are mounts of their own, of the same device.
 *
 * Where Linux tells in which bytes of the disk a file's data lie, they are read from there by ourselves: that is as fast as the
 * disk, whatever the machine is.
 */
#include "appliance_fs.h"

#include "fs_driver.h"

#include "alloc.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- which driver, and which options ---- */

/* A whole filesystem of which a snapshot may be mounted beside it has the same UUID; members may be missing. */
static const struct appliance_type types[] = {
	{ "ext2", "ext4", { "ro" }, true },
	{ "ext3", "ext4", { "ro" }, true },
	{ "ext4", "ext4", { "ro" }, true },
	{ "xfs", "xfs", { "ro,nouuid" }, true },
	{ "btrfs", "btrfs", { "ro", "ro,degraded" }, true },
	{ "vfat", "vfat", { "ro,utf8,umask=022,shortname=mixed,tz=UTC" }, false },
	{ "exfat", "exfat", { "ro,umask=022,iocharset=utf8" }, false },
	{ "ntfs", "ntfs-3g", { "ro" }, false },
	{ "iso9660", "iso9660", { "ro,iocharset=utf8,mode=0444,dmode=0555" }, false },
	{ "udf", "udf", { "ro" }, false },
	{ "squashfs", "squashfs", { "ro" }, false },
	{ "erofs", "erofs", { "ro" }, false },
	{ "f2fs", "f2fs", { "ro" }, false },
	{ "jfs", "jfs", { "ro,iocharset=utf8", "ro" }, false },
	{ "reiserfs", "reiserfs", { "ro" }, false },
	{ "nilfs2", "nilfs2", { "ro" }, false },
	{ "minix", "minix", { "ro" }, false },
	{ "hfs", "hfs", { "ro,iocharset=utf8", "ro" }, false },
	{ "hfsplus", "hfsplus", { "ro" }, false },
	{ "ufs", "ufs", { "ro,ufstype=ufs2", "ro,ufstype=44bsd", "ro,ufstype=sunx86" }, false },
	{ "hpfs", "hpfs", { "ro" }, false },
	{ "befs", "befs", { "ro" }, false },
	{ "bfs", "bfs", { "ro" }, false },
	{ "sysv", "sysv", { "ro" }, false },
	{ "vxfs", "vxfs", { "ro" }, false },
	{ "romfs", "romfs", { "ro" }, false },
	{ "cramfs", "cramfs", { "ro" }, false },
	{ "gfs2", "gfs2", { "ro,lockproto=lock_nolock" }, false },
};

const struct appliance_type *appliance_type_find(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return &types[i];
	return NULL;
}

int appliance_fs_mount(struct client *c, const char *device, const struct appliance_type *type, uint32_t *mount,
		       struct err *e)
{
	int rc = -ERR_UNSUPPORTED;

	for (size_t i = 0; i < ARRAY_LEN(type->options) && type->options[i] && rc < 0 && !client_lost(c); i++) {
		const struct client_mount how = { .device = device, .type = type->driver, .options = type->options[i] };

		rc = client_mount(c, &how, mount, e);
	}
	return rc;
}

/* Of the words for looking those that are not "ro". */
static void words_to_change(struct strbuf *out, const char *looking, const char *more)
{
	const char *rest = looking;

	if (!text_starts(looking, "ro,", &rest) && strcmp(looking, "ro") == 0)
		rest = "";
	strbuf_puts(out, rest);
	if (more && *more)
		strbuf_printf(out, "%s%s", out->len ? "," : "", more);
}

/* Of these Linux has drivers that only read. */
static bool only_read(const struct appliance_type *type)
{
	static const char *const drivers[] = { "iso9660", "udf",  "squashfs", "erofs", "romfs",
					       "cramfs",  "befs", "vxfs",     "ufs",   "sysv" };

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (strcmp(drivers[i], type->driver) == 0)
			return true;
	return false;
}

static bool wants_readonly(const char *options)
{
	for (const char *p = options ? options : ""; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (strncmp(p, "ro", 2) == 0 && (p[2] == ',' || !p[2]))
			return true;
	}
	return false;
}

int appliance_fs_mount_to_change(struct client *c, const char *device, const struct appliance_type *type, const char *options,
				 uint32_t *mount, bool *readonly, struct err *e)
{
	int rc = -ERR_UNSUPPORTED;

	*readonly = wants_readonly(options) || only_read(type);
	for (size_t i = 0; i < ARRAY_LEN(type->options) && type->options[i] && rc < 0 && !client_lost(c); i++) {
		CLEANUP(strbuf_free) struct strbuf words = STRBUF_INIT;
		struct client_mount how = { .device = device, .type = type->driver };

		words_to_change(&words, type->options[i], options);
		if (*readonly)
			strbuf_puts(&words, words.len ? ",ro" : "ro");
		if (words.failed)
			return err_nomem(e);
		how.options = words.s;
		rc = client_mount(c, &how, mount, e);
	}
	return rc;
}

/* ---- the driver ---- */

/* A subvolume that was asked for. */
struct view {
	char *opts;
	uint32_t mount;
	uint64_t root;
};

/* A run of a file that lies on the disk as it is; the last block of a file goes past its end. */
struct placed {
	uint64_t node, size;	 /* of the file; node 0: none */
	uint64_t off, len, where; /* len 0: none */
};

struct appliance_state {
	struct client *client; /* lent */
	struct block *disk;    /* one reference; NULL: places are not told */
	struct placed placed;  /* the last that was told */
	char *device;
	uint32_t mount;
	struct view *views;
	size_t nviews;
	bool subvolumes;
	struct block **others; /* one reference each */
	size_t nothers;
};

static int appliance_open(struct fs *fs, struct err *e)
{
	struct appliance_state *s = fs->state;
	const struct appliance_mounted *m = fs->param;

	s->client = m->client;
	s->mount = m->mount;
	s->disk = m->nothers || !m->disk ? NULL : block_ref(m->disk);
	s->others = alloc_array(m->nothers + 1, sizeof *s->others);
	for (size_t i = 0; s->others && i < m->nothers; i++)
		s->others[s->nothers++] = block_ref(m->others[i]);
	s->device = alloc_strdup(m->device);
	s->subvolumes = strcmp(fs->id.type, "btrfs") == 0;
	if (!s->device || !s->others)
		return err_nomem(e);
	snprintf(fs->notice, sizeof fs->notice, "%s", m->notice);
	return client_root(s->client, s->mount, &fs->root, e);
}

static void appliance_close(struct fs *fs)
{
	struct appliance_state *s = fs->state;

	for (size_t i = 0; i < s->nviews; i++) {
		if (!client_lost(s->client))
			client_umount(s->client, s->views[i].mount, NULL);
		free(s->views[i].opts);
	}
	free(s->views);
	free(s->device);
	for (size_t i = 0; i < s->nothers; i++)
		block_unref(s->others[i]);
	free(s->others);
	block_unref(s->disk);
}

/* The options that name a subvolume, in words for a mount; NULL when there are none, or memory is out (*failed). */
static char *subvolume_options(const char *opts, bool *failed)
{
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	bool any = false;

	strbuf_puts(&b, "ro,degraded");
	for (const char *p = opts; *p; p += strcspn(p, ",")) {
		size_t len;

		while (*p == ',')
			p++;
		len = strcspn(p, ",");
		if (!text_starts(p, "subvol=", NULL) && !text_starts(p, "subvolid=", NULL))
			continue;
		any = true;
		strbuf_putc(&b, ',');
		strbuf_add(&b, p, len);
	}
	*failed = b.failed;
	return any && !b.failed ? strbuf_detach(&b) : NULL;
}

static int view_add(struct appliance_state *s, const char *opts, struct view **out, struct err *e)
{
	struct view *views = alloc_resize(s->views, s->nviews + 1, sizeof *views), *v;
	const struct client_mount how = { .device = s->device, .type = "btrfs", .options = opts };
	int rc;

	if (!views)
		return err_nomem(e);
	s->views = views;
	v = &views[s->nviews];
	*v = (struct view){ .opts = alloc_strdup(opts) };
	if (!v->opts)
		return err_nomem(e);
	rc = client_mount(s->client, &how, &v->mount, e);
	if (rc < 0) {
		free(v->opts);
		return rc;
	}
	s->nviews++; /* it is unmounted with the others */
	*out = v;
	return client_root(s->client, v->mount, &v->root, e);
}

/* The one that is mounted without options has one node, by whatever name it is asked for. */
static int view_is_default(struct fs *fs, uint64_t root, bool *is, struct err *e)
{
	struct appliance_state *s = fs->state;
	struct fs_stat a, b = { .ino = 0 };
	int rc = client_stat(s->client, fs->root, &a, e);

	if (rc == 0)
		rc = client_stat(s->client, root, &b, e);
	*is = rc == 0 && a.subvol == b.subvol && a.ino == b.ino;
	return rc;
}

static int appliance_mount_root(struct fs *fs, const char *opts, uint64_t *root, struct err *e)
{
	struct appliance_state *s = fs->state;
	bool failed, is_default;
	CLEANUP(free_ptr) char *wanted = s->subvolumes ? subvolume_options(opts, &failed) : NULL;
	struct view *v = NULL;
	int rc = 0;

	*root = fs->root;
	if (!s->subvolumes || (!wanted && !failed))
		return 0;
	if (failed)
		return err_nomem(e);
	for (size_t i = 0; i < s->nviews && !v; i++)
		if (strcmp(s->views[i].opts, wanted) == 0)
			v = &s->views[i];
	if (!v)
		rc = view_add(s, wanted, &v, e);
	if (rc == 0)
		rc = view_is_default(fs, v->root, &is_default, e);
	if (rc == 0 && !is_default)
		*root = v->root;
	return rc;
}

/* Which there are is told by our own reader: none of the calls on files asks for it. */
static int appliance_subvolumes(struct fs *fs, int (*fn)(void *, uint64_t, const char *, struct err *), void *arg,
				struct err *e)
{
	struct appliance_state *s = fs->state;
	CLEANUP(fs_closep) struct fs *ours = NULL;
	int rc = s->subvolumes ? fs_open_among(fs->dev, s->others, s->nothers, &ours, e) : 0;

	return rc < 0 || !ours ? rc : fs_subvolumes(ours, fn, arg, e);
}

static int appliance_statfs(struct fs *fs, struct fs_usage *out, struct err *e)
{
	struct appliance_state *s = fs->state;

	return client_statfs(s->client, s->mount, out, e);
}

static int appliance_stat(struct fs *fs, uint64_t node, struct fs_stat *out, struct err *e)
{
	struct appliance_state *s = fs->state;
	int rc = client_stat(s->client, node, out, e);

	if (!s->subvolumes)
		out->subvol = 0;
	return rc;
}

static int appliance_lookup(struct fs *fs, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	struct appliance_state *s = fs->state;

	return client_lookup(s->client, dir, name, node, e);
}

struct entries {
	struct appliance_state *s;
	uint64_t dir;
	int (*fn)(void *, const struct fs_dirent *, struct err *);
	void *arg;
};

static int entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct entries *r = arg;
	struct fs_dirent known;
	int rc;

	if (d->ino)
		return r->fn(r->arg, d, e);
	known = *d;
	rc = client_lookup(r->s->client, r->dir, d->name, &known.ino, e);
	return rc < 0 ? rc : r->fn(r->arg, &known, e);
}

static int appliance_readdir(struct fs *fs, uint64_t dir, int (*fn)(void *, const struct fs_dirent *, struct err *),
			     void *arg, struct err *e)
{
	struct entries r = { fs->state, dir, fn, arg };

	return client_readdir(r.s->client, dir, entry, &r, e);
}

/*
 * 1 when the bytes from off on lie on the disk, s->placed then has them.  A place is the agent's claim: one that is not on
 * the disk is not believed, and any other shows nothing but this volume's own bytes.
 */
static int place_find(struct appliance_state *s, uint64_t node, uint64_t off, struct err *e)
{
	struct placed *p = &s->placed;
	int rc;

	if (off >= p->off && off - p->off < p->len)
		return 1;
	p->off = off;
	p->len = 0;
	rc = client_place(s->client, node, off, &p->len, &p->where, e);
	if (rc > 0 && p->len && p->where < block_size(s->disk) && p->len <= block_size(s->disk) - p->where)
		return 1;
	p->len = 0;
	return rc < 0 ? rc : 0;
}

/* Before a file is read by places: how long it is. */
static int place_begin(struct appliance_state *s, uint64_t node, struct err *e)
{
	struct fs_stat st;
	int rc;

	if (s->placed.node == node)
		return 0;
	rc = client_stat(s->client, node, &st, e);
	if (rc == 0)
		s->placed = (struct placed){ .node = node, .size = S_ISREG(st.mode) ? st.size : 0 };
	return rc;
}

/* Small files, and what is not much of one, are not worth a question more. */
enum { PLACE_FROM = 256 * 1024 };

static int appliance_pread(struct fs *fs, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	struct appliance_state *s = fs->state;
	bool placed = s->disk && len >= PLACE_FROM;
	int rc = placed ? place_begin(s, node, e) : 0;
	uint8_t *p = buf;

	if (rc < 0)
		return rc;
	placed = placed && s->placed.size >= PLACE_FROM;
	if (placed)
		len = off < s->placed.size ? (size_t)MIN_OF((uint64_t)len, s->placed.size - off) : 0;
	while (len) {
		size_t n = len;

		rc = placed ? place_find(s, node, off, e) : 0;
		if (rc > 0) {
			n = (size_t)MIN_OF((uint64_t)len, s->placed.len - (off - s->placed.off));
			rc = block_pread(s->disk, p, n, s->placed.where + (off - s->placed.off), e);
		} else if (rc == 0) {
			size_t did = 0;

			/* The rest lies nowhere, or in another way. */
			rc = client_pread(s->client, node, p, n, off, &did, e);
			*got += did;
			return rc;
		}
		if (rc < 0)
			return rc;
		*got += n;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int appliance_extent(struct fs *fs, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	struct appliance_state *s = fs->state;

	return client_extent(s->client, node, off, len, hole, e);
}

static int appliance_readlink(struct fs *fs, uint64_t node, struct strbuf *target, struct err *e)
{
	struct appliance_state *s = fs->state;

	return client_readlink(s->client, node, target, e);
}

static int appliance_xattrs(struct fs *fs, uint64_t node, int (*fn)(void *, const char *, const void *, size_t, struct err *),
			    void *arg, struct err *e)
{
	struct appliance_state *s = fs->state;

	return client_xattrs(s->client, node, fn, arg, e);
}

/* Where things lie on the device is not told: a journal that was replayed lies in memory, and not there. */
static const struct fs_driver fs_appliance = {
	.name = "appliance",
	.state_size = sizeof(struct appliance_state),
	.name_max = FS_NAME_MAX,
	.open = appliance_open,
	.close = appliance_close,
	.mount_root = appliance_mount_root,
	.subvolumes = appliance_subvolumes,
	.statfs = appliance_statfs,
	.stat = appliance_stat,
	.lookup = appliance_lookup,
	.readdir = appliance_readdir,
	.pread = appliance_pread,
	.extent = appliance_extent,
	.readlink = appliance_readlink,
	.xattrs = appliance_xattrs,
};

int appliance_fs_open(const struct appliance_mounted *m, const struct fs_id *id, struct fs **out, struct err *e)
{
	return fs_open_by(&fs_appliance, m->block, id, (void *)m, out, e);
}
