/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_tree.h - a folder of the host in place of a guest, for tests of jobs: their calls by path, and what was run is noted.
 *
 * Owners are noted, not given; links that lead to "/..." are followed below the folder.
 */
#ifndef DRYDOCK_TEST_HOST_TREE_H
#define DRYDOCK_TEST_HOST_TREE_H

#include "alloc.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct host_tree {
	struct tree tree;
	struct os os;
	char root[200];
	struct strbuf ran;   /* "argv0 argv1\n" of what was run */
	struct strbuf owned; /* "path uid:gid\n" of what was given away */
	int status;	     /* that every program ends with, as waitpid() tells */
	const char *says;
};

static inline struct host_tree *host_tree_of(struct tree *t)
{
	return (struct host_tree *)t;
}

static inline int host_fd(struct tree *t, const char *path, int flags, struct err *e)
{
	int root = open(host_tree_of(t)->root, O_PATH | O_DIRECTORY);
	struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .mode = flags & O_CREAT ? 0644 : 0,
				.resolve = RESOLVE_IN_ROOT };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how), why = errno;

	close(root);
	if (fd < 0)
		return why == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: there is no such file", path) : err_sys(e, why, "%s", path);
	return fd;
}

/* A path of the host whose last component is not followed. */
static inline int host_path(struct tree *t, const char *path, char *out, size_t size, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[400], link[64];
	ssize_t n;
	int fd;

	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 0, path);
	fd = host_fd(t, *dir ? dir : "/", O_PATH | O_DIRECTORY, e);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, out, size - 1);
	close(fd);
	if (n < 0)
		return err_sys(e, errno, "%s", path);
	snprintf(out + n, size - (size_t)n, "/%s", slash ? slash + 1 : path);
	return 0;
}
#define HOST_PATH(t, path)                                                                                             \
	char p[1000];                                                                                                  \
	int rc = host_path((t), (path), p, sizeof p, e);                                                               \
	if (rc < 0)                                                                                                    \
	return rc

static inline int host_done(const char *path, int rc, struct err *e)
{
	if (rc >= 0)
		return 0;
	return errno == ENOENT ? err_set(e, ERR_NOT_FOUND, "%s: there is no such file", path) : err_sys(e, errno, "%s", path);
}

static inline int host_stat(struct tree *t, const char *path, bool follow, struct fs_stat *out, struct err *e)
{
	int fd = host_fd(t, path, O_PATH | (follow ? 0 : O_NOFOLLOW), e);
	struct stat st;

	if (fd < 0)
		return fd;
	fstat(fd, &st);
	close(fd);
	memset(out, 0, sizeof *out);
	out->mode = st.st_mode;
	out->size = (uint64_t)st.st_size;
	out->ino = st.st_ino;
	return 0;
}

static inline int host_read(struct tree *t, const char *path, size_t max, char **out, size_t *len, struct err *e)
{
	int fd = host_fd(t, path, O_RDONLY, e);
	ssize_t n;

	if (fd < 0)
		return fd;
	*out = calloc(1, max < 65536 ? max + 1 : 65536);
	n = read(fd, *out, (max < 65536 ? max : 65536) - 1);
	close(fd);
	if (n < 0) {
		free(*out);
		*out = NULL;
		return err_sys(e, EISDIR, "%s", path);
	}
	*len = (size_t)n;
	return 0;
}

static inline int host_pread(struct tree *t, const char *path, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	int fd = host_fd(t, path, O_RDONLY, e);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, buf, len, (off_t)off);
	close(fd);
	*got = n < 0 ? 0 : (size_t)n;
	return n < 0 ? err_sys(e, EIO, "%s", path) : 0;
}

static inline int host_readlink(struct tree *t, const char *path, struct strbuf *out, struct err *e)
{
	char target[400];
	ssize_t n;
	HOST_PATH(t, path);
	n = readlink(p, target, sizeof target);
	if (n < 0)
		return host_done(path, -1, e);
	strbuf_add(out, target, (size_t)n);
	return 0;
}

static inline int host_list(struct tree *t, const char *path,
			    int (*fn)(void *arg, const char *name, uint32_t type, struct err *e), void *arg, struct err *e)
{
	int fd = host_fd(t, path, O_RDONLY | O_DIRECTORY, e), rc = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		return fd;
	for (struct dirent *x; rc == 0 && (x = readdir(d));)
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			rc = fn(arg, x->d_name, DTTOIF(x->d_type), e);
	closedir(d);
	return rc;
}

static inline void host_own(struct tree *t, const char *path, uint32_t uid, uint32_t gid)
{
	strbuf_printf(&host_tree_of(t)->owned, "%s %u:%u\n", path, uid, gid);
}

static inline int host_write(struct tree *t, const char *path, const void *bytes, size_t len, const struct tree_owner *owner,
			     struct err *e)
{
	int fd = host_fd(t, path, O_WRONLY | O_CREAT | O_TRUNC, e), rc = 0;

	if (fd < 0)
		return fd;
	if (write(fd, bytes, len) != (ssize_t)len)
		rc = err_sys(e, errno, "%s", path);
	if (owner) {
		fchmod(fd, owner->mode);
		host_own(t, path, owner->uid, owner->gid);
	}
	close(fd);
	return rc;
}

static inline int host_create(struct tree *t, const char *path, const struct tree_owner *owner, uint64_t *file, struct err *e)
{
	int rc = host_write(t, path, "", 0, owner, e), fd = rc < 0 ? rc : host_fd(t, path, O_WRONLY, e);

	if (fd < 0)
		return fd;
	*file = (uint64_t)fd;
	return 0;
}

