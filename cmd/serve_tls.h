/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve_tls.h - what --object describes to who serves disks: credentials for TLS and who is let in, as QEMU writes them.
 *
 *	tls-creds-x509,id=ID,dir=DIR[,endpoint=server|client][,verify-peer=on|off][,passwordid=SECRET]
 *	tls-creds-psk,id=ID,dir=DIR[,endpoint=server|client][,username=NAME]
 *	authz-simple,id=ID,identity=DISTINGUISHED-NAME
 *	secret,...
 */
#ifndef DRYDOCK_SERVE_TLS_H
#define DRYDOCK_SERVE_TLS_H

#include "cmd.h"

struct serve_objects {
	struct dry_opts **items;
	size_t n;
	struct dry_secrets *secrets; /* NULL: none */
};
void serve_objects_free(struct serve_objects *o); /* for CLEANUP */

/* What is wrong is in the error; its text begins with a capital, as the peer's do. */
int serve_objects_add(struct serve_objects *o, const char *text, struct dry_error *e);
/* The credentials that are called so, for a server or a client; authz NULL: all are let in. */
int serve_tls_new(const struct serve_objects *o, const char *creds, const char *authz, bool client, struct dry_tls **out,
		  struct dry_error *e);

#endif
