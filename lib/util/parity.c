/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parity.h"

#include <string.h>

/* What x^8 is, of the field's polynomial. */
#define REST 0x1d
/* 2 to the power of 255 is 1. */
#define ORDER 255

static uint8_t twice(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? REST : 0));
}

static uint8_t product(uint8_t a, uint8_t b)
{
	uint8_t sum = 0;

	for (; b; b >>= 1, a = twice(a))
		if (b & 1)
			sum ^= a;
	return sum;
}

void parity_add(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t a, b;

		memcpy(&a, to + i, 8);
		memcpy(&b, from + i, 8);
		a ^= b;
		memcpy(to + i, &a, 8);
	}
	for (; i < len; i++)
		to[i] ^= from[i];
}

void parity_double(uint8_t *p, size_t len)
{
	size_t i = 0;

	/* Eight bytes at once: what leaves at the top of each comes back as the rest. */
	for (; i + 8 <= len; i += 8) {
		uint64_t v, top;

		memcpy(&v, p + i, 8);
		top = v >> 7 & 0x0101010101010101;
		v = (v << 1 & 0xfefefefefefefefe) ^ top * REST;
		memcpy(p + i, &v, 8);
	}
	for (; i < len; i++)
		p[i] = twice(p[i]);
}

void parity_multiply(uint8_t *p, size_t len, uint8_t factor)
{
	uint8_t table[256];

	for (unsigned i = 0; i < sizeof table; i++)
		table[i] = product((uint8_t)i, factor);
	for (size_t i = 0; i < len; i++)
		p[i] = table[p[i]];
}

uint8_t parity_power(unsigned n)
{
	uint8_t x = 1;

	for (n %= ORDER; n > 0; n--)
		x = twice(x);
	return x;
}

uint8_t parity_inverse(uint8_t x)
{
	uint8_t y = 1;

	for (unsigned i = 0; i < ORDER - 1; i++)
		y = product(y, x);
	return y;
}
