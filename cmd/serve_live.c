/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve_live.h"
#include "serve_device.h"

#include "alloc.h"
#include "io.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void serve_say(const struct serve_live *l, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", l->self);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int take_fd(int *fd)
{
	int n = *fd;

	*fd = -1;
	return n;
}

static bool fail_sys(const struct serve_live *l, const char *what)
{
	serve_say(l, "%s: %s", what, strerror(errno));
	return false;
}

void serve_note(void *live, const char *sentence)
{
	const struct serve_live *l = live;

	if (l->verbose)
		serve_say(l, "%s", sentence);
}

/* ---- to the background ---- */

/* A byte comes when the server serves; else it ends without one. */
static int wait_in_front(int line)
{
	char byte;
	ssize_t n;

	do
		n = read(line, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? EXIT_DONE : EXIT_FAILED;
}

bool serve_fork(struct serve_live *l, int *status)
{
	int line[2];
	pid_t pid;

	if (!l->background)
		return false;
	*status = EXIT_FAILED;
	l->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l->null < 0 || pipe2(line, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fail_sys(l, "cannot go to the background");
		return true;
	}
	if (pid) {
		close(line[1]);
		*status = wait_in_front(line[0]);
		close(line[0]);
		return true;
	}
	close(line[0]);
	setsid();
	l->tell = line[1];
	return false;
}

void serve_ready(struct serve_live *l)
{
	if (l->tell < 0 || (l->device && !l->attached))
		return;
	fflush(stdout);
	/* A confined process has no dup2(): the lowest number that is free is the one that was closed. */
	for (int fd = STDIN_FILENO; fd <= (l->verbose ? STDOUT_FILENO : STDERR_FILENO); fd++) {
		close(fd);
		(void)fcntl(l->null, F_DUPFD, fd);
	}
	(void)!write(l->tell, "", 1);
	close_fd(&l->tell);
}

/* ---- sockets in the file system ---- */

/* Is there a socket of that name where nobody listens? */
static bool is_stale(const struct sockaddr_un *a)
{
	CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) < 0 && errno == ECONNREFUSED;
}

static bool unix_address(const struct serve_live *l, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(l->socket) >= sizeof a->sun_path) {
		serve_say(l, "%s: the name of a socket has at most %zu bytes", l->socket, sizeof a->sun_path - 1);
		return false;
	}
	memcpy(a->sun_path, l->socket, strlen(l->socket));
	return true;
}

/* Waits for the server's end, however it comes, and removes the socket that it made; a process of its own. */
static void keep_socket(const char *path, const struct stat *made, int line)
{
	struct stat now;
	char byte;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* Whoever reads the server's output is not to wait for us. */
	for (int fd = 0; fd < 1024; fd++)
		if (fd != line)
			close(fd);
	while (read(line, &byte, 1) < 0 && errno == EINTR)
		;
	if (lstat(path, &now) == 0 && now.st_dev == made->st_dev && now.st_ino == made->st_ino)
		unlink(path);
	_exit(0);
}

/* A server that is confined cannot remove its socket, and one that is killed does nothing any more. */
static bool start_keeper(struct serve_live *l)
{
	CLEANUP(free_ptr) char *path = realpath(l->socket, NULL);
	struct stat made;
	int pair[2];
	pid_t pid;

	if (!path || lstat(path, &made) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_sys(l, l->socket);
	pid = fork();
	if (pid == 0)
		keep_socket(path, &made, pair[1]);
	close(pair[1]);
	l->keeper = pair[0];
	return pid > 0 || fail_sys(l, l->socket);
}

static bool listen_unix(struct serve_live *l)
{
	CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;

	if (!unix_address(l, &a))
		return false;
	if (fd < 0)
		return fail_sys(l, l->socket);
	if (l->peer ? access(l->socket, F_OK) == 0 : is_stale(&a))
		unlink(l->socket);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		serve_say(l, "%s%s: %s", l->peer ? "Failed to bind socket to " : "", l->socket, strerror(errno));
		return false;
	}
	/* At once: who waits for the name connects when it is there. */
	if (listen(fd, SOMAXCONN) < 0)
		return fail_sys(l, l->socket);
	if (!start_keeper(l))
		return false;
	l->fds[l->nfds++] = take_fd(&fd);
	return true;
}

/* ---- TCP ---- */

static struct addrinfo *resolve(const struct serve_live *l, bool to_listen)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = to_listen ? AI_PASSIVE : 0 };
	struct addrinfo *list = NULL;
	int why = getaddrinfo(l->bind, l->port, &hints, &list);

	if (why)
		serve_say(l, "address resolution failed for %s:%s: %s", l->bind, l->port, gai_strerror(why));
	return why ? NULL : list;
}

