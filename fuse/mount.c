/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount.c - the commands "mount", "commit-mount" and "unmount". */
#include "mount_run.h"

#include "alloc.h"
#include "text.h"

#include <fcntl.h>
#include <stdio.h>

struct options {
	struct mount_run run;
	struct opt_list fuse, uids, gids;
	uint64_t ready_fd;
};

static int run(struct options *c, int argc, char **argv)
{
	struct mount_run *r = &c->run;
	const char *why;
	int status;

	if (argc == 0)
		return cmd_usage("mount", "name an image and a folder");
	r->mountpoint = argv[--argc];
	if (!r->opts->images.n && !r->opts->domains.n && argc == 0)
		return cmd_usage("mount", "name an image before the folder \"%s\"", r->mountpoint);
	/* All operands before the folder are disks of one guest. */
	for (int i = 0; i < argc; i++)
		if (!opt_list_add(&r->opts->images, argv[i]))
			return EXIT_FAILED;
	if ((r->discard || r->commit_every) && (!r->write || r->blocks))
		return cmd_usage("mount", "--discard and --commit-every are for files that are written to: -w without --blocks");
	if (r->discard && r->commit_every)
		return cmd_usage("mount", "--discard and --commit-every exclude each other");
	if (r->live && (r->write || r->blocks || r->opts->engine == DRY_ENGINE_APPLIANCE))
		return cmd_usage("mount", "--live is for files that are read by our own readers: not with -w, --blocks or "
					  "--engine=appliance");
	/* Whoever changes it has locked it. */
	r->opts->image.force_share |= r->live;
	if (r->blocks && r->opts->mounts.n)
		return cmd_usage("mount", "with --blocks nothing is mounted: -m has no place there");
	r->f = libfuse_load(&why);
	if (!r->f) {
		cmd_warn("mounting needs libfuse3: %s", why);
		return EXIT_FAILED;
	}
	status = mount_opts_parse("drydock mount", r->f, &c->fuse, &r->mount);
	if (!status)
		status = mount_opts_map("drydock mount", &c->uids, &r->mount.uids);
	if (!status)
		status = mount_opts_map("drydock mount", &c->gids, &r->mount.gids);
	if (!status)
		status = guest_set_images("mount", r->opts, 0, argv, &r->set);
	if (!status && r->set.nguests != 1)
		status = cmd_usage("mount", "one guest is given, not %zu", r->set.nguests);
	return status ? status : mount_run(r);
}

int cmd_mount(int argc, char **argv)
{
	struct guest_opts opts = { .engine = DRY_ENGINE_AUTO };
	struct options c = { .run = MOUNT_RUN_INIT("drydock", &opts), .ready_fd = UINT64_MAX };
	const struct usage u = { "mount", "[options] IMAGE... FOLDER", "Shows the files of a guest below a folder." };
	const struct opt table[] = {
		GUEST_OPTS(&opts),
		GUEST_OPT_DOMAIN(&opts, 'd'),
		GUEST_OPT_MOUNT(&opts),
		OPT_LIST('o', "options", "OPTION,...", &c.fuse, "options of the mount: allow_other, uid=N ..."),
		OPT_LIST(0, "map-uids", "GUEST:HOST[:N]", &c.uids, "show these users of the guest as those of the host"),
		OPT_LIST(0, "map-gids", "GUEST:HOST[:N]", &c.gids, "show these groups of the guest as those of the host"),
		OPT_FLAG(0, "blocks", &c.run.blocks, "show disks, partitions, volumes and snapshots as files of their bytes"),
		OPT_FLAG('w', "rw", &c.run.write, "for writing, by the appliance; kept as a whole when it is unmounted"),
		OPT_FLAG(0, "live", &c.run.live, "others change the images: look anew each time, keep nothing"),
		OPT_U64(0, "commit-every", "SECONDS", &c.run.commit_every, "with -w: keep what was written so far this often"),
		OPT_FLAG(0, "discard", &c.run.discard, "with -w: throw away what was written when it is unmounted"),
		OPT_FLAG(0, "foreground", &c.run.foreground, "end when the mount ends, not when it is there"),
		OPT_U64(0, "ready-fd", "FD", &c.ready_fd, "write a byte to this descriptor when the mount is there"),
		OPT_STRING(0, "pid-file", "FILE", &c.run.pid_file, "the process that is gone when the images are released"),
		OPT_END,
	};
	int status = EXIT_USAGE;

	switch (opts_parse(&u, table, &argc, &argv)) {
	case OPTS_DONE:
		status = EXIT_DONE;
		break;
	case OPTS_OK:
		if (c.ready_fd != UINT64_MAX && (c.ready_fd > 1 << 20 || fcntl((int)c.ready_fd, F_GETFD) < 0)) {
			status = cmd_usage("mount", "--ready-fd: no such descriptor is open");
			break;
		}
		c.run.ready_fd = c.ready_fd == UINT64_MAX ? -1 : (int)c.ready_fd;
		status = cmd_done(run(&c, argc, argv));
		break;
	case OPTS_BAD:
		break;
	}
	opt_list_free(&c.fuse);
	opt_list_free(&c.uids);
	opt_list_free(&c.gids);
	mount_run_free(&c.run);
	guest_opts_free(&opts);
	return status;
}

int cmd_unmount(int argc, char **argv)
{
	const struct usage u = { "unmount", "[options] FOLDER...", "Takes mounts away, when nobody uses them any more." };
	uint64_t retries = 5;
	const struct opt table[] = {
		OPT_U64(0, "retry", "N", &retries, "try so many times more, a second apart, while it is busy; 5"),
		OPT_END,
	};
	int status = EXIT_DONE;

	switch (opts_parse(&u, table, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc == 0)
		return cmd_usage("unmount", "name a folder");
	for (int i = 0; i < argc; i++)
		if (unmount("drydock", argv[i], (unsigned)MIN_OF(retries, 1000000u), false) != UNMOUNT_DONE)
			status = EXIT_FAILED;
	return status;
}

int cmd_commit_mount(int argc, char **argv)
{
	const struct usage u = { "commit-mount", "FOLDER...", "Puts what was written below mounts into their images; they stay." };
	const struct opt table[] = { OPT_END };
	int status = EXIT_DONE;

	switch (opts_parse(&u, table, &argc, &argv)) {
	case OPTS_DONE:
		return EXIT_DONE;
	case OPTS_BAD:
		return EXIT_USAGE;
	case OPTS_OK:
		break;
	}
	if (argc == 0)
		return cmd_usage("commit-mount", "name a folder");
	for (int i = 0; i < argc; i++) {
		switch (mount_commit("drydock", argv[i], false)) {
		case COMMIT_DONE:
			break;
		case COMMIT_NOTHING:
			cmd_warn("%s: no guest that is written to is mounted there", argv[i]);
			status = EXIT_FAILED;
			break;
		case COMMIT_FAILED:
			status = EXIT_FAILED;
			break;
		}
	}
	return status;
}
