/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs_extent.c - compressed extents: read, checked, undone whole, and a few of them kept.
 *
 * zlib and zstd are one stream.  LZO is cut into pieces, each of which gives one sector: after the length of all comes
 * for each piece its length and the piece; a length never crosses from one sector of the compressed bytes into the next.
 */
#include "btrfs.h"

#include "alloc.h"
#include "checked.h"
#include "lzo.h"

#include <inttypes.h>

static int lzo_undo(struct btrfs *b, uint8_t *dst, size_t len, const uint8_t *src, size_t src_len, size_t *got,
		    struct err *e)
{
	size_t at = sizeof(le32), end;
	le32 v;

	if (src_len < sizeof v)
		return err_set(e, ERR_CORRUPT, "LZO data of %zu bytes", src_len);
	memcpy(&v, src, sizeof v);
	end = le32_get(v);
	if (end > src_len || end < sizeof v)
		return err_set(e, ERR_CORRUPT, "LZO data that says it has %zu of %zu bytes", end, src_len);
	/* Ends: each piece takes bytes of the source. */
	while (at < end && *got < len) {
		size_t room, piece, n;

		if (end - at < sizeof v)
			return err_set(e, ERR_CORRUPT, "LZO data that ends amid a length");
		memcpy(&v, src + at, sizeof v);
		at += sizeof v;
		piece = le32_get(v);
		if (piece == 0 || piece > end - at)
			return err_set(e, ERR_CORRUPT, "LZO data with a piece of %zu bytes", piece);
		/* A piece may give more than is wanted of it. */
		if (!lzo_decompress(b->sector, b->sectorsize, src + at, piece, &n))
			return err_set(e, ERR_CORRUPT, "LZO data that is broken");
		n = MIN_OF(n, len - *got);
		memcpy(dst + *got, b->sector, n);
		*got += n;
		at += piece;
		/* Behind the last piece, too, what is too small for a length is filled up. */
		room = b->sectorsize - at % b->sectorsize;
		if (room < sizeof v)
			at += room;
	}
	return 0;
}

static int stream_undo(struct unpacker **u, enum unpack_alg alg, uint8_t *dst, size_t len, const uint8_t *src,
		       size_t src_len, size_t *got, struct err *e)
{
	int rc = *u ? 0 : unpacker_new(alg, u, e);

	return rc < 0 ? rc : unpack_some(*u, src, src_len, dst, len, got, e);
}

int btrfs_decompress(struct btrfs *b, unsigned compression, uint8_t *dst, size_t len, const uint8_t *src, size_t src_len,
		     struct err *e)
{
	size_t got = 0;
	int rc;

	switch (compression) {
	case BTRFS_COMPRESS_ZLIB:
		rc = stream_undo(&b->zlib, UNPACK_ZLIB, dst, len, src, src_len, &got, e);
		break;
	case BTRFS_COMPRESS_LZO:
		rc = lzo_undo(b, dst, len, src, src_len, &got, e);
		break;
	case BTRFS_COMPRESS_ZSTD:
		rc = stream_undo(&b->zstd, UNPACK_ZSTD, dst, len, src, src_len, &got, e);
		break;
	default:
		rc = err_set(e, ERR_UNSUPPORTED, "compression of type %u", compression);
	}
	if (rc == 0)
		memset(dst + got, 0, len - got);
	return rc;
}

/* A place for a further one: an empty one, or that which was used last the longest ago. */
static struct btrfs_extent_cache *slot_choose(struct btrfs *b)
{
	struct btrfs_extent_cache *slot = &b->extents[0];

	for (size_t i = 0; i < BTRFS_CACHED_EXTENTS && slot->data; i++)
		if (!b->extents[i].data || b->extents[i].used < slot->used)
			slot = &b->extents[i];
	free(slot->data);
	slot->data = NULL;
	return slot;
}

int btrfs_extent_bytes(struct btrfs *b, const struct btrfs_extent_ref *x, const uint8_t **data, struct err *e)
{
	CLEANUP(free_ptr) uint8_t *packed = NULL, *bytes = NULL;
	struct btrfs_extent_cache *slot;
	int rc;

	for (size_t i = 0; i < BTRFS_CACHED_EXTENTS; i++) {
		slot = &b->extents[i];
		if (slot->data && slot->disk_bytenr == x->disk_bytenr && slot->ram_bytes == x->ram_bytes &&
		    slot->compression == x->compression) {
			slot->used = ++b->clock;
			*data = slot->data;
			return 0;
		}
	}
	if (x->disk_len > LIMIT_BTRFS_COMPRESSED || x->ram_bytes > LIMIT_BTRFS_COMPRESSED)
		return err_set(e, ERR_LIMIT, "a compressed extent of %" PRIu64 " bytes in %" PRIu64, x->ram_bytes,
			       x->disk_len);
	packed = alloc_bytes((size_t)x->disk_len);
	bytes = alloc_bytes((size_t)x->ram_bytes);
	if (!packed || !bytes)
		return err_nomem(e);
	rc = btrfs_data_read(b, x->disk_bytenr, packed, (size_t)x->disk_len, x->plain, e);
	if (rc == 0) {
		rc = btrfs_decompress(b, x->compression, bytes, (size_t)x->ram_bytes, packed, (size_t)x->disk_len, e);
		if (rc < 0)
			err_in(e, rc, "compressed data at %" PRIu64, x->disk_bytenr);
	}
	if (rc < 0)
		return rc;
	slot = slot_choose(b);
	*slot = (struct btrfs_extent_cache){
		.disk_bytenr = x->disk_bytenr,
		.ram_bytes = x->ram_bytes,
		.compression = x->compression,
		.used = ++b->clock,
		.data = take(bytes),
	};
	*data = slot->data;
	return 0;
}

void btrfs_extents_free(struct btrfs *b)
{
	for (size_t i = 0; i < BTRFS_CACHED_EXTENTS; i++)
		free(b->extents[i].data);
	unpacker_free(b->zlib);
	unpacker_free(b->zstd);
}
