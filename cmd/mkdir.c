/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mkdir.c - drydock mkdir: directories in a guest. */
#include "change_opts.h"
#include "change_words.h"

struct mkdir {
	struct change_opts change;
	bool parents;
	const char *mode, *owner;
};

static int make(struct change_job *job, const struct mkdir *c, const struct dry_owner *o, const char *path)
{
	char name[DRY_NAME_SIZE];
	struct dry_node dir;
	struct dry_error e = { .code = DRY_OK };

	if (c->parents)
		return dry_change_make_folders(job->c, path, o, &e) < 0 ? change_fail(job, &e) : 0;
	if (dry_change_parent(job->c, path, &dir, name, &e) < 0)
		return change_fail(job, &e);
	return dry_change_mkdir(job->c, dir, name, o, NULL, &e) < 0 ? change_fail_path(job, path, &e) : 0;
}

static int work(struct change_job *job, const struct mkdir *c)
{
	struct dry_owner o = { .mode = 0755 };
	int status = 0;

	if (c->mode)
		status = change_mode("mkdir", c->mode, 0777, true, &o.mode);
	if (!status && c->owner)
		status = change_owner(job, c->owner, &o.uid, &o.gid);
	for (size_t i = 0; i < job->set.nitems && !status; i++)
		status = make(job, c, &o, change_path(job, i));
	return status;
}

static int run(void *arg, int argc, char **argv)
{
	struct mkdir *c = arg;
	struct change_job job;
	int status;

	if (!argc)
		return cmd_usage("mkdir", "name a directory, as in IMAGE:/path");
	status = change_begin("mkdir", &c->change, argc, argv, NULL, &job);
	return change_end(&job, status ? status : work(&job, c));
}

int cmd_mkdir(int argc, char **argv)
{
	struct mkdir c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "mkdir", "[options] IMAGE:/PATH...", "Makes directories in a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG(0, "parents", &c.parents, "also those above it that are missing; one that is there is no error"),
		OPT_STRING(0, "mode", "MODE", &c.mode, "permissions, as chmod(1) takes them; 0755"),
		OPT_STRING(0, "owner", "USER[:GROUP]", &c.owner, "owner, by the guest's names or by numbers; root"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
