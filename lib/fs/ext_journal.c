/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_journal.c - a journal that needs recovery, replayed in memory: never a byte of it goes onto the image.
 *
 * The journal (jbd2, big-endian) is the content of an inode, a ring of blocks [first, last).  From s_start on, with
 * the sequence number s_sequence, each transaction is: descriptor blocks, each followed by the blocks that its tags
 * describe; revoke blocks; one commit block.  The next has the next number.  The log ends where the expected block
 * is not there, or does not check: what was not committed never happened.
 *
 * Nothing is copied.  What comes out is a list of patches: this block of the filesystem is now that block of the
 * journal (ext_io.c lays them over what it reads).  A revoked block is not patched by transactions up to the one that
 * revoked it: it had been freed, and may hold a file's data since.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "ondisk.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define JBD2_MAGIC 0xc03b3998u
enum { JBD2_DESCRIPTOR = 1, JBD2_COMMIT = 2, JBD2_SUPER_V1 = 3, JBD2_SUPER_V2 = 4, JBD2_REVOKE = 5 };
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_DELETED = 4, TAG_LAST = 8 };
enum {
	J_INCOMPAT_REVOKE = 0x01,
	J_INCOMPAT_64BIT = 0x02,
	J_INCOMPAT_ASYNC_COMMIT = 0x04,
	J_INCOMPAT_CSUM_V2 = 0x08,
	J_INCOMPAT_CSUM_V3 = 0x10,
	J_INCOMPAT_FAST_COMMIT = 0x20,
	J_INCOMPAT_KNOWN = 0x3f,
};
#define J_COMPAT_CHECKSUM 1
#define J_CHKSUM_CRC32 1
#define J_CHKSUM_CRC32C 4
#define J_DEFAULT_FAST_BLOCKS 256
#define FC_TAG_HEAD 9

struct jhead {
	be32 magic, type, sequence;
};
struct jsuper {
	struct jhead h;
	be32 blocksize, maxlen, first, sequence, start, errnum;
	be32 compat, incompat, ro_compat; /* from here on only in version 2 */
	uint8_t uuid[16];
	be32 nr_users, dynsuper, max_transaction, max_trans_data;
	uint8_t checksum_type, pad[3];
	be32 num_fc_blocks, head, padding[40], checksum;
	uint8_t users[768];
};
_Static_assert(sizeof(struct jsuper) == 1024, "as the format has it");
struct jcommit {
	struct jhead h;
	uint8_t chksum_type, chksum_size, pad[2];
	be32 chksum[8];
	be64 sec;
	be32 nsec;
};
struct jrevoke {
	struct jhead h;
	be32 count; /* bytes in use, with this head */
};

struct revoke {
	uint64_t block;
	uint32_t transaction; /* counted from s_start, so that it only grows */
};

struct tag {
	uint64_t block;
	uint32_t flags, checksum;
};

struct journal {
	struct ext *x;
	struct ext_inode *in;
	uint32_t incompat, compat;
	uint64_t first, last; /* the ring */
	uint32_t seed;
	uint8_t *block, *data; /* one block each */
	bool check_data;
	struct revoke *revokes;
	size_t nrevokes, revokes_cap;
	/* The transaction that is being read. */
	size_t patches_at_start, revokes_at_start;
	uint32_t crc; /* of compat checksums */
	bool bad;
	const char *stopped; /* why the log ended before its end, in words; NULL: it ended as logs do */
};

static bool csum_v2or3(const struct journal *j)
{
	return j->incompat & (J_INCOMPAT_CSUM_V2 | J_INCOMPAT_CSUM_V3);
}

/* The device offset of a block of the journal. */
static int place_of(struct journal *j, uint64_t jblk, uint64_t *off, struct err *e)
{
	struct ext_run run;
	int rc = ext_map(j->x, j->in, jblk, &run, e);

	if (rc < 0)
		return rc;
	if (run.kind == EXT_RUN_HOLE)
		return err_set(e, ERR_CORRUPT, "block %" PRIu64 " is a hole", jblk);
	*off = run.pblk << j->x->bs_bits;
	return 0;
}

static int jread(struct journal *j, uint64_t jblk, uint8_t *buf, struct err *e)
{
	uint64_t off = 0;
	int rc = place_of(j, jblk, &off, e);

	return rc < 0 ? rc : ext_io_read(&j->x->io, buf, j->x->bs, off, e);
}

/* The block behind jblk in the ring. */
static uint64_t next_of(const struct journal *j, uint64_t jblk)
{
	return jblk + 1 < j->last ? jblk + 1 : j->first;
}

