/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client_fuzz.c - what an agent could answer.  The bytes are records: what is asked, how it is answered (ANSWER_* below), u16
 * length, and the answer's body; the harness gives it the right tag, as an agent that lies well does.  A client that is not
 * lost must have told nothing that cannot be.
 */
#include "client_internal.h"
#include "alloc.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	ANSWER_RAW = 1,	   /* the body is bytes of the stream, heads too */
	ANSWER_MORE = 2,
	ANSWER_FAILED = 4,
	ANSWER_TWICE = 8,  /* and again */
};

static int on_entry(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct client *c = arg;
	uint64_t node;

	if (!client_good_name(d->name))
		abort();
	/* Each question within a listing would need an answer of its own: only what is known. */
	return c->lost ? client_lookup(c, 1, d->name, &node, e) : 0;
}

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	unsigned char sum = 0;

	(void)arg, (void)e;
	for (size_t i = 0; i < len; i++)
		sum = (unsigned char)(sum + ((const unsigned char *)value)[i]);
	if (!name[0] || len > LIMIT_XATTR_SIZE)
		abort();
	return 0;
}

static int on_output(void *arg, int stream, const void *bytes, size_t len, struct err *e)
{
	(void)arg, (void)e;
	if (stream < 1 || stream > 2 || !bytes || !len)
		abort();
	return 0;
}

static int on_volume(void *arg, const struct client_volume *v, struct err *e)
{
	(void)arg, (void)e;
	if (v->device[0] != '/')
		abort();
	return 0;
}

static int ask(struct client *c, unsigned what, struct err *e)
{
	static const char *const argv[] = { "true", NULL };
	static char much[WINDOW_FROM];
	struct strbuf text = STRBUF_INIT;
	struct fs_stat st = { 0 };
	struct fs_usage usage;
	uint64_t node, len;
	uint32_t mount;
	char buf[64];
	bool hole;
	size_t got;
	int status, rc = 0;

	switch (what) {
	case PROTO_STAT:
		rc = client_stat(c, 1, &st, e);
		if (rc == 0 && (st.size > INT64_MAX || st.mtime.nsec >= 1000000000))
			abort();
		break;
	case PROTO_LOOKUP:
		rc = client_lookup(c, 1, "a", &node, e);
		break;
	case PROTO_READDIR:
		rc = client_readdir(c, 1, on_entry, c, e);
		break;
	case PROTO_PREAD:
		rc = client_pread(c, 1, buf, sizeof buf, 0, &got, e);
		if (rc == 0 && got > sizeof buf)
			abort();
		break;
	case PROTO_FETCH:
		rc = client_pread(c, 1, much, sizeof much, 0, &got, e);
		if (rc == 0 && got > sizeof much)
			abort();
		break;
	case PROTO_STORE:
		rc = client_pwrite(c, 1, much, sizeof much, 0, e);
		break;
	case PROTO_READLINK:
		rc = client_readlink(c, 1, &text, e);
		break;
	case PROTO_XATTRS:
		rc = client_xattrs(c, 1, on_xattr, NULL, e);
		break;
	case PROTO_EXTENT:
		rc = client_extent(c, 1, 5, &len, &hole, e);
		if (rc == 0 && len > INT64_MAX - 5)
			abort();
		break;
	case PROTO_PLACE:
		rc = client_place(c, 1, 0, &len, &node, e);
		break;
	case PROTO_MOUNT:
		rc = client_mount(c, &(struct client_mount){ .device = "serial:a" }, &mount, e);
		break;
	case PROTO_STATFS:
		rc = client_statfs(c, 1, &usage, e);
		break;
	case PROTO_FREEZE:
		rc = client_freeze(c, 1, &hole, e);
		break;
	case PROTO_DEVICE:
		rc = client_device(c, "serial:a", &text, e);
		break;
	case PROTO_RUN:
		rc = client_run(c, &(struct client_run){ .argv = argv, .output = on_output }, &status, e);
		break;
	case PROTO_PWRITE:
		rc = client_pwrite(c, 1, "a", 1, 0, e);
		break;
	case PROTO_CREATE:
		rc = client_create(c, 1, "a", 0600, 0, 0, &node, e);
		break;
	case PROTO_DISKS:
		rc = client_volumes(c, on_volume, NULL, e);
		break;
	default:
		rc = client_ping(c, e);
		break;
	}
	strbuf_free(&text);
	return rc;
}

