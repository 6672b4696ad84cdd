/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.h - TLS over a stream socket that is connected, by OpenSSL.
 *
 * libcrypto is linked for other reasons, and with libssl there is one library of cryptography in the process; libssl itself is
 * loaded when it is first needed, since few commands do.  Credentials lie in a folder as QEMU's do:
 *
 *	certificates	ca-cert.pem, ca-crl.pem (may be missing), server-cert.pem and server-key.pem, or client-cert.pem and
 *			client-key.pem (may be missing both)
 *	shared keys	keys.psk: lines of NAME:HEX
 *
 * They are read when the object is made; afterwards no file is opened, so that a confined process can talk.  No version below
 * TLS 1.2 is spoken.
 *
 * A session never waits: a call that cannot go on tells what to poll() for.  One thread may receive while another one sends.
 */
#ifndef DRYDOCK_TLS_H
#define DRYDOCK_TLS_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_creds;

struct tls_how {
	const char *dir;
	bool client;
	bool psk;
	const char *username;	  /* of a client with shared keys; NULL: "qemu" */
	const char *passphrase;	  /* of the private key; NULL: it needs none */
	bool any_client;	  /* of a server with certificates: clients need none */
	/* Of a server: clients whose certificate has one of these distinguished names, as tls_peer() tells it; none: all. */
	const char *const *allowed;
	size_t nallowed;
};
int tls_creds_new(const struct tls_how *how, struct tls_creds **out, struct err *e);
/* NULL is fine. */
struct tls_creds *tls_creds_ref(struct tls_creds *c);
void tls_creds_unref(struct tls_creds *c);

struct tls;
/*
 * A session over fd, which stays the caller's.  hostname: of a client with certificates, the name that the server's must have;
 * NULL: that is not looked at.
 */
int tls_new(struct tls_creds *c, int fd, const char *hostname, struct tls **out, struct err *e);
void tls_free(struct tls *t); /* NULL is fine */
/* 0: done, and the other side is who it should be; 1: *want (POLLIN, POLLOUT) first; < 0: an error. */
int tls_handshake(struct tls *t, short *want, struct err *e);
/* Bytes; 0: the other side has ended; -1: *want first, or, where that is 0, a failure. */
ssize_t tls_recv(struct tls *t, void *buf, size_t len, short *want);
ssize_t tls_send(struct tls *t, const void *buf, size_t len, short *want);
/* The distinguished name in the other side's certificate, "CN=a,O=b"; free() it.  NULL: it has none. */
char *tls_peer(struct tls *t);

#endif
