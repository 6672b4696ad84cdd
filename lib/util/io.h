/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.h - the one loop around pread and pwrite: EINTR and short counts are dealt with here and nowhere else.
 *
 * Return 0 or a positive errno.  DRYDOCK_TEST_SHORT_IO=1 in the environment makes every call move at most one
 * byte at a time for the first bytes of a request, so that the loops are run.
 */
#ifndef DRYDOCK_IO_H
#define DRYDOCK_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Reads exactly len bytes, except that the file may end first: *got tells how many there were. */
int io_pread(int fd, void *buf, size_t len, uint64_t off, size_t *got);
int io_pwrite(int fd, const void *buf, size_t len, uint64_t off);
/* The same to memory in at most IOV_MAX pieces, which need not be there: then EFAULT.  iov is used up. */
int io_preadv(int fd, struct iovec *iov, unsigned n, uint64_t off, size_t *got);
/* The same on a stream's own position. */
int io_read(int fd, void *buf, size_t len, size_t *got);
int io_write(int fd, const void *buf, size_t len);

/*
 * fstat(), 0 or -1 with errno.  That of the C library asks by newfstatat() with a name, which a confined process may not
 * call.
 */
struct stat;
int io_fstat(int fd, struct stat *st);

#endif
