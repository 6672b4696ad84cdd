/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_lookup.c - one name in a directory, found by its hash.
 *
 * Hashes are pairs: the hash, and where the entry is, in units of 8 bytes (0: the entry is gone), sorted by hash.  They lie
 * at the end of the only block, or in one leaf, or in many below a tree of nodes.  Names of the same hash may go on in the
 * next leaf.  Where names are compared without case, their hash is that of the small letters.
 */
#include "xfs.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>

#define LEAF_OFF (32 * GiB)
#define LEAF1_2 0xd2f1
#define LEAF1_3 0x3df1
#define LEAFN_2 0xd2ff
#define LEAFN_3 0x3dff
#define LEAF3_HEAD 64u
#define INFO3 56u

struct hash_entry {
	be32 hash, address;
};
struct leaf_tail {
	be16 count, stale;
};

struct search {
	struct xfs *x;
	struct xfs_inode *dir;
	const char *name;
	size_t len;
	uint32_t hash;
	struct xfs_dir_block block; /* the last that was looked at */
	bool have_block;
	uint64_t ino, folded_ino; /* by the very name; without case */
	unsigned nlooks;	  /* at leaves and entries */
};

/* Letters of ASCII and of Latin 1, whatever the name means by them: so the format has it. */
static uint8_t small(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ? (uint8_t)(c + 0x20) : c;
}

static bool same_folded(const char *a, const char *b)
{
	while (*a && small((uint8_t)*a) == small((uint8_t)*b))
		a++, b++;
	return small((uint8_t)*a) == small((uint8_t)*b);
}

static void compare(struct search *s, const struct fs_dirent *d)
{
	if (strcmp(d->name, s->name) == 0)
		s->ino = d->ino;
	else if (s->x->fold_names && s->folded_ino == 0 && same_folded(d->name, s->name))
		s->folded_ino = d->ino;
}

static int compare_local(void *arg, const struct fs_dirent *d, struct err *e)
{
	struct search *s = arg;

	(void)e;
	compare(s, d);
	return s->ino != 0;
}

/* Leaves may be linked in a circle, and many hashes lead to one entry. */
static int count_look(struct search *s, struct err *e)
{
	if (++s->nlooks > LIMIT_XFS_LEAVES)
		return err_set(e, ERR_LIMIT, "more than %d names of one hash", LIMIT_XFS_LEAVES);
	return 0;
}

/* The entry that a hash leads to. */
static int entry_look(struct search *s, uint32_t address, struct err *e)
{
	uint64_t off = (uint64_t)address * 8, start = off - off % s->x->dir_bs;
	size_t at = (size_t)(off - start);
	struct fs_dirent d;
	int rc = count_look(s, e);

	if (rc < 0)
		return rc;
	if (!s->have_block || s->block.off != start) {
		s->have_block = false;
		s->block.off = start;
		if (start >= s->dir->size)
			return err_set(e, ERR_CORRUPT, "a hash leads to byte %" PRIu64 " of %" PRIu64, off, s->dir->size);
		rc = xfs_dir_block(s->x, s->dir, &s->block, e);
		if (rc < 0)
			return rc;
		s->have_block = true;
	}
	if (at < s->block.first || at >= s->block.end)
		return err_set(e, ERR_CORRUPT, "a hash leads to byte %" PRIu64 ", where no entry is", off);
	rc = xfs_dir_entry(s->x, &s->block, &at, &d, e);
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "a hash leads to byte %" PRIu64 ", where a gap is", off);
	if (rc > 0)
		compare(s, &d);
	return rc < 0 ? rc : 0;
}

