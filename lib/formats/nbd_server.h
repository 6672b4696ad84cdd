/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd_server.h - blocks served to others by the NBD protocol.
 *
 * The server speaks over sockets that the caller has connected: a socketpair to a virtual machine
 * (QEMU: blockdev driver=nbd, server.type=fd), a unix or TCP connection that was accepted.  It opens nothing and
 * listens to nothing.  A client is a stranger: lengths, offsets, flags and names are judged, a request that is wrong
 * gets its error, and one that cannot be skipped ends that client alone.  A client that does not read, or does not
 * finish what it began, holds up its own requests and nobody else's; the memory that it can make the server hold is
 * bounded (LIMIT_NBD_...).
 *
 * Spoken: fixed newstyle handshake (EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED_REPLY, EXTENDED_HEADERS, LIST and
 * SET_META_CONTEXT), simple, structured and extended replies, READ (DF), WRITE, FLUSH, TRIM, CACHE, WRITE_ZEROES
 * (NO_HOLE, FAST_ZERO), BLOCK_STATUS (base:allocation, qemu:allocation-depth, qemu:dirty-bitmap:NAME), FUA, many
 * connections to one export.  A raw disk that somebody makes longer meanwhile is told with its new size to who comes then, or
 * asks again (INFO, GO).  There is no notice to who is there: the protocol's extension for that is an experiment in which clients
 * resize, and neither libnbd, QEMU nor Linux knows it.
 */
#ifndef DRYDOCK_NBD_SERVER_H
#define DRYDOCK_NBD_SERVER_H

#include "block.h"

struct tls_creds; /* tls.h */

struct nbd_export {
	const char *name;	 /* UTF-8; "" is what a client gets that names none */
	const char *description; /* for LIST; NULL: none */
	struct block *block;	 /* a reference is taken */
	bool writable;		 /* false: clients are told, and a write fails all the same */
	/* What BLOCK_STATUS can tell besides base:allocation. */
	struct block *depth_of;	    /* qemu:allocation-depth, in the chain of this node; NULL: it cannot */
	const char *const *bitmaps; /* qemu:dirty-bitmap:NAME of these, at most NBD_BITMAPS_MAX */
	size_t nbitmaps;
	struct block *bitmaps_of; /* the node that has them */
	uint64_t off;		  /* where in these nodes, of which references are taken, the block begins */
};
#define NBD_BITMAPS_MAX 62

struct nbd_server_how {
	unsigned threads; /* requests of one client at once, at most NBD_THREADS_MAX; 0: NBD_THREADS */
	unsigned clients; /* at most so many at a time; 0: no limit */
	unsigned handshake_seconds; /* a client that has not chosen an export by then is dropped; 0: it may take its time */
	/* Told in a client's thread when it has left, and whether it had chosen an export before; NULL: nobody is told. */
	void (*left)(void *arg, bool served);
	/* Told in a client's thread why it was sent away, where that may be of interest; NULL: nobody is told. */
	void (*note)(void *arg, const char *sentence);
	void *arg;
	struct tls_creds *tls; /* all clients must encrypt (STARTTLS); a reference is taken; NULL: none can */
};
#define NBD_THREADS 4
#define NBD_THREADS_MAX 16

struct nbd_server;

/* All strings are copied.  how may be NULL. */
int nbd_server_new(const struct nbd_export *exports, size_t n, const struct nbd_server_how *how,
		   struct nbd_server **out, struct err *e);

/*
 * Serves one client on a connected stream socket, in threads of its own (with all signals blocked), until it leaves.
 * fd is the server's from now on, also when this fails.  ERR_LIMIT: too many clients.
 */
int nbd_server_client(struct nbd_server *s, int fd, struct err *e);

/* How many clients there are. */
unsigned nbd_server_clients(struct nbd_server *s);
/* Waits until the last client has left, at most so many milliseconds (< 0: as long as it takes); false: there are some. */
bool nbd_server_wait(struct nbd_server *s, int milliseconds);

/*
 * The first error of an export's image so far, "NAME: ...", which its client has seen as a number only.  0: none.  May be
 * asked at any time, from any thread.
 */
int nbd_server_error(struct nbd_server *s, struct err *e);

/*
 * Hangs up on all clients, waits for requests under way, and ends the server; NULL is fine.  Its answer is that of
 * nbd_server_error().  Blocks are not flushed: what a client wanted stable, it flushed.
 */
int nbd_server_stop(struct nbd_server *s, struct err *e);

#endif
