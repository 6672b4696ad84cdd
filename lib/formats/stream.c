// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream.h"

#include "alloc.h"
#include "block_driver.h"
#include "io.h"
#include "limits.h"
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Formats are told by their first bytes; a disk shorter than this is looked at whole. */
enum { HEAD = 65536, SPOOL_STEP = 1 << 20, LOOK_MSEC = 100 };

const char *stream_folder(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp";
}

int stream_temporary(struct err *e)
{
	CLEANUP(free_ptr) char *path = NULL;
	int fd = open(stream_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	path = alloc_printf("%s/drydock-XXXXXX", stream_folder());
	if (!path)
		return err_nomem(e);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "temporary file in %s", stream_folder());
	unlink(path);
	return fd;
}

/* What the kernel lets any user have.  Both ends then run longer before they must wait for the other; a hint. */
static void widen_pipe(int fd)
{
	enum { PIPE_BYTES = 1 << 20 };

	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

/* ---- what comes ---- */

struct stream_state {
	int fd;
	size_t head_len, head_pos; /* what was read to tell the format */
	uint8_t head[HEAD];
};

static int stream_pread(struct block *b, void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)buf;
	(void)len;
	(void)off;
	return err_set(e, ERR_UNSUPPORTED, "%s can only be read front to back", b->name);
}

static const struct block_driver stream_driver = {
	.name = "raw",
	.state_size = sizeof(struct stream_state),
	.is_protocol = true,
	.pread = stream_pread,
};

bool block_is_stream(const struct block *b)
{
	return b->drv == &stream_driver;
}

/* Waits until there is something to read, or the end. */
static int await(struct block *b, const atomic_bool *stop, struct err *e)
{
	const struct stream_state *s = b->state;
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	while (poll(&p, 1, LOOK_MSEC) == 0 || !p.revents)
		if (stop && atomic_load(stop))
			return err_set(e, ERR_CANCELED, "stopped");
	return 0;
}

