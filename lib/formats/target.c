/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target.h"

#include "alloc.h"
#include "block_driver.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINKS = 40, RANDOM_LETTERS = 6, NAME_TRIES = 100 };

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One link further: where the symbolic link at path leads, as a path from here. */
static int follow_link(const char *path, char **out, struct err *e)
{
	char to[PATH_MAX];
	ssize_t n = readlink(path, to, sizeof to - 1);

	if (n < 0)
		return err_sys(e, errno, "%s", path);
	to[n] = '\0';
	*out = to[0] == '/' ? alloc_strdup(to) : alloc_printf("%.*s%s", (int)(base_of(path) - path), path, to);
	return *out ? 0 : err_nomem(e);
}

/* The file that would be made or replaced: a symbolic link stays, what it leads to is replaced. */
static int resolve_links(const char *path, char **out, struct stat *st, bool *exists, struct err *e)
{
	CLEANUP(free_ptr) char *at = alloc_strdup(path);

	if (!at)
		return err_nomem(e);
	for (unsigned hops = 0; hops < MAX_LINKS; hops++) {
		char *next;
		int rc;

		*exists = lstat(at, st) == 0;
		if (!*exists && errno != ENOENT)
			return err_sys(e, errno, "%s", path);
		if (!*exists || !S_ISLNK(st->st_mode)) {
			*out = take(at);
			return 0;
		}
		rc = follow_link(at, &next, e);
		if (rc < 0)
			return rc;
		free(at);
		at = next;
	}
	return err_sys(e, ELOOP, "%s", path);
}

/* A name no file has: the odds and O_EXCL see to it. */
static int make_temporary(struct target *t, mode_t mode, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *base = base_of(t->final);
	const int extra = (int)strlen("..drydock-") + RANDOM_LETTERS;

	for (int i = 0; i < NAME_TRIES; i++) {
		unsigned char r[RANDOM_LETTERS];
		char suffix[RANDOM_LETTERS + 1];
		int fd;

		if (getrandom(r, sizeof r, 0) != sizeof r)
			return err_sys(e, errno, "no random bytes");
		for (int k = 0; k < RANDOM_LETTERS; k++)
			suffix[k] = letters[r[k] % (sizeof letters - 1)];
		suffix[RANDOM_LETTERS] = '\0';
		free(t->path);
		t->path = alloc_printf("%.*s.%.*s.drydock-%s", (int)(base - t->final), t->final, NAME_MAX - extra, base,
				       suffix);
		if (!t->path)
			return err_nomem(e);
		fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (errno != EEXIST) {
			int why = errno;

			free(take(t->path));
			return err_sys(e, why, "%s", t->final);
		}
	}
	free(take(t->path));
	return err_sys(e, EEXIST, "%s", t->final);
}

/* Owner and permissions of the file that will be replaced, as far as the host lets us. */
static int keep_permissions(struct target *t, const struct stat *old, struct err *e)
{
	mode_t mode = old->st_mode & 07777;
	struct stat now;

	if (stat(t->path, &now) != 0)
		return err_sys(e, errno, "%s", t->path);
	if (now.st_uid != old->st_uid && chown(t->path, old->st_uid, (gid_t)-1) != 0)
		mode &= 0777; /* no set-id bits for another owner */
	if (now.st_gid != old->st_gid && chown(t->path, (uid_t)-1, old->st_gid) != 0)
		mode &= 0707; /* what was the old group's is not another's */
	return chmod(t->path, mode) == 0 ? 0 : err_sys(e, errno, "%s", t->final);
}

