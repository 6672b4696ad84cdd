/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crc32c.h - the checksum (CRC-32C, Castagnoli) with which many formats guard their metadata. */
#ifndef DRYDOCK_CRC32C_H
#define DRYDOCK_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Goes on from crc over len bytes, and inverts nothing: what is usually called the CRC-32C of some bytes is
 * ~crc32c(~0u, bytes, len).  Formats differ in what they start with, and in whether they invert the end.
 */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
