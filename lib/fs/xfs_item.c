/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_item.c - the items of XFS's log: what each says of the filesystem.
 *
 * Buffers (bytes of the device, in chunks of 128), inodes and new inodes change what a reader sees.  Quotas do not.
 * Intents, which announce a change, and what tells that it was done, matter only where the change is of a file's map or
 * attributes and was not done: changes of a map are done as it is read (xfs_map.c), of what is left the inode is not read.
 * Space that was about to be freed, and the like, nobody sees.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"

#include <inttypes.h>

enum item_type {
	ITEM_EFI = 0x1236,
	ITEM_EFD = 0x1237,
	ITEM_IUNLINK = 0x1238,
	ITEM_INODE = 0x123b,
	ITEM_BUFFER = 0x123c,
	ITEM_DQUOT = 0x123d,
	ITEM_QUOTAOFF = 0x123e,
	ITEM_ICREATE = 0x123f,
	ITEM_RUI = 0x1240,
	ITEM_RUD = 0x1241,
	ITEM_CUI = 0x1242,
	ITEM_CUD = 0x1243,
	ITEM_BUI = 0x1244,
	ITEM_BUD = 0x1245,
	ITEM_ATTRI = 0x1246,
	ITEM_ATTRD = 0x1247,
	ITEM_XMI = 0x1248,
	ITEM_XMD = 0x1249,
	ITEM_EFI_RT = 0x124a,
	ITEM_CUD_RT = 0x124f,
};

/* Formats are in the byte order of the machine that wrote them: little-endian, as xfs_ring.c has seen to. */
struct buffer_format {
	le16 type, nregions, flags, nsectors;
	le64 sector;
	le32 map_words;
	le32 map[LIMIT_XFS_BLOCK / 128 / 32 + 1];
};
enum { BUFFER_INODES = 0x01, BUFFER_CANCEL = 0x02, BUFFER_QUOTA = 0x04 | 0x08 | 0x10 };
#define CHUNK 128u

struct inode_format {
	le16 type, nregions;
	le32 fields;
	le16 attr_len, data_len;
	le32 pad; /* not on 32-bit machines */
	le64 ino;
	uint8_t dev[16];
	le64 sector;
	le32 nsectors, off;
};
_Static_assert(sizeof(struct inode_format) == 56, "as the format has it");

/* This one is big-endian but for its first two numbers. */
struct icreate_format {
	le16 type, nregions;
	be32 ag, agbno, count, inode_size, length, gen;
};

/* Of an intent: on block maps (owner of the first change; its flags), on attributes, on an exchange of maps. */
struct bui_format {
	le16 type, nregions;
	le32 n;
	le64 id, owner, start, off;
	le32 len, flags;
};
enum { BUI_MAP = 1, BUI_UNMAP = 2 };
#define BUI_KIND 0xffu
#define BUI_ATTR (1u << 31)
#define BUI_UNWRITTEN (1u << 30)
#define BUI_BLOCKS (1u << 21) /* the longest extent, and one */
struct attri_format {
	le16 type, nregions;
	le32 pad;
	le64 id, ino;
};
struct xmi_format {
	le16 type, nregions;
	le32 pad;
	le64 id, ino[2];
	le32 gen[2];
	le64 off[2], len, flags;
};
#define XMI_ATTR 1u

static uint64_t region_len(const struct xfs_over *o, const struct xfs_span *span)
{
	uint64_t len = span->len;

	for (uint32_t next = span->next; next; next = o->spans[next - 1].next)
		len += o->spans[next - 1].len;
	return len;
}

/* The format, as much as there is of it; zeros behind. */
static int format_get(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, void *out, size_t size,
		      size_t at_least, struct err *e)
{
	const struct xfs_span *span = &t->regions[it->first];
	size_t len = (size_t)MIN_OF(region_len(r->over, span), (uint64_t)size);

	memset(out, 0, size);
	if (len < at_least)
		return err_set(e, ERR_CORRUPT, "an item of type 0x%x with %zu bytes", it->type, len);
	return xfs_over_span(r->over, *span, 0, out, len, e);
}

