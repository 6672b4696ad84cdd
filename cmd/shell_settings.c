/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_settings.c - commands of the shell about itself: what is set before the launch, and what it can do. */
#include "shell.h"

#include "alloc.h"
#include "text.h"

static int set_memsize(struct shell *s, struct call *c)
{
	if (c->num[0] < 16 || c->num[0] > 1 << 20)
		return shell_error(s, "%s: that many MiB make no machine", c->arg[0]);
	s->opts->machine.memory = (uint64_t)c->num[0] << 20;
	return 0;
}

static int get_memsize(struct shell *s, struct call *c)
{
	(void)c;
	shell_printf(s, "%llu\n", (unsigned long long)(s->opts->machine.memory >> 20));
	return 0;
}

static int set_smp(struct shell *s, struct call *c)
{
	if (c->num[0] < 1 || c->num[0] > 255)
		return shell_error(s, "%s: from 1 to 255 processors", c->arg[0]);
	s->opts->machine.smp = (unsigned)c->num[0];
	return 0;
}

static int get_smp(struct shell *s, struct call *c)
{
	(void)c;
	shell_printf(s, "%u\n", s->opts->machine.smp ? s->opts->machine.smp : 1);
	return 0;
}

static int set_network(struct shell *s, struct call *c)
{
	s->opts->machine.network = c->num[0];
	return 0;
}

static int get_network(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, s->opts->machine.network);
}

static int set_verbose(struct shell *s, struct call *c)
{
	s->opts->verbose = c->num[0];
	return 0;
}

static int get_verbose(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, s->opts->verbose);
}

static int set_trace(struct shell *s, struct call *c)
{
	s->trace = c->num[0];
	return 0;
}

static int get_trace(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, s->trace);
}

static int get_autosync(struct shell *s, struct call *c)
{
	(void)c;
	return shell_bool(s, true);
}

static int set_autosync(struct shell *s, struct call *c)
{
	return c->num[0] ? 0 : shell_error(s, "what is changed is kept as a whole, or dropped with \"abandon\"");
}

/* Folders of the host, by the variables that tell them to the peer. */
static int get_folder(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name, *value = getenv("TMPDIR");

	(void)c;
	if (strcmp(name, "get-cachedir") == 0 && getenv("LIBGUESTFS_CACHEDIR"))
		value = getenv("LIBGUESTFS_CACHEDIR");
	if (strcmp(name, "get-tmpdir") == 0 && getenv("LIBGUESTFS_TMPDIR"))
		value = getenv("LIBGUESTFS_TMPDIR");
	if (!value || !*value)
		value = strcmp(name, "get-tmpdir") == 0 ? "/tmp" : "/var/tmp";
	shell_line(s, value);
	return 0;
}

static int set_tmpdir(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };

	return setenv("TMPDIR", c->arg[0], 1) < 0 || host_setenv(s->host, "TMPDIR", c->arg[0], &e) < 0 ? shell_nomem(s)
												       : 0;
}

/* The machine is started by this process: what the peer calls "direct". */
static int get_backend(struct shell *s, struct call *c)
{
	(void)c;
	shell_line(s, "direct");
	return 0;
}

static int set_backend(struct shell *s, struct call *c)
{
	return strcmp(c->arg[0], "direct") == 0
		       ? 0
		       : shell_error(s, "invalid backend: %s: machines are started directly here", c->arg[0]);
}

static int get_program(struct shell *s, struct call *c)
{
	(void)c;
	shell_line(s, s->name);
	return 0;
}

