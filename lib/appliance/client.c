/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - frames to and from the agent, and the judging of them. */
#include "client_internal.h"
#include "alloc.h"
#include "locked.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Mounting replays journals, syncing writes what was held back. */
#define SLOW_TIMES 4

uint64_t client_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int client_lose(struct client *c, struct err *e, const char *fmt, ...)
{
	char text[sizeof c->why.msg];
	CLEANUP(strbuf_free) struct strbuf b = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	memcpy(text, b.s, MIN_OF(b.len, sizeof text - 1));
	text[MIN_OF(b.len, sizeof text - 1)] = '\0';
	if (!c->lost) {
		c->lost = true;
		err_set(&c->why, ERR_SYSTEM, "%s", text);
		c->why.sys_errno = EIO;
		sessions_lost(c);
	}
	if (e)
		*e = c->why;
	return -(int)c->why.code;
}

int client_bad_answer(struct client *c, struct err *e)
{
	return client_lose(c, e, "the appliance's agent gave an answer that makes no sense");
}

/* ---- coming in ---- */

static int gone(struct client *c, struct err *e)
{
	return client_lose(c, e, "the appliance ended unexpectedly");
}

/* 1: bytes came, 0: none are there. */
static int receive(struct client *c, uint8_t *to, size_t len, size_t *have, struct err *e)
{
	struct iovec v = { .iov_base = to, .iov_len = len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return gone(c, e);
	*have += (size_t)n;
	return 1;
}

/* A head has come: where does the body go? */
static int judge_head(struct client *c, struct err *e)
{
	const struct client_ahead *s;

	proto_head_get(c->head_bytes, &c->head);
	if (c->head.len > LIMIT_PROTO_BODY)
		return client_lose(c, e, "the appliance's agent sent a frame of %u bytes", c->head.len);
	c->into = c->body;
	s = ahead_of_tag(c, c->head.tag);
	if (s) {
		if (c->head.type != (s->by_window ? PROTO_FETCH : PROTO_PREAD) || (!s->by_window && c->head.len > AHEAD_SIZE))
			return client_bad_answer(c, e);
		c->into = s->by_window ? c->body : s->bytes;
		return 0;
	}
	if (c->waits_for && c->head.tag == c->waits_for)
		return 0;
	if (session_of_tag(c, c->head.tag) || write_of_tag(c, c->head.tag) || c->head.tag == TAG_PING)
		return 0;
	return client_lose(c, e, "the appliance's agent answered what was not asked");
}

enum {
	TAKE_NOTHING, /* nothing is there */
	TAKE_SOME,
	TAKE_FRAME,  /* one of a read ahead, a write or a program is whole */
	TAKE_ANSWER, /* the frame that is waited for is whole */
};

/* A frame is whole. */
static int take_frame(struct client *c, struct err *e)
{
	struct proto_in in = { .at = c->body, .left = c->head.len };
	struct client_ahead *s = ahead_of_tag(c, c->head.tag);
	struct client_session *run = session_of_tag(c, c->head.tag);
	struct client_write *write = write_of_tag(c, c->head.tag);
	int rc = 0;

	c->head_have = c->body_have = 0;
	c->heard_ms = client_now_ms();
	if (s)
		rc = ahead_take(c, s, e);
	else if (run)
		rc = session_take(run, &c->head, &in, e);
	else if (write)
		rc = write_take(c, write, &in, e);
	else if (c->head.tag != TAG_PING)
		return TAKE_ANSWER;
	return rc < 0 ? rc : TAKE_FRAME;
}

/* One bit of a frame. */
static int take_bit(struct client *c, struct err *e)
{
	int rc;

	if (c->head_have < PROTO_HEAD) {
		rc = receive(c, c->head_bytes + c->head_have, PROTO_HEAD - c->head_have, &c->head_have, e);
		if (rc <= 0)
			return rc;
		if (c->head_have < PROTO_HEAD)
			return TAKE_SOME;
		rc = judge_head(c, e);
		if (rc < 0)
			return rc;
	}
	if (c->body_have < c->head.len) {
		rc = receive(c, c->into + c->body_have, c->head.len - c->body_have, &c->body_have, e);
		if (rc <= 0)
			return rc;
	}
	return c->body_have < c->head.len ? TAKE_SOME : take_frame(c, e);
}

int client_take(struct client *c, int wait_ms, struct err *e)
{
	bool waited = wait_ms == 0;

	if (c->lost)
		return client_lose(c, e, "lost");
	/* Ends: what was not asked for ends it, and what was asked for is bounded. */
	for (;;) {
		int rc = take_bit(c, e);

		if (rc < 0)
			return rc;
		if (rc == TAKE_ANSWER)
			return 1;
		/* Somebody may wait for just this frame. */
		waited = waited || rc == TAKE_FRAME;
		if (rc != TAKE_NOTHING)
			continue;
		if (waited)
			return 0;
		if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, wait_ms) < 0 && errno != EINTR)
			return client_lose(c, e, "waiting for the appliance failed");
		waited = true;
	}
}

