/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext_io.c - the bytes beneath ext2/3/4: a struct block, with the journal's blocks in place of the stale ones.
 *
 * libext2fs reads through an io_manager; ours bounds every request and refuses every write.  Its open() is handed
 * only a name, so the name is the address of our struct ext_io.
 */
#include "ext.h"

#include "alloc.h"
#include "checked.h"
#include "limits.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* A multiple of every block size, small enough that 64 of them are nothing. */
#define LINE_MIN 16384u
#define JBD2_MAGIC_BE "\xc0\x3b\x39\x98"

void ext_io_init(struct ext_io *io, struct block *dev, unsigned bs)
{
	ext_io_free(io);
	memset(io, 0, sizeof *io);
	io->dev = dev;
	io->bs = bs;
	io->line_size = MAX_OF(LINE_MIN, bs);
	for (size_t i = 0; i < EXT_CACHE_LINES; i++)
		io->lines[i].off = UINT64_MAX;
}

void ext_io_free(struct ext_io *io)
{
	for (size_t i = 0; i < EXT_CACHE_LINES; i++) {
		free(io->lines[i].data);
		io->lines[i].data = NULL;
		io->lines[i].off = UINT64_MAX;
	}
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

/* The line that holds off, filled; *avail: its bytes from off on. */
static int line_get(struct ext_io *io, uint64_t off, const uint8_t **data, size_t *avail, struct err *e)
{
	uint64_t start = off - off % io->line_size, size = block_size(io->dev);
	size_t len = (size_t)MIN_OF((uint64_t)io->line_size, size - start);
	struct ext_line *line = &io->lines[0];
	int rc;

	for (size_t i = 0; i < EXT_CACHE_LINES; i++) {
		if (io->lines[i].off == start) {
			line = &io->lines[i];
			break;
		}
		if (io->lines[i].used < line->used)
			line = &io->lines[i];
	}
	if (line->off != start) {
		if (!line->data)
			line->data = alloc_bytes(io->line_size);
		if (!line->data)
			return err_nomem(e);
		line->off = UINT64_MAX;
		rc = ext_io_read(io, line->data, len, start, e);
		if (rc < 0)
			return rc;
		line->off = start;
	}
	line->used = ++io->clock;
	*data = line->data + (off - start);
	*avail = len - (size_t)(off - start);
	return 0;
}

int ext_io_read_meta(struct ext_io *io, void *buf, size_t len, uint64_t off, struct err *e)
{
	uint8_t *p = buf;

	if (!range_in(off, len, block_size(io->dev)))
		return err_set(e, ERR_CORRUPT, "byte %" PRIu64 " lies past the end of the device", off);
	while (len > 0) {
		const uint8_t *data = NULL;
		size_t avail = 0, n;
		int rc = line_get(io, off, &data, &avail, e);

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

/* ---- the io_manager ---- */

static errcode_t io_open(const char *name, int flags, io_channel *out);

static errcode_t io_close(io_channel ch)
{
	if (--ch->refcount > 0)
		return 0;
	free(ch->name);
	free(ch);
	return 0;
}

static errcode_t io_set_blksize(io_channel ch, int size)
{
	if (size < 1024 || size > 65536)
		return EXT2_ET_INVALID_ARGUMENT;
	ch->block_size = size;
	return 0;
}

/* count < 0: that many bytes. */
static errcode_t io_read_blk64(io_channel ch, unsigned long long block, int count, void *data)
{
	struct ext_io *io = ch->private_data;
	uint64_t len = count < 0 ? (uint64_t)-(int64_t)count : (uint64_t)count * (unsigned)ch->block_size;
	uint64_t off;

	if (len > LIMIT_EXT_GDT_BYTES || !checked_mul(block, (unsigned)ch->block_size, &off))
		return EXT2_ET_INVALID_ARGUMENT;
	err_clear(&io->err);
	return ext_io_read_meta(io, data, (size_t)len, off, &io->err) < 0 ? EXT2_ET_SHORT_READ : 0;
}

static errcode_t io_read_blk(io_channel ch, unsigned long block, int count, void *data)
{
	return io_read_blk64(ch, block, count, data);
}

static errcode_t io_write_blk64(io_channel ch, unsigned long long block, int count, const void *data)
{
	(void)ch, (void)block, (void)count, (void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_write_blk(io_channel ch, unsigned long block, int count, const void *data)
{
	(void)ch, (void)block, (void)count, (void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_flush(io_channel ch)
{
	(void)ch;
	return 0;
}

static errcode_t io_set_option(io_channel ch, const char *option, const char *arg)
{
	(void)ch, (void)option, (void)arg;
	return EXT2_ET_INVALID_ARGUMENT;
}

/* libext2fs takes a pointer to a table that may be written, and never writes to it. */
static const struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "drydock",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read_blk,
	.write_blk = io_write_blk,
	.flush = io_flush,
	.set_option = io_set_option,
	.read_blk64 = io_read_blk64,
	.write_blk64 = io_write_blk64,
};

io_manager ext_io_manager(void)
{
	return (io_manager)(uintptr_t)&manager;
}

const char *ext_io_name(struct ext_io *io, char *buf, size_t size)
{
	snprintf(buf, size, "0x%" PRIxPTR, (uintptr_t)io);
	return buf;
}

static errcode_t io_open(const char *name, int flags, io_channel *out)
{
	uint64_t address;
	io_channel ch;

	if (flags & IO_FLAG_RW)
		return EXT2_ET_RO_FILSYS;
	if (!text_parse_u64(name, &address))
		return EXT2_ET_BAD_DEVICE_NAME;
	ch = alloc_zero(sizeof *ch);
	if (!ch)
		return EXT2_ET_NO_MEMORY;
	ch->name = alloc_strdup(name);
	if (!ch->name) {
		free(ch);
		return EXT2_ET_NO_MEMORY;
	}
	ch->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	ch->manager = ext_io_manager();
	ch->block_size = 1024;
	ch->refcount = 1;
	ch->private_data = (struct ext_io *)(uintptr_t)address;
	*out = ch;
	return 0;
}
