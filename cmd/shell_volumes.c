/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_volumes.c - commands of the shell that tell of disks, partitions, volumes and what is on them. */
#include "shell.h"

#include "alloc.h"
#include "virt.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

/* ---- by their names ---- */

static const struct dry_volume *volume_named(struct shell *s, const char *name, size_t *index)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	CLEANUP(free_ptr) char *own = NULL;
	size_t n;

	name = shell_real_name(s, name);
	/* As Linux names disks of other kinds: "/dev/vda1" is "/dev/sda1". */
	if ((strncmp(name, "/dev/vd", 7) == 0 || strncmp(name, "/dev/hd", 7) == 0) && islower((unsigned char)name[7]))
		own = alloc_printf("/dev/sd%s", name + 7);
	if (dry_guest_volumes(s->g, &v, &n, &e) < 0) {
		shell_error(s, "%s", e.msg);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		bool same = strcmp(v[i].name, name) == 0 || (own && strcmp(v[i].name, own) == 0);

		for (size_t k = 0; k < v[i].naliases && !same; k++)
			same = strcmp(v[i].aliases[k], name) == 0;
		if (same) {
			*index = i;
			return &v[i];
		}
	}
	return NULL;
}

bool shell_is_disk(struct shell *s, const char *name, struct dry_disk *out, size_t *index)
{
	for (size_t i = 0; dry_guest_disk(s->g, i, out); i++) {
		*index = i;
		if (strcmp(out->device, name) == 0)
			return true;
		if ((strncmp(name, "/dev/vd", 7) == 0 || strncmp(name, "/dev/hd", 7) == 0) &&
		    strcmp(out->device + 7, name + 7) == 0)
			return true;
	}
	return false;
}

bool shell_has_volume(struct shell *s, const char *name)
{
	size_t index;

	return volume_named(s, name, &index);
}

const struct dry_volume *shell_volume(struct shell *s, const char *name)
{
	size_t index;
	const struct dry_volume *v = volume_named(s, name, &index);

	if (!v)
		shell_error(s, "%s: %s", name, strerror(ENOENT));
	return v;
}

bool shell_disk(struct shell *s, const char *name, struct dry_disk *out, size_t *index)
{
	if (shell_is_disk(s, name, out, index))
		return true;
	shell_error(s, "%s: %s", name, strerror(ENOENT));
	return false;
}

char *shell_device(struct shell *s, const char *name)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	struct dry_disk d;
	size_t disk, n;
	char *device = NULL, *end;

	if (dry_change_device(s->c, shell_real_name(s, name), &device, &e) >= 0)
		return device;
	/* An array that holds nothing yet is known there by the name that it was given. */
	v = volume_named(s, name, &disk);
	for (size_t i = 0; v && strcmp(v->scheme, "md") == 0 && i < v->naliases; i++)
		if (strncmp(v->aliases[i], "/dev/md/", 8) == 0)
			return alloc_strdup(v->aliases[i]);
	if (v) {
		shell_fail(s, name, &e);
		return NULL;
	}
	if (!shell_is_disk(s, name, &d, &disk)) {
		shell_error(s, "%s: %s", name, strerror(ENOENT));
		return NULL;
	}
	/* A disk with partitions is none of the volumes: it has the name of each partition without its number. */
	if (dry_guest_volumes(s->g, &v, &n, NULL) >= 0) {
		for (size_t i = 0; i < n; i++) {
			if (v[i].disk != disk || !v[i].number || dry_change_device(s->c, v[i].name, &device, NULL) < 0)
				continue;
			for (end = device + strlen(device); end > device && isdigit((unsigned char)end[-1]);)
				*--end = '\0';
			return device;
		}
	}
	device = alloc_printf("/dev/vd%s", d.device + strlen("/dev/sd"));
	if (!device)
		shell_nomem(s);
	return device;
}

int shell_rescan(struct shell *s)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_mount m;

	/* With something mounted it has to wait: what is there is known still. */
	if (!s->c || dry_guest_mount_at(s->g, 0, &m))
		return 0;
	return dry_change_rescan(s->c, &e) < 0 ? shell_error(s, "%s", e.msg) : 0;
}

/* ---- lists ---- */

static int list_devices(struct shell *s, struct call *c)
{
	struct dry_disk d;

	(void)c;
	for (size_t i = 0; dry_guest_disk(s->g, i, &d); i++)
		shell_line(s, d.device);
	return 0;
}

static int nr_devices(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t n = 0;

	(void)c;
	while (dry_guest_disk(s->g, n, &d))
		n++;
	shell_printf(s, "%zu\n", n);
	return 0;
}

