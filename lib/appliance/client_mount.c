/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client_mount.c - devices and the filesystems on them. */
#include "client_internal.h"
#include "alloc.h"

int client_device(struct client *c, const char *device, struct strbuf *path, struct err *e)
{
	struct proto_in in;
	char text[LIMIT_PATH];
	int rc;

	proto_put_str(client_begin(c), device);
	rc = client_ask(c, PROTO_DEVICE, &in, e);
	if (rc < 0)
		return rc;
	proto_get_str(&in, text, sizeof text);
	if (!proto_done(&in) || text[0] != '/')
		return client_bad_answer(c, e);
	strbuf_puts(path, text);
	return path->failed ? err_nomem(e) : 0;
}

int client_mount(struct client *c, const struct client_mount *how, uint32_t *mount, struct err *e)
{
	struct proto_out *o = client_begin(c);
	struct client_mounted m = { .used = true };
	struct proto_in in;
	uint32_t number;
	int rc;

	proto_put_str(o, how->device);
	proto_put_str(o, how->type ? how->type : "");
	proto_put_str(o, how->options ? how->options : "");
	proto_put_u8(o, how->readonly);
	rc = client_ask_slow(c, PROTO_MOUNT, &in, e);
	if (rc < 0)
		return rc;
	number = proto_get_u32(&in);
	m.root = proto_get_u64(&in);
	proto_get_str(&in, m.type, sizeof m.type);
	if (!proto_done(&in) || number < 1 || number > CLIENT_MOUNTS || c->mounts[number].used || m.root == 0 ||
	    m.type[strspn(m.type, "abcdefghijklmnopqrstuvwxyz0123456789-_+.")])
		return client_bad_answer(c, e);
	c->mounts[number] = m;
	*mount = number;
	return 0;
}

static struct client_mounted *mounted(struct client *c, uint32_t mount)
{
	return mount >= 1 && mount <= CLIENT_MOUNTS && c->mounts[mount].used ? &c->mounts[mount] : NULL;
}

static int no_mount(uint32_t mount, struct err *e)
{
	return err_set(e, ERR_USAGE, "there is no mount %u", mount);
}

int client_umount(struct client *c, uint32_t mount, struct err *e)
{
	struct client_mounted *m = mounted(c, mount);
	int rc;

	if (!m)
		return no_mount(mount, e);
	client_changed(c);
	proto_put_u32(client_begin(c), mount);
	rc = client_tell(c, PROTO_UMOUNT, e);
	if (rc == 0)
		*m = (struct client_mounted){ 0 };
	return rc;
}

int client_sync(struct client *c, struct err *e)
{
	client_begin(c);
	return client_tell(c, PROTO_SYNC, e);
}

int client_freeze(struct client *c, uint32_t mount, bool *frozen, struct err *e)
{
	struct proto_in in;
	bool is;
	int rc;

	proto_put_u32(client_begin(c), mount);
	rc = client_ask_slow(c, PROTO_FREEZE, &in, e);
	if (rc < 0)
		return rc;
	is = proto_get_u8(&in);
	if (frozen)
		*frozen = is;
	return proto_done(&in) ? 0 : client_bad_answer(c, e);
}

int client_thaw(struct client *c, uint32_t mount, struct err *e)
{
	proto_put_u32(client_begin(c), mount);
	return client_tell(c, PROTO_THAW, e);
}

const char *client_mount_type(struct client *c, uint32_t mount)
{
	const struct client_mounted *m = mounted(c, mount);

	return m ? m->type : "";
}

int client_root(struct client *c, uint32_t mount, uint64_t *node, struct err *e)
{
	const struct client_mounted *m = mounted(c, mount);

	if (!m)
		return no_mount(mount, e);
	*node = m->root;
	return 0;
}

int client_statfs(struct client *c, uint32_t mount, struct fs_usage *out, struct err *e)
{
	struct proto_in in;
	int rc;

	proto_put_u32(client_begin(c), mount);
	rc = client_ask(c, PROTO_STATFS, &in, e);
	if (rc < 0)
		return rc;
	out->block_size = proto_get_u64(&in);
	out->blocks = proto_get_u64(&in);
	out->blocks_free = proto_get_u64(&in);
	out->blocks_avail = proto_get_u64(&in);
	out->inodes = proto_get_u64(&in);
	out->inodes_free = proto_get_u64(&in);
	/* Sizes in bytes must fit, as those who add them up trust in. */
	if (!proto_done(&in) || out->block_size > 1 * GiB || out->blocks > INT64_MAX / MAX_OF(out->block_size, 1) ||
	    out->blocks_free > out->blocks || out->blocks_avail > out->blocks)
		return client_bad_answer(c, e);
	return 0;
}

int client_fstrim(struct client *c, uint32_t mount, uint64_t *trimmed, struct err *e)
{
	struct proto_in in;
	int rc;

	proto_put_u32(client_begin(c), mount);
	rc = client_ask_slow(c, PROTO_FSTRIM, &in, e);
	if (rc < 0)
		return rc;
	*trimmed = proto_get_u64(&in);
	return proto_done(&in) ? 0 : client_bad_answer(c, e);
}
