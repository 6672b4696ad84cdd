/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shell_local.c - "mount-local": the tree of a shell's session below a folder of the host, while "mount-local-run" waits.
 *
 * Mounting is for a process that was forked before anything of the guest was opened, and sees nothing of it: the session, which is
 * confined, asks for the mount, gets its descriptor, and answers the kernel itself.  The words over the socket are "pOPTIONS\0PATH"
 * (the next mount; answered by "k", or "e" and a sentence), "o" (make it; answered as server.c wants it) and "u" (it is over).
 * When the session is gone, so are mount and process; Ctrl-C takes the mount away.
 */
#include "mount.h"

#include "alloc.h"
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

struct shell_local {
	const struct libfuse *f;
	struct server_early early;
	int control;
	bool chosen, readonly;
	double timeout; /* seconds that the kernel may keep what it was told; < 0: as it is */
};

/* ---- the process that mounts ---- */

struct mounter {
	const struct libfuse *f;
	int control;
	char options[1024], path[PATH_LEN];
	struct fuse_session *se;
	bool mounted;
};

static void take_away(struct mounter *m)
{
	if (m->mounted)
		m->f->fuse_session_unmount(m->se);
	if (m->se)
		m->f->fuse_session_destroy(take(m->se));
	m->mounted = false;
}

static void reply(const struct mounter *m, char what, const char *text)
{
	char buf[600];
	const int len = snprintf(buf, sizeof buf, "%c%.500s", what, text);
	ssize_t unused = send(m->control, buf, (size_t)len, MSG_NOSIGNAL);

	(void)unused;
}

/* Where the next mount is to be. */
static void choose(struct mounter *m, const char *words, size_t len)
{
	const char *end = memchr(words, '\0', len);
	struct stat st;

	take_away(m);
	m->path[0] = '\0';
	if (!end || (size_t)(end - words) >= sizeof m->options || len - (size_t)(end - words) - 1 >= sizeof m->path) {
		reply(m, 'e', strerror(ENAMETOOLONG));
		return;
	}
	memcpy(m->options, words, (size_t)(end - words) + 1);
	memcpy(m->path, end + 1, len - (size_t)(end - words) - 1);
	m->path[len - (size_t)(end - words) - 1] = '\0';
	if (stat(m->path, &st) < 0)
		reply(m, 'e', strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		reply(m, 'e', strerror(ENOTDIR));
	else
		reply(m, 'k', "");
}

/* The descriptor goes to who asked; a word without one tells that there is none. */
static void make(struct mounter *m)
{
	static const struct fuse_lowlevel_ops none; /* nothing is answered here */
	char *argv[] = { (char[]){ "drydock" }, (char[]){ "-o" }, m->options };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	char byte = 'm';
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { .space = { 0 } };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd;

	m->se = m->f->fuse_session_new(&args, &none, sizeof none, NULL);
	m->mounted = m->se && m->f->fuse_session_mount(m->se, m->path) == 0; /* else it told why */
	if (m->mounted) {
		fd = m->f->fuse_session_fd(m->se);
		msg.msg_control = u.space;
		msg.msg_controllen = sizeof u.space;
		u.align.cmsg_level = SOL_SOCKET;
		u.align.cmsg_type = SCM_RIGHTS;
		u.align.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&u.align), &fd, sizeof fd);
	}
	if (sendmsg(m->control, &msg, MSG_NOSIGNAL) != 1)
		take_away(m);
}

