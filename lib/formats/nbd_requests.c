/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd_requests.c - the transmission phase of NBD, server's side.
 *
 * The threads of a client are alike: one reads the next request, with the data that comes with it, and leaves the socket to
 * another one before it does the work.  Replies are whole messages, in any order.  A thread has LIMIT_NBD_BUFFER bytes for
 * data, whatever the client asks for: what is larger goes in pieces.
 *
 * Small reads and writes are most often done in the page cache, in less time than another thread takes to wake up.  So the
 * thread that has read one does it at once, and keeps the socket; replies go out together when no further request lies there.
 * One that takes long, as it waited for a disk, shows that it does not pay: then the next ones are done side by side.
 */
#include "nbd_internal.h"

#include "alloc.h"
#include "checked.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

enum {
	/* From here on it pays to ask for holes, which need not be sent. */
	HOLES_FROM = 32 * KiB,
	/* Zeroing and discarding go in such steps, so that the server can be stopped in between. */
	STEP = 256 * MiB,
	/* Up to here a read or write is small, */
	QUICK = 16 * KiB,
	/* so many replies are sent at once, */
	QUEUE = 16,
	/* and what has taken so long (in nanoseconds) was not quick; the next so many are then done side by side. */
	LONG_NS = 300 * 1000,
	PATIENCE = 64,
};
_Static_assert(QUEUE * QUICK <= LIMIT_NBD_BUFFER, "each reply in the queue has its part of the buffer");

struct request {
	unsigned flags, type;
	be64 cookie;
	uint64_t off, len;
	bool quick;	  /* to be done by the thread that has read it, with the socket in hand */
	bool done;	  /* a write whose data did not fit went to the disk while it was read */
	unsigned error;	  /* an enum nbd_error */
	const char *text; /* why, where we know better than the number; NULL: no words */
};

union reply_head {
	struct nbd_simple_reply simple;
	struct {
		struct nbd_structured_reply head;
		be64 off;
	} structured;
	struct {
		struct nbd_extended_reply head;
		be64 off;
	} extended;
};
_Static_assert(sizeof(((union reply_head *)0)->structured) == sizeof(struct nbd_structured_reply) + sizeof(be64) &&
		       sizeof(((union reply_head *)0)->extended) == sizeof(struct nbd_extended_reply) + sizeof(be64),
	       "as they are sent");

struct worker {
	struct nbd_client *c;
	uint8_t *buf;
	/* Replies that wait to be sent; the data of each, at most QUICK bytes, is in its part of buf. */
	unsigned nqueued;
	struct iovec iov[2 * QUEUE];
	union reply_head heads[QUEUE];
};

static unsigned fail(struct request *r, unsigned error, const char *text)
{
	r->error = error;
	r->text = text;
	return error;
}

/* An error of the block layer.  Its words are for the server's owner: they name the host's files. */
static void fail_block(struct nbd_client *c, struct request *r, const struct err *e)
{
	unsigned error = NBD_EIO;

	if (e->code == ERR_NOMEM)
		error = NBD_ENOMEM;
	else if (e->code == ERR_UNSUPPORTED)
		error = NBD_ENOTSUP;
	else if (e->code == ERR_SYSTEM && e->sys_errno == NBD_ENOSPC)
		error = NBD_ENOSPC;
	if (error != NBD_ENOTSUP)
		nbd_keep_error(c->server, c->export, e);
	(void)fail(r, error, NULL);
}

/* ---- replies ---- */

/* Whole messages, under the lock. */
static void send_whole(struct nbd_client *c, struct iovec *iov, unsigned n)
{
	int rc;

	pthread_mutex_lock(&c->writing);
	rc = c->dropped ? -1 : nbd_send(c, iov, n);
	pthread_mutex_unlock(&c->writing);
	if (rc)
		nbd_drop(c);
}

static void send_simple(struct nbd_client *c, const struct request *r)
{
	struct nbd_simple_reply h;
	struct iovec iov = { &h, sizeof h };

	be32_put(&h.magic, NBD_SIMPLE_REPLY_MAGIC);
	be32_put(&h.error, r->error);
	h.cookie = r->cookie;
	send_whole(c, &iov, 1);
}

