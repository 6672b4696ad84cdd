/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folders.h"

#include "alloc.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIDDEN ".build-"

/* Unpacked packages are a dozen deep. */
enum { DEPTH = 100 };

int folder_make_all(const char *path, struct err *e)
{
	CLEANUP(free_ptr) char *part = alloc_strdup(path);

	if (!part)
		return err_nomem(e);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		/* What cannot be made shows at the last one. */
		(void)mkdir(part, 0755);
		*p = '/';
	}
	if (mkdir(part, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "%s", path);
	return 0;
}

static int remove_below(int at, const char *name, unsigned depth, struct err *e);

static int remove_entries(int at, const char *name, unsigned depth, struct err *e)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	int rc = 0;

	if (!d) {
		rc = err_sys(e, errno, "%s", name);
		close_fd(&fd);
		return rc;
	}
	while (rc == 0 && (ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			rc = remove_below(dirfd(d), ent->d_name, depth + 1, e);
	closedir(d);
	return rc;
}

static int remove_below(int at, const char *name, unsigned depth, struct err *e)
{
	int rc;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "%s", name);
	if (depth > DEPTH)
		return err_set(e, ERR_LIMIT, "folders in each other, more than %d deep", DEPTH);
	rc = remove_entries(at, name, depth, e);
	if (rc < 0)
		return rc;
	return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? err_sys(e, errno, "%s", name) : 0;
}

int folder_remove(int at, const char *name, struct err *e)
{
	return remove_below(at, name, 0, e);
}

int folder_new_hidden(const char *path, char **out, struct err *e)
{
	CLEANUP(free_ptr) char *name = alloc_printf("%s/" HIDDEN "XXXXXX", path);

	if (!name)
		return err_nomem(e);
	if (!mkdtemp(name) || chmod(name, 0755) < 0)
		return err_sys(e, errno, "%s", path);
	*out = take(name);
	return 0;
}

int folder_remove_hidden(int at, struct err *e)
{
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	int rc = 0;

	if (!d) {
		rc = err_sys(e, errno, "looking for what is left of old builds");
		close_fd(&fd);
		return rc;
	}
	while (rc == 0 && (ent = readdir(d)))
		if (text_starts(ent->d_name, HIDDEN, NULL))
			rc = folder_remove(at, ent->d_name, e);
	closedir(d);
	return rc;
}

int folder_replace(const char *from, const char *to, struct err *e)
{
	if (rename(from, to) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
		return err_sys(e, errno, "%s", to);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0)
		return err_sys(e, errno, "%s", to);
	return folder_remove(AT_FDCWD, from, e);
}

int folder_point(int at, const char *name, const char *target, struct err *e)
{
	CLEANUP(free_ptr) char *new = alloc_printf(HIDDEN "%s", name);

	if (!new)
		return err_nomem(e);
	if ((unlinkat(at, new, 0) < 0 && errno != ENOENT) || symlinkat(target, at, new) < 0 || renameat(at, new, at, name) < 0)
		return err_sys(e, errno, "%s", name);
	return 0;
}
