/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_tree.c - trees: nodes read, checked and kept, and items found by their keys.
 *
 * A node is checked once, when it comes from a device: its sum, that it lies where it says and belongs to this
 * filesystem, that its keys grow and its items lie within it without a gap.  A copy that fails is passed over for the
 * next.  That it is the node that was meant (its level, generation and first key, as the node above says) is checked each
 * time.
 *
 * Walks along a tree end: a walk goes from one leaf to another only if keys grow, so it sees no leaf twice.
 */
#include "btrfs.h"

#include "alloc.h"

#include <inttypes.h>

#define HEADER sizeof(struct btrfs_disk_header)
#define ITEM sizeof(struct btrfs_disk_item)
#define PTR sizeof(struct btrfs_disk_ptr)
/* Of all nodes that are kept. */
#define CACHE_BYTES (8 * MiB)

/* ---- keys ---- */

struct btrfs_key btrfs_disk_key_get(const struct btrfs_disk_key *k)
{
	return (struct btrfs_key){ .objectid = le64_get(k->objectid), .type = k->type, .offset = le64_get(k->offset) };
}

int btrfs_key_cmp(const struct btrfs_key *a, const struct btrfs_key *b)
{
	if (a->objectid != b->objectid)
		return a->objectid < b->objectid ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a->offset == b->offset ? 0 : a->offset < b->offset ? -1 : 1;
}

static struct btrfs_key key_of(const struct btrfs_node *n, unsigned slot)
{
	struct btrfs_disk_key k;

	memcpy(&k, n->data + HEADER + slot * (n->level ? PTR : ITEM), sizeof k);
	return btrfs_disk_key_get(&k);
}

static struct btrfs_disk_item item_of(const struct btrfs_node *n, unsigned slot)
{
	struct btrfs_disk_item i;

	memcpy(&i, n->data + HEADER + slot * ITEM, sizeof i);
	return i;
}

/* ---- the cache ---- */

static void node_unref(struct btrfs_node *n)
{
	if (n && --n->refs == 0)
		free(n);
}

static struct btrfs_node **bucket_of(struct btrfs *b, uint64_t logical)
{
	return &b->buckets[logical / b->nodesize % BTRFS_NODE_BUCKETS];
}

static void list_out(struct btrfs *b, struct btrfs_node *n)
{
	*(n->older ? &n->older->newer : &b->oldest) = n->newer;
	*(n->newer ? &n->newer->older : &b->newest) = n->older;
	n->older = n->newer = NULL;
}

static void list_in(struct btrfs *b, struct btrfs_node *n)
{
	n->older = b->newest;
	*(b->newest ? &b->newest->newer : &b->oldest) = n;
	b->newest = n;
}

static void cache_drop(struct btrfs *b, struct btrfs_node *n)
{
	struct btrfs_node **at = bucket_of(b, n->logical);

	while (*at != n)
		at = &(*at)->hash_next;
	*at = n->hash_next;
	list_out(b, n);
	b->nnodes--;
	node_unref(n);
}

static void cache_add(struct btrfs *b, struct btrfs_node *n)
{
	struct btrfs_node **at = bucket_of(b, n->logical);

	while (b->nnodes >= MAX_OF(CACHE_BYTES / b->nodesize, 16ULL))
		cache_drop(b, b->oldest);
	n->hash_next = *at;
	*at = n;
	list_in(b, n);
	b->nnodes++;
	n->refs++;
}

static struct btrfs_node *cache_find(struct btrfs *b, uint64_t logical)
{
	for (struct btrfs_node *n = *bucket_of(b, logical); n; n = n->hash_next)
		if (n->logical == logical) {
			list_out(b, n);
			list_in(b, n);
			return n;
		}
	return NULL;
}

void btrfs_nodes_free(struct btrfs *b)
{
	while (b->oldest)
		cache_drop(b, b->oldest);
}

/* ---- checking ---- */

static int leaf_judge(const struct btrfs *b, const struct btrfs_node *n, struct err *e)
{
	uint64_t end = b->nodesize - HEADER;

	/* The data of items fills the node from its end, in the order of the items, without gaps. */
	for (unsigned i = 0; i < n->nritems; i++) {
		const struct btrfs_disk_item it = item_of(n, i);
		uint64_t off = le32_get(it.offset), size = le32_get(it.size);

		if (off + size != end || off < n->nritems * ITEM)
			return err_set(e, ERR_CORRUPT, "item %u of %" PRIu64 " bytes at byte %" PRIu64, i, size, off);
		end = off;
	}
	return 0;
}

static int keys_judge(const struct btrfs_node *n, struct err *e)
{
	for (unsigned i = 1; i < n->nritems; i++) {
		const struct btrfs_key a = key_of(n, i - 1), k = key_of(n, i);

		if (btrfs_key_cmp(&a, &k) >= 0)
			return err_set(e, ERR_CORRUPT, "items out of order");
	}
	return 0;
}

