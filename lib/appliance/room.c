/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "room.h"

#include "alloc.h"
#include "io.h"
#include "landlock.h"
#include "strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The constants are the kernel's: <sys/mount.h>, which has this one, cannot be had together with <linux/mount.h>. */
#define DETACH 2 /* MNT_DETACH */

#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif
struct attr_of_mount {
	uint64_t set, clear, propagation, userns;
};
enum { ATTR_RDONLY = 1, ATTR_NOSUID = 2 };

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* The kernel's own call, as the C library's fork() knows no namespaces. */
pid_t room_fork(unsigned flags, int *pidfd)
{
	unsigned long spaces = CLONE_PIDFD | SIGCHLD;

	if (flags & ROOM_SPACES)
		spaces |= CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	if (flags & ROOM_NO_NETWORK)
		spaces |= CLONE_NEWNET;
	return (pid_t)syscall(SYS_clone, spaces, NULL, pidfd, NULL, NULL);
}

void room_add(struct room *r, const char *source, const char *name, unsigned rights)
{
	char *copy = alloc_strdup(source);

	if (!copy || r->n == ROOM_ITEMS) {
		free(copy);
		r->failed = true;
		return;
	}
	r->items[r->n++] = (struct room_item){ .source = copy, .name = name, .rights = rights };
}

static const char *name_of(const struct room_item *it)
{
	return it->name ? it->name : it->source;
}

static int write_text(const char *path, const char *text)
{
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? errno : io_write(fd, text, strlen(text));
}

/* The user and group of the process are the only ones that the namespace has, by their own numbers. */
static int map_user(uid_t uid, gid_t gid, struct err *e)
{
	char line[64];
	int rc;

	rc = write_text("/proc/self/setgroups", "deny");
	if (rc && rc != ENOENT)
		return err_sys(e, rc, "/proc/self/setgroups");
	snprintf(line, sizeof line, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
	rc = write_text("/proc/self/uid_map", line);
	if (rc)
		return err_sys(e, rc, "/proc/self/uid_map");
	snprintf(line, sizeof line, "%u %u 1\n", (unsigned)gid, (unsigned)gid);
	rc = write_text("/proc/self/gid_map", line);
	return rc ? err_sys(e, rc, "/proc/self/gid_map") : 0;
}

/* The folders above the last part of a path of the room, which is the working folder. */
static int make_folders(char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int rc;

		*slash = '\0';
		rc = mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
		*slash = '/';
		if (rc)
			return rc;
	}
	return 0;
}

/* Binds what fd is to a path below the working folder.  0 or an errno. */
static int bind_item(int fd, const char *name)
{
	/* "/usr/lib" of the room is "usr/lib" in the folder that will be its root. */
	CLEANUP(free_ptr) char *target = alloc_strdup(name + 1);
	const struct attr_of_mount attr = { .set = ATTR_RDONLY | ATTR_NOSUID };
	char source[40], link[4096];
	struct stat st;
	ssize_t len;
	int rc;

	if (!target)
		return ENOMEM;
	rc = make_folders(target);
	if (rc)
		return rc;
	if (fstat(fd, &st) < 0)
		return errno;
	if (S_ISLNK(st.st_mode)) {
		len = readlinkat(fd, "", link, sizeof link - 1);
		if (len < 0)
			return errno;
		link[len] = '\0';
		return symlink(link, target) < 0 && errno != EEXIST ? errno : 0;
	}
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(target, 0755) < 0 && errno != EEXIST)
			return errno;
	} else {
		CLEANUP(close_fd) int file = open(target, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);

		if (file < 0)
			return errno;
	}
	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	/* What is mounted below comes along: the kernel does not let a namespace uncover it. */
	if (syscall(SYS_mount, source, target, NULL, (unsigned long)(MS_BIND | MS_REC), NULL) < 0)
		return errno;
	if (S_ISCHR(st.st_mode))
		return 0;
	/* Linux 5.12.  Without it, Landlock and the owner of the files see to it. */
	(void)syscall(__NR_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &attr, sizeof attr);
	return 0;
}

