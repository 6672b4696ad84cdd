/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net_proto.h"

#include "checked.h"

#include <string.h>

int net_read_config(const char *text, size_t len, struct dict *opts, struct err *e)
{
	if (!len || len > NET_CONFIG_MAX || text[len - 1])
		return err_set(e, ERR_USAGE, "no word of what to connect to");
	/* Ends: at grows with each pair. */
	for (size_t at = 0; at < len;) {
		const char *key = text + at, *value;
		int rc;

		at += strlen(key) + 1;
		if (at >= len)
			break;
		value = text + at;
		at += strlen(value) + 1;
		rc = dict_set(opts, key, value, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int net_judge_question(const struct net_slot *q, uint64_t size, struct err *e)
{
	const bool known = q->op >= NET_READ && q->op <= NET_MAP;

	if (!known || ((q->op == NET_READ || q->op == NET_WRITE) && q->len > NET_DATA) ||
	    (q->op != NET_FLUSH && (!q->len || !range_in(q->off, q->len, size))))
		return err_set(e, ERR_USAGE, "no such question");
	return 0;
}

int net_judge_hello(struct net_hello *h, const char *name, struct err *e)
{
	const uint32_t min = h->block_min, max = h->block_max;

	if (h->version != NET_VERSION || !h->slots || h->slots > NET_SLOTS || !min || (min & (min - 1)) || max < min ||
	    max > NET_DATA || h->first_len > NET_DATA || h->first_len > h->size)
		return err_set(e, ERR_CORRUPT, "%s: the helper process, or the server, makes no sense", name);
	if (h->size > LIMIT_IMAGE_SIZE)
		return err_set(e, ERR_LIMIT, "%s: %llu bytes", name, (unsigned long long)h->size);
	h->block_max = (uint32_t)round_down(max, min);
	return 0;
}

size_t net_judge_runs(struct net_extent *runs, uint32_t told)
{
	size_t n = told < NET_EXTENTS ? told : NET_EXTENTS;

	for (size_t i = 0; i < n; i++)
		if (!runs[i].len)
			n = i;
	return n;
}
