/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client_files.c - what is read of files, but for their bytes (client_ahead.c) and listings (client_list.c). */
#include "client_internal.h"
#include "alloc.h"


int client_stat(struct client *c, uint64_t node, struct fs_stat *out, struct err *e)
{
	struct proto_stat st;
	struct proto_in in;
	int rc = listing_stat(c, node, &st, e);

	if (rc == 0) {
		proto_put_u64(client_begin(c), node);
		rc = client_ask(c, PROTO_STAT, &in, e);
		if (rc < 0)
			return rc;
		rc = client_get_stat(c, &in, &st, e);
		if (rc == 0 && (!proto_done(&in) || st.node != node))
			rc = client_bad_answer(c, e);
		if (rc == 0)
			stat_remember(c, &st);
	}
	if (rc < 0)
		return rc;
	client_fs_stat(&st, out);
	return 0;
}

int client_lookup(struct client *c, uint64_t dir, const char *name, uint64_t *node, struct err *e)
{
	struct proto_stat st;
	struct proto_in in;
	int rc;

	if (!client_good_name(name) || strlen(name) > FS_NAME_MAX)
		return err_set(e, ERR_NOT_FOUND, "no such file or folder");
	rc = listing_lookup(c, dir, name, &st, e);
	if (rc == 0) {
		struct proto_out *o = client_begin(c);

		proto_put_u64(o, dir);
		proto_put_str(o, name);
		rc = client_ask(c, PROTO_LOOKUP, &in, e);
		if (rc < 0)
			return rc;
		rc = client_get_stat(c, &in, &st, e);
		if (rc == 0 && !proto_done(&in))
			rc = client_bad_answer(c, e);
		if (rc == 0)
			stat_remember(c, &st);
	}
	if (rc < 0)
		return rc;
	*node = st.node;
	return 0;
}

int client_readlink(struct client *c, uint64_t node, struct strbuf *target, struct err *e)
{
	char text[LIMIT_PATH + 1];
	struct proto_in in;
	int rc;

	proto_put_u64(client_begin(c), node);
	rc = client_ask(c, PROTO_READLINK, &in, e);
	if (rc < 0)
		return rc;
	proto_get_str(&in, text, sizeof text);
	if (!proto_done(&in))
		return client_bad_answer(c, e);
	strbuf_puts(target, text);
	return target->failed ? err_nomem(e) : 0;
}

/* All frames of the answer, one after the other, as there is one body only. */
static int get_xattrs(struct client *c, uint64_t node, struct strbuf *all, struct err *e)
{
	uint32_t tag = client_new_tag(c);
	bool more = true;
	int rc;

	proto_put_u64(client_begin(c), node);
	rc = client_send(c, tag, PROTO_XATTRS, e);
	if (rc < 0)
		return rc;
	/* Ends: all frames together are bounded, and an empty one is the last. */
	while (more) {
		struct proto_in in;

		rc = client_await(c, tag, PROTO_XATTRS, c->patience, &in, &more, e);
		if (rc < 0)
			return rc;
		if ((more && in.left == 0) || in.left > LIMIT_PROTO_XATTRS - all->len)
			return client_bad_answer(c, e);
		strbuf_add(all, in.at, in.left);
		if (all->failed && more)
			return client_lose(c, e, "out of memory in the middle of an answer of the appliance");
	}
	return all->failed ? err_nomem(e) : 0;
}

int client_xattrs(struct client *c, uint64_t node,
		  int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		  struct err *e)
{
	CLEANUP(strbuf_free) struct strbuf all = STRBUF_INIT;
	struct proto_in in, judge;
	char name[256];
	int rc = get_xattrs(c, node, &all, e);

	if (rc < 0)
		return rc;
	in = judge = (struct proto_in){ .at = (const uint8_t *)all.s, .left = all.len };
	/* All of it first: fn is told of nothing that comes before nonsense. */
	while (judge.left && !judge.bad) {
		size_t len = proto_get_str(&judge, name, sizeof name);

		judge.bad = judge.bad || len == 0;
		len = proto_get_u32(&judge);
		judge.bad = judge.bad || len > LIMIT_XATTR_SIZE;
		proto_get_bytes(&judge, len);
	}
	if (judge.bad)
		return client_bad_answer(c, e);
	while (in.left && rc == 0) {
		const uint8_t *value;
		size_t len;

		proto_get_str(&in, name, sizeof name);
		len = proto_get_u32(&in);
		value = proto_get_bytes(&in, len);
		rc = fn(arg, name, value, len, e);
	}
	return rc;
}

int client_extent(struct client *c, uint64_t node, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	struct proto_out *o = client_begin(c);
	struct proto_in in;
	int rc;

	proto_put_u64(o, node);
	proto_put_u64(o, off);
	rc = client_ask(c, PROTO_EXTENT, &in, e);
	if (rc < 0)
		return rc;
	*len = proto_get_u64(&in);
	*hole = proto_get_u8(&in);
	return proto_done(&in) && *len <= INT64_MAX - MIN_OF(off, (uint64_t)INT64_MAX) ? 0 : client_bad_answer(c, e);
}

int client_place(struct client *c, uint64_t node, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	struct proto_out *o = client_begin(c);
	struct proto_in in;
	bool known;
	int rc;

	proto_put_u64(o, node);
	proto_put_u64(o, off);
	rc = client_ask(c, PROTO_PLACE, &in, e);
	if (rc < 0)
		return rc;
	known = proto_get_u8(&in);
	*len = proto_get_u64(&in);
	*where = proto_get_u64(&in);
	if (!proto_done(&in) || *len == 0 || *len > INT64_MAX || *where > INT64_MAX)
		return client_bad_answer(c, e);
	return known;
}
