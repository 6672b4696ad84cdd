/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_xattr.c - extended attributes: in the inode behind its fields, in one block of their own, or (large values) in
 * inodes of their own.
 *
 * In the inode: magic, then entries; value offsets count from the first entry.  In a block: a 32-byte header, then
 * entries; value offsets count from the block.  An entry is 16 bytes and its name, padded to 4; four zero bytes end
 * the list.  The prefix of a name is a number.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define XATTR_MAGIC 0xea020000
#define INDEX_POSIX_ACL_ACCESS 2
#define INDEX_POSIX_ACL_DEFAULT 3
#define INDEX_SYSTEM 7

struct xattr_entry {
	uint8_t name_len, name_index;
	le16 value_off;
	le32 value_ino, value_size, hash;
};
struct xattr_block {
	le32 magic, refcount, nblocks, hash, checksum, reserved[3];
};

/* A list of entries and the bytes that their values are in. */
struct region {
	const uint8_t *base; /* value offsets count from here */
	size_t size;	     /* of base */
	size_t first;	     /* of the first entry */
};

/* What a reader sees before the name; NULL: not for readers (inline data, encryption contexts). */
static const char *prefix_of(unsigned index)
{
	static const char *const prefixes[] = {
		[1] = "user.",
		[INDEX_POSIX_ACL_ACCESS] = "system.posix_acl_access",
		[INDEX_POSIX_ACL_DEFAULT] = "system.posix_acl_default",
		[4] = "trusted.",
		[6] = "security.",
		[8] = "system.richacl",
		[10] = "gnu.",
	};

	return index < ARRAY_LEN(prefixes) ? prefixes[index] : NULL;
}

/* 1 and the entry, 0 at the end.  *pos is moved on by at least the 16 bytes of an entry, so the walk ends. */
static int entry_next(const struct region *r, size_t *pos, struct xattr_entry *ent, const char **name, struct err *e)
{
	static const uint8_t end[4];

	/* The list may fill its room to the last byte. */
	if (*pos + sizeof end > r->size || memcmp(r->base + *pos, end, sizeof end) == 0)
		return 0;
	if (*pos + sizeof *ent > r->size)
		return err_set(e, ERR_CORRUPT, "an extended attribute runs past its place");
	memcpy(ent, r->base + *pos, sizeof *ent);
	if (ent->name_len > r->size - *pos - sizeof *ent)
		return err_set(e, ERR_CORRUPT, "the name of an extended attribute runs past its place");
	*name = (const char *)r->base + *pos + sizeof *ent;
	*pos += round_up(sizeof *ent + ent->name_len, 4);
	return 1;
}

static int entry_value(const struct region *r, const struct xattr_entry *ent, const uint8_t **value, struct err *e)
{
	if (!range_in(le16_get(ent->value_off), le32_get(ent->value_size), r->size))
		return err_set(e, ERR_CORRUPT, "the value of an extended attribute lies outside of its place");
	*value = r->base + le16_get(ent->value_off);
	return 0;
}

/* Attributes in the inode; r->size 0 when there are none. */
static void inode_region(const struct ext *x, const struct ext_inode *in, struct region *r)
{
	size_t off = EXT2_GOOD_OLD_INODE_SIZE + in->extra;
	le32 magic;

	memset(r, 0, sizeof *r);
	if (x->inode_size == EXT2_GOOD_OLD_INODE_SIZE || in->extra == 0 || off + 8 > x->inode_size)
		return;
	memcpy(&magic, in->raw + off, sizeof magic);
	if (le32_get(magic) != XATTR_MAGIC)
		return;
	r->base = in->raw + off + 4;
	r->size = x->inode_size - off - 4;
}

int ext_inline_rest(struct ext *x, struct ext_inode *in, const uint8_t **data, size_t *len, struct err *e)
{
	struct region r;
	struct xattr_entry ent;
	const char *name;
	size_t pos = 0;
	int rc;

	*data = NULL;
	*len = 0;
	inode_region(x, in, &r);
	while ((rc = entry_next(&r, &pos, &ent, &name, e)) > 0) {
		if (ent.name_index != INDEX_SYSTEM || ent.name_len != 4 || memcmp(name, "data", 4) != 0)
			continue;
		if (le32_get(ent.value_ino))
			return err_set(e, ERR_CORRUPT, "inode %" PRIu32 ": inline data in another inode", in->ino);
		/* Without a value the offset means nothing. */
		if (le32_get(ent.value_size) == 0)
			return 0;
		rc = entry_value(&r, &ent, data, e);
		if (rc == 0)
			*len = le32_get(ent.value_size);
		break;
	}
	return rc < 0 ? err_in(e, rc, "inode %" PRIu32, in->ino) : 0;
}

/* A large value: the content of an inode that is marked as holding one. */
static int value_from_inode(struct ext *x, uint32_t ino, size_t size, uint8_t *buf, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	size_t got;
	int rc = ext_inode_get(x, ino, false, &in, e);

	if (rc < 0)
		return rc;
	if (!(in->flags & EXT4_EA_INODE_FL) || !S_ISREG(in->mode) || in->size != size)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu32 " does not hold the value of an extended attribute", ino);
	return ext_read(x, in, buf, size, 0, &got, e);
}

/*
 * ACLs lie on the disk as version 1, entries with an id only where one is meant; the kernel hands them out as version
 * 2, every entry 8 bytes.  buf holds 4 + 8 bytes for each 4 of the value.
 */
