/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_map.c - where a file's blocks are, and its bytes.
 *
 * Two kinds of map.  An extent tree: nodes of 12-byte entries behind a 12-byte header, the root in the inode; an index
 * entry names a node one level down, a leaf entry a run of blocks.  A block map: 12 direct block numbers in the inode,
 * then blocks of numbers, once, twice and three times indirect.
 *
 * Either is looked up one leaf (one block of numbers) at a time, and that leaf is kept as runs that cover a range of
 * the file: reading on needs no further lookup.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define EXTENT_MAGIC 0xf30a
#define EXTENT_INIT_MAX 32768u /* a longer ee_len is an unwritten extent of ee_len - 32768 */
#define NDIRECT 12
#define IBLOCK_BYTES 60
#define MAX_LBLK (1ULL << 32)

struct extent_header {
	le16 magic, entries, max, depth;
	le32 generation;
};
struct extent_leaf {
	le32 block;
	le16 len, start_hi;
	le32 start_lo;
};
struct extent_index {
	le32 block, leaf_lo;
	le16 leaf_hi, unused;
};

/* ---- the cache of one leaf ---- */

static int run_add(struct ext_map_cache *m, uint64_t lblk, uint64_t len, uint64_t pblk, enum ext_run_kind kind,
		   struct err *e)
{
	struct ext_run *last = m->n ? &m->runs[m->n - 1] : NULL;

	if (len == 0)
		return 0;
	if (last && last->kind == kind && (kind != EXT_RUN_DATA || last->pblk + last->len == pblk)) {
		last->len += len;
		return 0;
	}
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 8;
		struct ext_run *runs = alloc_resize(m->runs, cap, sizeof *runs);

		if (!runs)
			return err_nomem(e);
		m->runs = runs;
		m->cap = cap;
	}
	m->runs[m->n++] = (struct ext_run){ .lblk = lblk, .len = len, .pblk = pblk, .kind = kind };
	return 0;
}

/* Data may lie anywhere but in the superblock and past the end. */
static bool blocks_ok(const struct ext *x, uint64_t pblk, uint64_t len)
{
	return pblk > x->first_block && range_in(pblk, len, x->nblocks);
}

/* ---- extent trees ---- */

static int judge_header(const struct extent_header *h, size_t room, int depth, struct err *e)
{
	unsigned entries = le16_get(h->entries), max = le16_get(h->max);

	if (le16_get(h->magic) != EXTENT_MAGIC)
		return err_set(e, ERR_CORRUPT, "extent tree: wrong magic");
	if (depth >= 0 && le16_get(h->depth) != depth)
		return err_set(e, ERR_CORRUPT, "extent tree: a node of depth %u where %d belongs", le16_get(h->depth), depth);
	if (le16_get(h->depth) > LIMIT_EXT_DEPTH)
		return err_set(e, ERR_CORRUPT, "extent tree: depth %u", le16_get(h->depth));
	if (max == 0 || max > (room - sizeof *h) / sizeof(struct extent_leaf) || entries > max)
		return err_set(e, ERR_CORRUPT, "extent tree: %u of at most %u entries in a node", entries, max);
	return 0;
}

/* The leaf's runs into the cache.  The leaf is responsible for [first, end). */
static int leaf_take(const struct ext *x, struct ext_map_cache *m, const uint8_t *node, uint64_t first, uint64_t end,
		     struct err *e)
{
	const struct extent_leaf *leaf = (const void *)(node + sizeof(struct extent_header));
	unsigned n = le16_get(((const struct extent_header *)(const void *)node)->entries);
	uint64_t at = first;
	int rc;

	for (unsigned i = 0; i < n; i++) {
		uint64_t lblk = le32_get(leaf[i].block), len = le16_get(leaf[i].len);
		uint64_t pblk = le32_get(leaf[i].start_lo) | (uint64_t)le16_get(leaf[i].start_hi) << 32;
		enum ext_run_kind kind = len > EXTENT_INIT_MAX ? EXT_RUN_UNWRITTEN : EXT_RUN_DATA;

		if (kind == EXT_RUN_UNWRITTEN)
			len -= EXTENT_INIT_MAX;
		if (len == 0 || lblk < at || lblk + len > end)
			return err_set(e, ERR_CORRUPT, "extent tree: an extent of %" PRIu64 " blocks at %" PRIu64
				       " overlaps its neighbours", len, lblk);
		if (!blocks_ok(x, pblk, len))
			return err_set(e, ERR_CORRUPT, "extent tree: %" PRIu64 " blocks at %" PRIu64
				       " lie outside of the filesystem", len, pblk);
		rc = run_add(m, at, lblk - at, 0, EXT_RUN_HOLE, e);
		if (rc == 0)
			rc = run_add(m, lblk, len, pblk, kind, e);
		if (rc < 0)
			return rc;
		at = lblk + len;
	}
	return run_add(m, at, end - at, 0, EXT_RUN_HOLE, e);
}

