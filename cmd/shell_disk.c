/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_disk.c - commands of the shell that make partitions, volumes and filesystems, by the appliance's programs. */
#include "shell.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>

enum { TOOL_WORDS = 40 };

/* A program's words, of which some are devices by the names of the session. */
struct tool {
	struct shell *s;
	const char *argv[TOOL_WORDS + 1];
	char *owned[TOOL_WORDS];
	size_t n, nowned;
	bool failed; /* a sentence was printed */
	bool quiet;  /* what it prints is not shown */
	const char *input;
};

static void word(struct tool *t, const char *text)
{
	if (t->n < TOOL_WORDS)
		t->argv[t->n++] = text;
	else if (!t->failed)
		t->failed = shell_error(t->s, "too many words") != 0;
}

static void words(struct tool *t, const char *const *list)
{
	for (; *list; list++)
		word(t, *list);
}
#define WORDS(t, ...) words(t, (const char *const[]){ __VA_ARGS__, NULL })

static void owned(struct tool *t, char *text)
{
	if (!text && !t->failed)
		t->failed = shell_nomem(t->s) != 0;
	if (!text || t->nowned == TOOL_WORDS) {
		free(text);
		return;
	}
	t->owned[t->nowned++] = text;
	word(t, text);
}

static void device(struct tool *t, const char *name)
{
	char *path = t->failed ? NULL : shell_device(t->s, name);

	if (path)
		owned(t, path);
	else
		t->failed = true;
}

/* Runs it; `changes`: what lies on the disks is looked at anew. */
static int done(struct tool *t, bool changes)
{
	CLEANUP(strbuf_free) struct strbuf said = STRBUF_INIT;
	int rc = -1;

	t->argv[t->n] = NULL;
	if (!t->failed)
		rc = shell_tool(t->s, t->argv, t->input, t->quiet ? &said : NULL);
	for (size_t i = 0; i < t->nowned; i++)
		free(t->owned[i]);
	return rc == 0 && changes ? shell_rescan(t->s) : rc;
}

/* ---- partitions ---- */

static const char *parttype_of(const char *type)
{
	return strcmp(type, "mbr") == 0 || strcmp(type, "dos") == 0 ? "msdos" : strcmp(type, "efi") == 0 ? "gpt" : type;
}

static void parted(struct tool *t, const char *disk)
{
	WORDS(t, "parted", "-s", "--");
	device(t, disk);
}

static int part_init(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };

	parted(&t, c->arg[0]);
	WORDS(&t, "mklabel", parttype_of(c->arg[1]));
	return done(&t, true);
}

static int part_add(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };
	const char *kind = c->arg[1];

	kind = strcmp(kind, "p") == 0	? "primary"
	       : strcmp(kind, "l") == 0 ? "logical"
	       : strcmp(kind, "e") == 0 ? "extended"
					: kind;
	parted(&t, c->arg[0]);
	WORDS(&t, "mkpart", kind);
	owned(&t, alloc_printf("%" PRId64 "s", c->num[2]));
	owned(&t, alloc_printf("%" PRId64 "s", c->num[3]));
	return done(&t, true);
}

static int part_disk(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };
	const char *type = parttype_of(c->arg[1]);

	parted(&t, c->arg[0]);
	WORDS(&t, "mklabel", type, "mkpart", strcmp(type, "gpt") == 0 ? "p1" : "primary", "128s",
	      strcmp(type, "gpt") == 0 ? "-128s" : "-1s");
	return done(&t, true);
}

static int part_del(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };

	parted(&t, c->arg[0]);
	WORDS(&t, "rm", c->arg[1]);
	return done(&t, true);
}

static int part_set(struct shell *s, struct call *c)
{
	const bool name = strcmp(s->cmd->name, "part-set-name") == 0;
	struct tool t = { .s = s, .quiet = true };

	parted(&t, c->arg[0]);
	if (name)
		WORDS(&t, "name", c->arg[1], c->arg[2]);
	else
		WORDS(&t, "set", c->arg[1], "boot", c->num[2] ? "on" : "off");
	return done(&t, true);
}

static int part_set_type(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	struct tool t = { .s = s, .quiet = true };

	if (strcmp(name, "part-set-gpt-guid") == 0) {
		WORDS(&t, "sfdisk", "--part-uuid");
		device(&t, c->arg[0]);
		WORDS(&t, c->arg[1], c->arg[2]);
	} else {
		WORDS(&t, "sfdisk", "--part-type");
		device(&t, c->arg[0]);
		word(&t, c->arg[1]);
		if (strcmp(name, "part-set-mbr-id") == 0)
			owned(&t, alloc_printf("%" PRIx64, (uint64_t)c->num[2]));
		else
			word(&t, c->arg[2]);
	}
	return done(&t, true);
}

