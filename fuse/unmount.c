/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unmount.c - takes a mount away, and says who uses it when it cannot be. */
#include "mount.h"

#include "alloc.h"
#include "strbuf.h"
#include "text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/*
 * The path of a mount point without symlinks, its last component not looked at: a mount whose server is gone, or does not answer,
 * must not be asked.
 */
static char *mount_path(const char *path)
{
	CLEANUP(free_ptr) char *copy = alloc_strdup(path);
	CLEANUP(free_ptr) char *folder = NULL;
	size_t len = strlen(path);
	const char *slash;
	char *real;

	if (!copy)
		return NULL;
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	if (strcmp(copy, ".") == 0 || strcmp(copy, "..") == 0 || strcmp(copy, "/") == 0 ||
	    (slash && (strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)))
		return realpath(copy, NULL);
	folder = slash ? alloc_strndup(copy, MAX_OF((size_t)(slash - copy), (size_t)1)) : alloc_strdup(".");
	real = folder ? realpath(folder, NULL) : NULL;
	if (!real)
		return NULL;
	free(folder);
	folder = real;
	return alloc_printf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash ? slash + 1 : copy);
}

/* A field of mountinfo, in which blanks and the like are octal. */
static bool field_is(const char *field, size_t len, const char *text)
{
	for (size_t i = 0; i < len; text++) {
		char c = field[i++];

		if (c == '\\' && i + 3 <= len) {
			c = (char)((field[i] - '0') << 6 | (field[i + 1] - '0') << 3 | (field[i + 2] - '0'));
			i += 3;
		}
		if (c != *text)
			return false;
	}
	return !*text;
}

/* Is something mounted there, and is it ours or another by FUSE?  The last one counts: it lies on top. */
static bool is_mounted(const char *at)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP(free_ptr) char *line = NULL;
	size_t size = 0;
	bool mounted = false;

	while (f && getline(&line, &size, f) > 0) {
		const char *p = line, *dash = strstr(line, " - ");

		/* The fifth field. */
		for (int i = 0; i < 4 && p; i++)
			p = (p = strchr(p, ' ')) ? p + 1 : NULL;
		if (p && dash && field_is(p, strcspn(p, " "), at))
			mounted = strncmp(dash + 3, "fuse", 4) == 0;
	}
	if (f)
		fclose(f);
	return mounted;
}

/* ---- who uses it ---- */

static bool lies_in(const char *path, const char *at)
{
	const char *rest;

	return text_starts(path, at, &rest) && (!*rest || *rest == '/');
}

