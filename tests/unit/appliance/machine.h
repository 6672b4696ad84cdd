/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - a virtual machine that is not there: the other end of vhost-user, for tests that play a driver, honest or
 * not.  Its memory is a file in memory; the queues lie where queue_at() says; everything else is the test's to fill.
 */
#ifndef DRYDOCK_MACHINE_H
#define DRYDOCK_MACHINE_H

#include "ondisk.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MEMORY = 4 << 20,
	GUEST = 0x100000, /* where the machine has its memory */
	USER = 0x7000000, /* and what its messages call it */
	DATA = 0x40000,	  /* from the beginning of memory: free for the test */
	RING = 16,
	Q_NEXT = 1,
	Q_WRITE = 2,
	Q_INDIRECT = 4,
	BLK_F = 1 << 30,
};

struct machine {
	int sock, memory;
	uint8_t *at;
	int kick[4], call[4];
	uint16_t avail[4], seen[4];
};

struct message {
	uint32_t request, flags, size;
	uint8_t payload[512];
};

static inline void machine_new(struct machine *m, int *theirs)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	m->sock = pair[0];
	*theirs = pair[1];
	m->memory = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(m->memory, MEMORY), 0);
	m->at = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory, 0);
	ck_assert_ptr_ne(m->at, MAP_FAILED);
	for (unsigned i = 0; i < 4; i++) {
		m->kick[i] = eventfd(0, EFD_CLOEXEC);
		m->call[i] = eventfd(0, EFD_CLOEXEC);
		m->avail[i] = m->seen[i] = 0;
	}
}

static inline void machine_free(struct machine *m)
{
	close(m->sock);
	close(m->memory);
	munmap(m->at, MEMORY);
	for (unsigned i = 0; i < 4; i++) {
		close(m->kick[i]);
		close(m->call[i]);
	}
}

static inline void say_with(struct machine *m, uint32_t request, const void *payload, uint32_t size, const int *fds,
			    unsigned nfds)
{
	struct message msg = { request, 1, size, { 0 } };
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &msg, 12 + size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (size)
		memcpy(msg.payload, payload, size);
	if (nfds) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		memset(&control, 0, sizeof control);
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, nfds * sizeof(int));
	}
	/* Who has hung up on us may not be there any more. */
	(void)!sendmsg(m->sock, &h, MSG_NOSIGNAL);
}

static inline void say(struct machine *m, uint32_t request, const void *payload, uint32_t size)
{
	say_with(m, request, payload, size, NULL, 0);
}

static inline void say_u64(struct machine *m, uint32_t request, uint64_t v)
{
	say(m, request, &v, sizeof v);
}

static inline void say_state(struct machine *m, uint32_t request, uint32_t index, uint32_t num)
{
	uint32_t v[2] = { index, num };

	say(m, request, v, sizeof v);
}

/* Asks, and gives the answer's payload. */
static inline void ask(struct machine *m, uint32_t request, const void *payload, uint32_t size, void *answer, uint32_t len)
{
	uint32_t head[3];

	say(m, request, payload, size);
	ck_assert_int_eq(recv(m->sock, head, sizeof head, MSG_WAITALL), sizeof head);
	ck_assert_uint_eq(head[0], request);
	ck_assert_uint_eq(head[1], 5);
	ck_assert_uint_eq(head[2], len);
	ck_assert_int_eq(recv(m->sock, answer, len, MSG_WAITALL), len);
}

/* Everything said so far was obeyed. */
static inline void settle(struct machine *m)
{
	uint64_t features;

	ask(m, 1, NULL, 0, &features, sizeof features);
}

static inline void say_memory_of(struct machine *m, uint64_t guest, uint64_t size, uint64_t user, uint64_t off, int fd)
{
	struct {
		uint32_t n, padding;
		uint64_t guest, size, user, off;
	} v = { 1, 0, guest, size, user, off };

	say_with(m, 5, &v, sizeof v, &fd, 1);
}