/* Looks at all entries of the hash; *more: the last of all n has it, so that the next leaf may go on with it. */
static int hashes_look(struct search *s, const uint8_t *hashes, size_t n, bool *more, struct err *e)
{
	struct hash_entry h;
	size_t lo = 0, hi = n;

	/* The first that is not below. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		memcpy(&h, hashes + mid * sizeof h, sizeof h);
		if (be32_get(h.hash) < s->hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	*more = lo == n;
	for (; lo < n && s->ino == 0; lo++) {
		memcpy(&h, hashes + lo * sizeof h, sizeof h);
		if (be32_get(h.hash) != s->hash)
			return 0;
		if (be32_get(h.address)) {
			int rc = entry_look(s, be32_get(h.address), e);

			if (rc < 0)
				return rc;
		}
	}
	*more = s->ino == 0;
	return 0;
}

static int leaf_look(struct search *s, const struct xfs_da_block *b, uint64_t *next, struct err *e)
{
	const struct xfs *x = s->x;
	size_t info = x->v5 ? INFO3 : sizeof(struct xfs_da_info), head = x->v5 ? LEAF3_HEAD : info + sizeof(struct leaf_tail);
	struct xfs_da_info h;
	struct leaf_tail t;
	unsigned magic;
	bool more = false;
	int rc = xfs_self_check(x, &xfs_self_da, b->bytes, x->dir_bs, b->pos, s->dir->ino, b->logged, "leaf of hashes", e);

	if (rc < 0)
		return rc;
	memcpy(&h, b->bytes, sizeof h);
	memcpy(&t, b->bytes + info, sizeof t);
	magic = be16_get(h.magic);
	if (magic != (x->v5 ? LEAFN_3 : LEAFN_2) && magic != (x->v5 ? LEAF1_3 : LEAF1_2))
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " is no leaf of hashes", b->lblk);
	if (be16_get(t.count) > (x->dir_bs - head) / sizeof(struct hash_entry))
		return err_set(e, ERR_CORRUPT, "a leaf with %u hashes", be16_get(t.count));
	rc = hashes_look(s, b->bytes + head, be16_get(t.count), &more, e);
	*next = more && (magic == LEAFN_2 || magic == LEAFN_3) ? be32_get(h.forw) : 0;
	return rc;
}

static int tree_look(struct search *s, struct err *e)
{
	struct xfs *x = s->x;
	struct xfs_da_block b = { .bytes = x->leaf };
	unsigned n = x->dir_bs >> x->bs_bits;
	int rc = xfs_da_descend(x, s->dir, &s->dir->data, LEAF_OFF >> x->bs_bits, n, s->hash, &b, e);

	while (rc == 0) {
		uint64_t next = 0;

		rc = leaf_look(s, &b, &next, e);
		if (rc < 0 || next == 0 || s->ino)
			return rc;
		b.lblk = next;
		rc = count_look(s, e);
		if (rc == 0)
			rc = xfs_map_meta(x, s->dir, &s->dir->data, next, n, b.bytes, &b.pos, &b.logged, e);
	}
	return rc;
}

static int scratch(struct xfs *x, struct err *e)
{
	if (!x->leaf)
		x->leaf = alloc_bytes(x->dir_bs);
	if (!x->data)
		x->data = alloc_bytes(x->dir_bs);
	return x->leaf && x->data ? 0 : err_nomem(e);
}

static int blocks_look(struct search *s, struct err *e)
{
	struct xfs *x = s->x;
	bool more;
	int rc = scratch(x, e);

	if (rc < 0)
		return rc;
	s->block.bytes = x->data;
	if (s->dir->size == x->dir_bs) {
		rc = xfs_dir_block(x, s->dir, &s->block, e);
		if (rc < 0)
			return rc;
		s->have_block = true;
		if (s->block.single)
			return hashes_look(s, s->block.bytes + s->block.end, s->block.nhashes, &more, e);
	}
	return tree_look(s, e);
}

int xfs_lookup(struct xfs *x, struct xfs_inode *dir, const char *name, uint64_t *ino, struct err *e)
{
	struct search s = { .x = x, .dir = dir, .name = name, .len = strlen(name) };
	char folded[FS_NAME_MAX + 1];
	int rc = xfs_dir_judge(x, dir, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < s.len; i++)
		folded[i] = x->fold_names ? (char)small((uint8_t)name[i]) : name[i];
	s.hash = xfs_da_hash(folded, s.len);
	if (dir->data.format == XFS_FORMAT_LOCAL)
		rc = xfs_dir_local(x, dir, compare_local, &s, e);
	else
		rc = blocks_look(&s, e);
	if (rc < 0)
		return err_in(e, rc, "directory inode %" PRIu64, dir->ino);
	*ino = s.ino ? s.ino : s.folded_ino;
	if (*ino == 0)
		return err_set(e, ERR_NOT_FOUND, "no such file or directory");
	return 0;
}