static bool link_lies_in(int dir, const char *name, const char *at, char *target, size_t size)
{
	ssize_t n = readlinkat(dir, name, target, size - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return lies_in(target, at);
}

/* Adds what one process has there, the first thing that is found. */
static void look_at_process(int proc, const char *pid, const char *at, struct strbuf *out)
{
	static const struct {
		const char *name, *words;
	} links[] = { { "cwd", "its working folder there" }, { "root", "its root folder there" }, { "exe", "its program there" } };
	char target[PATH_MAX], comm[64] = "";
	CLEANUP(close_fd) int dir = openat(proc, pid, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	CLEANUP(close_fd) int name = dir < 0 ? -1 : openat(dir, "comm", O_RDONLY | O_CLOEXEC);
	CLEANUP(free_ptr) char *what = NULL;
	ssize_t n = name < 0 ? -1 : read(name, comm, sizeof comm - 1);
	int fds;
	DIR *d;

	if (n <= 0)
		return;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(links) && !what; i++)
		if (link_lies_in(dir, links[i].name, at, target, sizeof target))
			what = alloc_strdup(links[i].words);
	fds = what ? -1 : openat(dir, "fd", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	d = fds < 0 ? NULL : fdopendir(fds);
	for (struct dirent *ent; d && !what && (ent = readdir(d));) {
		if (link_lies_in(fds, ent->d_name, at, target, sizeof target)) {
			CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

			text_quote(&quoted, target, strlen(target));
			what = alloc_printf("%s open", quoted.s ? quoted.s : "");
		}
	}
	if (d)
		closedir(d);
	else if (fds >= 0)
		close(fds);
	if (what) {
		strbuf_printf(out, "%s", out->len ? ", " : "");
		text_quote(out, comm, strlen(comm));
		strbuf_printf(out, " (process %s) has %s", pid, what);
	}
}

static void who_uses(const char *at, struct strbuf *out)
{
	DIR *d = opendir("/proc");

	for (struct dirent *ent; d && (ent = readdir(d));)
		if (isdigit((unsigned char)ent->d_name[0]))
			look_at_process(dirfd(d), ent->d_name, at, out);
	if (d)
		closedir(d);
}

/* ---- the work ---- */

/* 0, or an errno.  What a user has mounted is taken away by a program with the rights for that. */
static int unmount_once(const char *at)
{
	static const char *const programs[] = { "/usr/bin/fusermount3", "/bin/fusermount3", "/usr/local/bin/fusermount3" };
	pid_t pid;
	int status, rc = ENOENT;

	if (geteuid() == 0)
		return umount2(at, UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
	for (size_t i = 0; i < ARRAY_LEN(programs) && rc == ENOENT; i++) {
		const char *const argv[] = { programs[i], "-u", "-q", "--", at, NULL };

		rc = posix_spawn(&pid, programs[i], NULL, NULL, (char *const *)argv, environ);
	}
	if (rc)
		return rc;
	do
		rc = waitpid(pid, &status, 0);
	while (rc < 0 && errno == EINTR);
	if (rc == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return is_mounted(at) ? EBUSY : EINVAL;
}

/* Until the keeper of a mount of ours has ended: the images are released then. */
static void wait_for_keeper(const char *keeper)
{
	char now[64], number[24];
	uint64_t pid = 0;
	int fd;
	struct pollfd p;

	snprintf(number, sizeof number, "%.*s", (int)strcspn(keeper, " "), keeper);
	fd = text_parse_u64(number, &pid) && pid > 0 && pid <= INT_MAX ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
	if (fd < 0)
		return;
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	/* It is the one that the mount told of, and not one of the same number in another namespace, or after it. */
	process_name((long)pid, now, sizeof now);
	while (strcmp(now, keeper) == 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	close(fd);
}

enum commit_answer mount_commit(const char *name, const char *mountpoint, bool quiet)
{
	char why[1001];
	ssize_t n = getxattr(mountpoint, SERVER_COMMIT, why, sizeof why - 1);

	if (n < 0)
		return COMMIT_NOTHING;
	if (setxattr(mountpoint, SERVER_COMMIT, "1", 1, 0) == 0)
		return COMMIT_DONE;
	snprintf(why, sizeof why, "%s", strerror(errno));
	n = getxattr(mountpoint, SERVER_COMMIT, why, sizeof why - 1);
	if (n > 0)
		why[n] = '\0';
	if (!quiet)
		fprintf(stderr, "%s: %s: %s\n", name, mountpoint, why);
	return COMMIT_FAILED;
}

enum unmount_answer unmount(const char *name, const char *mountpoint, unsigned retries, bool quiet)
{
	CLEANUP(free_ptr) char *at = mount_path(mountpoint);
	CLEANUP(strbuf_free) struct strbuf users = STRBUF_INIT;
	char keeper[64] = "";
	int rc;

	if (!at) {
		if (!quiet)
			fprintf(stderr, "%s: %s: %s\n", name, mountpoint, strerror(errno));
		return UNMOUNT_FAILED;
	}
	if (!is_mounted(at)) {
		if (!quiet)
			fprintf(stderr, "%s: %s: nothing is mounted there by FUSE\n", name, mountpoint);
		return UNMOUNT_NOT_MOUNTED;
	}
	/* While there is somebody to be told that it cannot be kept. */
	if (mount_commit(name, at, quiet) == COMMIT_FAILED)
		return UNMOUNT_FAILED;
	if (getxattr(at, SERVER_KEEPER, keeper, sizeof keeper - 1) < 0)
		keeper[0] = '\0';
	for (rc = unmount_once(at); rc == EBUSY && retries; retries--) {
		const struct timespec second = { 1, 0 };

		nanosleep(&second, NULL);
		rc = unmount_once(at);
	}
	if (rc == 0) {
		wait_for_keeper(keeper);
		return UNMOUNT_DONE;
	}
	if (quiet)
		return rc == EBUSY ? UNMOUNT_BUSY : UNMOUNT_FAILED;
	if (rc != EBUSY) {
		fprintf(stderr, "%s: %s: %s\n", name, mountpoint, strerror(rc));
		return UNMOUNT_FAILED;
	}
	who_uses(at, &users);
	fprintf(stderr, "%s: %s is busy: %s\n", name, mountpoint,
		users.len && !users.failed ? users.s : "no process that we may look at has something there");
	return UNMOUNT_BUSY;
}
