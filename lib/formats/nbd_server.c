/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd_server.c - the lives of an NBD server and of its clients, and their sockets.
 *
 * A client has one thread from its connection on; it makes helpers when requests come faster than they are done, and waits for
 * them at the end.  The thread is joined by whoever next deals with the server.
 */
#include "nbd_internal.h"

#include "alloc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint16_t nbd_export_flags(const struct nbd_client *c, const struct nbd_own_export *x)
{
	unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_CACHE;

	/* All clients see one block: what one has flushed, each has.  Where there can be one only, a second would wait for ever. */
	if (c->server->max_clients != 1)
		flags |= NBD_FLAG_CAN_MULTI_CONN;
	flags |= x->writable ? NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_FAST_ZERO : NBD_FLAG_READ_ONLY;
	if (c->style != NBD_SIMPLE)
		flags |= NBD_FLAG_SEND_DF;
	return (uint16_t)flags;
}

/* ---- sockets ---- */

void nbd_drop(struct nbd_client *c)
{
	c->dropped = true;
	shutdown(c->fd, SHUT_RDWR);
}

/* How long the handshake may still wait; -1: for ever. */
static int left_of(const struct nbd_client *c)
{
	struct timespec now;
	int64_t ms;

	if (!c->handshake)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (int64_t)(c->deadline.tv_sec - now.tv_sec) * 1000 + (c->deadline.tv_nsec - now.tv_nsec) / 1000000;
	return (int)MIN_OF(MAX_OF(ms, (int64_t)0), (int64_t)INT32_MAX);
}

