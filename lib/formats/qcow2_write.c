// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_write.c - writing: in place where the cluster is ours alone, else into new clusters.
 *
 * A write is cut into pieces.  A piece in place is one host write under a shared request.  Any other piece is a run of
 * clusters that need a change of their L2 entries, under an exclusive request: clusters are taken for as much of it as
 * lies together, what the guest does not overwrite in the first and last one is copied from where it was (backing
 * file, zeros, a compressed or shared cluster), all of it is written, and only then do the L2 entries name it.  A
 * failure on the way gives the clusters back; nothing has named them.
 *
 * What is written is in memory, or lies in a file of the host that shares it with ours (block_pwrite_from()).
 */
#include "qcow2.h"

#include <inttypes.h>

/* Pieces up to this size are put together with what is copied around them, for one host write. */
#define BOUNCE_MAX (256 * KiB)

void qcow2_l2_set(struct qcow2_state *s, struct qcow2_cache_entry *x, unsigned idx, uint64_t entry, uint64_t bitmap)
{
	uint8_t *p = x->data + (size_t)idx * s->l2_entry_size;
	be64 v;

	be64_put(&v, entry);
	memcpy(p, &v, sizeof v);
	if (s->subclusters > 1) {
		be64_put(&v, bitmap);
		memcpy(p + 8, &v, sizeof v);
	}
	qcow2_cache_dirty(&s->l2, x);
}

/* ---- L2 tables ---- */

/* Fills the new table at `to`: as the one at `from`, or (0) empty. */
static int copy_l2(struct block *b, uint64_t to, uint64_t from, struct err *e)
{
	struct qcow2_state *s = b->state;

	for (uint64_t at = 0; at < s->cluster_size; at += s->l2_slice_size) {
		struct qcow2_cache_entry *src = NULL, *dst;
		int rc = from ? qcow2_meta_get(b, &s->l2, from + at, false, &src, e) : 0;

		if (rc == 0)
			rc = qcow2_meta_get(b, &s->l2, to + at, true, &dst, e);
		if (rc < 0) {
			qcow2_cache_put(src);
			return rc;
		}
		if (src)
			memcpy(dst->data, src->data, s->l2_slice_size);
		qcow2_cache_dirty(&s->l2, dst);
		qcow2_cache_put(src);
		qcow2_cache_put(dst);
	}
	return 0;
}

int qcow2_l2_writable(struct block *b, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t i = qcow2_l1_index(s, off), table, fresh;
	int rc;

	if (i >= s->l1_size)
		return err_set(e, ERR_CORRUPT, "the L1 table is too small for offset %" PRIu64, off);
	rc = qcow2_l1_judge(b, i, s->l1[i], &table, e);
	if (rc < 0)
		return rc;
	if (table && (s->l1[i] & QCOW2_COPIED))
		return qcow2_overlap_check(b, table, s->cluster_size, QCOW2_OL_L2, e);
	rc = qcow2_alloc(b, 1, true, &fresh, NULL, NULL, e);
	if (rc < 0)
		return rc;
	if (table)
		block_event(b->file, "l2_alloc_cow_read");
	block_event(b->file, "l2_alloc_write");
	rc = copy_l2(b, fresh, table, e);
	if (rc < 0) {
		qcow2_alloc_undo(b, fresh, 1);
		return rc;
	}
	s->l1[i] = fresh | QCOW2_COPIED;
	qcow2_note_dirty(&s->l1_dirty, (uint32_t)i);
	qcow2_meta_note(b, fresh);
	if (table)
		qcow2_free_later(b, table, 1, QCOW2_FREE_OTHER);
	return 0;
}

/* ---- a piece in new (or not yet used) clusters ---- */

struct piece {
	uint64_t guest, nclusters; /* whole clusters */
	uint64_t host;
	bool fresh;	      /* the clusters were taken for this piece */
	bool virgin;	      /* and read as zeros */
	uint64_t off, end;    /* what the guest writes */
	uint64_t from, until; /* with what is written around it */
};

/* May the entry's host cluster be written without asking anyone? */
static bool is_ours(const struct qcow2_state *s, uint64_t entry)
{
	uint64_t host;

	return qcow2_l2_host(s, entry, &host) && (entry & QCOW2_COPIED);
}