/* Reads the node one level down into x->block and checks its checksum. */
static int node_read(struct ext *x, const struct ext_inode *in, uint64_t pblk, struct err *e)
{
	const struct extent_header *h = (const void *)x->block;
	size_t tail;
	int rc;

	if (!blocks_ok(x, pblk, 1))
		return err_set(e, ERR_CORRUPT, "extent tree: a node at block %" PRIu64 ", outside of the filesystem", pblk);
	rc = ext_io_read_meta(&x->io, x->block, x->bs, pblk * x->bs, e);
	if (rc < 0 || !x->csum)
		return rc;
	tail = sizeof *h + (size_t)le16_get(h->max) * sizeof(struct extent_leaf);
	if (tail + 4 <= x->bs) {
		le32 stored;

		memcpy(&stored, x->block + tail, sizeof stored);
		if (ext2fs_crc32c_le(in->seed, x->block, tail) == le32_get(stored))
			return 0;
	}
	return err_set(e, ERR_CORRUPT, "extent tree: the checksum of the node at block %" PRIu64 " does not match", pblk);
}

/*
 * Descends to the leaf for lblk.  It ends: each level's depth is one less than that of the level above, which
 * judge_header() checks, and the root's is at most LIMIT_EXT_DEPTH.
 */
static int extents_load(struct ext *x, struct ext_inode *in, uint64_t lblk, struct err *e)
{
	const uint8_t *node = (const uint8_t *)in->d->i_block;
	size_t room = IBLOCK_BYTES;
	uint64_t first = 0, end = MAX_LBLK;
	int depth = -1, rc;

	for (;;) {
		const struct extent_header *h = (const void *)node;
		const struct extent_index *idx = (const void *)(node + sizeof *h);
		unsigned n, i = 0;

		rc = judge_header(h, room, depth, e);
		if (rc < 0)
			return rc;
		n = le16_get(h->entries);
		/* Only a root is ever empty; a tree of empty nodes could make a walk through a file endless. */
		if (n == 0 && (depth >= 0 || le16_get(h->depth) > 0))
			return err_set(e, ERR_CORRUPT, "extent tree: an empty node");
		depth = le16_get(h->depth);
		if (depth == 0)
			break;
		for (unsigned k = 1; k < n; k++)
			if (le32_get(idx[k].block) <= le32_get(idx[k - 1].block))
				return err_set(e, ERR_CORRUPT, "extent tree: index entries out of order");
		if (le32_get(idx[0].block) < first || le32_get(idx[n - 1].block) >= end)
			return err_set(e, ERR_CORRUPT, "extent tree: an index entry outside of its parent's range");
		while (i + 1 < n && le32_get(idx[i + 1].block) <= lblk)
			i++;
		if (i + 1 < n)
			end = le32_get(idx[i + 1].block);
		if (lblk < le32_get(idx[i].block)) {
			/* Before the first entry of all: a hole. */
			in->map.first = first;
			in->map.end = le32_get(idx[i].block);
			return run_add(&in->map, first, in->map.end - first, 0, EXT_RUN_HOLE, e);
		}
		first = le32_get(idx[i].block);
		rc = node_read(x, in, le32_get(idx[i].leaf_lo) | (uint64_t)le16_get(idx[i].leaf_hi) << 32, e);
		if (rc < 0)
			return rc;
		node = x->block;
		room = x->bs;
		depth--;
	}
	rc = leaf_take(x, &in->map, node, first, end, e);
	if (rc < 0)
		return rc;
	in->map.first = first;
	in->map.end = end;
	return 0;
}

/* ---- block maps ---- */