/* Partitions, or volumes of one kind: by the command's name. */
static int list_volumes(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	const char *scheme = strcmp(name, "lvs") == 0 ? "lvm" : strcmp(name, "list-md-devices") == 0 ? "md" : NULL;
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	size_t n;

	(void)c;
	if (dry_guest_volumes(s->g, &v, &n, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		if (scheme ? strcmp(v[i].scheme, scheme) == 0 && !v[i].dormant : v[i].number != 0)
			shell_line(s, v[i].name);
	return 0;
}

static int list_groups(struct shell *s, struct call *c)
{
	const bool members = strcmp(s->cmd->name, "pvs") == 0;
	struct dry_error e = { .code = DRY_OK };
	const struct dry_group *groups;
	const struct dry_volume *v;
	size_t n, nvols;

	(void)c;
	if (dry_guest_volumes(s->g, &v, &nvols, &e) < 0 || dry_guest_groups(s->g, &groups, &n, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < nvols && members; i++)
		if (v[i].fs_type && strcmp(v[i].fs_type, "LVM2_member") == 0)
			shell_line(s, v[i].name);
	for (size_t i = 0; i < n && !members; i++)
		if (strcmp(groups[i].scheme, "lvm") == 0)
			shell_line(s, groups[i].name);
	return 0;
}

static void print_subvolume(void *arg, const char *name)
{
	shell_printf(arg, "%s: btrfs\n", name);
}

static int list_filesystems(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	size_t n, nvols;
	CLEANUP(free_ptr) size_t *order = virt_filesystem_order(s->g, &n, &e);

	(void)c;
	if (!order || dry_guest_volumes(s->g, &v, &nvols, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		shell_printf(s, "%s: %s\n", shell_shown_name(s, v[order[i]].name),
			     v[order[i]].fs_type ? v[order[i]].fs_type : "unknown");
		virt_subvolumes(s->g, order[i], print_subvolume, s);
	}
	return 0;
}

/* ---- one of them ---- */

static int vfs_fact(struct shell *s, struct call *c)
{
	const struct dry_volume *v = shell_volume(s, c->arg[0]);
	const char *name = s->cmd->name, *text;

	if (!v)
		return -1;
	text = strcmp(name, "vfs-label") == 0 ? v->fs_label : strcmp(name, "vfs-uuid") == 0 ? v->fs_uuid : v->fs_type;
	shell_line(s, text ? text : "");
	return 0;
}

static int blkid(struct shell *s, struct call *c)
{
	const struct dry_volume *v = shell_volume(s, c->arg[0]);
	const struct {
		const char *name, *value;
	} facts[] = { { "LABEL", v ? v->fs_label : NULL },
		      { "UUID", v ? v->fs_uuid : NULL },
		      { "TYPE", v ? v->fs_type : NULL },
		      { "PARTLABEL", v ? v->part_label : NULL },
		      { "PARTUUID", v ? v->part_uuid : NULL } };

	for (size_t i = 0; v && i < ARRAY_LEN(facts); i++)
		if (facts[i].value && *facts[i].value)
			shell_printf(s, "%s: %s\n", facts[i].name, facts[i].value);
	return v ? 0 : -1;
}

static int device_size(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t index;
	uint64_t size;

	if (shell_is_disk(s, c->arg[0], &d, &index)) {
		size = d.size;
	} else {
		const struct dry_volume *v = shell_volume(s, c->arg[0]);

		if (!v)
			return -1;
		size = v->size;
	}
	shell_printf(s, "%" PRIu64 "\n", strcmp(s->cmd->name, "blockdev-getsz") == 0 ? size / 512 : size);
	return 0;
}

static int find_by(struct shell *s, struct call *c)
{
	const bool label = strcmp(s->cmd->name, "findfs-label") == 0;
	struct dry_error e = { .code = DRY_OK };
	const struct dry_volume *v;
	size_t n;

	if (dry_guest_volumes(s->g, &v, &n, &e) < 0)
		return shell_error(s, "%s", e.msg);
	for (size_t i = 0; i < n; i++) {
		const char *has = label ? v[i].fs_label : v[i].fs_uuid;

		if (has && !v[i].snapshot && strcmp(has, c->arg[0]) == 0) {
			shell_line(s, v[i].name);
			return 0;
		}
	}
	return shell_error(s, "unable to resolve '%s=%s'", label ? "LABEL" : "UUID", c->arg[0]);
}

static int canonical(struct shell *s, struct call *c)
{
	size_t index;
	struct dry_disk d;
	const struct dry_volume *v;

	if (shell_is_disk(s, c->arg[0], &d, &index))
		shell_line(s, d.device);
	else if ((v = volume_named(s, c->arg[0], &index)))
		shell_line(s, v->name);
	else
		shell_line(s, c->arg[0]);
	return 0;
}

static int is_lv(struct shell *s, struct call *c)
{
	const struct dry_volume *v = shell_volume(s, c->arg[0]);

	return v ? shell_bool(s, strcmp(v->scheme, "lvm") == 0) : -1;
}

static int is_whole_device(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t index;

	return shell_is_disk(s, c->arg[0], &d, &index) || shell_volume(s, c->arg[0])
		       ? shell_bool(s, shell_is_disk(s, c->arg[0], &d, &index))
		       : -1;
}

static int device_index(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t index;

	if (!shell_disk(s, c->arg[0], &d, &index))
		return -1;
	shell_printf(s, "%zu\n", index);
	return 0;
}

static int subvolume_list(struct shell *s, struct call *c)
{
	const struct dry_subvolume *sub;
	struct dry_mount m;
	struct dry_error e = { .code = DRY_OK };
	size_t index, n;

	if (!volume_named(s, c->arg[0], &index)) {
		if (!shell_mount_of(s, c->arg[0], &m))
			return -1;
		index = m.volume_index;
	}
	if (dry_guest_subvolumes(s->g, index, &sub, &n, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	for (size_t i = 0; i < n; i++)
		shell_printf(s, "[%zu] = {\n  btrfssubvolume_id: %" PRIu64 "\n  btrfssubvolume_path: %s\n}\n", i,
			     sub[i].id, sub[i].path);
	return 0;
}

/* ---- partitions ---- */

/* The next partition of a disk from *i on; NULL: there is none. */
static const struct dry_volume *partition(struct shell *s, size_t disk, size_t *i)
{
	const struct dry_volume *v;
	size_t n;

	if (dry_guest_volumes(s->g, &v, &n, NULL) < 0)
		return NULL;
	for (; *i < n; (*i)++)
		if (v[*i].disk == disk && v[*i].number)
			return &v[(*i)++];
	return NULL;
}

static int part_list(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t disk, at = 0, i = 0;
	const struct dry_volume *v;

	if (!shell_disk(s, c->arg[0], &d, &disk))
		return -1;
	for (; (v = partition(s, disk, &at)); i++)
		shell_printf(s,
			     "[%zu] = {\n  part_num: %u\n  part_start: %" PRIu64 "\n  part_end: %" PRIu64
			     "\n  part_size: %" PRIu64 "\n}\n",
			     i, v->number, v->off, v->off + v->size - 1, v->size);
	return 0;
}

static int parttype(struct shell *s, struct call *c)
{
	struct dry_disk d;
	size_t disk, at = 0;
	const struct dry_volume *v;

	if (!shell_disk(s, c->arg[0], &d, &disk))
		return -1;
	v = partition(s, disk, &at);
	if (!v)
		return shell_error(s, "%s: there is no partition on it", c->arg[0]);
	shell_line(s, strcmp(v->scheme, "mbr") == 0 ? "msdos" : v->scheme);
	return 0;
}

/* A fact of a partition by its number: by the command's name. */
static int part_fact(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	struct dry_disk d;
	size_t disk, at = 0;
	const struct dry_volume *v;

	if (!shell_disk(s, c->arg[0], &d, &disk))
		return -1;
	while ((v = partition(s, disk, &at)) && v->number != c->num[1])
		;
	if (!v)
		return shell_error(s, "%s: there is no partition %s", c->arg[0], c->arg[1]);
	if (strcmp(name, "part-get-bootable") == 0)
		return shell_bool(s, v->bootable);
	if (strcmp(name, "part-get-mbr-part-type") == 0) {
		shell_line(s, v->extended				       ? "extended"
			      : v->number > 4 && strcmp(v->scheme, "mbr") == 0 ? "logical"
									       : "primary");
		return 0;
	}
	if (strcmp(name, "part-get-mbr-id") == 0) {
		if (strcmp(v->scheme, "mbr") != 0)
			return shell_error(s, "%s: it has no MBR partition table", c->arg[0]);
		shell_printf(s, s->peer ? "0x%x\n" : "0x%02x\n", v->mbr_type);
		return 0;
	}
	if (strcmp(v->scheme, "gpt") != 0)
		return shell_error(s, "%s: it has no GPT partition table", c->arg[0]);
	if (strcmp(name, "part-get-name") == 0) {
		shell_line(s, v->part_label ? v->part_label : "");
		return 0;
	}
	{
		const char *uuid = strcmp(name, "part-get-gpt-type") == 0 ? v->part_type : v->part_uuid;

		for (; uuid && *uuid; uuid++)
			shell_printf(s, "%c", toupper((unsigned char)*uuid));
		shell_printf(s, "\n");
	}
	return 0;
}

static int part_to(struct shell *s, struct call *c)
{
	const bool number = strcmp(s->cmd->name, "part-to-partnum") == 0;
	const struct dry_volume *v = shell_volume(s, c->arg[0]);
	struct dry_disk d;

	if (!v)
		return -1;
	if (!v->number || !dry_guest_disk(s->g, v->disk, &d))
		return shell_error(s, "%s: device name is not a partition", c->arg[0]);
	if (number)
		shell_printf(s, "%u\n", v->number);
	else
		shell_line(s, d.device);
	return 0;
}

#define VFS(n, h)                                                                                                      \
	{                                                                                                              \
		n, NULL, "=mountable", h, vfs_fact, 0, NULL                                                            \
	}
#define PART(n, h)                                                                                                     \
	{                                                                                                              \
		n, NULL, "=device #partnum", h, part_fact, 0, NULL                                                     \
	}
static const struct shell_command commands[] = {
	{ "list-devices", NULL, NULL, "the disks", list_devices, 0, NULL },
	{ "nr-devices", NULL, NULL, "how many disks there are", nr_devices, 0, NULL },
	{ "device-index", NULL, "=device", "which of the disks it is, from 0", device_index, 0, NULL },
	{ "list-partitions", NULL, NULL, "the partitions", list_volumes, 0, NULL },
	{ "list-filesystems", NULL, NULL, "the filesystems and their types", list_filesystems, 0, NULL },
	{ "list-md-devices", NULL, NULL, "the arrays", list_volumes, 0, NULL },
	{ "pvs", NULL, NULL, "the physical volumes of LVM", list_groups, 0, NULL },
	{ "vgs", NULL, NULL, "the volume groups of LVM", list_groups, 0, NULL },
	{ "lvs", NULL, NULL, "the logical volumes of LVM", list_volumes, 0, NULL },
	{ "is-lv", NULL, "=mountable", "is it a logical volume?", is_lv, 0, NULL },
	{ "is-whole-device", NULL, "=device", "is it a disk, not a part of one?", is_whole_device, 0, NULL },
	{ "canonical-device-name", NULL, "=device", "the name under which a device is listed", canonical, 0, NULL },
	VFS("vfs-type", "the type of a filesystem"),
	VFS("vfs-label", "the label of a filesystem"),
	VFS("vfs-uuid", "the UUID of a filesystem"),
	{ "blkid", NULL, "=device", "what is known of what is on a device", blkid, 0, NULL },
	{ "findfs-label", NULL, "label", "the filesystem of this label", find_by, 0, NULL },
	{ "findfs-uuid", NULL, "uuid", "the filesystem of this UUID", find_by, 0, NULL },
	{ "blockdev-getsize64", NULL, "=device", "the size of a device in bytes", device_size, 0, NULL },
	{ "blockdev-getsz", NULL, "=device", "the size of a device in units of 512 bytes", device_size, 0, NULL },
	{ "btrfs-subvolume-list", NULL, "=fs", "the subvolumes of a filesystem, by its device", subvolume_list, 0,
	  NULL },
	{ "part-list", NULL, "=device", "the partitions of a disk", part_list, 0, NULL },
	{ "part-get-parttype", NULL, "=device", "the kind of a disk's partition table", parttype, 0, NULL },
	PART("part-get-bootable", "is a partition marked as the one to boot from?"),
	PART("part-get-mbr-id", "the type of a partition in an MBR table"),
	PART("part-get-mbr-part-type", "primary, extended or logical"),
	PART("part-get-gpt-type", "the type of a partition in a GPT table"),
	PART("part-get-gpt-guid", "the UUID of a partition in a GPT table"),
	PART("part-get-name", "the name of a partition in a GPT table"),
	{ "part-to-dev", NULL, "=partition", "the disk that a partition is on", part_to, 0, NULL },
	{ "part-to-partnum", NULL, "=partition", "the number of a partition", part_to, 0, NULL },
};
const struct shell_group shell_volumes_group = SHELL_GROUP("disks, partitions and volumes", commands);
