/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost_console.c - virtio-console (virtio 1.2, section 5.3) with one port, over a stream socket.
 *
 * Four queues: 0 brings the port's bytes into the machine, 1 out of it; 2 and 3 are the same for control messages, by which
 * the machine learns that there is a port, and each side that the other one has opened it.  One port would do without
 * these, but then Linux takes it for a terminal, and a read of it for the end of the file while there is nothing to read.
 *
 * One thread does everything and never blocks but in poll().  Bytes move between the socket and the machine's memory with
 * one system call for as many of its buffers as there are.  Before the machine has opened the port nothing is sent to it, as
 * Linux would throw that away.
 */
#include "vhost_console.h"

#include "alloc.h"
#include "ondisk.h"
#include "vhost.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

enum {
	QUEUE_IN,
	QUEUE_OUT,
	QUEUE_CONTROL_IN,
	QUEUE_CONTROL_OUT,
	QUEUES,

	CONSOLE_F_MULTIPORT = 1,

	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	PORT_OPEN = 6,
	PORT_NAME = 7,

	NAME_MAX_LEN = 64,
	CONTROL_MAX = 8 + NAME_MAX_LEN + 1,
	/* Buffers moved with one call. */
	PIECES = 1024,
};

struct console_config {
	le16 cols, rows;
	le32 max_ports, emergency;
};

struct control {
	le32 port;
	le16 event, value;
};

/* What the machine is to be told, in this order. */
enum {
	TELL_ADD = 1 << 0,
	TELL_NAME = 1 << 1,
	TELL_OPEN = 1 << 2,
	TELL_CLOSED = 1 << 3,
};

/* A request that was taken, and is done only in part, or not at all. */
struct held {
	uint16_t head;
	uint32_t len, done;
	unsigned npieces;
};
/* Requests that were taken of one queue, in order, and their pieces. */
struct holding {
	unsigned at, n;	      /* of held[] */
	unsigned piece, npieces; /* of iov[]: the first one that is not used up, and the end */
	struct held held[VHOST_QUEUE_MAX];
	struct iovec iov[PIECES];
};

struct vhost_console {
	struct vhost v;
	int stream;
	char name[NAME_MAX_LEN + 1];
	unsigned tell;
	bool machine_open; /* something in the machine has opened the port */
	bool in_ended;	   /* nothing more comes from the stream */
	bool out_ended;	   /* nobody reads the stream */
	/*
	 * The most buffers that the machine ever had waiting for bytes.  Where all are used up it has that many to read, and each
	 * comes back: half of them are worth a kick.
	 */
	unsigned most_in;
	struct vhost_chain chain;
	struct holding in, out;
	pthread_mutex_t lock;
	atomic_bool stopping, ended;
	bool failed;
	struct err err;
	bool running;
	pthread_t thread;
};

/* ---- requests that are held ---- */

/* Takes what the machine offers, as far as there is room. */
static int hold(struct vhost_console *c, struct vhost_queue *q, struct holding *h, bool write_part, struct err *e)
{
	if (h->at == h->n)
		h->at = h->n = h->piece = h->npieces = 0;
	while (h->n < ARRAY_LEN(h->held)) {
		unsigned room = PIECES - h->npieces, n;
		uint64_t got, len;
		int rc;

		/* A request of too many pieces for what is left waits; one that is too long for an empty list is refused. */
		if (room < PIECES / 2 && h->n)
			break;
		rc = vhost_queue_pop(q, &c->v.memory, &c->chain, e);
		if (rc <= 0)
			return rc;
		len = write_part ? c->chain.write_len : c->chain.read_len;
		n = write_part ? c->chain.nwrite : c->chain.nread;
		if (len > UINT32_MAX || n > PIECES / 2)
			return err_set(e, ERR_CORRUPT, "a buffer of %u pieces", n);
		n = vhost_chain_iov(&c->chain, write_part, 0, len, &h->iov[h->npieces], room, &got);
		h->held[h->n++] = (struct held){ .head = c->chain.head, .len = (uint32_t)len, .npieces = n };
		h->npieces += n;
	}
	return 0;
}

/*
 * The machine's memory or queues are about to change: what was taken is as if it were not.  A request of which a part has gone
 * out comes again as a whole; a machine that keeps its words stops writing first.
 */
static void give_back(struct vhost_queue *q, struct holding *h)
{
	q->last_avail = (uint16_t)(q->last_avail - (h->n - h->at));
	q->seen = q->last_avail;
	h->at = h->n = h->piece = h->npieces = 0;
}

static void quiesce(void *arg)
{
	struct vhost_console *c = arg;

	give_back(&c->v.queues[QUEUE_IN], &c->in);
	give_back(&c->v.queues[QUEUE_OUT], &c->out);
}

