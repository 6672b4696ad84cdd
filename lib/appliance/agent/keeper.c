/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keeper.c - a program and all that it begins, in namespaces of their own.
 *
 * The keeper is the first process of a namespace of processes: when it ends, the kernel kills all others in it.  In a
 * namespace of mounts it binds what the program is to see; that too is gone with it.  It waits for the program, passes
 * signals on to it, and tells the agent how it ended.  A program of the appliance itself is run without namespaces, so that
 * what it mounts and leaves running stays.
 */
#include "agent.h"
#include "alloc.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How a program ends that was never begun, as shells have it. */
enum { CANNOT_RUN = 126, NOT_FOUND = 127 };

static void say(int fd, const char *what, const char *name, int errnum)
{
	char line[700];
	int n = snprintf(line, sizeof line, "%s %.400s: %s\n", what, name, strerror(errnum));

	if (n > 0 && io_write(fd, line, MIN_OF((size_t)n, sizeof line - 1)) != 0)
		return;
}

/* ---- what the program sees ---- */

/* A folder of the new root by a path that a guest's symlinks cannot lead out of it. */
static int open_in(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_DIRECTORY, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static int mount_in(int root, const char *path, const char *from, const char *type, unsigned long flags)
{
	char to[64];
	int fd = open_in(root, path), rc = 0;

	if (fd < 0)
		return errno;
	snprintf(to, sizeof to, "/proc/self/fd/%d", fd);
	if (mount(from, to, type, flags, NULL) < 0)
		rc = errno;
	close(fd);
	return rc;
}

static const char resolv_conf[] = "/etc/resolv.conf";

/*
 * The machine's own over that of the root.  What is covered is the name itself, and not what a symlink leads to, which is
 * mostly in a /run that is empty.  *made: it was not there, and is to go again.
 */
static int cover_resolv_conf(int root, bool *made)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, resolv_conf, &how, sizeof how), rc = 0;
	char to[64];

	if (fd < 0 && errno == ENOENT) {
		how.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
		how.mode = 0644;
		fd = (int)syscall(SYS_openat2, root, resolv_conf, &how, sizeof how);
		*made = fd >= 0;
	}
	/* A root without such a folder, or one that cannot be written to, does without. */
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EROFS ? 0 : errno;
	snprintf(to, sizeof to, "/proc/self/fd/%d", fd);
	if (mount("/tools/etc/resolv.conf", to, NULL, MS_BIND, NULL) < 0)
		rc = errno;
	close(fd);
	return rc;
}

