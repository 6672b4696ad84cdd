// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qcow2_read.c - requests, and reading what the map tells.
 *
 * A request holds a range of whole clusters of the guest: shared among readers and writers in place, exclusive for
 * whoever changes the mapping.  It waits for older ones only, so nobody starves, and a thread holds one at a time, so
 * nobody waits in a circle.
 */
#include "qcow2.h"

#include <inttypes.h>

/* ---- requests ---- */

static bool conflicts(const struct qcow2_req *a, const struct qcow2_req *r)
{
	return (a->exclusive || r->exclusive) && ranges_overlap(a->off, a->len, r->off, r->len);
}

static bool must_wait(const struct qcow2_req *r)
{
	for (const struct qcow2_req *a = r->prev; a; a = a->prev)
		if (conflicts(a, r))
			return true;
	return false;
}

void qcow2_req_begin(struct block *b, struct qcow2_req *r, uint64_t off, uint64_t len, bool exclusive)
{
	struct qcow2_state *s = b->state;

	if (!(b->flags & BLOCK_WRITE))
		return;
	r->off = round_down(off, s->cluster_size);
	r->len = round_up(off + len, s->cluster_size) - r->off;
	r->exclusive = exclusive;
	r->next = NULL;
	r->prev = s->newest_req;
	if (s->newest_req)
		s->newest_req->next = r;
	s->newest_req = r;
	while (must_wait(r))
		pthread_cond_wait(&s->wake, &s->lock);
}

void qcow2_req_end(struct block *b, struct qcow2_req *r)
{
	struct qcow2_state *s = b->state;

	if (!(b->flags & BLOCK_WRITE))
		return;
	if (r->prev)
		r->prev->next = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		s->newest_req = r->prev;
	if (s->newest_req)
		pthread_cond_broadcast(&s->wake);
}

/* ---- compressed clusters ---- */

void qcow2_zslots_free(struct qcow2_state *s)
{
	for (int i = 0; i < QCOW2_ZSLOTS; i++)
		free(take(s->zslots[i].data));
}

/* A slot that holds the cluster at host_off (with the lock). */
static struct qcow2_zslot *zslot_find(struct qcow2_state *s, uint64_t host_off)
{
	for (int i = 0; i < QCOW2_ZSLOTS; i++) {
		struct qcow2_zslot *z = &s->zslots[i];

		if (z->data && z->host_off == host_off && z->gen == s->zgen) {
			z->used = ++s->zclock;
			return z;
		}
	}
	return NULL;
}

/* Hands a decompressed cluster over to the slot used least (with the lock). */
static void zslot_keep(struct qcow2_state *s, uint64_t host_off, uint64_t gen, uint8_t *data)
{
	struct qcow2_zslot *z = &s->zslots[0];

	for (int i = 1; i < QCOW2_ZSLOTS; i++)
		if (s->zslots[i].used < z->used)
			z = &s->zslots[i];
	free(z->data);
	*z = (struct qcow2_zslot){ .host_off = host_off, .gen = gen, .used = ++s->zclock, .data = data };
}

static int decompress(struct block *b, const struct qcow2_run *run, uint8_t *dst, struct err *e)
{
	struct qcow2_state *s = b->state;
	CLEANUP(codecs_give) struct codec_lease lease = codecs_take(&s->codecs, e);
	uint64_t end = block_size(b->file);
	/* The count is of whole sectors; the file may end in the middle of the last. */
	size_t len = (size_t)MIN_OF((uint64_t)run->csize, end - MIN_OF(end, run->host_off));
	uint8_t *src = lease.codec ? codec_buffer(lease.codec, 0, run->csize, e) : NULL;
	int rc;

	if (!src)
		return -(int)ERR_NOMEM;
	block_event(b->file, "read_compressed");
	rc = len ? block_pread(b->file, src, len, run->host_off, e) : 0;
	if (rc < 0)
		return rc;
	rc = codec_decompress(lease.codec, s->compression == QCOW2_ZSTD ? CODEC_ZSTD : CODEC_DEFLATE, dst,
			      s->cluster_size, src, len, e);
	if (rc < 0)
		return err_in(e, rc, "the compressed cluster at %" PRIu64, round_down(run->off, s->cluster_size));
	return 0;
}

/* Called and returning with the lock. */
static int read_compressed(struct block *b, const struct qcow2_run *run, void *buf, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint64_t in_cluster = run->off & (s->cluster_size - 1), gen = s->zgen;
	struct qcow2_zslot *z = zslot_find(s, run->host_off);
	CLEANUP(free_ptr) uint8_t *data = NULL;
	int rc;

	if (z) {
		memcpy(buf, z->data + in_cluster, run->len);
		return 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (run->len == s->cluster_size) {
		/* A whole cluster will hardly be asked for again: no detour. */
		rc = decompress(b, run, buf, e);
		pthread_mutex_lock(&s->lock);
		return rc;
	}
	data = alloc_bytes(s->cluster_size);
	rc = data ? decompress(b, run, data, e) : err_nomem(e);
	if (rc == 0)
		memcpy(buf, data + in_cluster, run->len);
	pthread_mutex_lock(&s->lock);
	if (rc == 0)
		zslot_keep(s, run->host_off, gen, take(data));
	return rc;
}

/* ---- reading ---- */

int qcow2_read_file(struct block *file, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint64_t size = block_size(file);
	size_t there = off >= size ? 0 : (size_t)MIN_OF((uint64_t)len, size - off);

	memset((uint8_t *)buf + there, 0, len - there);
	return there ? block_pread(file, buf, there, off, e) : 0;
}

int qcow2_read_locked(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	uint8_t *p = buf;

	while (len) {
		struct qcow2_run run;
		int rc = qcow2_map(b, off, len, &run, e);

		if (rc < 0)
			return rc;
		if (run.kind == QCOW2_KIND_COMPRESSED) {
			rc = read_compressed(b, &run, p, e);
		} else {
			pthread_mutex_unlock(&s->lock);
			if (run.kind == QCOW2_KIND_NORMAL)
				block_event(b->file, "read_aio");
			else if (run.kind == QCOW2_KIND_UNALLOC && b->backing)
				block_event(b->file, "read_backing_aio");
			if (run.kind == QCOW2_KIND_NORMAL)
				rc = qcow2_data_read(b, p, (size_t)run.len, run.host_off, off, e);
			else if (run.kind == QCOW2_KIND_UNALLOC)
				rc = block_pread_backing(b, p, (size_t)run.len, off, e);
			else
				memset(p, 0, (size_t)run.len);
			pthread_mutex_lock(&s->lock);
		}
		if (rc < 0)
			return rc;
		p += run.len;
		off += run.len;
		len -= (size_t)run.len;
	}
	return 0;
}

int qcow2_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	struct qcow2_state *s = b->state;
	struct qcow2_req req;
	int rc;

	pthread_mutex_lock(&s->lock);
	qcow2_req_begin(b, &req, off, len, false);
	rc = qcow2_read_locked(b, buf, len, off, e);
	qcow2_req_end(b, &req);
	pthread_mutex_unlock(&s->lock);
	return rc < 0 ? err_in(e, rc, "%s", b->name) : 0;
}
