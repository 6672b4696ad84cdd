/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_main.c - drydock-nbd: an export of an NBD server, by libnbd.
 *
 * One connection for each slot where the server says that its connections see each other's writes (multi-conn), else one
 * for all.  Several questions are under way on a connection: of the threads that wait for an answer one waits at the socket,
 * and takes what comes for the others, too.  Connections are made when they are first asked; all must be given the same
 * export, of the same size.
 *
 * A connection that is lost is made anew, and what was only to be read is asked again, after a pause that doubles.  Not
 * so when anything was written: what the server had not made stable may be gone with it, and nobody would know.  Time is
 * not bounded here but by the library, which waits for an answer so long and no longer.
 */
#include "helper.h"

#include "alloc.h"
#include "text.h"

#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES = 6,     /* of one question */
	PAUSE_MS = 50, /* before the second one */
};

struct connection {
	pthread_mutex_t lock;
	pthread_cond_t moved;	/* something was answered, or nobody waits at the socket any more */
	struct nbd_handle *h;	/* NULL: not connected */
	unsigned generation;	/* how many were lost before */
	bool polling;		/* a thread waits at the socket, */
	int wake;		/* and is told by this eventfd to look what is to be sent */
};

static struct {
	const struct dict *opts;
	struct connection connections[NET_READERS];
	unsigned nconnections;
	uint64_t size;
	uint32_t features;
	atomic_bool written; /* something was, or may have been */
	atomic_bool spoiled; /* and a connection was lost since */
} nbd;

/* libnbd's sentences begin with its function's name. */
static int failed(struct err *e)
{
	const char *why = nbd_get_error(), *colon = why ? strstr(why, ": ") : NULL;
	int err = nbd_get_errno();

	if (colon && text_starts(why, "nbd_", NULL))
		why = colon + 2;
	err_set(e, ERR_SYSTEM, "%s", why ? why : "the server said no");
	if (e)
		e->sys_errno = err ? err : EIO;
	return -(int)ERR_SYSTEM;
}

/* ---- connecting ---- */

static int set_tls(struct nbd_handle *h, struct err *e)
{
	const char *certificates = helper_text(nbd.opts, "tls-certificates"), *psk = helper_text(nbd.opts, "tls-psk-file"),
		   *user = helper_text(nbd.opts, "tls-username");

	if (!helper_number(nbd.opts, "tls", 0))
		return nbd_set_tls(h, LIBNBD_TLS_DISABLE) < 0 ? failed(e) : 0;
	if (!nbd_supports_tls(h))
		return err_set(e, ERR_UNSUPPORTED, "this libnbd was built without TLS");
	if (nbd_set_tls(h, LIBNBD_TLS_REQUIRE) < 0 || (certificates && nbd_set_tls_certificates(h, certificates) < 0) ||
	    (psk && nbd_set_tls_psk_file(h, psk) < 0) || (user && nbd_set_tls_username(h, user) < 0) ||
	    nbd_set_tls_verify_peer(h, helper_number(nbd.opts, "tls-verify-peer", 1)) < 0)
		return failed(e);
	return 0;
}

static int connect_one(struct nbd_handle **out, struct err *e)
{
	const char *export = dict_get(nbd.opts, "export"), *path = helper_text(nbd.opts, "path");
	struct nbd_handle *h = *out = nbd_create();
	int rc;

	if (!h)
		return failed(e);
	rc = set_tls(h, e);
	if (rc < 0)
		return rc;
	if (nbd_set_export_name(h, export ? export : "") < 0 ||
	    nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0)
		return failed(e);
	rc = path ? nbd_connect_unix(h, path)
		  : nbd_connect_tcp(h, helper_text(nbd.opts, "host"), helper_text(nbd.opts, "port"));
	return rc < 0 ? failed(e) : 0;
}

static int facts_of(struct nbd_handle *h, struct net_hello *hello, struct err *e)
{
	const int64_t size = nbd_get_size(h), min = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM),
		      max = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);

	if (size < 0)
		return failed(e);
	hello->size = (uint64_t)size;
	hello->block_min = min > 0 ? (uint32_t)min : 1;
	/* The protocol promises 32 MiB where a server says nothing. */
	hello->block_max = max > 0 && (uint64_t)max < NET_DATA ? (uint32_t)max : NET_DATA;
	hello->features = (nbd_is_read_only(h) == 0 ? NET_CAN_WRITE : 0) | (nbd_can_flush(h) == 1 ? NET_CAN_FLUSH : 0) |
			  (nbd_can_trim(h) == 1 ? NET_CAN_TRIM : 0) | (nbd_can_zero(h) == 1 ? NET_CAN_ZERO : 0) |
			  (nbd_can_fast_zero(h) == 1 ? NET_CAN_FAST_ZERO : 0) |
			  (nbd_can_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1 ? NET_CAN_MAP : 0);
	hello->slots = NET_READERS;
	return 0;
}