/* The next n bytes of what is held are done: whole requests go back.  partial: the last one goes back although it is not full. */
static int consume(struct vhost_console *c, struct vhost_queue *q, struct holding *h, size_t n, bool write_part, struct err *e)
{
	for (size_t left = n; left;) {
		struct iovec *v = &h->iov[h->piece];
		size_t step = MIN_OF(left, v->iov_len);

		v->iov_base = (char *)v->iov_base + step;
		v->iov_len -= step;
		left -= step;
		if (v->iov_len == 0)
			h->piece++;
	}
	while (h->at < h->n) {
		struct held *r = &h->held[h->at];
		uint32_t step = (uint32_t)MIN_OF(n, (size_t)(r->len - r->done));
		int rc;

		r->done += step;
		n -= step;
		if (r->done < r->len && !(write_part && r->done))
			break;
		rc = vhost_queue_push(q, &c->v.memory, r->head, write_part ? r->done : 0, e);
		if (rc < 0)
			return rc;
		/* What is left of a buffer that goes back is not ours any more. */
		for (uint32_t rest = r->len - r->done; rest;) {
			rest -= (uint32_t)h->iov[h->piece].iov_len;
			h->piece++;
		}
		h->at++;
		if (n == 0 && (h->at == h->n || h->held[h->at].len))
			break;
	}
	return vhost_queue_publish(q, &c->v.memory, e);
}

/* ---- control messages ---- */

static int say(struct vhost_console *c, unsigned event, unsigned value, const char *text, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_CONTROL_IN];
	char bytes[CONTROL_MAX];
	struct control m;
	size_t len = sizeof m;
	int rc = vhost_queue_pop(q, &c->v.memory, &c->chain, e);

	if (rc <= 0)
		return rc;
	le32_put(&m.port, 0);
	le16_put(&m.event, (uint16_t)event);
	le16_put(&m.value, (uint16_t)value);
	memcpy(bytes, &m, sizeof m);
	if (text) {
		memcpy(bytes + len, text, strlen(text));
		len += strlen(text);
	}
	rc = vhost_chain_put(&c->chain, 0, bytes, len, e);
	if (rc == 0)
		rc = vhost_queue_push(q, &c->v.memory, c->chain.head, (uint32_t)len, e);
	return rc < 0 ? rc : 1;
}

/* One thing that the machine is to be told: 1, or 0 when there is nothing, or no room for it. */
static int tell_one(struct vhost_console *c, struct err *e)
{
	unsigned what = c->tell & -c->tell;
	int rc;

	if (!what)
		return 0;
	rc = what == TELL_ADD	 ? say(c, PORT_ADD, 1, NULL, e)
	     : what == TELL_NAME ? say(c, PORT_NAME, 1, c->name, e)
				 : say(c, PORT_OPEN, what == TELL_OPEN, NULL, e);
	if (rc > 0)
		c->tell &= ~what;
	return rc;
}

static int tell(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_CONTROL_IN];
	int rc;

	if (!c->tell || !vhost_queue_runs(q))
		return 0;
	while ((rc = tell_one(c, e)) > 0)
		;
	return rc < 0 ? rc : vhost_queue_publish(q, &c->v.memory, e);
}

static void heard(struct vhost_console *c, const struct control *m)
{
	unsigned value = le16_get(m->value);

	switch (le16_get(m->event)) {
	case DEVICE_READY:
		if (value)
			c->tell |= TELL_ADD;
		break;
	case PORT_READY:
		if (value && le32_get(m->port) == 0)
			c->tell |= TELL_NAME | (c->in_ended ? TELL_CLOSED : TELL_OPEN);
		break;
	case PORT_OPEN:
		if (le32_get(m->port) == 0)
			c->machine_open = value;
		break;
	default: /* sizes of terminals, and what is not for a port like ours */
		break;
	}
}

/* 1: a message was taken. */
static int listen_once(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_CONTROL_OUT];
	int rc = vhost_queue_pop(q, &c->v.memory, &c->chain, e);
	struct control m;

	if (rc <= 0)
		return rc;
	if (c->chain.read_len < sizeof m)
		return err_set(e, ERR_CORRUPT, "a control message that is too short");
	rc = vhost_chain_get(&c->chain, 0, &m, sizeof m, e);
	if (rc == 0)
		rc = vhost_queue_push(q, &c->v.memory, c->chain.head, 0, e);
	if (rc < 0)
		return rc;
	heard(c, &m);
	return 1;
}

/* What is there, at most a queue full. */
static int listen_to(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_CONTROL_OUT];
	int rc = 1;

	if (!vhost_queue_runs(q))
		return 0;
	for (unsigned i = 0; rc > 0 && i < q->size; i++)
		rc = listen_once(c, e);
	if (rc >= 0)
		rc = vhost_queue_publish(q, &c->v.memory, e);
	return rc;
}

/* ---- bytes ---- */

