/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ln.c - drydock ln: links in a guest. */
#include "change_words.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct ln {
	struct change_opts change;
	bool symbolic, force;
	const char *target; /* of a symlink: text */
};

/* Makes room for the link: what has the name goes, unless it is a directory. */
static int make_room(struct change_job *job, struct dry_node dir, const char *name, const char *path, struct dry_error *e)
{
	struct dry_node there;
	struct dry_stat st;
	int rc = dry_guest_lookup(job->g, path, false, &there, e);

	if (rc == -DRY_NOT_FOUND)
		return 0;
	if (rc >= 0)
		rc = dry_node_stat(job->g, there, &st, e);
	/* A directory is left to fail: the kernel's words are right. */
	return rc < 0 || S_ISDIR(st.mode) ? rc : dry_change_unlink(job->c, dir, name, e);
}

static int work(struct change_job *job, const struct ln *c)
{
	const struct dry_owner root = { .mode = 0777 };
	const char *path = change_path(job, job->set.nitems - 1);
	char name[DRY_NAME_SIZE];
	struct dry_node dir, node;
	struct dry_error e = { .code = DRY_OK };

	if (!c->symbolic && dry_guest_lookup(job->g, change_path(job, 0), false, &node, &e) < 0)
		return change_fail(job, &e);
	if (dry_change_parent(job->c, path, &dir, name, &e) < 0)
		return change_fail(job, &e);
	if (c->force && make_room(job, dir, name, path, &e) < 0)
		return change_fail_path(job, path, &e);
	if (c->symbolic ? dry_change_symlink(job->c, dir, name, c->target, &root, NULL, &e) < 0 :
			  dry_change_link(job->c, node, dir, name, &e) < 0)
		return change_fail_path(job, path, &e);
	return 0;
}

static int run(void *arg, int argc, char **argv)
{
	struct ln *c = arg;
	struct change_job job;
	int status;

	if (argc != 2)
		return cmd_usage("ln", "name what is linked to, and the link");
	if (c->symbolic && !*argv[0])
		return cmd_usage("ln", "a symbolic link has a target");
	/* What a symbolic link says is text, whatever it looks like. */
	c->target = argv[0];
	status = change_begin("ln", &c->change, c->symbolic ? 1 : 2, c->symbolic ? argv + 1 : argv, NULL, &job);
	return change_end(&job, status ? status : work(&job, c));
}

int cmd_ln(int argc, char **argv)
{
	struct ln c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "ln", "[options] IMAGE:/PATH IMAGE:/LINK | -s TARGET IMAGE:/LINK", "Makes a link in a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG('s', "symbolic", &c.symbolic, "a symbolic link, which says TARGET"),
		OPT_FLAG(0, "force", &c.force, "replace what has the name, unless it is a directory"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