static int client_prepare(const struct dict *opts, const char **paths, size_t *n, struct err *e)
{
	static const char *const keys[] = { "tls-certificates", "tls-psk-file", "path" };

	nbd.opts = opts;
	for (unsigned i = 0; i < NET_READERS; i++) {
		struct connection *c = &nbd.connections[i];

		/* A confined process can make none. */
		c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (c->wake < 0)
			return err_sys(e, errno, "waking threads");
		if (pthread_mutex_init(&c->lock, NULL) != 0 || pthread_cond_init(&c->moved, NULL) != 0)
			return err_nomem(e);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (helper_text(opts, keys[i]))
			paths[(*n)++] = helper_text(opts, keys[i]);
	if (helper_text(opts, "host"))
		helper_warm_names(helper_text(opts, "host"));
	return 0;
}

static int client_open(const struct dict *opts, struct net_hello *hello, void *data, struct err *e)
{
	struct connection *first = &nbd.connections[0];
	int rc = connect_one(&first->h, e);

	(void)opts;
	(void)data;
	if (rc == 0)
		rc = facts_of(first->h, hello, e);
	if (rc < 0)
		return rc;
	nbd.size = hello->size;
	nbd.features = hello->features;
	nbd.nconnections = nbd_can_multi_conn(first->h) == 1 ? NET_READERS : 1;
	return 0;
}

/* A further connection, or one instead of one that was lost: to the same thing?  *passing: it may go better a little later. */
static int connect_again(struct connection *c, bool *passing, struct err *e)
{
	struct net_hello again = { 0 };
	int rc = connect_one(&c->h, e);

	*passing = rc < 0;
	if (rc == 0)
		rc = facts_of(c->h, &again, e);
	if (rc == 0 && (again.size != nbd.size || again.features != nbd.features))
		rc = err_set(e, ERR_CORRUPT, "the export has changed since it was opened");
	if (rc < 0) {
		nbd_close(c->h);
		c->h = NULL;
	}
	return rc;
}

/* Under the lock: the connection is lost, which nobody has said before. */
static void give_up(struct connection *c, unsigned generation)
{
	/* Whoever waits at its socket sees that it is closed. */
	while (c->generation == generation && c->polling)
		pthread_cond_wait(&c->moved, &c->lock);
	if (c->generation != generation)
		return;
	nbd_close(c->h);
	c->h = NULL;
	c->generation++;
	if (nbd.written)
		nbd.spoiled = true;
	pthread_cond_broadcast(&c->moved);
}

/* ---- questions ---- */

/* Runs of the context, as libnbd tells them: pairs of a length and flags. */
static int on_extents(void *user, const char *context, uint64_t off, uint32_t *entries, size_t n, int *error)
{
	struct net_slot *answer = user;

	(void)off;
	if (*error || strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	for (size_t i = 0; i + 1 < n && answer->nextents < NET_EXTENTS; i += 2) {
		const uint32_t flags = entries[i + 1];

		answer->extents[answer->nextents++] = (struct net_extent){
			.len = entries[i],
			.flags = (flags & LIBNBD_STATE_HOLE ? NET_HOLE : 0u) | (flags & LIBNBD_STATE_ZERO ? NET_ZEROES : 0u),
		};
	}
	return 0;
}

/* The number of the request, or -1. */
static int64_t begin(struct nbd_handle *h, const struct net_slot *q, struct net_slot *answer, void *data)
{
	const uint32_t zero_flags = (q->flags & NET_NO_HOLE ? LIBNBD_CMD_FLAG_NO_HOLE : 0) |
				    (q->flags & NET_FAST ? LIBNBD_CMD_FLAG_FAST_ZERO : 0);

	switch (q->op) {
	case NET_READ:
		return nbd_aio_pread(h, data, (size_t)q->len, q->off, NBD_NULL_COMPLETION, 0);
	case NET_WRITE:
		return nbd_aio_pwrite(h, data, (size_t)q->len, q->off, NBD_NULL_COMPLETION, 0);
	case NET_ZERO:
		return nbd_aio_zero(h, q->len, q->off, NBD_NULL_COMPLETION, zero_flags);
	case NET_TRIM:
		return nbd_aio_trim(h, q->len, q->off, NBD_NULL_COMPLETION, 0);
	case NET_FLUSH:
		return nbd_aio_flush(h, NBD_NULL_COMPLETION, 0);
	default: /* NET_MAP: helper.c lets nothing else pass */
		answer->nextents = 0;
		return nbd_aio_block_status(h, q->len, q->off,
					    (nbd_extent_callback){ .callback = on_extents, .user_data = answer },
					    NBD_NULL_COMPLETION, 0);
	}
}

static bool is_lost(struct nbd_handle *h)
{
	return nbd_aio_is_dead(h) || nbd_aio_is_closed(h);
}

/* Under the lock: waits until something has come, or the one who waits for it says so. */
static void wait_for_answers(struct connection *c)
{
	struct pollfd p[2] = { { .events = 0 }, { .fd = c->wake, .events = POLLIN } };
	const unsigned want = nbd_aio_get_direction(c->h);
	uint64_t count;

	if (c->polling) {
		pthread_cond_wait(&c->moved, &c->lock);
		return;
	}
	p[0].fd = nbd_aio_get_fd(c->h);
	p[0].events = (short)((want & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) | (want & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
	c->polling = true;
	pthread_mutex_unlock(&c->lock);
	(void)poll(p, 2, -1);
	pthread_mutex_lock(&c->lock);
	c->polling = false;
	(void)!read(c->wake, &count, sizeof count);
	/* What is wanted may have changed since: the library takes only what it waits for.  Its failure shows at the requests. */
	if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && (nbd_aio_get_direction(c->h) & LIBNBD_AIO_DIRECTION_READ))
		(void)nbd_aio_notify_read(c->h);
	else if ((p[0].revents & (POLLOUT | POLLERR)) && (nbd_aio_get_direction(c->h) & LIBNBD_AIO_DIRECTION_WRITE))
		(void)nbd_aio_notify_write(c->h);
	pthread_cond_broadcast(&c->moved);
}

/* 1: it went well; 0: it is under way; -1: it failed. */
static int state_of(const struct connection *c, unsigned generation, int64_t request)
{
	int rc;

	if (c->generation != generation)
		return -1;
	rc = nbd_aio_command_completed(c->h, (uint64_t)request);
	return rc == 0 && is_lost(c->h) ? -1 : rc;
}

/* Under the lock.  *lost: another connection may have another answer. */
static int ask_once(struct connection *c, const struct net_slot *q, struct net_slot *answer, void *data, bool *lost,
		    struct err *e)
{
	const uint64_t one = 1;
	const unsigned generation = c->generation;
	int64_t request;
	int rc = c->h ? 0 : connect_again(c, lost, e), state;

	if (rc < 0)
		return rc;
	request = begin(c->h, q, answer, data);
	if (c->polling)
		(void)!write(c->wake, &one, sizeof one);
	state = request < 0 ? -1 : state_of(c, generation, request);
	/* Ends: the answer comes, or the connection ends; the library gives up when neither does. */
	while (state == 0) {
		wait_for_answers(c);
		state = state_of(c, generation, request);
	}
	if (state > 0)
		return 0;
	rc = failed(e);
	*lost = c->generation != generation || is_lost(c->h);
	if (*lost) {
		rc = err_sys(e, ENOTCONN, "the connection to the server is lost");
		give_up(c, generation);
	}
	return rc;
}

static int ask_until_known(struct connection *c, const struct net_slot *q, struct net_slot *answer, void *data, struct err *e)
{
	const bool reads = q->op == NET_READ || q->op == NET_MAP;

	if (!reads && q->op != NET_FLUSH)
		nbd.written = true;
	/* Ends: each turn is counted. */
	for (unsigned tries = 1;; tries++) {
		const uint64_t ms = (uint64_t)PAUSE_MS << (tries - 1);
		const struct timespec pause = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
		bool lost = false;
		int rc;

		if (nbd.spoiled)
			return err_sys(e, ENOTCONN, "the connection was lost, and what was written before may be lost, too");
		pthread_mutex_lock(&c->lock);
		rc = ask_once(c, q, answer, data, &lost, e);
		pthread_mutex_unlock(&c->lock);
		if (rc == 0 || !lost || nbd.written || !reads || tries == TRIES)
			return rc;
		nanosleep(&pause, NULL);
	}
}

static int client_ask(unsigned slot, const struct net_slot *q, struct net_slot *answer, void *data, struct err *e)
{
	int rc = ask_until_known(&nbd.connections[slot % nbd.nconnections], q, answer, data, e);

	if (rc < 0 && q->op == NET_ZERO && (q->flags & NET_FAST) && e->sys_errno == EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, "the server cannot do it fast");
	return rc;
}

/* Servers tell a client that says goodbye from one that was lost. */
static void client_close(void)
{
	for (unsigned i = 0; i < nbd.nconnections; i++)
		if (nbd.connections[i].h)
			(void)nbd_shutdown(nbd.connections[i].h, 0);
}

int main(void)
{
	static const struct helper helper = { client_prepare, client_open, client_ask, client_close };

	return helper_main(&helper);
}
