/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * luks_af.c - anti-forensic splitting (TKS1, 2.4): a key becomes many stripes, of which each is needed to have it back, so
 * that a medium which keeps a few old sectors keeps no key.
 */
#include "luks_ondisk.h"

#include "alloc.h"

#include <errno.h>

/* Spreads each bit over a digest's length: block i becomes the digest of i and itself. */
static void diffuse(enum hash_alg hash, uint8_t *key, size_t len)
{
	size_t size = hash_size(hash);
	uint8_t out[HASH_MAX];

	for (size_t at = 0, i = 0; at < len; at += size, i++) {
		size_t n = MIN_OF(size, len - at);
		be32 index;

		be32_put(&index, (uint32_t)i);
		hash_two(hash, &index, sizeof index, key + at, n, out);
		memcpy(key + at, out, n);
	}
	explicit_bzero(out, sizeof out);
}

static void fold(uint8_t *sum, const uint8_t *stripe, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum[i] ^= stripe[i];
}

void luks_af_merge(enum hash_alg hash, const uint8_t *stripes, uint32_t n, uint8_t *key, size_t len)
{
	memset(key, 0, len);
	for (uint32_t i = 0; i + 1 < n; i++, stripes += len) {
		fold(key, stripes, len);
		diffuse(hash, key, len);
	}
	fold(key, stripes, len);
}

int luks_af_split(enum hash_alg hash, const uint8_t *key, size_t len, uint8_t *stripes, uint32_t n, struct err *e)
{
	uint8_t sum[CRYPT_KEY_MAX] = { 0 };

	if (!random_bytes(stripes, (size_t)(n - 1) * len))
		return err_sys(e, errno, "random numbers");
	for (uint32_t i = 0; i + 1 < n; i++, stripes += len) {
		fold(sum, stripes, len);
		diffuse(hash, sum, len);
	}
	memcpy(stripes, sum, len);
	fold(stripes, key, len);
	explicit_bzero(sum, sizeof sum);
	return 0;
}