/* Any folder will do: it is covered for us alone. */
static int mount_memory(const struct room *r, const char **where)
{
	static const char *const folders[] = { "/tmp", "/run", "/mnt", "/var", "/srv", "/home" };
	char options[64];
	int rc = ENOENT;

	snprintf(options, sizeof options, "mode=0755,size=%llu", (unsigned long long)r->size);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (syscall(SYS_mount, "drydock", folders[i], "tmpfs", (unsigned long)(MS_NOSUID | MS_NODEV),
			    options) == 0) {
			*where = folders[i];
			return 0;
		}
		rc = errno;
	}
	return rc;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

static int furnish(const struct room *r, int *fds, struct err *e)
{
	const char *where = NULL;
	int rc;

	/* Before the memory covers one of them.  A link of the system's folders (/lib) is made again, others are followed. */
	for (size_t i = 0; i < r->n; i++) {
		const struct room_item *it = &r->items[i];

		fds[i] = open(it->source, O_PATH | O_CLOEXEC | (it->name ? 0 : O_NOFOLLOW));
	}
	if (syscall(SYS_mount, NULL, "/", NULL, (unsigned long)(MS_REC | MS_PRIVATE), NULL) < 0)
		return err_sys(e, errno, "mounts of its own");
	rc = mount_memory(r, &where);
	if (rc)
		return err_sys(e, rc, "a folder in memory");
	if (chdir(where) < 0 || mkdir(&ROOM_TMP[1], 0700) < 0 || mkdir(&ROOM_SOCKETS[1], 0700) < 0)
		return err_sys(e, errno, "a folder in memory");
	for (size_t i = 0; i < r->n; i++) {
		rc = fds[i] < 0 ? 0 : bind_item(fds[i], name_of(&r->items[i]));
		if (rc)
			return err_sys(e, rc, "a view of %s", r->items[i].source);
	}
	/* The old root lies on top of the new one then, and is taken off. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || syscall(SYS_umount2, ".", DETACH) < 0 || chdir("/") < 0)
		return err_sys(e, errno, "a root folder of its own");
	return 0;
}

/* The namespace's creator has every capability in it; from here on none is needed. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };

	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break; /* the kernel's last one was before */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, data) < 0 ? errno : 0;
}

int room_enter(const struct room *r, uid_t uid, gid_t gid, struct err *e)
{
	int fds[ROOM_ITEMS];
	int rc;

	for (size_t i = 0; i < ROOM_ITEMS; i++)
		fds[i] = -1;
	rc = map_user(uid, gid, e);
	if (!rc)
		rc = furnish(r, fds, e);
	close_all(fds, r->n);
	if (rc)
		return rc;
	rc = drop_capabilities();
	return rc ? err_sys(e, rc, "capabilities") : 0;
}

int room_lock(const struct room *r, bool entered)
{
	CLEANUP(landlock_free) struct landlock l = LANDLOCK_INIT;
	int rc = landlock_new(&l, r->network ? LANDLOCK_NETWORK : 0);

	for (size_t i = 0; !rc && i < r->n; i++) {
		const struct room_item *it = &r->items[i];

		rc = landlock_allow(&l, entered ? name_of(it) : it->source, it->rights);
	}
	if (!rc && entered)
		rc = landlock_allow(&l, ROOM_TMP, LANDLOCK_READ | LANDLOCK_WRITE);
	if (!rc && entered)
		rc = landlock_allow(&l, ROOM_SOCKETS, LANDLOCK_READ | LANDLOCK_WRITE);
	return rc ? rc : landlock_restrict(&l);
}

int room_try(struct err *e)
{
	const struct room empty = { .size = 1 << 20 };
	CLEANUP(close_fd) int guardian = -1;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct err why = ERR_INIT;
	int fds[2], status = 0, rc;
	size_t got;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "a pipe");
	pid = room_fork(ROOM_SPACES | ROOM_NO_NETWORK, &guardian);
	if (pid == 0) {
		(void)room_enter(&empty, uid, gid, &why);
		(void)io_write(fds[1], &why, sizeof why);
		_exit(0);
	}
	rc = pid < 0 ? errno : 0;
	close(fds[1]);
	if (!rc && (io_read(fds[0], &why, sizeof why, &got) != 0 || got != sizeof why))
		rc = EPROTO;
	close(fds[0]);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (rc)
		return err_sys(e, rc, "namespaces");
	return why.code ? err_set(e, why.code, "%s", why.msg) : 0;
}

int trace_try(void)
{
	int status;
	/* It does nothing but two system calls, and shares the memory meanwhile: nothing is copied for it. */
	pid_t pid = vfork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}
