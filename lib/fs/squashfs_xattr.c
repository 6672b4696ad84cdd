/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* squashfs_xattr.c - extended attributes: a table of lists, many inodes sharing one; large values lie elsewhere, once. */
#include "squashfs.h"

#include "alloc.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUE_ELSEWHERE 0x100
/* The table's start and the number of lists, before the index. */
#define INDEX_HEAD 16

struct ondisk_list {
	le64 ref;
	le32 count, size;
};
struct ondisk_name {
	le16 type, size;
};

/* A place in the table of lists, block << 16 | offset, as a cursor. */
static int cursor_at(const struct squash *s, uint64_t ref, struct squash_cursor *c, struct err *e)
{
	if (ref >> 48 || s->xattr_table + (ref >> 16) >= s->xattr_index)
		return err_set(e, ERR_CORRUPT, "attributes outside their table");
	c->addr = s->xattr_table + (ref >> 16);
	c->off = ref & 0xffff;
	return 0;
}

/* The value behind a name: its length, and its bytes or where these lie. */
static int value_read(struct squash *s, struct squash_cursor *c, bool elsewhere, uint8_t *buf, uint32_t *len,
		      struct err *e)
{
	struct squash_cursor there, *from = c;
	le32 size;
	le64 ref;
	int rc = squash_read(s, c, &size, sizeof size, e);

	if (rc == 0 && elsewhere) {
		if (le32_get(size) != sizeof ref)
			return err_set(e, ERR_CORRUPT, "a place of %" PRIu32 " bytes", le32_get(size));
		rc = squash_read(s, c, &ref, sizeof ref, e);
		if (rc == 0)
			rc = cursor_at(s, le64_get(ref), &there, e);
		if (rc == 0)
			rc = squash_read(s, &there, &size, sizeof size, e);
		from = &there;
	}
	if (rc < 0)
		return rc;
	*len = le32_get(size);
	if (*len > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_LIMIT, "a value of %" PRIu32 " bytes", *len);
	return squash_read(s, from, buf, *len, e);
}

/* The inode's list: 1, or 0 when it has none. */
static int list_get(struct squash *s, const struct squash_inode *in, struct ondisk_list *list, struct err *e)
{
	int rc;

	if (in->xattr == SQUASH_NONE32 || s->xattr_index == SQUASH_NONE64)
		return 0;
	if (in->xattr >= s->nxattrs)
		return err_set(e, ERR_CORRUPT, "attributes %" PRIu32 " of %" PRIu32, in->xattr, s->nxattrs);
	rc = squash_table_read(s, s->xattr_index + INDEX_HEAD, in->xattr, list, sizeof *list, "attributes", e);
	return rc < 0 ? rc : 1;
}

int squash_xattrs_size(struct squash *s, const struct squash_inode *in, uint32_t *size, struct err *e)
{
	struct ondisk_list list;
	int rc = list_get(s, in, &list, e);

	*size = rc > 0 ? le32_get(list.size) : 0;
	return rc < 0 ? rc : 0;
}

int squash_xattrs(struct squash *s, const struct squash_inode *in,
		  int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
		  struct err *e)
{
	static const char *const prefixes[] = { "user.", "trusted.", "security." };
	CLEANUP(free_ptr) uint8_t *value = NULL;
	struct squash_cursor c;
	struct ondisk_list list;
	uint64_t total = 0;
	int rc = list_get(s, in, &list, e);

	if (rc <= 0)
		return rc;
	value = alloc_bytes(LIMIT_XATTR_SIZE);
	if (!value)
		return err_nomem(e);
	rc = cursor_at(s, le64_get(list.ref), &c, e);
	/* It ends: each turn takes at least four of a bounded number of bytes. */
	for (uint32_t i = 0; rc == 0 && i < le32_get(list.count); i++) {
		char name[16 + 256];
		struct ondisk_name n;
		unsigned type;
		size_t at;
		uint32_t len = 0;

		rc = squash_read(s, &c, &n, sizeof n, e);
		if (rc < 0)
			break;
		type = le16_get(n.type) & ~VALUE_ELSEWHERE;
		if (type >= ARRAY_LEN(prefixes) || le16_get(n.size) == 0 || le16_get(n.size) > 255)
			return err_set(e, ERR_CORRUPT, "an attribute of type %u with a name of %u bytes", type,
				       le16_get(n.size));
		at = (size_t)snprintf(name, sizeof name, "%s", prefixes[type]);
		rc = squash_read(s, &c, name + at, le16_get(n.size), e);
		if (rc < 0)
			break;
		name[at + le16_get(n.size)] = '\0';
		if (strlen(name) != at + le16_get(n.size))
			return err_set(e, ERR_CORRUPT, "an attribute whose name holds a NUL");
		rc = value_read(s, &c, le16_get(n.type) & VALUE_ELSEWHERE, value, &len, e);
		total += sizeof n + le16_get(n.size) + len;
		if (rc == 0 && total > LIMIT_SQUASHFS_XATTRS)
			return err_set(e, ERR_LIMIT, "more than %d bytes of attributes", (int)LIMIT_SQUASHFS_XATTRS);
		if (rc == 0)
			rc = fn(arg, name, value, len, e);
	}
	return rc < 0 ? err_in(e, rc, "inode %" PRIu32, in->number) : rc;
}