static int part_resize(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };

	parted(&t, c->arg[0]);
	WORDS(&t, "resizepart", c->arg[1]);
	owned(&t, alloc_printf("%" PRId64 "s", c->num[2]));
	return done(&t, true);
}

static int disk_guid(struct shell *s, struct call *c)
{
	const bool set = c->n > 1;
	struct tool t = { .s = s, .quiet = set };

	WORDS(&t, "sfdisk", "--disk-id");
	device(&t, c->arg[0]);
	if (set)
		word(&t, c->arg[1]);
	return done(&t, set);
}

/* ---- filesystems ---- */

static bool is_ext(const char *type)
{
	return strcmp(type, "ext2") == 0 || strcmp(type, "ext3") == 0 || strcmp(type, "ext4") == 0;
}

/* The beginning of making a filesystem; the device comes last. */
static int make_fs(struct shell *s, const char *type, const char *name, const char *label, const char *blocksize,
		   const char *features, const char *inode)
{
	struct tool t = { .s = s, .quiet = true };
	const char *letter = "-L";

	if (is_ext(type)) {
		WORDS(&t, "mke2fs", "-t", type, "-F", "-q");
		if (blocksize)
			WORDS(&t, "-b", blocksize);
		if (inode)
			WORDS(&t, "-I", inode);
		if (features)
			WORDS(&t, "-O", features);
	} else if (strcmp(type, "xfs") == 0) {
		WORDS(&t, "mkfs.xfs", "-f", "-q");
		if (blocksize) {
			word(&t, "-b");
			owned(&t, alloc_printf("size=%s", blocksize));
		}
	} else if (strcmp(type, "btrfs") == 0) {
		WORDS(&t, "mkfs.btrfs", "-f", "-q");
	} else if (strcmp(type, "ntfs") == 0) {
		WORDS(&t, "mkntfs", "-Q", "-F", "-q");
		if (blocksize)
			WORDS(&t, "-c", blocksize);
	} else if (strcmp(type, "vfat") == 0 || strcmp(type, "fat") == 0 || strcmp(type, "msdos") == 0) {
		WORDS(&t, "mkfs.vfat", "-I");
		letter = "-n";
	} else if (strcmp(type, "swap") == 0) {
		WORDS(&t, "mkswap");
	} else if (strcmp(type, "exfat") == 0 || strcmp(type, "jfs") == 0 || strcmp(type, "nilfs2") == 0 ||
		   strcmp(type, "f2fs") == 0) {
		owned(&t, alloc_printf("mkfs.%s", type));
		if (strcmp(type, "f2fs") == 0)
			letter = "-l";
		if (strcmp(type, "jfs") == 0)
			word(&t, "-q");
	} else {
		return shell_error(s, "no filesystem of type \"%s\" can be made", type);
	}
	if ((blocksize && !is_ext(type) && strcmp(type, "xfs") != 0 && strcmp(type, "ntfs") != 0) ||
	    ((features || inode) && !is_ext(type))) {
		for (size_t i = 0; i < t.nowned; i++)
			free(t.owned[i]);
		return shell_error(s, "%s: blocksize, features and inode of this type cannot be chosen here", type);
	}
	if (label)
		WORDS(&t, letter, label);
	device(&t, name);
	return done(&t, true);
}

static int mkfs(struct shell *s, struct call *c)
{
	return make_fs(s, c->arg[0], c->arg[1], shell_opt(s, c, "label"), shell_opt(s, c, "blocksize"),
		       shell_opt(s, c, "features"), shell_opt(s, c, "inode"));
}

static int mkfs_btrfs(struct shell *s, struct call *c)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	struct tool t = { .s = s, .quiet = true };
	const char *why, *label = shell_opt(s, c, "label"), *data = shell_opt(s, c, "datatype"),
			 *meta = shell_opt(s, c, "metadata");

	if (!words_list(c->arg[0], getenv("HOME"), &w, &why))
		return shell_error(s, "%s", why);
	WORDS(&t, "mkfs.btrfs", "-f", "-q");
	if (label)
		WORDS(&t, "-L", label);
	if (data)
		WORDS(&t, "-d", data);
	if (meta)
		WORDS(&t, "-m", meta);
	for (size_t i = 0; i < w.n; i++)
		device(&t, w.word[i]);
	return done(&t, true);
}

