// SPDX-License-Identifier: LGPL-2.1-or-later
/* codec.c - which library does what, and the workspaces they are lent. */
#include "codec_internal.h"

#include "alloc.h"

struct codec *codec_new(struct err *e)
{
	struct codec *c = alloc_zero(sizeof *c);

	if (!c)
		err_nomem(e);
	return c;
}

void codec_free(struct codec *c)
{
	if (!c)
		return;
	deflate_work_free(c->deflate);
	zstd_work_free(c->zstd);
	for (unsigned i = 0; i < CODEC_BUFFERS; i++)
		free(c->buffers[i]);
	free(c);
}

int codec_decompress(struct codec *c, enum codec_method method, void *dst, size_t dst_len, const void *src,
		     size_t src_len, struct err *e)
{
	return method == CODEC_ZSTD ? zstd_decompress(c, dst, dst_len, src, src_len, e)
				    : deflate_decompress(c, dst, dst_len, src, src_len, e);
}

long codec_compress(struct codec *c, enum codec_method method, int level, void *dst, size_t cap, const void *src,
		    size_t src_len, struct err *e)
{
	return method == CODEC_ZSTD ? zstd_compress(c, level, dst, cap, src, src_len, e)
				    : deflate_compress(c, level, dst, cap, src, src_len, e);
}

uint8_t *codec_buffer(struct codec *c, unsigned i, size_t len, struct err *e)
{
	if (c->sizes[i] >= len)
		return c->buffers[i];
	free(c->buffers[i]);
	c->buffers[i] = alloc_bytes(len);
	c->sizes[i] = c->buffers[i] ? len : 0;
	if (!c->buffers[i])
		err_nomem(e);
	return c->buffers[i];
}

int codecs_init(struct codecs *all, struct err *e)
{
	if (pthread_mutex_init(&all->lock, NULL) != 0)
		return err_nomem(e);
	all->idle = NULL;
	all->made = true;
	return 0;
}

void codecs_free(struct codecs *all)
{
	if (!all->made)
		return;
	while (all->idle) {
		struct codec *c = all->idle;

		all->idle = c->next;
		codec_free(c);
	}
	pthread_mutex_destroy(&all->lock);
	all->made = false;
}

struct codec_lease codecs_take(struct codecs *all, struct err *e)
{
	struct codec_lease lease = { all, NULL };

	pthread_mutex_lock(&all->lock);
	lease.codec = all->idle;
	if (lease.codec)
		all->idle = lease.codec->next;
	pthread_mutex_unlock(&all->lock);
	if (!lease.codec)
		lease.codec = codec_new(e);
	return lease;
}

void codecs_give(struct codec_lease *lease)
{
	if (!lease->codec)
		return;
	pthread_mutex_lock(&lease->of->lock);
	lease->codec->next = lease->of->idle;
	lease->of->idle = take(lease->codec);
	pthread_mutex_unlock(&lease->of->lock);
}
