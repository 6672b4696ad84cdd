/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbd_internal.h - what the parts of the NBD server share: nbd_server.c (lives), nbd_options.c, nbd_requests.c. */
#ifndef DRYDOCK_NBD_INTERNAL_H
#define DRYDOCK_NBD_INTERNAL_H

#include "nbd_proto.h"
#include "nbd_server.h"

#include "limits.h"
#include "tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

/* Something that BLOCK_STATUS can tell; its number on the wire is its place among those of its export. */
struct nbd_context {
	enum nbd_context_kind { NBD_CONTEXT_ALLOCATION, NBD_CONTEXT_DEPTH, NBD_CONTEXT_BITMAP } kind;
	char *name; /* "qemu:dirty-bitmap:day1" */
	const char *bitmap; /* "day1", the end of the name */
};
#define NBD_CONTEXTS_MAX (NBD_BITMAPS_MAX + 2)
_Static_assert(NBD_CONTEXTS_MAX <= 64, "a client's choice is a word of bits");

struct nbd_own_export {
	char *name, *description; /* description "": none */
	struct block *block;
	bool writable;
	struct nbd_context *contexts;
	size_t ncontexts; /* at least one: base:allocation */
	struct block *depth_of, *bitmaps_of; /* NULL where they are not told */
	uint64_t off;			     /* in both of these */
};

struct nbd_server {
	struct nbd_own_export *exports;
	size_t nexports;
	unsigned threads, max_clients, handshake_seconds;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t left;
	struct nbd_client *clients, *gone; /* lists; gone: its thread is about to end, or has */
	unsigned nclients;
	bool failed;
	struct err err; /* valid where failed */
	void (*tell_left)(void *arg, bool served);
	void (*note)(void *arg, const char *sentence);
	void *arg;
	struct tls_creds *tls; /* NULL: nothing is encrypted; else everything is */
};

/* What one call may bring besides what was waited for: some requests with the data of small writes. */
#define NBD_IN ((size_t)(32 * KiB))

enum nbd_style { NBD_SIMPLE, NBD_STRUCTURED, NBD_EXTENDED };

struct nbd_client {
	struct nbd_server *server;
	struct nbd_client *next;
	int fd;
	struct tls *tls; /* NULL: not encrypted (yet) */
	pthread_t thread;
	/* Chosen in the handshake; constant afterwards. */
	const struct nbd_own_export *export;
	enum nbd_style style;
	const struct nbd_own_export *status_of; /* whose contexts were chosen; NULL: none */
	uint64_t contexts; /* which of them, a bit each */
	bool no_zeroes;
	bool handshake;	  /* with a deadline: */
	struct timespec deadline;
	/* Transmission. */
	pthread_mutex_t reading; /* of the socket, what lies in `in`, the three below, and patience */
	bool ended;		 /* no further request is read */
	unsigned nhelpers;
	pthread_t helpers[NBD_THREADS_MAX];
	atomic_uint waiting;	 /* threads that wait for a request */
	atomic_bool dropped;	 /* the connection is dead or to be so */
	pthread_mutex_t writing; /* whole replies only */
	unsigned patience;	 /* so many requests are still done side by side, since one has taken long */
	size_t in_at, in_len;
	uint8_t in[NBD_IN];
};

/* ---- the socket: 0, or -1 when the client is gone, or was too slow in the handshake ---- */

int nbd_recv(struct nbd_client *c, void *buf, size_t len);
/* The iovec is used up. */
int nbd_send(struct nbd_client *c, struct iovec *iov, unsigned n);
/* From here on what is sent and received is encrypted: 0, or -1. */
int nbd_start_tls(struct nbd_client *c);
/* Nothing is said to this client any more. */
void nbd_drop(struct nbd_client *c);

/* Options, until the client has chosen an export: 0, or -1: it left, or is to be left. */
int nbd_handshake(struct nbd_client *c);
/* Reads and does requests until there are no more; called by all threads of the client. */
void nbd_requests(struct nbd_client *c);
/* One more thread for nbd_requests(), if there may be one.  Under `reading`. */
void nbd_help(struct nbd_client *c);

uint16_t nbd_export_flags(const struct nbd_client *c, const struct nbd_own_export *x);
void nbd_keep_error(struct nbd_server *s, const struct nbd_own_export *x, const struct err *e);

#endif
