/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memfile.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

/* Far above what a command has open, and below the 1024 that a process may have by default. */
#define WORD(number) #number
#define NAME(number) "/proc/self/fd/" WORD(number)
const char memfile_name[] = NAME(MEMFILE_SLOT);

int memfile_new(int *fd, struct err *e)
{
	*fd = memfd_create("drydock", MFD_CLOEXEC);
	return *fd < 0 ? err_sys(e, errno, "no file in memory can be made") : 0;
}

/* How long to wait for another thread's turn, in ms: a library looks through some hundred MiB before it gives the name back. */
#define TURN 5000

int memfile_by_name(int fd, int (*fn)(void *arg, const char *name, struct err *e), void *arg, struct err *e)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int slot, rc;

	/* The lowest free descriptor from the slot on: who gets the slot itself has the name, and the others wait. */
	for (int turn = 0; (slot = fcntl(fd, F_DUPFD_CLOEXEC, MEMFILE_SLOT)) > MEMFILE_SLOT; turn++) {
		close_fd(&slot);
		if (turn == TURN)
			return err_set(e, ERR_LIMIT, "too many files are open: descriptor %d stays in use", MEMFILE_SLOT);
		nanosleep(&ms, NULL);
	}
	if (slot < 0)
		return err_sys(e, errno, "descriptor %d cannot be had", MEMFILE_SLOT);
	rc = fn(arg, memfile_name, e);
	close_fd(&slot);
	return rc;
}
