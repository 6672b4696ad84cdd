/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * squashfs_data.c - the content of files: blocks one after the other, whose sizes stand behind the inode (0: a hole), and
 * for the tail of most files a part of a fragment that many share.
 */
#include "squashfs.h"

#include "alloc.h"
#include "checked.h"
#include "ondisk.h"

#include <inttypes.h>

#define SIZE_STORED (1u << 24)
#define SIZE_BYTES(v) ((v) & (SIZE_STORED - 1))
/* Sizes that are read at once. */
#define BATCH 512
/* So many are looked at for one answer about holes. */
#define EXTENT_BATCHES 64

struct ondisk_fragment {
	le64 start;
	le32 size, unused;
};

/* ---- one block ---- */

/* Brings the stored bytes of a block, `size` as its table has it, to at most cap bytes of out. */
static int stored_read(struct squash *s, uint64_t addr, uint32_t size, void *out, size_t cap, size_t *got, struct err *e)
{
	uint32_t len = SIZE_BYTES(size);
	int rc;

	if (size & ~(SIZE_STORED | (SIZE_STORED - 1)) || len == 0 || len > s->bs || !range_in(addr, len, s->end))
		return err_set(e, ERR_CORRUPT, "a block of %" PRIu32 " bytes at %" PRIu64, len, addr);
	if (size & SIZE_STORED) {
		if (len > cap)
			return err_set(e, ERR_CORRUPT, "a block of %" PRIu32 " bytes where %zu are left", len, cap);
		*got = len;
		return block_pread(s->dev, out, len, addr, e);
	}
	rc = block_pread(s->dev, s->packed, len, addr, e);
	return rc < 0 ? rc : unpack(s->unpacker, s->packed, len, out, cap, got, e);
}

/* The same through a cache, for blocks of which a part is wanted. */
static int line_get(struct squash *s, uint64_t addr, uint32_t size, const struct squash_line **out, struct err *e)
{
	struct squash_line *oldest = &s->lines[0];
	int rc;

	for (size_t i = 0; i < SQUASH_DATA_LINES; i++) {
		struct squash_line *l = &s->lines[i];

		if (l->addr == addr) {
			l->used = ++s->clock;
			*out = l;
			return 0;
		}
		if (l->used < oldest->used)
			oldest = l;
	}
	if (!oldest->data)
		oldest->data = alloc_bytes(s->bs);
	if (!oldest->data)
		return err_nomem(e);
	oldest->addr = UINT64_MAX;
	rc = stored_read(s, addr, size, oldest->data, s->bs, &oldest->len, e);
	if (rc < 0)
		return rc;
	oldest->addr = addr;
	oldest->used = ++s->clock;
	*out = oldest;
	return 0;
}

/* ---- where a block lies ---- */

static void map_start(struct squash_map *m, const struct squash_inode *in)
{
	m->ref = in->ref;
	m->stride = BATCH;
	m->last = (struct squash_spot){ .blk = 0, .addr = in->start, .size = in->rest };
	m->spots[0] = m->last;
	m->n = 1;
}

/* Keeps the place of every stride-th block; when there is no more room, of every second of these. */
static void map_note(struct squash_map *m)
{
	if (m->last.blk != m->n * m->stride)
		return;
	if (m->n == SQUASH_CHECKPOINTS) {
		m->n /= 2;
		for (size_t i = 0; i < m->n; i++)
			m->spots[i] = m->spots[2 * i];
		m->stride *= 2;
		if (m->last.blk != m->n * m->stride)
			return;
	}
	m->spots[m->n++] = m->last;
}

/* Moves m->last to block blk (< nblocks).  Sizes are summed up from the nearest block before it that is known. */
static int map_seek(struct squash *s, const struct squash_inode *in, uint64_t blk, struct err *e)
{
	struct squash_map *m = &s->map;

	if (m->ref != in->ref)
		map_start(m, in);
	if (blk < m->last.blk || blk - m->last.blk > m->stride) {
		size_t i = (size_t)MIN_OF(blk / m->stride, (uint64_t)m->n - 1);

		if (blk < m->last.blk || m->spots[i].blk > m->last.blk)
			m->last = m->spots[i];
	}
	while (m->last.blk < blk) {
		/* Not over the next place that is worth being kept. */
		uint64_t stop = round_down(m->last.blk, BATCH) + BATCH;
		size_t n = (size_t)(MIN_OF(blk, stop) - m->last.blk);
		le32 sizes[BATCH];
		int rc = squash_read(s, &m->last.size, sizes, n * sizeof *sizes, e);

		if (rc < 0) {
			m->ref = UINT64_MAX;
			return rc;
		}
		for (size_t i = 0; i < n; i++)
			m->last.addr += SIZE_BYTES(le32_get(sizes[i]));
		m->last.blk += n;
		map_note(m);
	}
	return 0;
}