static int mkswap(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };
	const char *label = shell_opt(s, c, "label"), *uuid = shell_opt(s, c, "uuid");

	WORDS(&t, "mkswap", "-f");
	if (label)
		WORDS(&t, "-L", label);
	if (uuid)
		WORDS(&t, "-U", uuid);
	device(&t, c->arg[0]);
	return done(&t, true);
}

/* A new label or UUID, by the type of what is there. */
static int set_name(struct shell *s, struct call *c)
{
	const bool label = strcmp(s->cmd->name, "set-label") == 0;
	const struct dry_volume *v = shell_volume(s, c->arg[0]);
	struct tool t = { .s = s, .quiet = true };
	const char *type, *value = label					  ? c->arg[1]
				   : strcmp(s->cmd->name, "set-uuid-random") == 0 ? "random"
										  : c->arg[1];

	if (!v)
		return -1;
	type = v->fs_type ? v->fs_type : "unknown";
	if (is_ext(type)) {
		WORDS(&t, "tune2fs", label ? "-L" : "-U", value);
		device(&t, c->arg[0]);
	} else if (strcmp(type, "xfs") == 0) {
		WORDS(&t, "xfs_admin", label ? "-L" : "-U",
		      label			     ? value
		      : strcmp(value, "random") == 0 ? "generate"
						     : value);
		device(&t, c->arg[0]);
	} else if (strcmp(type, "btrfs") == 0 && label) {
		WORDS(&t, "btrfs", "filesystem", "label");
		device(&t, c->arg[0]);
		word(&t, value);
	} else if (strcmp(type, "btrfs") == 0) {
		if (strcmp(value, "random") == 0)
			WORDS(&t, "btrfstune", "-f", "-u");
		else
			WORDS(&t, "btrfstune", "-f", "-U", value);
		device(&t, c->arg[0]);
	} else if (strcmp(type, "swap") == 0 && strcmp(value, "random") != 0) {
		WORDS(&t, "swaplabel", label ? "-L" : "-U", value);
		device(&t, c->arg[0]);
	} else if (strcmp(type, "ntfs") == 0 && label) {
		word(&t, "ntfslabel");
		device(&t, c->arg[0]);
		word(&t, value);
	} else if (strcmp(type, "vfat") == 0 && label) {
		word(&t, "fatlabel");
		device(&t, c->arg[0]);
		word(&t, value);
	} else {
		return shell_error(s, "%s: a filesystem of type \"%s\" gets no other %s here", c->arg[0], type,
				   label ? "label" : "UUID");
	}
	return done(&t, true);
}

/* One program with one device: its words are in the row's second table. */
static const struct {
	const char *name;
	const char *argv[8];
	bool quiet, changes;
} simple[] = {
	{ "resize2fs", { "resize2fs", "-f" }, true, true },
	{ "resize2fs-M", { "resize2fs", "-f", "-M" }, true, true },
	{ "tune2fs-l", { "tune2fs", "-l" }, false, false },
	{ "ntfsfix", { "ntfsfix" }, true, false },
	{ "xfs-repair", { "xfs_repair" }, true, false },
	{ "wipefs", { "wipefs", "-a" }, true, true },
	{ "pvcreate", { "lvm", "pvcreate", "-f", "-y" }, true, true },
	{ "pvremove", { "lvm", "pvremove", "-f", "-y" }, true, true },
	{ "pvresize", { "lvm", "pvresize" }, true, true },
	{ "lvremove", { "lvm", "lvremove", "-f" }, true, true },
	{ "blockdev-rereadpt", { "blockdev", "--rereadpt" }, true, true },
	{ "blockdev-flushbufs", { "blockdev", "--flushbufs" }, true, false },
	{ "blkdiscard", { "blkdiscard" }, true, true },
	{ "blockdev-getss", { "blockdev", "--getss" }, false, false },
	{ "blockdev-getbsz", { "blockdev", "--getbsz" }, false, false },
	{ "part-expand-gpt", { "sgdisk", "-e" }, true, true },
	{ "part-set-disk-guid-random", { "sgdisk", "-G" }, true, true },
	{ "md-detail", { "mdadm", "--detail" }, false, false },
	{ "md-stop", { "mdadm", "--stop" }, true, true },
};

