/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * md_parity.c - the arithmetic of RAID 5 and 6.
 *
 * P is the sum (exclusive or) of a stripe's data.  Q is the sum of each datum times 2 to the power of its number, in the
 * field of 256 elements with the polynomial x^8 + x^4 + x^3 + x^2 + 1.
 */
#include "md.h"

#include <string.h>

#define POLYNOMIAL 0x1d

void md_xor(uint8_t *to, const uint8_t *from, size_t len)
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

static uint8_t doubled(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? POLYNOMIAL : 0));
}

void md_double(uint8_t *p, size_t len)
{
	size_t i = 0;

	/* Eight bytes at once: what leaves at the top of each comes back as the polynomial. */
	for (; i + 8 <= len; i += 8) {
		uint64_t v, top;

		memcpy(&v, p + i, 8);
		top = v >> 7 & 0x0101010101010101;
		v = (v << 1 & 0xfefefefefefefefe) ^ top * POLYNOMIAL;
		memcpy(p + i, &v, 8);
	}
	for (; i < len; i++)
		p[i] = doubled(p[i]);
}

static uint8_t product(uint8_t a, uint8_t b)
{
	uint8_t sum = 0;

	for (; b; b >>= 1, a = doubled(a))
		if (b & 1)
			sum ^= a;
	return sum;
}

void md_multiply(uint8_t *p, size_t len, uint8_t factor)
{
	uint8_t table[256];

	for (unsigned i = 0; i < 256; i++)
		table[i] = product((uint8_t)i, factor);
	for (size_t i = 0; i < len; i++)
		p[i] = table[p[i]];
}

uint8_t md_power(unsigned exponent)
{
	uint8_t x = 1;

	/* 2 to the power of 255 is 1. */
	for (exponent %= 255; exponent > 0; exponent--)
		x = doubled(x);
	return x;
}

uint8_t md_inverse(uint8_t x)
{
	uint8_t y = 1;

	/* The power of 254, as that of 255 is 1. */
	for (unsigned i = 0; i < 254; i++)
		y = product(y, x);
	return y;
}
