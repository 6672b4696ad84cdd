/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xfs_log.c - what XFS's log says, read from its records.
 *
 * A body is a list of operations, each a head of 12 bytes (transaction, length, client, flags) and its bytes.  Those of a
 * transaction, from its start to its commit, are a head and items (xfs_item.c); an item is its format, which tells its type
 * and how many regions it has, and these regions, one operation each.  One that does not fit the record goes on in the next.
 * What was not committed never happened.
 */
#include "xfs_log.h"

#include "alloc.h"
#include "limits.h"

#include <inttypes.h>
#include <stdio.h>

struct op_head {
	be32 tid, len;
	uint8_t client, flags;
	be16 reserved;
};
enum { OP_START = 0x01, OP_COMMIT = 0x02, OP_CONTINUES = 0x04, OP_CONTINUED = 0x08, OP_END = 0x10, OP_UNMOUNT = 0x20 };
enum { CLIENT_TRANSACTION = 0x69, CLIENT_LOG = 0xaa };

#define TRANSACTION_HEAD 16u
#define TRANSACTION_MAGIC 0x5452414eu

/* ---- transactions ---- */

static void transaction_free(struct xfs_transaction *t)
{
	if (!t)
		return;
	free(t->items);
	free(t->regions);
	free(t);
}

int xfs_replay_steps(struct xfs_replay *r, size_t n, struct err *e)
{
	r->nsteps += n;
	return r->nsteps <= LIMIT_XFS_LOG_STEPS ? 0 : err_set(e, ERR_LIMIT, "too much is going on at once in it");
}

static size_t transaction_find(const struct xfs_replay *r, uint32_t tid)
{
	size_t i = 0;

	while (i < r->nopen && r->open[i]->tid != tid)
		i++;
	return i;
}

static void transaction_end(struct xfs_replay *r, size_t i)
{
	transaction_free(r->open[i]);
	r->open[i] = r->open[--r->nopen];
}

static int transaction_start(struct xfs_replay *r, uint32_t tid, uint64_t lsn, struct err *e)
{
	struct xfs_transaction *t;

	if (r->nopen == LIMIT_XFS_TRANSACTIONS)
		return err_set(e, ERR_LIMIT, "more than %d transactions at once", LIMIT_XFS_TRANSACTIONS);
	t = alloc_zero(sizeof *t);
	if (!t)
		return err_nomem(e);
	t->tid = tid;
	t->lsn = lsn;
	r->open[r->nopen++] = t;
	return 0;
}

static int grow(void **items, size_t size, size_t n, size_t *cap, struct err *e)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *bigger;

	if (n < *cap)
		return 0;
	if (more > LIMIT_XFS_REGIONS)
		return err_set(e, ERR_LIMIT, "a transaction of more than %d regions", LIMIT_XFS_REGIONS);
	bigger = alloc_resize(*items, more, size);
	if (!bigger)
		return err_nomem(e);
	*items = bigger;
	*cap = more;
	return 0;
}

/* A new item, whose format begins with these bytes. */
static int item_start(struct xfs_transaction *t, const uint8_t *bytes, uint32_t len, struct err *e)
{
	void *items = t->items;
	le16 v[2];
	int rc = grow(&items, sizeof *t->items, t->nitems, &t->items_cap, e);

	t->items = items;
	if (rc < 0)
		return rc;
	if (len < sizeof v)
		return err_set(e, ERR_CORRUPT, "an item of %" PRIu32 " bytes", len);
	memcpy(v, bytes, sizeof v);
	if (le16_get(v[1]) == 0)
		return err_set(e, ERR_CORRUPT, "an item without regions");
	t->items[t->nitems++] = (struct xfs_item){
		.first = t->nregions, .type = le16_get(v[0]), .nregions = le16_get(v[1]),
	};
	return 0;
}

/* One operation's bytes: the transaction's head, or a region. */
static int region_add(struct xfs_transaction *t, struct xfs_span span, const uint8_t *bytes, struct err *e)
{
	struct xfs_item *it = t->nitems ? &t->items[t->nitems - 1] : NULL;
	void *regions;
	le32 magic;
	int rc;

	if (span.len == 0)
		return 0;
	if (t->head == 0) {
		if (span.len > TRANSACTION_HEAD || span.len < sizeof magic)
			return err_set(e, ERR_CORRUPT, "a transaction with a head of %" PRIu32 " bytes", span.len);
		memcpy(&magic, bytes, sizeof magic);
		if (le32_get(magic) != TRANSACTION_MAGIC)
			return err_set(e, ERR_CORRUPT, "a transaction without a head");
		t->head = span.len;
		return 0;
	}
	if (t->head < TRANSACTION_HEAD)
		return err_set(e, ERR_CORRUPT, "a transaction with a head of %u bytes", t->head);
	if (!it || it->have == it->nregions) {
		rc = item_start(t, bytes, span.len, e);
		if (rc < 0)
			return rc;
		it = &t->items[t->nitems - 1];
	}
	regions = t->regions;
	rc = grow(&regions, sizeof *t->regions, t->nregions, &t->regions_cap, e);
	t->regions = regions;
	if (rc < 0)
		return rc;
	t->regions[t->nregions++] = span;
	t->last_span = 0;
	it->have++;
	return 0;
}

/* The rest of what was begun in an earlier record. */
static int region_go_on(struct xfs_replay *r, struct xfs_transaction *t, struct xfs_span span, struct err *e)
{
	uint32_t index;
	int rc;

	if (span.len == 0)
		return 0;
	if (t->nregions == 0) {
		t->head += span.len;
		return t->head <= TRANSACTION_HEAD ? 0 : err_set(e, ERR_CORRUPT, "a transaction with a head of %u bytes", t->head);
	}
	rc = xfs_over_add_span(r->over, span, &index, e);
	if (rc < 0)
		return rc;
	if (t->last_span)
		r->over->spans[t->last_span - 1].next = index + 1;
	else
		t->regions[t->nregions - 1].next = index + 1;
	t->last_span = index + 1;
	return 0;
}