static int node_judge(const struct btrfs *b, struct btrfs_node *n, struct err *e)
{
	const struct btrfs_disk_header *h = (const void *)n->data;
	uint8_t csum[BTRFS_CSUM_MAX];
	int rc;

	btrfs_csum(b->csum_type, n->data + BTRFS_CSUM_MAX, b->nodesize - BTRFS_CSUM_MAX, csum);
	if (memcmp(csum, h->csum, b->csum_size) != 0)
		return err_set(e, ERR_CORRUPT, "its checksum does not match");
	if (le64_get(h->bytenr) != n->logical)
		return err_set(e, ERR_CORRUPT, "it says that it lies at %" PRIu64, le64_get(h->bytenr));
	if (!btrfs_fsid_is_ours(b, h->fsid))
		return err_set(e, ERR_CORRUPT, "it belongs to another filesystem");
	n->level = h->level;
	n->nritems = le32_get(h->nritems);
	n->generation = le64_get(h->generation);
	if (n->level >= BTRFS_MAX_LEVEL)
		return err_set(e, ERR_CORRUPT, "level %u", n->level);
	if (n->nritems > (b->nodesize - HEADER) / (n->level ? PTR : ITEM) || (n->level && n->nritems == 0))
		return err_set(e, ERR_CORRUPT, "%" PRIu32 " items in %" PRIu32 " bytes", n->nritems, b->nodesize);
	rc = keys_judge(n, e);
	return rc == 0 && n->level == 0 ? leaf_judge(b, n, e) : rc;
}

/* ---- reading ---- */

/* What the node above, or who names a root, says of a node. */
struct expected {
	uint64_t logical, generation;
	uint8_t level;
	const struct btrfs_key *first; /* NULL: a root */
};

/* An older version of a node that was meant is as wrong as another node. */
static int node_compare(const struct btrfs_node *n, const struct expected *x, struct err *e)
{
	if (n->level != x->level)
		return err_set(e, ERR_CORRUPT, "it has level %u, not %u", n->level, x->level);
	if (n->generation != x->generation)
		return err_set(e, ERR_CORRUPT, "it is of generation %" PRIu64 ", not %" PRIu64, n->generation,
			       x->generation);
	if (x->first) {
		const struct btrfs_key k = n->nritems ? key_of(n, 0) : (struct btrfs_key){ 0 };

		if (n->nritems == 0 || btrfs_key_cmp(&k, x->first) != 0)
			return err_set(e, ERR_CORRUPT, "its first key is another one");
	}
	return 0;
}

/* The first copy that is good; the error is that of the first one. */
static int node_read(struct btrfs *b, const struct btrfs_tree *t, const struct expected *x, struct btrfs_node **out,
		     struct err *e)
{
	CLEANUP(free_ptr) struct btrfs_node *n = alloc_bytes(sizeof *n + b->nodesize);
	struct err first = ERR_INIT;
	unsigned ways = 0;
	int rc;

	if (!n)
		return err_nomem(e);
	memset(n, 0, sizeof *n);
	n->refs = 1;
	n->logical = x->logical;
	if (x->logical % b->sectorsize)
		return err_set(e, ERR_CORRUPT, "no node begins there");
	rc = btrfs_node_ways(b, x->logical, t->system, &ways, e);
	if (rc < 0)
		return rc;
	for (unsigned way = 0; way < ways; way++) {
		struct err why = ERR_INIT;

		rc = btrfs_node_bytes(b, x->logical, t->system, way, n->data, &why);
		if (rc == 0)
			rc = node_judge(b, n, &why);
		if (rc == 0)
			rc = node_compare(n, x, &why);
		if (rc == 0) {
			*out = take(n);
			return 0;
		}
		if (rc == -ERR_NOMEM)
			return err_nomem(e);
		if (way == 0)
			first = why;
	}
	if (e)
		*e = first;
	return -(int)first.code;
}

static int node_get(struct btrfs *b, const struct btrfs_tree *t, const struct expected *x, struct btrfs_node **out,
		    struct err *e)
{
	struct btrfs_node *n = cache_find(b, x->logical);
	int rc;

	if (n) {
		rc = node_compare(n, x, e);
		if (rc == 0)
			n->refs++;
	} else {
		rc = node_read(b, t, x, &n, e);
		if (rc == 0)
			cache_add(b, n);
	}
	if (rc < 0)
		return err_in(e, rc, "tree %" PRId64 ": node at %" PRIu64, (int64_t)t->id, x->logical);
	*out = n;
	return 0;
}

/* ---- paths ---- */

void btrfs_path_free(struct btrfs_path *p)
{
	for (unsigned i = 0; i < BTRFS_MAX_LEVEL; i++) {
		node_unref(p->nodes[i]);
		p->nodes[i] = NULL;
	}
}

struct btrfs_key btrfs_path_key(const struct btrfs_path *p)
{
	return key_of(p->nodes[0], p->slots[0]);
}

