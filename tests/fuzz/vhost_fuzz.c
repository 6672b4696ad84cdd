/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_fuzz.c - a machine that is made up by the fuzzer.  The first byte says what the rest is: 0, the memory with a queue in
 * it, whose requests are taken, looked through and given back; 1, messages, each of which may have files.
 */
#include "vhost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMORY = 65536, RING = 16, GUEST = 0x10000, DESC = 0, AVAIL = 256, USED = 512 };

static int new_memory(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, MEMORY) < 0)
		abort();
	return fd;
}

/* Every byte of the request is reached in each of the ways that devices reach it. */
static void look_through(const struct vhost_chain *c)
{
	static uint8_t buf[MEMORY];
	struct iovec iov[8];
	uint64_t got;

	(void)vhost_chain_get(c, 0, buf, 16, NULL);
	for (uint64_t skip = 0; skip < c->read_len && skip < 4 * MEMORY; skip += sizeof buf)
		(void)vhost_chain_get(c, skip, buf, c->read_len - skip < sizeof buf ? c->read_len - skip : sizeof buf, NULL);
	if (c->write_len)
		(void)vhost_chain_put(c, c->write_len - 1, buf, 1, NULL);
	(void)vhost_chain_iov(c, true, 1, c->write_len, iov, 8, &got);
	if (got > c->write_len)
		abort();
}

static void take_requests(const uint8_t *data, size_t len)
{
	static struct vhost_chain c;
	struct vhost v;
	struct vhost_queue *q = &v.queues[0];
	struct vhost_region r = { .guest = GUEST, .user = GUEST, .size = MEMORY };
	struct vhost_piece word;
	int fd = new_memory();

	if (vhost_init(&v, -1, 1, 0, NULL) < 0 || write(fd, data, len < MEMORY ? len : MEMORY) < 0 ||
	    vhost_memory_add(&v.memory, &r, fd, NULL) < 0 || vhost_piece_at(&v.memory, GUEST + USED, 4, &word, NULL) < 0)
		abort();
	q->size = RING;
	q->desc = GUEST + DESC;
	q->avail = GUEST + AVAIL;
	q->used = GUEST + USED;
	q->used_word = word.at.iov_base;
	q->ring = calloc(RING, sizeof *q->ring);
	q->table = calloc(RING, sizeof *q->table);
	q->event_idx = true;
	q->placed = q->enabled = true;
	/* The device writes into the memory, and so the machine may say more and more. */
	for (unsigned i = 0; i < 64 && q->placed && vhost_queue_pop(q, &v.memory, &c, NULL) > 0; i++) {
		look_through(&c);
		if (vhost_queue_push(q, &v.memory, c.head, 1, NULL) < 0 || vhost_queue_publish(q, &v.memory, NULL) < 0)
			break;
	}
	(void)vhost_queue_arm(q, &v.memory, 1, NULL);
	vhost_free(&v);
}

/* {number of files, length, bytes}... */
static void send_messages(int to, const uint8_t *data, size_t len)
{
	int fds[2] = { new_memory(), new_memory() };

	while (len > 2) {
		size_t n = data[1] < len - 2 ? data[1] : len - 2;
		struct iovec iov = { (void *)(uintptr_t)(data + 2), n };
		union {
			char bytes[CMSG_SPACE(2 * sizeof(int))];
			struct cmsghdr align;
		} control;
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
		unsigned nfds = data[0] % 3;

		if (nfds && n) {
			memset(&control, 0, sizeof control);
			h.msg_control = &control;
			h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
			CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
			CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
			CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(nfds * sizeof(int));
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), fds, nfds * sizeof(int));
		}
		if (n && sendmsg(to, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		data += 2 + n;
		len -= 2 + n;
	}
	close(fds[0]);
	close(fds[1]);
}

static void obey_messages(const uint8_t *data, size_t len)
{
	struct vhost v;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || vhost_init(&v, pair[0], 2, 0, NULL) < 0)
		abort();
	send_messages(pair[1], data, len);
	shutdown(pair[1], SHUT_WR);
	while (vhost_message(&v, NULL) == 0)
		;
	close(pair[1]);
	vhost_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] == 0)
		take_requests(data + 1, len - 1);
	else if (len <= 8192)
		obey_messages(data + 1, len - 1);
	return 0;
}