/* How many clusters from p->guest on can be dealt with alike, at most as many as one slice holds. */
static int find_alike(struct block *b, struct piece *p, uint64_t *first, uint64_t *first_bitmap, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t max = (round_up(p->end, s->cluster_size) - p->guest) >> s->cluster_bits, n = 0;
	struct qcow2_cache_entry *x;
	unsigned idx;
	int rc = qcow2_l2_slice(b, p->guest, &x, &idx, e);

	if (rc < 0)
		return rc;
	max = MIN_OF(max, s->l2_slice_size / s->l2_entry_size - idx);
	*first = qcow2_l2_entry(s, x->data, idx);
	*first_bitmap = qcow2_l2_bitmap(s, x->data, idx);
	p->fresh = !s->data_file && !is_ours(s, *first);
	for (; n < max && rc == 0; n++) {
		uint64_t entry = qcow2_l2_entry(s, x->data, idx + (unsigned)n), host = 0;

		rc = qcow2_l2_judge(b, p->guest + (n << s->cluster_bits), entry,
				    qcow2_l2_bitmap(s, x->data, idx + (unsigned)n), e);
		if (rc < 0 || s->data_file)
			continue;
		qcow2_l2_host(s, entry, &host);
		if (p->fresh == is_ours(s, entry) ||
		    (!p->fresh && host != (*first & QCOW2_OFFSET_MASK) + (n << s->cluster_bits)))
			break;
	}
	qcow2_cache_put(x);
	p->nclusters = n;
	p->host = s->data_file ? p->guest : *first & QCOW2_OFFSET_MASK;
	return rc;
}

/*
 * The bytes of the cluster at `guest` that must be written together with the byte range that ends (or begins) at `at`:
 * its subcluster, or all of it when its old place is given up and holds something; nothing when `at` is in stored data.
 */
static uint64_t edge(const struct qcow2_state *s, const struct piece *p, uint64_t at, bool head, uint64_t entry,
		     uint64_t bitmap)
{
	uint64_t inner = head ? at : at - 1, unit = 1ULL << s->sub_bits;
	unsigned sub = (unsigned)((inner & (s->cluster_size - 1)) >> s->sub_bits);
	bool has_data = (entry & QCOW2_COMPRESSED) || (bitmap & UINT32_MAX);

	if (!p->fresh && qcow2_l2_kind(s, entry, bitmap, sub) == QCOW2_KIND_NORMAL)
		return at;
	if (p->fresh && has_data)
		unit = s->cluster_size;
	return head ? round_down(at, unit) : round_up(at, unit);
}

/* Is it known without reading that [off, off + len) reads as zeros? */
bool qcow2_reads_zero(struct block *b, uint64_t off, uint64_t len)
{
	while (len) {
		struct qcow2_run run;

		if (qcow2_map(b, off, len, &run, NULL) < 0)
			return false;
		if (run.kind != QCOW2_KIND_ZERO &&
		    (run.kind != QCOW2_KIND_UNALLOC || (b->backing && off < block_size(b->backing))))
			return false;
		off += run.len;
		len -= run.len;
	}
	return true;
}

/* Fills p: its clusters (taken, if it needs any) and what must be copied around the guest's bytes. */
static int plan_piece(struct block *b, struct piece *p, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t entry, bitmap, got;
	struct qcow2_cache_entry *x;
	unsigned idx;
	int rc = find_alike(b, p, &entry, &bitmap, e);

	if (rc == 0 && p->fresh) {
		rc = qcow2_alloc(b, p->nclusters, false, &p->host, &got, &p->virgin, e);
		if (rc == 0)
			p->nclusters = got;
	} else if (rc == 0 && !s->data_file) {
		rc = qcow2_overlap_check(b, p->host, p->nclusters << s->cluster_bits, 0, e);
	}
	if (rc < 0)
		return rc;
	p->end = MIN_OF(p->end, p->guest + (p->nclusters << s->cluster_bits));
	p->from = edge(s, p, p->off, true, entry, bitmap);
	rc = qcow2_l2_slice(b, p->end - 1, &x, &idx, e);
	if (rc < 0) {
		if (p->fresh)
			qcow2_alloc_undo(b, p->host, p->nclusters);
		return rc;
	}
	p->until = edge(s, p, p->end, false, qcow2_l2_entry(s, x->data, idx), qcow2_l2_bitmap(s, x->data, idx));
	qcow2_cache_put(x);
	return 0;
}

