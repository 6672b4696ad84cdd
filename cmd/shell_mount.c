/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_mount.c - commands of the shell that mount filesystems, and tell how full they are. */
#include "shell.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>

/* Keeps the options of a mount, for programs that mount it once more: 0, or -1. */
static int remember(struct shell *s, const struct dry_shell_mount *m)
{
	struct shell_mounted *more = alloc_resize(s->mounted, s->nmounted + 1, sizeof *more);
	struct shell_mounted one = { alloc_strdup(m->path), alloc_strdup(m->options ? m->options : "") };

	if (more)
		s->mounted = more;
	if (more && one.path && one.options) {
		more[s->nmounted++] = one;
		return 0;
	}
	free(one.path);
	free(one.options);
	return shell_nomem(s);
}

int shell_mount(struct shell *s, const char *device, const char *path, const char *options, const char *type)
{
	/* The peer mounts as it is told: what is written in a session that only reads goes with it. */
	const char *ro = s->c && s->readonly && !s->peer ? "ro" : "";
	const bool told = options && *options;
	CLEANUP(free_ptr) char *all = alloc_printf("%s%s%s", ro, *ro && told ? "," : "", told ? options : "");
	const struct dry_shell_mount m = { .volume = shell_real_name(s, device),
					   .path = path,
					   .options = all && *all ? all : NULL,
					   .type = type };
	struct dry_error e = { .code = DRY_OK };
	const char *unknown;
	size_t len = m.options ? guest_mount_unknown(m.options, &unknown) : 0;
	int rc;

	if (!all)
		return shell_nomem(s);
	if (len)
		return shell_error(s, "%s: the mount option \"%.*s\" is not known", device, (int)len, unknown);
	if (s->c)
		rc = dry_change_mount(s->c, &m, &e);
	else
		rc = dry_guest_mount(s->g, m.volume, m.options, path, &e);
	if (rc == -DRY_NOT_FOUND && !shell_has_volume(s, device))
		return shell_fail(s, device, &e);
	if (rc < 0)
		return shell_error(s, "%s: %s", device, e.msg);
	return remember(s, &m);
}

static int mount_(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;

	if (strcmp(name, "mount") == 0)
		return shell_mount(s, c->arg[0], c->arg[1], NULL, NULL);
	if (strcmp(name, "mount-ro") == 0)
		return shell_mount(s, c->arg[0], c->arg[1], "ro", NULL);
	if (strcmp(name, "mount-options") == 0)
		return shell_mount(s, c->arg[1], c->arg[2], c->arg[0], NULL);
	return shell_mount(s, c->arg[2], c->arg[3], c->arg[0], c->arg[1]);
}

/* A mount, kept while others are taken away. */
struct kept {
	char *volume, *path, *options;
};

/* Without one of its mounts, what is only read is mounted anew. */
static int unmount_read(struct shell *s, const char *path)
{
	struct kept kept[64] = { { .volume = NULL } };
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	const size_t len = strlen(path);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m) && rc == 0; i++) {
		if (strcmp(m.path, path) == 0)
			continue;
		if (strcmp(path, "/") == 0 || (strncmp(m.path, path, len) == 0 && m.path[len] == '/'))
			rc = shell_error(s, "%s: %s", path, strerror(EBUSY));
		else if (n == ARRAY_LEN(kept))
			rc = shell_error(s, "%s: too many mounts", path);
		else
			kept[n++] =
				(struct kept){ alloc_strdup(m.volume), alloc_strdup(m.path),
					       m.subvolume ? alloc_printf("subvolid=%" PRIu64, m.subvolume) : NULL };
	}
	if (rc == 0)
		dry_guest_unmount(s->g);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!kept[i].volume || !kept[i].path)
			rc = shell_nomem(s);
		else if (dry_guest_mount(s->g, kept[i].volume, kept[i].options, kept[i].path, &e) < 0)
			rc = shell_error(s, "%s", e.msg);
	}
	for (size_t i = 0; i < n; i++) {
		free(kept[i].volume);
		free(kept[i].path);
		free(kept[i].options);
	}
	return rc;
}

static int umount_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	CLEANUP(free_ptr) char *path = NULL;
	bool force = false, lazy = false;

	if (shell_opt_truth(s, c, "force", &force) || shell_opt_truth(s, c, "lazyunmount", &lazy))
		return -1;
	if (force || lazy)
		return shell_error(s, "force and lazyunmount are not here: nothing keeps a filesystem busy");
	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m) && !path; i++)
		if (strcmp(m.path, c->arg[0]) == 0 || strcmp(m.volume, c->arg[0]) == 0)
			path = alloc_strdup(m.path);
	if (!path)
		return shell_error(s, "%s: not mounted", c->arg[0]);
	if (!s->c)
		return unmount_read(s, path);
	return dry_change_unmount(s->c, path, &e) < 0 ? shell_fail(s, c->arg[0], &e) : 0;
}

static int umount_all(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	(void)c;
	if (s->c)
		return dry_change_unmount(s->c, NULL, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
	dry_guest_unmount(s->g);
	return 0;
}

static int mounts(struct shell *s, struct call *c)
{
	struct dry_mount m;

	(void)c;
	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m); i++)
		shell_line(s, m.volume);
	return 0;
}

