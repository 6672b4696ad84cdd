/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * room.h - what a virtual machine's process sees of the host: a few files, and nothing of its network and processes.
 *
 * A room is a root folder in memory, in a mount namespace of its own, into which the files that the machine needs are bound,
 * read-only; Landlock then says the same once more, for a host where the one or the other is not to be had.
 */
#ifndef DRYDOCK_ROOM_H
#define DRYDOCK_ROOM_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ROOM_ITEMS 24

struct room_item {
	char *source;	   /* a path of the host; one that is not there is left out */
	const char *name;  /* what it is called in the room; NULL: the same */
	unsigned rights;   /* LANDLOCK_... (landlock.h) */
};

struct room {
	struct room_item items[ROOM_ITEMS];
	size_t n;
	uint64_t size;	    /* bytes that files of the room itself may have */
	bool network;	    /* TCP is allowed */
	bool failed;	    /* memory was out, or there were too many items */
};
#define ROOM_TMP "/tmp"	  /* of the room itself: files may be made here */
#define ROOM_SOCKETS "/s" /* of the room itself, for sockets that are made before it is closed */

void room_add(struct room *r, const char *source, const char *name, unsigned rights);

enum {
	ROOM_SPACES = 1u << 0,	   /* user, mount, process, IPC and host name namespaces of its own */
	ROOM_NO_NETWORK = 1u << 1, /* and one of the network, which is empty */
};
/*
 * fork(), and the child is the first process of such namespaces; *pidfd (close on exec) is the child's.  For a process
 * without threads.
 */
pid_t room_fork(unsigned flags, int *pidfd);

/*
 * Turns the new namespaces (user, mount, and so on) of this process into the room: user and group become those given, which
 * were the process's before, the root folder is the room's, no capability is left.  What fails is named in the sentence.
 */
int room_enter(const struct room *r, uid_t uid, gid_t gid, struct err *e);
/* Binds this thread, and what it starts, to the room's items; entered: by their names in the room.  0 or an errno. */
int room_lock(const struct room *r, bool entered);

/* Does this host let the user have rooms?  By making an empty one, in a child process.  The sentence says what fails. */
int room_try(struct err *e);
/* May this process trace its children?  By a child that asks for it.  0 or an errno. */
int trace_try(void);

#endif