/* The head of a chunk with so many bytes, in the client's style; how long it is. */
static size_t chunk_head(const struct nbd_client *c, const struct request *r, unsigned type, bool last, uint64_t len,
			 union reply_head *out)
{
	const unsigned flags = last ? NBD_REPLY_DONE : 0;

	if (c->style == NBD_EXTENDED) {
		struct nbd_extended_reply *x = &out->extended.head;

		be32_put(&x->magic, NBD_EXTENDED_REPLY_MAGIC);
		be16_put(&x->flags, (uint16_t)flags);
		be16_put(&x->type, (uint16_t)type);
		x->cookie = r->cookie;
		be64_put(&x->off, r->off);
		be64_put(&x->len, len);
		return sizeof *x;
	}
	be32_put(&out->structured.head.magic, NBD_STRUCTURED_REPLY_MAGIC);
	be16_put(&out->structured.head.flags, (uint16_t)flags);
	be16_put(&out->structured.head.type, (uint16_t)type);
	out->structured.head.cookie = r->cookie;
	be32_put(&out->structured.head.len, (uint32_t)len);
	return sizeof out->structured.head;
}

static void send_chunk(struct nbd_client *c, const struct request *r, unsigned type, bool last, const void *a, size_t alen,
		       const void *b, size_t blen)
{
	union reply_head head;
	struct iovec iov[3] = { { &head, chunk_head(c, r, type, last, alen + blen, &head) },
				{ (void *)(uintptr_t)a, alen },
				{ (void *)(uintptr_t)b, blen } };

	send_whole(c, iov, 3);
}

static void send_error(struct nbd_client *c, const struct request *r)
{
	const char *text = r->text ? r->text : "";
	struct {
		be32 error;
		be16 len;
	} h;

	be32_put(&h.error, r->error);
	be16_put(&h.len, (uint16_t)strlen(text));
	send_chunk(c, r, NBD_CHUNK_ERROR, true, &h, sizeof h, text, strlen(text));
}

/* The end of a request that has no data to send. */
static void send_outcome(struct nbd_client *c, const struct request *r)
{
	if (c->style == NBD_SIMPLE || (c->style == NBD_STRUCTURED && !r->error))
		send_simple(c, r);
	else if (r->error)
		send_error(c, r);
	else
		send_chunk(c, r, NBD_CHUNK_NONE, true, NULL, 0, NULL, 0);
}

/* ---- replies that go out together ---- */

static bool buffer(struct worker *w)
{
	if (!w->buf)
		w->buf = alloc_aligned(4096, LIMIT_NBD_BUFFER);
	return w->buf;
}

/* Where the data of a small request goes: behind that of the replies that wait. */
static uint8_t *room(const struct worker *w)
{
	return w->buf + (size_t)w->nqueued * QUICK;
}

static void send_queued(struct worker *w)
{
	const unsigned n = 2 * w->nqueued;

	if (!n)
		return;
	w->nqueued = 0;
	send_whole(w->c, w->iov, n);
}

/* A small request that went well: its data, if it is a read, is in its room. */
static void queue_reply(struct worker *w, const struct request *r)
{
	const struct nbd_client *c = w->c;
	const size_t data = r->type == NBD_CMD_READ ? (size_t)r->len : 0;
	union reply_head *h = &w->heads[w->nqueued];
	size_t len = sizeof h->simple;

	if (c->style == NBD_SIMPLE || (c->style == NBD_STRUCTURED && !data)) {
		be32_put(&h->simple.magic, NBD_SIMPLE_REPLY_MAGIC);
		be32_put(&h->simple.error, 0);
		h->simple.cookie = r->cookie;
	} else if (!data) {
		len = chunk_head(c, r, NBD_CHUNK_NONE, true, 0, h);
	} else {
		len = chunk_head(c, r, NBD_CHUNK_DATA, true, sizeof(be64) + data, h);
		be64_put(c->style == NBD_EXTENDED ? &h->extended.off : &h->structured.off, r->off);
		len += sizeof(be64);
	}
	w->iov[2 * w->nqueued] = (struct iovec){ h, len };
	w->iov[2 * w->nqueued + 1] = (struct iovec){ room(w), data };
	w->nqueued++;
}