/* What the guest writes. */
struct payload {
	const uint8_t *buf; /* NULL: it lies at from_off of `from` */
	struct block *from;
	uint64_t from_off;
	enum block_from how;
};

static void payload_advance(struct payload *w, uint64_t done)
{
	if (w->buf)
		w->buf += done;
	else
		w->from_off += done;
}

/* The payload's next len bytes to a place in the file that holds the data. */
static int payload_write(struct block *b, const struct payload *w, uint64_t len, uint64_t host, uint64_t guest,
			 struct err *e)
{
	return w->buf ? qcow2_data_write(b, w->buf, (size_t)len, host, guest, e)
		      : block_pwrite_from(qcow2_data(b), w->from, len, w->from_off, host, w->how, e);
}

static int write_host(struct block *b, const struct piece *p, const void *buf, uint64_t from, uint64_t until,
		      struct err *e)
{
	return from == until ? 0
			     : qcow2_data_write(b, buf, (size_t)(until - from), p->host + (from - p->guest), from, e);
}

/* Reads what surrounds the guest's bytes and writes all of it; called and returning with the lock. */
static int write_piece(struct block *b, const struct piece *p, const struct payload *w, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t from = p->from, until = p->until;
	bool whole = w->buf && until - from <= BOUNCE_MAX;
	CLEANUP(free_ptr) uint8_t *bounce = NULL;
	size_t head, tail, body = whole ? (size_t)(p->end - p->off) : 0;
	int rc = 0;

	/* A cluster that was never written holds zeros already; but those decrypt to noise. */
	if (p->virgin && !s->crypt_method && from < p->off && qcow2_reads_zero(b, from, p->off - from))
		from = p->off;
	if (p->virgin && !s->crypt_method && p->end < until && qcow2_reads_zero(b, p->end, until - p->end))
		until = p->end;
	head = (size_t)(p->off - from);
	tail = (size_t)(until - p->end);
	if (head + tail) {
		bounce = alloc_bytes(head + body + tail);
		if (!bounce)
			return err_nomem(e);
		block_event(b->file, "cow_read");
		rc = head ? qcow2_read_locked(b, bounce, head, from, e) : 0;
		if (rc == 0 && tail)
			rc = qcow2_read_locked(b, bounce + head + body, tail, p->end, e);
		if (rc < 0)
			return err_in(e, rc, "copying what surrounds a write");
	}
	pthread_mutex_unlock(&s->lock);
	block_event(b->file, "write_aio");
	if (bounce)
		block_event(b->file, "cow_write");
	if (bounce && whole) {
		memcpy(bounce + head, w->buf, body);
		rc = write_host(b, p, bounce, from, until, e);
	} else {
		rc = payload_write(b, w, p->end - p->off, p->host + (p->off - p->guest), p->off, e);
		if (rc == 0)
			rc = write_host(b, p, bounce, from, p->off, e);
		if (rc == 0)
			rc = write_host(b, p, bounce ? bounce + head : NULL, p->end, until, e);
	}
	pthread_mutex_lock(&s->lock);
	s->data_unsynced = true;
	return rc;
}

/* The subclusters of the cluster at `guest` that [from, until) covers, as bits of the lower half. */
static uint64_t covered(const struct qcow2_state *s, uint64_t guest, uint64_t from, uint64_t until)
{
	uint64_t a = MAX_OF(from, guest) - guest, z = MIN_OF(until, guest + s->cluster_size) - guest;
	uint64_t lo = a >> s->sub_bits, hi = (z + (1ULL << s->sub_bits) - 1) >> s->sub_bits;

	return ((1ULL << hi) - 1) & ~((1ULL << lo) - 1);
}

