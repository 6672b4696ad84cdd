/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine.h - a process gives up what it does not need before it looks at a stranger's bytes.
 *
 * Four things, each of which any user may do, in a container too:
 *
 *  - no new privileges, no core dump, limits on address space and processor time;
 *  - Landlock (Linux 5.13): no path may be opened any more but those given; no TCP, no signals to others where the
 *    kernel knows how;
 *  - seccomp: a list of system calls.  What is not on it fails with EPERM, since the C library tries things that it can
 *    do without (locale files, /proc); what only an attacker would want - exec, sockets, ptrace, mount, bpf, another
 *    process's memory - kills the process;
 *  - with a folder to write to, as root: that folder becomes the root folder, because Landlock does not cover chmod,
 *    chown and the like.
 *
 * Calls stack: each can only take away.  A command that opens images with backing files calls confine() with the
 * folders in question, opens, and calls it again with nothing.  Only the calling thread is bound by Landlock, so call it
 * before there are others.
 */
#ifndef DRYDOCK_CONFINE_H
#define DRYDOCK_CONFINE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum confine_want {
	CONFINE_BEST,	  /* what the host does not offer is left out, and told in the report */
	CONFINE_REQUIRED, /* both Landlock and seccomp, or ERR_POLICY */
	CONFINE_OFF,	  /* do nothing */
};

enum {
	CONFINE_PRIVS = 1u << 0, /* no new privileges, not dumpable */
	CONFINE_LIMITS = 1u << 1,
	CONFINE_LANDLOCK = 1u << 2,
	CONFINE_SECCOMP = 1u << 3,
	CONFINE_CHROOT = 1u << 4,
};

struct confine_how {
	enum confine_want want;
	/* Files and folders that may still be opened for reading, with all beneath; those that do not exist are ignored. */
	const char *const *read_paths;
	size_t nread;
	bool write;	  /* files may be made beneath write_dir */
	int write_dir;	  /* with write: a folder's descriptor */
	bool again;	  /* confine() will be called again: what it needs stays allowed, the root folder stays */
	/*
	 * Messages over sockets that are open, and connections taken from those that listen: the disks and the channel of a
	 * virtual machine are served.  And what is open for writing may be written to.
	 */
	bool serve;
	/* A filesystem is served to the kernel by FUSE: its descriptor comes through a socket that is open. */
	bool mount;
	/*
	 * Folders, by their descriptors, in which a file may still be removed: the journal of a change, when it is over.  With any,
	 * files that are open for writing may be written to, made stable, and share blocks.
	 */
	const int *remove_dirs;
	size_t nremove;
	bool network;	  /* sockets may be made and connected: this process talks to a server, and does nothing else */
	bool terminal;	  /* the settings of a terminal that is open may be changed: a passphrase is not echoed */
	uint64_t memory;  /* address space in bytes, with `serve` only what is private and writable of it; 0: no limit */
	uint64_t seconds; /* processor time; 0: no limit */
};

struct confine_report {
	unsigned done;	     /* CONFINE_* */
	int landlock_abi;    /* of the kernel; 0: none */
	char missing[300];   /* what was left out and why, in words; "" when nothing was */
};

int confine(const struct confine_how *how, struct confine_report *report, struct err *e);

#endif