static inline int host_open(struct tree *t, const char *path, uint64_t *file, struct err *e)
{
	int fd = host_fd(t, path, O_WRONLY, e);

	*file = (uint64_t)fd;
	return fd < 0 ? fd : 0;
}

static inline int host_pwrite(struct tree *t, uint64_t file, const void *bytes, size_t len, uint64_t off, struct err *e)
{
	(void)t;
	return pwrite((int)file, bytes, len, (off_t)off) == (ssize_t)len ? 0 : err_sys(e, errno, "a write");
}

static inline int host_truncate(struct tree *t, const char *path, uint64_t size, struct err *e)
{
	int fd = host_fd(t, path, O_WRONLY, e), rc;

	if (fd < 0)
		return fd;
	rc = host_done(path, ftruncate(fd, (off_t)size), e);
	close(fd);
	return rc;
}

static inline int host_mkdir(struct tree *t, const char *path, const struct tree_owner *owner, struct err *e)
{
	char whole[400];

	snprintf(whole, sizeof whole, "%s", path);
	for (char *slash = whole + 1;; slash++) {
		char had;

		slash += strcspn(slash, "/");
		had = *slash;
		*slash = '\0';
		if (host_fd(t, whole, O_PATH, NULL) < 0) {
			HOST_PATH(t, whole);
			rc = host_done(path, mkdir(p, owner ? owner->mode : 0755), e);
			if (rc < 0)
				return rc;
			if (owner)
				host_own(t, whole, owner->uid, owner->gid);
		}
		*slash = had;
		if (!had)
			return 0;
	}
}

static inline int host_symlink(struct tree *t, const char *path, const char *target, struct err *e)
{
	HOST_PATH(t, path);
	return host_done(path, symlink(target, p), e);
}

static inline int host_rename(struct tree *t, const char *from, const char *to, struct err *e)
{
	char q[1000];
	HOST_PATH(t, from);
	rc = host_path(t, to, q, sizeof q, e);
	return rc < 0 ? rc : host_done(from, rename(p, q), e);
}

static inline int host_remove(struct tree *t, const char *path, struct err *e)
{
	char cmd[1100];
	HOST_PATH(t, path);
	snprintf(cmd, sizeof cmd, "rm -rf -- '%s'", p);
	return system(cmd) == 0 ? 0 : err_set(e, ERR_SYSTEM, "%s", path);
}

static inline int host_chmod(struct tree *t, const char *path, uint32_t mode, struct err *e)
{
	HOST_PATH(t, path);
	return host_done(path, chmod(p, mode), e);
}

static inline int host_chown(struct tree *t, const char *path, bool follow, uint32_t uid, uint32_t gid, struct err *e)
{
	struct fs_stat st;
	int rc = host_stat(t, path, follow, &st, e);

	if (rc == 0)
		host_own(t, path, uid, gid);
	return rc;
}

static inline int host_touch(struct tree *t, const char *path, const struct fs_time *when, struct err *e)
{
	const struct timespec times[2] = { { (time_t)when->sec, 0 }, { (time_t)when->sec, 0 } };
	HOST_PATH(t, path);
	return host_done(path, utimensat(AT_FDCWD, p, times, 0), e);
}

static inline int host_run(struct tree *t, const struct tree_run *how, int *status, struct err *e)
{
	struct host_tree *h = host_tree_of(t);

	for (size_t i = 0; how->argv[i]; i++)
		strbuf_printf(&h->ran, i ? " %s" : "%s", how->argv[i]);
	strbuf_putc(&h->ran, '\n');
	*status = h->status;
	return h->says && how->output ? how->output(how->arg, 1, h->says, strlen(h->says), e) : 0;
}

static const struct tree_ops host_tree_ops = {
	.stat = host_stat,
	.read = host_read,
	.pread = host_pread,
	.open = host_open,
	.readlink = host_readlink,
	.list = host_list,
	.write = host_write,
	.create = host_create,
	.pwrite = host_pwrite,
	.truncate = host_truncate,
	.mkdir = host_mkdir,
	.symlink = host_symlink,
	.rename = host_rename,
	.remove = host_remove,
	.chmod = host_chmod,
	.chown = host_chown,
	.touch = host_touch,
	.run = host_run,
};

/* Of the folder "guest" in the working directory, which is made. */
static inline void host_tree_new(struct host_tree *h, const char *type, const char *distro)
{
	memset(h, 0, sizeof *h);
	h->ran = (struct strbuf)STRBUF_INIT;
	h->owned = (struct strbuf)STRBUF_INIT;
	h->os.type = type;
	h->os.distro = distro;
	h->tree = (struct tree){ &host_tree_ops, &h->os };
	if (!getcwd(h->root, sizeof h->root - 8))
		abort();
	strcat(h->root, "/guest");
	mkdir(h->root, 0755);
}

static inline void host_tree_free(struct host_tree *h)
{
	strbuf_free(&h->ran);
	strbuf_free(&h->owned);
}

static inline void host_put(struct host_tree *h, const char *path, const char *text)
{
	struct err e = ERR_INIT;

	if (tree_put(&h->tree, path, text, 0644, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
}

/* The content of a file; "(none)" when there is none.  Good until the next call. */
static inline const char *host_get(struct host_tree *h, const char *path)
{
	static char *last;
	size_t len;

	free(last);
	last = NULL;
	return host_read(&h->tree, path, 65536, &last, &len, NULL) < 0 ? "(none)" : last;
}

/* The target of a symlink. */
static inline const char *host_link(struct host_tree *h, const char *path)
{
	static struct strbuf b = STRBUF_INIT;

	strbuf_reset(&b);
	return host_readlink(&h->tree, path, &b, NULL) < 0 ? "(none)" : b.s;
}

#endif