/* ---- going out ---- */

struct proto_out *client_begin(struct client *c)
{
	proto_begin(&c->o, c->out, PROTO_HEAD + LIMIT_PROTO_BODY);
	return &c->o;
}

uint32_t client_new_tag(struct client *c)
{
	do
		c->tags = (c->tags + 1) & TAG_COUNT;
	while (c->tags == 0 || session_of_tag(c, c->tags));
	return c->tags;
}

static int too_late(struct client *c, unsigned ms, struct err *e)
{
	return client_lose(c, e, "the appliance did not answer within %u s", (ms + 999) / 1000);
}

int client_send(struct client *c, uint32_t tag, uint16_t type, struct err *e)
{
	size_t len = proto_end(&c->o, tag, type, 0), at = 0;
	uint64_t end = client_now_ms() + c->patience;

	if (c->lost)
		return client_lose(c, e, "lost");
	if (len == 0)
		return err_set(e, ERR_LIMIT, "more than %llu bytes in one question to the appliance", LIMIT_PROTO_BODY);
	while (at < len) {
		struct iovec v = { .iov_base = c->out + at, .iov_len = len - at };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
		ssize_t n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		uint64_t now;
		int rc;

		if (n >= 0) {
			at += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return gone(c, e);
		/* The agent may be waiting for us to read what it has said. */
		rc = client_take(c, 0, e);
		if (rc < 0)
			return rc;
		if (rc > 0) /* nothing that is waited for can come before it is asked */
			return client_bad_answer(c, e);
		now = client_now_ms();
		if (now >= end)
			return too_late(c, c->patience, e);
		if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN | POLLOUT }, 1, (int)(end - now)) < 0 && errno != EINTR)
			return client_lose(c, e, "waiting for the appliance failed");
	}
	return 0;
}

/* ---- questions ---- */

/* What a guest's kernel refuses is told with its own errno, and words that are the guest's too. */
int client_refused(struct client *c, struct proto_in *in, struct err *e)
{
	uint32_t errnum = proto_get_u32(in);
	char said[700];
	CLEANUP(strbuf_free) struct strbuf quoted = STRBUF_INIT;

	proto_get_str(in, said, sizeof said);
	if (!proto_done(in) || errnum == 0 || errnum > 4095)
		return client_bad_answer(c, e);
	text_quote(&quoted, said, strlen(said));
	if (errnum == ENOENT)
		return err_set(e, ERR_NOT_FOUND, "%s", quoted.len ? quoted.s : "no such file or folder");
	if (quoted.len)
		return err_sys(e, (int)errnum, "%s", quoted.s);
	err_set(e, ERR_SYSTEM, "%s", strerror((int)errnum));
	if (e)
		e->sys_errno = (int)errnum;
	return -ERR_SYSTEM;
}

int client_await(struct client *c, uint32_t tag, uint16_t type, unsigned ms, struct proto_in *answer, bool *more,
		 struct err *e)
{
	uint64_t end = client_now_ms() + ms, now;
	int rc = 0;

	c->waits_for = tag;
	while (rc == 0 && (now = client_now_ms()) < end)
		rc = client_take(c, (int)(end - now), e);
	c->waits_for = 0;
	if (rc < 0)
		return rc;
	if (rc == 0)
		return too_late(c, ms, e);
	*answer = (struct proto_in){ .at = c->body, .left = c->head.len };
	if (c->head.type != type || !(c->head.flags & PROTO_ANSWER))
		return client_bad_answer(c, e);
	if (more)
		*more = c->head.flags & PROTO_MORE;
	else if (c->head.flags & PROTO_MORE)
		return client_bad_answer(c, e);
	return c->head.flags & PROTO_FAILED ? client_refused(c, answer, e) : 0;
}

