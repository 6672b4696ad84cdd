/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tar.c - drydock tar: a tree of a guest as a tar archive.  What is in it is guest_tar.c's; the file it goes to is ours. */
#include "alloc.h"
#include "guest_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct tar_command {
	struct guest_opts guest;
	struct guest_tar tar;
	struct opt_list exclude;
	const char *output;
	/* the file: it has a temporary name in its folder until it is whole */
	int folder;
	const char *name;
	char temporary[300];
};

static int open_stdout(struct tar_command *c)
{
	if (isatty(STDOUT_FILENO))
		return cmd_usage("tar", "an archive is not for a terminal; -o names a file");
	c->tar.fd = STDOUT_FILENO;
	c->tar.fd_name = "standard output";
	return 0;
}

static int open_failed(const struct tar_command *c)
{
	cmd_warn("%s: %s", c->output, strerror(errno));
	return EXIT_FAILED;
}

/* Before confinement: the file, or for a file that is new or replaced its folder and a temporary one in that. */
static int open_output(struct tar_command *c)
{
	const char *slash = c->output ? strrchr(c->output, '/') : NULL;
	CLEANUP(free_ptr) char *folder = NULL;
	struct stat st;

	if (!c->output || strcmp(c->output, "-") == 0)
		return open_stdout(c);
	c->tar.fd_name = c->output;
	if (stat(c->output, &st) == 0 && !S_ISREG(st.st_mode)) {
		c->tar.fd = open(c->output, O_WRONLY | O_CLOEXEC);
		return c->tar.fd < 0 ? open_failed(c) : 0;
	}
	folder = !slash ? alloc_strdup(".") : alloc_strndup(c->output, (size_t)(slash - c->output) + 1);
	c->name = slash ? slash + 1 : c->output;
	if (!folder) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	c->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->folder < 0)
		return open_failed(c);
	snprintf(c->temporary, sizeof c->temporary, ".%.200s.drydock-%ld", c->name, (long)getpid());
	c->tar.fd = openat(c->folder, c->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return c->tar.fd < 0 ? open_failed(c) : 0;
}

/* The archive gets its name when it is whole and stable.  What could not be read was told, and is no reason to lose the rest. */
static int finish_output(struct tar_command *c)
{
	if (c->folder < 0)
		return 0;
	if (!c->tar.stopped && (fsync(c->tar.fd) < 0 || renameat(c->folder, c->temporary, c->folder, c->name) < 0)) {
		cmd_warn("%s: %s", c->output, strerror(errno));
		c->tar.stopped = true;
	}
	if (c->tar.stopped)
		unlinkat(c->folder, c->temporary, 0);
	return c->tar.stopped ? EXIT_FAILED : 0;
}

static int run(struct tar_command *c, int argc, char **argv)
{
	CLEANUP(guest_set_free) struct guest_set set = { .guests = NULL };
	struct guest_confine confine = { .write_dir = -1 };
	bool fatal;
	int status;

	status = guest_set_paths("tar", &c->guest, argc, argv, &set);
	if (!status && set.nitems != 1)
		status = cmd_usage("tar", "an archive holds one tree: name one, as in IMAGE:/path");
	if (status)
		return status;
	c->tar.stopped = true;
	status = open_output(c);
	confine.write_dir = c->folder;
	if (!status)
		status = guest_set_open(&c->guest, &confine, &set, &fatal);
	if (!status) {
		c->tar.ref = &set.guests[0];
		c->tar.guest = guest_ready(&c->guest, &set, 0);
		c->tar.exclude = &c->exclude;
		c->tar.stopped = !c->tar.guest;
		status = c->tar.guest ? guest_tar(&c->tar, set.items[0].path ? set.items[0].path : "/") : EXIT_FAILED;
	}
	if (c->tar.fd >= 0)
		status |= finish_output(c);
	return status;
}

int cmd_tar(int argc, char **argv)
{
	struct tar_command c = { .folder = -1, .tar = { .fd = -1 } };
	const struct usage u = { "tar", "[options] IMAGE[:/PATH]", "Writes a tree of a guest as a tar archive." };
	const struct opt opts[] = {
		GUEST_OPTS(&c.guest),
		GUEST_OPT_DOMAIN(&c.guest, 'd'),
		GUEST_OPT_MOUNT(&c.guest),
		OPT_STRING('o', "output", "FILE", &c.output, "write here and not to standard output"),
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
	if (c.tar.fd != STDOUT_FILENO)
		close_fd(&c.tar.fd);
	close_fd(&c.folder);
	opt_list_free(&c.exclude);
	guest_opts_free(&c.guest);
	return status;
}
