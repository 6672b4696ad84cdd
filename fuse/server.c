/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - the process that answers the kernel: its talk with the keeper, and the threads. */
#include "mount.h"

#include "alloc.h"
#include "io.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void process_name(long pid, char *out, size_t size)
{
	char path[40], text[1024];
	const char *p;
	size_t got = 0;
	int fd;

	*out = '\0';
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (io_read(fd, text, sizeof text - 1, &got) != 0)
			got = 0;
		close(fd);
	}
	text[got] = '\0';
	/* Behind the program's name, which may hold anything, the 20th field is when it began. */
	p = strrchr(text, ')');
	for (int i = 0; i < 20 && p; i++)
		p = (p = strchr(p, ' ')) ? p + 1 : NULL;
	if (p)
		snprintf(out, size, "%ld %.*s", pid, (int)strcspn(p, " "), p);
}

unsigned open_descriptors(int *out, unsigned max, int but)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	for (struct dirent *ent; d && n < max && (ent = readdir(d));) {
		uint64_t fd;

		if (text_parse_u64(ent->d_name, &fd) && fd > STDERR_FILENO && (int)fd != but && (int)fd != dirfd(d))
			out[n++] = (int)fd;
	}
	if (d)
		closedir(d);
	return n;
}

void server_prepare(struct server_early *out, int control)
{
	out->ninherited = open_descriptors(out->inherited, INHERITED_MAX, control);
	out->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	process_name(getppid(), out->keeper, sizeof out->keeper);
}

void server_xattr(const struct libfuse *f, fuse_req_t req, const void *value, size_t len, size_t size)
{
	if (size == 0)
		f->fuse_reply_xattr(req, len);
	else if (len > size)
		f->fuse_reply_err(req, ERANGE);
	else
		f->fuse_reply_buf(req, value, len);
}

/* The descriptor of the mount; -1: the keeper could not make it, and has told why. */
static int take_mount(int control)
{
	char byte = 'o', space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *c;
	ssize_t got;
	int fd = -1;

	if (write(control, &byte, 1) != 1)
		return -1;
	do
		got = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	c = got == 1 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

bool server_is_stopped(int control)
{
	char byte;
	ssize_t got;

	do
		got = recv(control, &byte, 1, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	return got >= 0; /* a word, or the keeper has gone */
}

struct loop {
	const struct libfuse *f;
	struct fuse_session *se;
};

static void *answer(void *arg)
{
	const struct loop *l = arg;
	struct fuse_buf buf = { .mem = NULL };

	while (!l->f->fuse_session_exited(l->se)) {
		int rc = l->f->fuse_session_receive_buf(l->se, &buf);

		if (rc == -EINTR)
			continue;
		if (rc <= 0) /* the mount is gone */
			break;
		l->f->fuse_session_process_buf(l->se, &buf);
	}
	free(buf.mem);
	return NULL;
}

#define THREADS_MAX 16u
/* This thread, and as many more as the host gives. */
static void answer_all(struct loop *l, unsigned threads)
{
	pthread_t more[THREADS_MAX];
	unsigned n = 0;

	while (n + 1 < MIN_OF(threads, THREADS_MAX) && pthread_create(&more[n], NULL, answer, l) == 0)
		n++;
	answer(l);
	while (n)
		pthread_join(more[--n], NULL);
}

/* Nothing of ours keeps the terminal, or a pipe that somebody reads to its end. */
static void let_go(const struct server_early *early)
{
	fflush(stdout);
	fflush(stderr);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && early->null >= 0; fd++) {
		close(fd);
		fcntl(early->null, F_DUPFD, fd);
	}
	for (unsigned i = 0; i < early->ninherited; i++)
		close(early->inherited[i]);
}

int server_run(const struct server_how *how)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct loop l = { .f = how->f };
	char path[32];
	int fd = -1, status = EXIT_FAILED;

	for (int i = 0; i < how->args->argc; i++)
		if (l.f->fuse_opt_add_arg(&args, how->args->argv[i]) != 0)
			return EXIT_FAILED;
	l.se = l.f->fuse_session_new(&args, how->ops, sizeof *how->ops, how->userdata);
	if (l.se)
		fd = take_mount(how->control);
	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	if (fd >= 0 && l.f->fuse_session_mount(l.se, path) == 0) {
		if (how->quiet)
			let_go(how->early);
		answer_all(&l, how->threads);
		status = EXIT_DONE;
		l.f->fuse_session_unmount(l.se);
	}
	if (l.se)
		l.f->fuse_session_destroy(l.se);
	l.f->fuse_opt_free_args(&args);
	return status;
}
