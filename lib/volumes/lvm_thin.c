/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm_thin.c - thin pools (dm-thin) and the volumes in them.
 *
 * The pool's metadata volume is made of blocks of 4 KiB, each with its own number and a checksum: CRC-32C of all behind the
 * checksum, started with ones, xored with a salt for each kind of block.  Block 0 is the superblock.  From it hangs a
 * B-tree over device numbers whose values are the roots of B-trees over the device's blocks; their values are a block
 * of the pool's data volume, shifted left by 24, and the time when it was mapped.  A block that is not in the tree is zeros,
 * or shows through from the external origin.  Snapshots share nodes and blocks.
 *
 * The kernel never writes over what a superblock leads to before the next superblock is there: a pool that crashed is read
 * as of its last commit, as the kernel would read it, and nothing needs to be replayed.
 */
#include "lvm.h"

#include "alloc.h"
#include "block_driver.h"
#include "checked.h"
#include "crc32c.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#define BLOCK 4096
#define SUPER_SALT 160774u
#define NODE_SALT 121107u
#define POOL_MAGIC 27022010u
#define NEEDS_CHECK 1u
#define NODE_INTERNAL 1u
#define NODE_LEAF 2u
#define TIME_BITS 24
/* Nodes that are kept, by the low bits of their number: 512 KiB. */
#define NSLOTS 128

struct pool_super {
	le32 crc, flags;
	le64 blocknr;
	uint8_t uuid[16];
	le64 magic;
	le32 version, time;
	le64 transaction, held_root;
	uint8_t space_maps[2][128];
	le64 mappings_root, details_root;
	le32 data_block_sectors, block_sectors;
	le64 nblocks;
	le32 compat, compat_ro, incompat;
};
_Static_assert(sizeof(struct pool_super) == 364, "as dm-thin writes it");

struct node_header {
	le32 crc, flags;
	le64 blocknr;
	le32 nentries, max_entries, value_size, padding;
};
_Static_assert(sizeof(struct node_header) == 32, "as dm-thin writes it");

struct slot {
	uint64_t nr;	/* the block's number; 0: none (it is the superblock) */
	uint32_t n, max; /* of its entries */
	bool leaf;
	uint8_t bytes[BLOCK];
};

struct lvm_pool {
	atomic_uint refs;
	char *name;
	struct block *meta, *data; /* a reference each */
	uint64_t nblocks, chunk, root;
	bool needs_check;
	pthread_mutex_t lock; /* of the slots */
	bool has_lock;
	struct slot *slots;
};

static struct lvm_pool *pool_ref(struct lvm_pool *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void lvm_pool_unref(struct lvm_pool *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	block_unref(p->meta);
	block_unref(p->data);
	if (p->has_lock)
		pthread_mutex_destroy(&p->lock);
	free(p->slots);
	free(p->name);
	free(p);
}

static void pool_unrefp(struct lvm_pool **p)
{
	lvm_pool_unref(*p);
}

bool lvm_pool_needs_check(const struct lvm_pool *p)
{
	return p->needs_check;
}

static bool sum_is_right(const uint8_t *block, uint32_t salt)
{
	le32 crc;

	memcpy(&crc, block, sizeof crc);
	return (crc32c(~0u, block + sizeof crc, BLOCK - sizeof crc) ^ salt) == le32_get(crc);
}

/* ---- the trees ---- */

static uint64_t u64_at(const uint8_t *p)
{
	le64 v;

	memcpy(&v, p, sizeof v);
	return le64_get(v);
}

static uint64_t key_at(const struct slot *s, uint32_t i)
{
	return u64_at(s->bytes + sizeof(struct node_header) + (size_t)i * 8);
}

static uint64_t value_at(const struct slot *s, uint32_t i)
{
	return u64_at(s->bytes + sizeof(struct node_header) + ((size_t)s->max + i) * 8);
}

/* Judges the node in s->bytes, which should be that of the number nr. */
static int node_judge(struct slot *s, uint64_t nr, struct err *e)
{
	struct node_header h;
	uint32_t flags;

	memcpy(&h, s->bytes, sizeof h);
	flags = le32_get(h.flags);
	s->n = le32_get(h.nentries);
	s->max = le32_get(h.max_entries);
	s->leaf = flags & NODE_LEAF;
	if (!sum_is_right(s->bytes, NODE_SALT))
		return err_set(e, ERR_CORRUPT, "the checksum of block %" PRIu64 " does not match", nr);
	if (le64_get(h.blocknr) != nr)
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " says that it is another one", nr);
	/* Values have 8 bytes in both trees. */
	if (!(flags & NODE_INTERNAL) == !s->leaf || le32_get(h.value_size) != 8 || s->max > (BLOCK - sizeof h) / 16 ||
	    s->n > s->max)
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " is no node of its tree", nr);
	for (uint32_t i = 1; i < s->n; i++)
		if (key_at(s, i - 1) >= key_at(s, i))
			return err_set(e, ERR_CORRUPT, "the keys of block %" PRIu64 " are not in order", nr);
	return 0;
}

