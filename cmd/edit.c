/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit.c - drydock edit: files of a guest, by the user's editor or by expressions. */
#include "change_opts.h"
#include "change_words.h"
#include "edit_file.h"

#include "alloc.h"
#include "text.h"

struct edit {
	struct change_opts change;
	struct opt_list exprs;
	struct edit_how how;
};

/* What was not changed is told, as the user meant to; where nothing was, the image is left alone. */
static int work(struct change_job *job, const struct edit *c)
{
	bool any = false;

	for (size_t i = 0; i < job->set.nitems; i++) {
		const char *path = change_path(job, i);
		struct dry_error e = { .code = DRY_OK };
		bool changed;

		if (edit_file(job->c, path, &c->how, &changed, &e) < 0)
			return text_starts(e.msg, path, NULL) ? change_fail(job, &e) : change_fail_path(job, path, &e);
		if (!changed)
			guest_say(job->ref, "%s: not changed", path);
		any |= changed;
	}
	if (!any && !job->opts->json)
		dry_change_abandon(take(job->c));
	return 0;
}

static int run(void *arg, int argc, char **argv)
{
	struct edit *c = arg;
	struct change_job job;
	struct dry_error e = { .code = DRY_OK };
	int status;

	if (!argc)
		return cmd_usage("edit", "name a file, as in IMAGE:/path");
	if (c->how.backup && (!*c->how.backup || strchr(c->how.backup, '/')))
		return cmd_usage("edit", "-b %s: the end of a name, as \".orig\", is expected", c->how.backup);
	if (edit_how_expressions(&c->how, &c->exprs, &e) < 0)
		return cmd_usage("edit", "-e: %s", e.msg);
	if (!c->exprs.n && edit_host_start(&c->how.h, &e) < 0)
		return cmd_fail(&e);
	status = change_begin("edit", &c->change, argc, argv, NULL, &job);
	return change_end(&job, status ? status : work(&job, c));
}

int cmd_edit(int argc, char **argv)
{
	struct edit c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "edit", "[options] IMAGE:/PATH...", "Edits files of a guest." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_LIST('e', "expr", "EXPR", &c.exprs, "run this for each line, as perl -p would, and no editor: s/a/b/"),
		OPT_STRING('b', "backup", "END", &c.how.backup, "keep the old file under its name with this behind"),
		OPT_END,
	};
	int status = change_main(&u, opts, &c.change, argc, argv, run, &c);

	edit_how_free(&c.how);
	host_side_stop(c.how.h);
	opt_list_free(&c.exprs);
	return status;
}