/* ---- reading and judging requests ---- */

static unsigned judge_flags(const struct nbd_client *c, struct request *r)
{
	unsigned may = NBD_CMD_FLAG_FUA; /* on whatever, where it means nothing */

	if (r->type == NBD_CMD_READ && c->style != NBD_SIMPLE)
		may |= NBD_CMD_FLAG_DF;
	if (r->type == NBD_CMD_WRITE && c->style == NBD_EXTENDED)
		may |= NBD_CMD_FLAG_PAYLOAD_LEN;
	if (r->type == NBD_CMD_WRITE_ZEROES)
		may |= NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO;
	if (r->type == NBD_CMD_BLOCK_STATUS)
		may |= NBD_CMD_FLAG_REQ_ONE;
	return r->flags & ~may ? fail(r, NBD_EINVAL, "a flag that this command does not have") : 0;
}

static unsigned judge_range(const struct nbd_client *c, struct request *r)
{
	bool writes = r->type == NBD_CMD_WRITE || r->type == NBD_CMD_WRITE_ZEROES;

	if (range_in(r->off, r->len, block_size(c->export->block)))
		return 0;
	return fail(r, writes ? NBD_ENOSPC : NBD_EINVAL, "the range goes past the end of the disk");
}

static unsigned judge(const struct nbd_client *c, struct request *r)
{
	if (judge_flags(c, r))
		return r->error;
	switch (r->type) {
	case NBD_CMD_READ:
		if (r->len > LIMIT_NBD_PAYLOAD)
			return fail(r, NBD_EINVAL, "more than 32 MiB at once");
		if ((r->flags & NBD_CMD_FLAG_DF) && r->len > LIMIT_NBD_BUFFER)
			return fail(r, NBD_EOVERFLOW, "too much for one piece");
		return judge_range(c, r);
	case NBD_CMD_WRITE:
	case NBD_CMD_WRITE_ZEROES:
	case NBD_CMD_TRIM:
		if (!c->export->writable)
			return fail(r, NBD_EPERM, "the export is read-only");
		return judge_range(c, r);
	case NBD_CMD_CACHE:
		return judge_range(c, r);
	case NBD_CMD_FLUSH:
		return r->off || r->len ? fail(r, NBD_EINVAL, "a flush has no range") : 0;
	case NBD_CMD_BLOCK_STATUS:
		if (c->status_of != c->export)
			return fail(r, NBD_EINVAL, "no metadata context was chosen");
		if (r->len == 0)
			return fail(r, NBD_EINVAL, "an empty range");
		return judge_range(c, r);
	default:
		return fail(r, NBD_EINVAL, "there is no such command");
	}
}

static int read_header(struct nbd_client *c, struct request *r)
{
	*r = (struct request){ .error = 0 };
	if (c->style == NBD_EXTENDED) {
		struct nbd_extended_request_header h;

		if (nbd_recv(c, &h, sizeof h) || be32_get(h.magic) != NBD_EXTENDED_REQUEST_MAGIC)
			return -1;
		r->flags = be16_get(h.flags);
		r->type = be16_get(h.type);
		r->cookie = h.cookie;
		r->off = be64_get(h.off);
		r->len = be64_get(h.len);
	} else {
		struct nbd_request_header h;

		if (nbd_recv(c, &h, sizeof h) || be32_get(h.magic) != NBD_REQUEST_MAGIC)
			return -1;
		r->flags = be16_get(h.flags);
		r->type = be16_get(h.type);
		r->cookie = h.cookie;
		r->off = be64_get(h.off);
		r->len = be32_get(h.len);
	}
	return 0;
}

