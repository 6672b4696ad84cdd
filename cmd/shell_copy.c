/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_copy.c - commands of the shell that copy between host and guest. */
#include "shell.h"

#include "alloc.h"
#include "guest_file.h"
#include "guest_in.h"
#include "guest_tar.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- one file ---- */

static int upload(struct shell *s, struct call *c)
{
	const struct dry_owner root = { .mode = 0666 & ~s->umask };
	struct dry_error e = { .code = DRY_OK };
	uint64_t bytes;

	if (host_open(s->host, c->arg[0], &e) < 0)
		return shell_error(s, "%s: %s", c->arg[0], e.msg);
	if (guest_in_file(s->c, s->host, c->arg[1], &root, &bytes, &e) < 0)
		return shell_error(s, "%s: %s", c->arg[1], e.msg);
	return 0;
}

struct download {
	struct host_side *h;
	struct dry_error e;
};

static int send_on(void *arg, const void *bytes, size_t len)
{
	struct download *d = arg;

	return shell_stopped() || host_write(d->h, bytes, len, &d->e) < 0;
}

/* Begins a file of the host; "-" is the command's output, so what stands behind a "|". */
static int begin_file(struct shell *s, const char *name, struct dry_error *e)
{
	const bool piped = strcmp(name, "-") == 0 && s->pipe_after;

	fflush(stdout);
	return piped ? host_pipe(s->host, take(s->pipe_after), e) : host_create(s->host, name, e);
}

static int download(struct shell *s, struct call *c)
{
	struct dry_error e = { .code = DRY_OK };
	struct download d = { .h = s->host };
	struct dry_node n;
	struct dry_stat st;
	int rc;

	if (guest_file_stat(s->g, c->arg[0], &n, &st, &e) < 0)
		return shell_fail(s, c->arg[0], &e);
	if (begin_file(s, c->arg[1], &e) < 0)
		return shell_error(s, "%s: %s", c->arg[1], e.msg);
	rc = guest_file_each(s->g, n, s->buf, send_on, &d, &e);
	if (rc < 0) {
		host_finish(s->host, NULL, NULL);
		return shell_fail(s, c->arg[0], &e);
	}
	return host_finish(s->host, NULL, &e) < 0 ? shell_error(s, "%s: %s", c->arg[1], e.msg) : 0;
}

/* ---- trees into the guest ---- */

#define PUT_INIT(s)                                                                                                    \
	{                                                                                                              \
		.c = (s)->c, .g = (s)->g, .owners = true, .no_xattrs = true, .no_acls = true, .no_labels = true,       \
		.parent = STRBUF_INIT, .label = STRBUF_INIT, .path = STRBUF_INIT                                       \
	}

/* The folder that something goes into must be there. */
static int is_folder(struct shell *s, const char *path)
{
	struct dry_error e = { .code = DRY_OK };
	const int there = *path == '/' ? guest_in_folder(s->g, path, &e) : 0;

	if (there < 0)
		return shell_fail(s, path, &e);
	return there ? 0 : shell_error(s, "target '%s' is not a directory", path);
}

static int copy_in(struct shell *s, struct call *c)
{
	struct guest_put p = PUT_INIT(s);
	struct dry_error e = { .code = DRY_OK };
	int rc;

	if (c->n < 2)
		return shell_error(s, "use 'copy-in <local> [<local>...] <remotedir>'");
	if (is_folder(s, c->arg[c->n - 1]))
		return -1;
	p.base = c->arg[c->n - 1];
	rc = guest_in_trees(&p, s->host, (const char *const *)c->arg, c->n - 1, 0, &e);
	guest_put_free(&p);
	return rc < 0 ? shell_error(s, "%s", e.msg) : 0;
}

static int tar_in(struct shell *s, struct call *c)
{
	struct guest_put p = PUT_INIT(s);
	struct dry_error e = { .code = DRY_OK };
	bool xattrs = false, selinux = false, acls = false;
	int rc;

	if (strcmp(s->cmd->name, "tar-in") == 0 &&
	    (shell_opt_truth(s, c, "xattrs", &xattrs) || shell_opt_truth(s, c, "selinux", &selinux) ||
	     shell_opt_truth(s, c, "acls", &acls)))
		return -1;
	if (is_folder(s, c->arg[1]))
		return -1;
	p.no_xattrs = !xattrs;
	p.no_labels = !selinux;
	p.no_acls = !acls;
	p.xattrs = xattrs || selinux;
	p.base = c->arg[1];
	/* How it is compressed is seen by its first bytes. */
	rc = host_open(s->host, c->arg[0], &e);
	if (rc >= 0)
		rc = guest_in_archive(&p, s->host, &e);
	guest_put_free(&p);
	return rc < 0 ? shell_error(s, "%s: %s", c->arg[0], e.msg) : 0;
}

/* ---- trees out of it ---- */

static int send_archive(void *arg, const void *bytes, size_t len)
{
	struct dry_error e = { .code = DRY_OK };

	if (shell_stopped())
		return ECANCELED;
	return host_write(arg, bytes, len, &e) < 0 ? (e.sys_errno ? e.sys_errno : EIO) : 0;
}

