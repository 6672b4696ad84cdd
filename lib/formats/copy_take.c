// SPDX-License-Identifier: LGPL-2.1-or-later
/* copy_take.c - what the host does by itself: files share blocks, or the kernel copies between them. */
#include "alloc.h"
#include "checked.h"
#include "copy_internal.h"

enum { HOST_ALIGN = 4096 };

bool copy_may_take(const struct copy *c, enum block_from how)
{
	const struct copy_job *job = c->job;

	if (job->compress || job->salvage || (job->over_backing && !job->base) || atomic_load(&c->no_from[how]))
		return false;
	return how == BLOCK_FROM_SHARE ? job->share : job->offload || (job->share && job->sparse == 0);
}

/* How much of the segment lies in the file and, to be shared, in whole blocks at both ends. */
static uint64_t takable(const struct segment *s, enum block_from how)
{
	uint64_t size = block_size(s->host), len = s->host_off < size ? MIN_OF(s->len, size - s->host_off) : 0;

	if (how == BLOCK_FROM_COPY)
		return len;
	return (s->off | s->host_off) % HOST_ALIGN ? 0 : round_down(len, HOST_ALIGN);
}

static int take_segment(struct copy_worker *w, size_t i, enum block_from how)
{
	struct copy *c = w->c;
	struct segment *s = &w->piece.segments[i];
	uint64_t len = takable(s, how);
	int rc;

	if (!len || (len < s->len && !piece_split(&w->piece, i, len)))
		return 0;
	rc = copy_begin_write(w, s->off);
	if (rc < 0)
		return rc;
	if (block_pwrite_from(c->job->target, s->host, len, s->host_off, s->off, how, NULL) < 0) {
		/* Whatever it was: reading and writing will meet it again, and say what it is. */
		atomic_store(&c->no_from[how], true);
		return 0;
	}
	s->kind = SEGMENT_SKIP;
	if (how == BLOCK_FROM_SHARE)
		atomic_store(&c->shares, true);
	atomic_fetch_add(how == BLOCK_FROM_SHARE ? &c->shared : &c->copied, len);
	return 0;
}

int copy_take_piece(struct copy_worker *w)
{
	static const enum block_from ways[] = { BLOCK_FROM_SHARE, BLOCK_FROM_COPY };
	struct piece *p = &w->piece;

	for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
		/* What is in the buffer already is not copied another time. */
		if (ways[k] == BLOCK_FROM_COPY && w->filled)
			break;
		for (size_t i = 0; i < p->n && copy_may_take(w->c, ways[k]); i++) {
			bool plain = p->segments[i].kind == SEGMENT_DATA && p->segments[i].host;
			int rc = plain ? take_segment(w, i, ways[k]) : 0;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}