/* Where the number of the write is in blocks of version 5 that may be logged, and the filesystem's UUID. */
struct stamp {
	const char *magic;
	uint8_t magic_at, magic_len;
	uint16_t lsn, uuid;
};
static const struct stamp stamps[] = {
	{ "XFSB", 0, 4, 240, 32 },    { "XAGF", 0, 4, 208, 64 },    { "XAGI", 0, 4, 320, 296 },   { "XAFL", 0, 4, 24, 8 },
	{ "AB3B", 0, 4, 24, 32 },     { "AB3C", 0, 4, 24, 32 },	    { "IAB3", 0, 4, 24, 32 },	  { "FIB3", 0, 4, 24, 32 },
	{ "RMB3", 0, 4, 24, 32 },     { "R3FC", 0, 4, 24, 32 },	    { "BMA3", 0, 4, 32, 40 },	  { "XSLM", 0, 4, 48, 16 },
	{ "XDB3", 0, 4, 16, 24 },     { "XDD3", 0, 4, 16, 24 },	    { "XDF3", 0, 4, 16, 24 },	  { "XARM", 0, 4, 48, 16 },
	{ "\x3d\xf1", 8, 2, 24, 32 }, { "\x3d\xff", 8, 2, 24, 32 }, { "\x3e\xbe", 8, 2, 24, 32 }, { "\x3b\xee", 8, 2, 24, 32 },
};

/* Has the block at pos been written to its place after this was logged? */
static int is_written(struct xfs_replay *r, uint64_t pos, uint64_t lsn, bool *written, struct err *e)
{
	const struct xfs *x = r->x;
	uint8_t head[XFS_SECTOR];
	be64 stored;
	int rc;

	*written = false;
	if (!x->v5)
		return 0;
	rc = xfs_io_meta(&r->x->io, head, sizeof head, pos, NULL, e);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(stamps); i++) {
		/* The superblock has the UUID that users see. */
		const uint8_t *uuid = i == 0 ? x->uuid : x->meta_uuid;

		if (memcmp(head + stamps[i].magic_at, stamps[i].magic, stamps[i].magic_len) != 0 ||
		    memcmp(head + stamps[i].uuid, uuid, sizeof x->uuid) != 0)
			continue;
		memcpy(&stored, head + stamps[i].lsn, sizeof stored);
		/* All ones: never written with a number. */
		*written = be64_get(stored) != UINT64_MAX && be64_get(stored) > lsn;
		break;
	}
	return rc;
}

/* Of inodes that are logged as a buffer only their place in the list of those without a name counts. */
static int links_replay(struct xfs_replay *r, uint64_t pos, size_t off, size_t len, const struct xfs_span *span, struct err *e)
{
	const size_t size = r->x->inode_size, at = offsetof(struct xfs_dinode, next_unlinked);
	int rc = 0;

	for (size_t link = off - off % size + at; rc == 0 && link + 4 <= off + len; link += size)
		if (link >= off)
			rc = xfs_over_add(r->over, r->x, XFS_PIECE_DATA, pos + link, *span, link - off, 4, r->seq, e);
	return rc;
}

/* The regions of a buffer stand for the runs of set bits, in order; one run may be cut into several regions. */
static int buffer_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	const struct xfs_span none = { .len = 0 };
	struct buffer_format f;
	uint64_t pos, len;
	size_t nbits;
	bool written;
	int rc = format_get(r, t, it, &f, sizeof f, offsetof(struct buffer_format, map), e);

	if (rc < 0)
		return rc;
	len = (uint64_t)le16_get(f.nsectors) * XFS_SECTOR;
	if (le64_get(f.sector) > UINT64_MAX >> XFS_SECTOR_BITS ||
	    !range_in(le64_get(f.sector) << XFS_SECTOR_BITS, len, block_size(r->x->io.dev)))
		return err_set(e, ERR_CORRUPT, "it holds sector %" PRIu64 " of a device of %" PRIu64 " bytes", le64_get(f.sector),
			       block_size(r->x->io.dev));
	pos = le64_get(f.sector) << XFS_SECTOR_BITS;
	if (le16_get(f.flags) & BUFFER_CANCEL)
		return xfs_over_add(r->over, r->x, XFS_PIECE_CANCEL, pos, none, 0, len, r->seq, e);
	if (le16_get(f.flags) & BUFFER_QUOTA)
		return 0;
	rc = is_written(r, pos, t->lsn, &written, e);
	if (rc < 0 || written)
		return rc;
	r->nbuffers++;
	nbits = MIN_OF((size_t)le32_get(f.map_words), ARRAY_LEN(f.map)) * 32;
	nbits = MIN_OF(nbits, (size_t)len / CHUNK);
	for (size_t bit = 0, region = 1; bit < nbits;) {
		size_t run = 0;
		const struct xfs_span *span = &t->regions[it->first + region];

		while (bit + run < nbits && le32_get(f.map[(bit + run) / 32]) >> ((bit + run) % 32) & 1)
			run++;
		if (run == 0) {
			bit++;
			continue;
		}
		if (region >= it->nregions)
			return err_set(e, ERR_CORRUPT, "a buffer with fewer regions than it says");
		run = MIN_OF(run, (size_t)(region_len(r->over, span) / CHUNK));
		if (run == 0)
			return err_set(e, ERR_CORRUPT, "a region of %" PRIu32 " bytes of a buffer", span->len);
		if (le16_get(f.flags) & BUFFER_INODES)
			rc = links_replay(r, pos, bit * CHUNK, run * CHUNK, span, e);
		else
			rc = xfs_over_add(r->over, r->x, XFS_PIECE_DATA, pos + bit * CHUNK, *span, 0, run * CHUNK, r->seq, e);
		if (rc < 0)
			return rc;
		bit += run;
		region++;
	}
	return 0;
}