static int listen_at(const struct addrinfo *a)
{
	CLEANUP(close_fd) int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -1;
	/* Connections that are accepted inherit these. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		return -1;
	return take_fd(&fd);
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof a;

	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port);
}

static bool listen_tcp(struct serve_live *l)
{
	struct addrinfo *list = resolve(l, true);
	int why = 0;

	for (const struct addrinfo *a = list; a && l->nfds < SERVE_SOCKETS_MAX; a = a->ai_next) {
		int fd = listen_at(a);

		if (fd < 0)
			why = errno;
		else
			l->fds[l->nfds++] = fd;
	}
	if (list && l->nfds == 0 && l->peer)
		serve_say(l, "Failed to %s: %s", why == EADDRINUSE ? "find an available port" : "bind socket", strerror(why));
	else if (list && l->nfds == 0)
		serve_say(l, "%s:%s: %s", l->bind, l->port, strerror(why));
	if (l->nfds)
		l->bound = port_of(l->fds[0]);
	if (list)
		freeaddrinfo(list);
	return l->nfds > 0;
}

/* ---- sockets that others have made ---- */

static bool inherit(struct serve_live *l, int fd)
{
	int listens = 0, type = 0;
	socklen_t len = sizeof listens, type_len = sizeof type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
		serve_say(l, "descriptor %d: %s", fd, strerror(errno));
		return false;
	}
	if (type != SOCK_STREAM) {
		serve_say(l, "descriptor %d: not a stream socket", fd);
		return false;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!listens) {
		/* Its threads wait in their calls. */
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		l->connected = fd;
		return true;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	l->fds[l->nfds++] = fd;
	return true;
}

/* How many sockets systemd, or who does as it does, has given to this process: from descriptor 3 on. */
static unsigned activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !n || !text_parse_u64(pid, &number) || number != (uint64_t)getpid() || !text_parse_u64(n, &number))
		return 0;
	return (unsigned)MIN_OF(number, (uint64_t)SERVE_SOCKETS_MAX);
}

/* ---- the process ---- */

static bool write_pid(const struct serve_live *l)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	CLEANUP(close_fd) int fd = open(l->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int why = fd < 0 ? errno : io_write(fd, text, (size_t)len);

	if (why)
		serve_say(l, "%s: %s", l->pid_file, strerror(why));
	return !why;
}

static bool catch_signals(struct serve_live *l)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail_sys(l, "signals");
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals >= 0 || fail_sys(l, "signals");
}

/* Each client takes a descriptor; what the process has besides is less than SPARE. */
static void raise_limit(struct serve_live *l)
{
	enum { SPARE = 128 };
	struct rlimit r;
	rlim_t want;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	want = l->clients ? (rlim_t)l->clients + SPARE : r.rlim_max;
	if (r.rlim_cur < want) {
		r.rlim_cur = MIN_OF(want, r.rlim_max);
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || !l->clients || r.rlim_cur >= want || r.rlim_cur <= SPARE)
		return;
	l->clients = (unsigned)(r.rlim_cur - SPARE);
	serve_say(l, "at most %u clients at a time, as this process may not have more descriptors (ulimit -n)", l->clients);
}

bool serve_listen(struct serve_live *l)
{
	unsigned given = activated();
	bool ok = true;

	raise_limit(l);
	if (given && (l->socket || l->fd >= 0 || l->device)) {
		serve_say(l, "sockets were given to this process (LISTEN_FDS), and cannot be named as well");
		return false;
	}
	if (given)
		for (unsigned i = 0; ok && i < given; i++)
			ok = inherit(l, 3 + (int)i);
	else if (l->fd >= 0)
		ok = inherit(l, l->fd);
	else if (l->socket)
		ok = listen_unix(l);
	else if (!l->device)
		ok = listen_tcp(l);
	return ok && catch_signals(l) && (!l->device || serve_device_start(l));
}

bool serve_confine(struct serve_live *l)
{
	const struct dry_confine how = { .want = (enum dry_confinement)l->confine, .serve = true };
	struct dry_confined done;
	struct dry_error e;

	if (l->pid_file && !write_pid(l))
		return false;
	if (dry_confine(&how, &done, &e) < 0) {
		serve_say(l, "%s", e.msg);
		return false;
	}
	if (l->verbose && done.missing[0])
		serve_say(l, "not confined: %s", done.missing);
	return true;
}

