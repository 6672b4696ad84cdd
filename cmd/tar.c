/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar.c - drydock tar: a tree of a guest as a tar archive (what is in it is guest_tar.c's), or one unpacked in a guest
 * (tar_in.c).
 */
#include "alloc.h"
#include "guest_tar.h"
#include "json.h"
#include "out.h"
#include "tar_in.h"

#include <string.h>
#include <unistd.h>

struct tar_command {
	struct change_opts change;
	struct guest_tar tar;
	struct opt_list exclude;
	const char *output, *extract;
};

static int write_archive(struct tar_command *c, struct guest_set *set)
{
	const struct guest_confine confine = { .write_dir = c->tar.folder };
	bool fatal;
	int status = guest_set_open(&c->change.guest, &confine, set, &fatal);

	if (status)
		return status;
	c->tar.ref = &set->guests[0];
	c->tar.guest = guest_ready(&c->change.guest, set, 0);
	return c->tar.guest ? guest_tar(&c->tar, set->items[0].path ? set->items[0].path : "/") : EXIT_FAILED;
}

static int tell(const struct tar_command *c, const struct guest_set *set)
{
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text, false);

	json_object(&j, NULL);
	json_str(&j, "image", set->guests[0].label);
	json_str(&j, "path", set->items[0].path ? set->items[0].path : "/");
	json_str(&j, "archive", c->output);
	json_u64(&j, "bytes", c->tar.written);
	json_bool(&j, "complete", !c->tar.failed);
	json_object_end(&j);
	strbuf_putc(&text, '\n');
	return out_flush(&text);
}

static int extract(struct tar_command *c, int argc, char **argv)
{
	if (strcmp(c->output, "-") != 0 || c->exclude.n || c->tar.one_fs || c->tar.times || c->tar.ntfs_xattrs)
		return cmd_usage("tar", "-o, --exclude, -x, --times and --xattrs are for writing an archive, not for --extract");
	return tar_in(&c->change, c->extract, c->tar.no_xattrs, argc, argv);
}

static int run(struct tar_command *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	int status;

	if (c->extract)
		return extract(c, argc, argv);
	if (c->change.dry_run || c->change.undo || c->change.progress != PROGRESS_AUTO)
		return cmd_usage("tar", "--dry-run, --undo-file and --progress go with --extract");
	if (c->change.inspect && c->change.guest.mounts.n)
		return cmd_usage("tar", "-i and -m exclude each other");
	status = guest_set_paths("tar", &c->change.guest, argc, argv, &set);
	if (!status && set.nitems != 1)
		status = cmd_usage("tar", "an archive holds one tree: name one, as in IMAGE:/path");
	if (!status && strcmp(c->output, "-") == 0 && isatty(STDOUT_FILENO))
		status = cmd_usage("tar", "an archive is not for a terminal; -o names a file");
	if (!status && c->change.json && strcmp(c->output, "-") == 0)
		status = cmd_usage("tar", "--json and an archive cannot both go to standard output; -o names a file");
	if (status)
		return status;
	c->tar.exclude = &c->exclude;
	c->tar.no_acls = c->tar.no_selinux = c->tar.no_xattrs;
	status = guest_tar_open(&c->tar, c->output);
	if (!status)
		status = write_archive(c, &set);
	status |= guest_tar_close(&c->tar);
	return c->change.json && !c->tar.stopped && set.nitems ? status | tell(c, &set) : status;
}

int cmd_tar(int argc, char **argv)
{
	struct tar_command c = { .change = CHANGE_OPTS_INIT, .output = "-", .tar = GUEST_TAR_INIT };
	const struct usage u = { "tar", "[options] IMAGE[:/PATH]",
				 "Writes a tree of a guest as a tar archive, or unpacks one in a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_STRING('o', "output", "FILE", &c.output, "write here and not to standard output"),
		OPT_STRING(0, "extract", "FILE", &c.extract, "unpack this archive (-: standard input) in the guest"),
		OPT_LIST(0, "exclude", "PATTERN", &c.exclude, "leave out what has such a name, or with / such a path"),
		OPT_FLAG('x', "one-file-system", &c.tar.one_fs, "leave out what is mounted below"),
		OPT_FLAG(0, "times", &c.tar.times, "keep times of access and change too"),
		OPT_FLAG(0, "no-xattrs", &c.tar.no_xattrs, "keep no extended attributes and ACLs"),
		OPT_FLAG(0, "xattrs", &c.tar.ntfs_xattrs, "keep those that only NTFS has too"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, opts, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		status = run(&c, argc, argv);
		break;
	case OPTS_BAD:
		break;
	}
	opt_list_free(&c.exclude);
	change_opts_free(&c.change);
	return status;
}
