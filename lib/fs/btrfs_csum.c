/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* btrfs_csum.c - checksums: of nodes and sectors, where those of data are kept, and the hash of names. */
#include "btrfs.h"

#include "alloc.h"
#include "blake2b.h"
#include "hash.h"

#include <inttypes.h>
#include <isa-l/crc.h>
#include <xxhash.h>

unsigned btrfs_csum_size(unsigned type)
{
	static const uint8_t sizes[] = { 4, 8, 32, 32 };

	return type < ARRAY_LEN(sizes) ? sizes[type] : 0;
}

static uint32_t crc32c(uint32_t start, const void *bytes, size_t len)
{
	/* It does not write to the buffer. */
	return crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)len, start);
}

void btrfs_csum(unsigned type, const void *bytes, size_t len, uint8_t out[BTRFS_CSUM_MAX])
{
	le32 v32;
	le64 v64;

	switch (type) {
	case BTRFS_CSUM_CRC32C:
		le32_put(&v32, ~crc32c(~0u, bytes, len));
		memcpy(out, &v32, sizeof v32);
		break;
	case BTRFS_CSUM_XXHASH:
		le64_put(&v64, XXH64(bytes, len, 0));
		memcpy(out, &v64, sizeof v64);
		break;
	case BTRFS_CSUM_SHA256:
		hash_two(HASH_SHA256, bytes, len, NULL, 0, out);
		break;
	case BTRFS_CSUM_BLAKE2:
		blake2b(out, 32, bytes, len);
		break;
	}
}

uint32_t btrfs_name_hash(const char *name, size_t len)
{
	return crc32c(~1u, name, len);
}

/* An item of the tree has the sums of consecutive sectors, from the address in its key on. */
int btrfs_csums_find(struct btrfs *b, uint64_t logical, size_t n, uint8_t *out, struct err *e)
{
	CLEANUP(btrfs_path_free) struct btrfs_path p = { 0 };
	struct btrfs_key key = { BTRFS_CSUMS, BTRFS_EXTENT_CSUM, logical };
	size_t done = 0;
	int rc = b->has_csum_tree ? btrfs_seek_last(b, &b->csum_tree, &key, &p, e) : 0;

	while (rc > 0 && done < n && btrfs_path_is(&p, BTRFS_CSUMS, BTRFS_EXTENT_CSUM)) {
		uint64_t at = logical + ((uint64_t)done << b->sector_bits), first;
		size_t size, have, skip;
		const uint8_t *item = btrfs_path_item(&p, &size);

		key = btrfs_path_key(&p);
		have = size / b->csum_size;
		if (key.offset > at || (at - key.offset) >> b->sector_bits >= have)
			break;
		first = at - key.offset;
		if (first % b->sectorsize)
			return err_set(e, ERR_CORRUPT, "checksum tree: sums of data at %" PRIu64, key.offset);
		skip = (size_t)(first >> b->sector_bits);
		have = MIN_OF(have - skip, n - done);
		memcpy(out + done * b->csum_size, item + skip * b->csum_size, have * b->csum_size);
		done += have;
		if (done < n)
			rc = btrfs_next(b, &b->csum_tree, &p, e);
	}
	if (rc < 0)
		return rc;
	if (done < n)
		return err_set(e, ERR_CORRUPT, "the data at %" PRIu64 " has no checksum",
			       logical + ((uint64_t)done << b->sector_bits));
	return 0;
}