/* The L2 entries name what has been written. */
static int link_piece(struct block *b, const struct piece *p, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_cache_entry *x;
	unsigned idx;
	int rc = qcow2_l2_slice(b, p->guest, &x, &idx, e);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < p->nclusters; i++) {
		uint64_t old = qcow2_l2_entry(s, x->data, idx + i), bitmap = qcow2_l2_bitmap(s, x->data, idx + i);
		uint64_t guest = p->guest + ((uint64_t)i << s->cluster_bits);

		if (s->subclusters > 1) {
			uint64_t bits = covered(s, guest, p->from, p->until);

			bitmap = (bitmap | bits) & ~(bits << 32);
		}
		qcow2_l2_set(s, x, idx + i, (p->host + ((uint64_t)i << s->cluster_bits)) | QCOW2_COPIED, bitmap);
		/* After the entry has changed: freeing may write the slice out. */
		if (p->fresh)
			qcow2_free_entry(b, old, QCOW2_FREE_OTHER);
	}
	qcow2_cache_put(x);
	return 0;
}

/* With the lock and an exclusive request: writes as much of [off, end) as one piece takes. */
static int write_mapped(struct block *b, const struct payload *w, uint64_t off, uint64_t end, uint64_t *done,
			struct err *e)
{
	struct qcow2_state *s = b->state;
	struct piece p = { .guest = round_down(off, s->cluster_size), .off = off, .end = end };
	int rc = qcow2_l2_writable(b, off, e);

	if (rc == 0)
		rc = plan_piece(b, &p, e);
	if (rc < 0)
		return rc;
	rc = write_piece(b, &p, w, e);
	if (rc == 0)
		rc = link_piece(b, &p, e);
	if (rc < 0 && p.fresh)
		qcow2_alloc_undo(b, p.host, p.nclusters);
	*done = p.end - off;
	return rc;
}

/* Under a shared request: writes the run at off, if it may be written where it is; *done stays 0 if not. */
static int write_in_place(struct block *b, const struct payload *w, uint64_t off, uint64_t len, uint64_t *done,
			  struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_run run;
	int rc = qcow2_map(b, off, len, &run, e);

	if (rc < 0 || run.kind != QCOW2_KIND_NORMAL || !run.copied)
		return rc;
	if (!s->data_file && (rc = qcow2_overlap_check(b, run.host_off, run.len, 0, e)) < 0)
		return rc;
	*done = run.len;
	pthread_mutex_unlock(&s->lock);
	block_event(b->file, "write_aio");
	rc = payload_write(b, w, run.len, run.host_off, off, e);
	pthread_mutex_lock(&s->lock);
	return rc;
}

