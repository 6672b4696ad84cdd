/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chmod.c - drydock chmod: permissions of files of a guest. */
#include "change_words.h"

#include <stdio.h>
#include <sys/stat.h>

struct chmod {
	struct change_opts change;
	bool recursive;
	const char *mode;
	struct change_job *job;
	int status;
};

static int change_one(struct chmod *c, const char *path, struct dry_node node, const struct dry_stat *st)
{
	struct dry_error e = { .code = DRY_OK };
	uint32_t mode;

	change_mode_parse(c->mode, st->mode, S_ISDIR(st->mode), &mode);
	if (dry_change_chmod(c->job->c, node, mode, &e) < 0)
		return change_fail_path(c->job, path, &e);
	return 0;
}

/* The permissions of a symlink are not changed, nor those of what it leads to. */
static int visit(void *arg, const struct dry_entry *ent)
{
	struct chmod *c = arg;

	if (!S_ISLNK(ent->stat.mode))
		c->status = change_one(c, ent->path, ent->node, &ent->stat);
	return c->status ? DRY_WALK_STOP : DRY_WALK_ON;
}

static int work(struct chmod *c, const char *path)
{
	const struct dry_walk walk = { .max_depth = DRY_DEPTH_ALL, .fn = visit, .arg = c };
	struct dry_error e = { .code = DRY_OK };
	struct dry_node node;
	struct dry_stat st;
	int status;

	if (c->recursive)
		return dry_guest_walk(c->job->g, path, &walk, &e) < 0 ? change_fail(c->job, &e) : c->status;
	status = change_stat(c->job, path, true, &node, &st);
	return status ? status : change_one(c, path, node, &st);
}

static int run(void *arg, int argc, char **argv)
{
	struct chmod *c = arg;
	struct change_job job;
	uint32_t unused;
	int status;

	if (argc < 2)
		return cmd_usage("chmod", "name the mode, and files, as in IMAGE:/path");
	c->mode = argv[0];
	status = change_mode("chmod", c->mode, 0, false, &unused);
	if (status)
		return status;
	status = change_begin("chmod", &c->change, argc - 1, argv + 1, NULL, &job);
	c->job = &job;
	for (size_t i = 0; i < job.set.nitems && !status; i++)
		status = work(c, change_path(&job, i));
	return change_end(&job, status);
}

int cmd_chmod(int argc, char **argv)
{
	struct chmod c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "chmod", "[options] MODE IMAGE:/PATH...", "Changes the permissions of files of a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG('R', "recursive", &c.recursive, "directories, with all in them"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
