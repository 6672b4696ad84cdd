/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_attr.c - extended attributes: in the inode, in one leaf, or in many below a tree of hashes; large values in blocks of
 * their own.
 *
 * Each has a namespace among its flags.  An ACL is kept as the attribute SGI_ACL_FILE (_DEFAULT) of the namespace "root",
 * which is what the kernel calls "trusted"; to those who may see that, it shows both it and the ACL in the form of all
 * filesystems.
 */
#include "xfs.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

enum { ATTR_LOCAL = 0x01, ATTR_ROOT = 0x02, ATTR_SECURE = 0x04, ATTR_PARENT = 0x08, ATTR_INCOMPLETE = 0x80 };

#define LEAF2 0xfbee
#define LEAF3 0x3bee
#define LEAF2_HEAD 32u
#define LEAF3_HEAD 80u
#define COUNT2_AT 12u
#define COUNT3_AT 56u

struct leaf_entry {
	be32 hash;
	be16 name_at;
	uint8_t flags, pad;
};
struct local_head {
	be16 value_len;
	uint8_t name_len;
};
struct remote_head {
	be32 value_block, value_len;
	uint8_t name_len;
};
struct remote_block {
	uint8_t magic[4];
	be32 off, len;
	le32 crc;
	uint8_t uuid[16];
	be64 owner, place, lsn;
};
_Static_assert(sizeof(struct remote_block) == 56, "as the format has it");

struct listing {
	int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e);
	void *arg;
	size_t names_len; /* of the list so far, as the kernel gives it */
};
struct attr {
	uint8_t flags;
	const uint8_t *name, *value;
	size_t name_len, value_len;
};

/* ---- ACLs ---- */

struct acl_entry {
	be32 tag, id;
	be16 perm, pad;
};
enum { ACL_USER = 0x02, ACL_GROUP = 0x08 };

/*
 * Here an ACL is a count, then entries.  The kernel hands it out as version 2 of its own form, little-endian, with an id
 * that means nothing as all ones.
 */
static int acl_show(const struct attr *a, const char *name, struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *acl = NULL;
	size_t n, size;
	be32 count;
	le32 word;

	if (a->value_len < sizeof count)
		return err_set(e, ERR_CORRUPT, "an ACL of %zu bytes", a->value_len);
	memcpy(&count, a->value, sizeof count);
	n = be32_get(count);
	if (n > (a->value_len - sizeof count) / sizeof(struct acl_entry))
		return err_set(e, ERR_CORRUPT, "an ACL of %zu entries in %zu bytes", n, a->value_len);
	size = sizeof word + n * 8;
	acl = alloc_bytes(size);
	if (!acl)
		return err_nomem(e);
	le32_put(&word, 2);
	memcpy(acl, &word, sizeof word);
	for (size_t i = 0; i < n; i++) {
		uint8_t *p = acl + sizeof word + i * 8;
		struct acl_entry ent;
		uint32_t tag;
		le16 half;

		memcpy(&ent, a->value + sizeof count + i * sizeof ent, sizeof ent);
		tag = be32_get(ent.tag);
		le16_put(&half, (uint16_t)tag);
		memcpy(p, &half, sizeof half);
		le16_put(&half, be16_get(ent.perm));
		memcpy(p + 2, &half, sizeof half);
		le32_put(&word, tag == ACL_USER || tag == ACL_GROUP ? be32_get(ent.id) : UINT32_MAX);
		memcpy(p + 4, &word, sizeof word);
	}
	return l->fn(l->arg, name, acl, size, e);
}

/* ---- one attribute ---- */

static bool is_called(const struct attr *a, const char *name)
{
	return a->name_len == strlen(name) && memcmp(a->name, name, a->name_len) == 0;
}

