/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client_change.c - what is changed of files. */
#include "client_internal.h"
#include "alloc.h"

/* Begins a question about a name in a folder. */
static struct proto_out *begin_place(struct client *c, uint64_t dir, const char *name)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, dir);
	proto_put_str(o, name);
	return o;
}

static int tell(struct client *c, uint16_t type, struct err *e)
{
	client_changed(c);
	return client_tell(c, type, e);
}

/* The answer is what was made. */
static int ask_made(struct client *c, uint16_t type, uint64_t *node, struct err *e)
{
	struct proto_stat st;
	struct proto_in in;
	int rc;

	client_changed(c);
	rc = client_ask(c, type, &in, e);
	if (rc < 0)
		return rc;
	rc = client_get_stat(c, &in, &st, e);
	if (rc < 0)
		return rc;
	if (!proto_done(&in))
		return client_bad_answer(c, e);
	*node = st.node;
	return 0;
}

static void put_owner(struct proto_out *o, uint32_t mode, uint32_t uid, uint32_t gid)
{
	proto_put_u32(o, mode);
	proto_put_u32(o, uid);
	proto_put_u32(o, gid);
}

int client_create(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		  uint64_t *node, struct err *e)
{
	put_owner(begin_place(c, dir, name), mode, uid, gid);
	return ask_made(c, PROTO_CREATE, node, e);
}

int client_mkdir(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 uint64_t *node, struct err *e)
{
	put_owner(begin_place(c, dir, name), mode, uid, gid);
	return ask_made(c, PROTO_MKDIR, node, e);
}

int client_mknod(struct client *c, uint64_t dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 uint32_t major, uint32_t minor, uint64_t *node, struct err *e)
{
	struct proto_out *o = begin_place(c, dir, name);

	put_owner(o, mode, uid, gid);
	proto_put_u32(o, major);
	proto_put_u32(o, minor);
	return ask_made(c, PROTO_MKNOD, node, e);
}

int client_symlink(struct client *c, uint64_t dir, const char *name, const char *target, uint32_t uid, uint32_t gid,
		   uint64_t *node, struct err *e)
{
	struct proto_out *o = begin_place(c, dir, name);

	proto_put_str(o, target);
	proto_put_u32(o, uid);
	proto_put_u32(o, gid);
	return ask_made(c, PROTO_SYMLINK, node, e);
}

int client_link(struct client *c, uint64_t node, uint64_t dir, const char *name, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_u64(o, dir);
	proto_put_str(o, name);
	return tell(c, PROTO_LINK, e);
}

int client_unlink(struct client *c, uint64_t dir, const char *name, struct err *e)
{
	begin_place(c, dir, name);
	return tell(c, PROTO_UNLINK, e);
}

int client_rmdir(struct client *c, uint64_t dir, const char *name, struct err *e)
{
	begin_place(c, dir, name);
	return tell(c, PROTO_RMDIR, e);
}

_Static_assert((int)CLIENT_RENAME_NOREPLACE == (int)PROTO_RENAME_NOREPLACE &&
		       (int)CLIENT_RENAME_EXCHANGE == (int)PROTO_RENAME_EXCHANGE &&
		       (int)CLIENT_XATTR_CREATE == (int)PROTO_XATTR_CREATE &&
		       (int)CLIENT_ALLOCATE_PUNCH == (int)PROTO_ALLOCATE_PUNCH &&
		       (int)CLIENT_ALLOCATE_KEEP_SIZE == (int)PROTO_ALLOCATE_KEEP_SIZE &&
		       (int)CLIENT_ALLOCATE_ZERO == (int)PROTO_ALLOCATE_ZERO &&
		       (int)CLIENT_XATTR_REPLACE == (int)PROTO_XATTR_REPLACE,
	      "flags are told as they are");

int client_rename(struct client *c, uint64_t dir, const char *name, uint64_t newdir, const char *newname, unsigned flags,
		  struct err *e)
{
	struct proto_out *o = begin_place(c, dir, name);

	proto_put_u64(o, newdir);
	proto_put_str(o, newname);
	proto_put_u8(o, (uint8_t)flags);
	return tell(c, PROTO_RENAME, e);
}

int client_chmod(struct client *c, uint64_t node, uint32_t mode, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_u32(o, mode);
	return tell(c, PROTO_CHMOD, e);
}

int client_chown(struct client *c, uint64_t node, uint32_t uid, uint32_t gid, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_u32(o, uid);
	proto_put_u32(o, gid);
	return tell(c, PROTO_CHOWN, e);
}

static void put_time(struct proto_out *o, const struct fs_time *t)
{
	proto_put_u8(o, t != NULL);
	proto_put_u64(o, t ? (uint64_t)t->sec : 0);
	proto_put_u32(o, t ? t->nsec : 0);
}

int client_utimens(struct client *c, uint64_t node, const struct fs_time *atime, const struct fs_time *mtime,
		   struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	put_time(o, atime);
	put_time(o, mtime);
	return tell(c, PROTO_UTIMENS, e);
}

int client_truncate(struct client *c, uint64_t node, uint64_t size, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_u64(o, size);
	return tell(c, PROTO_TRUNCATE, e);
}