static int ask(struct client *c, uint16_t type, unsigned ms, struct proto_in *answer, struct err *e)
{
	uint32_t tag = client_new_tag(c);
	int rc = client_send(c, tag, type, e);

	return rc < 0 ? rc : client_await(c, tag, type, ms, answer, NULL, e);
}

int client_ask(struct client *c, uint16_t type, struct proto_in *answer, struct err *e)
{
	return ask(c, type, c->patience, answer, e);
}

int client_ask_slow(struct client *c, uint16_t type, struct proto_in *answer, struct err *e)
{
	return ask(c, type, c->patience * SLOW_TIMES, answer, e);
}

int client_tell(struct client *c, uint16_t type, struct err *e)
{
	struct proto_in in;
	int rc = client_ask_slow(c, type, &in, e);

	return rc < 0 ? rc : proto_done(&in) ? 0 : client_bad_answer(c, e);
}

/* ---- facts ---- */

static bool good_time(const struct proto_time *t)
{
	return t->nsec < 1000000000;
}

int client_get_stat(struct client *c, struct proto_in *in, struct proto_stat *st, struct err *e)
{
	proto_get_stat(in, st);
	if (in->bad || st->node == 0 || st->size > INT64_MAX || (st->mode & ~(uint32_t)S_IFMT) > 07777 || st->mode > UINT16_MAX)
		return client_bad_answer(c, e);
	if (!good_time(&st->atime) || !good_time(&st->mtime) || !good_time(&st->ctime) || !good_time(&st->crtime))
		return client_bad_answer(c, e);
	switch (st->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return client_bad_answer(c, e);
	}
}

static struct fs_time fs_time(const struct proto_time *t)
{
	return (struct fs_time){ .sec = t->sec, .nsec = t->nsec };
}

void client_fs_stat(const struct proto_stat *st, struct fs_stat *out)
{
	*out = (struct fs_stat){
		.ino = st->ino,
		.size = st->size,
		.blocks512 = st->blocks512,
		.subvol = st->subvol,
		.mode = st->mode,
		.nlink = st->nlink,
		.uid = st->uid,
		.gid = st->gid,
		.rdev_major = st->rdev_major,
		.rdev_minor = st->rdev_minor,
		.atime = fs_time(&st->atime),
		.mtime = fs_time(&st->mtime),
		.ctime = fs_time(&st->ctime),
		.crtime = fs_time(&st->crtime),
		.has_crtime = st->has_crtime,
	};
}

bool client_good_name(const char *name)
{
	return name[0] && !strchr(name, '/');
}

void client_changed(struct client *c)
{
	listings_forget(c);
	ahead_forget(c);
}

/* ---- beginning and end ---- */

static int receive_whole(struct client *c, uint8_t *to, size_t len, uint64_t end, unsigned ms, struct err *e)
{
	size_t have = 0;

	while (have < len) {
		int rc = receive(c, to + have, len - have, &have, e);
		uint64_t now = client_now_ms();

		if (rc < 0)
			return rc;
		if (rc > 0)
			continue;
		if (now >= end)
			return too_late(c, ms, e);
		if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, (int)(end - now)) < 0 && errno != EINTR)
			return client_lose(c, e, "waiting for the appliance failed");
	}
	return 0;
}