/* The archive of a path to what the host side was asked to begin; then its end. */
static int send_tree(struct shell *s, struct guest_tar *t, const char *path, bool program)
{
	struct dry_error e = { .code = DRY_OK };
	int status = 0, rc;

	t->ref = &s->set.guests[0];
	t->guest = s->g;
	t->fd_name = "the host";
	t->send = send_archive;
	t->send_arg = s->host;
	rc = guest_tar(t, path);
	guest_tar_close(t);
	if (host_finish(s->host, program ? &status : NULL, &e) < 0)
		return shell_error(s, "%s", e.msg);
	if (program && (!WIFEXITED(status) || WEXITSTATUS(status)))
		return shell_error(s, "%s: the host's program failed", path);
	return rc ? -1 : 0;
}

static int tar_out(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name, *how = strcmp(name, "tar-out") == 0	 ? shell_opt(s, c, "compress")
						: *name == 't' && name[1] == 'g' ? "gzip"
										 : "xz";
	struct guest_tar t = GUEST_TAR_INIT;
	struct dry_error e = { .code = DRY_OK };
	bool xattrs = false, selinux = false, acls = false;
	struct dry_node n;
	struct dry_stat st;
	int rc;

	if (how && strcmp(how, "gzip") != 0 && strcmp(how, "xz") != 0 && strcmp(how, "zstd") != 0 &&
	    strcmp(how, "bzip2") != 0)
		return shell_error(s, "compress:%s is not known: gzip, bzip2, xz or zstd", how);
	if (strcmp(name, "tar-out") == 0 &&
	    (shell_opt_truth(s, c, "xattrs", &xattrs) || shell_opt_truth(s, c, "selinux", &selinux) ||
	     shell_opt_truth(s, c, "acls", &acls)))
		return -1;
	if (shell_stat(s, c->arg[0], true, &n, &st))
		return -1;
	if (!S_ISDIR(st.mode))
		return shell_error(s, "%s: %s", c->arg[0], strerror(ENOTDIR));
	t.no_xattrs = !xattrs;
	t.no_selinux = !selinux;
	t.no_acls = !acls;
	fflush(stdout);
	if (how)
		rc = host_pack(s->host, how, c->arg[1], strcmp(c->arg[1], "-") == 0 ? take(s->pipe_after) : NULL, &e);
	else
		rc = begin_file(s, c->arg[1], &e);
	return rc < 0 ? shell_error(s, "%s: %s", c->arg[1], e.msg) : send_tree(s, &t, c->arg[0], how != NULL);
}

/* One path of the guest under its own name into a folder of the host. */
static int copy_one_out(struct shell *s, const char *path, const char *folder)
{
	struct guest_tar t = GUEST_TAR_INIT;
	struct dry_error e = { .code = DRY_OK };
	char name[256];
	struct dry_node n;
	struct dry_stat st;

	if (shell_stat(s, path, false, &n, &st))
		return -1;
	if (!guest_in_name(path, name, sizeof name))
		return shell_error(s, "%s: %s", path, strerror(ENAMETOOLONG));
	t.no_xattrs = t.no_selinux = t.no_acls = t.no_devices = true;
	fflush(stdout);
	/* An archive of a folder has what is in it; of a file, the file. */
	if (host_unpack(s->host, folder, name, S_ISDIR(st.mode), &e) < 0)
		return shell_error(s, "%s: %s", folder, e.msg);
	return send_tree(s, &t, path, true);
}

static int copy_out(struct shell *s, struct call *c)
{
	int rc = 0;

	if (c->n < 2)
		return shell_error(s, "use 'copy-out <remote> [<remote>...] <localdir>'");
	for (size_t i = 0; i + 1 < c->n && rc == 0; i++) {
		CLEANUP(free_ptr) char *path = shell_path(s, c->arg[i]);

		if (!path)
			return -1;
		rc = *path == '/' ? copy_one_out(s, path, c->arg[c->n - 1])
				  : shell_error(s, "%s: a path of the guest begins with /", path);
	}
	return rc;
}

#define IN (SHELL_WRITES | SHELL_HOST)
static const struct shell_command commands[] = {
	{ "upload", NULL, "~filename /remotefilename", "copy a file of the host into the guest", upload, IN, NULL },
	{ "download", NULL, "/remotefilename ~filename", "copy a file of the guest to the host", download, SHELL_HOST,
	  NULL },
	{ "copy-in", NULL, "local...", "copy files and folders of the host into a folder of the guest, which is last",
	  copy_in, IN, NULL },
	{ "copy-out", NULL, "remote...", "copy files and folders of the guest into a folder of the host, which is last",
	  copy_out, SHELL_HOST, NULL },
	{ "tar-in", NULL, "~tarfile /directory [compress] [?xattrs] [?selinux] [?acls]",
	  "unpack an archive of the host in a directory", tar_in, IN, NULL },
	{ "tgz-in", NULL, "~tarball /directory", "unpack an archive of the host in a directory", tar_in, IN, NULL },
	{ "txz-in", NULL, "~tarball /directory", "unpack an archive of the host in a directory", tar_in, IN, NULL },
	{ "tar-out", NULL, "/directory ~tarfile [compress] [?xattrs] [?selinux] [?acls]",
	  "a directory as an archive on the host", tar_out, SHELL_HOST, NULL },
	{ "tgz-out", NULL, "/directory ~tarball", "a directory as an archive on the host, compressed by gzip", tar_out,
	  SHELL_HOST, NULL },
	{ "txz-out", NULL, "/directory ~tarball", "a directory as an archive on the host, compressed by xz", tar_out,
	  SHELL_HOST, NULL },
};
const struct shell_group shell_copy_group = SHELL_GROUP("between host and guest", commands);
