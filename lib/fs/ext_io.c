/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_io.c - the bytes beneath ext2/3/4: a struct block, with the journal's blocks in place of the stale ones.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"

#include <inttypes.h>

/* A multiple of every block size, small enough that 64 of them are nothing. */
#define LINE_MIN 16384u
#define LINES 64
#define JBD2_MAGIC_BE "\xc0\x3b\x39\x98"

static int read_line(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	return ext_io_read(arg, buf, len, off, e);
}

int ext_io_init(struct ext_io *io, struct block *dev, unsigned bs, struct err *e)
{
	int rc;

	ext_io_free(io);
	memset(io, 0, sizeof *io);
	io->dev = dev;
	io->bs = bs;
	rc = lines_init(&io->lines, dev, MAX_OF(LINE_MIN, bs), LINES, e);
	if (rc == 0)
		lines_from(&io->lines, read_line, io);
	return rc;
}

void ext_io_free(struct ext_io *io)
{
	lines_free(&io->lines);
}

/* The first patch of a block not below `block`. */
static size_t patch_lower(const struct ext_patches *p, uint64_t block)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->items[mid].block < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Lays the journal's content over [off, off + len), which was just read into buf. */
static int patch_over(struct ext_io *io, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	const struct ext_patches *p = io->patches;

	for (size_t i = patch_lower(p, off / io->bs); i < p->n; i++) {
		uint64_t at = p->items[i].block * io->bs; /* judged below nblocks, which fits the device */
		uint64_t from = MAX_OF(at, off), to = MIN_OF(at + io->bs, off + len);
		uint64_t skip = from - at;
		int rc;

		if (at >= off + len)
			break;
		rc = block_pread(io->dev, buf + (from - off), to - from, p->items[i].off + skip, e);
		if (rc < 0)
			return err_in(e, rc, "journal");
		for (uint64_t k = skip; p->items[i].escaped && k < 4 && k - skip < to - from; k++)
			buf[from - off + (k - skip)] = (uint8_t)JBD2_MAGIC_BE[k];
	}
	return 0;
}

int ext_io_read(struct ext_io *io, void *buf, size_t len, uint64_t off, struct err *e)
{
	int rc;

	if (!range_in(off, len, block_size(io->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", off);
	rc = block_pread(io->dev, buf, len, off, e);
	if (rc < 0 || !io->patches || io->patches->n == 0)
		return rc;
	return patch_over(io, buf, len, off, e);
}

int ext_io_read_meta(struct ext_io *io, void *buf, size_t len, uint64_t off, struct err *e)
{
	return lines_read(&io->lines, buf, len, off, e);
}
