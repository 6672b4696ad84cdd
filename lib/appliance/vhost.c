/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vhost.c - the messages of vhost-user, back end's side ("Vhost-user Protocol", QEMU's documentation).
 *
 * A message is a header of 12 bytes, {request, flags, size of payload}, and its payload, in the host's byte order; file
 * descriptors come with its first byte.  Those that ask are answered under the same number.  What we do not know is an
 * error and ends the device: to ignore it would leave both sides with different ideas.
 */
#include "vhost.h"

#include "alloc.h"
#include "io.h"
#include "limits.h"
#include "ondisk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
	SET_SLAVE_REQ_FD = 21,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
};

enum {
	PROTOCOL_REPLY_ACK = 3, /* with it, who stops a queue knows when we have left its memory alone */
	PROTOCOL_SLAVE_REQ = 5, /* without it user-mode Linux has no interrupt: "Flags mismatch irq 0" */
	PROTOCOL_CONFIG = 9,
	VERSION = 1,
	VERSION_MASK = 3,
	FLAG_REPLY = 1 << 2,
	FLAG_NEED_REPLY = 1 << 3,
	VRING_INDEX = 0xff,
	VRING_NO_FD = 0x100,
	CONFIG_HEAD = 12,
	CONFIG_ROOM = VHOST_CONFIG_MAX,
};
#define PROTOCOL_FEATURES (1ULL << PROTOCOL_REPLY_ACK | 1ULL << PROTOCOL_SLAVE_REQ | 1ULL << PROTOCOL_CONFIG)

struct header {
	uint32_t request, flags, size;
};
struct message {
	struct header h;
	union {
		uint64_t u64;
		struct {
			uint32_t index, num;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr;
		struct {
			uint32_t n, padding;
			struct {
				uint64_t guest, size, user, file_off;
			} regions[VHOST_REGIONS];
		} memory;
		struct {
			uint32_t off, size, flags;
			uint8_t bytes[CONFIG_ROOM];
		} config;
		uint8_t bytes[LIMIT_VHOST_MESSAGE];
	} p;
	int fds[VHOST_REGIONS];
	unsigned nfds;
};

/* ---- life ---- */

static void queue_reset(struct vhost_queue *q)
{
	close_fd(&q->kick);
	close_fd(&q->call);
	free(q->ring);
	free(q->table);
	*q = (struct vhost_queue){ .kick = -1, .call = -1, .indirect = q->indirect };
}

int vhost_init(struct vhost *v, int fd, unsigned nqueues, uint64_t features, struct err *e)
{
	*v = (struct vhost){ .listen_fd = -1, .fd = fd, .slave_fd = -1, .nqueues = nqueues };
	v->offered = VHOST_FEATURES | features;
	atomic_init(&v->wake, fd);
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		v->queues[i].kick = v->queues[i].call = -1;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
	return err_set(e, ERR_UNSUPPORTED, "a host that is not little-endian serves no disks to virtual machines");
#endif
	for (unsigned i = 0; i < nqueues; i++) {
		v->queues[i].indirect = alloc_array(VHOST_QUEUE_MAX, sizeof(struct vhost_desc));
		if (!v->queues[i].indirect)
			return err_nomem(e);
	}
	return 0;
}

void vhost_free(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		queue_reset(&v->queues[i]);
		free(take(v->queues[i].indirect));
	}
	vhost_memory_free(&v->memory);
	close_fd(&v->fd);
	close_fd(&v->listen_fd);
	close_fd(&v->slave_fd);
	v->fd = v->listen_fd = v->slave_fd = -1;
}

/* accept() on a socket that does not listen is EINVAL: then it is connected, or vhost_hang_up() was faster. */
bool vhost_connected(struct vhost *v)
{
	int fd;

	do
		fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd >= 0) {
		v->listen_fd = v->fd;
		v->fd = fd;
		if (atomic_exchange(&v->wake, fd) < 0)
			shutdown(fd, SHUT_RDWR);
	}
	return fd >= 0 || errno == EINVAL;
}