/* Ends when the session does: its end of the socket is closed then. */
static void mounter_run(struct mounter *m)
{
	static char buf[sizeof m->options + sizeof m->path + 1];
	struct signalfd_siginfo sig;
	sigset_t set;
	int signals;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	for (;;) {
		struct pollfd p[2] = { { .fd = m->control, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
		ssize_t got;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		/* The session notices that the mount is gone. */
		if (p[1].revents && read(signals, &sig, sizeof sig) == sizeof sig && m->mounted) {
			m->f->fuse_session_unmount(m->se);
			m->mounted = false;
		}
		if (!p[0].revents)
			continue;
		got = recv(m->control, buf, sizeof buf, 0);
		if (got <= 0)
			break;
		if (buf[0] == 'p')
			choose(m, buf + 1, (size_t)got - 1);
		else if (buf[0] == 'o')
			make(m);
		else
			take_away(m);
	}
	take_away(m);
}

void shell_local_start(struct shell *s)
{
	const char *why;
	const struct libfuse *f = s->local ? NULL : libfuse_load(&why);
	struct shell_local *l = f ? alloc_zero(sizeof *l) : NULL;
	int pair[2];
	pid_t pid;

	/* Without, "mount-local" will say so. */
	if (!l || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(l);
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct mounter m = { .f = f, .control = pair[1] };

		close(pair[0]);
		mounter_run(&m);
		_exit(0);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		free(l);
		return;
	}
	*l = (struct shell_local){ .f = f, .control = pair[0], .early = { .null = -1 } };
	s->local = l;
}

void shell_local_end(struct shell *s)
{
	if (!s->local)
		return;
	close(s->local->control);
	free(take(s->local));
}

/* ---- the commands ---- */

/* A path of the host as the host side sees it, whose folder "lcd" may have changed. */
static int host_path(struct shell *s, const char *path, struct strbuf *out)
{
	struct dry_error e = { .code = DRY_OK };
	char buf[PATH_LEN];
	size_t got;

	if (*path != '/') {
		if (host_output(s->host, "pwd", &e) < 0)
			return shell_error(s, "%s", e.msg);
		do {
			if (host_read(s->host, buf, sizeof buf, &got, &e) < 0)
				return shell_error(s, "%s", e.msg);
			strbuf_add(out, buf, got);
		} while (got);
		if (out->len && out->s[out->len - 1] == '\n')
			out->s[out->len - 1] = '/';
	}
	strbuf_puts(out, path);
	return out->failed ? shell_nomem(s) : 0;
}

static int mount_local(struct shell *s, struct call *c)
{
	CLEANUP(strbuf_free) struct strbuf words = STRBUF_INIT;
	CLEANUP(strbuf_free) struct strbuf path = STRBUF_INIT;
	const char *options = shell_opt(s, c, "options"), *timeout = shell_opt(s, c, "cachetimeout");
	struct shell_local *l = s->local;
	bool debug = false, readonly = !s->c;
	int64_t seconds = -1;
	char answer[600];
	ssize_t got;

	if (shell_opt_truth(s, c, "readonly", &readonly) || shell_opt_truth(s, c, "debugcalls", &debug))
		return -1;
	if (debug)
		return shell_error(s, "debugcalls is not here");
	if (timeout && (!shell_number(timeout, &seconds) || seconds < 0))
		return shell_error(s, "cachetimeout: \"%s\" is no number of seconds", timeout);
	if (!l)
		return shell_error(s, "this host has no libfuse3");
	l->chosen = false;
	l->readonly = readonly || !s->c;
	l->timeout = (double)seconds;
	if (host_path(s, c->arg[0], &path))
		return -1;
	strbuf_printf(&words, "pfsname=guest,subtype=drydock%s%s%s", l->readonly ? ",ro" : "", options && *options ? "," : "",
		      options ? options : "");
	strbuf_add(&words, "", 1);
	strbuf_puts(&words, path.s);
	if (words.failed)
		return shell_nomem(s);
	if (send(l->control, words.s, words.len, MSG_NOSIGNAL) < 0)
		return shell_error(s, "the process that mounts is gone");
	do
		got = read(l->control, answer, sizeof answer - 1);
	while (got < 0 && errno == EINTR);
	if (got < 1)
		return shell_error(s, "the process that mounts is gone");
	answer[got] = '\0';
	if (answer[0] != 'k')
		return shell_error(s, "%s: %s", c->arg[0], answer + 1);
	l->chosen = true;
	return 0;
}

static int mount_local_run(struct shell *s, struct call *c)
{
	struct shell_local *l = s->local;
	struct mount_opts opts = { .attr_timeout = -1, .entry_timeout = -1, .negative_timeout = -1 };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct tree_how how = { .opts = s->opts, .ref = &s->set.guests[0], .mount = &opts };
	ssize_t unused;
	int status = EXIT_FAILED;

	(void)c;
	if (!l || !l->chosen)
		return shell_error(s, "\"mount-local\" comes first");
	l->chosen = false;
	opts.attr_timeout = opts.entry_timeout = l->timeout;
	how.change = l->readonly ? NULL : s->c;
	how.server = (struct server_how){ .f = l->f, .name = s->name, .control = l->control, .args = &args, .early = &l->early };
	if (l->f->fuse_opt_add_arg(&args, "drydock") == 0)
		status = tree_serve(&how);
	l->f->fuse_opt_free_args(&args);
	unused = send(l->control, "u", 1, MSG_NOSIGNAL);
	(void)unused;
	s->touched |= how.change != NULL;
	return status == EXIT_DONE ? 0 : shell_error(s, "the mount could not be made");
}

static int umount_local(struct shell *s, struct call *c)
{
	bool retry;

	if (shell_opt_truth(s, c, "retry", &retry))
		return -1;
	if (!s->local || !s->local->chosen)
		return shell_error(s, "there is no mount; one that \"mount-local-run\" serves is taken away by another program");
	s->local->chosen = false;
	return 0;
}

static const struct shell_command commands[] = {
	{ "mount-local", NULL, "~localmountpoint [?readonly] [options] [#cachetimeout] [?debugcalls]",
	  "choose a folder of the host for the guest's files", mount_local, SHELL_HOST, NULL },
	{ "mount-local-run", NULL, NULL, "show them there until somebody unmounts the folder", mount_local_run, 0, NULL },
	{ "umount-local", NULL, "[?retry]", "forget the folder that was chosen", umount_local, 0, NULL },
};
const struct shell_group shell_local_group = SHELL_GROUP("the guest's files below a folder of the host", commands);