static int run_simple(struct shell *s, struct call *c)
{
	struct tool t = { .s = s };
	bool changes = false;

	for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
		if (strcmp(simple[i].name, s->cmd->name) != 0)
			continue;
		words(&t, simple[i].argv);
		t.quiet = simple[i].quiet;
		changes = simple[i].changes;
	}
	device(&t, c->arg[0]);
	return done(&t, changes);
}

static int e2fsck(struct shell *s, struct call *c)
{
	const char *const *mend;
	/* 1 and 2 say that it was mended. */
	static const char script[] = "e2fsck -f \"$@\"; status=$?; test $status -le 2 && exit 0; exit $status";
	static const char *const correct[] = { "-p", NULL }, *const all[] = { "-y", NULL },
				 *const none[] = { "-n", NULL };
	struct tool t = { .s = s, .quiet = true };
	bool c1 = false, c2 = false;

	if (shell_opt_truth(s, c, "correct", &c1) || shell_opt_truth(s, c, "forceall", &c2))
		return -1;
	if (c1 && c2)
		return shell_error(s, "only one of the options 'correct' and 'forceall' may be specified");
	mend = c2 ? all : c1 ? correct : none;
	WORDS(&t, "sh", "-c", script, "sh", mend[0]);
	device(&t, c->arg[0]);
	return done(&t, false);
}

static int resize2fs_size(struct shell *s, struct call *c)
{
	struct tool t = { .s = s, .quiet = true };

	WORDS(&t, "resize2fs", "-f");
	device(&t, c->arg[0]);
	owned(&t, alloc_printf("%" PRId64 "K", c->num[1] / 1024));
	return done(&t, true);
}

static int ntfsresize(struct shell *s, struct call *c)
{
	const char *size = shell_opt(s, c, "size");
	struct tool t = { .s = s, .quiet = true, .input = "y\n" };
	int64_t bytes;

	WORDS(&t, "ntfsresize", "-f", "-f");
	if (size && !shell_number(size, &bytes))
		return shell_error(s, "size:%s: it is no number", size);
	if (size) {
		word(&t, "-s");
		owned(&t, alloc_printf("%" PRId64, bytes));
	}
	device(&t, c->arg[0]);
	return done(&t, true);
}

/* fsck fstype device: prints the status of the type's own program. */
static int fsck(struct shell *s, struct call *c)
{
	struct tool t = { .s = s };

	WORDS(&t, "sh", "-c", "fsck -a -t \"$1\" \"$2\" >&2; s=$?; [ $s = 0 ] && echo 0 || printf '0x%x\\n' $s", "sh", c->arg[0]);
	device(&t, c->arg[1]);
	return done(&t, false);
}

static int zero_device(struct shell *s, struct call *c)
{
	const bool begin = strcmp(s->cmd->name, "zero") == 0;
	struct tool t = { .s = s, .quiet = true };

	/* The end of the device is where it stops: that is no failure. */
	WORDS(&t, "sh", "-c",
	      begin ? "dd if=/dev/zero of=\"$1\" bs=4096 count=32 2>/dev/null"
		    : "blkdiscard -z \"$1\" || dd if=/dev/zero of=\"$1\" bs=1M 2>/dev/null; sync",
	      "sh");
	device(&t, c->arg[0]);
	return done(&t, true);
}

/* ---- LVM, LUKS, arrays ---- */

static int vgcreate(struct shell *s, struct call *c)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	struct tool t = { .s = s, .quiet = true };
	const char *why;

	if (!words_list(c->arg[1], getenv("HOME"), &w, &why))
		return shell_error(s, "%s", why);
	WORDS(&t, "lvm", "vgcreate", c->arg[0]);
	for (size_t i = 0; i < w.n; i++)
		device(&t, w.word[i]);
	return done(&t, true);
}

static int lvcreate(struct shell *s, struct call *c)
{
	const bool part = strcmp(s->cmd->name, "lvcreate-free") == 0;
	struct tool t = { .s = s, .quiet = true };

	if (c->num[2] < 0 || (part && c->num[2] > 100))
		return shell_error(s, "%s: no size", c->arg[2]);
	WORDS(&t, "lvm", "lvcreate", "-y", "-Zn", "-Wn", part ? "-l" : "-L");
	owned(&t, part ? alloc_printf("%" PRId64 "%%FREE", c->num[2]) : alloc_printf("%" PRId64 "m", c->num[2]));
	WORDS(&t, "-n", c->arg[0], c->arg[1]);
	return done(&t, true);
}