static int attr_show(const struct attr *a, struct listing *l, struct err *e)
{
	const char *prefix = a->flags & ATTR_ROOT ? "trusted." : a->flags & ATTR_SECURE ? "security." : "user.";
	char full[sizeof "security." + 255];
	int rc = 0;

	l->names_len += strlen(prefix) + a->name_len + 1;
	if (l->names_len > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_LIMIT, "the names of its extended attributes take more than %llu bytes", LIMIT_XATTR_SIZE);
	if (a->name_len == 0 || memchr(a->name, 0, a->name_len))
		return err_set(e, ERR_CORRUPT, "an extended attribute whose name is empty or holds a NUL");
	if (a->flags & ATTR_ROOT && is_called(a, "SGI_ACL_FILE"))
		rc = acl_show(a, "system.posix_acl_access", l, e);
	else if (a->flags & ATTR_ROOT && is_called(a, "SGI_ACL_DEFAULT"))
		rc = acl_show(a, "system.posix_acl_default", l, e);
	if (rc)
		return rc;
	snprintf(full, sizeof full, "%s%.*s", prefix, (int)a->name_len, (const char *)a->name);
	return l->fn(l->arg, full, a->value_len ? (const void *)a->value : "", a->value_len, e);
}

/* What readers see: not the names that a file has in its directories, and not what was not finished. */
static bool is_shown(uint8_t flags)
{
	return !(flags & (ATTR_PARENT | ATTR_INCOMPLETE));
}

/* ---- in the inode ---- */

/* A head of 4 bytes: size and count.  Then entries: lengths of name and value, flags, name, value. */
static int local_show(const struct xfs_fork *f, struct listing *l, struct err *e)
{
	const uint8_t *p = f->bytes;
	size_t size = f->len >= 4 ? (size_t)p[0] << 8 | p[1] : 0, at = 4;

	if (size < 4 || size > f->len)
		return err_set(e, ERR_CORRUPT, "%zu bytes of extended attributes in a fork of %zu", size, f->len);
	for (unsigned i = 0; i < p[2]; i++) {
		struct attr a;
		int rc = 0;

		if (!range_in(at, 3, size) || !range_in(at + 3, (size_t)p[at] + p[at + 1], size))
			return err_set(e, ERR_CORRUPT, "an extended attribute runs past its place");
		a = (struct attr){
			.flags = p[at + 2],
			.name = p + at + 3,
			.name_len = p[at],
			.value = p + at + 3 + p[at],
			.value_len = p[at + 1],
		};
		if (is_shown(a.flags))
			rc = attr_show(&a, l, e);
		if (rc)
			return rc;
		at += 3 + a.name_len + a.value_len;
	}
	return 0;
}

/* ---- in blocks ---- */

static int remote_read(struct xfs *x, struct xfs_inode *in, uint64_t lblk, uint8_t *value, size_t len, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = alloc_bytes(x->bs);
	size_t head = x->v5 ? sizeof(struct remote_block) : 0, n;

	if (!block)
		return err_nomem(e);
	for (size_t got = 0; got < len; got += n, lblk++) {
		struct remote_block h;
		bool logged;
		uint64_t pos;
		int rc = xfs_map_meta(x, in, &in->attr, lblk, 1, block, &pos, &logged, e);

		if (rc < 0)
			return rc;
		n = MIN_OF(len - got, x->bs - head);
		if (x->v5) {
			memcpy(&h, block, sizeof h);
			if (memcmp(h.magic, "XARM", 4) != 0 || be32_get(h.off) != got || be32_get(h.len) != n)
				return err_set(e, ERR_CORRUPT, "sector %" PRIu64 " holds no value of an extended attribute",
					       pos >> XFS_SECTOR_BITS);
			rc = xfs_self_check(x, &xfs_self_remote, block, x->bs, pos, in->ino, logged, "attribute's block", e);
			if (rc < 0)
				return rc;
		}
		memcpy(value + got, block + head, n);
	}
	return 0;
}

