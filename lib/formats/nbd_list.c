/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd_list.h"

#include "nbd_proto.h"

#include "alloc.h"
#include "limits.h"
#include "tls.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>

/* So long may the server be silent. */
enum { PATIENCE_MS = 60 * 1000 };

struct talk {
	int fd;
	struct tls *tls; /* NULL: in the open */
	struct err *e;
};

/* A reply to an option; its bytes, and a NUL behind them. */
struct said {
	uint32_t type, len;
	uint8_t *bytes;
};

static void said_free(struct said *s)
{
	free(take(s->bytes));
}

static void listed_free(struct nbd_listed *x)
{
	for (size_t i = 0; i < x->ncontexts; i++)
		free(x->contexts[i]);
	free(x->contexts);
	free(x->name);
	free(x->description);
}

void nbd_listing_free(struct nbd_listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		listed_free(&l->items[i]);
	free(l->items);
	*l = (struct nbd_listing){ NULL, 0 };
}

/* ---- bytes ---- */

static int wait_for(const struct talk *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int n;

	do
		n = poll(&p, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : err_sys(t->e, n ? errno : ETIMEDOUT, "the server");
}

static int move_bytes(const struct talk *t, uint8_t *p, size_t len, bool out)
{
	while (len) {
		short want = 0;
		ssize_t n;
		int rc;

		if (t->tls) {
			n = out ? tls_send(t->tls, p, len, &want) : tls_recv(t->tls, p, len, &want);
		} else {
			n = out ? send(t->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(t->fd, p, len, MSG_DONTWAIT);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				want = out ? POLLOUT : POLLIN;
			else if (n < 0)
				return err_sys(t->e, errno, "the server");
		}
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		rc = want ? wait_for(t, want) : err_set(t->e, ERR_CORRUPT, "the server has hung up");
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int get(const struct talk *t, void *p, size_t len)
{
	return move_bytes(t, p, len, false);
}

static int ask(const struct talk *t, uint32_t option, const void *bytes, size_t len)
{
	CLEANUP(free_ptr) uint8_t *message = alloc_bytes(sizeof(struct nbd_option_header) + len);
	struct nbd_option_header h;

	if (!message)
		return err_nomem(t->e);
	be64_put(&h.magic, NBD_OPTION_MAGIC);
	be32_put(&h.option, option);
	be32_put(&h.len, (uint32_t)len);
	memcpy(message, &h, sizeof h);
	if (len)
		memcpy(message + sizeof h, bytes, len);
	return move_bytes(t, message, sizeof h + len, true);
}

static int answer(const struct talk *t, uint32_t option, struct said *out)
{
	struct nbd_option_reply_header h;
	int rc = get(t, &h, sizeof h);

	said_free(out);
	if (rc < 0)
		return rc;
	out->type = be32_get(h.type);
	out->len = be32_get(h.len);
	if (be64_get(h.magic) != NBD_REPLY_MAGIC || be32_get(h.option) != option)
		return err_set(t->e, ERR_CORRUPT, "the server's answer is none to the option %" PRIu32, option);
	if (out->len > LIMIT_NBD_OPTION)
		return err_set(t->e, ERR_LIMIT, "the server's answer has %" PRIu32 " bytes", out->len);
	out->bytes = alloc_bytes(out->len + 1);
	if (!out->bytes)
		return err_nomem(t->e);
	out->bytes[out->len] = 0;
	return get(t, out->bytes, out->len);
}

/* What the server refused, in its own words where it has some; they are quoted by who prints them. */
static int refused(const struct talk *t, const char *what, const struct said *s)
{
	if (s->type == NBD_REP_ERR_TLS_REQD)
		return err_set(t->e, ERR_POLICY, "the server serves those only who encrypt (TLS)");
	return err_set(t->e, ERR_UNSUPPORTED, "the server refuses %s (error %" PRIu32 ")", what,
		       s->type & ~(uint32_t)NBD_REP_ERROR);
}

static uint32_t u32_at(const uint8_t *p)
{
	be32 v;

	memcpy(&v, p, sizeof v);
	return be32_get(v);
}

static uint16_t u16_at(const uint8_t *p)
{
	be16 v;

	memcpy(&v, p, sizeof v);
	return be16_get(v);
}

/* ---- the handshake ---- */

static int greet(const struct talk *t)
{
	struct nbd_greeting g;
	be32 flags;
	int rc = get(t, &g, sizeof g);

	if (rc < 0)
		return rc;
	if (be64_get(g.magic) != NBD_MAGIC || be64_get(g.option_magic) != NBD_OPTION_MAGIC)
		return err_set(t->e, ERR_CORRUPT, "the server does not speak NBD, or its oldest version only");
	if (!(be16_get(g.flags) & NBD_FIXED_NEWSTYLE))
		return err_set(t->e, ERR_UNSUPPORTED, "the server cannot list its exports");
	be32_put(&flags, (uint32_t)(be16_get(g.flags) & (NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES)));
	return move_bytes(t, (uint8_t *)&flags, sizeof flags, true);
}

static int start_tls(struct talk *t, struct tls_creds *creds, const char *hostname)
{
	CLEANUP(said_free) struct said s = { .bytes = NULL };
	int rc = ask(t, NBD_OPT_STARTTLS, NULL, 0);
	struct tls *tls = NULL;
	short want = 0;

	if (rc == 0)
		rc = answer(t, NBD_OPT_STARTTLS, &s);
	if (rc == 0 && s.type != NBD_REP_ACK)
		rc = refused(t, "to encrypt", &s);
	if (rc == 0)
		rc = tls_new(creds, t->fd, hostname, &tls, t->e);
	while (rc == 0 && (rc = tls_handshake(tls, &want, t->e)) > 0)
		rc = wait_for(t, want);
	if (rc < 0)
		tls_free(tls);
	else
		t->tls = tls;
	return rc;
}

static int add_listed(const struct talk *t, const struct said *s, struct nbd_listing *out)
{
	struct nbd_listed *items, x = { .name = NULL };
	uint32_t len = s->len >= 4 ? u32_at(s->bytes) : UINT32_MAX;

	if (len > s->len - 4 || len > LIMIT_NBD_NAME || memchr(s->bytes + 4, 0, s->len - 4))
		return err_set(t->e, ERR_CORRUPT, "the server's list of exports is damaged");
	if (out->n == LIMIT_NBD_LIST)
		return err_set(t->e, ERR_LIMIT, "the server has more than %d exports", LIMIT_NBD_LIST);
	items = alloc_resize(out->items, out->n + 1, sizeof *items);
	if (items)
		out->items = items;
	x.name = alloc_strndup((const char *)s->bytes + 4, len);
	if (s->len > 4 + len)
		x.description = alloc_strdup((const char *)s->bytes + 4 + len);
	if (!items || !x.name || (s->len > 4 + len && !x.description)) {
		listed_free(&x);
		return err_nomem(t->e);
	}
	out->items[out->n++] = x;
	return 0;
}

static int list_names(const struct talk *t, struct nbd_listing *out)
{
	CLEANUP(said_free) struct said s = { .bytes = NULL };
	int rc = ask(t, NBD_OPT_LIST, NULL, 0);

	/* Ends: after LIMIT_NBD_LIST exports at the latest. */
	while (rc == 0 && (rc = answer(t, NBD_OPT_LIST, &s)) == 0 && s.type != NBD_REP_ACK)
		rc = s.type == NBD_REP_SERVER ? add_listed(t, &s, out) : refused(t, "to list its exports", &s);
	return rc;
}

static void keep_info(struct nbd_listed *x, const struct said *s)
{
	uint16_t what = s->len >= 2 ? u16_at(s->bytes) : UINT16_MAX;
	be64 size;

	if (what == NBD_INFO_EXPORT && s->len == sizeof(struct nbd_info_export)) {
		memcpy(&size, s->bytes + 2, sizeof size);
		x->size = be64_get(size);
		x->flags = u16_at(s->bytes + 10);
		x->known = true;
	} else if (what == NBD_INFO_BLOCK_SIZE && s->len == sizeof(struct nbd_info_block_size)) {
		x->min_block = u32_at(s->bytes + 2);
		x->opt_block = u32_at(s->bytes + 6);
		x->max_block = u32_at(s->bytes + 10);
	}
}

/* A name, and what follows it. */
static uint8_t *named(const char *name, const void *rest, size_t len, size_t *total)
{
	size_t n = strlen(name);
	uint8_t *out = alloc_bytes(4 + n + len);
	be32 l;

	be32_put(&l, (uint32_t)n);
	*total = 4 + n + len;
	if (out) {
		memcpy(out, &l, 4);
		memcpy(out + 4, name, n);
		memcpy(out + 4 + n, rest, len);
	}
	return out;
}

static int ask_facts(const struct talk *t, struct nbd_listed *x)
{
	static const uint8_t block_size[4] = { 0, 1, 0, NBD_INFO_BLOCK_SIZE };
	CLEANUP(said_free) struct said s = { .bytes = NULL };
	size_t len;
	CLEANUP(free_ptr) uint8_t *bytes = named(x->name, block_size, sizeof block_size, &len);
	unsigned answers = 0;
	int rc = bytes ? ask(t, NBD_OPT_INFO, bytes, len) : err_nomem(t->e);

	while (rc == 0 && (rc = answer(t, NBD_OPT_INFO, &s)) == 0 && s.type == NBD_REP_INFO) {
		if (++answers > LIMIT_NBD_LIST)
			return err_set(t->e, ERR_LIMIT, "the server does not end its answer");
		keep_info(x, &s);
	}
	/* What it will not tell is not known; the others are asked for all the same. */
	return rc;
}

static int ask_contexts(const struct talk *t, struct nbd_listed *x)
{
	static const uint8_t none[4];
	CLEANUP(said_free) struct said s = { .bytes = NULL };
	size_t len;
	CLEANUP(free_ptr) uint8_t *bytes = named(x->name, none, sizeof none, &len);
	int rc = bytes ? ask(t, NBD_OPT_LIST_META_CONTEXT, bytes, len) : err_nomem(t->e);

	while (rc == 0 && (rc = answer(t, NBD_OPT_LIST_META_CONTEXT, &s)) == 0 && s.type == NBD_REP_META_CONTEXT) {
		char **more;

		if (s.len < 4 || memchr(s.bytes + 4, 0, s.len - 4))
			return err_set(t->e, ERR_CORRUPT, "the server's list of contexts is damaged");
		if (x->ncontexts == LIMIT_NBD_LIST)
			return err_set(t->e, ERR_LIMIT, "the server has more than %d contexts", LIMIT_NBD_LIST);
		more = alloc_resize(x->contexts, x->ncontexts + 1, sizeof *more);
		if (more)
			x->contexts = more;
		if (!more || !(x->contexts[x->ncontexts] = alloc_strdup((const char *)s.bytes + 4)))
			return err_nomem(t->e);
		x->ncontexts++;
	}
	return rc;
}

static int ask_all(struct talk *t, struct nbd_listing *out)
{
	CLEANUP(said_free) struct said s = { .bytes = NULL };
	bool structured;
	int rc = list_names(t, out);

	if (rc == 0)
		rc = ask(t, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	if (rc == 0)
		rc = answer(t, NBD_OPT_STRUCTURED_REPLY, &s);
	structured = s.type == NBD_REP_ACK;
	for (size_t i = 0; rc == 0 && i < out->n; i++) {
		rc = ask_facts(t, &out->items[i]);
		if (rc == 0 && out->items[i].known && structured)
			rc = ask_contexts(t, &out->items[i]);
	}
	/* Whether it hears that we leave is its own affair. */
	if (rc == 0)
		(void)ask(t, NBD_OPT_ABORT, NULL, 0);
	return rc;
}

int nbd_list(int fd, struct tls_creds *tls, const char *hostname, struct nbd_listing *out, struct err *e)
{
	struct talk t = { .fd = fd, .e = e };
	int rc = greet(&t);

	*out = (struct nbd_listing){ NULL, 0 };
	if (rc == 0 && tls)
		rc = start_tls(&t, tls, hostname);
	if (rc == 0)
		rc = ask_all(&t, out);
	tls_free(t.tls);
	if (rc < 0)
		nbd_listing_free(out);
	return rc;
}