static int mountpoints(struct shell *s, struct call *c)
{
	struct dry_mount m;

	(void)c;
	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m); i++)
		shell_printf(s, "%s: %s\n", m.volume, m.path);
	return 0;
}

/* ---- how full they are ---- */

bool shell_mount_of(struct shell *s, const char *path, struct dry_mount *out)
{
	size_t best = 0;
	struct dry_mount m;
	bool found = false;

	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m); i++) {
		const size_t len = strcmp(m.path, "/") == 0 ? 0 : strlen(m.path);

		if (strncmp(m.path, path, len) != 0 || (path[len] != '/' && path[len]) || (found && len < best))
			continue;
		*out = m;
		best = len;
		found = true;
	}
	if (!found)
		shell_error(s, "%s: nothing is mounted there", path);
	return found;
}

static int statvfs_(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	struct dry_usage u;

	if (!shell_mount_of(s, c->arg[0], &m))
		return -1;
	if (dry_guest_usage(s->g, m.volume_index, &u, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	shell_printf(s,
		     "bsize: %" PRIu64 "\nfrsize: %" PRIu64 "\nblocks: %" PRIu64 "\nbfree: %" PRIu64
		     "\nbavail: %" PRIu64 "\nfiles: %" PRIu64 "\nffree: %" PRIu64 "\nfavail: %" PRIu64
		     "\nfsid: 0\nflag: %d\nnamemax: 255\n",
		     u.block_size, u.block_size, u.blocks, u.blocks_free, u.blocks_avail, u.inodes, u.inodes_free,
		     u.inodes_free, s->c ? 0 : 1);
	return 0;
}

static int df(struct shell *s, struct call *c)
{
	const bool human = strcmp(s->cmd->name, "df-h") == 0;
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;
	struct dry_usage u;

	(void)c;
	shell_printf(s, human ? "%-20s %6s %6s %6s %4s %s\n" : "%-20s %12s %12s %12s %4s %s\n", "Filesystem",
		     human ? "Size" : "1K-blocks", "Used", human ? "Avail" : "Available", "Use%", "Mounted on");
	for (size_t i = 0; dry_guest_mount_at(s->g, i, &m); i++) {
		uint64_t used, all;
		unsigned percent;
		char size[24], taken[24], left[24];

		if (dry_guest_usage(s->g, m.volume_index, &u, &e) < 0)
			return shell_fail(s, m.path, &e);
		used = u.blocks - MIN_OF(u.blocks, u.blocks_free);
		all = used + u.blocks_avail;
		percent = all ? (unsigned)(((long double)used * 100 + (long double)(all - 1)) / (long double)all) : 0;
		if (human) {
			const uint64_t numbers[] = { u.blocks * u.block_size, used * u.block_size,
						     u.blocks_avail * u.block_size };
			char *texts[] = { size, taken, left };

			for (int k = 0; k < 3; k++) {
				long double v = (long double)numbers[k];
				const char *unit = "BKMGTPE";

				while (v >= 1024 && unit[1]) {
					v /= 1024;
					unit++;
				}
				snprintf(texts[k], sizeof size, v < 10 && *unit != 'B' ? "%.1Lf%c" : "%.0Lf%c", v,
					 *unit);
			}
			shell_printf(s, "%-20s %6s %6s %6s %3u%% %s\n", m.volume, size, taken, left, percent, m.path);
		} else {
			shell_printf(s, "%-20s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %3u%% %s\n", m.volume,
				     u.blocks * u.block_size / 1024, used * u.block_size / 1024,
				     u.blocks_avail * u.block_size / 1024, percent, m.path);
		}
	}
	return 0;
}

static const struct shell_command commands[] = {
	{ "mount", NULL, "=mountable /mountpoint", "mount a filesystem", mount_, 0, NULL },
	{ "mount-ro", NULL, "=mountable /mountpoint", "mount a filesystem read-only", mount_, 0, NULL },
	{ "mount-options", NULL, "options =mountable /mountpoint", "mount a filesystem with options", mount_, 0, NULL },
	{ "mount-vfs", NULL, "options vfstype =mountable /mountpoint", "mount a filesystem of this type with options",
	  mount_, 0, NULL },
	{ "umount", "unmount", "pathordevice [?force] [?lazyunmount]", "unmount a filesystem", umount_, 0, NULL },
	{ "umount-all", "unmount-all", NULL, "unmount all filesystems", umount_all, 0, NULL },
	{ "mounts", NULL, NULL, "which filesystems are mounted", mounts, 0, NULL },
	{ "mountpoints", NULL, NULL, "which filesystems are mounted, and where", mountpoints, 0, NULL },
	{ "statvfs", NULL, "/path", "how full the filesystem of a path is", statvfs_, 0, NULL },
	{ "df", NULL, NULL, "how full the mounted filesystems are", df, 0, NULL },
	{ "df-h", NULL, NULL, "how full the mounted filesystems are, in round numbers", df, 0, NULL },
};
const struct shell_group shell_mount_group = SHELL_GROUP("filesystems that are mounted", commands);
