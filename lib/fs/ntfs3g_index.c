/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntfs3g_index.c - indexes of NTFS: the names of a directory, and tables such as that of security descriptors.
 *
 * A tree of nodes: the root is a value in the record, the others are blocks of the index's allocation, of which a bitmap
 * tells the ones in use.  A node is entries in order, the last one without a key; an entry may name, in its last 8 bytes,
 * the block with those that come before it.
 */
#include "ntfs3g.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>
#include <stddef.h>

#define DEPTH_MAX 32 /* a tree of 2^31 entries is not a third as deep */
#define SECTOR_BITS 9
enum { ENTRY_NODE = 1, ENTRY_END = 2 };

struct index_head {
	le32 entries_off, used, allocated; /* from this head on */
	uint8_t flags, reserved[3];
};
struct index_root_raw {
	le32 type, collation, block_size;
	uint8_t block_clusters, reserved[3];
	struct index_head head;
};
struct index_block_raw {
	uint8_t magic[4];
	le16 fixups_off, nfixups;
	le64 lsn, vcn;
	struct index_head head;
};
struct index_entry_raw {
	union {
		le64 reference;
		struct {
			le16 off, len;
			le32 reserved;
		} data;
	} u;
	le16 len, key_len, flags, reserved;
};

/* ---- opening ---- */

int nt_index_open(struct nt *x, struct nt_file *file, const le16 *name, unsigned len, struct nt_index *ix, struct err *e)
{
	struct index_root_raw root;
	int rc;

	memset(ix, 0, sizeof *ix);
	ix->x = x;
	rc = nt_attr_load(x, file, NTFS_INDEX_ROOT, name, len, x->super.record_size, &ix->root, &ix->root_len, e);
	if (rc < 0)
		return rc;
	if (!ix->root)
		return err_set(e, ERR_NOT_FOUND, "it has no index");
	if (ix->root_len < sizeof root)
		return err_set(e, ERR_CORRUPT, "the root of an index has %zu bytes", ix->root_len);
	memcpy(&root, ix->root, sizeof root);
	ix->key_type = le32_get(root.type);
	ix->block_size = le32_get(root.block_size);
	if (!is_pow2(ix->block_size) || ix->block_size < 512 || ix->block_size > 65536)
		return err_set(e, ERR_CORRUPT, "an index in blocks of %u bytes", ix->block_size);
	ix->vcn_bits = ix->block_size >= 1u << x->super.cluster_bits ? x->super.cluster_bits : SECTOR_BITS;
	rc = nt_attr_get(x, file, NTFS_INDEX_ALLOCATION, name, len, &ix->blocks, e);
	if (rc < 0 || !ix->blocks)
		return rc;
	if ((uint64_t)ix->blocks->data_size > LIMIT_NTFS_INDEX_SIZE)
		return err_set(e, ERR_LIMIT, "an index of %" PRId64 " bytes", (int64_t)ix->blocks->data_size);
	return nt_attr_load(x, file, NTFS_BITMAP, name, len, LIMIT_NTFS_INDEX_SIZE / 512 / 8, &ix->bitmap, &ix->bitmap_len, e);
}

void nt_index_close(struct nt_index *ix)
{
	free(ix->root);
	free(ix->bitmap);
	nt_attr_putp(&ix->blocks);
	memset(ix, 0, sizeof *ix);
}

/* ---- nodes ---- */

/* A node's entries: from pos to end of the bytes. */
struct node {
	const uint8_t *bytes;
	size_t pos, end;
};

static int node_of(const uint8_t *bytes, size_t size, size_t head_off, struct node *n, struct err *e)
{
	struct index_head h;
	uint32_t off, used;

	memcpy(&h, bytes + head_off, sizeof h);
	off = le32_get(h.entries_off);
	used = le32_get(h.used);
	if (used > size - head_off || off < sizeof h || off > used || off % 8)
		return err_set(e, ERR_CORRUPT, "a node of an index with entries from %" PRIu32 " to %" PRIu32, off, used);
	*n = (struct node){ .bytes = bytes, .pos = head_off + off, .end = head_off + used };
	return 0;
}

/* A block, read and put right.  buf has the size of one. */
static int block_read(struct nt_index *ix, uint64_t off, uint8_t *buf, struct node *n, struct err *e)
{
	struct index_block_raw h;
	int rc = nt_attr_read(ix->x, ix->blocks, buf, ix->block_size, off, e);

	if (rc < 0)
		return rc;
	memcpy(&h, buf, sizeof h);
	if (memcmp(h.magic, "INDX", sizeof h.magic) != 0)
		return err_set(e, ERR_CORRUPT, "there is no block of the index at byte %" PRIu64, off);
	if (!nt_fixup(buf, ix->block_size))
		return err_set(e, ERR_CORRUPT, "the block of the index at byte %" PRIu64 " was not written whole", off);
	if (le64_get(h.vcn) != off >> ix->vcn_bits)
		return err_set(e, ERR_CORRUPT, "the block of the index at byte %" PRIu64 " belongs elsewhere", off);
	return node_of(buf, ix->block_size, offsetof(struct index_block_raw, head), n, e);
}

