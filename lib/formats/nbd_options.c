/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd_options.c - the handshake of NBD, server's side: options until the client has chosen an export.
 *
 * An option is {magic, number, length} and that many bytes, which are judged to be exactly what the option has.  Each is
 * answered; only EXPORT_NAME, the oldest, knows no way to say no.
 */
#include "nbd_internal.h"

#include "alloc.h"

#include <string.h>

/* What is left of an option's bytes. */
struct words {
	const uint8_t *p;
	size_t len;
};

static bool take_u16(struct words *w, uint32_t *out)
{
	be16 v;

	if (w->len < sizeof v)
		return false;
	memcpy(&v, w->p, sizeof v);
	w->p += sizeof v;
	w->len -= sizeof v;
	*out = be16_get(v);
	return true;
}

static bool take_u32(struct words *w, uint32_t *out)
{
	be32 v;

	if (w->len < sizeof v)
		return false;
	memcpy(&v, w->p, sizeof v);
	w->p += sizeof v;
	w->len -= sizeof v;
	*out = be32_get(v);
	return true;
}

/* A length and so many bytes, none of which is NUL. */
static bool take_text(struct words *w, struct words *out)
{
	uint32_t len;

	if (!take_u32(w, &len) || len > w->len || len > LIMIT_NBD_NAME || memchr(w->p, 0, len))
		return false;
	*out = (struct words){ w->p, len };
	w->p += len;
	w->len -= len;
	return true;
}

/* How large it is: a raw disk may have grown since the last one asked. */
static uint64_t size_now(const struct nbd_own_export *x)
{
	block_grow(x->block);
	return block_size(x->block);
}

static const struct nbd_own_export *find(const struct nbd_server *s, const struct words *name)
{
	for (size_t i = 0; i < s->nexports; i++)
		if (strlen(s->exports[i].name) == name->len && memcmp(s->exports[i].name, name->p, name->len) == 0)
			return &s->exports[i];
	return NULL;
}

/* ---- replies ---- */

static int reply_with(struct nbd_client *c, uint32_t option, uint32_t type, const void *a, size_t alen, const void *b,
		      size_t blen, const void *d, size_t dlen)
{
	struct nbd_option_reply_header h;
	struct iovec iov[4] = { { &h, sizeof h },
				{ (void *)(uintptr_t)a, alen },
				{ (void *)(uintptr_t)b, blen },
				{ (void *)(uintptr_t)d, dlen } };

	be64_put(&h.magic, NBD_REPLY_MAGIC);
	be32_put(&h.option, option);
	be32_put(&h.type, type);
	be32_put(&h.len, (uint32_t)(alen + blen + dlen));
	return nbd_send(c, iov, 4);
}

static int reply(struct nbd_client *c, uint32_t option, uint32_t type)
{
	return reply_with(c, option, type, NULL, 0, NULL, 0, NULL, 0);
}

static int refuse(struct nbd_client *c, uint32_t option, uint32_t type, const char *why)
{
	return reply_with(c, option, type, why, strlen(why), NULL, 0, NULL, 0);
}

static int invalid(struct nbd_client *c, uint32_t option)
{
	return refuse(c, option, NBD_REP_ERR_INVALID, "the bytes of the option are not what it has");
}

/* ---- options ---- */

static int list(struct nbd_client *c, const struct words *w)
{
	const struct nbd_server *s = c->server;
	int rc = 0;

	if (w->len)
		return invalid(c, NBD_OPT_LIST);
	for (size_t i = 0; rc == 0 && i < s->nexports; i++) {
		const struct nbd_own_export *x = &s->exports[i];
		be32 len;

		be32_put(&len, (uint32_t)strlen(x->name));
		rc = reply_with(c, NBD_OPT_LIST, NBD_REP_SERVER, &len, sizeof len, x->name, strlen(x->name), x->description,
				strlen(x->description));
	}
	return rc ? rc : reply(c, NBD_OPT_LIST, NBD_REP_ACK);
}

static int say_text(struct nbd_client *c, uint32_t option, enum nbd_info info, const char *text)
{
	be16 type;

	be16_put(&type, (uint16_t)info);
	return reply_with(c, option, NBD_REP_INFO, &type, sizeof type, text, strlen(text), NULL, 0);
}

static int say_block_size(struct nbd_client *c, uint32_t option)
{
	struct nbd_info_block_size b;

	be16_put(&b.type, NBD_INFO_BLOCK_SIZE);
	be32_put(&b.min, 1);
	be32_put(&b.preferred, 4096);
	be32_put(&b.max, LIMIT_NBD_PAYLOAD);
	return reply_with(c, option, NBD_REP_INFO, &b, sizeof b, NULL, 0, NULL, 0);
}

