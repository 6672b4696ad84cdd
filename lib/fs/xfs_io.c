/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xfs_io.c - the bytes beneath XFS: a struct block, with what the log says in place of what is stale. */
#include "xfs_log.h"

#include "alloc.h"
#include "checked.h"
#include "crc32c.h"

#include <inttypes.h>

void xfs_io_init(struct xfs_io *io, struct block *dev)
{
	xfs_io_free(io);
	memset(io, 0, sizeof *io);
	io->dev = dev;
	for (size_t i = 0; i < XFS_CACHE_LINES; i++)
		io->lines[i].pos = UINT64_MAX;
}

void xfs_io_free(struct xfs_io *io)
{
	for (size_t i = 0; i < XFS_CACHE_LINES; i++) {
		free(io->lines[i].data);
		io->lines[i].data = NULL;
		io->lines[i].pos = UINT64_MAX;
	}
}

int xfs_io_read(struct xfs_io *io, void *buf, size_t len, uint64_t pos, struct err *e)
{
	if (!range_in(pos, len, block_size(io->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", pos);
	return block_pread(io->dev, buf, len, pos, e);
}

/* The line that holds pos, filled; *avail: its bytes from pos on. */
static int line_get(struct xfs_io *io, uint64_t pos, const uint8_t **data, size_t *avail, struct err *e)
{
	uint64_t start = round_down(pos, XFS_LINE_SIZE);
	size_t len = (size_t)MIN_OF((uint64_t)XFS_LINE_SIZE, block_size(io->dev) - start);
	struct xfs_line *line = &io->lines[0];
	int rc = 0;

	for (size_t i = 0; i < XFS_CACHE_LINES; i++) {
		if (io->lines[i].pos == start) {
			line = &io->lines[i];
			break;
		}
		if (io->lines[i].used < line->used)
			line = &io->lines[i];
	}
	if (line->pos != start) {
		if (!line->data)
			line->data = alloc_bytes(XFS_LINE_SIZE);
		if (!line->data)
			return err_nomem(e);
		line->pos = UINT64_MAX;
		rc = xfs_io_read(io, line->data, len, start, e);
		if (rc == 0 && io->over)
			rc = xfs_over_lay(io->over, line->data, len, start, e);
		if (rc < 0)
			return rc;
		line->pos = start;
	}
	line->used = ++io->clock;
	*data = line->data + (pos - start);
	*avail = len - (size_t)(pos - start);
	return 0;
}

int xfs_io_meta(struct xfs_io *io, void *buf, size_t len, uint64_t pos, bool *logged, struct err *e)
{
	uint8_t *p = buf;

	if (!range_in(pos, len, block_size(io->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", pos);
	if (logged)
		*logged = io->over && xfs_over_touches(io->over, len, pos);
	while (len > 0) {
		const uint8_t *data = NULL;
		size_t avail = 0, n;
		int rc = line_get(io, pos, &data, &avail, e);

		if (rc < 0)
			return rc;
		n = MIN_OF(avail, len);
		memcpy(p, data, n);
		p += n;
		pos += n;
		len -= n;
	}
	return 0;
}

/* ---- what a block of version 5 says of itself ---- */

const struct xfs_self xfs_self_da = { .crc = 12, .place = 16, .uuid = 32, .owner = 48 };
const struct xfs_self xfs_self_dir = { .crc = 4, .place = 8, .uuid = 24, .owner = 40 };
const struct xfs_self xfs_self_map = { .crc = 64, .place = 24, .uuid = 40, .owner = 56 };
const struct xfs_self xfs_self_remote = { .crc = 12, .place = 40, .uuid = 16, .owner = 32 };

bool xfs_crc_matches(const void *bytes, size_t len, size_t at)
{
	static const uint8_t zeros[4];
	const uint8_t *p = bytes;
	le32 stored;
	uint32_t crc = crc32c(~0u, p, at);

	memcpy(&stored, p + at, sizeof stored);
	crc = crc32c(crc, zeros, sizeof zeros);
	return ~crc32c(crc, p + at + 4, len - at - 4) == le32_get(stored);
}

int xfs_self_check(const struct xfs *x, const struct xfs_self *s, const uint8_t *block, size_t len, uint64_t pos,
		   uint64_t owner, bool logged, const char *what, struct err *e)
{
	uint64_t sector = pos >> XFS_SECTOR_BITS;
	be64 place, by;

	if (!x->v5)
		return 0;
	if (!logged && !xfs_crc_matches(block, len, s->crc))
		return err_set(e, ERR_CORRUPT, "the checksum of the %s at sector %" PRIu64 " does not match", what, sector);
	memcpy(&place, block + s->place, sizeof place);
	memcpy(&by, block + s->owner, sizeof by);
	if (memcmp(block + s->uuid, x->meta_uuid, sizeof x->meta_uuid) != 0)
		return err_set(e, ERR_CORRUPT, "the %s at sector %" PRIu64 " belongs to another filesystem", what, sector);
	if (be64_get(place) != sector)
		return err_set(e, ERR_CORRUPT, "the %s at sector %" PRIu64 " was written for sector %" PRIu64, what, sector,
			       be64_get(place));
	if (owner != XFS_ANY_OWNER && be64_get(by) != owner)
		return err_set(e, ERR_CORRUPT, "the %s at sector %" PRIu64 " belongs to inode %" PRIu64, what, sector,
			       be64_get(by));
	return 0;
}
