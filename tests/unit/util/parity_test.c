/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "parity.h"

#include <string.h>

/* a * b, the long way. */
static uint8_t times(uint8_t a, uint8_t b)
{
	unsigned product = 0;

	for (unsigned i = 0; i < 8; i++)
		if (b >> i & 1)
			product ^= (unsigned)a << i;
	for (int i = 14; i >= 8; i--)
		if (product >> i & 1)
			product ^= 0x11du << (i - 8);
	return (uint8_t)product;
}

START_TEST(the_field_of_256_is_that_of_raid6)
{
	uint8_t buf[37], copy[37], power = 1;

	for (unsigned i = 0; i < 300; i++, power = times(power, 2))
		ck_assert_uint_eq(parity_power(i), power);
	for (unsigned x = 1; x < 256; x++)
		ck_assert_uint_eq(times((uint8_t)x, parity_inverse((uint8_t)x)), 1);
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)(i * 7 + 100);
	memcpy(copy, buf, sizeof buf);
	parity_double(buf, sizeof buf);
	parity_multiply(copy, sizeof copy, 0x53);
	for (size_t i = 0; i < sizeof buf; i++) {
		ck_assert_uint_eq(buf[i], times((uint8_t)(i * 7 + 100), 2));
		ck_assert_uint_eq(copy[i], times((uint8_t)(i * 7 + 100), 0x53));
	}
	parity_add(buf, buf, sizeof buf);
	ck_assert(buf[0] == 0 && buf[36] == 0);
}
END_TEST

/* D[0] to D[3] with P and Q: what two lost data are made from. */
START_TEST(two_lost_data_come_back_from_p_and_q)
{
	uint8_t data[4][16], p[16] = { 0 }, q[16] = { 0 };

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 16; k++)
			data[i][k] = (uint8_t)(i * 77 + k * 31 + 5);
	for (unsigned i = 4; i-- > 0;) {
		parity_add(p, data[i], 16);
		parity_double(q, 16);
		parity_add(q, data[i], 16);
	}
	/* Without 1 and 3: p is D1 + D3, q is 2 D1 + 8 D3. */
	parity_add(p, data[0], 16);
	parity_add(p, data[2], 16);
	parity_add(q, data[0], 16);
	parity_multiply(data[2], 16, parity_power(2));
	parity_add(q, data[2], 16);
	/* D1 = (8 p + q) / (2 + 8) */
	parity_multiply(p, 16, parity_power(3));
	parity_add(p, q, 16);
	parity_multiply(p, 16, parity_inverse(parity_power(1) ^ parity_power(3)));
	ck_assert_mem_eq(p, data[1], 16);
}
END_TEST

TEST_MAIN("parity", the_field_of_256_is_that_of_raid6, two_lost_data_come_back_from_p_and_q)