/* Finds the final name, and takes the locks of what has it now. */
static int begin(struct target *t, const char *name, struct stat *st, bool *exists, struct err *e)
{
	int rc;

	text_starts(name, "file:", &name);
	if (text_starts(name, "json:", NULL) || !*name)
		return err_set(e, ERR_UNSUPPORTED, "\"%s\" is not the path of a file or device", name);
	if (block_name_is_remote(name))
		return err_set(e, ERR_UNSUPPORTED, "%s: no image is made on a network; what is there already can be written to "
			       "(-n)", name);
	rc = resolve_links(name, &t->final, st, exists, e);
	if (rc < 0)
		return rc;
	if (*exists && S_ISDIR(st->st_mode))
		return err_sys(e, EISDIR, "%s", name);
	if (*exists && !S_ISREG(st->st_mode)) {
		t->in_place = true;
		t->path = alloc_strdup(t->final);
		return t->path ? 0 : err_nomem(e);
	}
	if (*exists) {
		/* Whoever may not write to it may not replace it either; nor while a machine runs from it. */
		rc = block_open_host(t->final, BLOCK_WRITE, NULL, &t->lock, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int target_begin(struct target *t, const char *name, struct err *e)
{
	struct stat st;
	bool exists;
	int rc = begin(t, name, &st, &exists, e);

	if (rc < 0 || t->in_place)
		return rc;
	rc = make_temporary(t, 0666, e);
	if (rc == 0 && exists)
		rc = keep_permissions(t, &st, e);
	return rc;
}

int target_begin_lasting(struct target *t, const char *name, struct err *e)
{
	struct stat st;
	bool exists;
	int rc = begin(t, name, &st, &exists, e);

	if (rc < 0)
		return rc;
	if (t->in_place)
		return err_set(e, ERR_UNSUPPORTED, "%s is written in place: a conversion onto it cannot be resumed", t->final);
	t->lasting = true; /* not ours to remove yet */
	t->path = alloc_printf("%.*s.%.200s.drydock-resume", (int)(base_of(t->final) - t->final), t->final,
			       base_of(t->final));
	return t->path ? 0 : err_nomem(e);
}

int target_renew(struct target *t, struct err *e)
{
	struct stat st;
	int fd;

	if (unlink(t->path) != 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", t->path);
	fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return err_sys(e, errno, "%s", t->path);
	close(fd);
	t->lasting = false;
	return stat(t->final, &st) == 0 ? keep_permissions(t, &st, e) : 0;
}

void target_keep(struct target *t)
{
	t->lasting = true;
}

static int sync_path(const char *path, struct err *e)
{
	CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return err_sys(e, errno, "%s", path);
	return 0;
}

static int open_folder_of(const char *path, int *fd, struct err *e)
{
	size_t len = (size_t)(base_of(path) - path);
	CLEANUP(free_ptr) char *folder = len ? alloc_strndup(path, len) : alloc_strdup(".");

	if (!folder)
		return err_nomem(e);
	*fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* One may make files in a folder that one may not read; then nobody can wait for it. */
	return *fd < 0 && errno != EACCES ? err_sys(e, errno, "%s", folder) : 0;
}

int target_commit(struct target *t, bool stable, struct err *e)
{
	CLEANUP(close_fd) int folder = -1;
	int rc = 0;

	if (t->in_place)
		return 0;
	if (stable)
		rc = sync_path(t->path, e);
	/* What can fail has done so before the name changes, but for the last word of the disk. */
	if (rc == 0 && stable)
		rc = open_folder_of(t->final, &folder, e);
	if (rc < 0)
		return target_err(t, rc, e);
	if (rename(t->path, t->final) != 0)
		return err_sys(e, errno, "%s", t->final);
	free(take(t->path));
	return folder >= 0 && fsync(folder) != 0 ? err_sys(e, errno, "%s", t->final) : 0;
}

void target_abort(struct target *t)
{
	if (t->path && !t->in_place && !t->lasting)
		unlink(t->path);
	free(take(t->path));
	free(take(t->final));
	block_unrefp(&t->lock);
}

int target_err(const struct target *t, int rc, struct err *e)
{
	char *at, rest[sizeof e->msg];

	if (!e || !t->path || t->in_place)
		return rc;
	/* Ends: each turn makes the message shorter. */
	while ((at = strstr(e->msg, t->path))) {
		memcpy(rest, at + strlen(t->path), strlen(at + strlen(t->path)) + 1);
		snprintf(at, sizeof e->msg - (size_t)(at - e->msg), "%s%s", t->final, rest);
	}
	return rc;
}
