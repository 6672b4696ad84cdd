/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fail_writes.c - preloaded into a program, makes the Nth change of some files fail, or the last one that is made.
 *
 * FAIL_NAME is a part of the names of these files; those without a name in a folder (O_TMPFILE) are among them.  FAIL_AT
 * counts from 1 the calls that write, give room, cut and make stable, in whatever thread.  FAIL_HOW:
 *   end	the process ends there, without doing it, as if it was killed
 *   full	ENOSPC, and in each later call that takes room
 *   quota	the same with EDQUOT
 *   once	EIO, once
 *   each	EIO, in each later call, too
 *   sync	EIO, once, and what is counted are the calls that make stable, of folders too
 *   short	each write from there on writes half of what it was given, but for the last byte
 * FAIL_COUNT names a file that gets the number of calls, where the process ends by itself.  FAIL_FORKS: what the process forks does
 * so too, each counting for itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat files[FILES];
static unsigned nfiles;
static unsigned long calls;
static int count_fd = -1;
static pid_t ours;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* In the process that was started; what it forks is left alone, unless FAIL_FORKS is set. */
__attribute__((constructor)) static void begin(void)
{
	const char *count = getenv("FAIL_COUNT");

	ours = getpid();
	if (count)
		count_fd = REAL(open64)(count, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

__attribute__((destructor)) static void end(void)
{
	if (count_fd >= 0 && getpid() == ours)
		dprintf(count_fd, "%lu\n", calls);
}

static int seen(int fd, const char *name, int flags)
{
	const char *part = getenv("FAIL_NAME");
	int saved = errno;

	pthread_mutex_lock(&lock);
	if (fd >= 0 && part && nfiles < FILES && (strstr(name, part) || (flags & O_TMPFILE) == O_TMPFILE) &&
	    fstat(fd, &files[nfiles]) == 0 && S_ISREG(files[nfiles].st_mode))
		nfiles++;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return fd;
}

/* By the plain call, which a confined process has; glibc's is another one. */
static int is_ours(int fd)
{
	struct stat st;
	int saved = errno, found = 0;

	if (syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode))
		for (unsigned i = 0; i < nfiles; i++)
			found |= files[i].st_dev == st.st_dev && files[i].st_ino == st.st_ino;
	errno = saved;
	return found;
}

static int is_folder(int fd)
{
	struct stat st;
	int saved = errno, found = syscall(SYS_fstat, fd, &st) == 0 && S_ISDIR(st.st_mode);

	errno = saved;
	return found;
}

enum what { ROOM, OTHER, SYNC };

/* What becomes of a call: 0, as it is asked for; -1, with errno; 1, half of it. */
static int fate(int fd, enum what what)
{
	const char *at = getenv("FAIL_AT"), *how = getenv("FAIL_HOW");
	unsigned long nth = at ? strtoul(at, NULL, 10) : 0, n;
	const int syncs = how && strcmp(how, "sync") == 0;

	if ((getpid() != ours && !getenv("FAIL_FORKS")) || (syncs && what != SYNC) || !(is_ours(fd) || (syncs && is_folder(fd))))
		return 0;
	n = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	if (!how || !nth || n < nth)
		return 0;
	if (strcmp(how, "end") == 0)
		_exit(137);
	if (strcmp(how, "short") == 0)
		return 1;
	errno = strcmp(how, "full") == 0 ? ENOSPC : strcmp(how, "quota") == 0 ? EDQUOT : EIO;
	if (((syncs || strcmp(how, "once") == 0) && n > nth) || (errno != EIO && what != ROOM))
		return 0;
	return -1;
}

int openat64(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return seen(REAL(openat64)(dir, name, flags, mode), name, flags);
}

int open64(const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return seen(REAL(open64)(name, flags, mode), name, flags);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	int what = fate(fd, ROOM);

	return what < 0 ? -1 : REAL(pwrite64)(fd, buf, what > 0 && len > 1 ? len / 2 : len, off);
}

int fallocate64(int fd, int mode, off64_t off, off64_t len)
{
	return fate(fd, mode & FALLOC_FL_PUNCH_HOLE ? OTHER : ROOM) < 0 ? -1 : REAL(fallocate64)(fd, mode, off, len);
}

int ftruncate64(int fd, off64_t len)
{
	return fate(fd, OTHER) < 0 ? -1 : REAL(ftruncate64)(fd, len);
}

int fsync(int fd)
{
	return fate(fd, SYNC) < 0 ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return fate(fd, SYNC) < 0 ? -1 : REAL(fdatasync)(fd);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags)
{
	return fate(out, ROOM) < 0 ? -1 : REAL(copy_file_range)(in, from, out, to, len, flags);
}