static void write_piece(struct nbd_client *c, struct request *r, const uint8_t *buf, size_t len, uint64_t off)
{
	struct err e = ERR_INIT;

	if (!r->error && block_pwrite(c->export->block, buf, len, off, &e) < 0)
		fail_block(c, r, &e);
}

/* The data of a request that is refused, or of one too large for the buffer, which is written piece by piece. */
static int read_payload(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;
	uint8_t small[4096], *to = small;
	size_t step = sizeof small;

	if (!r->error && !buffer(w))
		(void)fail(r, NBD_ENOMEM, NULL);
	if (!r->error) {
		to = r->quick ? room(w) : w->buf;
		step = LIMIT_NBD_BUFFER;
	}
	if (!r->error && r->len <= step)
		return nbd_recv(c, to, (size_t)r->len);
	r->done = true;
	for (uint64_t done = 0; done < r->len;) {
		size_t n = (size_t)MIN_OF(r->len - done, (uint64_t)step);

		if (nbd_recv(c, to, n))
			return -1;
		write_piece(c, r, to, n, r->off + done);
		done += n;
	}
	return 0;
}

static bool is_quick(const struct nbd_client *c, const struct request *r)
{
	return !r->error && !c->patience && r->len && r->len <= QUICK &&
	       (r->type == NBD_CMD_READ || (r->type == NBD_CMD_WRITE && !(r->flags & NBD_CMD_FLAG_FUA)));
}

/* Does a whole request lie there, so that its reader waits for nobody? */
static bool more_is_there(const struct nbd_client *c)
{
	const size_t there = c->in_len - c->in_at;
	struct nbd_request_header h;
	struct nbd_extended_request_header x;

	if (c->style == NBD_EXTENDED) {
		if (there < sizeof x)
			return false;
		memcpy(&x, c->in + c->in_at, sizeof x);
		return (be16_get(x.type) != NBD_CMD_WRITE && !(be16_get(x.flags) & NBD_CMD_FLAG_PAYLOAD_LEN)) ||
		       be64_get(x.len) <= there - sizeof x;
	}
	if (there < sizeof h)
		return false;
	memcpy(&h, c->in + c->in_at, sizeof h);
	return be16_get(h.type) != NBD_CMD_WRITE || be32_get(h.len) <= there - sizeof h;
}

/* Under `reading`: 0, or -1 when there are no more, or none that could be understood. */
static int read_request(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;
	bool payload;

	if (w->nqueued == QUEUE || !more_is_there(c))
		send_queued(w);
	if (read_header(c, r)) {
		nbd_drop(c);
		return -1;
	}
	if (r->type == NBD_CMD_DISC) {
		send_queued(w);
		return -1;
	}
	payload = r->type == NBD_CMD_WRITE || (c->style == NBD_EXTENDED && (r->flags & NBD_CMD_FLAG_PAYLOAD_LEN));
	(void)judge(c, r);
	r->quick = is_quick(c, r);
	/* What is not quick has the whole buffer, and replies are not kept waiting for it. */
	if (!r->quick)
		send_queued(w);
	else if (!buffer(w))
		r->quick = false;
	/* More than the protocol lets anybody send is not read to its end. */
	if (payload && (r->len > LIMIT_NBD_PAYLOAD || read_payload(w, r))) {
		nbd_drop(c);
		return -1;
	}
	return 0;
}

/* ---- the work ---- */

static int pread_piece(struct worker *w, struct request *r, uint64_t done, size_t n)
{
	struct err e = ERR_INIT;
	int rc = buffer(w) ? block_pread(w->c->export->block, w->buf, n, r->off + done, &e) : err_nomem(&e);

	if (rc < 0)
		fail_block(w->c, r, &e);
	return rc;
}