/* Of one frame: the agent's end takes it whole. */
#define WRITE_SIZE (512u * 1024)

struct client_write *write_of_tag(struct client *c, uint32_t tag)
{
	for (size_t i = 0; i < CLIENT_WRITES && tag & TAG_WRITE; i++)
		if (c->writes[i].tag == tag)
			return &c->writes[i];
	return NULL;
}

int write_take(struct client *c, struct client_write *w, struct proto_in *in, struct err *e)
{
	struct err why = ERR_INIT;

	w->tag = 0;
	if (c->head.type != w->type || !(c->head.flags & PROTO_ANSWER) || c->head.flags & PROTO_MORE)
		return client_bad_answer(c, e);
	if (!(c->head.flags & PROTO_FAILED))
		return proto_done(in) ? 0 : client_bad_answer(c, e);
	client_refused(c, in, &why);
	if (c->lost)
		return client_bad_answer(c, e);
	if (c->write_why.code == ERR_NONE)
		c->write_why = why;
	return 0;
}

/* Waits until at most so many writes are under way. */
static int await_writes(struct client *c, unsigned most, struct err *e)
{
	uint64_t end = client_now_ms() + (uint64_t)c->patience * 4;

	for (;;) {
		uint64_t now = client_now_ms();
		unsigned n = 0;
		int rc;

		for (size_t i = 0; i < CLIENT_WRITES; i++)
			n += c->writes[i].tag != 0;
		if (n <= most)
			return 0;
		if (now >= end)
			return client_lose(c, e, "the appliance did not answer within %u s", (c->patience * 4 + 999) / 1000);
		rc = client_take(c, (int)(end - now), e);
		if (rc)
			return rc < 0 ? rc : client_bad_answer(c, e);
	}
}

/* By the window, or in a frame. */
static int ask_write(struct client *c, uint64_t node, const uint8_t *bytes, size_t len, uint64_t off, bool by_window,
		     struct err *e)
{
	struct proto_out *o = client_begin(c);
	struct client_write *w = c->writes;
	uint32_t tag = client_new_tag(c) | TAG_WRITE;
	int rc;

	/* Ends: one is free. */
	while (w->tag)
		w++;
	w->type = by_window ? PROTO_STORE : PROTO_PWRITE;
	proto_put_u64(o, node);
	proto_put_u64(o, off);
	if (by_window) {
		const size_t slot = TAG_AHEAD_SLOTS + (size_t)(w - c->writes);

		memcpy(window_slot(c, slot), bytes, len);
		proto_put_u32(o, (uint32_t)len);
		proto_put_u16(o, (uint16_t)slot);
	} else {
		proto_put_bytes(o, bytes, len);
	}
	rc = client_send(c, tag, w->type, e);
	if (rc == 0)
		w->tag = tag;
	return rc;
}

int client_pwrite(struct client *c, uint64_t node, const void *buf, size_t len, uint64_t off, struct err *e)
{
	bool by_window;
	int rc;

	if (off > INT64_MAX || len > INT64_MAX - off)
		return err_set(e, ERR_USAGE, "a write past the end of all files");
	client_changed(c);
	err_clear(&c->write_why);
	rc = len >= WINDOW_FROM ? window_ready(c, e) : 0;
	by_window = rc > 0;
	rc = MIN_OF(rc, 0);
	for (size_t at = 0, n; rc == 0 && c->write_why.code == ERR_NONE && at < len; at += n) {
		n = MIN_OF(len - at, by_window ? (size_t)LIMIT_PROTO_SLOT : WRITE_SIZE);
		rc = await_writes(c, CLIENT_WRITES - 1, e);
		if (rc == 0)
			rc = ask_write(c, node, (const uint8_t *)buf + at, n, off + at, by_window, e);
	}
	if (rc == 0)
		rc = await_writes(c, 0, e);
	if (rc == 0 && c->write_why.code != ERR_NONE) {
		if (e)
			*e = c->write_why;
		rc = -(int)c->write_why.code;
	}
	return rc;
}

int client_fallocate(struct client *c, uint64_t node, uint64_t off, uint64_t len, unsigned how, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_u64(o, off);
	proto_put_u64(o, len);
	proto_put_u8(o, (uint8_t)how);
	return tell(c, PROTO_FALLOCATE, e);
}

int client_setxattr(struct client *c, uint64_t node, const char *name, const void *value, size_t len, unsigned flags,
		    struct err *e)
{
	struct proto_out *o = client_begin(c);

	if (len > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_LIMIT, "an extended attribute of more than %llu bytes", LIMIT_XATTR_SIZE);
	proto_put_u64(o, node);
	proto_put_str(o, name);
	proto_put_u8(o, (uint8_t)flags);
	proto_put_bytes(o, value, len);
	return tell(c, PROTO_SETXATTR, e);
}

int client_removexattr(struct client *c, uint64_t node, const char *name, struct err *e)
{
	struct proto_out *o = client_begin(c);

	proto_put_u64(o, node);
	proto_put_str(o, name);
	return tell(c, PROTO_REMOVEXATTR, e);
}

int client_fsync(struct client *c, uint64_t node, struct err *e)
{
	proto_put_u64(client_begin(c), node);
	return client_tell(c, PROTO_FSYNC, e);
}
