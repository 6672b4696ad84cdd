/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_fuzz.c - what a helper for a source on a network and the library say to each other, each end as if the other had been
 * taken over.  The first byte tells what the rest is: a configuration, a question, a hello, or the runs of a map.
 */
#include "net_proto.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

/* In a piece of memory of its own, so that reading past its end is seen. */
static void config(const uint8_t *data, size_t len)
{
	CLEANUP(dict_free) struct dict opts = DICT_INIT;
	struct err e = ERR_INIT;
	char *text = malloc(len + !len);

	if (!text)
		abort();
	memcpy(text, data, len);
	if (net_read_config(text, len, &opts, &e) == 0 && opts.n > len)
		abort();
	free(text);
}

static void question(const uint8_t *data, size_t len)
{
	static struct net_slot q;
	struct err e = ERR_INIT;
	uint64_t size;

	if (len < sizeof size)
		return;
	memcpy(&size, data, sizeof size);
	memset(&q, 0, sizeof q);
	memcpy(&q, data + sizeof size, len - sizeof size < sizeof q ? len - sizeof size : sizeof q);
	if (net_judge_question(&q, size, &e) < 0)
		return;
	if ((q.op == NET_READ || q.op == NET_WRITE) && q.len > NET_DATA)
		abort();
	if (q.op != NET_FLUSH && (q.off >= size || q.len > size - q.off))
		abort();
}

static void hello(const uint8_t *data, size_t len)
{
	struct net_hello h = { .version = 0 };
	struct err e = ERR_INIT;

	memcpy(&h, data, len < sizeof h ? len : sizeof h);
	if (net_judge_hello(&h, "x", &e) < 0)
		return;
	if (h.slots > NET_SLOTS || h.block_max > NET_DATA || h.block_max < h.block_min || h.block_max % h.block_min ||
	    h.first_len > NET_DATA || h.size > LIMIT_IMAGE_SIZE)
		abort();
}

static void runs(const uint8_t *data, size_t len)
{
	struct net_extent list[NET_EXTENTS] = { { 0, 0 } };
	uint32_t told;
	size_t n;

	if (len < sizeof told)
		return;
	memcpy(&told, data, sizeof told);
	memcpy(list, data + sizeof told, len - sizeof told < sizeof list ? len - sizeof told : sizeof list);
	n = net_judge_runs(list, told);
	if (n > NET_EXTENTS || n > told)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!list[i].len)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const ends[])(const uint8_t *, size_t) = { config, question, hello, runs };

	if (len)
		ends[data[0] % 4](data + 1, len - 1);
	return 0;
}
