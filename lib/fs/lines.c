/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.c - a small cache of what was read of a device. */
#include "lines.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>

int lines_init(struct lines *l, struct block *dev, size_t line_size, size_t nlines, struct err *e)
{
	memset(l, 0, sizeof *l);
	l->dev = dev;
	l->line_size = line_size;
	l->items = alloc_array(nlines, sizeof *l->items);
	if (!l->items)
		return err_nomem(e);
	l->n = nlines;
	for (size_t i = 0; i < nlines; i++)
		l->items[i].off = UINT64_MAX;
	return 0;
}

void lines_from(struct lines *l, lines_source source, void *arg)
{
	l->source = source;
	l->arg = arg;
}

void lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].data);
	free(l->items);
	memset(l, 0, sizeof *l);
}

/* The line that begins at start: the one that holds it, else the one to give way. */
static struct line *line_for(struct lines *l, uint64_t start)
{
	size_t oldest = 0;

	if (l->items[l->last].off == start)
		return &l->items[l->last];
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].off == start) {
			l->last = i;
			return &l->items[i];
		}
		if (l->items[i].used < l->items[oldest].used)
			oldest = i;
	}
	l->last = oldest;
	return &l->items[oldest];
}

int lines_get(struct lines *l, uint64_t off, const uint8_t **data, size_t *avail, struct err *e)
{
	uint64_t start = round_down(off, l->line_size), size = block_size(l->dev);
	struct line *line;
	size_t len;

	if (off >= size)
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", off);
	len = (size_t)MIN_OF((uint64_t)l->line_size, size - start);
	line = line_for(l, start);
	if (line->off != start) {
		int rc;

		if (!line->data)
			line->data = alloc_bytes(l->line_size);
		if (!line->data)
			return err_nomem(e);
		line->off = UINT64_MAX;
		rc = l->source ? l->source(l->arg, line->data, len, start, e) :
				 block_pread(l->dev, line->data, len, start, e);
		if (rc < 0)
			return rc;
		line->off = start;
	}
	line->used = ++l->clock;
	*data = line->data + (off - start);
	*avail = len - (size_t)(off - start);
	return 0;
}

int lines_read(struct lines *l, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *p = buf;

	if (!range_in(off, len, block_size(l->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", off);
	while (len > 0) {
		const uint8_t *data = NULL;
		size_t avail = 0, n;
		int rc = lines_get(l, off, &data, &avail, e);

		if (rc < 0)
			return rc;
		n = MIN_OF(avail, len);
		memcpy(p, data, n);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}