static int hello(struct client *c, unsigned ms, struct err *e)
{
	struct proto_in in;
	char machine[80];
	uint64_t magic, end = client_now_ms() + ms;
	uint32_t version;
	int rc;

	/* Tag 0 is no question's: this is the one frame that comes unasked. */
	rc = receive_whole(c, c->head_bytes, PROTO_HEAD, end, ms, e);
	if (rc < 0)
		return rc;
	proto_head_get(c->head_bytes, &c->head);
	if (c->head.tag != 0 || c->head.type != PROTO_HELLO || c->head.len > 4096)
		return client_lose(c, e, "what answers in the appliance is no agent of ours");
	rc = receive_whole(c, c->body, c->head.len, end, ms, e);
	if (rc < 0)
		return rc;
	in = (struct proto_in){ .at = c->body, .left = c->head.len };
	magic = proto_get_u64(&in);
	version = proto_get_u32(&in);
	if (in.bad || magic != PROTO_MAGIC)
		return client_lose(c, e, "what answers in the appliance is no agent of ours");
	if (version != PROTO_VERSION)
		return client_lose(c, e, "the appliance was built by another version of drydock: run \"drydock appliance build\"");
	proto_get_str(&in, c->kernel, sizeof c->kernel);
	proto_get_str(&in, machine, sizeof machine);
	if (!proto_done(&in) || text_utf8_valid(c->kernel, strlen(c->kernel)) != strlen(c->kernel))
		return client_bad_answer(c, e);
	for (char *p = c->kernel; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return 0;
}

int client_new(int fd, unsigned hello_ms, struct client **out, struct err *e)
{
	struct client *c = alloc_zero(sizeof *c);
	int rc;

	if (!c) {
		close(fd);
		return err_nomem(e);
	}
	c->fd = fd;
	c->patience = CLIENT_PATIENCE;
	c->body = alloc_bytes(LIMIT_PROTO_BODY);
	c->out = alloc_bytes(PROTO_HEAD + LIMIT_PROTO_BODY);
	for (size_t i = 0; i < CLIENT_LISTINGS; i++)
		c->listings[i].names = (struct strbuf)STRBUF_INIT;
	rc = c->body && c->out ? hello(c, hello_ms, e) : err_nomem(e);
	if (rc < 0) {
		client_free(c);
		return rc;
	}
	c->heard_ms = client_now_ms();
	*out = c;
	return 0;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	/* Programs that run are the caller's to end before; what is left of them is theirs to free. */
	sessions_lost(c);
	listings_forget(c);
	ahead_free(c);
	close(c->fd);
	free(c->body);
	free(c->out);
	free(c);
}

void client_freep(struct client **c)
{
	client_free(*c);
}

int client_fd(const struct client *c)
{
	return c->fd;
}

const char *client_kernel(const struct client *c)
{
	return c->kernel;
}

void client_set_patience(struct client *c, unsigned ms)
{
	c->patience = MAX_OF(MIN_OF(ms, 24u * 3600 * 1000 / SLOW_TIMES), 1u);
}

void client_set_progress(struct client *c, void (*fn)(void *arg, unsigned step, uint64_t done, uint64_t of), void *arg)
{
	c->progress = fn;
	c->progress_arg = arg;
}

bool client_lost(const struct client *c)
{
	return c->lost;
}

int client_sleep(struct client *c, struct err *e)
{
	client_begin(c);
	return client_tell(c, PROTO_SLEEP, e);
}

size_t client_wake_frame(uint8_t frame[CLIENT_WAKE_SIZE], unsigned ndisks)
{
	uint8_t seed[64];
	struct proto_out o;
	struct timespec now;

	if (!random_bytes(seed, sizeof seed))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	proto_begin(&o, frame, CLIENT_WAKE_SIZE);
	proto_put_u64(&o, (uint64_t)now.tv_sec);
	proto_put_u32(&o, (uint32_t)now.tv_nsec);
	proto_put_u16(&o, (uint16_t)ndisks);
	proto_put_u16(&o, sizeof seed);
	proto_put_bytes(&o, seed, sizeof seed);
	explicit_bzero(seed, sizeof seed);
	return proto_end(&o, 1, PROTO_WAKE, 0);
}

int client_ping(struct client *c, struct err *e)
{
	struct proto_in in;
	int rc;

	client_begin(c);
	rc = client_ask(c, PROTO_PING, &in, e);
	return rc < 0 ? rc : proto_done(&in) ? 0 : client_bad_answer(c, e);
}

int client_poweroff(struct client *c, struct err *e)
{
	uint8_t head[PROTO_HEAD];
	struct iovec v = { .iov_base = head, .iov_len = sizeof head };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int rc;

	client_changed(c);
	client_begin(c);
	rc = client_tell(c, PROTO_POWEROFF, e);
	if (rc < 0)
		return rc;
	/* The answer was heard.  Whether that is heard in turn does not matter: the machine waits a moment only. */
	proto_head_put(head, &(const struct proto_head){ .tag = client_new_tag(c), .type = PROTO_POWEROFF });
	return sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? 0 : rc;
}