static int write_all(struct block *b, struct payload w, uint64_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t end = off + len;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write_at(b, off, len, e);
	while (rc == 0 && off < end) {
		struct qcow2_req req;
		uint64_t done = 0;

		qcow2_req_begin(b, &req, off, end - off, false);
		rc = write_in_place(b, &w, off, end - off, &done, e);
		qcow2_req_end(b, &req);
		if (rc == 0 && !done) {
			qcow2_req_begin(b, &req, off, end - off, true);
			rc = write_mapped(b, &w, off, end, &done, e);
			qcow2_req_end(b, &req);
		}
		payload_advance(&w, done);
		off += done;
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

int qcow2_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	return qcow2_state(b)->crypt_method ? qcow2_pwrite_encrypted(b, buf, len, off, e)
					    : qcow2_write_sectors(b, buf, len, off, e);
}

int qcow2_write_sectors(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	return write_all(b, (struct payload){ .buf = buf }, len, off, e);
}

int qcow2_pwrite_from(struct block *b, struct block *src, uint64_t len, uint64_t src_off, uint64_t off,
		      enum block_from how, struct err *e)
{
	if (qcow2_state(b)->crypt_method)
		return err_set(e, ERR_UNSUPPORTED, "%s: what is written has to be encrypted", b->name);
	return write_all(b, (struct payload){ .from = src, .from_off = src_off, .how = how }, len, off, e);
}

/* ---- compressed writes ---- */

static void undo_bytes(struct block *b, uint64_t host, uint64_t size)
{
	struct qcow2_state *s = b->state;
	uint64_t first = host >> s->cluster_bits, last = (host + size - 1) >> s->cluster_bits;

	qcow2_ref_change(b, first, last - first + 1, -1, NULL);
}

/* With the lock and an exclusive request. */
static int store_compressed(struct block *b, const void *data, uint32_t size, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	unsigned x_bits = 62 - (s->cluster_bits - 8), idx;
	struct qcow2_cache_entry *x = NULL;
	uint64_t host, old;
	int rc = qcow2_l2_writable(b, off, e);

	if (rc == 0)
		rc = qcow2_alloc_bytes(b, size, &host, e);
	if (rc < 0)
		return rc;
	if (host + size > 1ULL << x_bits) {
		rc = err_set(e, ERR_LIMIT, "no room for compressed clusters below 2^%u bytes of the file", x_bits);
	} else {
		pthread_mutex_unlock(&s->lock);
		block_event(b->file, "write_compressed");
		rc = block_pwrite(b->file, data, size, host, e);
		pthread_mutex_lock(&s->lock);
		s->data_unsynced = true;
	}
	if (rc == 0)
		rc = qcow2_l2_slice(b, off, &x, &idx, e);
	if (rc < 0) {
		undo_bytes(b, host, size);
		return rc;
	}
	block_event(b->file, "l2_update_compressed");
	old = qcow2_l2_entry(s, x->data, idx);
	qcow2_l2_set(s, x, idx, QCOW2_COMPRESSED | host | (((host + size - 1) >> 9) - (host >> 9)) << x_bits, 0);
	qcow2_free_entry(b, old, QCOW2_FREE_OTHER);
	qcow2_cache_put(x);
	return 0;
}

/* Can there be a compressed cluster for [off, off + len)? */
static int judge_compressed(struct block *b, size_t len, uint64_t off, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (s->data_file)
		return err_set(e, ERR_UNSUPPORTED, "%s: an image with a data file cannot be compressed", b->name);
	if (s->crypt_method)
		return err_set(e, ERR_UNSUPPORTED, "%s: an encrypted image cannot be compressed", b->name);
	if ((off & (s->cluster_size - 1)) || len > s->cluster_size || (len < s->cluster_size && off + len != b->size))
		return err_set(e, ERR_USAGE, "%s: compressed writes are of one whole cluster", b->name);
	return 0;
}

/* Compresses one cluster, padded with zeros, into out, of a cluster's size: its new size, 0 when that is not smaller. */
static long compress_cluster(struct block *b, struct codec *c, const void *buf, size_t len, void *out, struct err *e)
{
	const struct qcow2_state *s = b->state;

	if (len < s->cluster_size) {
		uint8_t *padded = codec_buffer(c, 1, s->cluster_size, e);

		if (!padded)
			return -(long)ERR_NOMEM;
		memcpy(padded, buf, len);
		memset(padded + len, 0, s->cluster_size - len);
		buf = padded;
	}
	/* Smaller by at least a byte. */
	return codec_compress(c, s->compression == QCOW2_ZSTD ? CODEC_ZSTD : CODEC_DEFLATE, s->compression_level, out,
			      s->cluster_size - 1, buf, s->cluster_size, e);
}

int qcow2_pack(struct block *b, const void *buf, size_t len, uint64_t off, void *out, size_t *size, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(codecs_give) struct codec_lease lease = { &s->codecs, NULL };
	int rc = judge_compressed(b, len, off, e);
	long n;

	if (rc < 0)
		return rc;
	lease = codecs_take(&s->codecs, e);
	n = lease.codec ? compress_cluster(b, lease.codec, buf, len, out, e) : -(long)ERR_NOMEM;
	if (n < 0)
		return (int)n;
	*size = (size_t)n;
	return 0;
}

int qcow2_pwrite_packed(struct block *b, const void *packed, size_t size, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_req req;
	int rc = judge_compressed(b, len, off, e);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	rc = qcow2_begin_write_at(b, off, len, e);
	if (rc == 0) {
		qcow2_req_begin(b, &req, off, len, true);
		rc = store_compressed(b, packed, (uint32_t)size, off, e);
		qcow2_req_end(b, &req);
	}
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}

int qcow2_pwrite_compressed(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(codecs_give) struct codec_lease lease = { &s->codecs, NULL };
	uint8_t *out;
	long size;
	int rc = judge_compressed(b, len, off, e);

	if (rc < 0)
		return rc;
	lease = codecs_take(&s->codecs, e);
	out = lease.codec ? codec_buffer(lease.codec, 0, s->cluster_size, e) : NULL;
	size = out ? compress_cluster(b, lease.codec, buf, len, out, e) : -(long)ERR_NOMEM;
	if (size < 0)
		return (int)size;
	return size ? qcow2_pwrite_packed(b, out, (size_t)size, len, off, e) : qcow2_pwrite(b, buf, len, off, e);
}
