/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper.c - the process that makes the mount, waits for its server, and takes the mount away.
 *
 *	command  --- fork, unless in the foreground --->  keeper  --- fork --->  server
 *	   waits until the mount is there                    \__ a socket __/
 *
 * The server says "o" when it could read the guest, and gets the descriptor of the mount.  A signal to the keeper ends both.  A
 * keeper that is killed takes its server along; the mount is then cut off, and "umount" removes what is left of it.
 */
#include "mount.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a server may take to end when it was told to, in milliseconds. */
#define PATIENCE 5000

struct keeper {
	const struct keeper_how *how;
	struct fuse_session *se;
	char *at;	 /* the mount point, as the root folder sees it */
	pid_t server;
	int control, signals;
	int ready;	 /* -1, or where the command waits */
	bool mounted;
	int pid_dir;	 /* -1, or the folder of the pid file */
	int inherited[INHERITED_MAX]; /* what the caller had open */
	unsigned ninherited;
	const char *pid_name;
};

static int fail(const struct keeper *k, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", k->how->name, what, strerror(errno));
	return EXIT_FAILED;
}

/* ---- the server ---- */

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static int server_start(struct keeper *k)
{
	const pid_t keeper = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(k, "a socket");
	fflush(NULL);
	k->server = fork();
	if (k->server < 0)
		return fail(k, "a process");
	if (k->server == 0) {
		/* What the terminal sends to all is for the keeper. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != keeper)
			_exit(EXIT_FAILED);
		close(pair[0]);
		close(k->signals);
		if (k->ready >= 0)
			close(k->ready);
		exit(k->how->serve(k->how->arg, pair[1]));
	}
	close(pair[1]);
	k->control = pair[0];
	return EXIT_DONE;
}

/* Its exit status as our own; a server that was killed is told. */
static int server_end(struct keeper *k)
{
	int status;
	pid_t got;

	do
		got = waitpid(k->server, &status, 0);
	while (got < 0 && errno == EINTR);
	k->server = -1;
	if (got > 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s: the process that reads the guest was killed by signal %d\n", k->how->name,
		got > 0 ? WTERMSIG(status) : 0);
	return EXIT_FAILED;
}

/* ---- the mount ---- */

static int send_mount(struct keeper *k)
{
	char byte = 'm';
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { .space = { 0 } };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space, .msg_controllen = sizeof u.space };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	const int fd = k->how->f->fuse_session_fd(k->se);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(k->control, &m, MSG_NOSIGNAL) == 1 ? EXIT_DONE : fail(k, "the server");
}

/* The kernel reads ahead 128 KiB; where it lets us, more, so that its questions are few. */
static void read_ahead(const struct keeper *k)
{
	char path[80];
	struct stat st;
	int fd;

	if (geteuid() != 0 || stat(k->at, &st) < 0)
		return;
	snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev), minor(st.st_dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t unused = write(fd, "1024\n", 5);

		(void)unused;
		close(fd);
	}
}

static int pid_write(struct keeper *k)
{
	char text[24];
	int fd, len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (!k->pid_name)
		return EXIT_DONE;
	fd = openat(k->pid_dir, k->pid_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) < 0)
		return fail(k, k->how->pid_file);
	return EXIT_DONE;
}

/* All that waits is told; standard streams are left, as nobody reads what we say. */
static void tell_ready(struct keeper *k)
{
	ssize_t unused;

	if (k->how->ready_fd >= 0) {
		unused = write(k->how->ready_fd, "1", 1);
		(void)unused;
		close(k->how->ready_fd);
	}
	if (k->ready >= 0) {
		const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		setsid();
		unused = chdir("/");
		unused = write(k->ready, "1", 1);
		(void)unused;
		close(k->ready);
		for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
			dup2(null, fd);
		for (unsigned i = 0; i < k->ninherited; i++)
			if (k->inherited[i] != k->how->ready_fd)
				close(k->inherited[i]);
	}
}

static int mount_make(struct keeper *k)
{
	if (k->how->f->fuse_session_mount(k->se, k->at) != 0)
		return EXIT_FAILED; /* it told why */
	k->mounted = true;
	if (send_mount(k))
		return EXIT_FAILED;
	read_ahead(k);
	if (pid_write(k))
		return EXIT_FAILED;
	tell_ready(k);
	return EXIT_DONE;
}

