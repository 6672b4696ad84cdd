/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record_writes.c - preloaded into a program, keeps a log of what it does to some files: writes, holes, lengths, flushes.
 *
 * WRITES_LOG names the log, WRITES_FILES the files, divided by colons.  One change is made at a time, so that the log has
 * them in the order in which they were made.  replay_writes.c reads it.
 */
#define _GNU_SOURCE
#include "writes.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat files[WRITES_FILES_MAX];
static unsigned nfiles;
static int log_fd = -1;

static void begin(void)
{
	char *names = getenv("WRITES_FILES"), *save = NULL;

	log_fd = open(getenv("WRITES_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	names = names ? strdup(names) : NULL;
	for (char *name = names ? strtok_r(names, ":", &save) : NULL; name && nfiles < WRITES_FILES_MAX;
	     name = strtok_r(NULL, ":", &save))
		if (stat(name, &files[nfiles++]) != 0)
			abort();
	free(names);
	if (log_fd < 0)
		abort();
}

/* Which of them that is; -1: another one. */
static int file_of(int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct stat st;

	pthread_once(&once, begin);
	if (fstat(fd, &st) != 0)
		return -1;
	for (unsigned i = 0; i < nfiles; i++)
		if (files[i].st_dev == st.st_dev && files[i].st_ino == st.st_ino)
			return (int)i;
	return -1;
}

static void note(int file, enum write_kind kind, uint64_t off, uint64_t len, const void *data)
{
	const struct write_event x = { .kind = kind, .file = (uint32_t)file, .off = off, .len = len };

	if (write(log_fd, &x, sizeof x) != sizeof x || (data && write(log_fd, data, len) != (ssize_t)len))
		abort();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	int file = file_of(fd);
	ssize_t n;

	pthread_mutex_lock(&lock);
	n = REAL(pwrite64)(fd, buf, len, off);
	if (n > 0 && file >= 0)
		note(file, WRITE_DATA, (uint64_t)off, (uint64_t)n, buf);
	pthread_mutex_unlock(&lock);
	return n;
}

int fallocate64(int fd, int mode, off64_t off, off64_t len)
{
	int file = file_of(fd), rc;

	pthread_mutex_lock(&lock);
	rc = REAL(fallocate64)(fd, mode, off, len);
	if (rc == 0 && file >= 0)
		note(file, mode & FALLOC_FL_PUNCH_HOLE ? WRITE_HOLE : mode & FALLOC_FL_ZERO_RANGE ? WRITE_ZEROS : WRITE_ROOM,
		     (uint64_t)off, (uint64_t)len, NULL);
	pthread_mutex_unlock(&lock);
	return rc;
}

int ftruncate64(int fd, off64_t len)
{
	int file = file_of(fd), rc;

	pthread_mutex_lock(&lock);
	rc = REAL(ftruncate64)(fd, len);
	if (rc == 0 && file >= 0)
		note(file, WRITE_LENGTH, 0, (uint64_t)len, NULL);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int flushed(int fd, int (*flush)(int))
{
	int file = file_of(fd), rc;

	pthread_mutex_lock(&lock);
	rc = flush(fd);
	if (rc == 0 && file >= 0)
		note(file, WRITE_FLUSH, 0, 0, NULL);
	pthread_mutex_unlock(&lock);
	return rc;
}

int fdatasync(int fd)
{
	return flushed(fd, REAL(fdatasync));
}

int fsync(int fd)
{
	return flushed(fd, REAL(fsync));
}

/* What is moved by the kernel is not seen: it is done by hand instead. */
ssize_t copy_file_range(int in, off64_t *in_off, int out, off64_t *out_off, size_t len, unsigned flags)
{
	(void)in;
	(void)in_off;
	(void)out;
	(void)out_off;
	(void)len;
	(void)flags;
	errno = EOPNOTSUPP;
	return -1;
}
