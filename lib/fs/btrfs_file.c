/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_file.c - the content of files: items that each say what a range of the file is.
 *
 * A range is inline (the bytes are in the item), a part of an extent (which may be compressed, and shared with others), a
 * part of one that was only reserved, or a hole.  What no item speaks of is a hole, too.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

enum run_kind { RUN_HOLE, RUN_RESERVED, RUN_INLINE, RUN_DATA };
struct run {
	uint64_t off, end; /* of the file; it begins at or before what was asked for */
	enum run_kind kind;
	struct btrfs_extent_ref x; /* INLINE: compression and ram_bytes only */
	uint64_t skip;		   /* DATA: where `off` is in the extent (with compression: of its bytes undone) */
	const uint8_t *bytes;	   /* INLINE: as they lie in the item, lent from the path */
	size_t nbytes;
};

/* ---- the map ---- */

static int inline_judge(const struct btrfs *b, const struct btrfs_disk_extent *d, const uint8_t *item, size_t size,
			struct run *out, struct err *e)
{
	out->kind = RUN_INLINE;
	out->bytes = item + BTRFS_EXTENT_INLINE_OFF;
	out->nbytes = size - BTRFS_EXTENT_INLINE_OFF;
	out->x.ram_bytes = le64_get(d->ram_bytes);
	if (out->off != 0)
		return err_set(e, ERR_CORRUPT, "inline data at byte %" PRIu64, out->off);
	if (d->compression == BTRFS_COMPRESS_NONE && out->nbytes != out->x.ram_bytes)
		return err_set(e, ERR_CORRUPT, "%zu bytes of inline data for %" PRIu64, out->nbytes, out->x.ram_bytes);
	if (out->x.ram_bytes > b->nodesize && out->x.ram_bytes > b->sectorsize)
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes of inline data", out->x.ram_bytes);
	out->end = round_up(out->x.ram_bytes, b->sectorsize);
	return 0;
}

static bool is_aligned(const struct btrfs *b, uint64_t v)
{
	return (v & (b->sectorsize - 1)) == 0;
}

static int extent_judge(const struct btrfs *b, const struct btrfs_disk_extent *d, struct run *out, struct err *e)
{
	uint64_t num = le64_get(d->num_bytes), offset = le64_get(d->offset), room, end;
	struct btrfs_extent_ref *x = &out->x;

	x->disk_bytenr = le64_get(d->disk_bytenr);
	x->disk_len = le64_get(d->disk_num_bytes);
	x->ram_bytes = le64_get(d->ram_bytes);
	out->kind = x->disk_bytenr == 0	? RUN_HOLE : d->type == BTRFS_EXTENT_PREALLOC ? RUN_RESERVED : RUN_DATA;
	out->skip = offset;
	if (num == 0 || !is_aligned(b, num) || !is_aligned(b, out->off) || !checked_add(out->off, num, &out->end) ||
	    out->end > INT64_MAX)
		return err_set(e, ERR_CORRUPT, "an extent of %" PRIu64 " bytes at %" PRIu64, num, out->off);
	if (out->kind == RUN_HOLE)
		return 0;
	room = d->compression ? x->ram_bytes : x->disk_len;
	if (!is_aligned(b, x->disk_bytenr) || !is_aligned(b, x->disk_len) || x->disk_len == 0 || !is_aligned(b, offset) ||
	    !range_in(offset, num, room) || !checked_add(x->disk_bytenr, x->disk_len, &end))
		return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes from byte %" PRIu64 " of an extent of %" PRIu64, num, offset,
			       room);
	return 0;
}

/* The item at p, which begins at out->off of the file. */
static int item_judge(const struct btrfs *b, const struct btrfs_path *p, struct run *out, struct err *e)
{
	struct btrfs_disk_extent d = { 0 };
	size_t size;
	const uint8_t *item = btrfs_path_item(p, &size);

	if (size < BTRFS_EXTENT_INLINE_OFF)
		return err_set(e, ERR_CORRUPT, "an extent in %zu bytes", size);
	memcpy(&d, item, MIN_OF(size, sizeof d));
	if (d.encryption || le16_get(d.other_encoding))
		return err_set(e, ERR_UNSUPPORTED, "an encrypted extent");
	out->x.compression = d.compression;
	if (d.type == BTRFS_EXTENT_INLINE)
		return inline_judge(b, &d, item, size, out, e);
	if (d.type > BTRFS_EXTENT_PREALLOC)
		return err_set(e, ERR_UNSUPPORTED, "an extent of type %u", d.type);
	if (size < sizeof d)
		return err_set(e, ERR_CORRUPT, "an extent in %zu bytes", size);
	return extent_judge(b, &d, out, e);
}

/* What lies at byte `off` of a file; p holds what `out` has lent. */
static int run_find(struct btrfs *b, const struct btrfs_inode *in, uint64_t off, struct btrfs_path *p, struct run *out,
		    struct err *e)
{
	const struct btrfs_tree *t = &in->ref.tree;
	struct btrfs_key key = { in->ref.ino, BTRFS_EXTENT_DATA, off };
	int rc = btrfs_seek_last(b, t, &key, p, e);

