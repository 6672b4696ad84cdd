/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client_ahead.c - the bytes of files: asked for in advance while they are read one after the other.
 *
 * A read is cut into pieces that are under way together; when a read goes on where the last one ended, more pieces are asked for
 * than it needs, twice as many each time.  Small pieces come over the socket, others by the window, where there is one.
 */
#include "client_internal.h"
#include "alloc.h"

struct client_ahead *ahead_of_tag(struct client *c, uint32_t tag)
{
	struct client_ahead *s = &c->ahead[tag % TAG_AHEAD_SLOTS];

	_Static_assert(TAG_AHEAD_SLOTS + CLIENT_WRITES == LIMIT_PROTO_SLOTS, "each has a slot of the window");
	if (!(tag & TAG_AHEAD) || s->tag != tag || (s->state != AHEAD_ASKED && s->state != AHEAD_DROPPED))
		return NULL;
	return s;
}

int ahead_take(struct client *c, struct client_ahead *s, struct err *e)
{
	const uint16_t flags = c->head.flags;
	bool dropped = s->state == AHEAD_DROPPED;
	struct proto_in in = { .at = s->by_window ? c->body : s->bytes, .left = c->head.len };

	if (!(flags & PROTO_ANSWER) || flags & PROTO_MORE)
		return client_bad_answer(c, e);
	err_clear(&s->why);
	s->got = 0;
	s->state = dropped ? AHEAD_FREE : AHEAD_HERE;
	if (flags & PROTO_FAILED) {
		client_refused(c, &in, &s->why);
		return c->lost ? client_bad_answer(c, e) : 0;
	}
	s->got = s->by_window ? proto_get_u32(&in) : c->head.len;
	if (s->got > s->len || (s->by_window && !proto_done(&in)))
		return client_bad_answer(c, e);
	return 0;
}

void ahead_forget(struct client *c)
{
	for (size_t i = 0; i < TAG_AHEAD_SLOTS; i++) {
		struct client_ahead *s = &c->ahead[i];

		if (s->state == AHEAD_ASKED)
			s->state = AHEAD_DROPPED;
		else if (s->state == AHEAD_HERE)
			s->state = AHEAD_FREE;
	}
	c->ahead_node = 0;
	c->ahead_window = 0;
}

void ahead_free(struct client *c)
{
	for (size_t i = 0; i < TAG_AHEAD_SLOTS; i++)
		free(c->ahead[i].bytes);
}

/* The piece that has the byte at off, asked for or here. */
static struct client_ahead *find_piece(struct client *c, uint64_t node, uint64_t off)
{
	for (size_t i = 0; i < TAG_AHEAD_SLOTS; i++) {
		struct client_ahead *s = &c->ahead[i];

		if (s->state != AHEAD_ASKED && s->state != AHEAD_HERE)
			continue;
		if (s->node == node && off >= s->off && off - s->off < s->len)
			return s;
	}
	return NULL;
}

/* How it comes. */
static int prepare_piece(struct client *c, struct client_ahead *s, uint32_t len, struct err *e)
{
	int rc = len >= WINDOW_FROM ? window_ready(c, e) : 0;

	if (rc < 0)
		return rc;
	s->by_window = rc;
	if (!s->by_window && !s->bytes && !(s->bytes = alloc_bytes(AHEAD_SIZE)))
		return err_nomem(e);
	s->len = MIN_OF(len, s->by_window ? (uint32_t)LIMIT_PROTO_SLOT : AHEAD_SIZE);
	return 0;
}