/* What a call on the stream gave: bytes, 0 for "not now", or -1 for the end. */
static ssize_t outcome(ssize_t n)
{
	return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

static int lost_memory(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the machine's memory was cut off");
}

/* Out of the machine.  1: something moved. */
static int move_out(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_OUT];
	struct holding *h = &c->out;
	struct msghdr m = { .msg_iov = NULL };
	size_t bytes = 0;
	ssize_t n;
	int rc;

	if (!vhost_queue_runs(q))
		return 0;
	rc = hold(c, q, h, false, e);
	if (rc < 0 || h->at == h->n)
		return rc;
	for (unsigned i = h->piece; i < h->npieces; i++)
		bytes += h->iov[i].iov_len;
	m.msg_iov = &h->iov[h->piece];
	m.msg_iovlen = h->npieces - h->piece;
	if (c->out_ended || bytes == 0) {
		n = (ssize_t)bytes; /* nobody listens */
	} else {
		n = sendmsg(c->stream, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EFAULT)
			return lost_memory(e);
		n = outcome(n);
		if (n < 0) {
			c->out_ended = true;
			return 1;
		}
		if (n == 0)
			return 0;
	}
	rc = consume(c, q, h, (size_t)n, false, e);
	return rc < 0 ? rc : 1;
}

/* Into the machine. */
static int move_in(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_IN];
	struct holding *h = &c->in;
	struct msghdr m = { .msg_iov = NULL };
	ssize_t n;
	int rc;

	if (!vhost_queue_runs(q) || !c->machine_open || c->in_ended)
		return 0;
	rc = hold(c, q, h, true, e);
	c->most_in = MAX_OF(c->most_in, h->n - h->at);
	if (rc < 0 || h->piece == h->npieces)
		return rc;
	m.msg_iov = &h->iov[h->piece];
	m.msg_iovlen = h->npieces - h->piece;
	n = recvmsg(c->stream, &m, MSG_DONTWAIT);
	if (n < 0 && errno == EFAULT)
		return lost_memory(e);
	n = outcome(n);
	if (n < 0) {
		c->in_ended = true;
		c->tell = (c->tell & ~(unsigned)TELL_OPEN) | TELL_CLOSED;
		return 1;
	}
	if (n == 0)
		return 0;
	rc = consume(c, q, h, (size_t)n, true, e);
	return rc < 0 ? rc : 1;
}

/* ---- the thread ---- */

/* Does the machine's queue hold nothing for us?  Then it shall kick.  1: there is something after all. */
static int arm(struct vhost_console *c, unsigned queue, const struct holding *h, unsigned more, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[queue];

	return vhost_queue_runs(q) && h->at == h->n ? vhost_queue_arm(q, &c->v.memory, more, e) : 0;
}

static short stream_events(const struct vhost_console *c)
{
	short events = 0;

	if (c->out.at < c->out.n)
		events |= POLLOUT;
	if (c->machine_open && !c->in_ended && c->in.piece < c->in.npieces)
		events |= POLLIN;
	return events;
}

/*
 * One message.  It may stop the queue, as a machine that powers off does: what it had written before, whose kick comes by another
 * way, goes out first, as far as the stream takes it.
 */
static int take_message(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *q = &c->v.queues[QUEUE_OUT];
	int rc = 1;

	for (unsigned i = 0; rc > 0 && i < q->size; i++)
		rc = move_out(c, e);
	return rc < 0 ? rc : vhost_message(&c->v, e);
}

