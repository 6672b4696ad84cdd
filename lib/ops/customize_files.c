/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* customize_files.c - operations on a guest's files. */
#include "customize.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "locked.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE (1 * MiB)

/* ---- arguments ---- */

static int path_ok(const char *path, struct err *e)
{
	return path && path[0] == '/' ? 0 : err_set(e, ERR_USAGE, "\"%s\": paths of the guest begin with \"/\"", path ? path : "");
}

int take_path(struct customize_item *item, struct err *e)
{
	return path_ok(item->a, e);
}

int take_two_paths(struct customize_item *item, struct err *e)
{
	int rc = path_ok(item->a, e);

	return rc < 0 ? rc : path_ok(item->b, e);
}

/* Octal, with a 0 in front or without. */
int take_chmod(struct customize_item *item, struct err *e)
{
	size_t len = strlen(item->a);

	item->mode = 0;
	for (const char *p = item->a; *p >= '0' && *p <= '7'; p++)
		item->mode = item->mode * 8 + (uint32_t)(*p - '0');
	if (!len || len > 5 || strspn(item->a, "01234567") < len || item->mode > 07777)
		return err_set(e, ERR_USAGE, "\"%s\" are no permissions in octal digits", item->a);
	return path_ok(item->b, e);
}

int take_chown(struct customize_item *item, struct err *e)
{
	char *second = (char *)item->b, *colon = strchr(second, ':');
	uint64_t uid, gid;

	if (!colon)
		return err_set(e, ERR_USAGE, "it takes %s", item->op->arg);
	*colon = '\0';
	if (!text_parse_u64(item->a, &uid) || !text_parse_u64(second, &gid) || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return err_set(e, ERR_USAGE, "owners are two numbers");
	item->uid = (uint32_t)uid;
	item->gid = (uint32_t)gid;
	item->b = colon + 1;
	return path_ok(item->b, e);
}

int take_edit(struct customize_item *item, struct err *e)
{
	int rc = path_ok(item->a, e);

	return rc < 0 ? rc : line_edit_new(item->b, &item->edit, e);
}

/* The target comes first, and may be anything; the links behind it are split when they are made. */
int take_link(struct customize_item *item, struct err *e)
{
	if (!*item->a)
		return err_set(e, ERR_USAGE, "the target is empty");
	for (const char *p = item->b; p; p = strchr(p, ':'), p += p != NULL)
		if (*p != '/')
			return err_set(e, ERR_USAGE, "links are paths that begin with \"/\"");
	return 0;
}

int take_upload(struct customize_item *item, struct err *e)
{
	struct stat st;

	item->fd = open(item->a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (item->fd < 0 || fstat(item->fd, &st) < 0)
		return err_sys(e, errno, "%s", item->a);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "%s is no regular file", item->a);
	item->mode = st.st_mode & 07777;
	item->uid = st.st_uid;
	item->gid = st.st_gid;
	return path_ok(item->b, e);
}

int take_copy_in(struct customize_item *item, struct err *e)
{
	if (access(item->a, R_OK) < 0)
		return err_sys(e, errno, "%s", item->a);
	return path_ok(item->b, e);
}

/* ---- content ---- */

/* All of a host file, into a new file or one that is there, of this owner. */
static int file_fill(struct tree *t, int fd, const char *path, const struct tree_owner *owner, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	uint64_t off = 0, file;
	size_t got = 0;
	int rc = piece ? t->ops->create(t, path, owner, &file, e) : err_nomem(e);

	do {
		int why = rc == 0 ? io_pread(fd, piece, PIECE, off, &got) : 0;

		if (why)
			return err_sys(e, why, "the file of the host");
		if (rc == 0 && got)
			rc = t->ops->pwrite(t, file, piece, got, off, e);
		off += got;
	} while (rc == 0 && got == PIECE);
	return rc;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int run_upload(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	const struct tree_owner owner = { item->mode, item->uid, item->gid };
	CLEANUP(free_ptr) char *within = NULL;
	const char *to = item->b;

	if (tree_is_dir(job->tree, to)) {
		within = alloc_printf("%s/%s", strcmp(to, "/") == 0 ? "" : to, last_name(item->a));
		if (!within)
			return err_nomem(e);
		to = within;
	}
	return file_fill(job->tree, item->fd, to, &owner, e);
}

int run_tar_in(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	int rc;

	if (!tree_is_dir(job->tree, item->b))
		return err_set(e, ERR_NOT_FOUND, "the guest has no folder \"%s\"", item->b);
	if (!job->unpack)
		return err_set(e, ERR_UNSUPPORTED, "archives cannot be unpacked here");
	rc = job->unpack(job->arg, item->fd, item->b, e);
	return rc < 0 ? err_in(e, rc, "%s", item->a) : 0;
}

/* ---- trees of the host ---- */

static int host_copy(struct tree *t, int dir, const char *name, const char *to, unsigned depth, struct err *e);

static int host_folder_copy(struct tree *t, int *fd, const char *to, unsigned depth, struct err *e)
{
	DIR *d = fdopendir(*fd);
	struct dirent *x;
	int rc = d ? 0 : err_sys(e, errno, "%s", to);

	if (!d)
		return rc;
	*fd = -1;
	while (rc == 0 && (errno = 0, x = readdir(d))) {
		CLEANUP(free_ptr) char *below = NULL;

		if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
			continue;
		below = alloc_printf("%s/%s", to, x->d_name);
		rc = below ? host_copy(t, dirfd(d), x->d_name, below, depth + 1, e) : err_nomem(e);
	}
	if (rc == 0 && errno)
		rc = err_sys(e, errno, "%s", to);
	closedir(d);
	return rc;
}

/* Depth is that of the host's folders. */
static int host_copy(struct tree *t, int dir, const char *name, const char *to, unsigned depth, struct err *e)
{
	CLEANUP(close_fd) int fd = -1;
	struct tree_owner owner;
	struct stat st;
	char target[LIMIT_PATH];
	ssize_t n;
	int rc;

	if (depth > LIMIT_TREE_DEPTH)
		return err_set(e, ERR_LIMIT, "folders lie more than %d deep", LIMIT_TREE_DEPTH);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "%s", name);
	owner = (struct tree_owner){ st.st_mode & 07777, st.st_uid, st.st_gid };
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, name, target, sizeof target - 1);
		if (n < 0)
			return err_sys(e, errno, "%s", name);
		target[n] = '\0';
		return tree_relink(t, to, target, e);
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_UNSUPPORTED, "%s is neither a file, a folder nor a link", name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
	if (fd < 0)
		return err_sys(e, errno, "%s", name);
	if (S_ISREG(st.st_mode))
		return file_fill(t, fd, to, &owner, e);
	rc = tree_is_dir(t, to) ? 0 : t->ops->mkdir(t, to, &owner, e);
	return rc < 0 ? rc : host_folder_copy(t, &fd, to, depth, e);
}