/* The variables that the peer's library looks at when it begins. */
static int parse_environment(struct shell *s, struct call *c)
{
	const char *debug = getenv("LIBGUESTFS_DEBUG"), *trace = getenv("LIBGUESTFS_TRACE"),
		   *memory = getenv("LIBGUESTFS_MEMSIZE");
	bool on;
	uint64_t mib;

	(void)c;
	if (debug && (!shell_truth(debug, &on) || (s->opts->verbose = on, false)))
		return shell_error(s, "LIBGUESTFS_DEBUG=%s: non-boolean value", debug);
	if (trace && (!shell_truth(trace, &on) || (s->trace = on, false)))
		return shell_error(s, "LIBGUESTFS_TRACE=%s: non-boolean value", trace);
	if (memory && (!text_parse_u64(memory, &mib) || mib < 16 || mib > 1 << 20))
		return shell_error(s, "LIBGUESTFS_MEMSIZE=%s: that many MiB make no machine", memory);
	if (memory)
		s->opts->machine.memory = mib << 20;
	return 0;
}

/* ---- what it can do ---- */

/*
 * Groups of commands as the peer has them, and the program of the appliance that they need: "": none, NULL: the
 * commands of this group are not here.
 */
static const struct {
	const char *name, *program;
} features[] = {
	{ "acl", NULL },
	{ "augeas", "augtool" },
	{ "blkdiscard", "blkdiscard" },
	{ "blkdiscardzeroes", NULL },
	{ "btrfs", "btrfs" },
	{ "clevisluks", NULL },
	{ "extlinux", NULL },
	{ "f2fs", "mkfs.f2fs" },
	{ "fstrim", "fstrim" },
	{ "gdisk", "sgdisk" },
	{ "grub", NULL },
	{ "hivex", NULL },
	{ "inotify", NULL },
	{ "journal", NULL },
	{ "ldm", NULL },
	{ "libtsk", NULL },
	{ "libyara", NULL },
	{ "linuxcaps", NULL },
	{ "linuxfsuuid", "tune2fs" },
	{ "linuxmodules", NULL },
	{ "linuxxattrs", "" },
	{ "luks", "cryptsetup" },
	{ "lvm2", "lvm" },
	{ "mdadm", "mdadm" },
	{ "mknod", "" },
	{ "ntfs3g", "ntfs-3g" },
	{ "ntfsprogs", "ntfsresize" },
	{ "realpath", "" },
	{ "rsync", NULL },
	{ "scrub", NULL },
	{ "selinux", NULL },
	{ "selinuxrelabel", NULL },
	{ "sleuthkit", NULL },
	{ "squashfs", NULL },
	{ "syslinux", NULL },
	{ "wipefs", "wipefs" },
	{ "xfs", "xfs_repair" },
	{ "xz", "xz" },
	{ "zerofree", NULL },
};

/* A truth that a small script of the appliance finds; -1 with a sentence. */
static int ask_appliance(struct shell *s, const char *script, const char *word)
{
	const char *const argv[] = { "sh", "-c", script, "sh", word, NULL };
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;

	if (shell_tool(s, argv, NULL, &out))
		return -1;
	return out.len && *out.s == 'y';
}

/* 1, 0, or -1 with a sentence.  Where the session only reads, no program is needed for what it does. */
static int has_feature(struct shell *s, size_t i)
{
	if (!features[i].program || !*features[i].program || !s->c)
		return features[i].program != NULL;
	return ask_appliance(s, "command -v \"$1\" >/dev/null && echo y || echo n", features[i].program);
}

/* available, feature-available: by the command's name. */
static int available(struct shell *s, struct call *c)
{
	const bool fail = strcmp(s->cmd->name, "available") == 0;
	CLEANUP(words_free) struct words w = { .word = NULL };
	const char *why;
	bool all = true;

	if (!words_list(c->arg[0], getenv("HOME"), &w, &why))
		return shell_error(s, "%s", why);
	for (size_t k = 0; k < w.n; k++) {
		size_t i = 0;
		int has;

		while (i < ARRAY_LEN(features) && strcmp(features[i].name, w.word[k]) != 0)
			i++;
		if (i == ARRAY_LEN(features))
			return shell_error(s, "%s: unknown group", w.word[k]);
		has = has_feature(s, i);
		if (has < 0)
			return -1;
		if (!has && fail)
			return shell_error(s, "%s: group not available", w.word[k]);
		all &= has;
	}
	return fail ? 0 : shell_bool(s, all);
}