/* The descriptors live until vhost_free().  One of the two calls sees what the other one left. */
void vhost_hang_up(struct vhost *v)
{
	int fd = atomic_exchange(&v->wake, -1);

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

/* ---- receiving ---- */

static void take_fds(struct message *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->nfds < VHOST_REGIONS)
				m->fds[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

static void message_end(struct message *m)
{
	while (m->nfds)
		close(m->fds[--m->nfds]);
}

static int take_fd(struct message *m)
{
	return m->nfds ? m->fds[--m->nfds] : -1;
}

/* All of it: 0, or 1 when the machine hung up before the first byte. */
static int receive(struct vhost *v, struct message *m, void *buf, size_t len, struct err *e)
{
	union {
		char bytes[CMSG_SPACE(VHOST_REGIONS * sizeof(int))];
		struct cmsghdr align;
	} control;

	for (size_t done = 0; done < len;) {
		struct iovec iov = { (char *)buf + done, len - done };
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
		ssize_t n = recvmsg(v->fd, &h, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd p = { .fd = v->fd, .events = POLLIN };

			(void)poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno != ECONNRESET)
			return err_sys(e, errno, "the socket of the machine");
		if (n <= 0)
			return done ? err_set(e, ERR_CORRUPT, "the machine hung up within a message") : 1;
		take_fds(m, &h);
		if (h.msg_flags & MSG_CTRUNC)
			return err_set(e, ERR_CORRUPT, "a message with more files than it can have");
		done += (size_t)n;
	}
	return 0;
}

static int reply(struct vhost *v, struct message *m, uint32_t size, struct err *e)
{
	struct iovec iov[2] = { { &m->h, sizeof m->h }, { &m->p, size } };
	size_t len = sizeof m->h + size;

	m->h.flags = VERSION | FLAG_REPLY;
	m->h.size = size;
	while (len) {
		struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t n = sendmsg(v->fd, &h, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? 1 : err_sys(e, errno, "the socket of the machine");
		len -= (size_t)n;
		for (unsigned i = 0; i < 2; i++) {
			size_t step = MIN_OF((size_t)n, iov[i].iov_len);

			iov[i].iov_base = (char *)iov[i].iov_base + step;
			iov[i].iov_len -= step;
			n -= (ssize_t)step;
		}
	}
	return 0;
}

/* ---- what messages mean ---- */

static int bad(const struct message *m, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "message %u of vhost-user with %u bytes and %u files", m->h.request, m->h.size, m->nfds);
}

/* NULL: there is none, which the error tells. */
static struct vhost_queue *queue_of(struct vhost *v, uint64_t index, struct err *e)
{
	if (index < v->nqueues)
		return &v->queues[index];
	err_set(e, ERR_CORRUPT, "queue %" PRIu64 " of %u", index, v->nqueues);
	return NULL;
}

static void quiesce(struct vhost *v)
{
	if (v->quiesce)
		v->quiesce(v->arg);
}

/* Where the three tables lie; they must be in memory as a whole. */
static int place(struct vhost *v, struct vhost_queue *q, struct err *e)
{
	struct vhost_piece word;
	uint64_t n = q->size;
	le16 idx;
	int rc;

	q->placed = false;
	if (!n || !q->user_used || !v->memory.n)
		return 0;
	rc = vhost_user_to_guest(&v->memory, q->user_desc, 16 * n, &q->desc, e);
	if (rc == 0)
		rc = vhost_user_to_guest(&v->memory, q->user_avail, 4 + 2 * n + 2, &q->avail, e);
	if (rc == 0)
		rc = vhost_user_to_guest(&v->memory, q->user_used, 4 + 8 * n + 2, &q->used, e);
	if (rc < 0)
		return rc;
	if (q->desc % 16 || q->avail % 2 || q->used % 4)
		return err_set(e, ERR_CORRUPT, "a queue that is not aligned");
	rc = vhost_piece_at(&v->memory, q->used, 4, &word, e);
	if (rc < 0)
		return rc;
	if ((uintptr_t)word.at.iov_base % 4)
		return err_set(e, ERR_CORRUPT, "a queue that is not aligned");
	q->used_word = word.at.iov_base;
	rc = vhost_piece_get(&word, 2, &idx, sizeof idx, e);
	if (rc < 0)
		return rc;
	q->used_idx = q->published = le16_get(idx);
	q->told = false;
	q->seen = q->last_avail;
	q->event_idx = v->features & 1ULL << VHOST_F_EVENT_IDX;
	q->placed = true;
	return 0;
}

static int set_memory(struct vhost *v, struct message *m, struct err *e)
{
	uint32_t n = m->p.memory.n;
	int rc = 0;

	/* User-mode Linux always sends two, and says how many there are. */
	if (m->h.size < 8 || n > VHOST_REGIONS || m->h.size < 8 + n * sizeof m->p.memory.regions[0] || m->nfds != n)
		return bad(m, e);
	quiesce(v);
	vhost_memory_free(&v->memory);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct vhost_region r = {
			.guest = m->p.memory.regions[i].guest,
			.user = m->p.memory.regions[i].user,
			.size = m->p.memory.regions[i].size,
			.file_off = m->p.memory.regions[i].file_off,
		};
		int fd = m->fds[i];

		m->fds[i] = -1;
		rc = vhost_memory_add(&v->memory, &r, fd, e);
	}
	for (uint32_t i = 0; i < n; i++)
		close_fd(&m->fds[i]);
	m->nfds = 0;
	for (unsigned i = 0; rc == 0 && i < v->nqueues; i++)
		rc = place(v, &v->queues[i], e);
	return rc;
}

static int set_size(struct vhost *v, const struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.state.index, e);
	uint32_t n = m->p.state.num;

	if (!q)
		return -(int)ERR_CORRUPT;
	if (n == 0 || n > VHOST_QUEUE_MAX || (n & (n - 1)))
		return err_set(e, ERR_CORRUPT, "a queue for %u requests", n);
	quiesce(v);
	q->placed = false;
	q->size = 0;
	free(take(q->ring));
	free(take(q->table));
	q->ring = alloc_array(n, sizeof *q->ring);
	q->table = alloc_array(n, sizeof *q->table);
	if (!q->ring || !q->table)
		return err_nomem(e);
	q->size = n;
	return place(v, q, e);
}