/* 0, or 1 when the machine hung up. */
static int wait_for_something(struct vhost_console *c, struct err *e)
{
	struct pollfd p[2 + QUEUES] = { { .fd = c->v.fd, .events = POLLIN }, { .fd = -1 } };

	p[1].events = stream_events(c);
	if (p[1].events) /* else it would tell of its end without end */
		p[1].fd = c->stream;
	for (unsigned i = 0; i < QUEUES; i++)
		p[2 + i] = (struct pollfd){ .fd = vhost_queue_runs(&c->v.queues[i]) ? c->v.queues[i].kick : -1, .events = POLLIN };
	if (poll(p, ARRAY_LEN(p), -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, "waiting for the machine");
	for (unsigned i = 0; i < QUEUES; i++)
		if (p[2 + i].revents && !vhost_queue_kicked(&c->v.queues[i]))
			return err_set(e, ERR_CORRUPT, "the machine took its signal away");
	return p[0].revents ? take_message(c, e) : 0;
}

/* Moves what can be moved; 1: and perhaps there is more. */
static int move(struct vhost_console *c, struct err *e)
{
	int rc = listen_to(c, e), in = 0, out = 0;

	if (rc == 0)
		out = rc = move_out(c, e);
	if (rc >= 0)
		in = rc = move_in(c, e);
	if (rc >= 0)
		rc = tell(c, e);
	return rc < 0 ? rc : in || out;
}

/* Before it waits, every queue of which something is wanted is to kick. */
static int arm_all(struct vhost_console *c, struct err *e)
{
	struct vhost_queue *control = &c->v.queues[QUEUE_CONTROL_OUT];
	int rc = arm(c, QUEUE_OUT, &c->out, 1, e);

	if (rc == 0 && vhost_queue_runs(control))
		rc = vhost_queue_arm(control, &c->v.memory, 1, e);
	if (rc == 0 && c->tell && vhost_queue_runs(&c->v.queues[QUEUE_CONTROL_IN]))
		rc = vhost_queue_arm(&c->v.queues[QUEUE_CONTROL_IN], &c->v.memory, 1, e);
	if (rc == 0 && c->machine_open && !c->in_ended)
		rc = arm(c, QUEUE_IN, &c->in, MAX_OF(c->most_in / 2, 1u), e);
	return rc;
}

static int serve(struct vhost_console *c, struct err *e)
{
	int rc;

	if (!vhost_connected(&c->v))
		return 0;
	while (!c->stopping) {
		rc = move(c, e);
		if (rc == 0)
			rc = arm_all(c, e);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			rc = wait_for_something(c, e);
			if (rc)
				return rc < 0 ? rc : 0;
		} else {
			/* It is busy: messages are looked for all the same. */
			struct pollfd p = { .fd = c->v.fd, .events = POLLIN };

			if (poll(&p, 1, 0) > 0 && (rc = take_message(c, e)) != 0)
				return rc < 0 ? rc : 0;
		}
	}
	return 0;
}

/* The machine is gone; what it had written before goes out, as long as somebody reads. */
static int drain(struct vhost_console *c, struct err *e)
{
	while (!c->stopping && !c->out_ended) {
		struct pollfd p = { .fd = c->stream, .events = POLLOUT };
		int rc = move_out(c, e);

		if (rc < 0 || (rc == 0 && c->out.at == c->out.n))
			return rc;
		if (rc == 0 && poll(&p, 1, -1) < 0 && errno != EINTR)
			return 0;
	}
	return 0;
}

static void *console_main(void *arg)
{
	struct vhost_console *c = arg;
	struct err e = ERR_INIT;
	int rc = serve(c, &e);

	if (rc == 0)
		rc = drain(c, &e);
	if (rc < 0) {
		pthread_mutex_lock(&c->lock);
		(void)err_in(&e, rc, "console");
		c->err = e;
		c->failed = true;
		pthread_mutex_unlock(&c->lock);
	}
	c->ended = true;
	vhost_hang_up(&c->v);
	shutdown(c->stream, SHUT_RDWR);
	return NULL;
}

/* ---- life ---- */

static int start(struct vhost_console *c, struct err *e)
{
	sigset_t all, old;
	int why;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	why = pthread_create(&c->thread, NULL, console_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->running = why == 0;
	return why ? err_sys(e, why, "no thread can be started") : 0;
}

static void console_free(struct vhost_console *c)
{
	vhost_free(&c->v);
	close_fd(&c->stream);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int vhost_console_serve(int fd, int stream, const char *name, struct vhost_console **out, struct err *e)
{
	CLEANUP(close_fd) int own = fd, own_stream = stream;
	struct console_config config = { .cols = { { 0 } } };
	struct vhost_console *c;
	int rc;

	if (strlen(name) > NAME_MAX_LEN)
		return err_set(e, ERR_USAGE, "a port's name has at most %d bytes", NAME_MAX_LEN);
	c = alloc_zero(sizeof *c);
	if (!c)
		return err_nomem(e);
	pthread_mutex_init(&c->lock, NULL);
	c->stream = stream;
	memcpy(c->name, name, strlen(name));
	own = own_stream = -1;
	rc = vhost_init(&c->v, fd, QUEUES, 1ULL << CONSOLE_F_MULTIPORT, e);
	c->v.quiesce = quiesce;
	c->v.arg = c;
	le32_put(&config.max_ports, 1);
	memcpy(c->v.config, &config, sizeof config);
	c->v.config_len = sizeof config;
	if (rc == 0)
		rc = start(c, e);
	if (rc < 0) {
		console_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

bool vhost_console_ended(struct vhost_console *c)
{
	return c->ended;
}

int vhost_console_error(struct vhost_console *c, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (c->failed) {
		rc = -(int)c->err.code;
		if (e)
			*e = c->err;
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int vhost_console_stop(struct vhost_console *c, struct err *e)
{
	int rc;

	if (!c)
		return 0;
	c->stopping = true;
	vhost_hang_up(&c->v);
	shutdown(c->stream, SHUT_RDWR);
	if (c->running)
		pthread_join(c->thread, NULL);
	rc = vhost_console_error(c, e);
	console_free(c);
	return rc;
}
