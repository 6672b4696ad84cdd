/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xfs_io.c - the bytes beneath XFS: a struct block, with what the log says in place of what is stale. */
#include "xfs_log.h"

#include "checked.h"
#include "crc32c.h"

#include <inttypes.h>

#define LINES 64
#define LINE_SIZE 32768u /* a chunk of 64 inodes of 512 bytes */

static int read_line(void *arg, void *buf, size_t len, uint64_t pos, struct err *e)
{
	struct xfs_io *io = arg;
	int rc = xfs_io_read(io, buf, len, pos, e);

	if (rc == 0 && io->over)
		rc = xfs_over_lay(io->over, buf, len, pos, e);
	return rc;
}

int xfs_io_init(struct xfs_io *io, struct block *dev, struct err *e)
{
	int rc;

	xfs_io_free(io);
	memset(io, 0, sizeof *io);
	io->dev = dev;
	rc = lines_init(&io->lines, dev, LINE_SIZE, LINES, e);
	if (rc == 0)
		lines_from(&io->lines, read_line, io);
	return rc;
}

void xfs_io_free(struct xfs_io *io)
{
	lines_free(&io->lines);
}

int xfs_io_read(struct xfs_io *io, void *buf, size_t len, uint64_t pos, struct err *e)
{
	if (!range_in(pos, len, block_size(io->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", pos);
	return block_pread(io->dev, buf, len, pos, e);
}

int xfs_io_meta(struct xfs_io *io, void *buf, size_t len, uint64_t pos, bool *logged, struct err *e)
{
	if (logged)
		*logged = io->over && xfs_over_touches(io->over, len, pos);
	return lines_read(&io->lines, buf, len, pos, e);
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
