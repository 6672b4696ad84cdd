/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checked.h - arithmetic on numbers that a stranger chose.
 *
 * The checked_ functions return false, and leave *out unspecified, when the true result does not fit.
 */
#ifndef DRYDOCK_CHECKED_H
#define DRYDOCK_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool is_pow2(uint64_t x)
{
	return x && !(x & (x - 1));
}

/* align is a power of two. */
static inline uint64_t round_down(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

/* align is a power of two; false when the result does not fit. */
static inline bool checked_round_up(uint64_t x, uint64_t align, uint64_t *out)
{
	if (!checked_add(x, align - 1, out))
		return false;
	*out = round_down(*out, align);
	return true;
}

/* For values that are known to be far from 2^64. */
static inline uint64_t round_up(uint64_t x, uint64_t align)
{
	return (x + align - 1) & ~(align - 1);
}

/* How many pieces of size d hold x; d > 0; cannot overflow. */
static inline uint64_t div_round_up(uint64_t x, uint64_t d)
{
	return x / d + (x % d != 0);
}

/* Does [off, off + len) lie in [0, size)? */
static inline bool range_in(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && (a >= b ? a - b < blen : b - a < alen);
}

static inline unsigned log2_of(uint64_t pow2)
{
	return (unsigned)__builtin_ctzll(pow2);
}

#endif