/* A simple reply is one message, whose first word says whether all went well: what fails behind it ends the connection. */
static void read_simple(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;
	struct nbd_simple_reply h;
	struct iovec iov[2] = { { &h, sizeof h }, { NULL, 0 } };
	size_t n = (size_t)MIN_OF(r->len, LIMIT_NBD_BUFFER);
	int rc;

	if (pread_piece(w, r, 0, n) < 0) {
		send_simple(c, r);
		return;
	}
	be32_put(&h.magic, NBD_SIMPLE_REPLY_MAGIC);
	be32_put(&h.error, 0);
	h.cookie = r->cookie;
	pthread_mutex_lock(&c->writing);
	iov[1] = (struct iovec){ w->buf, n };
	rc = c->dropped ? -1 : nbd_send(c, iov, 2);
	for (uint64_t done = n; rc == 0 && done < r->len; done += n) {
		n = (size_t)MIN_OF(r->len - done, LIMIT_NBD_BUFFER);
		rc = pread_piece(w, r, done, n);
		iov[0] = (struct iovec){ w->buf, n };
		if (rc == 0)
			rc = nbd_send(c, iov, 1);
	}
	pthread_mutex_unlock(&c->writing);
	if (rc)
		nbd_drop(c);
}

/* A hole of the disk at `done`, which is sent as such: its length; 0: there is none. */
static uint64_t hole_at(struct nbd_client *c, const struct request *r, uint64_t done, size_t *data)
{
	struct extent x;

	if ((r->flags & NBD_CMD_FLAG_DF) || r->len - done < HOLES_FROM ||
	    block_extent_chain(c->export->block, NULL, r->len - done, r->off + done, &x, NULL) < 0)
		return 0; /* where it cannot be told, reading says what is wrong */
	if (x.flags & EXTENT_ZERO)
		return x.len;
	*data = (size_t)MIN_OF(x.len, (uint64_t)*data);
	return 0;
}

static void read_chunks(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;
	be64 off;

	if (r->len == 0)
		send_chunk(c, r, NBD_CHUNK_NONE, true, NULL, 0, NULL, 0);
	for (uint64_t done = 0; done < r->len && !c->dropped;) {
		size_t n = (size_t)MIN_OF(r->len - done, LIMIT_NBD_BUFFER);
		uint64_t hole = hole_at(c, r, done, &n);
		be32 len;

		be64_put(&off, r->off + done);
		if (hole) {
			be32_put(&len, (uint32_t)hole);
			send_chunk(c, r, NBD_CHUNK_HOLE, done + hole == r->len, &off, sizeof off, &len, sizeof len);
			done += hole;
			continue;
		}
		if (pread_piece(w, r, done, n) < 0) {
			send_error(c, r);
			return;
		}
		send_chunk(c, r, NBD_CHUNK_DATA, done + n == r->len, &off, sizeof off, w->buf, n);
		done += n;
	}
}

static void do_write(struct worker *w, struct request *r)
{
	if (!r->done)
		write_piece(w->c, r, w->buf, (size_t)r->len, r->off);
}

/* Zeroes or discards. */
static void do_range(struct nbd_client *c, struct request *r)
{
	unsigned how = (r->flags & NBD_CMD_FLAG_NO_HOLE ? BLOCK_ZERO_KEEP : BLOCK_ZERO_UNMAP) |
		       (r->flags & NBD_CMD_FLAG_FAST_ZERO ? BLOCK_ZERO_FAST : 0u);
	struct err e = ERR_INIT;

	for (uint64_t done = 0; !r->error && done < r->len;) {
		uint64_t n = MIN_OF(r->len - done, (uint64_t)STEP);
		int rc = r->type == NBD_CMD_TRIM ? block_discard(c->export->block, n, r->off + done, &e)
						 : block_zero(c->export->block, n, r->off + done, how, &e);

		if (c->dropped)
			(void)fail(r, NBD_ESHUTDOWN, NULL);
		else if (rc < 0)
			fail_block(c, r, &e);
		done += n;
	}
}

static void do_flush(struct nbd_client *c, struct request *r)
{
	struct err e = ERR_INIT;

	if (!r->error && c->export->writable && block_flush(c->export->block, &e) < 0)
		fail_block(c, r, &e);
}