int run_copy_in(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(item->a);
	CLEANUP(free_ptr) char *to = NULL;

	if (!copy)
		return err_nomem(e);
	if (!tree_is_dir(job->tree, item->b))
		return err_set(e, ERR_NOT_FOUND, "the guest has no folder \"%s\"", item->b);
	to = alloc_printf("%s/%s", strcmp(item->b, "/") == 0 ? "" : item->b, basename(copy));
	return to ? host_copy(job->tree, AT_FDCWD, item->a, to, 0, e) : err_nomem(e);
}

/* ---- within the guest ---- */

static int guest_file_copy(struct tree *t, const char *from, const char *to, const struct tree_owner *owner, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	uint64_t off = 0, file;
	size_t got = 0;
	int rc = piece ? t->ops->create(t, to, owner, &file, e) : err_nomem(e);

	do {
		if (rc == 0)
			rc = t->ops->pread(t, from, piece, PIECE, off, &got, e);
		if (rc == 0 && got)
			rc = t->ops->pwrite(t, file, piece, got, off, e);
		off += got;
	} while (rc == 0 && got == PIECE);
	return rc;
}

struct copy {
	struct tree *t;
	const char *from, *to;
	bool folders; /* first all folders, then what is in them: a walk meets a folder after that */
};

static int copy_one(void *arg, const char *path, const struct fs_stat *st, struct err *e)
{
	const struct copy *c = arg;
	const struct tree_owner owner = { st->mode & 07777, st->uid, st->gid };
	CLEANUP(free_ptr) char *to = alloc_printf("%s%s", c->to, path + strlen(c->from));
	CLEANUP(strbuf_free) struct strbuf target = STRBUF_INIT;
	int rc;

	if (!to)
		return err_nomem(e);
	if (S_ISDIR(st->mode)) {
		if (c->folders)
			return c->t->ops->mkdir(c->t, to, &owner, e);
		/* Its mother may have been made as one above another. */
		rc = c->t->ops->chown(c->t, to, false, st->uid, st->gid, e);
		return rc < 0 ? rc : c->t->ops->chmod(c->t, to, st->mode & 07777, e);
	}
	if (c->folders)
		return 0;
	if (S_ISREG(st->mode))
		return guest_file_copy(c->t, path, to, &owner, e);
	if (!S_ISLNK(st->mode))
		return err_set(e, ERR_UNSUPPORTED, "%s is neither a file, a folder nor a link", path);
	rc = c->t->ops->readlink(c->t, path, &target, e);
	return rc < 0 ? rc : tree_relink(c->t, to, target.s, e);
}

/* A place in a folder, under the last name of a path, where the destination is a folder. */
static char *destination(struct tree *t, const char *from, const char *to)
{
	return tree_is_dir(t, to) ? alloc_printf("%s/%s", strcmp(to, "/") == 0 ? "" : to, last_name(from)) : alloc_strdup(to);
}

