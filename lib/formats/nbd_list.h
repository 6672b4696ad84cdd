/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd_list.h - what an NBD server has to offer: the handshake of a client that asks for everything and chooses nothing.
 *
 * The server is a stranger: lengths, counts and texts are judged, and each wait ends after LIMIT seconds of silence.
 */
#ifndef DRYDOCK_NBD_LIST_H
#define DRYDOCK_NBD_LIST_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_creds;

struct nbd_listed {
	char *name, *description; /* description NULL: none */
	bool known;		  /* the server told more than the name: */
	uint16_t flags;		  /* NBD_FLAG_... */
	uint64_t size;
	uint32_t min_block, opt_block, max_block; /* max 0: not told */
	char **contexts;
	size_t ncontexts;
};
struct nbd_listing {
	struct nbd_listed *items;
	size_t n;
};
void nbd_listing_free(struct nbd_listing *l);

/* The socket is the caller's.  tls NULL: in the open; hostname: what the server's certificate must name, NULL: anything. */
int nbd_list(int fd, struct tls_creds *tls, const char *hostname, struct nbd_listing *out, struct err *e);

#endif