/* The host is told that these bytes will be wanted; what does not lie plain in its files is left as it is. */
static void do_cache(struct nbd_client *c, const struct request *r)
{
	struct extent x;

	for (uint64_t done = 0, steps = 0; done < r->len && steps < LIMIT_NBD_STEPS; done += x.len, steps++) {
		if (block_extent_chain(c->export->block, NULL, r->len - done, r->off + done, &x, NULL) < 0)
			return;
		if ((x.flags & EXTENT_PLAIN) && block_host_fd(x.host) >= 0)
			(void)posix_fadvise(block_host_fd(x.host), (off_t)x.host_off, (off_t)x.len, POSIX_FADV_WILLNEED);
	}
}

struct status_run {
	uint64_t len;
	uint32_t state;
};

/* The run that begins at off, of at most len bytes, as a bitmap has it. */
static int bitmap_run(const struct nbd_own_export *x, const char *bitmap, uint64_t len, uint64_t off, struct status_run *out,
		      struct err *e)
{
	const uint64_t from = x->off + off;
	uint64_t begin, dirty;
	int rc = block_bitmap_next(x->bitmaps_of, bitmap, from, &begin, &dirty, e);

	if (rc < 0)
		return rc;
	if (dirty == 0 || begin >= from + len)
		*out = (struct status_run){ len, 0 };
	else if (begin > from)
		*out = (struct status_run){ begin - from, 0 };
	else
		*out = (struct status_run){ MIN_OF(begin + dirty - from, len), NBD_STATE_DIRTY };
	return 0;
}

/* The same of any context. */
static int one_run(const struct nbd_own_export *export, const struct nbd_context *context, uint64_t len, uint64_t off,
		   struct status_run *out, struct err *e)
{
	struct extent x;
	int rc;

	if (context->kind == NBD_CONTEXT_BITMAP)
		return bitmap_run(export, context->bitmap, len, off, out, e);
	if (context->kind == NBD_CONTEXT_DEPTH)
		rc = block_extent_chain(export->depth_of, NULL, len, export->off + off, &x, e);
	else
		rc = block_extent_chain(export->block, NULL, len, off, &x, e);
	if (rc < 0)
		return rc;
	out->len = x.len;
	if (context->kind == NBD_CONTEXT_DEPTH)
		out->state = x.flags & EXTENT_ALLOC ? x.depth + 1 : 0;
	else
		out->state = (x.flags & EXTENT_DATA ? 0u : NBD_STATE_HOLE) | (x.flags & EXTENT_ZERO ? NBD_STATE_ZERO : 0u);
	return 0;
}

/*
 * Runs of one state from r->off on; how many, at least 1, or 0 with r->error.  Ends: each step moves on by at least a byte, and
 * after so many it is enough, as the answer need not reach the end.
 */
static unsigned status_runs(struct nbd_client *c, struct request *r, const struct nbd_context *context,
			    struct status_run *runs, unsigned max)
{
	struct err e = ERR_INIT;
	struct status_run run;
	unsigned n = 0;

	for (uint64_t done = 0, steps = 0; done < r->len && steps < LIMIT_NBD_STEPS && !c->dropped;
	     done += run.len, steps++) {
		if (one_run(c->export, context, r->len - done, r->off + done, &run, &e) < 0) {
			if (n == 0)
				fail_block(c, r, &e);
			return n;
		}
		if (n && runs[n - 1].state == run.state)
			runs[n - 1].len += run.len;
		else if (n == max)
			return n;
		else
			runs[n++] = run;
	}
	return n;
}

