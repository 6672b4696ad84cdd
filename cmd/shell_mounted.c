/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_mounted.c - commands of the shell for which a mounted filesystem has programs of its own, which the appliance
 * runs. */
#include "shell.h"

#include "alloc.h"
#include "guest_file.h"

#include <inttypes.h>

enum { MOUNTED_WORDS = 12 };

/*
 * Linux mounts a filesystem a second time as the same one: a program of the appliance then works on what the session
 * shows.  Words that begin with '/' are paths in that mount.
 */
static int on_mount(struct shell *s, const char *path, const char *const *words, bool quiet)
{
	static const char script[] =
		"dir=$(mktemp -d /run/drydock.XXXXXX) && mount ${1:+-o \"$1\"} -t \"$3\" \"$2\" \"$dir\" || exit 1; "
		"shift 3; cd \"$dir\" && \"$@\"; status=$?; cd /; umount \"$dir\"; rmdir \"$dir\"; exit $status";
	const char *argv[7 + MOUNTED_WORDS] = { "sh", "-c", script, "sh" };
	char *relative[MOUNTED_WORDS] = { NULL };
	CLEANUP(free_ptr) char *device = NULL, *options = NULL;
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	struct dry_mount m;
	size_t n = 7, under;
	int rc = 0;

	if (!shell_mount_of(s, path, &m))
		return -1;
	device = shell_device(s, m.volume);
	if (!device)
		return -1;
	if (s->readonly && !(options = shell_mount_options(s, &m)))
		return shell_nomem(s);
	for (size_t i = s->nmounted; i && !options; i--)
		if (strcmp(s->mounted[i - 1].path, m.path) == 0)
			options = alloc_strdup(s->mounted[i - 1].options);
	/* Which subvolume an inspection has mounted is not known here. */
	if (!options && m.subvolume)
		return shell_error(s, "%s: its filesystem has subvolumes and was mounted by inspection: \"mount\" it",
				   m.path);
	under = strcmp(m.path, "/") == 0 ? 0 : strlen(m.path);
	argv[4] = options ? options : "";
	argv[5] = device;
	/* The agent mounts all three by one driver, and another one finds the device busy. */
	argv[6] = !m.fs_type							     ? "auto"
		  : strcmp(m.fs_type, "ext2") == 0 || strcmp(m.fs_type, "ext3") == 0 ? "ext4"
										     : m.fs_type;
	for (size_t i = 0; i < MOUNTED_WORDS - 1 && words[i] && rc == 0; i++) {
		argv[n] = words[i];
		if (*words[i] == '/') {
			if (strncmp(words[i], m.path, under) != 0 || (words[i][under] && words[i][under] != '/'))
				rc = shell_error(s, "%s: it is on another filesystem than %s", words[i], path);
			relative[i] = rc ? NULL : alloc_printf(".%s", words[i] + under);
			if (rc == 0 && !relative[i])
				rc = shell_nomem(s);
			argv[n] = relative[i];
		}
		n++;
	}
	argv[n] = NULL;
	if (rc == 0)
		rc = shell_tool(s, argv, NULL, quiet ? &said : NULL);
	for (size_t i = 0; i < MOUNTED_WORDS; i++)
		free(relative[i]);
	return rc;
}
#define ON_MOUNT(s, path, ...) on_mount(s, path, (const char *const[]){ __VA_ARGS__, NULL }, true)

static int fstrim(struct shell *s, struct call *c)
{
	return ON_MOUNT(s, c->arg[0], "fstrim", ".");
}

static int xfs_growfs(struct shell *s, struct call *c)
{
	return ON_MOUNT(s, c->arg[0], "xfs_growfs", ".");
}

static int subvolume_create(struct shell *s, struct call *c)
{
	const char *group = shell_opt(s, c, "qgroupid");

	if (group)
		return ON_MOUNT(s, c->arg[0], "btrfs", "subvolume", "create", "-i", group, c->arg[0]);
	return ON_MOUNT(s, c->arg[0], "btrfs", "subvolume", "create", c->arg[0]);
}

static int subvolume_delete(struct shell *s, struct call *c)
{
	return ON_MOUNT(s, c->arg[0], "btrfs", "subvolume", "delete", c->arg[0]);
}

static int subvolume_snapshot(struct shell *s, struct call *c)
{
	bool readonly = false;

	if (shell_opt_truth(s, c, "ro", &readonly))
		return -1;
	if (readonly)
		return ON_MOUNT(s, c->arg[0], "btrfs", "subvolume", "snapshot", "-r", c->arg[0], c->arg[1]);
	return ON_MOUNT(s, c->arg[0], "btrfs", "subvolume", "snapshot", c->arg[0], c->arg[1]);
}

static int subvolume_default(struct shell *s, struct call *c)
{
	return ON_MOUNT(s, c->arg[1], "btrfs", "subvolume", "set-default", c->arg[0], c->arg[1]);
}

static int btrfs_resize(struct shell *s, struct call *c)
{
	const char *size = shell_opt(s, c, "size");
	char word[32] = "max";
	int64_t bytes;

	if (size && (!shell_number(size, &bytes) || bytes <= 0))
		return shell_error(s, "size:%s: it is no size", size);
	if (size)
		snprintf(word, sizeof word, "%" PRId64, bytes);
	return ON_MOUNT(s, c->arg[0], "btrfs", "filesystem", "resize", word, ".");
}

/* Fills what is free with a file of zeros, and removes it. */
static int zero_free_space(struct shell *s, struct call *c)
{
	static const char script[] =
		"f=$(mktemp ./drydock.XXXXXX) || exit 1; dd if=/dev/zero of=\"$f\" bs=1M status=none 2>/dev/null; "
		"sync -f \"$f\"; rm -f \"$f\"";

	return ON_MOUNT(s, c->arg[0], "sh", "-c", script);
}

#define W SHELL_WRITES
static const struct shell_command commands[] = {
	{ "fstrim", NULL, "/mountpoint", "give room that is free back", fstrim, W, NULL },
	{ "zero-free-space", NULL, "/directory", "write zeros over what is free", zero_free_space, W, NULL },
	{ "xfs-growfs", NULL, "/path", "make an XFS filesystem as large as its device", xfs_growfs, W, NULL },
	{ "btrfs-filesystem-resize", NULL, "/mountpoint [size]", "resize a btrfs filesystem", btrfs_resize, W, NULL },
	{ "btrfs-subvolume-create", "btrfs-subvolume-create-opts", "/dest [qgroupid]", "make a subvolume",
	  subvolume_create, W, NULL },
	{ "btrfs-subvolume-delete", NULL, "/subvolume", "remove a subvolume", subvolume_delete, W, NULL },
	{ "btrfs-subvolume-snapshot", "btrfs-subvolume-snapshot-opts", "/source /dest [?ro]",
	  "make a snapshot of a subvolume", subvolume_snapshot, W, NULL },
	{ "btrfs-subvolume-set-default", NULL, "id /fs", "choose the subvolume that is mounted by default",
	  subvolume_default, W, NULL },
};
const struct shell_group shell_mounted_group = SHELL_GROUP("programs of filesystems that are mounted", commands);