static int set_addr(struct vhost *v, const struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.addr.index, e);

	if (!q)
		return -(int)ERR_CORRUPT;
	if (m->p.addr.flags)
		return err_set(e, ERR_UNSUPPORTED, "a log of what is written to the machine's memory");
	quiesce(v);
	q->user_desc = m->p.addr.desc;
	q->user_avail = m->p.addr.avail;
	q->user_used = m->p.addr.used;
	return place(v, q, e);
}

static int set_base(struct vhost *v, const struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.state.index, e);

	if (!q)
		return -(int)ERR_CORRUPT;
	if (m->p.state.num > UINT16_MAX)
		return err_set(e, ERR_CORRUPT, "a queue that begins at %u", m->p.state.num);
	quiesce(v);
	q->last_avail = q->seen = (uint16_t)m->p.state.num;
	return 0;
}

/* The queue stops; what was taken of it is done. */
static int get_base(struct vhost *v, struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.state.index, e);

	if (!q)
		return -(int)ERR_CORRUPT;
	quiesce(v);
	close_fd(&q->kick);
	close_fd(&q->call);
	q->kick = q->call = -1;
	m->p.state.num = q->last_avail;
	return reply(v, m, sizeof m->p.state, e);
}

/*
 * We wait for this descriptor, or write to it: it must be one for which that never blocks.  O_NONBLOCK is a property of the
 * open file, which the machine shares; it can take it away, and then waits for itself.
 */
