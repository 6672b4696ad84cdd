/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve_live.h - the life of a server of disks: its sockets, its process, its clients.  drydock serve and qemu-nbd share it.
 *
 *	serve_fork()	goes to the background, if asked; the one in front waits for serve_ready()
 *	serve_listen()	opens the sockets, and the kernel's device
 *	...		the caller opens its images and credentials
 *	serve_confine()	writes the PID file, and gives up rights
 *	...		the caller makes its exports and the server of them
 *	serve_ready()	the one in front ends (where there is a device: when the kernel has it)
 *	serve_clients()	until the end
 *	serve_free()
 *
 * All print what is wrong, in front of it `self`, and return false.
 */
#ifndef DRYDOCK_SERVE_LIVE_H
#define DRYDOCK_SERVE_LIVE_H

#include "cmd.h"

#include <sys/types.h>

enum { SERVE_SOCKETS_MAX = 16, SERVE_HANDSHAKE_SECONDS = 30 };

struct serve_live {
	const char *self; /* "drydock" */
	/* Wishes: where to listen.  A socket in the file system, or a descriptor, or (neither) TCP. */
	const char *socket, *bind, *port;
	int fd;		/* of a socket that listens, or is connected; -1: none */
	/* A device of the kernel's NBD client that shows the export of that name (NULL: ""); TCP is not listened at then. */
	const char *device, *device_export;
	bool peer;	/* called by the peer's name: its words, and a socket of that name is removed whoever listens there */
	/* And how to live. */
	unsigned clients; /* at most so many at a time; 0: no limit */
	bool persistent;  /* stay when the last client has left */
	bool background;
	bool verbose;
	const char *pid_file;
	int confine; /* enum dry_confinement */
	/* What is ours. */
	int fds[SERVE_SOCKETS_MAX];
	size_t nfds;
	int connected;	/* a client that came with the process; -1: none */
	int signals;	/* a descriptor for those that end us */
	int keeper;	/* a line to the process that removes the socket; -1: none */
	int line;	/* and from the one with the device: a byte when that is there, the end when it is free; -1: none */
	bool attached;	/* the byte has come */
	int tell;	/* where the one in front waits; -1: there is none */
	int null;
	uint16_t bound; /* the port, where it is TCP */
};
#define SERVE_LIVE_INIT(name)                                                                                          \
	{ .self = (name), .fd = -1, .connected = -1, .signals = -1, .keeper = -1, .line = -1, .tell = -1, .null = -1 }

/* In front: true, and *status is what to exit with.  Else false: the caller goes on. */
bool serve_fork(struct serve_live *l, int *status);
bool serve_listen(struct serve_live *l);
bool serve_confine(struct serve_live *l);
void serve_ready(struct serve_live *l);
/* Serves clients until a signal, or until the last one has left; true: all went well. */
bool serve_clients(struct serve_live *l, struct dry_server *s);
/* For CLEANUP; the socket is gone afterwards. */
void serve_free(struct serve_live *l);
/* For dry_server_how: says on stderr why a client was sent away, where that was asked for. */
void serve_note(void *live, const char *sentence);
/* "SELF: " and a sentence on stderr. */
__attribute__((format(printf, 2, 3))) void serve_say(const struct serve_live *l, const char *fmt, ...);

/* A client: connects as the wishes say; -1 with the sentence printed. */
int serve_connect(const struct serve_live *l);

#endif
