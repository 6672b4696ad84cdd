/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost_queue.c - split virtqueues (virtio 1.2, section 2.7), seen from the device.
 *
 * A queue is three tables in the machine's memory.  Descriptors name pieces of memory and link them to chains.  The
 * available ring, which the machine writes, and the used ring, which we write, hold heads of chains; an index beside each
 * counts what was put there, modulo 2^16.  All of it is copied before it is looked at (vhost.h).
 */
#include "vhost.h"

#include "alloc.h"
#include "checked.h"
#include "ondisk.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,
	DESC_FLAGS = DESC_NEXT | DESC_WRITE | DESC_INDIRECT,
	AVAIL_NO_INTERRUPT = 1,
	RING_HEAD = 4,	/* flags, index */
	USED_ELEM = 8,	/* head, bytes written */
	DESC_SIZE = 16,
};

struct desc_le {
	le64 addr;
	le32 len;
	le16 flags, next;
};

bool vhost_queue_runs(const struct vhost_queue *q)
{
	return q->placed && q->enabled && q->kick >= 0;
}

unsigned vhost_queue_known(const struct vhost_queue *q)
{
	return (uint16_t)(q->seen - q->last_avail);
}

/*
 * A number of 16 bits that the machine may be writing just now.  Nobody promises that the kernel copies two bytes at once, so
 * two halves of different moments are possible; but not twice the same ones, as the number only grows.
 */
static int read_index(const struct vhost_memory *m, uint64_t guest, uint16_t *out, struct err *e)
{
	struct vhost_piece p;
	le16 a, b;
	int rc = vhost_piece_at(m, guest, sizeof a, &p, e);

	if (rc == 0)
		rc = vhost_piece_get(&p, 0, &b, sizeof b, e);
	for (unsigned tries = 0; rc == 0 && tries < 100; tries++) {
		a = b;
		rc = vhost_piece_get(&p, 0, &b, sizeof b, e);
		if (rc == 0 && le16_get(a) == le16_get(b)) {
			*out = le16_get(a);
			atomic_thread_fence(memory_order_seq_cst);
			return 0;
		}
	}
	return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "the index of a queue never comes to rest");
}

/* The entries from last_avail to seen: one run, or two where the ring begins again. */
static int copy_ring(struct vhost_queue *q, const struct vhost_memory *m, unsigned n, struct err *e)
{
	int rc = 0;

	for (unsigned done = 0; rc == 0 && done < n;) {
		unsigned at = (uint16_t)(q->last_avail + done) % q->size;
		unsigned step = MIN_OF(n - done, q->size - at);

		rc = vhost_get(m, q->avail + RING_HEAD + 2 * (uint64_t)at, &q->ring[at], 2 * (size_t)step, e);
		done += step;
	}
	return rc;
}

static void from_le(struct vhost_desc *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct desc_le le;

		_Static_assert(sizeof le == sizeof *d, "a descriptor is converted in place");
		memcpy(&le, &d[i], sizeof le);
		d[i] = (struct vhost_desc){ le64_get(le.addr), le32_get(le.len), le16_get(le.flags), le16_get(le.next) };
	}
}

/* Looks for new requests, and copies what tells of them. */
static int look(struct vhost_queue *q, const struct vhost_memory *m, struct err *e)
{
	uint16_t idx = q->seen;
	unsigned n;
	int rc = read_index(m, q->avail + 2, &idx, e);

	if (rc < 0)
		return rc;
	n = (uint16_t)(idx - q->last_avail);
	if (n > q->size && (uint16_t)(q->last_avail - idx) <= q->size) {
		/*
		 * Linux takes back what was not used when a device ends, and tells of the end later: from here on these buffers
		 * are no longer ours, and nothing comes of this queue until it is set up anew.
		 */
		q->placed = false;
		return 0;
	}
	if (n > q->size)
		return err_set(e, ERR_CORRUPT, "%u requests in a queue for %u", n, q->size);
	if (n == 0)
		return 0;
	rc = copy_ring(q, m, n, e);
	if (rc == 0)
		rc = vhost_get(m, q->desc, q->table, DESC_SIZE * (size_t)q->size, e);
	if (rc < 0)
		return rc;
	from_le(q->table, q->size);
	q->seen = idx;
	return 0;
}

static int add_piece(struct vhost_chain *c, const struct vhost_memory *m, const struct vhost_desc *d, struct err *e)
{
	int rc;

	if (!(d->flags & DESC_WRITE) && c->nwrite)
		return err_set(e, ERR_CORRUPT, "a request whose parts are out of order");
	if (d->len == 0)
		return 0;
	if (c->nread + c->nwrite == VHOST_QUEUE_MAX)
		return err_set(e, ERR_CORRUPT, "a request of too many pieces");
	rc = vhost_piece_at(m, d->addr, d->len, &c->pieces[c->nread + c->nwrite], e);
	if (rc < 0)
		return rc;
	/* At most VHOST_QUEUE_MAX times 4 GiB: no overflow. */
	if (d->flags & DESC_WRITE) {
		c->nwrite++;
		c->write_len += d->len;
	} else {
		c->nread++;
		c->read_len += d->len;
	}
	return 0;
}