/* ---- clients ---- */

static void said(struct serve_live *l, const char *what, const struct dry_error *e)
{
	serve_say(l, "%s%s%s", what, *what ? ": " : "", e->msg);
}

/* Takes those that wait, as long as there may be more; false: the host has no means for another one now. */
static bool accept_some(struct serve_live *l, struct dry_server *s, int listener)
{
	while (!l->clients || dry_server_clients(s, NULL) < l->clients) {
		/* What the threads of a client do waits in the calls. */
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		struct dry_error e;

		if (fd < 0)
			return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
		if (dry_server_client(s, fd, &e) < 0) {
			said(l, "a client", &e);
			return e.code == DRY_LIMIT;
		}
	}
	return true;
}

/* Enough of it: the last client has left, or nobody can come any more. */
static bool is_over(const struct serve_live *l, unsigned clients, uint64_t served)
{
	return clients == 0 && (l->nfds == 0 || (served && !l->persistent));
}

/* The process that has the device says something; false: that it could not be connected. */
static bool hear_device(struct serve_live *l)
{
	char byte;
	ssize_t n = read(l->line, &byte, 1);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0) {
		close_fd(&l->line);
		return l->attached;
	}
	l->attached = true;
	if (l->verbose)
		serve_say(l, "NBD device %s is now connected", l->device);
	serve_ready(l);
	return true;
}

bool serve_clients(struct serve_live *l, struct dry_server *s)
{
	enum { FIRST = 3 };
	struct pollfd p[SERVE_SOCKETS_MAX + FIRST] = { { .fd = l->signals, .events = POLLIN },
						       { .fd = dry_server_fd(s), .events = POLLIN } };
	bool tired = false;
	struct dry_error e;

	if (l->connected >= 0) {
		int fd = take_fd(&l->connected);

		if (dry_server_client(s, fd, &e) < 0) {
			said(l, "", &e);
			return false;
		}
	}
	for (;;) {
		uint64_t served;
		unsigned clients = dry_server_clients(s, &served);
		bool full = l->clients && clients >= l->clients;

		if (is_over(l, clients, served) && (!l->device || l->attached))
			return true;
		p[2] = (struct pollfd){ .fd = l->line, .events = POLLIN };
		for (size_t i = 0; i < l->nfds; i++)
			p[i + FIRST] = (struct pollfd){ .fd = full || tired ? -1 : l->fds[i], .events = POLLIN };
		/* Where the host has no descriptor or thread to spare, it may have when somebody has left, or a little later. */
		if (poll(p, l->nfds + FIRST, tired ? 200 : -1) < 0 && errno != EINTR)
			return fail_sys(l, "waiting for clients");
		if (p[0].revents)
			return true;
		if (p[2].revents && !hear_device(l))
			return false;
		tired = false;
		for (size_t i = 0; i < l->nfds; i++)
			if (p[i + FIRST].revents && !accept_some(l, s, l->fds[i]))
				tired = true;
	}
}

void serve_free(struct serve_live *l)
{
	char byte;
	ssize_t n;

	for (size_t i = 0; i < l->nfds; i++)
		close_fd(&l->fds[i]);
	close_fd(&l->connected);
	close_fd(&l->signals);
	if (l->keeper >= 0) {
		shutdown(l->keeper, SHUT_WR);
		while (read(l->keeper, &byte, 1) < 0 && errno == EINTR)
			;
	}
	close_fd(&l->keeper);
	/* The device is free when that process has ended, which the end of its connection has told it. */
	while (l->line >= 0 && (n = read(l->line, &byte, 1)) != 0 && (n > 0 || errno == EINTR))
		;
	close_fd(&l->line);
	close_fd(&l->tell);
	close_fd(&l->null);
}

/* ---- the other side ---- */

int serve_connect(const struct serve_live *l)
{
	CLEANUP(close_fd) int fd = -1;
	struct sockaddr_un a;
	struct addrinfo *list;
	int why = 0;

	if (l->socket) {
		if (!unix_address(l, &a))
			return -1;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
			return take_fd(&fd);
		serve_say(l, "Failed to connect to '%s': %s", l->socket, strerror(errno));
		return -1;
	}
	list = resolve(l, false);
	if (!list)
		return -1;
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		close_fd(&fd);
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			break;
		why = errno;
		close_fd(&fd);
	}
	freeaddrinfo(list);
	if (fd < 0)
		serve_say(l, "Failed to connect to '%s:%s': %s", l->bind, l->port, strerror(why));
	return take_fd(&fd);
}