static int lvresize(struct shell *s, struct call *c)
{
	const bool part = strcmp(s->cmd->name, "lvresize-free") == 0;
	struct tool t = { .s = s, .quiet = true };

	if (c->num[1] < 0)
		return shell_error(s, "%s: no size", c->arg[1]);
	WORDS(&t, "lvm", "lvresize", "--force", part ? "-l" : "-L");
	owned(&t, part ? alloc_printf("+%" PRId64 "%%FREE", c->num[1]) : alloc_printf("%" PRId64 "m", c->num[1]));
	device(&t, c->arg[0]);
	return done(&t, true);
}

/* Commands of LVM about names, which are no devices. */
static int lvm_names(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	struct tool t = { .s = s, .quiet = true };

	word(&t, "lvm");
	if (strcmp(name, "vg-activate-all") == 0)
		WORDS(&t, "vgchange", c->num[0] ? "-ay" : "-an");
	else if (strcmp(name, "vg-activate") == 0)
		WORDS(&t, "vgchange", c->num[0] ? "-ay" : "-an");
	else if (strcmp(name, "vgremove") == 0)
		WORDS(&t, "vgremove", "-f");
	else
		word(&t, name);
	for (size_t i = strncmp(name, "vg-", 3) == 0; i < c->n; i++)
		word(&t, c->arg[i]);
	return done(&t, true);
}

static int md_create(struct shell *s, struct call *c)
{
	CLEANUP(words_free) struct words w = { .word = NULL };
	struct tool t = { .s = s, .quiet = true };
	const char *why, *level = shell_opt(s, c, "level"), *chunk = shell_opt(s, c, "chunk");
	int64_t bytes = 0;

	if (!words_list(c->arg[1], getenv("HOME"), &w, &why))
		return shell_error(s, "%s", why);
	if (chunk && !shell_number(chunk, &bytes))
		return shell_error(s, "chunk:%s: it is no number", chunk);
	WORDS(&t, "mdadm", "--create", "--run", c->arg[0], "--level", level ? level : "raid1");
	if (chunk) {
		word(&t, "--chunk");
		owned(&t, alloc_printf("%" PRId64, bytes / 1024));
	}
	word(&t, "--raid-devices");
	owned(&t, alloc_printf("%zu", w.n));
	for (size_t i = 0; i < w.n; i++)
		device(&t, w.word[i]);
	return done(&t, true);
}

#define W SHELL_WRITES
#define M SHELL_MACHINE
#define SIMPLE(n, h) SIMPLE_OF(n, h, W)
#define LOOKS(n, h) SIMPLE_OF(n, h, M)
#define SIMPLE_OF(n, h, needs)                                                                                                   \
	{                                                                                                              \
		n, NULL, "=device", h, run_simple, needs, NULL                                                             \
	}
