/* SPDX-License-Identifier: GPL-2.0-or-later */
/* touch.c - drydock touch: empty files in a guest, and times of files. */
#include "change_words.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct touch {
	struct change_opts change;
	bool no_create, atime, mtime, no_dereference;
	const char *date;
	struct dry_time when;
};

/* "@SECONDS", "YYYY-MM-DD", with " HH:MM" or " HH:MM:SS" ("T" for the blank), and "Z" for UTC; else in local time. */
static bool date_parse(const char *text, struct dry_time *out)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
					     "%Y-%m-%dT%H:%M:%S" };
	long long seconds;
	char end;

	*out = (struct dry_time){ 0 };
	if (*text == '@') {
		if (sscanf(text + 1, "%lld%c", &seconds, &end) != 1)
			return false;
		out->sec = seconds;
		return true;
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, forms[i], &tm);

		if (!rest || (*rest && strcmp(rest, "Z") != 0))
			continue;
		out->sec = *rest ? timegm(&tm) : mktime(&tm);
		return true;
	}
	return false;
}

static int make(struct change_job *job, const char *path, struct dry_node *node, struct dry_error *e)
{
	const struct dry_owner root = { .mode = 0644 };
	int rc = dry_change_write_file(job->c, path, "", 0, &root, e);

	return rc < 0 ? rc : dry_guest_lookup(job->g, path, true, node, e);
}

static int touch_one(struct change_job *job, const struct touch *c, const char *path)
{
	const bool both = !c->atime && !c->mtime;
	struct dry_error e = { .code = DRY_OK };
	struct dry_node node;
	int rc = dry_guest_lookup(job->g, path, !c->no_dereference, &node, &e);

	if (rc == -DRY_NOT_FOUND && c->no_create)
		return 0;
	if (rc == -DRY_NOT_FOUND)
		rc = make(job, path, &node, &e);
	if (rc < 0)
		return change_fail(job, &e);
	rc = dry_change_utimens(job->c, node, both || c->atime ? &c->when : NULL, both || c->mtime ? &c->when : NULL, &e);
	return rc < 0 ? change_fail_path(job, path, &e) : 0;
}

static int run(void *arg, int argc, char **argv)
{
	struct touch *c = arg;
	struct change_job job;
	struct timespec now;
	int status;

	if (!argc)
		return cmd_usage("touch", "name a file, as in IMAGE:/path");
	clock_gettime(CLOCK_REALTIME, &now);
	c->when = (struct dry_time){ now.tv_sec, (uint32_t)now.tv_nsec };
	if (c->date && !date_parse(c->date, &c->when))
		return cmd_usage("touch", "\"%s\" is no date: YYYY-MM-DD [HH:MM[:SS]][Z] or @SECONDS", c->date);
	status = change_begin("touch", &c->change, argc, argv, NULL, &job);
	for (size_t i = 0; i < job.set.nitems && !status; i++)
		status = touch_one(&job, c, change_path(&job, i));
	return change_end(&job, status);
}

int cmd_touch(int argc, char **argv)
{
	struct touch c = { .change = CHANGE_OPTS_INIT };
	const struct usage u = { "touch", "[options] IMAGE:/PATH...",
				 "Makes empty files in a guest, or gives files the present time." };
	const struct opt opts[] = {
		CHANGE_OPTS(&c.change, 0),
		OPT_STRING('d', "date", "DATE", &c.date, "YYYY-MM-DD [HH:MM[:SS]][Z] or @SECONDS, not the present time"),
		OPT_FLAG(0, "no-create", &c.no_create, "what is not there is not made"),
		OPT_FLAG(0, "atime", &c.atime, "the time of the last access only"),
		OPT_FLAG(0, "mtime", &c.mtime, "the time of the last change only"),
		OPT_FLAG('h', "no-dereference", &c.no_dereference, "a symbolic link itself, not what it leads to"),
		OPT_END,
	};

	return change_main(&u, opts, &c.change, argc, argv, run, &c);
}
