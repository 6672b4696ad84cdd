/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* channel.c - frames to the client. */
#include "agent.h"
#include "alloc.h"
#include "limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/utsname.h>

/* What the driver of a port takes at a time, and what it gives: a vector of so much is one system call. */
#define PORT_WRITE (32 * 1024)
#define PORT_READ 4096
#define PORT_VECS 64

int agent_say(struct agent *a, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->said, sizeof a->said, fmt, ap);
	va_end(ap);
	return errnum;
}

struct proto_out *agent_begin(struct agent *a)
{
	proto_begin(&a->o, a->answer, PROTO_HEAD + LIMIT_PROTO_BODY);
	return &a->o;
}

/* len bytes, or what comes first of them, in pieces of `piece`. */
static int vectors(struct iovec v[PORT_VECS], uint8_t *at, size_t len, size_t piece)
{
	int n = 0;

	for (; len && n < PORT_VECS; n++) {
		v[n] = (struct iovec){ .iov_base = at, .iov_len = MIN_OF(len, piece) };
		at += v[n].iov_len;
		len -= v[n].iov_len;
	}
	return n;
}

ssize_t agent_read(struct agent *a, uint8_t *to, size_t len)
{
	struct iovec v[PORT_VECS];

	return readv(a->in, v, vectors(v, to, len, PORT_READ));
}

static bool write_all(struct agent *a, uint8_t *at, size_t len)
{
	while (len) {
		struct iovec v[PORT_VECS];
		ssize_t n = writev(a->out, v, vectors(v, at, len, PORT_WRITE));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

void agent_send(struct agent *a, uint32_t tag, uint16_t type, uint16_t flags)
{
	size_t len = proto_end(&a->o, tag, type, flags);

	/* A client that cannot be written to is gone. */
	if (len == 0 || !write_all(a, a->answer, len))
		a->ending = true;
}

void agent_answer(struct agent *a, const struct question *q)
{
	agent_send(a, q->tag, q->type, PROTO_ANSWER);
}

void agent_more(struct agent *a, const struct question *q)
{
	agent_send(a, q->tag, q->type, PROTO_ANSWER | PROTO_MORE);
}

void agent_fail(struct agent *a, const struct question *q, int errnum)
{
	struct proto_out *o = agent_begin(a);

	proto_put_u32(o, (uint32_t)errnum);
	proto_put_str(o, a->said);
	agent_send(a, q->tag, q->type, PROTO_ANSWER | PROTO_FAILED);
}

int agent_hello(struct agent *a)
{
	struct proto_out *o = agent_begin(a);
	struct utsname u;

	if (uname(&u) < 0)
		return errno;
	proto_put_u64(o, PROTO_MAGIC);
	proto_put_u32(o, PROTO_VERSION);
	proto_put_str(o, u.release);
	proto_put_str(o, u.machine);
	agent_send(a, 0, PROTO_HELLO, PROTO_ANSWER);
	return a->ending ? EPIPE : 0;
}