/* crc32c over a block whose checksum field, of 4 bytes at `at`, counts as zeros. */
static bool block_csum_ok(const struct journal *j, const uint8_t *block, size_t at)
{
	static const uint8_t zeros[4];
	be32 stored;
	uint32_t crc;

	memcpy(&stored, block + at, sizeof stored);
	crc = ext2fs_crc32c_le(j->seed, block, at);
	crc = ext2fs_crc32c_le(crc, zeros, sizeof zeros);
	crc = ext2fs_crc32c_le(crc, block + at + 4, j->x->bs - at - 4);
	return crc == be32_get(stored);
}

/* Descriptor and revoke blocks end in a checksum. */
static bool tail_ok(const struct journal *j, const uint8_t *block)
{
	return !csum_v2or3(j) || block_csum_ok(j, block, j->x->bs - 4);
}

static size_t tag_size(const struct journal *j)
{
	size_t size = 12;

	if (j->incompat & J_INCOMPAT_CSUM_V3)
		return 16;
	if (j->incompat & J_INCOMPAT_CSUM_V2)
		size += 2;
	return j->incompat & J_INCOMPAT_64BIT ? size : size - 4;
}

/* Version 3: block, flags, block high, checksum, 32 bits each.  Before: block, checksum16, flags16, block high. */
static struct tag tag_get(const struct journal *j, const uint8_t *p)
{
	struct tag t = { 0 };
	be32 v;
	be16 half;

	memcpy(&v, p, sizeof v);
	t.block = be32_get(v);
	if (j->incompat & J_INCOMPAT_CSUM_V3) {
		memcpy(&v, p + 4, sizeof v);
		t.flags = be32_get(v);
		memcpy(&v, p + 12, sizeof v);
		t.checksum = be32_get(v);
	} else {
		memcpy(&half, p + 4, sizeof half);
		t.checksum = be16_get(half);
		memcpy(&half, p + 6, sizeof half);
		t.flags = be16_get(half);
	}
	if (j->incompat & J_INCOMPAT_64BIT) {
		memcpy(&v, p + 8, sizeof v);
		t.block |= (uint64_t)be32_get(v) << 32;
	}
	return t;
}

static bool data_csum_ok(const struct journal *j, const struct tag *t, uint32_t sequence)
{
	be32 seq;
	uint32_t crc;

	be32_put(&seq, sequence);
	crc = ext2fs_crc32c_le(j->seed, seq.b, sizeof seq.b);
	crc = ext2fs_crc32c_le(crc, j->data, j->x->bs);
	return j->incompat & J_INCOMPAT_CSUM_V3 ? crc == t->checksum : (crc & 0xffff) == t->checksum;
}

static int patch_add(struct journal *j, const struct tag *t, uint64_t jblk, uint32_t transaction, struct err *e)
{
	struct ext_patches *p = &j->x->patches;
	uint64_t off = 0;
	int rc;

	if (t->block >= j->x->nblocks)
		return err_set(e, ERR_CORRUPT, "it holds block %" PRIu64 " of a filesystem of %" PRIu64, t->block, j->x->nblocks);
	rc = place_of(j, jblk, &off, e);
	if (rc < 0)
		return rc;
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		struct ext_patch *items;

		if (cap > LIMIT_EXT_PATCHES)
			return err_set(e, ERR_LIMIT, "more than %d blocks to replay", LIMIT_EXT_PATCHES);
		items = alloc_resize(p->items, cap, sizeof *items);
		if (!items)
			return err_nomem(e);
		p->items = items;
		p->cap = cap;
	}
	p->items[p->n] = (struct ext_patch){
		.block = t->block, .off = off, .transaction = transaction, .seq = (uint32_t)p->n,
		.escaped = t->flags & TAG_ESCAPED,
	};
	p->n++;
	return 0;
}

/*
 * The tags of the descriptor in j->block, whose data blocks begin behind *pos; *pos is moved over them, *left (blocks of
 * the ring not yet seen) counts down.
 */
static int descriptor_take(struct journal *j, uint64_t *pos, uint64_t *left, uint32_t sequence, uint32_t transaction,
			   struct err *e)
{
	size_t size = tag_size(j), at = sizeof(struct jhead);
	size_t end = j->x->bs - (csum_v2or3(j) ? 4 : 0);
	struct tag t;