static int numbers_take(const struct ext *x, struct ext_map_cache *m, const uint8_t *numbers, size_t n, uint64_t first,
			struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t pblk;
		le32 v;
		int rc;

		memcpy(&v, numbers + i * 4, sizeof v);
		pblk = le32_get(v);
		if (pblk && !blocks_ok(x, pblk, 1))
			return err_set(e, ERR_CORRUPT, "block map: block %" PRIu32 " lies outside of the filesystem", pblk);
		rc = run_add(m, first + i, 1, pblk, pblk ? EXT_RUN_DATA : EXT_RUN_HOLE, e);
		if (rc < 0)
			return rc;
	}
	m->first = first;
	m->end = first + n;
	return 0;
}

/* The block of numbers that decides lblk: at most three steps down. */
static int blockmap_load(struct ext *x, struct ext_inode *in, uint64_t lblk, struct err *e)
{
	const uint8_t *iblock = (const uint8_t *)in->d->i_block;
	unsigned per_bits = x->bs_bits - 2;
	uint64_t rest = lblk, base = NDIRECT;
	le32 next;

	if (lblk < NDIRECT)
		return numbers_take(x, &in->map, iblock, NDIRECT, 0, e);
	rest -= NDIRECT;
	for (unsigned levels = 1; levels <= 3; levels++) {
		uint64_t covered = 1ULL << (per_bits * levels);

		if (rest >= covered) {
			rest -= covered;
			base += covered;
			continue;
		}
		memcpy(&next, iblock + (NDIRECT + levels - 1) * 4, sizeof next);
		for (unsigned level = levels; level > 0; level--) {
			uint64_t each = 1ULL << (per_bits * (level - 1)); /* blocks that one number stands for */
			uint64_t first = base, pblk = le32_get(next);
			int rc;

			if (pblk == 0) {
				in->map.first = first;
				in->map.end = first + (each << per_bits);
				return run_add(&in->map, first, each << per_bits, 0, EXT_RUN_HOLE, e);
			}
			if (!blocks_ok(x, pblk, 1))
				return err_set(e, ERR_CORRUPT, "block map: indirect block %" PRIu64
					       " lies outside of the filesystem", pblk);
			rc = ext_io_read_meta(&x->io, x->block, x->bs, pblk * x->bs, e);
			if (rc < 0)
				return rc;
			if (level == 1)
				return numbers_take(x, &in->map, x->block, 1ULL << per_bits, first, e);
			memcpy(&next, x->block + (rest / each) * 4, sizeof next);
			base += rest / each * each;
			rest %= each;
		}
	}
	return err_set(e, ERR_CORRUPT, "block map: block %" PRIu64 " is beyond what it can map", lblk);
}

int ext_map(struct ext *x, struct ext_inode *in, uint64_t lblk, struct ext_run *out, struct err *e)
{
	struct ext_map_cache *m = &in->map;
	size_t lo = 0, hi;
	int rc;

	if (lblk >= MAX_LBLK)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu32 ": block %" PRIu64 " of a file", in->ino, lblk);
	if (m->n == 0 || lblk < m->first || lblk >= m->end) {
		m->n = 0;
		rc = in->flags & EXT4_EXTENTS_FL ? extents_load(x, in, lblk, e) : blockmap_load(x, in, lblk, e);
		if (rc < 0) {
			m->n = 0;
			return err_in(e, rc, "inode %" PRIu32, in->ino);
		}
	}
	/* The last run that begins at or before lblk; the runs cover [first, end) without gaps. */
	for (hi = m->n; hi - lo > 1;) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->runs[mid].lblk <= lblk)
			lo = mid;
		else
			hi = mid;
	}
	*out = m->runs[lo];
	out->len -= lblk - out->lblk;
	if (out->kind == EXT_RUN_DATA)
		out->pblk += lblk - out->lblk;
	out->lblk = lblk;
	return 0;
}

/* ---- bytes ---- */

static int inline_read(struct ext *x, struct ext_inode *in, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	const uint8_t *rest;
	size_t rest_len;
	int rc = ext_inline_rest(x, in, &rest, &rest_len, e);

	if (rc < 0)
		return rc;
	/* What the size claims beyond the data reads as zeros. */
	memset(buf, 0, len);
	for (size_t i = 0; i < len && off + i < IBLOCK_BYTES + rest_len; i++)
		buf[i] = off + i < IBLOCK_BYTES ? ((const uint8_t *)in->d->i_block)[off + i] : rest[off + i - IBLOCK_BYTES];
	return 0;
}

