/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blake2b.h - BLAKE2b (RFC 7693) without a key, of any length.
 *
 * libcrypto has it with 64 bytes only, and shorter digests are not prefixes of that; libb2 has them all, and brings the
 * runtime of OpenMP into every program that links it.
 */
#ifndef DRYDOCK_BLAKE2B_H
#define DRYDOCK_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

/* outlen is 1 to 64. */
void blake2b(uint8_t *out, size_t outlen, const void *bytes, size_t len);

#endif
