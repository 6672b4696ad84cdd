/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost_blk.c - virtio-blk (virtio 1.2, section 5.2) over a struct block.
 *
 * The threads of a disk are alike.  One of them holds `turn`: it waits for the machine, obeys messages, takes the next
 * request, and gives the turn to another one before it does the request's work; so a request waits for no other, and there
 * is no hand-over where there is only one at a time.  `done` guards the used ring and the count of requests under way.
 *
 * A request is {type, sector} that we read, data that we read or write, and one byte of status that we write.
 */
#include "vhost_blk.h"

#include "alloc.h"
#include "checked.h"
#include "io.h"
#include "limits.h"
#include "ondisk.h"
#include "vhost.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

enum {
	BLK_F_SEG_MAX = 2,
	BLK_F_RO = 5,
	BLK_F_BLK_SIZE = 6,
	BLK_F_FLUSH = 9,
	BLK_F_DISCARD = 13,
	BLK_F_WRITE_ZEROES = 14,

	BLK_IN = 0,
	BLK_OUT = 1,
	BLK_FLUSH = 4,
	BLK_GET_ID = 8,
	BLK_DISCARD = 11,
	BLK_WRITE_ZEROES = 13,

	BLK_OK = 0,
	BLK_IOERR = 1,
	BLK_UNSUPP = 2,

	SECTOR = 512,
	HEAD = 16,
	/* Two less than the queue of user-mode Linux has entries: the header's and the status's. */
	SEG_MAX = 254,
	RANGES = 16,
	RANGE_UNMAP = 1,
	/* What goes through a buffer of ours goes in such steps. */
	STEP = 256 * KiB,
	/* From here on it pays to ask where the bytes are, to read them straight into the machine's memory. */
	STRAIGHT_FROM = 16 * KiB,
};

/* The configuration space. */
struct blk_config {
	le64 capacity; /* sectors of 512 bytes */
	le32 size_max, seg_max;
	uint8_t geometry[4];
	le32 blk_size;
	uint8_t topology[8];
	uint8_t writeback, unused0;
	le16 num_queues;
	le32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	le32 max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
};

struct blk_range {
	le64 sector;
	le32 sectors, flags;
};

struct vhost_blk {
	struct vhost v; /* its queue's available side: whoever has the turn */
	struct block *block;
	bool connected;
	bool writable;
	bool straight; /* what block_extent() says of where bytes lie stays true while others write */
	char serial[VHOST_BLK_SERIAL_MAX + 1];
	pthread_mutex_t turn, done;
	pthread_cond_t idle;
	unsigned busy; /* requests under way */
	atomic_bool stopping, ended, failed;
	struct err err; /* the first one, under `done`; valid where failed */
	unsigned nthreads;
	pthread_t threads[VHOST_BLK_THREADS];
};

/* What a thread has to itself. */
struct worker {
	struct vhost_chain chain;
	uint8_t *buf; /* STEP bytes, once it was needed */
};

/* ---- errors ---- */

static void keep_error(struct vhost_blk *d, struct err *e)
{
	pthread_mutex_lock(&d->done);
	if (!d->failed) {
		(void)err_in(e, 0, "%s", d->serial);
		d->err = *e;
		d->failed = true;
	}
	pthread_mutex_unlock(&d->done);
}

int vhost_blk_error(struct vhost_blk *d, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&d->done);
	if (d->failed) {
		rc = -(int)d->err.code;
		if (e)
			*e = d->err;
	}
	pthread_mutex_unlock(&d->done);
	return rc;
}

/* What became of a call of the block layer. */
static uint8_t status_of(struct vhost_blk *d, int rc, struct err *e)
{
	if (rc == 0)
		return BLK_OK;
	keep_error(d, e);
	return BLK_IOERR;
}

/* ---- requests ---- */

static bool buffer(struct worker *w)
{
	if (!w->buf)
		w->buf = alloc_aligned(4096, STEP);
	return w->buf;
}

/* Zeros into the machine's memory. */
static int put_zeros(struct worker *w, uint64_t skip, uint64_t len, struct err *e)
{
	static const uint8_t zeros[64 * KiB];
	int rc = 0;

	for (uint64_t done = 0; rc == 0 && done < len;) {
		size_t step = (size_t)MIN_OF(len - done, (uint64_t)sizeof zeros);

		rc = vhost_chain_put(&w->chain, skip + done, zeros, step, e);
		done += step;
	}
	return rc;
}

/*
 * One extent straight from the file that holds it into the machine's memory.  1: done, *len bytes; 0: in another way, at
 * most *len bytes; < 0: the machine's memory failed, in *e.
 */