int ext_read(struct ext *x, struct ext_inode *in, void *buf, size_t len, uint64_t off, size_t *got, struct err *e)
{
	uint8_t *p = buf;
	int rc = ext_inode_readable(in, e);

	*got = 0;
	if (rc < 0 || off >= in->size)
		return rc;
	len = (size_t)MIN_OF((uint64_t)len, in->size - off);
	if (in->flags & EXT4_INLINE_DATA_FL) {
		rc = inline_read(x, in, p, len, off, e);
		if (rc == 0)
			*got = len;
		return rc;
	}
	while (*got < len) {
		uint64_t at = off + *got, skip = at & (x->bs - 1);
		struct ext_run run;
		size_t n;

		rc = ext_map(x, in, at >> x->bs_bits, &run, e);
		if (rc < 0)
			return rc;
		n = (size_t)MIN_OF((uint64_t)(len - *got), (run.len << x->bs_bits) - skip);
		if (run.kind != EXT_RUN_DATA)
			memset(p + *got, 0, n);
		else
			rc = ext_io_read(&x->io, p + *got, n, (run.pblk << x->bs_bits) + skip, e);
		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu32, in->ino);
		*got += n;
	}
	return 0;
}

int ext_extent(struct ext *x, struct ext_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	uint64_t at = off;
	int rc = ext_inode_readable(in, e);

	*len = 0;
	*hole = false;
	if (rc < 0 || off >= in->size)
		return rc;
	if (in->flags & EXT4_INLINE_DATA_FL) {
		*len = in->size - off;
		return 0;
	}
	/* at only grows; an extent tree has no empty nodes, so each run stands for an entry or the gap before one. */
	while (at < in->size) {
		struct ext_run run;

		rc = ext_map(x, in, at >> x->bs_bits, &run, e);
		if (rc < 0)
			return rc;
		if (at == off)
			*hole = run.kind != EXT_RUN_DATA;
		else if (*hole != (run.kind != EXT_RUN_DATA))
			break;
		at = (run.lblk + run.len) << x->bs_bits;
	}
	*len = MIN_OF(at, in->size) - off;
	return 0;
}

/* Is the target of a symlink in i_block itself?  As the kernel decides it. */
int ext_place(struct ext *x, struct ext_inode *in, uint64_t off, uint64_t *len, uint64_t *where, struct err *e)
{
	struct ext_run run;
	uint64_t skip = off & (x->bs - 1);
	int rc = ext_inode_readable(in, e);

	/* Past the end there is nothing; a journal may hold data, too, which is then in memory and not where the map says. */
	if (rc < 0 || off >= in->size || (in->flags & EXT4_INLINE_DATA_FL) || x->patches.n)
		return rc;
	rc = ext_map(x, in, off >> x->bs_bits, &run, e);
	if (rc < 0)
		return rc;
	*len = MIN_OF((run.len << x->bs_bits) - skip, in->size - off);
	*where = (run.pblk << x->bs_bits) + skip;
	return run.kind == EXT_RUN_DATA;
}

static bool is_fast_symlink(const struct ext *x, const struct ext_inode *in)
{
	uint32_t acl_sectors = ext_inode_acl_block(in) ? x->bs << x->cluster_bits >> 9 : 0;

	if (in->flags & EXT4_INLINE_DATA_FL || in->size >= IBLOCK_BYTES)
		return false;
	return (x->incompat & EXT4_FEATURE_INCOMPAT_EA_INODE) || EXT_LE32(in->d->i_blocks) == acl_sectors;
}

int ext_readlink(struct ext *x, struct ext_inode *in, struct strbuf *target, struct err *e)
{
	CLEANUP(free_ptr) char *buf = NULL;
	size_t got, len;
	int rc;

	if (!S_ISLNK(in->mode))
		return err_sys(e, EINVAL, "inode %" PRIu32 " is not a symlink", in->ino);
	rc = ext_inode_readable(in, e);
	if (rc < 0)
		return rc;
	if (in->size == 0 || in->size >= LIMIT_PATH)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu32 ": a symlink of %" PRIu64 " bytes", in->ino, in->size);
	len = (size_t)in->size;
	if (is_fast_symlink(x, in)) {
		strbuf_add(target, in->d->i_block, strnlen((const char *)in->d->i_block, len));
	} else {
		buf = alloc_bytes(len + 1);
		if (!buf)
			return err_nomem(e);
		rc = ext_read(x, in, buf, len, 0, &got, e);
		if (rc < 0)
			return rc;
		/* Ends at a NUL, as the kernel lets it end. */
		strbuf_add(target, buf, strnlen(buf, got));
	}
	return target->failed ? err_nomem(e) : 0;
}
