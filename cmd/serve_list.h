/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_list.h - the exports of a server, printed: as qemu-nbd does, or as JSON. */
#ifndef DRYDOCK_SERVE_LIST_H
#define DRYDOCK_SERVE_LIST_H

#include "serve_live.h"

/* Connects as l says and prints what is there; the exit status. */
int serve_list(const struct serve_live *l, const struct dry_tls *tls, const char *hostname, bool json);

#endif