/* Ends: it follows at most as many links as the table has entries. */
static int add_chain(struct vhost_chain *c, const struct vhost_memory *m, const struct vhost_desc *table, unsigned n,
		     unsigned i, struct err *e)
{
	for (unsigned hops = 0; hops < n; hops++) {
		const struct vhost_desc *d = &table[i];
		int rc;

		if (d->flags & ~DESC_FLAGS)
			return err_set(e, ERR_UNSUPPORTED, "a descriptor with flags %#x", d->flags);
		if (d->flags & DESC_INDIRECT)
			return err_set(e, ERR_CORRUPT, "a table of descriptors inside a chain");
		rc = add_piece(c, m, d, e);
		if (rc < 0 || !(d->flags & DESC_NEXT))
			return rc;
		i = d->next;
		if (i >= n)
			return err_set(e, ERR_CORRUPT, "a chain that leads to descriptor %u of %u", i, n);
	}
	return err_set(e, ERR_CORRUPT, "a chain of descriptors without an end");
}

static int add_indirect(struct vhost_queue *q, struct vhost_chain *c, const struct vhost_memory *m,
			const struct vhost_desc *d, struct err *e)
{
	unsigned n = d->len / DESC_SIZE;
	int rc;

	if (d->flags != DESC_INDIRECT)
		return err_set(e, ERR_CORRUPT, "a table of descriptors with flags %#x", d->flags);
	if (d->len % DESC_SIZE || n == 0 || n > VHOST_QUEUE_MAX)
		return err_set(e, ERR_CORRUPT, "a table of descriptors of %u bytes", d->len);
	rc = vhost_get(m, d->addr, q->indirect, d->len, e);
	if (rc < 0)
		return rc;
	from_le(q->indirect, n);
	return add_chain(c, m, q->indirect, n, 0, e);
}

int vhost_queue_pop(struct vhost_queue *q, const struct vhost_memory *m, struct vhost_chain *c, struct err *e)
{
	const struct vhost_desc *d;
	le16 head;
	int rc = 0;

	if (q->seen == q->last_avail)
		rc = look(q, m, e);
	if (rc < 0 || q->seen == q->last_avail)
		return rc;
	memcpy(&head, &q->ring[q->last_avail % q->size], sizeof head);
	c->head = le16_get(head);
	c->nread = c->nwrite = 0;
	c->read_len = c->write_len = 0;
	if (c->head >= q->size)
		return err_set(e, ERR_CORRUPT, "a request at descriptor %u of %u", c->head, q->size);
	d = &q->table[c->head];
	rc = d->flags & DESC_INDIRECT ? add_indirect(q, c, m, d, e) : add_chain(c, m, q->table, q->size, c->head, e);
	if (rc < 0)
		return rc;
	q->last_avail++;
	return 1;
}

int vhost_queue_arm(struct vhost_queue *q, const struct vhost_memory *m, unsigned more, struct err *e)
{
	uint16_t idx;
	int rc = 0;

	if (q->event_idx) {
		le16 event;

		le16_put(&event, (uint16_t)(q->last_avail + more - 1));
		rc = vhost_put(m, q->used + RING_HEAD + USED_ELEM * (uint64_t)q->size, &event, sizeof event, e);
		/* Whoever looked at the event before it was written, added before: it is seen now. */
		atomic_thread_fence(memory_order_seq_cst);
	}
	if (rc == 0)
		rc = read_index(m, q->avail + 2, &idx, e);
	return rc < 0 ? rc : (uint16_t)(idx - q->last_avail) >= more;
}

int vhost_queue_push(struct vhost_queue *q, const struct vhost_memory *m, uint16_t head, uint32_t written, struct err *e)
{
	struct {
		le32 head, written;
	} elem;
	int rc;

	le32_put(&elem.head, head);
	le32_put(&elem.written, written);
	rc = vhost_put(m, q->used + RING_HEAD + USED_ELEM * (uint64_t)(q->used_idx % q->size), &elem, sizeof elem, e);
	if (rc == 0)
		q->used_idx++;
	return rc;
}

/*
 * Adds to the index, which is the upper half of a little-endian word of 32 bits, so that what is carried out is lost.  The
 * kernel's operation takes a power of two: one call for each bit, smaller numbers on the way being true, too.
 */