static int entry_show(struct xfs *x, struct xfs_inode *in, const uint8_t *leaf, const struct leaf_entry *ent,
		      struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *value = NULL;
	size_t at = be16_get(ent->name_at), head;
	struct attr a = { .flags = ent->flags };
	struct remote_head r = { .name_len = 0 };
	struct local_head h;
	int rc;

	if (!is_shown(ent->flags))
		return 0;
	head = ent->flags & ATTR_LOCAL ? sizeof h : sizeof r;
	if (!range_in(at, head, x->bs))
		return err_set(e, ERR_CORRUPT, "the name of an extended attribute lies outside of its leaf");
	if (ent->flags & ATTR_LOCAL) {
		memcpy(&h, leaf + at, sizeof h);
		a.name_len = h.name_len;
		a.value_len = be16_get(h.value_len);
	} else {
		memcpy(&r, leaf + at, sizeof r);
		a.name_len = r.name_len;
		a.value_len = be32_get(r.value_len);
	}
	a.name = leaf + at + head;
	if (!range_in(at + head, a.name_len + (ent->flags & ATTR_LOCAL ? a.value_len : 0), x->bs))
		return err_set(e, ERR_CORRUPT, "an extended attribute runs past its leaf");
	a.value = a.name + a.name_len;
	if (a.value_len > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_LIMIT, "an extended attribute of %zu bytes", a.value_len);
	if (!(ent->flags & ATTR_LOCAL)) {
		value = alloc_bytes(a.value_len);
		if (!value)
			return err_nomem(e);
		rc = remote_read(x, in, be32_get(r.value_block), value, a.value_len, e);
		if (rc < 0)
			return rc;
		a.value = value;
	}
	return attr_show(&a, l, e);
}

static int leaf_show(struct xfs *x, struct xfs_inode *in, const struct xfs_da_block *b, uint64_t *next,
		     struct listing *l, struct err *e)
{
	size_t head = x->v5 ? LEAF3_HEAD : LEAF2_HEAD;
	struct xfs_da_info h;
	be16 count;
	int rc;

	memcpy(&h, b->bytes, sizeof h);
	memcpy(&count, b->bytes + (x->v5 ? COUNT3_AT : COUNT2_AT), sizeof count);
	if (be16_get(h.magic) != (x->v5 ? LEAF3 : LEAF2))
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " of the attribute fork is no leaf", b->lblk);
	rc = xfs_self_check(x, &xfs_self_da, b->bytes, x->bs, b->pos, in->ino, b->logged, "leaf of attributes", e);
	if (rc < 0)
		return rc;
	if (be16_get(count) > (x->bs - head) / sizeof(struct leaf_entry))
		return err_set(e, ERR_CORRUPT, "%u extended attributes in a leaf", be16_get(count));
	for (unsigned i = 0; i < be16_get(count); i++) {
		struct leaf_entry ent;

		memcpy(&ent, b->bytes + head + i * sizeof ent, sizeof ent);
		rc = entry_show(x, in, b->bytes, &ent, l, e);
		if (rc)
			return rc;
	}
	*next = be32_get(h.forw);
	return 0;
}

static int leaves_show(struct xfs *x, struct xfs_inode *in, struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *bytes = alloc_bytes(x->bs);
	struct xfs_da_block b = { .bytes = bytes };
	int rc;

	if (!bytes)
		return err_nomem(e);
	rc = xfs_da_descend(x, in, &in->attr, 0, 1, 0, &b, e);
	/* Leaves may be linked in a circle. */
	for (unsigned hops = 0; rc == 0; hops++) {
		uint64_t next = 0;

		rc = leaf_show(x, in, &b, &next, l, e);
		if (rc || next == 0)
			return rc;
		if (hops == LIMIT_XFS_LEAVES)
			return err_set(e, ERR_CORRUPT, "more than %d leaves of attributes", LIMIT_XFS_LEAVES);
		b.lblk = next;
		rc = xfs_map_meta(x, in, &in->attr, next, 1, b.bytes, &b.pos, &b.logged, e);
	}
	return rc;
}

int xfs_xattrs(struct xfs *x, struct xfs_inode *in,
	       int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	       struct err *e)
{
	struct listing l = { .fn = fn, .arg = arg };
	int rc = 0;

	if (in->unfinished & XFS_UNFINISHED_ATTR)
		return err_set(e, ERR_UNSUPPORTED,
			       "inode %" PRIu64 ": the crash cut off a change of its attributes; the appliance completes it",
			       in->ino);
	if (in->attr.len == 0)
		return 0;
	if (in->attr.format == XFS_FORMAT_LOCAL)
		rc = local_show(&in->attr, &l, e);
	else if (in->attr.format == XFS_FORMAT_BTREE || in->attr.nextents > 0)
		rc = leaves_show(x, in, &l, e);
	return rc < 0 ? err_in(e, rc, "inode %" PRIu64, in->ino) : rc;
}
