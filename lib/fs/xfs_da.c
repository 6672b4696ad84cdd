/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_da.c - the trees of hashes that directories and attributes have in common ("da": directory, attribute).
 *
 * A node is a head, with its count of entries and its level above the leaves, then entries: the highest hash below, and the
 * block of the fork one level down.
 */
#include "xfs.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>

struct node_entry {
	be32 hash, child;
};
/* Behind the common head, which in version 5 is longer. */
struct node_tail {
	be16 count, level;
};
#define INFO3 56u
#define NODE3_HEAD 64u

uint32_t xfs_da_hash(const char *name, size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < len; i++)
		hash = (uint8_t)name[i] ^ (hash << 7 | hash >> 25);
	return hash;
}

/* The child for the hash: the first whose highest hash is not below it, or else the last. */
static int node_choose(const struct xfs *x, const uint8_t *node, size_t size, uint32_t hash, unsigned *level,
		       uint64_t *child, struct err *e)
{
	size_t info = x->v5 ? INFO3 : sizeof(struct xfs_da_info), head = x->v5 ? NODE3_HEAD : info + sizeof(struct node_tail);
	struct node_entry ent;
	struct node_tail t;
	unsigned lo = 0, hi;

	memcpy(&t, node + info, sizeof t);
	*level = be16_get(t.level);
	hi = be16_get(t.count);
	if (hi == 0 || hi > (size - head) / sizeof ent)
		return err_set(e, ERR_CORRUPT, "a node of hashes with %u entries", hi);
	for (hi--; lo < hi;) {
		unsigned mid = lo + (hi - lo) / 2;

		memcpy(&ent, node + head + mid * sizeof ent, sizeof ent);
		if (be32_get(ent.hash) < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	memcpy(&ent, node + head + lo * sizeof ent, sizeof ent);
	*child = be32_get(ent.child);
	return 0;
}

/* It ends: each level is one below the last, and the root's has a limit. */
int xfs_da_descend(struct xfs *x, struct xfs_inode *in, struct xfs_fork *f, uint64_t root, unsigned n, uint32_t hash,
		   struct xfs_da_block *b, struct err *e)
{
	unsigned level = 0;

	b->lblk = root;
	for (bool at_root = true;; at_root = false) {
		unsigned found = 0;
		struct xfs_da_info h;
		int rc = xfs_map_meta(x, in, f, b->lblk, n, b->bytes, &b->pos, &b->logged, e);

		if (rc < 0)
			return rc;
		memcpy(&h, b->bytes, sizeof h);
		if (be16_get(h.magic) != (x->v5 ? XFS_DA_NODE3 : XFS_DA_NODE2)) {
			if (at_root || level == 1)
				return 0;
			return err_set(e, ERR_CORRUPT, "block %" PRIu64 " is no node of hashes", b->lblk);
		}
		rc = xfs_self_check(x, &xfs_self_da, b->bytes, (size_t)n << x->bs_bits, b->pos, in->ino, b->logged,
				    "node of hashes", e);
		if (rc == 0)
			rc = node_choose(x, b->bytes, (size_t)n << x->bs_bits, hash, &found, &b->lblk, e);
		if (rc < 0)
			return rc;
		if (found == 0 || found > LIMIT_XFS_DA_LEVELS || (!at_root && found != level - 1))
			return err_set(e, ERR_CORRUPT, "a node of hashes of level %u below one of %u", found, level);
		level = found;
	}
}