/* A node, lent until the next call; the lock is held. */
static int node_get(struct lvm_pool *p, uint64_t nr, const struct slot **out, struct err *e)
{
	struct slot *s = &p->slots[nr % NSLOTS];
	int rc;

	*out = s;
	if (s->nr == nr && nr)
		return 0;
	if (nr == 0 || nr >= p->nblocks)
		return err_set(e, ERR_CORRUPT, "a tree leads to block %" PRIu64 " of %" PRIu64, nr, p->nblocks);
	s->nr = 0;
	rc = block_pread(p->meta, s->bytes, BLOCK, nr * BLOCK, e);
	if (rc == 0)
		rc = node_judge(s, nr, e);
	if (rc == 0)
		s->nr = nr;
	return rc;
}

/* The last entry whose key is not larger; s->n: there is none. */
static uint32_t entry_for(const struct slot *s, uint64_t key)
{
	uint32_t from = 0, to = s->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (key_at(s, mid) <= key)
			from = mid + 1;
		else
			to = mid;
	}
	return from ? from - 1 : s->n;
}

/*
 * What follows a key in a tree: n keys in a row from it on are there, the values of which (shifted right by `shift`) rise by
 * one each, or n are not there.
 */
struct run {
	bool there;
	uint64_t value, n;
};

static struct run leaf_run(const struct slot *s, uint64_t key, uint64_t bound, unsigned shift)
{
	uint32_t i = entry_for(s, key);
	struct run r = { .n = 1 };

	if (i == s->n || key_at(s, i) != key) {
		i = i == s->n ? 0 : i + 1;
		r.n = (i < s->n ? MIN_OF(key_at(s, i), bound) : bound) - key;
		return r;
	}
	r.there = true;
	r.value = value_at(s, i) >> shift;
	while (i + r.n < s->n && key_at(s, i + (uint32_t)r.n) == key + r.n &&
	       value_at(s, i + (uint32_t)r.n) >> shift == r.value + r.n)
		r.n++;
	return r;
}

/* Looks a key up below a root; the lock is held.  Only keys below bound (above key) are of interest. */
static int tree_find(struct lvm_pool *p, uint64_t root, uint64_t key, uint64_t bound, unsigned shift, struct run *out,
		     struct err *e)
{
	const struct slot *s;

	for (unsigned depth = 0; depth < LIMIT_THIN_DEPTH; depth++) {
		int rc = node_get(p, root, &s, e);
		uint32_t i;

		if (rc < 0)
			return rc;
		if (s->leaf) {
			*out = leaf_run(s, key, bound, shift);
			return 0;
		}
		i = entry_for(s, key);
		if (i == s->n) {
			/* Before the first key, or in a node without any. */
			*out = (struct run){ .n = (s->n ? MIN_OF(key_at(s, 0), bound) : bound) - key };
			return 0;
		}
		if (i + 1 < s->n)
			bound = MIN_OF(bound, key_at(s, i + 1));
		root = value_at(s, i);
	}
	return err_set(e, ERR_CORRUPT, "a tree of more than %d levels", LIMIT_THIN_DEPTH);
}

static int tree_find_locked(struct lvm_pool *p, uint64_t root, uint64_t key, uint64_t bound, unsigned shift,
			    struct run *out, struct err *e)
{
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = tree_find(p, root, key, bound, shift, out, e);
	pthread_mutex_unlock(&p->lock);
	return rc < 0 ? err_in(e, rc, "metadata of thin pool %s", p->name) : 0;
}

/* ---- the pool ---- */

static int super_read(const struct lvm_pool_how *how, struct lvm_pool *p, struct err *e)
{
	uint8_t raw[BLOCK];
	struct pool_super h;
	uint64_t transaction;
	int rc;

	if (block_size(how->meta) < BLOCK)
		return err_set(e, ERR_CORRUPT, "its metadata volume has no superblock");
	rc = block_pread(how->meta, raw, sizeof raw, 0, e);
	if (rc < 0)
		return rc;
	memcpy(&h, raw, sizeof h);
	if (le64_get(h.magic) != POOL_MAGIC)
		return err_set(e, ERR_CORRUPT, "its metadata volume has no superblock");
	if (!sum_is_right(raw, SUPER_SALT))
		return err_set(e, ERR_CORRUPT, "the checksum of its superblock does not match");
	if (le32_get(h.version) < 1 || le32_get(h.version) > 2 || le32_get(h.incompat))
		return err_set(e, ERR_UNSUPPORTED, "version %" PRIu32 " of its metadata, with features 0x%" PRIx32,
			       le32_get(h.version), le32_get(h.incompat));
	if (le32_get(h.block_sectors) != BLOCK / LVM_SECTOR)
		return err_set(e, ERR_UNSUPPORTED, "metadata blocks of %" PRIu32 " sectors", le32_get(h.block_sectors));
	p->chunk = (uint64_t)le32_get(h.data_block_sectors) * LVM_SECTOR;
	if (p->chunk == 0 || (how->chunk_size && p->chunk != how->chunk_size))
		return err_set(e, ERR_CORRUPT, "its chunks have %" PRIu64 " bytes, but the volume group says %" PRIu64,
			       p->chunk, how->chunk_size);
	/* What the volume group has told the pool to make, and the pool has not yet made, is one transaction ahead. */
	transaction = le64_get(h.transaction);
	if (transaction != how->transaction_id && !(how->has_messages && transaction + 1 == how->transaction_id))
		return err_set(e, ERR_CORRUPT,
			       "it is at transaction %" PRIu64 ", but the volume group at %" PRIu64, transaction,
			       how->transaction_id);
	p->nblocks = MIN_OF(le64_get(h.nblocks), block_size(how->meta) / BLOCK);
	p->root = le64_get(h.mappings_root);
	p->needs_check = le32_get(h.flags) & NEEDS_CHECK;
	return 0;
}

