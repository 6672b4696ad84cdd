/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cp_in.h"

#include "alloc.h"
#include "guest_in.h"
#include "host_tar.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void cp_in_target(const struct change_opts *o, char *last, char **target)
{
	*target = NULL;
	if (o->guest.images.n || o->guest.domains.n)
		*target = last[0] == ':' && last[1] == '/' ? last + 1 : NULL;
	else if (guest_split(last))
		*target = last;
}

/* How far it is: of files that were named the whole is known, of trees it is not. */
struct copying {
	struct progress bar;
	uint64_t total; /* 0: not known */
	bool tree, stopped;
};

static int on_bytes(void *arg, uint64_t bytes)
{
	struct copying *w = arg;
	const struct dry_progress p = progress_watch(&w->bar);

	w->stopped = p.run(p.arg, bytes, w->tree || bytes > w->total ? 0 : w->total) != 0;
	return w->stopped;
}

/* What can be said before a machine is started. */
static int judge(const struct cp_in *c, size_t n, char **sources, struct copying *w)
{
	for (size_t i = 0; i < n; i++) {
		struct stat st;

		if (strcmp(sources[i], "-") == 0) {
			if (n > 1)
				return cmd_usage("cp", "standard input is copied alone, to a file");
			continue;
		}
		if ((c->recursive ? lstat : stat)(sources[i], &st) < 0) {
			cmd_warn("%s: %s", sources[i], strerror(errno));
			return EXIT_FAILED;
		}
		if (S_ISDIR(st.st_mode) && !c->recursive) {
			cmd_warn("%s is a directory; -R copies it", sources[i]);
			return EXIT_FAILED;
		}
		w->tree |= S_ISDIR(st.st_mode);
		w->total += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	}
	return 0;
}

static int fail_nomem(struct dry_error *e)
{
	*e = (struct dry_error){ .code = DRY_NOMEM };
	snprintf(e->msg, sizeof e->msg, "out of memory");
	return -DRY_NOMEM;
}

/* Standard input; a new file is root's. */
static int copy_stream(struct change_job *job, struct host_side *h, const char *path, bool folder, struct dry_error *e)
{
	int rc;

	if (folder) {
		*e = (struct dry_error){ .code = DRY_USAGE };
		snprintf(e->msg, sizeof e->msg, "%s is a folder: name the file that standard input becomes", path);
		return -DRY_USAGE;
	}
	rc = host_open(h, "-", e);
	return rc < 0 ? rc : guest_in_file(job->c, h, path, NULL, NULL, e);
}

/* The folder that a new name comes into must be there: a path with a mistake in it makes no folders. */
static int copy_as(struct guest_put *p, struct host_side *h, const char *source, const char *path, unsigned flags,
		   struct dry_error *e)
{
	struct dry_node dir;
	char name[DRY_NAME_SIZE];
	const char *const names[] = { name };
	CLEANUP(free_ptr) char *folder = NULL;
	size_t len = strlen(path);
	int rc = dry_change_parent(p->c, path, &dir, name, e);

	if (rc < 0)
		return rc;
	while (len && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	folder = len ? alloc_strndup(path, len > 1 ? len - 1 : 1) : alloc_strdup("/");
	if (!folder)
		return fail_nomem(e);
	p->base = folder;
	rc = host_tree(h, &source, names, 1, flags, e);
	return rc < 0 ? rc : guest_in_archive(p, h, e);
}

static int copy(const struct cp_in *c, struct change_job *job, struct host_side *h, size_t n, char **sources, struct copying *w)
{
	const char *path = job->set.items[0].path;
	const unsigned flags = (c->recursive ? 0 : HOST_TAR_FOLLOW) | (c->all_xattrs ? HOST_TAR_XATTRS : 0) |
			       (c->no_xattrs || c->no_preserve ? HOST_TAR_NO_XATTRS : 0);
	CLEANUP(guest_put_free) struct guest_put p = {
		.c = job->c,
		.g = job->g,
		.base = path,
		.owners = geteuid() == 0 && !c->no_owner && !c->no_preserve,
		.plain = c->no_preserve,
		.xattrs = c->all_xattrs,
		.no_setuid = !c->setuid,
		.in_place = true,
		.no_folders = true,
		.parent = STRBUF_INIT,
		.label = STRBUF_INIT,
		.path = STRBUF_INIT,
		.watch = on_bytes,
		.arg = w,
	};
	struct dry_error e = { .code = DRY_OK };
	int rc = guest_in_folder(job->g, path, &e);

	progress_begin(&w->bar, (enum progress_mode)c->change->progress);
	if (rc >= 0 && strcmp(sources[0], "-") == 0) {
		rc = copy_stream(job, h, path, rc > 0, &e);
	} else if (rc > 0) {
		rc = guest_in_trees(&p, h, (const char *const *)sources, n, flags, &e);
	} else if (rc == 0 && n > 1) {
		progress_end(&w->bar);
		guest_say(job->ref, "%s is not a folder: several files cannot be copied to it", path);
		return EXIT_FAILED;
	} else if (rc == 0) {
		rc = copy_as(&p, h, sources[0], path, flags, &e);
	}
	progress_end(&w->bar);
	if (rc < 0)
		return w->stopped ? EXIT_FAILED : change_fail(job, &e);
	if (p.setuid_lost)
		guest_say(job->ref,
			  "%" PRIu64 " file%s lost a set-user-id or set-group-id bit or capabilities; --setuid keeps them",
			  p.setuid_lost, p.setuid_lost == 1 ? "" : "s");
	return 0;
}

int cp_in(const struct cp_in *c, size_t nsources, char **sources, char *target)
{
	struct host_side *h = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct change_job job;
	struct copying w = { .total = 0 };
	int status = judge(c, nsources, sources, &w);

	if (status)
		return status;
	if (host_side_start(&h, &e) < 0 || guest_in_only(h, sources, nsources, &e) < 0)
		return cmd_fail(&e);
	status = change_begin("cp", c->change, 1, &target, NULL, &job);
	if (!status && !job.set.items[0].path)
		status = cmd_usage("cp", "name a place in the guest, as in %s:/etc", job.ref->label);
	status = change_end(&job, status ? status : copy(c, &job, h, nsources, sources, &w));
	host_side_stop(h);
	return w.stopped ? progress_stopped() : status;
}
