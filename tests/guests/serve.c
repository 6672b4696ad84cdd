/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve.c - serves images to a machine or a client that a test starts, until it leaves.
 *
 *	serve blk SOCKET IMAGE FORMAT ro|rw       vhost-user-blk, to the first who connects
 *	serve console SOCKET COMMAND...           vhost-user console, with the command's standard input and output behind it
 *	serve nbd SOCKET IMAGE FORMAT ro|rw [NAME IMAGE FORMAT ro|rw]...   NBD, until clients have come and all have left;
 *						  the first export is the default one
 *
 * "ready" is printed when the socket is there.  What went wrong is on standard error; the exit status is 1 then.
 */
#include "nbd_server.h"
#include "vhost_blk.h"
#include "vhost_console.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0) {
		perror(path);
		exit(2);
	}
	puts("ready");
	fflush(stdout);
	return fd;
}

static struct block *open_image(const char *path, const char *format, bool rw)
{
	struct block_open how = { .format = format, .flags = rw ? BLOCK_WRITE : 0 };
	struct block *b;
	struct err e = ERR_INIT;

	if (block_open(path, &how, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(2);
	}
	return b;
}

static int told(int rc, const struct err *e)
{
	if (rc < 0)
		fprintf(stderr, "%s\n", e->msg);
	return rc < 0;
}

static int close_image(struct block *b, int status)
{
	struct err e = ERR_INIT;

	if (block_writable(b))
		status |= told(block_finish(b, &e), &e);
	block_unref(b);
	return status;
}

static int serve_blk(char **argv)
{
	bool rw = strcmp(argv[4], "rw") == 0;
	struct block *b = open_image(argv[2], argv[3], rw);
	const struct vhost_blk_how how = { .block = b, .writable = rw, .serial = "disk1" };
	struct vhost_blk *d;
	struct err e = ERR_INIT;

	if (vhost_blk_serve(listen_at(argv[1]), &how, &d, &e) < 0)
		return told(-1, &e);
	while (!vhost_blk_ended(d))
		usleep(2000);
	return close_image(b, told(vhost_blk_stop(d, &e), &e));
}

static int serve_console(char **argv)
{
	struct vhost_console *c;
	struct err e = ERR_INIT;
	int pair[2], status;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 2;
	if (fork() == 0) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	close(pair[1]);
	if (vhost_console_serve(listen_at(argv[1]), pair[0], "drydock", &c, &e) < 0)
		return told(-1, &e);
	while (!vhost_console_ended(c))
		usleep(2000);
	status = told(vhost_console_stop(c, &e), &e);
	wait(NULL);
	return status;
}

static int serve_nbd(int n, char **argv)
{
	struct nbd_export exports[8];
	struct nbd_server *s;
	struct err e = ERR_INIT;
	struct pollfd p = { .events = POLLIN };
	size_t nexports = 0;
	bool had_some = false;
	int status = 0;

	for (int i = 2; i + 2 < n && nexports < 8; nexports++) {
		const char *name = nexports ? argv[i++] : "";
		bool rw = strcmp(argv[i + 2], "rw") == 0;

		exports[nexports] = (struct nbd_export){ name, "a disk", open_image(argv[i], argv[i + 1], rw), rw };
		i += 3;
	}
	if (nbd_server_new(exports, nexports, NULL, &s, &e) < 0)
		return told(-1, &e);
	p.fd = listen_at(argv[1]);
	while (!had_some || nbd_server_clients(s)) {
		if (poll(&p, 1, 300) > 0) {
			status |= told(nbd_server_client(s, accept(p.fd, NULL, NULL), &e), &e);
			had_some = true;
		}
	}
	status |= told(nbd_server_stop(s, &e), &e);
	for (size_t i = 0; i < nexports; i++)
		status = close_image(exports[i].block, status);
	return status;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL); /* a library that raises it would end here */
	argv++;
	argc--;
	if (argc == 5 && strcmp(argv[0], "blk") == 0)
		return serve_blk(argv);
	if (argc >= 3 && strcmp(argv[0], "console") == 0)
		return serve_console(argv);
	if (argc >= 5 && strcmp(argv[0], "nbd") == 0)
		return serve_nbd(argc, argv);
	return 2;
}
