/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parity.h - the arithmetic of RAID 5 and 6.
 *
 * P is the sum of the data, which is exclusive or.  Q is the sum of each datum times 2 to the power of its number, in
 * the field of 256 elements with the polynomial x^8 + x^4 + x^3 + x^2 + 1.
 */
#ifndef DRYDOCK_PARITY_H
#define DRYDOCK_PARITY_H

#include <stddef.h>
#include <stdint.h>

/* to += from */
void parity_add(uint8_t *to, const uint8_t *from, size_t len);
/* p *= 2 */
void parity_double(uint8_t *p, size_t len);
/* p *= factor */
void parity_multiply(uint8_t *p, size_t len, uint8_t factor);
/* 2 to the power of n. */
uint8_t parity_power(unsigned n);
/* 1 / x; x is not 0. */
uint8_t parity_inverse(uint8_t x);

#endif