static int inode_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	size_t size = it->nregions ? (size_t)region_len(r->over, &t->regions[it->first]) : 0, next = 2;
	struct xfs_inode_piece p = { .lsn = t->lsn, .seq = r->seq };
	struct inode_format f;
	uint8_t narrow[sizeof f - 4];
	uint64_t sector;
	le32 dev;
	int rc;

	if (size >= sizeof f) {
		rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);
	} else {
		rc = format_get(r, t, it, narrow, sizeof narrow, sizeof narrow, e);
		memcpy(&f, narrow, offsetof(struct inode_format, pad));
		memcpy(&f.ino, narrow + offsetof(struct inode_format, pad), sizeof f - offsetof(struct inode_format, ino));
	}
	if (rc < 0)
		return rc;
	sector = le64_get(f.sector);
	if (sector > UINT64_MAX >> (XFS_SECTOR_BITS + 1) || le32_get(f.off) % r->x->inode_size ||
	    !range_in((sector << XFS_SECTOR_BITS) + le32_get(f.off), r->x->inode_size, block_size(r->x->io.dev)) ||
	    (sector << XFS_SECTOR_BITS) % r->x->inode_size)
		return err_set(e, ERR_CORRUPT, "it holds inode %" PRIu64 " at sector %" PRIu64 ", byte %" PRIu32, le64_get(f.ino),
			       sector, le32_get(f.off));
	p.pos = (sector << XFS_SECTOR_BITS) + le32_get(f.off);
	p.fields = (uint16_t)le32_get(f.fields);
	memcpy(&dev, f.dev, sizeof dev);
	p.dev = le32_get(dev);
	if (it->nregions < 2)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 " without a core", le64_get(f.ino));
	p.core = t->regions[it->first + 1];
	if (p.fields & XFS_ILOG_DATA && next < it->nregions)
		p.data = t->regions[it->first + next++];
	else
		p.fields &= (uint16_t)~XFS_ILOG_DATA;
	if (p.fields & XFS_ILOG_ATTR && next < it->nregions)
		p.attr = t->regions[it->first + next];
	else
		p.fields &= (uint16_t)~XFS_ILOG_ATTR;
	return xfs_over_add_inode(r->over, r->x, &p, e);
}

static int icreate_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	const struct xfs_span none = { .len = 0 };
	const struct xfs *x = r->x;
	struct icreate_format f;
	uint64_t pos, len;
	int rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);

	if (rc < 0)
		return rc;
	pos = ((uint64_t)be32_get(f.ag) * x->agblocks + be32_get(f.agbno)) << x->bs_bits;
	len = (uint64_t)be32_get(f.length) << x->bs_bits;
	if (be32_get(f.inode_size) != x->inode_size || len > LIMIT_XFS_INODE_CHUNK ||
	    len != (uint64_t)be32_get(f.count) * x->inode_size || be32_get(f.agbno) >= x->agblocks ||
	    !range_in(pos, len, block_size(x->io.dev)))
		return err_set(e, ERR_CORRUPT, "it makes %" PRIu32 " inodes of %" PRIu32 " bytes in group %" PRIu32,
			       be32_get(f.count), be32_get(f.inode_size), be32_get(f.ag));
	return xfs_over_add(r->over, r->x, XFS_PIECE_ZERO, pos, none, 0, len, r->seq, e);
}

/* ---- intents ---- */

static int intent_add(struct xfs_replay *r, const struct xfs_intent *intent, struct err *e)
{
	struct xfs_over *o = r->over;

	if (o->nintents == o->intents_cap) {
		size_t cap = o->intents_cap ? o->intents_cap * 2 : 16;
		struct xfs_intent *more;

		if (cap > LIMIT_XFS_INTENTS)
			return err_set(e, ERR_LIMIT, "more than %d unfinished changes", LIMIT_XFS_INTENTS);
		more = alloc_resize(o->intents, cap, sizeof *more);
		if (!more)
			return err_nomem(e);
		o->intents = more;
		o->intents_cap = cap;
	}
	o->intents[o->nintents++] = *intent;
	return 0;
}

static int intent_done(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, uint16_t type,
		       struct err *e)
{
	struct xfs_over *o = r->over;
	size_t kept = 0;
	struct {
		le32 type, pad;
		le64 id;
	} f;
	int rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);

	if (rc == 0)
		rc = xfs_replay_steps(r, o->nintents, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < o->nintents; i++)
		if (o->intents[i].type != type || o->intents[i].id != le64_get(f.id))
			o->intents[kept++] = o->intents[i];
	o->nintents = kept;
	return 0;
}