int lvm_pool_open(const struct lvm_pool_how *how, struct lvm_pool **out, struct err *e)
{
	CLEANUP(pool_unrefp) struct lvm_pool *p = alloc_zero(sizeof *p);
	int rc;

	if (!p)
		return err_nomem(e);
	atomic_init(&p->refs, 1);
	p->meta = block_ref(how->meta);
	p->data = block_ref(how->data);
	p->has_lock = pthread_mutex_init(&p->lock, NULL) == 0;
	p->name = alloc_strdup(how->name);
	p->slots = alloc_array(NSLOTS, sizeof *p->slots);
	if (!p->has_lock || !p->name || !p->slots)
		return err_nomem(e);
	rc = super_read(how, p, e);
	if (rc < 0)
		return rc;
	*out = take(p);
	return 0;
}

/* ---- a volume ---- */

struct thin_state {
	struct lvm_pool *pool;
	uint64_t root;
	struct block *external; /* a reference; NULL: none */
};

static void thin_close(struct block *b)
{
	struct thin_state *s = b->state;

	lvm_pool_unref(s->pool);
	block_unref(s->external);
}

/* Where the bytes from off on lie: block NULL: they are zeros. */
struct place {
	struct block *block;
	uint64_t off, len;
};

static int thin_find(struct block *b, uint64_t off, uint64_t len, struct place *out, struct err *e)
{
	const struct thin_state *s = b->state;
	uint64_t chunk = s->pool->chunk, in_chunk = off % chunk, end, there;
	struct run r;
	int rc = tree_find_locked(s->pool, s->root, off / chunk, div_round_up(off + len, chunk), TIME_BITS, &r, e);

	if (rc < 0)
		return rc;
	/* It is within what was asked for: the run ends at a bound that does. */
	out->len = MIN_OF(len, r.n * chunk - in_chunk);
	if (r.there) {
		if (!checked_mul(r.value, chunk, &out->off) || !checked_add(out->off, in_chunk, &out->off) ||
		    !range_in(out->off, out->len, block_size(s->pool->data)))
			return err_set(e, ERR_CORRUPT, "block %" PRIu64 " of thin pool %s lies past its end", r.value,
				       s->pool->name);
		out->block = s->pool->data;
		return 0;
	}
	end = s->external ? block_size(s->external) : 0;
	there = off < end ? end - off : 0;
	out->block = there ? s->external : NULL;
	out->off = off;
	if (there)
		out->len = MIN_OF(out->len, there);
	return 0;
}

static int thin_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	char *p = buf;

	while (len) {
		struct place at;
		int rc = thin_find(b, off, len, &at, e);

		if (rc == 0 && at.block)
			rc = block_pread(at.block, p, (size_t)at.len, at.off, e);
		else if (rc == 0)
			memset(p, 0, (size_t)at.len);
		if (rc < 0)
			return rc;
		p += at.len;
		off += at.len;
		len -= (size_t)at.len;
	}
	return 0;
}

static int thin_extent(struct block *b, uint64_t len, uint64_t off, struct extent *out, struct err *e)
{
	struct place at;
	int rc = thin_find(b, off, len, &at, e);

	if (rc < 0)
		return rc;
	if (!at.block) {
		out->len = at.len;
		out->flags = EXTENT_ZERO | EXTENT_ALLOC;
		return 0;
	}
	rc = block_extent_chain(at.block, NULL, at.len, at.off, out, e);
	out->off = off;
	out->depth = 0;
	out->flags |= EXTENT_ALLOC;
	return rc;
}

static const struct block_driver thin_driver = {
	.name = "lvm-thin",
	.state_size = sizeof(struct thin_state),
	.close = thin_close,
	.pread = thin_pread,
	.extent = thin_extent,
};

int lvm_thin_new(struct lvm_pool *p, const char *name, uint64_t device_id, uint64_t size, struct block *external,
		 struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct thin_state *s;
	struct run r;
	int rc = tree_find_locked(p, p->root, device_id, device_id + 1, 0, &r, e);

	if (rc < 0)
		return rc;
	if (!r.there)
		return err_set(e, ERR_CORRUPT, "thin pool %s has no device %" PRIu64, p->name, device_id);
	rc = lvm_block_new(&thin_driver, name, size, &b, e);
	if (rc < 0)
		return rc;
	s = b->state;
	s->pool = pool_ref(p);
	s->root = r.value;
	s->external = external ? block_ref(external) : NULL;
	*out = take(b);
	return 0;
}
