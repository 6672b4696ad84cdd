/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crc32c.h"

#include <isa-l/crc.h>

/* ISA-L takes the length as an int. */
#define PIECE ((size_t)1 << 30)

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	while (len) {
		size_t n = len < PIECE ? len : PIECE;

		crc = crc32_iscsi((unsigned char *)p, (int)n, crc);
		p += n;
		len -= n;
	}
	return crc;
}