static int read_straight(struct vhost_blk *d, struct worker *w, uint64_t off, uint64_t skip, uint64_t *len, struct err *e)
{
	struct iovec iov[SEG_MAX];
	struct extent x;
	uint64_t n;
	size_t got;
	int fd;

	if (block_extent_merged(d->block, NULL, *len, off, &x, NULL) < 0)
		return 0; /* reading says what is wrong */
	*len = x.len;
	if (x.flags & EXTENT_ZERO)
		return put_zeros(w, skip, x.len, e) < 0 ? -(int)e->code : 1;
	if (!(x.flags & EXTENT_PLAIN) || (fd = block_host_fd(x.host)) < 0)
		return 0;
	if (io_preadv(fd, iov, vhost_chain_iov(&w->chain, true, skip, x.len, iov, SEG_MAX, &n), x.host_off, &got))
		return 0;
	*len = n;
	/* Past the end of the file there are zeros. */
	return got < n && put_zeros(w, skip + got, n - got, e) < 0 ? -(int)e->code : 1;
}

/* Status, or an error of the machine's memory. */
static int do_read(struct vhost_blk *d, struct worker *w, uint64_t off, uint64_t len, struct err *e)
{
	for (uint64_t done = 0; done < len;) {
		uint64_t n = len - done;
		int rc = 0;

		if (d->straight && n >= STRAIGHT_FROM)
			rc = read_straight(d, w, off + done, done, &n, e);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			n = MIN_OF(n, (uint64_t)STEP);
			rc = buffer(w) ? block_pread(d->block, w->buf, (size_t)n, off + done, e) : err_nomem(e);
			if (rc < 0)
				return status_of(d, rc, e);
			rc = vhost_chain_put(&w->chain, done, w->buf, (size_t)n, e);
			if (rc < 0)
				return rc;
		}
		done += n;
	}
	return BLK_OK;
}

static int do_write(struct vhost_blk *d, struct worker *w, uint64_t off, uint64_t len, struct err *e)
{
	for (uint64_t done = 0; done < len;) {
		size_t n = (size_t)MIN_OF(len - done, (uint64_t)STEP);
		int rc;

		if (!buffer(w))
			return status_of(d, err_nomem(e), e);
		rc = vhost_chain_get(&w->chain, HEAD + done, w->buf, n, e);
		if (rc < 0)
			return rc;
		rc = block_pwrite(d->block, w->buf, n, off + done, e);
		if (rc < 0)
			return status_of(d, rc, e);
		done += n;
	}
	return BLK_OK;
}

static bool sectors_in(const struct vhost_blk *d, uint64_t sector, uint64_t len, uint64_t *off)
{
	return checked_mul(sector, SECTOR, off) && len % SECTOR == 0 &&
	       range_in(*off, len, block_size(d->block) / SECTOR * SECTOR);
}

static int do_ranges(struct vhost_blk *d, struct worker *w, uint32_t type, uint64_t len, struct err *e)
{
	struct blk_range ranges[RANGES];
	int rc;

	if (len == 0 || len > sizeof ranges || len % sizeof ranges[0])
		return BLK_IOERR;
	rc = vhost_chain_get(&w->chain, HEAD, ranges, (size_t)len, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < len / sizeof ranges[0]; i++) {
		uint64_t off, bytes = (uint64_t)le32_get(ranges[i].sectors) * SECTOR;
		uint32_t flags = le32_get(ranges[i].flags);

		if (flags & ~(uint32_t)(type == BLK_WRITE_ZEROES ? RANGE_UNMAP : 0))
			return BLK_UNSUPP;
		if (!sectors_in(d, le64_get(ranges[i].sector), bytes, &off))
			return BLK_IOERR;
		if (type == BLK_DISCARD)
			rc = block_discard(d->block, bytes, off, e);
		else
			rc = block_zero(d->block, bytes, off, flags & RANGE_UNMAP ? BLOCK_ZERO_UNMAP : BLOCK_ZERO_KEEP, e);
		if (rc < 0)
			return status_of(d, rc, e);
	}
	return BLK_OK;
}

static int do_get_id(struct vhost_blk *d, struct worker *w, uint64_t len, struct err *e)
{
	char id[VHOST_BLK_SERIAL_MAX] = { 0 };
	int rc;

	memcpy(id, d->serial, strlen(d->serial));
	rc = vhost_chain_put(&w->chain, 0, id, (size_t)MIN_OF(len, (uint64_t)sizeof id), e);
	return rc < 0 ? rc : BLK_OK;
}

