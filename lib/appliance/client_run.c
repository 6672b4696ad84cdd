/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client_run.c - programs in the appliance: their streams and limits.
 *
 * What a program says is held here until it is taken, and no more is sent than there is room for: the agent has credit, a
 * stream for itself.
 */
#include "client_internal.h"
#include "alloc.h"

#include <errno.h>
#include <poll.h>

/* Room for what one stream says. */
#define CREDIT_OUT (256u * 1024)
/* What a program can be given at most before it takes some, whatever the agent claims. */
#define CREDIT_IN_MAX (16u * 1024 * 1024)
/* How long an agent may be silent, in parts of the patience, before it is asked whether it is there. */
#define SILENCE_PARTS 3

struct client_session {
	struct client *c; /* NULL: it is gone */
	struct client_session *next;
	const struct client_run *how;
	uint32_t tag;
	struct strbuf said[2]; /* and not given to how->output yet */
	uint64_t credit[2];    /* that the agent has */
	uint64_t credit_in;    /* that we have */
	uint64_t asked_ms;     /* when it was asked whether it is there, 0: not */
	bool ended, input_ended;
	int status;
	uint8_t cut;
	struct err why; /* it could not be begun */
};

struct client_session *session_of_tag(struct client *c, uint32_t tag)
{
	for (struct client_session *s = c->sessions; s; s = s->next)
		if (s->tag == tag)
			return s;
	return NULL;
}

void sessions_lost(struct client *c)
{
	while (c->sessions) {
		struct client_session *s = c->sessions;

		c->sessions = s->next;
		s->next = NULL;
		s->c = NULL;
		if (!s->ended)
			s->why = c->lost ? c->why : (struct err){ .code = ERR_CANCELED, .msg = "the appliance was ended" };
		s->ended = true;
	}
}