/* Offsets in memory of a queue's tables. */
static inline uint32_t desc_at(unsigned q)
{
	return 0x4000 * q;
}
static inline uint32_t avail_at(unsigned q)
{
	return 0x4000 * q + 0x1000;
}
static inline uint32_t used_at(unsigned q)
{
	return 0x4000 * q + 0x2000;
}

static inline void say_queue(struct machine *m, unsigned q)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addr = { q, 0, USER + desc_at(q), USER + used_at(q), USER + avail_at(q), 0 };
	uint64_t index = q;

	say_state(m, 8, q, RING);
	say_state(m, 10, q, 0);
	say(m, 9, &addr, sizeof addr);
	say_with(m, 13, &index, sizeof index, &m->call[q], 1);
	say_with(m, 12, &index, sizeof index, &m->kick[q], 1);
	say_state(m, 18, q, 1);
}

/* An honest beginning.  event_idx: with the feature of that name. */
static inline void machine_start(struct machine *m, unsigned nqueues, uint64_t features)
{
	say(m, 3, NULL, 0);
	say_u64(m, 16, 1 << 5 | 1 << 9);
	say_u64(m, 2, 1ULL << 32 | BLK_F | features);
	say_memory_of(m, GUEST, MEMORY, USER, 0, m->memory);
	for (unsigned q = 0; q < nqueues; q++)
		say_queue(m, q);
	settle(m);
}

static inline void put_desc(struct machine *m, uint32_t table, unsigned i, uint64_t addr, uint32_t len, unsigned flags,
			    unsigned next)
{
	struct {
		le64 addr;
		le32 len;
		le16 flags, next;
	} d;

	le64_put(&d.addr, addr);
	le32_put(&d.len, len);
	le16_put(&d.flags, (uint16_t)flags);
	le16_put(&d.next, (uint16_t)next);
	memcpy(m->at + table + 16 * i, &d, sizeof d);
}

static inline void kick(struct machine *m, unsigned q)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(m->kick[q], &one, sizeof one), sizeof one);
}

/* Puts a head into the available ring; it is seen when offered(). */
static inline void offer(struct machine *m, unsigned q, unsigned head)
{
	le16 v;

	le16_put(&v, (uint16_t)head);
	memcpy(m->at + avail_at(q) + 4 + 2 * (m->avail[q]++ % RING), &v, sizeof v);
}

static inline void set_avail(struct machine *m, unsigned q, unsigned idx)
{
	le16 v;

	le16_put(&v, (uint16_t)idx);
	memcpy(m->at + avail_at(q) + 2, &v, sizeof v);
	kick(m, q);
}

static inline void offered(struct machine *m, unsigned q)
{
	set_avail(m, q, m->avail[q]);
}

static inline uint16_t used_idx(const struct machine *m, unsigned q)
{
	return __atomic_load_n((const uint16_t *)(const void *)(m->at + used_at(q) + 2), __ATOMIC_ACQUIRE);
}

/* The next used request: its head and what was written of it; false: the device is not going to. */
static inline bool wait_used(struct machine *m, unsigned q, uint32_t *head, uint32_t *written)
{
	uint32_t elem[2];

	for (unsigned ms = 0; used_idx(m, q) == m->seen[q]; ms += 5) {
		struct pollfd p[2] = { { .fd = m->call[q], .events = POLLIN }, { .fd = m->sock, .events = POLLIN } };
		uint64_t n;

		ck_assert_uint_lt(ms, 20000);
		(void)!poll(p, 2, 5);
		if (p[0].revents)
			(void)!read(m->call[q], &n, sizeof n);
		if (p[1].revents)
			return false;
	}
	memcpy(elem, m->at + used_at(q) + 4 + 8 * (m->seen[q]++ % RING), sizeof elem);
	*head = elem[0];
	*written = elem[1];
	return true;
}

#endif
