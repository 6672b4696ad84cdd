/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "files.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "proto.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(APPLIANCE_LAYOUT == PROTO_VERSION, "whose agent speaks otherwise is not started, to be found out late");

static void file_close(struct appliance_file *f)
{
	/* A zeroed struct has fd 0 and no path: that is not ours to close. */
	if (f->path && f->fd >= 0)
		close(f->fd);
	free(f->path);
	*f = (struct appliance_file){ .fd = -1 };
}

void appliance_files_free(struct appliance_files *f)
{
	file_close(&f->uml);
	file_close(&f->uml_initrd);
	file_close(&f->vmlinux);
	file_close(&f->vmlinux_initrd);
	file_close(&f->tools);
	free(take(f->folder));
	free(take(f->uml_mounts));
	free(take(f->vmlinux_mounts));
}

bool appliance_mounts(const char *list, const char *type)
{
	const size_t len = strlen(type);

	if (!len)
		return false;
	for (const char *p = list; p && (p = strstr(p, type)); p += len)
		if (p > list && p[-1] == ' ' && p[len] == ' ')
			return true;
	return false;
}

char *appliance_cache_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	/* The specification says to pass over a relative path. */
	if (cache && *cache == '/')
		return alloc_printf("%s/drydock", cache);
	return home && *home == '/' ? alloc_printf("%s/.cache/drydock", home) : NULL;
}

char *appliance_program_folder(void)
{
	char path[LIMIT_PATH];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	return slash ? alloc_strndup(path, (size_t)(slash - path)) : NULL;
}

/* 0 with fd -1 when there is no such file. */
static int open_in(int dir, const char *folder, const char *name, struct appliance_file *out, struct err *e)
{
	struct stat st;

	*out = (struct appliance_file){ .fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) };
	if (out->fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s/%s", folder, name);
	out->path = alloc_printf("%s/%s", folder, name);
	if (!out->path) {
		close_fd(&out->fd);
		return err_nomem(e);
	}
	if (fstat(out->fd, &st) < 0)
		return err_sys(e, errno, "%s", out->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "%s is not a regular file", out->path);
	return 0;
}

static int not_ours(const char *folder, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s/key is not what the builder of appliances writes", folder);
}

/* "NAME TYPE TYPE ...", of which a blank is put behind; 0 when the line is about something else. */
static int read_mounts(const char *line, const char *name, char **out, struct err *e)
{
	const char *rest;

	if (*out || !text_starts(line, name, &rest) || *rest != ' ')
		return 0;
	*out = alloc_printf("%s ", rest);
	return *out ? 0 : err_nomem(e);
}

static int parse_key(char *text, const char *folder, struct appliance_files *out, struct err *e)
{
	char *next = text, *line = strsep(&next, "\n"), *key = strsep(&next, "\n");
	const char *rest;
	uint64_t layout;
	int rc = 0;

	if (!next || !text_starts(line, "drydock appliance ", &rest) || !text_parse_u64(rest, &layout))
		return not_ours(folder, e);
	if (layout != APPLIANCE_LAYOUT)
		return err_set(e, ERR_UNSUPPORTED, "the appliance in %s was built by another version of drydock", folder);
	if (strlen(key) + 1 != sizeof out->key)
		return not_ours(folder, e);
	memcpy(out->key, key, sizeof out->key);
	while (rc == 0 && (line = strsep(&next, "\n"))) {
		rc = read_mounts(line, "uml", &out->uml_mounts, e);
		if (rc == 0)
			rc = read_mounts(line, "vmlinux", &out->vmlinux_mounts, e);
	}
	return rc;
}

static int read_key(int dir, const char *folder, struct appliance_files *out, struct err *e)
{
	CLEANUP(close_fd) int fd = openat(dir, "key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[4096];
	size_t got;

	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND, "%s holds no appliance", folder);
	if (io_read(fd, text, sizeof text - 1, &got))
		return not_ours(folder, e);
	text[got] = '\0';
	return parse_key(text, folder, out, e);
}

static int open_all(int dir, const char *folder, struct appliance_files *out, struct err *e)
{
	const struct {
		const char *name;
		struct appliance_file *file;
	} parts[] = {
		{ "uml", &out->uml },
		{ "uml.initrd", &out->uml_initrd },
		{ "vmlinux", &out->vmlinux },
		{ "vmlinux.initrd", &out->vmlinux_initrd },
		{ "tools.ext4", &out->tools },
	};
	int rc = read_key(dir, folder, out, e);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++)
		rc = open_in(dir, folder, parts[i].name, parts[i].file, e);
	if (rc < 0)
		return rc;
	if (!out->uml.path != !out->uml_initrd.path || !out->vmlinux.path != !out->vmlinux_initrd.path ||
	    (!out->uml.path && !out->vmlinux.path))
		return err_set(e, ERR_CORRUPT, "the appliance in %s has not all of its files", folder);
	out->folder = alloc_strdup(folder);
	return out->folder ? 0 : err_nomem(e);
}

static int open_folder(const char *folder, bool trusted, struct appliance_files *out, struct err *e)
{
	CLEANUP(close_fd) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int rc;

	*out = (struct appliance_files){ .uml.fd = -1 };
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? err_set(e, ERR_NOT_FOUND, "%s is not there", folder)
							    : err_sys(e, errno, "%s", folder);
	/* Programs are started from it: nobody else may have written them. */
	if (!trusted && (fstat(dir, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & S_IWOTH))
		return err_set(e, ERR_POLICY, "%s belongs to another user", folder);
	rc = open_all(dir, folder, out, e);
	if (rc < 0)
		appliance_files_free(out);
	return rc;
}

int appliance_files_open(const char *folder, struct appliance_files *out, struct err *e)
{
	return open_folder(folder, true, out, e);
}

/* Takes path, which may be NULL when memory is out. */
static int try_folder(char *path, bool installed, struct appliance_files *out, struct err *e)
{
	CLEANUP(free_ptr) char *folder = path;
	int rc = folder ? open_folder(folder, false, out, e) : err_nomem(e);

	if (rc == 0)
		out->installed = installed;
	return rc;
}

int appliance_files_find(struct appliance_files *out, struct err *e)
{
	const char *given = getenv("DRYDOCK_APPLIANCE_DIR");
	CLEANUP(free_ptr) char *cache = NULL;
	CLEANUP(free_ptr) char *program = NULL;
	struct err why = ERR_INIT;
	int rc = -ERR_NOT_FOUND;

	if (given && *given)
		return appliance_files_open(given, out, e);
	*out = (struct appliance_files){ .uml.fd = -1 };
	cache = appliance_cache_folder();
	if (cache)
		rc = try_folder(alloc_printf("%s/appliance", cache), false, out, &why);
	program = appliance_program_folder();
	/* In the tree where it was built; where it was installed. */
	if (rc < 0 && program)
		rc = try_folder(alloc_printf("%s/appliance", program), true, out, rc == -ERR_NOT_FOUND ? &why : NULL);
	if (rc < 0 && program)
		rc = try_folder(alloc_printf("%s/../lib/drydock/appliance", program), true, out,
				why.code == ERR_NOT_FOUND ? &why : NULL);
	if (rc == 0)
		return 0;
	if (why.code == ERR_NOT_FOUND || why.code == ERR_NONE)
		return err_set(e, ERR_NOT_FOUND, "there is no appliance yet; \"drydock appliance build\" makes one");
	return err_set(e, ERR_NOT_FOUND, "%s; \"drydock appliance build\" makes a new one", why.msg);
}
