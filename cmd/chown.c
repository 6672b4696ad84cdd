/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chown.c - drydock chown: owners of files of a guest. */
#include "change_words.h"

#include <stdio.h>
#include <sys/stat.h>

struct chown {
	struct change_opts change;
	bool recursive, no_dereference;
	uint32_t uid, gid; /* UINT32_MAX: left as it is */
	struct change_job *job;
	int status;
};

static int change_one(struct chown *c, const char *path, struct dry_node node)
{
	struct dry_error e = { .code = DRY_OK };

	return dry_change_chown(c->job->c, node, c->uid, c->gid, &e) < 0 ? change_fail_path(c->job, path, &e) : 0;
}

/* A symlink itself, and never what it leads to. */
static int visit(void *arg, const struct dry_entry *ent)
{
	struct chown *c = arg;

	c->status = change_one(c, ent->path, ent->node);
	return c->status ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int work(struct chown *c, const char *path)
{
	const struct dry_walk walk = { .max_depth = DRY_DEPTH_ALL, .fn = visit, .arg = c };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node node;
	struct dry_stat st;
	int status;

	if (c->recursive)
		return dry_guest_walk(c->job->g, path, &walk, &e) < 0 ? change_fail(c->job, &e) : c->status;
	status = change_stat(c->job, path, !c->no_dereference, &node, &st);
	return status ? status : change_one(c, path, node);
}

static int run(void *arg, int argc, char **argv)
{
	struct chown *c = arg;
	struct change_job job;
	int status;

	if (argc < 2)
		return cmd_usage("chown", "name the owner, and files, as in IMAGE:/path");
	c->uid = c->gid = UINT32_MAX;
	status = change_begin("chown", &c->change, argc - 1, argv + 1, NULL, &job);
	c->job = &job;
	if (!status)
		status = change_owner(&job, argv[0], &c->uid, &c->gid);
	for (size_t i = 0; i < job.set.nitems && !status; i++)
		status = work(c, change_path(&job, i));
	return change_end(&job, status);
}

int cmd_chown(int argc, char **argv)
{
	struct chown c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "chown", "[options] USER[:GROUP] IMAGE:/PATH...", "Changes the owners of files of a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG('R', "recursive", &c.recursive, "directories, with all in them"),
		OPT_FLAG('h', "no-dereference", &c.no_dereference, "a symbolic link itself, not what it leads to"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
