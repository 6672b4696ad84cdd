/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_fuzz.c - what a client of the NBD server sends, made up by the fuzzer: the server says something or hangs up, and
 * the next client is served.
 */
#include "memory.h"
#include "nbd_server.h"

#include <sys/socket.h>
#include <unistd.h>

static int memory_pwrite(struct block *b, const void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct memory *m = b->state;

	(void)e;
	if (off + len > b->size)
		return -1;
	memcpy(m->bytes + off, buf, len);
	return 0;
}

static const struct block_driver writable_driver = {
	.name = "memory",
	.state_size = sizeof(struct memory),
	.pread = memory_pread,
	.pwrite = memory_pwrite,
	.close = memory_close,
};

static struct nbd_server *serve(void)
{
	const struct nbd_server_how how = { .threads = 2 };
	struct nbd_export exports[2] = { { .name = "", .writable = true }, { .name = "ro", .description = "read-only" } };
	struct nbd_server *s;
	struct block *b;

	if (block_new_filter(&writable_driver, NULL, &b, NULL) < 0)
		abort();
	((struct memory *)b->state)->bytes = calloc(1, 65536);
	b->size = 65536;
	b->flags = BLOCK_WRITE;
	exports[0].block = exports[1].block = exports[1].depth_of = b;
	if (nbd_server_new(exports, 2, &how, &s, NULL) < 0)
		abort();
	block_unref(b);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char sink[65536];
	struct nbd_server *s;
	int pair[2];

	if (len > 65536)
		return 0;
	s = serve();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || nbd_server_client(s, pair[1], NULL) < 0)
		abort();
	/* Less than a socket holds: it does not block, but the server may hang up before it is there. */
	(void)!send(pair[0], data, len, MSG_NOSIGNAL);
	shutdown(pair[0], SHUT_WR);
	while (recv(pair[0], sink, sizeof sink, 0) > 0)
		;
	close(pair[0]);
	(void)nbd_server_stop(s, NULL);
	return 0;
}
