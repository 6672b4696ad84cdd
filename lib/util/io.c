/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How much of a request the next system call is asked for. */
static size_t io_step(size_t left, size_t done)
{
	static atomic_int short_io = -1; /* several threads may find out at once: they find the same */
	int in_bits = atomic_load_explicit(&short_io, memory_order_relaxed);

	if (in_bits < 0) {
		const char *v = getenv("DRYDOCK_TEST_SHORT_IO");

		in_bits = v && *v == '1';
		atomic_store_explicit(&short_io, in_bits, memory_order_relaxed);
	}
	/* The kernel moves at most 0x7ffff000 bytes a call; ask for less than that. */
	if (left > (1u << 30))
		left = 1u << 30;
	return in_bits && done < 3 ? 1 : left;
}

/* A descriptor with O_DIRECT takes whole blocks only: then the test's bit is refused, and all that is left goes at once. */
static ssize_t pread_some(int fd, char *buf, size_t left, size_t done, uint64_t off)
{
	size_t step = io_step(left, done);
	ssize_t n = pread(fd, buf, step, (off_t)off);

	return n < 0 && errno == EINVAL && step == 1 && left > 1 ? pread(fd, buf, left, (off_t)off) : n;
}

static ssize_t pwrite_some(int fd, const char *buf, size_t left, size_t done, uint64_t off)
{
	size_t step = io_step(left, done);
	ssize_t n = pwrite(fd, buf, step, (off_t)off);

	return n < 0 && errno == EINVAL && step == 1 && left > 1 ? pwrite(fd, buf, left, (off_t)off) : n;
}

int io_pread(int fd, void *buf, size_t len, uint64_t off, size_t *got)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread_some(fd, (char *)buf + done, len - done, done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*got = done;
	return 0;
}

int io_pwrite(int fd, const void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite_some(fd, (const char *)buf + done, len - done, done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

/* Takes n bytes off the front; what is left. */
static unsigned iov_advance(struct iovec **iov, unsigned n, size_t bytes)
{
	while (n && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
	return n;
}

int io_preadv(int fd, struct iovec *iov, unsigned n, uint64_t off, size_t *got)
{
	*got = 0;
	for (n = iov_advance(&iov, n, 0); n;) {
		struct iovec first = { iov->iov_base, io_step(iov->iov_len, *got) };
		bool whole = first.iov_len == iov->iov_len;
		ssize_t r = preadv(fd, whole ? iov : &first, whole ? (int)n : 1, (off_t)(off + *got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return errno;
		if (r == 0)
			break;
		*got += (size_t)r;
		n = iov_advance(&iov, n, (size_t)r);
	}
	return 0;
}

int io_read(int fd, void *buf, size_t len, size_t *got)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, io_step(len - done, done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*got = done;
	return 0;
}

int io_write(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, io_step(len - done, done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		done += (size_t)n;
	}
	return 0;
}

/* On machines of 64 bits what the kernel's own fstat() fills is the C library's struct. */
int io_fstat(int fd, struct stat *st)
{
#if defined SYS_fstat && __SIZEOF_POINTER__ == 8
	return (int)syscall(SYS_fstat, fd, st);
#else
	return fstat(fd, st);
#endif
}