static int bui_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	struct bui_format f;
	int rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);
	uint32_t flags = le32_get(f.flags), op = flags & BUI_KIND;
	struct xfs_intent intent = { .type = it->type, .what = XFS_UNFINISHED_DATA };

	if (rc < 0)
		return rc;
	/* There is never more than one, as it would not be possible to do only some of them. */
	if (le32_get(f.n) != 1)
		return err_set(e, ERR_UNSUPPORTED, "it announces %" PRIu32 " changes of maps at once", le32_get(f.n));
	intent.id = le64_get(f.id);
	intent.ino = le64_get(f.owner);
	intent.lblk = le64_get(f.off);
	intent.fsb = le64_get(f.start);
	intent.len = le32_get(f.len);
	intent.kind = op == BUI_UNMAP ? XFS_RUN_HOLE : flags & BUI_UNWRITTEN ? XFS_RUN_UNWRITTEN : XFS_RUN_DATA;
	if (flags & BUI_ATTR)
		intent.what = XFS_UNFINISHED_ATTR;
	else if ((flags & ~(BUI_KIND | BUI_UNWRITTEN)) == 0 && (op == BUI_MAP || op == BUI_UNMAP) && intent.len > 0 &&
		 intent.len < BUI_BLOCKS && intent.lblk < 1ULL << 54)
		intent.what = XFS_UNFINISHED_MAP;
	return intent_add(r, &intent, e);
}

static int attri_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	struct xfs_intent intent = { .type = it->type, .what = XFS_UNFINISHED_ATTR };
	struct attri_format f;
	int rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);

	intent.id = le64_get(f.id);
	intent.ino = le64_get(f.ino);
	return rc < 0 ? rc : intent_add(r, &intent, e);
}

static int xmi_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	struct xfs_intent intent = { .type = it->type };
	struct xmi_format f;
	int rc = format_get(r, t, it, &f, sizeof f, sizeof f, e);

	intent.id = le64_get(f.id);
	intent.what = le64_get(f.flags) & XMI_ATTR ? XFS_UNFINISHED_ATTR : XFS_UNFINISHED_DATA;
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		intent.ino = le64_get(f.ino[i]);
		rc = intent_add(r, &intent, e);
	}
	return rc;
}

int xfs_item_replay(struct xfs_replay *r, const struct xfs_transaction *t, const struct xfs_item *it, struct err *e)
{
	r->seq++;
	switch (it->type) {
	case ITEM_BUFFER:
		return buffer_replay(r, t, it, e);
	case ITEM_INODE:
		return inode_replay(r, t, it, e);
	case ITEM_ICREATE:
		return icreate_replay(r, t, it, e);
	case ITEM_BUI:
		return bui_replay(r, t, it, e);
	case ITEM_BUD:
		return intent_done(r, t, it, ITEM_BUI, e);
	case ITEM_ATTRI:
		return attri_replay(r, t, it, e);
	case ITEM_ATTRD:
		return intent_done(r, t, it, ITEM_ATTRI, e);
	case ITEM_XMI:
		return xmi_replay(r, t, it, e);
	case ITEM_XMD:
		return intent_done(r, t, it, ITEM_XMI, e);
	case ITEM_EFI:
	case ITEM_EFD:
	case ITEM_DQUOT:
	case ITEM_QUOTAOFF:
	case ITEM_RUI:
	case ITEM_RUD:
	case ITEM_CUI:
	case ITEM_CUD:
		return 0;
	default:
		/* The same once more for the realtime device. */
		if (it->type >= ITEM_EFI_RT && it->type <= ITEM_CUD_RT)
			return 0;
		return err_set(e, ERR_UNSUPPORTED, "it holds an item of unknown type 0x%x", it->type);
	}
}

int xfs_item_rank(struct xfs_replay *r, const struct xfs_transaction *t, struct xfs_item *it, struct err *e)
{
	struct buffer_format f;
	int rc;

	it->rank = it->type == ITEM_ICREATE ? XFS_RANK_BUFFER : XFS_RANK_ITEM;
	if (it->type != ITEM_BUFFER)
		return 0;
	rc = format_get(r, t, it, &f, offsetof(struct buffer_format, sector), offsetof(struct buffer_format, sector), e);
	if (rc < 0)
		return rc;
	it->rank = le16_get(f.flags) & BUFFER_CANCEL   ? XFS_RANK_CANCEL
		   : le16_get(f.flags) & BUFFER_INODES ? XFS_RANK_INODE_BUFFER
						       : XFS_RANK_BUFFER;
	return 0;
}