/* The tag that the next question will have. */
static uint32_t tag_of(const struct client *c, unsigned what)
{
	const uint32_t next = (c->tags + 1) & TAG_COUNT, slots = TAG_AHEAD_SLOTS;

	switch (what) {
	case PROTO_PREAD:
	case PROTO_FETCH:
		return TAG_AHEAD | ((c->ahead[0].tag + slots) & (TAG_COUNT & ~(slots - 1)));
	case PROTO_PWRITE:
	case PROTO_STORE:
		return next | TAG_WRITE;
	default:
		return next;
	}
}

static void say(int fd, const void *bytes, size_t len)
{
	/* More than the socket holds is not said. */
	if (send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static uint8_t window[CLIENT_WINDOW];

static struct client *start(int *agent)
{
	uint8_t bytes[64];
	struct err e = ERR_INIT;
	struct proto_out o;
	struct client *c;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
	proto_begin(&o, bytes, sizeof bytes);
	proto_put_u64(&o, PROTO_MAGIC);
	proto_put_u32(&o, PROTO_VERSION);
	proto_put_str(&o, "6.1");
	proto_put_str(&o, "x");
	say(fds[1], bytes, proto_end(&o, 0, PROTO_HELLO, PROTO_ANSWER));
	if (client_new(fds[0], 1000, &c, &e) < 0)
		abort();
	*agent = fds[1];
	/* Opened already. */
	client_set_window(c, "serial:tools", 0, window);
	c->window.told = true;
	return c;
}

/* A new line to the same client: what was said on the old one, and its end, are gone. */
static void new_line(struct client *c, int *agent)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || dup2(fds[0], c->fd) < 0)
		abort();
	close(fds[0]);
	close(*agent);
	*agent = fds[1];
}

/* Says a record's answer; how many bytes it took. */
static size_t answer(struct client *c, int fd, const uint8_t *data, size_t len)
{
	uint8_t head[PROTO_HEAD];
	size_t n = MIN_OF((size_t)(data[2] | data[3] << 8), len - 4);
	unsigned how = data[1];
	const struct proto_head h = { .len = (uint32_t)n, .tag = tag_of(c, data[0]), .type = data[0],
		.flags = (uint16_t)(PROTO_ANSWER | (how & ANSWER_MORE ? PROTO_MORE : 0) |
				    (how & ANSWER_FAILED ? PROTO_FAILED : 0)) };

	proto_head_put(head, &h);
	for (unsigned i = 0; i < (how & ANSWER_TWICE ? 2u : 1u); i++) {
		if (!(how & ANSWER_RAW))
			say(fd, head, sizeof head);
		say(fd, data + 4, n);
	}
	return 4 + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int agent;
	struct client *c = start(&agent);

	/* One more question than there are answers: the first to a client that is lost, if it was told nonsense. */
	for (bool last = false; !last;) {
		struct err e = ERR_INIT;
		unsigned what = PROTO_PING;
		int rc;

		last = len < 4;
		new_line(c, &agent);
		if (!last) {
			size_t n;

			what = data[0];
			n = answer(c, agent, data, len);
			data += n;
			len -= n;
			last = len < 4;
		}
		/* Nothing more comes, so that nothing is waited for. */
		shutdown(agent, SHUT_WR);
		rc = ask(c, what, &e);
		/* A program may have ended well, and its agent after that. */
		if ((rc < 0 && !e.msg[0]) || (client_lost(c) && rc == 0 && what != PROTO_DISKS && what != PROTO_RUN))
			abort();
		last = last || client_lost(c);
	}
	client_free(c);
	close(agent);
	return 0;
}