/* The next entry, judged to lie in its node: 1, or 0 at the last one, which has no key.  n->pos grows by at least 16. */
static int entry_next(const struct nt_index *ix, struct node *n, struct nt_index_entry *ent, bool *has_child,
		      uint64_t *child, struct err *e)
{
	struct index_entry_raw raw;
	size_t len, room;
	le64 vcn;

	if (!range_in(n->pos, sizeof raw, n->end))
		return err_set(e, ERR_CORRUPT, "a node of an index that does not end");
	memcpy(&raw, n->bytes + n->pos, sizeof raw);
	len = le16_get(raw.len);
	*has_child = le16_get(raw.flags) & ENTRY_NODE;
	if (len < sizeof raw + (*has_child ? sizeof vcn : 0) || len % 8 || !range_in(n->pos, len, n->end))
		return err_set(e, ERR_CORRUPT, "an index entry of %zu bytes with %zu left", len, n->end - n->pos);
	room = len - sizeof raw - (*has_child ? sizeof vcn : 0);
	if (*has_child) {
		memcpy(&vcn, n->bytes + n->pos + len - sizeof vcn, sizeof vcn);
		*child = le64_get(vcn);
	}
	memset(ent, 0, sizeof *ent);
	if (!(le16_get(raw.flags) & ENTRY_END)) {
		ent->key = n->bytes + n->pos + sizeof raw;
		ent->key_len = le16_get(raw.key_len);
		if (ent->key_len > room)
			return err_set(e, ERR_CORRUPT, "a key of %zu bytes in an index entry of %zu", ent->key_len, len);
		if (ix->key_type) {
			ent->reference = le64_get(raw.u.reference);
		} else {
			size_t off = le16_get(raw.u.data.off);

			ent->data = n->bytes + n->pos + off;
			ent->data_len = le16_get(raw.u.data.len);
			if (off < sizeof raw || !range_in(off, ent->data_len, sizeof raw + room))
				return err_set(e, ERR_CORRUPT, "data that lie outside of their index entry");
		}
	}
	n->pos += len;
	return !(le16_get(raw.flags) & ENTRY_END);
}

/* ---- all of them ---- */

static int node_each(struct nt_index *ix, struct node *n, int (*fn)(void *, const struct nt_index_entry *, struct err *),
		     void *arg, struct err *e)
{
	struct nt_index_entry ent;
	bool has_child = false;
	uint64_t child = 0;
	int rc;

	while ((rc = entry_next(ix, n, &ent, &has_child, &child, e)) > 0) {
		rc = fn(arg, &ent, e);
		if (rc)
			return rc;
	}
	return rc;
}

/* It ends: blocks are counted.  Those that the bitmap does not have are free, whatever they hold. */
int nt_index_each(struct nt_index *ix, int (*fn)(void *, const struct nt_index_entry *, struct err *), void *arg,
		  struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	uint64_t nblocks = ix->blocks ? (uint64_t)ix->blocks->data_size / ix->block_size : 0;
	struct node n;
	int rc = node_of(ix->root, ix->root_len, offsetof(struct index_root_raw, head), &n, e);

	if (rc == 0)
		rc = node_each(ix, &n, fn, arg, e);
	if (rc || nblocks == 0)
		return rc;
	buf = alloc_bytes(ix->block_size);
	if (!buf)
		return err_nomem(e);
	for (uint64_t i = 0; i < nblocks && i / 8 < ix->bitmap_len; i++) {
		if (!(ix->bitmap[i / 8] >> i % 8 & 1))
			continue;
		rc = block_read(ix, i * ix->block_size, buf, &n, e);
		if (rc == 0)
			rc = node_each(ix, &n, fn, arg, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- one of them ---- */

/* It ends: steps down are counted. */
int nt_index_find(struct nt_index *ix, int (*cmp)(void *, const struct nt_index_entry *), void *arg, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *buf = NULL;
	struct node n;
	int rc = node_of(ix->root, ix->root_len, offsetof(struct index_root_raw, head), &n, e);

	for (unsigned depth = 0; rc == 0; depth++) {
		struct nt_index_entry ent;
		bool has_child = false;
		uint64_t child = 0;

		while ((rc = entry_next(ix, &n, &ent, &has_child, &child, e)) > 0) {
			int order = cmp(arg, &ent);

			if (order == 0)
				return 1;
			if (order < 0)
				break;
		}
		if (rc < 0 || !has_child)
			return MIN_OF(rc, 0);
		if (depth == DEPTH_MAX || !ix->blocks || child > LIMIT_NTFS_INDEX_SIZE >> ix->vcn_bits)
			return err_set(e, ERR_CORRUPT, "an index that leads to block %" PRIu64, child);
		if (!buf)
			buf = alloc_bytes(ix->block_size);
		if (!buf)
			return err_nomem(e);
		rc = block_read(ix, child << ix->vcn_bits, buf, &n, e);
	}
	return rc;
}