/* Whether a call that gave n is to be tried again. */
static bool again(const struct nbd_client *c, ssize_t n, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int rc;

	if (n >= 0 || c->dropped)
		return false;
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	do
		rc = poll(&p, 1, left_of(c));
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* Whether a call on the session that wants this is to be tried again. */
static bool tls_again(const struct nbd_client *c, short want)
{
	struct pollfd p = { .fd = c->fd, .events = want };
	int rc;

	if (!want || c->dropped)
		return false;
	do
		rc = poll(&p, 1, left_of(c));
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/* What there is, at least a byte; 0 or less: no more. */
static ssize_t recv_tls(const struct nbd_client *c, void *buf, size_t len)
{
	short want;
	ssize_t n;

	do
		n = tls_recv(c->tls, buf, len, &want);
	while (n < 0 && tls_again(c, want));
	return n;
}

/* Goes where it belongs, and what follows it into `in`, which is empty; how many bytes belong there, at least one; -1: no more. */
static ssize_t recv_some(struct nbd_client *c, void *buf, size_t len)
{
	struct iovec iov[2] = { { buf, len }, { c->in, sizeof c->in } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	c->in_at = c->in_len = 0;
	if (c->tls && len >= 16 * KiB) {
		n = recv_tls(c, buf, len);
	} else if (c->tls) {
		n = recv_tls(c, c->in, sizeof c->in);
		if (n > 0) {
			c->in_len = (size_t)n;
			c->in_at = MIN_OF(len, c->in_len);
			memcpy(buf, c->in, c->in_at);
			return (ssize_t)c->in_at;
		}
	} else {
		do
			n = recvmsg(c->fd, &m, c->handshake ? MSG_DONTWAIT : 0);
		while (again(c, n, POLLIN));
	}
	if (n <= 0)
		return -1;
	if ((size_t)n > len)
		c->in_len = (size_t)n - len;
	return MIN_OF(n, (ssize_t)len);
}

static int send_record(const struct nbd_client *c, const uint8_t *bytes, size_t len)
{
	while (len) {
		short want;
		ssize_t n;

		do
			n = tls_send(c->tls, bytes, len, &want);
		while (n < 0 && tls_again(c, want));
		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int nbd_start_tls(struct nbd_client *c)
{
	struct nbd_server *s = c->server;
	struct err e = ERR_INIT;
	short want = 0;
	/* What came before the first message of TLS was not encrypted, and is not to be taken for what was. */
	int rc = c->in_at < c->in_len ? err_set(&e, ERR_CORRUPT, "bytes were sent before the handshake of TLS")
				      : tls_new(s->tls, c->fd, NULL, &c->tls, &e);

	while (rc == 0 && (rc = tls_handshake(c->tls, &want, &e)) > 0)
		rc = tls_again(c, want) ? 0 : err_set(&e, ERR_SYSTEM, "the client was too slow or has left");
	if (rc < 0 && s->note)
		s->note(s->arg, e.msg);
	return rc;
}

int nbd_recv(struct nbd_client *c, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t n = MIN_OF(len, c->in_len - c->in_at);
		ssize_t got;

		memcpy(to, c->in + c->in_at, n);
		c->in_at += n;
		to += n;
		len -= n;
		if (len == 0)
			break;
		got = recv_some(c, to, len);
		if (got < 0)
			return -1;
		to += got;
		len -= (size_t)got;
	}
	return 0;
}

/* What does not fill a record of TLS goes out together with what follows it. */
static int send_tls(struct nbd_client *c, const struct iovec *iov, unsigned n)
{
	uint8_t record[16 * KiB];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *from = iov[i].iov_base;

		for (size_t left = iov[i].iov_len; left;) {
			size_t some = MIN_OF(left, sizeof record - len);

			if (len == 0 && left >= sizeof record) {
				if (send_record(c, from, sizeof record))
					return -1;
				some = sizeof record;
			} else {
				memcpy(record + len, from, some);
				len += some;
				if (len == sizeof record && send_record(c, record, len))
					return -1;
				len %= sizeof record;
			}
			from += some;
			left -= some;
		}
	}
	return len ? send_record(c, record, len) : 0;
}

int nbd_send(struct nbd_client *c, struct iovec *iov, unsigned n)
{
	if (c->tls)
		return send_tls(c, iov, n);
	while (n) {
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
		ssize_t sent;

		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		do
			sent = sendmsg(c->fd, &m, MSG_NOSIGNAL | (c->handshake ? MSG_DONTWAIT : 0));
		while (again(c, sent, POLLOUT));
		if (sent <= 0)
			return -1;
		for (; n && (size_t)sent >= iov->iov_len; iov++, n--)
			sent -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

/* ---- clients ---- */

static void *helper_main(void *arg)
{
	nbd_requests(arg);
	return NULL;
}

/* Threads inherit the mask they are made under: signals are the caller's. */
static int start_thread(pthread_t *t, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int why;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	why = pthread_create(t, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return why;
}

void nbd_help(struct nbd_client *c)
{
	/* Where the host gives none, those that there are do the work. */
	if (c->nhelpers + 1 < c->server->threads && start_thread(&c->helpers[c->nhelpers], helper_main, c) == 0)
		c->nhelpers++;
}

static void leave(struct nbd_client *c)
{
	struct nbd_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	for (struct nbd_client **at = &s->clients; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->next = s->gone;
	s->gone = c;
	s->nclients--;
	pthread_cond_broadcast(&s->left);
	pthread_mutex_unlock(&s->lock);
}

static void *client_main(void *arg)
{
	struct nbd_client *c = arg;
	struct nbd_server *s = c->server;
	int rc = nbd_handshake(c);

	c->handshake = false;
	if (rc == 0)
		nbd_requests(c);
	/* No more helpers are made: that takes a request, and there are none. */
	for (unsigned i = 0; i < c->nhelpers; i++)
		pthread_join(c->helpers[i], NULL);
	shutdown(c->fd, SHUT_RDWR);
	leave(c);
	/* The server waits for this thread before it ends. */
	if (s->tell_left)
		s->tell_left(s->arg, rc == 0);
	return NULL;
}

/* Takes the list of those that are gone, and ends them. */
static void bury(struct nbd_client *gone)
{
	while (gone) {
		struct nbd_client *c = gone;

		gone = c->next;
		pthread_join(c->thread, NULL);
		tls_free(c->tls);
		close_fd(&c->fd);
		pthread_mutex_destroy(&c->reading);
		pthread_mutex_destroy(&c->writing);
		free(c);
	}
}

/* Under the lock: the client is one of the server's, and its thread runs. */
static int enter(struct nbd_server *s, struct nbd_client *c, struct err *e)
{
	int why;

	if (s->max_clients && s->nclients >= s->max_clients)
		return err_set(e, ERR_LIMIT, "more than %u clients", s->max_clients);
	c->next = s->clients;
	s->clients = c;
	s->nclients++;
	why = start_thread(&c->thread, client_main, c);
	if (why == 0)
		return 0;
	s->clients = c->next;
	s->nclients--;
	return err_sys(e, why, "no thread can be started");
}

int nbd_server_client(struct nbd_server *s, int fd, struct err *e)
{
	CLEANUP(close_fd) int own = fd;
	struct nbd_client *c = alloc_zero(sizeof *c), *gone;
	int rc;

	if (!c)
		return err_nomem(e);
	c->server = s;
	c->fd = fd;
	pthread_mutex_init(&c->reading, NULL);
	pthread_mutex_init(&c->writing, NULL);
	if (s->handshake_seconds) {
		c->handshake = true;
		clock_gettime(CLOCK_MONOTONIC, &c->deadline);
		c->deadline.tv_sec += s->handshake_seconds;
	}
	pthread_mutex_lock(&s->lock);
	gone = take(s->gone);
	rc = enter(s, c, e);
	pthread_mutex_unlock(&s->lock);
	bury(gone);
	if (rc < 0) {
		pthread_mutex_destroy(&c->reading);
		pthread_mutex_destroy(&c->writing);
		free(c);
		return rc;
	}
	own = -1;
	return 0;
}

/* ---- the server ---- */

static void server_free(struct nbd_server *s)
{
	for (size_t i = 0; i < s->nexports; i++) {
		struct nbd_own_export *x = &s->exports[i];

		for (size_t k = 0; k < x->ncontexts; k++)
			free(x->contexts[k].name);
		free(x->contexts);
		free(x->name);
		free(x->description);
		block_unref(x->block);
		block_unref(x->depth_of);
		block_unref(x->bitmaps_of);
	}
	free(s->exports);
	tls_creds_unref(s->tls);
	pthread_cond_destroy(&s->left);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int add_context(struct nbd_own_export *x, enum nbd_context_kind kind, const char *before, const char *bitmap,
		       struct err *e)
{
	struct nbd_context *to = &x->contexts[x->ncontexts];

	*to = (struct nbd_context){ .kind = kind, .name = alloc_printf("%s%s", before, bitmap) };
	if (!to->name)
		return err_nomem(e);
	to->bitmap = to->name + strlen(before);
	x->ncontexts++;
	return 0;
}

static int add_contexts(struct nbd_own_export *x, const struct nbd_export *from, struct err *e)
{
	int rc;

	x->contexts = alloc_array(NBD_CONTEXTS_MAX, sizeof *x->contexts);
	if (!x->contexts)
		return err_nomem(e);
	rc = add_context(x, NBD_CONTEXT_ALLOCATION, "base:allocation", "", e);
	if (rc == 0 && from->depth_of)
		rc = add_context(x, NBD_CONTEXT_DEPTH, "qemu:allocation-depth", "", e);
	for (size_t i = 0; rc == 0 && i < from->nbitmaps; i++)
		rc = add_context(x, NBD_CONTEXT_BITMAP, "qemu:dirty-bitmap:", from->bitmaps[i], e);
	return rc;
}

static int add_export(struct nbd_server *s, const struct nbd_export *from, struct err *e)
{
	struct nbd_own_export *x = &s->exports[s->nexports];
	const char *description = from->description ? from->description : "";

	if (strlen(from->name) > LIMIT_NBD_NAME || strlen(description) > LIMIT_NBD_NAME)
		return err_set(e, ERR_USAGE, "the name of an export has at most %llu bytes", LIMIT_NBD_NAME + 0ULL);
	for (size_t i = 0; i < s->nexports; i++)
		if (strcmp(s->exports[i].name, from->name) == 0)
			return err_set(e, ERR_USAGE, "two exports named \"%s\"", from->name);
	if (from->writable && !block_writable(from->block))
		return err_set(e, ERR_USAGE, "%s: opened read-only", block_name(from->block));
	if (from->nbitmaps > NBD_BITMAPS_MAX)
		return err_set(e, ERR_USAGE, "an export has at most %u bitmaps", NBD_BITMAPS_MAX);
	*x = (struct nbd_own_export){ .name = alloc_strdup(from->name), .description = alloc_strdup(description),
				      .block = block_ref(from->block), .writable = from->writable, .off = from->off };
	s->nexports++;
	if (from->depth_of)
		x->depth_of = block_ref(from->depth_of);
	if (from->nbitmaps)
		x->bitmaps_of = block_ref(from->bitmaps_of);
	return x->name && x->description ? add_contexts(x, from, e) : err_nomem(e);
}

int nbd_server_new(const struct nbd_export *exports, size_t n, const struct nbd_server_how *how, struct nbd_server **out,
		   struct err *e)
{
	struct nbd_server *s = alloc_zero(sizeof *s);
	pthread_condattr_t attr;
	int rc = 0;

	if (!s)
		return err_nomem(e);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->left, &attr);
	pthread_condattr_destroy(&attr);
	s->threads = how && how->threads ? MIN_OF(how->threads, (unsigned)NBD_THREADS_MAX) : NBD_THREADS;
	s->max_clients = how ? how->clients : 0;
	s->handshake_seconds = how ? how->handshake_seconds : 0;
	s->tell_left = how ? how->left : NULL;
	s->note = how ? how->note : NULL;
	s->arg = how ? how->arg : NULL;
	s->tls = how ? tls_creds_ref(how->tls) : NULL;
	s->exports = alloc_array(n + 1, sizeof *s->exports);
	if (!s->exports)
		rc = err_nomem(e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_export(s, &exports[i], e);
	if (rc < 0) {
		server_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

unsigned nbd_server_clients(struct nbd_server *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->nclients;
	pthread_mutex_unlock(&s->lock);
	return n;
}

bool nbd_server_wait(struct nbd_server *s, int milliseconds)
{
	struct timespec until;
	bool none;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (milliseconds >= 0) {
		until.tv_sec += milliseconds / 1000;
		until.tv_nsec += milliseconds % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	}
	pthread_mutex_lock(&s->lock);
	while (s->nclients) {
		if (milliseconds < 0)
			pthread_cond_wait(&s->left, &s->lock);
		else if (pthread_cond_timedwait(&s->left, &s->lock, &until) == ETIMEDOUT)
			break;
	}
	none = s->nclients == 0;
	pthread_mutex_unlock(&s->lock);
	return none;
}

void nbd_keep_error(struct nbd_server *s, const struct nbd_own_export *x, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (!s->failed) {
		s->failed = true;
		s->err = *e;
		if (*x->name)
			(void)err_in(&s->err, 0, "%s", x->name);
	}
	pthread_mutex_unlock(&s->lock);
}

int nbd_server_error(struct nbd_server *s, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (s->failed) {
		rc = -(int)s->err.code;
		if (e)
			*e = s->err;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int nbd_server_stop(struct nbd_server *s, struct err *e)
{
	int rc;

	if (!s)
		return 0;
	pthread_mutex_lock(&s->lock);
	for (struct nbd_client *c = s->clients; c; c = c->next)
		nbd_drop(c);
	while (s->nclients)
		pthread_cond_wait(&s->left, &s->lock);
	pthread_mutex_unlock(&s->lock);
	bury(s->gone);
	rc = nbd_server_error(s, e);
	server_free(s);
	return rc;
}