/* Where block blk lies, and its size as the table has it: 0 is a hole. */
static int map_get(struct squash *s, const struct squash_inode *in, uint64_t blk, uint64_t *addr, uint32_t *size,
		   struct err *e)
{
	struct squash_cursor c;
	le32 v;
	int rc = map_seek(s, in, blk, e);

	if (rc < 0)
		return rc;
	*addr = s->map.last.addr;
	c = s->map.last.size;
	rc = squash_read(s, &c, &v, sizeof v, e);
	*size = le32_get(v);
	return rc;
}

/* ---- reading ---- */

/* A part of block blk: `want` bytes from byte `skip` of the `whole` that it should have. */
static int block_part(struct squash *s, const struct squash_inode *in, uint64_t blk, size_t whole, size_t skip,
		      size_t want, uint8_t *to, struct err *e)
{
	const struct squash_line *line;
	uint64_t addr;
	uint32_t size;
	size_t len;
	int rc = map_get(s, in, blk, &addr, &size, e);

	if (rc < 0)
		return rc;
	if (size == 0) {
		memset(to, 0, want);
		return 0;
	}
	if (size == (SIZE_STORED | (uint32_t)whole)) {
		if (!range_in(addr, whole, s->end))
			return err_set(e, ERR_CORRUPT, "a block of %zu bytes at %" PRIu64, whole, addr);
		return block_pread(s->dev, to, want, addr + skip, e);
	}
	if (want == whole) {
		rc = stored_read(s, addr, size, to, whole, &len, e);
	} else {
		rc = line_get(s, addr, size, &line, e);
		len = rc < 0 ? 0 : line->len;
		if (rc == 0 && len == whole)
			memcpy(to, line->data + skip, want);
	}
	if (rc == 0 && len != whole)
		rc = err_set(e, ERR_CORRUPT, "%zu bytes where %zu should be", len, whole);
	return rc < 0 ? err_in(e, rc, "block %" PRIu64, blk) : 0;
}

/* A part of the file's tail: `want` bytes from its byte `skip`. */
static int fragment_part(struct squash *s, const struct squash_inode *in, size_t skip, size_t want, uint8_t *to,
			 struct err *e)
{
	const struct squash_line *line;
	struct ondisk_fragment f;
	int rc = squash_table_read(s, s->fragment_index, in->fragment, &f, sizeof f, "fragments", e);

	if (rc == 0)
		rc = line_get(s, le64_get(f.start), le32_get(f.size), &line, e);
	if (rc == 0 && (!range_in(in->frag_off, skip, line->len) || want > line->len - in->frag_off - skip))
		rc = err_set(e, ERR_CORRUPT, "%zu bytes at %" PRIu64 " of %zu", want, (uint64_t)in->frag_off + skip,
			     line->len);
	if (rc < 0)
		return err_in(e, rc, "fragment %" PRIu32, in->fragment);
	memcpy(to, line->data + in->frag_off + skip, want);
	return 0;
}

int squash_pread(struct squash *s, const struct squash_inode *in, void *buf, size_t len, uint64_t off, size_t *got,
		 struct err *e)
{
	uint8_t *to = buf;

	if (off >= in->size)
		return 0;
	len = (size_t)MIN_OF((uint64_t)len, in->size - off);
	while (*got < len) {
		uint64_t at = off + *got, blk = at >> s->bs_bits;
		size_t skip = (size_t)(at & (s->bs - 1));
		size_t whole = (size_t)MIN_OF((uint64_t)s->bs, in->size - (blk << s->bs_bits));
		size_t want = MIN_OF(len - *got, whole - skip);
		int rc = blk < in->nblocks ? block_part(s, in, blk, whole, skip, want, to + *got, e)
					   : fragment_part(s, in, skip, want, to + *got, e);

		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu32, in->number);
		*got += want;
	}
	return 0;
}

int squash_extent(struct squash *s, const struct squash_inode *in, uint64_t off, uint64_t *len, bool *hole,
		  struct err *e)
{
	uint64_t blk = off >> s->bs_bits;
	bool decided = false;

	if (off >= in->size)
		return 0;
	for (unsigned batch = 0; batch < EXTENT_BATCHES && blk < in->nblocks; batch++) {
		size_t n = (size_t)MIN_OF((uint64_t)BATCH, in->nblocks - blk);
		struct squash_cursor c;
		le32 sizes[BATCH];
		int rc = map_seek(s, in, blk, e);

		if (rc < 0)
			return rc;
		c = s->map.last.size;
		rc = squash_read(s, &c, sizes, n * sizeof *sizes, e);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++, blk++) {
			bool is_hole = le32_get(sizes[i]) == 0;

			if (decided && is_hole != *hole) {
				*len = (blk << s->bs_bits) - off;
				return 0;
			}
			*hole = is_hole;
			decided = true;
		}
	}
	/* The tail is data, and so goes on what was data. */
	if (blk < in->nblocks || (decided && *hole && in->size > in->nblocks << s->bs_bits))
		*len = (blk << s->bs_bits) - off;
	else
		*len = in->size - off;
	return 0;
}
