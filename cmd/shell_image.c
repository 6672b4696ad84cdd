/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell_image.c - commands of the shell about images of the host: made, looked at, and added as disks, all before the
 * launch. */
#include "shell.h"

#include "alloc.h"
#include "domain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

/* ---- disks of the guest ---- */

static int add_drive(struct shell *s, struct call *c)
{
	const char *format = shell_opt(s, c, "format"), *blocksize = shell_opt(s, c, "blocksize");
	bool readonly = false;

	if (shell_opt_truth(s, c, "readonly", &readonly))
		return -1;
	if (blocksize && strcmp(blocksize, "512") != 0)
		return shell_error(s, "blocksize:%s: only 512 is supported here", blocksize);
	if (readonly && s->nimages && !s->readonly)
		return shell_error(
			s, "a disk that is only read beside others that are written to is not here yet: use --ro");
	s->readonly |= readonly;
	return shell_add_image(s, c->arg[0], format);
}

static int add_drive_ro(struct shell *s, struct call *c)
{
	if (s->nimages && !s->readonly)
		return shell_error(
			s, "a disk that is only read beside others that are written to is not here yet: use --ro");
	s->readonly = true;
	return shell_add_image(s, c->arg[0], NULL);
}

static int add_domain(struct shell *s, struct call *c)
{
	const char *uri = shell_opt(s, c, "libvirturi");
	struct domain d = { .name = NULL };
	struct dry_error e = { .code = DRY_OK };
	bool readonly = false;
	int rc;

	if (shell_opt_truth(s, c, "readonly", &readonly))
		return -1;
	if (readonly && s->nimages && !s->readonly)
		return shell_error(
			s, "disks that are only read beside others that are written to are not here yet: use --ro");
	rc = domain_load(c->arg[0], uri ? uri : s->opts->uri, &d, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
	if (rc == 0 && !d.ndisks)
		rc = shell_error(s, "%s: it has no disks", c->arg[0]);
	for (size_t i = 0; i < d.ndisks && rc == 0; i++)
		rc = shell_add_image(s, d.disks[i].path, d.disks[i].format);
	if (rc == 0) {
		s->readonly |= readonly;
		shell_printf(s, "%zu\n", d.ndisks);
	}
	domain_free(&d);
	return rc;
}

/* A file of that size, made anew. */
static int make_file(struct shell *s, const char *name, int64_t size, bool sparse)
{
	int fd, err;

	if (size < 0)
		return shell_error(s, "%" PRId64 ": a size is expected", size);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
	if (fd < 0)
		return shell_error(s, "%s: %s", name, strerror(errno));
	err = ftruncate(fd, (off_t)size) < 0 ? errno : 0;
	if (!err && !sparse && size)
		err = posix_fallocate(fd, 0, (off_t)size);
	close(fd);
	if (!err)
		return 0;
	unlink(name);
	return shell_error(s, "%s: %s", name, strerror(err));
}

/* alloc, sparse: by the command's name. */
static int make_disk(struct shell *s, struct call *c)
{
	if (make_file(s, c->arg[0], c->num[1], strcmp(s->cmd->name, "sparse") == 0))
		return -1;
	return shell_add_image(s, c->arg[0], "raw");
}

/* A disk that goes with the session. */
static int add_scratch(struct shell *s, struct call *c)
{
	const char *tmp = getenv("TMPDIR");
	CLEANUP(free_ptr) char *name = alloc_printf("%s/drydock-scratch-XXXXXX", tmp && *tmp ? tmp : "/var/tmp");
	char **more;
	int fd;

	if (c->num[0] <= 0)
		return shell_error(s, "%s: a size is expected", c->arg[0]);
	more = alloc_resize(s->scratch, s->nscratch + 1, sizeof *more);
	if (more)
		s->scratch = more;
	if (!name || !more)
		return shell_nomem(s);
	fd = mkstemp(name);
	if (fd < 0)
		return shell_error(s, "%s: %s", name, strerror(errno));
	close(fd);
	if (make_file(s, name, c->num[0], true) || shell_add_image(s, name, "raw")) {
		unlink(name);
		return -1;
	}
	s->scratch[s->nscratch++] = take(name);
	return 0;
}

/* ---- images ---- */

/* An option of the peer under the name that the format knows. */
static int set_opt(struct shell *s, struct dry_opts *opts, const char *name, const char *value)
{
	struct dry_error e = { .code = DRY_OK };

	return value && dry_opts_set(opts, name, value, &e) < 0 ? shell_fail(s, NULL, &e) : 0;
}

static int disk_create(struct shell *s, struct call *c)
{
	const char *format = c->arg[1], *backing = shell_opt(s, c, "backingfile"),
		   *prealloc = shell_opt(s, c, "preallocation");
	struct dry_opts *opts = dry_opts_new();
	struct dry_create how = { .format = format,
				  .opts = opts,
				  .policy = { .trust = s->peer ? DRY_TRUST_ANY : DRY_TRUST_BESIDE } };
	struct dry_error e = { .code = DRY_OK };
	char size[32];
	int rc = opts ? 0 : shell_nomem(s);

	if (rc == 0 && c->num[2] < -1)
		rc = shell_error(s, "%s: invalid size", c->arg[2]);
	if (rc == 0 && c->num[2] == -1 && !backing)
		rc = shell_error(s, "size is only -1 with a backing file");
	snprintf(size, sizeof size, "%" PRId64, c->num[2]);
	/* The peer's words for raw files. */
	if (prealloc && strcmp(prealloc, "sparse") == 0)
		prealloc = "off";
	if (rc == 0 && c->num[2] >= 0)
		rc = set_opt(s, opts, "size", size);
	if (rc == 0)
		rc = set_opt(s, opts, "backing_file", backing);
	if (rc == 0)
		rc = set_opt(s, opts, "backing_fmt", shell_opt(s, c, "backingformat"));
	if (rc == 0)
		rc = set_opt(s, opts, "preallocation", prealloc);
	if (rc == 0)
		rc = set_opt(s, opts, "compat", shell_opt(s, c, "compat"));
	if (rc == 0)
		rc = set_opt(s, opts, "cluster_size", shell_opt(s, c, "clustersize"));
	if (rc == 0 && dry_create(c->arg[0], &how, &e) < 0)
		rc = shell_fail(s, NULL, &e);
	dry_opts_free(opts);
	return rc;
}

/* disk-format, disk-virtual-size, disk-has-backing-file: by the command's name. */
static int disk_fact(struct shell *s, struct call *c)
{
	const char *name = s->cmd->name;
	const struct dry_open how = { .flags = DRY_OPEN_FACTS | DRY_OPEN_FORCE_SHARE };
	struct dry_image *img = NULL;
	struct dry_error e = { .code = DRY_OK };
	struct dry_info info;
	int rc = 0;

	if (dry_image_open(c->arg[0], &how, &img, &e) < 0 || dry_image_info(img, &info, &e) < 0)
		rc = shell_fail(s, NULL, &e);
	else if (strcmp(name, "disk-format") == 0)
		shell_line(s, info.format);
	else if (strcmp(name, "disk-virtual-size") == 0)
		shell_printf(s, "%" PRIu64 "\n", dry_image_size(img));
	else
		shell_bool(s, info.backing_name != NULL);
	dry_image_close(img);
	return rc;
}

#define EARLY (SHELL_FREE | SHELL_EARLY)
static const struct shell_command commands[] = {
	{ "add-drive", "add", "~file [?readonly] [format] [blocksize]", "a disk of the guest", add_drive, EARLY, NULL },
	{ "add-drive-ro", "add-ro", "~file", "a disk that is only read", add_drive_ro, EARLY, NULL },
	{ "add-drive-scratch", "scratch", "#size", "a new disk that is gone when the session ends", add_scratch, EARLY,
	  NULL },
	{ "add-domain", "domain", "dom [libvirturi] [?readonly]", "the disks of a libvirt domain", add_domain, EARLY,
	  NULL },
	{ "alloc", "allocate", "~file #size", "make a disk whose room is taken, and add it", make_disk, EARLY, NULL },
	{ "sparse", NULL, "~file #size", "make a disk that takes no room yet, and add it", make_disk, EARLY, NULL },
	{ "disk-create", NULL,
	  "~file format #size [backingfile] [backingformat] [preallocation] [compat] [clustersize]",
	  "make an image of the host", disk_create, EARLY, NULL },
	{ "disk-format", NULL, "~file", "the format of an image of the host", disk_fact, EARLY, NULL },
	{ "disk-virtual-size", NULL, "~file", "the size of the disk in an image of the host", disk_fact, EARLY, NULL },
	{ "disk-has-backing-file", NULL, "~file", "has an image of the host a backing file?", disk_fact, EARLY, NULL },
};
const struct shell_group shell_image_group = SHELL_GROUP("disks, and images of the host", commands);