/* Asks for a piece where there is a free place, or the beginning of it: 1, *len bytes are under way. */
static int ask_piece(struct client *c, uint64_t node, uint64_t off, uint32_t *len, struct err *e)
{
	struct client_ahead *s = NULL;
	struct proto_out *o;
	int rc;

	for (size_t i = 0; i < TAG_AHEAD_SLOTS && !s; i++)
		if (c->ahead[i].state == AHEAD_FREE)
			s = &c->ahead[i];
	if (!s)
		return 0;
	rc = prepare_piece(c, s, *len, e);
	if (rc < 0)
		return rc;
	o = client_begin(c);
	proto_put_u64(o, node);
	proto_put_u64(o, off);
	proto_put_u32(o, s->len);
	if (s->by_window)
		proto_put_u16(o, (uint16_t)(s - c->ahead));
	s->tag = TAG_AHEAD | ((s->tag + TAG_AHEAD_SLOTS) & (TAG_COUNT & ~(TAG_AHEAD_SLOTS - 1))) | (uint32_t)(s - c->ahead);
	s->node = node;
	s->off = off;
	rc = client_send(c, s->tag, s->by_window ? PROTO_FETCH : PROTO_PREAD, e);
	if (rc < 0)
		return rc;
	s->state = AHEAD_ASKED;
	*len = s->len;
	return 1;
}

static int await_piece(struct client *c, const struct client_ahead *s, struct err *e)
{
	uint64_t end = client_now_ms() + c->patience;

	while (s->state == AHEAD_ASKED) {
		uint64_t now = client_now_ms();
		int rc;

		if (now >= end)
			return client_lose(c, e, "the appliance did not answer within %u s", (c->patience + 999) / 1000);
		rc = client_take(c, (int)(end - now), e);
		if (rc)
			return rc < 0 ? rc : client_bad_answer(c, e);
	}
	return 0;
}

/* Has pieces under way from off to end, and `window` more behind it. */
static int ask_pieces(struct client *c, uint64_t node, uint64_t off, uint64_t end, struct err *e)
{
	unsigned behind = 0;

	/* Ends: each turn goes on by a piece, and there are TAG_AHEAD_SLOTS of them. */
	for (;;) {
		const struct client_ahead *s = find_piece(c, node, off);
		uint64_t want = LIMIT_PROTO_SLOT;
		uint32_t len;
		int rc;

		if (off >= end && behind++ >= c->ahead_window)
			return 0;
		if (s) {
			/* Where the file has ended nothing comes behind it. */
			if (s->state == AHEAD_HERE && s->got < s->len)
				return 0;
			off = s->off + s->len;
			continue;
		}
		/* One read that is not followed by another takes what it needs, no more. */
		if (off < end && c->ahead_window == 0)
			want = MIN_OF(want, end - off);
		if (off > INT64_MAX - want)
			return 0;
		len = (uint32_t)want;
		rc = ask_piece(c, node, off, &len, e);
		if (rc <= 0)
			return rc;
		off += len;
	}
}

int client_pread(struct client *c, uint64_t node, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	*got = 0;
	if (c->lost)
		return client_lose(c, e, "lost");
	if (off > INT64_MAX || len > INT64_MAX - off)
		return err_set(e, ERR_USAGE, "a read past the end of all files");
	if (node == c->ahead_node && off == c->ahead_next)
		c->ahead_window = MIN_OF(c->ahead_window ? c->ahead_window * 2 : 1, TAG_AHEAD_SLOTS - 2);
	else
		ahead_forget(c);
	c->ahead_node = node;
	/* Ends: each turn takes a part of what is wanted, or sees the end of the file. */
	while (*got < len) {
		uint64_t at = off + *got, from;
		struct client_ahead *s;
		size_t n;
		int rc = ask_pieces(c, node, at, off + len, e);

		if (rc < 0)
			return rc;
		s = find_piece(c, node, at);
		if (!s) {
			/* All places are taken by what was dropped and has not come yet. */
			rc = client_ping(c, e);
			if (rc < 0)
				return rc;
			continue;
		}
		rc = await_piece(c, s, e);
		if (rc < 0)
			return rc;
		if (s->why.code != ERR_NONE) {
			if (e)
				*e = s->why;
			rc = -(int)s->why.code;
			ahead_forget(c);
			return rc;
		}
		from = at - s->off;
		if (from >= s->got)
			break;
		n = MIN_OF(len - *got, s->got - from);
		memcpy((uint8_t *)buf + *got, (s->by_window ? window_slot(c, (size_t)(s - c->ahead)) : s->bytes) + from, n);
		*got += n;
		if (from + n == s->len)
			s->state = AHEAD_FREE;
		else if (from + n == s->got)
			break;
	}
	c->ahead_next = off + *got;
	return 0;
}
