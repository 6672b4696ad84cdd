/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lzo.c - LZO1X: one block undone, every step bounded.
 *
 * Our own, as liblzo2 is under the GPL alone and what this library is built of should not have to be.  The format is told
 * in the kernel's Documentation/staging/lzo.rst.  An instruction copies a match (bytes that came out already, `distance`
 * before the end of the output) and then a few literals (bytes of the input); what its first byte means depends on how
 * many literals were copied last.
 *
 *	0 to 15		after no literals: 4 and more literals
 *			after 1 to 3: a match of 2 within 1 KiB
 *			after 4 and more: a match of 3 within 3 KiB
 *	16 to 31	a match within 48 KiB; at distance 16384 it is the end
 *	32 to 63	a match within 16 KiB
 *	64 to 255	a match of 3 to 8 within 2 KiB
 */
#include "lzo.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct work {
	const uint8_t *in, *in_end;
	uint8_t *start, *out, *out_end;
};

/* The length behind a length field of zeros: each zero byte is 255 more, then a last byte.  Ends: the input does. */
static bool long_length(struct work *w, size_t base, size_t *len)
{
	size_t zeros = 0;

	while (w->in < w->in_end && *w->in == 0) {
		w->in++;
		zeros++;
	}
	if (w->in == w->in_end)
		return false;
	*len = base + zeros * 255 + *w->in++;
	return true;
}

static bool literals(struct work *w, size_t len)
{
	if ((size_t)(w->in_end - w->in) < len || (size_t)(w->out_end - w->out) < len)
		return false;
	memcpy(w->out, w->in, len);
	w->in += len;
	w->out += len;
	return true;
}

static bool match(struct work *w, size_t distance, size_t len)
{
	const uint8_t *from = w->out - distance;

	if (distance > (size_t)(w->out - w->start) || len > (size_t)(w->out_end - w->out))
		return false;
	if (distance >= len) {
		memcpy(w->out, from, len);
		w->out += len;
	} else {
		/* It repeats what it is making. */
		for (; len > 0; len--)
			*w->out++ = *from++;
	}
	return true;
}

/* The two bytes behind some instructions: the lowest two bits count literals. */
static bool two_bytes(struct work *w, unsigned *v)
{
	if (w->in_end - w->in < 2)
		return false;
	*v = w->in[0] | (unsigned)w->in[1] << 8;
	w->in += 2;
	return true;
}

/* What the last instruction copied as literals: 0 to 3, or 4 for more. */
enum { MANY = 4 };

/* 1: go on, 0: the end, -1: broken. */
static int step(struct work *w, unsigned op, unsigned *last)
{
	size_t len, distance;
	unsigned v;

	if (op < 16 && *last == 0) {
		len = op + 3u;
		if (op == 0 && !long_length(w, 18, &len))
			return -1;
		*last = MANY;
		return literals(w, len) ? 1 : -1;
	}
	if (op < 16) {
		if (w->in == w->in_end)
			return -1;
		len = *last == MANY ? 3 : 2;
		distance = ((size_t)*w->in++ << 2) + (op >> 2) + (*last == MANY ? 2049 : 1);
		v = op;
	} else if (op < 64) {
		bool far = op < 32;
		unsigned mask = far ? 7 : 31;

		len = (op & mask) + 2;
		if ((op & mask) == 0 && !long_length(w, mask + 2, &len))
			return -1;
		if (!two_bytes(w, &v))
			return -1;
		distance = far ? 16384 + ((size_t)(op & 8) << 11) + (v >> 2) : (v >> 2) + 1;
		if (far && distance == 16384)
			return 0;
	} else {
		if (w->in == w->in_end)
			return -1;
		len = op < 128 ? 3 + (op >> 5 & 1) : 5 + (op >> 5 & 3);
		distance = ((size_t)*w->in++ << 3) + (op >> 2 & 7) + 1;
		v = op;
	}
	*last = v & 3;
	return match(w, distance, len) && literals(w, *last) ? 1 : -1;
}

bool lzo_decompress(void *dst, size_t cap, const void *src, size_t src_len, size_t *got)
{
	struct work w = { .in = src, .start = dst, .out = dst };
	unsigned last = 0;
	int rc = 1;

	w.in_end = w.in + src_len;
	w.out_end = w.out + cap;
	/* A first byte above 17 is literals without a match before them. */
	if (src_len > 0 && *w.in > 17) {
		unsigned n = *w.in++ - 17u;

		last = n < MANY ? n : MANY;
		rc = literals(&w, n) ? 1 : -1;
	}
	/* Ends: each turn takes a byte of the input. */
	while (rc > 0)
		rc = w.in < w.in_end ? step(&w, *w.in++, &last) : -1;
	*got = (size_t)(w.out - w.start);
	return rc == 0;
}
