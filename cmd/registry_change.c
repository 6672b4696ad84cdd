/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_change.c - registry set, delete and merge: what is to be changed, and in which hive. */
#include "registry_change.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void edits_free(struct dry_registry_edits **edits)
{
	dry_registry_edits_free(*edits);
}

static void writer_stop(struct dry_hive_writer **w)
{
	dry_hive_writer_stop(*w);
}

/* ---- what is to be changed ---- */

int registry_take_file(struct dry_registry_edits *edits, const char *name, const char *file, bool ascii, const char *prefix)
{
	CLEANUP(close_fd) int opened = -1;
	CLEANUP(strbuf_free) struct strbuf text = STRBUF_INIT;
	struct dry_error e = { .code = DRY_OK };
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : (opened = open(file, O_RDONLY | O_CLOEXEC));
	char piece[65536];
	size_t got;
	int rc = fd < 0 ? errno : 0;

	do {
		if (!rc)
			rc = io_read(fd, piece, sizeof piece, &got);
		if (!rc)
			strbuf_add(&text, piece, got);
		if (!rc && text.len > LIMIT_REG_TEXT)
			rc = EFBIG;
	} while (!rc && got == sizeof piece);
	if (!rc && text.failed)
		rc = ENOMEM;
	if (rc) {
		fprintf(stderr, "%s: %s: %s\n", name, is_stdin ? "standard input" : file, strerror(rc));
		return EXIT_FAILED;
	}
	if (dry_registry_edits_text(edits, text.s, text.len, ascii, prefix, &e) < 0) {
		fprintf(stderr, "%s: %s: %s\n", name, is_stdin ? "standard input" : file, e.msg);
		return EXIT_FAILED;
	}
	return 0;
}

static int take_set(const struct registry_change *r, struct dry_registry_edits *edits, int argc, char **argv)
{
	struct dry_error e = { .code = DRY_OK };
	bool value = argc == 3;
	const char *name = value ? strcmp(argv[1], "@") == 0 && !r->exact ? "" : argv[1] : NULL;

	if (argc != 1 && argc != 3)
		return cmd_usage("registry", "set takes KEY [NAME DATA]");
	if (!value && r->type)
		return cmd_usage("registry", "--type is that of a value: name one");
	return dry_registry_edits_set(edits, argv[0], name, value ? r->type ? r->type : "sz" : NULL, value ? argv[2] : NULL, &e) < 0
		       ? cmd_fail(&e)
		       : 0;
}

static int take_delete(const struct registry_change *r, struct dry_registry_edits *edits, int argc, char **argv)
{
	struct dry_error e = { .code = DRY_OK };
	const char *name = argc == 2 ? strcmp(argv[1], "@") == 0 && !r->exact ? "" : argv[1] : NULL;

	if (argc < 1 || argc > 2)
		return cmd_usage("registry", "delete takes KEY [NAME]");
	return dry_registry_edits_delete(edits, argv[0], name, &e) < 0 ? cmd_fail(&e) : 0;
}

static int take_merge(const struct registry_change *r, struct dry_registry_edits *edits, int argc, char **argv)
{
	int status = 0;

	if (argc < 1)
		return cmd_usage("registry", "merge takes FILE..., - for standard input");
	for (int i = 0; i < argc && !status; i++)
		status = registry_take_file(edits, "drydock", argv[i], false, r->prefix);
	return status;
}

static const struct {
	const char *name;
	int (*gather)(const struct registry_change *r, struct dry_registry_edits *edits, int argc, char **argv);
} actions[] = {
	{ "set", take_set },
	{ "delete", take_delete },
	{ "merge", take_merge },
};

bool registry_is_change(const char *action)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i].name, action) == 0)
			return true;
	return false;
}

/* ---- a hive of the host ---- */

struct host_hive {
	int fd, logs[2], folder, made;
	size_t nlogs;
	char *name, *temporary; /* in the folder */
};

static void host_hive_close(struct host_hive *h)
{
	if (h->made >= 0)
		unlinkat(h->folder, h->temporary, 0);
	close_fd(&h->made);
	close_fd(&h->fd);
	for (size_t i = 0; i < h->nlogs; i++)
		close_fd(&h->logs[i]);
	close_fd(&h->folder);
	free(h->name);
	free(h->temporary);
}

