/* SPDX-License-Identifier: GPL-2.0-or-later */
/* truncate.c - drydock truncate: sizes of files of a guest. */
#include "change_words.h"

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct truncate {
	struct change_opts change;
	bool no_create;
	const char *size;
};

/* "1M", "+1M", "-1M" over the old size; false: none, or less than nothing. */
static bool size_parse(const char *text, uint64_t old, uint64_t *out)
{
	const bool more = text[0] == '+', less = text[0] == '-';
	uint64_t n;

	if (!text_parse_size(text + (more || less), &n) || n > INT64_MAX || old > INT64_MAX || (less && n > old))
		return false;
	*out = more ? old + n : less ? old - n : n;
	return *out <= INT64_MAX;
}

static int truncate_one(struct change_job *job, const struct truncate *c, const char *path)
{
	struct dry_error e = { .code = DRY_OK };
	struct dry_node node;
	struct dry_stat st = { .size = 0 };
	uint64_t size;
	int rc = dry_guest_lookup(job->g, path, true, &node, &e);

	if (rc == -DRY_NOT_FOUND && c->no_create)
		return 0;
	if (rc == -DRY_NOT_FOUND)
		rc = dry_change_write_file(job->c, path, "", 0, NULL, &e);
	if (rc >= 0)
		rc = dry_guest_lookup(job->g, path, true, &node, &e);
	if (rc < 0)
		return change_fail(job, &e);
	rc = dry_node_stat(job->g, node, &st, &e);
	if (rc >= 0 && !size_parse(c->size, st.size, &size)) {
		guest_say(job->ref, "%s has %" PRIu64 " bytes: \"%s\" is no size for it", path, st.size, c->size);
		return EXIT_FAILED;
	}
	if (rc >= 0)
		rc = dry_change_truncate(job->c, node, size, &e);
	return rc < 0 ? change_fail_path(job, path, &e) : 0;
}

static int run(void *arg, int argc, char **argv)
{
	struct truncate *c = arg;
	struct change_job job;
	uint64_t unused;
	int status;

	if (!c->size)
		return cmd_usage("truncate", "-s gives the size");
	if (!size_parse(c->size, INT64_MAX / 2, &unused))
		return cmd_usage("truncate", "-s: \"%s\" is not a size (10M, +1M, -1K)", c->size);
	if (!argc)
		return cmd_usage("truncate", "name a file, as in IMAGE:/path");
	status = change_begin("truncate", &c->change, argc, argv, NULL, &job);
	for (size_t i = 0; i < job.set.nitems && !status; i++)
		status = truncate_one(&job, c, change_path(&job, i));
	return change_end(&job, status);
}

int cmd_truncate(int argc, char **argv)
{
	struct truncate c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "truncate", "[options] -s SIZE IMAGE:/PATH...", "Makes files of a guest longer or shorter." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 'd'),
		OPT_STRING('s', "size", "[+|-]SIZE", &c.size, "the new size, or how much more or less (10M, +1M, -1K)"),
		OPT_FLAG(0, "no-create", &c.no_create, "what is not there is not made"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