static void uncover_resolv_conf(bool made)
{
	struct stat st;

	if (!made || umount2(resolv_conf, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return;
	if (lstat(resolv_conf, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		unlink(resolv_conf);
}

/* Makes the root of the program; leaves the process in it. */
static int enter_root(const struct agent_program *p, bool *made, const char **failed)
{
	static const struct {
		const char *path, *from, *type;
		unsigned long flags;
	} system[] = {
		{ "/dev", "/dev", NULL, MS_BIND },
		{ "/dev/pts", "/dev/pts", NULL, MS_BIND },
		{ "/dev/shm", "tmpfs", "tmpfs", 0 },
		{ "/proc", "proc", "proc", 0 },
		{ "/sys", "/sys", NULL, MS_BIND | MS_REC },
	};
	static const char sysroot[] = "/tools/sysroot";
	const char *root_path = NULL;
	int root, rc;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	for (size_t i = 0; i < p->nbinds; i++)
		if (strcmp(p->binds[i].path, "/") == 0)
			root_path = p->binds[i].from;
	if (!root_path)
		return ENOENT;
	if (p->tools) {
		*failed = root_path;
		if (mount(root_path, sysroot, NULL, MS_BIND, NULL) < 0)
			return errno;
		root_path = sysroot;
	}
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return errno;
	for (size_t i = 0; i < p->nbinds; i++) {
		if (strcmp(p->binds[i].path, "/") == 0)
			continue;
		*failed = p->binds[i].path;
		rc = mount_in(root, p->binds[i].path, p->binds[i].from, NULL, MS_BIND);
		if (rc)
			return rc;
	}
	if (p->tools) { /* these have what else a program needs */
		close(root);
		*failed = "/tools";
		return chroot("/tools") == 0 && chdir("/") == 0 ? 0 : errno;
	}
	for (size_t i = 0; i < ARRAY_LEN(system); i++) {
		*failed = system[i].path;
		rc = mount_in(root, system[i].path, system[i].from, system[i].type, system[i].flags);
		/* A guest without such a folder does without. */
		if (rc && rc != ENOENT && rc != ENOTDIR)
			return rc;
	}
	if (p->network) {
		*failed = resolv_conf;
		rc = cover_resolv_conf(root, made);
		if (rc)
			return rc;
	}
	*failed = root_path;
	if (fchdir(root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return errno;
	return 0;
}

/* ---- the program itself ---- */

static const char *env_value(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* Looks for it in PATH; returns why it is not there. */
static int exec_program(const char *const *argv, const char *const *env)
{
	const char *dirs = env_value(env, "PATH"), *end;
	int rc = ENOENT;

	if (strchr(argv[0], '/')) {
		execve(argv[0], (char *const *)argv, (char *const *)env);
		return errno;
	}
	for (; dirs && *dirs; dirs = end + (*end == ':')) {
		char path[4096];

		end = dirs + strcspn(dirs, ":");
		if (snprintf(path, sizeof path, "%.*s/%s", (int)(end - dirs), dirs, argv[0]) >= (int)sizeof path)
			continue;
		execve(path, (char *const *)argv, (char *const *)env);
		if (errno != ENOENT && errno != ENOTDIR)
			rc = errno;
	}
	return rc;
}

__attribute__((noreturn)) static void become_program(const struct agent_program *p)
{
	sigset_t none;
	int rc;

	setsid();
	if (p->terminal)
		ioctl(0, TIOCSCTTY, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	umask(022);
	rc = exec_program((const char *const *)p->argv, (const char *const *)p->env);
	say(2, "cannot run", p->argv[0], rc);
	_exit(rc == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

static void close_others(int first, int keep)
{
	/* All but those below the first, and one more. */
	syscall(SYS_close_range, (unsigned)first, (unsigned)keep - 1, 0);
	syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0);
}

/* Waits for the program, and passes signals on. */
static int watch_program(int control, pid_t child, bool made)
{
	struct pollfd fds[2] = { { .fd = control, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	int status = 0;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	fds[1].fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		struct signalfd_siginfo info;
		uint8_t signum;
		ssize_t n;
		pid_t pid;

		/* Others that ended were left to us. */
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child)
				return status;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (fds[1].revents & POLLIN)
			while (read(fds[1].fd, &info, sizeof info) > 0)
				continue;
		if (!fds[0].revents)
			continue;
		n = read(control, &signum, 1);
		if (n == 0 || (n < 0 && errno != EINTR)) { /* it is to end */
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			uncover_resolv_conf(made);
			_exit(1);
		}
		if (n == 1)
			kill(-child, signum);
	}
}

__attribute__((noreturn)) static void keep(const struct agent_program *p)
{
	const char *failed = "/";
	bool made = false;
	int stdio_max = 0, status, rc;
	uint32_t told;
	pid_t child;
	sigset_t all;

	for (int i = 0; i < 3; i++) /* above the standard ones, so that none is overwritten */
		stdio_max = MAX_OF(stdio_max, p->stdio[i]);
	for (int i = 0; i < 3; i++) {
		int fd = fcntl(p->stdio[i], F_DUPFD, 3);

		if (fd < 0)
			_exit(1);
		((struct agent_program *)p)->stdio[i] = fd;
	}
	stdio_max = MAX_OF(stdio_max, p->progress);
	rc = fcntl(p->control, F_DUPFD_CLOEXEC, MAX_OF(stdio_max, 2) + 10);
	if (rc < 0)
		_exit(1);
	((struct agent_program *)p)->control = rc;
	for (int i = 0; i < 3; i++)
		if (dup2(p->stdio[i], i) < 0)
			_exit(1);
	/* What lies there now has been copied, or is it. */
	if (p->progress >= 0 && (p->progress == 3 ? fcntl(3, F_SETFD, 0) : dup2(p->progress, 3)) < 0)
		_exit(1);
	close_others(p->progress >= 0 ? 4 : 3, p->control);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!p->shared)
		rc = enter_root(p, &made, &failed);
	else
		rc = p->host || (chroot("/tools") == 0 && chdir("/") == 0) ? 0 : errno;
	if (rc) {
		say(2, "cannot mount", failed, rc);
		status = CANNOT_RUN << 8;
	} else {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		child = fork();
		if (child == 0)
			become_program(p);
		/* Its streams are the program's alone: their end is to be seen. */
		for (int i = 0; i < (p->progress >= 0 ? 4 : 3); i++)
			close(i);
		status = child < 0 ? CANNOT_RUN << 8 : watch_program(p->control, child, made);
		uncover_resolv_conf(made);
		/* Without a namespace of its own, what the program began is of its group. */
		if (p->shared && child > 0)
			kill(-child, SIGKILL);
	}
	told = (uint32_t)status;
	_exit(io_write(p->control, &told, sizeof told) != 0);
}

/* fork(), into new namespaces. */
static pid_t fork_into(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

int keeper_start(struct agent *a, const struct agent_program *p, pid_t *pid)
{
	pid_t child;

	child = p->shared ? fork() : fork_into(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC);
	if (child < 0)
		return agent_say(a, errno, "no process can be begun");
	if (child == 0)
		keep(p);
	*pid = child;
	return 0;
}

/* ---- tools ---- */

static int tool_wait(int fd, char *buf, size_t size, unsigned seconds)
{
	struct timespec now, end;
	size_t len = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char more[512];
		ssize_t n;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return ETIMEDOUT;
		if (poll(&p, 1, 1000) <= 0)
			continue;
		n = read(fd, more, sizeof more);
		if (n <= 0)
			break;
		n = (ssize_t)MIN_OF((size_t)n, size - 1 - len);
		memcpy(buf + len, more, (size_t)n);
		len += (size_t)n;
	}
	buf[len] = '\0';
	return 0;
}

/*
 * It runs in the agent's own namespaces, so that what it mounts stays mounted; a daemon that it leaves behind keeps no
 * output open, or is waited for until the time is over.
 */
int agent_tool(struct agent *a, const char *const *argv, unsigned seconds, char *buf, size_t size, int *status)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	int out[2], rc = mount_tools(a);
	pid_t pid;

	if (rc)
		return rc;
	if (pipe2(out, O_CLOEXEC) < 0)
		return errno;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		if (null < 0 || dup2(null, 0) < 0 || dup2(out[1], 1) < 0 || dup2(out[1], 2) < 0)
			_exit(CANNOT_RUN);
		syscall(SYS_close_range, 3u, ~0u, 0);
		if (!a->folders && (chroot("/tools") < 0 || chdir("/") < 0))
			_exit(CANNOT_RUN);
		rc = exec_program(argv, env);
		say(2, "cannot run", argv[0], rc);
		_exit(NOT_FOUND);
	}
	close(out[1]);
	rc = pid < 0 ? errno : tool_wait(out[0], buf, size, seconds);
	close(out[0]);
	if (pid < 0)
		return rc;
	if (rc)
		kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		continue;
	return rc ? agent_say(a, rc, "%s did not end within %u s", argv[0], seconds) : 0;
}