/* INFO and GO.  1: the export was chosen. */
static int info(struct nbd_client *c, uint32_t option, struct words w)
{
	const struct nbd_own_export *x;
	struct nbd_info_export facts;
	struct words name;
	uint32_t n, what;
	int rc;

	if (!take_text(&w, &name) || !take_u16(&w, &n) || w.len != 2 * (size_t)n)
		return invalid(c, option);
	x = find(c->server, &name);
	if (!x)
		return refuse(c, option, NBD_REP_ERR_UNKNOWN, "there is no export of this name");
	be16_put(&facts.type, NBD_INFO_EXPORT);
	be64_put(&facts.size, size_now(x));
	be16_put(&facts.flags, nbd_export_flags(c, x));
	rc = reply_with(c, option, NBD_REP_INFO, &facts, sizeof facts, NULL, 0, NULL, 0);
	/* At most as many as the option has bytes; what is not known may be left out. */
	while (rc == 0 && take_u16(&w, &what)) {
		if (what == NBD_INFO_NAME)
			rc = say_text(c, option, NBD_INFO_NAME, x->name);
		else if (what == NBD_INFO_DESCRIPTION && *x->description)
			rc = say_text(c, option, NBD_INFO_DESCRIPTION, x->description);
		else if (what == NBD_INFO_BLOCK_SIZE)
			rc = say_block_size(c, option);
	}
	if (rc == 0)
		rc = reply(c, option, NBD_REP_ACK);
	if (rc || option == NBD_OPT_INFO)
		return rc;
	c->export = x;
	return 1;
}

static int export_name(struct nbd_client *c, const struct words *w)
{
	static const uint8_t zeroes[124];
	struct {
		be64 size;
		be16 flags;
	} facts;
	struct iovec iov[2] = { { &facts, sizeof facts }, { (void *)(uintptr_t)zeroes, c->no_zeroes ? 0 : sizeof zeroes } };
	const struct nbd_own_export *x = find(c->server, w);

	if (!x)
		return -1;
	be64_put(&facts.size, size_now(x));
	be16_put(&facts.flags, nbd_export_flags(c, x));
	c->export = x;
	return nbd_send(c, iov, 2) ? -1 : 1;
}

static bool equals(const struct words *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->p, text, w->len) == 0;
}

/*
 * Does a query ask for that context?  SET names it whole; LIST may name what its name begins with, up to a colon: "base:",
 * "qemu:", "qemu:dirty-bitmap:".
 */
static bool asks_for(uint32_t option, const struct words *query, const char *name)
{
	if (equals(query, name))
		return true;
	return option == NBD_OPT_LIST_META_CONTEXT && query->len && query->len < strlen(name) &&
	       query->p[query->len - 1] == ':' && memcmp(query->p, name, query->len) == 0;
}

/* Which contexts of the export are asked for, a bit each. */
static uint64_t asked_contexts(uint32_t option, const struct words *query, const struct nbd_own_export *x)
{
	uint64_t bits = 0;

	for (size_t i = 0; x && i < x->ncontexts; i++)
		if (!query || asks_for(option, query, x->contexts[i].name))
			bits |= 1ULL << i;
	return bits;
}

static int say_context(struct nbd_client *c, uint32_t option, uint32_t number, const char *name)
{
	be32 id;

	be32_put(&id, option == NBD_OPT_SET_META_CONTEXT ? number : 0);
	return reply_with(c, option, NBD_REP_META_CONTEXT, &id, sizeof id, name, strlen(name), NULL, 0);
}

/* LIST and SET. */
static int meta_context(struct nbd_client *c, uint32_t option, struct words w)
{
	const struct nbd_own_export *x;
	struct words name, query;
	uint64_t asked = 0;
	uint32_t n;

	if (c->style == NBD_SIMPLE)
		return refuse(c, option, NBD_REP_ERR_INVALID, "structured replies come first");
	if (!take_text(&w, &name) || !take_u32(&w, &n))
		return invalid(c, option);
	x = find(c->server, &name);
	if (option == NBD_OPT_SET_META_CONTEXT)
		c->status_of = NULL;
	if (option == NBD_OPT_LIST_META_CONTEXT && n == 0)
		asked = asked_contexts(option, NULL, x);
	/* Ends: each query takes at least 4 of the bytes. */
	for (uint32_t i = 0; i < n; i++) {
		if (!take_text(&w, &query))
			return invalid(c, option);
		asked |= asked_contexts(option, &query, x);
	}
	if (w.len)
		return invalid(c, option);
	if (!x)
		return refuse(c, option, NBD_REP_ERR_UNKNOWN, "there is no export of this name");
	for (size_t i = 0; i < x->ncontexts; i++)
		if ((asked >> i & 1) && say_context(c, option, (uint32_t)i, x->contexts[i].name))
			return -1;
	if (asked && option == NBD_OPT_SET_META_CONTEXT) {
		c->status_of = x;
		c->contexts = asked;
	}
	return reply(c, option, NBD_REP_ACK);
}