static int judge_signal(int fd, struct err *e)
{
	struct stat st;
	int flags;

	if (io_fstat(fd, &st) < 0)
		return err_sys(e, errno, "the file of a queue");
	/* An anonymous file of the kernel as an eventfd is has no type.  User-mode Linux sends sockets, too. */
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && (st.st_mode & S_IFMT))
		return err_set(e, ERR_CORRUPT, "a queue that is signalled by what is neither an eventfd nor a pipe");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "the file of a queue");
	return 0;
}

static int set_signal(struct vhost *v, struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.u64 & VRING_INDEX, e);
	bool none = m->p.u64 & VRING_NO_FD;
	int fd, rc;

	if (!q)
		return -(int)ERR_CORRUPT;
	if (m->p.u64 & ~(uint64_t)(VRING_INDEX | VRING_NO_FD) || m->nfds != !none)
		return bad(m, e);
	if (none && m->h.request == SET_VRING_KICK)
		return err_set(e, ERR_UNSUPPORTED, "a queue that is polled");
	if (m->h.request == SET_VRING_ERR) /* nothing is ever said there */
		return 0;
	if (!none) {
		rc = judge_signal(m->fds[0], e);
		if (rc < 0)
			return rc;
	}
	quiesce(v);
	fd = take_fd(m);
	if (m->h.request == SET_VRING_CALL) {
		close_fd(&q->call);
		q->call = fd;
		return 0;
	}
	close_fd(&q->kick);
	q->kick = fd;
	/* Who did not agree to enabling queues by message has them enabled. */
	if (!(v->features & 1ULL << VHOST_F_PROTOCOL))
		q->enabled = true;
	return 0;
}

static int set_enabled(struct vhost *v, const struct message *m, struct err *e)
{
	struct vhost_queue *q = queue_of(v, m->p.state.index, e);

	if (!q)
		return -(int)ERR_CORRUPT;
	if (m->p.state.num > 1)
		return bad(m, e);
	quiesce(v);
	q->enabled = m->p.state.num;
	return 0;
}

static int set_features(struct vhost *v, const struct message *m, struct err *e)
{
	if (m->p.u64 & ~v->offered)
		return err_set(e, ERR_CORRUPT, "features %#" PRIx64 " were not offered", m->p.u64 & ~v->offered);
	if (!(m->p.u64 & 1ULL << VHOST_F_VERSION_1))
		return err_set(e, ERR_UNSUPPORTED, "a driver for virtio before version 1");
	quiesce(v);
	v->features = m->p.u64;
	for (unsigned i = 0; i < v->nqueues; i++)
		v->queues[i].event_idx = v->features & 1ULL << VHOST_F_EVENT_IDX;
	return 0;
}

static int set_protocol(struct vhost *v, const struct message *m, struct err *e)
{
	if (m->p.u64 & ~PROTOCOL_FEATURES)
		return err_set(e, ERR_CORRUPT, "protocol features %#" PRIx64 " were not offered", m->p.u64);
	v->acks = m->p.u64 & 1ULL << PROTOCOL_REPLY_ACK;
	return 0;
}

static int get_config(struct vhost *v, struct message *m, struct err *e)
{
	uint32_t off = m->p.config.off, size = m->p.config.size;

	if (m->h.size < CONFIG_HEAD || size > CONFIG_ROOM || off > CONFIG_ROOM || m->h.size != CONFIG_HEAD + size)
		return bad(m, e);
	/* Fields that we do not have are 0. */
	memset(m->p.config.bytes, 0, sizeof m->p.config.bytes);
	if (off < v->config_len)
		memcpy(m->p.config.bytes, v->config + off, MIN_OF((size_t)size, v->config_len - off));
	return reply(v, m, CONFIG_HEAD + size, e);
}

static int set_slave(struct vhost *v, struct message *m, struct err *e)
{
	if (m->nfds != 1)
		return bad(m, e);
	close_fd(&v->slave_fd); /* nothing is asked through it, but it is open as long as we are */
	v->slave_fd = take_fd(m);
	return 0;
}

