/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto.h"
#include "limits.h"
#include "ondisk.h"

#include <string.h>

void proto_head_put(uint8_t bytes[PROTO_HEAD], const struct proto_head *h)
{
	le32 v;
	le16 w;

	le32_put(&v, h->len);
	memcpy(bytes, &v, 4);
	le32_put(&v, h->tag);
	memcpy(bytes + 4, &v, 4);
	le16_put(&w, h->type);
	memcpy(bytes + 8, &w, 2);
	le16_put(&w, h->flags);
	memcpy(bytes + 10, &w, 2);
}

void proto_head_get(const uint8_t bytes[PROTO_HEAD], struct proto_head *h)
{
	le32 len, tag;
	le16 type, flags;

	memcpy(&len, bytes, 4);
	memcpy(&tag, bytes + 4, 4);
	memcpy(&type, bytes + 8, 2);
	memcpy(&flags, bytes + 10, 2);
	*h = (struct proto_head){ .len = le32_get(len), .tag = le32_get(tag), .type = le16_get(type), .flags = le16_get(flags) };
}

void proto_begin(struct proto_out *o, void *bytes, size_t cap)
{
	*o = (struct proto_out){ .bytes = bytes, .len = PROTO_HEAD, .cap = cap, .failed = cap < PROTO_HEAD };
}

size_t proto_end(struct proto_out *o, uint32_t tag, uint16_t type, uint16_t flags)
{
	struct proto_head h = { .tag = tag, .type = type, .flags = flags };

	if (o->failed || o->len - PROTO_HEAD > LIMIT_PROTO_BODY)
		return 0;
	h.len = (uint32_t)(o->len - PROTO_HEAD);
	proto_head_put(o->bytes, &h);
	return o->len;
}

uint8_t *proto_put_room(struct proto_out *o, size_t len)
{
	uint8_t *at;

	if (o->failed || len > o->cap - o->len) {
		o->failed = true;
		return NULL;
	}
	at = o->bytes + o->len;
	o->len += len;
	return at;
}

void proto_put_bytes(struct proto_out *o, const void *bytes, size_t len)
{
	uint8_t *at = proto_put_room(o, len);

	if (at && len)
		memcpy(at, bytes, len);
}

void proto_put_u8(struct proto_out *o, uint8_t v)
{
	proto_put_bytes(o, &v, 1);
}

void proto_put_u16(struct proto_out *o, uint16_t v)
{
	le16 w;

	le16_put(&w, v);
	proto_put_bytes(o, &w, sizeof w);
}

void proto_put_u32(struct proto_out *o, uint32_t v)
{
	le32 w;

	le32_put(&w, v);
	proto_put_bytes(o, &w, sizeof w);
}

void proto_put_u64(struct proto_out *o, uint64_t v)
{
	le64 w;

	le64_put(&w, v);
	proto_put_bytes(o, &w, sizeof w);
}

void proto_put_str(struct proto_out *o, const char *s)
{
	size_t len = strlen(s);

	if (len > UINT16_MAX) {
		o->failed = true;
		return;
	}
	proto_put_u16(o, (uint16_t)len);
	proto_put_bytes(o, s, len);
}

const uint8_t *proto_get_bytes(struct proto_in *in, size_t len)
{
	const uint8_t *at = in->at;

	if (in->bad || len > in->left) {
		in->bad = true;
		return NULL;
	}
	in->at += len;
	in->left -= len;
	return at;
}

uint8_t proto_get_u8(struct proto_in *in)
{
	const uint8_t *at = proto_get_bytes(in, 1);

	return at ? *at : 0;
}

uint16_t proto_get_u16(struct proto_in *in)
{
	const uint8_t *at = proto_get_bytes(in, 2);
	le16 v = { 0 };

	if (at)
		memcpy(&v, at, sizeof v);
	return le16_get(v);
}

uint32_t proto_get_u32(struct proto_in *in)
{
	const uint8_t *at = proto_get_bytes(in, 4);
	le32 v = { 0 };

	if (at)
		memcpy(&v, at, sizeof v);
	return le32_get(v);
}

uint64_t proto_get_u64(struct proto_in *in)
{
	const uint8_t *at = proto_get_bytes(in, 8);
	le64 v = { 0 };

	if (at)
		memcpy(&v, at, sizeof v);
	return le64_get(v);
}

size_t proto_get_str(struct proto_in *in, char *buf, size_t size)
{
	size_t len = proto_get_u16(in);
	const uint8_t *at = proto_get_bytes(in, len);

	buf[0] = '\0';
	if (!at || len >= size || memchr(at, 0, len)) {
		in->bad = true;
		return 0;
	}
	memcpy(buf, at, len);
	buf[len] = '\0';
	return len;
}

bool proto_done(const struct proto_in *in)
{
	return !in->bad && in->left == 0;
}

static void put_time(struct proto_out *o, const struct proto_time *t)
{
	proto_put_u64(o, (uint64_t)t->sec);
	proto_put_u32(o, t->nsec);
}

static void get_time(struct proto_in *in, struct proto_time *t)
{
	t->sec = (int64_t)proto_get_u64(in);
	t->nsec = proto_get_u32(in);
}

void proto_put_stat(struct proto_out *o, const struct proto_stat *st)
{
	proto_put_u64(o, st->node);
	proto_put_u64(o, st->ino);
	proto_put_u64(o, st->size);
	proto_put_u64(o, st->blocks512);
	proto_put_u64(o, st->subvol);
	proto_put_u32(o, st->mode);
	proto_put_u32(o, st->nlink);
	proto_put_u32(o, st->uid);
	proto_put_u32(o, st->gid);
	proto_put_u32(o, st->rdev_major);
	proto_put_u32(o, st->rdev_minor);
	put_time(o, &st->atime);
	put_time(o, &st->mtime);
	put_time(o, &st->ctime);
	put_time(o, &st->crtime);
	proto_put_u8(o, st->has_crtime);
}

void proto_get_stat(struct proto_in *in, struct proto_stat *st)
{
	st->node = proto_get_u64(in);
	st->ino = proto_get_u64(in);
	st->size = proto_get_u64(in);
	st->blocks512 = proto_get_u64(in);
	st->subvol = proto_get_u64(in);
	st->mode = proto_get_u32(in);
	st->nlink = proto_get_u32(in);
	st->uid = proto_get_u32(in);
	st->gid = proto_get_u32(in);
	st->rdev_major = proto_get_u32(in);
	st->rdev_minor = proto_get_u32(in);
	get_time(in, &st->atime);
	get_time(in, &st->mtime);
	get_time(in, &st->ctime);
	get_time(in, &st->crtime);
	st->has_crtime = proto_get_u8(in) != 0;
}