static int choose_style(struct nbd_client *c, uint32_t option, const struct words *w)
{
	enum nbd_style style = option == NBD_OPT_EXTENDED_HEADERS ? NBD_EXTENDED : NBD_STRUCTURED;

	if (w->len)
		return invalid(c, option);
	if (c->style == NBD_EXTENDED && style == NBD_STRUCTURED)
		return refuse(c, option, NBD_REP_ERR_EXT_HEADER_REQD, "extended headers were chosen");
	if (c->style == style)
		return refuse(c, option, NBD_REP_ERR_INVALID, "it was chosen already");
	c->style = style;
	return reply(c, option, NBD_REP_ACK);
}

static int start_tls(struct nbd_client *c, const struct words *w)
{
	if (w->len || c->tls)
		return invalid(c, NBD_OPT_STARTTLS);
	if (!c->server->tls)
		return refuse(c, NBD_OPT_STARTTLS, NBD_REP_ERR_POLICY, "this server does not encrypt");
	if (reply(c, NBD_OPT_STARTTLS, NBD_REP_ACK) || nbd_start_tls(c))
		return -1;
	/* What was said in the open does not count. */
	c->style = NBD_SIMPLE;
	return 0;
}

/* 1: an export was chosen; -1: the end. */
static int obey(struct nbd_client *c, uint32_t option, struct words w)
{
	if (c->server->tls && !c->tls && option != NBD_OPT_STARTTLS && option != NBD_OPT_ABORT)
		return option == NBD_OPT_EXPORT_NAME
			       ? -1
			       : refuse(c, option, NBD_REP_ERR_TLS_REQD, "this server serves those only who encrypt (STARTTLS)");
	switch (option) {
	case NBD_OPT_STARTTLS:
		return start_tls(c, &w);
	case NBD_OPT_EXPORT_NAME:
		return export_name(c, &w);
	case NBD_OPT_ABORT:
		(void)reply(c, option, NBD_REP_ACK);
		return -1;
	case NBD_OPT_LIST:
		return list(c, &w);
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		return info(c, option, w);
	case NBD_OPT_STRUCTURED_REPLY:
	case NBD_OPT_EXTENDED_HEADERS:
		return choose_style(c, option, &w);
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		return meta_context(c, option, w);
	default:
		return refuse(c, option, NBD_REP_ERR_UNSUP, "this server has no such option");
	}
}

/* Bytes of an option that nobody looks at. */
static int skip(struct nbd_client *c, uint64_t len)
{
	uint8_t bin[4096];

	while (len) {
		size_t n = (size_t)MIN_OF(len, (uint64_t)sizeof bin);

		if (nbd_recv(c, bin, n))
			return -1;
		len -= n;
	}
	return 0;
}

static int one_option(struct nbd_client *c, bool fixed)
{
	CLEANUP(free_ptr) uint8_t *bytes = NULL;
	struct nbd_option_header h;
	uint32_t option, len;

	if (nbd_recv(c, &h, sizeof h) || be64_get(h.magic) != NBD_OPTION_MAGIC)
		return -1;
	option = be32_get(h.option);
	len = be32_get(h.len);
	/* Who does not know that options are answered knows one only. */
	if (len > LIMIT_NBD_PAYLOAD || (!fixed && option != NBD_OPT_EXPORT_NAME))
		return -1;
	if (len > LIMIT_NBD_OPTION)
		return skip(c, len) || option == NBD_OPT_EXPORT_NAME
			       ? -1
			       : refuse(c, option, NBD_REP_ERR_TOO_BIG, "the option is too long");
	bytes = alloc_bytes(len + 1);
	if (!bytes || nbd_recv(c, bytes, len))
		return -1;
	return obey(c, option, (struct words){ bytes, len });
}

int nbd_handshake(struct nbd_client *c)
{
	struct nbd_greeting g;
	struct iovec iov = { &g, sizeof g };
	uint32_t flags;
	be32 chosen;
	int rc = 0;

	be64_put(&g.magic, NBD_MAGIC);
	be64_put(&g.option_magic, NBD_OPTION_MAGIC);
	be16_put(&g.flags, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
	if (nbd_send(c, &iov, 1) || nbd_recv(c, &chosen, sizeof chosen))
		return -1;
	flags = be32_get(chosen);
	if (flags & ~(uint32_t)(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES))
		return -1;
	c->no_zeroes = flags & NBD_NO_ZEROES;
	for (unsigned i = 0; rc == 0 && i < LIMIT_NBD_OPTIONS; i++)
		rc = one_option(c, flags & NBD_FIXED_NEWSTYLE);
	return rc > 0 ? 0 : -1;
}
