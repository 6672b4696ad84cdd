/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ondisk.h - integers as they lie on a disk.
 *
 * Byte-array types: a struct made of them has no padding and no alignment, and a value cannot be used
 * without its swap.  le32_get(h.size), be64_put(&h.l1_offset, off).
 */
#ifndef DRYDOCK_ONDISK_H
#define DRYDOCK_ONDISK_H

#include <stdint.h>
#include <string.h>

#define ONDISK_TYPE(name, bits, to_host)                                                                               \
	typedef struct {                                                                                               \
		uint8_t b[bits / 8];                                                                                   \
	} name;                                                                                                        \
	static inline uint##bits##_t name##_get(name v)                                                                \
	{                                                                                                              \
		uint##bits##_t x;                                                                                      \
		memcpy(&x, v.b, sizeof x);                                                                             \
		return to_host(x);                                                                                     \
	}                                                                                                              \
	static inline void name##_put(name *v, uint##bits##_t x)                                                       \
	{                                                                                                              \
		x = to_host(x);                                                                                        \
		memcpy(v->b, &x, sizeof x);                                                                            \
	}

#define ONDISK_SAME(x) (x)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ONDISK_LE16 ONDISK_SAME
#define ONDISK_LE32 ONDISK_SAME
#define ONDISK_LE64 ONDISK_SAME
#define ONDISK_BE16 __builtin_bswap16
#define ONDISK_BE32 __builtin_bswap32
#define ONDISK_BE64 __builtin_bswap64
#else
#define ONDISK_LE16 __builtin_bswap16
#define ONDISK_LE32 __builtin_bswap32
#define ONDISK_LE64 __builtin_bswap64
#define ONDISK_BE16 ONDISK_SAME
#define ONDISK_BE32 ONDISK_SAME
#define ONDISK_BE64 ONDISK_SAME
#endif

ONDISK_TYPE(le16, 16, ONDISK_LE16)
ONDISK_TYPE(le32, 32, ONDISK_LE32)
ONDISK_TYPE(le64, 64, ONDISK_LE64)
ONDISK_TYPE(be16, 16, ONDISK_BE16)
ONDISK_TYPE(be32, 32, ONDISK_BE32)
ONDISK_TYPE(be64, 64, ONDISK_BE64)

#endif