/* The hive, its logs, and a file beside it that will take its place: all that needs a name. */
static int host_hive_open(const char *path, struct host_hive *h)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path);
	CLEANUP(free_ptr) char *copy2 = alloc_strdup(path);
	struct stat st;

	*h = (struct host_hive){ .fd = -1, .folder = -1, .made = -1 };
	if (!copy || !copy2)
		return ENOMEM;
	h->folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h->name = alloc_strdup(basename(copy2));
	h->temporary = h->name ? alloc_printf(".%s.drydock-new", h->name) : NULL;
	if (h->folder < 0)
		return errno;
	if (!h->temporary)
		return ENOMEM;
	h->fd = openat(h->folder, h->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (h->fd < 0 || fstat(h->fd, &st) < 0)
		return errno;
	for (int i = 1; i <= 2; i++) {
		CLEANUP(free_ptr) char *log = alloc_printf("%s.LOG%d", h->name, i);
		int fd = log ? openat(h->folder, log, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

		if (fd >= 0)
			h->logs[h->nlogs++] = fd;
	}
	h->made = openat(h->folder, h->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (h->made < 0)
		return errno;
	/* Who may not give it to its owner writes a hive of his own. */
	if (fchown(h->made, st.st_uid, st.st_gid) < 0 && geteuid() == 0)
		return errno;
	return fchmod(h->made, st.st_mode & 07777) < 0 ? errno : 0;
}

static int host_hive_put(struct host_hive *h, const void *bytes, size_t len)
{
	int rc = io_pwrite(h->made, bytes, len, 0);

	if (!rc && (fsync(h->made) < 0 || renameat(h->folder, h->temporary, h->folder, h->name) < 0))
		rc = errno;
	if (!rc) {
		close_fd(&h->made);
		h->made = -1;
		rc = fsync(h->folder) < 0 ? errno : 0;
	}
	return rc;
}

static int change_host(const struct registry_change *r, const struct dry_registry_edits *edits, struct dry_hive_writer *w)
{
	CLEANUP(host_hive_close) struct host_hive h;
	CLEANUP(free_ptr) void *bytes = NULL;
	const struct change_opts *o = r->change;
	struct dry_registry *reg = NULL;
	struct dry_error e = { .code = DRY_OK };
	size_t len = 0;
	int rc = host_hive_open(r->hive, &h);
	const struct dry_confine confine = { .want = (enum dry_confinement)o->guest.confine, .write = true, .write_dir = h.folder,
					     .seconds = 3600 };

	if (rc) {
		cmd_warn("%s: %s", r->hive,
			 rc == EEXIST
				 ? "somebody else is changing it, or was killed: see \".NAME.drydock-new\" beside it"
				 : strerror(rc));
		return EXIT_FAILED;
	}
	rc = dry_confine(&confine, NULL, &e);
	if (rc == 0)
		rc = dry_hive_open(h.fd, h.logs, h.nlogs, r->hive, &reg, &e);
	if (rc < 0)
		return cmd_fail(&e);
	rc = dry_hive_change(reg, w, edits, &bytes, &len, &e);
	dry_registry_close(reg);
	if (rc < 0) {
		cmd_warn("%s: %s", r->hive, e.msg);
		return EXIT_FAILED;
	}
	rc = bytes && !o->dry_run ? host_hive_put(&h, bytes, len) : 0;
	if (rc)
		cmd_warn("%s: %s", r->hive, strerror(rc));
	else if (o->dry_run)
		printf("%s would %s\n", r->hive, bytes ? "change" : "stay as it is");
	return rc ? EXIT_FAILED : EXIT_DONE;
}

/* ---- of a guest ---- */

static int change_guest(const struct registry_change *r, const struct dry_registry_edits *edits, struct dry_hive_writer *w,
			int nimages, char **images)
{
	struct change_job job;
	struct dry_error e = { .code = DRY_OK };
	int status = change_begin("registry", r->change, nimages, images, NULL, &job);

	if (!status && dry_registry_change(job.c, w, job.set.nitems ? job.set.items[0].path : NULL, edits, NULL, &e) < 0)
		status = change_fail(&job, &e);
	return change_end(&job, status);
}

int registry_change_run(const struct registry_change *r, int argc, char **argv)
{
	CLEANUP(edits_free) struct dry_registry_edits *edits = dry_registry_edits_new();
	CLEANUP(writer_stop) struct dry_hive_writer *w = NULL;
	const struct guest_opts *g = &r->change->guest;
	bool with_image = !r->hive && !g->images.n && !g->domains.n;
	struct dry_error e = { .code = DRY_OK };
	int status = 0;

	if (!edits)
		return cmd_warn("out of memory"), EXIT_FAILED;
	if (argc - 1 < with_image)
		return cmd_usage("registry", "name an image, or a hive with --hive");
	if (r->hive && (g->images.n || g->mounts.n || g->domains.n || r->change->undo))
		return cmd_usage("registry", "--hive is a file by itself, and goes with none of -a, -d, -m and --undo-file");
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i].name, argv[0]) == 0)
			status = actions[i].gather(r, edits, argc - 1 - with_image, argv + 1 + with_image);
	if (status)
		return status;
	if (dry_hive_writer_start(&w, &e) < 0)
		return cmd_fail(&e);
	return r->hive ? change_host(r, edits, w) : change_guest(r, edits, w, with_image, argv + 1);
}