/* No more frames of it can come. */
static void unlink_session(struct client_session *s)
{
	for (struct client_session **at = s->c ? &s->c->sessions : NULL; at && *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	s->next = NULL;
}

static int take_data(struct client_session *s, struct proto_in *in, struct err *e)
{
	unsigned stream = proto_get_u8(in);
	size_t len = in->left;
	const uint8_t *bytes = proto_get_bytes(in, len);

	if (in->bad || stream < 1 || stream > 2 || len == 0)
		return client_bad_answer(s->c, e);
	if (len > s->credit[stream - 1])
		return client_lose(s->c, e, "the appliance's agent sent more than it was let");
	s->credit[stream - 1] -= len;
	strbuf_add(&s->said[stream - 1], bytes, len);
	return s->said[stream - 1].failed ? client_lose(s->c, e, "out of memory for what the appliance says") : 0;
}

/* The agent keeps to ten a second; one that does not takes our time alone, while it is served. */
static int take_progress(struct client_session *s, struct proto_in *in, struct err *e)
{
	unsigned step = proto_get_u32(in);
	uint64_t done = proto_get_u64(in), of = proto_get_u64(in);

	if (!proto_done(in) || !s->how->progress || done > of)
		return client_bad_answer(s->c, e);
	s->how->progress(s->how->arg, step, done, of);
	return 0;
}

static int take_end(struct client_session *s, const struct proto_head *h, struct proto_in *in, struct err *e)
{
	struct client *c = s->c;

	if (h->flags & PROTO_MORE || !(h->flags & PROTO_ANSWER))
		return client_bad_answer(c, e);
	if (h->flags & PROTO_FAILED) {
		client_refused(c, in, &s->why);
		if (c->lost)
			return client_lose(c, e, "lost");
	} else {
		s->status = (int)proto_get_u32(in);
		s->cut = proto_get_u8(in);
		if (!proto_done(in) || s->status < 0 || s->status > 0xffff || s->cut > PROTO_CUT_CANCEL)
			return client_bad_answer(c, e);
	}
	s->ended = true;
	unlink_session(s);
	return 0;
}

int session_take(struct client_session *s, const struct proto_head *h, struct proto_in *in, struct err *e)
{
	uint32_t bytes;

	s->asked_ms = 0;
	switch (h->type) {
	case PROTO_RUN:
		return take_end(s, h, in, e);
	case PROTO_DATA:
		return take_data(s, in, e);
	case PROTO_CREDIT:
		if (proto_get_u8(in) != 0)
			break;
		bytes = proto_get_u32(in);
		if (!proto_done(in) || bytes > CREDIT_IN_MAX - s->credit_in)
			break;
		s->credit_in += bytes;
		return 0;
	case PROTO_PROGRESS:
		return take_progress(s, in, e);
	}
	return client_bad_answer(s->c, e);
}

static int gone(const struct client_session *s, struct err *e)
{
	if (e)
		*e = s->why;
	return -(int)s->why.code;
}

/* ---- beginning ---- */

static bool put_words(struct proto_out *o, const char *const *words)
{
	size_t n = 0;

	while (words[n])
		if (n == LIMIT_PROTO_WORDS || strlen(words[n++]) >= LIMIT_PROTO_WORD)
			return false;
	proto_put_u16(o, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		proto_put_str(o, words[i]);
	return true;
}

static int give_credit(struct client_session *s, unsigned stream, size_t bytes, struct err *e)
{
	struct proto_out *o = client_begin(s->c);

	proto_put_u8(o, (uint8_t)stream);
	proto_put_u32(o, (uint32_t)bytes);
	s->credit[stream - 1] += bytes;
	return client_send(s->c, s->tag, PROTO_CREDIT, e);
}

int client_session_start(struct client *c, const struct client_run *how, struct client_session **out, struct err *e)
{
	/* The last two: there is no udev in the appliance, and its tools would wait for it. */
	static const char *const usual_env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
						 "LANG=C.UTF-8", "TERM=linux", NULL },
		*const tools_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=linux",
				       "DM_DISABLE_UDEV=1", "MDADM_NO_UDEV=1", NULL };
	const char *const *env = how->env ? how->env : how->nbinds && !how->tools ? usual_env : tools_env;
	struct proto_out *o = client_begin(c);
	struct client_session *s;
	int rc;

	proto_put_u8(o, (how->terminal ? PROTO_RUN_TERMINAL : 0) | (how->network ? PROTO_RUN_NETWORK : 0) |
				(how->progress ? PROTO_RUN_PROGRESS : 0) | (how->tools ? PROTO_RUN_TOOLS : 0));
	proto_put_u16(o, how->rows);
	proto_put_u16(o, how->cols);
	proto_put_u64(o, how->max_ms ? how->max_ms : CLIENT_RUN_MS);
	proto_put_u64(o, how->max_output ? how->max_output : CLIENT_RUN_OUTPUT);
	if (!put_words(o, how->argv) || !put_words(o, env))
		return err_set(e, ERR_LIMIT, "a command of more than %d words, or a word of more than %llu bytes",
			       LIMIT_PROTO_WORDS, LIMIT_PROTO_WORD - 1);
	proto_put_u16(o, (uint16_t)how->nbinds);
	for (size_t i = 0; i < how->nbinds; i++) {
		proto_put_u32(o, how->binds[i].mount);
		proto_put_str(o, how->binds[i].path);
	}
	s = alloc_zero(sizeof *s);
	if (!s)
		return err_nomem(e);
	*s = (struct client_session){ .c = c, .how = how, .said = { STRBUF_INIT, STRBUF_INIT }, .tag = client_new_tag(c) };
	client_changed(c);
	/* Changing forgets reads ahead only, so that the question is still there to be sent. */
	rc = client_send(c, s->tag, PROTO_RUN, e);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->next = c->sessions;
	c->sessions = s;
	rc = give_credit(s, 1, CREDIT_OUT, e);
	if (rc == 0)
		rc = give_credit(s, 2, CREDIT_OUT, e);
	if (rc < 0) {
		client_session_end(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* ---- going on ---- */

/* Hands over what it has said, and lets it say as much more. */
static int hand_over(struct client_session *s, struct err *e)
{
	for (int i = 0; i < 2; i++) {
		struct strbuf *b = &s->said[i];
		size_t len = b->len;
		int rc = 0;

		if (len == 0)
			continue;
		if (s->how->output)
			rc = s->how->output(s->how->arg, i + 1, b->s, len, e);
		strbuf_reset(b);
		if (rc == 0 && s->c && !s->ended)
			rc = give_credit(s, (unsigned)i + 1, len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int how_it_ended(const struct client_session *s, int *status, struct err *e)
{
	uint64_t ms = s->how->max_ms ? s->how->max_ms : CLIENT_RUN_MS;
	uint64_t bytes = s->how->max_output ? s->how->max_output : CLIENT_RUN_OUTPUT;

	if (s->why.code != ERR_NONE)
		return gone(s, e);
	switch (s->cut) {
	case PROTO_CUT_TIME:
		return err_set(e, ERR_LIMIT, "the command did not end within %llu s, and was killed",
			       (unsigned long long)(ms / 1000 + (ms % 1000 != 0)));
	case PROTO_CUT_OUTPUT:
		return err_set(e, ERR_LIMIT, "the command said more than %llu bytes, and was killed", (unsigned long long)bytes);
	case PROTO_CUT_CANCEL:
		return err_set(e, ERR_CANCELED, "the command was stopped");
	}
	*status = s->status;
	return 1;
}

/* An agent that is there answers; while it serves a program, it is asked when it has been silent. */
static int ask_silent(struct client_session *s, struct err *e)
{
	struct client *c = s->c;
	uint64_t now = client_now_ms();

	if (c->heard_ms > s->asked_ms)
		s->asked_ms = 0;
	if (s->asked_ms && now - s->asked_ms > c->patience)
		return client_lose(c, e, "the appliance did not answer within %u s", (c->patience + 999) / 1000);
	if (s->asked_ms || now - c->heard_ms < c->patience / SILENCE_PARTS)
		return 0;
	s->asked_ms = now;
	client_begin(c);
	return client_send(c, TAG_PING, PROTO_PING, e);
}

int client_session_pump(struct client_session *s, int *status, struct err *e)
{
	int rc = 0;

	if (!s->ended) {
		rc = client_take(s->c, 0, e);
		if (rc > 0)
			rc = client_bad_answer(s->c, e);
	}
	if (rc == 0 || s->ended)
		rc = hand_over(s, e);
	if (rc < 0)
		return rc;
	if (s->ended)
		return how_it_ended(s, status, e);
	return ask_silent(s, e);
}

int client_session_input(struct client_session *s, const void *buf, size_t len, size_t *taken, struct err *e)
{
	struct proto_out *o;
	int rc;

	*taken = 0;
	if (s->ended || s->input_ended) {
		*taken = len;
		return 0;
	}
	len = MIN_OF(len, MIN_OF(s->credit_in, (uint64_t)AHEAD_SIZE));
	if (len == 0)
		return 0;
	o = client_begin(s->c);
	proto_put_u8(o, 0);
	proto_put_bytes(o, buf, len);
	rc = client_send(s->c, s->tag, PROTO_DATA, e);
	if (rc < 0)
		return rc;
	s->credit_in -= len;
	*taken = len;
	return 0;
}

int client_session_input_end(struct client_session *s, struct err *e)
{
	if (s->ended || s->input_ended)
		return 0;
	s->input_ended = true;
	proto_put_u8(client_begin(s->c), 0);
	return client_send(s->c, s->tag, PROTO_DATA, e);
}

int client_session_resize(struct client_session *s, uint16_t rows, uint16_t cols, struct err *e)
{
	struct proto_out *o;

	if (s->ended)
		return 0;
	o = client_begin(s->c);
	proto_put_u16(o, rows);
	proto_put_u16(o, cols);
	return client_send(s->c, s->tag, PROTO_RESIZE, e);
}

int client_session_signal(struct client_session *s, int signum, struct err *e)
{
	if (s->ended)
		return 0;
	proto_put_u32(client_begin(s->c), (uint32_t)signum);
	return client_send(s->c, s->tag, PROTO_SIGNAL, e);
}

static int cancel(struct client_session *s, struct err *e)
{
	client_begin(s->c);
	return client_send(s->c, s->tag, PROTO_CANCEL, e);
}

void client_session_end(struct client_session *s)
{
	struct err why = ERR_INIT;

	if (!s)
		return;
	if (!s->ended && cancel(s, &why) == 0) {
		uint64_t end = client_now_ms() + s->c->patience;

		while (!s->ended) {
			uint64_t now = client_now_ms();

			/* What it still says is forgotten; there is no credit for more. */
			if (now >= end)
				client_lose(s->c, &why, "the appliance did not answer within %u s", (s->c->patience + 999) / 1000);
			else if (client_take(s->c, (int)(end - now), &why) > 0)
				client_bad_answer(s->c, &why);
		}
	}
	if (s->c) {
		if (!s->c->lost)
			client_changed(s->c);
		unlink_session(s);
	}
	strbuf_free(&s->said[0]);
	strbuf_free(&s->said[1]);
	free(s);
}

/* ---- to its end ---- */

struct feed {
	uint8_t bytes[32 * 1024];
	size_t at, len;
	bool ended;
};

/* Gives it of its input what it takes. */
static int feed(struct client_session *s, struct feed *f, struct err *e)
{
	/* Ends: with the input, or when there is no credit. */
	while (!f->ended && !s->ended) {
		size_t taken;
		int rc;

		if (f->at == f->len) {
			f->at = f->len = 0;
			if (s->credit_in == 0)
				return 0;
			rc = s->how->input ? s->how->input(s->how->arg, f->bytes, sizeof f->bytes, &f->len, e) : 0;
			if (rc < 0)
				return rc;
			if (f->len == 0) {
				f->ended = true;
				return client_session_input_end(s, e);
			}
		}
		rc = client_session_input(s, f->bytes + f->at, f->len - f->at, &taken, e);
		if (rc < 0 || taken == 0)
			return rc;
		f->at += taken;
	}
	return 0;
}

int client_run(struct client *c, const struct client_run *how, int *status, struct err *e)
{
	CLEANUP(free_ptr) struct feed *f = alloc_zero(sizeof *f);
	struct client_session *s;
	int rc = f ? client_session_start(c, how, &s, e) : err_nomem(e);

	if (rc < 0)
		return rc;
	/* Ends: the agent ends the program in time, and is asked when it is silent. */
	while (rc == 0) {
		rc = feed(s, f, e);
		if (rc == 0)
			rc = client_session_pump(s, status, e);
		if (rc == 0 && how->stop && how->stop(how->arg))
			rc = err_set(e, ERR_CANCELED, "the command was stopped");
		if (rc == 0 && poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, 100) < 0 && errno != EINTR)
			rc = err_sys(e, errno, "waiting for the appliance");
	}
	client_session_end(s);
	/* It may have been a key. */
	explicit_bzero(f, sizeof *f);
	return rc < 0 ? rc : 0;
}
