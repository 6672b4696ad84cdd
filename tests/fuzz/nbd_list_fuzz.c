/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd_list_fuzz.c - what a server says to a client that asks for its exports, made up by the fuzzer. */
#include "nbd_list.h"

#include "err.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct nbd_listing l;
	struct err e = ERR_INIT;
	int pair[2];

	/* So few answers that what is asked for them fits into the socket, as nobody reads it. */
	if (len > 4096)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	(void)!send(pair[1], data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(pair[1], SHUT_WR);
	if (nbd_list(pair[0], NULL, NULL, &l, &e) == 0)
		nbd_listing_free(&l);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