	*out = (struct run){ .off = off, .end = INT64_MAX };
	if (rc > 0 && btrfs_path_is(p, in->ref.ino, BTRFS_EXTENT_DATA)) {
		out->off = btrfs_path_key(p).offset;
		rc = item_judge(b, p, out, e);
		out->x.plain = in->flags & BTRFS_INODE_NODATASUM;
		if (rc < 0 || off < out->end)
			return rc;
		*out = (struct run){ .off = out->end, .end = INT64_MAX };
	}
	/* A hole up to the next item. */
	key.offset++;
	rc = rc < 0 ? rc : btrfs_seek(b, t, &key, p, e);
	if (rc > 0 && btrfs_path_is(p, in->ref.ino, BTRFS_EXTENT_DATA))
		out->end = btrfs_path_key(p).offset;
	return rc < 0 ? rc : 0;
}

/* ---- bytes ---- */

/* Inline data has room for no more than a sector or node. */
static int inline_copy(struct btrfs *b, const struct run *r, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *undone = NULL;
	const uint8_t *bytes = r->bytes;
	size_t have = (size_t)r->x.ram_bytes, n;
	int rc;

	if (r->x.compression) {
		undone = alloc_bytes(have ? have : 1);
		if (!undone)
			return err_nomem(e);
		rc = btrfs_decompress(b, r->x.compression, undone, have, r->bytes, r->nbytes, e);
		if (rc < 0)
			return err_in(e, rc, "inline data");
		bytes = undone;
	}
	n = off < have ? MIN_OF(len, have - (size_t)off) : 0;
	if (n)
		memcpy(buf, bytes + off, n);
	memset(buf + n, 0, len - n);
	return 0;
}

/* Bytes of an extent that is not compressed: whole sectors go straight into buf, the ends by way of b->sector. */
static int plain_copy(struct btrfs *b, const struct btrfs_extent_ref *x, uint8_t *buf, size_t len, uint64_t off,
		      struct err *e)
{
	while (len > 0) {
		size_t head = (size_t)off & (b->sectorsize - 1), n;
		uint64_t at = x->disk_bytenr + off - head; /* was judged: within the extent, whose end is an address */
		int rc;

		if (head == 0 && len >= b->sectorsize) {
			n = (size_t)round_down(MIN_OF((uint64_t)len, BTRFS_DATA_MAX), b->sectorsize);
			rc = btrfs_data_read(b, at, buf, n, x->plain, e);
		} else {
			n = MIN_OF(len, b->sectorsize - head);
			rc = btrfs_data_read(b, at, b->sector, b->sectorsize, x->plain, e);
			if (rc == 0)
				memcpy(buf, b->sector + head, n);
		}
		if (rc < 0)
			return rc;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int run_copy(struct btrfs *b, const struct run *r, uint8_t *buf, size_t len, uint64_t off, struct err *e)
{
	const uint8_t *bytes;
	int rc;

	if (r->kind == RUN_INLINE)
		return inline_copy(b, r, buf, len, off, e);
	if (r->kind != RUN_DATA) {
		memset(buf, 0, len);
		return 0;
	}
	off = off - r->off + r->skip;
	if (!r->x.compression)
		return plain_copy(b, &r->x, buf, len, off, e);
	rc = btrfs_extent_bytes(b, &r->x, &bytes, e);
	if (rc == 0)
		memcpy(buf, bytes + off, len);
	return rc;
}

int btrfs_read(struct btrfs *b, const struct btrfs_inode *in, void *buf, size_t len, uint64_t off, size_t *got,
	       struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	uint8_t *to = buf;

	*got = 0;
	if (off >= in->size)
		return 0;
	len = (size_t)MIN_OF((uint64_t)len, in->size - off);
	/* Ends: each turn reads something, as a run lies around the byte that was asked for. */
	while (*got < len) {
		struct run r;
		size_t n = 0;
		int rc = run_find(b, in, off + *got, &p, &r, e);

		if (rc == 0) {
			n = (size_t)MIN_OF((uint64_t)(len - *got), r.end - (off + *got));
			rc = run_copy(b, &r, to + *got, n, off + *got, e);
		}
		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu64, in->ref.ino);
		*got += n;
	}
	return 0;
}

int btrfs_extent(struct btrfs *b, const struct btrfs_inode *in, uint64_t off, uint64_t *len, bool *hole, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	uint64_t at = off;

	/* at only grows. */
	while (at < in->size) {
		struct run r;
		bool is_hole;
		int rc = run_find(b, in, at, &p, &r, e);

		if (rc < 0)
			return err_in(e, rc, "inode %" PRIu64, in->ref.ino);
		is_hole = r.kind == RUN_HOLE || r.kind == RUN_RESERVED;
		if (at == off)
			*hole = is_hole;
		else if (*hole != is_hole)
			break;
		at = r.end;
	}
	*len = at > off ? MIN_OF(at, in->size) - off : 0;
	return 0;
}

int btrfs_readlink(struct btrfs *b, const struct btrfs_inode *in, struct strbuf *target, struct err *e)
{
	char buf[LIMIT_PATH];
	size_t got;
	int rc;

	if (!S_ISLNK(in->mode))
		return err_sys(e, EINVAL, "inode %" PRIu64 " is not a symlink", in->ref.ino);
	if (in->size == 0 || in->size >= sizeof buf)
		return err_set(e, ERR_CORRUPT, "inode %" PRIu64 ": a symlink of %" PRIu64 " bytes", in->ref.ino, in->size);
	rc = btrfs_read(b, in, buf, (size_t)in->size, 0, &got, e);
	if (rc < 0)
		return rc;
	/* Ends at a NUL, as the kernel lets it end. */
	strbuf_add(target, buf, strnlen(buf, got));
	return target->failed ? err_nomem(e) : 0;
}