static int acl_to_kernel(const uint8_t *value, size_t size, uint8_t *buf, size_t *out_len, struct err *e)
{
	le32 version, id;
	size_t pos = sizeof version, n = 0;

	if (size < sizeof version)
		return err_set(e, ERR_CORRUPT, "an ACL of %zu bytes", size);
	memcpy(&version, value, sizeof version);
	if (le32_get(version) != 1)
		return err_set(e, ERR_UNSUPPORTED, "an ACL of version %" PRIu32, le32_get(version));
	le32_put(&version, 2);
	memcpy(buf, &version, sizeof version);
	n = sizeof version;
	while (pos < size) {
		le16 tag;

		if (size - pos < 4)
			return err_set(e, ERR_CORRUPT, "an ACL of %zu bytes", size);
		memcpy(&tag, value + pos, sizeof tag);
		memcpy(buf + n, value + pos, 4);
		pos += 4;
		le32_put(&id, UINT32_MAX);
		/* ACL_USER and ACL_GROUP name somebody. */
		if (le16_get(tag) == 2 || le16_get(tag) == 8) {
			if (size - pos < 4)
				return err_set(e, ERR_CORRUPT, "an ACL of %zu bytes", size);
			memcpy(&id, value + pos, sizeof id);
			pos += 4;
		}
		memcpy(buf + n + 4, &id, sizeof id);
		n += 8;
	}
	*out_len = n;
	return 0;
}

struct listing {
	int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e);
	void *arg;
};

static int entry_show(struct ext *x, const struct region *r, const struct xattr_entry *ent, const char *name,
		      const struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *large = NULL, *acl = NULL;
	const char *prefix = prefix_of(ent->name_index);
	char full[300];
	const uint8_t *value = NULL;
	size_t len = le32_get(ent->value_size);
	int rc = 0;

	if (!prefix)
		return 0;
	if (memchr(name, 0, ent->name_len))
		return err_set(e, ERR_CORRUPT, "the name of an extended attribute holds a NUL");
	snprintf(full, sizeof full, "%s%.*s", prefix, ent->name_len, name);
	if (len > LIMIT_XATTR_SIZE)
		return err_set(e, ERR_LIMIT, "an extended attribute of %zu bytes", len);
	if (le32_get(ent->value_ino)) {
		large = alloc_bytes(len);
		if (!large)
			return err_nomem(e);
		rc = len ? value_from_inode(x, le32_get(ent->value_ino), len, large, e) : 0;
		value = large;
	} else if (len) {
		rc = entry_value(r, ent, &value, e);
	}
	if (rc < 0)
		return rc;
	if (ent->name_index == INDEX_POSIX_ACL_ACCESS || ent->name_index == INDEX_POSIX_ACL_DEFAULT) {
		acl = alloc_bytes(4 + len * 2);
		if (!acl)
			return err_nomem(e);
		rc = acl_to_kernel(value, len, acl, &len, e);
		if (rc < 0)
			return rc;
		value = acl;
	}
	return l->fn(l->arg, full, value ? (const void *)value : "", len, e);
}

static int region_show(struct ext *x, const struct region *r, const struct listing *l, struct err *e)
{
	struct xattr_entry ent;
	size_t pos = r->first;
	const char *name;
	int rc;

	while ((rc = entry_next(r, &pos, &ent, &name, e)) > 0) {
		rc = entry_show(x, r, &ent, name, l, e);
		if (rc)
			return rc;
	}
	return rc;
}

/* crc32c over the block's own number and its bytes with the checksum as zeros. */
static bool block_checksum_matches(const struct ext *x, const uint8_t *block, uint64_t pblk)
{
	const struct xattr_block *h = (const void *)block;
	static const uint8_t zeros[4];
	le64 nr;
	uint32_t crc;
	size_t at = offsetof(struct xattr_block, checksum);

	le64_put(&nr, pblk);
	crc = ext2fs_crc32c_le(x->seed, nr.b, sizeof nr.b);
	crc = ext2fs_crc32c_le(crc, block, at);
	crc = ext2fs_crc32c_le(crc, zeros, sizeof zeros);
	crc = ext2fs_crc32c_le(crc, block + at + 4, x->bs - at - 4);
	return crc == le32_get(h->checksum);
}

static int block_show(struct ext *x, uint64_t pblk, const struct listing *l, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *block = NULL;
	const struct xattr_block *h;
	struct region r;
	int rc;

	if (pblk <= x->first_block || pblk >= x->nblocks)
		return err_set(e, ERR_CORRUPT, "extended attributes at block %" PRIu64 ", outside of the filesystem", pblk);
	block = alloc_bytes(x->bs);
	if (!block)
		return err_nomem(e);
	rc = ext_io_read_meta(&x->io, block, x->bs, pblk * x->bs, e);
	if (rc < 0)
		return rc;
	h = (const void *)block;
	if (le32_get(h->magic) != XATTR_MAGIC || le32_get(h->nblocks) != 1)
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " does not hold extended attributes", pblk);
	if (x->csum && !block_checksum_matches(x, block, pblk))
		return err_set(e, ERR_CORRUPT, "the checksum of the extended attributes at block %" PRIu64 " does not match",
			       pblk);
	r = (struct region){ .base = block, .size = x->bs, .first = sizeof *h };
	return region_show(x, &r, l, e);
}

int ext_xattrs(struct ext *x, struct ext_inode *in,
	       int (*fn)(void *arg, const char *name, const void *value, size_t len, struct err *e), void *arg,
	       struct err *e)
{
	const struct listing l = { .fn = fn, .arg = arg };
	uint64_t pblk = ext_inode_acl_block(in);
	struct region r;
	int rc;

	inode_region(x, in, &r);
	rc = region_show(x, &r, &l, e);
	if (rc == 0 && pblk)
		rc = block_show(x, pblk, &l, e);
	return rc < 0 ? err_in(e, rc, "inode %" PRIu32, in->ino) : rc;
}