int block_stream_read(struct block *b, void *buf, size_t len, const atomic_bool *stop, size_t *got, struct err *e)
{
	struct stream_state *s = b->state;
	size_t n = MIN_OF(len, s->head_len - s->head_pos);

	memcpy(buf, s->head + s->head_pos, n);
	s->head_pos += n;
	while (n < len) {
		int rc = await(b, stop, e);
		ssize_t more = rc < 0 ? 0 : read(s->fd, (uint8_t *)buf + n, len - n);

		if (rc < 0)
			return rc;
		if (more < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(e, errno, "%s", b->name);
		if (more == 0)
			break;
		n += more > 0 ? (size_t)more : 0;
	}
	*got = n;
	return 0;
}

/* An image over an open file. */
static int open_descriptor(int fd, const struct block_open *how, const char *name, struct block **out, struct err *e)
{
	/* There is no folder beside it in which to look for other files. */
	struct block_policy policy = how->policy ? *how->policy : (struct block_policy){ .allow_none = true };
	struct block_open open = *how;
	char path[32];
	int rc;

	policy.allow_none = !policy.allow_all;
	open.policy = &policy;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = block_open(path, &open, out, e);
	if (rc < 0)
		return err_in(e, rc, "%s", name);
	for (struct block *b = *out; b; b = b->file) {
		char *copy = alloc_strdup(name);

		if (!copy) {
			block_unrefp(out);
			return err_nomem(e);
		}
		free(b->name);
		b->name = copy;
	}
	return 0;
}

static int spool(struct block *from, const struct block_open *how, struct block **out, struct err *e)
{
	CLEANUP(close_fd) int fd = stream_temporary(e);
	CLEANUP(free_ptr) uint8_t *buf = alloc_bytes(SPOOL_STEP);
	uint64_t size = 0;
	size_t got = 0;

	if (fd < 0)
		return fd;
	if (!buf)
		return err_nomem(e);
	do {
		int rc = block_stream_read(from, buf, SPOOL_STEP, NULL, &got, e);

		if (rc < 0)
			return rc;
		rc = io_pwrite(fd, buf, got, size);
		if (rc)
			return err_sys(e, rc, "keeping %s in %s", from->name, stream_folder());
		size += got;
	} while (got == SPOOL_STEP && size <= LIMIT_IMAGE_SIZE);
	return open_descriptor(fd, how, from->name, out, e);
}

static int new_stream(int fd, struct block **out, struct err *e)
{
	static const char name[] = "standard input";
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct stream_state *s;
	int rc = block_new_filter(&stream_driver, NULL, &b, e);

	if (rc < 0)
		return rc;
	free(b->name);
	b->name = alloc_strdup(name);
	if (!b->name)
		return err_nomem(e);
	s = b->state;
	s->fd = fd;
	rc = io_read(fd, s->head, HEAD, &s->head_len);
	if (rc)
		return err_sys(e, rc, "%s", b->name);
	*out = take(b);
	return 0;
}

/* 1: it is raw, by word or by looks. */
static int is_raw(const struct block *b, const char *format, struct err *e)
{
	const struct stream_state *s = b->state;

	if (!format)
		return !probe_bytes(s->head, s->head_len);
	if (!block_format_known(format))
		return err_set(e, ERR_USAGE, "unknown format \"%s\"", format);
	return strcmp(format, "raw") == 0;
}

int block_stream_open(int fd, const struct block_open *how, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return err_sys(e, errno, "standard input");
	if ((S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0) || S_ISBLK(st.st_mode))
		return open_descriptor(fd, how, "standard input", out, e);
	widen_pipe(fd);
	rc = new_stream(fd, &b, e);
	if (rc == 0)
		rc = is_raw(b, how->format, e);
	if (rc < 0)
		return rc;
	if (!rc)
		return spool(b, how, out, e);
	*out = take(b);
	return 0;
}

/* ---- what goes ---- */

struct pipe_state {
	int fd;
	bool made, broken; /* broken: block_pipe_break() was called */
	uint64_t pos; /* all before it is written */
	pthread_mutex_t lock;
	pthread_cond_t moved;
};

static void pipe_close(struct block *b)
{
	struct pipe_state *s = b->state;

	if (!s->made)
		return;
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
}

static int pipe_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	struct pipe_state *s = b->state;
	bool mine;
	int rc;

	pthread_mutex_lock(&s->lock);
	while (s->pos != off && !s->broken)
		pthread_cond_wait(&s->moved, &s->lock);
	mine = !s->broken;
	pthread_mutex_unlock(&s->lock);
	if (!mine)
		return err_set(e, ERR_CANCELED, "%s: stopped", b->name);
	/* Nobody else writes: s->pos says so. */
	rc = io_write(s->fd, buf, len);
	if (rc)
		return err_sys(e, rc, "%s", b->name); /* the others wait on, until this has been noted: block_pipe_break() */
	pthread_mutex_lock(&s->lock);
	s->pos += len;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static const struct block_driver pipe_driver = {
	.name = "raw",
	.state_size = sizeof(struct pipe_state),
	.is_protocol = true,
	.close = pipe_close,
	.pread = stream_pread,
	.pwrite = pipe_pwrite,
};

int block_pipe_open(int fd, uint64_t size, struct block **out, struct err *e)
{
	CLEANUP(block_unrefp) struct block *b = NULL;
	struct pipe_state *s;
	int rc = block_new_filter(&pipe_driver, NULL, &b, e);

	if (rc < 0)
		return rc;
	free(b->name);
	b->name = alloc_strdup("standard output");
	if (!b->name)
		return err_nomem(e);
	s = b->state;
	s->fd = fd;
	widen_pipe(fd);
	if (pthread_mutex_init(&s->lock, NULL) != 0)
		return err_nomem(e);
	if (pthread_cond_init(&s->moved, NULL) != 0) {
		pthread_mutex_destroy(&s->lock);
		return err_nomem(e);
	}
	s->made = true;
	b->size = size;
	b->flags = BLOCK_WRITE;
	*out = take(b);
	return 0;
}

void block_pipe_break(struct block *b)
{
	struct pipe_state *s = b->state;

	if (b->drv != &pipe_driver)
		return;
	pthread_mutex_lock(&s->lock);
	s->broken = true;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}