	do {
		int rc;

		if (at + size > end)
			return 0;
		t = tag_get(j, j->block + at);
		at += size + (t.flags & TAG_SAME_UUID ? 0 : 16);
		if (*left == 0)
			return err_set(e, ERR_CORRUPT, "a transaction longer than the journal");
		(*left)--;
		*pos = next_of(j, *pos);
		if (j->check_data) {
			rc = jread(j, *pos, j->data, e);
			if (rc < 0)
				return rc;
			if (csum_v2or3(j) && !data_csum_ok(j, &t, sequence))
				j->bad = true;
			if (j->compat & J_COMPAT_CHECKSUM)
				j->crc = ext2fs_crc32_be(j->crc, j->data, j->x->bs);
		}
		if (!(t.flags & TAG_DELETED)) {
			rc = patch_add(j, &t, *pos, transaction, e);
			if (rc < 0)
				return rc;
		}
	} while (!(t.flags & TAG_LAST));
	return 0;
}

static int revoke_take(struct journal *j, uint32_t transaction, struct err *e)
{
	size_t size = j->incompat & J_INCOMPAT_64BIT ? 8 : 4, at = sizeof(struct jrevoke), end;
	struct jrevoke h;

	memcpy(&h, j->block, sizeof h);
	end = be32_get(h.count);
	if (end < at || end > j->x->bs - (csum_v2or3(j) ? 4u : 0u))
		return err_set(e, ERR_CORRUPT, "a revoke block of %zu bytes", end);
	for (; at + size <= end; at += size) {
		struct revoke r = { .transaction = transaction };
		be64 wide;
		be32 narrow;

		if (size == 8) {
			memcpy(&wide, j->block + at, sizeof wide);
			r.block = be64_get(wide);
		} else {
			memcpy(&narrow, j->block + at, sizeof narrow);
			r.block = be32_get(narrow);
		}
		if (j->nrevokes == j->revokes_cap) {
			size_t cap = j->revokes_cap ? j->revokes_cap * 2 : 256;
			struct revoke *items;

			if (cap > LIMIT_EXT_PATCHES)
				return err_set(e, ERR_LIMIT, "more than %d blocks revoked", LIMIT_EXT_PATCHES);
			items = alloc_resize(j->revokes, cap, sizeof *items);
			if (!items)
				return err_nomem(e);
			j->revokes = items;
			j->revokes_cap = cap;
		}
		j->revokes[j->nrevokes++] = r;
	}
	return 0;
}

static bool commit_ok(const struct journal *j)
{
	struct jcommit c;
	uint32_t found;

	if (csum_v2or3(j))
		return block_csum_ok(j, j->block, offsetof(struct jcommit, chksum));
	if (!(j->compat & J_COMPAT_CHECKSUM))
		return true;
	memcpy(&c, j->block, sizeof c);
	found = be32_get(c.chksum[0]);
	if (c.chksum_type == J_CHKSUM_CRC32 && c.chksum_size == 4)
		return found == j->crc;
	/* Written before the feature was turned on. */
	return c.chksum_type == 0 && c.chksum_size == 0 && found == 0;
}

/*
 * One pass over the log.  It ends: every turn uses up at least one of the ring's blocks, and a log is not longer than
 * the ring.
 */
static int log_read(struct journal *j, uint64_t start, uint32_t sequence, uint32_t *ntransactions, struct err *e)
{
	struct ext_patches *p = &j->x->patches;
	uint64_t pos = start, left = j->last - j->first;
	uint32_t n = 0;
	int rc = 0;

	j->crc = ~0u;
	for (; left > 0; pos = next_of(j, pos)) {
		struct jhead h;

		left--;
		rc = jread(j, pos, j->block, e);
		if (rc < 0)
			return rc;
		memcpy(&h, j->block, sizeof h);
		if (be32_get(h.magic) != JBD2_MAGIC || be32_get(h.sequence) != sequence + n)
			break;
		if (be32_get(h.type) == JBD2_DESCRIPTOR) {
			if (!tail_ok(j, j->block)) {
				j->stopped = "the checksum of a descriptor block does not match";
				break;
			}
			if (j->compat & J_COMPAT_CHECKSUM)
				j->crc = ext2fs_crc32_be(j->crc, j->block, j->x->bs);
			rc = descriptor_take(j, &pos, &left, sequence + n, n, e);
		} else if (be32_get(h.type) == JBD2_REVOKE) {
			if (!tail_ok(j, j->block)) {
				j->stopped = "the checksum of a revoke block does not match";
				break;
			}
			rc = revoke_take(j, n, e);
		} else if (be32_get(h.type) == JBD2_COMMIT) {
			if (!commit_ok(j)) {
				j->stopped = "the checksum of a commit block does not match";
				break;
			}
			if (j->bad) {
				j->stopped = "the checksum of a logged block does not match";
				break;
			}
			n++;
			j->crc = ~0u;
			j->patches_at_start = p->n;
			j->revokes_at_start = j->nrevokes;
		} else {
			break;
		}
		if (rc < 0)
			return err_in(e, rc, "transaction %" PRIu32, sequence + n);
	}
	/* What was not committed never happened. */
	p->n = j->patches_at_start;
	j->nrevokes = j->revokes_at_start;
	*ntransactions = n;
	return 0;
}