static int transaction_commit(struct xfs_replay *r, struct xfs_transaction *t, struct err *e)
{
	for (size_t i = 0; i < t->nitems; i++) {
		int rc;

		if (t->items[i].have != t->items[i].nregions)
			return err_set(e, ERR_CORRUPT, "an item of type 0x%x with %u of its %u regions", t->items[i].type,
				       t->items[i].have, t->items[i].nregions);
		rc = xfs_item_rank(r, t, &t->items[i], e);
		if (rc < 0)
			return rc;
	}
	for (unsigned rank = 0; rank < XFS_NRANKS; rank++)
		for (size_t i = 0; i < t->nitems; i++) {
			int rc = t->items[i].rank == rank ? xfs_item_replay(r, t, &t->items[i], e) : 0;

			if (rc < 0)
				return rc;
		}
	r->ncommitted++;
	return 0;
}

/* ---- operations ---- */

static int op_take(struct xfs_replay *r, const struct op_head *h, struct xfs_span span, const uint8_t *bytes, uint64_t lsn,
		   struct err *e)
{
	uint8_t flags = h->flags & (uint8_t)~OP_END;
	size_t i = transaction_find(r, be32_get(h->tid));
	int rc = xfs_replay_steps(r, i, e);

	if (rc < 0)
		return rc;
	if (h->client != CLIENT_TRANSACTION && h->client != CLIENT_LOG)
		return err_set(e, ERR_CORRUPT, "an operation of client 0x%x", h->client);
	if (i == r->nopen) {
		/* What began before the tail is in its place already. */
		return flags & OP_START ? transaction_start(r, be32_get(h->tid), lsn, e) : 0;
	}
	if (flags & OP_CONTINUED)
		flags &= (uint8_t)~OP_CONTINUES;
	switch (flags) {
	case OP_COMMIT:
		rc = transaction_commit(r, r->open[i], e);
		transaction_end(r, i);
		return rc;
	case OP_UNMOUNT:
		transaction_end(r, i);
		return 0;
	case OP_CONTINUED:
		return region_go_on(r, r->open[i], span, e);
	case 0:
	case OP_CONTINUES:
		return region_add(r->open[i], span, bytes, e);
	default:
		return err_set(e, ERR_CORRUPT, "an operation with flags 0x%x", h->flags);
	}
}

/* Each operation takes its head of the body, so it ends. */
static int record_replay(struct xfs_replay *r, size_t index, struct err *e)
{
	const struct xfs_record *rec = &r->over->ring.records[index];
	uint32_t nops = rec->nops, len = rec->len, at = 0;
	uint64_t lsn = rec->lsn;

	while (nops-- > 0 && at < len) {
		const uint8_t *body = NULL;
		struct op_head h;
		struct xfs_span span;
		int rc = xfs_ring_record(&r->over->ring, index, &body, e);

		if (rc < 0)
			return rc;
		if (len - at < sizeof h)
			return err_set(e, ERR_CORRUPT, "an operation runs past its record");
		memcpy(&h, body + at, sizeof h);
		at += sizeof h;
		span = (struct xfs_span){ .at = XFS_AT(index, at), .len = be32_get(h.len) };
		if (span.len > len - at)
			return err_set(e, ERR_CORRUPT, "an operation runs past its record");
		rc = op_take(r, &h, span, body + at, lsn, e);
		if (rc < 0)
			return rc;
		at += span.len;
	}
	return 0;
}

static int replay(struct xfs_replay *r, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->over->ring.nrecords; i++)
		rc = record_replay(r, i, e);
	return rc < 0 ? rc : xfs_over_settle(r->over, r->x, e);
}

/* Log incompat: what the log of a mounted filesystem may hold. */
#define LOG_INCOMPAT_XATTRS 1u

int xfs_log_replay(struct xfs *x, struct block *const *others, size_t nothers, struct xfs_over **out, char *notice,
		   size_t notice_size, struct err *e)
{
	CLEANUP(xfs_over_freep) struct xfs_over *o = alloc_zero(sizeof *o);
	struct xfs_replay r = { .x = x, .over = o };
	bool clean = false;
	int rc;

	*out = NULL;
	if (!o)
		return err_nomem(e);
	o->inode_size = x->inode_size;
	o->v5 = x->v5;
	rc = xfs_ring_open(&o->ring, x, others, nothers, e);
	if (rc < 0)
		return err_in(e, rc, "log");
	rc = xfs_ring_scan(&o->ring, &clean, e);
	if (rc == 0 && clean)
		return 0;
	if (rc == 0 && x->log_incompat & ~LOG_INCOMPAT_XATTRS)
		rc = err_set(e, ERR_UNSUPPORTED, "unknown feature 0x%" PRIx32, x->log_incompat & ~LOG_INCOMPAT_XATTRS);
	if (rc == 0)
		rc = replay(&r, e);
	while (r.nopen)
		transaction_end(&r, r.nopen - 1);
	if (rc < 0)
		return err_in(e, rc, "log that needs recovery, which takes the appliance");
	snprintf(notice, notice_size, "log replayed in memory: %" PRIu64 " transactions, %" PRIu64 " buffers, %zu inodes%s",
		 r.ncommitted, r.nbuffers, o->ninodes,
		 o->nintents ? "; announced changes completed" : "");
	*out = take(o);
	return 0;
}