/* Where the user has done it already, nothing is done: libfuse looks at the descriptor. */
static void mount_remove(struct keeper *k)
{
	if (k->mounted)
		k->how->f->fuse_session_unmount(k->se);
	k->mounted = false;
}

/* ---- waiting ---- */

/* Was the server told to end and has it?  Else it is killed: there is nothing that it could lose. */
static void server_stop(struct keeper *k)
{
	struct pollfd p = { .fd = k->control, .events = POLLIN };
	ssize_t unused = send(k->control, "d", 1, MSG_NOSIGNAL);

	(void)unused;
	mount_remove(k);
	/* Its end of the socket closes when it is gone. */
	while (poll(&p, 1, PATIENCE) < 0 && errno == EINTR)
		;
	kill(k->server, SIGKILL);
}

static int wait_for_end(struct keeper *k)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = k->control, .events = POLLIN }, { .fd = k->signals, .events = POLLIN } };
		struct signalfd_siginfo sig;
		char byte;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fail(k, "waiting");
		}
		if (p[1].revents && read(k->signals, &sig, sizeof sig) == sizeof sig && sig.ssi_signo != SIGCHLD) {
			server_stop(k);
			server_end(k);
			return EXIT_DONE;
		}
		if (!p[0].revents)
			continue;
		if (recv(k->control, &byte, 1, 0) != 1)
			return server_end(k);
		if (byte == 'o' && !k->mounted && mount_make(k)) {
			server_stop(k);
			server_end(k);
			return EXIT_FAILED;
		}
	}
}

/* ---- the whole ---- */

/* The mount point and the pid file as they are found when the working folder is another one. */
static int look_up_paths(struct keeper *k)
{
	const char *file = k->how->pid_file, *slash;
	struct stat st;

	k->at = realpath(k->how->mountpoint, NULL);
	if (!k->at || stat(k->at, &st) < 0)
		return fail(k, k->how->mountpoint);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return fail(k, k->how->mountpoint);
	}
	if (!file)
		return EXIT_DONE;
	slash = strrchr(file, '/');
	k->pid_name = slash ? slash + 1 : file;
	CLEANUP(free_ptr) char *folder = slash ? alloc_strndup(file, (size_t)(slash - file) + 1) : alloc_strdup(".");

	k->pid_dir = folder ? open(folder, O_DIRECTORY | O_PATH | O_CLOEXEC) : -1;
	return k->pid_dir < 0 ? fail(k, file) : EXIT_DONE;
}

static int keep(struct keeper *k)
{
	sigset_t set;
	int status;

	block_signals(&set);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (k->signals < 0)
		return fail(k, "signals");
	status = server_start(k);
	if (status == EXIT_DONE)
		status = wait_for_end(k);
	mount_remove(k);
	if (k->pid_name)
		unlinkat(k->pid_dir, k->pid_name, 0);
	k->how->f->fuse_session_destroy(k->se);
	return status;
}

/* What the command does while its keeper begins. */
static int wait_until_ready(pid_t keeper, int ready)
{
	char byte;
	ssize_t got;
	int status;

	do
		got = read(ready, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		return EXIT_DONE;
	/* It has told why. */
	return waitpid(keeper, &status, 0) == keeper && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

int keeper_run(const struct keeper_how *how)
{
	static const struct fuse_lowlevel_ops none; /* the keeper answers nothing */
	struct keeper k = { .how = how, .ready = -1, .control = -1, .pid_dir = -1 };
	int pipe_fds[2], status;
	pid_t pid;

	k.ninherited = open_descriptors(k.inherited, INHERITED_MAX, -1);
	status = look_up_paths(&k);
	if (status == EXIT_DONE) {
		k.se = how->f->fuse_session_new(how->args, &none, sizeof none, NULL);
		if (!k.se)
			status = EXIT_USAGE; /* it told which option */
	}
	if (status == EXIT_DONE && !how->foreground) {
		fflush(NULL);
		if (pipe2(pipe_fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
			status = fail(&k, "a process");
		} else if (pid > 0) {
			close(pipe_fds[1]);
			status = wait_until_ready(pid, pipe_fds[0]);
			how->f->fuse_session_destroy(k.se);
			free(k.at);
			return status;
		} else {
			close(pipe_fds[0]);
			k.ready = pipe_fds[1];
			status = keep(&k);
			exit(status);
		}
	} else if (status == EXIT_DONE) {
		status = keep(&k);
	}
	free(k.at);
	return status;
}
