/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cut.c - writes recorded below a driver, to be replayed as far as a power cut lets them come. */
#include "cut.h"

void cut_record(void *arg, enum fault_kind kind, const void *buf, uint64_t len, uint64_t off)
{
	struct recording *r = arg;
	struct event *x;

	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 256;
		struct event *p = realloc(r->events, cap * sizeof *p);

		if (!p) {
			r->failed = true;
			return;
		}
		r->events = p;
		r->cap = cap;
	}
	x = &r->events[r->n++];
	*x = (struct event){ .kind = kind, .off = off, .len = len };
	if (kind != FAULT_WRITE)
		return;
	x->data = malloc(len);
	if (x->data)
		memcpy(x->data, buf, len);
	else
		r->failed = true;
}

int cut_apply(const struct event *x, uint64_t len, struct block *file, struct err *e)
{
	switch (x->kind) {
	case FAULT_WRITE:
		return block_pwrite(file, x->data, len, x->off, e);
	case FAULT_ZERO:
		return block_zero(file, len, x->off, BLOCK_ZERO_UNMAP, e);
	case FAULT_DISCARD:
		return block_discard(file, len, x->off, e);
	case FAULT_TRUNCATE:
		return block_truncate(file, x->len, PREALLOC_OFF, e);
	case FAULT_FLUSH:
		break;
	}
	return 0;
}

void cut_free(struct recording *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->events[i].data);
	free(r->events);
	*r = (struct recording){ .n = 0 };
}
