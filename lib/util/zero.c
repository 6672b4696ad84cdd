/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "zero.h"

#include <stdint.h>
#include <string.h>

/*
 * The first bytes are looked at by hand; the rest is zero when it equals itself moved by that much, which memcmp finds
 * out with the widest loads the machine has.
 */
bool mem_is_zero(const void *buf, size_t len)
{
	const unsigned char *p = buf;
	uint64_t head[4];

	if (len < sizeof head) {
		while (len)
			if (p[--len])
				return false;
		return true;
	}
	memcpy(head, p, sizeof head);
	if (head[0] | head[1] | head[2] | head[3])
		return false;
	return memcmp(p, p + sizeof head, len - sizeof head) == 0;
}

size_t mem_agree(const void *a, const void *b, size_t len)
{
	const unsigned char *p = a, *q = b;
	size_t off = 0;

	for (size_t step = 65536; step; step /= 16)
		while (len - off >= step && memcmp(p + off, q + off, step) == 0)
			off += step;
	return off;
}