static int all_groups(struct shell *s, struct call *c)
{
	(void)c;
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		shell_line(s, features[i].name);
	return 0;
}

static int supported(struct shell *s, struct call *c)
{
	(void)c;
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		const int has = has_feature(s, i);

		if (has < 0)
			return -1;
		shell_printf(s, "%16s %s\n", features[i].name, has ? "yes" : "no");
	}
	return 0;
}

static int filesystem_available(struct shell *s, struct call *c)
{
	const int has = ask_appliance(
		s, "modprobe -q \"$1\" 2>/dev/null; grep -qw \"$1\" /proc/filesystems && echo y || echo n", c->arg[0]);

	return has < 0 ? -1 : shell_bool(s, has);
}

static const struct shell_command commands[] = {
	{ "set-memsize", "memsize", "#mebibytes", "memory of the machine", set_memsize, SHELL_FREE | SHELL_EARLY,
	  NULL },
	{ "get-memsize", NULL, NULL, "memory of the machine in MiB; 0: as it needs", get_memsize, SHELL_FREE, NULL },
	{ "set-smp", "smp", "#number", "processors of the machine", set_smp, SHELL_FREE | SHELL_EARLY, NULL },
	{ "get-smp", NULL, NULL, "processors of the machine", get_smp, SHELL_FREE, NULL },
	{ "set-network", "network", "?network", "may the machine reach the network?", set_network,
	  SHELL_FREE | SHELL_EARLY, NULL },
	{ "get-network", NULL, NULL, "may the machine reach the network?", get_network, SHELL_FREE, NULL },
	{ "set-verbose", "verbose", "?verbose", "tell what is done", set_verbose, SHELL_FREE, NULL },
	{ "get-verbose", NULL, NULL, "is it told what is done?", get_verbose, SHELL_FREE, NULL },
	{ "set-trace", "trace", "?trace", "print each command before it is run", set_trace, SHELL_FREE, NULL },
	{ "get-trace", NULL, NULL, "are commands printed?", get_trace, SHELL_FREE, NULL },
	{ "get-autosync", NULL, NULL, "is all written at the end?", get_autosync, SHELL_FREE, NULL },
	{ "set-autosync", "autosync", "?autosync", "only true: all is written at the end", set_autosync, SHELL_FREE,
	  NULL },
	{ "get-tmpdir", NULL, NULL, "the folder for temporary files", get_folder, SHELL_FREE, NULL },
	{ "set-tmpdir", NULL, "~tmpdir", "use this folder for temporary files", set_tmpdir, SHELL_FREE | SHELL_HOST,
	  NULL },
	{ "get-cachedir", NULL, NULL, "the folder for larger temporary files", get_folder, SHELL_FREE, NULL },
	{ "get-backend", NULL, NULL, "how machines are started: direct", get_backend, SHELL_FREE, NULL },
	{ "set-backend", NULL, "backend", "only direct: how machines are started", set_backend,
	  SHELL_FREE | SHELL_EARLY, NULL },
	{ "get-program", NULL, NULL, "the name of this program", get_program, SHELL_FREE, NULL },
	{ "parse-environment", NULL, NULL, "follow LIBGUESTFS_DEBUG, _TRACE and _MEMSIZE", parse_environment,
	  SHELL_FREE, NULL },
	{ "feature-available", NULL, "*groups", "are these groups of commands here?", available, 0, NULL },
	{ "available", NULL, "*groups", "fail unless these groups of commands are here", available, 0, NULL },
	{ "available-all-groups", NULL, NULL, "the groups of commands", all_groups, SHELL_FREE, NULL },
	{ "supported", NULL, NULL, "which groups of commands are here", supported, 0, NULL },
	{ "filesystem-available", NULL, "filesystem", "has the machine's kernel this filesystem?", filesystem_available,
	  SHELL_MACHINE, NULL },
};
const struct shell_group shell_settings_group = SHELL_GROUP("settings, and what there is", commands);
