/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mv.c - drydock mv: new names for files of a guest. */
#include "alloc.h"
#include "change_words.h"
#include "guest_move.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct mv {
	struct change_opts change;
	bool no_clobber, no_target;
};

/* Is there a folder, links followed? */
static bool is_folder(struct change_job *job, const char *path, struct dry_node *node)
{
	struct dry_stat st;

	return dry_guest_lookup(job->g, path, true, node, NULL) >= 0 && dry_node_stat(job->g, *node, &st, NULL) >= 0 &&
	       S_ISDIR(st.mode);
}

/* Where a name would have to cross from one filesystem to another. */
static int move_across(struct change_job *job, const struct mv *c, const char *path, const char *target, const char *name)
{
	CLEANUP(free_ptr) char *to = name ? alloc_printf("%s/%s", target, name) : alloc_strdup(target);
	struct dry_error e = { .code = DRY_OK };

	if (!to)
		return cmd_warn("out of memory"), EXIT_FAILED;
	return guest_move(job->c, path, to, c->no_clobber, &e) < 0 ? change_fail(job, &e) : 0;
}

/* into: the folder that it goes to; NULL: `target` is its new path. */
static int move_one(struct change_job *job, const struct mv *c, const char *path, const struct dry_node *into, const char *target)
{
	char name[DRY_NAME_SIZE], newname[DRY_NAME_SIZE];
	struct dry_node dir, newdir;
	struct dry_error e = { .code = DRY_OK };
	const unsigned flags = c->no_clobber ? DRY_RENAME_NOREPLACE : 0;
	int rc = dry_change_parent(job->c, path, &dir, name, &e);

	if (rc >= 0 && into)
		newdir = *into;
	else if (rc >= 0)
		rc = dry_change_parent(job->c, target, &newdir, newname, &e);
	if (rc < 0)
		return change_fail(job, &e);
	rc = dry_change_rename(job->c, dir, name, newdir, into ? name : newname, flags, &e);
	if (rc == -DRY_SYSTEM && e.sys_errno == EXDEV)
		return move_across(job, c, path, target, into ? name : NULL);
	/* What stands in the way has the new name. */
	if (rc < 0 && (e.sys_errno == EEXIST || e.sys_errno == ENOTEMPTY || e.sys_errno == EISDIR || e.sys_errno == ENOTDIR))
		path = target;
	return rc < 0 ? change_fail_path(job, path, &e) : 0;
}

static int work(struct change_job *job, const struct mv *c)
{
	const size_t n = job->set.nitems - 1;
	const char *target = change_path(job, n);
	struct dry_node folder;
	const bool into = !c->no_target && is_folder(job, target, &folder);
	int status = 0;

	if (n > 1 && !into) {
		guest_say(job->ref, "%s is no directory", target);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n && !status; i++)
		status = move_one(job, c, change_path(job, i), into ? &folder : NULL, target);
	return status;
}

static int run(void *arg, int argc, char **argv)
{
	struct mv *c = arg;
	struct change_job job;
	int status;

	if (argc < 2)
		return cmd_usage("mv", "name what is to be moved, and where to");
	if (c->no_target && argc > 2)
		return cmd_usage("mv", "-T has one operand and its new name");
	status = change_begin("mv", &c->change, argc, argv, NULL, &job);
	return change_end(&job, status ? status : work(&job, c));
}

int cmd_mv(int argc, char **argv)
{
	struct mv c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "mv", "[options] IMAGE:/PATH... IMAGE:/PATH",
				 "Renames files of a guest, or moves them into a directory." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_FLAG(0, "no-clobber", &c.no_clobber, "a new name that is taken is an error, and is not replaced"),
		OPT_FLAG('T', "no-target-directory", &c.no_target, "the last operand is the new name, whatever has it"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