static const struct shell_command commands[] = {
	{ "part-init", NULL, "=device parttype", "make an empty partition table: gpt or mbr", part_init, W, NULL },
	{ "part-add", NULL, "=device prlogex #startsect #endsect", "add a partition, by its first and last sector",
	  part_add, W, NULL },
	{ "part-disk", NULL, "=device parttype", "make a partition table with one partition", part_disk, W, NULL },
	{ "part-del", NULL, "=device #partnum", "remove a partition", part_del, W, NULL },
	{ "part-resize", NULL, "=device #partnum #endsect", "make a partition longer or shorter", part_resize, W,
	  NULL },
	{ "part-set-bootable", NULL, "=device #partnum ?bootable", "mark a partition as the one to boot from", part_set,
	  W, NULL },
	{ "part-set-name", NULL, "=device #partnum name", "name a partition in a GPT table", part_set, W, NULL },
	{ "part-set-mbr-id", NULL, "=device #partnum #idbyte", "set the type of a partition in an MBR table",
	  part_set_type, W, NULL },
	{ "part-set-gpt-type", NULL, "=device #partnum guid", "set the type of a partition in a GPT table",
	  part_set_type, W, NULL },
	{ "part-set-gpt-guid", NULL, "=device #partnum guid", "set the UUID of a partition in a GPT table",
	  part_set_type, W, NULL },
	SIMPLE("part-expand-gpt", "move the second table of a GPT disk to its end"),
	SIMPLE("part-set-disk-guid-random", "give a GPT disk a new UUID"),
	{ "part-set-disk-guid", NULL, "=device guid", "set the UUID of a GPT disk", disk_guid, W, NULL },
	{ "part-get-disk-guid", NULL, "=device", "the UUID of a GPT disk", disk_guid, M, NULL },
	LOOKS("blockdev-getss", "the size of a device's sectors"),
	LOOKS("blockdev-getbsz", "the size of a device's blocks"),
	SIMPLE("blockdev-rereadpt", "look at the partition table anew"),
	SIMPLE("blockdev-flushbufs", "write what is in memory to a device"),
	{ "mkfs", NULL, "fstype =device [blocksize] [features] [inode] [label]", "make a filesystem", mkfs, W, NULL },
	{ "mkfs-btrfs", NULL, "*devices [datatype] [label] [metadata]", "make a btrfs filesystem of several devices",
	  mkfs_btrfs, W, NULL },
	{ "mkswap", NULL, "=device [label] [uuid]", "make a swap partition", mkswap, W, NULL },
	{ "set-label", NULL, "=mountable label", "give a filesystem another label", set_name, W, NULL },
	{ "set-uuid", NULL, "=device uuid", "give a filesystem another UUID", set_name, W, NULL },
	{ "set-uuid-random", NULL, "=device", "give a filesystem a new UUID", set_name, W, NULL },
	{ "e2fsck", NULL, "=device [?correct] [?forceall]", "check an ext2, ext3 or ext4 filesystem", e2fsck, W, NULL },
	{ "fsck", NULL, "fstype =device", "check a filesystem: the status of its own program", fsck, W, NULL },
	SIMPLE("resize2fs", "make an ext2, ext3 or ext4 filesystem as large as its device"),
	SIMPLE("resize2fs-M", "make an ext2, ext3 or ext4 filesystem as small as it can be"),
	{ "resize2fs-size", NULL, "=device #size", "make an ext2, ext3 or ext4 filesystem of this size", resize2fs_size,
	  W, NULL },
	LOOKS("tune2fs-l", "what the superblock of an ext2, ext3 or ext4 filesystem says"),
	{ "ntfsresize", NULL, "=device [size]", "resize an NTFS filesystem", ntfsresize, W, NULL },
	SIMPLE("ntfsfix", "mend small faults of an NTFS filesystem"),
	SIMPLE("xfs-repair", "mend an XFS filesystem"),
	SIMPLE("wipefs", "remove what tells that a filesystem is there"),
	SIMPLE("blkdiscard", "throw away what a device holds"),
	{ "zero", NULL, "=device", "write zeros over the beginning of a device", zero_device, W, NULL },
	{ "zero-device", NULL, "=device", "write zeros over all of a device", zero_device, W, NULL },
	SIMPLE("pvcreate", "make an LVM physical volume"),
	SIMPLE("pvremove", "remove an LVM physical volume"),
	SIMPLE("pvresize", "make an LVM physical volume as large as its device"),
	{ "vgcreate", NULL, "volgroup *physvols", "make an LVM volume group", vgcreate, W, NULL },
	{ "vgremove", NULL, "vgname", "remove an LVM volume group", lvm_names, W, NULL },
	{ "vgrename", NULL, "volgroup newvolgroup", "rename an LVM volume group", lvm_names, W, NULL },
	{ "vg-activate-all", NULL, "?activate", "activate all LVM volume groups, or none", lvm_names, W, NULL },
	{ "vg-activate", NULL, "?activate volgroups...", "activate some LVM volume groups, or none of them", lvm_names,
	  W, NULL },
	{ "lvcreate", NULL, "logvol volgroup #mbytes", "make an LVM logical volume", lvcreate, W, NULL },
	{ "lvcreate-free", NULL, "logvol volgroup #percent", "make an LVM logical volume of what is free", lvcreate, W,
	  NULL },
	{ "lvresize", NULL, "=device #mbytes", "resize an LVM logical volume", lvresize, W, NULL },
	{ "lvresize-free", NULL, "=lv #percent", "make an LVM logical volume larger by what is free", lvresize, W,
	  NULL },
	SIMPLE("lvremove", "remove an LVM logical volume"),
	{ "lvrename", NULL, "logvol newlogvol", "rename an LVM logical volume", lvm_names, W, NULL },
	{ "md-create", NULL, "name *devices [level] [chunk]", "make an array", md_create, W, NULL },
	LOOKS("md-detail", "what is known of an array"),
	SIMPLE("md-stop", "stop an array"),
};
const struct shell_group shell_disk_group = SHELL_GROUP("making partitions, volumes and filesystems", commands);