int run_copy(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(free_ptr) char *to = destination(job->tree, item->a, item->b);
	struct copy c = { job->tree, item->a, to, true };
	size_t len = strlen(item->a);
	int rc;

	if (!to)
		return err_nomem(e);
	if (strncmp(to, item->a, len) == 0 && (to[len] == '/' || to[len] == '\0'))
		return err_set(e, ERR_USAGE, "\"%s\" lies in \"%s\"", to, item->a);
	rc = tree_walk(job->tree, item->a, copy_one, &c, e);
	c.folders = false;
	return rc < 0 ? rc : tree_walk(job->tree, item->a, copy_one, &c, e);
}

int run_move(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(free_ptr) char *to = destination(job->tree, item->a, item->b);

	return to ? job->tree->ops->rename(job->tree, item->a, to, e) : err_nomem(e);
}

static int delete_one(void *arg, const char *path, struct err *e)
{
	struct tree *t = arg;

	return t->ops->remove(t, path, e);
}

int run_delete(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return tree_glob(job->tree, item->a, delete_one, job->tree, e);
}

int run_mkdir(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	const struct tree_owner owner = { .mode = 0755 };

	return tree_is_dir(job->tree, item->a) ? 0 : job->tree->ops->mkdir(job->tree, item->a, &owner, e);
}

int run_link(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	for (const char *p = item->b; *p;) {
		size_t len = strcspn(p, ":");
		CLEANUP(free_ptr) char *link = alloc_strndup(p, len);
		int rc;

		if (!link)
			return err_nomem(e);
		customize_say(job, "Linking: %s -> %s", link, item->a);
		rc = job->tree->ops->symlink(job->tree, link, item->a, e);
		if (rc < 0)
			return rc;
		p += len + (p[len] == ':');
	}
	return 0;
}

int run_chmod(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return job->tree->ops->chmod(job->tree, item->b, item->mode, e);
}

int run_chown(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return job->tree->ops->chown(job->tree, item->b, true, item->uid, item->gid, e);
}

int run_touch(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	struct timespec now;
	struct fs_time when;

	if (!tree_has(job->tree, item->a)) {
		const struct tree_owner owner = { .mode = 0644 };

		return job->tree->ops->write(job->tree, item->a, "", 0, &owner, e);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	when = (struct fs_time){ now.tv_sec, (uint32_t)now.tv_nsec };
	return job->tree->ops->touch(job->tree, item->a, &when, e);
}

int run_truncate(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return job->tree->ops->truncate(job->tree, item->a, 0, e);
}

static int truncate_one(void *arg, const char *path, const struct fs_stat *st, struct err *e)
{
	struct tree *t = arg;

	return S_ISREG(st->mode) ? t->ops->truncate(t, path, 0, e) : 0;
}

int run_truncate_recursive(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return tree_walk(job->tree, item->a, truncate_one, job->tree, e);
}

/* ---- texts ---- */

int run_write(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	return job->tree->ops->write(job->tree, item->a, item->b, strlen(item->b), NULL, e);
}

int run_append_line(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	size_t len = 0;
	int rc = job->tree->ops->read(job->tree, item->a, LIMIT_SCRIPT_BYTES, &text, &len, e);

	if (rc < 0 && rc != -ERR_NOT_FOUND)
		return rc;
	rc = text_append_line(text ? text : "", len, item->b, &out, e);
	return rc < 0 ? rc : job->tree->ops->write(job->tree, item->a, out.s, out.len, NULL, e);
}

int run_edit(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	CLEANUP(free_ptr) char *text = NULL;
	CLEANUP(strbuf_free) struct strbuf out = STRBUF_INIT;
	size_t len = 0;
	int rc = job->tree->ops->read(job->tree, item->a, LIMIT_SCRIPT_BYTES, &text, &len, e);

	if (rc == 0)
		rc = line_edit_run(item->edit, text, len, &out, e);
	if (rc == 0 && out.len == len && memcmp(out.s, text, len) == 0)
		return 0;
	return rc < 0 ? rc : job->tree->ops->write(job->tree, item->a, out.s, out.len, NULL, e);
}

/* ---- scrubbing ---- */

/* Its bytes become random ones where they lie, as far as the filesystem writes in place. */
int run_scrub(struct customize_job *job, const struct customize_item *item, struct err *e)
{
	struct tree *t = job->tree;
	CLEANUP(free_ptr) uint8_t *piece = alloc_bytes(PIECE);
	struct fs_stat st;
	uint64_t file, off = 0;
	int rc = piece ? t->ops->stat(t, item->a, false, &st, e) : err_nomem(e);

	if (rc < 0)
		return rc;
	if (!S_ISREG(st.mode))
		return err_set(e, ERR_USAGE, "\"%s\" is no regular file", item->a);
	rc = t->ops->open(t, item->a, &file, e);
	while (rc == 0 && off < st.size) {
		size_t len = (size_t)MIN_OF(PIECE, st.size - off);

		if (!random_bytes(piece, len))
			return err_set(e, ERR_SYSTEM, "there are no random bytes");
		rc = t->ops->pwrite(t, file, piece, len, off, e);
		off += len;
	}
	if (rc == 0 && t->ops->sync)
		rc = t->ops->sync(t, e);
	return rc < 0 ? rc : t->ops->remove(t, item->a, e);
}