/* The status, and how many bytes of data were written; < 0: the machine's memory failed. */
static int execute(struct vhost_blk *d, struct worker *w, uint32_t *written, struct err *e)
{
	struct {
		le32 type, reserved;
		le64 sector;
	} head;
	uint64_t in = w->chain.write_len - 1, out = w->chain.read_len - HEAD, off;
	uint32_t type;
	int rc = vhost_chain_get(&w->chain, 0, &head, sizeof head, e);

	*written = 0;
	if (rc < 0)
		return rc;
	type = le32_get(head.type);
	switch (type) {
	case BLK_IN:
		if (!sectors_in(d, le64_get(head.sector), in, &off))
			return BLK_IOERR;
		rc = do_read(d, w, off, in, e);
		*written = rc == BLK_OK ? (uint32_t)in : 0;
		return rc;
	case BLK_OUT:
		if (!d->writable || !sectors_in(d, le64_get(head.sector), out, &off))
			return BLK_IOERR;
		return do_write(d, w, off, out, e);
	case BLK_FLUSH:
		return d->writable ? status_of(d, block_flush(d->block, e), e) : BLK_OK;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		return d->writable ? do_ranges(d, w, type, out, e) : BLK_IOERR;
	case BLK_GET_ID:
		rc = do_get_id(d, w, in, e);
		*written = rc == BLK_OK ? (uint32_t)MIN_OF(in, (uint64_t)VHOST_BLK_SERIAL_MAX) : 0;
		return rc;
	default:
		return BLK_UNSUPP;
	}
}

static int serve_request(struct vhost_blk *d, struct worker *w, struct err *e)
{
	uint32_t written;
	int rc;

	if (w->chain.read_len < HEAD || w->chain.write_len < 1)
		return err_set(e, ERR_CORRUPT, "a request without a header, or without room for its status");
	if (w->chain.write_len > LIMIT_REQUEST)
		return err_set(e, ERR_LIMIT, "a request for %" PRIu64 " bytes", w->chain.write_len);
	rc = execute(d, w, &written, e);
	if (rc >= 0) {
		uint8_t status = (uint8_t)rc;

		rc = vhost_chain_put(&w->chain, w->chain.write_len - 1, &status, 1, e);
	}
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&d->done);
	rc = vhost_queue_push(&d->v.queues[0], &d->v.memory, w->chain.head, written + 1, e);
	if (rc == 0)
		rc = vhost_queue_publish(&d->v.queues[0], &d->v.memory, e);
	pthread_mutex_unlock(&d->done);
	return rc;
}

/* ---- threads ---- */

/* Under the turn: no new request begins. */
static void quiesce(void *arg)
{
	struct vhost_blk *d = arg;

	pthread_mutex_lock(&d->done);
	while (d->busy)
		pthread_cond_wait(&d->idle, &d->done);
	pthread_mutex_unlock(&d->done);
}

