/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * window.c - bulk data: read from files into slots of a device, and written to files from there.
 *
 * The device is read and written past the kernel's cache, a slot with one request or two.  So are whole blocks of a file whose
 * filesystem then does what it would do anyway, but later: a page of the cache for each block of a large file costs more than
 * all the rest, where system calls and faults are emulated.
 */
#include "agent.h"
#include "alloc.h"
#include "io.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void window_close(struct agent *a)
{
	if (a->window.fd >= 0)
		close(a->window.fd);
	if (a->window.buf)
		munmap(a->window.buf, a->window.slot_size);
	a->window = (struct agent_window){ .fd = -1 };
}

/* Pages that are there, and lie together where the kernel has such: a request then has few pieces. */
static uint8_t *make_buffer(size_t size)
{
	uint8_t *buf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		return NULL;
	/* Where it has none, that is no failure. */
	if (madvise(buf, size, MADV_HUGEPAGE) < 0)
		errno = 0;
	memset(buf, 0, size);
	return buf;
}

int ask_window(struct agent *a, struct question *q)
{
	char device[AGENT_PATH], path[AGENT_PATH];
	struct agent_window w = { .fd = -1 };
	int rc;

	proto_get_str(&q->in, device, sizeof device);
	w.off = proto_get_u64(&q->in);
	w.slot_size = proto_get_u32(&q->in);
	w.nslots = proto_get_u16(&q->in);
	if (!proto_done(&q->in) || w.slot_size == 0 || w.slot_size > LIMIT_PROTO_SLOT || w.slot_size % PROTO_BLOCK ||
	    w.nslots == 0 || w.off % PROTO_BLOCK || w.off > INT64_MAX / 2)
		return EPROTO;
	if (a->window.fd >= 0)
		return agent_say(a, EBUSY, "there is a window already");
	if (a->readonly)
		return EPERM;
	rc = device_path(a, device, path);
	if (rc)
		return rc;
	/* A folder's host may have it in a filesystem that knows no such reading. */
	w.fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (a->folders ? 0 : O_DIRECT));
	if (w.fd < 0)
		return agent_say(a, errno, "the window cannot be opened");
	w.buf = make_buffer(w.slot_size);
	if (!w.buf) {
		close(w.fd);
		return ENOMEM;
	}
	a->window = w;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}

/* What both begin with; where the slot lies. */
static int get_slot(struct agent *a, struct proto_in *in, uint64_t *off, uint32_t *len, uint64_t *at)
{
	const struct agent_window *w = &a->window;
	uint16_t slot;

	*off = proto_get_u64(in);
	*len = proto_get_u32(in);
	slot = proto_get_u16(in);
	if (!proto_done(in) || *off > (uint64_t)INT64_MAX - LIMIT_PROTO_SLOT)
		return EPROTO;
	if (w->fd < 0 || slot >= w->nslots || *len > w->slot_size)
		return agent_say(a, EINVAL, "a slot that is not there");
	*at = w->off + (uint64_t)slot * w->slot_size;
	return 0;
}

static size_t whole_blocks(size_t len)
{
	return (len + PROTO_BLOCK - 1) / PROTO_BLOCK * PROTO_BLOCK;
}

int ask_fetch(struct agent *a, struct question *q)
{
	uint64_t node = proto_get_u64(&q->in), off, at;
	size_t got = 0;
	uint32_t len;
	int fd = -1;
	int rc = get_slot(a, &q->in, &off, &len, &at);

	if (rc == 0)
		rc = node_open(a, node, OPEN_READ, &fd);
	if (rc == 0)
		rc = io_pread(fd, a->window.buf, len, off, &got);
	if (rc == 0 && got)
		rc = io_pwrite(a->window.fd, a->window.buf, whole_blocks(got), at);
	if (rc)
		return rc;
	proto_put_u32(agent_begin(a), (uint32_t)got);
	agent_answer(a, q);
	return 0;
}

/*
 * Of these it is known that what is written past the cache ends up as what is written through it does.  btrfs would not compress
 * it, and others go through the cache all the same.
 */
static bool writes_direct(const struct agent_mount *m)
{
	return strcmp(m->type, "ext4") == 0 || strcmp(m->type, "ext3") == 0 || strcmp(m->type, "ext2") == 0 ||
	       strcmp(m->type, "xfs") == 0;
}

/* How much of it was written past the cache: whole blocks, or nothing. */
static size_t write_direct(int fd, const uint8_t *buf, size_t len, uint64_t off)
{
	const size_t whole = len / PROTO_BLOCK * PROTO_BLOCK;
	const int flags = fcntl(fd, F_GETFL);
	size_t done = 0;

	if (off % PROTO_BLOCK || whole == 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
		return 0;
	/* What fails here is tried through the cache, which says why. */
	if (io_pwrite(fd, buf, whole, off) == 0)
		done = whole;
	return fcntl(fd, F_SETFL, flags) < 0 ? 0 : done;
}

int ask_store(struct agent *a, struct question *q)
{
	uint64_t node, off, at;
	struct proto_in head = q->in;
	struct agent_mount *m = NULL;
	size_t got, done = 0;
	uint32_t len;
	int fd = -1;
	int rc = change_file(a, &q->in, &fd), slot = get_slot(a, &q->in, &off, &len, &at);

	node = proto_get_u64(&head);
	if (rc == 0)
		rc = slot;
	if (rc == 0)
		rc = node_mount(a, node, &m);
	if (rc == 0)
		rc = io_pread(a->window.fd, a->window.buf, whole_blocks(len), at, &got);
	if (rc == 0 && got < len)
		rc = agent_say(a, EIO, "the window ends too early");
	if (rc)
		return rc;
	if (!a->folders && writes_direct(m))
		done = write_direct(fd, a->window.buf, len, off);
	rc = io_pwrite(fd, a->window.buf + done, len - done, off + done);
	if (rc)
		return rc;
	agent_begin(a);
	agent_answer(a, q);
	return 0;
}