static int by_block_then_seq(const void *a, const void *b)
{
	const struct ext_patch *p = a, *q = b;

	if (p->block != q->block)
		return p->block < q->block ? -1 : 1;
	return p->seq < q->seq ? -1 : p->seq > q->seq;
}

static int revoke_order(const void *a, const void *b)
{
	const struct revoke *p = a, *q = b;

	if (p->block != q->block)
		return p->block < q->block ? -1 : 1;
	return p->transaction < q->transaction ? -1 : p->transaction > q->transaction;
}

/* Is the block revoked by this transaction or a later one?  Revokes are sorted, so the last of a block's decides. */
static bool is_revoked(const struct journal *j, uint64_t block, uint32_t transaction)
{
	size_t lo = 0, hi = j->nrevokes;

	/* The first entry of a higher block. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->revokes[mid].block <= block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && j->revokes[lo - 1].block == block && j->revokes[lo - 1].transaction >= transaction;
}

/* Leaves one patch for each block, the last, in order of the blocks. */
static void patches_settle(struct journal *j)
{
	struct ext_patches *p = &j->x->patches;
	size_t kept = 0;

	if (j->nrevokes)
		qsort(j->revokes, j->nrevokes, sizeof *j->revokes, revoke_order);
	if (p->n)
		qsort(p->items, p->n, sizeof *p->items, by_block_then_seq);
	for (size_t i = 0; i < p->n; i++) {
		struct ext_patch it = p->items[i];

		if (i + 1 < p->n && p->items[i + 1].block == it.block)
			continue;
		if (!is_revoked(j, it.block, it.transaction))
			p->items[kept++] = it;
	}
	p->n = kept;
}

/* The one checksum that does not begin with the UUID's. */
static bool super_csum_ok(const struct jsuper *s)
{
	struct jsuper copy = *s;

	be32_put(&copy.checksum, 0);
	return ext2fs_crc32c_le(~0u, (const unsigned char *)&copy, sizeof copy) == be32_get(s->checksum);
}

static int judge_super(struct journal *j, const struct jsuper *s, struct err *e)
{
	uint64_t maxlen = be32_get(s->maxlen), fast = 0;
	uint32_t type = be32_get(s->h.type);

	if (be32_get(s->h.magic) != JBD2_MAGIC || (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return err_set(e, ERR_CORRUPT, "no superblock");
	if (be32_get(s->blocksize) != j->x->bs)
		return err_set(e, ERR_CORRUPT, "blocks of %" PRIu32 " bytes in a filesystem of %u", be32_get(s->blocksize),
			       j->x->bs);
	if (type == JBD2_SUPER_V2) {
		j->compat = be32_get(s->compat);
		j->incompat = be32_get(s->incompat);
	}
	if (j->incompat & ~(uint32_t)J_INCOMPAT_KNOWN)
		return err_set(e, ERR_UNSUPPORTED, "unknown feature 0x%" PRIx32, j->incompat & ~(uint32_t)J_INCOMPAT_KNOWN);
	if ((j->incompat & J_INCOMPAT_CSUM_V2) && (j->incompat & J_INCOMPAT_CSUM_V3))
		return err_set(e, ERR_CORRUPT, "checksums of version 2 and 3 at once");
	if (csum_v2or3(j)) {
		if (s->checksum_type != J_CHKSUM_CRC32C)
			return err_set(e, ERR_UNSUPPORTED, "checksums of type %u", s->checksum_type);
		if (!super_csum_ok(s))
			return err_set(e, ERR_CORRUPT, "the checksum of its superblock does not match");
		j->seed = ext2fs_crc32c_le(~0u, s->uuid, sizeof s->uuid);
	}
	if (maxlen > LIMIT_EXT_JOURNAL_BLOCKS)
		return err_set(e, ERR_LIMIT, "%" PRIu64 " blocks", maxlen);
	if (maxlen > j->in->size >> j->x->bs_bits)
		return err_set(e, ERR_CORRUPT, "it claims %" PRIu64 " blocks and has %" PRIu64, maxlen,
			       j->in->size >> j->x->bs_bits);
	if (j->incompat & J_INCOMPAT_FAST_COMMIT) {
		fast = be32_get(s->num_fc_blocks);
		if (fast == 0)
			fast = J_DEFAULT_FAST_BLOCKS;
	}
	j->first = be32_get(s->first);
	if (j->first == 0 || fast >= maxlen || j->first >= maxlen - fast)
		return err_set(e, ERR_CORRUPT, "its log begins at block %" PRIu64 " of %" PRIu64, j->first, maxlen);
	j->last = maxlen - fast;
	if (be32_get(s->start) != 0 && (be32_get(s->start) < j->first || be32_get(s->start) >= j->last))
		return err_set(e, ERR_CORRUPT, "its log starts at block %" PRIu32 ", outside of %" PRIu64 " to %" PRIu64,
			       be32_get(s->start), j->first, j->last);
	return 0;
}

/*
 * Behind the ring, fast commits may hold changes since the last full one, as a list of tags instead of blocks.  Does
 * theirs begin with a head of the transaction that would come next?
 */
static int has_fast_commits(struct journal *j, uint32_t next_sequence, struct err *e)
{
	struct {
		le16 tag, len;
		le32 features, transaction;
	} head;
	int rc;

	if (!(j->incompat & J_INCOMPAT_FAST_COMMIT))
		return 0;
	rc = jread(j, j->last, j->data, e);
	if (rc < 0)
		return rc;
	memcpy(&head, j->data, sizeof head);
	return le16_get(head.tag) == FC_TAG_HEAD && le32_get(head.transaction) == next_sequence;
}

static int replay(struct journal *j, char *notice, size_t notice_size, struct err *e)
{
	uint32_t ntransactions = 0;
	struct jsuper s;
	int rc = jread(j, 0, j->data, e);

	if (rc < 0)
		return rc;
	memcpy(&s, j->data, sizeof s);
	rc = judge_super(j, &s, e);
	if (rc < 0)
		return rc;
	if (be32_get(s.start) == 0) {
		snprintf(notice, notice_size, "the journal is marked as needing recovery, but empty");
		return 0;
	}
	j->check_data = csum_v2or3(j) || (j->compat & J_COMPAT_CHECKSUM);
	rc = log_read(j, be32_get(s.start), be32_get(s.sequence), &ntransactions, e);
	if (rc < 0)
		return rc;
	patches_settle(j);
	rc = has_fast_commits(j, be32_get(s.sequence) + ntransactions, e);
	if (rc < 0)
		return rc;
	snprintf(notice, notice_size, "journal replayed in memory: %" PRIu32 " transactions, %zu blocks%s%s%s", ntransactions,
		 j->x->patches.n, j->stopped ? "; it ends early: " : "", j->stopped ? j->stopped : "",
		 rc > 0 ? "; the fast commits behind it are not applied" : "");
	return 0;
}

int ext_journal_replay(struct ext *x, char *notice, size_t notice_size, struct err *e)
{
	CLEANUP(ext_inode_putp) struct ext_inode *in = NULL;
	CLEANUP(free_ptr) uint8_t *block = NULL, *data = NULL;
	struct journal j = { .x = x };
	uint32_t ino = EXT_LE32(x->sb.s_journal_inum);
	int rc;

	if (ino == 0)
		return err_set(e, ERR_UNSUPPORTED, "the journal needs recovery and is on another device");
	rc = ext_inode_get(x, ino, true, &in, e);
	block = alloc_bytes(x->bs);
	data = alloc_bytes(x->bs);
	if (rc == 0 && (!block || !data))
		rc = err_nomem(e);
	if (rc == 0 && (!LINUX_S_ISREG(in->mode) || (in->flags & (EXT4_INLINE_DATA_FL | EXT4_ENCRYPT_FL))))
		rc = err_set(e, ERR_CORRUPT, "inode %" PRIu32 " is no journal", ino);
	if (rc == 0) {
		j.in = in;
		j.block = block;
		j.data = data;
		/* The journal itself is read as it lies on the device, while the list of patches grows. */
		x->io.patches = NULL;
		rc = replay(&j, notice, notice_size, e);
	}
	free(j.revokes);
	return rc < 0 ? err_in(e, rc, "journal") : 0;
}