/* The answer of one context: a chunk; false: an error, which was told. */
static bool send_status(struct worker *w, struct request *r, unsigned context, bool last)
{
	struct nbd_client *c = w->c;
	struct status_run *runs = (struct status_run *)(void *)w->buf;
	unsigned n, max = r->flags & NBD_CMD_FLAG_REQ_ONE ? 1 : LIMIT_NBD_EXTENTS;
	uint8_t *at;
	be32 head[2];

	_Static_assert(LIMIT_NBD_EXTENTS * (sizeof *runs + 16) <= LIMIT_NBD_BUFFER, "an answer fits into the buffer");
	n = status_runs(c, r, &c->export->contexts[context], runs, max);
	if (n == 0) {
		send_error(c, r);
		return false;
	}
	at = w->buf + LIMIT_NBD_EXTENTS * sizeof *runs;
	for (unsigned i = 0; i < n; i++) {
		be32 small[2];
		be64 large[2];

		be32_put(&small[0], (uint32_t)runs[i].len);
		be32_put(&small[1], runs[i].state);
		be64_put(&large[0], runs[i].len);
		be64_put(&large[1], runs[i].state);
		if (c->style == NBD_EXTENDED)
			memcpy(at + i * sizeof large, large, sizeof large);
		else
			memcpy(at + i * sizeof small, small, sizeof small);
	}
	be32_put(&head[0], context);
	be32_put(&head[1], n);
	if (c->style == NBD_EXTENDED)
		send_chunk(c, r, NBD_CHUNK_STATUS_EXT, last, head, sizeof head, at, n * sizeof(be64[2]));
	else
		send_chunk(c, r, NBD_CHUNK_STATUS, last, head, sizeof head[0], at, n * sizeof(be32[2]));
	return true;
}

static void do_status(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;

	if (!buffer(w)) {
		(void)fail(r, NBD_ENOMEM, NULL);
		send_error(c, r);
		return;
	}
	for (unsigned i = 0; i < c->export->ncontexts; i++)
		if ((c->contexts >> i & 1) && !send_status(w, r, i, c->contexts >> i == 1))
			return;
}

static void perform(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;

	if (r->error) {
		/* A read is never answered by a simple reply where structured ones were chosen. */
		send_outcome(c, r);
		return;
	}
	switch (r->type) {
	case NBD_CMD_READ:
		if (c->style == NBD_SIMPLE)
			read_simple(w, r);
		else
			read_chunks(w, r);
		return;
	case NBD_CMD_BLOCK_STATUS:
		do_status(w, r);
		return;
	case NBD_CMD_WRITE:
		do_write(w, r);
		break;
	case NBD_CMD_TRIM:
	case NBD_CMD_WRITE_ZEROES:
		do_range(c, r);
		break;
	case NBD_CMD_FLUSH:
		do_flush(c, r);
		break;
	default: /* judge() lets nothing else pass */
		do_cache(c, r);
		break;
	}
	if ((r->flags & NBD_CMD_FLAG_FUA) && r->type != NBD_CMD_FLUSH)
		do_flush(c, r);
	send_outcome(c, r);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Under `reading`. */
static void perform_quick(struct worker *w, struct request *r)
{
	struct nbd_client *c = w->c;
	const int64_t begin = now_ns();
	struct err e = ERR_INIT;
	int rc = r->type == NBD_CMD_READ ? block_pread(c->export->block, room(w), (size_t)r->len, r->off, &e)
					 : block_pwrite(c->export->block, room(w), (size_t)r->len, r->off, &e);

	if (now_ns() - begin > LONG_NS)
		c->patience = PATIENCE;
	if (rc == 0) {
		queue_reply(w, r);
		return;
	}
	send_queued(w);
	fail_block(c, r, &e);
	send_outcome(c, r);
}

void nbd_requests(struct nbd_client *c)
{
	struct worker w = { .c = c };
	struct request r;
	bool end;

	do {
		atomic_fetch_add(&c->waiting, 1);
		pthread_mutex_lock(&c->reading);
		atomic_fetch_sub(&c->waiting, 1);
		do {
			if (!c->ended && !c->dropped && read_request(&w, &r) < 0)
				c->ended = true;
			end = c->ended || c->dropped;
			if (!end && r.quick)
				perform_quick(&w, &r);
			else if (!end && c->patience)
				c->patience--;
		} while (!end && r.quick);
		if (!end && !c->waiting)
			nbd_help(c);
		pthread_mutex_unlock(&c->reading);
		if (!end)
			perform(&w, &r);
	} while (!end);
	free(w.buf);
}
