/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testing.h"

#include "parity.h"

#include <string.h>

START_TEST(powers_of_two_are_those_of_the_field)
{
	ck_assert_uint_eq(parity_power(0), 1);
	ck_assert_uint_eq(parity_power(7), 0x80);
	ck_assert_uint_eq(parity_power(8), 0x1d);
	ck_assert_uint_eq(parity_power(9), 0x3a);
	ck_assert_uint_eq(parity_power(255), 1);
	ck_assert_uint_eq(parity_power(254), parity_inverse(2));
}
END_TEST

START_TEST(a_number_times_its_inverse_is_one)
{
	for (unsigned x = 1; x < 256; x++) {
		uint8_t p = (uint8_t)x;

		parity_multiply(&p, 1, parity_inverse((uint8_t)x));
		ck_assert_uint_eq(p, 1);
	}
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

TEST_MAIN("parity", powers_of_two_are_those_of_the_field, a_number_times_its_inverse_is_one,
	  two_lost_data_come_back_from_p_and_q)
