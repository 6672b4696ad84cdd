/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tar_in.h"

#include "alloc.h"
#include "guest_in.h"
#include "text.h"

#include <errno.h>
#include <unistd.h>

static int put_archive(struct change_job *job, struct host_side *h, const char *archive, bool no_xattrs)
{
	const char *path = job->set.items[0].path ? job->set.items[0].path : "/";
	CLEANUP(guest_put_free) struct guest_put p = {
		.c = job->c,
		.g = job->g,
		.base = path,
		.owners = true,
		.xattrs = true,
		.no_xattrs = no_xattrs,
		.no_acls = no_xattrs,
		.no_labels = no_xattrs,
		.parent = STRBUF_INIT,
		.label = STRBUF_INIT,
		.path = STRBUF_INIT,
	};
	struct dry_error e = { .code = DRY_OK };
	int rc = guest_in_folder(job->g, path, &e);

	if (rc == 0) {
		guest_say(job->ref, "%s is not a folder in the guest", path);
		return EXIT_FAILED;
	}
	if (rc > 0)
		rc = host_open(h, archive, &e);
	if (rc >= 0)
		rc = guest_in_archive(&p, h, &e);
	if (rc >= 0)
		return 0;
	if (strcmp(archive, "-") == 0 || text_starts(e.msg, archive, NULL))
		return change_fail(job, &e);
	guest_say(job->ref, "%s: %s", archive, e.msg);
	return EXIT_FAILED;
}

int tar_in(struct change_opts *o, const char *archive, bool no_xattrs, int argc, char **argv)
{
	struct host_side *h = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct change_job job;
	int status;

	if (argc != 1)
		return cmd_usage("tar", "name one place to unpack in, as in IMAGE:/path");
	if (strcmp(archive, "-") != 0 && access(archive, R_OK) < 0) {
		cmd_warn("%s: %s", archive, strerror(errno));
		return EXIT_FAILED;
	}
	if (host_side_start(&h, &e) < 0 || guest_in_only(h, &(char *){ (char *)archive }, 1, &e) < 0)
		return cmd_fail(&e);
	status = change_begin("tar", o, argc, argv, NULL, &job);
	status = change_end(&job, status ? status : put_archive(&job, h, archive, no_xattrs));
	host_side_stop(h);
	return status;
}
