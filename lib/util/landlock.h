/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * landlock.h - a process takes itself the right to open paths, but for those that it names.
 *
 * Landlock (Linux 5.13) is open to any user.  The C library has no functions for it, and the host's headers may be older
 * than the kernel: the interface as of ABI 6.  All functions return 0 or an errno.
 *
 *	CLEANUP(landlock_free) struct landlock l = LANDLOCK_INIT;
 *	rc = landlock_new(&l, 0);
 *	... landlock_allow(&l, "/usr/lib", LANDLOCK_READ | LANDLOCK_EXECUTE) ...
 *	rc = landlock_restrict(&l);	// this thread, and all that it starts; no_new_privs must be set
 */
#ifndef DRYDOCK_LANDLOCK_H
#define DRYDOCK_LANDLOCK_H

#include <stdint.h>

struct landlock {
	int fd;
	int abi;
	uint64_t fs; /* what is taken away */
};
#define LANDLOCK_INIT { .fd = -1 }

/* The kernel's version of it; 0 with errno: none. */
int landlock_abi(void);

enum { LANDLOCK_NETWORK = 1u << 0 }; /* TCP stays allowed */
int landlock_new(struct landlock *l, unsigned flags);

enum {
	LANDLOCK_READ = 1u << 0,    /* files, and folders with all beneath */
	LANDLOCK_EXECUTE = 1u << 1,
	LANDLOCK_WRITE = 1u << 2,   /* a folder: all that can be done beneath, but to execute; a file: its content */
	LANDLOCK_DEVICE = 1u << 3,  /* a device: read, write, ioctl */
	LANDLOCK_REMOVE = 1u << 4,  /* a folder: files beneath may be removed */
};
int landlock_allow_fd(struct landlock *l, int fd, unsigned what);
/* A path that is not there is nothing to allow. */
int landlock_allow(struct landlock *l, const char *path, unsigned what);
int landlock_restrict(struct landlock *l);
void landlock_free(struct landlock *l);

#endif
