/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rm.c - drydock rm: files and trees of a guest removed. */
#include "change_words.h"

#include <stdio.h>
#include <sys/stat.h>

struct rm {
	struct change_opts change;
	bool recursive, force, dirs;
};

static int remove_one(struct change_job *job, const struct rm *c, const char *path)
{
	char name[DRY_NAME_SIZE];
	struct dry_node dir, node;
	struct dry_stat st;
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (c->recursive) {
		rc = dry_change_remove_tree(job->c, path, &e);
		if (rc == -DRY_NOT_FOUND && c->force)
			return 0;
		return rc < 0 ? change_fail(job, &e) : 0;
	}
	rc = dry_guest_lookup(job->g, path, false, &node, &e);
	if (rc == -DRY_NOT_FOUND && c->force)
		return 0;
	if (rc >= 0)
		rc = dry_change_parent(job->c, path, &dir, name, &e);
	if (rc < 0)
		return change_fail(job, &e);
	rc = dry_node_stat(job->g, node, &st, &e);
	if (rc >= 0 && S_ISDIR(st.mode) && !c->dirs) {
		guest_say(job->ref, "%s is a directory; -r removes it with all in it", path);
		return EXIT_FAILED;
	}
	if (rc >= 0)
		rc = S_ISDIR(st.mode) ? dry_change_rmdir(job->c, dir, name, &e) : dry_change_unlink(job->c, dir, name, &e);
	return rc < 0 ? change_fail_path(job, path, &e) : 0;
}

static int run(void *arg, int argc, char **argv)
{
	struct rm *c = arg;
	struct change_job job;
	int status;

	if (!argc)
		return cmd_usage("rm", "name what is to be removed, as in IMAGE:/path");
	status = change_begin("rm", &c->change, argc, argv, NULL, &job);
	for (size_t i = 0; i < job.set.nitems && !status; i++)
		status = remove_one(&job, c, change_path(&job, i));
	return change_end(&job, status);
}

int cmd_rm(int argc, char **argv)
{
	struct rm c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "rm", "[options] IMAGE:/PATH...", "Removes files of a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 0),
		OPT_FLAG('r', "recursive", &c.recursive, "directories, with all in them"),
		OPT_FLAG(0, "force", &c.force, "what is not there is no error"),
		OPT_FLAG('d', "dir", &c.dirs, "empty directories, too"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