bool btrfs_path_is(const struct btrfs_path *p, uint64_t objectid, uint8_t type)
{
	const struct btrfs_key k = btrfs_path_key(p);

	return k.objectid == objectid && k.type == type;
}

const void *btrfs_path_item(const struct btrfs_path *p, size_t *size)
{
	const struct btrfs_disk_item it = item_of(p->nodes[0], p->slots[0]);

	*size = le32_get(it.size);
	return p->nodes[0]->data + HEADER + le32_get(it.offset);
}

/* The node below the present slot of `level`. */
static int path_down(struct btrfs *b, const struct btrfs_tree *t, struct btrfs_path *p, unsigned level, struct err *e)
{
	struct btrfs_node *n;
	struct btrfs_disk_ptr ptr;
	struct btrfs_key first;
	struct expected x;
	int rc;

	memcpy(&ptr, p->nodes[level]->data + HEADER + p->slots[level] * PTR, sizeof ptr);
	first = btrfs_disk_key_get(&ptr.key);
	x = (struct expected){ .logical = le64_get(ptr.blockptr), .generation = le64_get(ptr.generation),
			       .level = (uint8_t)(level - 1), .first = &first };
	rc = node_get(b, t, &x, &n, e);
	if (rc < 0)
		return rc;
	node_unref(p->nodes[level - 1]);
	p->nodes[level - 1] = n;
	p->slots[level - 1] = 0;
	return 0;
}

/* How many of a node's keys are below `key` (or_equal: not above it). */
static unsigned keys_below(const struct btrfs_node *n, const struct btrfs_key *key, bool or_equal)
{
	unsigned lo = 0, hi = n->nritems;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct btrfs_key k = key_of(n, mid);
		int cmp = btrfs_key_cmp(&k, key);

		if (cmp < 0 || (or_equal && cmp == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Down to the leaf in which the key would be; the slots above it lead there. */
static int path_to_leaf(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
			struct err *e)
{
	const struct expected root = { .logical = t->root, .generation = t->generation, .level = t->level };
	int rc;

	btrfs_path_free(p);
	rc = node_get(b, t, &root, &p->nodes[t->level], e);
	for (unsigned level = t->level; rc == 0 && level > 0; level--) {
		unsigned n = keys_below(p->nodes[level], key, true);

		p->slots[level] = n ? n - 1 : 0;
		rc = path_down(b, t, p, level, e);
	}
	return rc;
}

/* From behind the leaf's last item to the first of the next leaf: 1, or 0 when there is none. */
static int path_next_leaf(struct btrfs *b, const struct btrfs_tree *t, struct btrfs_path *p, struct err *e)
{
	struct btrfs_key last = { 0 }, first;
	bool any = p->nodes[0]->nritems > 0;
	unsigned level = 1;
	int rc = 0;

	if (any)
		last = key_of(p->nodes[0], p->nodes[0]->nritems - 1);
	while (level <= t->level && p->slots[level] + 1 >= p->nodes[level]->nritems)
		level++;
	if (level > t->level)
		return 0;
	p->slots[level]++;
	for (; rc == 0 && level > 0; level--)
		rc = path_down(b, t, p, level, e);
	if (rc < 0)
		return rc;
	first = key_of(p->nodes[0], 0);
	if (any && btrfs_key_cmp(&last, &first) >= 0)
		return err_set(e, ERR_CORRUPT, "tree %" PRId64 ": leaves out of order", (int64_t)t->id);
	return 1;
}

int btrfs_seek(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
	       struct err *e)
{
	int rc = path_to_leaf(b, t, key, p, e);

	if (rc < 0)
		return rc;
	p->slots[0] = keys_below(p->nodes[0], key, false);
	if (p->slots[0] < p->nodes[0]->nritems)
		return 1;
	return path_next_leaf(b, t, p, e);
}

int btrfs_seek_last(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
		    struct err *e)
{
	int rc = path_to_leaf(b, t, key, p, e);
	unsigned n;

	if (rc < 0)
		return rc;
	/* A leaf begins at the key above it, which is not above ours unless all are. */
	n = keys_below(p->nodes[0], key, true);
	if (n == 0)
		return 0;
	p->slots[0] = n - 1;
	return 1;
}

int btrfs_seek_exact(struct btrfs *b, const struct btrfs_tree *t, const struct btrfs_key *key, struct btrfs_path *p,
		     struct err *e)
{
	struct btrfs_key found;
	int rc = btrfs_seek_last(b, t, key, p, e);

	if (rc <= 0)
		return rc;
	found = btrfs_path_key(p);
	return btrfs_key_cmp(&found, key) == 0;
}

int btrfs_next(struct btrfs *b, const struct btrfs_tree *t, struct btrfs_path *p, struct err *e)
{
	if (++p->slots[0] < p->nodes[0]->nritems)
		return 1;
	return path_next_leaf(b, t, p, e);
}