static int reset(struct vhost *v)
{
	quiesce(v);
	for (unsigned i = 0; i < v->nqueues; i++)
		queue_reset(&v->queues[i]);
	return 0;
}

/* The sizes of payloads that are fixed, and how many files may come; -1: judged by who takes it. */
struct rule {
	int size, files;
};

static struct rule rule_of(uint32_t request)
{
	switch (request) {
	case SET_FEATURES:
	case SET_PROTOCOL_FEATURES:
		return (struct rule){ sizeof(uint64_t), 0 };
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case GET_VRING_BASE:
	case SET_VRING_ENABLE:
		return (struct rule){ 8, 0 };
	case SET_VRING_ADDR:
		return (struct rule){ 40, 0 };
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
		return (struct rule){ sizeof(uint64_t), -1 };
	case SET_MEM_TABLE:
	case SET_SLAVE_REQ_FD:
		return (struct rule){ -1, -1 };
	case GET_CONFIG:
	case SET_CONFIG:
		return (struct rule){ -1, 0 };
	default:
		return (struct rule){ 0, 0 };
	}
}

/* 0; 1: hung up. */
static int obey(struct vhost *v, struct message *m, struct err *e)
{
	switch (m->h.request) {
	case GET_FEATURES:
		m->p.u64 = v->offered;
		return reply(v, m, sizeof m->p.u64, e);
	case GET_PROTOCOL_FEATURES:
		m->p.u64 = PROTOCOL_FEATURES;
		return reply(v, m, sizeof m->p.u64, e);
	case GET_VRING_BASE:
		return get_base(v, m, e);
	case GET_CONFIG:
		return get_config(v, m, e);
	case SET_OWNER:
		return 0;
	case RESET_OWNER:
		return reset(v);
	case SET_FEATURES:
		return set_features(v, m, e);
	case SET_PROTOCOL_FEATURES:
		return set_protocol(v, m, e);
	case SET_MEM_TABLE:
		return set_memory(v, m, e);
	case SET_VRING_NUM:
		return set_size(v, m, e);
	case SET_VRING_ADDR:
		return set_addr(v, m, e);
	case SET_VRING_BASE:
		return set_base(v, m, e);
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
		return set_signal(v, m, e);
	case SET_VRING_ENABLE:
		return set_enabled(v, m, e);
	case SET_SLAVE_REQ_FD:
		return set_slave(v, m, e);
	case SET_CONFIG: /* nothing of ours can be set */
		return 0;
	default:
		return err_set(e, ERR_UNSUPPORTED, "message %u of vhost-user", m->h.request);
	}
}

int vhost_message(struct vhost *v, struct err *e)
{
	CLEANUP(message_end) struct message m = { .nfds = 0 };
	struct rule rule;
	int rc = receive(v, &m, &m.h, sizeof m.h, e);

	if (rc)
		return rc;
	if ((m.h.flags & VERSION_MASK) != VERSION || (m.h.flags & FLAG_REPLY) || m.h.size > sizeof m.p)
		return err_set(e, ERR_CORRUPT, "message %u of vhost-user with flags %#x and %u bytes", m.h.request, m.h.flags,
			       m.h.size);
	rc = m.h.size ? receive(v, &m, &m.p, m.h.size, e) : 0;
	if (rc)
		return rc < 0 ? rc : err_set(e, ERR_CORRUPT, "the machine hung up within a message");
	rule = rule_of(m.h.request);
	if ((rule.size >= 0 && m.h.size != (uint32_t)rule.size) || (rule.files >= 0 && m.nfds != (unsigned)rule.files))
		return bad(&m, e);
	rc = obey(v, &m, e);
	/* An answer has taken the place of the flags. */
	if (rc || !v->acks || !(m.h.flags & FLAG_NEED_REPLY))
		return rc;
	m.p.u64 = 0;
	return reply(v, &m, sizeof m.p.u64, e);
}