static int add_to_index(uint32_t *word, uint16_t n, struct err *e)
{
	uint32_t nobody = 0;

	for (unsigned bit = 0; bit < 16; bit++) {
		/* FUTEX_OP() shifts into the sign. */
		uint32_t op = (uint32_t)(FUTEX_OP_ADD | FUTEX_OP_OPARG_SHIFT) << 28 | (16 + bit) << 12;

		if ((n >> bit & 1) &&
		    syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0L, word, op) < 0)
			return errno == EFAULT ? err_set(e, ERR_CORRUPT, "the machine's memory was cut off")
					       : err_sys(e, errno, "the machine's memory");
	}
	return 0;
}

/* Does the machine want to be told?  As the specification has it (2.7.10): its event lies among what is new. */
static int wants_interrupt(struct vhost_queue *q, const struct vhost_memory *m, struct err *e)
{
	uint16_t old = q->notified;
	bool told = q->told;
	le16 word;
	int rc = vhost_get(m, q->avail + (q->event_idx ? RING_HEAD + 2 * (uint64_t)q->size : 0), &word, sizeof word, e);

	if (rc < 0)
		return rc;
	if (!q->event_idx)
		return !(le16_get(word) & AVAIL_NO_INTERRUPT);
	q->notified = q->published;
	q->told = true;
	return !told || (uint16_t)(q->published - le16_get(word) - 1) < (uint16_t)(q->published - old);
}

/* A pipe that is full of them tells it just as well, and one that nobody reads is the machine's loss. */
static void interrupt(const struct vhost_queue *q)
{
	uint64_t one = 1;
	ssize_t n;

	if (q->call < 0)
		return;
	do
		n = write(q->call, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

int vhost_queue_publish(struct vhost_queue *q, const struct vhost_memory *m, struct err *e)
{
	int rc;

	if (q->published == q->used_idx)
		return 0;
	rc = add_to_index(q->used_word, (uint16_t)(q->used_idx - q->published), e);
	if (rc < 0)
		return rc;
	q->published = q->used_idx;
	atomic_thread_fence(memory_order_seq_cst);
	rc = wants_interrupt(q, m, e);
	if (rc > 0)
		interrupt(q);
	return rc < 0 ? rc : 0;
}

/* An eventfd is empty after one read; of a pipe a few are taken, as poll() will tell of the rest. */
bool vhost_queue_kicked(struct vhost_queue *q)
{
	uint64_t kicks[64];
	ssize_t n;

	do
		n = read(q->kick, kicks, sizeof kicks);
	while (n < 0 && errno == EINTR);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* ---- a request's bytes ---- */

/* Calls fn for each stretch of a part; the stretch lies within one piece. */
static int each(const struct vhost_chain *c, bool write_part, uint64_t skip, void *buf, size_t len,
		int (*fn)(const struct vhost_piece *, uint64_t, void *, size_t, struct err *), struct err *e)
{
	const struct vhost_piece *p = c->pieces + (write_part ? c->nread : 0);
	const struct vhost_piece *end = p + (write_part ? c->nwrite : c->nread);

	for (; len && p < end; p++) {
		size_t step;
		int rc;

		if (skip >= p->at.iov_len) {
			skip -= p->at.iov_len;
			continue;
		}
		step = MIN_OF(len, p->at.iov_len - (size_t)skip);
		rc = fn(p, skip, buf, step, e);
		if (rc < 0)
			return rc;
		buf = (uint8_t *)buf + step;
		len -= step;
		skip = 0;
	}
	return len ? err_set(e, ERR_CORRUPT, "a request that is too short") : 0;
}

static int put_some(const struct vhost_piece *p, uint64_t skip, void *buf, size_t len, struct err *e)
{
	return vhost_piece_put(p, skip, buf, len, e);
}

int vhost_chain_get(const struct vhost_chain *c, uint64_t skip, void *buf, size_t len, struct err *e)
{
	return each(c, false, skip, buf, len, vhost_piece_get, e);
}

int vhost_chain_put(const struct vhost_chain *c, uint64_t skip, const void *buf, size_t len, struct err *e)
{
	return each(c, true, skip, (void *)(uintptr_t)buf, len, put_some, e);
}

unsigned vhost_chain_iov(const struct vhost_chain *c, bool write_part, uint64_t skip, uint64_t len, struct iovec *iov,
			 unsigned max, uint64_t *got)
{
	const struct vhost_piece *p = c->pieces + (write_part ? c->nread : 0);
	const struct vhost_piece *end = p + (write_part ? c->nwrite : c->nread);
	unsigned n = 0;

	*got = 0;
	for (; len && p < end && n < max; p++) {
		size_t step;

		if (skip >= p->at.iov_len) {
			skip -= p->at.iov_len;
			continue;
		}
		step = (size_t)MIN_OF(len, (uint64_t)p->at.iov_len - skip);
		iov[n++] = (struct iovec){ (uint8_t *)p->at.iov_base + skip, step };
		*got += step;
		len -= step;
		skip = 0;
	}
	return n;
}