/* Waits for the machine: 0, or 1 when it hung up. */
static int wait_for_machine(struct vhost_blk *d, struct err *e)
{
	struct vhost_queue *q = &d->v.queues[0];
	struct pollfd p[2] = { { .fd = d->v.fd, .events = POLLIN },
			       { .fd = vhost_queue_runs(q) ? q->kick : -1, .events = POLLIN } };

	if (poll(p, 2, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, "waiting for the machine");
	if (p[1].revents && !vhost_queue_kicked(q))
		return err_set(e, ERR_CORRUPT, "the machine took its signal away");
	return p[0].revents ? vhost_message(&d->v, e) : 0;
}

/* Under the turn.  1: a request; 0: no more of them. */
static int next_request(struct vhost_blk *d, struct worker *w, struct err *e)
{
	struct vhost_queue *q = &d->v.queues[0];
	int rc;

	if (!d->connected && !vhost_connected(&d->v))
		return 0;
	d->connected = true;
	while (!d->stopping && !d->ended) {
		if (vhost_queue_runs(q)) {
			rc = vhost_queue_pop(q, &d->v.memory, &w->chain, e);
			if (rc)
				return rc;
			rc = vhost_queue_arm(q, &d->v.memory, 1, e);
			if (rc < 0)
				return rc;
			if (rc)
				continue;
		}
		rc = wait_for_machine(d, e);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

/* Takes one request and does it; false: that was the last one. */
static bool one_request(struct vhost_blk *d, struct worker *w)
{
	struct err e = ERR_INIT;
	int rc;

	pthread_mutex_lock(&d->turn);
	rc = next_request(d, w, &e);
	if (rc > 0) {
		pthread_mutex_lock(&d->done);
		d->busy++;
		pthread_mutex_unlock(&d->done);
	} else {
		d->ended = true;
	}
	pthread_mutex_unlock(&d->turn);
	if (rc > 0) {
		rc = serve_request(d, w, &e);
		pthread_mutex_lock(&d->done);
		if (--d->busy == 0)
			pthread_cond_signal(&d->idle);
		pthread_mutex_unlock(&d->done);
		rc = rc < 0 ? rc : 1;
	}
	if (rc < 0) {
		keep_error(d, &e);
		d->ended = true;
		vhost_hang_up(&d->v);
	}
	return rc > 0;
}

static void *blk_main(void *arg)
{
	struct vhost_blk *d = arg;
	struct worker *w = alloc_zero(sizeof *w);
	struct err e = ERR_INIT;

	if (!w) {
		(void)err_nomem(&e);
		keep_error(d, &e);
		d->ended = true;
		vhost_hang_up(&d->v);
		return NULL;
	}
	while (one_request(d, w))
		;
	free(w->buf);
	free(w);
	return NULL;
}

/* ---- life ---- */

static void fill_config(struct vhost_blk *d, unsigned sector_size)
{
	struct blk_config c = { .write_zeroes_may_unmap = 1 };

	_Static_assert(sizeof c == 60, "the layout of virtio 1.2, 5.2.4");
	le64_put(&c.capacity, block_size(d->block) / SECTOR);
	le32_put(&c.seg_max, SEG_MAX);
	le32_put(&c.blk_size, sector_size);
	le16_put(&c.num_queues, 1);
	/* Lengths are 32 bits of sectors; Linux wants less than 4 GiB of bytes. */
	le32_put(&c.max_discard_sectors, 2 * GiB / SECTOR);
	le32_put(&c.max_discard_seg, RANGES);
	le32_put(&c.discard_sector_alignment, 4096 / SECTOR);
	le32_put(&c.max_write_zeroes_sectors, 2 * GiB / SECTOR);
	le32_put(&c.max_write_zeroes_seg, RANGES);
	memcpy(d->v.config, &c, sizeof c);
	d->v.config_len = sizeof c;
}

static int start(struct vhost_blk *d, unsigned n, struct err *e)
{
	sigset_t all, old;
	int why = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (d->nthreads < n) {
		why = pthread_create(&d->threads[d->nthreads], NULL, blk_main, d);
		if (why)
			break;
		d->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return d->nthreads ? 0 : err_sys(e, why, "no thread can be started");
}

static void blk_free(struct vhost_blk *d)
{
	vhost_free(&d->v);
	block_unref(d->block);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->turn);
	pthread_mutex_destroy(&d->done);
	free(d);
}

static int judge_how(const struct vhost_blk_how *how, struct err *e)
{
	if (!how->serial || strlen(how->serial) > VHOST_BLK_SERIAL_MAX)
		return err_set(e, ERR_USAGE, "a serial number has at most %d bytes", VHOST_BLK_SERIAL_MAX);
	if (how->sector_size != 0 && how->sector_size != 512 && how->sector_size != 4096)
		return err_set(e, ERR_USAGE, "sectors of %u bytes", how->sector_size);
	if (how->writable && !block_writable(how->block))
		return err_set(e, ERR_USAGE, "%s: opened read-only", block_name(how->block));
	if (how->threads > VHOST_BLK_THREADS)
		return err_set(e, ERR_USAGE, "%u threads", how->threads);
	return 0;
}

int vhost_blk_serve(int fd, const struct vhost_blk_how *how, struct vhost_blk **out, struct err *e)
{
	CLEANUP(close_fd) int own = fd;
	struct vhost_blk *d;
	uint64_t features = 1ULL << BLK_F_SEG_MAX | 1ULL << BLK_F_BLK_SIZE | 1ULL << BLK_F_FLUSH;
	int rc = judge_how(how, e);

	if (rc < 0)
		return rc;
	d = alloc_zero(sizeof *d);
	if (!d)
		return err_nomem(e);
	pthread_mutex_init(&d->turn, NULL);
	pthread_mutex_init(&d->done, NULL);
	pthread_cond_init(&d->idle, NULL);
	d->block = block_ref(how->block);
	d->writable = how->writable;
	d->straight = !how->writable || how->steady || strcmp(block_format(how->block), "raw") == 0;
	memcpy(d->serial, how->serial, strlen(how->serial));
	features |= how->writable ? 1ULL << BLK_F_DISCARD | 1ULL << BLK_F_WRITE_ZEROES : 1ULL << BLK_F_RO;
	own = -1;
	rc = vhost_init(&d->v, fd, 1, features, e);
	d->v.quiesce = quiesce;
	d->v.arg = d;
	fill_config(d, how->sector_size ? how->sector_size : SECTOR);
	if (rc == 0)
		rc = start(d, how->threads ? how->threads : VHOST_BLK_THREADS, e);
	if (rc < 0) {
		blk_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

bool vhost_blk_ended(struct vhost_blk *d)
{
	return d->ended;
}

int vhost_blk_stop(struct vhost_blk *d, struct err *e)
{
	int rc;

	if (!d)
		return 0;
	d->stopping = true;
	vhost_hang_up(&d->v);
	for (unsigned i = 0; i < d->nthreads; i++)
		pthread_join(d->threads[i], NULL);
	rc = vhost_blk_error(d, e);
	blk_free(d);
	return rc;
}
